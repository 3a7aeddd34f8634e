"""What a member sets for themself: profile, text and look, language and time."""

from __future__ import annotations

from flask import Blueprint, Response, g, make_response, request
from flask_babel import gettext

from homecircle import devices, members, membership, presence
from homecircle.errors import HouseError, Invalid
from homecircle.web import doorstep, guard, rendering

pages = Blueprint("settings", __name__, url_prefix="/settings")


@pages.get("")
def index() -> str:
    """The list of what can be set, each with its present value."""
    here = next((each.name for each in devices.of_member(g.me.id) if each.id == g.me.device_id), "")
    toast = gettext("Saved.") if request.args.get("saved") else None
    count = len(devices.of_member(g.me.id))
    return rendering.page("settings/index.html", languages=rendering.LANGUAGES, device_name=here, devices_count=count,
                          toast=toast)  # fmt: skip


@pages.get("/profile")
def profile() -> Response:
    """Name, colour, picture."""
    return _profile({})


@pages.post("/profile")
@guard.own
def save_profile() -> Response:
    """Keep name, colour, picture."""
    try:
        doorstep.save_profile()
    except HouseError as error:
        return _profile(doorstep.problems(error), error.status)
    return _back()


@pages.get("/look")
def look() -> str:
    """Text size and theme."""
    return rendering.page("settings/look.html", errors={})


@pages.post("/look")
@guard.own
def save_look() -> Response:
    """Keep text size and theme."""
    return _save("settings/look.html", text_size=request.form.get("text_size", ""), theme=request.form.get("theme", ""))


@pages.get("/language")
def language() -> str:
    """Language and time zone."""
    return rendering.page("settings/language.html", languages=rendering.LANGUAGES, zones=rendering.zones(), errors={})


@pages.post("/language")
@guard.own
def save_language() -> Response:
    """Keep language and time zone."""
    form = request.form
    language = form.get("language", "") if form.get("language") in rendering.LANGUAGES else g.me.language
    zone = form.get("zone", "") if form.get("zone") in rendering.zones() else ""
    return _save("settings/language.html", language=language, zone=zone)


@pages.get("/sharing")
def sharing() -> str:
    """How finely one is seen."""
    return rendering.page("settings/sharing.html", shares=presence.shares_of(g.me.id), errors={})


@pages.post("/sharing")
@guard.own
def save_sharing() -> Response:
    """Choose how finely one is seen."""
    try:
        presence.share(g.me.id, request.form.get("shares", ""))
    except HouseError as error:
        return doorstep.told(error, "settings/sharing.html", shares=presence.shares_of(g.me.id))
    return _back()


@pages.get("/leave")
@guard.own
def leave() -> str:
    """What leaving means."""
    last = membership.is_last_admin(g.me.id)
    return rendering.page("settings/leave.html", errors={}, last_admin=last)


@pages.post("/leave")
@guard.own
def leave_for_good() -> Response:
    """Leave the family; posts stay or go."""
    try:
        if request.form.get("sure") != "1":
            raise Invalid("Please tick that you are sure.", field="sure")
        membership.leave(g.me.id, posts_stay=request.form.get("posts") != "go")
    except HouseError as error:
        return doorstep.told(error, "settings/leave.html")
    return guard.let_out(rendering.lead_to("devices.hello"))


def _save(template: str, **changes: object) -> Response:
    try:
        members.update(members.get(g.me.id), **changes)
    except HouseError as error:
        return doorstep.told(error, template, languages=rendering.LANGUAGES, zones=rendering.zones())
    return _back()


def _profile(problems: dict[str, str], status: int = 200) -> Response:
    me = members.get(g.me.id)
    drawn = rendering.page("settings/profile.html", name=request.form.get("name", me.name), errors=problems,
                           colour=me.colour, colours=doorstep.colours(me.id))  # fmt: skip
    return make_response(drawn, status)


def _back() -> Response:
    return rendering.lead_to("settings.index", saved=1)
