"""The folder of odd pictures: every format, orientation, colour and kind of damage that a family's phones, cameras and
enemies may send. Made by rules, the same bytes with the same libraries, when a test wants them; nothing of it is kept
here. All of it is this project's own work, CC0 1.0, like everything in this folder.

`pictures()` gives each with what is right for it: a reference rendering (upright, in sRGB), made without the code that
is tested, or the reason why it is kept as a file.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import NamedTuple

import pillow_heif
from PIL import Image, ImageChops, ImageCms, PngImagePlugin

from tests.samples import make
from tests.samples.make import CORNERS, HERE, corners, encoded, jpeg, png_chunk, telling_exif, telling_xmp, turned

FILE = "file"  # kept as what it is: nobody tries to draw it
DAMAGED = "damaged"
TOO_LARGE = "too_large"
Point = tuple[float, float]
P3 = ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06))
BT2020 = ((0.708, 0.292), (0.17, 0.797), (0.131, 0.046))
ADOBE = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
PROPHOTO = ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001))
SRGB = ((0.64, 0.33), (0.3, 0.6), (0.15, 0.06))


class Odd(NamedTuple):
    """One file. `shown` is how it must look, within `tolerance` of 255; or `kept` says why it is not drawn."""

    name: str
    data: bytes
    shown: Image.Image | None = None
    tolerance: int = 10
    kept: str = ""
    moves: bool = False


def pictures() -> list[Odd]:
    """All of them."""
    pillow_heif.register_heif_opener()
    groups = (
        _orientations,
        _profiles,
        _code_points,
        _inks,
        _depths,
        _jpegs,
        _moving,
        _phones,
        _shapes,
        _notes,
        _cut,
        _lies,
        _other_kinds,
        _bombs,
        _samples,
    )
    return [one for group in groups for one in group()]


# --- Colours by hand, the long way round ----------------------------------------------------------------------------


def written(
    picture: Image.Image, points: tuple[Point, ...], curve: Callable[[float], float], white: Point = (0.3127, 0.329)
) -> Image.Image:
    """The picture (few colours, sRGB) as it is written in the colours of `points`; `curve` is from light to level."""
    to_xyz, back = _matrix(SRGB, (0.3127, 0.329)), _inverted(_matrix(points, white))
    known: dict[tuple[int, ...], tuple[int, ...]] = {}
    for _, colour in picture.getcolors(1 << 24):
        light = [_light(part / 255) for part in colour]
        other = _times(back, _times(to_xyz, light))
        known[colour] = tuple(round(255 * curve(min(1.0, max(0.0, part)))) for part in other)
    out = Image.new("RGB", picture.size)
    out.putdata([known[colour] for colour in picture.get_flattened_data()])
    return out


def _light(level: float) -> float:
    return level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4


def _level(light: float) -> float:
    return 12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055


def _pq_level(light: float) -> float:
    power = (light * 203 / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def _hlg_level(light: float) -> float:
    from math import log, sqrt

    scene = (light * 203 / 1000) ** (1 / 1.2)
    return sqrt(3 * scene) if scene <= 1 / 12 else 0.17883277 * log(12 * scene - 0.28466892) + 0.55991073


def _matrix(points: tuple[Point, ...], white: Point) -> list[list[float]]:
    columns = [[x / y, 1.0, (1 - x - y) / y] for x, y in points]
    rows = [list(row) for row in zip(*columns, strict=True)]
    shares = _times(_inverted(rows), [white[0] / white[1], 1.0, (1 - white[0] - white[1]) / white[1]])
    return [[part * share for part, share in zip(row, shares, strict=True)] for row in rows]


def _times(rows: list[list[float]], column: list[float]) -> list[float]:
    return [sum(a * b for a, b in zip(row, column, strict=True)) for row in rows]


def _inverted(rows: list[list[float]]) -> list[list[float]]:
    """Gauss and Jordan."""
    work = [[*row, *(1.0 if at == other else 0.0 for other in range(3))] for at, row in enumerate(rows)]
    for at in range(3):
        best = max(range(at, 3), key=lambda row: abs(work[row][at]))
        work[at], work[best] = work[best], work[at]
        work[at] = [value / work[at][at] for value in work[at]]
        for other in range(3):
            if other != at:
                work[other] = [a - work[other][at] * b for a, b in zip(work[other], work[at], strict=True)]
    return [row[3:] for row in work]


def profile(points: tuple[Point, ...], gamma: float, name: str = "odd") -> bytes:
    """A matrix profile as a scanner's maker would write it: gamma as one number, white as D65 adapted by hand."""
    bradford = [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
    white = [0.3127 / 0.329, 1.0, (1 - 0.3127 - 0.329) / 0.329]
    cones, to = _times(bradford, white), _times(bradford, [0.9642, 1.0, 0.8249])
    columns = []
    for column in zip(*_matrix(points, (0.3127, 0.329)), strict=True):
        seen = [part * b / a for part, a, b in zip(_times(bradford, list(column)), cones, to, strict=True)]
        columns.append(_times(_inverted(bradford), seen))
    label = name.encode() + b"\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(label)) + label + b"\0" * 78,
        b"cprt": b"text\0\0\0\0CC0\0",
        b"wtpt": _xyz([0.9642, 1.0, 0.8249]),
        **{key: _xyz(column) for key, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)},
        **{key: b"curv\0\0\0\0\0\0\0\1" + struct.pack(">H", round(gamma * 256)) for key in (b"rTRC", b"gTRC", b"bTRC")},
    }
    return _bound(tags, b"mntr", b"RGB ", b"XYZ ")


def grey_profile(gamma: float) -> bytes:
    tags = {
        b"desc": b"desc\0\0\0\0\0\0\0\5grey\0" + b"\0" * 78,
        b"cprt": b"text\0\0\0\0CC0\0",
        b"wtpt": _xyz([0.9642, 1.0, 0.8249]),
        b"kTRC": b"curv\0\0\0\0\0\0\0\1" + struct.pack(">H", round(gamma * 256)),
    }
    return _bound(tags, b"mntr", b"GRAY", b"XYZ ")


def ink_profile() -> bytes:
    """Four inks by a table of their sixteen corners (lut8, ICC.1:2001-04 6.5.8): not those of any real press."""
    paper = {
        (): (255, 128, 128),
        "C": (150, 100, 80),
        "M": (128, 200, 124),
        "Y": (235, 124, 220),
        "CM": (70, 150, 80),
        "CY": (130, 70, 160),
        "MY": (125, 190, 175),
        "CMY": (60, 130, 130),
    }
    table = bytearray()
    for corner in range(16):
        inks = "".join(ink for ink, bit in zip("CMY", (8, 4, 2), strict=True) if corner & bit)
        lightness, a, b = paper[inks or ()]
        table += bytes((lightness // 8, 128, 128)) if corner & 1 else bytes((lightness, a, b))
    straight = bytes(range(256))
    identity = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    lut = b"mft1\0\0\0\0\4\3\2\0" + identity + straight * 4 + bytes(table) + straight * 3
    tags = {
        b"desc": b"desc\0\0\0\0\0\0\0\5inks\0" + b"\0" * 78,
        b"cprt": b"text\0\0\0\0CC0\0",
        b"wtpt": _xyz([0.9642, 1.0, 0.8249]),
        b"A2B0": lut,
    }
    return _bound(tags, b"prtr", b"CMYK", b"Lab ")


def _xyz(values: list[float]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _bound(tags: dict[bytes, bytes], kind: bytes, space: bytes, between: bytes) -> bytes:
    first, index, bodies = 132 + 12 * len(tags), b"", b""
    for name, body in tags.items():
        index += struct.pack(">4sII", name, first + len(bodies), len(body))
        bodies += body + b"\0" * (-len(body) % 4)
    size = first + len(bodies)
    head = struct.pack(">I4sI4s4s4s6H4s", size, b"", 0x02100000, kind, space, between, 2026, 1, 1, 0, 0, 0, b"acsp")
    return (
        head.ljust(68, b"\0")
        + _xyz([0.9642, 1.0, 0.8249])[8:].ljust(60, b"\0")
        + struct.pack(">I", len(tags))
        + index
        + bodies
    )


def by_littlecms(picture: Image.Image, icc: bytes) -> Image.Image:
    """The reference for what has a profile: the whole picture, unshrunk, in one go."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    turned_over = ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert turned_over is not None
    return turned_over


def tame() -> Image.Image:
    """Four colours that every space can hold, white and black below: few, so that each is worked out by itself."""
    picture = Image.new("RGB", (240, 160))
    colours = ((180, 90, 80), (90, 160, 100), (70, 90, 170), (200, 180, 90), (255, 255, 255), (0, 0, 0))
    for number, colour in enumerate(colours):
        x, y = number % 2 * 120, number // 2 * 54
        picture.paste(colour, (x, y, x + 120, 160 if y == 108 else y + 54))
    return picture


# --- The folder -----------------------------------------------------------------------------------------------------


def _orientations() -> Iterator[Odd]:
    """All eight, in every format that has them; HEIF and AVIF say it by properties of their own."""
    for number in range(1, 9):
        stored = turned(corners(), number)
        yield Odd(f"turned-{number}.jpg", make.telling_jpeg(stored, number, 90), corners())
        yield Odd(f"turned-{number}.png", encoded(stored, "PNG", exif=telling_exif(number)), corners(), 6)
        yield Odd(
            f"turned-{number}.webp", encoded(stored, "WEBP", quality=90, exif=telling_exif(number)), corners(), 20
        )
        # both libraries write the turn from the Exif as irot and imir, which is what a reader must go by
        yield Odd(
            f"turned-{number}.heic",
            encoded(stored, "HEIF", quality=90, exif=telling_exif(number).tobytes()),
            corners(),
            16,
        )
        yield Odd(
            f"turned-{number}.avif",
            encoded(stored, "AVIF", quality=90, exif=telling_exif(number), max_threads=1),
            corners(),
            16,
        )
    yield Odd("only-exif-says-turned.heic", encoded(corners(), "HEIF", quality=90, exif=telling_exif(6)), corners(), 16)
    big = telling_exif(6)
    big.endian = ">"
    yield Odd("turned-6-motorola.jpg", jpeg(turned(corners(), 6), 90, exif=big), corners())
    for number, word in ((0, "none"), (9, "nine"), (65535, "all-ones")):
        yield Odd(f"turned-{word}.jpg", jpeg(corners(), 90, exif=_orientation(number)), corners())


def _orientation(number: int) -> bytes:
    return b"Exif\0\0MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1" + struct.pack(">H", number) + b"\0\0\0\0\0\0"


def _profiles() -> Iterator[Odd]:
    """ICC, in every format that carries it."""
    spaces = (("p3", P3, 2.2), ("adobe", ADOBE, 2.199), ("prophoto", PROPHOTO, 1.8), ("linear", SRGB, 1.0))
    for name, points, gamma in spaces:
        icc = profile(points, gamma)
        picture = written(tame(), points, lambda light, gamma=gamma: light ** (1 / gamma))
        yield Odd(f"{name}.jpg", jpeg(picture, 95, icc_profile=icc, subsampling=0), tame())
        yield Odd(f"{name}.png", encoded(picture, "PNG", icc_profile=icc), tame(), 9)
    picture = written(tame(), P3, lambda light: light ** (1 / 2.2))
    icc = profile(P3, 2.2)
    yield Odd("p3.webp", encoded(picture, "WEBP", lossless=True, icc_profile=icc), tame(), 9)
    yield Odd("p3.heic", encoded(picture, "HEIF", quality=95, icc_profile=icc), tame(), 14)
    yield Odd("p3.avif", encoded(picture, "AVIF", quality=95, icc_profile=icc, max_threads=1), tame(), 14)
    yield Odd("p3-palette.png", encoded(picture.quantize(16), "PNG", icc_profile=icc), tame(), 9)
    yield Odd("p3-alpha.png", encoded(picture.convert("RGBA"), "PNG", icc_profile=icc), tame(), 9)
    ramp = Image.linear_gradient("L").resize((240, 160))
    icc = grey_profile(1.0)
    grey = by_littlecms(ramp, icc)
    yield Odd("grey-linear.jpg", jpeg(ramp, 95, icc_profile=icc), grey, 8)
    yield Odd("grey-linear.png", encoded(ramp, "PNG", icc_profile=icc), grey, 8)
    yield Odd("grey-linear-alpha.png", encoded(ramp.convert("LA"), "PNG", icc_profile=icc), grey, 8)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    yield Odd("srgb.jpg", jpeg(corners(), 90, icc_profile=srgb), corners())
    broken = {
        "nonsense": b"no profile at all" * 40,
        "cut": profile(P3, 2.2)[:200],
        "of-inks": ink_profile(),
        "of-grey": grey_profile(2.2),
        "zeros": bytes(400),
        "head-only": profile(P3, 2.2)[:128],
    }
    for name, icc in broken.items():
        yield Odd(f"profile-{name}.jpg", jpeg(corners(), 90, icc_profile=icc), corners())
    yield Odd("profile-in-pieces.jpg", jpeg(corners(), 90, icc_profile=profile(SRGB, 2.2) + bytes(200_000)), corners())


def _code_points() -> Iterator[Odd]:
    """Wide gamut and HDR said by numbers only."""
    p3 = written(tame(), P3, _level)
    pq, hlg = written(tame(), BT2020, _pq_level), written(tame(), BT2020, _hlg_level)
    for name, picture, primaries, transfer in (("p3", p3, 12, 13), ("pq", pq, 9, 16), ("hlg", hlg, 9, 18)):
        png = encoded(picture, "PNG")
        yield Odd(
            f"{name}-cicp.png", png[:33] + png_chunk(b"cICP", bytes((primaries, transfer, 0, 1))) + png[33:], tame(), 16
        )
        made = encoded(picture, "AVIF", quality=100, subsampling="4:4:4", max_threads=1)
        yield Odd(f"{name}-nclx.avif", _renamed(made, primaries, transfer), tame(), 20)
    heic = pillow_heif.from_pillow(p3)
    out = io.BytesIO()
    heic.save(out, quality=95, chroma=444, color_primaries=12, transfer_characteristics=13)
    yield Odd("p3-nclx.heic", _renamed(out.getvalue(), 12, 13), tame(), 16)
    yield Odd("usual-nclx.avif", encoded(corners(), "AVIF", quality=90, max_threads=1), corners(), 16)
    linear = written(tame(), SRGB, lambda light: light)
    png = encoded(linear, "PNG")
    yield Odd("gamma-one.png", png[:33] + png_chunk(b"gAMA", struct.pack(">I", 100_000)) + png[33:], tame(), 16)
    adobe = written(tame(), ADOBE, lambda light: light ** (1 / 2.199))
    points = struct.pack(">8I", *(round(part * 100_000) for pair in ((0.3127, 0.329), *ADOBE) for part in pair))
    png = encoded(adobe, "PNG")
    yield Odd(
        "numbers-of-adobe.png",
        png[:33] + png_chunk(b"gAMA", struct.pack(">I", 45_455)) + png_chunk(b"cHRM", points) + png[33:],
        tame(),
        9,
    )
    png = encoded(corners(), "PNG")
    yield Odd("gamma-nonsense.png", png[:33] + png_chunk(b"gAMA", b"\0\0\0\1") + png[33:], corners(), 6)
    exif = telling_exif(1)
    exif.get_ifd(0x8769)[0xA001] = 0xFFFF
    exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    yield Odd("camera-says-adobe.jpg", jpeg(adobe, 95, subsampling=0, exif=exif), tame())


def _renamed(data: bytes, primaries: int, transfer: int) -> bytes:
    """With other code points in the index (colr nclx); those in the coded picture are overruled by them."""
    at = data.index(b"colrnclx")
    return data[: at + 8] + struct.pack(">HH", primaries, transfer) + data[at + 12 :]


def _inks() -> Iterator[Odd]:
    """Four inks: as Adobe writes them, without its mark, as luma and chroma, with a press's profile."""
    inks = corners().convert("CMYK")
    plain = jpeg(inks, 95)
    yield Odd("inks.jpg", plain, corners())
    at = plain.index(b"\xff\xee")
    length = int.from_bytes(plain[at + 2 : at + 4], "big")
    yield Odd("inks-unmarked.jpg", plain[:at] + plain[at + 2 + length :], corners())
    levels = Image.merge("RGB", inks.split()[:3]).convert("YCbCr").split()
    coded = Image.merge("CMYK", (*(ImageChops.invert(one) for one in levels), inks.getchannel("K")))
    ycck = bytearray(jpeg(coded, 97))
    ycck[ycck.index(b"Adobe") + 11] = 2
    yield Odd("inks-as-luma.jpg", bytes(ycck), corners(), 24)
    icc, press = ink_profile(), Image.merge("CMYK", [one.point(lambda level: level * 3 // 4) for one in inks.split()])
    yield Odd("inks-of-a-press.jpg", jpeg(press, 95, icc_profile=icc), by_littlecms(press, icc))
    yield Odd("inks-progressive.jpg", jpeg(inks, 95, progressive=True), corners())


def png(size: tuple[int, int], depth: int, kind: int, rows: list[bytes], *chunks: bytes, laced: bool = False) -> bytes:
    """A PNG by hand; `rows` are packed, without their filter byte."""
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, kind, 0, 0, int(laced)))
    body = png_chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + body + png_chunk(b"IEND", b"")


def laced(picture: Image.Image) -> bytes:
    """An RGB picture in Adam7's seven passes (PNG 3rd edition, 8.1)."""
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    rows = []
    for x, y, dx, dy in passes:
        rows += [
            b"".join(bytes(picture.getpixel((at, row))) for at in range(x, picture.width, dx))
            for row in range(y, picture.height, dy)
        ]
    return png(picture.size, 8, 2, rows, laced=True)


def _depths() -> Iterator[Odd]:
    """PNG in every depth and kind."""
    for depth in (1, 2, 4, 8, 16):
        most = (1 << depth) - 1
        levels = [round(x / 239 * most) for x in range(240)]
        bits = "".join(f"{level:0{depth}b}" for level in levels)
        row = int(bits, 2).to_bytes(len(bits) // 8, "big")
        shown = Image.new("L", (240, 40))
        shown.putdata([round(level * 255 / most) for level in levels] * 40)
        yield Odd(f"grey-{depth}.png", png((240, 40), depth, 0, [row] * 40), shown.convert("RGB"), 6)
        if depth <= 8:
            palette = b"".join(bytes(colour) for colour in (*CORNERS, *[(9, 9, 9)] * 252)[: 1 << depth])
            count = min(4, 1 << depth)
            numbers = "".join(f"{x * count // 240:0{depth}b}" for x in range(240))
            row = int(numbers, 2).to_bytes(len(numbers) // 8, "big")
            bands = Image.new("RGB", (240, 40))
            bands.putdata([CORNERS[x * count // 240] for x in range(240)] * 40)
            yield Odd(
                f"palette-{depth}.png", png((240, 40), depth, 3, [row] * 40, png_chunk(b"PLTE", palette)), bands, 16
            )
    rgb = [
        b"".join(struct.pack(">3H", *(part * 257 for part in corners().getpixel((x, y)))) for x in range(240))
        for y in range(160)
    ]
    yield Odd("colours-16.png", png((240, 160), 16, 2, rgb), corners(), 6)
    rgba = [
        b"".join(
            struct.pack(">4H", *(part * 257 for part in corners().getpixel((x, y))), 65535 * (x > 30))
            for x in range(240)
        )
        for y in range(160)
    ]
    yield Odd("colours-alpha-16.png", png((240, 160), 16, 6, rgba), _white_left(corners()), 6)
    ramp = [b"".join(struct.pack(">2H", x * 257, 65535 * (x > 30)) for x in range(240))] * 160
    shown = Image.new("L", (240, 160))
    shown.putdata(list(range(240)) * 160)
    yield Odd("grey-alpha-16.png", png((240, 160), 16, 4, ramp), _white_left(shown.convert("RGB")), 6)
    alpha = corners().convert("RGBA")
    alpha.putalpha(Image.new("L", alpha.size, 255).point(lambda _: 255))
    alpha.paste((0, 0, 0, 0), (0, 0, 31, 160))
    yield Odd("alpha-8.png", encoded(alpha, "PNG", exif=telling_exif(1)), _white_left(corners()), 6)
    yield Odd("alpha.webp", encoded(alpha, "WEBP", lossless=True), _white_left(corners()), 6)
    yield Odd("alpha-lossy.webp", encoded(alpha, "WEBP", quality=95), _white_left(corners()), 40)
    yield Odd("alpha.avif", encoded(alpha, "AVIF", quality=95, max_threads=1), _white_left(corners()), 24)
    yield Odd("alpha.heic", encoded(alpha, "HEIF", quality=95), _white_left(corners()), 24)
    half = corners().convert("RGBA")
    half.putalpha(128)
    pale = Image.blend(corners(), Image.new("RGB", (240, 160), "white"), 127 / 255)
    yield Odd("half-clear.png", encoded(half, "PNG"), pale, 6)
    palette = b"".join(bytes(colour) for colour in CORNERS)
    quarter = [bytes(x * 4 // 240 for x in range(240))] * 40
    bands = Image.new("RGB", (240, 40))
    bands.putdata([((255, 255, 255), *CORNERS[1:])[x * 4 // 240] for x in range(240)] * 40)
    clear = png((240, 40), 8, 3, quarter, png_chunk(b"PLTE", palette), png_chunk(b"tRNS", b"\0"))
    yield Odd("palette-clear.png", clear, bands, 16)
    rows = [b"".join(bytes(CORNERS[x * 4 // 240]) for x in range(240))] * 40
    yield Odd(
        "colour-key.png", png((240, 40), 8, 2, rows, png_chunk(b"tRNS", struct.pack(">3H", *CORNERS[0]))), bands, 16
    )
    steps = Image.new("L", (240, 40))
    steps.putdata([(255, 80, 160, 240)[x * 4 // 240] for x in range(240)] * 40)
    rows = [bytes((0, 80, 160, 240)[x * 4 // 240] for x in range(240))] * 40
    yield Odd("grey-key.png", png((240, 40), 8, 0, rows, png_chunk(b"tRNS", b"\0\0")), steps.convert("RGB"), 6)
    rows = [b"".join(struct.pack(">H", (0, 80, 160, 240)[x * 4 // 240] * 257) for x in range(240))] * 40
    yield Odd("grey-key-16.png", png((240, 40), 16, 0, rows, png_chunk(b"tRNS", b"\0\0")), steps.convert("RGB"), 6)
    ink = Image.new("L", (240, 40), 255)
    yield Odd(
        "bit-key.png",
        png((240, 40), 1, 0, [b"\0" * 15 + b"\xff" * 15] * 40, png_chunk(b"tRNS", b"\0\0")),
        ink.convert("RGB"),
        3,
    )
    yield Odd("laced.png", laced(corners()), corners(), 6)


def _white_left(picture: Image.Image) -> Image.Image:
    picture = picture.copy()
    picture.paste((255, 255, 255), (0, 0, 31, picture.height))
    return picture


def _jpegs() -> Iterator[Odd]:
    """The ways to write a JPEG."""
    for sampling in ("4:4:4", "4:2:2", "4:2:0"):
        yield Odd(f"sampled-{sampling.replace(':', '')}.jpg", jpeg(corners(), 90, subsampling=sampling), corners())
    wide = bytearray(jpeg(Image.new("YCbCr", (64, 64), (120, 90, 170)), 90, subsampling="4:2:2"))
    yield Odd("sampled-one-colour.jpg", bytes(wide), Image.new("YCbCr", (64, 64), (120, 90, 170)).convert("RGB"), 6)
    yield Odd("progressive.jpg", jpeg(corners(), 90, progressive=True), corners())
    yield Odd("restarts.jpg", jpeg(corners(), 90, restart_marker_rows=1), corners())
    yield Odd("poor.jpg", jpeg(corners(), 5), corners(), 40)
    yield Odd("grey.jpg", jpeg(corners().convert("L"), 90), corners().convert("L").convert("RGB"))
    yield Odd(
        "grey-progressive.jpg",
        jpeg(corners().convert("L"), 90, progressive=True),
        corners().convert("L").convert("RGB"),
    )
    plain = encoded(corners(), "JPEG", quality=90)
    rgb = bytearray(encoded(corners(), "JPEG", quality=95, keep_rgb=True))
    yield Odd("unconverted.jpg", bytes(rgb), corners())
    yield Odd("many-tables.jpg", plain[:2] + plain[20:], corners())  # no JFIF segment
    yield Odd("fill-bytes.jpg", plain[:2] + b"\xff" * 40 + plain[2:], corners())


def _moving() -> Iterator[Odd]:
    film = make.frames()
    again = {"save_all": True, "append_images": film[1:], "duration": 120, "loop": 0}
    first = film[0]
    yield Odd(
        "moves.gif", encoded(first.quantize(64), "GIF", **again, comment=make.COMMENT.encode()), first, 40, moves=True
    )
    yield Odd("moves.webp", encoded(first, "WEBP", **again, quality=95, exif=telling_exif(1)), first, 48, moves=True)
    yield Odd("moves.png", encoded(first, "PNG", **again, exif=telling_exif(1)), first, 16, moves=True)
    yield Odd(
        "moves-behind.png",
        encoded(corners((120, 80)), "PNG", save_all=True, append_images=film, default_image=True),
        corners((120, 80)),
        16,
        moves=True,
    )
    yield Odd(
        "moves.avif",
        encoded(first, "AVIF", save_all=True, append_images=film[1:], quality=90, max_threads=1),
        first,
        48,
    )
    still = encoded(corners().quantize(16), "GIF")
    yield Odd("still.gif", still, corners())
    yield Odd("still-87.gif", b"GIF87a" + still[6:], corners())
    yield Odd("laced.gif", encoded(corners().quantize(16), "GIF", interlace=1), corners())
    clear = corners().quantize(16)
    yield Odd("clear.gif", encoded(clear, "GIF", transparency=clear.getpixel((1, 1))), _white_quarter(), 16)
    part = bytearray(encoded(Image.new("RGB", (120, 80), CORNERS[0]).quantize(4), "GIF"))
    part[6:10] = struct.pack("<HH", 240, 160)
    rest = Image.new("RGB", (240, 160), "white")
    rest.paste(CORNERS[0], (0, 0, 120, 80))
    yield Odd("first-frame-is-small.gif", bytes(part), rest)


def _white_quarter() -> Image.Image:
    picture = corners()
    picture.paste((255, 255, 255), (0, 0, 120, 80))
    return picture


def _phones() -> Iterator[Odd]:
    """What phones hide in and behind a picture."""
    other = Image.new("RGB", (240, 160), (9, 9, 9))
    yield Odd(
        "two.mpo", encoded(corners(), "MPO", save_all=True, append_images=[other], exif=telling_exif(1)), corners()
    )
    yield Odd("two.jpg", encoded(corners(), "MPO", save_all=True, append_images=[other]), corners())
    plain = jpeg(corners(), 90, exif=telling_exif(1))
    film = (HERE / "turned.mp4").read_bytes()
    motion = telling_xmp().replace(b"dc:creator", b'Camera:MicroVideo="1" dc:creator')
    yield Odd("motion.jpg", jpeg(corners(), 90, xmp=motion) + film, corners())
    yield Odd(
        "motion-of-samsung.jpg", plain + film + b"SEFH" + struct.pack("<IIII", 106, 1, 0, 24) + b"SEFT", corners()
    )
    gain = jpeg(corners().convert("L"), 80, xmp=b'<x hdrgm:Version="1.0" hdrgm:GainMapMax="3.0"/>')
    container = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><hdrgm:Version>1.0</hdrgm:Version></x:xmpmeta>'
    yield Odd("ultra-hdr.jpg", jpeg(corners(), 90, xmp=container) + gain, corners())
    heif = pillow_heif.HeifFile()
    heif.add_from_pillow(corners())
    heif.add_from_pillow(other)
    out = io.BytesIO()
    heif.save(out, quality=90)
    yield Odd("two.heic", out.getvalue(), corners(), 16)
    heif = pillow_heif.HeifFile()
    heif.add_from_pillow(other)
    heif.add_from_pillow(corners())
    out = io.BytesIO()
    heif.save(out, quality=90, primary_index=1)
    yield Odd("second-is-first.heic", out.getvalue(), corners(), 16)
    deep = Image.frombytes("I;16", (240, 160), b"".join(struct.pack("<H", x * 257) for x in range(240)) * 160)
    out = io.BytesIO()
    pillow_heif.from_pillow(deep).save(out, quality=95)
    ramp = Image.new("L", (240, 160))
    ramp.putdata(list(range(240)) * 160)
    yield Odd("deep-grey.heic", out.getvalue(), ramp.convert("RGB"), 16)
    yield Odd(
        "grey.heic", encoded(corners().convert("L"), "HEIF", quality=90), corners().convert("L").convert("RGB"), 16
    )
    yield Odd(
        "mif1.avif",
        encoded(corners(), "AVIF", quality=90, max_threads=1).replace(b"ftypavif", b"ftypmif1", 1),
        corners(),
        16,
    )


def _shapes() -> Iterator[Odd]:
    teal = (0, 128, 128)
    for wide, high in ((1, 1), (1, 3000), (3000, 1), (2, 9000), (9000, 2), (17, 31), (320, 320), (321, 2), (2017, 9)):
        one = Image.new("RGB", (wide, high), teal)
        yield Odd(f"{wide}x{high}.jpg", jpeg(one, 90), one, 8)
        yield Odd(f"{wide}x{high}.png", encoded(one, "PNG"), one, 8)
    large = corners((5000, 3300))
    yield Odd("large.jpg", jpeg(large, 80), large)
    yield Odd("large.webp", encoded(corners((3000, 2000)), "WEBP", quality=60, method=0), corners((3000, 2000)), 20)
    yield Odd("large.png", encoded(large.quantize(8), "PNG"), large, 16)


def _notes() -> Iterator[Odd]:
    """Exif as it should not be, and much of everything."""
    head = b"Exif\0\0II*\0\x08\0\0\0"
    entry = struct.Struct("<HHII")
    blocks = {
        "beyond": head + b"\1\0" + entry.pack(0x010F, 2, 40, 9_999_999) + b"\0\0\0\0",
        "loop": head + b"\1\0" + entry.pack(0x8769, 4, 1, 8) + b"\x08\0\0\0",
        "huge-count": head + b"\1\0" + entry.pack(0x010F, 2, 0xFFFFFFF0, 26) + b"\0\0\0\0",
        "no-type": head + b"\1\0" + entry.pack(0x0112, 99, 1, 6) + b"\0\0\0\0",
        "empty": b"Exif\0\0",
        "nonsense": b"Exif\0\0" + b"ab" * 300,
        "many": head + b"\xff\xff" + entry.pack(0x0112, 3, 1, 1) * 200,
    }
    for name, block in blocks.items():
        yield Odd(f"exif-{name}.jpg", jpeg(corners(), 90, exif=block), corners())
    for name, said in {"zeros": "0000:00:00 00:00:00", "words": "last summer", "blank": "    :  :     :  :  "}.items():
        exif = telling_exif(1)
        exif[0x0132] = said
        exif.get_ifd(0x8769).update({0x9003: said, 0x9004: said, 0x9011: "nowhere"})
        yield Odd(f"date-{name}.jpg", jpeg(corners(), 90, exif=exif), corners())
    plain = jpeg(corners(), 90)
    notes = b"".join(b"\xff\xe1" + struct.pack(">H", 60_002) + make.OWNER.encode().ljust(60_000) for _ in range(40))
    yield Odd("much-to-say.jpg", plain[:2] + notes + plain[2:], corners())
    yield Odd("long-comment.jpg", jpeg(corners(), 90, comment=make.COMMENT.encode() * 3000), corners())
    yield Odd("iptc.jpg", plain[:2] + make.iptc() + plain[2:], corners())
    thumb = jpeg(Image.new("RGB", (60, 40), (9, 9, 9)), 80)
    yield Odd("thumbnail.jpg", jpeg(corners(), 90, exif=telling_exif(1).tobytes() + thumb), corners())
    words = PngImagePlugin.PngInfo()
    words.add_text("Author", make.OWNER)
    words.add_itxt("XML:com.adobe.xmp", telling_xmp().decode())
    words.add_text("Comment", make.COMMENT, zip=True)
    yield Odd("words.png", encoded(corners(), "PNG", pnginfo=words), corners(), 6)
    yield Odd("xmp.webp", encoded(corners(), "WEBP", quality=95, xmp=telling_xmp()), corners(), 20)
    yield Odd(
        "xmp.heic", encoded(corners(), "HEIF", quality=90, xmp=telling_xmp(), exif=telling_exif(1)), corners(), 16
    )


def _cut() -> Iterator[Odd]:
    """Ends too early, or too late."""
    plain = jpeg(corners(), 90, exif=telling_exif(1))
    yield Odd("no-end-mark.jpg", plain[:-2], kept=DAMAGED)
    yield Odd("more-behind.jpg", plain + make.OWNER.encode() * 900, corners())
    png = encoded(corners(), "PNG", exif=telling_exif(1))
    yield Odd("more-behind.png", png + make.OWNER.encode() * 900, corners(), 6)
    yield Odd("more-behind.gif", encoded(corners().quantize(16), "GIF") + make.OWNER.encode() * 900, corners())
    scene = (HERE / "harbour.jpg").read_bytes()
    for share in (5, 35, 65, 95):
        yield Odd(f"cut-{share}.jpg", scene[: len(scene) * share // 100], kept=DAMAGED)
    kinds = {
        "png": png,
        "webp": (HERE / "still.webp").read_bytes(),
        "heic": (HERE / "phone.heic").read_bytes(),
        "avif": (HERE / "phone.avif").read_bytes(),
        "gif": encoded((film := make.frames())[0].quantize(64), "GIF"),
    }
    assert film
    for ending, data in kinds.items():
        for share in (10, 50, 90):
            yield Odd(f"cut-{share}.{ending}", data[: len(data) * share // 100], kept=DAMAGED)
    wrong = bytearray(png)
    wrong[wrong.index(b"IDAT") + 20] ^= 0xFF
    yield Odd("flipped-bit.png", bytes(wrong), kept=DAMAGED)
    yield Odd("first-bytes-only.jpg", b"\xff\xd8\xff", kept=DAMAGED)
    yield Odd("first-bytes-only.png", b"\x89PNG\r\n\x1a\n", kept=DAMAGED)
    yield Odd("noise.jpg", b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40, kept=DAMAGED)
    yield Odd("noise.webp", b"RIFF\xff\xff\0\0WEBPVP8 " + bytes(range(256)) * 40, kept=DAMAGED)
    yield Odd("noise.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(range(256)) * 40, kept=DAMAGED)
    yield Odd(
        "nothing-in-it.png",
        b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 0, 0, 8, 2, 0, 0, 0)),
        kept=DAMAGED,
    )


def _lies() -> Iterator[Odd]:
    """What a thing is comes from its bytes, not from its name."""
    yield Odd("jpeg.png", jpeg(corners(), 90), corners())
    yield Odd("png.jpg", encoded(corners(), "PNG"), corners(), 6)
    yield Odd("webp.jpeg", encoded(corners(), "WEBP", quality=95), corners(), 20)
    yield Odd("heic.jpg", encoded(corners(), "HEIF", quality=90), corners(), 16)
    yield Odd("gif.txt", encoded(corners().quantize(16), "GIF"), corners())
    yield Odd("no-name-at-all", jpeg(corners(), 90), corners())
    script = b"<html><script>document.title='ran'</script></html>"
    yield Odd("page.jpg", script, kept=FILE)
    yield Odd("page-behind.jpg", jpeg(corners(), 90) + script, corners())
    yield Odd("page-in-comment.jpg", jpeg(corners(), 90, comment=script), corners())
    gif = encoded(corners().quantize(16), "GIF", comment=b"*/=1;alert(1)//")
    yield Odd("script.gif", gif, corners())
    yield Odd("paper-behind.jpg", jpeg(corners(), 90) + b"%PDF-1.4\n%%EOF", corners())
    yield Odd(
        "archive-behind.png", encoded(corners(), "PNG") + b"PK\3\4" + bytes(60) + b"PK\5\6" + bytes(18), corners(), 6
    )
    yield Odd("white-first.jpg", b"\n" + jpeg(corners(), 90), kept=FILE)


def _other_kinds() -> Iterator[Odd]:
    """Kept as files, whatever they are called, and never rendered."""
    for plugin in ("Bmp", "Ico", "Jpeg2K", "Tiff"):
        import_module(f"PIL.{plugin}ImagePlugin")  # `images.load` keeps Pillow from looking for them
    raw = encoded(corners(), "TIFF", tiffinfo={271: "HomeCircle", 272: "One"})
    heads = {
        "scan.tiff": raw,
        "scan-big.tif": b"MM\0*\0\0\0\x08" + bytes(200),
        "raw.dng": raw,
        "raw.nef": raw,
        "raw.arw": raw,
        "raw.cr2": b"II*\0\x10\0\0\0CR\2\0" + bytes(300),
        "raw.cr3": b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(300),
        "raw.raf": b"FUJIFILMCCD-RAW 0201" + bytes(300),
        "raw.orf": b"IIRO\x08\0\0\0" + bytes(300),
        "raw.rw2": b"IIU\0\x08\0\0\0" + bytes(300),
        "old.bmp": encoded(corners(), "BMP"),
        "icon.ico": encoded(corners(), "ICO"),
        "layers.psd": b"8BPS\0\1" + bytes(6) + b"\0\3" + struct.pack(">IIHH", 160, 240, 8, 3) + bytes(100),
        "new.jxl": b"\xff\x0a" + bytes(100),
        "boxed.jxl": b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(100),
        "other.jp2": encoded(corners(), "JPEG2000"),
        "drawing.svg": (HERE / "drawing.svg").read_bytes(),
        "drawing-later.svg": b"<?xml version='1.0'?><!-- \xff\xd8\xff --><svg onload='alert(1)'/>",
        "paper.pdf": b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\n%%EOF",
        "print.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n",
        "letter.docx": b"PK\3\4" + bytes(200),
        "words.txt": b"Dear grandma",
        "song.mp3": b"ID3\4\0" + bytes(200),
        "film.mkv": b"\x1aE\xdf\xa3\x9fB\x82\x88matroska" + bytes(200),
        "film.avi": b"RIFF\0\1\0\0AVI LIST" + bytes(200),
        "program.exe": b"MZ" + bytes(200),
        "one.bin": b"\0",
        "net.ppm": b"P6 2 2 255\n" + bytes(12),
        "voice.m4a": b"\0\0\0\x18ftypM4A \0\0\2\0isomM4A " + bytes(200),
        "sun.fits": b"SIMPLE  =" + bytes(200),
        "game.dds": b"DDS " + bytes(200),
        "paint.xcf": b"gimp xcf v011" + bytes(200),
    }
    for name, data in heads.items():
        yield Odd(name, data, kept=FILE)


def _bombs() -> Iterator[Odd]:
    heic, avif = (HERE / "phone.heic").read_bytes(), (HERE / "phone.avif").read_bytes()
    yield Odd("bomb.png", make.png_bomb(), kept=TOO_LARGE)
    yield Odd("bomb.gif", make.gif_bomb(), kept=TOO_LARGE)
    yield Odd("bomb.jpg", make.jpeg_bomb(), kept=TOO_LARGE)
    yield Odd("bomb.heic", make.heif_bomb(heic), kept=f"{TOO_LARGE} {DAMAGED}")
    yield Odd("bomb.avif", make.heif_bomb(avif), kept=f"{TOO_LARGE} {DAMAGED}")
    yield Odd("just-too-large.png", make.png_bomb(5001), kept=TOO_LARGE)
    words = png_chunk(b"zTXt", b"a\0\0" + zlib.compress(b" " * 1_000_000, 9))
    small = encoded(Image.new("1", (8, 8)), "PNG")
    yield Odd("bomb-of-words.png", small[:33] + words * 1000 + small[33:], kept=f"{TOO_LARGE} {DAMAGED}")
    profile_chunk = png_chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(300_000_000), 9))
    yield Odd(
        "bomb-of-profile.png",
        small[:33] + profile_chunk + small[33:],
        kept=f"{TOO_LARGE} {DAMAGED}",
    )
    film = encoded((frames := make.frames())[0].quantize(64), "GIF", save_all=True, append_images=frames[1:] * 400)
    yield Odd("thousands-of-frames.gif", film, frames[0], 40, moves=True)


def _samples() -> Iterator[Odd]:
    """The files of this folder that stand for themselves; the rest is made above."""
    for name in ("lake-12mp.jpg", "mountains.jpg", "garden.jpg", "cake.jpg", "bicycle.jpg"):
        with Image.open(HERE / name) as picture:
            upright = picture.transpose(Image.Transpose.ROTATE_270) if name.startswith("lake") else picture
            yield Odd(name, (HERE / name).read_bytes(), upright.convert("RGB"))
