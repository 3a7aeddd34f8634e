"""The vault: what the family keeps. An item is a photo, video, link or file with its own uploader, caption, audience.

Originals are plain files, byte for byte, named by date and content: ``vault/2026/07/20260703-142005-1a2b3c4d5e6f.jpg``.
The same bytes twice are one `Original` and two items: joined at the file, only after all arrived and the whole hash is
equal. File first, row second: a crash leaves an orphan file, never a row without its file.

Renditions are drawn afterwards (`renditions`). Where that stands is in the row (pending, ready, failed, kept), so a
restart goes on where it stopped; 'kept' is a kind that is never drawn. Visible is what one added oneself, what
stands in a post one may see, and what was shared from the vault itself with one; the rest does not exist.

An item that stands in no post is only for the one who added it, until they say for whom it is: once, and for good.

What is neither picture nor film is kept by choice, as a file for download. Nothing can be taken out of it, so others
get it only when the one who added it has opened it for them (`place_shared`: as it is, with everything in it). What
should be a picture and cannot be drawn is a file, too: it stands in no month, and a page says why.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
import threading
from pathlib import Path
from typing import Any, NamedTuple

import peewee

from homecircle import audiences, db, events
from homecircle.errors import Conflict, Invalid, NotFound
from homecircle.files import Folder, sha256
from homecircle.vault import images
from homecircle.vault.naming import clean, place
from homecircle.vault.naming import taken_hint as taken_hint
from homecircle.vault.serving import EDGES as EDGES
from homecircle.vault.serving import ENDINGS as ENDINGS
from homecircle.vault.serving import SEEN, UNTYPED
from homecircle.vault.serving import VISIBLE as VISIBLE
from homecircle.vault.serving import Drawn as Drawn
from homecircle.vault.serving import Kept as Kept
from homecircle.vault.serving import drawn_from as drawn_from
from homecircle.vault.serving import original as original
from homecircle.vault.serving import picture as picture
from homecircle.vault.serving import rendition as rendition
from homecircle.vault.words import for_search

HEAD = 128 << 10
TRASH_LASTS = dt.timedelta(days=30)  # posts, replies and links lie there as long as what is in them
ARRIVALS = ("", "equal", "different")  # see `Label`

coming: set[str] = set()  # SHA-256 of files that lie in their place and have no row yet


class Original(db.Model):
    """One file of the vault and what was found in it; see the module."""

    id = peewee.AutoField()
    sha256 = peewee.TextField()
    size = peewee.IntegerField()
    media_type = peewee.TextField()
    path = peewee.TextField()
    stamp = peewee.TextField(default=db.random_id)
    state = peewee.TextField(default="pending")
    reason = peewee.TextField(default="")
    width = peewee.IntegerField(default=0)
    height = peewee.IntegerField(default=0)
    taken = peewee.TextField(null=True)
    camera = peewee.TextField(default="")
    has_place = peewee.BooleanField(default=False)
    duration = peewee.FloatField(default=0)
    poster_id = peewee.IntegerField(null=True)
    blanks = peewee.TextField(null=True)
    preview = peewee.TextField(default="")
    drawings = peewee.TextField(default="[]")
    moves = peewee.BooleanField(default=False)
    arrived_at = db.UtcField(default=db.now)


class Item(db.Model):
    """A member's photo, video or file; see the module."""

    id = peewee.AutoField()
    public_id = peewee.TextField(default=db.random_id)
    original_id = peewee.IntegerField()
    member_id = peewee.IntegerField()
    kind = peewee.TextField()
    name = peewee.TextField()
    caption = peewee.TextField(default="")
    description = peewee.TextField(default="")
    words = peewee.TextField(default="")
    taken = peewee.TextField(null=True)
    place_shared = peewee.BooleanField(default=False)
    audience_id = peewee.IntegerField(null=True)
    added_at = db.UtcField(default=db.now)
    deleted_at = db.UtcField(null=True)
    deleted_by = peewee.IntegerField(null=True)
    came_with = peewee.BooleanField(default=False)
    left_with = peewee.TextField(default="")
    arrival = peewee.TextField(default="")


class Tile(NamedTuple):
    """An item as a page draws it. The URLs are '' until the picture is ready.

    `moving` is the URL of a picture that moves, else ''. `opened`: others may have the original as it is.
    """

    id: str
    kind: str
    name: str
    caption: str
    description: str
    state: str
    reason: str
    width: int
    height: int
    size: int
    preview: str
    small: str
    medium: str
    large: str
    original: str
    moving: str
    opened: bool


class Label(NamedTuple):
    """What is known of a file beside its bytes. `audience_id` None: only for the one who adds it.

    `came_with`: it comes for a post or a reply, and will go with it (`together`). `arrival`: 'equal' to what lies on
    its sender's device, or 'different', byte for byte; '' when only the size is known.
    """

    caption: str = ""
    description: str = ""
    audience_id: int | None = None
    came_with: bool = False
    arrival: str = ""


UNLABELLED = Label()


class Arrived(NamedTuple):
    """A complete file on its way into the vault: where its bytes will lie, and what they are."""

    path: str
    sha256: str
    size: int
    media_type: str
    taken: str | None
    name: str
    opened: bool = False


class UnknownKind(Invalid):
    """Neither a picture nor a film: kept only when somebody says so."""


def keep(folder: Folder, spooled: Path, name: str, member_id: int, label: Label = UNLABELLED) -> Item:
    """Take a complete, settled file out of `tmp` into the vault and return its item: `examine`, `settle_in`, `add`."""
    arrived = examine(spooled, name)
    settle_in(folder, spooled, arrived)
    return add(folder, arrived, member_id, label)


def examine(
    spooled: Path, name: str, modified: dt.datetime | None = None, digest: str = "", any_kind: bool = False
) -> Arrived:
    """Say what a complete file is, and hash the whole of it, unless its SHA-256 is known (`digest`).


    `name` is what the sender calls it, `modified` the sender's date of the file. Raises `Invalid` for an empty file,
    and, unless it may be of `any_kind`, `UnknownKind` for what is neither a picture nor a video; it stays where it is.
    """
    with spooled.open("rb") as handle:
        head = handle.read(HEAD)
    media_type, name = images.sniff(head), clean(name)
    if not head:
        raise Invalid("“%(name)s” is empty.", field="photos", name=name)
    if media_type is None and not any_kind:
        raise UnknownKind("“%(name)s” is no picture or video that HomeCircle can show.", field="photos", name=name)
    digest, taken = digest or sha256(spooled), taken_hint(head, modified)
    path = place(taken, digest, media_type or "", name)
    return Arrived(path, digest, spooled.stat().st_size, media_type or UNTYPED, taken, name)


def settle_in(folder: Folder, spooled: Path, arrived: Arrived) -> None:
    """Move the file to its place, unless the same bytes lie in the vault already. May be run again after a crash.

    An original whose file was lost gets it back. From here to the row that `add` writes, the same bytes of somebody
    else do not leave the vault, and the file stands in `leftover`: where the house goes down in between, `trash.settle`
    knows by that, and by nothing else, that it may go.
    """
    with db.transaction():
        coming.add(arrived.sha256)
        known = Original.get_or_none(Original.sha256 == arrived.sha256)
        if known is None:
            db.rows("INSERT OR REPLACE INTO leftover (path, sha256) VALUES (?, ?)", arrived.path, arrived.sha256)
        else:
            db.rows("DELETE FROM leftover WHERE path = ?", known.path)
    if known is not None:
        _bring_home(folder, spooled, known)
    elif spooled.exists() or not (folder.root / arrived.path).exists():
        folder.move(spooled, folder.root / arrived.path)


def add(folder: Folder, arrived: Arrived, member_id: int, label: Label = UNLABELLED) -> Item:
    """Write the row of a file that lies in its place: a new original, or one more item of the same bytes."""
    words = f"{label.caption} {label.description} {arrived.name}".strip()
    with db.transaction():
        original = _original(arrived)
        kind = kind_of(original.media_type, original.state, original.reason)
        item = Item.create(original_id=original.id, member_id=member_id, name=arrived.name,
                           caption=label.caption, description=label.description, audience_id=label.audience_id,
                           words=for_search(words), taken=original.taken or arrived.taken, kind=kind,
                           place_shared=arrived.opened and kind == "file",
                           came_with=label.came_with, arrival=label.arrival)  # fmt: skip
        events.record("item.added", item.public_id, member_id, label.audience_id or audiences.of([member_id]))
    _remove_second(folder, arrived, original)
    return item


def replace(folder: Folder, item_id: int, arrived: Arrived, arrival: str) -> Item:
    """Let a file that lies in its place stand for an item whose first one came broken: wherever it is shown, and with
    its words. The broken one goes when nothing uses it any more (`trash`).

    What was opened as a file and turns out to be a picture is not open: nobody has been asked about what is in that.
    """
    with db.transaction():
        item, original = Item.get_by_id(item_id), _original(arrived)
        broken = Original.get_by_id(item.original_id)
        kind = kind_of(original.media_type, original.state, original.reason)
        opened = item.place_shared and (item.kind != "file" or kind == "file")
        changes = {"original_id": original.id, "kind": kind, "arrival": arrival, "place_shared": opened}
        Item.update(**changes, taken=original.taken or arrived.taken).where(Item.id == item_id).execute()
        if broken.poster_id:
            db.rows(_GIVE_POSTER, item_id, broken.poster_id)
        tell_drawn(original.id)
    _remove_second(folder, arrived, original)
    return Item.get_by_id(item_id)


def keep_picture(folder: Folder, spooled: Path, name: str) -> int:
    """Take somebody's face (or the family's picture) into the vault, without an item; returns the original's id.

    Raises `Invalid` on `picture` for what is no picture. Its renditions follow like any other's.
    """
    arrived = examine(spooled, name, None, any_kind=True)
    if not arrived.media_type.startswith("image/"):
        raise Invalid("“%(name)s” is no picture that HomeCircle can show.", field="picture", name=arrived.name)
    settle_in(folder, spooled, arrived)
    return _original(arrived).id


def give_poster(folder: Folder, spooled: Path, item_id: int) -> None:
    """Let a picture that the sender's browser made stand for what nothing here can open: a film, or a picture that is
    too large for the decoder (of any other it is not used). It is drawn anew.

    Not for one that has one, or that somebody else has added too. Raises `Invalid` for what is no picture.
    """
    poster = keep_picture(folder, spooled, "poster")
    with db.transaction():
        db.rows(_GIVE_POSTER, item_id, poster)
        leave_to_its_film(poster)


def leave_to_its_film(poster_id: int) -> None:
    """A poster is drawn as what it stands for (`_poster`): by itself it is not, unless it is something else, too."""
    db.rows(_ONLY_A_POSTER, poster_id)


def measure(item_id: int, width: int, height: int, duration: float) -> None:
    """Note what a film measured in its sender's browser: it holds where the file itself does not say."""
    with db.transaction():
        db.rows(f"UPDATE original SET width = ?2, height = ?3, duration = ?4 {_ITS_FILM} AND width = 0",
                item_id, width, height, duration)  # fmt: skip


def tell_drawn(original_id: int) -> None:
    """Let the pages that show it look at it again."""
    for public_id, audience_id in db.rows(_SHOWN_TO, original_id):
        events.record("item.drawn", public_id, None, audience_id)


def owned(member_id: int, public_ids: list[str]) -> list[int]:
    """Return the internal ids of a member's own items in the order given; `Invalid` when one is not theirs."""
    found = dict(db.rows("SELECT public_id, id FROM item WHERE member_id = ? AND deleted_at IS NULL AND public_id IN "
                         "(SELECT value FROM json_each(?))", member_id, json.dumps(public_ids)))  # fmt: skip
    if set(public_ids) - found.keys():
        raise Invalid("One of the photos is not in the vault any more. Please add it again.", field="photos")
    return [found[public_id] for public_id in dict.fromkeys(public_ids)]


def share(public_ids: list[str], member_id: int, audience_id: int) -> None:
    """Say for whom a member's own items are, also without a post. Final: from *only me* to an audience, once.

    An audience of only the member changes nothing. `Invalid` when one is not theirs, `Conflict` when one was shared
    with others before; then none is.
    """
    items = json.dumps(owned(member_id, public_ids))
    with db.transaction():
        if audience_id == audiences.of([member_id]):
            return
        if db.row("SELECT 1 FROM item WHERE audience_id <> ? AND id IN (SELECT value FROM json_each(?))",
                  audience_id, items):  # fmt: skip
            raise Conflict("For whom this is was chosen before, and that is final. A post can still show it to others.")
        db.rows("UPDATE item SET audience_id = ? WHERE id IN (SELECT value FROM json_each(?))", audience_id, items)
        for public_id in dict.fromkeys(public_ids):
            events.record("item.shared", public_id, member_id, audience_id)


def has_any() -> bool:
    """Say whether anything was ever put into the vault; asked of the file until it is so."""
    if not _has_any.is_set() and db.row("SELECT 1 FROM item LIMIT 1"):
        _has_any.set()
    return _has_any.is_set()


_has_any = threading.Event()
db.on_open(_has_any.clear)


def may_use(public_id: str, member_id: int) -> bool:
    """Say whether an item is the member's own."""
    return bool(db.row("SELECT 1 FROM item WHERE public_id = ? AND member_id = ? AND deleted_at IS NULL",
                       public_id, member_id))  # fmt: skip


def get(public_id: str, member_id: int) -> Tile:
    """Return an item that the member may see; `NotFound` for any other."""
    found = db.row(_TILE, public_id, member_id)
    if found is None:
        raise NotFound
    return tile(found)


def open_up(public_id: str, member_id: int, *, opened: bool) -> None:
    """Let others who see one's own item download it as it is, or no longer. `NotFound` for somebody else's."""
    with db.transaction():
        if not may_use(public_id, member_id):
            raise NotFound
        Item.update(place_shared=opened).where(Item.public_id == public_id).execute()
        events.record("item.opened" if opened else "item.closed", public_id, member_id, audiences.of([member_id]))


def kind_of(media_type: str, state: str, reason: str) -> str:
    """Return what an item of that original is; one that cannot be drawn is a file, one that may yet be is none."""
    if state == "failed" and reason not in {"missing", "unreadable", "busy"}:
        return "file"
    return {"image": "photo", "video": "video"}.get(media_type.partition("/")[0], "file")


def tile(row: tuple[Any, ...]) -> Tile:
    """Build a tile from the columns of `TILE_COLUMNS`."""
    public_id, drawings = row[0], json.loads(row[12])
    base = f"/vault/{public_id}/"
    urls = {edge: f"{base}{edge}-{row[11]}" for edge, _type, _width in drawings}
    small, medium, large = (_nearest(urls, edge) for edge in EDGES)
    moving = base + "original" if row[13] else ""
    return Tile._make((*row[:11], small, medium, large, base + "original", moving, bool(row[14])))


def _original(arrived: Arrived) -> Original:
    """The row of these bytes: the one that is there (by now more than a film's poster), or a new one."""
    with db.transaction():
        db.after_commit(functools.partial(coming.discard, arrived.sha256))
        db.rows(_NO_LONGER_A_POSTER, arrived.sha256, UNTYPED)
        original = Original.get_or_none(Original.sha256 == arrived.sha256) or Original.create(
            id=db.row(_NEXT)[0],
            sha256=arrived.sha256,
            size=arrived.size,
            media_type=arrived.media_type,
            path=arrived.path,
            state="kept" if arrived.media_type == UNTYPED else "pending",
            force_insert=True,
        )
        db.rows("DELETE FROM leftover WHERE path = ?", original.path)
        return original


def _remove_second(folder: Folder, arrived: Arrived, original: Original) -> None:
    """The same bytes came twice at once under two dates: one file stays."""
    if original.path != arrived.path:
        folder.remove(folder.root / arrived.path)


def _bring_home(folder: Folder, spooled: Path, known: Original) -> None:
    place = folder.root / known.path
    if not spooled.exists():  # a run that was cut short had moved it
        return
    if place.exists() and place.stat().st_size == known.size:
        folder.remove(spooled)
        return
    folder.move(spooled, place)
    if known.state == "failed":  # it was missing: now it is drawn
        with db.transaction():
            Original.update(state="pending", reason="").where(Original.id == known.id).execute()


def _nearest(urls: dict[int, str], edge: int) -> str:
    """The rendition of that edge; a picture smaller than it has its largest one instead."""
    return urls.get(edge) or urls.get(max((each for each in urls if each < edge), default=0), "")


# The number of the next original: never one that was given before (see migration 0009).
_NEXT = "SELECT max(originals_top, coalesce((SELECT max(id) FROM original), 0)) + 1 FROM circle"
TILE_COLUMNS = """item.public_id, item.kind, item.name, item.caption, item.description, original.state, original.reason,
  original.width, original.height, original.size, original.preview, original.stamp, original.drawings,
  original.moves, item.place_shared"""
_TILE = f"SELECT {TILE_COLUMNS} {SEEN}"
_SHOWN_TO = f"""
SELECT item.public_id, post.audience_id FROM item JOIN post_item ON post_item.item_id = item.id
  JOIN post ON post.id = post_item.post_id AND post.deleted_at IS NULL WHERE item.original_id = ?1
UNION SELECT item.public_id, audience.id FROM item JOIN audience ON audience.members = CAST(item.member_id AS TEXT)
  WHERE item.original_id = ?1 AND audience.id <> {audiences.EVERYONE}
UNION SELECT public_id, audience_id FROM item WHERE original_id = ?1 AND audience_id IS NOT NULL
UNION SELECT item.public_id, post.audience_id FROM item JOIN message_item ON message_item.item_id = item.id
  JOIN message ON message.id = message_item.message_id AND message.deleted_at IS NULL
  JOIN post ON post.id = message.post_id AND post.deleted_at IS NULL WHERE item.original_id = ?1"""
_ITS_OWN = """WHERE id = (SELECT original_id FROM item WHERE id = ?1)
  AND (SELECT count(*) FROM item WHERE item.original_id = original.id) = 1"""
_ITS_FILM = f"{_ITS_OWN} AND media_type LIKE 'video/%'"
_GIVE_POSTER = f"""
UPDATE original SET poster_id = ?2, state = 'pending', reason = '' {_ITS_OWN} AND poster_id IS NULL AND (
  media_type LIKE 'video/%' OR media_type LIKE 'image/%' AND (state = 'pending' OR reason = 'too_large'))"""
_ONLY_A_POSTER = """
UPDATE original SET state = 'kept' WHERE id = ?1 AND state = 'pending'
  AND EXISTS (SELECT 1 FROM original AS film WHERE film.poster_id = ?1)
  AND NOT EXISTS (SELECT 1 FROM item WHERE original_id = ?1) AND NOT EXISTS (SELECT 1 FROM member WHERE picture_id = ?1)
  AND NOT EXISTS (SELECT 1 FROM circle WHERE picture_id = ?1)"""
_NO_LONGER_A_POSTER = "UPDATE original SET state = 'pending' WHERE sha256 = ? AND state = 'kept' AND media_type <> ?"
