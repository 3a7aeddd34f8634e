"""The pages of presence: who is around, a status line, a wave."""

from __future__ import annotations

import datetime as dt

from flask import Blueprint, Response, g, make_response, request
from flask_babel import gettext

from homecircle import db, members, presence
from homecircle.web import guard, people, rendering

LASTS = {"hour": dt.timedelta(hours=1), "day": dt.timedelta(days=1), "week": dt.timedelta(days=7)}
EVENING = 22  # the hour at which "until this evening" ends
pages = Blueprint("presence", __name__)


@pages.get("/presence")
def index() -> str:
    """Who is around; with ?part=row only the row of faces."""
    lines = people.around(g.me)
    if request.args.get("part") == "row":
        return rendering.page("presence/_around.html", around=lines)
    return rendering.page("presence/index.html", lines=lines, mine=people.mine(g.me), errors={}, toast=_waved(),
                          shares=presence.shares_of(g.me.id))  # fmt: skip


@pages.post("/presence/status")
@guard.own
def status() -> Response:
    """Say what one is up to, until a chosen time."""
    presence.say_status(g.me.id, request.form.get("text", ""), _until(request.form.get("until", "")))
    return rendering.lead_to("presence.index")


@pages.post("/presence/bye")
def bye() -> Response:
    """The page is closing (a beacon)."""
    presence.bye(g.me.id)
    return Response(status=204)


@pages.post("/members/<public_id>/wave")
def wave(public_id: str) -> Response:
    """Think of somebody."""
    presence.wave(g.me.id, public_id)
    if rendering.asked_by_htmx():
        return make_response(rendering.page("presence/_wave.html", name=members.get_public(public_id).name))
    return rendering.lead_to("presence.index", waved=public_id)


def _waved() -> str:
    """Without scripts: that the wave is on its way."""
    to = next((face for face in members.present().values() if face.id == request.args.get("waved")), None)
    return str(gettext("%(name)s will see that you thought of them", name=to.name)) if to else ""


def _until(word: str) -> dt.datetime:
    if word != "evening":
        return db.now() + LASTS.get(word, LASTS["day"])
    here = db.now().astimezone(rendering.zone())
    evening = here.replace(hour=EVENING, minute=0, second=0)
    return evening if evening > here else evening + dt.timedelta(days=1)
