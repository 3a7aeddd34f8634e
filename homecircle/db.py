"""The SQLite file: open, pragmas, migrate, the Model base, `now()`, and the one way to write.

WAL with ``synchronous=FULL``: what was committed has reached the disk. One process-wide lock goes round every write
transaction *and* every checkpoint, because deferred read-then-write failed 74 to 92 % of the time under 12 writers, and
SQLite before 3.51.3 can corrupt when a checkpoint races a commit. ``wal_autocheckpoint`` is
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

from homecircle import files
from homecircle.errors import NoSpace, Refused, Unwritable

MIGRATIONS = Path(__file__).parent / "migrations"
CHECKPOINT_AT = 4 << 20  # bytes of log; it shall stay under 8 MiB

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
_refused: list[str] = []


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
    _refused.clear()
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
    `Unwritable` when the disk takes nothing (`NoSpace`: it is full); nothing of the transaction is kept then. The next
    one tries again, but none does after a failed fsync: see `_disk_or_refusal`.
    """
    if database.in_transaction():
        with database.atomic():
            yield
        return
    with _writing:
        if _failed:
            raise Unwritable("The disk of this house reports errors, so nothing is written any more. Please look after "
                          "the disk, and start HomeCircle again.")  # fmt: skip
        for call in _before_writing:
            call()
        _afterwards.calls = []
        with _disk_or_refusal(), database.atomic("IMMEDIATE"):
            yield
            for call in _before_commit:
                call()
        _refused.clear()
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
    """Write a consistent copy of the open database to `path`, in one step: stepwise it restarted for ever.

    Writers go on meanwhile. The copy is not settled: the caller does that.
    """
    copy_beside(Path(database.database), path)


def copy_beside(source: Path, path: Path) -> None:
    """Write a consistent copy of a database that a server may have open to `path`; see `copy_to`."""
    with beside(source) as line, contextlib.closing(sqlite3.connect(path)) as target, _disk_or_refusal():
        target.execute("PRAGMA journal_mode = OFF")
        target.execute("PRAGMA synchronous = OFF")
        line.backup(target, pages=-1)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Read a database file that nobody has open (a backup's), changing nothing beside it."""
    line = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    with contextlib.closing(line), _told_as_text():
        line.execute("PRAGMA trusted_schema = 0")
        line.execute("PRAGMA cell_size_check = 1")
        yield line


@contextlib.contextmanager
def rewriting(source: Path, target: Path) -> Iterator[sqlite3.Connection]:
    """Change `source`, a copy that nobody else has open, and write what is left to the new file `target`.

    `target` holds nothing of what was deleted: neither in free pages nor between the cells of a page, since every page
    of it is written anew. Foreign keys are not looked after; `source` is of no use afterwards.
    """
    with contextlib.closing(sqlite3.connect(source, isolation_level=None)) as line:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "temp_store = MEMORY"):
            line.execute(f"PRAGMA {pragma}")
        line.execute("BEGIN")
        yield line
        line.execute("COMMIT")
        line.execute("VACUUM INTO ?", (str(target),))


@contextlib.contextmanager
def beside(path: Path) -> Iterator[sqlite3.Connection]:
    """Read a database file that a server may have open, changing nothing in it."""
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as line, _told_as_text():
        yield line


@contextlib.contextmanager
def _told_as_text() -> Iterator[None]:
    """What SQLite says of a damaged database may hold its damaged bytes, at which Python's sqlite3 stumbles."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise sqlite3.DatabaseError(error.object.decode(errors="replace")) from error


@contextlib.contextmanager
def looking(path: Path) -> Iterator[None]:
    """Point every model at a file that a server may have open, only to read: nothing in its folder is changed.

    Raises `Refused` for a file of another version (only the server brings it up) and for one that cannot be read.
    """
    _pool.close_idle()
    database.init(f"{path.absolute().as_uri()}?mode=ro", uri=True, pragmas=_TO_LOOK, check_same_thread=False)
    try:
        with connection():
            if {name for (name,) in rows("SELECT name FROM schema_migration")} != set(known_migrations()):
                raise Refused("This folder was written by another version of HomeCircle. Please start the server of "
                              "this version once; nothing was changed.")  # fmt: skip
            for reset in _on_open:
                reset()
            yield
    except (sqlite3.DatabaseError, peewee.DatabaseError) as error:
        raise Refused("The database %(path)s cannot be read (%(why)s). Nothing was changed.",
                      path=path, why=error) from error  # fmt: skip
    finally:
        _let_go()


@contextlib.contextmanager
def snapshot() -> Iterator[None]:
    """Read one moment of the house, however long it takes: what is written meanwhile is not seen.

    Temporary tables made within are gone afterwards.
    """
    line = database.connection()
    line.execute("BEGIN")
    try:
        yield
    finally:
        line.rollback()


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
    return list(database.connection().execute(sql, _bound(values)))


def row(sql: str, *values: object) -> Any:
    """Return the first tuple of a fixed SQL text, or None."""
    return database.connection().execute(sql, _bound(values)).fetchone()


def each(sql: str, *values: object) -> Iterator[Any]:
    """Run one fixed SQL text and hand on its tuples as they are found: for what is larger than a page."""
    yield from database.connection().execute(sql, _bound(values))


def _bound(values: tuple[object, ...]) -> Any:
    return values[0] if len(values) == 1 and isinstance(values[0], dict) else values


def truncate_log() -> bool:
    """Bring the whole write-ahead log into the file and empty it (nightly, and before a folder is handed on).

    False when a backup or a reader of an older state keeps it from being emptied now.
    """
    with _writing, connection():
        return not _still and row("PRAGMA wal_checkpoint(TRUNCATE)")[0] == 0


def changes() -> int:
    """Return how many rows this thread's connection has changed since it was opened."""
    return int(database.connection().total_changes)


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
def _disk_or_refusal() -> Iterator[None]:
    """Tell a refusal of the disk in words.

    A write that was refused left nothing, and may be tried again; after an fsync that failed none is: the kernel may
    have dropped the pages and would say yes the second time.
    """
    try:
        yield
    except (sqlite3.OperationalError, peewee.OperationalError) as error:
        if told := refusal(error):
            raise told from error
        raise


@contextlib.contextmanager
def _written_down() -> Iterator[None]:
    """A checkpoint that fails fails nobody's commit: the log still holds everything."""
    try:
        yield
    except sqlite3.OperationalError as error:
        refusal(error)


def refusal(error: BaseException | None) -> Unwritable | None:
    """Return what the house says of an error that is the disk's own, or None; `has_failed` knows of it from then on.

    A COMMIT that fails has rolled back already, so peewee's own ROLLBACK fails on top of it: the cause lies below.
    """
    while error is not None:
        if told := _told(error):
            return told
        error = error.__context__
    return None


def has_failed() -> bool:
    """Say whether the disk did not take what was last written, or must not be trusted any more until a new start."""
    return bool(_failed or _refused)


def _told(error: BaseException) -> Unwritable | None:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return files.refusal(error)
    if code & 0xFF == sqlite3.SQLITE_FULL:
        return NoSpace("Home has no space left. Reading works; writing waits until there is room again.")
    if code & 0xFF not in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}:
        return None
    (_failed if code in {sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC} else _refused).append(str(error))
    return files.closed()


@contextlib.contextmanager
def _nothing() -> Iterator[None]:
    yield


_PRAGMAS = [
    ("journal_mode", "wal"),
    ("synchronous", 2),
    ("foreign_keys", 1),
    ("busy_timeout", 5000),
    ("trusted_schema", 0),
    ("secure_delete", 1),
    ("cell_size_check", 1),
    ("wal_autocheckpoint", 0),
    ("journal_size_limit", CHECKPOINT_AT),
    ("cache_size", -2000),
    ("mmap_size", 0),
]
_TO_LOOK = [("busy_timeout", 5000), ("trusted_schema", 0), ("cell_size_check", 1), ("mmap_size", 0)]
