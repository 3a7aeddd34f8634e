"""What lies on the shelf: the backups of a place, what each says of itself, and how safe the house says it is."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import hashlib
import json
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from homecircle import db, files
from homecircle.errors import Conflict, Refused
from homecircle.files import Folder

DATABASE = "homecircle.sqlite3"
SETTINGS = "homecircle.toml"
MANIFEST = "manifest.json"
NEXT = ".manifest"  # that of a change which is under way
OVERDUE_AFTER = dt.timedelta(days=7)
STAMP = "%Y%m%dT%H%M%SZ"

_making = threading.Lock()
_changing = threading.RLock()
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


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Make a backup: `Conflict` while another one is being made; who takes something out of one is waited for."""
    if not _making.acquire(blocking=False):
        raise Conflict("A backup is being made already.")
    try:
        with _changing:
            yield
    finally:
        _making.release()


@contextlib.contextmanager
def changing(*, patient: bool) -> Iterator[bool]:
    """Change or remove backups alone in this process; False, without `patient`, while somebody else does.

    Two that took something out of the same backup at once would remove each other's files under way.
    """
    is_mine = _changing.acquire(blocking=patient)
    try:
        yield is_mine
    finally:
        if is_mine:
            _changing.release()


def refuse_absent(place: Path) -> None:
    """An unmounted disk is an empty folder: what was there before must be there again."""
    before = any(state.what == "backup" and state.place == "there" and state.good_at for state in states())
    if not place.is_dir() or (before and newest(place) is None):
        raise Refused("The backup disk is not there (%(place)s). Is it plugged in and mounted? For a new disk, run "
                      "`homecircle backup --to %(place)s` once.", place=place)  # fmt: skip


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
    """Return what a backup says of itself; `Refused` when it has no manifest or one that was changed.

    Of a change that was cut short the next manifest holds already, as soon as the database is the next one: so a disk
    that is taken away in between is a whole backup, and not a damaged one.
    """
    return _read(backup, NEXT if is_cut_short(backup) else MANIFEST)


def is_cut_short(backup: Path) -> bool:
    """Say whether a change ended after the database had its name and before the manifest had."""
    if not (backup / NEXT).exists():
        return False
    try:
        return bool(_read(backup, NEXT).files[DATABASE][1] == files.sha256(backup / DATABASE))
    except (Refused, KeyError, FileNotFoundError):
        return False


def _read(backup: Path, name: str) -> Manifest:
    try:
        text = (backup / name).read_text(encoding="ascii")
        said = json.loads(text)
        said.pop("sum")
        found = Manifest(**said)
        is_whole = found.text() == text and all(map(_is_of_a_backup, found.files))
    except FileNotFoundError:
        raise Refused("%(path)s is no backup of HomeCircle: it has no manifest.json.", path=backup) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused("The manifest of %(path)s is damaged.", path=backup) from error
    if not is_whole:
        raise Refused("The manifest of %(path)s is damaged.", path=backup)
    return found


def _is_of_a_backup(path: str) -> bool:
    """Say whether a backup may bring a file here: what else a data folder holds is believed, or even run."""
    parts = PurePosixPath(path).parts
    return ".." not in parts and (path in {DATABASE, SETTINGS} or parts[:1] == ("vault",))


def states() -> list[State]:
    """Return how every backup, drill and scrub went last: what pages and `doctor` tell."""
    return [
        State(what, place, db.moment(tried), problem, db.moment(good) if good else None, name, upto)
        for what, place, tried, problem, good, name, upto in db.rows(
            "SELECT what, place, tried_at, problem, good_at, name, upto FROM safety ORDER BY place, what"
        )
    ]


def is_elsewhere() -> bool:
    """Say whether a backup in the second place has ever gone well; asked of the file until it is so."""
    if not _elsewhere.is_set() and any(
        state.what == "backup" and state.place == "there" and state.good_at for state in states()
    ):
        _elsewhere.set()
    return _elsewhere.is_set()


_elsewhere = threading.Event()
db.on_open(_elsewhere.clear)


class Overdue(NamedTuple):
    """For how many days there was no good backup, 0 up to 7; `is_first`: there never was one."""

    days: int
    is_first: bool


def overdue(second: Path | None) -> Overdue:
    """Return whether it is time for a backup (in the second place, where there is one).

    A house that never had one counts from the day it was claimed.
    """
    good, claimed = db.row("SELECT (SELECT good_at FROM safety WHERE what = 'backup' AND place = ?), claimed_at "
                           "FROM circle", "there" if second else "here")  # fmt: skip
    since = good or claimed
    days = (db.now() - db.moment(since)).days if since else 0
    return Overdue(days if days > OVERDUE_AFTER.days else 0, good is None)


def reach(manifest: Manifest) -> int:
    """Return up to which original of this house, by number, a backup holds each one.

    Asked of the originals themselves: after a restore an older house may stand beside a newer backup, whose numbers
    were given to other photos. One that was damaged when the backup was made does not end it.
    """
    held = {digest for _size, digest in manifest.files.values()}
    reached = 0
    for number, digest, path in db.rows("SELECT id, sha256, path FROM original ORDER BY id"):
        if digest not in held and path not in manifest.damaged:
            break
        reached = number
    return reached


def steps(original_id: int) -> str:
    """Return how safe an original is: 'arrived', 'backed up' (in the second place) or 'proven' (by a drill there)."""
    reached = max((state.upto for state in states() if state.place == "there" and state.what == "backup"), default=0)
    if (proof := _proof()) and original_id <= proof.upto:
        return "proven"
    return "backed up" if original_id <= reached else "arrived"


def proven_until(member_id: int, zone: dt.tzinfo) -> dt.datetime | None:
    """Return a moment of the last day (in `zone`) up to whose end all that a member added is proven (see `steps`).

    What is still on its way counts from when it set out; of what has not set out nothing is known here (`tray.js`).
    None where nothing is, or where something in the second place was found wrong since: one throws nothing away then.
    """
    if (proof := _proof()) is None:
        return None
    until = made_at(Path(proof.name))
    if (first := db.row(_FIRST_UNPROVEN, {"me": member_id, "upto": proof.upto})[0]) is not None:
        until = min(until, db.moment(first))
    midnight = until.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    is_any = db.row(_ANY_BEFORE, member_id, int(midnight.timestamp()))
    return midnight - dt.timedelta(minutes=1) if is_any else None


def _proof() -> State | None:
    """The drill that went well in the second place; nothing when that place was found wrong since."""
    there = {state.what: state for state in states() if state.place == "there"}
    drill, scrub = there.get("drill"), there.get("scrub")
    if drill is None or drill.good_at is None or drill.problem or (scrub and scrub.problem):
        return None
    return drill


def steps_of(public_id: str, member_id: int) -> str:
    """Return how safe an item is for the one who added it (see `steps`), '' for anybody else."""
    found = db.row("SELECT original_id FROM item WHERE public_id = ? AND member_id = ?", public_id, member_id)
    return steps(found[0]) if found else ""


_FIRST_UNPROVEN = """
SELECT min(added_at) FROM (
  SELECT added_at FROM item WHERE original_id > :upto AND member_id = :me AND deleted_at IS NULL
  UNION ALL SELECT added_at FROM item WHERE arrival = 'different' AND member_id = :me AND +deleted_at IS NULL
  UNION ALL SELECT made_at FROM upload WHERE item_id IS NULL AND member_id = :me)"""
_ANY_BEFORE = "SELECT 1 FROM item WHERE member_id = ? AND deleted_at IS NULL AND added_at < ? LIMIT 1"


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
