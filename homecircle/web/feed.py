"""The pages of the feed: the stream, one post, the composer."""

from __future__ import annotations

import secrets

from flask import Blueprint, Response, g, make_response, redirect, request, url_for
from flask_babel import gettext
from werkzeug.datastructures import FileStorage

from homecircle import feed, members, vault
from homecircle.errors import HouseError, Invalid
from homecircle.members import Face
from homecircle.web import cards, rendering
from homecircle.web.house import house

FILES_AT_ONCE = 10
pages = Blueprint("feed", __name__)


@pages.get("/")
def index() -> str:
    """The stream; with ?before= or ?after= only the cards that follow or are new."""
    if after := request.args.get("after", ""):
        entries, earlier = feed.newer(g.me.id, after), ""
    else:
        entries, earlier = feed.page(g.me.id, request.args.get("before", ""))
    template = "feed/_page.html" if rendering.asked_by_htmx() and request.args else "feed/index.html"
    return rendering.page(template, cards=cards.cards(entries, g.me), earlier=earlier, since=None, toast=_removed(),
                          people=_people())  # fmt: skip


@pages.get("/new")
def new() -> str:
    """The composer as a page of its own: what works without scripts."""
    return rendering.page("feed/new.html", text="", tiles=[], errors={}, people=_people())


@pages.post("/feed")
def create() -> Response:
    """Share what the composer sent; what cannot be shared comes back with everything that was written."""
    form, problems = request.form, dict[str, str]()
    kept, problem = _keep_files(request.files.getlist("photos"))
    items = form.getlist("items") + kept
    try:
        if problem:
            raise problem
        post = feed.publish(g.me.id, form.get("text", ""), items, form.getlist("for"), form.get("once") or _once())
    except HouseError as error:
        problems[getattr(error, "field", "") or "text"] = rendering.sentence(error)
        return _again(form.get("text", ""), items, problems, error.status)
    return redirect(url_for("feed.index", _anchor=f"post-{post.public_id}"), 303)  # type: ignore[return-value]


@pages.get("/feed/<public_id>")
def show(public_id: str) -> str:
    """One post with its thread; with ?part=card only its card."""
    found = cards.card(public_id, g.me)
    part = request.args.get("part") == "card"
    return rendering.page("feed/_post.html" if part else "feed/show.html", card=found)


@pages.get("/feed/<public_id>/edit")
def edit(public_id: str) -> str:
    """The form that changes a post's text."""
    return rendering.page("feed/edit.html", card=cards.card(public_id, g.me), text=None, errors={})


@pages.post("/feed/<public_id>/edit")
def update(public_id: str) -> Response:
    """Change a post's text."""
    post, text = feed.get(public_id, g.me.id), request.form.get("text", "")
    try:
        feed.edit(post, g.me.id, text)
    except Invalid as error:
        problems = {"text": rendering.sentence(error)}
        drawn = rendering.page("feed/edit.html", card=cards.card(public_id, g.me), text=text, errors=problems)
        return make_response(drawn, error.status)
    return redirect(url_for("feed.show", public_id=public_id), 303)  # type: ignore[return-value]


@pages.post("/feed/<public_id>/delete")
def delete(public_id: str) -> Response:
    """Move a post to the trash; the answer offers to put it back."""
    found = cards.card(public_id, g.me)
    feed.take_down(feed.get(public_id, g.me.id), g.me.id, is_admin=g.me.is_admin)
    if rendering.asked_by_htmx():
        return make_response(rendering.page("feed/_removed.html", card=found))
    return redirect(url_for("feed.index", removed=public_id), 303)  # type: ignore[return-value]


@pages.post("/feed/<public_id>/restore")
def restore(public_id: str) -> Response:
    """Put a post back where it was."""
    feed.put_back(public_id, g.me.id)
    if rendering.asked_by_htmx():
        return make_response(rendering.page("feed/_post.html", card=cards.card(public_id, g.me)))
    return redirect(url_for("feed.index", _anchor=f"post-{public_id}"), 303)  # type: ignore[return-value]


def _keep_files(files: list[FileStorage]) -> tuple[list[str], HouseError | None]:
    """Take the form's files into the vault; one bad file never loses the others."""
    kept: list[str] = []
    problem: HouseError | None = None
    chosen = [each for each in files if each.filename]
    if len(chosen) > FILES_AT_ONCE:
        problem = Invalid("At most 10 photos at once this way. The first ten are here; share the others after them.",
                          field="photos")  # fmt: skip
    for each in chosen[:FILES_AT_ONCE]:
        spooled = house().folder.take(each.stream)
        try:
            kept.append(vault.keep(house().folder, spooled, each.filename or "", g.me.id).public_id)
        except HouseError as error:
            problem = error
        finally:
            house().folder.remove(spooled)
    if kept:
        house().wake_drawer()
    return kept, problem


def _again(text: str, items: list[str], problems: dict[str, str], status: int) -> Response:
    """Draw the composer again with what was written and the photos that did arrive."""
    tiles = [vault.get(each, g.me.id) for each in items if vault.may_use(each, g.me.id)]
    drawn = rendering.page("feed/new.html", text=text, tiles=tiles, errors=problems, people=_people())
    return make_response(drawn, status)


def _people() -> list[Face]:
    """Whom a post can be for, besides oneself."""
    return [face for number, face in members.present().items() if number != g.me.id]


def _removed() -> dict[str, str] | None:
    """After deleting without scripts: the offer to put the post back."""
    public_id = request.args.get("removed", "")
    if not public_id.isalnum():
        return None
    return {"text": gettext("Post removed."), "undo": url_for("feed.restore", public_id=public_id)}


def _once() -> str:
    """A form without a key (a program's) posts as often as it is sent."""
    return secrets.token_urlsafe(12)
