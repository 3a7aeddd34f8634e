"""The pages of the vault: months, one item, its renditions and original, several as a ZIP, links, files, trash."""

from __future__ import annotations

from urllib.parse import quote

from flask import Blueprint, Response, g, make_response, request, url_for
from flask_babel import gettext

from homecircle import backup, db, feed, members, search, vault
from homecircle.errors import Invalid, NotFound
from homecircle.trash import left as left_to_forget
from homecircle.vault import ENDINGS, filters, previews, timeline, together
from homecircle.vault import links as addresses
from homecircle.vault.decoder import Busy
from homecircle.web import bundling, cards, guard, rendering, shots
from homecircle.web.house import house
from homecircle.web.sending import IMMUTABLE, send, send_bytes

pages = Blueprint("vault", __name__, url_prefix="/vault")


@pages.get("")
def index() -> str:
    """Months, newest first, with the first of them drawn; the others come as they are scrolled to."""
    sieve = shots.sieve(g.me, request.args)
    found = shots.months(timeline.months(g.me.reader, sieve.wanted))
    drawn, more = ([], "") if not found else _grid(found[0].id, "", sieve, shots.FIRST)
    return rendering.page("vault/index.html", months=found, shots=drawn, more=more, left=_left(found, len(drawn)),
                          month=found[0] if found else None, years=shots.years(found), toast=_removed(),
                          sieve=sieve, people=members.roster().values(), posts=_choices(sieve.post),
                          proven=_proven())  # fmt: skip


@pages.get("/<int:year>-<int:number>")
def month(year: int, number: int) -> str:
    """One month on a page of its own; with ?part=grid only the shots after ?after=."""
    sieve = shots.sieve(g.me, request.args)
    one = _month(year, number, sieve)
    drawn, more = _grid(one.id, request.args.get("after", ""), sieve)
    left = shots.heights(max(0, min(request.args.get("left", one.size, int), one.size) - len(drawn)))
    part = request.args.get("part") == "grid"
    return rendering.page("vault/_grid.html" if part else "vault/month.html", shots=drawn, more=more, left=left,
                          month=one, sieve=sieve)  # fmt: skip


@pages.get("/files")
def files() -> str:
    """What is kept without being shown."""
    found, more = timeline.files(g.me.reader, request.args.get("after", ""))
    by, roster = timeline.added_by([each.tile.id for each in found]), members.roster()
    rows = [(each, roster[by[each.tile.id]]) for each in shots.lines(found)]
    return rendering.page("vault/files.html", rows=rows, more=more)


@pages.get("/links")
def links() -> str:
    """Every http(s) address that was shared, with who and when; before them the links one keeps for oneself."""
    return _links()


@pages.post("/links")
@guard.own
def keep_link() -> Response:
    """Keep a link without a post."""
    form = request.form
    try:
        previews.keep(g.me.id, form.get("url", ""), form.get("note", ""))
    except Invalid as error:
        return make_response(_links({error.field: rendering.sentence(error)}, dict(form)), error.status)
    return rendering.lead_to("vault.links")


@pages.post("/links/<public_id>/delete")
@guard.own
def remove_link(public_id: str) -> Response:
    """Take a kept link away; the page offers to put it back."""
    previews.remove(public_id, g.me.id)
    return rendering.lead_to("vault.links", removed=public_id)


@pages.post("/links/<public_id>/restore")
@guard.own
def restore_link(public_id: str) -> Response:
    """Put a kept link back."""
    previews.put_back(public_id, g.me.id)
    return rendering.lead_to("vault.links")


@pages.get("/links/<public_id>/picture")
@guard.medium
def link_picture(public_id: str) -> Response:
    """The small picture of a link's page, from this house: never asked for elsewhere by a browser."""
    return send_bytes(previews.picture(public_id, g.me.reader), previews.PICTURE_TYPE, public_id, IMMUTABLE)


@pages.get("/on-this-day")
def on_this_day() -> str:
    """The shots of one day: ?day=, else that of today's memory; with ?part=grid only those, for the viewer."""
    found = timeline.memory(g.me.id, shots.today(), g.me.reader)
    day = shots.date(request.args.get("day", "")) or (found.day if found else None)
    drawn = shots.lines(timeline.on_day(g.me.reader, day)) if day else []
    part = request.args.get("part") == "grid"
    return rendering.page("vault/_grid.html" if part else "vault/on_this_day.html", shots=drawn, date=day, more="",
                          day=shots.day(day) if day else "")  # fmt: skip


@pages.post("/on-this-day/hide")
def hide_memory() -> Response:
    """No memory today; with `day`, never again the one of that day."""
    timeline.hide_memory(g.me.id, shots.today(), shots.date(request.form.get("day", "")))
    if rendering.asked_by_htmx():
        return make_response("")
    return rendering.lead_to("feed.index")


@pages.get("/trash")
@guard.own
def trash() -> str:
    """What one has removed in the last 30 days, to be put back."""
    names, found = members.roster(), feed.trash(g.me.reader)
    along = together.sizes([each.public_id for each in found])
    posts = [(each.public_id, cards.words(each.text, each.kind, names[each.author_id].name), each.deleted_at,
              along.get(each.public_id, 0)) for each in found]  # fmt: skip
    left = left_to_forget(g.me.reader)
    return rendering.page("vault/trash.html", items=timeline.trash(g.me.reader), posts=posts,
                          links=previews.trash(g.me.reader), here=left.here,
                          there=left.there if house().second_place else 0,
                          forgotten="forgotten" in request.args)  # fmt: skip


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
    kept, left_out = _downloads(chosen)
    return bundling.send(list(bundling.named(kept)), f"homecircle-{shots.today():%Y-%m-%d}.zip", left_out)


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


@pages.post("/<public_id>/open")
def open_up(public_id: str) -> Response:
    """Let others download one's own file as it is, or no longer."""
    vault.get(public_id, g.me.reader)
    vault.open_up(public_id, g.me.id, opened=request.form.get("open") == "1")
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
                          at=shots.moment(found.at), about=found, own=own, marks=_marks(found.post), toast=_removed(),
                          posts=[_choice(each) for each in timeline.posts_with(public_id, g.me.reader)],
                          safe=_safe(public_id), may_delete=own or g.me.is_admin, errors=errors or {},
                          said=said or {"caption": tile.caption, "description": tile.description})  # fmt: skip


def _safe(public_id: str) -> str:
    """How safe one's own item is; 'alone' without a second place: only that counts."""
    return backup.steps_of(public_id, g.me.id) if house().second_place else "alone"


def _proven() -> str:
    """The day up to which all of one's own is proven, as one says it; '' where there is none, or on a shared device."""
    is_own = g.me.kind == "personal" and not g.me.limited and house().second_place
    until = backup.proven_until(g.me.id, rendering.zone()) if is_own else None
    return rendering.day(until) if until else ""


def _links(errors: dict[str, str] | None = None, said: dict[str, str] | None = None) -> str:
    before = request.args.get("before", "")
    found, more = search.links(g.me.reader, before)
    roster, drawn = members.roster(), previews.of_ids([each.id for each in found if each.kind == "post"])
    lines = []
    for each in found:
        if urls := addresses.found_in(each.text):
            shown = [(url, drawn.get((each.id, url))) for url in urls]
            lines.append((roster[each.member_id], db.moment(each.at), each, shown))
    own = None if g.me.kind == "shared" or g.me.limited else [] if before else previews.kept(g.me.id)
    return rendering.page("vault/links.html", links=lines, more=more, own=own,
                          errors=errors or {}, said=said or {}, toast=_link_removed())  # fmt: skip


def _downloads(chosen: list[timeline.Shot]) -> tuple[list[tuple[str, vault.Kept]], str]:
    """(moment, file) of each that this member may have, and what to say of the others: one never loses the rest."""
    kept: list[tuple[str, vault.Kept]] = []
    left: list[str] = []
    busy: Busy | None = None  # then nothing more is asked of the decoder: each would wait for as long again
    for each in chosen:
        try:
            if busy and each.tile.kind == "photo":
                raise busy
            kept.append((f"{each.at:%Y-%m-%d %H%M}", _download(each.tile.id)))
        except (Invalid, Busy) as refusal:
            busy = refusal if isinstance(refusal, Busy) else busy
            left.append(f"{each.tile.name}: {rendering.sentence(refusal)}")
            if len(left) == len(chosen):
                raise
    return kept, "\r\n".join([gettext("Left out:"), *left, ""]) if left else ""


def _download(public_id: str) -> vault.Kept:
    """An original as this member gets it; where it cannot be cleaned of its place, its largest picture."""
    folder = house().folder
    try:
        return vault.original(folder, house().decoder, public_id, g.me.reader)
    except (Invalid, Busy):
        tile = vault.get(public_id, g.me.reader)
        if not tile.large:
            raise
        edge, _, stamp = tile.large.rpartition("/")[2].partition("-")
        drawn = vault.rendition(folder, public_id, int(edge), stamp, g.me.reader)
        return vault.Kept(drawn.path, drawn.media_type, f"{tile.name}.{ENDINGS[drawn.media_type]}")


def _grid(month: str, after: str, sieve: shots.Sieve, limit: int = timeline.PAGE) -> tuple[list[shots.ShotLine], str]:
    found, more = timeline.page(g.me.reader, int(month.replace("-", "")), after, limit, sieve.wanted)
    return shots.lines(found), more


def _month(year: int, number: int, sieve: shots.Sieve) -> shots.MonthLine:
    """The month of an address; one that holds nothing (of what is wanted) for this member is not there."""
    whole = year * 100 + number
    size = timeline.size(g.me.reader, whole, sieve.wanted) if 1 <= number <= 12 and 0 < year < 10000 else 0
    if not size:
        raise NotFound
    return shots.months([timeline.Month(whole, size)])[0]


def _choices(chosen: filters.Choice | None) -> list[tuple[str, str]]:
    """The posts one can choose of in *Filters*: (id, words); the chosen one among them."""
    found = filters.posts(g.me.reader)
    if chosen is not None and chosen not in found:
        found.append(chosen)
    return [_choice(each) for each in found]


def _choice(post: filters.Choice) -> tuple[str, str]:
    """A post in one line: its id, and who, when and the first words."""
    day = shots.day(db.moment(post.shared_at).astimezone(rendering.zone()).date())
    who = gettext("%(name)s, %(when)s", name=members.roster()[post.author_id].name, when=day)
    words = " ".join(post.text.split())[:60]
    return post.id, f"{who}: {words}" if words else str(who)


def _marks(post_id: str) -> list[tuple[members.Face, str]]:
    """The marks on the post that an item stands in."""
    if not post_id:
        return []
    entry, roster = feed.entry(post_id, g.me.reader), members.roster()
    return [(roster[one], mark) for one, mark in feed.marks_of([entry]).get(entry.number, ())]


def _left(found: list[shots.MonthLine], drawn: int) -> tuple[int, ...]:
    return shots.heights(max(0, found[0].size - drawn)) if found else ()


def _removed() -> dict[str, str] | None:
    if "saved" in request.args:
        return {"text": gettext("Saved.")}
    public_id = request.args.get("removed", "")
    if not public_id.isalnum():
        return None
    if public_id == "some":
        return {"text": gettext("Moved to the trash.")}
    return {"text": gettext("Moved to the trash."), "undo": url_for("vault.restore", public_id=public_id)}


def _link_removed() -> dict[str, str] | None:
    public_id = request.args.get("removed", "")
    if not public_id.isalnum():
        return None
    return {"text": gettext("Moved to the trash."), "undo": url_for("vault.restore_link", public_id=public_id)}
