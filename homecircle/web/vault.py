"""The pages of the vault: months, one item, its renditions and original, several as a ZIP, links, files, trash."""

from __future__ import annotations

import datetime as dt
from urllib.parse import quote

from flask import Blueprint, Response, g, make_response, request, url_for
from flask_babel import gettext

from homecircle import db, feed, members, search, vault
from homecircle.errors import Invalid, NotFound
from homecircle.vault import ENDINGS, timeline
from homecircle.web import bundling, guard, rendering, shots
from homecircle.web.house import house
from homecircle.web.sending import IMMUTABLE, send

pages = Blueprint("vault", __name__, url_prefix="/vault")


@pages.get("")
def index() -> str:
    """Months, newest first, with the first of them drawn; the others come as they are scrolled to."""
    found = shots.months(timeline.months(g.me.reader))
    drawn, more = ([], "") if not found else _grid(found[0].id, "", shots.FIRST)
    return rendering.page("vault/index.html", months=found, shots=drawn, more=more, left=_left(found, len(drawn)),
                          month=found[0] if found else None, years=shots.years(found), toast=_removed())  # fmt: skip


@pages.get("/<int:year>-<int:number>")
def month(year: int, number: int) -> str:
    """One month on a page of its own; with ?part=grid only the shots after ?after=."""
    one = _month(year, number)
    drawn, more = _grid(one.id, request.args.get("after", ""))
    left = shots.heights(max(0, min(request.args.get("left", one.size, int), one.size) - len(drawn)))
    part = request.args.get("part") == "grid"
    return rendering.page("vault/_grid.html" if part else "vault/month.html", shots=drawn, more=more, left=left,
                          month=one)  # fmt: skip


@pages.get("/files")
def files() -> str:
    """What is kept without being shown."""
    found, more = timeline.files(g.me.reader, request.args.get("after", ""))
    return rendering.page("vault/files.html", shots=shots.lines(found), more=more)


@pages.get("/links")
def links() -> str:
    """Every http(s) address that was shared, with who and when. No previews: nothing is asked of the outside."""
    found, more = search.links(g.me.reader, request.args.get("before", ""))
    roster = members.roster()
    drawn = [(roster[each.member_id], db.moment(each.at), each, rendering.addresses(each.text)) for each in found]
    return rendering.page("vault/links.html", links=[each for each in drawn if each[3]], more=more)


@pages.get("/on-this-day")
def on_this_day() -> str:
    """The shots of one day: ?day=, else that of today's memory."""
    found = timeline.memory(g.me.id, shots.today(), g.me.reader)
    day = _date(request.args.get("day", "")) or (found.day if found else None)
    drawn = shots.lines(timeline.on_day(g.me.reader, day)) if day else []
    return rendering.page("vault/on_this_day.html", shots=drawn, day=shots.day(day) if day else "")


@pages.post("/on-this-day/hide")
def hide_memory() -> Response:
    """No memory today; with `day`, never again the one of that day."""
    timeline.hide_memory(g.me.id, shots.today(), _date(request.form.get("day", "")))
    if rendering.asked_by_htmx():
        return make_response("")
    return rendering.lead_to("feed.index")


@pages.get("/trash")
@guard.own
def trash() -> str:
    """What one has removed in the last 30 days, to be put back."""
    posts = [(each.public_id, each.text, each.deleted_at) for each in feed.trash(g.me.reader)]
    return rendering.page("vault/trash.html", items=timeline.trash(g.me.reader), posts=posts)


@pages.get("/of/<public_id>")
def of_post(public_id: str) -> str:
    """Every photo of one post; with ?part=grid only the shots, for the viewer."""
    found = shots.lines(timeline.of_post(public_id, g.me.reader))
    part = request.args.get("part") == "grid"
    return rendering.page("vault/_grid.html" if part else "vault/of_post.html", shots=found, more="", post=public_id)


@pages.post("/zip")
@guard.medium
def bundle() -> Response:
    """Several items as one ZIP."""
    asked = request.form.getlist("items")[: bundling.LIMIT]
    found = timeline.some(asked, g.me.reader)
    chosen = [found[each] for each in dict.fromkeys(asked) if each in found]
    if not chosen:
        raise NotFound
    kept = [(f"{each.at:%Y-%m-%d %H%M}", _download(each.tile.id)) for each in chosen]
    return bundling.send(list(bundling.named(kept)), f"homecircle-{shots.today():%Y-%m-%d}.zip")


@pages.post("/delete")
def delete_some() -> Response:
    """Move several items to the trash."""
    items = request.form.getlist("items")[: bundling.LIMIT]
    timeline.remove(items, g.me.id, g.me.reader, is_admin=g.me.is_admin)
    return rendering.lead_to("vault.index", removed="some")


@pages.get("/<public_id>")
def show(public_id: str) -> str:
    """One item on a page of its own; with ?part= only its tile, its shot in a grid, or its words in the viewer."""
    part = request.args.get("part", "")
    found = vault.get(public_id, g.me.reader)
    if part == "tile":
        return rendering.page("vault/_tile.html", tile=found)
    if part == "shot":
        return rendering.page("vault/_shot.html", shot=shots.lines(timeline.some([public_id], g.me.reader).values())[0])
    return _show(public_id, "vault/_caption.html" if part == "caption" else "vault/show.html")


@pages.post("/<public_id>/edit")
def update(public_id: str) -> Response:
    """Change the caption and the description of one's own item."""
    form = request.form
    vault.get(public_id, g.me.reader)
    try:
        timeline.describe(public_id, g.me.id, form.get("caption", ""), form.get("description", ""))
    except Invalid as error:
        problems = {error.field: rendering.sentence(error)}
        return make_response(_show(public_id, "vault/show.html", problems, dict(form)), error.status)
    return rendering.lead_to("vault.show", public_id=public_id)


@pages.post("/<public_id>/delete")
def delete(public_id: str) -> Response:
    """Move an item to the trash; the vault then offers to put it back."""
    timeline.remove([public_id], g.me.id, g.me.reader, is_admin=g.me.is_admin)
    return rendering.lead_to("vault.index", removed=public_id)


@pages.post("/<public_id>/restore")
@guard.own
def restore(public_id: str) -> Response:
    """Put an item back where it was."""
    timeline.put_back(public_id, g.me.reader)
    return rendering.lead_to("vault.show", public_id=public_id)


@pages.get("/<public_id>/<int:edge>-<stamp>")
@guard.medium
def rendition(public_id: str, edge: int, stamp: str) -> Response:
    """A smaller picture; its URL changes with its content, so browsers may keep it."""
    found = vault.rendition(house().folder, public_id, edge, stamp, g.me.reader)
    return send(found.path, found.media_type, f"{stamp}-{edge}", IMMUTABLE)


@pages.get("/<public_id>/original")
@guard.medium
def original(public_id: str) -> Response:
    """The file as it came (for others: without place), whole or in pieces."""
    kept = vault.original(house().folder, house().decoder, public_id, g.me.reader)
    answer = send(kept.path, kept.media_type, f"{public_id}-{kept.mark}", "private, no-cache", kept.blanks)
    kind = "inline" if kept.media_type in ENDINGS else "attachment"
    answer.headers["Content-Disposition"] = f"{kind}; filename*=UTF-8''{quote(kept.name)}"
    return answer


def _show(
    public_id: str, template: str, errors: dict[str, str] | None = None, said: dict[str, str] | None = None
) -> str:
    tile, found = vault.get(public_id, g.me.reader), timeline.about(public_id, g.me.reader)
    own = found.member_id == g.me.id
    return rendering.page(template, tile=tile, post=found.post, by=members.roster()[found.member_id],
                          at=shots.moment(found.at), added=found.added_at, camera=found.camera, own=own,
                          may_delete=own or g.me.is_admin, errors=errors or {},
                          said=said or {"caption": tile.caption, "description": tile.description})  # fmt: skip


def _download(public_id: str) -> vault.Kept:
    """An original as this member gets it; where it cannot be cleaned of its place, its largest picture."""
    folder = house().folder
    try:
        return vault.original(folder, house().decoder, public_id, g.me.reader)
    except Invalid:
        tile = vault.get(public_id, g.me.reader)
        if not tile.large:
            raise
        edge, _, stamp = tile.large.rpartition("/")[2].partition("-")
        drawn = vault.rendition(folder, public_id, int(edge), stamp, g.me.reader)
        return vault.Kept(drawn.path, drawn.media_type, f"{tile.name}.{ENDINGS[drawn.media_type]}")


def _grid(month: str, after: str, limit: int = timeline.PAGE) -> tuple[list[shots.ShotLine], str]:
    found, more = timeline.page(g.me.reader, int(month.replace("-", "")), after, limit)
    return shots.lines(found), more


def _month(year: int, number: int) -> shots.MonthLine:
    """The month of an address; one that holds nothing for this member is not there."""
    for each in timeline.months(g.me.reader):
        if each.number == year * 100 + number:
            return shots.months([each])[0]
    raise NotFound


def _left(found: list[shots.MonthLine], drawn: int) -> tuple[int, ...]:
    return shots.heights(max(0, found[0].size - drawn)) if found else ()


def _date(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


def _removed() -> dict[str, str] | None:
    public_id = request.args.get("removed", "")
    if not public_id.isalnum():
        return None
    if public_id == "some":
        return {"text": gettext("Moved to the trash.")}
    return {"text": gettext("Moved to the trash."), "undo": url_for("vault.restore", public_id=public_id)}
