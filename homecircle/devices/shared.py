"""A shared device: the kitchen tablet. Made by an admin only; nobody's, with the faces of those who agreed.

A face appears there after its member agreed on a device of their own. Without a PIN it opens posts for everyone;
admins, and posts for named members, need a PIN, which the member chooses where they agree, so that nobody at the tablet
can choose it for them. Five wrong PINs close that face for 15 minutes and tell its member. There are no admin pages,
and after ten minutes without a person's doing nobody sits there.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
from typing import NamedTuple

from homecircle import db, events, members
from homecircle.devices import places
from homecircle.devices.places import IDLE, Device, Pass, hashed
from homecircle.errors import Invalid, NotAllowed, NotFound, TooMany

PIN_LENGTHS = range(4, 9)  # digits
TRIES = 5
CLOSED_FOR = dt.timedelta(minutes=15)
SCRYPT = {"n": 1 << 14, "r": 8, "p": 1}  # 16 MiB; a quarter of a second on a Pi (RFC 7914, section 2)


class Tablet(NamedTuple):
    """A shared device that knocks, whoever sits at it."""

    id: int
    public_id: str
    name: str


class Chair(NamedTuple):
    """A shared device as one member sees it: is their face there, does it have a PIN."""

    id: str
    name: str
    is_there: bool
    has_pin: bool


class Choice(NamedTuple):
    """A face that can be tapped on a shared device."""

    member_id: int
    has_pin: bool
    is_closed: bool


def find_tablet(token: str, door: str) -> Tablet | None:
    """Return the shared device that a token belongs to, or None."""
    found = db.row("SELECT device.id, public_id, name FROM token JOIN device ON device.id = device_id WHERE hash = ? "
                   "AND door = ? AND kind = 'shared' AND revoked_at IS NULL", hashed(token), door)  # fmt: skip
    return Tablet(*found) if found else None


def chairs(member_id: int) -> list[Chair]:
    """Return the shared devices of the house as one member sees them."""
    return [
        Chair(public_id, name, bool(there), bool(pin)) for public_id, name, there, pin in db.rows(_CHAIRS, member_id)
    ]


def choices(tablet: Tablet) -> list[Choice]:
    """Return the faces that can be tapped there, in order of joining."""
    moment, present = int(db.now().timestamp()), members.present()
    return [
        Choice(number, has_pin=pin is not None, is_closed=closed > moment)
        for number, pin, closed in db.rows(_CHOICES, tablet.id)
        if number in present and (pin is not None or present[number].role != "admin")
    ]


def agree(public_id: str, by: Pass, pin: str) -> None:
    """Put one's face on a shared device, from a device of one's own; with a PIN of 4 to 8 digits, or '' without.

    Agreeing again changes the PIN. Raises `Invalid` for a PIN that is none, or when an admin chose none.
    """
    tablet = _tablet(public_id, by)
    if pin and not (pin.isascii() and pin.isdigit() and len(pin) in PIN_LENGTHS):
        raise Invalid("A PIN has four to eight digits.", field="pin")
    if not pin and members.present()[by.id].role == "admin":
        raise Invalid("You look after HomeCircle, so your face needs a PIN there.", field="pin")
    kept = _stretched(pin, secrets.token_bytes(16)) if pin else None
    with db.transaction():
        db.rows("INSERT OR REPLACE INTO face (device_id, member_id, pin, agreed_at) VALUES (?, ?, ?, ?)",
                tablet.id, by.id, kept, int(db.now().timestamp()))  # fmt: skip
        _stand_up(tablet.id, by.id)


def disagree(public_id: str, by: Pass) -> None:
    """Take one's face from a shared device; if it is open there, it closes."""
    tablet = _tablet(public_id, by)
    with db.transaction():
        db.rows("DELETE FROM face WHERE device_id = ? AND member_id = ?", tablet.id, by.id)
        _stand_up(tablet.id, by.id)


def sit(tablet: Tablet, member: str, pin: str) -> None:
    """Open a face (member's public id) at a shared device. A wrong PIN is written down before it is answered.

    Raises `NotFound` for a face that is not there, `Invalid` for a wrong PIN, `TooMany` while the face is closed.
    """
    member_id = members.get_public(member).id
    if member_id not in {each.member_id for each in choices(tablet)}:
        raise NotFound
    kept, tries = _try(tablet, member_id)
    if kept is not None and not hmac.compare_digest(_stretched(pin, kept[:16]), kept):
        if tries >= TRIES:
            with db.transaction():
                events.record("face.closed", tablet.public_id, None, places.told(member_id))
        raise Invalid("That PIN is not right.", field="pin")
    with db.transaction():
        db.rows("UPDATE face SET wrong = 0, closed_until = 0 WHERE device_id = ? AND member_id = ?",
                tablet.id, member_id)  # fmt: skip
        changes = {"face_id": member_id, "face_until": db.now() + IDLE, "face_pin": kept is not None}
        Device.update(**changes).where(Device.id == tablet.id).execute()
        db.after_commit(events.ring)


def stand_up(tablet: Tablet) -> None:
    """Nobody sits there any more."""
    with db.transaction():
        _stand_up(tablet.id, None)


def _stand_up(device_id: int, member_id: int | None) -> None:
    """Close the face that is open (only if it is that member's, when one is given); live pages are woken."""
    query = Device.update(face_id=None, face_pin=False).where(Device.id == device_id)
    (query if member_id is None else query.where(Device.face_id == member_id)).execute()
    db.after_commit(events.ring)


def _try(tablet: Tablet, member_id: int) -> tuple[bytes | None, int]:
    """Count a try at a face before it is judged, so that many at once are no more than five; returns (PIN, tries)."""
    with db.transaction():
        moment = int(db.now().timestamp())
        pin, wrong, closed = db.row("SELECT pin, wrong, closed_until FROM face WHERE device_id = ? AND member_id = ?",
                                    tablet.id, member_id)  # fmt: skip
        if closed > moment:
            left = min(int(CLOSED_FOR.total_seconds()), closed - moment)
            raise TooMany("The PIN was wrong too often. Please wait %(minutes)s minutes.", retry_after=left,
                          minutes=-(-left // 60))  # fmt: skip
        tries = 1 if wrong >= TRIES else wrong + 1
        closed = int((db.now() + CLOSED_FOR).timestamp()) if tries >= TRIES else 0
        db.rows("UPDATE face SET wrong = ?, closed_until = ? WHERE device_id = ? AND member_id = ?",
                tries, closed, tablet.id, member_id)  # fmt: skip
    return (bytes(pin) if pin is not None else None), tries


def _tablet(public_id: str, by: Pass) -> Tablet:
    if by.kind != "personal" or by.limited:
        raise NotAllowed("This is done on a device of your own.")
    found = Device.get_or_none(Device.public_id == public_id, Device.kind == "shared", Device.revoked_at.is_null())
    if found is None:
        raise NotFound
    return Tablet(found.id, found.public_id, found.name)


def _stretched(pin: str, salt: bytes) -> bytes:
    """Return salt and hash of a PIN."""
    return salt + hashlib.scrypt(pin.encode("utf-8", "surrogatepass"), salt=salt, dklen=32, **SCRYPT)


_CHAIRS = """
SELECT public_id, name, face.member_id IS NOT NULL, face.pin IS NOT NULL FROM device
LEFT JOIN face ON face.device_id = device.id AND face.member_id = ?
WHERE kind = 'shared' AND revoked_at IS NULL ORDER BY device.id"""
_CHOICES = "SELECT member_id, pin, closed_until FROM face WHERE device_id = ? ORDER BY member_id"
