"""Live: one event stream per visible page, hints only; and its polling twin.

A hint is a name and an id, never content: the page fetches its own fragment, so that rights and language are right for
each member. How streams are told is in `streams`. Past 24 streams the answer is 503 and the page polls.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from flask import Blueprint, Response, g, request

from homecircle import events, presence
from homecircle.web import guard
from homecircle.web.house import house
from homecircle.web.streams import KEEP, Stream, hints

RETRY_AFTER = 20
pages = Blueprint("live", __name__, url_prefix="/live")


@pages.get("")
@guard.medium
def index() -> Response:
    """The stream, from ?since= (or Last-Event-ID) on; 503 when all places are taken."""
    keep: Callable[[Stream], None] | None = request.environ.get(KEEP)
    cursor = request.headers.get("Last-Event-ID") or request.args.get("since", "")
    if request.method == "HEAD":
        return Response(mimetype="text/event-stream")
    opened = house().streams.open(g.me, cursor) if keep else None
    if keep is None or opened is None:
        return Response(status=503, headers={"Retry-After": str(RETRY_AFTER)})
    stream, greeting = opened
    keep(stream)
    answer = Response(iter([greeting]), mimetype="text/event-stream")
    answer.headers["X-Accel-Buffering"] = "no"
    return answer


@pages.get("/since")
@guard.medium
def since() -> Response:
    """What came after ?id=, for a page without a stream: {"id": cursor, "hints": [[event, id]], "resync": bool}."""
    presence.polled(g.me.id)
    cursor = request.args.get("id", "")
    found = events.since(g.me.reader, cursor)
    # the last one told, never the newest there is: what came between the two questions would be told to nobody
    cursor = events.cursor(g.me.reader) if found is None else found[-1].token if found else cursor
    body = {"id": cursor, "hints": hints(found or []), "resync": found is None}
    return Response(json.dumps(body), mimetype="application/json")
