"""What a picture is, and its drawings; real files of tests/samples, real decoders."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from homecircle.vault import images
from homecircle.vault.cleaning import cleaned
from homecircle.vault.images import Undrawable, draw, sniff
from tests.samples import make

SAMPLES = Path(__file__).parent / "samples"
GPS_BYTES = [b"GPSLatitude"] + [
    struct.pack(f"{order}II", round(seconds * 100), 100) for order in "<>" for *_, seconds in make.GPS_NUMBERS
]
TELLING = [word.encode() for word in make.SECRETS] + GPS_BYTES


def read(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def opened(data: bytes) -> Image.Image:
    images.load()
    return Image.open(io.BytesIO(data))


def quarters(picture: Image.Image) -> list[tuple[int, ...]]:
    """The colour in the middle of each quarter: NW, NE, SW, SE."""
    wide, high = picture.size
    spots = [(wide * x // 4, high * y // 4) for y in (1, 3) for x in (1, 3)]
    return [picture.convert("RGB").getpixel(spot) for spot in spots]


def is_near(one: tuple[int, ...], other: tuple[int, ...], tolerance: int) -> bool:
    return all(abs(a - b) <= tolerance for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (read("lake-12mp.jpg")[:64], "image/jpeg"),
        (read("alpha.png")[:64], "image/png"),
        (read("turning.gif")[:64], "image/gif"),
        (read("still.webp")[:64], "image/webp"),
        (read("phone.heic")[:64], "image/heic"),
        (read("phone.avif")[:64], "image/avif"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "image/heic"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", "image/avif"),
        (b"\0\0\0\x14ftypmif1\0\0\0\0mif1", "image/heif"),
        (b"\0\0\0\x18ftypisom\0\0\2\0isomavc1", "video/mp4"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "video/quicktime"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\1B\xf7\x81\1B\xf2\x81\4B\xf3\x81\x08B\x82\x84webm", "video/webm"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\1B\x82\x88matroska", None),
        (read("drawing.svg"), None),
        (read("text-named.jpg"), None),
        (b"", None),
        (b"\0\0\0\x18ftypevil", None),
        (b"%!PS-Adobe-3.0 EPSF-3.0", None),
        (b"BM\x46\0\0\0\0\0\0\0", None),
    ],
)
def test_sniff_tells_the_kind_by_the_first_bytes(head: bytes, media_type: str | None) -> None:
    assert sniff(head) == media_type


def test_sniff_needs_no_pillow() -> None:
    program = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('images', {images.__file__!r})\n"
        "module = sys.modules['images'] = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(module)\n"
        "assert module.sniff(b'GIF89a') == 'image/gif'\n"
        "sys.exit('PIL' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("number", range(1, 9))
def test_draw_turns_every_orientation_upright(number: int) -> None:
    picture = draw(read(f"orientation-{number}.jpg"))
    assert (picture.width, picture.height) == (240, 160)
    for one in picture.drawings:
        drawn = opened(one.data)
        assert drawn.size == (one.width, one.height) == (240, 160)
        for found, wanted in zip(quarters(drawn), make.CORNERS, strict=True):
            assert is_near(found, wanted, 12), number


def test_draw_tells_what_the_camera_said() -> None:
    picture = draw(read("lake-12mp.jpg"))
    assert (picture.media_type, picture.width, picture.height) == ("image/jpeg", 4032, 3024)
    assert (picture.taken, picture.offset) == ("2026-07-03T20:41:05", "+02:00")
    assert picture.camera == "HomeCircle One"
    assert picture.has_place
    assert not picture.animated
    sizes = [(one.edge, one.media_type, one.width, one.height) for one in picture.drawings]
    assert sizes == [
        (2016, "image/jpeg", 2016, 1512),
        (1080, "image/jpeg", 1080, 810),
        (320, "image/webp", 320, 240),
    ]
    sky, water = (
        opened(picture.drawings[1].data).getpixel((300, 20)),
        opened(picture.drawings[1].data).getpixel((500, 780)),
    )
    assert is_near(sky, (44, 48, 98), 40)
    assert is_near(water, (40, 44, 80), 60)


def test_draw_says_there_is_no_place_where_there_is_none() -> None:
    picture = draw(read("cake.jpg"))
    assert not picture.has_place
    assert picture.taken is not None
    plain = draw(read("palette.png"))
    assert (plain.taken, plain.offset, plain.camera, plain.has_place) == (None, None, "", False)


@pytest.mark.parametrize("name", ["phone.heic", "phone.avif", "still.webp"])
def test_draw_reads_the_same_of_every_format(name: str) -> None:
    picture = draw(read(name))
    assert (picture.taken, picture.camera, picture.has_place) == ("2026-07-03T20:41:05", "HomeCircle One", True)
    harbour = opened(read("harbour.jpg")).resize(opened(picture.drawings[0].data).size)
    distance = ImageChops.difference(harbour, opened(picture.drawings[0].data).convert("RGB")).resize(
        (1, 1), Image.Resampling.BOX
    )
    assert max(distance.getpixel((0, 0))) < 8


@pytest.mark.parametrize(
    ("size", "edges"),
    [
        ((4032, 3024), (2016, 1080, 320)),
        ((1500, 900), (2016, 1080, 320)),
        ((1080, 1080), (1080, 320)),
        ((240, 800), (1080, 320)),
        ((320, 200), (320,)),
        ((1, 1), (320,)),
    ],
)
def test_draw_never_enlarges_and_never_draws_a_size_twice(size: tuple[int, int], edges: tuple[int, ...]) -> None:
    picture = draw(make.jpeg(Image.new("RGB", size, "teal"), 80))
    assert tuple(one.edge for one in picture.drawings) == edges == images.edges_for(*size)
    sizes = [(one.width, one.height) for one in picture.drawings]
    assert len(set(sizes)) == len(sizes)
    assert all(max(each) <= max(size) for each in sizes)


def test_draw_keeps_a_long_thin_picture_one_pixel_thick() -> None:
    picture = draw(make.jpeg(Image.new("RGB", (9000, 2), "teal"), 80))
    assert [(one.width, one.height) for one in picture.drawings] == [(2016, 1), (1080, 1), (320, 1)]


def _from_wide_to_srgb(colour: tuple[int, ...]) -> tuple[int, ...]:
    """By hand: gamma 2.2, Display P3 to sRGB (both D65), IEC 61966-2-1."""
    linear = [(part / 255) ** 2.2 for part in colour]
    rows = ((1.2249, -0.2247, 0.0), (-0.0420, 1.0419, 0.0), (-0.0197, -0.0786, 1.0979))
    turned = [min(1.0, max(0.0, sum(a * b for a, b in zip(row, linear, strict=True)))) for row in rows]
    return tuple(round(255 * (12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055)) for v in turned)


def test_draw_brings_wide_gamut_to_srgb() -> None:
    drawn = opened(draw(read("wide-gamut.jpg")).drawings[0].data)
    for found, stored in zip(quarters(drawn), make.CORNERS, strict=True):
        assert is_near(found, _from_wide_to_srgb(stored), 9), (found, _from_wide_to_srgb(stored))
    assert not is_near(quarters(drawn)[1], make.CORNERS[1], 12), "green must have moved"


def test_draw_survives_a_broken_profile() -> None:
    picture = draw(make.jpeg(make.corners(), 90, icc_profile=b"no profile at all" * 20))
    assert is_near(quarters(opened(picture.drawings[0].data))[0], make.CORNERS[0], 12)


@pytest.mark.parametrize(("name", "tolerance"), [("cmyk.jpg", 14), ("palette.png", 14), ("turning.webp", 14)])
def test_draw_keeps_colours(name: str, tolerance: int) -> None:
    for found, wanted in zip(quarters(opened(draw(read(name)).drawings[0].data)), make.CORNERS, strict=True):
        assert is_near(found, wanted, tolerance)


def test_draw_scales_sixteen_bits() -> None:
    drawn = opened(draw(read("grey-16bit.png")).drawings[0].data).convert("L")
    for x in range(4, 256, 25):
        assert abs(drawn.getpixel((x, 30)) - x) <= 6


def test_draw_puts_transparency_on_white() -> None:
    drawn = opened(draw(read("alpha.png")).drawings[0].data).convert("RGB")
    assert is_near(drawn.getpixel((120, 80)), (255, 255, 255), 3)
    assert is_near(drawn.getpixel((20, 20)), make.CORNERS[0], 14)


def test_draw_takes_the_first_frame_of_what_moves() -> None:
    assert draw(read("turning.gif")).animated
    assert draw(read("turning.webp")).animated
    assert not draw(read("still.webp")).animated
    drawn = opened(draw(read("turning.gif")).drawings[0].data)
    assert drawn.getpixel((100, 40))[:3] > (200, 200, 200), "the dot stands right in the first frame"


def test_draw_takes_the_first_of_a_pair() -> None:
    pair = make.encoded(make.corners(), "MPO", save_all=True, append_images=[Image.new("RGB", (240, 160))])
    picture = draw(pair)
    assert not picture.animated
    assert is_near(quarters(opened(picture.drawings[0].data))[3], make.CORNERS[3], 14)


def test_preview_is_tiny() -> None:
    for name in ("lake-12mp.jpg", "garden.jpg", "cake.jpg", "alpha.png"):
        preview = draw(read(name)).preview
        assert 0 < len(preview) <= 240
        assert max(opened(preview).size) == 16


def _telling(kind: str) -> bytes:
    """A large picture of that kind that tells too much."""
    big = opened(read("harbour.jpg")).resize((2400, 1800))
    if kind == "JPEG":
        return make.telling_jpeg(big, 1, 80)
    if kind == "PNG":
        return make.encoded(big.quantize(32), "PNG", exif=make.telling_exif(1))
    return make.encoded(big, kind, quality=60, exif=make.telling_exif(1), xmp=make.telling_xmp())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF", "AVIF", "lake"])
def test_renditions_carry_nothing_but_pixels(kind: str) -> None:
    source = read("lake-12mp.jpg") if kind == "lake" else _telling(kind)
    assert any(word in source for word in TELLING)
    drawings = draw(source).drawings
    assert len(drawings) == 3
    for one in drawings:
        assert not [word for word in [*TELLING, b"Exif", b"XMP", b"ICC", b"http", b"IPTC", b"8BIM"] if word in one.data]
        drawn = opened(one.data)
        assert not dict(drawn.getexif())
        assert not set(drawn.info) - {
            "jfif",
            "jfif_version",
            "jfif_unit",
            "jfif_density",
            "loop",
            "background",
            "timestamp",
            "duration",
        }


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (read("text-named.jpg"), "not_a_picture"),
        (read("empty.jpg"), "not_a_picture"),
        (read("drawing.svg"), "not_a_picture"),
        (read("truncated.jpg"), "damaged"),
        (read("phone.heic")[:4000], "damaged"),
        (read("still.webp")[:200], "damaged"),
        (b"\xff\xd8\xff\xe0" + b"no jpeg" * 9, "damaged"),
        (make.png_bomb(6000), "too_large"),
        (make.gif_bomb(), "too_large"),
        (make.jpeg_bomb(), "too_large"),
    ],
)
def test_draw_refuses_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(Undrawable) as refused:
        draw(data)
    assert refused.value.reason == reason


def test_every_cut_of_a_picture_is_refused_in_our_own_words() -> None:
    reasons = set()
    for name in ("orientation-1.jpg", "alpha.png", "turning.gif", "turning.webp", "palette.png", "phone.avif"):
        data = read(name)
        for end in range(0, len(data), max(1, len(data) // 23)):
            for verb in (draw, cleaned):
                try:
                    verb(data[:end])
                except Undrawable as refused:
                    reasons.add(refused.reason)
    assert reasons == {"not_a_picture", "damaged", "cannot_clean"}
