"""An old house, as a HomeCircle of three migrations left it, and what must be the same of it after an upgrade."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import peewee
from playhouse.migrations import Runner

from homecircle import circle, db, feed, members, threads
from homecircle.files import Folder
from homecircle.vault import uploads
from tests.faults.family import House, move_in, photo

LAST = "0003"  # before search, the vault by month, films, drafts: the upgrade has everything to do
BASE = ("circle", "original", "member", "device", "token", "audience", "audience_member", "item", "post",
        "post_reader", "post_item", "message", "message_item", "mark", "event")  # fmt: skip

DRAWN = {"state", "reason", "width", "height", "taken", "camera", "has_place", "preview", "drawings"}


def old_house(root: Path, posts: int) -> House:
    """Make a house that has been lived in, and turn its database into that of an older HomeCircle."""
    house = move_in(root)
    folder = house.folder
    db.open_file(folder.database)
    _live(folder, posts)
    db.close_file()
    older = root.parent / "older.sqlite3"
    _empty(older)
    _pour(folder.database, older)
    folder.database.unlink()
    shutil.move(older, folder.database)
    return house


def kept(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return the rows of the family, in the columns that the old house had.

    That a picture was drawn is no doing of the family: a house that has started says so by itself.
    """
    with db.beside(path) as line:
        found = {}
        for name, columns in _columns().items():
            wanted = ", ".join(each for each in columns if name != "original" or each not in DRAWN)
            found[name] = line.execute(f"SELECT {wanted} FROM {name} ORDER BY 1, 2").fetchall()
    return found | {"event": [row for row in found["event"] if "item.drawn" not in row]}


def problems(path: Path) -> list[str]:
    """Return what SQLite finds, and migrations that stand there without those before them."""
    with db.beside(path) as line:
        found = [each for (each,) in line.execute("PRAGMA integrity_check") if each != "ok"]
        found += [str(each) for each in line.execute("PRAGMA foreign_key_check")]
        applied = sorted(name for (name,) in line.execute("SELECT name FROM schema_migration"))
    return found + ([] if applied == db.known_migrations()[: len(applied)] else [str(applied)])


def is_new(path: Path) -> bool:
    """Say whether every migration has run, and search and the vault hold what was there before."""
    with db.beside(path) as line:
        if {name for (name,) in line.execute("SELECT name FROM schema_migration")} != set(db.known_migrations()):
            return False
        counts = "SELECT (SELECT count(*) FROM post) + (SELECT count(*) FROM message) + (SELECT count(*) FROM item)"
        return bool(line.execute(f"SELECT ({counts}) = (SELECT count(*) FROM find)").fetchone()[0]
                    and line.execute("SELECT count(DISTINCT item_id) = (SELECT count(*) FROM item) FROM item_place")
                    .fetchone()[0])  # fmt: skip


def _live(folder: Folder, posts: int) -> None:
    ada, ben = list(members.present())[:2]
    for number in range(4):
        content = photo(60_000)
        upload = uploads.begin(folder, (ada, 1), len(content), {"filename": f"{number}.jpg"})
        item = uploads.take(folder, upload, uploads.Piece(0, iter([content])))
        assert item is not None
        feed.publish(ada, "", [item.public_id], [], f"photo {number}")
    with db.transaction():
        for number in range(posts):
            post = feed.publish(ada, f"post {number}, 家族", [], [], f"once {number}")
            threads.say(post, ben, threads.Words(f"answer {number}"), f"once {number}")
    circle.update(name="The old house")


def _files() -> list[Path]:
    return [path for path in sorted(db.MIGRATIONS.glob("[0-9]*.py")) if path.name[:4] <= LAST]


def _empty(path: Path) -> None:
    where = path.parent / "older"
    where.mkdir()
    for each in _files():
        shutil.copy(each, where)
    line = peewee.SqliteDatabase(str(path), pragmas={"journal_mode": "wal"})
    Runner(line, str(where)).up()
    line.close()
    shutil.rmtree(where)


def _columns() -> dict[str, list[str]]:
    """The columns of an old house's tables, made anew from its migrations."""
    if not _known:
        with tempfile.TemporaryDirectory() as where:
            _empty(Path(where) / "file")
            with closing(sqlite3.connect(Path(where) / "file")) as line:
                _known.update({name: [row[1] for row in line.execute(f"PRAGMA table_info({name})")] for name in BASE})
    return _known


_known: dict[str, list[str]] = {}


def _pour(source: Path, target: Path) -> None:
    """Copy the family's rows into the older tables."""
    with closing(sqlite3.connect(target)) as line:
        line.execute("ATTACH ? AS whole", (str(source),))
        for name in reversed(BASE):
            line.execute(f"DELETE FROM {name}")
        for name, columns in _columns().items():
            names = ", ".join(f'"{each}"' for each in columns)
            line.execute(f"INSERT INTO main.{name} ({names}) SELECT {names} FROM whole.{name}")
        line.commit()
        line.execute("PRAGMA wal_checkpoint(TRUNCATE)")
