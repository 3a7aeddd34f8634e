"""Forgetting everywhere: what the family has let go for good goes from every backup too.

A backup's database is never changed in place: a copy without the things (every page of it written anew) is laid beside
it with the manifest that goes with it, then both are renamed, the manifest last; a run that was cut between the two is
finished by the next. Only then files go that the manifest does not name any more, so that at any moment the backup is
whole or is made whole by the same call. Other backups' hard links to the same original are names of their own.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from homecircle import db, files, trash
from homecircle.backup.shelf import (
    DATABASE,
    MANIFEST,
    NEXT,
    Manifest,
    backups,
    changing,
    count_rows,
    house,
    is_cut_short,
    places,
    read_manifest,
    refuse_absent,
    write_new,
)
from homecircle.errors import HouseError, Refused
from homecircle.files import Folder

COPY, WITHOUT = ".forgetting", ".without"
_ORIGINAL = re.compile(r"\d{8}-\d{6}-[0-9a-f]{12}\.\w+", re.ASCII)


def forget(folder: Folder, second: Path | None) -> None:
    """Take what was forgotten everywhere out of the house and of all backups here and in the second place.

    What cannot be reached now (a disk that is not there, a backup that is just being made) stays written down for the
    next run. May be killed at any moment and run again. Raises `Refused` with what could not be taken out.
    """
    if trash.erase_here() or trash.has_leftovers():
        trash.settle(folder)
    problems: list[str] = []
    for place, to in places(folder, second):
        waiting = trash.forgotten(place)
        if not waiting or not _is_there(place, to):
            continue
        with changing(patient=False) as is_mine:
            found = take_out(to) if is_mine else []
        problems += found
        if is_mine and not found:
            trash.note_gone(place, waiting)
    if problems:
        raise Refused("%(why)s", why=" ".join(problems))


def take_out(place: Path) -> list[str]:
    """Take all that was ever forgotten out of this house's backups in a place; returns problems, one sentence each.

    Also for a disk that comes back after months: a backup that holds nothing of it costs one look.
    """
    things, problems = trash.forgotten(), []
    for backup in backups(place) if things else []:
        if not backup.name.endswith(house()):
            continue
        try:
            _finish(backup)
            if _holds(backup, things):
                _rewrite(backup, things)
            _sweep(backup)
        except (HouseError, OSError, sqlite3.DatabaseError) as error:
            problems.append(f"{backup.name} still holds what was forgotten everywhere: {error}")
    return problems


def _is_there(place: str, to: Path) -> bool:
    try:
        if place == "there":
            refuse_absent(to)
    except Refused:
        return False
    return True


def _holds(backup: Path, things: dict[str, list[str]]) -> bool:
    with db.reading(backup / DATABASE) as line:
        return any(trash.holds(line, kind, names) for kind, names in things.items())


def _rewrite(backup: Path, things: dict[str, list[str]]) -> None:
    """Lay a database without the things, and its manifest, beside those of the backup, and put them in their place."""
    manifest, room = read_manifest(backup), Folder(backup)
    try:
        if files.copy(backup / DATABASE, backup / COPY, lambda length: None) != manifest.files[DATABASE][1]:
            raise Refused("The database in this backup is damaged.")
        files.create(backup / WITHOUT).close()
        with db.rewriting(backup / COPY, backup / WITHOUT) as line:
            lost = [each for kind, names in things.items() for each in trash.erase(line, kind, names)]
            trash.find_anew(line)
        _say_without(manifest, backup / WITHOUT, {each.path for each in lost})
        write_new(backup / NEXT, manifest.text().encode())
        room.move(backup / WITHOUT, backup / DATABASE)
        room.move(backup / NEXT, backup / MANIFEST)
    finally:
        _finish(backup)


def _say_without(manifest: Manifest, database: Path, lost: set[str]) -> None:
    with database.open("rb") as handle:
        files.settle(handle)
    with db.reading(database) as line:
        manifest.rows = count_rows(line)
    manifest.files = {path: each for path, each in manifest.files.items() if path not in lost}
    manifest.files[DATABASE] = [database.stat().st_size, files.sha256(database)]
    manifest.damaged = [path for path in manifest.damaged if path not in lost]


def _finish(backup: Path) -> None:
    """Finish a change that was cut short after the database had its name and before the manifest had; undo another."""
    if is_cut_short(backup):
        Folder(backup).move(backup / NEXT, backup / MANIFEST)
    _tidy(backup)


def _tidy(backup: Path) -> None:
    for leftover in [path for name in (COPY, WITHOUT, NEXT) for path in backup.glob(f"{name}*")]:
        files.clear(leftover)


def _sweep(backup: Path) -> None:
    """Remove the originals that the manifest does not name (any more)."""
    named = read_manifest(backup).files
    for path in list(_originals_in(backup)):
        if str(path.relative_to(backup)) not in named:
            Folder(backup).erase(path)


def _originals_in(backup: Path) -> Iterator[Path]:
    return (path for path in (backup / "vault").rglob("*") if _ORIGINAL.fullmatch(path.name) and path.is_file())
