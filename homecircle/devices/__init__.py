"""Device, token, invitation: offer, pair, ask, revoke, recognise.

A device is a paired browser at one of twelve places (`places`). Its token has 256 bits, is stored only as SHA-256, and
belongs to one door: one overheard on the home Wi-Fi opens nothing from outside. The ways in: an invitation as link or
typed code (`invitations`), asking at the door (`asking`), the recovery sheet (`sheets`), one's own device at another
door (`crossing`). A kitchen tablet is nobody's (`shared`). After a restore devices wait for a tick (`returning`). How
often one may be wrong is counted in `guesses`.
"""

from __future__ import annotations

from homecircle import db
from homecircle.devices import asking, guesses, invitations, places
from homecircle.devices.asking import (
    Answer,
    Ask,
    Standing,
    ask,
    ask_to_cross,
    claim,
    grant,
    grant_by_code,
    may_ask,
    open_asking,
    refuse,
    standing,
    waiting,
)
from homecircle.devices.crossing import icon_secret, offer_away, offer_here, set_away, use_here
from homecircle.devices.guesses import Caller
from homecircle.devices.invitations import (
    CODE_LASTS,
    CODE_LENGTH,
    LETTERS,
    LINK_LASTS,
    TRIES,
    Invitation,
    Offer,
    look,
    look_code,
    may_replace,
    offer,
    offer_own,
    offer_recovery,
    offer_setup,
    open_invitations,
    pair,
    renew_code,
    withdraw,
)
from homecircle.devices.places import (
    IDLE,
    LIMIT,
    Device,
    Pass,
    add,
    add_program,
    added_for,
    approve,
    count,
    everyone,
    has_token,
    hashed,
    is_open,
    is_suspended,
    note_use,
    of_member,
    outside,
    recognise,
    revoke,
    today,
    was_signed_out,
)
from homecircle.devices.returning import has_suspended, suspend_all, suspended, take_back, welcome
from homecircle.devices.shared import (
    Chair,
    Choice,
    Tablet,
    agree,
    chairs,
    choices,
    disagree,
    find_tablet,
    sit,
    stand_up,
)
from homecircle.devices.sheets import look_words, new_sheet, sheet_made, void_sheet

__all__ = [
    "CODE_LASTS", "CODE_LENGTH", "IDLE", "LETTERS", "LIMIT", "LINK_LASTS", "TRIES",
    "Answer", "Ask", "Caller", "Chair", "Choice", "Device", "Invitation", "Offer", "Pass", "Standing", "Tablet",
    "add", "add_program", "added_for",
    "agree", "approve", "ask", "ask_to_cross", "chairs", "choices", "claim", "count", "disagree",
    "end_invitations", "everyone", "find_tablet", "forget_guesses", "grant", "grant_by_code", "has_suspended",
    "has_token", "hashed", "icon_secret", "is_open", "is_suspended", "look", "look_code", "look_words", "may_ask",
    "may_replace", "new_sheet", "note_use", "of_member", "offer", "offer_away", "offer_here", "offer_own",
    "offer_recovery", "offer_setup", "open_asking", "open_invitations", "outside", "pair", "recognise", "refuse",
    "renew_code", "revoke", "revoke_all", "set_away", "sheet_made", "sit", "stand_up", "standing", "suspend_all",
    "suspended", "take_back", "today", "use_here", "void_sheet", "waiting", "was_signed_out", "welcome", "withdraw",
]  # fmt: skip


def revoke_all(member_id: int) -> None:
    """Sign every device of a member out, with their face on shared ones and every way in of theirs: they leave."""
    with db.transaction():
        places.close_all(member_id)
        own = invitations.is_usable() & (Invitation.member_id == member_id)
        Invitation.update(revoked_at=db.now()).where(own).execute()
        end_invitations(member_id)


def end_invitations(made_by: int) -> None:
    """End the invitations that somebody made for others: who is no admin any more has nobody come in, nor themself."""
    with db.transaction():
        for_others = Invitation.member_id.is_null() | (Invitation.member_id != made_by)
        ended = invitations.is_usable() & (Invitation.made_by == made_by) & for_others
        Invitation.update(revoked_at=db.now()).where(ended).execute()


def forget_guesses() -> int:
    """Remove what no longer counts: guesses, requests, ended invitations, old tokens; returns how many rows went."""
    moment = db.now()
    seconds = int(moment.timestamp())
    with db.transaction():
        return (guesses.forget(seconds) + invitations.forget(seconds) + asking.forget(seconds)
                + places.forget_tokens(moment))  # fmt: skip
