"""What is taken out: read in one snapshot, a piece at a time, so that memory does not grow with the house.

Items come first and get their names; who needs them later (posts, pages) finds them in a temporary table of this
connection, `leaving`, which goes with the snapshot.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from homecircle import db, members
from homecircle.archive import naming
from homecircle.archive.scope import Scope
from homecircle.files import Folder
from homecircle.vault import serving

SHOWN_EDGE = 1080  # the picture on a page of the export
CHUNK = 200
SHOWABLE = {"image/jpeg", "image/png", "image/webp", "image/gif"}  # what every browser shows by itself


class Medium(NamedTuple):
    """A file that goes along: `name` in the export, where its bytes are, how many, and what is done with them.

    `blanks` are sent as zeros; `clean` says that a copy without place is made on the way (then `size` is a guess), and
    `instead` is the picture that goes when none can be made.
    """

    name: str
    source: str
    size: int
    blanks: serving.Blanks = ()
    clean: bool = False
    instead: str = ""

    def line(self) -> str:
        """The medium as one line of the list."""
        return json.dumps(self) + "\n"

    @classmethod
    def read(cls, line: str) -> Medium:
        """The medium of a line of the list."""
        name, source, size, blanks, clean, instead = json.loads(line)
        return cls(name, source, size, tuple((at, length) for at, length in blanks), clean, instead)


class Item(NamedTuple):
    """An item on its way out. `file` and `shown` are paths in the export, '' when there is none."""

    number: int
    id: str
    by: int
    kind: str
    name: str
    caption: str
    description: str
    at: int
    file: str
    shown: str
    width: int
    height: int


class Said(NamedTuple):
    """A message on its way out; `quote` is the public id of the one it answers, or ''."""

    number: int
    id: str
    post: str
    by: int
    text: str
    at: int
    edited_at: int | None
    quote: str
    quoted_by: int | None
    quoted_text: str
    post_by: int
    items: tuple[Item, ...] = ()


class Told(NamedTuple):
    """A post on its way out; `audience` is () for everyone, `marks` are (member, mark, when).

    `kind` is '' or 'joined': the news that its author joined."""

    number: int
    id: str
    by: int
    text: str
    at: int
    edited_at: int | None
    kind: str
    audience: tuple[int, ...]
    items: tuple[Item, ...] = ()
    marks: tuple[tuple[int, str, int], ...] = ()


class Linked(NamedTuple):
    """A link that is kept without a post, on its way out; `picture` is the preview's (WebP, base64), or ''."""

    id: str
    by: int
    url: str
    note: str
    at: int
    is_known: bool
    title: str
    site: str
    width: int
    height: int
    picture: str


class Leaving:
    """One export being gathered: within `db.snapshot()` only."""

    def __init__(self, folder: Folder, scope: Scope) -> None:
        self.folder, self.scope = folder, scope
        self.who = {number: members.roster()[number] for number in self._people()}
        self.names = naming.people((number, face.name) for number, face in self.who.items())
        for statement in _TABLES:
            db.rows(statement)

    def items(self) -> Iterator[tuple[dict[str, object], list[Medium]]]:
        """Name every item, note it in `leaving`; yield what `posts.json` says of it and its files."""
        asked = _ITEMS.format(places=self.scope.places, posts=self.scope.posts, messages=self.scope.messages)
        for row in db.each(asked, self.scope.values):
            found = _Found(*row)
            stem = naming.stem(found.at, self.names[found.by], found.caption or found.told or "", found.turn)
            whole, drawn, digest = self._media(found, stem)
            poster, still = self._poster(found, stem)
            media = [each for each in (whole, drawn, still) if each is not None]
            file = media[0].name if media else ""
            # where no picture was drawn, the original itself, when a browser can show it
            shown = drawn.name if drawn else file if found.media_type in SHOWABLE else ""
            db.rows(_NOTE, found.number, found.at // 10**8, found.page, file, shown)
            yield {
                "id": found.id, "by": self.who[found.by].id, "kind": found.kind, "name": found.name,
                "caption": found.caption, "description": found.description, "taken": found.taken,
                "place_shared": bool(found.place_shared), "added_at": found.added_at, "media_type": found.media_type,
                "for": self._whom(found), "file": file, "sha256": digest, "poster": poster,
                "came_with_post": self._came_with_post(found), "arrival": self._arrival(found),
            }, media  # fmt: skip

    def posts(self, month: int = 0) -> Iterator[list[Told]]:
        """Yield the posts (of one month, 202607) in their order, a few at a time, with items and marks."""
        asked, last = _POSTS.format(posts=self.scope.posts), 0
        while found := db.rows(asked, self.scope.values | {"after": last, "month": month, "few": CHUNK}):
            last = found[-1][0]
            numbers = json.dumps([row[0] for row in found])
            items, marks = self._items_of(_OF_POSTS, numbers), dict[int, list[tuple[int, str, int]]]()
            for post, member, mark, made_at in db.rows(_MARKS, numbers):
                marks.setdefault(post, []).append((member, mark, made_at))
            yield [Told._make((*row[:7], _ids(row[7]), tuple(items.get(row[0], ())), tuple(marks.get(row[0], ()))))
                   for row in found]  # fmt: skip

    def messages(self) -> Iterator[list[Said]]:
        """Yield every message in its order, a few at a time."""
        asked, last = _MESSAGES.format(messages=self.scope.messages, more="message.id > :after"), 0
        while found := db.rows(asked, self.scope.values | {"after": last, "few": CHUNK}):
            last = found[-1][0]
            yield self._said(found)

    def links(self) -> Iterator[Linked]:
        """Yield every link that is kept without a post, in the order of the house."""
        for row in db.each(_LINKS.format(links=self.scope.links), self.scope.values):
            picture = base64.b64encode(row[10] or b"").decode()
            yield Linked._make((*row[:5], bool(row[5]), *row[6:10], picture))

    def has_links(self) -> bool:
        """Say whether any link that is kept without a post comes along."""
        return bool(db.row(f"SELECT 1 FROM link WHERE {self.scope.links} LIMIT 1", self.scope.values))

    def talks(self, posts: list[Told]) -> dict[str, list[Said]]:
        """Return the messages of these posts by the post's public id."""
        more = "message.post_id IN (SELECT value FROM json_each(:after))"
        asked = _MESSAGES.format(messages=self.scope.messages, more=more)
        numbers = json.dumps([post.number for post in posts])
        found: dict[str, list[Said]] = {}
        for said in self._said(db.rows(asked, self.scope.values | {"after": numbers, "few": -1})):
            found.setdefault(said.post, []).append(said)
        return found

    def elsewhere(self, month: int) -> list[Said]:
        """Return what was said in a month under posts that do not come along (only in *own*)."""
        if self.scope.kind != "own":
            return []
        asked = _MESSAGES.format(messages=self.scope.messages, more=f"post.author_id <> :me AND {_MONTH_SAID} = :after")
        return self._said(db.rows(asked, self.scope.values | {"after": month, "few": -1}))

    def others(self, month: int) -> Iterator[Item]:
        """Yield the items taken in a month that stand in no post of that month, in order of time."""
        for row in db.each(
            f"{_KNOWN} WHERE leaving.month = ? AND leaving.page <> ? ORDER BY at, item.id", month, month
        ):
            yield Item(*row)

    def months(self) -> list[tuple[int, int, int]]:
        """Return (202607, posts, photos and films) of every month that holds something, oldest first."""
        asked = _MONTHS.format(posts=self.scope.posts, messages=self.scope.messages, own=self.scope.kind == "own")
        return [tuple(row) for row in db.rows(asked, self.scope.values)]

    def face(self, picture_id: int | None, name: str, *, is_whole: bool) -> tuple[dict[str, str] | None, list[Medium]]:
        """Return what `posts.json` says of a face or the family's picture, and its files: original, picture to show."""
        found = picture_id and db.row(_PICTURE, picture_id)
        if not found:
            return None, []
        path, media_type, digest, drawings = found
        shown = self._drawn(f"pictures/{name}", digest, drawings, 320)
        whole = self._medium(f"faces/{name}.{naming.ending(media_type, '')}", self.folder.root / path)
        if not is_whole or whole is None:
            return ({"file": shown.name, "sha256": ""}, [shown]) if shown else (None, [])
        return {"file": whole.name, "sha256": digest}, [whole, *filter(None, [shown])]

    def _people(self) -> list[int]:
        """Everyone who is in the circle, and of those who left whom something that comes along tells of."""
        asked = _PEOPLE.format(posts=self.scope.posts, messages=self.scope.messages, places=self.scope.places,
                               everyone=self.scope.kind == "house")  # fmt: skip
        return [row[0] for row in db.rows(asked, self.scope.values)]

    def _whom(self, found: _Found) -> str | list[str] | None:
        """For whom the item was shared from the vault itself: said only to those it is for."""
        named = _ids(found.audience or "")
        is_told = self.scope.takes_whole(found.by, place_shared=False) or self.scope.member_id in named
        if found.audience is None or (named and not is_told):
            return None
        return [self.who[each].id for each in named] or "everyone"

    def _came_with_post(self, found: _Found) -> bool:
        """Whether the item goes with its post: nobody's business but its owner's."""
        return bool(found.came_with) and self.scope.takes_whole(found.by, place_shared=False)

    def _arrival(self, found: _Found) -> str:
        """Whether it is as it was on its owner's phone: said to its owner alone."""
        return found.arrival if self.scope.takes_whole(found.by, place_shared=False) else ""

    def _media(self, found: _Found, stem: str) -> tuple[Medium | None, Medium | None, str]:
        """The item's original as it goes along, a picture of it to show, and the SHA-256 when it is known."""
        shown = self._drawn(f"pictures/{stem}", found.sha256, found.drawings, SHOWN_EDGE)
        name = f"{stem}.{naming.ending(found.media_type, found.name)}"
        source = self.folder.root / found.path
        if self.scope.takes_whole(found.by, place_shared=bool(found.place_shared)):
            whole, digest = self._medium(name, source), found.sha256
        else:
            whole, digest = self._without_place(name, source, found, shown), ""
        return whole, shown, digest if whole else ""

    def _poster(self, found: _Found, stem: str) -> tuple[dict[str, str] | None, Medium | None]:
        """What `posts.json` says of the still picture of a film, and its file: for whoever takes the film whole."""
        is_whole = self.scope.takes_whole(found.by, place_shared=False)
        if not is_whole or not found.poster_path or not found.poster_type or not found.poster_sha256:
            return None, None
        name = f"pictures/{stem}_poster.{naming.ending(found.poster_type, '')}"
        whole = self._medium(name, self.folder.root / found.poster_path)
        return ({"file": name, "sha256": found.poster_sha256}, whole) if whole else (None, None)

    def _without_place(self, name: str, source: Path, found: _Found, shown: Medium | None) -> Medium | None:
        if not found.media_type.startswith("image/"):
            if found.blanks is None:
                return None
            return self._medium(name, source, serving.blanks_of(found.blanks))
        copied = serving.clean_path(self.folder, found.sha256)
        if copied.exists():
            return self._medium(name, copied)
        made = self._medium(name, source) if shown else None
        return made and made._replace(clean=True, instead=shown.source if shown else "")

    def _medium(self, name: str, source: Path, blanks: serving.Blanks = ()) -> Medium | None:
        try:
            return Medium(name, str(source), source.stat().st_size, blanks)
        except FileNotFoundError:
            return None

    def _drawn(self, stem: str, digest: str, drawings: str, edge: int) -> Medium | None:
        """The picture to show: the smallest of at least that edge, else the largest there is."""
        sizes = {each[0]: each[1] for each in json.loads(drawings)}
        if not sizes:
            return None
        chosen = min((each for each in sizes if each >= edge), default=max(sizes))
        path = serving.rendition_path(self.folder, digest, chosen, sizes[chosen])
        return self._medium(f"{stem}{path.suffix}", path)

    def _said(self, rows: list[Any]) -> list[Said]:
        mine = " AND item.member_id = :me" if self.scope.kind == "own" else ""
        items = self._items_of(_OF_MESSAGES + mine, json.dumps([row[0] for row in rows]))
        return [Said._make((*row, tuple(items.get(row[0], ())))) for row in rows]

    def _items_of(self, asked: str, numbers: str) -> dict[int, list[Item]]:
        found: dict[int, list[Item]] = {}
        for row in db.rows(f"{asked} ORDER BY 1, position", self.scope.values | {"numbers": numbers}):
            found.setdefault(row[0], []).append(Item(*row[1:]))
        return found


class _Found(NamedTuple):
    """A row of `_ITEMS`."""

    number: int
    id: str
    by: int
    kind: str
    name: str
    caption: str
    description: str
    taken: str | None
    place_shared: int
    added_at: int
    at: int
    sha256: str
    media_type: str
    path: str
    blanks: str | None
    drawings: str
    turn: int
    told: str | None
    page: int
    audience: str | None
    poster_path: str | None
    poster_type: str | None
    poster_sha256: str | None
    came_with: int
    arrival: str


def _ids(names: str) -> tuple[int, ...]:
    return tuple(map(int, names.split(","))) if names else ()


_TABLES = (
    "CREATE TEMP TABLE leaving (item_id INTEGER PRIMARY KEY, month INTEGER, page INTEGER, file TEXT, shown TEXT)",
    "CREATE INDEX temp.leaving_month ON leaving (month)",
)
_NOTE = "INSERT INTO temp.leaving (item_id, month, page, file, shown) VALUES (?, ?, ?, ?, ?)"
_MONTH_SHARED = "CAST(strftime('%Y%m', post.shared_at, 'unixepoch', 'localtime') AS INTEGER)"
_MONTH_SAID = "CAST(strftime('%Y%m', message.said_at, 'unixepoch', 'localtime') AS INTEGER)"
# The words of a name are a caption's, else those of the first post that comes along and shows the item: never those of
# a post that does not.
_ITEMS = """
SELECT item.id, item.public_id, item.member_id, item.kind, item.name, item.caption, item.description, item.taken,
  item.place_shared, item.added_at, place.at, original.sha256, original.media_type, original.path, original.blanks,
  original.drawings, row_number() OVER (PARTITION BY place.at / 100, item.member_id ORDER BY item.id),
  (SELECT substr(post.text, 1, 80) FROM post_item JOIN post ON post.id = post_item.post_id
    WHERE post_item.item_id = item.id AND {posts} ORDER BY post.id LIMIT 1),
  coalesce((SELECT @SHARED@ FROM post_item JOIN post ON post.id = post_item.post_id
    WHERE post_item.item_id = item.id AND {posts} ORDER BY post.id LIMIT 1),
  (SELECT @SHARED@ FROM message_item JOIN message ON message.id = message_item.message_id
    JOIN post ON post.id = message.post_id WHERE message_item.item_id = item.id AND {messages} LIMIT 1), 0),
  audience.members, poster.path, poster.media_type, poster.sha256, item.came_with, item.arrival
FROM ({places}) AS place JOIN item ON item.id = place.item_id AND item.deleted_at IS NULL
JOIN original ON original.id = item.original_id LEFT JOIN audience ON audience.id = item.audience_id
LEFT JOIN original AS poster ON poster.id = original.poster_id ORDER BY item.id""".replace("@SHARED@", _MONTH_SHARED)
_POSTS = f"""
SELECT post.id, post.public_id, author_id, text, shared_at, edited_at, kind, audience.members
FROM post JOIN audience ON audience.id = post.audience_id
WHERE post.id > :after AND {{posts}} AND (:month = 0 OR {_MONTH_SHARED} = :month) ORDER BY post.id LIMIT :few"""
_MESSAGES = """
SELECT message.id, message.public_id, post.public_id, message.author_id, message.text, message.said_at,
  message.edited_at, coalesce(quoted.public_id, ''), quoted.author_id, coalesce(quoted.text, ''), post.author_id
FROM message JOIN post ON post.id = message.post_id
LEFT JOIN message AS quoted ON quoted.id = message.quote_id AND quoted.deleted_at IS NULL
WHERE {more} AND {messages} ORDER BY message.id LIMIT :few"""
_LINKS = """
SELECT public_id, member_id, url, note, added_at, state = 'ready', title, site, width, height, picture
FROM link WHERE {links} ORDER BY id"""
_MARKS = """
SELECT post_id, member_id, mark, made_at FROM mark WHERE post_id IN (SELECT value FROM json_each(?))
ORDER BY post_id, made_at, member_id"""
_COLUMNS = """item.id, item.public_id, item.member_id, item.kind, item.name, item.caption, item.description,
  coalesce((SELECT max(at) FROM item_place WHERE item_place.item_id = item.id), 0) AS at, leaving.file, leaving.shown,
  original.width, original.height"""
_JOINED = """JOIN item ON item.id = leaving.item_id JOIN original ON original.id = item.original_id"""
_KNOWN = f"SELECT {_COLUMNS} FROM temp.leaving {_JOINED}"
_OF_POSTS = f"""
SELECT post_item.post_id, {_COLUMNS} FROM post_item JOIN temp.leaving ON leaving.item_id = post_item.item_id {_JOINED}
WHERE post_item.post_id IN (SELECT value FROM json_each(:numbers))"""
_OF_MESSAGES = f"""
SELECT message_item.message_id, {_COLUMNS} FROM message_item
JOIN temp.leaving ON leaving.item_id = message_item.item_id {_JOINED}
WHERE message_item.message_id IN (SELECT value FROM json_each(:numbers))"""
_MONTHS = f"""
SELECT month, sum(posts), sum(items) FROM (
  SELECT {_MONTH_SHARED} AS month, 1 AS posts, 0 AS items FROM post WHERE {{posts}}
  UNION ALL SELECT {_MONTH_SAID}, 0, 0 FROM message JOIN post ON post.id = message.post_id
    WHERE {{own}} AND post.author_id <> :me AND {{messages}}
  UNION ALL SELECT month, 0, 1 FROM temp.leaving) GROUP BY month ORDER BY month"""
_PICTURE = "SELECT path, media_type, sha256, drawings FROM original WHERE id = ?"
_PEOPLE = """
SELECT id FROM member WHERE {everyone} OR left_at IS NULL OR id IN (
  SELECT post.author_id FROM post WHERE {posts}
  UNION SELECT message.author_id FROM message JOIN post ON post.id = message.post_id WHERE {messages}
  UNION SELECT mark.member_id FROM mark JOIN post ON post.id = mark.post_id WHERE {posts}
  UNION SELECT named.member_id FROM audience_member AS named JOIN post ON post.audience_id = named.audience_id
    WHERE {posts}
  UNION SELECT post.author_id FROM message JOIN post ON post.id = message.post_id WHERE {messages}
  UNION SELECT quoted.author_id FROM message JOIN post ON post.id = message.post_id
    JOIN message AS quoted ON quoted.id = message.quote_id WHERE {messages}
  UNION SELECT item.member_id FROM ({places}) AS place JOIN item ON item.id = place.item_id
  UNION SELECT named.member_id FROM ({places}) AS place JOIN item ON item.id = place.item_id
    JOIN audience_member AS named ON named.audience_id = item.audience_id
    WHERE item.member_id = :me OR :me IN (SELECT member_id FROM audience_member AS own
      WHERE own.audience_id = item.audience_id)) ORDER BY id"""
