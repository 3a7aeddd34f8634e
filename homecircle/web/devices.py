"""The pages of getting in by an invitation, and of one's own devices: hello, join, my devices, the recovery sheet."""

from __future__ import annotations

import json

from flask import Blueprint, Response, g, make_response, request

from homecircle import circle, devices, members
from homecircle.devices import Answer, Caller, Invitation
from homecircle.errors import Conflict, HouseError
from homecircle.web import doorstep, guard, rendering
from homecircle.web.house import house

ICONS = (("192", 192, "any"), ("512", 512, "any"), ("maskable-512", 512, "maskable"))
OWN_JAR = {"iPhone", "iPad", "Mac"}  # where a page on the home screen has cookies of its own
pages = Blueprint("devices", __name__)


@pages.get("/hello")
@guard.anyone
def hello() -> Response:
    """What a device that is not paired sees: three ways in, no name of anybody (but its own, when it was ours)."""
    if g.me is not None or g.tablet is not None:
        return rendering.lead_to("feed.index" if g.me else "shared.index")
    house().note_stranger(doorstep.device_kind())
    answer = make_response(rendering.page("devices/hello.html", errors={}, code="", **_door()))
    return answer if guard.was_signed_out() is None else guard.empty(answer)


@pages.post("/hello")
@guard.anyone
def hello_with_code() -> Response:
    """Come in with a typed code."""
    try:
        return doorstep.pair(devices.look_code(request.form.get("code", ""), _stranger()), "/hello")
    except HouseError as error:
        return doorstep.told(error, "devices/hello.html", code=request.form.get("code", ""), **_door())


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
    # who is not in yet may not fetch a picture: initials
    faces = {number: face._replace(stamp="") for number, face in members.roster().items()}
    inviter, already = faces.get(found.made_by or found.member_id or 0), faces.get(g.me.id) if g.me else None
    present = [faces[number] for number in members.present()]
    drawn = rendering.page("devices/_invited.html", inviter=inviter, circle_name=circle.get().name, secret=secret,
                           faces=present, name=found.name, already=already, error="", kind=found.kind)  # fmt: skip
    return make_response(drawn)


@pages.post("/join")
@guard.anyone
def join_with_secret() -> Response:
    """Use an invitation up: its secret, or its typed code."""
    try:
        return doorstep.pair(_invitation(_stranger()))
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
    return rendering.lead_to("devices.join_tip")


@pages.get("/join/tip")
def join_tip() -> str:
    """How to put it on the home screen."""
    kind = doorstep.device_kind()
    platform = "iphone" if kind in {"iPhone", "iPad"} else "android" if kind == "Android" else "desktop"
    return rendering.page("devices/join_tip.html", platform=platform)


@pages.get("/devices")
def index() -> Response:
    """My devices, what somebody added for me, the shared ones, my sheet, and who of mine asks for the away door."""
    return _index({})


@pages.post("/devices")
@guard.own
def create() -> Response:
    """Add another device of mine: shown once, for five minutes."""
    made = devices.offer_own(g.me, request.form.get("once"))
    return make_response(rendering.page("devices/invitation.html", shown=doorstep.shown(made), is_shared=False))


@pages.get("/devices/program")
@guard.own
def program() -> Response:
    """What a program may do, and its name."""
    return _program({})


@pages.post("/devices/program")
@guard.own
def new_program() -> Response:
    """Add a program that brings files: its token is shown once."""
    name = request.form.get("name", "")
    try:
        token = devices.add_program(g.me, name)
    except HouseError as error:
        return _program(doorstep.problems(error), error.status)
    return _program({}, token=token, address=request.host_url.rstrip("/") + "/uploads")


@pages.get("/devices/leave")
def leave() -> str:
    """Sign this very device out? One tap would lock somebody out of their only one."""
    is_only = len([each for each in devices.of_member(g.me.id) if each.kind == "personal"]) < 2
    return rendering.page("devices/leave.html", device=g.me.device, is_only=is_only, errors={})


@pages.post("/devices/<public_id>/delete")
def delete(public_id: str) -> Response:
    """Sign a device out; this one goes back to the door with an empty store."""
    gone = devices.revoke(public_id, g.me)
    if gone.id == g.me.device_id:
        return guard.let_out(rendering.lead_to("devices.hello"))
    return rendering.lead_to("devices.index" if gone.member_id == g.me.id else "admin.all_devices")


@pages.post("/devices/<public_id>/yes")
@guard.own
def approve(public_id: str) -> Response:
    """Say yes to a device that somebody added for me."""
    devices.approve(public_id, g.me)
    return _back()


@pages.post("/devices/<public_id>/face")
@guard.own
def agree(public_id: str) -> Response:
    """Put my face on a shared device, with a PIN or without."""
    try:
        devices.agree(public_id, g.me, request.form.get("pin", "").strip())
    except HouseError as error:
        return _index(doorstep.problems(error), error.status)
    return _back()


@pages.post("/devices/<public_id>/face/delete")
@guard.own
def disagree(public_id: str) -> Response:
    """Take my face from a shared device."""
    devices.disagree(public_id, g.me)
    return _back()


@pages.get("/devices/asks")
@guard.own
def asks() -> str:
    """Who waits at the door for my answer: the fragment that comes to every page while somebody does."""
    waiting, people = devices.waiting(g.me), doorstep.people() if g.me.is_admin else []
    mine = doorstep.lines(devices.of_member(g.me.id))
    return rendering.page("devices/_door.html", asks=waiting, people=people, devices=mine)


@pages.post("/devices/asks/<public_id>")
@guard.own
def grant(public_id: str) -> Response:
    """Let a device of mine in, or one that came back: its words were picked here."""
    words, device = request.form.get("words", ""), request.form.get("device", "")
    try:
        devices.grant(public_id, Answer(words, g.me.member, device), g.me)
    except HouseError as error:
        return _index(doorstep.problems(error), error.status)
    return _back()


@pages.post("/devices/asks/<public_id>/delete")
@guard.own
def refuse(public_id: str) -> Response:
    """Say no."""
    devices.refuse(public_id, g.me)
    return _back()


@pages.post("/devices/here")
@guard.own
def here() -> str:
    """This device at home too, or at its other home address: links that give it one more token, no place."""
    made = devices.offer_here(g.me)
    links = [
        f"{address}/join/here#{made.secret}"
        for address in house().addresses()
        if not request.host_url.startswith(address)
    ]
    return rendering.page("devices/doors.html", links=links, is_away=False)


@pages.post("/devices/away")
@guard.own
def away() -> Response:
    """This device outside too: a link at which it asks for that, there."""
    try:
        made = devices.offer_away(g.me)
    except HouseError as error:
        return _index(doorstep.problems(error), error.status)
    links = [f"{circle.get().away_address}/join/away#{made.secret}"]
    return make_response(rendering.page("devices/doors.html", links=links, is_away=True))


@pages.get("/devices/sheet")
@guard.own
def sheet() -> str:
    """What the recovery sheet is, and whether there is one."""
    return rendering.page("devices/sheet.html", made_at=devices.sheet_made(g.me.id), words=[], qr="", address="")


@pages.post("/devices/sheet")
@guard.own
def new_sheet() -> str:
    """Make my recovery sheet (the old one is void) and show it once, to be printed."""
    made = devices.new_sheet(g.me)
    shown = doorstep.shown(made)
    return rendering.page("devices/sheet.html", made_at=made.invitation.made_at, words=made.code.split(),
                          qr=shown.qr, address=f"{shown.address}/hello/sheet")  # fmt: skip


@pages.post("/devices/sheet/delete")
@guard.own
def void_sheet() -> Response:
    """My sheet opens nothing any more."""
    devices.void_sheet(g.me.id)
    return rendering.lead_to("devices.sheet")


@pages.get("/manifest.webmanifest")
@guard.everywhere
@guard.medium
def manifest() -> Response:
    """What a home screen needs to know of us. This device alone can fetch it, so it may hold a secret."""
    icons = [{"src": rendering.asset_url(f"icons/icon-{name}.png"), "sizes": f"{size}x{size}", "type": "image/png",
              "purpose": kind} for name, size, kind in ICONS]  # fmt: skip
    body = {"id": "/", "name": circle.get().name or "HomeCircle", "short_name": "HomeCircle", "start_url": _start(),
            "scope": "/", "display": "standalone", "theme_color": "#1f6f5c", "background_color": "#fbf8f3",
            "icons": icons}  # fmt: skip
    return Response(json.dumps(body), mimetype="application/manifest+json")


def _start() -> str:
    if doorstep.device_kind() not in OWN_JAR or g.me.kind != "personal" or g.me.limited:
        return "/"
    return f"/join/here#{devices.icon_secret(g.me, guard.token())}"


def _stranger() -> Caller:
    """Where a stranger stands; a browser that is somebody's already keeps its place and costs no second one."""
    if g.me is not None:
        raise Conflict("This browser is paired already. Open the invitation on the device it is meant for.")
    return guard.caller()


def _invitation(caller: Caller) -> Invitation:
    secret = request.form.get("secret")
    return devices.look(secret, caller) if secret else devices.look_code(request.form.get("code", ""), caller)


def _door() -> dict[str, object]:
    """What the door shows: whose this very browser was before it was signed out, and whether one may ask."""
    was = guard.was_signed_out()
    face = members.present().get(was) if was else None
    return {"signed_out": was is not None, "was": face._replace(stamp="") if face else None,
            "may_ask": devices.may_ask(g.door), "is_suspended": guard.is_suspended()}  # fmt: skip


def _index(problems: dict[str, str], status: int = 200) -> Response:
    drawn = rendering.page(
        "devices/index.html", devices=doorstep.lines(devices.of_member(g.me.id)), errors=problems,
        asks=[] if g.me.is_admin else devices.waiting(g.me),
        added=doorstep.lines(devices.added_for(g.me.id)), chairs=devices.chairs(g.me.id), limited=g.me.limited,
        away_address=circle.get().away_address, is_outside=devices.has_token(g.me.device_id, "away"),
    )  # fmt: skip
    return make_response(drawn, status)


def _program(problems: dict[str, str], status: int = 200, *, token: str = "", address: str = "") -> Response:
    drawn = rendering.page("devices/program.html", name=request.form.get("name", ""), errors=problems, token=token,
                           address=address, piece=8)  # fmt: skip
    return make_response(drawn, status)


def _you(problems: dict[str, str], status: int = 200) -> Response:
    me = members.get(g.me.id)
    drawn = rendering.page("devices/join_you.html", name=request.form.get("name", me.name), errors=problems,
                           colour=me.colour, colours=doorstep.colours(me.id),
                           text_size=request.form.get("text_size", me.text_size, type=int))  # fmt: skip
    return make_response(drawn, status)


def _back() -> Response:
    return rendering.lead_to("devices.index")
