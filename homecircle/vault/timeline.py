"""The vault in the order of the camera's clock: months with counts, pages of a month, on this day, and the trash.

Who may see an item, and where it stands in time, is `item_place`, kept by triggers (migration 0004): one row for
everyone, else one for each member. So each question here is two keyset arms, and a vault of 100,000 items answers like
one of a hundred (README, P6). A moment is a number as one reads it, 20260703142005; a month is 202607.

An item goes into the trash of the one who removes it: the one who added it, or an admin who sees it; for 30 days, and
only that one can put it back.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Any, NamedTuple

from homecircle import audiences, db, events, members, vault
from homecircle.devices import places
from homecircle.errors import NotAllowed, NotFound
from homecircle.vault import Item
from homecircle.vault.filters import ALL, Choice, Filter
from homecircle.vault.words import for_search

PAGE = 180  # fills rows of 3, 4, 5 and 6
CAPTION_LIMIT = 300
DESCRIPTION_LIMIT = 1000
NEARBY = 3  # days round this one, where there is no memory of the day itself
FOR_EVER = 99999999
PHOTOS, FILES = 0, 1  # the shelves


class Shot(NamedTuple):
    """A tile of the vault's grid and when it was taken, by the camera's own clock."""

    tile: vault.Tile
    at: dt.datetime


class Month(NamedTuple):
    """One month that holds something: 202607 and how many photos and videos."""

    number: int
    size: int


class Memory(NamedTuple):
    """What was on this day of an earlier year: the day, how many years ago, how many shots, and the first."""

    day: dt.date
    years: int
    size: int
    shot: Shot


class About(NamedTuple):
    """What a page says about one item. `post` is the public id of the newest post one may see it in, or ''.

    `has_place`: the file tells where it was taken. `arrival`: see `vault.Label`; its owner's business alone.
    `is_measured`: width and height are the file's own, not those of the picture that stands in for a too large one.
    """

    member_id: int
    at: dt.datetime
    added_at: dt.datetime
    camera: str
    post: str
    has_place: bool
    arrival: str
    is_measured: bool


def months(member_id: int, wanted: Filter = ALL) -> list[Month]:
    """Return the months that hold something (of what is wanted) the member may see, newest first."""
    if wanted == ALL:
        return [Month(*row) for row in db.rows(_MONTHS, {"me": member_id})]
    counted = _COUNTED.format(wanted=wanted.condition)
    return [Month(*row) for row in db.rows(counted, {"me": member_id, "first": 0, "end": 1 << 62, **wanted.values})]


def size(member_id: int, month: int, wanted: Filter = ALL) -> int:
    """Return how many shots (of those wanted) a month holds for the member."""
    first, end = month * 10**8, (month + 1) * 10**8
    values = {"me": member_id, "first": first, "end": end, **wanted.values}
    found = db.row(_COUNTED.format(wanted=wanted.condition), values)
    return int(found[1]) if found else 0


def page(
    member_id: int, month: int, after: str = "", limit: int = PAGE, wanted: Filter = ALL
) -> tuple[list[Shot], str]:
    """Return up to `limit` shots of a month (202607), newest first, and the cursor of the next page or ''."""
    first, end = month * 10**8, (month + 1) * 10**8
    return _page(_ask(member_id, PHOTOS, first, end, limit), after, wanted)


def files(member_id: int, after: str = "", limit: int = PAGE) -> tuple[list[Shot], str]:
    """Return a page of what is kept without being shown, newest first, and its cursor."""
    return _page(_ask(member_id, FILES, 0, 1 << 62, limit), after)


def added_by(public_ids: list[str]) -> dict[str, int]:
    """Return who added each of these items (that were found through the member who asks)."""
    return dict(db.rows(_ADDED_BY, json.dumps(public_ids)))


def of_post(public_id: str, member_id: int) -> list[Shot]:
    """Return every item of a post that the member may see, in its order; `NotFound` for any other post."""
    found = db.row(f"SELECT id FROM post WHERE public_id = ? AND deleted_at IS NULL AND {audiences.VISIBLE}",
                   public_id, member_id)  # fmt: skip
    if found is None:
        raise NotFound
    return [_shot(row) for row in db.rows(_OF_POST, found[0])]


def some(public_ids: list[str], member_id: int) -> dict[str, Shot]:
    """Return those of the items that the member may see, by their public ids; one statement."""
    found = [_shot(row) for row in db.rows(_SOME, {"ids": json.dumps(public_ids), "me": member_id})]
    return {shot.tile.id: shot for shot in found}


def first_of(post_ids: list[str]) -> dict[str, str]:
    """Return the public ids of the first items of posts that the member may see, by those of the posts."""
    return {post: item for post, item in db.rows(_FIRST_OF, json.dumps(post_ids)) if item}


def about(public_id: str, member_id: int) -> About:
    """Return what is known of an item that the member may see (ask `vault.get` first)."""
    found = db.row(_ABOUT, {"id": public_id, "me": member_id})
    if found is None:
        raise NotFound
    return About(found[0], _moment(found[1]), db.moment(found[2]), found[3], found[4] or "", bool(found[5]), found[6],
                 bool(found[7]))  # fmt: skip


def posts_with(public_id: str, member_id: int) -> list[Choice]:
    """Return the posts the member may see that show an item, themselves or in a reply, newest first."""
    return [Choice._make(row) for row in db.rows(_POSTS_WITH, {"id": public_id, "me": member_id})]


def describe(public_id: str, member_id: int, caption: str, description: str) -> None:
    """Change the caption and the description (what is read out) of one's own item.

    `Invalid` on the field that is too long; `NotAllowed` for somebody else's.
    """
    found = _mine(public_id, member_id)
    caption = members.line(caption, CAPTION_LIMIT, "caption")
    description = members.line(description, DESCRIPTION_LIMIT, "description")
    said = for_search(f"{caption} {description} {found.name}")
    with db.transaction():
        Item.update(caption=caption, description=description, words=said).where(Item.id == found.id).execute()
        events.record("item.described", public_id, member_id, audiences.of([member_id]))


def remove(public_ids: list[str], member_id: int, reader: int, *, is_admin: bool) -> None:
    """Move items to the member's trash. `NotAllowed` when one of them is not theirs to remove.

    `reader` is as whom the device may see (0 while it is limited): `NotFound` for what it may not.
    """
    with db.transaction():
        told: set[int] = set()
        for public_id in public_ids:
            owner = about(public_id, reader).member_id
            if owner != member_id and not is_admin:
                raise NotAllowed("Only the one who added this can delete it.")
            if (
                owner != member_id and owner not in told and db.row(_FOR_EVERYONE, public_id)
            ):  # else the log tells of it
                told.add(owner)
                places.note_deed(member_id, "took-away", members.roster()[owner].name)
            Item.update(deleted_at=db.now(), deleted_by=member_id).where(Item.public_id == public_id).execute()
            events.record("item.deleted", public_id, member_id, audiences.of([member_id]))


def put_back(public_id: str, member_id: int) -> None:
    """Take an item out of one's own trash. `NotFound` when it is not there, or its 30 days are over."""
    found = Item.get_or_none(Item.public_id == public_id, Item.deleted_by == member_id)
    if found is None or found.deleted_at is None or found.deleted_at < db.now() - vault.TRASH_LASTS:
        raise NotFound
    with db.transaction():
        Item.update(deleted_at=None, deleted_by=None, left_with="").where(Item.id == found.id).execute()
        events.record("item.restored", public_id, member_id, audiences.of([member_id]))


def trash(member_id: int) -> list[tuple[vault.Tile, dt.datetime]]:
    """Return the items in one's own trash and when each went there, newest first."""
    oldest = int((db.now() - vault.TRASH_LASTS).timestamp())
    return [(vault.tile(row[1:]), db.moment(row[0])) for row in db.rows(_TRASH, member_id, oldest, PAGE)]


def memory(member_id: int, today: dt.date, reader: int) -> Memory | None:
    """Return the one memory of `today`, or None: nothing there, or the member does not want one (any more) today.

    `reader` is as whom the device may see. Of the earlier years the one whose posts were marked and answered most; days
    near this one where it has none.
    """
    for near in (0, NEARBY):
        days = [_day(today + dt.timedelta(days=each)) % 10000 for each in range(-near, near + 1)]
        values = {"who": member_id, "me": reader, "days": json.dumps(days), "today": _day(today), "year": today.year}
        found = db.row(_MEMORY, values)
        if found:
            day = _date(found[0])
            return Memory(day, today.year - day.year, found[1], on_day(reader, day, 1)[0])
    return None


def on_day(member_id: int, day: dt.date, limit: int = PAGE) -> list[Shot]:
    """Return the shots of one day that the member may see, earliest first."""
    first = _day(day) * 10**6
    asked = _ask(member_id, PHOTOS, first, first + 10**6, limit) | {"at": first + 10**6, "item": 1 << 62}
    return [_shot(row) for row in reversed(db.rows(_PAGE, asked))]


def hide_memory(member_id: int, today: dt.date, day: dt.date | None = None) -> None:
    """Show the member no memory today; with `day`, never again the one of that day."""
    number, until = (0, _day(today)) if day is None else (_day(day), FOR_EVER)
    with db.transaction():
        db.rows("INSERT OR REPLACE INTO memory_hidden (member_id, day, until) VALUES (?, ?, ?)",
                member_id, number, until)  # fmt: skip


def _mine(public_id: str, member_id: int) -> Item:
    found = Item.get_or_none(Item.public_id == public_id, Item.deleted_at.is_null())
    if found is None:
        raise NotFound
    if found.member_id != member_id:
        raise NotAllowed("Only the one who added this can change it.")
    return found


def _ask(member_id: int, shelf: int, first: int, end: int, limit: int) -> dict[str, int]:
    return {"me": member_id, "shelf": shelf, "first": first, "at": end, "item": 0, "limit": limit}


def _page(asked: dict[str, int], after: str, wanted: Filter = ALL) -> tuple[list[Shot], str]:
    """One page and its cursor; `after` is the public id of the last shot of the page before."""
    place = after and db.row(_PLACE, {"id": after, "me": asked["me"]})
    if place and place[0] < asked["at"]:
        asked |= {"at": place[0], "item": place[1]}
    limit = asked["limit"]
    sql = _PAGE if wanted == ALL else _WANTED.format(wanted=wanted.condition)
    found = [_shot(row) for row in db.rows(sql, asked | {"limit": limit + 1} | wanted.values)]
    return found[:limit], found[limit - 1].tile.id if len(found) > limit else ""


def _shot(row: tuple[Any, ...]) -> Shot:
    return Shot(vault.tile(row[1:]), _moment(row[0]))


def _moment(at: int) -> dt.datetime:
    """A wall clock's moment from its number; it has no zone."""
    day, clock = divmod(at, 10**6)
    return dt.datetime.combine(_date(day), dt.time(clock // 10000, clock // 100 % 100, clock % 100))


def _date(day: int) -> dt.date:
    return dt.date(day // 10000, day // 100 % 100, day % 100)


def _day(day: dt.date) -> int:
    return day.year * 10000 + day.month * 100 + day.day


# The preview is left out: in a grid of 200 it would weigh more than the page.
_COLUMNS = vault.TILE_COLUMNS.replace("original.preview", "''")
_MONTHS = """
SELECT month, sum(n) FROM item_month WHERE reader_id IN (0, :me) GROUP BY month HAVING sum(n) > 0 ORDER BY month DESC"""
_ARM = """
SELECT * FROM (SELECT at, item_id FROM item_place WHERE reader_id = {who} AND shelf = :shelf AND at >= :first
  AND (at, item_id) < (:at, :item) ORDER BY at DESC, item_id DESC LIMIT :limit)"""
# A device that reads as nobody (0) must not have everyone's arm twice.
_PAGE = f"""
SELECT place.at, {_COLUMNS} FROM (
  SELECT at, item_id FROM ({_ARM.format(who="0")} UNION ALL {_ARM.format(who="nullif(:me, 0)")})
  ORDER BY at DESC, item_id DESC LIMIT :limit) AS place
CROSS JOIN item ON item.id = place.item_id CROSS JOIN original ON original.id = item.original_id
ORDER BY place.at DESC, place.item_id DESC"""
# Of a filtered set: every place of the month (or of all) is looked at. A place for everyone is there for nobody else.
_WANTED = f"""
SELECT place.at, {_COLUMNS} FROM item_place AS place CROSS JOIN item ON item.id = place.item_id
CROSS JOIN original ON original.id = item.original_id
WHERE place.reader_id IN (0, :me) AND shelf = :shelf AND place.at >= :first
  AND (place.at, place.item_id) < (:at, :item) AND {{wanted}}
ORDER BY place.at DESC, place.item_id DESC LIMIT :limit"""
_COUNTED = """
SELECT place.at / 100000000 AS month, count(*) FROM item_place AS place JOIN item ON item.id = place.item_id
WHERE place.reader_id IN (0, :me) AND shelf = 0 AND place.at >= :first AND place.at < :end AND {wanted}
GROUP BY 1 ORDER BY 1 DESC"""
_PLACE = """
SELECT at, item_id FROM item_place WHERE item_id = (SELECT id FROM item WHERE public_id = :id) AND reader_id IN (0, :me)
LIMIT 1"""
_OF_POST = f"""
SELECT place.at, {vault.TILE_COLUMNS} FROM post_item
JOIN item ON item.id = post_item.item_id AND item.deleted_at IS NULL JOIN original ON original.id = item.original_id
JOIN (SELECT item_id, max(at) AS at FROM item_place WHERE item_id IN (
  SELECT item_id FROM post_item WHERE post_id = ?1) GROUP BY item_id) AS place ON place.item_id = item.id
WHERE post_item.post_id = ?1 ORDER BY position"""
_ADDED_BY = "SELECT public_id, member_id FROM item WHERE public_id IN (SELECT value FROM json_each(?))"
_SOME = f"""
SELECT place.at, {_COLUMNS} FROM item JOIN original ON original.id = item.original_id
JOIN item_place AS place ON place.item_id = item.id AND place.reader_id IN (0, :me)
WHERE item.public_id IN (SELECT value FROM json_each(:ids)) AND item.deleted_at IS NULL"""
_FIRST_OF = """
SELECT public_id, (SELECT item.public_id FROM post_item JOIN item ON item.id = item_id AND item.deleted_at IS NULL
  WHERE post_id = post.id ORDER BY position LIMIT 1) FROM post WHERE public_id IN (SELECT value FROM json_each(?))"""
_FOR_EVERYONE = """
SELECT 1 FROM item_place JOIN item ON item.id = item_id WHERE item.public_id = ? AND reader_id = 0"""
_MAY_SEE = audiences.VISIBLE.replace("audience_id", "post.audience_id", 2).replace("?", ":me")
_ABOUT = f"""
SELECT item.member_id, place.at, item.added_at, original.camera, (
  SELECT post.public_id FROM post WHERE post.id = (SELECT max(post.id) FROM post WHERE post.deleted_at IS NULL
    AND {_MAY_SEE} AND post.id IN (
      SELECT post_id FROM post_item WHERE item_id = item.id
      UNION SELECT post_id FROM message_item JOIN message ON message.id = message_id AND message.deleted_at IS NULL
        WHERE item_id = item.id))), original.has_place, item.arrival,
  original.poster_id IS NULL OR item.kind = 'video'
FROM item JOIN original ON original.id = item.original_id
JOIN item_place AS place ON place.item_id = item.id AND place.reader_id IN (0, :me)
WHERE item.public_id = :id AND item.deleted_at IS NULL"""
_POSTS_WITH = f"""
SELECT post.public_id, post.author_id, post.text, post.kind, post.shared_at FROM item JOIN post ON post.id IN (
  SELECT post_id FROM post_item WHERE item_id = item.id
  UNION SELECT post_id FROM message_item JOIN message ON message.id = message_id AND message.deleted_at IS NULL
    WHERE item_id = item.id)
WHERE item.public_id = :id AND item.deleted_at IS NULL AND post.deleted_at IS NULL AND {_MAY_SEE}
ORDER BY post.id DESC LIMIT 20"""
_TRASH = f"""
SELECT item.deleted_at, {vault.TILE_COLUMNS} FROM item JOIN original ON original.id = item.original_id
WHERE item.deleted_by = ? AND item.deleted_at > ?
  AND NOT EXISTS (SELECT 1 FROM post WHERE item.left_with <> '' AND post.public_id = item.left_with)
ORDER BY item.deleted_at DESC, item.id DESC LIMIT ?"""
_MEMORY = """
SELECT place.at / 1000000 AS day, count(*) AS n, (
  SELECT count(*) FROM (
    SELECT DISTINCT post_id FROM post_item WHERE item_id IN (SELECT item_id FROM item_place AS same
      WHERE same.reader_id IN (0, :me) AND same.shelf = 0 AND same.at / 1000000 % 10000 = place.at / 1000000 % 10000
        AND same.at / 1000000 = place.at / 1000000)) AS told
  LEFT JOIN mark ON mark.post_id = told.post_id
  LEFT JOIN message ON message.post_id = told.post_id AND message.deleted_at IS NULL
  WHERE mark.mark IS NOT NULL OR message.id IS NOT NULL) AS warmth
FROM json_each(:days) AS each
CROSS JOIN item_place AS place ON place.reader_id IN (0, nullif(:me, 0)) AND place.shelf = 0
  AND place.at / 1000000 % 10000 = each.value AND place.at < :year * 10000000000
WHERE NOT EXISTS (SELECT 1 FROM memory_hidden WHERE member_id = :who AND until >= :today
  AND day IN (0, place.at / 1000000))
GROUP BY 1 ORDER BY warmth DESC, n DESC, day DESC LIMIT 1"""
