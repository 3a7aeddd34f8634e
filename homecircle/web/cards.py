"""A post as every page draws it: one card, put together from the nouns that know its parts, a statement each."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from homecircle import db, feed, members
from homecircle.devices import Pass
from homecircle.members import Face
from homecircle.vault import Tile


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
    messages: tuple[object, ...] = ()
    earlier: int = 0
    draft: bool = False
    more_coming: bool = False


def cards(entries: list[feed.Entry], me: Pass) -> list[Card]:
    """Return the cards of a page of posts in its order."""
    tiles, roster = feed.items_of(entries), members.roster()
    return [_card(entry, tiles.get(entry.number, []), roster, me) for entry in entries]


def card(public_id: str, me: Pass) -> Card:
    """Return the card of one post; `NotFound` when the member may not see it."""
    return cards([feed.entry(public_id, me.id)], me)[0]


def _card(entry: feed.Entry, tiles: list[Tile], roster: dict[int, Face], me: Pass) -> Card:
    own = entry.author_id == me.id
    audience = tuple(roster[each] for each in entry.audience) if entry.audience else None
    return Card(entry.id, roster[entry.author_id], entry.text, db.moment(entry.shared_at), entry.edited_at is not None,
                audience, tiles, own, own, own or me.is_admin)  # fmt: skip
