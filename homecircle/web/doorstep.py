"""What the pages of getting in share: pairing the browser that asks, showing an invitation, one's own face."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from flask import Response, g, make_response, request
from flask_babel import gettext
from markupsafe import Markup

from homecircle import devices, members, membership, vault
from homecircle.devices import Device, Invitation, Offer
from homecircle.errors import HouseError, HouseFull
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


class DeviceLine(NamedTuple):
    """A device as its page draws it. `owner` is its member (None: shared); `added_by` somebody's name, or ''."""

    id: str
    name: str
    kind: str
    last_used: str
    this: bool
    owner: members.Face | None
    added_by: str
    added_at: dt.datetime
    limited_until: dt.datetime | None
    door: str


def offer() -> Offer:
    """Make the invitation for a new person that the form asks for."""
    form, role = request.form, "admin" if request.form.get("admin") else "member"
    return devices.offer("member", form.get("name", ""), g.me.id, role=role, once=form.get("once"), door=g.door,
                         welcome=form.get("welcome", ""))  # fmt: skip


def pair(invitation: Invitation, action: str = "/join") -> Response:
    """Pair the browser that asks and lead it on: a new person to *Who are you*, an own device home.

    When all twelve places are taken, an invitation that its member made asks which of their devices gives its place.
    """
    if invitation.kind == "here":
        return enter(devices.use_here(invitation, g.door)[0], invitation.kind)
    try:
        token, _ = membership.pair(invitation, g.door, device_kind(), request.form.get("replaced", ""))
    except HouseFull as error:
        return _replacing(invitation, action, error)
    return enter(token, invitation.kind)


def enter(token: str, kind: str) -> Response:
    """Give this browser its token and lead it on, by the kind of the invitation it came with."""
    pages = {"member": "devices.join_you", "setup": "setup.welcome", "shared": "shared.index"}
    if kind == "member" and (new := devices.recognise(token, g.door)):  # who joins reads on in the words they came with
        members.update(members.get(new.id), language=rendering.language())
    return guard.let_in(rendering.lead_to(pages.get(kind, "feed.index")), token)


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
    made = offer.invitation
    address = here.addresses()[0] if made.door == "home" else here.canonical()
    link = f"{address}/join#{offer.secret}"
    code = f"{offer.code[:4]} {offer.code[4:]}"
    return Shown(made.public_id, made.name, link, code, rendering.qr(link), address, made.link_until,
                 made.code_until)  # fmt: skip


def lines(found: list[Device], *, coarse: bool = False) -> list[DeviceLine]:
    """Draw devices as lines. Others' are told no more finely than the month (`coarse`)."""
    roster, outside = members.roster(), devices.outside()
    return [
        DeviceLine(each.public_id, each.name, each.kind, _month_used(each) if coarse else _day_used(each),
                   each.id == g.me.device_id if g.me else False, roster.get(each.member_id or 0),
                   roster[each.added_by].name if each.added_by in roster else "", each.paired_at,
                   each.limited_until, "away" if each.id in outside else "home")
        for each in found
    ]  # fmt: skip


def people() -> list[tuple[members.Face, list[DeviceLine]]]:
    """Return everyone with their devices, as an admin sees them."""
    found = lines(devices.everyone(), coarse=True)
    return [(face, [each for each in found if each.owner == face]) for face in members.present().values()]


def save_profile() -> None:
    """Keep the form's name, colour, size of words and picture of the member who asks; raises what names the field."""
    member, form = members.get(g.me.id), request.form
    changes: dict[str, object] = {"name": form.get("name", ""), "colour": form.get("colour", member.colour)}
    if "text_size" in form:  # asked for on joining; later it stands under *Text and look*
        changes["text_size"] = form["text_size"]
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


def _replacing(invitation: Invitation, action: str, error: HouseFull) -> Response:
    """All twelve places are taken: which of the own devices shall give its place? Raises when there is none to ask."""
    own = devices.of_member(invitation.member_id or 0) if devices.may_replace(invitation) else []
    if not own:
        raise error
    kept = {name: request.form[name] for name in ("secret", "code", "words") if request.form.get(name)}
    drawn = rendering.page("devices/replace.html", devices=lines(own), fields=kept, action=action)
    return make_response(drawn, error.status)


def _day_used(device: Device) -> str:
    days = devices.today() - device.used_on
    if days <= 0:
        return str(gettext("today"))
    return str(gettext("yesterday") if days == 1 else gettext("%(n)s days ago", n=days))


def _month_used(device: Device) -> str:
    used, today = dt.date.fromordinal(device.used_on), dt.date.fromordinal(devices.today())
    if (used.year, used.month) >= (today.year, today.month):
        return str(gettext("this month"))
    return str(gettext("silent since %(month)s", month=rendering.month(used)))
