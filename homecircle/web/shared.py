"""Who is here? The pages of a shared device, at which nobody sits until a face is tapped."""

from __future__ import annotations

from typing import NamedTuple

from flask import Blueprint, Response, g, make_response, request

from homecircle import devices, members
from homecircle.errors import HouseError
from homecircle.web import doorstep, guard, rendering

pages = Blueprint("shared", __name__, url_prefix="/who")


class FaceChoice(NamedTuple):
    """A face to tap."""

    face: members.Face
    has_pin: bool
    is_closed: bool


@pages.get("")
@guard.at_tablet
def index() -> Response:
    """The faces of those who agreed to be shown here."""
    if g.me is not None and request.args.get("stay") is None:
        return rendering.lead_to("feed.index")
    return _faces({})


@pages.get("/<member>")
@guard.at_tablet
def show(member: str) -> Response:
    """Ask for one face's PIN."""
    return _faces({}, chosen=member)


@pages.post("")
@guard.at_tablet
def create() -> Response:
    """Open a face."""
    form = request.form
    try:
        devices.sit(g.tablet, form.get("member", ""), form.get("pin", ""))
    except HouseError as error:
        return _faces(doorstep.problems(error), error.status, form.get("member", ""))
    return rendering.lead_to("feed.index")


@pages.post("/delete")
@guard.at_tablet
def delete() -> Response:
    """I am done: nobody sits here any more, and the browser keeps nothing."""
    devices.stand_up(g.tablet)
    return rendering.lead_to("shared.index")


def _faces(problems: dict[str, str], status: int = 200, chosen: str = "") -> Response:
    present = members.present()
    faces = [FaceChoice(present[each.member_id], each.has_pin, each.is_closed) for each in devices.choices(g.tablet)]
    one = next((each for each in faces if each.face.id == chosen), None)
    answer = make_response(rendering.page("shared/index.html", faces=faces, chosen=one, errors=problems,
                                          tablet=g.tablet.name), status)  # fmt: skip
    if g.me is None:
        answer.headers["Clear-Site-Data"] = guard.EMPTIED
    return answer
