"""The pages of looking after the house: who asks to come in, places, the away address, after a restore, links."""

from __future__ import annotations

from flask import Blueprint, Response, g, make_response, request
from flask_babel import gettext

from homecircle import circle, db, devices
from homecircle.devices import Answer
from homecircle.errors import HouseError
from homecircle.vault import previews
from homecircle.web import doorstep, guard, rendering

pages = Blueprint("admin", __name__, url_prefix="/house")


@pages.get("/asks")
@guard.admin
def asks() -> Response:
    """Who waits at the door. With ?part=list only the list."""
    if request.args.get("part") == "list":
        return make_response(rendering.page("admin/_asks.html", **_waiting(), errors={}))
    return _asks({})


@pages.post("/asks/<public_id>")
@guard.admin
def grant(public_id: str) -> Response:
    """Let a device in: whose it is, and the words it shows."""
    form = request.form
    try:
        devices.grant(public_id, Answer(form.get("words", ""), form.get("member", ""), form.get("device", "")), g.me)
    except HouseError as error:
        return _asks(doorstep.problems(error), error.status)
    return rendering.lead_to("admin.asks", let_in=1)


@pages.post("/asks/<public_id>/delete")
@guard.admin
def refuse(public_id: str) -> Response:
    """Say no."""
    devices.refuse(public_id, g.me)
    return rendering.lead_to("admin.asks")


@pages.get("/devices")
@guard.admin
def all_devices() -> Response:
    """The twelve places, those first that were silent longest."""
    return _devices({})


@pages.post("/devices")
@guard.admin
def create() -> Response:
    """Add a shared device, like a tablet in the kitchen: shown once."""
    try:
        made = devices.offer(
            "shared", request.form.get("name", ""), g.me.id, once=request.form.get("once"), door=g.door
        )
    except HouseError as error:
        return _devices(doorstep.problems(error), error.status)
    return make_response(rendering.page("devices/invitation.html", shown=doorstep.shown(made), is_shared=True))


@pages.get("/away")
@guard.admin
def away() -> Response:
    """The address for outside, and whether one may ask there now."""
    return _away({})


@pages.post("/away")
@guard.admin
def save_away() -> Response:
    """Set or clear the away address."""
    try:
        devices.set_away(request.form.get("away_address", ""), g.me)
    except HouseError as error:
        return _away(doorstep.problems(error), error.status)
    return rendering.lead_to("admin.away")


@pages.post("/away/asking")
@guard.admin
def open_asking() -> Response:
    """Let strangers ask at the away address for ten minutes, or end that."""
    devices.open_asking(g.me, is_open=request.form.get("open") == "1")
    return rendering.lead_to("admin.away")


@pages.get("/restored")
@guard.admin
def restored() -> Response:
    """After a restore: which devices are still the family's?"""
    return _restored({})


@pages.post("/restored")
@guard.admin
def take_back() -> Response:
    """The ticked devices come back, the others are signed out for good."""
    try:
        devices.take_back(request.form.getlist("devices"), g.me)
    except HouseError as error:
        return _restored(doorstep.problems(error), error.status)
    return rendering.lead_to("house.index")


@pages.get("/links")
@guard.admin
def links() -> str:
    """Whether HomeCircle asks the pages behind links what they are."""
    return rendering.page("admin/links.html", is_on=circle.get().link_previews)


@pages.post("/links")
@guard.admin
def save_links() -> Response:
    """Turn link previews on or off."""
    previews.turn(g.me, is_on=request.form.get("on") == "1")
    return rendering.lead_to("admin.links")


def _waiting() -> dict[str, object]:
    return {"asks": devices.waiting(g.me), "people": doorstep.people(), "is_full": devices.count() >= devices.LIMIT}


def _asks(problems: dict[str, str], status: int = 200) -> Response:
    toast = gettext("It is in.") if request.args.get("let_in") else None
    return make_response(rendering.page("admin/asks.html", **_waiting(), errors=problems, toast=toast), status)


def _devices(problems: dict[str, str], status: int = 200) -> Response:
    lines = doorstep.lines(devices.everyone(), coarse=True)
    drawn = rendering.page("admin/all_devices.html", devices=lines, errors=problems, limit=devices.LIMIT)
    return make_response(drawn, status)


def _away(problems: dict[str, str], status: int = 200) -> Response:
    until = circle.get().away_open_until
    opened = until if until and until > db.now() else None
    address = request.form.get("away_address", circle.get().away_address)
    return make_response(rendering.page("admin/away.html", address=address, open_until=opened, errors=problems), status)


def _restored(problems: dict[str, str], status: int = 200) -> Response:
    found = doorstep.lines(devices.suspended(), coarse=True)
    ticked = set(request.form.getlist("devices"))
    drawn = rendering.page("admin/restored.html", devices=found, ticked=ticked, errors=problems)
    return make_response(drawn, status)
