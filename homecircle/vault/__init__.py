"""The vault: what the family keeps. An item is a photo, video, link or file with its own uploader, caption, audience.

Originals are plain files, byte for byte, named by date and content: ``vault/2026/07/20260703-142005-1a2b3c4d5e6f.jpg``.
The same bytes twice are one `Original` and two items: joined at the file, only after all arrived and the whole hash is
equal. File first, row second: a crash leaves an orphan file, never a row without its file.

Renditions are drawn afterwards by the decoder child. Where that stands is in the row (pending, ready, failed, kept), so
a restart goes on where it stopped; 'kept' is a kind that is never drawn. Visible is what one added oneself and what
stands in a post one may see; the rest does not exist.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import peewee

from homecircle import audiences, db, events, members
from homecircle.errors import Invalid, NotFound
from homecircle.files import Folder, create, settle, sha256
from homecircle.vault import images
from homecircle.vault.decoder import Decoder
from homecircle.vault.images import Undrawable
from homecircle.vault.words import for_search

NAME_LIMIT = 255
HEAD = 128 << 10
ENDINGS = {
    "image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/gif": "gif", "image/heic": "heic",
    "image/heif": "heif", "image/avif": "avif", "video/mp4": "mp4", "video/quicktime": "mov", "video/webm": "webm",
}  # fmt: skip
EDGES = (320, 1080, 2016)
_NOT_CLEAN = "The place cannot be taken out of this file, so only the one who added it can download it."


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
    blanks = peewee.TextField(null=True)
    preview = peewee.TextField(default="")
    drawings = peewee.TextField(default="[]")
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
    added_at = db.UtcField(default=db.now)
    deleted_at = db.UtcField(null=True)
    deleted_by = peewee.IntegerField(null=True)


class Tile(NamedTuple):
    """An item as a page draws it. The URLs are '' until the picture is ready; `srcset` names every rendition."""

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
    srcset: str
    original: str


class Drawn(NamedTuple):
    """One rendition on disk."""

    path: Path
    media_type: str


class Arrived(NamedTuple):
    """A complete file on its way into the vault: where its bytes will lie, and what they are."""

    path: str
    sha256: str
    size: int
    media_type: str
    taken: str | None
    name: str


def keep(folder: Folder, spooled: Path, name: str, member_id: int, modified: dt.datetime | None = None) -> Item:
    """Take a complete, settled file out of `tmp` into the vault and return its item: `examine`, `settle_in`, `add`."""
    arrived = examine(spooled, name, modified)
    settle_in(folder, spooled, arrived)
    return add(folder, arrived, member_id)


def examine(spooled: Path, name: str, modified: dt.datetime | None = None) -> Arrived:
    """Say what a complete file is, and hash the whole of it.

    `name` is what the sender calls it, `modified` the sender's date of the file. Raises `Invalid` for what is neither
    a picture nor a video; the file stays where it is.
    """
    with spooled.open("rb") as handle:
        head = handle.read(HEAD)
    media_type, name = images.sniff(head), _file_name(name)
    if not head:
        raise Invalid("“%(name)s” is empty.", field="photos", name=name)
    if media_type is None:
        raise Invalid("“%(name)s” is no picture or video that HomeCircle can show.", field="photos", name=name)
    digest, taken = sha256(spooled), _taken_hint(head, modified)
    return Arrived(_place(taken, digest, media_type), digest, spooled.stat().st_size, media_type, taken, name)


def settle_in(folder: Folder, spooled: Path, arrived: Arrived) -> None:
    """Move the file to its place, unless the same bytes lie in the vault already. May be run again after a crash."""
    if db.row("SELECT 1 FROM original WHERE sha256 = ?", arrived.sha256):
        folder.remove(spooled)
    elif spooled.exists() or not (folder.root / arrived.path).exists():
        folder.move(spooled, folder.root / arrived.path)


def add(folder: Folder, arrived: Arrived, member_id: int) -> Item:
    """Write the row of a file that lies in its place: a new original, or one more item of the same bytes."""
    is_picture = arrived.media_type.startswith("image/")
    with db.transaction():
        original = _original(arrived)
        item = Item.create(original_id=original.id, member_id=member_id, name=arrived.name,
                           words=for_search(arrived.name), taken=original.taken or arrived.taken,
                           kind="photo" if is_picture else "video")  # fmt: skip
        events.record("item.added", item.public_id, member_id, audiences.of([member_id]))
    if original.path != arrived.path:  # the same bytes came twice at once under two dates
        folder.remove(folder.root / arrived.path)
    return item


def keep_picture(folder: Folder, spooled: Path, name: str) -> int:
    """Take somebody's face (or the family's picture) into the vault, without an item; returns the original's id.

    Raises `Invalid` on `picture` for what is no picture. Its renditions follow like any other's.
    """
    arrived = examine(spooled, name)
    if not arrived.media_type.startswith("image/"):
        raise Invalid("“%(name)s” is no picture that HomeCircle can show.", field="picture", name=arrived.name)
    settle_in(folder, spooled, arrived)
    return _original(arrived).id


def draw_next(folder: Folder, decoder: Decoder) -> bool:
    """Draw the oldest picture that waits for its renditions; False when none does. May be killed and run again."""
    original = Original.select().where(Original.state == "pending").order_by(Original.id).first()
    if original is None:
        return False
    try:
        is_film = original.media_type.startswith("video/")
        changes = _looked_at(folder, decoder, original) if is_film else _drawn_all(folder, decoder, original)
    except Undrawable as refusal:
        changes = {"state": "failed", "reason": refusal.reason}
    except FileNotFoundError:
        changes = {"state": "failed", "reason": "missing"}
    with db.transaction():
        Original.update(**changes).where(Original.id == original.id).execute()
        if taken := changes.get("taken"):
            Item.update(taken=taken).where(Item.original_id == original.id).execute()
        for public_id, audience_id in db.rows(_SHOWN_TO, original.id, original.id, original.id):
            events.record("item.drawn", public_id, None, audience_id)
        db.after_commit(members.forget_roster)  # it may be somebody's face
    return True


def _drawn_all(folder: Folder, decoder: Decoder, original: Original) -> dict[str, object]:
    picture = decoder.draw(folder.root / original.path)
    for drawing in picture.drawings:
        folder.write(_rendition(folder, original.sha256, drawing.edge, drawing.media_type), drawing.data)
    return _found_in(picture)


def _looked_at(folder: Folder, decoder: Decoder, original: Original) -> dict[str, object]:
    film = decoder.probe(folder.root / original.path)
    found: dict[str, object] = {
        "state": "ready", "width": film.width, "height": film.height, "duration": film.duration,
        "has_place": film.has_place, "blanks": None if film.blanks is None else json.dumps(film.blanks),
    }  # fmt: skip
    return found | ({"taken": film.taken} if film.taken else {})


def owned(member_id: int, public_ids: list[str]) -> list[int]:
    """Return the internal ids of a member's own items in the order given; `Invalid` when one is not theirs."""
    found = dict(db.rows("SELECT public_id, id FROM item WHERE member_id = ? AND deleted_at IS NULL AND public_id IN "
                         "(SELECT value FROM json_each(?))", member_id, json.dumps(public_ids)))  # fmt: skip
    if set(public_ids) - found.keys():
        raise Invalid("One of the photos is not in the vault any more. Please add it again.", field="photos")
    return [found[public_id] for public_id in dict.fromkeys(public_ids)]


def has_any() -> bool:
    """Say whether anything was ever put into the vault."""
    return bool(db.row("SELECT 1 FROM item LIMIT 1"))


def may_use(public_id: str, member_id: int) -> bool:
    """Say whether an item is the member's own."""
    return bool(db.row("SELECT 1 FROM item WHERE public_id = ? AND member_id = ? AND deleted_at IS NULL",
                       public_id, member_id))  # fmt: skip


def get(public_id: str, member_id: int) -> Tile:
    """Return an item that the member may see; `NotFound` for any other."""
    found = db.row(_TILE, public_id, member_id, member_id, member_id)
    if found is None:
        raise NotFound
    return tile(found)


def rendition(folder: Folder, public_id: str, edge: int, stamp: str, member_id: int) -> Drawn:
    """Return the file of one rendition of an item the member may see; `NotFound` for any other."""
    found = db.row(_FILE, public_id, member_id, member_id, member_id)
    if found is None or found[1] != stamp:
        raise NotFound
    return _drawn(folder, found[0], found[2], edge)


def picture(folder: Folder, picture_id: int | None, stamp: str) -> Drawn:
    """Return the small rendition of a face or the family's picture; `NotFound` when it is another one by now."""
    found = picture_id and db.row("SELECT sha256, stamp, drawings FROM original WHERE id = ?", picture_id)
    if not found or found[1] != stamp:
        raise NotFound
    return _drawn(folder, found[0], found[2], EDGES[0])


class Kept(NamedTuple):
    """An original as one member gets it: its file, and the (offset, length) of bytes that are zeros for them."""

    path: Path
    media_type: str
    name: str
    blanks: tuple[tuple[int, int], ...] = ()

    @property
    def mark(self) -> str:
        """What tells the bytes as they came from those without place: two members never share an ETag."""
        return "clean" if self.blanks or self.path.name.endswith("-clean") else "whole"


def original(folder: Folder, decoder: Decoder, public_id: str, member_id: int) -> Kept:
    """Return an original for a member who may see it.

    The one who added it gets the bytes as they came. Others get them without place and serials, unless the place is
    shared: a picture as a copy made once by the decoder, a film with those bytes blanked as it is sent (a copy of 4 GB
    would cost 4 GB). `Invalid` for kinds that cannot be cleaned.
    """
    found = db.row(_ORIGINAL, public_id, member_id, member_id, member_id)
    if found is None:
        raise NotFound
    path, media_type, name, owner, place_shared, digest, blanks = found
    if owner == member_id or place_shared:
        return Kept(folder.root / path, media_type, name)
    if not media_type.startswith("video/"):
        return Kept(_clean_copy(folder, decoder, folder.root / path, digest), media_type, name)
    if blanks is None:
        raise Invalid(_NOT_CLEAN)
    return Kept(folder.root / path, media_type, name, tuple((at, length) for at, length in json.loads(blanks)))


def tile(row: tuple[Any, ...]) -> Tile:
    """Build a tile from the columns of `TILE_COLUMNS`."""
    public_id, drawings = row[0], json.loads(row[12])
    base = f"/vault/{public_id}/"
    urls = {edge: f"{base}{edge}-{row[11]}" for edge, _type, _width in drawings}
    small, medium, large = (_nearest(urls, edge) for edge in EDGES)
    srcset = ", ".join(f"{urls[edge]} {width}w" for edge, _type, width in drawings)
    return Tile._make((*row[:11], small, medium, large, srcset, base + "original"))


def _original(arrived: Arrived) -> Original:
    """The row of these bytes: the one that is there, or a new one."""
    with db.transaction():
        return Original.get_or_none(Original.sha256 == arrived.sha256) or Original.create(
            sha256=arrived.sha256, size=arrived.size, media_type=arrived.media_type, path=arrived.path
        )


def _nearest(urls: dict[int, str], edge: int) -> str:
    """The rendition of that edge; a picture smaller than it has its largest one instead."""
    return urls.get(edge) or urls.get(max((each for each in urls if each < edge), default=0), "")


def _found_in(picture: images.Picture) -> dict[str, object]:
    preview = "data:image/webp;base64," + base64.b64encode(picture.preview).decode() if picture.preview else ""
    drawings = [[each.edge, each.media_type, each.width] for each in picture.drawings]
    found: dict[str, object] = {
        "state": "ready", "reason": "", "width": picture.width, "height": picture.height, "camera": picture.camera,
        "has_place": picture.has_place, "preview": preview, "drawings": json.dumps(drawings),
    }  # fmt: skip
    return found | ({"taken": picture.taken} if picture.taken else {})


def _drawn(folder: Folder, digest: str, drawings: str, edge: int) -> Drawn:
    sizes = {each[0]: each[1] for each in json.loads(drawings)}
    chosen = edge if edge in sizes else max((each for each in sizes if each < edge), default=0)
    if not chosen:
        raise NotFound
    return Drawn(_rendition(folder, digest, chosen, sizes[chosen]), sizes[chosen])


def _rendition(folder: Folder, digest: str, edge: int, media_type: str) -> Path:
    return folder.renditions / digest[:2] / f"{digest}-{edge}.{ENDINGS[media_type]}"


def _clean_copy(folder: Folder, decoder: Decoder, path: Path, digest: str) -> Path:
    clean = folder.renditions / digest[:2] / f"{digest}-clean"
    if not clean.exists():
        spooled = folder.spool()
        try:
            with create(spooled) as handle:
                decoder.clean(path, handle)
                settle(handle)
            folder.move(spooled, clean)
        except Undrawable as refusal:
            raise Invalid(_NOT_CLEAN) from refusal
        finally:
            folder.remove(spooled)
    return clean


def _place(taken: str | None, digest: str, media_type: str) -> str:
    day = dt.datetime.fromisoformat(taken) if taken else db.now()
    return f"vault/{day:%Y/%m}/{day:%Y%m%d-%H%M%S}-{digest[:12]}.{ENDINGS[media_type]}"


def _taken_hint(head: bytes, modified: dt.datetime | None) -> str | None:
    """The camera's wall clock for the file's name, found as plain text: nothing of a hostile file is parsed here."""
    for found in re.finditer(rb"(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)", head):
        try:
            day = dt.datetime(*map(int, found.groups()))  # type: ignore[arg-type]  # noqa: DTZ001  a wall clock
        except ValueError:
            continue
        if 1970 <= day.year <= db.now().year + 1:
            return day.isoformat()
    return modified.replace(tzinfo=None).isoformat(timespec="seconds") if modified else None


def _file_name(name: str) -> str:
    """What the sender calls the file, as one clean line without folders."""
    line = re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]", "", name.replace("\\", "/"))
    return line.rpartition("/")[2].strip()[-NAME_LIMIT:] or "file"


TILE_COLUMNS = """item.public_id, item.kind, item.name, item.caption, item.description, original.state, original.reason,
  original.width, original.height, original.size, original.preview, original.stamp, original.drawings"""
# Takes the member's id three times: what they added, and what stands in a post or a message that they may see.
_VISIBLE = f"""item.deleted_at IS NULL AND (item.member_id = ? OR EXISTS (
  SELECT 1 FROM post_item JOIN post ON post.id = post_item.post_id
  WHERE post_item.item_id = item.id AND post.deleted_at IS NULL AND {audiences.VISIBLE}) OR EXISTS (
  SELECT 1 FROM message_item JOIN message ON message.id = message_item.message_id AND message.deleted_at IS NULL
  JOIN post ON post.id = message.post_id
  WHERE message_item.item_id = item.id AND post.deleted_at IS NULL AND {audiences.VISIBLE}))"""
_FROM = f"FROM item JOIN original ON original.id = item.original_id WHERE item.public_id = ? AND {_VISIBLE}"
_TILE = f"SELECT {TILE_COLUMNS} {_FROM}"
_FILE = f"SELECT sha256, stamp, drawings {_FROM}"
_ORIGINAL = f"SELECT path, media_type, item.name, item.member_id, place_shared, sha256, blanks {_FROM}"
_SHOWN_TO = f"""
SELECT item.public_id, post.audience_id FROM item JOIN post_item ON post_item.item_id = item.id
  JOIN post ON post.id = post_item.post_id AND post.deleted_at IS NULL WHERE item.original_id = ?
UNION SELECT item.public_id, audience.id FROM item JOIN audience ON audience.members = CAST(item.member_id AS TEXT)
  WHERE item.original_id = ? AND audience.id <> {audiences.EVERYONE}
UNION SELECT item.public_id, post.audience_id FROM item JOIN message_item ON message_item.item_id = item.id
  JOIN message ON message.id = message_item.message_id AND message.deleted_at IS NULL
  JOIN post ON post.id = message.post_id AND post.deleted_at IS NULL WHERE item.original_id = ?"""
