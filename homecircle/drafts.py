"""Drafts: *Share* may be pressed while photos are still on their way.

A post that still waits for its first item is a draft: only its author sees it, no list, search, hint or notice knows
of it. With the first item it becomes a post, with its place in the order, in the transaction that shows it to others;
what comes later takes its own place in it. A file on its way is known by a key of its sender's (`slot`, in the
upload's metadata), so that it has its place before its first byte was sent.

Whatever does not arrive within 24 hours of the last one drops out. A draft of which nothing is left waits for its
author when it has words (they may share those, or write on), and is forgotten when it has none.
"""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import peewee

from homecircle import audiences, db, events, feed
from homecircle.errors import NotFound
from homecircle.feed import Post, Ready
from homecircle.vault import together
from homecircle.vault.uploads import SLOT

COMING = "coming-"  # before a slot, where a form names what is not here yet among the items that are
LASTS = dt.timedelta(hours=24)


class Draft(db.Model):
    """One draft; see the module. Its public id is that of the post it becomes."""

    id = peewee.AutoField()
    public_id = peewee.TextField(default=db.random_id)
    author_id = peewee.IntegerField()
    text = peewee.TextField()
    audience_id = peewee.IntegerField()
    made_at = db.UtcField(default=db.now)
    once = peewee.TextField()


class Waiting(NamedTuple):
    """A draft as its author's page reads it: how many files are coming, and what share of them is here (0 to 1)."""

    id: str
    author_id: int
    text: str
    made_at: int
    audience: tuple[int, ...]
    coming: int
    share: float


def shared_before(author_id: int, once: str) -> str:
    """Return the public id of the post or draft that this very form has made already, or ''."""
    found = db.row("SELECT public_id FROM post WHERE author_id = ?1 AND once = ?2 UNION ALL "
                   "SELECT public_id FROM draft WHERE author_id = ?1 AND once = ?2", author_id, once)  # fmt: skip
    return found[0] if found else ""


def share(author_id: int, text: str, items: list[str], audience: list[str], once: str) -> str:
    """Share a post, or keep it as a draft while none of its items is here; returns its public id.

    `items` are public ids of the author's own, or `COMING` and the slot of a file on its way, in the order of the
    post. Raises what `feed.publish` raises.
    """
    with db.transaction():
        if earlier := shared_before(author_id, once):
            return earlier
        here = ["" if each.startswith(COMING) else each for each in items]
        coming = {each.removeprefix(COMING): at for at, each in enumerate(items) if each.startswith(COMING)}
        coming = {slot: at for slot, at in coming.items() if SLOT.fullmatch(slot)}
        if any(here) or not coming:
            public_id = str(feed.publish(author_id, text, here, audience, once).public_id)
        else:
            text, audience_id = feed.clean_text(text, feed.TEXT_LIMIT), audiences.named(author_id, audience)
            feed.check_number(items)
            public_id = str(Draft.create(author_id=author_id, text=text, audience_id=audience_id, once=once).public_id)
        until = int((db.now() + LASTS).timestamp())
        for slot, position in coming.items():
            db.rows("INSERT OR REPLACE INTO coming (member_id, slot, post, position, until) VALUES (?, ?, ?, ?, ?)",
                    author_id, slot, public_id, position, until)  # fmt: skip
        fill()  # what arrived while the form was under way
    return public_id


def share_place(public_id: str, author_id: int) -> None:
    """Let those who see a post download its author's own photos and films with their place, also those on their way."""
    with db.transaction():
        db.rows(f"UPDATE item SET place_shared = 1 WHERE {_SHOWN} AND id IN (SELECT item_id FROM post_item "
                "JOIN post ON post.id = post_id WHERE post.public_id = ?2)", author_id, public_id)  # fmt: skip
        db.rows("UPDATE coming SET place_shared = 1 WHERE member_id = ?1 AND post = ?2", author_id, public_id)


def of_author(author_id: int, reader: int) -> list[Waiting]:
    """Return a member's own drafts, newest first.

    `reader` is as whom the device may see (0 while it is limited: then only what will be for everyone).
    """
    return [_waiting(row) for row in db.rows(_MINE, {"me": author_id, "reader": reader, "id": None})]


def get(public_id: str, author_id: int, reader: int) -> Waiting:
    """Return one's own draft; `NotFound` for any other."""
    found = db.row(_MINE, {"me": author_id, "reader": reader, "id": public_id})
    if found is None:
        raise NotFound
    return _waiting(found)


def share_words(public_id: str, author_id: int, reader: int) -> None:
    """Share the words of a draft now; its photos come later, if they come. `Invalid` when it has none."""
    with db.transaction():
        draft = _own(public_id, author_id, reader)
        if draft is not None:  # else the first photo was faster
            feed.check_something(draft.text, [])
            _publish(draft, {})


def drop(public_id: str, author_id: int, reader: int) -> str:
    """Take a draft back; returns its words, for the one who wrote them. What was on its way goes into the vault."""
    with db.transaction():
        draft = _own(public_id, author_id, reader)
        if draft is None:
            raise NotFound
        db.rows("DELETE FROM coming WHERE post = ?", public_id)
        Draft.delete().where(Draft.id == draft.id).execute()
    return str(draft.text)


def drop_all(member_id: int) -> None:
    """Forget a member's drafts, and let nothing more come to their posts: they leave."""
    with db.transaction():
        db.rows("DELETE FROM coming WHERE member_id = ?", member_id)
        Draft.delete().where(Draft.author_id == member_id).execute()


def give_up(member_id: int, slot: str) -> None:
    """A file of the member's will not come (they took it out): its post no longer waits for it."""
    with db.transaction():
        for (post,) in db.rows("DELETE FROM coming WHERE member_id = ? AND slot = ? RETURNING post", member_id, slot):
            _tell(post, member_id)


def fill() -> bool:
    """Put what has arrived into its posts, and show the drafts that have their first item; True when there was any.

    May be killed at any moment and run again.
    """
    if not db.row(_ARRIVED):
        return False
    with db.transaction():
        for member_id, slot, post, position, item, place_shared in db.rows(_ARRIVED):
            db.rows("DELETE FROM coming WHERE member_id = ? AND slot = ?", member_id, slot)
            _place(post, position, item)
            if place_shared:
                db.rows(f"UPDATE item SET place_shared = 1 WHERE {_SHOWN} AND id = ?2", member_id, item)
            db.rows("UPDATE coming SET until = ? WHERE post = ?", int((db.now() + LASTS).timestamp()), post)
    return True


def sweep() -> int:
    """Let drop out what did not arrive in time, and forget drafts of which nothing is left; returns how many rows."""
    with db.transaction():
        over = db.rows(_OVER, int(db.now().timestamp()))
        for member_id, post in {(row[0], row[1]) for row in over}:
            _tell(post, member_id)
        return len(over) + len(db.rows(_EMPTY))


def _own(public_id: str, author_id: int, reader: int) -> Draft | None:
    """One's own draft, as far as the device may see it (see `of_author`)."""
    found: Draft | None = Draft.get_or_none(Draft.public_id == public_id, Draft.author_id == author_id)
    is_seen = found is not None and (author_id == reader or found.audience_id == audiences.EVERYONE)
    return found if is_seen else None


def _place(post_id: str, position: int, item: int) -> None:
    draft = Draft.get_or_none(Draft.public_id == post_id)
    if draft is not None:
        _publish(draft, {position: item})
    elif post := Post.get_or_none(Post.public_id == post_id):
        db.rows("INSERT OR IGNORE INTO post_item (post_id, position, item_id) VALUES (?, ?, ?)",
                post.id, position, item)  # fmt: skip
        if post.deleted_at is not None:  # it comes too late: it lies where its post lies
            together.leave(feed.carrier(post), post.deleted_by or post.author_id, post.deleted_at)
        _tell(post_id, post.author_id)


def _publish(draft: Draft, items: dict[int, int]) -> None:
    Draft.delete().where(Draft.id == draft.id).execute()
    feed.put(Ready(draft.author_id, draft.text, draft.audience_id, draft.once, items, draft.public_id))


def _tell(post_id: str, member_id: int) -> None:
    """Pages that show the post look at it again; nothing about it is new."""
    post = Post.get_or_none(Post.public_id == post_id, Post.deleted_at.is_null())
    if post is not None:
        events.record("post.filled", post_id, member_id, post.audience_id, post_id=post.id)


def _waiting(row: tuple[object, ...]) -> Waiting:
    names = str(row[4])
    return Waiting._make((*row[:4], tuple(map(int, names.split(","))) if names else (), *row[5:]))


_MINE = f"""
SELECT draft.public_id, author_id, text, draft.made_at, audience.members, count(coming.slot),
  coalesce(avg(coalesce(CAST(upload."offset" AS REAL) / upload.size, 0)), 0)
FROM draft JOIN audience ON audience.id = audience_id LEFT JOIN coming ON coming.post = draft.public_id
  LEFT JOIN upload ON upload.member_id = coming.member_id AND upload.slot = coming.slot AND upload.slot <> ''
WHERE author_id = :me AND (audience_id = {audiences.EVERYONE} OR author_id = :reader)
  AND (:id IS NULL OR draft.public_id = :id)
GROUP BY draft.id ORDER BY draft.id DESC"""
_SHOWN = "member_id = ?1 AND kind IN ('photo', 'video')"  # a file is opened by a tick of its own
_ARRIVED = """
SELECT coming.member_id, coming.slot, coming.post, coming.position, item.id, coming.place_shared FROM coming
JOIN upload ON upload.member_id = coming.member_id AND upload.slot = coming.slot AND upload.slot <> ''
JOIN item ON item.id = upload.item_id AND item.deleted_at IS NULL ORDER BY item.id"""
_OVER = """
DELETE FROM coming WHERE until < ?1 AND NOT EXISTS (
  SELECT 1 FROM coming AS other JOIN upload ON upload.member_id = other.member_id AND upload.slot = other.slot
  WHERE other.post = coming.post AND upload.slot <> '' AND upload.until > ?1)
RETURNING member_id, post"""
_EMPTY = """
DELETE FROM draft WHERE NOT EXISTS (SELECT 1 FROM coming WHERE post = draft.public_id)
  AND (text = '' OR author_id IN (SELECT id FROM member WHERE left_at IS NOT NULL)) RETURNING id"""
