"""*Since you were last here*: one line for each thing, grouped, with a link to the exact place."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from flask import Blueprint, g, request
from flask_babel import gettext

from homecircle import db, members, notices
from homecircle.members import Face
from homecircle.notices import Notice
from homecircle.web import rendering

WORDS = 40
pages = Blueprint("notices", __name__)


class NoticeLine(NamedTuple):
    """One line: who (several, when they did the same), what in words, where, when."""

    faces: list[Face]
    sentence: str
    url: str
    at: dt.datetime
    is_new: bool


@pages.get("/since")
def index() -> str:
    """What is new; opening the page is enough to have seen it. With ?part=dot only the dot."""
    if request.args.get("part") == "dot":
        return rendering.page("notices/_dot.html", has_new=notices.has_new(g.me.id))
    found = notices.since(g.me.id)
    notices.see(g.me.id)
    fresh = [each for each in found if each.is_new]
    groups = [(gettext("For you"), _lines([each for each in fresh if each.for_me])),
              (gettext("Everyone"), _lines([each for each in fresh if not each.for_me]))]  # fmt: skip
    older = _lines([each for each in found if not each.is_new])
    return rendering.page("notices/index.html", groups=[each for each in groups if each[1]], older=older, has_new=False)


def _lines(found: list[Notice]) -> list[NoticeLine]:
    """Group what several people did to the same thing into one line, where the newest of it stands."""
    grouped: dict[tuple[str, str], list[Notice]] = {}
    for each in found:
        key = (
            (each.verb, each.post or "")
            if each.verb in {"mark.made", "message.said"}
            else (each.verb, f"{each.subject}{each.at}")
        )
        grouped.setdefault(key, []).append(each)
    return [_line(group) for group in grouped.values()]


def _line(group: list[Notice]) -> NoticeLine:
    roster, newest = members.roster(), group[0]
    faces = [roster[number] for number in dict.fromkeys(each.actor_id for each in group)]
    url = f"/feed/{newest.post}" if newest.post else f"/members/{faces[0].id}"
    if newest.verb == "message.said":
        url += f"#r-{newest.subject}"
    return NoticeLine(faces, _sentence(newest, faces), url, db.moment(newest.at), newest.is_new)


def _sentence(notice: Notice, faces: list[Face]) -> str:
    names = _names([face.name for face in faces])
    text = (notice.post_text or "").strip()
    words = f"“{text[:WORDS].strip()}{'…' if len(text) > WORDS else ''}”" if text else gettext("a photo")
    sentences = {
        "post.published": lambda: gettext("%(names)s shared %(words)s", names=names, words=words),
        "message.said": lambda: gettext("%(names)s replied to %(words)s", names=names, words=words),
        "mark.made": lambda: gettext("%(names)s marked %(words)s", names=names, words=words),
        "wave.sent": lambda: gettext("%(names)s is thinking of you", names=names),
        "member.joined": lambda: gettext("%(names)s joined", names=names),
    }
    return str(sentences[notice.verb]())


def _names(names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    return str(gettext("%(names)s and %(last)s", names=", ".join(names[:-1]), last=names[-1]))
