"""What happened: rows written in the same transaction as the change, read by live pages and by *Since*.

An event is (verb `noun.past`, actor, subject's public id, audience). It holds bare ids so that every noun can record.
After the commit one condition variable wakes the live streams, and each asks what is new *for its member* since its
cursor: no bus, no listeners, nothing lost over a restart. A cursor is the random token of an event that the member may
see, never a number: a gap between two numbers would tell of a post one may not see.
"""

from __future__ import annotations

import datetime as dt
import threading
from typing import NamedTuple

import peewee

from homecircle import db

EVERYONE = 1  # the audience row that the first migration makes
PAGE = 200
FORGOTTEN_AT_ONCE = 500


# The token of the newest event that a member (:reader) may see.
NEWEST = f"""
SELECT token FROM event WHERE id = (SELECT max(id) FROM (
  SELECT max(id) AS id FROM event WHERE audience_id = {EVERYONE}
  UNION ALL SELECT (SELECT max(id) FROM event WHERE event.audience_id = mine.audience_id)
    FROM audience_member AS mine WHERE mine.member_id = :reader))"""


class Event(db.Model):
    """One thing that happened; see the module."""

    id = peewee.AutoField()
    token = peewee.TextField(default=db.random_id)
    verb = peewee.TextField()
    actor_id = peewee.IntegerField(null=True)
    subject = peewee.TextField()
    audience_id = peewee.IntegerField()
    post_id = peewee.IntegerField(null=True)
    at = db.UtcField(default=db.now)


class Happening(NamedTuple):
    """An event as a live page needs it."""

    token: str
    verb: str
    subject: str
    actor_id: int | None
    post: str | None


class _Bell:
    """Wakes whoever waits; `rung` grows with each commit that recorded something."""

    def __init__(self) -> None:
        self.condition = threading.Condition()
        self.rung = 0
        self.closed = False

    def ring(self) -> None:
        with self.condition:
            self.rung += 1
            self.condition.notify_all()


_bell = _Bell()


def record(
    verb: str, subject: str, actor_id: int | None, audience_id: int = EVERYONE, *, post_id: int | None = None
) -> None:
    """Write one event in the transaction that is under way; live pages hear of it after the commit.

    `post_id` is the post it happened under (internal), so that notices need not look for it.
    """
    # a fixed text, since every write pays for it: 0.02 ms where the model takes 0.18
    db.rows(_RECORD, db.random_id(), verb, actor_id, subject, audience_id, post_id, int(db.now().timestamp()))
    db.after_commit(_bell.ring)


def place(verb: str, actor_id: int, post_id: int) -> None:
    """Say under which post that happened which the transaction under way has recorded: `verb`, by `actor_id`."""
    Event.update(post_id=post_id).where(Event.verb == verb, Event.actor_id == actor_id).execute()


def ring() -> None:
    """Wake every live page without an event: something they check for themselves has changed."""
    _bell.ring()


def cursor(member_id: int) -> str:
    """Return the token of the newest event that the member may see, or '' when there is none."""
    found = db.row(NEWEST, {"reader": member_id})
    return found[0] if found else ""


def since(member_id: int, token: str) -> list[Happening] | None:
    """Return at most `PAGE` events after the cursor `token` in order, or None when the page must start afresh.

    None is the answer to a cursor that is not known (any more), and to one that lies more than a page back.
    """
    place = db.row("SELECT id FROM event WHERE token = ?", token) if token else (0,)
    if place is None:
        return None
    found = db.rows(_SINCE, place[0], place[0], member_id, PAGE + 1)
    return None if len(found) > PAGE else [Happening(*row[1:]) for row in found]


def forget(before: dt.datetime) -> int:
    """Forget some of what happened before a moment; returns how many, 0 when nothing is left to forget."""
    with db.transaction():
        return int(db.database.execute_sql(_FORGET, (int(before.timestamp()), FORGOTTEN_AT_ONCE)).rowcount)


def rung() -> int:
    """Return how often the bell has rung: take it before reading, hand it to `wait`."""
    return _bell.rung


def wait(heard: int, seconds: float) -> int:
    """Wait until the bell has rung more than `heard` times, at most `seconds`; return how often it has."""
    with _bell.condition:
        _bell.condition.wait_for(lambda: _bell.rung > heard or _bell.closed, seconds)
        return _bell.rung


def closing() -> bool:
    """Say whether the house is shutting down."""
    return _bell.closed


def close(closed: bool = True) -> None:
    """Tell every waiting page that the house is shutting down (or, with False, that it is open again)."""
    with _bell.condition:
        _bell.closed = closed
        _bell.condition.notify_all()


# The newest one stays: it tells whether the clock was set back.
_FORGET = """
DELETE FROM event WHERE id IN (
  SELECT id FROM event WHERE at < ? AND id < (SELECT max(id) FROM event) ORDER BY at LIMIT ?)"""
_RECORD = "INSERT INTO event (token, verb, actor_id, subject, audience_id, post_id, at) VALUES (?, ?, ?, ?, ?, ?, ?)"
_SINCE = f"""
SELECT event.id, token, verb, subject, actor_id, post.public_id FROM event
  LEFT JOIN post ON post.id = event.post_id WHERE event.audience_id = {EVERYONE} AND event.id > ?
UNION ALL
SELECT event.id, token, verb, subject, actor_id, post.public_id FROM audience_member AS mine
  JOIN event ON event.audience_id = mine.audience_id AND event.id > ?
  LEFT JOIN post ON post.id = event.post_id WHERE mine.member_id = ?
ORDER BY 1 LIMIT ?"""
