"""What of the vault one wants to see: who added it, photos or videos, marked by oneself, from which post.

A filter only narrows what `timeline` shows; who may see what is decided there and nowhere else. A post one may not see
is none; a mark counts only on a post one may see.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from homecircle import audiences, db, members
from homecircle.errors import NotFound

KINDS = ("photo", "video")
CHOICES = 24  # posts to choose from: the newest with photos


class Filter(NamedTuple):
    """What to keep: items that this member added, of this kind, in posts with this member's mark, in this post.

    A field that is 0 or '' asks for nothing.
    """

    by: int = 0
    kind: str = ""
    marked: int = 0
    post: int = 0

    @property
    def condition(self) -> str:
        """A condition on `item` in SQL; its values are `values`."""
        return " AND ".join(sql for name, sql in _CONDITIONS.items() if getattr(self, name)) or "1"

    @property
    def values(self) -> dict[str, int | str]:
        """The values of `condition`, by name."""
        return {f"f_{name}": value for name, value in self._asdict().items()}


class Choice(NamedTuple):
    """A post with photos, to choose from."""

    id: str
    author_id: int
    text: str
    kind: str
    shared_at: int


ALL = Filter()


def chosen(by: str, kind: str, marked: int, post: Choice | None) -> Filter:
    """Return the filter of those words of a page; what is none of the house's is `NotFound`."""
    found = {face.id: number for number, face in members.roster().items()}
    if (by and by not in found) or (kind and kind not in KINDS):
        raise NotFound
    number = db.row("SELECT id FROM post WHERE public_id = ?", post.id)[0] if post else 0
    return Filter(found.get(by, 0), kind, marked, number)


def post(public_id: str, reader: int) -> Choice:
    """Return one post to choose; `NotFound` when the member may not see it."""
    found = db.row(_ONE, {"id": public_id, "me": reader})
    if found is None:
        raise NotFound
    return Choice._make(found)


def posts(reader: int) -> list[Choice]:
    """Return the newest posts with photos that the member may see."""
    return [Choice._make(row) for row in db.rows(_POSTS, {"me": reader, "limit": CHOICES})]


def said_with(public_ids: list[str]) -> list[tuple[int, str]]:
    """Return (author, words) of the post for everyone that was first shared with most of these items, or nothing."""
    return [(author, text) for author, text in db.rows(_SAID_WITH, json.dumps(public_ids))]


_MAY_SEE = audiences.VISIBLE.replace("?", ":me")
_IN_POSTS = """item.id IN (
  SELECT item_id FROM post_item WHERE post_id {posts} UNION ALL
  SELECT item_id FROM message_item JOIN message ON message.id = message_id AND message.deleted_at IS NULL
    WHERE message.post_id {posts})"""
_MARKED = f"""IN (SELECT post.id FROM mark JOIN post ON post.id = mark.post_id AND post.deleted_at IS NULL
  WHERE mark.member_id = :f_marked AND {_MAY_SEE})"""
_CONDITIONS = {
    "by": "item.member_id = :f_by",
    "kind": "item.kind = :f_kind",
    "marked": _IN_POSTS.format(posts=_MARKED),
    "post": _IN_POSTS.format(posts="= :f_post"),
}
_COLUMNS = "public_id, author_id, text, kind, shared_at"
_ONE = f"SELECT {_COLUMNS} FROM post WHERE public_id = :id AND deleted_at IS NULL AND {_MAY_SEE}"
_WITH_ITEMS = "EXISTS (SELECT 1 FROM post_item WHERE post_item.post_id = {id})"
_POSTS = f"""
SELECT {_COLUMNS} FROM post WHERE id IN (
  SELECT id FROM (SELECT id FROM post WHERE audience_id = {audiences.EVERYONE} AND deleted_at IS NULL
    AND {_WITH_ITEMS.format(id="post.id")} ORDER BY id DESC LIMIT :limit)
  UNION ALL
  SELECT post_id FROM (SELECT post_id FROM post_reader WHERE member_id = :me
    AND {_WITH_ITEMS.format(id="post_reader.post_id")} ORDER BY post_id DESC LIMIT :limit))
ORDER BY id DESC LIMIT :limit"""
_SAID_WITH = f"""
SELECT author_id, text FROM post WHERE id = (
  SELECT post.id FROM item JOIN post_item ON post_item.item_id = item.id JOIN post ON post.id = post_item.post_id
  WHERE item.public_id IN (SELECT value FROM json_each(?)) AND post.deleted_at IS NULL AND post.text <> ''
    AND post.audience_id = {audiences.EVERYONE} GROUP BY post.id ORDER BY count(*) DESC, post.id LIMIT 1)"""
