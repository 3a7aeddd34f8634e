"""What an operator may set by hand: `Config.load()` is defaults, then ``homecircle.toml``, then ``HOMECIRCLE_*``.

Everything is optional. An unknown key is an error that names it, since a misspelt setting that is silently ignored is
the one an operator looks for all evening. This is the only reader of the environment.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, fields, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import platformdirs

from homecircle.errors import Refused

FILE_NAME = "homecircle.toml"


@dataclass(frozen=True, slots=True)
class Config:
    """One house's settings.

    `port` 0 means: 80 if it can be had, else the next free one from 8080. `hosts` are further names under which the
    house answers at home (the family's own DNS). `trusted_proxies` are the addresses whose ``X-Forwarded-*`` are
    believed at the away door. `house` is the id that the data folder must carry (empty: any). `backup_to` is a
    folder on another disk for the second backup (a whole path; empty: none). `quota` is how many GB of photos, videos
    and files each member may keep (0: no limit).
    """

    data: Path
    host: str = ""
    port: int = 0
    away_port: int = 8081
    name: str = "homecircle"
    hosts: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    announce: bool = True
    house: str = ""
    backup_to: str = ""
    quota: int = 0

    @property
    def second_place(self) -> Path | None:
        """Where the second backup goes."""
        return Path(self.backup_to) if self.backup_to else None

    @classmethod
    def load(cls, data: Path | None = None, **given: object) -> Config:
        """Read the settings; `given` (from the command line) wins over the environment, that over the file.

        Raises `Refused` with one sentence naming the key for anything that cannot be understood.
        """
        environment = _from_environment()
        folder = Path(data or environment.pop("data", "") or platformdirs.user_data_dir("homecircle")).expanduser()
        environment.pop("data", None)
        settings: dict[str, Any] = _from_file(folder / FILE_NAME) | environment
        settings |= {key: value for key, value in given.items() if value is not None}
        return replace(cls(data=folder.absolute()), **{key: _checked(key, value) for key, value in settings.items()})


def asset_folders() -> tuple[Path, Path]:
    """Return (static, templates): inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).parent
    inside = (package / "static", package / "templates")
    return inside if inside[0].is_dir() else (package.parent / "static", package.parent / "templates")


def translations() -> Path:
    """Return the folder of the compiled catalogues."""
    return Path(__file__).parent / "translations"


def from_systemd() -> tuple[int, ...]:
    """Return the file descriptors of the sockets that systemd hands over (sd_listen_fds(3)), or ()."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):  # noqa: TID251  the reader of the environment
        return ()
    return tuple(range(3, 3 + int(os.environ.get("LISTEN_FDS", "0"))))  # noqa: TID251  the same


def _from_environment() -> dict[str, Any]:
    settable = {field.name for field in fields(Config)}
    pairs = os.environ.items()  # noqa: TID251  the reader of the environment
    found = {key.removeprefix("HOMECIRCLE_").lower(): value for key, value in pairs if key.startswith("HOMECIRCLE_")}
    unknown = found.keys() - settable
    if unknown:
        raise Refused("HOMECIRCLE_%(key)s is not a setting of HomeCircle.", key=min(unknown).upper())
    return found


def _from_file(path: Path) -> dict[str, Any]:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Refused("homecircle.toml cannot be read: %(why)s", why=error) from error
    unknown = found.keys() - {field.name for field in fields(Config)} | (found.keys() & {"data"})
    if unknown:
        raise Refused("homecircle.toml: '%(key)s' is not a setting of HomeCircle.", key=min(unknown))
    return found


def _checked(key: str, value: Any) -> Any:
    """Turn what was written into the setting's own kind, or refuse by name."""
    try:
        if key in {"port", "away_port", "quota"}:
            number = int(str(value))
            if not 0 <= number <= 65535:
                raise ValueError
            return number
        if key in {"hosts", "trusted_proxies"}:
            words = tuple(value.replace(",", " ").split()) if isinstance(value, str) else tuple(map(str, value))
            return tuple(str(ip_network(word, strict=False)) for word in words) if key == "trusted_proxies" else words
        if key == "announce":
            return {"true": True, "false": False, "1": True, "0": False}[str(value).lower()]
        if key == "backup_to" and value and not Path(value).is_absolute():
            raise ValueError
        return str(value)
    except (ValueError, KeyError, TypeError) as error:
        raise Refused("The setting '%(key)s' cannot be '%(value)s'.", key=key, value=value) from error
