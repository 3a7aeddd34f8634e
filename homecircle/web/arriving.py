"""A fresh house's *I have a backup*: which one, as whom, and how far it is. See `backup.arriving`."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, make_response, request

from homecircle import backup, devices
from homecircle.errors import HouseError, NotFound
from homecircle.web import doorstep, guard, rendering
from homecircle.web.house import house

pages = Blueprint("arriving", __name__, url_prefix="/setup/backup")


@pages.get("")
@guard.admin
def index() -> Response:
    """The backups that can be found here, or in the folder that was typed (?place=)."""
    _refuse_lived_in()
    return _index({})


@pages.get("/chosen")
@guard.admin
def chosen() -> Response:
    """One backup: when, how much, and whose device this will be."""
    _refuse_lived_in()
    return _chosen({})


@pages.post("")
@guard.admin
def create() -> Response:
    """Begin to bring it back."""
    _refuse_lived_in()
    found = _choice(request.form.get("path", ""))
    seat = backup.Seat(request.form.get("member", ""), doorstep.device_kind(), devices.hashed(guard.token()).hex())
    try:
        _arrival().begin(found.path, seat)
    except HouseError as error:
        return _chosen(doorstep.problems(error), error.status)
    return rendering.lead_to("arriving.progress")


@pages.get("/progress")
@guard.admin
def progress() -> Response:
    """How far it is. With ?part=bar only that; in the house that has come back it leads to its devices."""
    told = _arrival().told
    if told.is_over and not told.message:
        return _done()
    why = backup.refusal(told)
    template = "arriving/_bar.html" if request.args.get("part") == "bar" else "arriving/progress.html"
    return make_response(rendering.page(template, told=told, why=rendering.sentence(why) if why else ""))


def _done() -> Response:
    """The restored house (or one in which nothing was asked for): the page itself goes on, not the part of it."""
    to = "admin.restored" if devices.has_suspended() else "feed.index"
    answer = rendering.lead_to(to)
    if rendering.asked_by_htmx():
        answer = make_response("", 200, {"HX-Redirect": answer.location})
    return answer


def _arrival() -> backup.Arrival:
    found = house().arrival
    if found is None:
        raise NotFound
    return found


def _refuse_lived_in() -> None:
    if not backup.is_fresh():
        raise NotFound


def _places() -> list[Path]:
    second = house().second_place
    return [house().folder.backups, *([second] if second else [])]


def _choice(path: str) -> backup.Choice:
    """The backup at `path`, which has to be in a place that is looked into: here, the second disk, or one typed."""
    for each in backup.choices([*_places(), Path(path), Path(path).parent]):
        if str(each.path) == path:
            return each
    raise NotFound


def _index(problems: dict[str, str]) -> Response:
    typed, places, status = request.args.get("place", ""), _places(), 200
    try:
        places += [backup.look_in(typed)] if typed else []
    except HouseError as error:
        problems, status = doorstep.problems(error), error.status
    drawn = rendering.page("arriving/index.html", found=backup.choices(places)[:50], place=typed, errors=problems)
    return make_response(drawn, status)


def _chosen(problems: dict[str, str], status: int = 200) -> Response:
    found = _choice(request.values.get("path", ""))
    drawn = rendering.page("arriving/chosen.html", found=found, admins=backup.admins(found.path), errors=problems)
    return make_response(drawn, status)
