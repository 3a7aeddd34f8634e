"""Live streams as the server takes them over: who hears what and when, who is let go, and the one too many."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator

import pytest

from homecircle import db, events, presence
from homecircle.web import streams
from homecircle.web.streams import KEEP, STREAMS, Stream
from tests.conftest import Family, Home, Person

SOON = 3.0  # seconds


class Line:
    """What a connection would be given."""

    def __init__(self) -> None:
        self.said: queue.Queue[bytes | None] = queue.Queue()

    def send(self, data: bytes) -> bool:
        self.said.put(data)
        return True

    def end(self) -> None:
        self.said.put(None)

    def hears(self, word: bytes | None) -> bool:
        """Wait for a word, or for the end (None)."""
        until = time.monotonic() + SOON
        while (left := until - time.monotonic()) > 0:
            try:
                said = self.said.get(timeout=left)
            except queue.Empty:
                return False
            if said == word or (word and said and word in said):
                return True
        return False


@pytest.fixture(autouse=True)
def at_rest(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Afterwards nobody is told anything any more: the next test's house is another one."""
    monkeypatch.setattr(streams, "PRESENCE_EVERY", 0.0)
    yield
    events.close()
    home.house.streams.close()
    events.close(False)


def _open(home: Home, person: Person, since: str = "") -> tuple[Stream, bytes]:
    """Ask for the stream as the server would; returns it, not yet begun, and its greeting."""
    kept: list[Stream] = []
    answer = home.browser(person).get(f"/live?since={since}", environ_base={KEEP: kept.append})
    assert answer.status_code == 200 and answer.mimetype == "text/event-stream"
    assert answer.data.startswith(b"event: hello\n")
    return kept[0], answer.data


def _listen(home: Home, person: Person) -> tuple[Stream, Line]:
    stream, line = _open(home, person)[0], Line()
    stream.begin(line)
    return stream, line


def _is_here(person: Person, viewer: Person) -> bool:
    return next(each.is_here for each in presence.around(viewer.id) if each.member_id == person.id)


def test_the_stream_too_many_is_told_to_ask_instead(home: Home, family: Family) -> None:
    ben = home.browser(family.ben)
    for _ in range(STREAMS):
        _open(home, family.ben)
    kept: list[Stream] = []
    assert len(home.house.streams) == STREAMS == 24
    answer = ben.get("/live?since=", environ_base={KEEP: kept.append})
    assert answer.status_code == 503 and not kept
    assert int(answer.headers["Retry-After"]) <= 20
    assert len(home.house.streams) == STREAMS  # it took no place
    assert ben.get("/live/since?id=").status_code == 200


def test_each_hears_of_what_it_may_see_alone(home: Home, family: Family) -> None:
    (_, ben), (_, grandma) = _listen(home, family.ben), _listen(home, family.grandma)
    home.browser(family.ada).post("/feed", {"text": "A secret", "once": "1", "for": [family.ben.public_id]})
    assert ben.hears(b"event: feed\n")
    home.browser(family.ada).post("/feed", {"text": "For all", "once": "2"})
    told = grandma.said.get(timeout=SOON)
    assert told is not None and told.count(b"event: feed\n") == 1


def test_what_happens_before_the_server_has_taken_it_over_is_told(home: Home, family: Family) -> None:
    stream, greeting = _open(home, family.ben, since=events.cursor(family.ben.id))
    home.browser(family.ada).post("/feed", {"text": "In between", "once": "1"})
    assert b"event: feed\n" not in greeting
    line = Line()
    stream.begin(line)
    assert line.hears(b"event: feed\n")


def test_a_stream_ends_within_a_second_of_signing_out(home: Home, family: Family) -> None:
    stream, line = _listen(home, family.ben)
    began = time.monotonic()
    home.browser(family.ada).post(f"/devices/{stream.me.device}/delete")
    assert line.hears(None)
    assert time.monotonic() - began < 1
    assert len(home.house.streams) == 0


def test_one_who_left_gives_the_place_back_and_is_not_here_any_more(
    home: Home, family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, _ = _listen(home, family.ben)
    assert _is_here(family.ben, family.ada)
    monkeypatch.setattr(presence, "GRACE", 0.0)
    stream.lost()
    stream.lost()
    assert len(home.house.streams) == 0
    _wait_until_gone(family.ben, family.ada)


def test_presence_is_told_to_those_alone_who_show_it(home: Home, family: Family) -> None:
    presence.share(family.grandma.id, "hidden")
    (_, ada), (_, grandma) = _listen(home, family.ada), _listen(home, family.grandma)
    presence.arrive(family.ben.id)
    assert ada.hears(b"event: presence\n")
    assert grandma.said.empty()


def test_a_silent_stream_gives_a_sign_of_life(home: Home, family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT", 0.2)
    monkeypatch.setattr(streams, "GLANCE", 0.1)
    _, line = _listen(home, family.ben)
    assert line.hears(b": still here")


def test_a_line_that_fails_ends_its_own_stream_and_no_other(home: Home, family: Family) -> None:
    class Broken(Line):
        def send(self, data: bytes) -> bool:
            raise RuntimeError(data)

    stream, broken = _open(home, family.ben)[0], Broken()
    stream.begin(broken)
    _, line = _listen(home, family.grandma)
    home.browser(family.ada).post("/feed", {"text": "Hello", "once": "1"})
    assert broken.hears(None) and line.hears(b"event: feed\n")
    assert len(home.house.streams) == 1


def test_a_house_that_stops_ends_its_streams(home: Home, family: Family) -> None:
    _, line = _listen(home, family.ben)
    events.close()
    assert line.hears(None)
    assert len(home.house.streams) == 0


def test_a_line_that_is_gone_gives_its_place_back(home: Home, family: Family) -> None:
    class Gone(Line):
        def send(self, data: bytes) -> bool:
            super().send(data)
            return False

    stream, gone = _open(home, family.ben)[0], Gone()
    stream.begin(gone)
    home.browser(family.ada).post("/feed", {"text": "Hello", "once": "1"})
    assert gone.hears(b"event: feed\n")
    _wait_for_places(home, 0)


@pytest.mark.parametrize("broken", ["greeting", "arrive"])
def test_a_stream_that_cannot_begin_takes_no_place(
    home: Home, family: Family, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def fail(*_given: object) -> bytes:
        raise RuntimeError("the disk")

    monkeypatch.setattr(presence, "GRACE", 0.0)
    kept: list[Stream] = []
    ben = home.browser(family.ben)
    with monkeypatch.context() as patch:
        patch.setattr(*((Stream, "greeting") if broken == "greeting" else (presence, "_note")), fail)
        assert ben.get("/live?since=", environ_base={KEEP: kept.append}).status_code == 500
    assert not kept and len(home.house.streams) == 0
    _listen(home, family.ben)[0].lost()
    _wait_until_gone(family.ben, family.ada)


def test_one_departure_that_fails_loses_no_other(home: Home, family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "GRACE", 0.0)
    opened = [_listen(home, each)[0] for each in (family.ben, family.grandma)]
    depart = presence.depart

    def fails_for_ben(member_id: int) -> None:
        depart(member_id)
        if member_id == family.ben.id:
            raise RuntimeError("the disk")

    monkeypatch.setattr(presence, "depart", fails_for_ben)
    for stream in opened:
        stream.lost()
    _wait_until_gone(family.ben, family.ada)
    _wait_until_gone(family.grandma, family.ada)


def test_who_left_waits_for_the_disk_and_no_page_does(home: Home, family: Family) -> None:
    """The write lock is held: one who leaves is written down later, and the others hear what they have to meanwhile."""
    (leaving, _), (_, line) = _listen(home, family.ben), _listen(home, family.grandma)
    with db._writing:
        leaving.lost()
        events.ring()
        presence._pages.tell(family.ada.id)
        events.ring()
        assert line.hears(b"event: presence\n")


def _wait_for_places(home: Home, count: int) -> None:
    until = time.monotonic() + SOON
    while len(home.house.streams) != count and time.monotonic() < until:
        events.wait(events.rung(), 0.02)
    assert len(home.house.streams) == count


def _wait_until_gone(person: Person, viewer: Person) -> None:
    until = time.monotonic() + SOON
    while _is_here(person, viewer) and time.monotonic() < until:
        events.wait(events.rung(), 0.02)
    assert not _is_here(person, viewer)
