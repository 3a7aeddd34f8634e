"""One question over posts, messages, items and kept links: words, the names of people, months.

`find` holds a row for each thing that can be found, kept by triggers of migration 0004, with its facts as tokens: who
may read it (reader 0 is everyone), who wrote it, its month. So a search is one FTS5 expression whose rights are tokens
like its words, and it stops as soon as a page is full: a common word costs what a rare one does, a member who sees
little does not scan what others see (README, P5). Newest first by rowid, never by rank.

Triggers note what has turned; `_index` brings FTS5 up to it at the end of the same transaction.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from typing import NamedTuple

from homecircle import db, members
from homecircle.vault.words import spelled

PAGE = 30
WORDS = 12  # of a question; more make no better answer
LETTERS = 200
MERGED_AT_ONCE = 200  # pages of the index in one transaction
SHORT = 3  # letters up to which a word is asked as a beginning: what FTS5 keeps an index of


class Found(NamedTuple):
    """One thing: kind (post, message, item, link), public id, whose, its words, when (seconds), in which post."""

    kind: str
    id: str
    member_id: int
    text: str
    at: int
    post: str


class _Line(NamedTuple):
    number: int
    kind: str
    row: int


def find(member_id: int, question: str, months: Mapping[str, int], before: str = "") -> tuple[list[Found], str]:
    """Return a page of what the member may see and the question names, newest first, and the cursor of the next.

    `months` gives the number of a month for its (case-folded) names. `before` is the public id of the last thing of
    the page before. A question without a word finds nothing.
    """
    asked = _words(question)[:WORDS]
    if not asked:
        return [], ""
    upper, readers = _number(before), _readers(member_id)
    lines = _lines(_expression(asked, months, readers, is_open=False), upper)
    last = asked[-1]
    if len(lines) <= PAGE and len(last) > SHORT and last.isalpha():  # few whole words: what only begins like this, too
        lines = _lines(_expression(asked, months, readers, is_open=True), upper)
    return _page(lines)


def links(member_id: int, before: str = "") -> tuple[list[Found], str]:
    """Return a page of the posts and messages with http(s) addresses that the member may see, and its cursor."""
    return _page(
        _lines(f'({{words}} : ("https" OR "http") AND {_readers(member_id)}) NOT {{facts}} : "ƒk"', _number(before))
    )


def people(question: str) -> list[members.Face]:
    """Return those in the circle whose name begins with a word of the question."""
    asked = [_plain(word) for word in _words(question)]
    return [face for face in members.present().values()
            if any(_plain(part).startswith(word) for word in asked for part in _words(face.name))]  # fmt: skip


def excerpt(text: str, question: str, length: int = 160) -> tuple[str, str, str]:
    """Return (before, hit, after): the first place where a word of the question begins a word, with its surroundings.

    `hit` is '' when the words stand elsewhere (in a name, a month).
    """
    line = " ".join(text.split())
    plain = _plain(line)
    if len(plain) != len(line):  # letters that change their number when folded: then the beginning has to do
        return line[:length], "", ""
    places = [found.span() for word in _words(question)
              if (found := re.search(rf"(?<!\w){re.escape(_plain(word))}", plain))]  # fmt: skip
    if not places:
        return line[:length] + ("…" if len(line) > length else ""), "", ""
    start, end = min(places)
    begin = max(0, start - length // 3)
    head = ("…" if begin else "") + line[begin:start]
    return head, line[start:end], line[end : begin + length] + ("…" if len(line) > begin + length else "")


def settle() -> None:
    """Write the index anew, a little at a time, when words have gone from it since the last time.

    FTS5 only notes that a word has gone and keeps it in its older pieces until they are merged (its 'secure-delete'
    came with SQLite 3.42). 'optimize' merges all at once, which would keep every writer waiting; a negative 'merge'
    begins the same, and each further one does a part of it until nothing is left to do (sqlite.org/fts5.html, 6.7).
    """
    worn = db.row("SELECT n FROM find_worn")[0]
    if not worn:
        return
    pages = -MERGED_AT_ONCE
    while True:
        with db.transaction():
            before = db.changes()
            db.rows("INSERT INTO found (found, rank) VALUES ('merge', ?)", pages)
            is_done = db.changes() - before < 2
        if is_done and pages > 0:
            break
        pages = MERGED_AT_ONCE
    with db.transaction():
        db.rows("UPDATE find_worn SET n = n - ?", worn)


@db.before_commit
def _index() -> None:
    """Bring the index up to what has turned in this transaction."""
    turned = db.rows("SELECT id, facts, words FROM find_turned")
    for number, facts, words in turned:
        if facts is not None:
            db.rows("INSERT INTO found (found, rowid, facts, words) VALUES ('delete', ?, ?, ?)", number, facts, words)
        db.rows("INSERT INTO found (rowid, facts, words) SELECT id, facts, words FROM find WHERE id = ?", number)
    if turned:
        db.rows("DELETE FROM find_turned")
    if any(facts is not None for _number, facts, _words in turned):
        db.rows("UPDATE find_worn SET n = n + 1")


def _words(question: str) -> list[str]:
    """The words as FTS5 parts them: runs of letters and digits; the rest, its own syntax included, is dropped."""
    normal = unicodedata.normalize("NFC", question[:LETTERS])
    return re.findall(r"(?:[^\W_]|[\u0300-\u036f])+", normal)


def _expression(asked: list[str], months: Mapping[str, int], readers: str, *, is_open: bool) -> str:
    parts, at = [readers], 0
    while at < len(asked):
        month = months.get(asked[at].casefold(), 0)
        year = asked[at + 1] if month and at + 1 < len(asked) else ""
        if _is_year(year):
            parts.append(f'({{words}} : ("{asked[at]}" AND "{year}") OR {{facts}} : "ƒt{year}{month:02}")')
            at += 2
            continue
        parts.append(_term(asked[at], is_last=at == len(asked) - 1, is_open=is_open))
        at += 1
    return " AND ".join(parts)


def _term(word: str, *, is_last: bool, is_open: bool) -> str:
    """One word: as it stands (the last one also as a beginning), or somebody's name, or a year."""
    begins = "*" if is_last and (len(word) <= SHORT or is_open) and not _is_unspaced(word) else ""
    others = [f'"ƒm{number}"' for number, face in members.roster().items()
              if _plain(word) in map(_plain, _words(face.name))]  # fmt: skip
    if _is_year(word):
        others = [f'"ƒt{word}{month:02}"' for month in range(1, 13)]
    term = f'{{words}} : "{spelled(word)}"{begins}'
    return f"({term} OR {{facts}} : ({' OR '.join(others)}))" if others else term


def _is_unspaced(word: str) -> bool:
    return spelled(word) != word


def _is_year(word: str) -> bool:
    return len(word) == 4 and word.isascii() and word.isdigit() and word[:2] in {"19", "20"}


def _plain(word: str) -> str:
    """Without capitals and accents, as the index has it."""
    return "".join(x for x in unicodedata.normalize("NFD", word.casefold()) if not unicodedata.combining(x))


def _readers(member_id: int) -> str:
    return f'{{facts}} : ("ƒr0" OR "ƒr{member_id}")'


def _lines(expression: str, upper: int) -> list[_Line]:
    return [_Line(*row) for row in db.rows(_FIND, expression, upper, PAGE + 1)]


def _number(before: str) -> int:
    found = before and db.row(_CURSOR, {"id": before})
    return int(found[0]) if found and found[0] else 1 << 62


def _page(lines: list[_Line]) -> tuple[list[Found], str]:
    """Three statements, one a kind, whatever the length of the page."""
    shown = lines[:PAGE]
    things: dict[tuple[str, int], Found] = {}
    for kind, sql in _THINGS.items():
        numbers = [line.row for line in shown if line.kind == kind]
        for row in db.rows(sql, json.dumps(numbers)) if numbers else []:
            things[kind, row[0]] = Found(kind, *row[1:])
    found = [things[line.kind, line.row] for line in shown]
    return found, found[-1].id if len(lines) > PAGE else ""


_FIND = """
SELECT find.id, find.kind, find.number FROM found JOIN find ON find.id = found.rowid
WHERE found MATCH ? AND found.rowid < ? ORDER BY found.rowid DESC LIMIT ?"""
_CURSOR = """
SELECT coalesce(
  (SELECT id FROM find WHERE kind = 'post' AND number = (SELECT id FROM post WHERE public_id = :id)),
  (SELECT id FROM find WHERE kind = 'message' AND number = (SELECT id FROM message WHERE public_id = :id)),
  (SELECT id FROM find WHERE kind = 'item' AND number = (SELECT id FROM item WHERE public_id = :id)),
  (SELECT id FROM find WHERE kind = 'link' AND number = (SELECT id FROM link WHERE public_id = :id)))"""
_THINGS = {
    "post": """SELECT id, public_id, author_id, text, shared_at, public_id FROM post
      WHERE id IN (SELECT value FROM json_each(?))""",
    "message": """SELECT message.id, message.public_id, message.author_id, message.text, said_at, post.public_id
      FROM message JOIN post ON post.id = post_id WHERE message.id IN (SELECT value FROM json_each(?))""",
    "item": """SELECT id, public_id, member_id, trim(caption || ' ' || description), added_at, '' FROM item
      WHERE id IN (SELECT value FROM json_each(?))""",
    "link": """SELECT id, public_id, member_id, trim(note || ' ' || title || ' ' || url), added_at, '' FROM link
      WHERE id IN (SELECT value FROM json_each(?))""",
}
