"""What is new for a member: where the divider stands, *Since you were last here*, and the dot on the bell.

A new post tells its audience; a message tells the poster and those who wrote in that thread before it; a wave tells
one. Only these light the dot, never a number; *Since* also lists marks on one's posts and joins. Unread is two cursors
of a member (not of a device) asked by query: the last post seen, the last event seen. A visit begins after 30 minutes'
pause; the divider stands where the cursor was then; a visible page moves it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import NamedTuple

from homecircle import audiences, db, events
from homecircle.errors import Unwritable

PAUSE = dt.timedelta(minutes=30)
TOUCH = dt.timedelta(minutes=5)  # how finely activity is written down
PAGE = 80
ADDED_SHOWN = dt.timedelta(days=7)
# What an admin, or the member it is about, should hear of at once: somebody asks to come in, a device in one's name.
TOLD_OF_DEVICES = (
    "ask.made", "ask.answered", "device.added", "sheet.made", "sheet.used", "recover.used", "face.closed",
)  # fmt: skip


class Visit(NamedTuple):
    """Where the divider stands: posts up to `post` were seen before; `since` is when the last visit ended, or None.

    `begins` says that this very look begins the visit, `has_drafts` that posts of theirs wait for a photo. `welcome` is
    what is said to a new member until they have answered (None: nothing), and `welcomed_by` says it.
    """

    post: int
    since: dt.datetime | None
    begins: bool = False
    has_drafts: bool = False
    welcome: str | None = None
    welcomed_by: int | None = None


class Notice(NamedTuple):
    """One line of *Since*: what happened (`verb`), who did it, under which post (public id, first words; and its kind
    and author, from whom the words of some are made).
    """

    verb: str
    actor_id: int | None
    subject: str
    at: int
    post: str | None
    post_text: str | None
    for_me: bool
    is_new: bool
    post_kind: str | None
    post_author_id: int | None


def visit(member_id: int, newest: int, *, moves: bool = True) -> Visit:
    """The member looks at the feed, whose newest visible post has the number `newest`: return where the divider stands.

    Begins a visit after a pause; moves the cursor of seen posts. Writes only when something changes, and nothing when
    it `moves` nothing: what a limited device reads as nobody, its member has not seen.
    """
    seen, stands, since, active, drafts, *welcome = db.row(_VISIT, member_id)
    moment = db.now()
    begins = active is None or db.moment(active) < moment - PAUSE
    if begins:
        stands, since = seen, active
    if moves and (begins or newest > seen or db.moment(active) < moment - TOUCH):
        with contextlib.suppress(Unwritable), db.transaction():  # reading goes on when the disk takes nothing
            db.rows("UPDATE member SET seen_post = max(seen_post, ?), visit_post = ?, visit_since = ?, active_at = ? "
                    "WHERE id = ?", newest, stands, since, int(moment.timestamp()), member_id)  # fmt: skip
    return Visit(stands, db.moment(since) if since else None, begins, bool(drafts), *welcome)


def since(member_id: int, reader: int | None = None) -> list[Notice]:
    """Return the newest notices of a member, newest first; those after the event cursor are new."""
    whose = {"me": member_id, "reader": member_id if reader is None else reader, "limit": PAGE}
    return [Notice._make((*row[:6], bool(row[6]), bool(row[7]), *row[8:])) for row in db.rows(_SINCE, whose)]


class Standing(NamedTuple):
    """What the shell of every page shows: the live cursor, the dot, whether a device was added in one's name, and
    whether anybody at all waits at the door.
    """

    cursor: str
    has_new: bool
    has_added: bool
    is_asked: bool


def standing(member_id: int, reader: int) -> Standing:
    """Return what the shell of a member's page shows, in one statement."""
    moment = db.now()
    times = {"week": int((moment - ADDED_SHOWN).timestamp()), "now": int(moment.timestamp())}
    found = db.row(_STANDING, {"me": member_id, "reader": reader} | times)
    return Standing(found[0] or "", *map(bool, found[1:]))


def has_new(member_id: int, reader: int | None = None) -> bool:
    """Say whether the dot is lit: a post, a message or a wave for this member after their event cursor."""
    return bool(db.row(_DOT, {"me": member_id, "reader": member_id if reader is None else reader}))


def newest() -> int:
    """Return the number of the newest event: take it before reading, hand it to `see`."""
    return int(db.row("SELECT coalesce(max(id), 0) FROM event")[0])


def see(member_id: int, upto: int) -> None:
    """The member has *Since* before their eyes: everything up to `upto` is seen, on all their devices."""
    if upto > db.row("SELECT seen_event FROM member WHERE id = ?", member_id)[0]:
        with contextlib.suppress(Unwritable), db.transaction():
            db.rows("UPDATE member SET seen_event = max(seen_event, ?) WHERE id = ?", upto, member_id)


_VISIT = """SELECT seen_post, visit_post, visit_since, active_at, EXISTS (
  SELECT 1 FROM draft WHERE author_id = member.id), welcome, welcomed_by FROM member WHERE id = ?"""
_MINE = audiences.VISIBLE.replace("audience_id", "event.audience_id", 2).replace("?", ":reader")
_QUOTED = ", ".join(f"'{verb}'" for verb in TOLD_OF_DEVICES)
_TELLS = f"""(
  (event.verb = 'post.published' AND post.deleted_at IS NULL)
  OR (event.verb = 'message.said' AND post.deleted_at IS NULL AND EXISTS (
    SELECT 1 FROM message WHERE message.public_id = event.subject AND message.deleted_at IS NULL AND (
      post.author_id = :me OR EXISTS (SELECT 1 FROM message AS earlier WHERE earlier.post_id = post.id
        AND earlier.author_id = :me AND earlier.deleted_at IS NULL AND earlier.id < message.id))))
  OR event.verb = 'wave.sent' OR event.verb IN ({_QUOTED}))"""
_LISTED = f"""({_TELLS} OR event.verb IN ('member.joined', 'member.left')
  OR (event.verb = 'mark.made' AND post.author_id = :me AND post.deleted_at IS NULL AND EXISTS (
    SELECT 1 FROM mark WHERE mark.post_id = post.id AND mark.member_id = event.actor_id)))"""
_SINCE = f"""
SELECT event.verb, event.actor_id, event.subject, event.at, CASE WHEN post.deleted_at IS NULL THEN post.public_id END,
  post.text,
  event.verb IN ('message.said', 'mark.made', 'wave.sent', {_QUOTED}), event.id > me.seen_event,
  post.kind, post.author_id
FROM event JOIN member AS me ON me.id = :me LEFT JOIN post ON post.id = event.post_id
WHERE event.actor_id IS NOT :me AND {_MINE} AND {_LISTED} ORDER BY event.id DESC LIMIT :limit"""
_DOT = f"""
SELECT 1 FROM event LEFT JOIN post ON post.id = event.post_id
WHERE event.id > (SELECT seen_event FROM member WHERE id = :me) AND event.actor_id IS NOT :me
  AND {_MINE} AND {_TELLS} LIMIT 1"""
_STANDING = f"""
SELECT ({events.NEWEST}), EXISTS ({_DOT}), EXISTS (
  SELECT 1 FROM device WHERE member_id = :me AND added_by <> :me AND revoked_at IS NULL AND paired_at > :week),
  EXISTS (SELECT 1 FROM ask WHERE ended_at IS NULL AND invitation_id IS NULL AND until >= :now)"""
