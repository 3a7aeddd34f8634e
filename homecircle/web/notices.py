"""*Since you were last here*: one line for each thing, grouped, with a link to the exact place."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from flask import Blueprint, Response, g, make_response, request
from flask_babel import gettext

from homecircle import db, members, notices
from homecircle.members import Face
from homecircle.notices import Notice
from homecircle.web import cards, rendering

WORDS = 40


def N_(text: str) -> str:  # noqa: N802  gettext's own name for "a text to translate later"
    """Mark a sentence for the catalogues."""
    return text


pages = Blueprint("notices", __name__)


class NoticeLine(NamedTuple):
    """One line: who (several, when they did the same), what in words, where, when."""

    faces: list[Face]
    sentence: str
    url: str
    at: dt.datetime
    is_new: bool


@pages.get("/since")
def index() -> str | Response:
    """What is new; opening the page is enough to have seen it. With ?part=dot only the dot, =wave the newest wave."""
    if request.args.get("part") == "dot":
        return rendering.page("notices/_dot.html", has_new=notices.has_new(g.me.id, g.me.reader))
    if request.args.get("part") == "wave":
        return _newest_wave()
    upto, found = notices.newest(), notices.since(g.me.id, g.me.reader)
    if not g.me.limited:
        notices.see(g.me.id, upto)
    fresh = [each for each in found if each.is_new]
    groups = [(gettext("For you"), _lines([each for each in fresh if each.for_me])),
              (gettext("Everyone"), _lines([each for each in fresh if not each.for_me]))]  # fmt: skip
    older = _lines([each for each in found if not each.is_new])
    return rendering.page("notices/index.html", groups=[each for each in groups if each[1]], older=older, has_new=False)


def _newest_wave() -> Response:
    """Who waves just now, for a page that is open; nothing (204) when it has been seen already."""
    waves = [each for each in notices.since(g.me.id, g.me.reader) if each.verb == "wave.sent" and each.is_new]
    if not waves:
        return Response(status=204)
    return make_response(rendering.page("notices/_wave.html", sentence=_line(waves[:1]).sentence))


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
    faces = [roster[number] for number in dict.fromkeys(each.actor_id for each in group) if number in roster]
    return NoticeLine(faces, _sentence(newest, faces), _place(newest, faces), db.moment(newest.at), newest.is_new)


def _place(notice: Notice, faces: list[Face]) -> str:
    """The exact place that a line leads to."""
    if notice.post:
        return f"/feed/{notice.post}" + (f"#r-{notice.subject}" if notice.verb == "message.said" else "")
    if notice.verb in notices.TOLD_OF_DEVICES:
        return "/house/asks" if notice.verb.startswith("ask.") and g.me.is_admin else "/devices"
    return "/members" if notice.verb == "member.left" else f"/members/{faces[0].id}"


def _sentence(notice: Notice, faces: list[Face]) -> str:
    author = members.roster().get(notice.post_author_id or 0)
    text = cards.words(notice.post_text or "", notice.post_kind or "", author.name if author else "").strip()
    short = f"{text[:WORDS].strip()}{'…' if len(text) > WORDS else ''}"
    words = gettext("“%(words)s”", words=short) if text else gettext("a photo")
    return str(gettext(_SENTENCES[notice.verb], names=_names([face.name for face in faces]), words=words))


def _names(names: list[str]) -> str:
    return rendering.enumerated(names) or str(gettext("Somebody"))


_SENTENCES = {
    "post.published": N_("%(names)s shared %(words)s"),
    "message.said": N_("%(names)s replied to %(words)s"),
    "mark.made": N_("%(names)s marked %(words)s"),
    "wave.sent": N_("%(names)s is thinking of you"),
    "member.joined": N_("%(names)s joined"),
    "member.left": N_("%(names)s left the family"),
    "ask.made": N_("A device asks to be let in"),
    "ask.answered": N_("%(names)s answered a device that asked to be let in"),
    "device.added": N_("%(names)s added a device in your name"),
    "sheet.made": N_("A new recovery sheet was made"),
    "sheet.used": N_("A recovery sheet was used"),
    "recover.used": N_("A device was let in by a code from the machine"),
    "face.closed": N_("A wrong PIN was typed five times on the shared device"),
}
