"""The pages of getting in and of one's own devices: hello, join, my devices."""

from __future__ import annotations

import json
from typing import NamedTuple

from flask import Blueprint, Response, g, make_response, redirect, request, url_for
from flask_babel import gettext

from homecircle import circle, devices, members
from homecircle.devices import Caller, Invitation
from homecircle.errors import HouseError
from homecircle.web import doorstep, guard, rendering
from homecircle.web.house import house

ICONS = (("192", 192, "any"), ("512", 512, "any"), ("maskable-512", 512, "maskable"))
pages = Blueprint("devices", __name__)


class DeviceLine(NamedTuple):
    """One of my devices on its page."""

    id: str
    name: str
    kind: str
    last_used: str
    this: bool


@pages.get("/hello")
@guard.anyone
def hello() -> Response:
    """What a device that is not paired sees: three ways in, no name of anybody."""
    if g.me is not None:
        return redirect(url_for("feed.index"), 303)  # type: ignore[return-value]
    house().note_stranger(doorstep.device_kind())
    return make_response(rendering.page("devices/hello.html", errors={}, code=""))


@pages.post("/hello")
@guard.anyone
def hello_with_code() -> Response:
    """Come in with a typed code."""
    try:
        return doorstep.pair(devices.look_code(request.form.get("code", ""), guard.caller()))
    except HouseError as error:
        return doorstep.told(error, "devices/hello.html", code=request.form.get("code", ""))


@pages.get("/join")
@guard.anyone
def join() -> str:
    """The page a link opens. Opening it uses nothing up: the secret is in the fragment, which never reaches us."""
    if g.me is None:
        house().note_stranger(doorstep.device_kind())
    return rendering.page("devices/join.html", errors={}, code="")


@pages.post("/join/look")
@guard.anyone
def join_look() -> Response:
    """Show whose invitation a secret is, using nothing up."""
    secret = request.form.get("secret", "")
    try:
        found = devices.look(secret, guard.caller())
    except HouseError as error:
        return make_response(rendering.page("devices/_invited.html", error=rendering.sentence(error)), error.status)
    inviter = members.roster().get(found.made_by or found.member_id or 0)
    already = members.roster().get(g.me.id) if g.me else None
    faces = list(members.present().values())
    drawn = rendering.page("devices/_invited.html", inviter=inviter, circle_name=circle.get().name, secret=secret,
                           faces=faces, name=found.name, already=already, error="")  # fmt: skip
    return make_response(drawn)


@pages.post("/join")
@guard.anyone
def join_with_secret() -> Response:
    """Use an invitation up: its secret, or its typed code."""
    try:
        return doorstep.pair(_invitation(guard.caller()))
    except HouseError as error:
        return doorstep.told(error, "devices/join.html", code=request.form.get("code", ""))


@pages.get("/join/you")
def join_you() -> Response:
    """Who are you: name, picture, colour."""
    return _you({})


@pages.post("/join/you")
def join_you_saved() -> Response:
    """Keep what was chosen; the tip comes next."""
    try:
        doorstep.save_profile()
    except HouseError as error:
        return _you(doorstep.problems(error), error.status)
    return redirect(url_for("devices.join_tip"), 303)  # type: ignore[return-value]


@pages.get("/join/tip")
def join_tip() -> str:
    """How to put it on the home screen."""
    kind = doorstep.device_kind()
    platform = "iphone" if kind in {"iPhone", "iPad"} else "android" if kind == "Android" else "desktop"
    return rendering.page("devices/join_tip.html", platform=platform)


@pages.get("/devices")
def index() -> str:
    """My devices."""
    today, lines = devices.today(), []
    for each in devices.of_member(g.me.id):
        days = today - each.used_on
        used = (
            gettext("today") if days <= 0 else gettext("yesterday") if days == 1 else gettext("%(n)s days ago", n=days)
        )
        lines.append(DeviceLine(each.public_id, each.name, each.kind, used, each.id == g.me.device_id))
    return rendering.page("devices/index.html", devices=lines)


@pages.post("/devices")
def create() -> Response:
    """Add another device of mine: shown once, for five minutes."""
    name = members.present()[g.me.id].name
    made = devices.offer("device", name, g.me.id, once=request.form.get("once"))
    return make_response(rendering.page("devices/invitation.html", shown=doorstep.shown(made)))


@pages.post("/devices/<public_id>/delete")
def delete(public_id: str) -> Response:
    """Sign a device out; this one goes back to the door with an empty store."""
    gone = devices.revoke(public_id, g.me)
    if gone.id == g.me.device_id:
        return guard.let_out(redirect(url_for("devices.hello"), 303))  # type: ignore[arg-type]
    return redirect(url_for("devices.index"), 303)  # type: ignore[return-value]


@pages.get("/manifest.webmanifest")
@guard.medium
def manifest() -> Response:
    """What a home screen needs to know of us."""
    icons = [{"src": rendering.asset_url(f"icons/icon-{name}.png"), "sizes": f"{size}x{size}", "type": "image/png", "purpose": kind}
             for name, size, kind in ICONS]  # fmt: skip
    body = {"name": circle.get().name or "HomeCircle", "short_name": "HomeCircle", "start_url": "/", "scope": "/",
            "display": "standalone", "theme_color": "#1f6f5c", "background_color": "#fbf8f3", "icons": icons}  # fmt: skip
    return Response(json.dumps(body), mimetype="application/manifest+json")


def _invitation(caller: Caller) -> Invitation:
    secret = request.form.get("secret")
    return devices.look(secret, caller) if secret else devices.look_code(request.form.get("code", ""), caller)


def _you(problems: dict[str, str], status: int = 200) -> Response:
    me = members.get(g.me.id)
    drawn = rendering.page("devices/join_you.html", name=request.form.get("name", me.name), errors=problems,
                           colour=me.colour, colours=doorstep.colours(me.id))  # fmt: skip
    return make_response(drawn, status)
