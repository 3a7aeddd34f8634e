"""The boxes of which HEIF, AVIF and MP4 are made (ISO/IEC 14496-12), read by hand; no meaning, only where they lie.

Whatever keeps to no format raises ValueError or struct.error; what that means is for the caller to say.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator


def boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int, int]]:
    """(name, start, start of the body, end) of the boxes that lie in data[at:end] (ISO/IEC 14496-12 4.2)."""
    while at + 8 <= end:
        size, name = struct.unpack_from(">I4s", data, at)
        body = at + 8
        if size == 1:
            size = struct.unpack_from(">Q", data, body)[0]
            body += 8
        stop = end if size == 0 else at + size
        if stop < body or stop > end:
            raise ValueError("a box ends where it should not")
        yield name, at, body, stop
        at = stop


class Numbers:
    """Reads big-endian numbers one after the other."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at

    def next(self, size: int) -> int:
        self.at += size
        if self.at > len(self.data):
            raise ValueError("the file ends before its numbers")
        return int.from_bytes(self.data[self.at - size : self.at], "big")


def colour_of(data: bytes) -> tuple[int, int] | None:
    """(primaries, transfer) of the picture that a HEIF or AVIF file shows, as code points of ITU-T H.273, when it says
    its colours that way ('nclx'; ISO/IEC 23008-12 6.5.5 and 9.3)."""
    meta, end = next((body, stop) for name, _, body, stop in boxes(data, 0, len(data)) if name == b"meta")
    index = {name: (body, stop) for name, _, body, stop in boxes(data, meta + 4, end)}
    shown = Numbers(data, index[b"pitm"][0])
    item = shown.next(2 if shown.next(4) >> 24 == 0 else 4)
    inside = {name: (body, stop) for name, _, body, stop in boxes(data, *index[b"iprp"])}
    properties = [(name, body) for name, _, body, _ in boxes(data, *inside[b"ipco"])]
    for number in _properties_of(item, Numbers(data, inside[b"ipma"][0])):
        name, body = properties[number - 1] if 0 < number <= len(properties) else (b"", 0)
        if name == b"colr" and data[body : body + 4] == b"nclx":
            primaries, transfer = struct.unpack_from(">HH", data, body + 4)
            return primaries, transfer
    return None


def _properties_of(item: int, read: Numbers) -> Iterator[int]:
    """The numbers, from one on, of what is said of an item (23008-12 9.3.1, 'ipma')."""
    head = read.next(4)
    wide_item, wide_number = 4 if head >> 24 else 2, 2 if head & 1 else 1
    for _ in range(read.next(4)):
        whose = read.next(wide_item)
        for _ in range(read.next(1)):
            number = read.next(wide_number) & ((1 << 8 * wide_number - 1) - 1)
            if whose == item:
                yield number
