"""Carrying it out: to a folder (by the command), or as a ZIP that is streamed (by a page).

A folder is made in ``.making`` inside the one that was asked for and gets its names at the end, ``index.html`` last:
one that was cut short holds no page, and the same command begins it again. Nothing is written in the data folder by the
command, so it may run beside the server and as root; it gives what it wrote to the owner of the place.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from homecircle import circle, db, files, members
from homecircle.archive import writing, zipping
from homecircle.archive.leaving import Medium
from homecircle.archive.naming import FIRST
from homecircle.archive.scope import Scope
from homecircle.errors import NoSpace, Refused
from homecircle.files import Folder, clear, create
from homecircle.vault import serving
from homecircle.vault.decoder import Busy, Decoder
from homecircle.vault.images import Undrawable

MAKING = ".making"
TRIES = 3
# What an empty stick or disk holds all the same.
NOTHING = {"lost+found", "System Volume Information", ".Trashes", ".fseventsd", ".Spotlight-V100", MAKING}
Watch = Callable[[int, int], None]


class Exported(NamedTuple):
    """What was taken out; `size` in bytes; what could not come along whole, in sentences."""

    path: Path
    files: int
    size: int
    problems: tuple[str, ...]


class Packed(NamedTuple):
    """A ZIP on its way: how many bytes it will have (None: known at its end), its bytes, and what ends it."""

    size: int | None
    pieces: Iterator[bytes]
    close: Callable[[], None]


def export(folder: Folder, to: Path, name: str = "", watch: Watch = lambda done, whole: None) -> Exported:
    """Take out the whole house (or what the member called `name` may see) into the empty folder `to`.

    The house is open, if only to be read. `watch` hears of bytes done and in all. Raises `Refused` for a folder that
    is not empty or cannot be written and for a name nobody has, `NoSpace` before anything of size is copied.
    """
    scope, language = _scope(name)
    try:
        is_new = not to.exists()
        _begin(to)
        try:
            made = _Carrying(folder, to, watch).carry(scope, language)
        finally:
            clear(to / MAKING)
        files.give_to(to, to.parent if is_new else to)
        return made
    except OSError as error:
        raise Refused("The export to %(place)s could not be made (%(why)s).", place=to,
                      why=error.strerror or error) from error  # fmt: skip


def pack(folder: Folder, decoder: Decoder, scope: Scope, language: str) -> Packed:
    """Make ready the ZIP of what a member takes along: words and pages lie in ``tmp`` until `close`."""
    work = folder.spool()
    try:
        draft = writing.write(folder, scope, language, work)
        size = zipping.size(_listed(draft)) if draft.is_sized else None
        index = files.scratch(work / "index")
    except BaseException:
        clear(work)
        raise

    def close() -> None:
        index.close()
        clear(work)

    entries = ((name, length, _pieces(folder, decoder, each)) for name, length, each in _entries(draft))
    return Packed(size, zipping.stream(entries, index, db.now()), close)


def weigh(scope: Scope) -> int:
    """Return about how many bytes would be taken along: those of the originals."""
    asked = f"SELECT coalesce(sum(size), 0) FROM ({scope.places}) AS place {_ORIGINALS}"
    return int(db.row(asked, scope.values)[0])


def _scope(name: str) -> tuple[Scope, str]:
    """The scope that a command asks for, and the language of its pages."""
    if not name:
        return Scope("house"), circle.get().language
    found = [number for number, face in members.present().items() if face.name.casefold() == name.strip().casefold()]
    if len(found) != 1:
        names = ", ".join(face.name for face in members.present().values())
        raise Refused("There is not one member called “%(name)s”. In the circle are: %(names)s.", name=name,
                      names=names or "nobody yet")  # fmt: skip
    return Scope("member", found[0]), members.get(found[0]).language


def _begin(to: Path) -> None:
    if to.exists() and (not to.is_dir() or {each.name for each in to.iterdir()} - NOTHING):
        raise Refused("%(place)s is not empty. An export needs a new or empty folder.", place=to)
    to.mkdir(mode=0o700, exist_ok=True)
    clear(to / MAKING)


class _Carrying:
    """One export to a folder."""

    def __init__(self, folder: Folder, to: Path, watch: Watch) -> None:
        self.folder, self.to, self.watch = folder, to, watch
        self.done = self.whole = 0
        self.problems: list[str] = []

    def carry(self, scope: Scope, language: str) -> Exported:
        draft = writing.write(self.folder, scope, language, self.to / MAKING)
        self.whole, count = draft.size, len(draft.texts)
        if Folder(self.to).free() < sum(each.size for each in draft.media()) + files.LEAST:
            raise NoSpace("There is no room left in %(place)s: the export needs %(size)s MB.",
                          place=self.to, size=draft.size // 1_000_000)  # fmt: skip
        self._moved(sum(size for _name, size in draft.texts))
        with contextlib.closing(Decoder()) as decoder:
            for each in draft.media():
                count += self._bring(decoder, each, draft.out / each.name)
        names = sorted(each.name for each in draft.out.iterdir())
        for name in (*(each for each in names if each != FIRST), FIRST):
            files.rename_into(draft.out / name, self.to / name)
        return Exported(self.to, count, self.done, tuple(self.problems))

    def _bring(self, decoder: Decoder, medium: Medium, target: Path) -> bool:
        """Bring one file; one that cannot be read or written is told, and the rest goes on."""
        before = self.done
        try:
            files.put(target, _pieces(self.folder, decoder, medium, self.to / MAKING / "clean"), self._moved)
        except FileNotFoundError:
            self.problems.append(f"{medium.name} is missing from the vault.")
            return False
        except OSError as error:
            if error.errno not in {errno.EFBIG, errno.EIO}:
                raise
            clear(target)
            self.problems.append(f"{medium.name} could not be brought ({error.strerror}).")
            return False
        finally:
            self.done = before + medium.size
        return True

    def _moved(self, length: int) -> None:
        self.done += length
        self.watch(min(self.done, self.whole), self.whole)


def _entries(draft: writing.Draft) -> Iterator[tuple[str, int, Medium]]:
    """(name, size, where it is) of every file of the ZIP: what one opens first comes first."""
    for name, length in reversed(draft.texts):
        yield name, length, Medium(name, str(draft.out / name), length)
    for each in draft.media():
        yield each.name, each.size, each


def _listed(draft: writing.Draft) -> Iterator[tuple[str, int]]:
    return ((name, length) for name, length, _medium in _entries(draft))


def _pieces(folder: Folder, decoder: Decoder, medium: Medium, spool: Path | None = None) -> Iterator[bytes]:
    """The bytes of a file as they go along. `spool` is where a copy without place lies for a moment (else ``tmp``)."""
    if medium.clean:
        copied = spool or folder.spool()
        try:
            source = copied if _cleaned(decoder, medium, copied) else Path(medium.instead)
            yield from serving.pieces(source)
        finally:
            clear(copied)
    else:
        yield from serving.pieces(Path(medium.source), medium.blanks)


def _cleaned(decoder: Decoder, medium: Medium, target: Path) -> bool:
    """Make a copy without place; False for one of the few pictures it cannot be taken out of, or on a machine that has
    no time for it at all.
    """
    for _ in range(TRIES):
        try:
            with create(target) as handle:
                decoder.clean(Path(medium.source), handle)
        except Undrawable:
            return False
        except Busy:
            clear(target)
            continue
        return True
    return False


_ORIGINALS = "JOIN item ON item.id = place.item_id JOIN original ON original.id = item.original_id"
