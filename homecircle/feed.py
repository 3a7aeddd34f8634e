"""The feed: posts, newest first by an internal number, each for everyone or for named members.

A post is text of at most 4,000 characters and items of the vault; an audience that is final; never ranked. The author
may edit the text; the author, or an admin who can see it, may take it down: it is out of every page at once and in the
trash of the one who removed it for 30 days, who alone can put it back; the photos that came with it go and come along.
A creating form carries a once-key, so that a retry posts once.

Reading is two keyset arms joined by UNION ALL (posts for everyone; one `post_reader` row for each named member), so a
page costs the same at the first post and the millionth, and for a member who sees almost nothing (README, P2).
"""

from __future__ import annotations

import json
import unicodedata
from typing import NamedTuple

import peewee

from homecircle import audiences, db, events, members, vault
from homecircle.devices import places
from homecircle.errors import Invalid, NotAllowed, NotFound
from homecircle.vault import previews, together, using
from homecircle.vault.words import for_search

TEXT_LIMIT = 4000
ITEM_LIMIT = 200
MARK_LIMIT = 16
PAGE = 20


class Post(db.Model):
    """One post; see the module."""

    id = peewee.AutoField()
    public_id = peewee.TextField(default=db.random_id)
    author_id = peewee.IntegerField()
    text = peewee.TextField()
    words = peewee.TextField(default="")
    audience_id = peewee.IntegerField()
    shared_at = db.UtcField(default=db.now)
    edited_at = db.UtcField(null=True)
    deleted_at = db.UtcField(null=True)
    deleted_by = peewee.IntegerField(null=True)
    once = peewee.TextField()
    kind = peewee.TextField(default="")


class Entry(NamedTuple):
    """A post as a page reads it. `audience` is () for everyone, else the members' ids.

    `is_filling` says that more items are on their way to it (`drafts`). `kind` is '' or 'joined': the news that its
    author joined, whose words are made where it is read.
    """

    number: int
    id: str
    author_id: int
    text: str
    audience_id: int
    shared_at: int
    edited_at: int | None
    audience: tuple[int, ...]
    is_filling: bool = False
    kind: str = ""


class Ready(NamedTuple):
    """What is about to become a post: checked words, a known audience, internal ids of the author's items by place."""

    author_id: int
    text: str
    audience_id: int
    once: str
    items: dict[int, int]
    public_id: str = ""


def publish(author_id: int, text: str, item_ids: list[str], audience: list[str], once: str) -> Post:
    """Share a post with `audience` (public ids of members; none: everyone) and items that it may use, in that order.

    '' among the items leaves a place free (`drafts`). The same `once` of the same author again returns the post that
    is there already. Raises `Invalid` when there is neither text nor item, when the text is too long, or when an item
    may not be used for this audience (`vault.using`).
    """
    found = Post.get_or_none(Post.author_id == author_id, Post.once == once)
    if found is not None:
        return found
    text = clean_text(text, TEXT_LIMIT)
    check_something(text, item_ids)
    check_number(item_ids)
    with db.transaction():
        audience_id = audiences.named(author_id, audience)
        places = {each: item_ids.index(each) for each in item_ids if each}
        items = dict(zip(places.values(), using.usable(author_id, list(places), audience_id), strict=True))
        return put(Ready(author_id, text, audience_id, once, items))


def put(ready: Ready) -> Post:
    """Make it a post, with its place in the order, and tell its audience."""
    with db.transaction():
        try:
            with db.transaction():
                post = Post.create(
                    author_id=ready.author_id, text=ready.text, words=for_search(ready.text), once=ready.once,
                    audience_id=ready.audience_id, public_id=ready.public_id or db.random_id(),
                )  # fmt: skip
        except peewee.IntegrityError:  # the same form twice at the same moment
            return Post.get(Post.author_id == ready.author_id, Post.once == ready.once)
        together.note_use(list(ready.items.values()))
        for position, item in ready.items.items():
            db.rows("INSERT INTO post_item (post_id, position, item_id) VALUES (?, ?, ?)", post.id, position, item)
        previews.ask(post.id, ready.author_id, ready.text)
        _let_read(post)
        members.greeted(ready.author_id)
        events.record("post.published", post.public_id, ready.author_id, ready.audience_id, post_id=post.id)
    return post


def check_something(text: str, item_ids: list[str]) -> None:
    """Raise `Invalid` when there is nothing to share."""
    if not text and not any(item_ids):
        raise Invalid("Write something or add a photo first.", field="text")


def check_number(item_ids: list[str]) -> None:
    """Raise `Invalid` for more items than a post takes."""
    if len(item_ids) > ITEM_LIMIT:
        raise Invalid("At most 200 photos or videos in one post.", field="photos")


def tell_joined(member_id: int) -> Post:
    """Share the news that a member joined, as a post of theirs that can be answered; with their joining, in one."""
    with db.transaction():
        post = Post.create(author_id=member_id, text="", audience_id=audiences.EVERYONE, once="joined", kind="joined")
        events.place("member.joined", member_id, post.id)
    return post


def edit(post: Post, member_id: int, text: str) -> None:
    """Change the text. Only the author may; `Invalid` when nothing would be left or it is too long."""
    if post.author_id != member_id or post.kind:
        raise NotAllowed("Only the one who wrote this can change it.")
    text = clean_text(text, TEXT_LIMIT)
    if not text and not db.row("SELECT 1 FROM post_item WHERE post_id = ?", post.id):
        raise Invalid("Nothing would be left of this post. You can delete it instead.", field="text")
    with db.transaction():
        Post.update(text=text, words=for_search(text), edited_at=db.now()).where(Post.id == post.id).execute()
        previews.ask(post.id, member_id, text, before=post.text)
        events.record("post.edited", post.public_id, member_id, post.audience_id, post_id=post.id)


def take_down(post: Post, member_id: int, *, is_admin: bool) -> None:
    """Move a post to the trash of the one who removes it: its author, or an admin who can see it."""
    if post.author_id != member_id and not is_admin:
        raise NotAllowed("Only the one who wrote this can delete it.")
    with db.transaction():
        there = (Post.id == post.id) & Post.deleted_at.is_null()
        now = db.now()
        if not Post.update(deleted_at=now, deleted_by=member_id).where(there).execute():
            return  # somebody was faster; it lies in their trash
        together.leave(carrier(post), member_id, now)
        db.rows("DELETE FROM post_reader WHERE post_id = ?", post.id)
        if post.author_id != member_id and post.audience_id == audiences.EVERYONE:  # else the log would tell of it
            places.note_deed(member_id, "took-down", members.roster()[post.author_id].name)
        events.record("post.deleted", post.public_id, member_id, post.audience_id, post_id=post.id)


def put_back(public_id: str, member_id: int, reader: int) -> Post:
    """Take a post out of one's own trash. `NotFound` when it is not there, or its 30 days are over.

    `reader` is as whom the device may see (0 while it is limited).
    """
    found = Post.get_or_none(Post.public_id == public_id, Post.deleted_by == member_id)
    if found is None or found.deleted_at is None or found.deleted_at < db.now() - vault.TRASH_LASTS:
        raise NotFound
    if not audiences.may_see(reader, found.audience_id):
        raise NotFound
    with db.transaction():
        mine = (Post.id == found.id) & (Post.deleted_by == member_id) & Post.deleted_at.is_null(False)
        if not Post.update(deleted_at=None, deleted_by=None).where(mine).execute():
            return found  # the second tap
        together.come_back(carrier(found))
        _let_read(found)
        db.after_commit(previews.waiting.set)  # nobody asked for its links meanwhile
        events.record("post.restored", found.public_id, member_id, found.audience_id, post_id=found.id)
    return found


def carrier(post: Post) -> together.Carrier:
    """Return the post as what its items came with."""
    return together.Carrier("post", post.id, post.public_id, post.author_id)


def trash(member_id: int) -> list[Post]:
    """Return the posts in one's own trash, newest first."""
    mine = Post.select().where(Post.deleted_by == member_id, Post.deleted_at > db.now() - vault.TRASH_LASTS)
    return list(mine.order_by(Post.deleted_at.desc(), Post.id.desc()).limit(200))


def take_down_all(author_id: int) -> None:
    """Move every post of a member who leaves to their own trash, from which nobody takes them back."""
    with db.transaction():
        for post in Post.select().where(Post.author_id == author_id, Post.deleted_at.is_null()):
            take_down(post, author_id, is_admin=False)


def mark(post: Post, member_id: int, text: str) -> None:
    """Put one's one mark on a post that one may see: an emoji or at most 16 characters; a new one replaces it."""
    line = members.line(text, MARK_LIMIT, "mark", "Choose a mark, or write a few words.")
    with db.transaction():
        db.rows("INSERT OR REPLACE INTO mark (post_id, member_id, mark, made_at) VALUES (?, ?, ?, ?)",
                post.id, member_id, line, int(db.now().timestamp()))  # fmt: skip
        events.record("mark.made", post.public_id, member_id, post.audience_id, post_id=post.id)


def unmark(post: Post, member_id: int) -> None:
    """Take one's mark off again."""
    with db.transaction():
        db.rows("DELETE FROM mark WHERE post_id = ? AND member_id = ?", post.id, member_id)
        events.record("mark.removed", post.public_id, member_id, post.audience_id, post_id=post.id)


def marks_of(entries: list[Entry]) -> dict[int, list[tuple[int, str]]]:
    """Return (member id, mark) of each post by its number, in order of time; one statement for the whole page."""
    found: dict[int, list[tuple[int, str]]] = {}
    for number, member_id, text in db.rows(_MARKS, json.dumps([each.number for each in entries])):
        found.setdefault(number, []).append((member_id, text))
    return found


def get(public_id: str, member_id: int) -> Post:
    """Return a post that the member may see; `NotFound` for any other."""
    # asked by every page and reply under a post: 0.07 ms as a fixed text, 0.24 when peewee writes it
    found: Post | None = next(
        iter(Post.raw("SELECT * FROM post WHERE public_id = ? AND deleted_at IS NULL", public_id)), None
    )
    if found is None or not audiences.may_see(member_id, found.audience_id):
        raise NotFound
    return found


def entry(public_id: str, member_id: int) -> Entry:
    """Return one post as a page reads it; `NotFound` when the member may not see it."""
    found = db.row(_ONE, public_id, member_id)
    if found is None:
        raise NotFound
    return _entry(found)


def page(member_id: int, before: str = "", limit: int = PAGE) -> tuple[list[Entry], str]:
    """Return up to `limit` posts that the member may see, newest first, and the cursor for the next page or ''.

    `before` is the public id of the last post of the page before; one that is not (any more) there begins at the top.
    """
    upper = _number(before, 1 << 62)
    found = [_entry(row) for row in db.rows(_PAGE, upper, limit + 1, member_id, upper, limit + 1, limit + 1)]
    return found[:limit], found[limit - 1].id if len(found) > limit else ""


def newer(member_id: int, after: str, limit: int = PAGE) -> list[Entry]:
    """Return the posts that came after the post `after`, newest first, at most `limit`: what the pill brings."""
    lower = _number(after, 0)
    return [each for each in page(member_id, limit=limit)[0] if each.number > lower]


def by_author(author_id: int, member_id: int, before: str = "") -> tuple[list[Entry], str]:
    """Return a page of one author's posts that the member may see, and its cursor."""
    found = [_entry(row) for row in db.rows(_BY_AUTHOR, author_id, _number(before, 1 << 62), member_id, PAGE + 1)]
    return found[:PAGE], found[PAGE - 1].id if len(found) > PAGE else ""


def items_of(entries: list[Entry]) -> dict[int, list[vault.Tile]]:
    """Return the tiles of each post by its number; one statement for the whole page."""
    tiles: dict[int, list[vault.Tile]] = {}
    for row in db.rows(_TILES, json.dumps([each.number for each in entries])):
        tiles.setdefault(row[0], []).append(vault.tile(row[1:]))
    return tiles


def clean_text(text: str, limit: int) -> str:
    """Return NFC text with plain line breaks and no controls; `Invalid` when longer than `limit` characters."""
    normal = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    kept = "".join(x for x in normal if x == "\n" or unicodedata.category(x) not in {"Cc", "Cs", "Co"}).strip()
    if len(kept) > limit:
        raise Invalid("That is too long: at most %(limit)s letters. This has %(length)s.",
                      field="text", limit=limit, length=len(kept))  # fmt: skip
    return kept


def _let_read(post: Post) -> None:
    """Write the rows by which named members find the post."""
    if post.audience_id != audiences.EVERYONE:
        for member_id in audiences.members_of(post.audience_id):
            db.rows("INSERT INTO post_reader (member_id, post_id) VALUES (?, ?)", member_id, post.id)


def _number(public_id: str, otherwise: int) -> int:
    found = public_id and db.row("SELECT id FROM post WHERE public_id = ?", public_id)
    return int(found[0]) if found else otherwise


def _entry(row: tuple[object, ...]) -> Entry:
    names = str(row[7])
    return Entry._make((*row[:7], tuple(map(int, names.split(","))) if names else (), bool(row[8]), row[9]))


_COLUMNS = """post.id, public_id, author_id, text, post.audience_id, shared_at, edited_at, audience.members,
  EXISTS (SELECT 1 FROM coming WHERE coming.post = public_id), post.kind"""
_PAGE = f"""
SELECT * FROM (
  SELECT * FROM (SELECT {_COLUMNS} FROM post JOIN audience ON audience.id = audience_id
    WHERE audience_id = {audiences.EVERYONE} AND deleted_at IS NULL AND post.id < ? ORDER BY post.id DESC LIMIT ?)
  UNION ALL
  SELECT * FROM (SELECT {_COLUMNS} FROM post_reader AS mine JOIN post ON post.id = mine.post_id
    JOIN audience ON audience.id = audience_id
    WHERE mine.member_id = ? AND mine.post_id < ? ORDER BY mine.post_id DESC LIMIT ?)
) ORDER BY 1 DESC LIMIT ?"""
_ONE = f"""
SELECT {_COLUMNS} FROM post JOIN audience ON audience.id = audience_id
WHERE public_id = ? AND deleted_at IS NULL AND {audiences.VISIBLE}"""
_BY_AUTHOR = f"""
SELECT {_COLUMNS} FROM post JOIN audience ON audience.id = audience_id
WHERE author_id = ? AND post.id < ? AND deleted_at IS NULL AND {audiences.VISIBLE} ORDER BY post.id DESC LIMIT ?"""
_MARKS = """
SELECT post_id, member_id, mark FROM mark WHERE post_id IN (SELECT value FROM json_each(?)) ORDER BY post_id, made_at"""
_TILES = f"""
SELECT post_item.post_id, {vault.TILE_COLUMNS} FROM post_item
JOIN item ON item.id = post_item.item_id AND item.deleted_at IS NULL JOIN original ON original.id = item.original_id
WHERE post_item.post_id IN (SELECT value FROM json_each(?)) ORDER BY post_item.post_id, post_item.position"""
