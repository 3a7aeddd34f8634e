"""The page of search: one field, what was found newest first, and the people whose name it is."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from flask import Blueprint, g, request

from homecircle import db, members, search
from homecircle.members import Face
from homecircle.search import Found
from homecircle.vault import timeline
from homecircle.web import rendering, shots

pages = Blueprint("search", __name__)


class FoundLine(NamedTuple):
    """What was found: whose, where it stands, (before, hit, after) of its words, when, its photo if any."""

    kind: str
    author: Face
    url: str
    words: tuple[str, str, str]
    at: dt.datetime
    day: str
    shot: shots.ShotLine | None


@pages.get("/vault/search")
def index() -> str:
    """What one may see and the question names; with ?before= what follows."""
    question, before = request.args.get("q", "").strip(), request.args.get("before", "")
    found, more = search.find(g.me.reader, question, shots.month_numbers(), before)
    people = [] if before else search.people(question)
    return rendering.page("search/index.html", q=question, found=_lines(found, question), more=more, people=people)


def _lines(found: list[Found], question: str) -> list[FoundLine]:
    roster = members.roster()
    first = timeline.first_of([each.id for each in found if each.kind == "post"])
    items = [first.get(each.id, each.id) for each in found if each.kind == "item" or each.id in first]
    pictures = timeline.some(items, g.me.reader)
    shown = [each for each in found if each.kind != "link" or g.me.kind != "shared"]  # those stay on one's own devices
    return [_line(each, roster[each.member_id], pictures.get(first.get(each.id, each.id)), question) for each in shown]


def _line(found: Found, author: Face, shot: timeline.Shot | None, question: str) -> FoundLine:
    urls = {"post": f"/feed/{found.id}", "message": f"/feed/{found.post}#r-{found.id}", "item": f"/vault/{found.id}",
            "link": f"/vault/links#link-{found.id}"}  # fmt: skip
    at = db.moment(found.at)
    text = found.text or (shot.tile.name if shot and found.kind == "item" else "")
    day = shots.day(shot.at.date()) if shot else ""
    drawn = shots.lines([shot])[0] if shot else None
    return FoundLine(found.kind, author, urls[found.kind], search.excerpt(text, question), at, day, drawn)
