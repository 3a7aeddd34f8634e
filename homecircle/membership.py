"""What touches several nouns at once: joining, leaving, being removed, roles; and the log of what admins did.

A member's posts stay or go, as they choose (for one who is removed, the admin is asked); their devices close at once.
There is always an admin. Every deed of an admin is a row that every member can read.
"""

from __future__ import annotations

from typing import NamedTuple

from homecircle import db, devices, drafts, events, feed, members
from homecircle.devices import Invitation, Pass, places
from homecircle.errors import NotAllowed

LOG_PAGE = 200


class Deed(NamedTuple):
    """One line of the log: who did what, about whom or what (in words), when."""

    actor_id: int
    verb: str
    about: str
    done_at: int


def pair(invitation: Invitation, door: str, device_name: str, replaced: str = "") -> tuple[str, Pass | None]:
    """Use an invitation up (see `devices.pair`); a new member's joining is told, and they are welcomed."""
    with db.transaction():
        token, opened = devices.pair(invitation, door, device_name, replaced)
        if invitation.kind == "member" and opened:
            _welcome(opened.id, invitation.welcome, invitation.made_by)
    return token, opened


def claim(secret: str, door: str) -> tuple[str, Pass | None]:
    """The browser whose request at the door was granted takes its token (see `devices.claim`)."""
    with db.transaction():
        is_new = devices.standing(secret, door).is_new
        token, opened = devices.claim(secret, door)
        if is_new and opened:
            _welcome(opened.id, "", None)
    return token, opened


def leave(member_id: int, *, posts_stay: bool) -> None:
    """Leave the family. The last admin cannot: `NotAllowed` until somebody else looks after HomeCircle."""
    with db.transaction():
        if is_last_admin(member_id):
            raise NotAllowed("You are the only one who looks after HomeCircle. Make somebody else an admin first.")
        _go(member_id, posts_stay=posts_stay)


def remove(public_id: str, by: int, *, posts_stay: bool) -> None:
    """An admin removes a member; the last admin cannot be removed."""
    found = members.get_public(public_id)
    with db.transaction():
        if is_last_admin(found.id):
            raise NotAllowed("There must always be somebody who looks after HomeCircle.")
        _go(found.id, posts_stay=posts_stay)
        note(by, "removed", found.name)


def make_admin(public_id: str, by: int) -> None:
    """Let a member look after HomeCircle too."""
    found = members.get_public(public_id)
    with db.transaction():
        members.update(found, role="admin")
        note(by, "made-admin", found.name)


def unmake_admin(public_id: str, by: int) -> None:
    """Let an admin be a member again; never the last one."""
    found = members.get_public(public_id)
    with db.transaction():
        if is_last_admin(found.id):
            raise NotAllowed("There must always be somebody who looks after HomeCircle.")
        members.update(found, role="member")
        devices.end_invitations(found.id)
        note(by, "unmade-admin", found.name)


def note(actor_id: int, verb: str, about: str) -> None:
    """Write down what an admin did, in the transaction that does it."""
    places.note_deed(actor_id, verb, about)


def log() -> list[Deed]:
    """Return what admins did, newest first."""
    return [Deed(*row) for row in db.rows(_LOG, LOG_PAGE)]


def _go(member_id: int, *, posts_stay: bool) -> None:
    with db.transaction():
        drafts.drop_all(member_id)  # what was never shared is not shared by somebody who is gone
        if not posts_stay:
            feed.take_down_all(member_id)
        devices.revoke_all(member_id)
        members.Member.update(left_at=db.now(), role="member").where(members.Member.id == member_id).execute()
        db.after_commit(members.forget_roster)
        events.record("member.left", members.roster()[member_id].id, member_id)


def _welcome(member_id: int, text: str, by: int | None) -> None:
    feed.tell_joined(member_id)
    admins = [number for number, face in members.present().items() if face.role == "admin" and number != member_id]
    if by or admins:
        members.welcome(member_id, text, by or admins[0])


def is_last_admin(member_id: int) -> bool:
    """Say whether nobody else looks after HomeCircle."""
    # asked of the rows, inside the transaction: two admins who leave at once must not both be told "no"
    rows = db.rows("SELECT id FROM member WHERE role = 'admin' AND left_at IS NULL LIMIT 2")
    return [row[0] for row in rows] == [member_id]


_LOG = "SELECT actor_id, verb, about, done_at FROM deed ORDER BY id DESC LIMIT ?"
