"""A made-up family of any size, for trying out, screenshots and benchmarks.

The same seed, sizes and last day make the same rows; only the tokens of the devices are fresh. Posts are spread over
the years up to that day, about a tenth of them for named members, with threads, quotes, marks and photos. Everything is
written by a few fixed SQL texts in large transactions (a million posts through the verbs would take an hour).

What a real house would have and this one has not, said plainly: `photos` pictures are really made, kept and drawn by
the decoder; every further item is one more item of the same bytes (as the vault joins what comes twice), with a date of
its own. Events are written for the last `EVENTS_OF` only.
"""

from __future__ import annotations

import base64
import datetime as dt
import io
import math
import random
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from homecircle import audiences, circle, db, vault
from homecircle.devices import places
from homecircle.errors import Refused
from homecircle.files import Folder
from homecircle.vault import renditions
from homecircle.vault.decoder import Decoder

EVENTS_OF = dt.timedelta(days=60)
UNSEEN = 3  # posts that the first member has not seen yet
AT_ONCE = 20_000  # posts in one transaction
TOGETHER = 20  # posts whose rows are written table by table
CACHE = 256 << 10  # KiB of page cache while building: the unique random ids touch every page of their index
ALBUMS = (1, 1, 3, 1, 2, 1, 6, 1, 4, 2)  # photos in a post, in turn
TALK = (0, 2, 1, 0, 3, 1, 0, 2, 5, 1, 0, 1, 8, 2, 0, 1)  # messages under a post, in turn
WIDTH, HEIGHT, BLOCK = 1600, 1200, 8  # pixels


@dataclass(frozen=True, slots=True)
class Plan:
    """What to make. `items` counts the photos in posts; `photos` of them are real files of their own."""

    posts: int = 1000
    years: int = 5
    photos: int = 12
    items: int = -1  # -1: one for three posts
    seed: int = 1
    until: dt.datetime | None = None  # the last day ends here; None: today at 00:00 UTC
    for_everyone: float = 0.9

    @property
    def last(self) -> dt.datetime:
        """The moment before which everything happened."""
        return self.until or db.now().replace(hour=0, minute=0, second=0)

    @property
    def first(self) -> dt.datetime:
        """The moment at which the family began."""
        return self.last - dt.timedelta(days=round(self.years * 365.25))

    @property
    def all_items(self) -> int:
        """How many photos stand in posts."""
        return 0 if not self.photos else self.posts // 3 if self.items < 0 else self.items


class Made(NamedTuple):
    """What was made; `tokens` opens the home door, by the name of the member."""

    tokens: dict[str, str]
    posts: int
    messages: int
    marks: int
    items: int


class Person(NamedTuple):
    """One of the family."""

    name: str
    role: str
    colour: int
    writes: int  # how much of ten


FAMILY = (
    Person("Nora", "admin", 8, 3),
    Person("Emil", "admin", 3, 2),
    Person("Juna", "member", 11, 1),
    Person("Till", "member", 6, 1),
    Person("Oma Ilse", "member", 1, 2),
    Person("Grandpa Arthur", "member", 9, 1),
    Person("Aunt Pia", "member", 4, 0),
    Person("Uncle Max", "member", 12, 1),
)
AUTHORS = [number for number, person in enumerate(FAMILY, 1) for _ in range(person.writes)]
# Aunt Pia is in none of them: the member who may see almost nothing when little is for everyone.
CIRCLES = ((1, 2), (1, 2, 3, 4), (1, 2, 3, 4, 5, 8), (1, 5), (3, 4), (2, 8), (5, 6), (1, 2, 5, 6))

STARTS = (
    "The first strawberries are ripe", "Rain all morning, so we baked", "Look who learned to ride without hands",
    "We made it to the top", "The kitchen smells of plum cake", "Till has lost his second tooth",
    "Back from the lake", "The old piano is in tune again", "Somebody has eaten the last of the jam",
    "Juna sang in front of the whole school", "The swallows are back under the roof",
    "We found the box with the letters",
    "Grandpa's tomatoes have won again", "The train was late and nobody minded", "Moving boxes everywhere",
    "The cat has chosen Emil's chair", "First snow", "The tent held out against the storm",
    "Oma has finished the blue blanket", "We walked home along the river", "Pancakes for supper, by vote",
    "The new glasses have come", "The bicycle is repaired", "Max rang from the harbour",
    "Two hours at the doctor's, all is well", "The hedgehog is back in the garden", "We counted seven kinds of birds",
    "The theatre play is on Friday", "A letter from Aunt Pia", "The apple tree is full this year",
)  # fmt: skip
MIDDLES = (
    "and everyone had a second helping", "and it was louder than last year", "which nobody had expected",
    "just before it got dark", "and I thought of you all", "with sand in every shoe",
    "and there is enough left for Sunday", "after three tries and a lot of laughing",
    "and the whole street came to look",
    "although the forecast said otherwise", "and Oma says it was always like that", "between two showers",
    "and the little ones slept in the car", "with the good plates", "and now we are all tired and happy",
    "as every summer", "and we kept a piece for whoever comes by", "and the neighbours lent us the ladder",
)  # fmt: skip
ENDS = (
    "Who is coming on Sunday?", "More pictures tonight.", "You would have liked it.", "Until soon, all of you!",
    "The recipe is in the drawer, as ever.", "Next time with all of you.", "Please bring the big umbrella back.",
    "I'll tell you the rest on the phone.", "Hugs from all of us.", "It was the nicest day in a long while.",
    "Does anybody still have the old map?", "Thank you for the parcel!", "We'll keep you a seat.",
    "I have put it beside the photo of great-grandmother.", "The key lies where it always lies.",
)  # fmt: skip
REPLIES = (
    "How lovely!", "Oh, I wish I had been there.", "Save me a piece, please.",
    "That is exactly how your father looked.",
    "We'll come on Sunday, all four of us.", "Wonderful. Is that the red coat?", "Ha! I knew it.",
    "Give her a hug from me.",
    "Who is that at the back on the left?", "I have the same one here, from 1987.", "Thank you for telling us.",
    "Can you send me the recipe?", "The dog says hello too.", "I'll bring the big pot.", "Well done, you two!",
    "What time does it begin?", "We are back at eight.", "I'm so glad to hear that.", "Call me when you are home.",
    "That view! I'd forgotten how blue it gets.",
)  # fmt: skip
MARKS = ("❤️", "😂", "🤗", "👏", "😮", "🙏", "👋", "so proud", "miss you all", "yes please")
LINKS = ("https://www.example.org/timetable/saturday", "https://example.com/recipes/plum-cake", "http://example.net/")
RARE, RARELY = "The comet was there again!", 997  # words for those who measure the search, once in so many posts
PHONES = ("phone", "phone", "tablet", "phone", "tablet", "computer", "phone", "phone")


def build(folder: Folder, plan: Plan) -> Made:
    """Fill an empty folder with a family by the plan and close it again.

    Raises `Refused` when there is anything in the folder already.
    """
    if folder.root.exists() and any(folder.root.iterdir()):
        raise Refused("%(path)s is not empty. A sample family moves into a new folder only.", path=folder.root)
    folder.prepare()
    with folder.lock():
        db.open_file(folder.database)
        try:
            db.rows(f"PRAGMA cache_size = -{CACHE}")
            return _Building(folder, plan).build()
        finally:
            db.truncate_log()
            db.close_file()


@dataclass(slots=True)
class _Batch:
    """The rows of a few posts, table by table, until they are written together: in the order in which they came."""

    posts: list[tuple[Any, ...]] = field(default_factory=list)
    readers: list[tuple[int, int]] = field(default_factory=list)
    messages: list[tuple[Any, ...]] = field(default_factory=list)
    marks: list[tuple[Any, ...]] = field(default_factory=list)
    items: list[tuple[Any, ...]] = field(default_factory=list)
    places: list[tuple[int, int, int]] = field(default_factory=list)

    def write(self) -> None:
        _insert(_POST, self.posts)
        _insert("INSERT INTO post_reader (member_id, post_id) VALUES (?, ?)", self.readers)
        _insert(_MESSAGE, self.messages)
        _insert("INSERT INTO mark (post_id, member_id, mark, made_at) VALUES (?, ?, ?, ?)", self.marks)
        _insert(_ITEM, self.items)
        _insert("INSERT INTO post_item (post_id, position, item_id) VALUES (?, ?, ?)", self.places)


class _Building:
    """One house on its way."""

    def __init__(self, folder: Folder, plan: Plan) -> None:
        self.folder, self.plan = folder, plan
        self.rng = random.Random(plan.seed)  # noqa: S311  a story, no secret
        self.first, self.last = int(plan.first.timestamp()), int(plan.last.timestamp())
        self.step = (self.last - self.first) / max(1, plan.posts)
        self.audiences: list[tuple[int, tuple[int, ...]]] = []
        self.originals: list[int] = []
        self.events: list[tuple[Any, ...]] = []
        self.counted = {"messages": 0, "marks": 0, "items": 0}

    def build(self) -> Made:
        with db.transaction():
            tokens = self._seat_family()
        albums = dict(_albums(self.plan))
        self._draw_pictures(albums)
        for start in range(0, self.plan.posts, AT_ONCE):
            with db.transaction():
                self._share_some(range(start, min(start + AT_ONCE, self.plan.posts)), albums)
                for statement in _INDEX:
                    db.rows(statement)
        with db.transaction():
            self.events.sort(key=lambda event: event[-1])
            _insert(_EVENT, self.events)
            self._settle_in()
        db.rows("ANALYZE")
        return Made(tokens, self.plan.posts, **self.counted)

    def _seat_family(self) -> dict[str, str]:
        """Members, their devices, the audiences; returns the tokens."""
        circle.update(name="The Wrens", claimed_at=db.moment(self.first), setup_step="done")
        tokens = {}
        for number, person in enumerate(FAMILY, 1):
            joined = self.first + number * 60
            _insert(_MEMBER, [(number, self._id(), person.name, person.colour, person.role, joined, self.last)])
            name = f"{person.name}'s {PHONES[number - 1]}"
            day = self.plan.last.toordinal()
            _insert(_DEVICE, [(number, self._id(), number, name, joined, day)])
            tokens[person.name] = places.give_token(number, "home")
            self._record("member.joined", (number, "", audiences.EVERYONE, None), joined, is_kept=True)
        self.audiences = [(audiences.of(each), each) for each in CIRCLES]
        return tokens

    def _draw_pictures(self, albums: dict[int, range]) -> None:
        """Make the real pictures, keep them and let the decoder draw them; the dates are those of the first items."""
        moments = [self._moment(index) for index, numbers in sorted(albums.items()) for _ in numbers]
        for number in range(min(self.plan.photos, len(moments))):
            picture = landscape(self.rng, db.moment(_taken(moments[number])))
            spooled = self.folder.take(io.BytesIO(picture))
            self.originals.append(vault.keep_picture(self.folder, spooled, f"landscape {number + 1}.png"))
        decoder = Decoder()
        try:
            while renditions.draw_next(self.folder, decoder):
                pass
        finally:
            decoder.close()
        with db.transaction():
            for original in self.originals:
                db.rows("UPDATE original SET stamp = ?, arrived_at = ? WHERE id = ?", self._id(), self.last, original)
            for member, original in zip((1, 2, 5, 6), self.originals, strict=False):
                db.rows("UPDATE member SET picture_id = ? WHERE id = ?", original, member)

    def _share_some(self, indexes: range, albums: dict[int, range]) -> None:
        for first in indexes[::TOGETHER]:
            batch = _Batch()
            for index in range(first, min(first + TOGETHER, indexes.stop)):
                self._share(batch, index, albums.get(index, ()))
            batch.write()

    def _share(self, batch: _Batch, index: int, album: Iterable[int]) -> None:
        number, rng, moment = index + 1, self.rng, self._moment(index)
        author = AUTHORS[int(rng.random() * len(AUTHORS))]
        audience, members = self._audience(author)
        public_id = self._id()
        text = self._text() if number % RARELY else f"{RARE} {self._text()}"
        batch.posts.append((number, public_id, author, text, audience, moment, f"s{number}"))
        batch.readers += [(member, number) for member in members]
        present = members or tuple(range(1, len(FAMILY) + 1))
        self._record("post.published", (author, public_id, audience, number), moment)
        for position, item in enumerate(album):
            self.counted["items"] += 1
            taken = db.moment(_taken(moment)).replace(tzinfo=None).isoformat()
            batch.items.append((item + 1, self._id(), self.originals[item % len(self.originals)], author,
                                f"landscape {item % len(self.originals) + 1}.png", taken, moment))  # fmt: skip
            batch.places.append((number, position, item + 1))
        self._talk(batch, (number, audience, moment), present)
        for member in rng.sample(present, min(len(present), int(rng.random() * rng.random() * 7))):
            self.counted["marks"] += 1
            made = self._later(moment, 7200)
            batch.marks.append((number, member, self._pick(MARKS), made))
            self._record("mark.made", (member, public_id, audience, number), made)

    def _talk(self, batch: _Batch, post: tuple[int, int, int], present: tuple[int, ...]) -> None:
        number, audience, moment = post
        said: list[int] = []
        for _ in range(TALK[int(self.rng.random() * len(TALK))]):
            self.counted["messages"] += 1
            message, moment = self.counted["messages"], self._later(moment, 3600)
            author = present[int(self.rng.random() * len(present))]
            quote = said[0] if said and self.rng.random() < 0.1 else None
            text = self._pick(REPLIES)
            public_id = self._id()
            batch.messages.append((message, public_id, number, author, text, quote, moment, f"s{message}"))
            self._record("message.said", (author, public_id, audience, number), moment)
            said.append(message)

    def _settle_in(self) -> None:
        """What was seen: everything, but for the newest few posts, which nobody has seen yet."""
        seen = max(0, self.plan.posts - UNSEEN)
        (shared_at,) = db.row("SELECT shared_at FROM post WHERE id = ?", seen) or (self.last,)
        left = min(shared_at + 3600, self.last - 3600)
        _insert(_SEEN, [(seen, seen, left, left, self.last)])

    def _audience(self, author: int) -> tuple[int, tuple[int, ...]]:
        """(audience id, the members it names), () for everyone."""
        if self.rng.random() < self.plan.for_everyone:
            return audiences.EVERYONE, ()
        own = [each for each in self.audiences if author in each[1]]
        return own[int(self.rng.random() * len(own))]

    def _text(self) -> str:
        roll, pick = self.rng.random(), self._pick
        start = pick(STARTS)
        if roll < 0.15:
            return f"{start}!"
        text = f"{start} {pick(MIDDLES)}. {pick(ENDS)}"
        if roll > 0.93:
            text = "\n\n".join([text, *(f"{pick(STARTS)} {pick(MIDDLES)}. {pick(ENDS)}" for _ in range(3))])
        return f"{text} {pick(LINKS)}" if 0.5 < roll < 0.53 else text

    def _pick(self, words: tuple[str, ...]) -> str:
        return words[int(self.rng.random() * len(words))]

    def _record(self, verb: str, what: tuple[int, str, int, int | None], moment: int, *, is_kept: bool = False) -> None:
        token = self._id()
        if is_kept or moment > self.last - EVENTS_OF.total_seconds():
            actor, subject, audience, post = what
            self.events.append((token, verb, actor, subject, audience, post, moment))

    def _moment(self, index: int) -> int:
        """When the post was shared: evenly, each at some moment of its own within its step."""
        return int(self.first + self.step * (index + (index * 2654435761 % 4096) / 4200))

    def _later(self, moment: int, seconds: int) -> int:
        return min(self.last - 1, moment + int(self.rng.random() * seconds) + 20)

    def _id(self) -> str:
        return base64.b32encode(self.rng.randbytes(10)).decode().lower()


def landscape(rng: random.Random, taken: dt.datetime) -> bytes:
    """Return a PNG of hills under a sky, dated inside (Exif) at `taken`, of 1600 x 1200 pixels."""
    top, low = _colour(rng, 90, 190), _colour(rng, 190, 250)
    hills = [[_height(layer, wave) for wave in _waves(rng)] for layer in range(3)]
    colours = [_colour(rng, 60 - layer * 15, 160 - layer * 30) for layer in range(3)]
    rows = []
    for y in range(HEIGHT):
        sky = bytes(a + (b - a) * y // HEIGHT for a, b in zip(top, low, strict=True))
        palette = [each * BLOCK for each in (sky, *colours)]
        line = [3 if c > y_up else 2 if b > y_up else 1 if a > y_up else 0
                for y_up in (HEIGHT - y,) for a, b, c in zip(*hills, strict=True)]  # fmt: skip
        rows.append(b"\0" + b"".join([palette[each] for each in line]))
    date = taken.strftime("%Y:%m:%d %H:%M:%S").encode() + b"\0"
    # TIFF: one directory whose only entry points at the Exif directory, whose only entry is DateTimeOriginal
    exif = struct.pack("<2sHIHHHIIIHHHII", b"II", 42, 8, 1, 0x8769, 4, 1, 26, 0, 1, 0x9003, 2, len(date), 44)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"eXIf", exif + b"\0\0\0\0" + date), (b"IDAT", zlib.compress(b"".join(rows), 1)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*each) for each in (*chunks, (b"IEND", b"")))


def _waves(rng: random.Random) -> list[float]:
    """The outline of a chain of hills, between -1 and 1, a value for each block of a line."""
    turns = [(rng.random() * 6.3, 1 + rng.random() * 3, rng.random()) for _ in range(3)]
    weight = sum(each[2] for each in turns) or 1.0
    return [sum(much * math.sin(at + often * 6.3 * x * BLOCK / WIDTH) for at, often, much in turns) / weight
            for x in range(WIDTH // BLOCK)]  # fmt: skip


def _height(layer: int, wave: float) -> int:
    return int(HEIGHT * (0.55 - 0.17 * layer + 0.12 * wave))


def _colour(rng: random.Random, low: int, high: int) -> bytes:
    return bytes(low + int(rng.random() * (high - low)) for _ in range(3))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _albums(plan: Plan) -> Iterator[tuple[int, range]]:
    """(index of a post, the numbers of its photos), spread over all posts up to the newest."""
    sizes, left = list[int](), min(plan.all_items, plan.posts * 2)
    while left > 0:
        sizes.append(min(left, ALBUMS[len(sizes) % len(ALBUMS)]))
        left -= sizes[-1]
    item = 0
    for turn, size in enumerate(sizes):
        yield (turn + 1) * plan.posts // len(sizes) - 1, range(item, item + size)
        item += size


def _taken(moment: int) -> int:
    return moment - 5400


def _insert(sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
    db.database.connection().executemany(sql, rows)


_MEMBER = """INSERT INTO member (id, public_id, name, colour, role, joined_at, here_at) VALUES (?, ?, ?, ?, ?, ?, ?)"""
_DEVICE = """
INSERT INTO device (id, public_id, member_id, kind, name, paired_at, used_on) VALUES (?, ?, ?, 'personal', ?, ?, ?)"""
_POST = """
INSERT INTO post (id, public_id, author_id, text, audience_id, shared_at, once) VALUES (?, ?, ?, ?, ?, ?, ?)"""
_MESSAGE = """
INSERT INTO message (id, public_id, post_id, author_id, text, quote_id, said_at, once) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_ITEM = """
INSERT INTO item (id, public_id, original_id, member_id, kind, name, taken, added_at)
VALUES (?, ?, ?, ?, 'photo', ?, ?, ?)"""
_EVENT = """
INSERT INTO event (token, verb, actor_id, subject, audience_id, post_id, at) VALUES (?, ?, ?, ?, ?, ?, ?)"""
_SEEN = """
UPDATE member SET seen_post = ?, visit_post = ?, visit_since = ?, active_at = ?, here_at = ?,
  seen_event = (SELECT coalesce(max(event.id), 0) FROM event JOIN post ON post.id = event.post_id
                WHERE post.id <= (SELECT max(id) - 3 FROM post))"""
# What `search` does row by row at the end of a transaction, for many new rows at once: a third of the time.
_INDEX = ("INSERT INTO found (rowid, facts, words) SELECT id, facts, words FROM find "
          "WHERE id IN (SELECT id FROM find_turned)", "DELETE FROM find_turned")  # fmt: skip
