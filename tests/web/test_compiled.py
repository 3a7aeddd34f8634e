"""Compiled templates are kept from one start to the next, and are never trusted further than their sum."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from jinja2 import Environment

from homecircle.files import Folder
from homecircle.web import create_app
from tests.conftest import Family, Home


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the templates that were compiled, as it happens."""
    seen: list[str] = []
    compile_: Callable[..., object] = Environment.compile

    def watched(self: Environment, source: str, name: str | None = None, *rest: object, **more: object) -> object:
        seen.append(str(name))
        return compile_(self, source, name, *rest, **more)

    monkeypatch.setattr(Environment, "compile", watched)
    return seen


def _kept(folder: Folder) -> list[Path]:
    return sorted(folder.renditions.glob("pages-*/*"))


def _look(home: Home, family: Family) -> str:
    """Look at Home in a house that has just begun anew."""
    return Home(create_app(home.house), home.house).browser(family.ada).get("/").text


def test_a_new_start_compiles_nothing_again(home: Home, family: Family, compiled: list[str]) -> None:
    first = _look(home, family)
    assert "feed/index.html" in compiled and _kept(home.house.folder)
    assert all(path.stat().st_mode & 0o077 == 0 for path in _kept(home.house.folder))
    compiled.clear()
    assert _look(home, family).count("<") == first.count("<")
    assert compiled == []


@pytest.mark.parametrize("harm", [lambda made: made[: len(made) // 2], lambda made: made[:200] + bytes(len(made) - 200),
                                  lambda made: b""])  # fmt: skip
def test_what_a_power_cut_has_torn_is_compiled_anew(
    home: Home, family: Family, compiled: list[str], harm: Callable[[bytes], bytes]
) -> None:
    _look(home, family)
    whole = {path: path.read_bytes() for path in _kept(home.house.folder)}
    for path, made in whole.items():
        path.write_bytes(harm(made))
    compiled.clear()
    assert "</html>" in _look(home, family)
    assert "feed/index.html" in compiled
    assert {path: path.read_bytes() for path in _kept(home.house.folder)}.keys() == whole.keys()


def test_a_tight_disk_is_left_alone(
    home: Home, family: Family, compiled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Folder, "is_tight", lambda self, size=0: True)
    assert "</html>" in _look(home, family)
    assert "feed/index.html" in compiled and not _kept(home.house.folder)


def test_what_another_version_has_left_goes(home: Home, family: Family) -> None:
    old = home.house.folder.renditions / "pages-0123456789ab"
    old.mkdir()
    (old / "something").write_bytes(b"of another version")
    _look(home, family)
    assert not old.exists() and _kept(home.house.folder)
