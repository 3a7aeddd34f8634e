"""Device, token, invitation: offer, pair, revoke, recognise.

A device is a paired browser at one of twelve places. Its token has 256 bits, is stored only as SHA-256, and belongs to
one door: one overheard on the home Wi-Fi opens nothing from outside. An invitation is a link (160 bits, in a URL's
fragment) and a typed code (8 letters of 20, so that no word is spelt by chance); each works once and pairs one device.

Guessing (BARS.md X3): a code dies at a door after five wrong guesses there, an address waits after five, and a door has
twenty wrong guesses an hour for everyone together, in rows that survive a restart. Links have a bucket of their own, so
nobody can lock the family out. A code whose moment of making lies in the future is dead: setting the clock back gives
no code a longer life.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
import secrets
from typing import NamedTuple

import peewee

from homecircle import circle, db, events, members
from homecircle.errors import Conflict, HouseFull, Invalid, NotAllowed, NotFound, TooMany

LIMIT = 12
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
CODE_LENGTH = 8
TRIES = 5
TRIES_AN_HOUR = 20
LINK_TRIES_AN_HOUR = 60
CODE_LASTS = dt.timedelta(minutes=10)
WAIT_LASTS = dt.timedelta(minutes=10)
LINK_LASTS = {
    "member": dt.timedelta(days=7),
    "device": dt.timedelta(minutes=5),
    "setup": dt.timedelta(days=1),
    "recover": dt.timedelta(minutes=10),
}
CLOCK_SLACK = dt.timedelta(seconds=5)


class Device(db.Model):
    """A paired browser (or program); see the module."""

    id = peewee.AutoField()
    public_id = peewee.TextField(default=db.random_id)
    member_id = peewee.IntegerField(null=True)
    kind = peewee.TextField(default="personal")
    name = peewee.TextField()
    paired_at = db.UtcField(default=db.now)
    used_on = peewee.IntegerField(default=lambda: db.now().toordinal())
    revoked_at = db.UtcField(null=True)


class Invitation(db.Model):
    """A way in for one device, used up by one POST; see the module."""

    id = peewee.AutoField()
    public_id = peewee.TextField(default=db.random_id)
    once = peewee.TextField(null=True)
    kind = peewee.TextField()
    name = peewee.TextField()
    role = peewee.TextField(default="member")
    member_id = peewee.IntegerField(null=True)
    made_by = peewee.IntegerField(null=True)
    link_hash = peewee.BlobField(null=True)
    code_hash = peewee.BlobField(null=True)
    made_at = db.UtcField(default=db.now)
    link_until = db.UtcField()
    code_until = db.UtcField()
    tries_home = peewee.IntegerField(default=0)
    tries_away = peewee.IntegerField(default=0)
    used_at = db.UtcField(null=True)
    revoked_at = db.UtcField(null=True)


class Offer(NamedTuple):
    """What the inviter is shown once: the secrets themselves are kept nowhere."""

    invitation: Invitation
    secret: str
    code: str


class Caller(NamedTuple):
    """Where a try comes from: the door it came through and the client's address."""

    door: str
    address: str

    @property
    def network(self) -> str:
        """The address as guesses are counted: IPv4 whole, IPv6 by its /64 (one household's)."""
        try:
            parsed = ipaddress.ip_address(self.address.partition("%")[0])
        except ValueError:
            return "unknown"
        if isinstance(parsed, ipaddress.IPv6Address):
            mapped = parsed.ipv4_mapped
            return str(mapped) if mapped else str(ipaddress.ip_network((parsed, 64), strict=False))
        return str(parsed)


class Pass(NamedTuple):
    """What a good token opens: a device and, with it, its member with everything a page needs to know of them."""

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

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"


def offer(kind: str, name: str, made_by: int | None = None, *, role: str = "member", once: str | None = None) -> Offer:
    """Make an invitation: of `kind` 'member' (a new person), 'device' (for `made_by`), 'setup' or 'recover'.

    The same `once` again replaces the secrets of the invitation it made before, so that a page that is loaded again
    shows a working code and leaves no second chair taken. Raises `HouseFull` when no chair is left for a person.
    """
    secret, code = secrets.token_urlsafe(20), "".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH))
    moment = db.now()
    life = LINK_LASTS[kind]
    with db.transaction():
        if kind == "member":
            _keep_a_chair(once)
        Invitation.delete().where((Invitation.once == once) & Invitation.used_at.is_null()).execute()
        made = Invitation.create(
            kind=kind, name=members.clean_name(name), role=role, once=once, made_by=made_by,
            member_id=made_by if kind == "device" else None,
            link_hash=_hash(secret), code_hash=_hash(code), made_at=moment, link_until=moment + life,
            code_until=moment + (CODE_LASTS if kind in {"member", "device"} else life),
        )  # fmt: skip
    return Offer(made, secret, code)


def renew_code(public_id: str, made_by: int) -> Offer:
    """Give an open invitation new secrets (the old ones end): what *Show again* does. `NotFound` when not open."""
    found = next((each for each in open_invitations() if each.public_id == public_id), None)
    if found is None:
        raise NotFound
    with db.transaction():
        Invitation.delete().where(Invitation.id == found.id).execute()
        return offer("member", found.name, made_by, role=found.role)


def offer_setup() -> Offer:
    """Make the one set-up code of a house that nobody has claimed yet; earlier ones end. `Conflict` when claimed."""
    if circle.get().is_claimed:
        raise Conflict("This house is claimed already. `homecircle recover` lets an admin back in.")
    with db.transaction():
        Invitation.update(revoked_at=db.now()).where(Invitation.kind == "setup").execute()
        return offer("setup", "Me", role="admin")


def offer_recovery() -> Offer:
    """Make a one-time code that makes a device an admin's; earlier ones end. `Conflict` while nobody is admin."""
    admin = next((number for number, face in members.present().items() if face.role == "admin"), None)
    if admin is None:
        raise Conflict("Nobody has claimed this house yet. `homecircle setup-code` gives the code for that.")
    with db.transaction():
        Invitation.update(revoked_at=db.now()).where(Invitation.kind == "recover").execute()
        made = offer("recover", members.present()[admin].name, admin, role="admin")
        Invitation.update(member_id=admin).where(Invitation.id == made.invitation.id).execute()
        return made


def open_invitations() -> list[Invitation]:
    """Return the invitations for new people that can still be used, oldest first."""
    query = Invitation.select().where(Invitation.kind == "member", _is_open(), Invitation.link_until > db.now())
    return list(query.order_by(Invitation.id))


def withdraw(public_id: str) -> None:
    """End an open invitation; `NotFound` when there is none."""
    with db.transaction():
        query = Invitation.update(revoked_at=db.now()).where(Invitation.public_id == public_id, _is_open())
        if not query.execute():
            raise NotFound


def look(secret: str, caller: Caller) -> Invitation:
    """Return the open invitation that a link's secret belongs to; using nothing up.

    Raises `Invalid` for one that is used, over or unknown, `TooMany` after too many unknown ones.
    """
    _refuse_when_spent("link", caller, LINK_TRIES_AN_HOUR)
    found = Invitation.get_or_none(Invitation.link_hash == _hash(secret))
    if found is None:
        _spend("link", caller)
        raise Invalid("This invitation doesn't exist. Please ask for a new one.", field="code")
    moment = db.now()
    if found.used_at or found.revoked_at:
        raise Invalid("This invitation has been used already. Please ask for a new one.", field="code")
    if not found.made_at - dt.timedelta(days=1) <= moment <= found.link_until:
        raise Invalid("This invitation is over. Please ask for a new one.", field="code")
    if found.kind == "setup" and caller.door != "home":
        raise Invalid("A house can only be claimed from home.", field="code")
    return found


def look_code(code: str, caller: Caller, kinds: tuple[str, ...] = ("member", "device", "recover")) -> Invitation:
    """Return the open invitation of `kinds` that a typed code belongs to; using nothing up.

    Small letters, spaces and hyphens do not matter. Raises `Invalid`, or `TooMany` with the seconds to wait. A wrong
    guess is written down before it is answered.
    """
    typed = "".join(letter for letter in code.upper() if letter.isalnum())
    if len(typed) != CODE_LENGTH or set(typed) - set(LETTERS):
        raise Invalid("A code has eight letters, like BCDF GHJK.", field="code")
    moment, tries = db.now(), _tries(caller.door)
    with db.transaction():
        _refuse_when_spent("code", caller, TRIES_AN_HOUR)
        found = Invitation.get_or_none(
            Invitation.code_hash == _hash(typed), _is_open(), Invitation.kind.in_(kinds), tries < TRIES,
            Invitation.code_until >= moment, Invitation.made_at <= moment + CLOCK_SLACK,
        )  # fmt: skip
        if found is None or (found.kind == "setup" and caller.door != "home"):
            found = None
            _spend("code", caller)
            Invitation.update({tries: tries + 1}).where(_is_open(), Invitation.code_until >= moment).execute()
    if found is None:
        raise Invalid("That code doesn't match, or its ten minutes are over.", field="code")
    return found


def pair(invitation: Invitation, door: str, device_name: str) -> tuple[str, Pass]:
    """Use an invitation up: seat its member (a new one has the name it was made for) and pair this device.

    Returns the device's token (told once) and what it opens. Raises `HouseFull` when no place is left, `Conflict` when
    another device was faster.
    """
    with db.transaction():
        taken = Invitation.update(used_at=db.now()).where(Invitation.id == invitation.id, _is_open())
        if not taken.execute():
            raise Conflict("This invitation has just been used. Please ask for a new one.")
        member_id = invitation.member_id
        if invitation.kind == "setup":
            _claim()
        if member_id is None:
            member_id = members.join(invitation.name, role=invitation.role, language=circle.get().language).id
        token = add(member_id, device_name, door)
    opened = recognise(token, door)
    if opened is None:
        raise NotFound
    return token, opened


def add(member_id: int, name: str, door: str) -> str:
    """Give a member's new device a place and a token for `door`; returns the token. `HouseFull` at the thirteenth."""
    token = secrets.token_urlsafe(32)
    try:
        made = Device.create(member_id=member_id, name=name)
    except peewee.IntegrityError as error:
        raise HouseFull("All twelve places for devices are taken. Someone has to sign one out first.") from error
    db.rows(
        "INSERT INTO token (hash, device_id, door, made_at) VALUES (?, ?, ?, ?)",
        _hash(token), made.id, door, int(db.now().timestamp()),
    )  # fmt: skip
    events.record("device.paired", made.public_id, member_id)
    return token


def recognise(token: str, door: str) -> Pass | None:
    """Return what a token opens at this door, or None: unknown, revoked, another door's, or its member has left."""
    found = db.row(_RECOGNISE, _hash(token), door)
    return Pass(*found) if found else None


def is_open(device_id: int) -> bool:
    """Say whether a device is still paired: what a long-lived answer asks again."""
    return bool(db.row("SELECT 1 FROM device WHERE id = ? AND revoked_at IS NULL", device_id))


def note_use(opened: Pass) -> None:
    """Write down that the device was used today, at most once a day and never more finely."""
    today = db.now().toordinal()
    if opened.used_on != today:
        with db.transaction():
            Device.update(used_on=today).where(Device.id == opened.device_id).execute()


def today() -> int:
    """Return today as `Device.used_on` counts it (days)."""
    return db.now().toordinal()


def of_member(member_id: int) -> list[Device]:
    """Return a member's paired devices in order of pairing."""
    query = Device.select().where(Device.member_id == member_id, Device.revoked_at.is_null())
    return list(query.order_by(Device.id))


def count() -> int:
    """Return how many of the twelve places are taken."""
    return int(db.row("SELECT count(*) FROM device WHERE revoked_at IS NULL")[0])


def revoke(public_id: str, by: Pass) -> Device:
    """Sign a device out: its own member's, or any one by an admin. Every door is closed to it when this returns.

    Raises `NotFound` for one that may not be seen, `NotAllowed` for an admin's last device signing itself out.
    """
    found = Device.get_or_none(Device.public_id == public_id, Device.revoked_at.is_null())
    if found is None or (found.member_id != by.id and not by.is_admin):
        raise NotFound
    if found.id == by.device_id and by.is_admin and len(of_member(by.id)) == 1:
        raise NotAllowed("This is your only device, and you look after HomeCircle. Add another one first.")
    with db.transaction():
        Device.update(revoked_at=db.now()).where(Device.id == found.id).execute()
        db.rows("DELETE FROM token WHERE device_id = ?", found.id)
        events.record("device.revoked", found.public_id, by.id)
    return found


def forget_guesses() -> int:
    """Remove guesses that no longer count and invitations that ended a month ago; returns how many rows went."""
    moment = int(db.now().timestamp())
    with db.transaction():
        gone = db.database.execute_sql("DELETE FROM guess WHERE at < ?", (moment - 3600,)).rowcount
        old = db.database.execute_sql("DELETE FROM invitation WHERE link_until < ?", (moment - 30 * 86400,)).rowcount
    return int(gone) + int(old)


def _claim() -> None:
    if circle.get().is_claimed:
        raise Conflict("This house is claimed already. Ask whoever looks after it for an invitation.")
    circle.update(claimed_at=db.now(), setup_step="welcome")


def _keep_a_chair(once: str | None) -> None:
    others = [each for each in open_invitations() if once is None or each.once != once]
    if len(members.present()) + len(others) >= members.LIMIT:
        raise HouseFull("HomeCircle is for at most 12. All twelve chairs are taken or promised.")


def _is_open() -> peewee.Expression:
    return Invitation.used_at.is_null() & Invitation.revoked_at.is_null()


def _tries(door: str) -> peewee.Field:
    return Invitation.tries_home if door == "home" else Invitation.tries_away


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _buckets(kind: str, caller: Caller) -> tuple[str, str]:
    return f"{kind}:{caller.door}:{caller.network}", f"{kind}:{caller.door}"


def _spend(kind: str, caller: Caller) -> None:
    with db.transaction():
        for bucket in _buckets(kind, caller):
            db.rows("INSERT INTO guess (bucket, at) VALUES (?, ?)", bucket, int(db.now().timestamp()))


def _refuse_when_spent(kind: str, caller: Caller, an_hour: int) -> None:
    """Raise `TooMany` while this address, or everyone at this door together, has guessed wrong too often.

    A guess "in the future" (the clock was set back) counts too.
    """
    moment = int(db.now().timestamp())
    own, shared = _buckets(kind, caller)
    waits = [
        _wait(shared, an_hour, moment, 3600),
        _wait(own, TRIES if kind == "code" else an_hour, moment, int(WAIT_LASTS.total_seconds())),
    ]
    if max(waits) > 0:
        raise TooMany("That was wrong too often. Please wait %(minutes)s minutes and try again.",
                      retry_after=max(waits), minutes=-(-max(waits) // 60))  # fmt: skip


def _wait(bucket: str, limit: int, moment: int, window: int) -> int:
    found = db.rows("SELECT at FROM guess WHERE bucket = ? AND at > ? ORDER BY at DESC LIMIT ?",
                    bucket, moment - window, limit)  # fmt: skip
    return 0 if len(found) < limit else min(window, max(1, found[-1][0] + window - moment))


_RECOGNISE = """
SELECT device.id, device.public_id, device.kind, device.used_on, member.id, member.public_id, role, language, zone,
  text_size, theme
FROM token JOIN device ON device.id = token.device_id JOIN member ON member.id = device.member_id
WHERE token.hash = ? AND token.door = ? AND device.revoked_at IS NULL AND member.left_at IS NULL"""
