"""Makes every picture in this folder: `python tests/samples/make.py`. Same libraries, same bytes.

The six scenes are painted by rules, so that they may be shown anywhere and name nobody. The odd ones (bombs, halves,
lies) are made by functions here that the tests call, and are not kept.
"""

from __future__ import annotations

import io
import math
import struct
import zlib
from pathlib import Path
from random import Random

import pillow_heif
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

HERE = Path(__file__).parent
BIG = (3200, 2400)  # painted at, then halved
Colour = tuple[int, int, int]
Point = tuple[float, float]

# What the 12-megapixel picture carries and no copy may: the tests look for these bytes.
SERIAL = "HC-SERIAL-4711"
OWNER = "Ada Owner Lovelace"
XMP_WORD = "xmp-word-of-ada"
IPTC_WORD = "iptc-word-of-ada"
COMMENT = "comment-word-of-ada"
MAKER_WORD = "maker-note-of-ada"
GPS_NUMBERS = ((47.0, 22.0, 37.21), (8.0, 32.0, 29.55))
SECRETS = (SERIAL, OWNER, XMP_WORD, IPTC_WORD, COMMENT, MAKER_WORD)
CORNERS: tuple[Colour, ...] = ((220, 40, 40), (40, 180, 60), (50, 70, 220), (240, 210, 40))  # NW NE SW SE


# --- Brushes --------------------------------------------------------------------------------------------------------


def gradient(size: tuple[int, int], *stops: tuple[float, Colour]) -> Image.Image:
    """From top to bottom through (position 0..1, colour)."""
    column = Image.new("RGB", (1, size[1]))
    for y in range(size[1]):
        at = y / max(1, size[1] - 1)
        low = max((s for s in stops if s[0] <= at), key=lambda s: s[0], default=stops[0])
        high = min((s for s in stops if s[0] >= at), key=lambda s: s[0], default=stops[-1])
        part = (at - low[0]) / (high[0] - low[0]) if high[0] > low[0] else 0.0
        column.putpixel((0, y), tuple(round(a + (b - a) * part) for a, b in zip(low[1], high[1], strict=True)))
    return column.resize(size)


def clouds(size: tuple[int, int], seed: int, first: tuple[int, int], octaves: int = 5) -> Image.Image:
    """Soft noise, mode L, from lumps as large as size/first down."""
    chance = Random(seed)
    sky = Image.new("L", size, 128)
    for octave in range(octaves):
        wide, high = first[0] << octave, first[1] << octave
        lumps = Image.frombytes("L", (wide, high), chance.randbytes(wide * high)).resize(size, Image.Resampling.BICUBIC)
        sky = Image.blend(sky, lumps, 0.5 if octave == 0 else 0.62**octave * 0.6)
    return ImageOps.autocontrast(sky)


def curve(mask: Image.Image, low: int, high: int, most: int = 255) -> Image.Image:
    """Below low nothing, above high `most`."""
    return mask.point([round(min(1.0, max(0.0, (v - low) / (high - low))) * most) for v in range(256)])


def glow(picture: Image.Image, centre: Point, radius: float, colour: Colour, strength: float) -> None:
    """Light added round a point."""
    side = int(radius * 2)
    light = ImageOps.invert(Image.radial_gradient("L")).resize((side, side), Image.Resampling.BICUBIC)
    light = light.point([round((max(0, v - 74) / 181) ** 2 * 255 * strength) for v in range(256)])
    box = (int(centre[0] - radius), int(centre[1] - radius))
    region = picture.crop((*box, box[0] + side, box[1] + side))
    lit = ImageChops.screen(
        region, Image.merge("RGB", [light.point([v * c // 255 for v in range(256)]) for c in colour])
    )
    picture.paste(lit, box)


def ridge(size: tuple[int, int], seed: int, base: float, height: float, rough: float) -> list[Point]:
    """A mountain line as a polygon down to the bottom."""
    chance = Random(seed)
    waves = [(chance.uniform(0.6, 1.4) * 2**i, chance.uniform(0, 7), rough**i) for i in range(9)]
    line: list[Point] = []
    for x in range(0, size[0] + 8, 8):
        lift = sum(a * math.sin(f * 2 * math.pi * x / size[0] + p) for f, p, a in waves)
        line.append((x, base - height * lift))
    return [(0.0, float(size[1])), *line, (float(size[0]), float(size[1]))]


def shade(picture: Image.Image, polygon: list[Point], top: Colour, bottom: Colour, seed: int) -> None:
    """A polygon filled from top to bottom, with some grain of rock or leaves in it."""
    mask = Image.new("L", picture.size)
    ImageDraw.Draw(mask).polygon(polygon, fill=255)
    high = int(min(y for _, y in polygon))
    fill = gradient(picture.size, (0.0, top), (high / picture.size[1], top), (1.0, bottom))
    grain = curve(clouds(picture.size, seed, (40, 30), 4), 60, 220, 60)
    fill.paste(tuple(c * 2 // 3 for c in bottom), mask=grain)
    picture.paste(fill, mask=mask)


def soft(picture: Image.Image, paint: list[tuple[tuple[float, ...], Colour]], blur: float, strength: int = 255) -> None:
    """Ellipses (x0, y0, x1, y1) with a soft edge."""
    for box, colour in paint:
        edge = int(blur * 3) + 2
        left, top, right, bottom = int(box[0]) - edge, int(box[1]) - edge, int(box[2]) + edge, int(box[3]) + edge
        mask = Image.new("L", (right - left, bottom - top))
        ImageDraw.Draw(mask).ellipse((edge, edge, right - left - edge, bottom - top - edge), fill=strength)
        picture.paste(Image.new("RGB", mask.size, colour), (left, top), mask.filter(ImageFilter.GaussianBlur(blur)))


def finish(picture: Image.Image, size: tuple[int, int], seed: int) -> Image.Image:
    """What a lens and a sensor add: darker corners, a little grain."""
    done = picture.resize(size, Image.Resampling.LANCZOS)
    corners = Image.radial_gradient("L").resize(size, Image.Resampling.BICUBIC)
    done = Image.composite(done.point([v * 3 // 5 for v in range(256)] * 3), done, curve(corners, 110, 300))
    grain = Image.frombytes("L", (size[0] // 2, size[1] // 2), Random(seed).randbytes(size[0] // 2 * (size[1] // 2)))
    grain = grain.resize(size, Image.Resampling.BICUBIC).point([122 + v // 21 for v in range(256)])
    return ImageChops.overlay(done, Image.merge("RGB", [grain] * 3))


# --- Scenes ---------------------------------------------------------------------------------------------------------


def lake(size: tuple[int, int]) -> Image.Image:
    """An evening by the lake, with a jetty."""
    wide, high = BIG
    shore = 1330
    stops = ((0.0, (38, 52, 104)), (0.45, (150, 96, 132)), (0.75, (240, 142, 92)), (1.0, (255, 208, 130)))
    sky = gradient((wide, shore), *stops)
    veil = clouds(sky.size, 3, (3, 11))
    sky.paste((255, 150, 120), mask=curve(veil, 130, 230, 170))
    sky.paste((70, 54, 100), mask=curve(clouds(sky.size, 8, (2, 9)), 160, 250, 150))
    glow(sky, (2050, 1180), 1100, (255, 170, 90), 0.75)
    glow(sky, (2050, 1180), 230, (255, 246, 214), 1.0)
    shade(sky, ridge(sky.size, 21, 1120, 70, 0.55), (128, 92, 122), (206, 138, 118), 5)
    shade(sky, ridge(sky.size, 5, 1230, 58, 0.6), (66, 52, 84), (116, 78, 92), 6)
    shade(sky, ridge(sky.size, 14, 1318, 22, 0.75), (26, 26, 44), (34, 28, 40), 7)
    picture = Image.new("RGB", BIG)
    picture.paste(sky)
    mirror = ImageOps.flip(sky).resize((wide, high - shore)).point([v * 4 // 5 for v in range(256)] * 3)
    chance = Random(4)
    for y in range(0, high - shore, 3):
        reach = 3 + y / 18
        shift = round(reach * math.sin(y / (3 + y / 60)) + chance.uniform(-reach, reach) / 2)
        row = mirror.crop((0, y, wide, y + 3))
        picture.paste(ImageChops.offset(row, shift, 0), (0, shore + y))
    water = Image.new("L", BIG)
    water.paste(gradient((wide, high - shore), (0.0, (0,) * 3), (1.0, (190,) * 3)).convert("L"), (0, shore))
    picture.paste((22, 34, 66), mask=water)
    pen = ImageDraw.Draw(picture)
    for plank in range(46):
        near = (plank / 46) ** 1.8
        y, half = shore + 190 + near * 900, 60 + near * 300
        middle = 1000 - near * 260
        tone = 46 + chance.randrange(14) - int(near * 12)
        pen.polygon(
            [
                (middle - half, y),
                (middle + half, y),
                (middle + half, y + 6 + near * 42),
                (middle - half, y + 6 + near * 42),
            ],
            (tone + 26, tone + 6, tone),
        )
    for side, near in ((-1, 0.1), (1, 0.1), (-1, 0.45), (1, 0.45), (-1, 0.9), (1, 0.9)):
        x, y = 1000 - near * 260 + side * (66 + near * 300), shore + 190 + near * 900
        pen.rectangle(
            (x - 8 - near * 26, y - 50 - near * 210, x + 8 + near * 26, y + 60 + near * 130), fill=(34, 24, 32)
        )
    for _ in range(170):
        x, lean, tall = chance.gauss(2900, 240), chance.uniform(-90, 50), chance.uniform(250, 800)
        pen.line([(x, high), (x + lean * 0.3, high - tall * 0.6), (x + lean, high - tall)], fill=(20, 20, 28), width=7)
        if chance.random() < 0.3:
            pen.ellipse((x + lean - 12, high - tall - 60, x + lean + 12, high - tall + 50), fill=(44, 26, 24))
    return finish(picture, size, 1)


def mountains(size: tuple[int, int]) -> Image.Image:
    """A morning in the mountains."""
    picture = gradient(BIG, (0.0, (92, 148, 206)), (0.5, (206, 222, 232)), (1.0, (238, 230, 214)))
    picture.paste((255, 255, 255), mask=curve(clouds(BIG, 31, (3, 6)), 140, 240, 200))
    tones = ((168, 186, 208), (128, 154, 180), (86, 118, 138), (52, 88, 88), (28, 60, 46))
    for number, tone in enumerate(tones):
        base, rise = 1050 + number * 270, 250 - number * 34
        light = tuple(min(255, c + 34) for c in tone)
        shade(picture, ridge(BIG, 50 + number, base, rise, 0.52), (light[0], light[1], light[2]), tone, 60 + number)
        mist = curve(clouds(BIG, 80 + number, (2, 5)), 120, 255, 120)
        mist.paste(0, (0, 0, BIG[0], base - 60))
        picture.paste((236, 240, 242), mask=mist.filter(ImageFilter.GaussianBlur(30)))
    pen, chance = ImageDraw.Draw(picture), Random(9)
    for number in range(120):
        x, foot = chance.uniform(0, BIG[0]), 2120 + number * 2.6
        tall = 180 + (foot - 2100) * 0.9 * chance.uniform(0.7, 1.2)
        dark = chance.randrange(14)
        for step in range(7):
            top, half = foot - tall + step * tall / 8, (step + 1.2) * tall / 30
            pen.polygon(
                [(x, top), (x - half, top + tall / 5), (x + half, top + tall / 5)], (14 + dark, 40 + dark, 32 + dark)
            )
    return finish(picture, size, 2)


def garden(size: tuple[int, int]) -> Image.Image:
    """Tulips, and everything behind them out of focus."""
    picture = gradient(BIG, (0.0, (216, 232, 170)), (0.4, (122, 168, 84)), (1.0, (38, 84, 40)))
    chance = Random(12)
    spots: list[tuple[tuple[float, ...], Colour]] = []
    for _ in range(150):
        x, y, r = chance.uniform(0, BIG[0]), chance.uniform(0, 1700), chance.uniform(40, 150)
        colour = chance.choice([(236, 240, 190), (160, 204, 104), (250, 220, 150), (236, 150, 170), (84, 138, 62)])
        spots.append(((x - r, y - r, x + r, y + r), colour))
    soft(picture, spots, 14, 110)
    picture = picture.filter(ImageFilter.GaussianBlur(16))
    for depth in range(4):
        layer = Image.new("RGBA", BIG)
        pen = ImageDraw.Draw(layer)
        for _ in range(9 + depth * 2):
            _tulip(pen, chance, chance.uniform(-50, BIG[0] + 50), 0.55 + depth * 0.28)
        picture.paste(layer, mask=layer.filter(ImageFilter.GaussianBlur((3 - depth) * 5)).getchannel("A"))
        if depth < 3:
            picture = picture.filter(ImageFilter.GaussianBlur((3 - depth) * 3))
    glow(picture, (500, 100), 1500, (255, 240, 190), 0.5)
    return finish(picture, size, 3)


def _tulip(pen: ImageDraw.ImageDraw, chance: Random, x: float, scale: float) -> None:
    top = BIG[1] - chance.uniform(620, 1050) * scale
    green = (52 + chance.randrange(40), 112 + chance.randrange(40), 48)
    pen.line([(x, BIG[1]), (x + 14, top + 200), (x, top)], fill=green, width=int(24 * scale))
    for side in (-1, 1):
        tip = (x + side * chance.uniform(110, 230) * scale, top + chance.uniform(160, 380) * scale)
        pen.polygon(
            [(x - 20, BIG[1]), (x + side * 90 * scale, BIG[1] - 200), tip, (x + side * 30 * scale, BIG[1] - 130)], green
        )
    r, g, b = chance.choice([(226, 62, 70), (246, 178, 60), (232, 110, 150), (250, 236, 220), (150, 60, 140)])
    w, h = 120 * scale, 180 * scale
    for offset, tone in ((-0.55, 0.78), (0.55, 0.86), (0.0, 1.0)):
        colour = (int(r * tone), int(g * tone), int(b * tone))
        middle = x + offset * w
        pen.ellipse((middle - w * 0.62, top - h * 0.7, middle + w * 0.62, top + h * 0.9), fill=colour)
        pen.polygon(
            [(middle - w * 0.6, top - h * 0.1), (middle, top - h * 1.15), (middle + w * 0.6, top - h * 0.1)], colour
        )
    pen.ellipse(
        (x - w * 0.35, top - h * 0.5, x - w * 0.05, top + h * 0.4),
        fill=(min(255, r + 22), min(255, g + 26), min(255, b + 26)),
    )


def cake(size: tuple[int, int]) -> Image.Image:
    """A birthday."""
    picture = gradient(BIG, (0.0, (44, 26, 40)), (0.62, (112, 60, 54)), (0.63, (120, 76, 50)), (1.0, (66, 36, 24)))
    chance = Random(7)
    lights: list[tuple[tuple[float, ...], Colour]] = []
    for _ in range(46):
        x, y, r = chance.uniform(0, BIG[0]), chance.uniform(0, 1250), chance.uniform(30, 95)
        lights.append(
            (
                (x - r, y - r, x + r, y + r),
                chance.choice([(255, 196, 110), (255, 150, 96), (250, 226, 170), (214, 110, 130)]),
            )
        )
    soft(picture, lights, 8, 90)
    grain = curve(clouds(BIG, 70, (3, 90), 3), 90, 220, 70)
    grain.paste(0, (0, 0, BIG[0], 1490))
    picture.paste((40, 20, 12), mask=grain)
    picture = picture.filter(ImageFilter.GaussianBlur(4))
    soft(picture, [((640, 1880, 2560, 2300), (24, 12, 10))], 40, 190)
    pen = ImageDraw.Draw(picture)
    pen.ellipse((560, 1780, 2640, 2240), fill=(232, 230, 226))
    pen.ellipse((620, 1790, 2580, 2200), fill=(250, 249, 245))
    _tier(picture, (800, 1180, 2400, 2040), (240, 196, 176), (252, 240, 228))
    _tier(picture, (1080, 800, 2120, 1390), (246, 214, 194), (255, 246, 236))
    pen = ImageDraw.Draw(picture)
    for step in range(22):
        angle = step / 22 * 2 * math.pi
        x, y = 1600 + math.cos(angle) * 700, 1400 + math.sin(angle) * 130
        if math.sin(angle) > -0.2:
            pen.ellipse((x - 52, y - 70, x + 52, y + 46), fill=(196, 30, 44))
            pen.ellipse((x - 34, y - 56, x - 4, y - 18), fill=(236, 96, 96))
    for number, x in enumerate((1240, 1420, 1600, 1780, 1960)):
        y = 850 + 50 * math.sin(number * 2.2)
        pen.rectangle((x - 16, y - 290, x + 16, y), fill=((236, 120, 140), (120, 170, 214), (250, 206, 96))[number % 3])
        pen.line((x, y - 290, x, y - 330), fill=(60, 40, 36), width=8)
        glow(picture, (x, y - 370), 420, (255, 176, 80), 0.55)
        soft(
            picture,
            [
                ((x - 26, y - 430, x + 26, y - 320), (255, 196, 84)),
                ((x - 13, y - 392, x + 13, y - 326), (255, 252, 226)),
            ],
            4,
        )
        pen = ImageDraw.Draw(picture)
    return finish(picture, size, 4)


def _tier(picture: Image.Image, box: tuple[int, int, int, int], body: Colour, icing: Colour) -> None:
    left, top, right, bottom = box
    flat = (right - left) // 6
    mask = Image.new("L", picture.size)
    pen = ImageDraw.Draw(mask)
    pen.rectangle((left, top + flat // 2, right, bottom - flat // 2), fill=255)
    pen.ellipse((left, bottom - flat, right, bottom), fill=255)
    tones = [
        (0.0, tuple(c // 2 for c in body)),
        (0.3, body),
        (0.55, tuple(min(255, c + 14) for c in body)),
        (1.0, tuple(c * 2 // 5 for c in body)),
    ]
    round_body = gradient((right - left, right - left), *tones).rotate(90).resize((right - left, bottom - top))
    full = picture.copy()
    full.paste(round_body, (left, top))
    picture.paste(full, mask=mask)
    pen = ImageDraw.Draw(picture)
    chance = Random(left)
    for x in range(left + 30, right - 20, 74):
        drop = (
            top
            + flat // 2
            + flat * 0.5 * math.sqrt(max(0.0, 1 - ((x - (left + right) / 2) / ((right - left) / 2)) ** 2))
            + chance.uniform(30, 150)
        )
        pen.rounded_rectangle((x - 38, top + flat // 2, x + 38, drop), 38, fill=icing)
    pen.ellipse((left, top, right, top + flat), fill=icing)
    pen.ellipse((left + 40, top + 14, right - 40, top + flat - 20), fill=tuple(min(255, c + 6) for c in icing))


def bicycle(size: tuple[int, int]) -> Image.Image:
    """A bicycle at a warm wall."""
    picture = gradient(
        BIG, (0.0, (236, 190, 128)), (0.74, (222, 162, 104)), (0.741, (150, 140, 132)), (1.0, (98, 92, 90))
    )
    picture.paste((250, 220, 170), mask=curve(clouds(BIG, 91, (6, 5), 6), 130, 240, 120))
    picture.paste((170, 106, 66), mask=curve(clouds(BIG, 92, (9, 7), 6), 170, 255, 110))
    pen = ImageDraw.Draw(picture)
    for row in range(8):
        y, step = 1780 + row * row * 9 + row * 14, 150 + row * 34
        for x in range(-(row % 2) * step // 2, BIG[0], step):
            pen.rounded_rectangle(
                (x + 5, y, x + step - 5, y + 30 + row * 18),
                18,
                fill=(128 + (x * 7 + row * 31) % 29, 122 + (x * 5) % 23, 116),
            )
    pen.rectangle((2180, 330, 2880, 1230), fill=(120, 84, 60))
    pen.rectangle((2220, 370, 2840, 1190), fill=(66, 88, 104))
    pen.polygon([(2220, 900), (2640, 370), (2800, 370), (2220, 1100)], (112, 140, 154))
    for x in (2050, 2840):
        for slat in range(17):
            pen.rectangle((x, 340 + slat * 52, x + 180, 380 + slat * 52), fill=(58, 112 + slat % 3 * 6, 104))
    shadow = Image.new("L", BIG)
    _frame(ImageDraw.Draw(shadow), 70, 36, {"tyre": 150, "frame": 150, "rim": 70, "wood": 150})
    picture.paste((70, 44, 40), mask=shadow.filter(ImageFilter.GaussianBlur(14)))
    pen = ImageDraw.Draw(picture)
    _frame(pen, 0, 0, {"tyre": (34, 32, 34), "frame": (28, 124, 136), "rim": (206, 208, 206), "wood": (150, 98, 54)})
    chance = Random(2)
    for _ in range(95):
        x, y, r = chance.gauss(2230, 95), chance.gauss(985, 52), chance.uniform(16, 38)
        colour = chance.choice(
            [(236, 86, 104), (250, 236, 220), (246, 190, 72), (84, 138, 70), (72, 124, 62), (214, 120, 180)]
        )
        pen.ellipse((x - r, y - r, x + r, y + r), fill=colour)
    glow(picture, (300, 100), 1900, (255, 236, 190), 0.45)
    return finish(picture, size, 5)


def _frame(pen: ImageDraw.ImageDraw, dx: int, dy: int, tone: dict[str, Colour | int]) -> None:
    def at(x: float, y: float) -> Point:
        return x + dx, y + dy

    for x in (1080, 2120):
        for spoke in range(28):
            angle = spoke / 28 * 2 * math.pi
            pen.line(
                [at(x, 1700), at(x + 370 * math.cos(angle), 1700 + 370 * math.sin(angle))], fill=tone["rim"], width=4
            )
        for radius, width, name in ((400, 34, "tyre"), (366, 14, "rim")):
            pen.ellipse(
                (*at(x - radius, 1700 - radius), *at(x + radius, 1700 + radius)), outline=tone[name], width=width
            )
    tubes = [
        ((1080, 1700), (1330, 1180)),
        ((1080, 1700), (1540, 1720)),
        ((1540, 1720), (1280, 1060)),
        ((1540, 1720), (2000, 1200)),
    ]
    for start, end in [*tubes, ((1330, 1180), (1985, 1130)), ((2120, 1700), (1960, 1030))]:
        pen.line([at(*start), at(*end)], fill=tone["frame"], width=34)
    pen.line([at(1960, 1030), at(1860, 950), at(1740, 990)], fill=tone["rim"], width=26, joint="curve")
    pen.rounded_rectangle((*at(1130, 1010), *at(1420, 1070)), 30, fill=tone["wood"])
    pen.ellipse((*at(1450, 1630), *at(1630, 1810)), outline=tone["tyre"], width=22)
    pen.line([at(1540, 1720), at(1640, 1870)], fill=tone["tyre"], width=20)
    pen.polygon([at(2040, 1020), at(2420, 1020), at(2370, 1260), at(2080, 1260)], fill=tone["wood"])


def harbour(size: tuple[int, int]) -> Image.Image:
    """Sails on a bright day at the sea."""
    picture = gradient(
        BIG,
        (0.0, (64, 138, 210)),
        (0.46, (190, 222, 238)),
        (0.461, (30, 104, 146)),
        (0.78, (86, 176, 186)),
        (0.8, (226, 206, 164)),
        (1.0, (206, 176, 128)),
    )
    heap = curve(clouds(BIG, 41, (4, 7), 6), 135, 215, 235)
    heap.paste(0, (0, 1040, *BIG))
    picture.paste((255, 255, 255), mask=heap)
    waves = curve(clouds(BIG, 42, (10, 120), 3), 150, 230, 150)
    waves.paste(0, (0, 0, BIG[0], 1106))
    waves.paste(0, (0, 1870, *BIG))
    picture.paste((236, 250, 250), mask=waves)
    foam = Image.new("L", BIG)
    ImageDraw.Draw(foam).polygon(
        [
            (0, 1860),
            *[(x, 1890 + 34 * math.sin(x / 210) + 12 * math.sin(x / 37)) for x in range(0, BIG[0] + 9, 8)],
            (BIG[0], 1850),
        ],
        fill=235,
    )
    picture.paste((252, 254, 252), mask=foam.filter(ImageFilter.GaussianBlur(5)))
    sand = curve(clouds(BIG, 43, (160, 120), 3), 120, 240, 90)
    sand.paste(0, (0, 0, BIG[0], 1930))
    picture.paste((150, 116, 74), mask=sand)
    pen = ImageDraw.Draw(picture)
    pen.polygon([(0, 1104), (0, 930), (380, 960), (620, 1040), (900, 1104)], (86, 116, 100))
    for x, y, s, colour in (
        (1250, 1230, 0.55, (250, 250, 246)),
        (2050, 1350, 1.0, (252, 246, 236)),
        (2780, 1190, 0.4, (236, 120, 90)),
    ):
        pen.polygon([(x + 14 * s, y - 640 * s), (x + 14 * s, y - 60 * s), (x + 340 * s, y - 60 * s)], colour)
        pen.polygon(
            [(x - 10 * s, y - 560 * s), (x - 10 * s, y - 60 * s), (x - 220 * s, y - 60 * s)],
            tuple(c * 9 // 10 for c in colour),
        )
        pen.rectangle((x - 8 * s, y - 660 * s, x + 8 * s, y), fill=(90, 62, 44))
        pen.polygon(
            [
                (x - 260 * s, y - 30 * s),
                (x + 360 * s, y - 30 * s),
                (x + 270 * s, y + 70 * s),
                (x - 190 * s, y + 70 * s),
            ],
            (150, 50, 46),
        )
        soft(picture, [((x - 230 * s, y + 70 * s, x + 310 * s, y + 130 * s), (16, 70, 96))], 12, 150)
    for step in range(8):
        colour = ((232, 84, 72), (250, 244, 232))[step % 2]
        pen.pieslice((180, 1500, 1180, 2220), 180 + step * 22.5, 202.5 + step * 22.5, fill=colour)
    pen.line((680, 1490, 720, 2330), fill=(120, 86, 56), width=22)
    soft(picture, [((560, 2240, 1360, 2350), (130, 96, 62))], 20, 150)
    return finish(picture, size, 6)


# --- Files ----------------------------------------------------------------------------------------------------------


def jpeg(picture: Image.Image, quality: int, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality, optimize=True, **options)
    return out.getvalue()


def telling_exif(orientation: int) -> Image.Exif:
    """All that a camera tells too much."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112] = "HomeCircle", "HomeCircle One", orientation
    exif[0x0132], exif[0x013B], exif[0x8298] = "2026:07:04 09:00:00", OWNER, OWNER
    exif.get_ifd(0x8769).update(
        {
            0x9003: "2026:07:03 20:41:05",
            0x9011: "+02:00",
            0xA431: SERIAL,
            0xA430: OWNER,
            0xA435: SERIAL,
            0x927C: MAKER_WORD.encode(),
        }
    )
    exif.get_ifd(0x8825).update({1: "N", 2: GPS_NUMBERS[0], 3: "E", 4: GPS_NUMBERS[1]})
    return exif


def telling_xmp() -> bytes:
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:GPSLatitude="47,22.62N" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/" dc:creator="{XMP_WORD}"/></rdf:RDF></x:xmpmeta>'
    ).encode()


def iptc() -> bytes:
    """APP13 with the city (IIM 2:90)."""
    record = b"\x1c\x02\x5a" + struct.pack(">H", len(IPTC_WORD)) + IPTC_WORD.encode()
    record += b"\0" * (len(record) & 1)
    body = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", len(record)) + record
    return b"\xff\xed" + struct.pack(">H", len(body) + 2) + body


def telling_jpeg(picture: Image.Image, orientation: int, quality: int) -> bytes:
    """A JPEG with Exif, GPS, serial, thumbnail, XMP, IPTC, comment, and a film behind its end as motion photos have."""
    data = jpeg(picture, quality, exif=telling_exif(orientation), xmp=telling_xmp(), comment=COMMENT.encode())
    film = b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + struct.pack(">I4s", 8 + len(OWNER), b"free") + OWNER.encode()
    return data[:2] + iptc() + data[2:] + film


def turned(picture: Image.Image, orientation: int) -> Image.Image:
    """Stored so that `orientation` shows it upright."""
    turns = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    return picture if orientation == 1 else picture.transpose(Image.Transpose(turns[orientation]))


def corners(size: tuple[int, int] = (240, 160)) -> Image.Image:
    """A colour in every quarter."""
    picture = Image.new("RGB", size)
    half = (size[0] // 2, size[1] // 2)
    for number, colour in enumerate(CORNERS):
        picture.paste(
            colour,
            (number % 2 * half[0], number // 2 * half[1], (number % 2 + 1) * half[0], (number // 2 + 1) * half[1]),
        )
    return picture


def wide_profile() -> bytes:
    """A matrix profile with the primaries of Display P3 (D50-adapted) and gamma 2.2, made from ICC.1:2001-04."""

    def xyz(*values: float) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(v * 65536)) for v in values)

    name = b"HomeCircle wide\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(name)) + name + b"\0" * 78,
        b"cprt": b"text\0\0\0\0CC0\0",
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": xyz(0.51512, 0.2412, -0.00105),
        b"gXYZ": xyz(0.29198, 0.69225, 0.04189),
        b"bXYZ": xyz(0.1571, 0.06657, 0.78407),
        **{name: b"curv\0\0\0\0\0\0\0\1" + struct.pack(">H", 563) for name in (b"rTRC", b"gTRC", b"bTRC")},
    }
    at, table, bodies = 128 + 4 + 12 * len(tags), b"", b""
    for tag, body in tags.items():
        table += tag + struct.pack(">II", at + len(bodies), len(body))
        bodies += body + b"\0" * (-len(body) % 4)
    head = struct.pack(
        ">I4sI4s4s4s6H4s",
        at + len(bodies),
        b"\0\0\0\0",
        0x02100000,
        b"mntr",
        b"RGB ",
        b"XYZ ",
        2026,
        7,
        3,
        0,
        0,
        0,
        b"acsp",
    )
    head = head.ljust(68, b"\0") + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + bodies


def png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_bomb(side: int = 30_000) -> bytes:
    """Hundreds of megapixels of nothing in a few hundred kilobytes."""
    packer = zlib.compressobj(9)
    row = b"\0" * (side // 8 + 1)
    body = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", head) + png_chunk(b"IDAT", body) + png_chunk(b"IEND", b"")


def gif_bomb(side: int = 65_535) -> bytes:
    """A canvas of four gigapixels round one pixel."""
    dot = b"\x2c\0\0\0\0\1\0\1\0\0\2\2\x44\1\0"
    return b"GIF89a" + struct.pack("<HHBBB", side, side, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff" + dot * 1000 + b";"


def heif_bomb(data: bytes, side: int = 60_000) -> bytes:
    """A real HEIC whose index claims another size (ispe, ISO/IEC 23008-12 6.5.3)."""
    out = bytearray(data)
    at = data.find(b"ispe")
    while at >= 0:
        out[at + 8 : at + 16] = struct.pack(">II", side, side)
        at = data.find(b"ispe", at + 4)
    return bytes(out)


def jpeg_bomb(side: int = 65_500) -> bytes:
    """A small JPEG that claims to be huge."""
    data = bytearray(jpeg(Image.new("RGB", (16, 16)), 80))
    at = data.find(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", side, side)
    return bytes(data)


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    """Through Pillow; for HEIF with the head left as the encoder makes it."""
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def frames() -> list[Image.Image]:
    """A dot that goes round."""
    pictures = []
    for step in range(8):
        frame = corners((120, 80))
        x, y = 60 + 40 * math.cos(step * math.pi / 4), 40 + 25 * math.sin(step * math.pi / 4)
        ImageDraw.Draw(frame).ellipse((x - 8, y - 8, x + 8, y + 8), fill="white")
        pictures.append(frame)
    return pictures


def files() -> dict[str, bytes]:
    """Every file of this folder."""
    pillow_heif.register_heif_opener()
    out = {"lake-12mp.jpg": telling_jpeg(lake((4032, 3024)).transpose(Image.Transpose.ROTATE_90), 6, 78)}
    scenes = (("mountains", mountains), ("garden", garden), ("cake", cake), ("bicycle", bicycle), ("harbour", harbour))
    for name, scene in scenes:
        exif = Image.Exif()
        exif[0x010F], exif[0x0110] = "HomeCircle", "One"
        exif.get_ifd(0x8769).update({0x9003: f"2026:0{3 + len(out)}:1{len(out)} 10:2{len(out)}:00", 0x9011: "+02:00"})
        out[f"{name}.jpg"] = jpeg(scene((1600, 1200)), 80, exif=exif)
    for number in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = number
        out[f"orientation-{number}.jpg"] = jpeg(turned(corners(), number), 90, exif=exif)
    ramp = Image.frombytes("I;16", (256, 64), b"".join(struct.pack("<H", x * 257) for x in range(256)) * 64)
    small = Image.open(io.BytesIO(out["harbour.jpg"])).resize((800, 600))
    alpha = corners().convert("RGBA")
    alpha.paste((0, 0, 0, 0), (60, 40, 180, 120))
    film = frames()
    again = {"save_all": True, "append_images": film[1:], "duration": 120, "loop": 0}
    out |= {
        "phone.heic": encoded(small, "HEIF", quality=60, exif=telling_exif(1), xmp=telling_xmp()),
        "phone.avif": encoded(small, "AVIF", quality=55, exif=telling_exif(1), xmp=telling_xmp(), max_threads=1),
        "grey-16bit.png": encoded(ramp, "PNG"),
        "palette.png": encoded(corners().quantize(16), "PNG"),
        "alpha.png": encoded(alpha, "PNG", exif=telling_exif(1)),
        "turning.gif": encoded(film[0].quantize(64), "GIF", **again, comment=COMMENT.encode()),
        "turning.webp": encoded(film[0], "WEBP", **again, quality=80, exif=telling_exif(1), xmp=telling_xmp()),
        "still.webp": encoded(small.resize((400, 300)), "WEBP", quality=80, exif=telling_exif(1), xmp=telling_xmp()),
        "cmyk.jpg": jpeg(corners().convert("CMYK"), 90),
        "wide-gamut.jpg": jpeg(corners(), 95, icc_profile=wide_profile(), subsampling=0),
        "drawing.svg": b'<svg xmlns="http://www.w3.org/2000/svg" ><script>alert(1)</script></svg>\n',
        "text-named.jpg": b"This is a letter to grandma and not a picture.\n",
        "empty.jpg": b"",
    }
    out["truncated.jpg"] = out["harbour.jpg"][:30_000]
    return out


def main() -> None:
    for name, data in files().items():
        (HERE / name).write_bytes(data)


if __name__ == "__main__":
    main()
