"""First run: claim the house, name the circle, try it from a phone, invite. Each step is saved and can be left."""

from __future__ import annotations

import time

from flask import Blueprint, Response, g, make_response, request

from homecircle import backup, circle, devices, members
from homecircle.errors import Conflict, HouseError, NotFound
from homecircle.files import on_sd_card
from homecircle.web import doorstep, guard, rendering
from homecircle.web.house import house

PHOTO_SIZE = 6_000_000  # bytes a photo with its renditions takes, for "room for about n photos"
pages = Blueprint("setup", __name__, url_prefix="/setup")
_waiting_since: dict[int, float] = {}


@pages.get("")
@guard.anyone
def code() -> Response:
    """Ask for the set-up code; a house that is claimed has nothing to set up here."""
    if circle.get().is_claimed or g.door != "home":
        return _onward()
    house().note_stranger(doorstep.device_kind())
    return make_response(rendering.page("setup/code.html", code="", errors={}))


@pages.post("")
@guard.anyone
def claim() -> Response:
    """Claim the house with the set-up code (or its link's secret): this browser becomes the first admin's device."""
    if g.door != "home":
        raise NotFound
    form, caller = request.form, guard.caller()
    try:
        if circle.get().is_claimed:
            raise Conflict("This house is claimed already. Ask whoever looks after it for an invitation.")
        secret, typed = form.get("secret"), form.get("code", "")
        found = devices.look(secret, caller) if secret else devices.look_code(typed, caller, ("setup",))
        return doorstep.pair(found)
    except HouseError as error:
        return doorstep.told(error, "setup/code.html", code=form.get("code", ""))


@pages.get("/welcome")
@guard.admin
def welcome() -> str:
    """Language and text size."""
    return rendering.page("setup/welcome.html", languages=rendering.LANGUAGES, errors={}, is_fresh=backup.is_fresh())


@pages.post("/welcome")
@guard.admin
def save_welcome() -> Response:
    """Keep language and text size, for this member and as the house's first."""
    form = request.form
    chosen = form.get("language", "") if form.get("language") in rendering.LANGUAGES else "en"
    members.update(members.get(g.me.id), language=chosen, text_size=form.get("text_size") or 1)
    circle.update(language=chosen)
    return _to("family")


@pages.get("/family")
@guard.admin
def family() -> str:
    """The circle's name and picture."""
    return rendering.page("setup/family.html", name=circle.get().name, errors={})


@pages.post("/family")
@guard.admin
def save_family() -> Response:
    """Keep the circle's name and picture."""
    changes: dict[str, object] = {"name": request.form.get("name", "")}
    try:
        if picture := doorstep.keep_picture():
            changes["picture_id"] = picture
        circle.update(**changes)
    except HouseError as error:
        return doorstep.told(error, "setup/family.html", name=changes["name"])
    return _to("you")


@pages.get("/you")
@guard.admin
def you() -> Response:
    """What the family calls you, your picture, your colour."""
    return _you({})


@pages.post("/you")
@guard.admin
def save_you() -> Response:
    """Keep name, picture, colour."""
    try:
        doorstep.save_profile()
    except HouseError as error:
        return _you(doorstep.problems(error), error.status)
    return _to("place")


@pages.get("/place")
@guard.admin
def place() -> str:
    """Where photos live, and how many more have room."""
    folder = house().folder
    room_for = folder.free() // PHOTO_SIZE // 1000 * 1000
    return rendering.page("setup/place.html", place=str(folder.root), free=folder.free(), room_for=room_for,
                          sd_card=on_sd_card(folder.root))  # fmt: skip


@pages.post("/place")
@guard.admin
def save_place() -> Response:
    """Seen."""
    return _to("phone")


@pages.get("/phone")
@guard.admin
def phone() -> str:
    """Try it from a phone: waits until one knocks."""
    if request.args.get("part") == "found":
        return rendering.page("setup/_found.html", found=_found())
    _waiting_since[g.me.device_id] = time.monotonic()
    address, *others = house().addresses()
    return rendering.page("setup/phone.html", qr=rendering.qr(f"{address}/hello"), address=address, found="",
                          name_address=others[-1] if others else address)  # fmt: skip


@pages.post("/phone")
@guard.admin
def save_phone() -> Response:
    """Seen."""
    return _to("invite")


@pages.get("/invite")
@guard.admin
def invite() -> Response:
    """Invite the family, one name at a time."""
    return _invite(None, {})


@pages.post("/invite")
@guard.admin
def save_invite() -> Response:
    """Make one invitation and show it."""
    try:
        made = doorstep.offer()
    except HouseError as error:
        return _invite(None, doorstep.problems(error), error.status)
    return _invite(doorstep.shown(made), {})


@pages.post("/done")
@guard.admin
def done() -> Response:
    """Home."""
    circle.advance("done")
    return rendering.lead_to("feed.index")


@pages.post("/checklist/delete")
@guard.admin
def hide_checklist() -> Response:
    """Hide *Getting started*."""
    circle.advance("settled")
    return rendering.lead_to("feed.index")


def _you(problems: dict[str, str], status: int = 200) -> Response:
    me = members.get(g.me.id)
    before = "" if circle.STEPS.index(circle.get().setup_step) < circle.STEPS.index("place") else me.name
    drawn = rendering.page("setup/you.html", name=request.form.get("name", before), errors=problems,
                           colour=me.colour, colours=doorstep.colours(me.id))  # fmt: skip
    return make_response(drawn, status)


def _invite(shown: doorstep.Shown | None, problems: dict[str, str], status: int = 200) -> Response:
    waiting = doorstep.waiting()
    return make_response(rendering.page("setup/invite.html", invitations=waiting, new=shown, errors=problems), status)


def _found() -> str:
    return house().stranger_since(_waiting_since.get(g.me.device_id, time.monotonic()))


def _onward() -> Response:
    """A claimed house: its admin goes on where set-up stopped, everybody else to the door."""
    step = circle.get().setup_step
    if g.me is None:
        return rendering.lead_to("devices.hello")
    if g.me.is_admin and step not in {"code", "done", "settled"}:
        return rendering.lead_to(f"setup.{step}")
    return rendering.lead_to("feed.index")


def _to(step: str) -> Response:
    circle.advance(step)
    return rendering.lead_to(f"setup.{step}")
