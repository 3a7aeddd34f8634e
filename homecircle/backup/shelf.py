"""What lies on the shelf: the backups of a place, what each says of itself, and how safe the house says it is."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from homecircle import db, files
from homecircle.errors import Refused
from homecircle.files import Folder

DATABASE = "homecircle.sqlite3"
MANIFEST = "manifest.json"
STAMP = "%Y%m%dT%H%M%SZ"

Watch = Callable[[int, int], None]


class State(NamedTuple):
    """How safe things are: `what` (backup, drill, scrub) in `place` (here, there, vault); see the migration."""

    what: str
    place: str
    tried_at: dt.datetime
    problem: str
    good_at: dt.datetime | None
    name: str
    upto: int


@dataclasses.dataclass(slots=True)
class Manifest:
    """What a backup says of itself. `files` is path -> [bytes, SHA-256]; `damaged` were not whole when it was made."""

    made_at: str
    version: str
    house: str
    migrations: list[str]
    upto: int
    rows: dict[str, int]
    files: dict[str, list[Any]]
    damaged: list[str]

    @property
    def size(self) -> int:
        return sum(size for size, _digest in self.files.values())

    def text(self) -> str:
        """The one spelling of this manifest; its own sum is in it, so that a flipped bit shows."""
        return _sealed(dataclasses.asdict(self))


class Seen:
    """Counts bytes read for whoever watches."""

    def __init__(self, whole: int, watch: Watch) -> None:
        self.whole, self.done, self._watch = whole, 0, watch

    def add(self, size: int) -> None:
        self.done += size
        self._watch(self.done, self.whole)


def backups(place: Path) -> list[Path]:
    """Return the backups of every house in a place, oldest first."""
    try:
        found = [path for path in place.iterdir() if _NAME.fullmatch(path.name) and (path / MANIFEST).exists()]
    except FileNotFoundError:
        return []
    return sorted(found, key=lambda path: path.name)


def made_at(backup: Path) -> dt.datetime:
    """Return the moment of a backup, from its name."""
    return dt.datetime.strptime(backup.name.partition("-")[0], STAMP).replace(tzinfo=dt.UTC)


def newest(place: Path) -> Path | None:
    """Return this house's newest backup in a place."""
    mine = [path for path in backups(place) if path.name.endswith(house())]
    return mine[-1] if mine else None


def places(folder: Folder, second: Path | None) -> list[tuple[str, Path]]:
    return [("here", folder.backups), *([("there", second)] if second else [])]


def house() -> str:
    return str(db.row("SELECT house_id FROM circle")[0])


def originals(line: sqlite3.Connection) -> list[tuple[str, str, int]]:
    return line.execute("SELECT path, sha256, size FROM original ORDER BY id").fetchall()


def highest(line: sqlite3.Connection) -> int:
    return int(line.execute("SELECT coalesce(max(id), 0) FROM original").fetchone()[0])


def count_rows(line: sqlite3.Connection) -> dict[str, int]:
    names = line.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' "
                         "AND sql LIKE 'CREATE TABLE%' ORDER BY name").fetchall()  # fmt: skip
    return {name: int(line.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]) for (name,) in names}


def _sealed(said: dict[str, Any]) -> str:
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return json.dumps({"sum": hashlib.sha256(text.encode()).hexdigest(), **said}, sort_keys=True, separators=(",", ":"))


def write_new(path: Path, content: bytes) -> None:
    with files.create(path) as handle:
        handle.write(content)
        files.settle(handle)


def read_manifest(backup: Path) -> Manifest:
    """Return what a backup says of itself; `Refused` when it has no manifest or one that was changed."""
    try:
        text = (backup / MANIFEST).read_text(encoding="ascii")
        said = json.loads(text)
        said.pop("sum")
        found = Manifest(**said)
        is_whole = found.text() == text and all(map(_is_inside, found.files))
    except FileNotFoundError:
        raise Refused("%(path)s is no backup of HomeCircle: it has no manifest.json.", path=backup) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused("The manifest of %(path)s is damaged.", path=backup) from error
    if not is_whole:
        raise Refused("The manifest of %(path)s is damaged.", path=backup)
    return found


def _is_inside(path: str) -> bool:
    parsed = PurePosixPath(path)
    return not parsed.is_absolute() and ".." not in parsed.parts


def states() -> list[State]:
    """Return how every backup, drill and scrub went last: what pages and `doctor` tell."""
    return [
        State(what, place, db.moment(tried), problem, db.moment(good) if good else None, name, upto)
        for what, place, tried, problem, good, name, upto in db.rows(
            "SELECT what, place, tried_at, problem, good_at, name, upto FROM safety ORDER BY place, what"
        )
    ]


def steps(original_id: int) -> str:
    """Return how safe an original is: 'arrived', 'backed up' (in the second place) or 'proven' (by a drill there)."""
    reached = {state.what: state.upto for state in states() if state.place == "there" and state.good_at}
    if original_id <= reached.get("drill", 0):
        return "proven"
    return "backed up" if original_id <= reached.get("backup", 0) else "arrived"


def suspended() -> list[int]:
    """Return the internal ids of the devices that a restore has signed out, in order of pairing."""
    return [row[0] for row in db.rows("SELECT device_id FROM suspended ORDER BY 1")]


def database_problems(path: Path, rows: dict[str, int]) -> list[str]:
    try:
        with db.reading(path) as line:
            said = [row[0] for row in line.execute("PRAGMA integrity_check(5)")]
            said += [f"a row of {row[0]} without its {row[2]}" for row in line.execute("PRAGMA foreign_key_check")]
            counted = count_rows(line)
    except sqlite3.DatabaseError as error:
        return [f"The database cannot be read ({error})."]
    problems = [f"The database is damaged ({each})." for each in said[:5] if each != "ok"]
    return problems + ([] if counted == rows else ["The database does not hold the rows that were counted."])


def note(what: str, place: str, problem: str, good: tuple[str, int] | None = None) -> None:
    """Write down a try; `good` (backup's name, highest original) when the thing itself was done."""
    moment = int(db.now().timestamp())
    with db.transaction():
        db.rows("INSERT INTO safety (what, place, tried_at, problem) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                "tried_at = excluded.tried_at, problem = excluded.problem", what, place, moment, problem)  # fmt: skip
        if good is not None:
            db.rows("UPDATE safety SET good_at = ?, name = ?, upto = ? WHERE what = ? AND place = ?",
                    moment, *good, what, place)  # fmt: skip


_NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}", re.ASCII)
# Statements, and how often each takes the moment of the restore.
_AFTER_RESTORE = (
    ("INSERT OR REPLACE INTO suspended (device_id, at) SELECT id, ? FROM device WHERE revoked_at IS NULL", 1),
    ("UPDATE device SET revoked_at = ? WHERE revoked_at IS NULL", 1),
    ("DELETE FROM token", 0),
    ("UPDATE invitation SET revoked_at = ? WHERE used_at IS NULL AND revoked_at IS NULL", 1),
    ("DELETE FROM upload", 0),
    ("UPDATE original SET state = 'pending' WHERE state = 'ready'", 0),  # renditions are drawn anew
    ("DELETE FROM safety", 0),
    ("DELETE FROM hashed", 0),
)
