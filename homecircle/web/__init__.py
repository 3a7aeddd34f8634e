"""create_app(): the pages of the house. A connection a request; house errors become pages.

The order of a request: `doors` (which door, known Host) -> connection -> `guard` (same origin, token -> device ->
member; closed unless marked) -> a page -> the header set on *every* answer, errors included.
"""

from __future__ import annotations

import gzip
import json
import logging
from contextlib import ExitStack

from flask import Flask, Response, current_app, g, make_response, request
from flask_babel import Babel, gettext
from werkzeug.exceptions import HTTPException

from homecircle import config, db
from homecircle.errors import HouseError
from homecircle.web import (
    admin,
    arriving,
    asking,
    bringing,
    circle,
    devices,
    doors,
    feed,
    guard,
    keeping,
    live,
    members,
    notices,
    presence,
    rendering,
    search,
    settings,
    setup,
    shared,
    strips,
    threads,
    trash,
    upkeep,
    uploads,
    vault,
)
from homecircle.web.house import House
from homecircle.web.house import house as the_house

BODY_LIMIT = 64 << 20
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Resource-Policy": "same-origin",
    "HC-Home": "1",  # ours: a page drops what it sent only on home's own word, not on that of a café's sign-in page
}
SENTENCES = {
    400: "HomeCircle could not understand that. Please go back and try again.",
    404: "There is no page at this address. Perhaps a part of it got lost on the way.",
    405: "HomeCircle could not understand that. Please go back and try again.",
    413: "That is too much at once: at most 10 files and 64 MB in one go.",
    500: "Something went wrong at home. It has been written down; please try again.",
}
log = logging.getLogger("homecircle.web")


def create_app(house: House) -> Flask:
    """Put the pages together for one house. The database is open."""
    templates = config.asset_folders()[1]
    app = Flask("homecircle", static_folder=None, template_folder=str(templates))
    app.config.update(
        MAX_CONTENT_LENGTH=BODY_LIMIT, MAX_FORM_PARTS=300, MAX_FORM_MEMORY_SIZE=1 << 20, TEMPLATES_AUTO_RELOAD=False,
        BABEL_TRANSLATION_DIRECTORIES=str(config.translations()),
    )  # fmt: skip
    app.jinja_options = {"bytecode_cache": rendering.Compiled(house.folder)}
    app.extensions["house"] = house
    Babel(app, locale_selector=rendering.language)
    app.before_request(_open)
    guard.install(app)
    rendering.install(app)
    strips.install(app)
    for page in (
        feed,
        threads,
        trash,
        keeping,
        vault,
        search,
        uploads,
        members,
        presence,
        notices,
        devices,
        setup,
        arriving,
        settings,
        circle,
        live,
        asking,
        shared,
        admin,
        bringing,
        upkeep,
    ):
        app.register_blueprint(page.pages)
    app.add_url_rule("/static/<version>/<path:path>", "static", guard.anyone(_static))
    app.add_url_rule("/healthz", "healthz", guard.anyone(_healthz))
    app.register_error_handler(HouseError, _refuse)
    app.register_error_handler(HTTPException, _refuse_http)
    app.register_error_handler(Exception, _apologise)
    app.after_request(_dress)
    app.teardown_request(_close)
    return app


def _open() -> Response | None:
    """Which door, is it ours, and a connection for this request."""
    house = the_house()
    g.door = doors.marker(request.environ)
    g.address, scheme = house.doors.client(request.environ)
    request.environ["wsgi.url_scheme"] = scheme
    g.opened = ExitStack()
    if not house.doors.knows(g.door, request.headers.get("Host", "")):
        return _elsewhere(house)
    g.opened.enter_context(db.connection())
    return None


def _close(_error: BaseException | None) -> None:
    if opened := g.pop("opened", None):
        opened.close()


def _elsewhere(house: House) -> Response:
    """421 for a Host that is not ours: where to go instead, said only to those who stand at home."""
    known = " ".join(house.addresses()) if g.door == "home" else ""
    answer = make_response(f"This is not the address of this house. {known}\n", 421)
    answer.mimetype = "text/plain"
    return answer


@guard.anyone
def _static(version: str, path: str) -> Response:
    found = rendering.asset(current_app, version, path)
    if found is None:
        return make_response("", 404)
    packed = found.packed and "gzip" in request.headers.get("Accept-Encoding", "")
    answer = Response(found.packed if packed else found.plain, mimetype=found.media_type)
    answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    if found.packed:
        answer.headers["Vary"] = "Accept-Encoding"
    if packed:
        answer.headers["Content-Encoding"] = "gzip"
    return answer


def _healthz() -> Response:
    found = the_house().details()
    status = str(found.get("status", "ok"))
    shown = found | {"status": status} if g.me is not None and g.me.is_admin else {"status": status}
    return Response(json.dumps(shown), mimetype="application/json")


def _refuse(error: HouseError) -> Response:
    answer = _error(error.status, rendering.sentence(error))
    if retry := getattr(error, "retry_after", 0):
        answer.headers["Retry-After"] = str(retry)
    return answer


def _refuse_http(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400:
        return error.get_response()  # type: ignore[return-value]  # typed as the base of flask's own
    return _error(status, gettext(SENTENCES.get(status, SENTENCES[400])))


def _apologise(error: Exception) -> Response:
    """The thread's edge: the one place where a page's bug is caught, with its traceback and without its words."""
    if told := db.refusal(error):
        return _refuse(told)
    log.error("page %s failed", request.endpoint, exc_info=error)
    return _error(500, gettext(SENTENCES[500]))


def _error(status: int, sentence: str) -> Response:
    """A refusal as a page, or for a program as RFC 9457."""
    if "json" in request.headers.get("Accept", "") or request.path.startswith("/uploads"):
        body = json.dumps({"type": "about:blank", "status": status, "title": sentence})
        return Response(body, status, mimetype="application/problem+json")
    return make_response(rendering.page("error.html", status=status, sentence=sentence), status)


def _dress(answer: Response) -> Response:
    """The header set on every answer; and gzip for pages that cross a network."""
    for name, value in HEADERS.items():
        answer.headers.setdefault(name, value)
    answer.headers.setdefault("Cache-Control", "private, no-store")
    if answer.mimetype == "text/html" and not answer.is_streamed and _may_pack(answer):
        answer.set_data(gzip.compress(answer.get_data(), 3, mtime=0))
        answer.headers["Content-Encoding"] = "gzip"
        answer.headers["Vary"] = "Accept-Encoding"
    return answer


def _may_pack(answer: Response) -> bool:
    # Behind a tunnel every peer is loopback, so the *Host* tells whether a network lies between.
    host = doors.split_host(request.headers.get("Host", ""))[0]
    accepted = "gzip" in request.headers.get("Accept-Encoding", "")
    return accepted and host not in doors.LOOPBACK and (answer.content_length or 0) > 800
