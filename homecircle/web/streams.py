"""The open live streams and the one thread that tells them: none of them holds a thread of the server's.

A stream's answer is begun like any other; once its greeting is out the connection below keeps it open (`KEEP` in the
environ, see `listening`) and the worker is free. After every commit the teller goes round: each stream hears what is
new for *its* member since its cursor, what several ask alike is asked once, on one connection. Measured with 24 streams
against a waiting thread for each (README, P12, P15, P18).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from homecircle import db, devices, events, notices, presence
from homecircle.devices import Pass
from homecircle.events import Happening

STREAMS = 24  # live streams at once
KEEP = "homecircle.keep"  # where the server takes a stream over
HEARTBEAT = 15.0  # seconds of silence
PRESENCE_EVERY = 15.0  # seconds between two hints that somebody came or went
GLANCE = 2.5  # seconds between two looks at what changes without a commit
LOADS_WITHIN = 30.0  # seconds between drawing a page and its stream
HELLO = b"event: hello\ndata: \n\n"
log = logging.getLogger("homecircle")


class Hint(NamedTuple):
    """One line of the stream: `event` and the public id it is about."""

    event: str
    id: str


class Line(Protocol):
    """The connection below a stream; neither call waits for the other side."""

    def send(self, data: bytes) -> None: ...
    def end(self) -> None: ...


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


class _Answers:
    """What the streams ask in one round, asked once for all who ask the same."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], Any] = {}

    def once(self, what: tuple[object, ...], question: Callable[[], Any]) -> Any:
        if what not in self._known:
            self._known[what] = question()
        return self._known[what]


class Stream:
    """One page's stream: for whom it is, how far it has been told, and the line it goes out on."""

    def __init__(self, streams: Streams, me: Pass, cursor: str) -> None:
        self.me, self.cursor = me, cursor
        self.heard = events.rung()
        self._streams = streams
        self._line: Line | None = None
        self._turn, self._told = presence.turn() if not presence.turned_within(LOADS_WITHIN) else -1, 0.0
        self._said_at = time.monotonic()

    def greeting(self) -> bytes:
        """Return its first lines, with what has happened since its cursor."""
        return HELLO + (self._news(_Answers()) or b"")

    def begin(self, line: Line) -> None:
        """The greeting is out: from here on it is told on this line."""
        self._line = line
        self._streams.begin(self)

    def lost(self) -> None:
        """The other side is gone: called by whoever notices, however often."""
        self._streams.leave(self)

    def end(self) -> None:
        """End it from here."""
        self.lost()
        if self._line is not None:
            self._line.end()

    def tell(self, rung: int, answers: _Answers) -> None:
        """Send what is new, a sign of life when there was nothing for long; end it where it may not hear any more."""
        line = self._line
        if line is None:
            return
        said: bytes | None = b""
        if self.heard != rung:
            self.heard = rung
            said = self._news(answers)
        elif self._somebody_came(answers):  # told late, or gone without a ring
            said = b"event: presence\ndata: \n\n"
        if said is None:
            self.end()
            return
        now = time.monotonic()
        if not said and now - self._said_at >= HEARTBEAT:
            said = b": still here\n\n"
        if said:
            self._said_at = now
            line.send(said)

    def _somebody_came(self, answers: _Answers) -> bool:
        """Say whether somebody came or went, at most four times a minute, and only to one who shows themself too."""
        if presence.turn() == self._turn or time.monotonic() - self._told < PRESENCE_EVERY:
            return False
        self._turn, self._told = presence.turn(), time.monotonic()
        return bool(answers.once(("shares", self.me.id), lambda: presence.shares_of(self.me.id)) == "minute")

    def _news(self, answers: _Answers) -> bytes | None:
        """What is new since the cursor, as lines; None when this device may not hear it any more."""
        me, since = self.me, self.cursor
        if not answers.once(("open", me.device_id, me.id), lambda: devices.is_open(me.device_id, me.id)):
            return None
        found = answers.once(("since", me.reader, since), lambda: events.since(me.reader, since))
        if found is None:
            self.cursor = answers.once(("cursor", me.reader), lambda: events.cursor(me.reader))
            return f"id: {self.cursor}\nevent: resync\ndata: \n\n".encode()
        self.cursor = found[-1].token if found else since
        news = hints(found)
        if self._somebody_came(answers):
            news.append(Hint("presence", ""))
        lines = [f"event: {each.event}\ndata: {each.id}\n" for each in dict.fromkeys(news)]
        # only the last line moves the page's cursor: a line cut in the middle of these tells the rest again
        return ("\n".join(lines) + f"id: {self.cursor}\n\n").encode() if lines else b""


class Streams:
    """All open streams of a house, at most `STREAMS`. Their thread begins with the first one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places: set[Stream] = set()
        self._begun: list[Stream] = []
        self._left: list[Stream] = []
        self._teller: threading.Thread | None = None

    def __len__(self) -> int:
        return len(self._places)

    def open(self, me: Pass, cursor: str) -> Stream | None:
        """Take a place for a page of this device, from a cursor on; None when all are taken."""
        stream = Stream(self, me, cursor)
        with self._lock:
            if len(self._places) >= STREAMS:
                return None
            self._places.add(stream)
        presence.arrive(me.id)
        return stream

    def begin(self, stream: Stream) -> None:
        """From now on tell this one too."""
        with self._lock:
            if stream in self._places:
                self._begun.append(stream)
            self._wake_teller()
        if events.rung() != stream.heard:  # the teller may have gone round just before
            events.ring()

    def leave(self, stream: Stream) -> None:
        """Give its place back; whose page it was hears so in the next round."""
        with self._lock:
            if stream not in self._places:
                return
            self._places.discard(stream)
            self._left.append(stream)
            if not events.closing():
                self._wake_teller()

    def _wake_teller(self) -> None:
        if self._teller is None or not self._teller.is_alive():
            self._teller = threading.Thread(target=self._tell, name="live", daemon=True)
            self._teller.start()

    def _tell(self) -> None:
        while not events.closing():
            rung = events.rung()
            try:
                self._go_round(rung)
            except Exception:
                log.exception("telling the live pages failed")
            events.wait(rung, GLANCE)
        self._say_goodbye()

    def _say_goodbye(self) -> None:
        """The house stops: all have gone, and are told so on lines that end as they should."""
        begun = self._taken_stock()
        for stream in begun:
            stream.lost()
        self._taken_stock()
        for stream in begun:
            stream.end()

    def _go_round(self, rung: int) -> None:
        begun, answers = self._taken_stock(), _Answers()
        if not begun:
            return
        with db.connection():
            for stream in begun:
                try:
                    stream.tell(rung, answers)
                except Exception:
                    log.exception("a live page could not be told")
                    stream.end()

    def _taken_stock(self) -> list[Stream]:
        """Return those that are open; those that left are told to have gone."""
        with self._lock:
            left, self._left = self._left, []
            begun = self._begun = [each for each in self._begun if each in self._places]
        for each in left:
            presence.depart(each.me.id)
        return begun
