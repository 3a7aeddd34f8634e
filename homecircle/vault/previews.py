"""Link rows: what is known of the links of posts, and the links that a member keeps without one.

Previews are off until an admin turns them on: then, and only then, this house asks a page of the outside, once, when
somebody shares its link, for the one who shares it, and never for words that are there already. Nobody waits for it: a
worker asks (`fetch_next`) and the card is drawn again. A page that does not answer costs a line in the log and leaves
the shortened link that always stands there.

A link is seen with the post it stands in; one that is kept without a post, by the one who keeps it.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import threading
from io import BytesIO
from typing import Any, NamedTuple

import peewee

from homecircle import audiences, circle, db, events, vault
from homecircle.devices import Pass, places
from homecircle.errors import Invalid, NoSpace, NotFound
from homecircle.files import Folder
from homecircle.vault import links
from homecircle.vault.decoder import Busy, Decoder
from homecircle.vault.images import Drawing, Undrawable
from homecircle.vault.outside import URL_LIMIT, Unreachable, Way

A_POST = 3  # links of one post that get a preview
NOTE_LIMIT = 300
PICTURE_TYPE = "image/webp"
log = logging.getLogger("homecircle.links")
waiting = threading.Event()  # set when a link waits for its preview


class Link(db.Model):
    """One link; see the module."""

    id = peewee.AutoField()
    public_id = peewee.TextField(default=db.random_id)
    post_id = peewee.IntegerField(null=True)
    member_id = peewee.IntegerField()
    url = peewee.TextField()
    note = peewee.TextField(default="")
    state = peewee.TextField(default="none")
    title = peewee.TextField(default="")
    site = peewee.TextField(default="")
    width = peewee.IntegerField(default=0)
    height = peewee.IntegerField(default=0)
    added_at = db.UtcField(default=db.now)
    fetched_at = db.UtcField(null=True)
    deleted_at = db.UtcField(null=True)
    picture = peewee.BlobField(null=True)


class Preview(NamedTuple):
    """A link as a card draws it; `picture` is its URL or ''."""

    url: str
    title: str
    site: str
    picture: str
    width: int
    height: int


class Kept(NamedTuple):
    """A link that a member keeps without a post; `preview` is None until (or unless) its page was asked."""

    id: str
    url: str
    note: str
    at: dt.datetime
    preview: Preview | None


def turn(by: Pass, *, is_on: bool) -> None:
    """Let this house ask pages of the outside, or not any more. What waits is forgotten when it is turned off."""
    if circle.get().link_previews == is_on:
        return
    with db.transaction():
        circle.update(link_previews=is_on)
        if not is_on:
            Link.update(state="none").where(Link.state == "pending").execute()
        places.note_deed(by.id, "previews-on" if is_on else "previews-off", "")


def ask(post_id: int, author_id: int, text: str, before: str = "") -> None:
    """Note the links that a post's text has gained since `before`, in the transaction that shares it; forget the lost.

    Does nothing while previews are off.
    """
    has, had = links.found_in(text), links.found_in(before)
    for url in set(had) - set(has):
        Link.delete().where(Link.post_id == post_id, Link.url == url).execute()
    own = circle.get().away_host
    for url in has[:A_POST]:
        if circle.get().link_previews and url not in had and links.site(url) != own:
            Link.create(post_id=post_id, member_id=author_id, url=url, state="pending")
            db.after_commit(waiting.set)


def fetch_next(folder: Folder, decoder: Decoder, way: Way) -> bool:
    """Ask the page of the oldest link that waits; False when none does.

    The row says 'none' before the first byte leaves the house: whatever happens then, a page is asked once.
    """
    with db.transaction():
        link = next(iter(Link.raw(_NEXT)), None)
        if link is None:
            return False
        Link.update(state="none", fetched_at=db.now()).where(Link.id == link.id).execute()
    try:
        told = links.look(link.url, way)
    except Unreachable as why:
        log.info("a link has no preview: %s", why)
        return True
    drawn = _drawn(folder, decoder, told.picture, way) if told.picture else None
    if events.closing():  # the house went down meanwhile
        return False
    found: dict[str, object] = {"state": "ready", "title": told.title, "site": told.site}
    if drawn:
        found |= {"picture": drawn.data, "width": drawn.width, "height": drawn.height}
    with db.transaction():
        Link.update(**found).where(Link.id == link.id).execute()
        for post_id, public_id, audience_id in db.rows(_SHOWN_IN, link.id):
            events.record("link.drawn", public_id, None, audience_id, post_id=post_id)
    return True


def of_posts(numbers: list[int]) -> dict[int, list[Preview]]:
    """Return the previews of each post by its number, in the order in which the links stand in it; one statement."""
    found: dict[int, list[Preview]] = {}
    for row in db.rows(_OF_POSTS, json.dumps(numbers)):
        found.setdefault(row[0], []).append(_preview(row[1:]))
    return found


def of_ids(public_ids: list[str]) -> dict[tuple[str, str], Preview]:
    """Return the previews of some posts by (the post's public id, address); one statement."""
    rows = db.rows(_OF_IDS, json.dumps(public_ids))
    return {(row[0], row[2]): _preview(row[1:]) for row in rows}


def picture(public_id: str, member_id: int) -> bytes:
    """Return the small picture (`PICTURE_TYPE`) of a link that the member may see; `NotFound` for any other."""
    found = db.row(_PICTURE, public_id, member_id, member_id)
    if found is None:
        raise NotFound
    return bytes(found[0])


def keep(member_id: int, url: str, note: str) -> Link:
    """Keep a link in the vault without a post, for oneself. Raises `Invalid` for what is no http(s) address."""
    url, note = url.strip(), " ".join(note.split())
    if links.found_in(url) != [url] or len(url) > URL_LIMIT:
        raise Invalid("A link begins with https:// or http://.", field="url")
    if len(note) > NOTE_LIMIT:
        raise Invalid("That is too long: at most %(limit)s letters. This has %(length)s.",
                      field="note", limit=NOTE_LIMIT, length=len(note))  # fmt: skip
    with db.transaction():
        asks = circle.get().link_previews and links.site(url) != circle.get().away_host
        if asks:
            db.after_commit(waiting.set)
        return Link.create(member_id=member_id, url=url, note=note, state="pending" if asks else "none")


def kept(member_id: int) -> list[Kept]:
    """Return the links that a member keeps, newest first."""
    return [_kept(row) for row in db.rows(_KEPT, member_id)]


def remove(public_id: str, member_id: int) -> None:
    """Move a kept link to the member's trash. `NotFound` for one that is not theirs."""
    with db.transaction():
        if not Link.update(deleted_at=db.now()).where(_mine(public_id, member_id)).execute():
            raise NotFound


def put_back(public_id: str, member_id: int) -> None:
    """Take a kept link out of the trash. `NotFound` when it is not there, or its 30 days are over."""
    with db.transaction():
        there = Link.deleted_at > db.now() - vault.TRASH_LASTS
        if not Link.update(deleted_at=None).where(_mine(public_id, member_id) & there).execute():
            raise NotFound
        db.after_commit(waiting.set)


def trash(member_id: int) -> list[tuple[str, str, dt.datetime]]:
    """Return the kept links that a member has removed (id, words, when), newest first."""
    oldest = int((db.now() - vault.TRASH_LASTS).timestamp())
    return [(row[0], row[1], db.moment(row[2])) for row in db.rows(_TRASH, member_id, oldest)]


def _mine(public_id: str, member_id: int) -> peewee.Expression:
    return (Link.public_id == public_id) & (Link.member_id == member_id) & Link.post_id.is_null()


def _drawn(folder: Folder, decoder: Decoder, url: str, way: Way) -> Drawing | None:
    """The picture a page named, small and drawn anew; None when it cannot be had: then the card has none."""
    spooled = None
    try:
        spooled = folder.take(BytesIO(links.picture(url, way)))
        return decoder.draw(spooled).drawings[-1]
    except (Unreachable, Undrawable, Busy, NoSpace) as why:
        log.info("a link has no picture: %s", why)
        return None
    finally:
        if spooled is not None:
            folder.remove(spooled)


def _kept(row: tuple[Any, ...]) -> Kept:
    public_id, url, note, added_at, state = row[:5]
    preview = _preview((public_id, url, *row[5:])) if state == "ready" else None
    return Kept(public_id, url, note, db.moment(added_at), preview)


def _preview(row: tuple[Any, ...]) -> Preview:
    """From (public id, url, title, site, width, height)."""
    public_id, url, title, site, width, height = row
    src = f"/vault/links/{public_id}/picture" if width else ""
    return Preview(url, title, site, src, width, height)


_COLUMNS = "link.public_id, link.url, link.title, link.site, link.width, link.height"
# Nobody asks for a link that was taken down or away before its turn came.
_NEXT = """
SELECT link.* FROM link LEFT JOIN post ON post.id = link.post_id
WHERE link.state = 'pending' AND link.deleted_at IS NULL AND post.deleted_at IS NULL ORDER BY link.id LIMIT 1"""
_SHOWN_IN = """
SELECT post.id, post.public_id, post.audience_id FROM link JOIN post ON post.id = link.post_id
WHERE link.id = ? AND post.deleted_at IS NULL"""
_OF_POSTS = f"""
SELECT link.post_id, {_COLUMNS} FROM link
WHERE link.post_id IN (SELECT value FROM json_each(?)) AND link.state = 'ready' ORDER BY link.id"""
_OF_IDS = f"""
SELECT post.public_id, {_COLUMNS} FROM post JOIN link ON link.post_id = post.id AND link.state = 'ready'
WHERE post.public_id IN (SELECT value FROM json_each(?))"""
_PICTURE = f"""
SELECT link.picture FROM link LEFT JOIN post ON post.id = link.post_id
WHERE link.public_id = ? AND link.picture IS NOT NULL AND link.deleted_at IS NULL AND (
  post.id IS NULL AND link.member_id = ? OR post.deleted_at IS NULL AND {audiences.VISIBLE})"""
_TRASH = """
SELECT public_id, coalesce(nullif(note, ''), nullif(title, ''), url), deleted_at FROM link
WHERE member_id = ? AND post_id IS NULL AND deleted_at > ? ORDER BY deleted_at DESC LIMIT 200"""
_KEPT = """
SELECT public_id, url, note, added_at, state, title, site, width, height FROM link
WHERE member_id = ? AND post_id IS NULL AND deleted_at IS NULL ORDER BY id DESC LIMIT 200"""
