"""Proving: verify, drill, scrub. Every byte is read and hashed; what was restored on trial is counted and opened."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from homecircle import db, files
from homecircle.backup.shelf import (
    DATABASE,
    MANIFEST,
    Seen,
    Watch,
    backups,
    database_problems,
    newest,
    note,
    originals,
    places,
    reach,
    read_manifest,
)
from homecircle.errors import HouseError, Refused
from homecircle.files import Folder
from homecircle.vault import renditions
from homecircle.vault.decoder import Busy, Decoder
from homecircle.vault.images import Undrawable

READ_AGAIN = {"vault": dt.timedelta(days=30), "here": dt.timedelta(days=90), "there": dt.timedelta(days=90)}
PICTURES_OPENED = 5  # by each drill
WRITTEN_DOWN = 64  # files hashed between two transactions


def verify(path: Path, watch: Watch = lambda done, whole: None) -> list[str]:
    """Read every byte of a backup, or of all backups in a place; return what is wrong, one sentence each."""
    found = [path] if (path / MANIFEST).exists() else backups(path)
    if not found:
        return [f"There is no backup in {path}."]
    read: dict[tuple[int, int], str] = {}
    return [f"{each.name}: {problem}" for each in found for problem in _problems(each, read, watch)]


def verify_vault(folder: Folder, watch: Watch = lambda done, whole: None) -> list[str]:
    """Read every original of a house that may be running; return what is wrong, one sentence each."""
    with db.beside(folder.database) as line:
        found = [_File(path, folder.root / path, size, digest) for path, digest, size in originals(line)]
    seen = Seen(sum(each.size for each in found), watch)
    return [problem for each in found if (problem := _looked_at(each, seen))]


def drill(folder: Folder, second: Path | None, decoder: Decoder, watch: Watch = lambda done, whole: None) -> list[str]:
    """Prove the newest backup (of the second place, where there is one) and write the outcome down.

    Every file of it is read and hashed where it lies; the database is restored into a scratch folder, checked whole,
    its rows counted against the manifest; some pictures are restored and opened. Returns problems, one sentence each.
    """
    place, where = places(folder, second)[-1]
    found = newest(where)
    if found is None:
        problems = [f"There is no backup in {where}."]
        note("drill", place, problems[0])
        return problems
    problems = _tried(found, folder.spool(), decoder, watch)
    upto = 0 if problems else reach(read_manifest(found))
    note("drill", place, " ".join(problems[:20]), None if problems else (found.name, upto))
    return problems


def _tried(backup: Path, scratch: Path, decoder: Decoder, watch: Watch) -> list[str]:
    """What is wrong with a backup; when something was taken out of it meanwhile, it is tried once more."""
    before = _said(backup)
    try:
        problems = _problems(backup, {}, watch) + _rehearse(backup, scratch, decoder)
    except (HouseError, OSError, sqlite3.DatabaseError) as error:
        problems = [f"The backup {backup.name} could not be restored: {error}"]
    finally:
        files.clear(scratch)
    return _tried(backup, scratch, decoder, watch) if problems and _said(backup) != before else problems


def _said(backup: Path) -> str:
    with contextlib.suppress(OSError):
        return (backup / MANIFEST).read_text(encoding="ascii", errors="replace")
    return ""


def scrub(folder: Folder, second: Path | None, watch: Watch = lambda done, whole: None) -> list[str]:
    """Read and hash what is due tonight of the originals and of the backups; returns all that is known to be wrong."""
    renditions.draw_again([])
    rounds = {"vault": _originals_here(folder)} | {
        place: list(_files_of_backups(where)) for place, where in places(folder, second)
    }
    problems: list[str] = []
    for place, found in rounds.items():
        problems += _scrub(place, found, watch)
    renditions.draw_again([row[0] for row in db.rows(_READ_AFTER_ALL)])
    return problems


class _File(NamedTuple):
    """A file that should be somewhere. `key` names it for good: a path in the vault, an inode among hard links."""

    key: str
    path: Path
    size: int
    digest: str


def _problems(backup: Path, read: dict[tuple[int, int], str], watch: Watch) -> list[str]:
    """Read every byte of one backup; a file that several backups share (`read`) is read once."""
    try:
        manifest = read_manifest(backup)
    except Refused as error:
        return [str(error)]
    seen, problems = Seen(manifest.size, watch), [f"{path} was damaged or missing." for path in manifest.damaged]
    for path, (size, digest) in manifest.files.items():
        try:
            found = (backup / path).stat()
            known = (found.st_dev, found.st_ino)
            if known not in read:
                read[known] = files.sha256(backup / path)
            problem = "" if read[known] == digest else f"{path} is damaged: its bytes are not those of the backup."
        except OSError as error:
            problem = f"{path} cannot be read ({error.strerror})."
        problems += [problem] if problem else []
        seen.add(size)
    return problems + database_problems(backup / DATABASE, manifest.rows)


def _rehearse(backup: Path, scratch: Path, decoder: Decoder) -> list[str]:
    """Restore the database and some pictures into `scratch`, count and open them."""
    manifest = read_manifest(backup)
    files.copy(backup / DATABASE, scratch / DATABASE, lambda length: None)
    problems = database_problems(scratch / DATABASE, manifest.rows)
    with db.reading(scratch / DATABASE) as line:
        chosen = line.execute(_OPENED, (PICTURES_OPENED,)).fetchall()
    chosen = [each for each in chosen if each[0] in manifest.files]
    tried = len(chosen)
    for path, digest, is_film in chosen:
        found = files.copy(backup / path, scratch / path, lambda length: None)
        try:
            (decoder.probe if is_film else decoder.draw)(scratch / path)
        except Busy as busy:  # which says nothing of the backup; but one of them has to be opened
            tried -= 1
            if not tried:
                raise busy
        except Undrawable:
            problems.append(f"{path} was restored and cannot be opened.")
        if found != digest:
            problems.append(f"{path} was restored and is not what arrived.")
    return problems


def _originals_here(folder: Folder) -> list[_File]:
    found = db.rows("SELECT path, sha256, size FROM original ORDER BY id")
    return [_File(path, folder.root / path, size, digest) for path, digest, size in found]


def _files_of_backups(place: Path) -> Iterator[_File]:
    """The files of all backups in a place, those with several names once; missing ones under their path."""
    seen: set[str] = set()
    for backup in backups(place):
        try:
            manifest = read_manifest(backup)
        except Refused:
            yield _File(str(backup), backup / MANIFEST, 0, "")
            continue
        for path, (size, digest) in manifest.files.items():
            key = _inode(backup / path)
            if key not in seen:
                seen.add(key)
                yield _File(key, backup / path, size, digest)


def _inode(path: Path) -> str:
    try:
        return str(path.stat().st_ino)
    except OSError:
        return str(path)


def _scrub(place: str, found: list[_File], watch: Watch) -> list[str]:
    """Read what is due in one place, write down what was seen every few files, forget what is not there any more."""
    at = dict(db.rows(_READ_BEFORE, place))
    due = _due(found, at, READ_AGAIN[place])
    seen = Seen(sum(each.size for each in due), watch)
    for start in range(0, len(due), WRITTEN_DOWN):
        looked = [(each, _looked_at(each, seen)) for each in due[start : start + WRITTEN_DOWN]]
        moment = int(db.now().timestamp())
        with db.transaction():
            for each, problem in looked:
                db.rows("INSERT OR REPLACE INTO hashed (place, key, path, at, problem) VALUES (?, ?, ?, ?, ?)",
                        place, each.key, str(each.path), moment, problem)  # fmt: skip
    gone = at.keys() - {each.key for each in found}
    if gone:
        with db.transaction():
            db.rows("DELETE FROM hashed WHERE place = ? AND key IN (SELECT value FROM json_each(?))",
                    place, json.dumps(sorted(gone)))  # fmt: skip
    wrong = [row[0] for row in db.rows("SELECT problem FROM hashed WHERE place = ? AND problem <> ''", place)]
    note("scrub", place, " ".join(wrong[:20]), None if wrong else ("", 0))
    return wrong


def _due(found: list[_File], at: dict[str, int], every: dt.timedelta) -> list[_File]:
    """What tonight reads: all that waits longest, up to the share that brings everything round in half of `every`;
    beyond that share only what would otherwise be late by the next night."""
    now, half = int(db.now().timestamp()), every / 2
    share = sum(each.size for each in found) / half.days
    late, early = now - (every - dt.timedelta(days=2)).total_seconds(), now - half.total_seconds()
    due: list[_File] = []
    for each in sorted(found, key=lambda each: at.get(each.key, 0)):
        last = at.get(each.key, 0)
        # a clock that was set back leaves moments in the future: those are read again too
        if early < last <= now or (share <= 0 and late < last <= now):
            continue
        share -= each.size
        due.append(each)
    return due


def _looked_at(file: _File, seen: Seen) -> str:
    try:
        found = files.sha256(file.path)
    except OSError as error:
        found = ""
        why = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
    else:
        why = "is damaged: its bytes are not those that were kept"
    seen.add(file.size)
    return "" if found == file.digest else f"{file.path} {why}."


# What could not be read when it was to be drawn is due at once; read well now, it is drawn after all.
_READ_BEFORE = """
SELECT key, at FROM hashed WHERE place = ? AND key NOT IN (SELECT path FROM original WHERE reason = 'unreadable')"""
# A picture that looks like its poster is too large for the decoder.
_OPENED = """
SELECT path, sha256, media_type LIKE 'video/%' FROM original
WHERE state = 'ready' AND (media_type LIKE 'video/%' OR poster_id IS NULL) ORDER BY random() LIMIT ?"""
_READ_AFTER_ALL = """
SELECT original.path FROM original JOIN hashed ON hashed.place = 'vault' AND hashed.key = original.path
WHERE original.reason = 'unreadable' AND hashed.problem = ''"""
