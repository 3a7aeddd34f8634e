"""Threads: messages under a post, flat, in the order they were said; seen by whoever sees the post.

A message has at most 4,000 characters and may carry photos and quote an older one. Its author may edit it for 15
minutes and take it back at any time. The same form twice is one message. What is new in a thread is a cursor per member
and post, asked by query and never counted in a column.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from typing import NamedTuple

import peewee

from homecircle import audiences, db, events, feed, members, vault
from homecircle.devices import places
from homecircle.errors import Invalid, NotAllowed, NotFound, Unwritable
from homecircle.vault import together
from homecircle.vault.words import for_search

TEXT_LIMIT = 4000
ITEM_LIMIT = 10
EDIT_LASTS = dt.timedelta(minutes=15)
PAGE = 500
FEW = 2
QUOTE_LETTERS = 60


class Message(db.Model):
    """One message; see the module."""

    id = peewee.AutoField()
    public_id = peewee.TextField(default=db.random_id)
    post_id = peewee.IntegerField()
    author_id = peewee.IntegerField()
    text = peewee.TextField()
    words = peewee.TextField(default="")
    quote_id = peewee.IntegerField(null=True)
    said_at = db.UtcField(default=db.now)
    edited_at = db.UtcField(null=True)
    deleted_at = db.UtcField(null=True)
    deleted_by = peewee.IntegerField(null=True)
    once = peewee.TextField()


class Words(NamedTuple):
    """What somebody wants to say: text, the public id of the message they answer, public ids of their own items."""

    text: str
    quote: str = ""
    items: tuple[str, ...] = ()


class Line(NamedTuple):
    """A message as a page reads it. `quote` is (author id, text, public id) of the quoted one, or None.

    `photos` says how many hang on it.
    """

    number: int
    id: str
    post: int
    author_id: int
    text: str
    said_at: int
    edited_at: int | None
    quote: tuple[int, str, str] | None
    photos: int


class Talk(NamedTuple):
    """A thread one takes part in: its post, the newest message, and whether that is new."""

    post: str
    post_text: str
    post_author_id: int
    author_id: int
    text: str
    said_at: int
    is_new: bool
    post_kind: str


def say(post: feed.Post, author_id: int, words: Words, once: str) -> Message:
    """Say something under a post that the author may see; the same `once` again returns what is there.

    Raises `Invalid` when there is neither text nor item, or for a text that is too long.
    """
    text = feed.clean_text(words.text, TEXT_LIMIT)
    if not text and not words.items:
        raise Invalid("Write something first.", field="text")
    with db.transaction():
        if found := said_before(author_id, once):
            return found
        kept = vault.owned(author_id, list(words.items[: ITEM_LIMIT + 1])) if words.items else []
        if len(kept) > ITEM_LIMIT:
            raise Invalid("At most 10 photos in one reply.", field="photos")
        quoted = words.quote and db.row("SELECT id FROM message WHERE public_id = ? AND post_id = ?",
                                        words.quote, post.id)  # fmt: skip
        said = Message(post_id=post.id, author_id=author_id, text=text, words=for_search(text), once=once,
                       quote_id=quoted[0] if quoted else None)  # fmt: skip
        # a fixed text, since every reply waits for it: 2.6 ms for all of it where the model takes 3.1
        said.id = db.rows(_SAY, said.public_id, post.id, author_id, text, said.words, said.quote_id,
                          int(said.said_at.timestamp()), once)[0][0]  # fmt: skip
        together.note_use(kept)
        for position, item in enumerate(kept):
            db.rows(
                "INSERT INTO message_item (message_id, position, item_id) VALUES (?, ?, ?)", said.id, position, item
            )
        events.record("message.said", said.public_id, author_id, post.audience_id, post_id=post.id)
        _see(author_id, post.id, said.id)
    return said


def said_before(author_id: int, once: str) -> Message | None:
    """Return the message that this very form has made already, or None."""
    return next(iter(Message.raw("SELECT * FROM message WHERE author_id = ? AND once = ?", author_id, once)), None)


def edit(message: Message, post: feed.Post, member_id: int, text: str) -> None:
    """Change one's own message within 15 minutes."""
    if message.author_id != member_id:
        raise NotAllowed("Only the one who wrote this can change it.")
    if message.said_at < db.now() - EDIT_LASTS:
        raise NotAllowed("A reply can be changed for 15 minutes. You can still take it back.")
    text = feed.clean_text(text, TEXT_LIMIT)
    if not text and not db.row("SELECT 1 FROM message_item WHERE message_id = ?", message.id):
        raise Invalid("Nothing would be left of this reply. You can take it back instead.", field="text")
    with db.transaction():
        Message.update(text=text, words=for_search(text), edited_at=db.now()).where(Message.id == message.id).execute()
        events.record("message.edited", message.public_id, member_id, post.audience_id, post_id=post.id)


def take_back(message: Message, post: feed.Post, member_id: int, *, is_admin: bool) -> None:
    """Take a message back: its author, or an admin who sees it. Its words leave every page at once."""
    if message.author_id != member_id and not is_admin:
        raise NotAllowed("Only the one who wrote this can take it back.")
    with db.transaction():
        now = db.now()
        Message.update(deleted_at=now, deleted_by=member_id).where(Message.id == message.id).execute()
        together.leave(_carrier(message), member_id, now)
        if message.author_id != member_id and post.audience_id == audiences.EVERYONE:  # else the log would tell of it
            places.note_deed(member_id, "took-back-reply", members.roster()[message.author_id].name)
        events.record("message.deleted", message.public_id, member_id, post.audience_id, post_id=post.id)


def put_back(public_id: str, post: feed.Post, member_id: int) -> Message:
    """Undo a taking back: by the one who did it alone, as long as the words are kept. `NotFound` otherwise."""
    mine = (Message.public_id == public_id) & (Message.post_id == post.id) & (Message.deleted_by == member_id)
    found = Message.get_or_none(mine & (Message.deleted_at > db.now() - vault.TRASH_LASTS))
    if found is None:
        raise NotFound
    with db.transaction():
        Message.update(deleted_at=None, deleted_by=None).where(Message.id == found.id).execute()
        together.come_back(_carrier(found))
        events.record("message.restored", found.public_id, member_id, post.audience_id, post_id=post.id)
    return found


def get(public_id: str, post: feed.Post) -> Message:
    """Return a message of this thread; `NotFound` for any other."""
    found = Message.get_or_none(
        Message.public_id == public_id, Message.post_id == post.id, Message.deleted_at.is_null()
    )
    if found is None:
        raise NotFound
    return found


def page(post_number: int) -> list[Line]:
    """Return the messages of a thread in order (its newest `PAGE`)."""
    return [_line(row) for row in db.rows(_PAGE, post_number, PAGE)]


def last_few(post_numbers: list[int]) -> dict[int, tuple[list[Line], bool]]:
    """Return the last two messages of each post and whether there are earlier ones; one statement for a page."""
    found: dict[int, list[Line]] = {}
    for row in db.rows(_LAST_FEW, json.dumps(post_numbers)):
        found.setdefault(row[2], []).append(_line(row))
    return {post: (lines[-FEW:], len(lines) > FEW) for post, lines in found.items()}


def items_of(lines: list[Line]) -> dict[int, list[vault.Tile]]:
    """Return the tiles of each message by its number; one statement."""
    tiles: dict[int, list[vault.Tile]] = {}
    for row in db.rows(_TILES, json.dumps([line.number for line in lines])) if lines else []:
        tiles.setdefault(row[0], []).append(vault.tile(row[1:]))
    return tiles


def see(member_id: int, post_number: int) -> None:
    """The member has the whole thread before their eyes."""
    newest = db.row("SELECT max(id) FROM message WHERE post_id = ? AND deleted_at IS NULL", post_number)[0]
    if newest and newest > _seen(member_id, post_number):
        with contextlib.suppress(Unwritable), db.transaction():
            _see(member_id, post_number, newest)


def talks(member_id: int, reader: int, limit: int = 50) -> list[Talk]:
    """Return the threads the member takes part in (wrote the post or a message), latest first, with what is new.

    `reader` is as whom the device may see (0 while it is limited).
    """
    return [
        Talk._make((*row[:6], bool(row[6]), row[7]))
        for row in db.rows(_TALKS, {"me": member_id, "reader": reader, "limit": limit})
    ]


def _carrier(message: Message) -> together.Carrier:
    return together.Carrier("message", message.id, message.public_id, message.author_id)


def _seen(member_id: int, post_number: int) -> int:
    found = db.row("SELECT message_id FROM thread_cursor WHERE member_id = ? AND post_id = ?", member_id, post_number)
    return int(found[0]) if found else 0


def _see(member_id: int, post_number: int, message_number: int) -> None:
    db.rows("INSERT OR REPLACE INTO thread_cursor (member_id, post_id, message_id) VALUES (?, ?, ?)",
            member_id, post_number, message_number)  # fmt: skip


def _line(row: tuple[object, ...]) -> Line:
    quote = (row[7], str(row[8])[:QUOTE_LETTERS], row[9]) if row[9] else None
    return Line._make((*row[:7], quote, row[10]))


_SAY = """
INSERT INTO message (public_id, post_id, author_id, text, words, quote_id, said_at, once)
VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id"""
_COLUMNS = """message.id, message.public_id, message.post_id, message.author_id, message.text, message.said_at,
  message.edited_at, quoted.author_id, quoted.text, quoted.public_id,
  (SELECT count(*) FROM message_item JOIN item ON item.id = message_item.item_id AND item.deleted_at IS NULL
   WHERE message_item.message_id = message.id)"""
_QUOTED = "LEFT JOIN message AS quoted ON quoted.id = message.quote_id AND quoted.deleted_at IS NULL"
_PAGE = f"""
SELECT * FROM (SELECT {_COLUMNS} FROM message {_QUOTED} WHERE message.post_id = ? AND message.deleted_at IS NULL
  ORDER BY message.id DESC LIMIT ?) ORDER BY 1"""
_LAST_FEW = f"""
SELECT {_COLUMNS} FROM json_each(?) AS post JOIN message ON message.id IN (
  SELECT id FROM message AS each WHERE each.post_id = post.value AND each.deleted_at IS NULL
  ORDER BY id DESC LIMIT {FEW + 1})
{_QUOTED} ORDER BY message.post_id, message.id"""
_TILES = f"""
SELECT message_item.message_id, {vault.TILE_COLUMNS} FROM message_item
JOIN item ON item.id = message_item.item_id AND item.deleted_at IS NULL
JOIN original ON original.id = item.original_id
WHERE message_item.message_id IN (SELECT value FROM json_each(?)) ORDER BY message_item.message_id, position"""
_TALKS = """
SELECT post.public_id, post.text, post.author_id, message.author_id, message.text, message.said_at,
  message.id > coalesce(cursor.message_id, 0) AND message.author_id <> :me, post.kind
FROM post
JOIN message ON message.id = (SELECT max(id) FROM message WHERE post_id = post.id AND deleted_at IS NULL)
LEFT JOIN thread_cursor AS cursor ON cursor.member_id = :me AND cursor.post_id = post.id
WHERE post.deleted_at IS NULL AND post.id IN (
    SELECT id FROM post WHERE author_id = :me AND deleted_at IS NULL
    UNION SELECT post_id FROM message WHERE author_id = :me AND deleted_at IS NULL)
  AND (post.audience_id = 1 OR post.audience_id IN (SELECT audience_id FROM audience_member WHERE member_id = :reader))
ORDER BY message.id DESC LIMIT :limit"""
