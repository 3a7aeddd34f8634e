"""Coming back: an export becomes a house again.

Nothing of an export is believed: every line of ``posts.json`` is looked at before the first row is written, a path
leads nowhere but into the export, a picture is what its bytes say. Into an empty house (nobody has ever been in it) all
rows come in one transaction, after their files: one that was cut short leaves it empty, and the same again begins anew.
Posts, messages, items and links keep their own order, and among each other that of their times.
"""

from __future__ import annotations

import heapq
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import peewee

from homecircle import audiences, circle, db, members, vault
from homecircle.archive import linked
from homecircle.archive.reading import Line, Source, read_lines
from homecircle.errors import Conflict, HouseError, Invalid, Refused
from homecircle.files import Folder
from homecircle.vault.words import for_search

Watch = Callable[[int, int], None]
RANK = {"items": 0, "posts": 1, "messages": 2, "links": 3}
WHEN = {"items": "added_at", "posts": "shared_at", "messages": "said_at", "links": "added_at"}


class Returned(NamedTuple):
    """What came back, and in sentences what did not."""

    people: int
    posts: int
    messages: int
    items: int
    problems: tuple[str, ...]


def bring_back(folder: Folder, path: Path, watch: Watch = lambda done, whole: None) -> Returned:
    """Bring an export (a folder or its ZIP) back into the open house, in which nobody has ever been.

    `watch` hears of bytes done and in all; what it raises ends it. Raises `Conflict` where somebody lives (`gathering`
    brings them photos, films and links), `Refused` for what cannot be read as an export, `NoSpace` before anything is
    copied.
    """
    if members.roster():
        raise Conflict("Somebody lives in this house already.")
    with Source(path) as source:
        counted = looked_at(source)
        sizes = {line.text("file"): source.size(line.text("file")) for line in read_lines(source, "items")}
        folder.make_room(sum(sizes.values()))
        bringing = _Bringing(folder, source, watch, sum(sizes.values()))
        try:
            bringing.whole_house(counted)
        except (sqlite3.IntegrityError, peewee.IntegrityError) as error:
            raise Refused("This export contradicts itself (%(why)s). Nothing was brought in.", why=error) from error
        return Returned(counted["members"], counted["posts"], counted["messages"], counted["items"],
                        tuple(bringing.problems))  # fmt: skip


def looked_at(source: Source) -> dict[str, int]:
    """Read every line once, before anything is written; returns how many there are of each kind."""
    counted = dict.fromkeys(("members", "items", "posts", "messages", "links"), 0)
    admins = 0
    for line in read_lines(source):
        counted[line.section] += 1
        _CHECKS[line.section](line)
        is_admin = line.section == "members" and line.word("role", "admin", "member") == "admin"
        admins += is_admin and line.moment_or_none("left_at") is None
    if counted["members"] and not admins:
        raise Refused("This export names nobody who looks after the house. Nothing was brought in.")
    return counted


class _Bringing:
    """One export on its way in."""

    def __init__(self, folder: Folder, source: Source, watch: Watch, whole: int) -> None:
        self.folder, self.source, self.watch, self.whole = folder, source, watch, whole
        self.done = 0
        self.problems: list[str] = []
        self.members: dict[str, int] = {}
        self.pictures: set[str] = set()  # of links

    def whole_house(self, counted: dict[str, int]) -> None:
        """Files first, then every row in one transaction."""
        db.rows("DROP TABLE IF EXISTS temp.came")
        db.rows("CREATE TEMP TABLE came (id TEXT PRIMARY KEY, arrived TEXT) WITHOUT ROWID")
        try:
            for line in read_lines(self.source, "items"):
                if arrived := self._file(line):
                    db.rows("INSERT INTO temp.came VALUES (?, ?)", line.id("id"), json.dumps(arrived))
            self.pictures = linked.sound(self.folder, self.source)
            with db.transaction():
                if db.row("SELECT 1 FROM member"):
                    raise Conflict("Somebody has come to live in this house meanwhile. Nothing was brought in.")
                self._rows(counted)
        finally:
            db.rows("DROP TABLE temp.came")
        members.forget_roster()
        circle.forget()

    def _rows(self, counted: dict[str, int]) -> None:
        head = self.source.head
        for line in read_lines(self.source, "members"):
            self.members[line.id("id")] = self._member(line)
        bring = {"items": self._item, "posts": self._post, "messages": self._message, "links": self._link}
        for line in _in_order(self.source):
            bring[line.section](line)
        for statement in _AFTERWARDS:
            db.rows(statement)
        circle.update(name=head.text("name") or "HomeCircle", picture_id=self._picture(head.thing("picture")),
                      language=head.text("language"), claimed_at=db.now(), setup_step="settled")  # fmt: skip
        if lost := counted["messages"] - int(db.row("SELECT count(*) FROM message")[0]):
            self.problems.append(f"{lost} answers were left out: the posts they belong to are not in this export.")

    def _member(self, line: Line) -> int:
        picture = self._picture(line.thing("picture"))
        db.rows(_MEMBER, line.id("id"), members.clean_name(line.text("name")), line.number("colour", 1, 12),
                line.word("role", "admin", "member"), line.moment("joined_at"), line.moment_or_none("left_at"), picture,
                line.text("language") or "en", line.text("zone"), line.number("text_size", 1, 4, 1),
                line.word("theme", *members.THEMES, "") or "auto", line.text("shares") or "minute")  # fmt: skip
        return int(db.row("SELECT last_insert_rowid()")[0])

    def _item(self, line: Line) -> None:
        found = db.row("SELECT arrived FROM temp.came WHERE id = ?", line.id("id"))
        if found is None:
            return
        arrived = vault.Arrived(*json.loads(found[0]))
        made = vault.add(self.folder, arrived, self._whose(line))
        words = for_search(f"{line.text('caption')} {line.text('description')} {line.text('name')}")
        poster = self._picture(line.thing("poster"))
        db.rows(_ITEM, line.id("id"), line.text("name"), line.text("caption"), line.text("description"), words,
                line.text_or_none("taken"), line.flag("place_shared"), self._audience(line, None),
                line.moment("added_at"), line.flag("came_with_post"),
                _arrival(line) if line.text("sha256") == arrived.sha256 else "", made.id)  # fmt: skip
        db.rows("INSERT INTO item_audience (item_id) VALUES (?)", made.id)  # its place in time follows `added_at`
        if poster:
            db.rows("UPDATE original SET poster_id = ? WHERE id = ?", poster, made.original_id)
            vault.leave_to_its_film(poster)

    def _post(self, line: Line) -> None:
        audience, text = self._audience(line, audiences.EVERYONE), line.text("text")
        db.rows(_POST, line.id("id"), self._whose(line), text, for_search(text), audience, line.moment("shared_at"),
                line.moment_or_none("edited_at"), line.id("id"), line.word("kind", "", "joined"))  # fmt: skip
        post = db.row("SELECT last_insert_rowid()")[0]
        self._show(line, "post_item", post)
        for mark in line.things("marks"):
            db.rows("INSERT INTO mark (post_id, member_id, mark, made_at) VALUES (?, ?, ?, ?)", post,
                    self._whose(mark), mark.text("mark"), mark.moment("made_at"))  # fmt: skip
        if audience != audiences.EVERYONE:
            for member in audiences.members_of(audience or 0):
                db.rows("INSERT INTO post_reader (member_id, post_id) VALUES (?, ?)", member, post)

    def _message(self, line: Line) -> None:
        post = db.row("SELECT id FROM post WHERE public_id = ?", line.id("post"))
        if post is None:
            return
        quoted = db.row("SELECT id FROM message WHERE public_id = ? AND post_id = ?", line.text("quote"), post[0])
        db.rows(_MESSAGE, line.id("id"), post[0], self._whose(line), line.text("text"), for_search(line.text("text")),
                quoted[0] if quoted else None, line.moment("said_at"), line.moment_or_none("edited_at"),
                line.id("id"))  # fmt: skip
        self._show(line, "message_item", db.row("SELECT last_insert_rowid()")[0])

    def _link(self, line: Line) -> None:
        """A link that is kept without a post."""
        told = linked.row(line, line.id("id") in self.pictures)
        db.rows(linked.LINK, line.id("id"), self._whose(line), *told)

    def _show(self, line: Line, table: str, number: int) -> None:
        column = table.replace("_item", "_id")
        for position, item in enumerate(line.ids("items")):
            found = db.row("SELECT id FROM item WHERE public_id = ?", item)
            if found:
                db.rows(
                    f"INSERT INTO {table} ({column}, position, item_id) VALUES (?, ?, ?)", number, position, found[0]
                )

    def _whose(self, line: Line) -> int:
        number = self.members.get(line.id("by"))
        if number is None:
            raise line.refusal()
        return number

    def _audience(self, line: Line, otherwise: int | None) -> int | None:
        named = line.audience()
        if named is None:
            return otherwise
        if named == ():
            return audiences.EVERYONE
        if set(named) - self.members.keys():
            raise line.refusal()
        return audiences.of(self.members[each] for each in named)

    def _file(self, line: Line) -> vault.Arrived | None:
        """Take an item's file into the vault; None (and told) when there is none to take."""
        name = line.text("file")
        try:
            with self.source.open(name) as stream:
                spooled = self.folder.take(stream)
        except (FileNotFoundError, IsADirectoryError):
            self.problems.append(f"{line.text('name')} has no file in this export.")
            return None
        try:
            arrived = vault.examine(spooled, line.text("name") or name, line.clock("taken"), any_kind=True)
            if (known := line.text("sha256")) and known != arrived.sha256:
                self.problems.append(f"{name} is damaged: its bytes are not those that left.")
            vault.settle_in(self.folder, spooled, arrived)
        except Invalid as error:
            self.problems.append(str(error))
            return None
        finally:
            self.folder.remove(spooled)
            self._moved(line)
        return arrived

    def _picture(self, told: Line | None) -> int | None:
        """Take a face, the family's picture or a film's still into the vault; None when there is none to take."""
        if told is None:
            return None
        try:
            with self.source.open(told.text("file")) as stream:
                spooled = self.folder.take(stream)
        except (FileNotFoundError, IsADirectoryError):
            self.problems.append(f"{told.text('file')} is not in this export.")
            return None
        try:
            return vault.keep_picture(self.folder, spooled, told.text("file"))
        except HouseError as error:
            self.problems.append(str(error))
            return None
        finally:
            self.folder.remove(spooled)

    def _moved(self, line: Line) -> None:
        self.done += self.source.size(line.text("file"))
        self.watch(min(self.done, self.whole), self.whole)


def _in_order(source: Source) -> Iterator[Line]:
    """All but the members, each kind in its own order, together by time: so that search finds the newest first."""

    def ranked(section: str) -> Iterator[tuple[int, int, int, Line]]:
        latest = 0  # within a kind the order of the house wins over the clock
        for place, line in enumerate(read_lines(source, section)):
            latest = max(latest, line.moment(WHEN[section]))
            yield latest, RANK[section], place, line

    for _at, _rank, _place, line in heapq.merge(*map(ranked, RANK)):
        yield line


def _check_member(line: Line) -> None:
    line.id("id"), line.text("name", 40), line.number("colour", 1, 12), line.moment("joined_at")
    for name in ("language", "zone", "theme", "shares"):
        line.text(name, 60)
    line.number("text_size", 1, 4, 1), line.word("theme", *members.THEMES, ""), line.thing("picture")


def _check_item(line: Line) -> None:
    line.id("id"), line.id("by"), line.moment("added_at"), line.text("name", 255), line.text("file")
    line.text("caption", 300), line.text("description", 1000), line.text("sha256", 64), line.text("taken", 40)
    line.flag("place_shared"), line.audience(), line.thing("poster"), _arrival(line)


def _arrival(line: Line) -> str:
    return line.word("arrival", *vault.ARRIVALS)


def _check_post(line: Line) -> None:
    line.id("id"), line.id("by"), line.text("text", 4000), line.moment("shared_at"), line.moment_or_none("edited_at")
    line.audience(), line.ids("items"), line.word("kind", "", "joined")
    for mark in line.things("marks"):
        mark.id("by"), mark.text("mark", 16), mark.moment("made_at")


def _check_message(line: Line) -> None:
    line.id("id"), line.id("post"), line.id("by"), line.text("text", 4000), line.text("quote", 60)
    line.moment("said_at"), line.moment_or_none("edited_at"), line.ids("items")


_CHECKS: dict[str, Callable[[Line], Any]] = {
    "members": _check_member, "items": _check_item, "posts": _check_post, "messages": _check_message,
    "links": linked.check,
}  # fmt: skip
_MEMBER = """
INSERT INTO member (public_id, name, colour, role, joined_at, left_at, picture_id, language, zone, text_size, theme,
  shares) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_ITEM = """
UPDATE item SET public_id = ?, name = ?, caption = ?, description = ?, words = ?, taken = ?, place_shared = ?,
  audience_id = ?, added_at = ?, came_with = ?, arrival = ? WHERE id = ?"""
_POST = """
INSERT INTO post (public_id, author_id, text, words, audience_id, shared_at, edited_at, once, kind)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_MESSAGE = """
INSERT INTO message (public_id, post_id, author_id, text, words, quote_id, said_at, edited_at, once)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
# What came back is no news: it was read before.
_AFTERWARDS = (
    """UPDATE member SET seen_post = (SELECT coalesce(max(id), 0) FROM post),
      visit_post = (SELECT coalesce(max(id), 0) FROM post), seen_event = (SELECT coalesce(max(id), 0) FROM event)""",
    """INSERT INTO thread_cursor (member_id, post_id, message_id)
      SELECT part.member_id, part.post_id, (SELECT max(id) FROM message WHERE message.post_id = part.post_id)
      FROM (SELECT author_id AS member_id, id AS post_id FROM post WHERE id IN (SELECT post_id FROM message)
        UNION SELECT author_id, post_id FROM message) AS part""",
)
