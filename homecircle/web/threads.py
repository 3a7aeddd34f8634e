"""The pages of threads: say something, change it, take it back; the talks one takes part in."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from flask import Blueprint, Response, g, make_response, request, url_for
from flask_babel import gettext

from homecircle import db, feed, members, threads
from homecircle.errors import HouseError, NotFound
from homecircle.members import Face
from homecircle.web import cards, composing, doorstep, rendering

WORDS = 80
pages = Blueprint("threads", __name__)


class TalkLine(NamedTuple):
    """One talk in the list: its post, who wrote last, what, when, and whether that is new."""

    post: str
    words: str
    author: Face
    last: Face
    text: str
    at: dt.datetime
    is_new: bool


@pages.get("/threads")
def index() -> str:
    """The talks one takes part in, latest first."""
    return rendering.page("threads/index.html", talks=[_talk(talk) for talk in threads.talks(g.me.id, g.me.reader)])


@pages.get("/feed/<public_id>/thread")
def show(public_id: str) -> str:
    """The thread alone, for a page that shows the whole of it."""
    return _thread(feed.get(public_id, g.me.reader))


@pages.post("/feed/<public_id>/messages")
def create(public_id: str) -> Response:
    """Say something."""
    post, form, once = feed.get(public_id, g.me.reader), request.form, composing.once()
    if earlier := threads.said_before(g.me.id, once):
        return _after(post, earlier.public_id)
    kept, problem = composing.keep_files()
    items = tuple(form.getlist("items") + kept)
    try:
        if problem:
            raise problem
        said = threads.say(post, g.me.id, threads.Words(form.get("text", ""), form.get("quote", ""), items), once)
    except HouseError as error:
        return _again(post, items, error)
    return _after(post, said.public_id)


@pages.get("/feed/<public_id>/messages/<message_id>/edit")
def edit(public_id: str, message_id: str) -> Response:
    """The form that changes a message."""
    return _form(public_id, message_id, None, {})


@pages.post("/feed/<public_id>/messages/<message_id>/edit")
def update(public_id: str, message_id: str) -> Response:
    """Change a message."""
    post, text = feed.get(public_id, g.me.reader), request.form.get("text", "")
    try:
        threads.edit(threads.get(message_id, post), post, g.me.id, text)
    except HouseError as error:
        return _form(public_id, message_id, text, doorstep.problems(error), error.status)
    return _after(post, message_id)


@pages.post("/feed/<public_id>/messages/<message_id>/delete")
def delete(public_id: str, message_id: str) -> Response:
    """Take a message back."""
    post = feed.get(public_id, g.me.reader)
    threads.take_back(threads.get(message_id, post), post, g.me.id, is_admin=g.me.is_admin)
    if not rendering.asked_by_htmx():
        return rendering.lead_to("feed.show", public_id=public_id, taken=message_id)
    undo = url_for("threads.restore", public_id=public_id, message_id=message_id)
    said = rendering.page("notices/_toast.html", words=gettext("Reply removed."), undo=undo)
    return make_response(_after(post, "").get_data(as_text=True) + said)


@pages.post("/feed/<public_id>/messages/<message_id>/restore")
def restore(public_id: str, message_id: str) -> Response:
    """Put a message back that one has just taken away."""
    post = feed.get(public_id, g.me.reader)
    threads.put_back(message_id, post, g.me.id)
    return _after(post, message_id)


def _again(post: feed.Post, items: tuple[str, ...], error: HouseError) -> Response:
    """Draw the page again with what was written and the photos that did arrive."""
    drawn = rendering.page("feed/show.html", card=cards.card(post.public_id, g.me), replies=cards.replies(post, g.me),
                           text=request.form.get("text", ""), held=composing.held(items),
                           errors=doorstep.problems(error))  # fmt: skip
    return make_response(drawn, error.status)


def _talk(talk: threads.Talk) -> TalkLine:
    roster, at = members.roster(), db.moment(talk.said_at)
    author, last = roster[talk.post_author_id], roster[talk.author_id]
    return TalkLine(
        talk.post,
        cards.words(talk.post_text, talk.post_kind, author.name)[:WORDS],
        author,
        last,
        talk.text[:WORDS],
        at,
        talk.is_new,
    )


def _after(post: feed.Post, message_id: str) -> Response:
    """What the asker looks at: the whole thread, the card in the feed, or the post's page."""
    if not rendering.asked_by_htmx():
        return rendering.lead_to(
            "feed.show", public_id=post.public_id, _anchor=f"r-{message_id}" if message_id else None
        )
    if request.form.get("whole"):
        return make_response(_thread(post))
    return make_response(rendering.page("feed/_post.html", card=cards.card(post.public_id, g.me)))


def _thread(post: feed.Post) -> str:
    if not g.me.limited:
        threads.see(g.me.id, post.id)
    card = cards.card(post.public_id, g.me)
    return rendering.page("threads/_thread.html", card=card, replies=cards.replies(post, g.me))


def _form(public_id: str, message_id: str, text: str | None, errors: dict[str, str], status: int = 200) -> Response:
    post = feed.get(public_id, g.me.reader)
    reply = next((each for each in cards.replies(post, g.me) if each.id == message_id), None)
    if reply is None:
        raise NotFound
    drawn = rendering.page("threads/edit.html", card=cards.card(public_id, g.me), reply=reply, text=text, errors=errors)
    return make_response(drawn, status)
