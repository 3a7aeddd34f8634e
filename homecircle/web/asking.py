"""The pages of a stranger's other ways in: ask to be let in and wait, the recovery sheet, one's own other door."""

from __future__ import annotations

from flask import Blueprint, Response, g, make_response, request, url_for

from homecircle import devices, membership
from homecircle.errors import HouseError
from homecircle.web import doorstep, guard, rendering

COOKIE = "hc_ask"
COOKIE_LASTS = 1200  # seconds
pages = Blueprint("asking", __name__)


@pages.get("/hello/ask")
@guard.anyone
def new() -> Response:
    """Ask to be let in; or, when this browser has asked, its two words until somebody answers.

    With ?part=waiting the fragment that is fetched again and again; a granted one sends the page here, where the token
    is handed over.
    """
    found = devices.standing(request.cookies.get(COOKIE, ""), g.door)
    if request.args.get("part") == "waiting":
        answer = make_response(rendering.page("asking/_waiting.html", standing=found))
        if found.state != "waiting":
            answer.headers["HX-Redirect"] = url_for("asking.new")
        return answer
    if found.state == "granted":
        return _come_in(found)
    if found.state == "waiting":
        return make_response(rendering.page("asking/waiting.html", standing=found, errors={}))
    return _form({}, was_asked=COOKIE in request.cookies)


@pages.post("/hello/ask")
@guard.anyone
def create() -> Response:
    """Ask under a name."""
    try:
        secret, _ = devices.ask(request.form.get("name", ""), doorstep.device_kind(), guard.caller(),
                                request.cookies.get(COOKIE, ""))  # fmt: skip
    except HouseError as error:
        return _form(doorstep.problems(error), error.status)
    return _waits(secret)


@pages.post("/hello/ask/code")
@guard.anyone
def create_with_code() -> Response:
    """The first device outside: its own request is granted by a code from the machine."""
    secret = request.cookies.get(COOKIE, "")
    try:
        devices.grant_by_code(secret, request.form.get("code", ""), guard.caller())
    except HouseError as error:
        return doorstep.told(error, "asking/waiting.html", standing=devices.standing(secret, g.door))
    return rendering.lead_to("asking.new")


@pages.get("/hello/sheet")
@guard.anyone
def sheet() -> str:
    """I have the recovery sheet: its ten words."""
    return rendering.page("asking/sheet.html", errors={}, words="")


@pages.post("/hello/sheet")
@guard.anyone
def create_with_sheet() -> Response:
    """Come in with the words of the sheet."""
    words = request.form.get("words", "")[:400]
    try:
        return doorstep.pair(devices.look_words(words, guard.caller()), "/hello/sheet")
    except HouseError as error:
        return doorstep.told(error, "asking/sheet.html", words=words)


@pages.get("/join/here")
@guard.anyone
def here() -> Response:
    """What an icon on the home screen opens: with its own cookie straight home, else it hands its place on."""
    if g.me is not None:
        return rendering.lead_to("feed.index", _anchor="main")
    return make_response(rendering.page("asking/carry.html", action="/join/here", errors={}))


@pages.post("/join/here")
@guard.anyone
def come_here() -> Response:
    """One more token for a device that has its place."""
    try:
        found = devices.look(request.form.get("secret", ""), guard.caller())
        return doorstep.enter(devices.use_here(found, g.door)[0], found.kind)
    except HouseError as error:
        return doorstep.told(error, "asking/carry.html", action="/join/here")


@pages.get("/join/away")
@guard.anyone
def away() -> str:
    """What a device of ours opens at the away address, to ask for that door too."""
    return rendering.page("asking/carry.html", action="/join/away", errors={})


@pages.post("/join/away")
@guard.anyone
def ask_away() -> Response:
    """Ask for the away door: two words are shown, an own away device or an admin's picks them."""
    try:
        ticket = devices.look(request.form.get("secret", ""), guard.caller())
        secret, _ = devices.ask_to_cross(ticket, guard.caller(), request.cookies.get(COOKIE, ""))
    except HouseError as error:
        return doorstep.told(error, "asking/carry.html", action="/join/away")
    return _waits(secret)


def _waits(secret: str) -> Response:
    answer: Response = rendering.lead_to("asking.new")
    answer.set_cookie(COOKIE, secret, max_age=COOKIE_LASTS, path="/hello", secure=g.door == "away", httponly=True,
                      samesite="Lax")  # fmt: skip
    return answer


def _come_in(found: devices.Standing) -> Response:
    token, _ = membership.claim(request.cookies.get(COOKIE, ""), g.door)
    answer = doorstep.enter(token, "member" if found.is_new else "device")
    answer.delete_cookie(COOKIE, path="/hello", secure=g.door == "away", httponly=True, samesite="Lax")
    return answer


def _form(problems: dict[str, str], status: int = 200, *, was_asked: bool = False) -> Response:
    drawn = rendering.page("asking/new.html", errors=problems, name=request.form.get("name", ""),
                           may_ask=devices.may_ask(g.door), was_asked=was_asked)  # fmt: skip
    answer = make_response(drawn, status)
    if was_asked:
        answer.delete_cookie(COOKIE, path="/hello", secure=g.door == "away", httponly=True, samesite="Lax")
    return answer
