"""How the others are shown: who is here, who was here last, in words as coarse as they chose."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from flask_babel import gettext

from homecircle import db, members, presence
from homecircle.devices import Pass
from homecircle.web import rendering


class AroundLine(NamedTuple):
    """A member as *Around* draws them; `words` is '' when nothing may be told."""

    id: str
    name: str
    colour: int
    picture: str
    is_here: bool
    words: str
    status: str
    may_wave: bool


def around(me: Pass) -> list[AroundLine]:
    """Return everybody else, those who are here first."""
    faces = members.present()
    lines = [_line(faces[sight.member_id], sight) for sight in presence.around(me.id) if sight.member_id in faces]
    return sorted(lines, key=lambda line: not line.is_here)


def mine(me: Pass) -> AroundLine:
    """Return one's own line."""
    face, (status, until) = members.present()[me.id], presence.status_of(me.id)
    shown = status if until and until > int(db.now().timestamp()) else ""
    return AroundLine(face.id, face.name, face.colour, face.picture, True, "", shown, False)


def last_here(sight: presence.Sight) -> str:
    """'20 min ago', 'this morning', 'yesterday', 'on Sunday', 'in October', 'this week'; '' when it may not be told."""
    if sight.last is None:
        return ""
    here = rendering.zone()
    then, now = sight.last.astimezone(here), db.now().astimezone(here)
    days = (now.date() - then.date()).days
    if sight.fineness == "week":
        return _weeks(days, then)
    if days <= 0:
        return _today(then, now) if sight.fineness == "minute" else gettext("today")
    if days == 1:
        return gettext("yesterday")
    if days < 7:
        return gettext("on %(day)s", day=rendering.day(sight.last))
    return gettext("in %(month)s", month=rendering.month(then.date()))


def _line(face: members.Face, sight: presence.Sight) -> AroundLine:
    words = gettext("Here now") if sight.is_here else last_here(sight)
    return AroundLine(face.id, face.name, face.colour, face.picture, sight.is_here, words, sight.status, sight.may_wave)


def _today(then: dt.datetime, now: dt.datetime) -> str:
    minutes = round((now - then).total_seconds() / 60 / 5) * 5
    if minutes <= 5:  # what is kept is rounded to five minutes
        return gettext("a few min ago")
    if minutes < 60:
        return gettext("%(n)s min ago", n=minutes)
    if then.hour < 12:
        return gettext("this morning")
    return gettext("this afternoon") if then.hour < 18 else gettext("this evening")


def _weeks(days: int, then: dt.datetime) -> str:
    if days < 7:
        return gettext("this week")
    return gettext("last week") if days < 14 else gettext("in %(month)s", month=rendering.month(then.date()))
