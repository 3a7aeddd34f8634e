"""How long a fragmented MP4 lasts that does not say so itself, as browsers and phones record it (ISO/IEC 14496-12 8.8).

Its head is written before the first picture, so it holds no duration: that is found by adding up the samples of the
fragments, each at the time where it begins. `videos` walks through the boxes and shows them here by name.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

Read = Callable[[int, int], bytes]


class Fragments:
    """What the boxes that were seen say together; `read(offset, length)` gives bytes of the file."""

    def __init__(self, read: Read, most: int) -> None:
        self._read, self._most = read, most
        self._track = self._at = self._default = 0
        self._scales: dict[int, int] = {}
        self._defaults: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        self.sees: dict[bytes, Callable[[int, int], None]] = {
            b"mdhd": self._scale_of, b"trex": self._default_of, b"tfhd": self._begins, b"tfdt": self._begins_at,
            b"trun": self._goes_on,
        }  # fmt: skip

    @property
    def seconds(self) -> float:
        """Of the longest track; 0.0 when there are no fragments."""
        return max(
            (end / self._scales[track] for track, end in self._ends.items() if self._scales.get(track)), default=0.0
        )

    def begin_track(self, body: int) -> None:
        """A track's own head (tkhd), which comes before its times."""
        self._track = self._number(body + 4 + 2 * self._wide(body), 4)

    def _number(self, at: int, length: int) -> int:
        return int.from_bytes(self._read(at, length), "big")

    def _wide(self, body: int) -> int:
        return 8 if self._number(body, 1) else 4

    def _scale_of(self, body: int, _stop: int) -> None:
        self._scales[self._track] = self._number(body + 4 + 2 * self._wide(body), 4)

    def _default_of(self, body: int, _stop: int) -> None:
        self._defaults[self._number(body + 4, 4)] = self._number(body + 12, 4)

    def _begins(self, body: int, _stop: int) -> None:
        flags, self._track = struct.unpack(">II", self._read(body, 8))
        skipped = 8 * (flags & 1) + 2 * (flags & 2)
        said = self._number(body + 8 + skipped, 4) if flags & 8 else 0
        self._default = said or self._defaults.get(self._track, 0)
        self._at = self._ends.get(self._track, 0)

    def _begins_at(self, body: int, _stop: int) -> None:
        self._at = self._number(body + 4, self._wide(body))

    def _goes_on(self, body: int, stop: int) -> None:
        flags, count = struct.unpack(">II", self._read(body, 8))
        first = body + 8 + 4 * (flags & 1) + (flags & 4)
        width = 4 * (flags >> 8 & 15).bit_count()
        if flags & 0x100:
            table = self._read(first, max(0, min(count * width, stop - first, self._most) // width * width))
            self._at += sum(struct.unpack_from(">I", table, at)[0] for at in range(0, len(table), width))
        else:
            self._at += count * self._default
        self._ends[self._track] = max(self._ends.get(self._track, 0), self._at)
