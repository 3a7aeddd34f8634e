"""Arriving: a backup becomes this very house, asked for on the page of a fresh one.

The server has the empty house open, so a process of its own (`bring`) restores into ``arriving/``, gives the asking
browser its place there, and writes the mark ``arriving/whole`` last. Then the server starts again, and before it opens
anything `move_in` puts the pieces in their places, one rename each, and takes the mark away at the end. So whatever
happens: without the mark there is the empty house, with it the restored one; a start that is cut short is done again.
A house that somebody has begun to live in meanwhile (the server was killed, its child went on) is never replaced.
Settings, house mark and ``secret.key`` stay this machine's own.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import logging
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from homecircle import db, devices, files
from homecircle.backup.restoring import restore
from homecircle.backup.shelf import DATABASE, MANIFEST, Watch, backups, made_at, read_manifest
from homecircle.errors import Conflict, HouseError, Invalid, Refused
from homecircle.files import Folder

log = logging.getLogger("homecircle.arriving")
_beginning = threading.Lock()


class Choice(NamedTuple):
    """A backup one may bring back: `size` in bytes, how many posts and photos it holds."""

    path: Path
    made_at: dt.datetime
    size: int
    posts: int
    items: int


class Seat(NamedTuple):
    """Who brings it back: the admin (public id) as whom the asking browser comes in, with the hash of its token."""

    member: str
    device: str
    token_hash: str


class Told(NamedTuple):
    """How far it is: bytes done, bytes in all; why it ended without success (a message id and its values), or ''."""

    done: int = 0
    whole: int = 0
    is_over: bool = False
    message: str = ""
    values: dict[str, str] = {}  # noqa: RUF012  never changed


def choices(places: list[Path]) -> list[Choice]:
    """Return the backups that can be read in these places (or are these), newest first."""
    found: dict[Path, Choice] = {}
    for place in places:
        with contextlib.suppress(OSError, ValueError):  # ValueError: letters that no path has
            for each in [place] if (place / MANIFEST).exists() else backups(place):
                with contextlib.suppress(Refused, OSError, ValueError):
                    manifest = read_manifest(each)
                    rows = manifest.rows
                    found[each] = Choice(each, made_at(each), manifest.size, rows.get("post", 0), rows.get("item", 0))
    return sorted(found.values(), key=lambda each: each.path.name, reverse=True)


def look_in(typed: str) -> Path:
    """Return the folder that somebody typed; `Invalid` when there is no backup in it, or it is closed to us."""
    place = Path(typed.strip())
    if not place.is_absolute() or "\0" in typed:
        raise Invalid("This should be a whole path, like /mnt/backup.", field="place")
    try:
        if (place / MANIFEST).exists() or backups(place):
            return place
    except OSError as error:
        raise Invalid("%(path)s cannot be opened (%(why)s).", field="place", path=place, why=error.strerror) from error
    raise Invalid("There is no backup in %(path)s.", field="place", path=place)


def admins(backup: Path) -> list[tuple[str, str]]:
    """Return who looked after the house when the backup was made: (public id, name). `Conflict` when it cannot tell."""
    try:
        with db.reading(backup / DATABASE) as line:
            return line.execute(
                "SELECT public_id, name FROM member WHERE role = 'admin' AND left_at IS NULL ORDER BY id"
            ).fetchall()
    except sqlite3.Error as error:
        raise Conflict("The database in this backup is damaged.") from error


def is_fresh() -> bool:
    """Say whether the open house holds nothing that could be lost: one person, no posts, nothing in the vault."""
    return bool(db.row(_FRESH)[0])


def _is_lived_in(database: Path) -> bool:
    """Say whether a house that is closed holds something, or cannot say that it holds nothing."""
    try:
        with db.beside(database) as line:
            return not line.execute(_FRESH).fetchone()[0]
    except sqlite3.DatabaseError:
        return database.exists()


class Arrival:
    """One backup on its way into this house: `told` says how far; `then` is called when it may be moved in."""

    def __init__(self, folder: Folder, then: Callable[[], None]) -> None:
        self._folder, self._then = folder, then
        self._child: subprocess.Popen[str] | None = None
        self.told = Told(is_over=True)

    @property
    def is_under_way(self) -> bool:
        return not self.told.is_over

    def begin(self, backup: Path, seat: Seat) -> None:
        """Start bringing `backup`. `Conflict` while one is under way, or when the house is not empty any more."""
        with _beginning:
            if self.is_under_way:
                raise Conflict("A backup is being brought back already.")
            if not is_fresh():
                raise Conflict("This house is lived in already. `homecircle restore` makes a new one of a backup.")
            self.told = Told()
        given = json.dumps([str(backup), *seat])
        self._child = subprocess.Popen(  # noqa: S603  our own interpreter, our own words
            [sys.executable, "-m", "homecircle", "bring", "--data", str(self._folder.root)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/",
        )  # fmt: skip
        threading.Thread(target=self._follow, args=(self._child, given), name="arriving", daemon=True).start()

    def stop(self) -> None:
        """End what is under way: the house is closed. Nothing has arrived then."""
        if self._child is not None:
            self._child.terminate()

    def _follow(self, child: subprocess.Popen[str], given: str) -> None:
        told: dict[str, Any] = {"message": "Something went wrong. It has been written down in HomeCircle's log."}
        try:
            assert child.stdin is not None and child.stdout is not None  # noqa: S101, PT018  for the type checker
            child.stdin.write(given)
            child.stdin.close()
            for line in child.stdout:
                told = json.loads(line)
                self.told = Told(**told) if "message" not in told else self.told
            if child.wait() == 0 and self._is_still_fresh():
                self._then()
                return
        except (OSError, ValueError, TypeError):
            log.exception("a backup could not be brought back")
        self.told = Told(is_over=True, message=str(told.get("message", "")) or "Something went wrong.",
                         values=told.get("values", {}))  # fmt: skip

    def _is_still_fresh(self) -> bool:
        with db.connection():
            if is_fresh():
                return True
        self._folder.remove(self._folder.arriving / "whole")
        return False


def bring(folder: Folder, backup: Path, seat: Seat, watch: Watch) -> None:
    """Restore `backup` into ``arriving/`` and give the asking browser its place there; in a process of its own."""
    new = Folder(folder.arriving)
    if new.root.exists() and not new.restoring.exists():
        files.clear(new.root)
    restore(backup, new.root, watch)
    db.open_file(new.database)
    try:
        devices.welcome(seat.member, seat.device, bytes.fromhex(seat.token_hash))
        db.truncate_log()
    finally:
        db.close_file()
    new.write(new.root / "whole", b"")


def move_in(folder: Folder) -> bool:
    """Put a house that has arrived in its place, before anything is opened; True when there was one.

    One that is not whole is taken away. Every step may be cut short: the mark brings the next start back here.
    """
    new = Folder(folder.arriving)
    if not new.root.is_dir():
        return False
    if new.database.exists() and _is_lived_in(folder.database):
        log.warning("a backup came too late: somebody lives in this house already")
        folder.remove(new.root / "whole")
    if not (new.root / "whole").exists():
        with contextlib.suppress(Refused), new.lock():  # somebody is still writing there: not ours to clear
            files.clear(new.root)
        return False
    for path in (folder.renditions, folder.uploads):
        files.clear(path)
        path.mkdir(mode=0o700)
    if new.database.exists():
        for suffix in ("-wal", "-shm"):
            folder.remove(Path(f"{folder.database}{suffix}"))
        folder.move(new.database, folder.database)
    if new.vault.is_dir():
        files.clear(folder.vault)
        files.rename_folder(new.vault, folder.vault)
    folder.remove(new.root / "whole")
    files.settle_folder(new.root)
    files.clear(new.root)
    return True


_FRESH = """
SELECT (SELECT count(*) FROM member) < 2 AND NOT EXISTS (SELECT 1 FROM post) AND NOT EXISTS (SELECT 1 FROM item)"""


def refusal(told: Told) -> HouseError | None:
    """Return why it ended without success, as the pages tell it."""
    return Refused(told.message, **told.values) if told.message else None
