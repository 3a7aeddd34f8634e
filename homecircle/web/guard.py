"""Who may come in: token to device to member, same origin, closed by default.

Every route is closed to strangers unless its view carries one visible line, ``@anyone``; ``@admin`` closes it to
members as well. Unsafe methods must come from the same origin: ``Sec-Fetch-Site``, when present, is ``same-origin``
(on http://homecircle.local Chromium sends none); ``Origin``, when present, equals this request's scheme and host
exactly; neither is only right for a program with a bearer token (BARS.md, section 3).
"""

from __future__ import annotations

from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import Any, TypeVar

from flask import Flask, Response, current_app, g, redirect, request, url_for

from homecircle import circle, db, devices
from homecircle.errors import NotAllowed

COOKIES = {"home": "hc_lan", "away": "__Host-hc"}
COOKIE_LASTS = 400 * 86400  # seconds; the longest that browsers keep
SAFE = {"GET", "HEAD", "OPTIONS"}
BODY_OF_STRANGERS = 64 << 10
View = TypeVar("View", bound=Callable[..., Any])


def anyone(view: View) -> View:
    """Open a view to strangers."""
    view.open_to = "anyone"  # type: ignore[attr-defined]
    return view


def admin(view: View) -> View:
    """Open a view to admins only."""
    view.open_to = "admins"  # type: ignore[attr-defined]
    return view


def programs(view: View) -> View:
    """Open a view to members, and to programs that bring a bearer token instead of a cookie."""
    view.open_to = "programs"  # type: ignore[attr-defined]
    return view


def medium(view: View) -> View:
    """Say that a view answers with something that is no page: strangers get 401 instead of being led to the door."""
    view.is_medium = True  # type: ignore[attr-defined]
    return view


def admit() -> Response | tuple[str, int] | None:
    """Let the request through (None), or answer it here: before any view runs, for unknown addresses too."""
    view = current_app.view_functions.get(request.endpoint or "")
    open_to = getattr(view, "open_to", "members")
    g.me = _visitor(open_to)
    if request.method not in SAFE and not _same_origin():
        raise NotAllowed("This came from another page, so HomeCircle did not do it. Please try again from here.")
    if g.me is None and open_to != "anyone":
        return _turn_away(view)
    if g.me is not None:
        devices.note_use(g.me)
        if open_to == "admins" and not g.me.is_admin:
            raise NotAllowed("This is for whoever looks after HomeCircle.")
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
    answer.headers["Clear-Site-Data"] = '"cache", "storage"'
    return answer


def knows_token(headers: dict[str, str], door: str) -> bool:
    """Say whether complete request headers (WSGI-style names without HTTP_) carry a token of a paired device.

    `server` asks this before it takes a body of more than 64 KiB: a stranger can cost no disk (BARS.md X10).
    """
    token = _bearer(headers.get("AUTHORIZATION", ""))
    if not token:
        try:
            jar = SimpleCookie(headers.get("COOKIE", ""))
        except CookieError:
            return False
        token = jar[COOKIES[door]].value if COOKIES[door] in jar else ""
    if not token:
        return False
    with db.connection():
        return devices.recognise(token, door) is not None


def install(app: Flask) -> None:
    """Put the guard before every request."""
    app.before_request(admit)


def _visitor(open_to: str) -> devices.Pass | None:
    bearer = _bearer(request.headers.get("Authorization", ""))
    if bearer:
        found = devices.recognise(bearer, g.door)
        return found if open_to == "programs" and found is not None and found.kind == "program" else None
    token = request.cookies.get(COOKIES[g.door], "")
    found = devices.recognise(token, g.door) if token else None
    return None if found is None or found.kind == "program" else found


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


def _turn_away(view: object) -> Response | tuple[str, int]:
    """Pages lead to the door (303 to /hello); everything else is 401. A house nobody has claimed leads to set-up."""
    is_page = request.method in SAFE and not hasattr(view, "is_medium") and not request.headers.get("HX-Request")
    if is_page and request.accept_mimetypes.accept_html:
        unclaimed = g.door == "home" and not circle.get().is_claimed
        return redirect(url_for("setup.code" if unclaimed else "devices.hello"), 303)  # type: ignore[return-value]
    return "", 401
