"""What a still picture is, how it is drawn smaller, and what is left out of a copy.

The only owner of Pillow, which is loaded on first need: everything but `sniff` runs inside the decoder child, on bytes
that may have been made to do harm. No database, no files; of the house only `colours` and `boxes`.

Renditions. The longest edges are 2016, 1080 and 320 pixels. 2016 is half of the usual phone picture (4032), so that the
JPEG decoder halves while it decodes (78 ms, against 316 ms for 2048). One decode, bicubic downwards from the
one before, turned upright after shrinking. A picture is never enlarged: the first edge that holds it whole is drawn at
the picture's own size, and larger edges are left out. `drawings[0]` is therefore always the largest there is.
Everything is flattened on white: a drawing in black ink is invisible on a dark page. Colours are brought to sRGB.
The pixels are pasted on a new canvas first, since a plain save would carry comment, profile and metadata along.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from homecircle.vault.colours import in_srgb, profile_of

if TYPE_CHECKING:
    from PIL import Image

EDGES = (2016, 1080, 320)
PREVIEW_EDGE = 16
PREVIEW_LIMIT = 240  # bytes; it stands as a data URL in every card
CAMERA_LIMIT = 80  # characters
DRAWN_TYPES = frozenset({"image/jpeg", "image/webp"})
REASONS = frozenset({"not_a_picture", "damaged", "too_large", "too_slow", "crashed", "cannot_clean"})

MEGAPIXEL = 1_000_000
# What Pillow may try for each media type, and how many pixels it may have. The JPEG decoder shrinks while it reads,
# so it may have more; 52 is the 8160 x 6144 of a phone.
FORMATS: dict[str, tuple[tuple[str, ...], int]] = {
    "image/jpeg": (("JPEG", "MPO"), 120 * MEGAPIXEL),
    "image/png": (("PNG",), 25 * MEGAPIXEL),
    "image/webp": (("WEBP",), 25 * MEGAPIXEL),
    "image/gif": (("GIF",), 25 * MEGAPIXEL),
    "image/heic": (("HEIF",), 52 * MEGAPIXEL),
    "image/heif": (("HEIF",), 52 * MEGAPIXEL),
    "image/avif": (("AVIF",), 52 * MEGAPIXEL),
}
# From three times the size on, whole pixels are joined before the bicubic filter: not to be seen, and half the time.
REDUCING_GAP = 1.5
# A progressive JPEG is held whole, as coefficients of 2 bytes, before a single pixel comes out, whatever `draft` says.
PROGRESSIVE_LIMIT = 64 * MEGAPIXEL

ORIENTATION, MAKE, MODEL, EXIF_IFD, GPS_IFD, INTEROP_IFD = 0x0112, 0x010F, 0x0110, 0x8769, 0x8825, 0xA005
# (date, its UTC offset): original, digitized, changed
MOMENTS = ((0x9003, 0x9011), (0x9004, 0x9012), (0x0132, 0x9010))
PLACE_WORDS = re.compile(rb"GPSLatitude|photoshop:City|Iptc4xmpCore:Location|LocationCreated|LocationShown")
IPTC_PLACE = re.compile(rb"\x1c\x02[\x5a\x5c\x5f]")  # IPTC-IIM 2:90 city, 2:92 sublocation, 2:95 province


class Undrawable(Exception):
    """A picture that is kept as a file only. `reason` is one of REASONS."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Drawing:
    """One rendition: `edge` of EDGES it stands for, its real size in pixels, its bytes."""

    edge: int
    media_type: str
    width: int
    height: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Picture:
    """What was found in a picture. `width` and `height` are those of the original, upright."""

    media_type: str
    width: int
    height: int
    taken: str | None  # the camera's own wall clock, YYYY-MM-DDTHH:MM:SS
    offset: str | None  # of that clock from UTC, +02:00
    camera: str
    has_place: bool
    animated: bool
    preview: bytes  # WebP of at most PREVIEW_LIMIT bytes
    drawings: tuple[Drawing, ...]


# --- What it is -----------------------------------------------------------------------------------------------------

HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
AVIF_BRANDS = frozenset({b"avif", b"avis"})
MP4_BRANDS = re.compile(rb"iso[m2-9]|mp4[12]|avc1|M4V[ HP]?|3g[p2].|dash|MSNV|mmp4|f4v ")


def sniff(head: bytes) -> str | None:
    """The media type that the first bytes (64 are enough) tell, or None for everything that is not kept as a medium."""
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head.startswith(b"\x1aE\xdf\xa3") and b"webm" in head[:64]:
        return "video/webm"
    return _brand(head) if head[4:8] == b"ftyp" else None


def _brand(head: bytes) -> str | None:
    """ISO/IEC 14496-12 4.3: the major brand decides, the compatible ones where it says only "some HEIF"."""
    major = head[8:12]
    length = min(int.from_bytes(head[:4], "big"), len(head))
    brands = {major} | {head[at : at + 4] for at in range(16, length - 3, 4)}
    if major in AVIF_BRANDS or (major in {b"mif1", b"msf1"} and brands & AVIF_BRANDS):
        return "image/avif"
    if major in HEIC_BRANDS or (major in {b"mif1", b"msf1"} and brands & HEIC_BRANDS):
        return "image/heic"
    if major in {b"mif1", b"msf1"}:
        return "image/heif"
    if major == b"qt  ":
        return "video/quicktime"
    return "video/mp4" if MP4_BRANDS.match(major) else None


# --- Opening it -----------------------------------------------------------------------------------------------------


@cache
def load() -> None:
    """Load Pillow with the seven formats only (it knows 43) and everything it would load later: after this the decoder
    child can open no file any more."""
    import pillow_heif
    from PIL import AvifImagePlugin, Image, ImageCms

    for name in ("Gif", "Jpeg", "Mpo", "Png", "Tiff", "WebP"):
        import_module(f"PIL.{name}ImagePlugin")
    import_module("PIL.ImageMath")
    ImageCms.createProfile("sRGB")
    # one thread each: a thread costs address space, and the family's pages need the other core
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    pillow_heif.register_heif_opener(decode_threads=1, thumbnails=False, depth_images=False, aux_images=False)
    # no further: `preinit` and `init` would look for more plug-ins on the disk at the first unknown bytes
    Image._initialized = 2
    Image.MAX_IMAGE_PIXELS = max(limit for _, limit in FORMATS.values())


@contextmanager
def hostile() -> Iterator[None]:
    """Whatever a decoder answers to bad bytes, say it in the words of REASONS."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except Undrawable:
        raise
    except (MemoryError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Undrawable("too_large") from None
    except Exception as error:  # seven decoders fed by strangers: there is no list of what they raise
        raise Undrawable("damaged") from error


def _opened(data: bytes, media_type: str) -> Image.Image:
    """Only the head is read; pixels come with load()."""
    from PIL import Image, _imaging

    formats, limit = FORMATS[media_type]
    # Three canvases of 16 MB are kept for the next step: fresh memory from the system costs a JPEG an eighth of its
    # time. The others need that room while they decode.
    _imaging.set_blocks_max(3 if media_type == "image/jpeg" else 0)
    picture = Image.open(io.BytesIO(data), formats=formats)
    pixels = picture.width * picture.height
    if pixels > limit or (pixels > PROGRESSIVE_LIMIT and picture.info.get("progressive")):
        raise Undrawable("too_large")
    return picture


# --- What it says of itself -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Facts:
    orientation: int = 1
    taken: str | None = None
    offset: str | None = None
    camera: str = ""
    has_place: bool = False
    is_adobe_rgb: bool = False


def _facts(picture: Image.Image) -> _Facts:
    """Broken metadata spoil no picture: what cannot be read is not there."""
    notes: Any = {}
    more: Any = {}
    place: Any = {}
    with suppress(Exception):
        notes = picture.getexif()
        more = notes.get_ifd(EXIF_IFD)
        place = notes.get_ifd(GPS_IFD)
    orientation = notes.get(ORIENTATION, 1)
    taken, offset = _moment({**dict(notes), **more})
    return _Facts(
        orientation=orientation if orientation in range(1, 9) else 1,
        taken=taken,
        offset=offset,
        camera=_camera(notes.get(MAKE), notes.get(MODEL)),
        has_place=bool(set(place) - {0}) or _tells_place(picture.info),
        is_adobe_rgb=_is_adobe_rgb(notes),
    )


def _is_adobe_rgb(notes: Any) -> bool:
    """A camera says so by the number of its exchange rules (Exif 2.32, DCF optional file: R03)."""
    with suppress(Exception):
        return str(notes.get_ifd(INTEROP_IFD).get(1, "")).startswith("R03")
    return False


def _moment(notes: dict[int, Any]) -> tuple[str | None, str | None]:
    """(taken, offset) from the first date that is one."""
    for date, offset in MOMENTS:
        found = re.match(r"(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d:\d\d:\d\d)", str(notes.get(date, "")), re.ASCII)
        if found is None:
            continue
        taken = f"{found[1]}-{found[2]}-{found[3]}T{found[4]}"
        with suppress(ValueError):
            datetime.fromisoformat(taken)
            zone = re.match(r"[+-](0\d|1[0-4]):[0-5]\d", str(notes.get(offset, "")), re.ASCII)
            return taken, zone[0] if zone else None
    return None, None


def _camera(make: Any, model: Any) -> str:
    """ "Apple", "iPhone 15" -> "Apple iPhone 15"; "Canon", "Canon EOS R" -> "Canon EOS R"."""
    words = [_line(text) if isinstance(text, str) else "" for text in (make, model)]
    if words[1].lower().startswith(words[0].lower()):
        words = words[1:]
    return " ".join(word for word in words if word)[:CAMERA_LIMIT].strip()


def _line(text: str) -> str:
    return "".join(sign for sign in " ".join(text.split()) if sign.isprintable())


def _tells_place(info: dict[Any, Any]) -> bool:
    """XMP (any format) and IPTC (JPEG) may name the place, too."""
    for key in ("xmp", "XML:com.adobe.xmp", "Raw profile type xmp"):
        note = info.get(key, b"")
        if PLACE_WORDS.search(note if isinstance(note, bytes) else str(note).encode(errors="replace")):
            return True
    blocks = info.get("photoshop")
    iptc = blocks.get(0x0404, b"") if isinstance(blocks, dict) else b""
    return bool(IPTC_PLACE.search(iptc))


def kept_notes(data: bytes, media_type: str) -> bytes:
    """A TIFF block (as Exif has it) of orientation and moment only; empty when there is neither."""
    from PIL import Image

    facts = _facts(_opened(data, media_type))
    notes = Image.Exif()
    if facts.orientation != 1:
        notes[ORIENTATION] = facts.orientation
    if facts.taken:
        more = notes.get_ifd(EXIF_IFD)
        more[MOMENTS[0][0]] = facts.taken.replace("-", ":").replace("T", " ")
        if facts.offset:
            more[MOMENTS[0][1]] = facts.offset
    return notes.tobytes().removeprefix(b"Exif\0\0") if len(notes) or facts.taken else b""


# --- Drawing it -----------------------------------------------------------------------------------------------------


def draw(data: bytes) -> Picture:
    """The picture in its smaller sizes, upright, in sRGB, with nothing but pixels in it.

    Raises Undrawable: not_a_picture, damaged or too_large.
    """
    media_type = sniff(data[:64])
    if media_type not in FORMATS:
        raise Undrawable("not_a_picture")
    load()
    with hostile():
        picture = _opened(data, media_type)
        width, height = picture.size
        animated = bool(getattr(picture, "is_animated", False)) and picture.format not in {"MPO", "HEIF"}
        facts = _facts(picture)
        profile = profile_of(picture, data, facts.is_adobe_rgb)
        canvas = _bare(_upright(in_srgb(_shrunk(picture, max(EDGES)), profile), facts.orientation))
        if facts.orientation > 4:
            width, height = height, width
        drawings, smallest = _drawings(canvas, width, height)
    return Picture(
        media_type=media_type,
        width=width,
        height=height,
        taken=facts.taken,
        offset=facts.offset,
        camera=facts.camera,
        has_place=facts.has_place,
        animated=animated,
        preview=_preview(smallest),
        drawings=drawings,
    )


def edges_for(width: int, height: int) -> tuple[int, ...]:
    """Which of EDGES a picture of that size gets: all that are smaller, and the first that holds it whole."""
    longest = max(width, height)
    smaller = (*EDGES[1:], 0)
    return tuple(edge for edge, below in zip(EDGES, smaller, strict=True) if below < longest)


def _fit(width: int, height: int, edge: int) -> tuple[int, int]:
    """The size within edge x edge; never larger than it is, never thinner than one pixel."""
    scale = min(1.0, edge / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _shrunk(picture: Image.Image, edge: int) -> Image.Image:
    """Decode and bring to at most `edge`, in mode L, RGB or CMYK."""
    from PIL import Image

    target = _fit(*picture.size, edge)
    picture.draft(None, target)
    tiles = getattr(picture, "tile", ())
    part = tiles[0].extents if picture.format == "GIF" and tiles else None
    picture.load()
    plain = _flat(picture)
    if part and part != (0, 0, *picture.size):  # round a first frame that is smaller there is nothing, not a colour
        whole = Image.new(plain.mode, plain.size, "white")
        whole.paste(plain.crop(part), part)
        plain = whole
    return plain if plain.size == target else plain.resize(target, Image.Resampling.BICUBIC)


def _flat(picture: Image.Image) -> Image.Image:
    """Eight bits a channel, no palette, no transparency (on white)."""
    from PIL import Image

    clear = picture.has_transparency_data
    if picture.mode in {"L", "RGB", "CMYK"} and not clear:
        return picture
    if picture.mode.startswith("I"):  # 16-bit grey: Pillow's own conversion cuts everything above 255
        return _of_sixteen_bits(picture)
    if not clear:
        return picture.convert("L" if picture.mode == "1" else "RGB")
    is_grey = picture.mode in {"1", "L", "LA"}
    layer = picture.convert("LA" if is_grey else "RGBA")
    paper = Image.new("L" if is_grey else "RGB", layer.size, "white")
    paper.paste(layer.convert(paper.mode), mask=layer.getchannel("A"))
    return paper


def _of_sixteen_bits(picture: Image.Image) -> Image.Image:
    from PIL import ImageMath

    deep, clear = picture.convert("I"), picture.info.get("transparency")
    plain = deep.point(lambda level: level * (1 / 257)).convert("L")
    if isinstance(clear, int):
        of = ImageMath.lambda_eval(lambda args: args["convert"]((args["deep"] == clear) * 255, "L"), deep=deep)
        plain.paste(255, mask=of)
    return plain


def _upright(picture: Image.Image, orientation: int) -> Image.Image:
    """Turn and mirror by the Exif orientation (Exif 2.32, tag 0x0112)."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    turn = turns.get(orientation)
    return picture if turn is None else picture.transpose(turn)


def _bare(picture: Image.Image) -> Image.Image:
    """On a new canvas, so that only pixels are left."""
    from PIL import Image

    fresh = Image.new("RGB", picture.size)
    fresh.paste(picture)
    return fresh


def _drawings(canvas: Image.Image, width: int, height: int) -> tuple[tuple[Drawing, ...], Image.Image]:
    """All renditions, and the canvas of the smallest one. Each is shrunk from the one before."""
    from PIL import Image

    drawings = []
    for edge in edges_for(width, height):
        size = _fit(width, height, edge)
        if canvas.size != size:
            canvas = canvas.resize(size, Image.Resampling.BICUBIC, reducing_gap=REDUCING_GAP)
        media_type = "image/webp" if edge == min(EDGES) else "image/jpeg"
        drawings.append(Drawing(edge, media_type, *size, _saved(canvas, media_type, 80)))
    return tuple(drawings), canvas


def _saved(canvas: Image.Image, media_type: str, quality: int) -> bytes:
    out = io.BytesIO()
    if media_type == "image/webp":
        canvas.save(out, "WEBP", quality=quality, method=2)
    else:
        canvas.save(out, "JPEG", quality=quality)
    return out.getvalue()


def _preview(canvas: Image.Image) -> bytes:
    """A blur of a few bytes to stand in while the rendition comes."""
    from PIL import Image

    for edge, quality in ((PREVIEW_EDGE, 40), (PREVIEW_EDGE, 10), (PREVIEW_EDGE // 2, 10), (PREVIEW_EDGE // 4, 0)):
        small = canvas.resize(_fit(*canvas.size, edge), Image.Resampling.BOX)
        blur = _saved(small, "image/webp", quality)
        if len(blur) <= PREVIEW_LIMIT:
            return blur
    return b""
