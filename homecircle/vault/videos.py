"""What a film is, and which of its bytes tell more than pictures and sound.

Nothing is decoded or drawn: the boxes of MP4 and MOV (ISO/IEC 14496-12, QuickTime File Format) and the elements of WebM
(RFC 8794, RFC 9559) are read by hand inside the decoder child, a few ranges of a file that may have 4 GB. The walk
follows a fixed plan of which box may stand in which, so that depth is bounded by the plan; steps, ranges and bytes are
counted.

Copies. A film is far too large to be written a second time for everybody who may not know where it was taken.
`Film.blanks` are ranges that others get as zeros: same length, same offsets, still playable, so that Range works on the
original file. As with pictures a list says what may stay (tables, pictures, sound, the moment), never what must go:

* a box that is not on the list loses its name and body and keeps its length: an unknown box, that players step over;
* a track that is neither picture nor sound (GPS of action cameras, sensors, subtitles in which drones write their
  position) loses its samples, too;
* of WebM's tags, titles and attachments only the texts go: its elements have no name that may be zero.

What stands inside the coded pictures themselves (SEI messages of some camcorders) is not looked at.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from homecircle.vault.fragments import Fragments
from homecircle.vault.images import Undrawable, sniff

TYPES = frozenset({"video/mp4", "video/quicktime", "video/webm"})
RANGES_LIMIT = 4096  # asked of the parent for one film
RANGE_LIMIT = 1 << 18  # bytes of one range
BYTES_LIMIT = 64 << 20  # of all ranges together
STEPS_LIMIT = 50_000  # boxes or elements
BLANKS_LIMIT = 65_536
TABLE_LIMIT = 8 << 20  # bytes of one sample table
WINDOW = 1 << 10  # read at once round a head: the next one often stands near

_PLACE = re.compile(
    rb"\xa9xyz|loci|location|LOCATION|GPSLatitude|GPSCoordinates|gps|GPS|[+-]\d\d\.\d\d\d*[+-]\d{3}\.\d\d"
)
_MOMENT = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?([+-](?:0\d|1[0-4])):?([0-5]\d)")


@dataclass(frozen=True, slots=True)
class Film:
    """What was found in a film. `blanks` are (offset, length), in order and apart, in bytes of the file; None when it
    cannot be cleaned, so that others must be asked before they get it."""

    media_type: str
    duration: float  # seconds; 0.0 when it does not say
    width: int  # upright
    height: int
    taken: str | None  # wall clock where the offset is, YYYY-MM-DDTHH:MM:SS
    offset: str | None  # of that clock from UTC: +02:00; +00:00 when only the moment is known and not the clock
    has_place: bool
    blanks: tuple[tuple[int, int], ...] | None


class _Enough(Exception):
    """More boxes or ranges than we look at."""


class _Reader:
    """Ranges of the file, counted; `fetch(offset, length)` gives exactly that many bytes."""

    def __init__(self, fetch: Callable[[int, int], bytes], size: int) -> None:
        self.size = size
        self._fetch = fetch
        self._at, self._window = 0, b""
        self._ranges = self._bytes = self._steps = 0

    def step(self) -> None:
        self._steps += 1
        if self._steps > STEPS_LIMIT:
            raise _Enough

    def read(self, at: int, length: int) -> bytes:
        """Exactly that many bytes; Undrawable when the file has none there."""
        if length < 0 or at + length > self.size:
            raise Undrawable("damaged")
        if not self._at <= at <= at + length <= self._at + len(self._window):
            self._at, self._window = at, self._ask(at, max(length, min(WINDOW, self.size - at)))
        return self._window[at - self._at :][:length]

    def number(self, at: int, length: int) -> int:
        return int.from_bytes(self.read(at, length), "big")

    def _ask(self, at: int, length: int) -> bytes:
        if length > TABLE_LIMIT:
            raise _Enough
        out = bytearray()
        while len(out) < length:
            piece = min(RANGE_LIMIT, length - len(out))
            self._ranges, self._bytes = self._ranges + 1, self._bytes + piece
            if self._ranges > RANGES_LIMIT or self._bytes > BYTES_LIMIT:
                raise _Enough
            out += self._fetch(at + len(out), piece)
        return bytes(out)


@dataclass(slots=True)
class _Found:
    """What the walk has met so far."""

    duration: float = 0.0
    width: int = 0
    height: int = 0
    taken: str | None = None
    offset: str | None = None
    has_place: bool = False
    is_cleanable: bool = True
    blanks: list[tuple[int, int]] = field(default_factory=list)

    def blank(self, start: int, stop: int) -> None:
        if start < stop:
            self.blanks.append((start, stop))
        if len(self.blanks) > BLANKS_LIMIT:
            raise _Enough

    def at_moment(self, moment: datetime) -> None:
        """A point of time in UTC; a clock with its offset, which knows more, is kept."""
        if self.taken is None and moment.year >= 1971:
            self.taken, self.offset = moment.strftime("%Y-%m-%dT%H:%M:%S"), "+00:00"

    def look_into(self, words: bytes) -> None:
        """Words that go: do they tell the place, or the camera's own clock?"""
        self.has_place = self.has_place or bool(_PLACE.search(words))
        found = _MOMENT.search(words)
        if found:
            try:
                datetime.fromisoformat(found[1].decode())
            except ValueError:
                return
            self.taken, self.offset = found[1].decode(), f"{found[2].decode()}:{found[3].decode()}"


def probe(fetch: Callable[[int, int], bytes], size: int) -> Film:
    """What the film of `size` bytes is; `fetch(offset, length)` reads from it.

    Raises Undrawable: not_a_picture for what is no film or has no picture track, damaged for what keeps to no format.
    """
    reader, found = _Reader(fetch, size), _Found()
    media_type = sniff(reader.read(0, min(64, size)))
    if media_type not in TYPES:
        raise Undrawable("not_a_picture")
    try:
        (_WebM if media_type == "video/webm" else _Movie)(reader, found).walk_file()
    except _Enough:
        found.is_cleanable = False
    if not found.width or not found.height:
        raise Undrawable("not_a_picture" if found.is_cleanable else "damaged")
    blanks = _joined(found.blanks, size) if found.is_cleanable else None
    return Film(media_type, round(found.duration, 3), found.width, found.height,
                found.taken, found.offset, found.has_place, blanks)  # fmt: skip


def _joined(ranges: list[tuple[int, int]], size: int) -> tuple[tuple[int, int], ...]:
    """(start, stop) in any order made (offset, length), in order and apart."""
    out: list[list[int]] = []
    for start, stop in sorted(ranges):
        if out and start <= out[-1][1]:
            out[-1][1] = max(out[-1][1], min(stop, size))
        elif start < size:
            out.append([start, min(stop, size)])
    return tuple((start, stop - start) for start, stop in out)


# --- MP4 and MOV ----------------------------------------------------------------------------------------------------

_TABLES = b"stsd stts ctts cslg stsc stsz stz2 stco co64 stss stps sdtp sbgp sgpd subs saiz saio"
# What may stay in what; b"" is the file. What is a key here is entered. No name stands in itself: the depth is six.
_PLAN: dict[bytes, frozenset[bytes]] = {
    b"": frozenset(b"ftyp styp moov mdat moof mfra sidx ssix pdin".split()),
    b"moov": frozenset(b"mvhd trak mvex iods".split()),
    b"trak": frozenset(b"tkhd edts mdia tref tapt load".split()),
    b"mdia": frozenset(b"mdhd hdlr minf elng".split()),
    b"minf": frozenset(b"vmhd smhd hdlr dinf stbl".split()),
    b"stbl": frozenset(_TABLES.split()),
    b"mvex": frozenset(b"mehd trex".split()),
    b"moof": frozenset(b"mfhd traf".split()),
    b"traf": frozenset(b"tfhd tfdt trun sdtp sbgp sgpd subs saiz saio senc".split()),
}
_PADDING = frozenset({b"free", b"skip", b"wide"})
_TELLING = frozenset({b"udta", b"meta", b"uuid"})
_PLACE_TRACKS = frozenset({b"gpmd", b"camm", b"rtmd", b"gps ", b"gps0", b"GPS0"})
_EPOCH = datetime(1904, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class _Track:
    kind: bytes = b""
    size: tuple[int, int] = (0, 0)
    tables: dict[bytes, tuple[int, int]] = field(default_factory=dict)  # name -> where its body lies


class _Movie:
    """The walk through boxes."""

    def __init__(self, reader: _Reader, found: _Found) -> None:
        self.reader, self.found = reader, found
        self._track = _Track()
        self._scale = 0
        self._has_fragments = self._has_others = False
        self._fragments = Fragments(reader.read, RANGE_LIMIT)
        self._sees: dict[bytes, Callable[[int, int], None]] = {
            b"mvhd": self._movie_head, b"mehd": self._fragments_head, b"tkhd": self._track_head,
            b"hdlr": self._handler, b"trak": self._new_track, b"mvex": self._fragmented, **self._fragments.sees,
        }  # fmt: skip

    def walk_file(self) -> None:
        try:
            self._walk(b"", 0, self.reader.size)
        finally:  # also of what was too much to look at to its end
            self.found.duration = self.found.duration or min(self._fragments.seconds, 1e6)
        if self._has_fragments and self._has_others:
            self.found.is_cleanable = False  # its samples lie scattered over the fragments

    def _walk(self, parent: bytes, at: int, end: int) -> None:
        for name, start, body, stop in self._boxes(at, end):
            if name not in _PLAN[parent]:
                self._lose(name, start, body, stop)
                continue
            if name in self._sees and not (name == b"hdlr" and parent == b"minf"):
                self._sees[name](body, stop)
            if parent == b"stbl":
                self._track.tables[name] = (body, stop)
            if name in _PLAN:
                self._walk(name, body, stop)
            if name == b"trak":
                self._judge_track(start, body, stop)

    def _boxes(self, at: int, end: int) -> Iterator[tuple[bytes, int, int, int]]:
        """(name, start, start of the body, end) of each box (14496-12 4.2)."""
        while at + 8 <= end:
            self.reader.step()
            size, name = struct.unpack(">I4s", self.reader.read(at, 8))
            body, stop = at + 8, at + size if size else end
            if size == 1:
                body, stop = at + 16, at + self.reader.number(at + 8, 8)
            if stop < body or stop > end:
                raise Undrawable("damaged")
            yield name, at, body, stop
            at = stop
        self.found.blank(at, end)

    def _lose(self, name: bytes, start: int, body: int, stop: int) -> None:
        if name in _TELLING:
            self.found.look_into(self.reader.read(body, min(stop - body, RANGE_LIMIT)))
        if name not in _PADDING:
            self.found.blank(start + 4, start + 8)
        self.found.blank(body, stop)

    def _movie_head(self, body: int, _stop: int) -> None:
        wide = 8 if self.reader.number(body, 1) else 4
        at = body + 4
        seconds = self.reader.number(at, wide)
        self._scale = self.reader.number(at + 2 * wide, 4)
        self._lasts(self.reader.number(at + 2 * wide + 4, wide), wide)
        if seconds < 1 << 33:
            self.found.at_moment(_EPOCH + timedelta(seconds=seconds))

    def _fragments_head(self, body: int, _stop: int) -> None:
        wide = 8 if self.reader.number(body, 1) else 4
        self._lasts(self.reader.number(body + 4, wide), wide)

    def _lasts(self, ticks: int, wide: int) -> None:
        """All ones say that nobody knows."""
        if self._scale and 0 < ticks < (1 << 8 * wide) - 1:
            self.found.duration = max(self.found.duration, min(ticks / self._scale, 1e6))

    def _new_track(self, _body: int, _stop: int) -> None:
        self._track = _Track()

    def _fragmented(self, _body: int, _stop: int) -> None:
        self._has_fragments = True

    def _track_head(self, body: int, _stop: int) -> None:
        """Width and height as shown, through the matrix (a b u, c d v, x y w): a quarter turn has b and c."""
        self._fragments.begin_track(body)
        at = body + (52 if self.reader.number(body, 1) else 40)
        a, b, _u, c, d = struct.unpack(">5i", self.reader.read(at, 20))
        width, height = (self.reader.number(at + 36 + 4 * each, 4) >> 16 for each in (0, 1))
        is_turned = abs(b) + abs(c) > abs(a) + abs(d)
        self._track.size = (height, width) if is_turned else (width, height)

    def _handler(self, body: int, _stop: int) -> None:
        self._track.kind = self.reader.read(body + 8, 4)

    def _judge_track(self, start: int, body: int, stop: int) -> None:
        if self._track.kind == b"vide":
            if not self.found.width:
                self.found.width, self.found.height = self._track.size
        elif self._track.kind != b"soun":
            self._has_others = True
            if b"stsd" in self._track.tables:
                entry = self.reader.read(*self._head_of(b"stsd"))
                self.found.has_place |= entry[12:16] in _PLACE_TRACKS or b"location" in entry
            for first, last in self._chunks():
                self.found.blank(first, last)
            self._lose(b"trak", start, body, stop)

    def _head_of(self, name: bytes) -> tuple[int, int]:
        body, stop = self._track.tables[name]
        return body, min(stop - body, RANGE_LIMIT)

    def _table(self, name: bytes, head: int, width: int) -> list[int]:
        """The numbers, `width` bytes each, of a table with a count before them; [] where there is none."""
        if name not in self._track.tables:
            return []
        body, stop = self._track.tables[name]
        if body + head > stop:
            raise Undrawable("damaged")
        count = self.reader.number(body + head - 4, 4) * (3 if name == b"stsc" else 1)
        data = self.reader.read(body + head, min(count * width, (stop - body - head) // width * width))
        return [number for (number,) in struct.iter_unpack(">Q" if width == 8 else ">I", data)]

    def _chunks(self) -> Iterator[tuple[int, int]]:
        """(start, stop) of the samples of each chunk of this track (14496-12 8.7.3 to 8.7.5)."""
        if b"stz2" in self._track.tables:
            raise _Enough
        starts = self._table(b"stco", 8, 4) + self._table(b"co64", 8, 8)
        sizes = self._table(b"stsz", 12, 4)
        same = self.reader.number(self._track.tables[b"stsz"][0] + 4, 4) if b"stsz" in self._track.tables else 0
        runs = self._table(b"stsc", 8, 4)
        firsts = dict(zip(runs[::3], runs[1::3], strict=False))
        sample = samples = 0
        for chunk, start in enumerate(starts, 1):
            samples = firsts.get(chunk, samples)
            length = same * samples if same else sum(sizes[sample : sample + samples])
            sample += samples
            yield start, min(start + length, self.reader.size)


# --- WebM -----------------------------------------------------------------------------------------------------------

_HEAD, _SEGMENT, _INFO, _TRACKS, _TRACK, _VIDEO = 0x1A45DFA3, 0x18538067, 0x1549A966, 0x1654AE6B, 0xAE, 0xE0
_TAGS, _TAG, _SIMPLE_TAG, _CHAPTERS, _ATTACHMENTS = 0x1254C367, 0x7373, 0x67C8, 0x1043A770, 0x1941A469
_CLUSTER, _TIME, _PROJECTION = 0x1F43B675, 0xE7, 0x7670
_VOID, _TRACK_NAME = 0xEC, 0x536E
# What is entered from where; a tag may hold tags, chapters chapters.
_ENTERED: dict[int, frozenset[int]] = {
    0: frozenset({_SEGMENT}),
    _SEGMENT: frozenset({_INFO, _TRACKS, _TAGS, _CHAPTERS, _ATTACHMENTS}),
    _TRACKS: frozenset({_TRACK}),
    _TRACK: frozenset({_VIDEO}),
    _VIDEO: frozenset({_PROJECTION}),
    _TAGS: frozenset({_TAG}),
    _TAG: frozenset({_SIMPLE_TAG}),
    _SIMPLE_TAG: frozenset({_SIMPLE_TAG}),
    _CHAPTERS: frozenset({0x45B9}),
    0x45B9: frozenset({0xB6}),
    0xB6: frozenset({0xB6, 0x80}),
    _ATTACHMENTS: frozenset({0x61A7}),
}
# What may stay as it is, where words can be; other places hold numbers and codec data.
_STAYS: dict[int, frozenset[int]] = {
    0: frozenset({_HEAD}),
    # SeekHead, Cluster, Cues; then what stands in a cluster of unknown length
    _SEGMENT: frozenset({0x114D9B74, _CLUSTER, 0x1C53BB6B, _TIME, 0xA3, 0xA0, 0xA7, 0xAB, 0xBF}),
    _INFO: frozenset({0x2AD7B1, 0x4489, 0x4461, 0x4D80, 0x5741, 0x73A4, 0xBF}),
    _TAGS: frozenset({0xBF}),
    _TAG: frozenset({0x63C0, 0xBF}),
    _SIMPLE_TAG: frozenset({0x447A, 0x4484, 0xBF}),
    0x80: frozenset({0x437C, 0x437E}),
    _ATTACHMENTS: frozenset({0xBF}),
    0x61A7: frozenset({0x46AE}),
}
_DEEPEST = 12
_EPOCH_WEBM = datetime(2001, 1, 1, tzinfo=UTC)


class _WebM:
    """The walk through elements."""

    def __init__(self, reader: _Reader, found: _Found) -> None:
        self.reader, self.found = reader, found
        self._scale, self._ticks, self._last = 1_000_000, 0.0, 0
        self._kind = self._wide = self._high = 0
        self._is_turned = False
        self._sees: dict[tuple[int, int], Callable[[int, int], None]] = {
            (_INFO, 0x2AD7B1): self._see_scale, (_INFO, 0x4489): self._see_duration, (_INFO, 0x4461): self._see_date,
            (_TRACK, 0x83): self._see_kind, (_VIDEO, 0xB0): self._see_width, (_VIDEO, 0xBA): self._see_height,
            (_PROJECTION, 0x7675): self._see_roll, (_SEGMENT, _TIME): self._see_time,
            (_SEGMENT, _CLUSTER): self._see_cluster,
        }  # fmt: skip

    def walk_file(self) -> None:
        self._walk(0, 0, self.reader.size, 0)
        self.found.duration = min((self._ticks or self._last) * self._scale / 1e9, 1e6)

    def _walk(self, parent: int, at: int, end: int, depth: int) -> None:
        if depth > _DEEPEST:
            raise _Enough
        for element, body, stop in self._elements(at, end):
            if (parent, element) in self._sees:
                self._sees[parent, element](body, stop)
            if element in _ENTERED.get(parent, ()):
                self._walk(element, body, stop, depth + 1)
                if element == _TRACK:
                    self._judge_track()
            elif element in {_VOID, _TRACK_NAME} or element not in _STAYS.get(parent, {element}):
                self.found.look_into(self.reader.read(body, min(stop - body, WINDOW)))
                self.found.blank(body, stop)

    def _elements(self, at: int, end: int) -> Iterator[tuple[int, int, int]]:
        """(identity, start of the body, end). A cluster of unknown length (RFC 9559 23.2, live) is walked through as
        if its blocks stood in the segment."""
        while at < end:
            self.reader.step()
            element, _, at = self._variable(at, 4)
            length, ones, at = self._variable(at, 8)
            if ones and element not in {_SEGMENT, _CLUSTER}:
                raise Undrawable("damaged")
            stop = (at if element == _CLUSTER else end) if ones else at + length
            if stop > end:
                raise Undrawable("damaged")
            yield element, at, stop
            at = stop

    def _variable(self, at: int, most: int) -> tuple[int, bool, int]:
        """(number, is it all ones, where it ends): RFC 8794 4; of an identity (most = 4) the marker belongs to it."""
        first = self.reader.number(at, 1)
        length = 9 - first.bit_length()
        if length > most:
            raise Undrawable("damaged")
        number = self.reader.number(at, length)
        value = number & ((1 << 7 * length) - 1)
        return number if most == 4 else value, value == (1 << 7 * length) - 1, at + length

    def _float(self, body: int, stop: int) -> float:
        formats = {4: ">f", 8: ">d"}
        if stop - body not in formats:
            return 0.0
        number = float(struct.unpack(formats[stop - body], self.reader.read(body, stop - body))[0])
        return number if 0.0 <= abs(number) < 1e15 else 0.0

    def _small(self, body: int, stop: int) -> int:
        return self.reader.number(body, stop - body) if stop - body <= 8 else 0

    def _see_scale(self, body: int, stop: int) -> None:
        self._scale = self._small(body, stop) or self._scale

    def _see_duration(self, body: int, stop: int) -> None:
        self._ticks = max(0.0, self._float(body, stop))

    def _see_date(self, body: int, stop: int) -> None:
        nanoseconds = self._small(body, stop)
        if nanoseconds < 1 << 62:
            self.found.at_moment(_EPOCH_WEBM + timedelta(microseconds=nanoseconds // 1000))

    def _see_kind(self, body: int, stop: int) -> None:
        self._kind = self._small(body, stop)

    def _see_width(self, body: int, stop: int) -> None:
        self._wide = self._small(body, stop)

    def _see_height(self, body: int, stop: int) -> None:
        self._high = self._small(body, stop)

    def _see_roll(self, body: int, stop: int) -> None:
        self._is_turned = 45 < abs(self._float(body, stop)) % 180 < 135

    def _see_time(self, body: int, stop: int) -> None:
        self._last = max(self._last, self._small(body, stop))

    def _see_cluster(self, body: int, stop: int) -> None:
        """Its time stands first; one of unknown length tells it on the way."""
        if body < stop and self.reader.number(body, 1) == _TIME:
            length, _, at = self._variable(body + 1, 8)
            self._see_time(at, min(at + length, stop))

    def _judge_track(self) -> None:
        if self._kind == 1 and not self.found.width:
            size = (self._high, self._wide) if self._is_turned else (self._wide, self._high)
            self.found.width, self.found.height = (min(each, 0xFFFF) for each in size)
        if self._kind not in {1, 2}:
            self.found.is_cleanable = False  # words or sensors, in blocks all over the file
        self._kind = self._wide = self._high = 0
        self._is_turned = False
