"""The pages of the family: everyone, one member, invitations, faces."""

from __future__ import annotations

from flask import Blueprint, Response, g, make_response, request

from homecircle import circle, devices, feed, members, membership, vault
from homecircle.errors import HouseError, NotFound
from homecircle.web import cards, doorstep, guard, people, rendering
from homecircle.web.house import house
from homecircle.web.sending import IMMUTABLE, send

pages = Blueprint("members", __name__)


@pages.get("/members")
def index() -> Response:
    """Everyone in the circle; admins see who is invited."""
    return _everyone({})


@pages.post("/members/welcome/delete")
def delete_welcome() -> Response:
    """Close the words of welcome."""
    members.greeted(g.me.id)
    return make_response("") if rendering.asked_by_htmx() else rendering.lead_to("feed.index")


@pages.get("/members/<public_id>")
def show(public_id: str) -> str:
    """One member and what they shared, as far as one may see it."""
    found = members.get_public(public_id)
    entries, earlier = feed.by_author(found.id, g.me.reader, request.args.get("before", ""))
    drawn = cards.cards(entries, g.me)
    may_wave = any(line.may_wave for line in people.around(g.me) if line.id == public_id)
    return rendering.page("members/show.html", member=members.present()[found.id], cards=drawn, earlier=earlier,
                          may_wave=may_wave)  # fmt: skip


@pages.post("/members/invitations")
@guard.admin
def invite() -> Response:
    """Make an invitation and show it once."""
    try:
        made = doorstep.offer()
    except HouseError as error:
        return _everyone(doorstep.problems(error), error.status)
    return make_response(rendering.page("members/invitation.html", shown=doorstep.shown(made)))


@pages.post("/members/invitations/<public_id>/renew")
@guard.admin
def renew(public_id: str) -> Response:
    """Show an open invitation again, with new secrets."""
    made = devices.renew_code(public_id, g.me.id)
    return make_response(rendering.page("members/invitation.html", shown=doorstep.shown(made)))


@pages.post("/members/invitations/<public_id>/delete")
@guard.admin
def withdraw(public_id: str) -> Response:
    """End an invitation that nobody has used."""
    devices.withdraw(public_id)
    return rendering.lead_to("members.index")


@pages.post("/members/<public_id>/admin")
@guard.admin
def make_admin(public_id: str) -> Response:
    """Let a member look after HomeCircle too."""
    membership.make_admin(public_id, g.me.id)
    return rendering.lead_to("members.show", public_id=public_id)


@pages.post("/members/<public_id>/admin/delete")
@guard.admin
def unmake_admin(public_id: str) -> Response:
    """Let an admin be a member again."""
    membership.unmake_admin(public_id, g.me.id)
    return rendering.lead_to("members.show", public_id=public_id)


@pages.get("/members/<public_id>/delete")
@guard.admin
def delete(public_id: str) -> str:
    """Ask before a member is removed: do their posts stay?"""
    found = members.get_public(public_id)
    return rendering.page("members/delete.html", member=members.present()[found.id], errors={})


@pages.post("/members/<public_id>/delete")
@guard.admin
def remove(public_id: str) -> Response:
    """Remove a member."""
    membership.remove(public_id, g.me.id, posts_stay=request.form.get("posts") != "go")
    return rendering.lead_to("members.index")


@pages.get("/members/<public_id>/face/<stamp>")
@guard.medium
def face(public_id: str, stamp: str) -> Response:
    """A member's picture."""
    found = next((number for number, each in members.roster().items() if each.id == public_id), None)
    if found is None:
        raise NotFound
    return _picture(members.picture_of(found), stamp)


@pages.get("/house/picture/<stamp>")
@guard.medium
def circle_picture(stamp: str) -> Response:
    """The family's picture."""
    return _picture(circle.get().picture_id, stamp)


def _everyone(errors: dict[str, str], status: int = 200) -> Response:
    faces = list(members.present().values())
    waiting = doorstep.waiting() if g.me.is_admin else []
    room = len(faces) + len(waiting) < members.LIMIT
    drawn = rendering.page("members/index.html", members=faces, invitations=waiting, room=room, errors=errors)
    return make_response(drawn, status)


def _picture(picture_id: int | None, stamp: str) -> Response:
    found = vault.picture(house().folder, picture_id, stamp)
    return send(found.path, found.media_type, stamp, IMMUTABLE)
