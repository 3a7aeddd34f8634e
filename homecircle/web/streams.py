"""The open live streams and the one thread that tells them: none of them holds a thread of the server's.

A stream's answer is begun like any other; once its greeting is out the connection below keeps it open (`KEEP` in the
environ, see `listening`) and the worker is free. After every commit the teller goes round: each stream hears what is
new for *its* member since its cursor, what several ask alike is asked once, on one connection. Measured with 24 streams
against a waiting thread for each (README, P12, P15, P18).
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

from homecircle import db, devices, events, notices, presence
from homecircle.devices import Pass
from homecircle.events import Happening

STREAMS = 24  # live streams at once
KEEP = "homecircle.keep"  # where the server takes a stream over
HEARTBEAT = 15.0  # seconds of silence
PRESENCE_EVERY = 15.0  # seconds between two hints that somebody came or went
GLANCE = 2.5  # seconds between two looks at what changes without a commit
STOPS_WITHIN = 2.0  # seconds
LOADS_WITHIN = 30.0  # seconds between drawing a page and its stream
HELLO = b"event: hello\ndata: \n\n"
log = logging.getLogger("homecircle")


class Hint(NamedTuple):
    """One line of the stream: `event` and the public id it is about."""

    event: str
    id: str


class Line(Protocol):
    """The connection below a stream; neither call waits for the other side. `send` says whether there is one still."""

    def send(self, data: bytes) -> bool: ...
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
        self.me, self.cursor, self.heard = me, cursor, -1
        self._streams = streams
        self._line: Line | None = None
        self._turn, self._told = presence.turn() if not presence.turned_within(LOADS_WITHIN) else -1, 0.0
        self._said_at = time.monotonic()

    def greeting(self) -> bytes:
        """Return its first lines, with what has happened since its cursor."""
        self.heard = events.rung()
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

    def has_to_ask(self, rung: int) -> bool:
        """Say whether there may be something new for it."""
        return self.heard != rung or presence.turn() != self._turn

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
            if not line.send(said):
                self.lost()

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
    """All open streams of a house, at most `STREAMS`. Its two threads begin with the first one.

    One tells. The other writes down who left: that may have to wait for the disk, or for who writes at the moment, and
    a page that is not told anything for half a minute would be taken for dead.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places: set[Stream] = set()
        self._begun: list[Stream] = []
        self._left: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def __len__(self) -> int:
        return len(self._places)

    def open(self, me: Pass, cursor: str) -> tuple[Stream, bytes] | None:
        """Take a place for a page of this device, from a cursor on; returns the stream and its first lines.

        None when all places are taken. The stream is told more once it has begun; until then `lost` is its only end.
        """
        stream = Stream(self, me, cursor)
        with self._lock:
            if len(self._places) >= STREAMS:
                return None
            self._places.add(stream)
        try:
            presence.arrive(me.id)
            return stream, stream.greeting()
        except BaseException:
            self.leave(stream)
            raise

    def begin(self, stream: Stream) -> None:
        """From now on tell this one too."""
        with self._lock:
            if stream in self._places:
                self._begun.append(stream)
            self._run()
        if events.closing():
            stream.end()
        elif events.rung() != stream.heard:  # the teller may have gone round just before
            events.ring()

    def leave(self, stream: Stream) -> None:
        """Give its place back; whose page it was is not here any more."""
        with self._lock:
            if stream not in self._places:
                return
            self._places.discard(stream)
            self._left.put(stream.me.id)
            self._run()

    def close(self) -> None:
        """Wait until all have been told that the house stops (`events.close` has said so), and what is left is done."""
        with self._lock:
            threads, self._threads = self._threads, []
        if threads:
            self._left.put(None)
        for each in threads:
            each.join(STOPS_WITHIN)

    def _run(self) -> None:
        if events.closing() or any(each.is_alive() for each in self._threads):
            return
        self._threads = [threading.Thread(target=self._tell, name="live", daemon=True),
                         threading.Thread(target=self._write_down, name="left", daemon=True)]  # fmt: skip
        for each in self._threads:
            each.start()

    def _tell(self) -> None:
        while not events.closing():
            rung = events.rung()
            with _logged("telling the live pages"):
                self._go_round(rung)
            events.wait(rung, GLANCE)
        for stream in self._still_here():
            with _logged("ending a live page"):
                stream.end()

    def _go_round(self, rung: int) -> None:
        begun, answers = self._still_here(), _Answers()
        with db.connection() if any(each.has_to_ask(rung) for each in begun) else contextlib.nullcontext():
            for stream in begun:
                try:
                    stream.tell(rung, answers)
                except Exception:
                    log.exception("a live page could not be told")
                    stream.end()

    def _still_here(self) -> list[Stream]:
        with self._lock:
            self._begun = [each for each in self._begun if each in self._places]
            return list(self._begun)

    def _write_down(self) -> None:
        while (member_id := self._left.get()) is not None:
            with _logged("writing down who left"):
                presence.depart(member_id)


@contextlib.contextmanager
def _logged(what: str) -> Iterator[None]:
    try:
        yield
    except Exception:
        log.exception("%s failed", what)
