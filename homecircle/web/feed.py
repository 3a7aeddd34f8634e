"""The pages of the feed: the stream, one post, the composer."""

from __future__ import annotations

from flask import Blueprint, Response, g, make_response, request, url_for
from flask_babel import gettext

from homecircle import circle, drafts, feed, members, notices, threads, vault
from homecircle.errors import HouseError, Invalid, NotFound
from homecircle.members import Face
from homecircle.vault import timeline
from homecircle.web import cards, composing, guard, people, rendering, shots, strips

pages = Blueprint("feed", __name__)


@pages.get("/")
def index() -> str:
    """The stream; with ?before= or ?after= only the cards that follow or are new."""
    if after := request.args.get("after", ""):
        entries, earlier = feed.newer(g.me.reader, after), ""
    else:
        entries, earlier = feed.page(g.me.reader, request.args.get("before", ""))
    visit = notices.visit(g.me.id, entries[0].number if entries else 0, moves=not g.me.limited)
    drawn = cards.cards(entries, g.me, visit)
    if rendering.asked_by_htmx() and request.args:
        return rendering.page("feed/_page.html", cards=drawn, earlier=earlier, since=visit.since)
    memory = shots.memory(g.me) if visit.begins and not request.args else None
    return rendering.page("feed/index.html", cards=drawn, earlier=earlier, since=visit.since, toast=_removed(),
                          people=_people(), around=people.around(g.me), checklist=_checklist(), memory=memory,
                          drafts=cards.waiting(g.me) if visit.has_drafts else [], welcome=_welcome(visit))  # fmt: skip


@pages.get("/new")
def new() -> str:
    """The composer as a page of its own: what works without scripts. With ?items= and ?day= those photos are in it."""
    items, text = request.args.getlist("items"), ""
    if day := shots.date(request.args.get("day", "")):
        items, text = shots.again(g.me, day)
    return rendering.page("feed/new.html", text=text, **_strip(items), errors={}, people=_people())


@pages.post("/feed")
def create() -> Response:
    """Share what the composer sent; what cannot be shared comes back with everything that was written."""
    form, problems, once = request.form, dict[str, str](), composing.once()
    if earlier := drafts.shared_before(g.me.id, once):
        return _card_or_back(earlier)
    kept, problem = composing.keep_files()
    items = form.getlist("items") + kept
    try:
        if problem or (problem := composing.not_for(form.getlist("for"))):
            raise problem
        public_id = _share(items, once)
    except HouseError as error:
        problems[getattr(error, "field", "") or "text"] = rendering.sentence(error)
        return _again(items, problems, error.status)
    return _card_or_back(public_id)


@pages.get("/feed/<public_id>/draft")
def draft(public_id: str) -> str:
    """The card of one's own draft as it stands; nothing once it is a post."""
    try:
        return rendering.page("feed/_draft.html", draft=cards.draft(public_id, g.me))
    except NotFound:
        feed.get(public_id, g.me.reader)
        return ""


@pages.post("/feed/<public_id>/draft")
def share_draft(public_id: str) -> Response:
    """Share the words of a draft now, without waiting for its photos."""
    drafts.share_words(public_id, g.me.id, g.me.reader)
    return rendering.lead_to("feed.index")


@pages.post("/feed/<public_id>/draft/delete")
def delete_draft(public_id: str) -> str:
    """Take a draft back: its words stand in the composer again."""
    text = drafts.drop(public_id, g.me.id, g.me.reader)
    return rendering.page("feed/new.html", text=text, tiles=[], errors={}, people=_people())


@pages.post("/feed/coming/<slot>/delete")
@guard.medium
def delete_coming(slot: str) -> Response:
    """A file that was to come will not: the post no longer waits for it."""
    drafts.give_up(g.me.id, slot)
    return make_response("", 204)


@pages.get("/feed/<public_id>")
def show(public_id: str) -> str:
    """One post with its thread; with ?part=card only its card."""
    found = cards.card(public_id, g.me)
    if request.args.get("part") == "card":
        return rendering.page("feed/_post.html", card=found)
    post = feed.get(public_id, g.me.reader)
    if not g.me.limited:
        threads.see(g.me.id, post.id)
    return rendering.page("feed/show.html", card=found, replies=cards.replies(post, g.me), toast=_taken(public_id))


@pages.post("/feed/<public_id>/mark")
def mark(public_id: str) -> Response:
    """Put one's mark on a post."""
    feed.mark(feed.get(public_id, g.me.reader), g.me.id, request.form.get("mark", ""))
    return _card_or_back(public_id)


@pages.post("/feed/<public_id>/mark/delete")
def unmark(public_id: str) -> Response:
    """Take one's mark off again."""
    feed.unmark(feed.get(public_id, g.me.reader), g.me.id)
    return _card_or_back(public_id)


@pages.get("/feed/<public_id>/edit")
def edit(public_id: str) -> str:
    """The form that changes a post's text."""
    return rendering.page("feed/edit.html", card=cards.card(public_id, g.me), text=None, errors={})


@pages.post("/feed/<public_id>/edit")
def update(public_id: str) -> Response:
    """Change a post's text."""
    post, text = feed.get(public_id, g.me.reader), request.form.get("text", "")
    try:
        feed.edit(post, g.me.id, text)
    except Invalid as error:
        problems = {"text": rendering.sentence(error)}
        drawn = rendering.page("feed/edit.html", card=cards.card(public_id, g.me), text=text, errors=problems)
        return make_response(drawn, error.status)
    return rendering.lead_to("feed.show", public_id=public_id)


@pages.post("/feed/<public_id>/delete")
def delete(public_id: str) -> Response:
    """Move a post to the trash; the answer offers to put it back."""
    found = cards.card(public_id, g.me)
    feed.take_down(feed.get(public_id, g.me.reader), g.me.id, is_admin=g.me.is_admin)
    if rendering.asked_by_htmx():
        return make_response(rendering.page("feed/_removed.html", card=found))
    return rendering.lead_to("feed.index", removed=public_id)


@pages.post("/feed/<public_id>/restore")
def restore(public_id: str) -> Response:
    """Put a post back where it was."""
    feed.put_back(public_id, g.me.id, g.me.reader)
    return _card_or_back(public_id)


def _share(items: list[str], once: str) -> str:
    form = request.form
    public_id = drafts.share(g.me.id, form.get("text", ""), items, form.getlist("for"), once)
    if form.get("place"):
        drafts.share_place(public_id, g.me.id)
    return public_id


def _card_or_back(public_id: str) -> Response:
    """The card for the page's own script, else back to it in the feed."""
    if rendering.asked_by_htmx():
        return make_response(_drawn(public_id))
    if request.form.get("whole"):
        return rendering.lead_to("feed.show", public_id=public_id)
    return rendering.lead_to("feed.index", _anchor=f"post-{public_id}")


def _drawn(public_id: str) -> str:
    try:
        return rendering.page("feed/_post.html", card=cards.card(public_id, g.me))
    except NotFound:
        return rendering.page("feed/_draft.html", draft=cards.draft(public_id, g.me))


def _again(items: list[str], problems: dict[str, str], status: int) -> Response:
    """Draw the composer again with what was written, whom it is for, and the photos that did arrive."""
    form = request.form
    strip = _strip(items) | {"tiles": composing.held(items)}
    drawn = rendering.page("feed/new.html", text=form.get("text", ""), **strip, errors=problems, people=_people(),
                           chosen=form.getlist("for"))  # fmt: skip
    return make_response(drawn, status)


def _strip(items: list[str]) -> dict[str, object]:
    """The photos that stand in the composer already, and who else added some of them."""
    found = timeline.some(items[: feed.ITEM_LIMIT], g.me.reader)
    tiles = [found[each].tile for each in dict.fromkeys(items) if each in found]
    others = set(timeline.added_by(list(found)).values()) - {g.me.id}
    return {"tiles": tiles, "others": [members.roster()[each].name for each in sorted(others)]}


def _checklist() -> list[tuple[bool, str]] | None:
    """What an admin may still want to do, until it is done or hidden."""
    here = circle.get()
    if not g.me.is_admin or here.setup_step == "settled":
        return None
    steps = [(True, "house"), (vault.has_any(), "photo"), (len(members.present()) > 1, "joined"),
             (strips.strip().is_backed_up, "backup"), (bool(here.away_address), "away")]  # fmt: skip
    return None if all(done for done, _ in steps) else steps


def _welcome(visit: notices.Visit) -> tuple[Face, str] | None:
    """Who welcomes a new member, and with which words ('': the house's own)."""
    by = members.roster().get(visit.welcomed_by or 0)
    return None if visit.welcome is None or by is None else (by, visit.welcome)


def _people() -> list[Face]:
    """Whom a post can be for, besides oneself."""
    return [] if g.me.limited else [face for number, face in members.present().items() if number != g.me.id]


def _taken(public_id: str) -> dict[str, str] | None:
    """After taking a reply away without scripts: the offer to put it back."""
    message_id = request.args.get("taken", "")
    if not message_id.isalnum():
        return None
    return {"text": gettext("Reply removed."),
            "undo": url_for("threads.restore", public_id=public_id, message_id=message_id)}  # fmt: skip


def _removed() -> dict[str, str] | None:
    """After deleting without scripts: the offer to put the post back."""
    public_id = request.args.get("removed", "")
    if not public_id.isalnum():
        return None
    return {"text": gettext("Post removed."), "undo": url_for("feed.restore", public_id=public_id)}
