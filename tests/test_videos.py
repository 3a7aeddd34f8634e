"""What a film is and which of its bytes go; real clips of tests/samples, the real child, and boxes made by hand."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from homecircle.vault import answers, videos
from homecircle.vault import decoder as module
from homecircle.vault.decoder import Decoder
from homecircle.vault.images import Undrawable
from homecircle.vault.videos import Film, probe

SAMPLES = Path(__file__).parent / "samples"
CLIPS = ("turned.mp4", "apple.mov", "small.webm")
TELLING = (b"+47.3770", b"Ada Owner", b"film-comment", b"HC-SERIAL", b"\xa9xyz", b"loci", b"ISO6709")


def fetcher(data: bytes) -> Callable[[int, int], bytes]:
    return lambda at, length: data[at : at + length]


def probed(data: bytes) -> Film:
    return probe(fetcher(data), len(data))


def blanked(data: bytes, film: Film) -> bytes:
    out = bytearray(data)
    for at, length in film.blanks or ():
        out[at : at + length] = bytes(length)
    return bytes(out)


def reason(data: bytes) -> str:
    with pytest.raises(Undrawable) as refused:
        probed(data)
    return refused.value.reason


# --- Boxes by hand --------------------------------------------------------------------------------------------------


def box(name: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), name) + body


def full(name: bytes, *numbers: int) -> bytes:
    return box(name, struct.pack(f">{len(numbers) + 1}I", 0, *numbers))


def track(kind: bytes, *tables: bytes, size: tuple[int, int] = (0, 0)) -> bytes:
    matrix = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    head = box(b"tkhd", bytes(40), matrix, struct.pack(">II", size[0] << 16, size[1] << 16))
    handler = box(b"hdlr", bytes(8), kind, bytes(12))
    return box(b"trak", head, box(b"mdia", handler, box(b"minf", box(b"stbl", *tables))))


HEAD = box(b"ftyp", b"isom\0\0\2\0isommp42")
LENGTH = full(b"mvhd", 3_866_000_000, 0, 600, 1500) + b""
PICTURES = track(b"vide", size=(640, 360))


def movie(*boxes: bytes) -> bytes:
    return HEAD + box(b"moov", LENGTH, PICTURES, *boxes)


# --- The clips ------------------------------------------------------------------------------------------------------


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    one = Decoder()
    yield one
    one.close()


@pytest.mark.parametrize(
    ("name", "media_type", "size", "taken", "offset"),
    [
        ("turned.mp4", "video/mp4", (108, 192), "2026-07-03T18:41:05", "+00:00"),
        ("apple.mov", "video/quicktime", (192, 108), "2026-07-03T20:41:05", "+02:00"),
        ("small.webm", "video/webm", (192, 108), "2026-07-03T18:41:05", "+00:00"),
    ],
)
def test_probe_tells_what_a_clip_is(
    decoder: Decoder, name: str, media_type: str, size: tuple[int, int], taken: str, offset: str
) -> None:
    film = decoder.probe(SAMPLES / name)
    assert film == probed((SAMPLES / name).read_bytes())
    assert (film.media_type, film.width, film.height) == (media_type, *size)
    assert (film.taken, film.offset, film.has_place) == (taken, offset, True)
    assert film.duration == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize("name", CLIPS)
def test_blanks_forget_what_tells_and_keep_the_rest(name: str) -> None:
    data = (SAMPLES / name).read_bytes()
    assert [word for word in TELLING if word in data]
    film = probed(data)
    copy = blanked(data, film)
    assert not [word for word in TELLING if word in copy]
    again = probed(copy)
    assert not again.has_place
    assert (again.duration, again.width, again.height) == (film.duration, film.width, film.height)
    assert again.blanks is not None and blanked(copy, again) == copy
    assert sum(length for _, length in film.blanks or ()) < 1000, "the pictures stay"


def test_a_film_of_four_gigabytes_is_looked_into_and_not_read(decoder: Decoder, tmp_path: Path) -> None:
    moov = box(b"moov", LENGTH, PICTURES, box(b"udta", box(b"\xa9xyz", b"+47.3770+008.5415/")))
    large = 5 << 30
    with (tmp_path / "large.mp4").open("wb") as out:
        out.write(HEAD + struct.pack(">I4sQ", 1, b"mdat", large))
        out.seek(len(HEAD) + large)
        out.write(moov)
    film = decoder.probe(tmp_path / "large.mp4")
    assert (film.width, film.height, film.duration, film.has_place) == (640, 360, 2.5, True)
    at = len(HEAD) + large + len(moov) - 34
    assert film.blanks == ((at + 4, 30),)


def test_what_is_no_film_is_refused_by_the_child_that_goes_on(decoder: Decoder, tmp_path: Path) -> None:
    for name, wanted in (("cake.jpg", "not_a_picture"), ("empty.jpg", "not_a_picture")):
        with pytest.raises(Undrawable, match=wanted):
            decoder.probe(SAMPLES / name)
    (tmp_path / "cut.mp4").write_bytes((SAMPLES / "turned.mp4").read_bytes()[:9000])
    with pytest.raises(Undrawable, match="damaged"):
        decoder.probe(tmp_path / "cut.mp4")
    assert decoder.probe(SAMPLES / "small.webm").width == 192
    assert decoder.draw(SAMPLES / "palette.png").width == 240


# --- Boxes that tell ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "telling",
    [
        box(b"meta", box(b"hdlr", bytes(24)), box(b"keys", b"mdtacom.apple.quicktime.location.ISO6709")),
        box(b"udta", box(b"loci", bytes(20))),
        box(b"uuid", bytes(16), b"<exif:GPSLatitude>47,22N</exif:GPSLatitude>"),
    ],
)
def test_place_is_found_wherever_it_stands(telling: bytes) -> None:
    for data in (movie(telling), HEAD + telling + movie()[len(HEAD) :], movie() + telling):
        film = probed(data)
        assert film.has_place
        copy = blanked(data, film)
        assert telling[8:] not in copy and len(copy) == len(data)
        assert not probed(copy).has_place
    assert not probed(movie()).has_place
    assert probed(movie()).blanks == ()


def test_boxes_nobody_knows_and_padding_go() -> None:
    data = movie(box(b"XYZW", b"who knows")) + box(b"free", b"an older moov") + b"tail"
    copy = blanked(data, probed(data))
    assert not [word for word in (b"XYZW", b"who knows", b"older", b"tail") if word in copy]
    assert b"free" in copy


def test_sensor_tracks_go_with_their_samples() -> None:
    samples = b"47.3770N" + b"picture." + b"8.5415E_" + b"47.3771N"
    start = len(HEAD) + 8
    tables = [
        box(b"stsd", struct.pack(">III4s", 0, 1, 16, b"gpmd")),
        full(b"stsz", 8, 3),
        full(b"stsc", 2, 1, 1, 1, 2, 2, 1),
        full(b"stco", 2, start, start + 16),
    ]
    data = HEAD + box(b"mdat", samples) + movie(track(b"meta", *tables))[len(HEAD) :]
    film = probed(data)
    assert film.has_place
    assert film.blanks is not None and film.blanks[:2] == ((start, 8), (start + 16, 16))
    assert b"gpmd" not in blanked(data, film)
    assert b"picture." in blanked(data, film)
    sized = [tables[0], full(b"stsz", 0, 3, 8, 8, 8), *tables[2:]]
    assert probed(HEAD + box(b"mdat", samples) + movie(track(b"text", *sized))[len(HEAD) :]).blanks[:2] == (
        (start, 8),
        (start + 16, 16),
    )


def test_sensor_tracks_in_fragments_cannot_be_cleaned() -> None:
    film = probed(movie(track(b"meta"), box(b"mvex", full(b"mehd", 3000))))
    assert film.blanks is None
    assert film.duration == 5.0


def test_film_without_pictures_is_none() -> None:
    assert reason(HEAD + box(b"moov", LENGTH, track(b"soun"))) == "not_a_picture"


# --- Hostile --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        HEAD + struct.pack(">I4s", 7, b"moov"),
        HEAD + struct.pack(">I4sQ", 1, b"moov", 0),
        HEAD + struct.pack(">I4sQ", 1, b"moov", 1 << 63),
        HEAD + struct.pack(">I4s", 1 << 31, b"mdat"),
        HEAD + box(b"moov", struct.pack(">I4s", 999, b"trak")),
        HEAD + box(b"moov", box(b"mvhd")),
        HEAD + box(b"free") * 60_000,
    ],
)
def test_sizes_that_lie_are_damaged(data: bytes) -> None:
    assert reason(data) == "damaged"


def test_nesting_is_not_followed() -> None:
    deep = b""
    for _ in range(2000):
        deep = box(b"trak", deep)
    assert probed(movie(deep)).width == 640
    element = b""
    for _ in range(100):  # SimpleTag in SimpleTag
        element = b"\x67\xc8" + struct.pack(">Q", len(element) | 1 << 56) + element
    data = (SAMPLES / "small.webm").read_bytes()
    start = data.index(b"\x18\x53\x80\x67")
    tags = b"\x12\x54\xc3\x67" + struct.pack(">Q", len(element) + 10 | 1 << 56)
    tags += b"\x73\x73" + struct.pack(">Q", len(element) | 1 << 56) + element
    endless = data[: start + 4] + b"\x01" + b"\xff" * 7 + data[start + 12 :] + tags
    assert probed(endless).blanks is None
    assert probed(endless).width == 192


def test_more_than_we_look_at_cannot_be_cleaned() -> None:
    film = probed(movie() + (box(b"moof") + box(b"mdat", bytes(2000))) * 5000)
    assert film.width == 640
    assert film.blanks is None


def test_live_clusters_without_length_are_walked_through() -> None:
    data = (SAMPLES / "small.webm").read_bytes()
    at = data.index(b"\x1f\x43\xb6\x75")
    length = 9 - data[at + 4].bit_length()
    live = data[: at + 4] + bytes([(1 << 9 - length) - 1]) + b"\xff" * (length - 1) + data[at + 4 + length :]
    assert probed(live) == probed(data)


@pytest.mark.parametrize("name", CLIPS)
def test_any_bytes_are_answered_in_our_own_words(name: str) -> None:
    data = (SAMPLES / name).read_bytes()
    chance, reasons = Random(4), set()
    telling = [at for at in range(len(data)) if at < 1200 or at > len(data) - 3200]
    for _ in range(1500):
        broken = bytearray(data)
        for _ in range(chance.randint(1, 6)):
            broken[chance.choice(telling)] = chance.choice((0, 1, 0x7F, 0xFF, chance.randrange(256)))
        cut = bytes(broken[: chance.choice((len(data), chance.randrange(len(data))))])
        try:
            film = probed(cut)
        except Undrawable as refused:
            reasons.add(refused.reason)
        else:
            _believed(film, len(cut))
    assert reasons == {"damaged", "not_a_picture"}


def _believed(film: Film, size: int) -> None:
    """The parent believes whatever the walk found."""
    told = {name: getattr(film, name) for name in Film.__slots__}
    body = b"".join(answers.BLANK.pack(*each) for each in film.blanks or ())
    told["blanks"] = None if film.blanks is None else len(film.blanks)
    assert answers.film(told, body, size) == film


# --- A child that lies ----------------------------------------------------------------------------------------------

HONEST: dict[str, Any] = {
    "media_type": "video/mp4", "duration": 2.0, "width": 9, "height": 9, "taken": None, "offset": None,
    "has_place": False, "blanks": 2,
}  # fmt: skip
BODY = struct.pack(">4Q", 10, 5, 20, 80)


@pytest.mark.parametrize(
    "lie",
    [
        {"media_type": "image/jpeg"},
        {"duration": float("nan")},
        {"duration": 2},
        {"width": 0},
        {"height": 1 << 16},
        {"blanks": 1},
        {"blanks": None},
        {"taken": "yesterday"},
        {"has_place": 1},
        {"more": 1},
    ],
)
def test_a_lying_child_is_not_believed(lie: dict[str, Any]) -> None:
    assert answers.film(HONEST, BODY, 100).blanks == ((10, 5), (20, 80))
    with pytest.raises(answers.Died):
        answers.film(HONEST | lie, BODY, 100)


@pytest.mark.parametrize("blanks", [(10, 5, 14, 9), (10, 0, 20, 9), (10, 5, 20, 81), (10, 5, 1 << 63, 1 << 63)])
def test_blanks_outside_or_crossed_are_not_believed(blanks: tuple[int, ...]) -> None:
    with pytest.raises(answers.Died):
        answers.film(HONEST, struct.pack(">4Q", *blanks), 100)


@pytest.mark.parametrize(
    "wanted",
    [
        [(0, videos.RANGE_LIMIT + 1)],
        [(1 << 40, 10)],
        [(0, 0)],
        [(0, 10)] * (videos.RANGES_LIMIT + 1),
        [(0, videos.RANGE_LIMIT)] * (videos.BYTES_LIMIT // videos.RANGE_LIMIT + 1),
    ],
)
def test_a_greedy_child_gets_no_more(tmp_path: Path, wanted: list[tuple[int, int]]) -> None:
    path = tmp_path / "film"
    path.write_bytes(bytes(1 << 20))
    child = object.__new__(module._Child)
    served: list[int] = []
    words = iter(b"".join(module.ANSWER.pack(0, length) + module.WANTED.pack(at) for at, length in wanted))
    child.served, child._patience = 1, 10.0
    child._begin = lambda processor: None
    child._read = lambda length: bytes(next(words) for _ in range(length))
    child._write = lambda data: served.append(len(data))
    with path.open("rb") as source, pytest.raises(answers.Died):
        child.ask(b"p", source, os.fstat(source.fileno()).st_size)
    assert sum(served) <= videos.BYTES_LIMIT + module.ASK.size


def flagged(name: bytes, *numbers: int) -> bytes:
    """Like `full`; the first number is the version and the flags."""
    return box(name, struct.pack(f">{len(numbers)}I", *numbers))


def recording(*fragments: bytes) -> bytes:
    """Its head says no length: a track of pictures, 30,000 ticks a second, 1,000 a sample unless said."""
    matrix = (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    shown = full(b"tkhd", 0, 0, 1, *[0] * 6, *matrix, 640 << 16, 360 << 16)
    times = full(b"mdhd", 0, 0, 30_000, 0, 0)
    picture = box(b"trak", shown, box(b"mdia", times, box(b"hdlr", bytes(8), b"vide", bytes(12))))
    extends = box(b"mvex", full(b"trex", 1, 1, 1000, 0, 0))
    return HEAD + box(b"moov", full(b"mvhd", 0, 0, 1000, 0), picture, extends) + b"".join(fragments)


def fragment(*boxes: bytes) -> bytes:
    return box(b"moof", full(b"mfhd", 1), box(b"traf", *boxes)) + box(b"mdat", bytes(50))


PLAIN = flagged(b"tfhd", 0, 1)


@pytest.mark.parametrize(
    ("fragments", "seconds"),
    [
        ([], 0.0),
        ([fragment(PLAIN, flagged(b"trun", 0, 60))] * 3, 6.0),
        ([fragment(flagged(b"tfhd", 8, 1, 500), flagged(b"trun", 5, 60, 9, 9))], 1.0),
        ([fragment(flagged(b"tfhd", 3, 1, 0, 0, 7), flagged(b"trun", 0x301, 2, 9, 15_000, 1, 30_000, 1))], 1.5),
        ([fragment(PLAIN, full(b"tfdt", 300_000), flagged(b"trun", 0, 30))], 11.0),
        ([fragment(PLAIN, flagged(b"tfdt", 1 << 24, 1, 0), flagged(b"trun", 0, 30))], 143_166.577),
        ([fragment(PLAIN, flagged(b"trun", 0x100, 1 << 31, 30_000, 30_000))], 2.0),
    ],
)
def test_a_recording_that_does_not_say_how_long_it_is(fragments: list[bytes], seconds: float) -> None:
    film = probed(recording(*fragments))
    assert (film.width, film.height, film.duration) == (640, 360, seconds)
