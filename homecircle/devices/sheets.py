"""The recovery sheet: one for each member, on paper in the drawer; a square to scan, and ten words (80 bits) to type.

It works once; making a new one voids the old. Typed words count among the typed codes. Its making and its use are told
to all devices of that member and to the admins.
"""

from __future__ import annotations

import datetime as dt
import re

from homecircle import db, events, members
from homecircle.devices import guesses, invitations, places
from homecircle.devices.guesses import Caller
from homecircle.devices.invitations import Invitation, Offer
from homecircle.devices.places import Pass, hashed
from homecircle.devices.words import WORDS, several
from homecircle.errors import Invalid, NotAllowed

LENGTH = 10  # words


def new_sheet(by: Pass) -> Offer:
    """Make the sheet of the member who asks, on an own device; the old one is void. `Offer.code` holds the words.

    One that was made with a home token opens the home door alone.
    """
    if by.limited or by.kind != "personal":
        raise NotAllowed("This is done on a device of your own.")
    with db.transaction():
        void_sheet(by.id)
        name, words = members.present()[by.id].name, " ".join(several(LENGTH))
        made = invitations.make("sheet", name, code=words, made_by=by.id, made_on=by.device_id, member_id=by.id,
                                door="" if by.door == "away" else "home")  # fmt: skip
        # told by nobody, so that the member hears of it too: it may have been a thief
        events.record("sheet.made", made.invitation.public_id, None, places.told(by.id))
    return made


def void_sheet(member_id: int) -> None:
    """The member's sheet opens nothing any more."""
    with db.transaction():
        own = Invitation.update(revoked_at=db.now()).where(Invitation.kind == "sheet", invitations.is_usable())
        own.where(Invitation.member_id == member_id).execute()


def sheet_made(member_id: int) -> dt.datetime | None:
    """Return when the member's sheet was made, or None when there is none that works."""
    found = Invitation.get_or_none(Invitation.kind == "sheet", Invitation.member_id == member_id,
                                   invitations.is_usable())  # fmt: skip
    return found.made_at if found else None


def look_words(text: str, caller: Caller) -> Invitation:
    """Return the sheet that ten typed words belong to; using nothing up. Raises `Invalid` or `TooMany`."""
    typed = re.findall(r"[a-z]+", text.lower())
    if len(typed) != LENGTH:
        raise Invalid("The sheet has ten words. Please type them all, in their order.", field="words")
    if odd := [word for word in typed if word not in _KNOWN]:
        raise Invalid("“%(word)s” is none of the sheet's words. Please look again.", field="words", word=odd[0][:20])
    with db.transaction():
        guesses.refuse_when_spent(guesses.CODES, caller)
        found = Invitation.get_or_none(Invitation.code_hash == hashed(" ".join(typed)), Invitation.kind == "sheet",
                                       invitations.is_usable(), Invitation.door.in_(("", caller.door)))  # fmt: skip
        if found is None:
            guesses.spend(guesses.CODES, caller)
    if found is None:
        raise Invalid("These words open nothing. Was a newer sheet made?", field="words")
    return found


_KNOWN = frozenset(WORDS)
