"""What a file of the vault is called: where it lies, by day and content, and the name its sender gave it."""

from __future__ import annotations

import datetime as dt
import re

from homecircle import db
from homecircle.vault.serving import ENDINGS

NAME_LIMIT = 255


def place(taken: str | None, digest: str, media_type: str, name: str) -> str:
    """Return where a file lies in the house: its day, its content, and an ending that opens it without HomeCircle."""
    ending = ENDINGS.get(media_type) or _ending(name)
    day = dt.datetime.fromisoformat(taken) if taken else db.now()
    return f"vault/{day:%Y/%m}/{day:%Y%m%d-%H%M%S}-{digest[:12]}.{ending}"


def _ending(name: str) -> str:
    """Of a file that no bytes tell: what the sender says, so that it is readable without HomeCircle; never one that
    promises a picture."""
    ending = name.rpartition(".")[2].lower()
    is_plain = re.fullmatch(r"[a-z0-9]{1,5}", ending) and "." in name and ending not in {*ENDINGS.values(), "jpeg"}
    return ending if is_plain else "bin"


def taken_hint(head: bytes, modified: dt.datetime | None) -> str | None:
    """Return the camera's wall clock for the file's name, found as plain text in the first bytes (else `modified`).

    Nothing of a hostile file is parsed here.
    """
    for found in re.finditer(rb"(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)", head):
        try:
            day = dt.datetime(*map(int, found.groups()))  # type: ignore[arg-type]  # noqa: DTZ001  a wall clock
        except ValueError:
            continue
        if 1970 <= day.year <= db.now().year + 1:
            return day.isoformat()
    return modified.replace(tzinfo=None).isoformat(timespec="seconds") if modified else None


def clean(name: str) -> str:
    """Return what the sender calls the file, as one clean line without folders."""
    line = re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]", "", name.replace("\\", "/"))
    return line.rpartition("/")[2].strip()[-NAME_LIMIT:] or "file"
