"""The pages about the house itself that every member may read: what admins did, what is kept and where."""

from __future__ import annotations

from typing import NamedTuple

from flask import Blueprint
from flask_babel import format_date, gettext

from homecircle import __version__, backup, circle, db, members, membership
from homecircle.vault import growth
from homecircle.web import guard, rendering, strips
from homecircle.web.house import house

pages = Blueprint("house", __name__, url_prefix="/house")


class SafetyLine(NamedTuple):
    """How a backup, drill or scrub went: a word for what it was, and how it stands."""

    what: str
    is_good: bool
    words: str


@pages.get("")
@guard.admin
def index() -> str:
    """Our home: storage, backup, and the ways to the rest."""
    folder = house().folder
    lines = [_safety(state) for state in backup.states()]
    return rendering.page("house/index.html", free=folder.free(), total=folder.total(), folder=str(folder.root),
                          addresses=house().addresses(), away=circle.get().away_address, safety=lines,
                          version=__version__, room=_room(), strip=strips.strip(is_fresh=True), jobs=strips.lines(),
                          work=house().work(), worst=strips.worst())  # fmt: skip


@pages.get("/log")
def log() -> str:
    """What admins did."""
    roster = members.roster()
    deeds = [(roster[deed.actor_id], _sentence(deed), db.moment(deed.done_at)) for deed in membership.log()]
    return rendering.page("house/log.html", deeds=deeds)


@pages.get("/kept")
def kept() -> str:
    """What is kept and where, honestly."""
    folder = house().folder
    return rendering.page("house/kept.html", place=str(folder.root), free=folder.free(), total=folder.total())


def _room() -> str:
    """The month until about which there is room, in words; '' when it is too early to say."""
    day = growth.room_until(house().folder)
    return str(format_date(day, "MMMM yyyy")) if day else ""


def _safety(state: backup.State) -> SafetyLine:
    names = {
        "backup": gettext("Backup"),
        "drill": gettext("Backup tried out"),
        "scrub": gettext("Files looked through"),
    }
    where = gettext("on the second disk") if state.place == "there" else gettext("on this machine")
    if state.problem:
        words = gettext("not well: %(why)s", why=state.problem)
    else:
        words = gettext("%(day)s, %(where)s", day=rendering.ago(state.tried_at), where=where)
    return SafetyLine(names.get(state.what, state.what), not state.problem, str(words))


def _sentence(deed: membership.Deed) -> str:
    sentences = {
        "removed": gettext("removed %(about)s from the family", about=deed.about),
        "made-admin": gettext("asked %(about)s to look after HomeCircle too", about=deed.about),
        "unmade-admin": gettext("took looking after HomeCircle from %(about)s", about=deed.about),
        "invited": gettext("invited %(about)s", about=deed.about),
        "took-down": gettext("took down a post of %(about)s", about=deed.about),
        "took-away": gettext("took away photos or files of %(about)s", about=deed.about),
        "took-back-reply": gettext("took away a reply of %(about)s", about=deed.about),
        "let-in": gettext("let %(about)s in", about=deed.about),
        "opened-asking": gettext("opened asking from outside for ten minutes"),
        "set-away": gettext("set the address away from home: %(about)s", about=deed.about or "–"),
        "took-back": gettext("said after a restore which devices are still ours: %(about)s", about=deed.about or "–"),
        "previews-on": gettext("turned link previews on"),
        "previews-off": gettext("turned link previews off"),
        "signed-out": gettext("signed out a device of %(about)s", about=deed.about),
    }
    return str(sentences.get(deed.verb, f"{deed.verb} {deed.about}"))
