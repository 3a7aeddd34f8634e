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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import peewee
from playhouse.migrations import Runner

from homecircle.errors import Refused

MIGRATIONS = Path(__file__).parent / "migrations"
CHECKPOINT_AT = 4 << 20  # bytes of log; the bar is 8 MiB (BARS.md S9)

database = peewee.SqliteDatabase(None)
_writing = threading.RLock()
_afterwards = threading.local()
_on_open: list[Callable[[], None]] = []


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
    database.init(str(path), pragmas=_PRAGMAS, check_same_thread=False)
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True)) if path.exists() else _nothing():
            database.connect(reuse_if_open=True)
            runner = Runner(database, str(MIGRATIONS))
            known = {migration.name for migration in runner.migrations()}
            if newer := sorted(set(runner.applied()) - known):
                raise Refused("This folder was written by a newer HomeCircle (%(name)s). Please install that version "
                              "again; nothing was changed.", name=newer[-1])  # fmt: skip
            runner.up()
    except (sqlite3.DatabaseError, peewee.DatabaseError) as error:
        database.close()
        raise Refused("The database %(path)s cannot be read (%(why)s). Nothing was changed. "
                      "`homecircle restore` brings back a backup.", path=path, why=error) from error  # fmt: skip
    except Refused:
        database.close()
        raise
    path.chmod(0o600)
    for reset in _on_open:
        reset()


def close_file() -> None:
    """Close this thread's connection; as the last one it checkpoints, so it holds the write lock."""
    with _writing:
        database.close()


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

    What was handed to `after_commit` runs once the outermost has reached the disk, and never when it failed.
    """
    if database.in_transaction():
        with database.atomic():
            yield
        return
    with _writing:
        _afterwards.calls = []
        with database.atomic("IMMEDIATE"):
            yield
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


def rows(sql: str, *values: object) -> list[Any]:
    """Run one fixed SQL text on this thread's connection and return its tuples (0.3 ms where models take 3.8)."""
    return database.connection().execute(sql, values).fetchall()  # type: ignore[no-any-return]


def row(sql: str, *values: object) -> Any:
    """Return the first tuple of a fixed SQL text, or None."""
    return database.connection().execute(sql, values).fetchone()


def truncate_log() -> None:
    """Bring the whole write-ahead log into the file and empty it (nightly, and before a folder is handed on)."""
    with _writing, connection():
        rows("PRAGMA wal_checkpoint(TRUNCATE)")


def _checkpoint_when_grown() -> None:
    log = Path(f"{database.database}-wal")
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > CHECKPOINT_AT:
            rows("PRAGMA wal_checkpoint(PASSIVE)")
            rows("PRAGMA wal_checkpoint(RESTART)") if log.stat().st_size > 2 * CHECKPOINT_AT else None


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
