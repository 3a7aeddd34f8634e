"""The SQLite file: open, pragmas, migrate, the Model base, `now()`, and the one way to write.

WAL with ``synchronous=FULL``: what was committed has reached the disk. One process-wide lock goes round every write
transaction *and* every checkpoint, because deferred read-then-write failed 74 to 92 % of the time under 12 writers, and
SQLite before 3.51.3 can corrupt when a checkpoint races a commit (BARS.md, section 2). ``wal_autocheckpoint`` is
therefore 0 and `transaction` checkpoints by itself when the log has grown.

Writes, forms and migrations speak peewee; the few hot reads are fixed SQL texts in their noun, run by `rows`.
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import peewee
from playhouse.migrations import Runner

from homecircle.errors import NoSpace, Refused

MIGRATIONS = Path(__file__).parent / "migrations"
CHECKPOINT_AT = 4 << 20  # bytes of log; the bar is 8 MiB (BARS.md S9)

KEPT = 4  # idle connections
KEPT_FOR = 30.0  # seconds


class _Database(peewee.SqliteDatabase):
    """Keeps a few connections that were given back: a fresh one costs 0.58 ms, nearly all in reading the schema.

    With them a feed page takes 0.71x, a card 0.36x, a turn of a live stream 0.21x of the time. None is kept in the
    middle of a transaction, and none for long.
    """

    def __init__(self) -> None:
        self._idle: list[tuple[sqlite3.Connection, float]] = []
        self._born: dict[int, float] = {}
        super().__init__(None)

    def _connect(self) -> sqlite3.Connection:
        while self._idle:
            with contextlib.suppress(IndexError):
                made, born = self._idle.pop()
                if time.monotonic() - born < KEPT_FOR:
                    self._born[id(made)] = born
                    return made
                made.close()
        made = cast("sqlite3.Connection", super()._connect())  # type: ignore[misc]  # missing in its stubs
        self._born[id(made)] = time.monotonic()
        return made

    def _close(self, conn: sqlite3.Connection) -> None:
        born = self._born.pop(id(conn), 0.0)
        young = time.monotonic() - born < KEPT_FOR
        if young and len(self._idle) < KEPT and not conn.in_transaction:
            self._idle.append((conn, born))
        else:
            conn.close()

    def close_idle(self) -> None:
        """Close what is kept."""
        while self._idle:
            with contextlib.suppress(IndexError):
                self._idle.pop()[0].close()


_pool = _Database()
database: peewee.SqliteDatabase = _pool
_writing = threading.RLock()
_afterwards = threading.local()
_on_open: list[Callable[[], None]] = []
_before_writing: list[Callable[[], None]] = []
_before_commit: list[Callable[[], None]] = []
_still: set[object] = set()
_failed: list[str] = []


class Model(peewee.Model):
    """Base of every row class; tables are named by their noun in the singular."""

    class Meta:
        database = database
        legacy_table_names = False


class UtcField(peewee.Field):
    """A moment: whole seconds since 1970 in the file, an aware UTC datetime in Python."""

    field_type = "INTEGER"

    def db_value(self, value: dt.datetime | int | None) -> int | None:
        return int(value.timestamp()) if isinstance(value, dt.datetime) else value

    def python_value(self, value: int | None) -> dt.datetime | None:
        return None if value is None else moment(value)


def moment(seconds: int) -> dt.datetime:
    """Return an aware UTC datetime from a row's whole seconds."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def now() -> dt.datetime:
    """Return this moment in UTC, to the second (what rows keep)."""
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


def random_id() -> str:
    """Return 80 random bits as 16 small letters and digits: what stands in a URL instead of a counter."""
    return base64.b32encode(secrets.token_bytes(10)).decode().lower()


def open_file(path: Path) -> None:
    """Point every model at the SQLite file, migrate it, and keep this thread's connection as the anchor.

    The last close of a WAL database checkpoints it, whatever ``wal_autocheckpoint`` says; the anchor is that last one,
    closed by `close_file` under the write lock. Raises `Refused` for a file of a newer HomeCircle (not a byte of it is
    changed) and for one that SQLite cannot read.
    """
    _pool.close_idle()
    database.init(str(path), pragmas=_PRAGMAS, check_same_thread=False)
    try:
        if path.exists() and (wrong := quick_check(path)):  # before anything can write: read-only, 23 ms for 22 MB
            raise sqlite3.DatabaseError(wrong[0])
        uri = f"{path.absolute().as_uri()}?mode=rw"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) if path.exists() else _nothing():
            database.connect(reuse_if_open=True)
            runner = Runner(database, str(MIGRATIONS))
            known = {migration.name for migration in runner.migrations()}
            if newer := sorted(set(runner.applied()) - known):
                raise Refused("This folder was written by a newer HomeCircle (%(name)s). Please install that version "
                              "again; nothing was changed.", name=newer[-1])  # fmt: skip
            runner.up()
    except (sqlite3.DatabaseError, peewee.DatabaseError) as error:
        _let_go()
        raise Refused("The database %(path)s cannot be read (%(why)s). Nothing was changed. "
                      "`homecircle restore` brings back a backup.", path=path, why=error) from error  # fmt: skip
    except Refused:
        _let_go()
        raise
    path.chmod(0o600)
    _failed.clear()
    for reset in _on_open:
        reset()


def close_file() -> None:
    """Close this thread's connection; as the last one it checkpoints, so it holds the write lock."""
    with _writing:
        _let_go()


def _let_go() -> None:
    database.close()
    _pool.close_idle()


@contextlib.contextmanager
def connection() -> Iterator[None]:
    """Lend this thread a connection of its own: round a request, a job, one turn of a live stream."""
    opened = database.connect(reuse_if_open=True)
    try:
        yield
    finally:
        if opened:
            database.close()


@contextlib.contextmanager
def transaction() -> Iterator[None]:
    """One immediate transaction, alone in the process; inside another one it is part of that.

    What was handed to `after_commit` runs once the outermost has reached the disk, and never when it failed. Raises
    `NoSpace` when the disk is full: nothing of the transaction is kept; `Refused` once the disk has failed.
    """
    if database.in_transaction():
        with database.atomic():
            yield
        return
    with _writing:
        if _failed:
            raise Refused("The disk of this house reports errors, so nothing is written any more. Please look after "
                          "the disk, and start HomeCircle again.")  # fmt: skip
        for call in _before_writing:
            call()
        _afterwards.calls = []
        with _room_or_refusal(), database.atomic("IMMEDIATE"):
            yield
            for call in _before_commit:
                call()
        _checkpoint_when_grown()
    calls, _afterwards.calls = _afterwards.calls, []
    for call in calls:
        call()


def after_commit(call: Callable[[], None]) -> None:
    """Run `call` after the commit of the transaction that is under way."""
    if call not in _afterwards.calls:
        _afterwards.calls.append(call)


def on_open(call: Callable[[], None]) -> Callable[[], None]:
    """Run `call` whenever a file is opened: what a noun keeps in memory starts afresh."""
    _on_open.append(call)
    return call


def before_commit(call: Callable[[], None]) -> Callable[[], None]:
    """Run `call` at the end of every transaction, as part of it: what follows from rows that have changed."""
    _before_commit.append(call)
    return call


@contextlib.contextmanager
def before_writing(call: Callable[[], None]) -> Iterator[None]:
    """Within this context run `call` before each transaction: who keeps room for one on a full disk."""
    _before_writing.append(call)
    try:
        yield
    finally:
        _before_writing.remove(call)


@contextlib.contextmanager
def still() -> Iterator[bool]:
    """Keep the database file as it is, with all that was committed before; writers go on in the log.

    Only checkpoints write in the file itself, all of them are ours, and none runs within this context: so the file can
    be copied as any other (by another process: see `files.copy_apart`), faster than SQLite's own backup. False when a
    reader of an older state kept the log from being brought in: then `copy_to`.
    """
    for _ in range(25):
        with _writing:
            _, logged, brought_in = row("PRAGMA wal_checkpoint(PASSIVE)")
            if is_whole := logged == brought_in:
                _still.add(mark := object())
                break
        threading.Event().wait(0.02)  # readers are short
    try:
        yield is_whole
    finally:
        with _writing:
            _still.discard(mark) if is_whole else None


def copy_to(path: Path) -> None:
    """Write a consistent copy of the open database to `path`, in one step: stepwise it restarted for ever (BARS.md).

    Writers go on meanwhile. The copy is not settled: the caller does that.
    """
    source = beside(Path(database.database))
    with source as line, contextlib.closing(sqlite3.connect(path)) as target, _room_or_refusal():
        target.execute("PRAGMA journal_mode = OFF")
        target.execute("PRAGMA synchronous = OFF")
        line.backup(target, pages=-1)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Read a database file that nobody has open (a backup's), changing nothing beside it."""
    line = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    with contextlib.closing(line):
        line.execute("PRAGMA trusted_schema = 0")
        line.execute("PRAGMA cell_size_check = 1")
        yield line


@contextlib.contextmanager
def beside(path: Path) -> Iterator[sqlite3.Connection]:
    """Read a database file that a server may have open, changing nothing in it."""
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as line:
        yield line


def quick_check(path: Path) -> list[str]:
    """Return what SQLite finds wrong in a database that may be in use; `sqlite3.DatabaseError` when it is none."""
    # SQLite 3.40's quick_check (not its integrity_check) finds NULLs that are none in WITHOUT ROWID tables whose key
    # holds every column in another order, as audience_member's does: one line a row, which would crowd out the rest.
    with beside(path) as line:
        said = [row[0] for row in line.execute("PRAGMA quick_check(100000)")]
    return [each for each in said if each != "ok" and not each.startswith("NULL value in ")][:5]


def newest_event(path: Path) -> dt.datetime | None:
    """Return when the newest thing happened in a database that may be in use, or None."""
    with beside(path) as line:
        found = line.execute("SELECT at FROM event ORDER BY id DESC LIMIT 1").fetchone()
    return moment(found[0]) if found else None


def known_migrations() -> list[str]:
    """Return the names of the migrations of this version, in order."""
    return sorted(path.stem for path in MIGRATIONS.glob("[0-9]*.py"))


def rows(sql: str, *values: object) -> list[Any]:
    """Run one fixed SQL text on this thread's connection and return its tuples (0.3 ms where models take 3.8).

    `values` are for its question marks, or one dict for its names.
    """
    return database.connection().execute(sql, _bound(values)).fetchall()  # type: ignore[no-any-return]


def row(sql: str, *values: object) -> Any:
    """Return the first tuple of a fixed SQL text, or None."""
    return database.connection().execute(sql, _bound(values)).fetchone()


def _bound(values: tuple[object, ...]) -> Any:
    return values[0] if len(values) == 1 and isinstance(values[0], dict) else values


def truncate_log() -> None:
    """Bring the whole write-ahead log into the file and empty it (nightly, and before a folder is handed on)."""
    with _writing, connection():
        rows("PRAGMA wal_checkpoint(TRUNCATE)") if not _still else None


def _checkpoint_when_grown() -> None:
    log = Path(f"{database.database}-wal")
    if _still:
        return
    # What was committed stays committed: on a full disk the log waits, the writer is not told that it failed.
    with contextlib.suppress(FileNotFoundError), _written_down():
        if log.stat().st_size > CHECKPOINT_AT:
            rows("PRAGMA wal_checkpoint(PASSIVE)")
        if log.stat().st_size > 2 * CHECKPOINT_AT:
            rows("PRAGMA busy_timeout = 50")  # a backup reads for minutes: no writer waits seconds for it
            rows("PRAGMA wal_checkpoint(RESTART)")
            rows("PRAGMA busy_timeout = 5000")


@contextlib.contextmanager
def _room_or_refusal() -> Iterator[None]:
    try:
        yield
    except (sqlite3.OperationalError, peewee.OperationalError) as error:
        if _says(error, "disk I/O error"):
            _failed.append(str(error))
        if not _says(error, "disk is full"):
            raise
        raise NoSpace("Home has no space left. Reading works; writing waits until there is room again.") from error


@contextlib.contextmanager
def _written_down() -> Iterator[None]:
    """A checkpoint that fails fails nobody's commit. After an I/O error no fsync is tried again on that descriptor: the
    kernel may have dropped the pages and would say yes the second time (BARS.md); the log still holds them all."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if _says(error, "disk I/O error"):
            _failed.append(str(error))


def _says(error: BaseException | None, words: str) -> bool:
    """A COMMIT that fails has rolled back already, so peewee's own ROLLBACK fails on top of it."""
    return error is not None and (words in str(error) or _says(error.__context__, words))


@contextlib.contextmanager
def _nothing() -> Iterator[None]:
    yield


_PRAGMAS = [
    ("journal_mode", "wal"),
    ("synchronous", 2),
    ("foreign_keys", 1),
    ("busy_timeout", 5000),
    ("trusted_schema", 0),
    ("cell_size_check", 1),
    ("wal_autocheckpoint", 0),
    ("journal_size_limit", CHECKPOINT_AT),
    ("cache_size", -2000),
    ("mmap_size", 0),
]
