"""What a member sets for themself: profile, text and look, language and time."""

from __future__ import annotations

from flask import Blueprint, Response, g, make_response, request
from flask_babel import gettext

from homecircle import __version__, archive, db, members, membership, presence
from homecircle.errors import HouseError, Invalid
from homecircle.web import bundling, doorstep, guard, rendering

pages = Blueprint("settings", __name__, url_prefix="/settings")


@pages.get("")
def index() -> str:
    """The list of what can be set, each with its present value."""
    toast = gettext("Saved.") if request.args.get("saved") else None
    return rendering.page("settings/index.html", languages=rendering.LANGUAGES, toast=toast)


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


@pages.get("/help")
@guard.everywhere
def help() -> str:
    """How things are done, and whom to ask."""
    admins = [face for face in members.present().values() if face.role == "admin"]
    return rendering.page("settings/help.html", admins=admins, version=__version__)


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


@pages.get("/export")
@guard.own
def export() -> str:
    """What one can take along, and about how large it is."""
    sizes = {kind: archive.weigh(archive.Scope(kind, g.me.id)) for kind in ("member", "own")}
    return rendering.page("settings/export.html", everything=sizes["member"], mine=sizes["own"], errors={})


@pages.post("/export")
@guard.own
@guard.medium
def take_along() -> Response:
    """Everything one may see, or only what is one's own, as a ZIP."""
    kind = "own" if request.form.get("scope") == "own" else "member"
    return bundling.send_archive(archive.Scope(kind, g.me.id), f"homecircle-{db.now():%Y-%m-%d}.zip")


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
