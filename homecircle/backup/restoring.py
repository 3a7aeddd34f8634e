"""Restoring: a backup becomes a house again, in an empty folder."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from homecircle import db, devices, files
from homecircle.backup import since
from homecircle.backup.shelf import (
    DATABASE,
    MANIFEST,
    Manifest,
    Seen,
    Watch,
    backups,
    database_problems,
    read_manifest,
)
from homecircle.errors import NoSpace, Refused
from homecircle.files import Folder


class Restored(NamedTuple):
    """What a restore brought back; `size` in bytes. `again`: what was signed out, removed or deleted since, and stays
    so; `suspended`: how many devices wait for an admin's tick.
    """

    files: int
    size: int
    problems: tuple[str, ...]
    again: int
    suspended: int


def restore(backup: Path, new: Path, watch: Watch = lambda done, whole: None, old: Path | None = None) -> Restored:
    """Bring a backup (or the newest of a place) back into an empty folder and make it a house of this version.

    Hashes are compared while copying; a damaged original is brought as it is and told. A restore that was cut short
    goes on with the same call; until it is done `serve` refuses the folder. `old` is the data folder that was lost, as
    far as its database can still be read (`since`). Raises `Refused` for a folder that is not empty, a backup of a
    newer HomeCircle, a damaged database or manifest; `NoSpace` before anything is copied.
    """
    if not (backup / MANIFEST).exists() and (found := backups(backup)):
        backup = found[-1]
    manifest, target = read_manifest(backup), Folder(new)
    if newer := sorted(set(manifest.migrations) - set(db.known_migrations())):
        raise Refused("This backup was made by a newer HomeCircle (%(name)s). Please install that version first.",
                      name=newer[-1])  # fmt: skip
    _begin_restore(target, backup.name, manifest.size)
    with target.lock():
        seen, later = Seen(manifest.size, watch), since.lay_beside(target, backup, old)
        problems = [
            problem
            for path in sorted(manifest.files)
            if (problem := _bring_back(backup, target, (path, *manifest.files[path]), seen))
        ]
        _check_database(target.database, manifest)
        files.settle_folder(target.root)
        again, suspended = _make_a_house(target, later)
        target.remove(target.restoring)
        files.settle_folder(target.root)
    return Restored(len(manifest.files), manifest.size, tuple(problems), again, suspended)


def _begin_restore(target: Folder, name: str, size: int) -> None:
    """Mark the folder as being restored, or refuse one that is lived in or too small."""
    root = target.root
    if root.exists() and root.stat().st_uid != 0:
        target.become_owner()
    holds = {path.name for path in root.iterdir()} - {"lost+found"} if root.is_dir() else set()
    marked = target.restoring.read_text(encoding="ascii") if target.restoring.exists() else ""
    if holds and marked != name:
        raise Refused("%(path)s is not empty. A backup is restored into a new folder only.", path=root)
    try:
        target.temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Refused("HomeCircle may not write in %(path)s (%(why)s).", path=root, why=error.strerror) from error
    if not marked and target.free() < size + files.POSTS_KEEP_FREE:
        raise NoSpace("%(path)s has no room for this backup: it needs %(size)s MB.", path=root, size=size // 1_000_000)
    target.write(target.restoring, name.encode())


def _bring_back(backup: Path, target: Folder, entry: tuple[str, int, str], seen: Seen) -> str:
    """Copy one file; '' or what is wrong with it. The database must be whole: `Refused` otherwise."""
    path, size, digest = entry
    place = target.root / path
    if place.exists() and path != DATABASE and files.sha256(place) == digest:
        seen.add(size)
        return ""
    for leftover in (place, Path(f"{place}-wal"), Path(f"{place}-shm")) if path == DATABASE else (place,):
        target.remove(leftover)
    try:
        found = files.copy(backup / path, place, seen.add)
    except FileNotFoundError:
        found = ""
    except OSError as error:
        raise Refused("%(path)s cannot be copied (%(why)s).", path=path, why=error.strerror) from error
    if found != digest and path == DATABASE:
        raise Refused("The database in this backup is damaged. Please take the backup before it.")
    if not found:
        return f"{path} is missing from the backup."
    return "" if found == digest else f"{path} is damaged: its bytes are not those of the backup."


def _check_database(path: Path, manifest: Manifest) -> None:
    if problems := database_problems(path, manifest.rows):
        raise Refused("%(why)s Please take the backup before it.", why=problems[0])


def _make_a_house(target: Folder, later: list[Path]) -> tuple[int, int]:
    """Migrate the database and take from it what does not hold in a restored house; see the module.

    Returns how much that was done since is done again, and how many devices wait for a tick.
    """
    db.open_file(target.database)
    try:
        with db.transaction():
            devices.suspend_all()
            for statement in _AFTER_RESTORE:
                db.rows(statement)
        again = since.do_again(later)
        suspended = len(devices.suspended())
        db.truncate_log()
    finally:
        db.close_file()
    for folder in sorted({path.parent for path in target.vault.rglob("*")} | {target.vault}):
        if folder.is_dir():
            files.settle_folder(folder)
    return again, suspended


_AFTER_RESTORE = (
    "DELETE FROM upload",
    "UPDATE original SET state = 'pending' WHERE state = 'ready'",  # renditions are drawn anew
    "DELETE FROM safety",
    "DELETE FROM hashed",
)
