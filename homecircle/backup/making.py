"""Making a backup, whole or not at all, and removing old ones."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path
from typing import Any, NamedTuple

from homecircle import __version__, db, files, trash
from homecircle.backup.forgetting import take_out
from homecircle.backup.shelf import (
    DATABASE,
    MANIFEST,
    SETTINGS,
    STAMP,
    Manifest,
    Watch,
    alone,
    backups,
    changing,
    count_rows,
    highest,
    house,
    made_at,
    newest,
    note,
    originals,
    places,
    reach,
    read_manifest,
    refuse_absent,
    write_new,
)
from homecircle.errors import HouseError, NoSpace, Refused
from homecircle.files import Folder

KEEP = (("%Y-%m-%d", 7), ("%G-%V", 4), ("%Y-%m", 12))  # periods, and how many of each keep their newest backup


class Backup(NamedTuple):
    """One backup that was made: `size` and `copied` in bytes; what it could not keep whole, in sentences."""

    path: Path
    files: int
    size: int
    copied: int
    problems: tuple[str, ...]


def make(folder: Folder, to: Path | None = None, watch: Watch = lambda done, whole: None) -> Backup:
    """Make a backup of the open house in `to` (default: ``backups/``), whole or not at all.

    `watch` hears of bytes done and bytes in all; what it raises ends the backup. Raises `Refused` when the place cannot
    be written, `NoSpace` when it is too small, `Conflict` while another one is being made.
    """
    place = to or folder.backups
    with alone():
        try:
            name = _prepare(place)
            building = _Building(folder, place / f".{name}.making", newest(place), watch)
            try:
                made = building.build()
                files.rename_folder(building.path, place / name)
            finally:
                files.clear(building.path)
            return made._replace(path=place / name)
        except OSError as error:
            raise Refused("The backup in %(place)s could not be made (%(why)s).", place=place,
                          why=error.strerror or error) from error  # fmt: skip


def nightly(folder: Folder, second: Path | None, watch: Watch = lambda done, whole: None) -> list[Backup]:
    """Back up here and, when there is one, in the second place; prune both; write down how it went.

    A place that fails never keeps the other from being done; then `Refused` says what failed.
    """
    made: list[Backup] = []
    problems: list[str] = []
    for place, to in places(folder, second):
        try:
            if place == "there":
                refuse_absent(to)
            made.append(make(folder, to, watch))
            with changing(patient=True):
                prune(to)
                note_backup(place, made[-1])
                problems += (*made[-1].problems, *take_out(to))
        except HouseError as error:
            note("backup", place, str(error))
            problems.append(str(error))
    if problems:
        raise Refused("%(why)s", why=" ".join(problems))
    return made


def by_hand(folder: Folder, to: Path | None, second: Path | None, watch: Watch) -> list[Backup]:
    """Make the backup that somebody asked for: in `to`, or without it where the nightly ones go."""
    if to is None:
        return nightly(folder, second, watch)
    made = make(folder, to, watch)
    if to == second:
        note_backup("there", made)
    with changing(patient=True):
        return [made._replace(problems=(*made.problems, *take_out(to)))]


def note_backup(place: str, made: Backup) -> None:
    """Write down that a backup was made."""
    manifest = read_manifest(made.path)
    note("backup", place, " ".join(made.problems), (made.path.name, reach(manifest)))


def prune(place: Path) -> list[str]:
    """Remove this house's backups beyond 7 days, 4 weeks and 12 months; returns their names.

    Of each period its newest stays. A backup loses its name first, so a half-removed one never looks whole.
    """
    mine = [path for path in reversed(backups(place)) if path.name.endswith(house())]
    keep = {path.name for path in mine[:1]}
    for pattern, count in KEEP:
        periods: dict[str, str] = {}
        for path in mine:
            periods.setdefault(made_at(path).strftime(pattern), path.name)
        keep |= set(list(periods.values())[:count])
    going = [path for path in mine if path.name not in keep]
    for path in going:
        hidden = path.with_name(f".{path.name}.going")
        files.rename_folder(path, hidden)
        files.clear(hidden)
    return [path.name for path in going]


@dataclasses.dataclass(slots=True)
class _Building:
    """One backup on its way: see `make`."""

    folder: Folder
    path: Path
    earlier: Path | None
    watch: Watch
    done: int = 0
    whole: int = 0
    copied: int = 0
    problems: list[str] = dataclasses.field(default_factory=list)
    damaged: list[str] = dataclasses.field(default_factory=list)

    def build(self) -> Backup:
        copy = self.path / DATABASE
        self.path.mkdir(mode=0o700)
        self._refuse_too_small(self.folder.database.stat().st_size)
        if trash.forgotten("here"):  # else the copy would hold words whose rows have gone
            trash.settle(self.folder)
        copy_database(self.folder.database, copy)
        digest = files.sha256(copy)
        with db.reading(copy) as line:
            found, upto, rows = originals(line), highest(line), count_rows(line)
        entries: dict[str, list[Any]] = {DATABASE: [copy.stat().st_size, digest]}
        self._bring_originals(found)
        entries |= {path: [size, digest] for path, digest, size in found if (self.path / path).exists()}
        if (settings := self.folder.root / SETTINGS).exists():
            digest = files.copy(settings, self.path / SETTINGS, lambda length: None)
            entries[SETTINGS] = [(self.path / SETTINGS).stat().st_size, digest]
        manifest = Manifest(db.now().isoformat(), __version__, house(), db.known_migrations(), upto, rows, entries,
                            self.damaged)  # fmt: skip
        write_new(self.path / MANIFEST, manifest.text().encode())
        return Backup(self.path, len(entries), manifest.size, self.copied, tuple(self.problems))

    def _bring_originals(self, wanted: list[tuple[str, str, int]]) -> None:
        known = self._known()
        self.whole = sum(size for _path, _digest, size in wanted)
        on_one_disk = self.path.stat().st_dev == self.folder.root.stat().st_dev
        new = sum(size for path, digest, size in wanted if known.get(path) != digest)
        self._refuse_too_small(0 if on_one_disk else new)
        for path, digest, size in wanted:
            is_there = self.earlier is not None and known.get(path) == digest
            if not (is_there and self._linked(self.earlier, path)):
                self._bring(path, digest)
            self.done += size
            self.watch(self.done, self.whole)

    def _linked(self, earlier: Path | None, path: str) -> bool:
        try:
            return earlier is not None and files.link(earlier / path, self.path / path)
        except FileNotFoundError:
            return False

    def _bring(self, path: str, digest: str) -> None:
        """Link or copy one original; one that is missing or not itself any more is told, and the rest goes on.

        One that the family has let go since the database was copied is not missed.
        """
        target, original = self.path / path, self.folder.root / path
        try:
            if files.link(original, target):
                return
            found = files.copy(original, target, lambda length: self.watch(self.done, self.whole))
        except FileNotFoundError:
            if db.row("SELECT 1 FROM original WHERE path = ?", path):
                self.damaged.append(path)
                self.problems.append(f"{path} is missing from the vault.")
            return
        self.copied += target.stat().st_size
        if found != digest:
            self.damaged.append(path)
            self.problems.append(f"{path} is damaged: its bytes are not those that arrived.")

    def _known(self) -> dict[str, str]:
        """What the earlier backup there holds whole: path -> SHA-256."""
        try:
            found = read_manifest(self.earlier) if self.earlier else None
        except Refused:
            return {}
        return {path: each[1] for path, each in found.files.items() if path not in found.damaged} if found else {}

    def _refuse_too_small(self, new: int) -> None:
        at_home = self.path.stat().st_dev == self.folder.root.stat().st_dev
        if Folder(self.path).free() - new < (files.POSTS_KEEP_FREE if at_home else files.LEAST):
            raise NoSpace("There is no room left for a backup in %(place)s: it needs %(size)s MB.",
                          place=self.path.parent, size=new // 1_000_000)  # fmt: skip


def copy_database(source: Path, target: Path) -> None:
    """Copy the open database, consistent and settled."""
    with db.still() as is_whole:
        if is_whole:
            files.copy_apart(source, target)
    if not is_whole:
        files.create(target).close()
        db.copy_to(target)
        with target.open("rb") as handle:
            files.settle(handle)


def _prepare(place: Path) -> str:
    """Make the place, remove what an interrupted backup or pruning left, return a free name."""
    place.mkdir(mode=0o700, exist_ok=True)
    mine = house()
    for leftover in [*place.glob(f".*-{mine}.making"), *place.glob(f".*-{mine}.going")]:
        files.clear(leftover)
    moment = db.now()
    while (place / (name := f"{moment:{STAMP}}-{mine}")).exists():
        moment += dt.timedelta(seconds=1)
    return name
