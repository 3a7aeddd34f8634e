"""Who may come in: token to device to member, same origin, closed by default.

Every route is closed to strangers unless its view carries one visible line, ``@anyone``; ``@admin`` closes it to
members as well, ``@own`` to shared devices and to those that somebody else has just added in a member's name. On a
shared device the pages about oneself and the house (`PRIVATE`) are closed too, media are not kept, and ten minutes
without a person's doing lead back to *Who is here?*. Unsafe methods must come from the same origin:
``Sec-Fetch-Site``, when present, is ``same-origin`` (on http://homecircle.local Chromium sends none); ``Origin``, when
present, equals this request's scheme and host exactly; neither is only right for a program with a bearer token.
"""

from __future__ import annotations

from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import Any, TypeVar

from flask import Flask, Response, current_app, g, request

from homecircle import circle, db, devices
from homecircle.errors import NotAllowed, NotFound
from homecircle.web import rendering

COOKIES = {"home": "hc_lan", "away": "__Host-hc"}
COOKIE_LASTS = 400 * 86400  # seconds; the longest that browsers keep
SAFE = {"GET", "HEAD", "OPTIONS"}
BODY_OF_STRANGERS = 64 << 10
PRIVATE = {
    "settings",
    "devices",
    "setup",
    "arriving",
    "admin",
    "bringing",
}  # pages that a shared device does not open, unless marked
SERVE = "homecircle.serve"  # where the server wants to be told for which device a request is answered
EMPTIED = '"cache", "storage"'
View = TypeVar("View", bound=Callable[..., Any])


def anyone(view: View) -> View:
    """Open a view to strangers."""
    return _marked(view, open_to="anyone")


def admin(view: View) -> View:
    """Open a view to admins only."""
    return _marked(view, open_to="admins")


def own(view: View) -> View:
    """Open a view to a member's own devices only: not on a shared one, nor on one that is still limited."""
    return _marked(view, open_to="own")


def at_tablet(view: View) -> View:
    """Open a view to whoever stands at a shared device, with or without a face."""
    return _marked(view, open_to="tablet")


def everywhere(view: View) -> View:
    """Leave a view of a private noun open on shared devices."""
    return _marked(view, is_everywhere=True)


def programs(view: View) -> View:
    """Open a view to members, and to programs that bring a bearer token instead of a cookie."""
    return _marked(view, open_to="programs")


def medium(view: View) -> View:
    """Say that a view answers with something that is no page: strangers get 401 instead of being led to the door."""
    return _marked(view, is_medium=True)


def _marked(view: View, **marks: object) -> View:
    """Note on the view itself what `admit` asks of it; a decorator put round it carries the note on."""
    vars(view).update(marks)
    return view


def admit() -> Response | tuple[str, int] | None:
    """Let the request through (None), or answer it here: before any view runs, for unknown addresses too."""
    view = current_app.view_functions.get(request.endpoint or "")
    open_to = getattr(view, "open_to", "members")
    g.me, g.tablet = _visitor(open_to), None
    if token() and (g.me is None or g.me.kind == "shared"):
        g.tablet = devices.find_tablet(token(), g.door)
    if request.method not in SAFE and not _same_origin():
        raise NotAllowed("This came from another page, so HomeCircle did not do it. Please try again from here.")
    if open_to == "tablet" and g.tablet is not None:
        return None
    if g.me is None and open_to != "anyone":
        return _turn_away(view)
    if g.me is not None:
        request.environ.get(SERVE, _nothing)(g.me)
        devices.note_use(g.me, is_active=_is_a_persons_doing(view))
        return _keep_private(view, open_to)
    return None


def caller() -> devices.Caller:
    """Return where this request comes from, as guesses are counted."""
    return devices.Caller(g.door, g.address)


def let_in(answer: Response, token: str) -> Response:
    """Give this browser a device's token: a cookie that scripts cannot read, for this door alone."""
    away = g.door == "away"
    answer.set_cookie(COOKIES[g.door], token, max_age=COOKIE_LASTS, path="/", secure=away, httponly=True,
                      samesite="Lax")  # fmt: skip
    return answer


def let_out(answer: Response) -> Response:
    """Take the token back and empty what this browser has stored."""
    answer.delete_cookie(COOKIES[g.door], path="/", secure=g.door == "away", httponly=True, samesite="Lax")
    return empty(answer)


def empty(answer: Response) -> Response:
    """Empty what this browser has stored of the house, but for its token."""
    answer.headers["Clear-Site-Data"] = EMPTIED
    return answer


def was_signed_out() -> int | None:
    """Return whose this browser was, when it brings the cookie of a device that has been signed out (0: nobody's)."""
    return devices.was_signed_out(token(), g.door) if token() and g.me is None else None


def is_suspended() -> bool:
    """Say whether this browser's device waits for an admin's tick after a restore; it keeps its cookie."""
    return bool(token()) and g.me is None and devices.is_suspended(token(), g.door)


def token() -> str:
    """Return the token that this browser brings."""
    return request.cookies.get(COOKIES[g.door], "")


def sender(headers: dict[str, str], door: str) -> devices.Pass | None:
    """Return what the token in complete request headers (WSGI-style names without HTTP_) opens, or None.

    `server` asks this before it takes a body of more than 64 KiB: a stranger can cost no disk.
    """
    token = _bearer(headers.get("AUTHORIZATION", ""))
    if not token:
        try:
            jar = SimpleCookie(headers.get("COOKIE", ""))
        except CookieError:
            return None
        token = jar[COOKIES[door]].value if COOKIES[door] in jar else ""
    if not token:
        return None
    with db.connection():
        return devices.recognise(token, door)


def install(app: Flask) -> None:
    """Put the guard before every request."""
    app.before_request(admit)
    app.after_request(_keep_nothing)


def _visitor(open_to: str) -> devices.Pass | None:
    bearer = _bearer(request.headers.get("Authorization", ""))
    if bearer:
        found = devices.recognise(bearer, g.door)
        return found if open_to == "programs" and found is not None and found.kind == "program" else None
    found = devices.recognise(token(), g.door) if token() else None
    return None if found is None or found.kind == "program" else found


def _nothing(_me: devices.Pass) -> None:
    """For a request that came through no connection of the server's: a test client's."""


def _bearer(header: str) -> str:
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _same_origin() -> bool:
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if _bearer(request.headers.get("Authorization", "")):
        return True  # a program's token is no ambient authority: no other page can make a browser send it
    if site is not None and site != "same-origin":
        return False
    if origin is not None:
        return origin == f"{request.scheme}://{request.host}"
    return site is not None


def _keep_private(view: object, open_to: str) -> Response | None:
    if open_to == "admins" and not g.me.is_admin:
        raise NotAllowed("This is for whoever looks after HomeCircle.")
    is_private = request.blueprint in PRIVATE and not hasattr(view, "is_everywhere") and open_to != "anyone"
    if open_to == "tablet":
        raise NotFound
    if g.me.kind == "shared" and request.endpoint == "settings.index":
        return rendering.lead_to("shared.index", stay=1)
    if g.me.kind == "shared" and (is_private or open_to == "own"):
        raise NotAllowed("This is done on a device of your own.")
    if open_to == "own" and g.me.limited:
        raise NotAllowed("Somebody else added this device for you. On another device of yours, say that it is yours.")
    return None


def _is_a_persons_doing(view: object) -> bool:
    """Whether somebody stands there: a page opened, a form sent, more asked for; not what a page fetches by itself."""
    if request.method not in SAFE:
        return True
    if request.blueprint == "live" or hasattr(view, "is_medium"):
        return False
    return not request.headers.get("HX-Request") or "before" in request.args


def _keep_nothing(answer: Response) -> Response:
    """On a shared device: nothing but the style sheets stays in the browser, and an idle page asks who is here."""
    if g.get("tablet") is None:
        return answer
    if request.endpoint != "static":
        answer.headers["Cache-Control"] = "private, no-store"
    if g.me is not None and answer.mimetype == "text/html" and not request.headers.get("HX-Request"):
        answer.headers["Refresh"] = str(int(devices.IDLE.total_seconds()) + 5)
    return answer


def _turn_away(view: object) -> Response | tuple[str, int]:
    """Pages lead to the door (303 to /hello); everything else is 401. A house nobody has claimed leads to set-up."""
    is_page = request.method in SAFE and not hasattr(view, "is_medium") and not request.headers.get("HX-Request")
    if is_page and request.accept_mimetypes.accept_html:
        unclaimed = g.door == "home" and not circle.get().is_claimed
        door = "setup.code" if unclaimed else "shared.index" if g.tablet else "devices.hello"
        return rendering.lead_to(door)
    return "", 401
