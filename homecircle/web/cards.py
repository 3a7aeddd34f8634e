"""A post as every page draws it: one card, put together from the nouns that know its parts, a statement each."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from flask_babel import gettext

from homecircle import db, drafts, feed, members, notices, threads
from homecircle.devices import Pass
from homecircle.members import Face
from homecircle.vault import Tile, previews
from homecircle.vault.previews import Preview


class Reply(NamedTuple):
    """What `threads/_thread.html` draws. `quote` is (author's name, first words, id) or None."""

    id: str
    author: Face
    text: str
    at: dt.datetime
    edited: bool
    own: bool
    may_edit: bool
    may_delete: bool
    quote: tuple[str, str, str] | None
    tiles: list[Tile]
    photos: int


class Card(NamedTuple):
    """What `feed/_post.html` draws. `audience` is None for everyone, else the faces it is for."""

    id: str
    author: Face
    text: str
    at: dt.datetime
    edited: bool
    audience: tuple[Face, ...] | None
    tiles: list[Tile]
    own: bool
    may_edit: bool
    may_delete: bool
    seen: bool = True
    marks: tuple[tuple[Face, str], ...] = ()
    my_mark: str | None = None
    messages: tuple[Reply, ...] = ()
    earlier: bool = False
    more_coming: bool = False
    links: tuple[Preview, ...] = ()


class DraftCard(NamedTuple):
    """What `feed/_draft.html` draws: a post that waits for its first item. `percent` is how much of all is here."""

    id: str
    author: Face
    text: str
    audience: tuple[Face, ...] | None
    coming: int
    percent: int


def cards(entries: list[feed.Entry], me: Pass, visit: notices.Visit | None = None) -> list[Card]:
    """Return the cards of a page of posts in its order; with `visit`, those after it are not seen yet."""
    numbers = [entry.number for entry in entries]
    tiles, marks, talk, roster = (
        feed.items_of(entries), feed.marks_of(entries), threads.last_few(numbers), members.roster()
    )  # fmt: skip
    linked = _linked(entries)
    drawn = []
    for entry in entries:
        lines, earlier = talk.get(entry.number, ([], False))
        made = _card(entry, tiles.get(entry.number, []), roster, me)
        drawn.append(made._replace(
            marks=tuple((roster[one], mark) for one, mark in marks.get(entry.number, ())),
            my_mark=next((mark for one, mark in marks.get(entry.number, ()) if one == me.id), None),
            messages=tuple(_reply(line, roster, me, []) for line in lines), earlier=earlier,
            links=tuple(linked.get(entry.number, ())), more_coming=entry.is_filling,
            seen=visit is None or entry.number <= visit.post or made.own,
        ))  # fmt: skip
    return drawn


def words(text: str, kind: str, author: str) -> str:
    """Return the words of a post: those that were written, or what its kind says in the reader's language."""
    return str(gettext("%(names)s joined", names=author)) if kind == "joined" else text


def card(public_id: str, me: Pass) -> Card:
    """Return the card of one post; `NotFound` when the member may not see it."""
    return cards([feed.entry(public_id, me.reader)], me)[0]


def waiting(me: Pass) -> list[DraftCard]:
    """Return the cards of one's own drafts, newest first."""
    return [_draft(each) for each in drafts.of_author(me.id, me.reader)]


def draft(public_id: str, me: Pass) -> DraftCard:
    """Return the card of one's own draft; `NotFound` for any other."""
    return _draft(drafts.get(public_id, me.id, me.reader))


def replies(post: feed.Post, me: Pass) -> list[Reply]:
    """Return the whole thread of a post that the member may see."""
    lines, roster = threads.page(post.id), members.roster()
    tiles = threads.items_of(lines)
    return [_reply(line, roster, me, tiles.get(line.number, [])) for line in lines]


def _draft(found: drafts.Waiting) -> DraftCard:
    roster = members.roster()
    audience = tuple(roster[each] for each in found.audience) if found.audience else None
    return DraftCard(found.id, roster[found.author_id], found.text, audience, found.coming, int(100 * found.share))


def _linked(entries: list[feed.Entry]) -> dict[int, list[Preview]]:
    """The previews of posts whose words hold a link: most pages have none, and ask nothing."""
    numbers = [entry.number for entry in entries if "://" in entry.text]
    return previews.of_posts(numbers) if numbers else {}


def _card(entry: feed.Entry, tiles: list[Tile], roster: dict[int, Face], me: Pass) -> Card:
    own = entry.author_id == me.id
    audience = tuple(roster[each] for each in entry.audience) if entry.audience else None
    author = roster[entry.author_id]
    text = words(entry.text, entry.kind, author.name)
    return Card(entry.id, author, text, db.moment(entry.shared_at), entry.edited_at is not None, audience, tiles, own,
                own and not entry.kind, own or me.is_admin)  # fmt: skip


def _reply(line: threads.Line, roster: dict[int, Face], me: Pass, tiles: list[Tile]) -> Reply:
    own, said = line.author_id == me.id, db.moment(line.said_at)
    quote = (roster[line.quote[0]].name, line.quote[1], line.quote[2]) if line.quote else None
    return Reply(line.id, roster[line.author_id], line.text, said, line.edited_at is not None, own,
                 own and said > db.now() - threads.EDIT_LASTS, own or me.is_admin, quote, tiles,
                 line.photos)  # fmt: skip
