"""The page for moving in: what lies in the folder for arrivals, a look first, bringing it in, how far that is.

An upload is not the way for 50 GB, so the bytes are laid into the data folder (or named to the command), and the page
only says what is to become of them. What an admin brings in is that admin's, and its names are told to them alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from flask import Blueprint, Response, g, make_response, request
from flask_babel import gettext

from homecircle import audiences, members
from homecircle.archive import pile
from homecircle.archive.gathering import Wish
from homecircle.errors import HouseError, Invalid
from homecircle.web import guard, rendering
from homecircle.web.house import house

pages = Blueprint("bringing", __name__, url_prefix="/house/move-in")


class State(NamedTuple):
    """How the last one goes. `name` is what it is called in the folder for arrivals, None where it lies elsewhere."""

    told: dict[str, Any]
    name: str | None
    is_mine: bool
    failed: str
    reasons: list[tuple[str, int, list[str]]]
    whom: str
    ticked: list[str]

    @property
    def is_busy(self) -> bool:
        return not self.told["finished"]


@pages.get("")
@guard.admin
def index() -> Response:
    """What lies there, and how it goes. With ?part=state only how it goes."""
    part = request.args.get("part") == "state"
    return _index({}, template="bringing/_state.html" if part else "bringing/index.html")


@pages.post("")
@guard.admin
def create() -> Response:
    """Look at one thing, or bring it in for whom it says."""
    form = request.form
    try:
        source = pile.arrived(house().folder, form.get("what", ""))
        audience = audiences.chosen(g.me.id, form.get("whom", ""), form.getlist("for"))
        house().bringing.begin(Wish(source, g.me.id, audience, form.get("look") == "1", form.get("files") == "1"))
    except HouseError as error:
        return _index({getattr(error, "field", "") or "what": rendering.sentence(error)}, error.status)
    return rendering.lead_to("bringing.index")


@pages.post("/stop")
@guard.admin
def stop() -> Response:
    """Stop; what came by then stays."""
    house().bringing.stop()
    return rendering.lead_to("bringing.index")


@pages.post("/done")
@guard.admin
def done() -> Response:
    """Put the report away."""
    house().bringing.forget()
    return rendering.lead_to("bringing.index")


def _index(problems: dict[str, str], status: int = 200, template: str = "bringing/index.html") -> Response:
    folder, lying = house().folder, list[pile.Lying]()
    try:
        lying = pile.lying(folder)
    except Invalid as error:
        problems = problems or {"what": rendering.sentence(error)}
    drawn = rendering.page(template, lying=lying, arrivals=str(folder.arrivals), free=folder.free(),
                           state=_state(), people=_people(), errors=problems)  # fmt: skip
    return make_response(drawn, status)


def _people() -> list[members.Face]:
    return [face for number, face in members.present().items() if number != g.me.id]


def _state() -> State | None:
    told = house().bringing.told()
    if told is None:
        return None
    path, arrivals, failed = Path(told["path"]), house().folder.arrivals, told["failed"]
    name = "" if path == arrivals else path.name if path.parent == arrivals else None
    report = told["report"]
    reasons = [(_why(why), number, [path for path, its in report["left"] if its == why])
               for why, number in report["why"].items()]  # fmt: skip
    whom, ticked = _whom(told["audience"])
    return State(told, name, told["member"] == g.me.id, rendering.sentence(failed) if failed else "", reasons,
                 whom, ticked)  # fmt: skip


def _whom(audience_id: int | None) -> tuple[str, list[str]]:
    """What is chosen at *For whom?*: what the form says that came back, else what was chosen the last time."""
    if request.method == "POST":
        return request.form.get("whom", "me"), request.form.getlist("for")
    if audience_id is None or audience_id == audiences.EVERYONE:
        return "everyone" if audience_id else "me", []
    named = audiences.members_of(audience_id)
    return "some", [face.id for number, face in members.present().items() if number in named]


def _why(why: str) -> str:
    return str({
        "kind": gettext("no picture or video that HomeCircle can show"), "empty": gettext("empty"),
        "large": gettext("larger than 4 GB"), "locked": gettext("locked with a password"),
        "damaged": gettext("damaged"), "unreadable": gettext("could not be read"),
        "trash": gettext("from Google's trash"),
    }[why])  # fmt: skip
