"""What is new for a member: where the divider stands, *Since you were last here*, and the dot on the bell.

A new post tells its audience; a message tells the poster and those who wrote in that thread before it; a wave tells
one. Only these light the dot, never a number; *Since* also lists marks on one's posts and joins. Unread is two cursors
of a member (not of a device) asked by query: the last post seen, the last event seen. A visit begins after 30 minutes'
pause; the divider stands where the cursor was then; a visible page moves it.
"""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from homecircle import audiences, db, events

PAUSE = dt.timedelta(minutes=30)
TOUCH = dt.timedelta(minutes=5)  # how finely activity is written down
PAGE = 80


class Visit(NamedTuple):
    """Where the divider stands: posts up to `post` were seen before; `since` is when the last visit ended, or None."""

    post: int
    since: dt.datetime | None


class Notice(NamedTuple):
    """One line of *Since*: what happened (`verb`), who did it, under which post (public id and first words)."""

    verb: str
    actor_id: int
    subject: str
    at: int
    post: str | None
    post_text: str | None
    for_me: bool
    is_new: bool


def visit(member_id: int, newest: int) -> Visit:
    """The member looks at the feed, whose newest visible post has the number `newest`: return where the divider stands.

    Begins a visit after a pause; moves the cursor of seen posts. Writes only when something changes.
    """
    seen, stands, since, active = db.row(_VISIT, member_id)
    moment = db.now()
    begins = active is None or db.moment(active) < moment - PAUSE
    if begins:
        stands, since = seen, active
    if begins or newest > seen or db.moment(active) < moment - TOUCH:
        with db.transaction():
            db.rows("UPDATE member SET seen_post = max(seen_post, ?), visit_post = ?, visit_since = ?, active_at = ? "
                    "WHERE id = ?", newest, stands, since, int(moment.timestamp()), member_id)  # fmt: skip
    return Visit(stands, db.moment(since) if since else None)


def since(member_id: int) -> list[Notice]:
    """Return the newest notices of a member, newest first; those after the event cursor are new."""
    return [
        Notice._make((*row[:6], bool(row[6]), bool(row[7])))
        for row in db.rows(_SINCE, {"me": member_id, "limit": PAGE})
    ]


def standing(member_id: int) -> tuple[str, bool]:
    """Return (live cursor, whether the dot is lit): what the shell of every page shows, in one statement."""
    found = db.row(f"SELECT ({events.NEWEST}), EXISTS ({_DOT})", {"me": member_id})
    return found[0] or "", bool(found[1])


def has_new(member_id: int) -> bool:
    """Say whether the dot is lit: a post, a message or a wave for this member after their event cursor."""
    return bool(db.row(_DOT, {"me": member_id}))


def see(member_id: int) -> None:
    """The member has opened *Since*: everything up to now is seen, on all their devices."""
    newest = db.row("SELECT coalesce(max(id), 0) FROM event")[0]
    if newest > db.row("SELECT seen_event FROM member WHERE id = ?", member_id)[0]:
        with db.transaction():
            db.rows("UPDATE member SET seen_event = ? WHERE id = ?", newest, member_id)


_VISIT = "SELECT seen_post, visit_post, visit_since, active_at FROM member WHERE id = ?"
_MINE = audiences.VISIBLE.replace("audience_id", "event.audience_id", 2).replace("?", ":me")
_TELLS = """(
  (event.verb = 'post.published' AND post.deleted_at IS NULL)
  OR (event.verb = 'message.said' AND post.deleted_at IS NULL AND EXISTS (
    SELECT 1 FROM message WHERE message.public_id = event.subject AND message.deleted_at IS NULL AND (
      post.author_id = :me OR EXISTS (SELECT 1 FROM message AS earlier WHERE earlier.post_id = post.id
        AND earlier.author_id = :me AND earlier.deleted_at IS NULL AND earlier.id < message.id))))
  OR event.verb = 'wave.sent')"""
_LISTED = f"""({_TELLS} OR event.verb = 'member.joined'
  OR (event.verb = 'mark.made' AND post.author_id = :me AND post.deleted_at IS NULL AND EXISTS (
    SELECT 1 FROM mark WHERE mark.post_id = post.id AND mark.member_id = event.actor_id)))"""
_SINCE = f"""
SELECT event.verb, event.actor_id, event.subject, event.at, post.public_id, post.text,
  event.verb IN ('message.said', 'mark.made', 'wave.sent'), event.id > me.seen_event
FROM event JOIN member AS me ON me.id = :me LEFT JOIN post ON post.id = event.post_id
WHERE event.actor_id <> :me AND {_MINE} AND {_LISTED} ORDER BY event.id DESC LIMIT :limit"""
_DOT = f"""
SELECT 1 FROM event LEFT JOIN post ON post.id = event.post_id
WHERE event.id > (SELECT seen_event FROM member WHERE id = :me) AND event.actor_id <> :me
  AND {_MINE} AND {_TELLS} LIMIT 1"""
