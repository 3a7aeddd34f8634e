"""What lies in the vault without a post: put there, for whom it is; and a photo as the picture of one or of all."""

from __future__ import annotations

from flask import Blueprint, Response, g, make_response, request

from homecircle import audiences, circle, members, vault
from homecircle.errors import HouseError
from homecircle.vault import timeline, using
from homecircle.web import bundling, composing, guard, rendering

pages = Blueprint("keeping", __name__, url_prefix="/vault")


@pages.get("/add")
@guard.own
def new() -> str:
    """The form for files that need no post: what works without scripts."""
    return rendering.page("keeping/new.html", errors={})


@pages.post("/add")
@guard.own
def create() -> Response:
    """Take files into the vault without a post; then the question for whom they are."""
    kept, problem = composing.keep_files(for_post=False)
    if problem or not kept:
        said = rendering.sentence(problem or HouseError("Choose a photo first."))
        drawn = rendering.page("keeping/new.html", errors={"photos": said}, arrived=kept)
        return make_response(drawn, problem.status if problem else 422)
    return rendering.lead_to("keeping.edit", items=kept)


@pages.get("/whom")
@guard.own
def edit() -> str:
    """*For whom?* of one's own items that only oneself sees."""
    return _whom(request.args.getlist("items"))


@pages.post("/whom")
@guard.own
def update() -> Response:
    """Say for whom they are, once and for good; 'only me' changes nothing."""
    form, items = request.form, request.form.getlist("items")
    try:
        audience = audiences.chosen(g.me.id, form.get("whom", ""), form.getlist("for"))
        if audience is not None:
            vault.share(items, g.me.id, audience)
    except HouseError as error:
        problems = {getattr(error, "field", "") or "items": rendering.sentence(error)}
        return make_response(_whom(items, problems), error.status)
    return rendering.lead_to("vault.index", saved="1")


@pages.post("/<public_id>/face")
@guard.own
def set_face(public_id: str) -> Response:
    """Make a photo one's own picture."""
    original = using.face(public_id, g.me.id, g.me.reader)
    members.update(members.get(g.me.id), picture_id=original)
    return rendering.lead_to("vault.show", public_id=public_id, saved="face")


@pages.post("/<public_id>/family")
@guard.admin
def set_family(public_id: str) -> Response:
    """Make a photo the picture of the family."""
    circle.update(picture_id=using.face(public_id, g.me.id, g.me.reader))
    return rendering.lead_to("vault.show", public_id=public_id, saved="family")


def _whom(asked: list[str], problems: dict[str, str] | None = None) -> str:
    asked = asked[: bundling.LIMIT]
    found = timeline.some(using.unshared(asked, g.me.id), g.me.reader)
    tiles = [found[each].tile for each in dict.fromkeys(asked) if each in found]
    people = [face for number, face in members.present().items() if number != g.me.id]
    return rendering.page("keeping/edit.html", tiles=tiles, left_out=len(set(asked)) - len(tiles), people=people,
                          errors=problems or {}, whom=request.form.get("whom", "me"),
                          ticked=request.form.getlist("for"))  # fmt: skip
