"""Upload: bytes that arrive in pieces over a weak line, by the tus 1.0.0 protocol.

The offset in the row is what has been acknowledged; it is written only after the bytes are on the disk. What lies
beyond it in the file was never acknowledged and is cut at the next piece. With the last byte the file becomes an item:
at once where its hash was carried along (`digests`), else when `catch_up` has read what is missing; a sender never
waits for that. What is neither a picture nor a video waits for a yes first (`keep`), unless its metadata brought one
(keep=1). An unfinished upload ends after 24 hours without a piece; one that is here whole does not, however long the
house was off before it could be hashed.

Whoever sends a file may say what its SHA-256 is there (`compare`), before it is here or afterwards. When what came is
something else, the file is asked for once more from its beginning; what then comes takes the place of the item that
the first one has become. After `ONCE_MORE` times it stays as it came, and its sender is told.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import logging
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import peewee

from homecircle import db, vault
from homecircle.errors import Conflict, Invalid, NoSpace, NotFound, TooLarge
from homecircle.files import Folder, append, create, settle_folder
from homecircle.vault import digests

SIZE_LIMIT = 4 << 30
PIECE_LIMIT = 8 << 20
POSTER_LIMIT = 1 << 20
EDGE_LIMIT, DAY = 16_384, 86_400  # what a film may say of itself: pixels, seconds
LASTS = dt.timedelta(hours=24)
CHECKSUMS = ("sha1", "sha256", "md5")
METADATA = {"filename", "filetype", "modified", "keep", "open", "post", "width", "height", "duration", "sha256"}
SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
ONCE_MORE = 2
_ASKS = "asks"  # in the metadata of a file that `waits`
STRAY_AFTER = 3600  # seconds: a younger file may be one whose row is just being written
AT_ONCE = 200  # unfinished uploads of one member
AT_LAST = 64 << 20  # bytes that the last piece may still wait for to be hashed (a second on a Pi)
GB = 10**9
SLOT = re.compile(r"[\w-]{1,64}", re.ASCII)  # a sender's own name for a file, by which a draft knows it

log = logging.getLogger("homecircle.uploads")
_locks: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)


class Upload(db.Model):
    """One file on its way; see the module."""

    id = peewee.TextField(primary_key=True, default=db.random_id)
    member_id = peewee.IntegerField()
    device_id = peewee.IntegerField()
    size = peewee.IntegerField()
    offset = peewee.IntegerField(default=0)
    metadata = peewee.TextField()
    slot = peewee.TextField(default="")
    made_at = db.UtcField(default=db.now)
    until = db.UtcField()
    item_id = peewee.IntegerField(null=True)

    @property
    def is_complete(self) -> bool:
        return bool(self.offset == self.size)

    @property
    def is_over(self) -> bool:
        """Whether its time is over: not while all that was sent is here and only the house has not looked at it yet."""
        is_due = self.is_complete and self.item_id is None and not waits(self)
        return bool(self.until < db.now()) and not is_due


def make_room(folder: Folder, member_id: int, size: int, quota: int = 0) -> None:
    """Raise unless `size` more bytes of a member fit: `TooLarge` beyond their `quota` (bytes; 0: none), `NoSpace`.

    What is still to come of files on their way counts as if it were here.
    """
    coming, own = db.row(_COMING, member_id, int(db.now().timestamp()))
    folder.make_room(size + coming)
    if quota and db.row(_KEPT, member_id)[0] + own + size > quota:
        raise TooLarge("Your part of the vault is full: %(n)s GB. Remove something, or ask whoever looks after "
                       "HomeCircle for more.", field="photos", n=quota // GB)  # fmt: skip


def begin(folder: Folder, whose: tuple[int, int], size: int, metadata: dict[str, str], quota: int = 0) -> Upload:
    """Make room for a file of `size` bytes for (member id, device id); nothing is taken yet.

    Raises what `make_room` raises, and `Conflict` when a member has too many unfinished ones.
    """
    if size > SIZE_LIMIT:
        raise TooLarge("This file is larger than 4 GB.")
    if size <= 0:
        raise Invalid("This file is empty.", field="photos")
    member_id, device_id = whose
    slot = metadata.get("slot", "") if SLOT.fullmatch(metadata.get("slot", "")) else ""
    stands_for = _give_way(folder, member_id, slot)
    told = {key: metadata[key] for key in METADATA & metadata.keys()} | stands_for  # 'arrived' is ours alone
    made_id = db.random_id()
    # One after the other: two that begin at once do not both take the last room.
    with _file_first(folder, made_id), db.transaction():
        make_room(folder, member_id, size, quota)
        waiting = Upload.select().where(
            Upload.member_id == member_id, Upload.item_id.is_null(), Upload.until > db.now()
        )
        if waiting.count() >= AT_ONCE:
            raise Conflict("Too many files are on their way. Please wait until some have arrived.")
        return Upload.create(id=made_id, member_id=member_id, device_id=device_id, size=size, slot=slot,
                             metadata=json.dumps(told), until=db.now() + LASTS, force_insert=True)  # fmt: skip


def get(public_id: str, member_id: int) -> Upload:
    """Return a member's own upload; `NotFound` for any other and for one whose time is over."""
    found = Upload.get_or_none(Upload.id == public_id, Upload.member_id == member_id)
    if found is None or (found.is_over and found.item_id is None):
        raise NotFound
    return found


class Piece(NamedTuple):
    """Bytes for `offset`; with `checksum` (algorithm of `CHECKSUMS`, digest) they count only when they match it."""

    offset: int
    data: Iterator[bytes]
    checksum: tuple[str, bytes] | None = None


class Mismatch(Invalid):
    """The bytes that came are not those that were sent (tus: 460): send them again from where the upload stands now."""

    status = 460


def take(folder: Folder, upload: Upload, piece: Piece) -> vault.Item | None:
    """Write one piece; when it was the last one, return the item that the file has become.

    None for a last piece: the file is all here and `waits`, or `catch_up` will make it an item. Raises `Conflict` when
    the offset is not where the file stands (tus 1.0.0, PATCH), and `TooLarge` for bytes past the end (none is kept).
    """
    with _locks[upload.id]:
        fresh = get(upload.id, upload.member_id)
        if piece.offset != fresh.offset or fresh.item_id is not None:
            raise Conflict("This piece does not follow the last one.")
        path, carried = _file(folder, fresh.id), digests.get(fresh.id)
        whole = carried.sha.copy() if carried.upto == fresh.offset else None
        digest = hashlib.new(piece.checksum[0], usedforsecurity=False) if piece.checksum else None
        sums = [each for each in (whole, digest) if each is not None]
        end = append(path, fresh.offset, _at_most(piece.data, fresh.size - fresh.offset, sums))
        if digest and piece.checksum and digest.digest() != piece.checksum[1]:
            raise Mismatch("These bytes were damaged on the way. Please send them again.")
        with db.transaction():
            Upload.update(offset=end, until=db.now() + LASTS).where(Upload.id == fresh.id).execute()
        if whole is not None:
            digests.keep(fresh.id, carried._replace(sha=whole, upto=end))
        fresh.offset = upload.offset = end
        return _finished(folder, fresh) if fresh.is_complete else None


def finish(folder: Folder, upload: Upload) -> vault.Item | None:
    """Finish an upload whose bytes were all acknowledged when the house went down before its item was written.

    `NotFound` for one whose bytes are gone: it is begun anew.
    """
    with _locks[upload.id]:
        fresh = get(upload.id, upload.member_id)
        if fresh.item_id is None and _is_lost(folder, fresh):
            drop(folder, fresh)
            raise NotFound
        is_due = fresh.is_complete and fresh.item_id is None and not waits(fresh)
        with contextlib.suppress(Mismatch):  # it stands at its beginning again
            return _finished(folder, fresh) if is_due else None
    return None


def waits(upload: Upload) -> bool:
    """Say whether a file is here whole and of a kind that cannot be shown: it waits for `keep` or `drop`."""
    return upload.item_id is None and _ASKS in json.loads(upload.metadata)


def keep(folder: Folder, upload: Upload, *, opened: bool) -> vault.Item | None:
    """Keep a file that `waits`, though it cannot be shown; `opened` for others as it is. A second yes changes nothing.

    None where it is not hashed yet: `catch_up` finishes it. Raises `Conflict` for one that is still on its way.
    """
    with _locks[upload.id]:
        fresh = get(upload.id, upload.member_id)
        if fresh.item_id is not None:
            return vault.Item.get_by_id(fresh.item_id)
        if not fresh.is_complete:
            raise Conflict("This file has not arrived whole yet.")
        told = json.loads(fresh.metadata) | {"keep": "1", "open": "1" if opened else ""}
        told.pop(_ASKS, None)
        _tell(fresh, told)
        return _finish(folder, fresh)


def compare(folder: Folder, upload: Upload, sha256: str, quota: int = 0) -> None:
    """Hear from its sender what a file is (SHA-256, hex). One that is not here yet is compared when it is.

    Raises `Mismatch` when something else came and it is to be sent once more, which it is not where that has no room
    beside what came (`make_room`); `Invalid` for what is no such hash.
    """
    if not SHA256.fullmatch(sha256):
        raise Invalid("This is no SHA-256.")
    with _locks[upload.id]:
        fresh = get(upload.id, upload.member_id)
        _tell(fresh, json.loads(fresh.metadata) | {"sha256": sha256})
        if fresh.item_id is None:
            return
        with db.transaction():
            vault.Item.update(arrival=_arrival(fresh)).where(vault.Item.id == fresh.item_id).execute()
        _ask_once_more(folder, fresh, quota)


def is_different(upload: Upload) -> bool:
    """Say whether what has come is not what its sender has, however often it was sent."""
    return _arrival(upload) == "different"


def give_poster(folder: Folder, upload: Upload, picture: bytes) -> None:
    """Take what a film or a large picture looks like from the sender's browser; it waits until that is here."""
    if len(picture) > POSTER_LIMIT:
        raise TooLarge("A poster has at most 1 MB.")
    with _locks[upload.id]:
        folder.write(_poster(folder, upload.id), picture)
        _hang(folder, get(upload.id, upload.member_id))


def is_behind(upload: Upload) -> bool:
    """Say whether `catch_up` has something to do for this upload."""
    return upload.item_id is None and digests.get(upload.id).upto < upload.offset


def catch_up(folder: Folder, go_on: Callable[[], None] = lambda: None) -> bool:
    """Hash what is on the disk of unfinished uploads and finish those that are complete; True when one became an item.

    Runs beside the pieces that come; `go_on` may raise to end it.
    """
    made = False
    for upload in [each for each in Upload.select().where(Upload.item_id.is_null()) if not each.is_over]:
        with contextlib.suppress(FileNotFoundError, NotFound, Invalid):  # gone meanwhile, or no picture
            since = digests.get(upload.id)  # before its offset: see there
            upto = get(upload.id, upload.member_id).offset
            digests.catch_up(upload.id, _file(folder, upload.id), upto, go_on, since)
            made = finish(folder, upload) is not None or made
    return made


def item_of(upload: Upload) -> str:
    """Return the public id of the item that a finished upload became, or ''."""
    found = upload.item_id and db.row("SELECT public_id FROM item WHERE id = ?", upload.item_id)
    return found[0] if found else ""


def drop(folder: Folder, upload: Upload) -> None:
    """Forget an upload and its bytes; the item it may have become stays."""
    with _locks[upload.id]:
        with db.transaction():
            Upload.delete().where(Upload.id == upload.id).execute()
        folder.remove(_file(folder, upload.id))
        folder.remove(_poster(folder, upload.id))
        digests.forget(upload.id)
    _locks.pop(upload.id, None)


def sweep(folder: Folder) -> int:
    """Drop uploads whose time is over, and files in `uploads` that no row knows; returns how many."""
    over = [each for each in Upload.select().where(Upload.until < db.now()) if each.is_over or _is_lost(folder, each)]
    for upload in over:
        _hang(folder, upload)  # where the house went down between the film and its poster
        drop(folder, upload)
    known = {row[0] for row in db.rows("SELECT id FROM upload")}
    old = time.time() - STRAY_AFTER
    strays = [path for path in folder.uploads.iterdir() if path.stem not in known and path.stat().st_mtime < old]
    for path in strays:
        folder.remove(path)
    return len(over) + len(strays)


def _is_lost(folder: Folder, upload: Upload) -> bool:
    """Its bytes are in no place, nor the same ones in the vault under another name: nothing will ever come of it."""
    places = [_file(folder, upload.id)]
    if arrived := json.loads(upload.metadata).get("arrived"):
        same = db.rows("SELECT path FROM original WHERE sha256 = ?", vault.Arrived(*arrived).sha256)
        places += [folder.root / path for path in (arrived[0], *(row[0] for row in same))]
    return not any(place.exists() for place in places)


def _finished(folder: Folder, upload: Upload) -> vault.Item | None:
    """The item that the whole file has become, or None when it waits for a yes or for its hash."""
    try:
        return _finish(folder, upload)
    except Mismatch:
        raise
    except vault.UnknownKind:
        _tell(upload, json.loads(upload.metadata) | {_ASKS: "1"})
        return None
    except Invalid:
        drop(folder, upload)
        raise


def _give_way(folder: Folder, member_id: int, slot: str) -> dict[str, str]:
    """The same file is begun anew: what came of it before is of no use, but for the broken item it was to mend."""
    here = (Upload.member_id == member_id) & (Upload.slot == slot) & Upload.item_id.is_null()
    stands_for: dict[str, str] = {}
    for old in list(Upload.select().where(here)) if slot else []:
        told = json.loads(old.metadata)
        stands_for |= {"instead_of": told["instead_of"]} if "instead_of" in told else {}
        drop(folder, old)
    return stands_for


def _finish(folder: Folder, upload: Upload) -> vault.Item | None:
    """Bytes to their place, then the rows. What the file is, is written down before it moves: see `finish`.

    None while too much of it is not hashed yet.
    """
    path, metadata = _file(folder, upload.id), json.loads(upload.metadata)
    if "arrived" not in metadata:
        if upload.offset - digests.get(upload.id).upto > AT_LAST:
            return None
        digest = digests.catch_up(upload.id, path, upload.offset).sha.hexdigest()
        any_kind, opened = metadata.get("keep") == "1", metadata.get("open") == "1"
        found = vault.examine(path, metadata.get("filename", ""), _modified(metadata), digest, any_kind)
        metadata["arrived"] = found._replace(opened=opened)
        _tell(upload, metadata)
    _ask_once_more(folder, upload)
    arrived = vault.Arrived(*metadata["arrived"])
    vault.settle_in(folder, path, arrived)
    with db.transaction():
        item = _item(folder, upload, arrived)
        Upload.update(item_id=item.id).where(Upload.id == upload.id).execute()
    upload.item_id = item.id
    if metadata.get("width"):
        _measure(item.id, metadata)
    _hang(folder, upload)
    digests.forget(upload.id)
    _locks.pop(upload.id, None)
    return item


def _item(folder: Folder, upload: Upload, arrived: vault.Arrived) -> vault.Item:
    """The rows of a file that lies in its place: a new item, or the one whose first file was not what was sent."""
    told, arrival = json.loads(upload.metadata), _arrival(upload)
    if (broken := told.get("instead_of")) and vault.Item.get_or_none(vault.Item.id == broken):
        return vault.replace(folder, broken, arrived, arrival)
    came_with = told.get("post") == "1"  # chosen in the composer
    return vault.add(folder, arrived, upload.member_id, vault.Label(came_with=came_with, arrival=arrival))


def _arrival(upload: Upload) -> str:
    """Whether what has come is what its sender says it is; '' as long as either is not known."""
    told = json.loads(upload.metadata)
    if not SHA256.fullmatch(told.get("sha256", "")) or "arrived" not in told:
        return ""
    return "equal" if vault.Arrived(*told["arrived"]).sha256 == told["sha256"] else "different"


def _ask_once_more(folder: Folder, upload: Upload, quota: int = 0) -> None:
    """Begin anew a file that is not what its sender has (`Mismatch`); after `ONCE_MORE` times it is left as it came."""
    told = json.loads(upload.metadata)
    told["turns"] = told.get("turns", 0) + 1
    if _arrival(upload) != "different" or told["turns"] > ONCE_MORE:
        return
    with contextlib.suppress(NoSpace, TooLarge):  # no room for it: it stays as it came
        _begin_anew(folder, upload, told, quota)
        log.warning("an upload is not what its sender has: it is asked for once more")
        raise Mismatch("What arrived is not what is on your phone. Please send it once more.")


def _begin_anew(folder: Folder, upload: Upload, told: dict[str, Any], quota: int) -> None:
    del told["arrived"]
    told |= {"instead_of": upload.item_id} if upload.item_id else {}
    is_there = _file(folder, upload.id).exists()  # else it had become an item
    with contextlib.nullcontext() if is_there else _file_first(folder, upload.id), db.transaction():
        if upload.item_id:
            make_room(folder, upload.member_id, upload.size, quota)
        changes = {"offset": 0, "item_id": None, "metadata": json.dumps(told), "until": db.now() + LASTS}
        Upload.update(**changes).where(Upload.id == upload.id).execute()
    digests.forget(upload.id)


def _measure(item_id: int, told: dict[str, str]) -> None:
    with contextlib.suppress(ValueError, KeyError):
        width, height, duration = int(told["width"]), int(told["height"]), float(told["duration"])
        if 0 < width <= EDGE_LIMIT and 0 < height <= EDGE_LIMIT and 0 < duration <= DAY:
            vault.measure(item_id, width, height, duration)


def _hang(folder: Folder, upload: Upload) -> None:
    """The poster that came goes to its film; what is no picture is let go."""
    path = _poster(folder, upload.id)
    if upload.item_id is None or not path.exists():
        return
    with contextlib.suppress(Invalid):
        vault.give_poster(folder, path, upload.item_id)
    folder.remove(path)


def _tell(upload: Upload, metadata: dict[str, object]) -> None:
    """Write down what is known of a file."""
    upload.metadata = json.dumps(metadata)
    with db.transaction():
        Upload.update(metadata=upload.metadata).where(Upload.id == upload.id).execute()


def _at_most(pieces: Iterator[bytes], room: int, sums: list[hashlib._Hash]) -> Iterator[bytes]:
    for piece in pieces:
        room -= len(piece)
        if room < 0:
            raise TooLarge("More bytes came than this file has.")
        for each in sums:
            each.update(piece)
        yield piece


def _modified(metadata: dict[str, str]) -> dt.datetime | None:
    """The file's own date as the browser told it (milliseconds since 1970, as in `File.lastModified`)."""
    text = metadata.get("modified", "")
    return db.moment(int(text) // 1000) if text.isascii() and text.isdigit() and len(text) < 14 else None


def _file(folder: Folder, upload_id: str) -> Path:
    return folder.uploads / upload_id


@contextlib.contextmanager
def _file_first(folder: Folder, upload_id: str) -> Iterator[None]:
    """An empty file, its name on the disk before its row is: what is acknowledged is there after a power cut.

    Nobody who writes waits for that disk. Where no row comes, the file goes again (or `sweep` finds it).
    """
    path = _file(folder, upload_id)
    try:
        create(path).close()
        settle_folder(folder.uploads)
        yield
    except BaseException:
        folder.remove(path)
        raise


def _poster(folder: Folder, upload_id: str) -> Path:
    return folder.uploads / f"{upload_id}.poster"


# What is still to come: of everybody, and of one member.
_COMING = """
SELECT coalesce(sum(size - "offset"), 0), coalesce(sum(size) FILTER (WHERE member_id = ?), 0) FROM upload
WHERE item_id IS NULL AND until > ?"""
_KEPT = """
SELECT coalesce(sum(size), 0) FROM original WHERE id IN (SELECT original_id FROM item WHERE member_id = ?)"""
