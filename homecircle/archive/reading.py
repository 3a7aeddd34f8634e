"""Reading an export that may be anything: a folder or its ZIP, ``posts.json`` a line at a time, each value looked at.

A path that an export names is looked for in the export only. What is not as `writing` writes it ends in one sentence
that names the line.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from homecircle.archive.writing import FORMAT, WORDS
from homecircle.errors import Refused

LINE_LIMIT = 4 << 20
BEGIN = b'{"homecircle": '
_SECTION = re.compile(r'"(members|items|posts|messages|links)": \[')
_ID = re.compile(r"[a-z0-9]{8,32}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def is_export(path: Path) -> bool:
    """Say whether a folder or ZIP is what `export` makes; False for anything that cannot be read."""
    try:
        with Source(path):
            return True
    except Refused:
        return False


class Line:
    """One thing of ``posts.json``. Each question gives a value of that kind, or raises `Refused` naming the line."""

    def __init__(self, section: str, number: int, told: object) -> None:
        self.section, self._number = section, number
        if not isinstance(told, dict):
            raise self.refusal()
        self._told: dict[str, Any] = told

    def refusal(self) -> Refused:
        """What is said of a line that makes no sense."""
        return Refused("Line %(number)s of posts.json cannot be understood. Nothing was brought in.",
                       number=self._number)  # fmt: skip

    def text(self, name: str, limit: int = 4000) -> str:
        found = self._told.get(name)
        if found is None:
            return ""
        if not isinstance(found, str) or len(found) > limit or any("\ud800" <= letter <= "\udfff" for letter in found):
            raise self.refusal()
        return found

    def text_or_none(self, name: str) -> str | None:
        return self.text(name) or None

    def id(self, name: str) -> str:
        if not _ID.fullmatch(self.text(name)):
            raise self.refusal()
        return self.text(name)

    def ids(self, name: str) -> tuple[str, ...]:
        found = self._told.get(name)
        if not isinstance(found, list) or not all(isinstance(each, str) and _ID.fullmatch(each) for each in found):
            raise self.refusal()
        return tuple(dict.fromkeys(found))

    def word(self, name: str, *words: str) -> str:
        if self.text(name) not in words:
            raise self.refusal()
        return self.text(name)

    def number(self, name: str, low: int, high: int, otherwise: int | None = None) -> int:
        found = self._told.get(name, otherwise)
        if not isinstance(found, int) or isinstance(found, bool) or not low <= found <= high:
            raise self.refusal()
        return found

    def flag(self, name: str) -> bool:
        return self._told.get(name) is True

    def base64(self, name: str, limit: int) -> bytes:
        try:
            return base64.b64decode(self.text(name, limit), validate=True)
        except ValueError:
            raise self.refusal() from None

    def moment(self, name: str) -> int:
        """Seconds since 1970, up to the year 2200."""
        try:
            if not _MOMENT.fullmatch(self.text(name)) or self.text(name) >= "2200":
                raise ValueError
            return int(dt.datetime.fromisoformat(self.text(name)).timestamp())
        except ValueError:
            raise self.refusal() from None

    def moment_or_none(self, name: str) -> int | None:
        return self.moment(name) if self._told.get(name) is not None else None

    def clock(self, name: str) -> dt.datetime | None:
        """A camera's own wall clock, or None."""
        try:
            return dt.datetime.fromisoformat(self.text(name)[:19]).replace(tzinfo=None)
        except ValueError:
            return None

    def audience(self) -> tuple[str, ...] | None:
        """The ids of those it is for; () for everyone, None where nothing is said."""
        found = self._told.get("for")
        if found is None or found == "everyone":
            return None if found is None else ()
        if found == []:
            raise self.refusal()
        return self.ids("for")

    def thing(self, name: str) -> Line | None:
        found = self._told.get(name)
        return None if found is None else Line(self.section, self._number, found)

    def things(self, name: str) -> list[Line]:
        found = self._told.get(name)
        if not isinstance(found, list):
            raise self.refusal()
        return [Line(self.section, self._number, each) for each in found]


class Source:
    """An export that is open: a folder or a ZIP. Raises `Refused` for what is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._zip: zipfile.ZipFile | None = None
        try:
            if path.is_file():
                self._zip = zipfile.ZipFile(path)
            with self.open(WORDS) as stream:
                first = stream.readline(LINE_LIMIT)
            self._head = self._read_head(first)
        except PermissionError as error:
            self.close()
            raise Refused("HomeCircle may not read %(path)s.", path=path) from error
        except (OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
            self.close()
            raise Refused("%(path)s is not something that HomeCircle took out.", path=path) from error
        except BaseException:
            self.close()
            raise

    @property
    def head(self) -> Line:
        """What is said of the circle."""
        told = self._head.thing("circle")
        if told is None:
            raise self._head.refusal()
        return told

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the ZIP."""
        if self._zip is not None:
            self._zip.close()

    def open(self, name: str) -> IO[bytes]:
        """Open a file of the export; `FileNotFoundError` for one that is not there, or not in it."""
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
            raise FileNotFoundError(name)
        if self._zip is not None:
            try:
                return self._zip.open(name)
            except KeyError:
                raise FileNotFoundError(name) from None
        place = self.path.joinpath(*parts)
        if not place.resolve().is_relative_to(self.path.resolve()):
            raise FileNotFoundError(name)
        return place.open("rb")

    def size(self, name: str) -> int:
        """Return the bytes of a file of the export, 0 for one that is not there."""
        try:
            if self._zip is not None:
                return self._zip.getinfo(name).file_size
            with self.open(name) as stream:
                return stream.seek(0, 2)
        except (OSError, KeyError):
            return 0

    def _read_head(self, first: bytes) -> Line:
        if not first.startswith(BEGIN):
            raise Refused("%(path)s is not something that HomeCircle took out.", path=self.path)
        try:
            head = Line("head", 1, json.loads(first.decode().rstrip().removesuffix(",") + "}"))
        except (ValueError, RecursionError):
            raise Refused("Line 1 of posts.json cannot be understood. Nothing was brought in.") from None
        if head.number("homecircle", 1, 1 << 30) > FORMAT:
            raise Refused("This was taken out by a newer HomeCircle. Please install that version first.")
        return head


def read_lines(source: Source, wanted: str = "") -> Iterator[Line]:
    """Yield what ``posts.json`` holds (of one section), in its order; `Refused` for a file that is not whole."""
    with source.open(WORDS) as stream:
        stream.readline(LINE_LIMIT)
        section, ended, number = "", False, 1
        while raw := stream.readline(LINE_LIMIT):
            number += 1
            text = raw.decode(errors="replace").strip()
            if found := _SECTION.fullmatch(text):
                section = found[1]
            elif text in {"],", "]}"}:
                section, ended = "", text == "]}"
            elif not section:
                raise _unlike(number)
            elif not wanted or section == wanted:
                yield _line(section, number, text)
    if not ended:
        raise Refused("posts.json ends in the middle: it was not copied whole. Nothing was brought in.")


def _line(section: str, number: int, text: str) -> Line:
    try:
        return Line(section, number, json.loads(text.removesuffix(",")))
    except (ValueError, RecursionError):
        raise _unlike(number) from None


def _unlike(number: int) -> Refused:
    return Refused("Line %(number)s of posts.json cannot be understood. Nothing was brought in.", number=number)
