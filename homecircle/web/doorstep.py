"""What the pages of getting in share: pairing the browser that asks, showing an invitation, one's own face."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from flask import Response, g, make_response, redirect, request, url_for
from flask_babel import gettext
from markupsafe import Markup

from homecircle import devices, members, vault
from homecircle.devices import Invitation, Offer
from homecircle.errors import HouseError
from homecircle.web import guard, rendering
from homecircle.web.house import house

KINDS = {
    "iPhone": "iPhone", "iPad": "iPad", "Android": "Android", "Macintosh": "Mac", "Windows": "Windows",
    "CrOS": "Chromebook", "Linux": "Linux",
}  # fmt: skip


class Shown(NamedTuple):
    """An invitation as its maker sees it, once."""

    id: str
    name: str
    link: str
    code: str
    qr: Markup
    address: str
    expires_at: dt.datetime
    code_expires_at: dt.datetime


class InvitationLine(NamedTuple):
    """One of the invitations that nobody has used yet."""

    id: str
    name: str
    expires_at: dt.datetime
    admin: bool


def waiting() -> list[InvitationLine]:
    """Return who is invited and has not come yet, as admins see it."""
    found = devices.open_invitations()
    return [InvitationLine(each.public_id, each.name, each.link_until, each.role == "admin") for each in found]


def pair(invitation: Invitation) -> Response:
    """Pair the browser that asks and lead it on: a new person to *Who are you*, an own device home."""
    token, _ = devices.pair(invitation, g.door, device_kind())
    next_page = {"member": "devices.join_you", "setup": "setup.welcome"}.get(invitation.kind, "feed.index")
    return guard.let_in(redirect(url_for(next_page), 303), token)  # type: ignore[arg-type]


def told(error: HouseError, template: str, **values: object) -> Response:
    """Draw a form again with what was wrong beside its field."""
    answer = make_response(rendering.page(template, errors=problems(error), **values), error.status)
    if retry := getattr(error, "retry_after", 0):
        answer.headers["Retry-After"] = str(retry)
    return answer


def problems(error: HouseError) -> dict[str, str]:
    """What was wrong, by field, as the forms draw it."""
    return {error.field or "form": rendering.sentence(error)}


def shown(offer: Offer) -> Shown:
    """Make link, QR and code of an invitation for its maker's eyes."""
    here = house()
    link = f"{here.canonical()}/join#{offer.secret}"
    code = f"{offer.code[:4]} {offer.code[4:]}"
    made = offer.invitation
    return Shown(made.public_id, made.name, link, code, rendering.qr(link), here.canonical(), made.link_until,
                 made.code_until)  # fmt: skip


def save_profile() -> None:
    """Keep the form's name, colour and picture of the member who asks; raises what names the field."""
    member, form = members.get(g.me.id), request.form
    changes: dict[str, object] = {"name": form.get("name", ""), "colour": form.get("colour", member.colour)}
    members.check(**changes)
    if picture := keep_picture():
        changes["picture_id"] = picture
    members.update(member, **changes)


def keep_picture() -> int | None:
    """Take the form's `picture`, when one was chosen, into the vault; returns its original's id."""
    chosen = request.files.get("picture")
    if chosen is None or not chosen.filename:
        return None
    folder = house().folder
    spooled = folder.take(chosen.stream)
    try:
        kept = vault.keep_picture(folder, spooled, chosen.filename)
    finally:
        folder.remove(spooled)
    house().wake_drawer()
    return kept


def colours(member_id: int) -> list[tuple[int, str, bool]]:
    """Return (number, name, taken by somebody else) of the twelve colours."""
    taken = {face.colour for number, face in members.present().items() if number != member_id}
    return [(number, gettext(name), number in taken) for number, name in enumerate(members.COLOURS, 1)]


def device_kind() -> str:
    """Return what the asking device calls itself: 'iPhone', 'Android', ..., or 'Browser'."""
    agent = request.headers.get("User-Agent", "")
    return next((name for mark, name in KINDS.items() if mark in agent), "Browser")
