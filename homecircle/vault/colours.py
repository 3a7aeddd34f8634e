"""Every colour brought to sRGB, whatever it was written in. Runs inside the decoder child, like `images`.

A picture says its colours by a profile (ICC), by code points (ITU-T H.273: 'nclx' in HEIF and AVIF, cICP in PNG), by
numbers (gAMA and cHRM in PNG), or, from a camera set to Adobe RGB, by a word in its Exif. All of them become a profile,
so that one way through littleCMS brings them home. What says nothing is sRGB; a broken profile counts as none.

HDR. The main picture of Ultra HDR and of an iPhone is an ordinary one, with a gain map beside it that is left alone.
Where the main picture itself is PQ or HLG, paper white (203 cd/m2, ITU-R BT.2408) becomes white, and what is brighter
is cut there.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from homecircle.vault.boxes import colour_of

if TYPE_CHECKING:
    from PIL import Image

Point = tuple[float, float]
Matrix = tuple[tuple[float, ...], ...]

D65: Point = (0.3127, 0.329)
SRGB: tuple[Point, Point, Point, Point] = ((0.64, 0.33), (0.3, 0.6), (0.15, 0.06), D65)
ADOBE_RGB: tuple[Point, Point, Point, Point] = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), D65)
# H.273 table 2: red, green, blue, white. What is not here is near enough to sRGB.
PRIMARIES: dict[int, tuple[Point, Point, Point, Point]] = {
    9: ((0.708, 0.292), (0.17, 0.797), (0.131, 0.046), D65),
    11: ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), (0.314, 0.351)),
    12: ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), D65),
}
PAPER = 203.0  # cd/m2
_STEPS = 1024
_BRADFORD: Matrix = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
_D50 = (0.9642, 1.0, 0.8249)


def in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """The picture (L, RGB or CMYK) in RGB, through the profile where it has one that fits."""
    from PIL import ImageCms

    if profile:
        with suppress(ImageCms.PyCMSError, OSError, ValueError, TypeError):
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if picture.mode != "RGB" or not ImageCms.getProfileDescription(source).startswith("sRGB"):
                target = ImageCms.createProfile("sRGB")
                turned = ImageCms.profileToProfile(picture, source, target, outputMode="RGB")
                picture = turned if turned is not None else picture
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def profile_of(picture: Image.Image, data: bytes, is_adobe_rgb: bool) -> bytes | None:
    """The profile of a picture (already opened) with these bytes: the one in it, else one made of what it says."""
    embedded: bytes | None = picture.info.get("icc_profile")
    with suppress(Exception):  # said in a broken way is not said
        if picture.format == "PNG":
            return _of_png(picture, data, embedded)
        if embedded is None and picture.format in {"HEIF", "AVIF"}:
            return _of_points(colour_of(data))
    return made(ADOBE_RGB, lambda level: level**2.19921875) if is_adobe_rgb and not embedded else embedded


def _of_png(picture: Image.Image, data: bytes, embedded: bytes | None) -> bytes | None:
    """PNG 3rd edition, 4.3: cICP before iCCP before sRGB before gAMA and cHRM."""
    at = data.find(b"\0\0\0\x04cICP", 8, data.find(b"IDAT"))
    if at > 0 and (profile := _of_points((data[at + 8], data[at + 9]))):
        return profile
    gamma, points = picture.info.get("gamma", 0.45455), picture.info.get("chromaticity")
    is_usual = abs(gamma - 0.45455) < 0.01 and points is None
    if embedded or "srgb" in picture.info or is_usual or not 0.1 < gamma < 2:
        return embedded
    white, *colours = zip(points[::2], points[1::2], strict=True) if points else (D65, *SRGB[:3])
    curve = srgb_curve if abs(gamma - 0.45455) < 0.01 else lambda level: level ** (1 / gamma)
    return made((colours[0], colours[1], colours[2], white), curve)


def _of_points(points: tuple[int, int] | None) -> bytes | None:
    """None for sRGB and what is shown like it."""
    if points is None:
        return None
    curve = {4: lambda level: level**2.2, 5: lambda level: level**2.8, 8: lambda level: level, 16: _pq, 18: _hlg}
    if points[0] not in PRIMARIES and points[1] not in curve:
        return None
    return made(PRIMARIES.get(points[0], SRGB), curve.get(points[1], srgb_curve))


def srgb_curve(level: float) -> float:
    """IEC 61966-2-1."""
    return float(level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4)


def _pq(level: float) -> float:
    """SMPTE ST 2084, as a share of paper white."""
    power = level ** (1 / 78.84375)
    return float((max(power - 0.8359375, 0.0) / (18.8515625 - 18.6875 * power)) ** (1 / 0.1593017578125) * 1e4 / PAPER)


def _hlg(level: float) -> float:
    """ITU-R BT.2100 at 1000 cd/m2, as a share of paper white."""
    scene = (
        level * level / 3 if level <= 0.5 else (2.718281828 ** ((level - 0.55991073) / 0.17883277) + 0.28466892) / 12
    )
    return float(scene**1.2 * 1e3 / PAPER)


def made(points: tuple[Point, Point, Point, Point], curve: Callable[[float], float]) -> bytes:
    """A matrix profile (ICC.1:2001-04) of red, green, blue, white and the curve from what is written to light."""
    columns = _adapted(points)
    levels = [min(65535, round(65535 * curve(step / (_STEPS - 1)))) for step in range(_STEPS)]
    table = b"curv\0\0\0\0" + struct.pack(f">I{_STEPS}H", _STEPS, *levels)
    tags = {
        b"desc": b"desc\0\0\0\0\0\0\0\5made\0".ljust(95, b"\0"),
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": _xyz(_D50),
        **{name: _xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)},
    }
    index, bodies, first = b"", b"", 132 + 12 * (len(tags) + 3)
    for name, body in tags.items():
        index += struct.pack(">4sII", name, first + len(bodies), len(body))
        bodies += body.ljust(-(-len(body) // 4) * 4, b"\0")
    for name in (b"rTRC", b"gTRC", b"bTRC"):  # all three are one
        index += struct.pack(">4sII", name, first + len(bodies), len(table))
    head = struct.pack(">I4sI4s4s4s", first + len(bodies) + len(table), b"", 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    head = (head + struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp")).ljust(68, b"\0") + _xyz(_D50)[8:]
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags) + 3) + index + bodies + table


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _adapted(points: tuple[Point, Point, Point, Point]) -> list[tuple[float, ...]]:
    """XYZ of red, green and blue, their sum the white, brought to D50 by Bradford's matrix (ICC.1 annex E)."""
    red, green, blue, white = (_light(point) for point in points)
    rows = tuple(zip(red, green, blue, strict=True))
    shares = _times(_inverse(rows), white)
    there, here = _times(_BRADFORD, white), _times(_BRADFORD, _D50)
    columns = []
    for colour, share in zip((red, green, blue), shares, strict=True):
        seen = _times(_BRADFORD, tuple(part * share for part in colour))
        moved = tuple(part * to / of for part, to, of in zip(seen, here, there, strict=True))
        columns.append(_times(_inverse(_BRADFORD), moved))
    return columns


def _light(point: Point) -> tuple[float, ...]:
    return (point[0] / point[1], 1.0, (1 - point[0] - point[1]) / point[1])


def _times(rows: Matrix, column: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(sum(a * b for a, b in zip(row, column, strict=True)) for row in rows)


def _inverse(rows: Matrix) -> Matrix:
    (a, b, c), (d, e, f), (g, h, i) = rows
    whole = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    minors = (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
    return tuple(tuple(part / whole for part in row) for row in minors)
