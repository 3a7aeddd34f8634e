"""Photos that came with a post (or a reply): they leave the vault with it, and come back with it.

Only the author's own, and only those that stand in nothing else that is still there and were not shared from the vault
itself. What lay in the vault by itself before it was used stays. `item.left_with` names the post in whose place in the
trash an item lies; one that left with a reply has a line of its own there, since a reply has none.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import NamedTuple

from homecircle import db

COMING_LASTS = dt.timedelta(days=1)  # what is chosen for a post later than that lay in the vault by itself


class Carrier(NamedTuple):
    """What items came with: kind ('post' or 'message'), internal number, public id, author."""

    kind: str
    number: int
    id: str
    author_id: int


def leave(carrier: Carrier, by: int, at: dt.datetime) -> None:
    """Move the items that came with a post or reply to the trash of the one who removes it; in its transaction."""
    db.rows(_LEAVE.format(items=_ITEMS[carrier.kind]),
            carrier._asdict() | {"by": by, "at": int(at.timestamp())})  # fmt: skip


def come_back(carrier: Carrier) -> None:
    """Put the items back that left with a post or reply (or with another one in which they stood, too)."""
    db.rows(_COME_BACK.format(items=_ITEMS[carrier.kind]), carrier._asdict())


def note_use(items: list[int]) -> None:
    """These (internal ids) are chosen for a post: what is old and stands nowhere lay in the vault by itself."""
    if items:
        db.rows(_BY_ITSELF, json.dumps(items), int((db.now() - COMING_LASTS).timestamp()))


def sizes(public_ids: list[str]) -> dict[str, int]:
    """Return how many items left with each of these posts."""
    return dict(db.rows(_SIZES, json.dumps(public_ids)))


def left_with(public_id: str) -> list[str]:
    """Return the public ids of the items that left with a post."""
    return [row[0] for row in db.rows("SELECT public_id FROM item WHERE left_with = ?", public_id)]


def hand_over(public_id: str) -> None:
    """A post goes for good: what left with it and stands in another post in the trash, too, lies there from now on."""
    db.rows(_HAND_OVER, {"id": public_id})


_ITEMS = {
    "post": """SELECT item_id FROM post_item WHERE post_id = :number
      UNION SELECT item_id FROM message_item JOIN message ON message.id = message_id AND message.deleted_at IS NULL
        WHERE message.post_id = :number""",
    "message": "SELECT item_id FROM message_item WHERE message_id = :number",
}
_LEAVE = """
UPDATE item SET deleted_at = :at, deleted_by = :by, left_with = :id
WHERE id IN ({items}) AND member_id = :author_id AND came_with AND deleted_at IS NULL AND audience_id IS NULL
  AND NOT EXISTS (SELECT 1 FROM post_item JOIN post ON post.id = post_id AND post.deleted_at IS NULL
    WHERE item_id = item.id)
  AND NOT EXISTS (SELECT 1 FROM message_item JOIN message ON message.id = message_id AND message.deleted_at IS NULL
    JOIN post ON post.id = message.post_id AND post.deleted_at IS NULL WHERE item_id = item.id)"""
_COME_BACK = """
UPDATE item SET deleted_at = NULL, deleted_by = NULL, left_with = '' WHERE id IN ({items}) AND left_with <> ''"""
_BY_ITSELF = """
UPDATE item SET came_with = 0 WHERE came_with AND id IN (SELECT value FROM json_each(?)) AND added_at < ?
  AND NOT EXISTS (SELECT 1 FROM post_item WHERE item_id = item.id)
  AND NOT EXISTS (SELECT 1 FROM message_item WHERE item_id = item.id)"""
_SIZES = """
SELECT left_with, count(*) FROM item WHERE left_with <> '' AND left_with IN (SELECT value FROM json_each(?))
GROUP BY left_with"""
_OTHER = """SELECT post.id FROM post WHERE post.deleted_at IS NOT NULL AND post.public_id <> :id AND post.id IN (
    SELECT post_id FROM post_item WHERE item_id = item.id
    UNION SELECT post_id FROM message_item JOIN message ON message.id = message_id WHERE item_id = item.id)
  ORDER BY post.deleted_at DESC LIMIT 1"""
_HAND_OVER = f"""
UPDATE item SET (left_with, deleted_at, deleted_by) = (
  SELECT public_id, deleted_at, deleted_by FROM post AS other WHERE other.id = ({_OTHER}))
WHERE left_with = :id AND EXISTS ({_OTHER})"""
