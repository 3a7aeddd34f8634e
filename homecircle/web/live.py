"""Live: one event stream per visible page, hints only; and its polling twin.

A hint is a name and an id, never content: the page fetches its own fragment, so that rights and language are right for
each member. After every commit each stream asks what is new for *its* member since its cursor, on a connection it
holds only for that moment. Past 24 streams the answer is 503 and the page polls.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from flask import Blueprint, Response, g, request

from homecircle import db, devices, events, notices, presence
from homecircle.devices import Pass
from homecircle.events import Happening
from homecircle.web import guard
from homecircle.web.house import STREAMS, House, house

HEARTBEAT = 15.0  # seconds
PRESENCE_EVERY = 15.0  # seconds between two hints that somebody came or went
GLANCE = 2.5  # seconds between two looks whether the other side is still there
LOADS_WITHIN = 30.0  # seconds between drawing a page and its stream
RETRY_AFTER = 20
pages = Blueprint("live", __name__, url_prefix="/live")


class Hint(NamedTuple):
    """One line of the stream: `event` and the public id it is about."""

    event: str
    id: str


@pages.get("")
@guard.medium
def index() -> Response:
    """The stream, from ?since= (or Last-Event-ID) on; 503 when all places are taken."""
    here = house()
    if here.streams >= STREAMS:
        return Response(status=503, headers={"Retry-After": str(RETRY_AFTER)})
    cursor = request.headers.get("Last-Event-ID") or request.args.get("since", "")
    gone: Callable[[], bool] = request.environ.get("waitress.client_disconnected", lambda: False)
    answer = Response(_Stream(here, g.me, cursor, gone), mimetype="text/event-stream", direct_passthrough=True)
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


def hints(happenings: list[Happening]) -> list[Hint]:
    """Return what a page should look at again, each thing once."""
    found = [Hint(*each) for happening in happenings for each in _hints(happening)]
    return list(dict.fromkeys(found))


def _hints(happening: Happening) -> list[tuple[str, str]]:
    noun, _, verb = happening.verb.partition(".")
    subject = happening.subject
    if noun == "post":
        first = [("feed", subject), ("since", "")] if verb in {"published", "restored"} else []
        return [*first, (f"post-{subject}", subject)]
    if happening.verb == "link.drawn":
        return [(f"post-{subject}", subject)]
    if noun in {"message", "mark"} and happening.post:
        told = [("since", "")] if verb in {"said", "made"} else []
        return [(f"post-{happening.post}", happening.post), *told]
    if happening.verb in notices.TOLD_OF_DEVICES:
        return [("notice", ""), ("since", "")]
    if happening.verb == "wave.sent":
        return [("since", ""), ("wave", "")]
    if happening.verb == "item.drawn":
        return [(f"item-{subject}", subject)]
    if noun in {"member", "presence"}:
        return [("presence", subject), *([("feed", happening.post)] if happening.post else [])]
    return []


class _Asked:
    """What the streams ask after a commit, asked once for all who ask the same.

    24 streams of five members are 5 questions then and not 24, on one connection and not on 24 at once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rung = -1
        self._answers: dict[tuple[object, ...], Any] = {}

    def once(self, rung: int, what: tuple[object, ...], question: Callable[[], Any]) -> Any:
        """Return the answer to `question` as it was after the bell had rung so often, or later."""
        with self._lock:
            if rung > self._rung:
                self._rung = rung
                self._answers.clear()
            if what in self._answers:
                return self._answers[what]
            with db.connection():
                answer = question()
            if answer is not False:  # a door that was closed may be opened again without a ring
                self._answers[what] = answer
            return answer


_asked = _Asked()


class _Stream:
    """The lines of one stream. An iterator of its own, so that its end (`close`) is told even before its first line."""

    def __init__(self, here: House, me: Pass, cursor: str, gone: Callable[[], bool]) -> None:
        self.here, self.me, self.cursor, self.gone = here, me, cursor, gone
        here.streams += 1
        self.open = True
        self.turn, self.told = presence.turn() if not presence.turned_within(LOADS_WITHIN) else -1, 0.0
        presence.arrive(me.id)
        self.lines = self._lines()

    def __iter__(self) -> Iterator[bytes]:
        return self.lines

    def close(self) -> None:
        """Give the place back; called by waitress however the stream ends."""
        if self.open:
            self.open = False
            self.here.streams -= 1
            presence.depart(self.me.id)

    def _lines(self) -> Iterator[bytes]:
        yield b"event: hello\ndata: \n\n"
        heard = -1
        while not events.closing() and not self.gone():
            if events.rung() != heard:
                heard = events.rung()
                news = self._news(heard)
                if news is None:
                    return
                if news:
                    yield news
            quiet = 0.0
            while events.rung() == heard and quiet < HEARTBEAT and not events.closing() and not self.gone():
                events.wait(heard, GLANCE)
                quiet += GLANCE
                if events.rung() == heard and self._somebody_came():  # told late, or gone without a ring
                    yield b"event: presence\ndata: \n\n"
            if quiet >= HEARTBEAT:
                yield b": still here\n\n"

    def _somebody_came(self) -> bool:
        """Say whether somebody came or went, at most four times a minute, and only to one who shows themself too."""
        if presence.turn() == self.turn or time.monotonic() - self.told < PRESENCE_EVERY:
            return False
        self.turn, self.told = presence.turn(), time.monotonic()
        with db.connection():
            return presence.shares_of(self.me.id) == "minute"

    def _news(self, heard: int) -> bytes | None:
        """What is new since the cursor, as lines; None when this device may not hear it any more."""
        me, since = self.me, self.cursor
        if not _asked.once(heard, (me.device_id, me.id), lambda: devices.is_open(me.device_id, me.id)):
            return None
        found = _asked.once(heard, (me.reader, since), lambda: events.since(me.reader, since))
        if found is None:
            self.cursor = _asked.once(heard, (me.reader,), lambda: events.cursor(me.reader))
            return f"id: {self.cursor}\nevent: resync\ndata: \n\n".encode()
        self.cursor = found[-1].token if found else since
        news = hints(found)
        if self._somebody_came():
            news.append(Hint("presence", ""))
        lines = [f"event: {each.event}\ndata: {each.id}\n" for each in dict.fromkeys(news)]
        # only the last line moves the page's cursor: a line cut in the middle of these tells the rest again
        return ("\n".join(lines) + f"id: {self.cursor}\n\n").encode() if lines else b""
