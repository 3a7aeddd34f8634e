"""A disk that fails, closes itself to writing, or is slow: what was said yes to stays, and nobody reads a 500."""

from __future__ import annotations

import hashlib
import http.client
import statistics
import threading
import time
import urllib.parse
from collections.abc import Callable

import pytest

from tests.faults.family import House, Line, Switch, photo
from tests.faults.image import Image

PAGES = ("/", "/vault", "/threads", "/since", "/presence", "/members", "/settings", "/house")
SLOW = 500  # milliseconds
TUS = {"Tus_Resumable": "1.0.0"}


class Writes:
    """Every way to write, some begun while the disk was well."""

    def __init__(self, house: House, post: str) -> None:
        self._post, self._content = post, photo()
        self._first, self._second = (_begin(house.line(), len(self._content)) for _ in range(2))
        self.ways = (self.words, self.message, self.mark, self.tus, self.first_piece, self.last_piece, self.form)

    def words(self, line: Line) -> http.client.HTTPResponse:
        return line.post("/feed", text="nothing takes this", once="failing")

    def message(self, line: Line) -> http.client.HTTPResponse:
        return line.post(f"/feed/{self._post}/messages", text="nor this", once="failing")

    def mark(self, line: Line) -> http.client.HTTPResponse:
        return line.post(f"/feed/{self._post}/mark", mark="❤️")

    def tus(self, line: Line) -> http.client.HTTPResponse:
        return line.ask("POST", "/uploads", Upload_Length="1000", **TUS)

    def first_piece(self, line: Line) -> http.client.HTTPResponse:
        return _patch(line, self._first, self._content[:5000])

    def last_piece(self, line: Line) -> http.client.HTTPResponse:
        return _patch(line, self._second, self._content)

    def form(self, line: Line) -> http.client.HTTPResponse:
        mark = b"--frontier\r\n"
        head = mark + b'Content-Disposition: form-data; name="photos"; filename="a.jpg"\r\n\r\n'
        return line.ask("POST", "/feed", head + photo(8 << 20) + b"\r\n--frontier--\r\n",
                        Content_Type="multipart/form-data; boundary=frontier")  # fmt: skip


def test_writes_that_the_disk_refuses_are_told_and_go_on_when_it_takes_them(
    house: House, switch: Switch, tell: Callable[[str], None]
) -> None:
    house.start()
    writes = Writes(house, _something(house))
    switch.turn(write=True)
    told = _is_refused(house, writes, "disk at home takes nothing new")
    assert _health(house) == "degraded"
    switch.turn()
    _something(house)  # it goes on by itself
    assert house.stop() == 0
    house.start()
    assert house.check() == [] and _health(house) == "ok"
    tell(f"EIO on write: {told} ways to write refused in words, pages read, on without a restart, 0 lost")


def test_after_a_failed_fsync_nothing_is_said_yes_to_before_a_new_start(
    house: House, switch: Switch, tell: Callable[[str], None]
) -> None:
    house.start()
    writes = Writes(house, _something(house))
    switch.turn(sync=True)
    told = _is_refused(house, writes, "disk")
    switch.turn()  # the kernel would say yes now, to pages that it has dropped
    told += _is_refused(house, writes, "start HomeCircle again", only=(writes.words, writes.message, writes.mark))
    assert _health(house) == "degraded"
    assert house.stop() == 0
    house.start()
    assert house.check() == [] and _health(house) == "ok"
    _something(house)
    assert house.check() == []
    tell(f"EIO on fsync: {told} writes refused in words, pages read, after a new start 0 lost")


@pytest.mark.parametrize("way", ["write", "sync"])
def test_a_disk_that_fails_under_load_loses_nothing(
    house: House, switch: Switch, way: str, rounds: Callable[[int, int], int], tell: Callable[[str], None]
) -> None:
    for _ in range(rounds(2, 25)):
        house.start()
        house.write(1.0, lambda: (switch.turn(**{way: True}), threading.Event().wait(0.3)))
        switch.turn()
        house.kill()
        house.start()
        assert house.check() == []
        house.kill()
    tell(f"EIO on {way} under load: {rounds(2, 25)} times, {len(house.said)} acknowledged, 0 lost")


def test_a_slow_disk_lets_read_and_says_yes_only_when_it_is_true(
    house: House, switch: Switch, tell: Callable[[str], None]
) -> None:
    house.start()
    post = _something(house)
    reader, feeds, waits, codes = house.line("Ben"), list[float](), list[float](), list[int]()
    reader.ask("GET", "/")  # the visit is written down, once
    switch.turn(slow=SLOW)
    lines = [house.line(("Ada", "Cleo", "Grandma")[number % 3]) for number in range(12)]

    def say(line: Line, number: int) -> None:
        began = time.monotonic()
        codes.append(line.post(f"/feed/{post}/messages", text=f"slow {number}", once=f"slow {number}").status)
        waits.append(time.monotonic() - began)
        house.said.messages.add(f"slow {number}")

    writers = [threading.Thread(target=say, args=(line, number)) for number, line in enumerate(lines)]
    for each in writers:
        each.start()
    while any(each.is_alive() for each in writers):
        began = time.monotonic()
        assert reader.ask("GET", "/").status == 200
        feeds.append(time.monotonic() - began)
    content = photo()
    item = house.line("Ben").upload(content)
    house.said.photos[item] = hashlib.sha256(content).hexdigest()
    assert item and set(codes) <= {200, 303} and len(codes) == 12
    assert min(waits) >= SLOW / 1000  # no yes before its fsync has ended
    assert statistics.median(feeds) < SLOW / 1000  # a reader waits for no writer
    switch.turn()
    house.kill()
    house.start()
    assert house.check() == []
    tell(f"fsync of {SLOW} ms: feed p50 {statistics.median(feeds) * 1000:.0f} ms of {len(feeds)}; 12 writers: first "
         f"yes after {min(waits):.2f} s, last after {max(waits):.2f} s, 0 errors")  # fmt: skip


@pytest.mark.parametrize("image", [("ext4", 4096, "-m", "0", "-e", "remount-ro")], indirect=True, ids=["ext4"])
def test_a_disk_that_the_kernel_closes_is_read_and_told_and_opens_again(
    image: Image, house: House, tell: Callable[[str], None]
) -> None:
    house.start()
    house.write(0.7, lambda: None)
    writes = Writes(house, _something(house))
    image.fail()
    told = _is_refused(house, writes, "disk at home takes nothing new")
    assert _health(house) == "degraded"
    code = house.stop()
    assert code == 0
    _is_told_at_the_start(house)
    image.repair()
    house.start()
    assert house.check() == [] and _health(house) == "ok"
    _something(house)
    house.stop()
    image.unmount()
    image.mount("loop,ro")
    _is_told_at_the_start(house)
    image.unmount()
    image.mount()
    started = house.start()
    assert house.check() == []
    _something(house)
    tell(f"closed by the kernel: {told} writes refused in words, stopped with {code}, one sentence at a start, "
         f"{len(house.said)} acknowledged, 0 lost; open again: started in {started:.2f} s")  # fmt: skip


def _something(house: House) -> str:
    """A post, a message and a photo that are taken; returns the post."""
    line, text = house.line(), f"well {time.monotonic()}"
    post = line.publish(text)
    assert post
    house.said.posts[post] = text
    assert line.post(f"/feed/{post}/messages", text=text, once=text).status == 303
    house.said.messages.add(text)
    content = photo()
    item = line.upload(content)
    assert item
    house.said.photos[item] = hashlib.sha256(content).hexdigest()
    return post


def _is_refused(house: House, writes: Writes, sentence: str, only: tuple[object, ...] = ()) -> int:
    """No way to write is taken, each is told why, and every page is read meanwhile."""
    for write in only or writes.ways:
        answer = write(house.line())
        assert answer.status == 503, (write, answer.status, answer.text)
        assert sentence.encode() in answer.text, (write, answer.text)
        for who in ("Ada", "Ben"):
            assert [house.line(who).ask("GET", page).status for page in PAGES if who == "Ada" or page != "/house"] == [
                200
            ] * (len(PAGES) - (who == "Ben"))
    return len(only or writes.ways)


def _is_told_at_the_start(house: House) -> None:
    code, said = house.refusal()
    assert code == 1 and "may not write in" in said, said
    assert said.count("\n") <= 2 and "Traceback" not in said


def _health(house: House) -> str:
    answer = house.line().ask("GET", "/healthz")
    return "degraded" if b'"degraded"' in answer.text else "ok" if b'"ok"' in answer.text else ""


def _begin(line: Line, length: int) -> str:
    begun = line.ask("POST", "/uploads", Upload_Length=str(length), **TUS)
    assert begun.status == 201
    return urllib.parse.urlsplit(begun.getheader("Location", "")).path


def _patch(line: Line, place: str, content: bytes) -> http.client.HTTPResponse:
    return line.ask("PATCH", place, content, Upload_Offset="0", Content_Type="application/offset+octet-stream", **TUS)
