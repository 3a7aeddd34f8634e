"""A ZIP that is streamed, whose size is known before its first byte when the sizes of its files are.

Own code because zipstream-ng keeps every file's entry in memory (600 bytes each: 60 MB for 100,000 photos on a machine
whose server lives in as much) and must know all of them before the first byte. Here files are only stored, their sizes
stand in a data descriptor behind the bytes, and the index may lie in a file on the disk. ZIP64 is written only where it
is needed: phones of 2020 do not read it. APPNOTE.TXT 6.3.10: 4.3.7 local header, 4.3.9 data descriptor, 4.3.12 central
directory, 4.3.14 to 4.3.16 its end.
"""

from __future__ import annotations

import datetime as dt
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

LIMIT = 0xFFFFFFFF  # what stands where the number itself is in the ZIP64 fields
MANY = 0xFFFF
_PLAIN, _WIDE = 20, 45  # the version of the format that is needed: 2.0, and 4.5 for ZIP64
_FLAGS = 0x0808  # sizes and CRC follow the bytes; names are UTF-8
_UNIX = 3 << 8  # made by: so that the mode in the upper half of the attributes is read
_MODE = 0o100644 << 16
_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_LOCAL_EXTRA = struct.Struct("<HHQQ")
_BEHIND, _BEHIND_64 = struct.Struct("<4sIII"), struct.Struct("<4sIQQ")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_CENTRAL_EXTRA = struct.Struct("<HHQQQ")
_END_64 = struct.Struct("<4sQHHIIQQQQ")
_WHERE = struct.Struct("<4sIQI")
_END = struct.Struct("<4sHHHHIIH")


class _Entry(NamedTuple):
    """A file's place in the ZIP: `begin` is the offset of its head, `is_large` that it may pass 4 GiB."""

    name: bytes
    begin: int
    is_large: bool

    @property
    def is_wide(self) -> bool:
        """Whether its line in the index needs the ZIP64 fields."""
        return self.is_large or self.begin >= LIMIT

    def head(self, stamp: tuple[int, int]) -> bytes:
        extra = _LOCAL_EXTRA.pack(1, 16, 0, 0) if self.is_large else b""
        unknown = LIMIT if self.is_large else 0
        version = _WIDE if self.is_large else _PLAIN
        return _LOCAL.pack(b"PK\3\4", version, _FLAGS, 0, *stamp, 0, unknown, unknown, len(self.name),
                           len(extra)) + self.name + extra  # fmt: skip

    def behind(self, crc: int, length: int) -> bytes:
        return (_BEHIND_64 if self.is_large else _BEHIND).pack(b"PK\7\x08", crc, length, length)

    def line(self, crc: int, length: int, stamp: tuple[int, int]) -> bytes:
        extra = _CENTRAL_EXTRA.pack(1, 24, length, length, self.begin) if self.is_wide else b""
        size, begin, version = (LIMIT, LIMIT, _WIDE) if self.is_wide else (length, self.begin, _PLAIN)
        return _CENTRAL.pack(b"PK\1\2", _UNIX | version, version, _FLAGS, 0, *stamp, crc, size, size, len(self.name),
                             len(extra), 0, 0, 0, _MODE, begin) + self.name + extra  # fmt: skip

    def sizes(self) -> tuple[int, int]:
        """(bytes beside its own in the body, bytes in the index)."""
        behind = _BEHIND_64.size + _LOCAL_EXTRA.size if self.is_large else _BEHIND.size
        extra = _CENTRAL_EXTRA.size if self.is_wide else 0
        return _LOCAL.size + len(self.name) + behind, _CENTRAL.size + len(self.name) + extra


def size(files: Iterable[tuple[str, int]]) -> int:
    """Return the bytes of a ZIP of these (name, size)."""
    at = index = count = 0
    for name, length in files:
        body, line = _entry(name, length, at).sizes()
        at, index, count = at + body + length, index + line, count + 1
    return at + index + len(_ending(at, index, count))


def stream(files: Iterable[tuple[str, int, Iterator[bytes]]], index: BinaryIO, moment: dt.datetime) -> Iterator[bytes]:
    """Yield the ZIP of these (name, size, pieces). `index` is an empty file, open for reading and writing.

    A size that is only guessed must lie on the same side of 4 GiB as the real one.
    """
    at = count = 0
    stamp = _stamp(moment)
    for name, guessed, pieces in files:
        entry = _entry(name, guessed, at)
        yield (head := entry.head(stamp))
        crc = length = 0
        for piece in pieces:
            crc, length = zlib.crc32(piece, crc), length + len(piece)
            yield piece
        yield (behind := entry.behind(crc, length))
        index.write(entry.line(crc, length, stamp))
        at, count = at + len(head) + length + len(behind), count + 1
    length = index.tell()
    index.seek(0)
    while piece := index.read(1 << 18):
        yield piece
    yield _ending(at, length, count)


def _entry(name: str, length: int, at: int) -> _Entry:
    return _Entry(name.encode(), at, length >= LIMIT)


def _ending(at: int, length: int, count: int) -> bytes:
    end = _END.pack(b"PK\5\6", 0, 0, min(count, MANY), min(count, MANY), min(length, LIMIT), min(at, LIMIT), 0)
    if count < MANY and length < LIMIT and at < LIMIT:
        return end
    wide = _END_64.pack(b"PK\6\6", _END_64.size - 12, _UNIX | _WIDE, _WIDE, 0, 0, count, count, length, at)
    return wide + _WHERE.pack(b"PK\6\7", 0, at + length, 1) + end


def _stamp(moment: dt.datetime) -> tuple[int, int]:
    """(time, date) as MS-DOS has them, by the machine's clock."""
    here = moment.astimezone()
    year = min(max(here.year, 1980), 2107) - 1980
    return here.hour << 11 | here.minute << 5 | here.second // 2, year << 9 | here.month << 5 | here.day
