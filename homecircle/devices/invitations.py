"""Invitation: a way in for one device, used up by one POST.

A link (160 bits, in a URL's fragment) and a typed code (8 letters of 20, so that no word is spelt by chance); each
works once. A code dies at a door after five wrong guesses there. A code whose moment of making lies in the future is
dead: setting the clock back gives no code a longer life. What is made with a home token opens the home door alone,
since that token may have been overheard on the Wi-Fi; only an admin's invitation for a new person opens both.

The kinds: 'member' a new person; 'device' one more of one's own (or, granted by an admin, of somebody's); 'setup' the
first of all; 'recover' an admin's, from the machine; 'shared' a kitchen tablet; 'sheet' the recovery sheet; 'here' one
more token for a device that has its place; 'away' leave to *ask* for an away token.
"""

from __future__ import annotations

import datetime as dt
import secrets
from typing import NamedTuple

import peewee

from homecircle import circle, db, events, members
from homecircle.devices import guesses, places
from homecircle.devices.guesses import Caller
from homecircle.devices.places import Pass, hashed
from homecircle.errors import Conflict, HouseFull, Invalid, NotFound

LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
CODE_LENGTH = 8
TRIES = 5
CODE_LASTS = dt.timedelta(minutes=10)
LINK_LASTS = {
    "member": dt.timedelta(days=7),
    "device": dt.timedelta(minutes=5),
    "setup": dt.timedelta(days=1),
    "recover": dt.timedelta(minutes=10),
    "shared": dt.timedelta(minutes=10),
    "sheet": dt.timedelta(days=36500),
    "here": dt.timedelta(minutes=5),
    "away": dt.timedelta(minutes=5),
}
TYPED = ("member", "device", "recover", "shared")
CLOCK_SLACK = dt.timedelta(seconds=5)


class Invitation(db.Model):
    """A way in; see the module. `door` is the one door it opens, or '' for both."""

    id = peewee.AutoField()
    public_id = peewee.TextField(default=db.random_id)
    once = peewee.TextField(null=True)
    kind = peewee.TextField()
    name = peewee.TextField()
    role = peewee.TextField(default="member")
    door = peewee.TextField(default="")
    member_id = peewee.IntegerField(null=True)
    made_by = peewee.IntegerField(null=True)
    device_id = peewee.IntegerField(null=True)
    link_hash = peewee.BlobField(null=True)
    code_hash = peewee.BlobField(null=True)
    made_on = peewee.IntegerField(null=True)
    welcome = peewee.TextField(default="")
    made_at = db.UtcField(default=db.now)
    link_until = db.UtcField()
    code_until = db.UtcField()
    tries_home = peewee.IntegerField(default=0)
    tries_away = peewee.IntegerField(default=0)
    used_at = db.UtcField(null=True)
    revoked_at = db.UtcField(null=True)


PAIRS = {"member", "device", "setup", "recover", "shared", "sheet"}


class Offer(NamedTuple):
    """What the inviter is shown once: the secrets themselves are kept nowhere."""

    invitation: Invitation
    secret: str
    code: str


def offer(  # noqa: PLR0913  who asks whom in, as what, by which door: that is an invitation
    kind: str,
    name: str,
    made_by: int | None = None,
    *,
    role: str = "member",
    once: str | None = None,
    door: str = "",
    welcome: str = "",
) -> Offer:
    """Make an invitation: of `kind` 'member' (a new person), 'shared' (a device for all), 'setup' or 'recover'.

    The same `once` again replaces the secrets of the invitation it made before, so that a page that is loaded again
    shows a working code and leaves no second chair taken. `door` is the one that the maker came through: an admin, or a
    device for all, invited from home comes in at home alone. `welcome` is what the new one reads first. Raises
    `HouseFull` when no chair is left for a person.
    """
    own = made_by if kind == "device" else None
    with db.transaction():
        if kind == "member":
            _keep_a_chair(once)
        if not _forget_earlier(once) and kind == "member" and made_by:
            places.note_deed(made_by, "invited", members.clean_name(name))
        only = "home" if door == "home" and (kind == "shared" or role == "admin") else ""
        said = members.line(welcome, members.WELCOME_LIMIT, "welcome")
        return make(kind, members.clean_name(name), once=once, role=role, made_by=made_by, member_id=own, door=only,
                    welcome=said)  # fmt: skip


def offer_own(by: Pass, once: str | None = None) -> Offer:
    """Make an invitation for one more device of the member who asks; with a home token it opens the home door alone."""
    with db.transaction():
        _forget_earlier(once)
        return make("device", members.present()[by.id].name, once=once, made_by=by.id, member_id=by.id,
                    made_on=by.device_id, door="" if by.door == "away" else "home")  # fmt: skip


def make(kind: str, name: str, *, secret: str = "", code: str = "", **fields: object) -> Offer:
    """Write one invitation down, with fresh secrets where none are given (call inside a transaction)."""
    secret = secret or secrets.token_urlsafe(20)
    code = code or "".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH))
    moment = db.now()
    until = moment + LINK_LASTS[kind]
    if kind == "setup":
        fields["door"] = "home"
    typed_until = moment + CODE_LASTS if kind in {"member", "device", "shared"} else until
    made = Invitation.create(kind=kind, name=name, link_hash=hashed(secret), code_hash=hashed(code), made_at=moment,
                             link_until=until, code_until=typed_until, **fields)  # fmt: skip
    return Offer(made, secret, code)


def renew_code(public_id: str, made_by: int) -> Offer:
    """Give an open invitation new secrets (the old ones end): what *Show again* does. `NotFound` when not open."""
    found = next((each for each in open_invitations() if each.public_id == public_id), None)
    if found is None:
        raise NotFound
    with db.transaction():
        Invitation.delete().where(Invitation.id == found.id).execute()
        return make("member", found.name, role=found.role, made_by=made_by, door=found.door, welcome=found.welcome)


def offer_setup() -> Offer:
    """Make the one set-up code of a house that nobody has claimed yet; earlier ones end. `Conflict` when claimed."""
    if circle.get().is_claimed:
        raise Conflict("This house is claimed already. `homecircle recover` lets an admin back in.")
    with db.transaction():
        Invitation.update(revoked_at=db.now()).where(Invitation.kind == "setup").execute()
        return make("setup", "Me", role="admin")


def offer_recovery() -> Offer:
    """Make a one-time code that makes a device an admin's; earlier ones end. `Conflict` while nobody is admin."""
    admin = next((number for number, face in members.present().items() if face.role == "admin"), None)
    if admin is None:
        raise Conflict("Nobody has claimed this house yet. `homecircle setup-code` gives the code for that.")
    with db.transaction():
        Invitation.update(revoked_at=db.now()).where(Invitation.kind == "recover", is_usable()).execute()
        return make("recover", members.present()[admin].name, role="admin", member_id=admin)


def open_invitations() -> list[Invitation]:
    """Return the invitations for new people that can still be used, oldest first."""
    query = Invitation.select().where(Invitation.kind == "member", is_usable(), Invitation.link_until > db.now())
    return list(query.order_by(Invitation.id))


def withdraw(public_id: str) -> None:
    """End an open invitation; `NotFound` when there is none."""
    with db.transaction():
        query = Invitation.update(revoked_at=db.now()).where(Invitation.public_id == public_id, is_usable())
        if not query.where(Invitation.kind == "member").execute():
            raise NotFound


def look(secret: str, caller: Caller) -> Invitation:
    """Return the open invitation that a link's secret belongs to; using nothing up.

    Raises `Invalid` for one that is used, over or unknown, `TooMany` after too many unknown ones.
    """
    found = Invitation.get_or_none(Invitation.link_hash == hashed(secret))
    if found is None:  # only a wrong one is counted: nobody can lock the family's good links out
        guesses.refuse_when_spent(guesses.LINKS, caller)
        guesses.spend(guesses.LINKS, caller)
        raise Invalid("This invitation doesn't exist. Please ask for a new one.", field="code")
    moment = db.now()
    if found.used_at or found.revoked_at:
        raise Invalid("This invitation has been used already. Please ask for a new one.", field="code")
    if not found.made_at - dt.timedelta(days=1) <= moment <= found.link_until:
        raise Invalid("This invitation is over. Please ask for a new one.", field="code")
    if found.door and found.door != caller.door:
        raise Invalid("This invitation works at home only.", field="code")
    return found


def look_code(code: str, caller: Caller, kinds: tuple[str, ...] = TYPED) -> Invitation:
    """Return the open invitation of `kinds` that a typed code belongs to; using nothing up.

    Small letters, spaces and hyphens do not matter. Raises `Invalid`, or `TooMany` with the seconds to wait. A wrong
    guess is written down before it is answered.
    """
    typed = "".join(letter for letter in code.upper() if letter.isalnum())
    if len(typed) != CODE_LENGTH or set(typed) - set(LETTERS):
        raise Invalid("A code has eight letters and no vowels, like BCDF GHJK.", field="code")
    moment, tries = db.now(), _tries(caller.door)
    with db.transaction():
        guesses.refuse_when_spent(guesses.CODES, caller)
        found = Invitation.get_or_none(
            Invitation.code_hash == hashed(typed), is_usable(), Invitation.kind.in_(kinds), tries < TRIES,
            Invitation.door.in_(("", caller.door)), Invitation.code_until >= moment,
            Invitation.made_at <= moment + CLOCK_SLACK,
        )  # fmt: skip
        if found is None:
            guesses.spend(guesses.CODES, caller)
            # a sheet's words have 80 bits: they need no such end, and nobody can use them up from outside
            Invitation.update({tries: tries + 1}).where(is_usable(), Invitation.code_until >= moment,
                                                        Invitation.kind != "sheet").execute()  # fmt: skip
    if found is None:
        raise Invalid("That code doesn't match, or its ten minutes are over.", field="code")
    return found


def pair(invitation: Invitation, door: str, device_name: str, replaced: str = "") -> tuple[str, Pass | None]:
    """Use an invitation up: seat its member (a new one has the name it was made for) and pair this device.

    `replaced` is an own device (public id) that gives its place (see `may_replace`). Returns the device's token (told
    once) and what it opens: None for a shared device, at which nobody sits yet. Raises
    `HouseFull` when no place is left, `Conflict` when another device was faster.
    """
    if invitation.kind not in PAIRS:  # 'here' and 'away' give a device that is paired one more token, and go elsewhere
        raise NotFound
    with db.transaction():
        use_up(invitation)
        if invitation.kind == "setup":
            _claim()
        if invitation.kind == "shared":
            return places.add(None, invitation.name, door, kind="shared"), None
        member_id = invitation.member_id
        if member_id is None:
            member_id = members.join(invitation.name, role=invitation.role, language=circle.get().language).id
        is_own = invitation.member_id is None or may_replace(invitation)
        _give_up(invitation, replaced if is_own else "", member_id)
        token = places.add(member_id, device_name, door, added_by=None if is_own else invitation.made_by)
        if invitation.kind in {"sheet", "recover"}:
            events.record(f"{invitation.kind}.used", invitation.public_id, None, places.told(member_id))
        opened = places.recognise(token, door)
        if opened is None:  # its member has left meanwhile
            raise NotFound
    return token, opened


def may_replace(invitation: Invitation) -> bool:
    """Say whether an own device may give its place to this one: its member, or the machine, made the invitation."""
    return invitation.member_id is not None and invitation.made_by in {None, invitation.member_id}


def use_up(invitation: Invitation) -> None:
    """Mark an invitation as used, within the transaction under way; `Conflict` when another device was faster."""
    if not Invitation.update(used_at=db.now()).where(Invitation.id == invitation.id, is_usable()).execute():
        raise Conflict("This invitation has just been used. Please ask for a new one.")


def forget(moment: int) -> int:
    """Remove the invitations that ended a month before `moment` (seconds); returns how many went."""
    return int(db.database.execute_sql("DELETE FROM invitation WHERE link_until < ?", (moment - 30 * 86400,)).rowcount)


def is_usable() -> peewee.Expression:
    """The condition of an invitation that is neither used nor taken back."""
    return Invitation.used_at.is_null() & Invitation.revoked_at.is_null()


def _forget_earlier(once: str | None) -> bool:
    """End what the same form made before; say whether there was anything."""
    earlier = (Invitation.once == once) & Invitation.used_at.is_null()
    return bool(once and Invitation.delete().where(earlier).execute())


def _give_up(invitation: Invitation, replaced: str, member_id: int) -> None:
    """Close the device whose place is taken: the one the invitation names, or the one its member chose."""
    if not (invitation.device_id or replaced):
        return
    found = [
        each for each in places.of_member(member_id) if each.id == invitation.device_id or each.public_id == replaced
    ]
    if not found:
        raise NotFound
    places.close(found[0], member_id)


def _claim() -> None:
    if circle.get().is_claimed:
        raise Conflict("This house is claimed already. Ask whoever looks after it for an invitation.")
    circle.update(claimed_at=db.now(), setup_step="welcome")


def _keep_a_chair(once: str | None) -> None:
    others = [each for each in open_invitations() if once is None or each.once != once]
    if len(members.present()) + len(others) >= members.LIMIT:
        raise HouseFull("HomeCircle is for at most 12. All twelve chairs are taken or promised.")


def _tries(door: str) -> peewee.Field:
    return Invitation.tries_home if door == "home" else Invitation.tries_away
