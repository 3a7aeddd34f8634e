"""Asking at the door: a device that is not paired shows two words, and somebody inside picks them out of three pairs.

Two things are asked. *Let me in*: a stranger types a name; an admin picks the member (or a new one), and a member of
that name may answer too, but only that it is a device of their own: one comes back after the house's address has
changed. At home always; away only for the ten minutes for which an admin has opened it. *Away too*: a device with a
home token asks, at the away door, for an away token at its one place. Whatever is asked at the away door is granted
from an away device alone (the first: a code from the machine), because a home token may have been overheard on the
Wi-Fi.

At most three wait at a door, ten minutes each, one a browser and two an address: behind one number stand a phone and a
tablet, or a whole household (IPv6), and a third from there ends the oldest of them. The secret of who asks lies in
their browser; its hash is here. A wrong pair of words ends the request: somebody else may be asking at the same time.
"""

from __future__ import annotations

import datetime as dt
import secrets
from typing import NamedTuple

import peewee

from homecircle import circle, db, events, members
from homecircle.devices import crossing, guesses, invitations, places
from homecircle.devices.guesses import Caller
from homecircle.devices.invitations import CLOCK_SLACK, Invitation
from homecircle.devices.places import Device, Pass, hashed
from homecircle.devices.words import pairs
from homecircle.errors import Conflict, HouseFull, Invalid, NotAllowed, NotFound

AT_ONCE = 3
OF_ONE_NETWORK = 2
LASTS = dt.timedelta(minutes=10)
OPEN_FOR = dt.timedelta(minutes=10)


class Ask(db.Model):
    """One request at the door; see the module. `device_id` is set when a paired device asks for the away door."""

    id = peewee.AutoField()
    public_id = peewee.TextField(default=db.random_id)
    secret_hash = peewee.BlobField()
    name = peewee.TextField()
    device_name = peewee.TextField()
    device_id = peewee.IntegerField(null=True)
    door = peewee.TextField()
    network = peewee.TextField()
    words = peewee.TextField()
    pairs = peewee.TextField()
    made_at = db.UtcField(default=db.now)
    until = db.UtcField()
    invitation_id = peewee.IntegerField(null=True)
    ended_at = db.UtcField(null=True)

    @property
    def choices(self) -> list[str]:
        """The three pairs of words that are shown inside, in an order of chance."""
        return self.pairs.split("|")


class Standing(NamedTuple):
    """Where a request stands, as its own device sees it: 'waiting', 'granted', 'over' (refused, late, or unknown).

    `is_crossing`: a device of ours asks for the away door. `is_new`: it was let in as somebody new.
    """

    state: str
    words: str = ""
    is_crossing: bool = False
    is_new: bool = False


class Answer(NamedTuple):
    """What somebody inside answers: the words they see, the member (public id, '' for a new one), or the device (public
    id) that comes back, '' for a further one.
    """

    words: str
    member: str = ""
    device: str = ""


def may_ask(door: str) -> bool:
    """Say whether strangers may ask at this door now."""
    until = circle.get().away_open_until
    return door == "home" or bool(until and db.now() < until <= db.now() + OPEN_FOR)


def open_asking(by: Pass, *, is_open: bool = True) -> None:
    """An admin opens asking at the away door for ten minutes (or closes it)."""
    with db.transaction():
        circle.update(away_open_until=db.now() + OPEN_FOR if is_open else db.moment(0))
        if is_open:
            places.note_deed(by.id, "opened-asking", "")


def ask(name: str, device_name: str, caller: Caller, before: str = "") -> tuple[str, Ask]:
    """Ask to be let in; returns the secret that only this browser gets, and the request with its two words.

    `before` is the secret that this browser holds already, if any: its earlier request ends.

    Raises `NotAllowed` at an away door that is not open, `Conflict` while three wait, `TooMany`, or `Invalid`.
    """
    if not may_ask(caller.door):
        raise NotAllowed(
            "From outside nobody can ask just now. Call your family: they can open the door for ten minutes."
        )
    return _ask(caller, (members.clean_name(name), device_name), before)


def ask_to_cross(ticket: Invitation, caller: Caller, before: str = "") -> tuple[str, Ask]:
    """At the away door, ask for an away token for the device whose `ticket` this is (made with its home token)."""
    device = Device.get_or_none(Device.id == ticket.device_id, Device.revoked_at.is_null())
    if ticket.kind != "away" or device is None or caller.door != "away":
        raise NotFound
    with db.transaction():
        invitations.use_up(ticket)
        return _ask(caller, (ticket.name, device.name), before, device.id)


def standing(secret: str, door: str) -> Standing:
    """Say where the request of this browser stands."""
    found = _find(secret, door)
    if found is None:
        return Standing("over")
    if found.invitation_id is None:
        return Standing("waiting", found.words, found.device_id is not None)
    return Standing("granted", is_new=Invitation.get_by_id(found.invitation_id).kind == "member")


def claim(secret: str, door: str) -> tuple[str, Pass | None]:
    """The browser whose request was granted takes its token; once. Raises `NotFound`, `HouseFull`, `Conflict`."""
    with db.transaction():
        found = _find(secret, door)
        if found is None or not found.invitation_id:
            raise NotFound
        _end(found.id)
        invitation = Invitation.get_by_id(found.invitation_id)
        if invitation.kind != "here":
            return invitations.pair(invitation, door, found.device_name)
        return crossing.use_here(invitation, door)


def waiting(by: Pass) -> list[Ask]:
    """Return the requests that this device may answer, oldest first.

    An admin's: all that were asked at their own door or at home; a member's: those in their own name.
    """
    found = Ask.select().where(_is_waiting()).order_by(Ask.id)
    return [each for each in found if _may_answer(each, by)]


def grant(public_id: str, answer: Answer, by: Pass) -> None:
    """Let a request in: the words must be those its device shows, else it is refused (`Invalid` says so).

    Raises `NotFound` for a request that is over or not this device's to answer, `HouseFull` without a place.
    """
    found = _get(public_id, by)
    if answer.words != found.words:
        refuse(public_id, by)
        raise Invalid("Those are not the words on that device, so it was not let in. It can ask again.", field="words")
    with db.transaction():
        made = _crossing(found, by) if found.device_id else _entry(found, answer, by)
        Ask.update(invitation_id=made.id, until=db.now() + LASTS).where(Ask.id == found.id).execute()
        if found.device_id is None and by.is_admin:
            places.note_deed(by.id, "let-in", made.name)
        events.record("ask.answered", found.public_id, by.id, _told(found))


def grant_by_code(secret: str, code: str, caller: Caller) -> None:
    """Grant this browser's own request for the away door by a code from the machine: the first away device."""
    found = _find(secret, caller.door)
    if found is None or found.device_id is None:
        raise NotFound
    recovery = invitations.look_code(code, caller, ("recover",))
    with db.transaction():
        invitations.use_up(recovery)
        device = Device.get_by_id(found.device_id)
        made = crossing.token_for(device, "away", None)
        Ask.update(invitation_id=made.invitation.id, until=db.now() + LASTS).where(Ask.id == found.id).execute()
        events.record("recover.used", found.public_id, None, places.told(device.member_id or 0))


def refuse(public_id: str, by: Pass) -> None:
    """Say no to a request."""
    found = _get(public_id, by)
    with db.transaction():
        _end(found.id)
        events.record("ask.answered", found.public_id, by.id, _told(found))


def forget(moment: int) -> int:
    """Remove the requests that ended a day before `moment` (seconds); returns how many went."""
    return int(db.database.execute_sql("DELETE FROM ask WHERE until < ?", (moment - 86400,)).rowcount)


def _ask(caller: Caller, names: tuple[str, str], before: str, device_id: int | None = None) -> tuple[str, Ask]:
    secret, offered = secrets.token_urlsafe(20), pairs(3)
    name, device_name = names
    with db.transaction():
        guesses.refuse_when_spent(guesses.ASKS, caller)
        _make_way(caller, before)
        if Ask.select().where(_is_waiting(), Ask.door == caller.door).count() >= AT_ONCE:
            raise Conflict("Three are waiting at the door already. Please try again in ten minutes.")
        guesses.spend(guesses.ASKS, caller)
        made = Ask.create(
            secret_hash=hashed(secret), name=name, device_name=device_name, device_id=device_id, door=caller.door,
            network=caller.network, words=offered[0], pairs="|".join(sorted(offered)), until=db.now() + LASTS,
        )  # fmt: skip
        events.record("ask.made", made.public_id, None, _told(made))
    return secret, made


def _make_way(caller: Caller, before: str) -> None:
    """End this browser's earlier request, and the oldest of its network where as many wait as may."""
    if own := _find(before, caller.door):
        _end(own.id)
    there = Ask.select().where(_is_waiting(), Ask.network == caller.network, Ask.door == caller.door)
    for each in list(there.order_by(Ask.id.desc()).offset(OF_ONE_NETWORK - 1)):
        _end(each.id)


def _crossing(found: Ask, by: Pass) -> Invitation:
    device = Device.get_or_none(Device.id == found.device_id, Device.revoked_at.is_null())
    if device is None:
        raise NotFound
    return crossing.token_for(device, "away", by.id).invitation


def _entry(found: Ask, answer: Answer, by: Pass) -> Invitation:
    """What the answer amounts to: an invitation for a new person, a further device, or one that comes back."""
    if answer.device:
        return _return(found, answer.device, by)
    if not by.is_admin and answer.member != by.member:
        raise NotFound
    if not answer.member:
        _keep_a_place()
        made = invitations.offer("member", found.name, by.id).invitation
        Invitation.update(link_until=db.now() + LASTS).where(Invitation.id == made.id).execute()
        return made
    member = members.get_public(answer.member)
    _keep_a_place()
    return invitations.make("device", member.name, member_id=member.id, made_by=by.id).invitation


def _return(found: Ask, public_id: str, by: Pass) -> Invitation:
    """A device comes back to its place. Somebody else's gets it as a new one, limited, in place of the old: else an
    admin could read through another's device.
    """
    again = next((each for each in places.everyone() if each.public_id == public_id and each.member_id), None)
    if again is None or not (by.is_admin or again.member_id == by.id):
        raise NotFound
    if again.member_id == by.id:
        return crossing.token_for(again, found.door, by.id).invitation
    owner = members.roster()[again.member_id or 0]
    return invitations.make("device", owner.name, member_id=again.member_id, made_by=by.id,
                            device_id=again.id).invitation  # fmt: skip


def _keep_a_place() -> None:
    if places.count() >= places.LIMIT:
        raise HouseFull("All twelve places for devices are taken. Someone has to sign one out first.")


def _get(public_id: str, by: Pass) -> Ask:
    found = Ask.get_or_none(Ask.public_id == public_id, _is_waiting())
    if found is None or not _may_answer(found, by):
        raise NotFound
    return found


def _find(secret: str, door: str) -> Ask | None:
    moment = db.now()
    found: Ask | None = Ask.get_or_none(
        Ask.secret_hash == hashed(secret), Ask.door == door, Ask.ended_at.is_null(), Ask.until >= moment,
        Ask.made_at <= moment + CLOCK_SLACK,
    )  # fmt: skip
    return found


def _end(ask_id: int) -> None:
    Ask.update(ended_at=db.now()).where(Ask.id == ask_id).execute()


def _is_waiting() -> peewee.Expression:
    moment = db.now()
    return (
        Ask.ended_at.is_null() & Ask.invitation_id.is_null() & (Ask.until >= moment)
        & (Ask.made_at <= moment + CLOCK_SLACK)
    )  # fmt: skip


def _may_answer(found: Ask, by: Pass) -> bool:
    if by.kind != "personal" or by.limited or (found.door == "away" and by.door != "away"):
        return False
    is_open = found.device_id is None or places.is_open(found.device_id)
    return is_open and (by.is_admin or _owner(found) == by.id)


def _owner(found: Ask) -> int:
    """Whose device asks: known of one that is paired; of a stranger as far as the name they typed is a member's."""
    if found.device_id is not None:
        owner = Device.get_or_none(Device.id == found.device_id, Device.revoked_at.is_null())
        return owner.member_id or 0 if owner else 0
    called = found.name.casefold()
    return next((number for number, face in members.present().items() if face.name.casefold() == called), 0)


def _told(found: Ask) -> int:
    """The audience of a request: the admins, and the member in whose name it is made."""
    return places.told(*filter(None, [_owner(found)]))
