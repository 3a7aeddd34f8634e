"""Bringing photos and films in from a folder, a ZIP or a Google Takeout: look first, then take, stop at any file.

What was taken is in rows, so the same again goes on with the rest: a file whose bytes the member has already (whole
hash; in the trash too) is skipped. Hashed beforehand is only what has the size of something else. One bad file never
holds up the others: it is left out, and the report names it and why. Each file goes through `tmp` like an upload, room
for it is asked before its first byte, and no entry of a ZIP may become larger than an upload.

A date is the camera's own; where there is none, what Google says, what the name says, the file's own date, in that
order. In a Takeout what lies in albums goes first, so that a photo in an album and in its year is one item, whose
caption is the album. Of what HomeCircle itself took out come the links, too, that are kept without a post.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any, NamedTuple

from homecircle import db, members, vault
from homecircle.archive import linked, reading
from homecircle.archive.pile import Entry, Left, Pile, Source, collected
from homecircle.archive.takeout import ENDING, NOTE_LIMIT, Notes, Told
from homecircle.errors import Invalid, Refused
from homecircle.events import EVERYONE
from homecircle.files import MIB, Folder
from homecircle.vault import images, timeline, uploads

NAMED = 100  # files that a report names; it counts all
Watch = Callable[[int, int], None]
WHY = {
    "kind": "no picture or video that HomeCircle can show",
    "empty": "empty",
    "large": "larger than 4 GB",
    "locked": "locked with a password",
    "damaged": "damaged",
    "unreadable": "could not be read",
    "trash": "from Google's trash",
}
_BAD_BYTES = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError)
_DATED = re.compile(
    r"(?<!\d)((?:19|20)\d\d)([-_.]?)(\d\d)\2(\d\d)(?:[-_.T ]+(?:at )?(\d\d)[-_.]?(\d\d)[-_.]?(\d\d)\d{0,3})?(?!\d)"
)


class Wish(NamedTuple):
    """What to bring in, into whose vault, for whom (None: only that member), and whether only to look.

    `keeps_files` brings what can never be shown too; those it is for get such a file as it is.
    """

    source: Source
    member_id: int
    audience_id: int | None = None
    is_look: bool = False
    keeps_files: bool = False


def wished(source: Source, member: str, *, everyone: bool, is_look: bool, keeps_files: bool) -> Wish:
    """Return what a command asks for: into the vault of the member of that name, or of the first admin.

    Raises `Refused` where there is no such member.
    """
    found = [number for number, face in members.present().items()
             if (face.name.casefold() == member.strip().casefold() if member else face.role == "admin")]  # fmt: skip
    if not found and member:
        raise Refused("There is nobody called %(name)s in the circle.", name=member)
    if not found:
        raise Refused("Nobody is in the circle yet. Set HomeCircle up first: `homecircle setup-code`.")
    return Wish(source, found[0], EVERYONE if everyone else None, is_look, keeps_files)


@dataclass
class Report:
    """What came, or would come. `there` is in the vault already, `twice` stands in the source more than once, `undated`
    are photos that have no date but the file's own; `left` names the first of those that `why` counts.
    """

    photos: int = 0
    videos: int = 0
    files: int = 0
    links: int = 0
    size: int = 0
    there: int = 0
    twice: int = 0
    undated: int = 0
    first: int = 0
    last: int = 0
    why: Counter[str] = field(default_factory=Counter)
    left: list[Left] = field(default_factory=list)

    def leave(self, left: Left) -> None:
        """Leave a file out. Of its name only what can be printed is told: a terminal would obey the rest."""
        self.why[left.why] += 1
        if len(self.left) < NAMED:
            self.left.append(Left("".join(each if each.isprintable() else "?" for each in left.path), left.why))

    def told(self) -> dict[str, Any]:
        """As JSON says it."""
        return {**vars(self), "why": dict(self.why), "left": [list(each) for each in self.left]}


class Gathering:
    """One walk through a source. `report` grows while `run` goes on; `watch` hears of bytes; what it raises ends it.

    `came` is called after each file that was taken.
    """

    def __init__(self, folder: Folder, wish: Wish, watch: Watch, came: Callable[[], None] = lambda: None) -> None:
        self.report = Report()
        self._folder, self._wish, self._watch, self._came = folder, wish, watch, came
        self._done = self._end = self._whole = 0
        self._seen: set[str] = set()
        self._sizes: set[int] = set()

    def run(self) -> Report:
        """Look at, or take, everything. Raises `NoSpace`, and what `watch` raises; all that came by then stays."""
        with collected(self._wish.source) as pile:
            for left in pile.left:
                self.report.leave(left)
            place = self._wish.source.place
            is_export = reading.is_export(place)
            shots = _taken_out(pile, self._wish.source) if is_export else _shots(pile)
            if is_export:
                with reading.Source(place) as opened:
                    self.report.links = linked.bring(self._folder, opened, self._wish.member_id,
                                                     is_look=self._wish.is_look)  # fmt: skip
            self._whole = sum(entry.size for entry, _ in shots)
            self._sizes = {row[0] for row in db.rows(_SIZES, self._wish.member_id)}
            self._sizes |= {size for size, times in Counter(entry.size for entry, _ in shots).items() if times > 1}
            for entry, told in shots:
                self._end = self._done + entry.size
                self._watch(self._done, self._whole)
                if why := self._one(entry, told):
                    self.report.leave(Left(entry.path, why))
                self._done = self._end
            self._watch(self._whole, self._whole)
        return self.report

    def _one(self, entry: Entry, told: Told) -> str:
        """Look at one file, take it if it is to be taken; the word for why it is left out, or ''."""
        if entry.size > uploads.SIZE_LIMIT or not entry.size or told.is_trash:
            return "trash" if told.is_trash else "large" if entry.size else "empty"
        try:
            with entry.open() as stream:
                head = stream.read(vault.HEAD)
            kind = images.sniff(head)
            if kind is None and not self._wish.keeps_files:
                return "kind"
            if not self._is_there(entry):
                self._come(entry, told, head, kind or "")
        except OSError:
            return "unreadable"
        except (*_BAD_BYTES, Invalid):
            return "damaged"
        return ""

    def _is_there(self, entry: Entry) -> bool:
        """Say whether these bytes are the member's already, or came before in this walk."""
        if entry.size not in self._sizes:
            return False
        with entry.open() as stream:
            tap = _Tap(stream, self._told)
            while tap.read():
                pass
        digest = tap.digest.hexdigest()
        if digest in self._seen:
            self.report.twice += 1
        elif db.row(_THERE, digest, self._wish.member_id):
            self.report.there += 1
        else:
            self._seen.add(digest)
            return False
        return True

    def _come(self, entry: Entry, told: Told, head: bytes, kind: str) -> None:
        """Take the file, unless this is only a look, and count it."""
        here = entry.path.rpartition("/")[2]
        name = told.name or here
        own, said = vault.taken_hint(head, None), _said(told, name) or _said(told, here)
        is_photo, is_video = kind.startswith("image/"), kind.startswith("video/")
        if not self._wish.is_look:
            self._take(entry, name, said or entry.at, told)
        self.report.photos += is_photo
        self.report.videos += is_video
        self.report.files += not kind
        self.report.size += entry.size
        self.report.undated += is_photo and own is None and said is None
        if date := own or said or entry.at:
            year = int(str(date)[:4])
            self.report.first = min(self.report.first or year, year)
            self.report.last = max(self.report.last, year)

    def _take(self, entry: Entry, name: str, date: dt.datetime | None, told: Told) -> None:
        self._folder.make_room(entry.size)
        with entry.open() as stream:
            tap = _Tap(stream, self._told)
            spooled = self._folder.take(tap)  # type: ignore[arg-type]  # it only reads
        try:
            arrived = vault.examine(spooled, name, date, tap.digest.hexdigest(), self._wish.keeps_files)
            arrived = arrived._replace(opened=self._wish.audience_id is not None)
            vault.settle_in(self._folder, spooled, arrived)
            vault.add(self._folder, arrived, self._wish.member_id, _label(told, self._wish.audience_id))
        finally:
            self._folder.remove(spooled)
        self._came()

    def _told(self, size: int) -> None:
        self._done = min(self._done + size, self._end)  # a file that is hashed and then taken is read twice
        self._watch(self._done, self._whole)


class _Tap:
    """A stream that hashes what is read from it, and tells how much that was."""

    def __init__(self, stream: IO[bytes], watch: Callable[[int], None]) -> None:
        self._stream, self._watch = stream, watch
        self.digest = hashlib.sha256()

    def read(self, size: int = MIB) -> bytes:
        piece = self._stream.read(size)
        self.digest.update(piece)
        self._watch(len(piece))
        return piece


def _shots(pile: Pile) -> list[tuple[Entry, Told]]:
    """Every file but the JSON, with what is told of it; those of albums first."""
    said = {entry.path: entry for entry in pile.entries if entry.path.lower().endswith(ENDING)}
    notes = Notes(said, lambda path: _read(said[path]))
    shots = [(entry, notes.about(entry.path)) for entry in pile.entries if entry.path not in said]
    return sorted(shots, key=lambda shot: not shot[1].album)


def _taken_out(pile: Pile, source: Source) -> list[tuple[Entry, Told]]:
    """The originals of what HomeCircle itself took out, with their words: not its pages and their pictures."""
    told: dict[str, Told] = {}
    with reading.Source(source.place) as opened:
        for line in reading.read_lines(opened, "items"):
            told[line.text("file")] = Told(
                line.clock("taken"), line.text("caption"), line.text("description"), name=line.text("name", 255)
            )
    top = f"{source.path.name}/"  # of a folder; a ZIP's names begin within it
    found = [(entry, told.get(entry.path) or told.get(entry.path.removeprefix(top))) for entry in pile.entries]
    return [(entry, one) for entry, one in found if one is not None]


def _read(entry: Entry) -> bytes:
    try:
        with entry.open() as stream:
            return stream.read(NOTE_LIMIT + 1)
    except (OSError, *_BAD_BYTES):
        return b""


def _said(told: Told, name: str) -> dt.datetime | None:
    """What Google says, on the house's own clock, else what the name says (WhatsApp and most cameras write the day)."""
    if told.taken:
        return told.taken.astimezone()
    found = _DATED.search(name)
    if found is None:
        return None
    hour, minute, second = (int(each) for each in (found[5] or 12, found[6] or 0, found[7] or 0))
    try:
        day = dt.datetime(int(found[1]), int(found[3]), int(found[4]), hour, minute, second)  # noqa: DTZ001  a wall clock
    except ValueError:
        return None
    return day if day <= dt.datetime.now() + dt.timedelta(days=1) else None  # noqa: DTZ005  the same clock


def _label(told: Told, audience_id: int | None) -> vault.Label:
    caption, description = (told.album, told.description) if told.album else (told.description, "")
    return vault.Label(caption[: timeline.CAPTION_LIMIT], description[: timeline.DESCRIPTION_LIMIT], audience_id)


# What lies in the trash is as good as gone: it comes anew.
_SIZES = """
SELECT DISTINCT size FROM original JOIN item ON item.original_id = original.id
WHERE item.member_id = ? AND item.deleted_at IS NULL"""
_THERE = """
SELECT 1 FROM original JOIN item ON item.original_id = original.id
WHERE original.sha256 = ? AND item.member_id = ? AND item.deleted_at IS NULL"""
