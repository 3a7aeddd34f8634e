"""The pages about the house itself that every member may read: what admins did, what is kept and where."""

from __future__ import annotations

from flask import Blueprint
from flask_babel import gettext

from homecircle import db, members, membership
from homecircle.web import rendering
from homecircle.web.house import house

pages = Blueprint("house", __name__, url_prefix="/house")


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


def _sentence(deed: membership.Deed) -> str:
    sentences = {
        "removed": gettext("removed %(about)s from the family", about=deed.about),
        "made-admin": gettext("asked %(about)s to look after HomeCircle too", about=deed.about),
        "unmade-admin": gettext("took looking after HomeCircle from %(about)s", about=deed.about),
        "invited": gettext("invited %(about)s", about=deed.about),
        "took-down": gettext("took down a post of %(about)s", about=deed.about),
        "signed-out": gettext("signed out a device of %(about)s", about=deed.about),
    }
    return str(sentences.get(deed.verb, f"{deed.verb} {deed.about}"))
