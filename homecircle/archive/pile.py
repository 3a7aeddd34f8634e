"""What lies in a folder or a ZIP that is to be brought in: each file with its name, its size, its date, and its bytes.

Names are only names: nothing is ever written under them, so ``../`` in a ZIP leads nowhere. Links are not followed and
what is no plain file is not opened. A ZIP is read entry by entry, never unpacked; ZIPs that lie in the folder are read
with it, since Google parts a large Takeout into many and puts a photo and its JSON into different ones.
"""

from __future__ import annotations

import codecs
import datetime as dt
import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple

from homecircle.errors import Invalid, NotFound
from homecircle.files import Folder

codecs.lookup("cp437")  # of old ZIPs' names: loaded now, since a command may give up the right to read it
OLDEST = 1981  # 1980 is what FAT and ZIP write where there is no date
NOISE = {"thumbs.db", "desktop.ini", "ehthumbs.db", "__macosx", "@eadir", "$recycle.bin", "system volume information"}


class Entry(NamedTuple):
    """One file: its path as the family sees it, its size in bytes, its own date (a wall clock), and how to read it."""

    path: str
    size: int
    at: dt.datetime | None
    open: Callable[[], IO[bytes]]


class Left(NamedTuple):
    """A file that was left out: its path, and the word for why (see `gathering.WHY`)."""

    path: str
    why: str


class Source(NamedTuple):
    """Where things lie. `handed` is a descriptor of it that a command has opened and given through, or -1."""

    path: Path
    handed: int = -1

    @property
    def place(self) -> Path:
        return self.path if self.handed < 0 else Path(f"/proc/self/fd/{self.handed}")


@dataclass
class Pile:
    """Everything in a source; what could not even be looked at is in `left`."""

    entries: list[Entry] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)


class Lying(NamedTuple):
    """Something in the folder for arrivals: its name ('' for all of it), and its bytes where it is a ZIP."""

    name: str
    size: int = 0


def lying(folder: Folder) -> list[Lying]:
    """Return what can be brought in from the folder for arrivals; all of it together first, where that is more.

    Raises `Invalid` where HomeCircle may not look into it.
    """
    try:
        there = sorted(
            each for each in folder.arrivals.iterdir() if not _is_noise(each.name) and each.name.isprintable()
        )
        found = [Lying(each.name, each.stat().st_size if each.is_file() else 0) for each in there
                 if not each.is_symlink() and (each.is_dir() or each.suffix.lower() == ".zip")]  # fmt: skip
    except OSError:
        raise Invalid("HomeCircle may not look into %(place)s.", field="what", place=folder.arrivals) from None
    return [Lying(""), *found] if len(there) > 1 or len(there) > len(found) else found


def arrived(folder: Folder, name: str) -> Source:
    """Return one of `lying` by its name; `NotFound` for any other."""
    if name not in {each.name for each in lying(folder)}:
        raise NotFound
    return Source(folder.arrivals / name)


def refuse(folder: Folder, source: Source) -> None:
    """Raise `Invalid` with one sentence where the source is not there, not readable, or HomeCircle's own folder."""
    try:
        real = source.place.resolve()
        with _opened(source):
            pass
    except FileNotFoundError:
        raise Invalid("HomeCircle sees nothing at %(path)s. Copy it to %(place)s (with sudo), and bring it in from "
                      "there.", field="what", path=source.path, place=folder.arrivals) from None  # fmt: skip
    except OSError as error:
        raise Invalid("HomeCircle may not read %(path)s (%(why)s). `sudo chmod -R a+rX` lets it, there or on a copy in "
                      "%(place)s.", field="what", path=source.path, why=error.strerror,
                      place=folder.arrivals) from None  # fmt: skip
    except zipfile.BadZipFile:
        raise Invalid(
            "%(path)s is neither a folder nor a ZIP that can be read.", field="what", path=source.path
        ) from None
    root, arrivals = folder.root.resolve(), folder.arrivals.resolve()
    if (
        real != arrivals
        and arrivals not in real.parents
        and (real == root or root in real.parents or real in root.parents)
    ):
        raise Invalid("%(path)s holds HomeCircle's own files. Only what lies in %(place)s is brought in from there.",
                      field="what", path=source.path, place=folder.arrivals)  # fmt: skip


@contextmanager
def collected(source: Source) -> Iterator[Pile]:
    """The pile of a source; its ZIPs stay open meanwhile. Raises `OSError` and `BadZipFile` for the source itself."""
    pile = Pile()
    with ExitStack() as opened:
        archive = opened.enter_context(_opened(source))
        if archive is not None:
            _unzip(archive, "", pile)
        else:
            _walk(source, pile, opened)
        pile.entries.sort(key=lambda entry: entry.path)
        yield pile


@contextmanager
def _opened(source: Source) -> Iterator[zipfile.ZipFile | None]:
    """The ZIP, or None for a folder that can be read."""
    place = source.place
    if place.is_dir():
        with os.scandir(place) as names:
            next(names, None)
        yield None
        return
    if source.handed < 0 and not stat.S_ISREG(place.stat().st_mode):
        raise zipfile.BadZipFile
    # a file that was handed through is read by what was handed: opening it once more would ask for rights again
    handed = os.fdopen(os.dup(source.handed), "rb") if source.handed >= 0 else None
    with handed or place.open("rb") as file, zipfile.ZipFile(file) as archive:
        yield archive


def _walk(source: Source, pile: Pile, opened: ExitStack) -> None:
    top = str(source.place)

    def shown(path: str) -> str:
        return source.path.name + path[len(top) :]

    def unread(error: OSError) -> None:
        pile.left.append(Left(shown(str(error.filename)), "unreadable"))

    for folder, folders, names in os.walk(top, onerror=unread):
        folders[:] = sorted(each for each in folders if not _is_noise(each))
        for name in names:
            path = f"{folder}/{name}"
            if _is_noise(name):
                continue
            about = os.lstat(path)
            if not stat.S_ISREG(about.st_mode):
                continue
            if name.lower().endswith(".zip"):
                _unzip_within(path, shown(path), pile, opened)
                continue
            read: Callable[[], IO[bytes]] = partial(Path(path).open, "rb")  # type: ignore[assignment]  # of bytes
            pile.entries.append(Entry(shown(path), about.st_size, _local(about.st_mtime), read))


def _unzip_within(path: str, shown: str, pile: Pile, opened: ExitStack) -> None:
    """A ZIP that lies in a folder: read with it; one that cannot be read is left out."""
    try:
        archive = opened.enter_context(zipfile.ZipFile(path))
    except OSError:
        pile.left.append(Left(shown, "unreadable"))
    except (zipfile.BadZipFile, ValueError):
        pile.left.append(Left(shown, "damaged"))
    else:
        _unzip(archive, "", pile)


def _unzip(archive: zipfile.ZipFile, above: str, pile: Pile) -> None:
    for info in archive.infolist():
        if info.is_dir() or any(_is_noise(part) for part in info.filename.split("/")):
            continue
        if info.flag_bits & 1:
            pile.left.append(Left(info.filename, "locked"))
            continue
        pile.entries.append(Entry(above + info.filename, info.file_size, _zipped(info), partial(archive.open, info)))


def _is_noise(name: str) -> bool:
    return (name.startswith(".") and name.strip(".") != "") or name.lower() in NOISE


def _local(seconds: float) -> dt.datetime | None:
    try:
        found = dt.datetime.fromtimestamp(seconds)  # noqa: DTZ006  the house's own wall clock
    except (OverflowError, ValueError, OSError):
        return None
    return found if found.year >= OLDEST else None


def _zipped(info: zipfile.ZipInfo) -> dt.datetime | None:
    try:
        found = dt.datetime(*info.date_time)  # noqa: DTZ001  a ZIP has no zone
    except ValueError:
        return None
    return found if found.year >= OLDEST else None
