"""A full disk: reading, deleting, starting and stopping go on; writing waits with a sentence."""

from __future__ import annotations

import http.client
import shutil
import threading
import time
from collections.abc import Callable

import pytest

from homecircle.files import BALLAST, LEAST
from tests.faults.family import FORM, House, Line, photo
from tests.faults.image import Image

AT_ONCE = 1.0  # seconds until a write is refused
BACK_IN = 10.0  # seconds from room on the disk to a post that is taken
DISKS = [("ext4", 640, "-m", "0"), ("ext4", 640, "-m", "0", "-b", "1024"), ("xfs", 640)]  # -m 0: nothing kept for root


@pytest.mark.parametrize("image", DISKS, indirect=True, ids=["ext4", "ext4-1k", "xfs"])
def test_a_full_disk_reads_deletes_starts_and_comes_back(
    image: Image, house: House, tell: Callable[[str], None]
) -> None:
    house.start()
    posts = [house.line().publish(f"post {number}") for number in range(6)]
    _await(lambda: house.folder.ballast.exists() and house.folder.ballast.stat().st_size == BALLAST)
    filler = image.fill()
    assert image_is_full(house)
    refused = _stands_full(house, posts[:2])
    assert house.stop() == 0
    started = house.start()
    refused = max(refused, _stands_full(house, posts[2:4]))
    house.kill()
    house.start()
    _stands_full(house, posts[4:])
    filler.unlink()
    back = _await(lambda: house.line().publish(f"room again {time.monotonic()}"))
    assert house.line().ask("GET", f"/feed/{posts[0]}").status == 404  # what was deleted stays deleted
    assert house.check() == [] and house.stop() == 0 and house.check() == []
    assert refused <= AT_ONCE and back <= BACK_IN
    tell(f"{image.kind}: refused in {refused:.3f} s, started full in {started:.2f} s, back in {back:.3f} s")


def image_is_full(house: House) -> bool:
    return house.folder.free() < LEAST


def _stands_full(house: House, posts: list[str]) -> float:
    """Read, be refused, delete: on a disk without a free byte. Returns the slowest refusal in seconds."""
    line = house.line("Ben")
    assert line.ask("GET", "/").status == 200 and line.ask("GET", f"/feed/{posts[0]}").status == 200
    slowest = 0.0
    for write in (_words, _tus, _whole_form, _photo_form):
        began = time.monotonic()
        answer = write(house.line())
        slowest = max(slowest, time.monotonic() - began)
        assert answer.status == 507, (write.__name__, answer.status)
        assert b"no space left" in answer.text, write.__name__
    for post in posts:
        assert house.line().post(f"/feed/{post}/delete").status == 303
        assert line.ask("GET", f"/feed/{post}").status == 404
    assert line.ask("GET", "/").status == 200
    return slowest


def _words(line: Line) -> http.client.HTTPResponse:
    return line.post("/feed", text="no room for this", once="full")


def _tus(line: Line) -> http.client.HTTPResponse:
    return line.ask("POST", "/uploads", Upload_Length="1000000", Tus_Resumable="1.0.0")


def _whole_form(line: Line) -> http.client.HTTPResponse:
    return line.ask("POST", "/feed", b"text=" + b"a" * 300_000, Content_Type=FORM)


def _photo_form(line: Line) -> http.client.HTTPResponse:
    """Eight MiB in one form: more than the disk could even take in on the way."""
    mark = b"--frontier\r\n"
    head = mark + b'Content-Disposition: form-data; name="photos"; filename="a.jpg"\r\n\r\n'
    return line.ask("POST", "/feed", head + photo(8 << 20) + b"\r\n--frontier--\r\n",
                    Content_Type="multipart/form-data; boundary=frontier")  # fmt: skip


def _await(is_so: Callable[[], object]) -> float:
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() - began < 20
        threading.Event().wait(0.05)
    return time.monotonic() - began


@pytest.mark.parametrize("image", [("ext4", 640, "-m", "0")], indirect=True, ids=["ext4"])
def test_a_disk_that_fills_under_load_loses_nothing(image: Image, house: House, tell: Callable[[str], None]) -> None:
    house.start()
    house.write(1.5, lambda: (threading.Event().wait(0.5), image.fill(), threading.Event().wait(1.0)))
    assert house.check() == []
    assert house.line().ask("GET", "/").status == 200
    house.kill()
    house.start()
    assert house.check() == []
    tell(f"{len(house.said)} acknowledged while it filled, 0 lost")


@pytest.mark.parametrize("image", [("ext4", 4096, "-m", "0", "-N", "1024")], indirect=True, ids=["ext4"])
def test_a_disk_without_room_for_a_file_reads_deletes_starts_and_comes_back(
    image: Image, house: House, tell: Callable[[str], None]
) -> None:
    house.start()
    house.write(0.7, lambda: None)
    posts = [house.line().publish(f"post {number}") for number in range(6)]
    _await(lambda: all(spare.exists() for spare in house.folder.spares))
    filler = image.fill_with_names()
    refused = _stands_full(house, posts[:2])
    assert house.stop() == 0
    image.fill_with_names()  # what the house gave back at its end is taken by another
    started = house.start()
    refused = max(refused, _stands_full(house, posts[2:4]))
    house.kill()
    house.start()
    _stands_full(house, posts[4:])
    shutil.rmtree(filler)
    back = _await(lambda: house.line().publish(f"room again {time.monotonic()}"))
    assert house.check() == [] and house.stop() == 0 and house.check() == []
    assert back <= BACK_IN
    tell(f"no inode left: refused in {refused:.3f} s, started in {started:.2f} s, back in {back:.3f} s, "
         f"{len(house.said)} acknowledged, 0 lost")  # fmt: skip
