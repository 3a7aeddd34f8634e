"""Copies without place, serials and names; real files of tests/samples, real decoders."""

from __future__ import annotations

import struct

import pytest

from homecircle.vault.cleaning import cleaned
from homecircle.vault.images import Undrawable, draw
from tests.samples import make
from tests.test_images import TELLING, opened, read

CLEANABLE = [
    "lake-12mp.jpg",
    "phone.heic",
    "phone.avif",
    "still.webp",
    "turning.webp",
    "turning.gif",
    "alpha.png",
    "cmyk.jpg",
    "wide-gamut.jpg",
    "palette.png",
    "grey-16bit.png",
    "orientation-6.jpg",
]


@pytest.mark.parametrize("name", CLEANABLE)
def test_cleaned_keeps_the_pixels_and_forgets_the_rest(name: str) -> None:
    data = read(name)
    copy = cleaned(data)
    assert not [word for word in TELLING if word in copy]
    before, after = opened(data), opened(copy)
    frames = getattr(before, "n_frames", 1)
    assert getattr(after, "n_frames", 1) == frames
    for frame in range(frames):
        before.seek(frame)
        after.seek(frame)
        assert before.size == after.size
        assert before.convert("RGBA").tobytes() == after.convert("RGBA").tobytes()
    assert before.info.get("icc_profile") == after.info.get("icc_profile")
    assert before.info.get("loop") == after.info.get("loop")
    assert not draw(copy).has_place
    assert draw(copy).drawings == draw(data).drawings, "upright and coloured as before"
    assert cleaned(copy) == copy


@pytest.mark.parametrize("name", ["lake-12mp.jpg", "phone.heic", "phone.avif", "still.webp", "alpha.png"])
def test_cleaned_keeps_the_moment_and_names_nobody(name: str) -> None:
    picture = draw(cleaned(read(name)))
    assert (picture.taken, picture.offset) == ("2026-07-03T20:41:05", "+02:00")
    assert picture.camera == ""


def test_cleaned_cuts_the_film_behind_the_picture() -> None:
    copy = cleaned(read("lake-12mp.jpg"))
    assert b"ftyp" not in copy
    assert copy.endswith(b"\xff\xd9")


def test_cleaned_finds_comments_between_the_scans() -> None:
    data = make.jpeg(make.corners(), 90, progressive=True)
    at = data.index(b"\xff\xda", data.index(b"\xff\xda") + 2)
    note = b"\xff\xfe" + struct.pack(">H", len(make.COMMENT) + 2) + make.COMMENT.encode()
    copy = cleaned(data[:at] + note + data[at:])
    assert make.COMMENT.encode() not in copy
    assert opened(copy).tobytes() == opened(data).tobytes()


def test_cleaned_drops_the_words_of_a_png() -> None:
    from PIL import PngImagePlugin

    words = PngImagePlugin.PngInfo()
    words.add_text("Author", make.OWNER)
    words.add_itxt("XML:com.adobe.xmp", make.telling_xmp().decode())
    data = make.encoded(make.corners(), "PNG", pnginfo=words)
    assert draw(data).has_place
    copy = cleaned(data + b"behind the end " + make.SERIAL.encode())
    assert not [word for word in TELLING if word in copy]
    assert copy.endswith(b"IEND\xaeB`\x82")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (read("drawing.svg"), "cannot_clean"),
        (read("empty.jpg"), "cannot_clean"),
        (b"\0\0\0\x18ftypisom\0\0\2\0isomavc1", "cannot_clean"),
        (read("truncated.jpg"), "damaged"),
        (read("alpha.png")[:-20], "damaged"),
        (read("phone.heic")[:900], "damaged"),
        (read("turning.gif")[:-9], "damaged"),
        (read("still.webp")[:-9], "damaged"),
    ],
)
def test_cleaned_refuses_what_it_does_not_know(data: bytes, reason: str) -> None:
    with pytest.raises(Undrawable) as refused:
        cleaned(data)
    assert refused.value.reason == reason
