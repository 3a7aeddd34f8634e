"""A copy of a picture without place and serials.

`cleaned` keeps the pixels bit by bit, the colour profile, the orientation and the moment it was taken, and takes out
everything else by a list of what may stay, never by a list of what must go. Runs inside the decoder child; the bytes
are cut here by hand, Pillow is asked (through `images`) only for the notes that stay.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator

from homecircle.vault import images
from homecircle.vault.boxes import Numbers, boxes
from homecircle.vault.images import Undrawable


def cleaned(data: bytes) -> bytes:
    """The same pixels, bit by bit, without place, serials, owner, XMP, IPTC, comments, maker notes and thumbnails.

    Colour profile, orientation and the moment it was taken stay. Whatever follows the end of the picture (a second
    picture, the film of a motion photo) is cut. Raises Undrawable: cannot_clean for kinds we cannot, damaged for
    pictures that do not keep to their format.
    """
    media_type = images.sniff(data[:64])
    cut = _CUTS.get(media_type or "")
    if media_type is None or cut is None:
        raise Undrawable("cannot_clean")
    images.load()
    with images.hostile():
        return cut(data, images.kept_notes(data, media_type))


# In entropy-coded data a marker is FF and neither a stuffed 00, nor a restart, nor a fill byte (ITU T.81 B.1.1).
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_SOS, _EOI = 0xDA, 0xD9


def _jpeg_cut(data: bytes, notes: bytes) -> bytes:
    """ITU T.81 annex B: keep tables, frames and scans; of the rest JFIF (without its thumbnail), ICC and Adobe."""
    out = bytearray(data[:2])
    waiting = struct.pack(">2sH6s", b"\xff\xe1", len(notes) + 8, b"Exif\0\0") + notes if notes else b""
    at = 2
    while True:
        while data[at + 1] == 0xFF:
            at += 1
        marker = data[at + 1]
        if data[at] != 0xFF or marker == _EOI:
            break
        end = at + 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
        if marker != 0xE0:
            out += waiting
            waiting = b""
        out += _jpeg_piece(marker, data[at:end])
        at = end
        if marker == _SOS:
            found = _AFTER_SCAN.search(data, at)
            at = found.start() if found else len(data)
            out += data[end:at]
    if data[at : at + 2] != b"\xff\xd9":
        raise Undrawable("damaged")
    return bytes(out + b"\xff\xd9")


def _jpeg_piece(marker: int, piece: bytes) -> bytes:
    """The segment as it may stay; empty when it goes."""
    body = piece[4:]
    if marker == 0xE0 and body.startswith(b"JFIF\0"):
        return piece[:2] + b"\0\x10" + body[:12] + b"\0\0"
    named = (marker == 0xE2 and body.startswith(b"ICC_PROFILE\0")) or (marker == 0xEE and body.startswith(b"Adobe"))
    return piece if named or 0xC0 <= marker <= 0xCF or 0xDA <= marker <= 0xDF else b""


_PNG_KEEPS = frozenset(
    b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB iCCP cICP mDCV cLLI sBIT bKGD pHYs acTL fcTL fdAT".split()
)


def _png_cut(data: bytes, notes: bytes) -> bytes:
    """PNG 3rd edition, 5: chunks of length, name, body, CRC."""
    from zlib import crc32

    out = bytearray(data[:8])
    at = 8
    while True:
        length, name = struct.unpack_from(">I4s", data, at)
        chunk = data[at : at + 12 + length]
        if len(chunk) != 12 + length:
            raise Undrawable("damaged")
        if name in _PNG_KEEPS:
            out += chunk
        if name == b"IHDR" and notes:
            body = b"eXIf" + notes
            out += struct.pack(">I", len(notes)) + body + struct.pack(">I", crc32(body))
        if name == b"IEND":
            return bytes(out)
        at += len(chunk)


_WEBP_KEEPS = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ANIM", b"ANMF", b"ALPH", b"ICCP"})
_WEBP_XMP, _WEBP_EXIF = 0x04, 0x08


def _webp_cut(data: bytes, notes: bytes) -> bytes:
    """RFC 9649: RIFF chunks, padded to even length; the flags in VP8X say which there are."""
    out = bytearray()
    at, end = 12, min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    extended = False
    while at < end:
        name, length = struct.unpack_from("<4sI", data, at)
        chunk = bytearray(data[at : at + 8 + length + (length & 1)])
        if at + 8 + length > end:
            raise Undrawable("damaged")
        if name == b"VP8X":
            extended = True
            chunk[8] = chunk[8] & ~(_WEBP_XMP | _WEBP_EXIF) | (_WEBP_EXIF if notes else 0)
        if name in _WEBP_KEEPS:
            out += chunk
        at += len(chunk)
    if extended and notes:
        out += struct.pack("<4sI", b"EXIF", len(notes)) + notes + b"\0" * (len(notes) & 1)
    return struct.pack("<4sI4s", b"RIFF", len(out) + 4, b"WEBP") + bytes(out)


def _gif_cut(data: bytes, _notes: bytes) -> bytes:
    """GIF89a: keep pictures and their controls; of the applications only the loop count."""
    at = 13 + _colours(data[10])
    out = bytearray(data[:at])
    while data[at] != 0x3B:
        start, kind = at, data[at : at + 2]
        if kind[0] == 0x2C:
            at += 10 + _colours(data[at + 9]) + 1
        elif kind[0] == 0x21:
            at += 2
        else:
            raise Undrawable("damaged")
        first = data[at + 1 : at + 12]
        while data[at]:
            at += 1 + data[at]
        at += 1
        loop = kind == b"!\xff" and first in {b"NETSCAPE2.0", b"ANIMEXTS1.0"}
        if kind[0] == 0x2C or kind == b"!\xf9" or loop:
            out += data[start:at]
    return bytes(out + b";")


def _colours(flags: int) -> int:
    """Bytes of the colour table those flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


# Items of a HEIF file that are words and not pictures.
_WORD_ITEMS = frozenset({b"Exif", b"mime", b"uri "})


def _heif_cut(data: bytes, notes: bytes) -> bytes:
    """ISO/IEC 23008-12: in place, since every item is found by its offset. Keeps the index and what picture items point
    at; everything else becomes zeros. The orientation is a property of the picture there, not of the Exif."""
    top = list(boxes(data, 0, len(data)))
    if any(name == b"moov" for name, _, _, _ in top):
        raise Undrawable("cannot_clean")  # a film inside, with a metadata tree of its own
    meta, end = next((body, end) for name, _, body, end in top if name == b"meta")
    index = {name: (body, end) for name, _, body, end in boxes(data, meta + 4, end)}
    kinds = dict(_heif_kinds(data, *index[b"iinf"]))
    places = list(_heif_places(data, index[b"iloc"][0], index.get(b"idat", (0, 0))[0]))
    out = _heif_frame(data, top)
    for item, start, stop in places:
        if kinds.get(item) not in _WORD_ITEMS:
            out[start:stop] = data[start:stop]
    for item, start, stop in places:
        if kinds.get(item) in _WORD_ITEMS:
            fits = kinds[item] == b"Exif" and notes and len(notes) + 4 <= stop - start
            words = b"\0\0\0\0" + notes if fits else b""
            out[start:stop] = words.ljust(stop - start, b"\0")
    return bytes(out)


def _heif_frame(data: bytes, top: list[tuple[bytes, int, int, int]]) -> bytearray:
    """The boxes with nothing in them but the index; boxes of other makers become free space."""
    out = bytearray(len(data))
    for name, start, body, end in top:
        whole = name in {b"ftyp", b"meta"}
        out[start : end if whole else body] = data[start : end if whole else body]
        if not whole and name != b"mdat":
            out[start + 4 : start + 8] = b"free"
    return out


def _heif_kinds(data: bytes, body: int, end: int) -> Iterator[tuple[int, bytes]]:
    """(item, its type) from the item information box (14496-12 8.11.6)."""
    first = body + (6 if data[body] == 0 else 8)
    for _, _, entry, _ in boxes(data, first, end):
        version = data[entry]
        if version < 2:
            raise Undrawable("cannot_clean")  # without types we cannot tell words from pictures
        wide = version > 2
        yield struct.unpack_from(">I" if wide else ">H", data, entry + 4)[0], data[entry + 8 + 2 * wide :][:4]


def _heif_places(data: bytes, body: int, idat: int) -> Iterator[tuple[int, int, int]]:
    """(item, start, stop) of every extent, from the item location box (14496-12 8.11.3)."""
    read = Numbers(data, body)
    version = read.next(4) >> 24
    sizes = read.next(2)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    wide = 4 if version == 2 else 2
    for _ in range(read.next(wide)):
        item = read.next(wide)
        method = read.next(2) & 15 if version else 0
        if read.next(2) or method > 1:
            raise Undrawable("cannot_clean")  # in another file, or inside another item
        base = read.next(base_size) + (idat if method else 0)
        for _ in range(read.next(2)):
            read.next(index_size if version else 0)
            start = base + read.next(offset_size)
            stop = start + read.next(length_size)
            if not start < stop <= len(data):
                raise Undrawable("damaged")
            yield item, start, stop


_CUTS: dict[str, Callable[[bytes, bytes], bytes]] = {
    "image/jpeg": _jpeg_cut,
    "image/png": _png_cut,
    "image/webp": _webp_cut,
    "image/gif": _gif_cut,
    "image/heic": _heif_cut,
    "image/heif": _heif_cut,
    "image/avif": _heif_cut,
}
