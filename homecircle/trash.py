"""The trash: what was removed lies there for 30 days and is then really gone, or at once: *Forget everywhere*.

Really gone means rows, search index, original, renditions. Deleted rows are overwritten (`secure_delete`), the search
index is written anew and the log of writes emptied, so that no file of the house holds the words. Rows go first, and
with them stands in `leftover` which files are to follow: a kill at any moment leaves nothing that the next run does not
find. A file that has come, but has no row yet, stands there too: what no row knows is never taken for a leftover. An
original goes when no item, no face and no family picture uses it any more.

The photos that came with a post are a part of it here and go with it (`vault.together`). One that lay in the vault by
itself, or that somebody else put under the post, stays in the vault of the one who added it; when they have left the
family and nobody can reach it, it goes too. *Forget everywhere* takes things out of every backup as well:
`forgotten` names them by their random ids, so that an interrupted or a later run (the second disk was not there, an
older backup was restored) knows what to take out.
"""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
import threading
from collections.abc import Sequence
from typing import NamedTuple

from homecircle import db, events, search, vault
from homecircle.errors import NotFound
from homecircle.files import Folder
from homecircle.vault import together

TAKEN_BACK_LASTS = dt.timedelta(days=1)  # nobody puts a message back; live pages still hear of it
UNUSED_LASTS = dt.timedelta(days=1)  # a picture that has just come may be on its way to a face
EVENTS_LAST = dt.timedelta(days=366)
BATCH = 100  # things in one transaction: writers wait for no more
PAUSE = 0.02  # seconds between two of them: writers come in


class Lost(NamedTuple):
    """An original that nobody uses any more."""

    path: str
    sha256: str


class Thing(NamedTuple):
    """Something in one's trash: kind (post, item, link), public id, words.

    `photos`: how many own photos only this post shows that still lie in the vault; `along`: how many go with it.
    """

    kind: str
    id: str
    text: str
    photos: int
    along: int


class Left(NamedTuple):
    """How much of what a member has forgotten everywhere still waits to go from the backups here, and there."""

    here: int
    there: int


def purge(folder: Folder) -> int:
    """Let everything go that is over 30 days in the trash, and what else nobody can reach; returns how many things.

    May be killed at any moment and run again.
    """
    gone = _go(_DUE, _moments())
    for original in [row[0] for row in db.rows(_UNUSED, _moments())]:
        with db.transaction():
            _leave(_orphans(db.database.connection(), [original]))
    while events.forget(db.now() - EVENTS_LAST):
        _pause()
    with db.transaction():
        _forget_audiences(db.database.connection())
    settle(folder)
    return gone


def settle(folder: Folder) -> None:
    """Remove the files whose rows have gone, and every trace of the words from the database's files."""
    for path, digest in db.rows("SELECT path, sha256 FROM leftover"):
        with db.transaction():  # alone with `vault.settle_in`: the same bytes may just have come again
            if digest in vault.coming or not db.row(_MAY_GO, {"path": path}):
                continue
            came_again = db.row("SELECT 1 FROM original WHERE sha256 = ?", digest)
            for each in [folder.root / path, *(() if came_again else vault.drawn_from(folder, digest))]:
                folder.erase(each)
            db.rows("DELETE FROM leftover WHERE path = ?", path)
    search.settle()
    db.truncate_log()


def thing(kind: str, public_id: str, member_id: int) -> Thing:
    """Return something in the member's own trash; `NotFound` for anything else."""
    found = kind in _MINE and db.row(_MINE[kind], {"id": public_id, "me": member_id, **_moments()})
    if not found:
        raise NotFound
    photos = db.row(_HOW_MANY, public_id, member_id)[0] if kind == "post" else 0
    return Thing(kind, public_id, found[0], photos, len(together.left_with(public_id)))


def forget(kind: str, public_id: str, member_id: int, *, with_photos: bool = False) -> None:
    """Let something in the member's own trash go at once from the house, and from every backup as soon as may be.

    `with_photos` takes along the member's own photos that stand in this post alone. `NotFound` for what is not theirs.
    """
    with db.transaction():
        thing(kind, public_id, member_id)
        together.hand_over(public_id)
        names = [(kind, public_id), *(("item", each) for each in together.left_with(public_id))]
        if with_photos and kind == "post":
            names += [("item", row[0]) for row in db.rows(_ONLY_HERE, public_id, member_id)]
        for each, name in names:
            db.rows("INSERT OR IGNORE INTO forgotten (public_id, kind, by_id, at) VALUES (?, ?, ?, ?)",
                    name, each, member_id, int(db.now().timestamp()))  # fmt: skip
    erase_here()


def erase_here() -> int:
    """Erase from the house's own rows what was forgotten everywhere; files follow with `settle`."""
    return _go(_FORGOTTEN_HERE, {})


def has_leftovers() -> bool:
    """Say whether files are still to follow their rows."""
    return bool(db.row("SELECT 1 FROM leftover LIMIT 1"))


def forgotten(place: str = "") -> dict[str, list[str]]:
    """Return the public ids of what was forgotten everywhere, by kind; with `place` what has not gone there yet."""
    found: dict[str, list[str]] = {}
    for kind, public_id in db.rows(_WAITING[place]):
        found.setdefault(kind, []).append(public_id)
    return found


def note_gone(place: str, things: dict[str, list[str]]) -> None:
    """Write down that these things are in no backup in `place` ('here', 'there') any more."""
    names = json.dumps([name for each in things.values() for name in each])
    with db.transaction():
        db.rows(_GONE[place], int(db.now().timestamp()), names)


def left(member_id: int) -> Left:
    """Return how much of what the member has forgotten everywhere still stands in backups."""
    return Left(*db.row(_LEFT, member_id))


def erase(line: sqlite3.Connection, kind: str, public_ids: Sequence[str]) -> list[Lost]:
    """Erase things and all that hangs on them from a database, of this house or in a backup of any age.

    Returns the originals that nobody uses any more; their rows are gone too, their files are the caller's. What hangs
    on a row is found by the database's own foreign keys: a row that cannot be without it goes, one that can, forgets.
    """
    if not _has(line, kind):
        return []
    numbers = _numbers(line, f"SELECT id FROM {kind} WHERE public_id IN (SELECT value FROM json_each(?))", public_ids)
    held = _numbers(line, "SELECT DISTINCT original_id FROM item WHERE id IN (SELECT value FROM json_each(?))",
                    numbers if kind == "item" else [])  # fmt: skip
    hanging = _hanging(line)
    if ("original", "poster_id", False) in hanging.get("original", []):  # a film's picture goes with the film
        held += _numbers(line, f"SELECT poster_id FROM original WHERE poster_id NOT NULL AND id {_AMONG}", held)
    _drop(line, hanging, kind, numbers)
    return _orphans(line, held)


def holds(line: sqlite3.Connection, kind: str, public_ids: Sequence[str]) -> bool:
    """Say whether a database knows one of these things."""
    found = f"SELECT 1 FROM {kind} WHERE public_id {_AMONG} LIMIT 1"
    return _has(line, kind) and bool(line.execute(found, (json.dumps(list(public_ids)),)).fetchone())


def find_anew(line: sqlite3.Connection) -> None:
    """Make the search index of a backup's database anew from what it still holds."""
    if _has(line, "found"):
        line.execute("INSERT INTO found (found) VALUES ('rebuild')")
        line.execute("DELETE FROM find_turned")


def _go(due: dict[str, str], moments: dict[str, int]) -> int:
    """Erase what each statement names, messages before their post, so that no transaction is long."""
    gone = 0
    for kind, sql in due.items():
        while True:
            with db.transaction():
                found = [row[0] for row in db.rows(sql, moments | {"limit": BATCH})]
                _leave(erase(db.database.connection(), kind, found) if found else [])
            gone += len(found)
            if len(found) < BATCH:
                break
            _pause()
    return gone


def _leave(lost: list[Lost]) -> None:
    """Write down which files follow their rows, in the same transaction."""
    for each in lost:
        db.rows("INSERT OR REPLACE INTO leftover (path, sha256) VALUES (?, ?)", each.path, each.sha256)
    if lost:  # what was the newest original of a backup may be gone
        db.rows("UPDATE safety SET upto = min(upto, (SELECT coalesce(max(id), 0) FROM original))")


def _hanging(line: sqlite3.Connection) -> dict[str, list[tuple[str, str, bool]]]:
    """What points at each table: (child, column, whether the child cannot be without it)."""
    found: dict[str, list[tuple[str, str, bool]]] = {}
    for (table,) in line.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall():
        needed = {row[1] for row in line.execute("SELECT * FROM pragma_table_info(?)", (table,)) if row[3] or row[5]}
        for row in line.execute('SELECT "table", "from", on_delete FROM pragma_foreign_key_list(?)', (table,)):
            goes_along = row[1] in needed or row[2] == "CASCADE" or table in _GO_ALONG
            found.setdefault(row[0], []).append((table, row[1], goes_along))
    return found


def _drop(
    line: sqlite3.Connection, hanging: dict[str, list[tuple[str, str, bool]]], table: str, ids: list[int]
) -> None:
    numbers = json.dumps(ids)
    if table in _TOLD_OF:
        line.execute(
            f"DELETE FROM event WHERE subject IN (SELECT public_id FROM {table} WHERE id {_AMONG})", (numbers,)
        )
    for child, column, is_needed in hanging.get(table, []):
        if is_needed and child in hanging:
            _drop(line, hanging, child, _numbers(line, f'SELECT id FROM "{child}" WHERE "{column}" {_AMONG}', ids))
        elif is_needed:
            line.execute(f'DELETE FROM "{child}" WHERE "{column}" {_AMONG}', (numbers,))
        else:
            line.execute(f'UPDATE "{child}" SET "{column}" = NULL WHERE "{column}" {_AMONG}', (numbers,))
    line.execute(f'DELETE FROM "{table}" WHERE id {_AMONG}', (numbers,))


def _orphans(line: sqlite3.Connection, originals: list[int]) -> list[Lost]:
    """Take the rows of those originals that nobody uses and that are not just coming again; returns their files."""
    lost: list[Lost] = []
    users = _hanging(line).get("original", [])
    for number in originals:
        is_used = any(line.execute(f'SELECT 1 FROM "{child}" WHERE "{column}" = ? LIMIT 1', (number,)).fetchone()
                      for child, column, _is_needed in users)  # fmt: skip
        found = line.execute("SELECT path, sha256 FROM original WHERE id = ?", (number,)).fetchone()
        if found and not is_used and found[1] not in vault.coming:
            line.execute("DELETE FROM original WHERE id = ?", (number,))
            lost.append(Lost(*found))
    return lost


def _forget_audiences(line: sqlite3.Connection) -> None:
    """When nothing is left that some members had among themselves, nothing tells any more that they had it."""
    users = [each for each in _hanging(line)["audience"] if each[0] != "audience_member"]
    is_used = " OR ".join(f'EXISTS (SELECT 1 FROM "{child}" WHERE "{column}" = audience.id)'
                          for child, column, _is_needed in users)  # fmt: skip
    unused = [
        row[0] for row in line.execute(f"SELECT id FROM audience WHERE id <> {events.EVERYONE} AND NOT ({is_used})")
    ]
    for table, column in (("audience_member", "audience_id"), ("audience", "id")):
        line.execute(f"DELETE FROM {table} WHERE {column} {_AMONG}", (json.dumps(unused),))


def _has(line: sqlite3.Connection, table: str) -> bool:
    """A backup may be older than a table."""
    return bool(line.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (table,)).fetchone())


def _numbers(line: sqlite3.Connection, sql: str, values: Sequence[object]) -> list[int]:
    return [row[0] for row in line.execute(sql, (json.dumps(list(values)),))] if values else []


def _moments() -> dict[str, int]:
    now = db.now()
    lasts = {"over": vault.TRASH_LASTS, "taken_back": TAKEN_BACK_LASTS, "unused": UNUSED_LASTS}
    return {name: int((now - lasting).timestamp()) for name, lasting in lasts.items()}


def _pause() -> None:
    threading.Event().wait(PAUSE)


_AMONG = "IN (SELECT value FROM json_each(?))"
_TOLD_OF = {"post", "message", "item", "link"}  # what events name by its public id
_GO_ALONG = {"event", "link", "upload"}  # could be without it, but tells of it
_NOWHERE = """item.audience_id IS NULL AND NOT EXISTS (SELECT 1 FROM post_item WHERE item_id = item.id)
  AND NOT EXISTS (SELECT 1 FROM message_item WHERE item_id = item.id)"""
_DUE = {
    "message": """SELECT public_id FROM message WHERE deleted_at < :taken_back
      UNION SELECT message.public_id FROM post JOIN message ON message.post_id = post.id
      WHERE post.deleted_at < :over LIMIT :limit""",
    "post": "SELECT public_id FROM post WHERE deleted_at < :over LIMIT :limit",
    "item": f"""SELECT public_id FROM item WHERE deleted_at < :over
      UNION SELECT item.public_id FROM member JOIN item ON item.member_id = member.id
      WHERE member.left_at < :over AND {_NOWHERE} LIMIT :limit""",
    "link": """SELECT public_id FROM link WHERE deleted_at < :over
      UNION SELECT link.public_id FROM member JOIN link ON link.member_id = member.id AND link.post_id IS NULL
      WHERE member.left_at < :over LIMIT :limit""",
}
# An upload that is whole has written down where its file goes, and finishes after a new start.
_MAY_GO = """
SELECT 1 FROM leftover WHERE path = :path
  AND NOT EXISTS (SELECT 1 FROM upload WHERE item_id IS NULL AND instr(metadata, :path) > 0)"""
_FORGOTTEN_HERE = {
    "message": """SELECT message.public_id FROM forgotten JOIN post ON post.public_id = forgotten.public_id
      JOIN message ON message.post_id = post.id LIMIT :limit""",
    "post": "SELECT public_id FROM forgotten JOIN post USING (public_id) LIMIT :limit",
    "item": "SELECT public_id FROM forgotten JOIN item USING (public_id) LIMIT :limit",
    "link": "SELECT public_id FROM forgotten JOIN link USING (public_id) LIMIT :limit",
}
_UNUSED = """
SELECT id FROM original WHERE arrived_at < :unused
  AND id NOT IN (SELECT original_id FROM item) AND id NOT IN (SELECT picture_id FROM member WHERE picture_id NOT NULL)
  AND id NOT IN (SELECT picture_id FROM circle WHERE picture_id NOT NULL)
  AND id NOT IN (SELECT poster_id FROM original WHERE poster_id NOT NULL)"""
_MINE = {
    "post": "SELECT text FROM post WHERE public_id = :id AND deleted_by = :me AND deleted_at > :over",
    "item": "SELECT coalesce(nullif(caption, ''), name) FROM item "
    "WHERE public_id = :id AND deleted_by = :me AND deleted_at > :over",
    "link": "SELECT coalesce(nullif(note, ''), nullif(title, ''), url) FROM link "
    "WHERE public_id = :id AND member_id = :me AND post_id IS NULL AND deleted_at > :over",
}
# A post's photos that its remover added, and that neither stand in anything else nor were shared from the vault itself.
_ONLY_HERE = """
SELECT item.public_id FROM post JOIN post_item ON post_item.post_id = post.id JOIN item ON item.id = post_item.item_id
WHERE post.public_id = ? AND item.member_id = ? AND item.audience_id IS NULL AND item.left_with = ''
  AND NOT EXISTS (SELECT 1 FROM post_item AS other WHERE other.item_id = item.id AND other.post_id <> post.id)
  AND NOT EXISTS (SELECT 1 FROM message_item JOIN message ON message.id = message_id
    WHERE item_id = item.id AND message.post_id <> post.id)"""
_HOW_MANY = f"SELECT count(*) FROM ({_ONLY_HERE})"
_WAITING = {
    "": "SELECT kind, public_id FROM forgotten",
    "here": "SELECT kind, public_id FROM forgotten WHERE here_at IS NULL",
    "there": "SELECT kind, public_id FROM forgotten WHERE there_at IS NULL",
}
_GONE = {
    "here": "UPDATE forgotten SET here_at = ? WHERE public_id IN (SELECT value FROM json_each(?))",
    "there": "UPDATE forgotten SET there_at = ? WHERE public_id IN (SELECT value FROM json_each(?))",
}
_LEFT = "SELECT count(*) - count(here_at), count(*) - count(there_at) FROM forgotten WHERE by_id = ?"
