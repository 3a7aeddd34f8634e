"""What an admin does for the house's safety: back up now, test a restore, see how far that is."""

from __future__ import annotations

from flask import Blueprint, Response, g, make_response

from homecircle.errors import NotFound
from homecircle.web import guard, rendering
from homecircle.web.house import house
from homecircle.web.strips import LATER

LATER_LASTS = 7 * 86400  # seconds
pages = Blueprint("upkeep", __name__, url_prefix="/house")


@pages.post("/work/<what>")
@guard.admin
def begin(what: str) -> Response:
    """Begin a backup, or try out whether the newest one can be restored."""
    if what not in {"backup", "drill"}:
        raise NotFound
    house().begin_work(what)
    return rendering.lead_to("house.index", _anchor="backup")


@pages.get("/work")
@guard.admin
def work() -> Response:
    """How far it is: a part of *Our home*, fetched again and again until it is done."""
    told = house().work()
    answer = make_response(rendering.page("house/_work.html", work=told))
    if told.get("finished", True):
        answer.headers["HX-Refresh"] = "true"  # the rest of the page tells of it too
    return answer


@pages.post("/later")
@guard.admin
def later() -> Response:
    """*Not now*: the strip about the backup stays away from this browser for seven days."""
    answer = rendering.lead_to("feed.index")
    answer.set_cookie(LATER, "backup", max_age=LATER_LASTS, secure=g.door == "away", httponly=True, samesite="Lax")
    return answer
