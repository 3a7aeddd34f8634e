"""The twelve places: a device, its tokens, what a token opens, signing out.

A device may hold several tokens (the home hosts by name and number, the away door, an icon with a cookie jar of its
own) at its one place. A device added in somebody's name by anyone else is *limited*: for 24 hours, or until that
member says yes, it opens posts for everyone only and no admin pages; all their devices show it for a week.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import secrets
from typing import NamedTuple

import peewee

from homecircle import audiences, db, events, members
from homecircle.errors import HouseFull, NotAllowed, NotFound, Unwritable

LIMIT = 12
LIMITED_FOR = dt.timedelta(hours=24)
SHOWN_FOR = dt.timedelta(days=7)
IDLE = dt.timedelta(minutes=10)
IDLE_NOTED = dt.timedelta(minutes=1)  # how finely a shared device's activity is written down
REMEMBERED = dt.timedelta(days=30)  # how long a browser can learn that it was signed out


class Device(db.Model):
    """A paired browser (or program); see the module. A shared one has no member, but the face that is open on it."""

    id = peewee.AutoField()
    public_id = peewee.TextField(default=db.random_id)
    member_id = peewee.IntegerField(null=True)
    kind = peewee.TextField(default="personal")
    name = peewee.TextField()
    paired_at = db.UtcField(default=db.now)
    used_on = peewee.IntegerField(default=lambda: db.now().toordinal())
    revoked_at = db.UtcField(null=True)
    added_by = peewee.IntegerField(null=True)
    limited_until = db.UtcField(null=True)
    face_id = peewee.IntegerField(null=True)
    face_until = db.UtcField(default=lambda: db.moment(0))
    face_pin = peewee.BooleanField(default=False)


class Pass(NamedTuple):
    """What a good token opens: a device and, with it, its member with everything a page needs to know of them.

    `limited` opens posts for everyone only; `reader` is the member id that queries of what may be seen take.
    """

    device_id: int
    device: str
    kind: str
    used_on: int
    id: int
    member: str
    role: str
    language: str
    zone: str
    text_size: int
    theme: str
    limited: bool = False
    face_until: int = 0
    door: str = "home"

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"

    @property
    def reader(self) -> int:
        """The member as whom this device reads: nobody (0, in no audience but everyone's) while it is limited."""
        return 0 if self.limited else self.id


def hashed(secret: str) -> bytes:
    """Return what is kept of a secret: they have at least 80 bits, so one round suffices."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def add(member_id: int | None, name: str, door: str, *, kind: str = "personal", added_by: int | None = None) -> str:
    """Give a new device a place and a token for `door`; returns the token. `HouseFull` at the thirteenth.

    With `added_by` (somebody else than the member) it is limited, and the member is told.
    """
    limited = db.now() + LIMITED_FOR if added_by is not None else None
    try:
        made = Device.create(member_id=member_id, name=name, kind=kind, added_by=added_by, limited_until=limited)
    except peewee.IntegrityError as error:
        raise HouseFull("All twelve places for devices are taken. Someone has to sign one out first.") from error
    if added_by is not None and member_id is not None:
        events.record("device.added", made.public_id, added_by, told(member_id))
    events.record("device.paired", made.public_id, member_id)
    return give_token(made.id, door)


def add_program(by: Pass, name: str) -> str:
    """Give a program of one's own a place and a token for the door one stands at; returns the token (told once).

    It may bring files and nothing else. Raises `Invalid` for a name that is none, `HouseFull` at the thirteenth.
    """
    with db.transaction():
        return add(by.id, members.line(name, members.NAME_LIMIT, "name", "What is the program called?"), by.door,
                   kind="program")  # fmt: skip


def give_token(device_id: int, door: str) -> str:
    """Give a paired device one more token, for `door`; returns it (told once)."""
    token = secrets.token_urlsafe(32)
    db.rows("INSERT INTO token (hash, device_id, door, made_at) VALUES (?, ?, ?, ?)",
            hashed(token), device_id, door, int(db.now().timestamp()))  # fmt: skip
    return token


def has_token(device_id: int, door: str) -> bool:
    """Say whether a device has a token for `door`."""
    return bool(db.row("SELECT 1 FROM token WHERE device_id = ? AND door = ?", device_id, door))


def outside() -> set[int]:
    """Return the ids of the devices that have a token for the away door."""
    return {row[0] for row in db.rows("SELECT device_id FROM token WHERE door = 'away'")}


def recognise(token: str, door: str) -> Pass | None:
    """Return what a token opens at this door, or None: unknown, revoked, another door's, its member has left, or a
    shared device at which nobody sits.
    """
    moment = db.now()
    found = db.row(_RECOGNISE, {"hash": hashed(token), "door": door, "now": int(moment.timestamp()),
                                "idle": int((moment + IDLE + IDLE_NOTED).timestamp())})  # fmt: skip
    return Pass._make((*found[:11], bool(found[11]), found[12], door)) if found else None


def was_signed_out(token: str, door: str) -> int | None:
    """Return whose device a token of ours was that has been signed out since (0: a shared one); None for any other.

    Signed out for good: one that waits after a restore is not (see `is_suspended`).
    """
    found = db.row("SELECT coalesce(member_id, 0) FROM token JOIN device ON device.id = device_id WHERE hash = ? AND "
                   "door = ? AND revoked_at IS NOT NULL AND device_id NOT IN (SELECT device_id FROM suspended)",
                   hashed(token), door)  # fmt: skip
    return int(found[0]) if found else None


def is_suspended(token: str, door: str) -> bool:
    """Say whether a token's device waits for an admin's tick after a restore: its browser keeps the token."""
    found = db.row("SELECT 1 FROM token JOIN suspended USING (device_id) WHERE hash = ? AND door = ?",
                   hashed(token), door)  # fmt: skip
    return bool(found)


def is_open(device_id: int, member_id: int | None = None) -> bool:
    """Say whether a device is still paired: what a long-lived answer asks again.

    With `member_id`: and whether it still opens as that member (on a shared device somebody else may sit by now).
    """
    found = db.row("SELECT kind, coalesce(member_id, face_id), face_until FROM device WHERE id = ? "
                   "AND revoked_at IS NULL", device_id)  # fmt: skip
    if found is None or member_id is None:
        return found is not None
    is_awake = found[0] != "shared" or found[2] > int(db.now().timestamp())
    return bool(is_awake and found[1] == member_id)


def note_use(opened: Pass, *, is_active: bool = True) -> None:
    """Write down that the device was used today, at most once a day and never more finely.

    On a shared device a person's doing (`is_active`) keeps their face open for ten minutes more.
    """
    moment = db.now()
    changes: dict[str, object] = {}
    if opened.used_on != moment.toordinal():
        changes["used_on"] = moment.toordinal()
    if opened.kind == "shared" and is_active and opened.face_until < (moment + IDLE - IDLE_NOTED).timestamp():
        changes["face_until"] = moment + IDLE
    if changes:
        with contextlib.suppress(Unwritable), db.transaction():  # reading goes on when the disk takes nothing
            Device.update(**changes).where(Device.id == opened.device_id).execute()


def today() -> int:
    """Return today as `Device.used_on` counts it (days)."""
    return db.now().toordinal()


def of_member(member_id: int) -> list[Device]:
    """Return a member's paired devices in order of pairing."""
    query = Device.select().where(Device.member_id == member_id, Device.revoked_at.is_null())
    return list(query.order_by(Device.id))


def everyone() -> list[Device]:
    """Return all paired devices of the house (twelve at most), those that were silent longest first."""
    return list(Device.select().where(Device.revoked_at.is_null()).order_by(Device.used_on, Device.id))


def count() -> int:
    """Return how many of the twelve places are taken."""
    return int(db.row("SELECT count(*) FROM device WHERE revoked_at IS NULL")[0])


def added_for(member_id: int) -> list[Device]:
    """Return the devices that somebody else added in a member's name within seven days, and nobody has answered for."""
    since = db.now() - SHOWN_FOR
    return [each for each in of_member(member_id) if each.added_by is not None and each.paired_at > since]


def approve(public_id: str, by: Pass) -> None:
    """The member says yes to a device that was added in their name, on an own device that is not limited itself."""
    found = next((each for each in added_for(by.id) if each.public_id == public_id), None)
    if found is None or by.limited:
        raise NotFound
    with db.transaction():
        Device.update(limited_until=None, added_by=None).where(Device.id == found.id).execute()
        events.record("device.changed", found.public_id, by.id)


def revoke(public_id: str, by: Pass) -> Device:
    """Sign a device out: its own member's, or any one by an admin. Every door is closed to it when this returns.

    Raises `NotFound` for one that may not be seen, `NotAllowed` for an admin's last device signing itself out.
    """
    with db.transaction():
        found = Device.get_or_none(Device.public_id == public_id, Device.revoked_at.is_null())
        if found is None or not _may_revoke(found, by):
            raise NotFound
        browsers = [each for each in of_member(by.id) if each.kind != "program"]
        if found.id == by.device_id and by.is_admin and len(browsers) == 1:
            raise NotAllowed("This is your only device, and you look after HomeCircle. Add another one first.")
        close(found, by.id)
        if found.member_id != by.id:
            owner = members.roster().get(found.member_id or 0)
            note_deed(by.id, "signed-out", owner.name if owner else found.name)
    return found


def close(device: Device, by: int) -> None:
    """Close every door to a device, within the transaction that is under way; live pages hear of it at its commit."""
    moment = db.now()
    Device.update(revoked_at=moment, face_id=None).where(Device.id == device.id).execute()
    # what it made in its last week may have been a thief's; an older sheet lies in the drawer for this very day
    db.rows("UPDATE invitation SET revoked_at = ?1 WHERE made_on = ?2 AND used_at IS NULL AND revoked_at IS NULL "
            "AND made_at > ?3", int(moment.timestamp()), device.id, int((moment - SHOWN_FOR).timestamp()))  # fmt: skip
    events.record("device.revoked", device.public_id, by)


def close_all(member_id: int) -> None:
    """Sign every device of a member out and take their face from shared ones: they leave."""
    with db.transaction():
        for device in of_member(member_id):
            close(device, member_id)
        db.rows("DELETE FROM face WHERE member_id = ?", member_id)
        Device.update(face_id=None).where(Device.face_id == member_id).execute()


def forget_tokens(moment: dt.datetime) -> int:
    """Remove the tokens of devices that were signed out a month before `moment`; returns how many went."""
    gone = db.database.execute_sql(_FORGET_TOKENS, (int((moment - REMEMBERED).timestamp()),))
    return int(gone.rowcount)


def told(*member_ids: int) -> int:
    """Return the audience of these members and all admins: who hears of a way in (inside a transaction)."""
    admins = {number for number, face in members.present().items() if face.role == "admin"}
    return audiences.of(admins | set(member_ids))


def note_deed(actor_id: int, verb: str, about: str) -> None:
    """Write into the log that every member can read what an admin did, in the transaction that does it."""
    db.rows("INSERT INTO deed (actor_id, verb, about, done_at) VALUES (?, ?, ?, ?)",
            actor_id, verb, about, int(db.now().timestamp()))  # fmt: skip


def _may_revoke(device: Device, by: Pass) -> bool:
    if by.kind == "shared":
        return False
    if device.member_id == by.id:
        return not by.limited or device.id == by.device_id
    return by.is_admin


_RECOGNISE = """
SELECT device.id, device.public_id, kind, used_on, member.id, member.public_id,
  CASE WHEN kind = 'shared' OR coalesce(limited_until > :now, 0) THEN 'member' ELSE role END, language, zone,
  text_size, theme, CASE kind WHEN 'shared' THEN NOT face_pin ELSE coalesce(limited_until > :now, 0) END, face_until
FROM token JOIN device ON device.id = token.device_id
  JOIN member ON member.id = CASE kind WHEN 'shared' THEN device.face_id ELSE device.member_id END
WHERE token.hash = :hash AND token.door = :door AND device.revoked_at IS NULL AND member.left_at IS NULL
  AND (kind <> 'shared' OR face_until BETWEEN :now + 1 AND :idle)"""
_FORGET_TOKENS = """
DELETE FROM token WHERE device_id IN (SELECT id FROM device WHERE revoked_at < ?)
  AND device_id NOT IN (SELECT device_id FROM suspended)"""
