"""One device at several doors, at its one place among the twelve.

Cookies belong to a host, so a device may hold a token for each home host (name and number), one for the away door, and
one for an icon on an iPhone's home screen, which has a cookie jar of its own. A token at home is had by a link from the
device itself, or through the icon's start address; one for the away door is asked for (`asking`), because what a home
token says may have been overheard.
"""

from __future__ import annotations

import datetime as dt
import hashlib

from homecircle import circle, db, members
from homecircle.devices import invitations, places
from homecircle.devices.invitations import Invitation, Offer
from homecircle.devices.places import Device, Pass, hashed
from homecircle.errors import Conflict, NotFound

ICON_LASTS = dt.timedelta(days=1)


def offer_here(by: Pass) -> Offer:
    """Make a link that gives the asking device one more token for the home door: at its other home address."""
    with db.transaction():
        return token_for(Device.get_by_id(by.device_id), "home", by.id)


def offer_away(by: Pass) -> Offer:
    """Make the ticket with which the asking device may ask for an away token, at the away address.

    Raises `Conflict` without an away address, and for a device that has such a token already.
    """
    if not circle.get().away_address:
        raise Conflict("HomeCircle has no address for outside yet.")
    if by.door == "away" or places.has_token(by.device_id, "away"):
        raise Conflict("This device works outside already.")
    with db.transaction():
        return invitations.make("away", members.present()[by.id].name, door="away", member_id=by.id, made_by=by.id,
                                device_id=by.device_id)  # fmt: skip


def use_here(invitation: Invitation, door: str) -> tuple[str, Pass]:
    """Use an invitation of the kind 'here' up: returns one more token of the same device, and what it opens.

    Raises `NotFound` when the device has been signed out meanwhile, `Conflict` when the invitation is used.
    """
    if invitation.kind != "here" or invitation.door != door:
        raise NotFound
    with db.transaction():
        invitations.use_up(invitation)
        token = places.give_token(invitation.device_id or 0, door)
        opened = places.recognise(token, door)
        if opened is None:
            raise NotFound
    return token, opened


def icon_secret(by: Pass, token: str) -> str:
    """Return the secret in the start address of an icon that this device puts on a home screen: good once, for a day.

    It is derived from the device's own token, so that each look at the manifest shows the same one and writes nothing.
    """
    secret = hashlib.sha256(f"icon {by.door} {places.today()} {token}".encode()).hexdigest()[:40]
    with db.transaction():
        if not db.row("SELECT 1 FROM invitation WHERE link_hash = ?", hashed(secret)):
            made = token_for(Device.get_by_id(by.device_id), by.door, by.id, secret)
            until = db.now() + ICON_LASTS
            Invitation.update(link_until=until).where(Invitation.id == made.invitation.id).execute()
    return secret


def token_for(device: Device, door: str, made_by: int | None, secret: str = "") -> Offer:
    """Make an invitation that gives a paired device one more token, for `door` (call inside a transaction)."""
    return invitations.make("here", device.name, door=door, member_id=device.member_id, device_id=device.id,
                            made_by=made_by, secret=secret)  # fmt: skip


def set_away(address: str, by: Pass) -> None:
    """An admin sets (or, with '', clears) the address of the family's tunnel: invitations carry it from then on."""
    with db.transaction():
        circle.update(away_address=address)
        places.note_deed(by.id, "set-away", circle.get().away_address)
