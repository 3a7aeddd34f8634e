"""Upload: bytes that arrive in pieces over a weak line, by the tus 1.0.0 protocol.

The offset in the row is what has been acknowledged; it is written only after the bytes are on the disk. What lies
beyond it in the file was never acknowledged and is cut at the next piece. With the last byte the file becomes an item.
An unfinished upload ends after 24 hours without a piece.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import peewee

from homecircle import db, vault
from homecircle.errors import Conflict, Invalid, NotFound, TooLarge
from homecircle.files import Folder, append, create

SIZE_LIMIT = 4 << 30
PIECE_LIMIT = 8 << 20
LASTS = dt.timedelta(hours=24)
CHECKSUMS = ("sha1", "sha256", "md5")
METADATA = {"filename", "filetype", "modified"}
STRAY_AFTER = 3600  # seconds: a younger file may be one whose row is just being written
AT_ONCE = 200  # unfinished uploads of one member

_locks: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)


class Upload(db.Model):
    """One file on its way; see the module."""

    id = peewee.TextField(primary_key=True, default=db.random_id)
    member_id = peewee.IntegerField()
    device_id = peewee.IntegerField()
    size = peewee.IntegerField()
    offset = peewee.IntegerField(default=0)
    metadata = peewee.TextField()
    made_at = db.UtcField(default=db.now)
    until = db.UtcField()
    item_id = peewee.IntegerField(null=True)

    @property
    def is_complete(self) -> bool:
        return bool(self.offset == self.size)


def begin(folder: Folder, whose: tuple[int, int], size: int, metadata: dict[str, str]) -> Upload:
    """Make room for a file of `size` bytes for (member id, device id); nothing is taken yet.

    Raises `TooLarge`, `NoSpace`, and `Conflict` when a member has too many unfinished ones.
    """
    if size > SIZE_LIMIT:
        raise TooLarge("This file is larger than 4 GB.")
    if size <= 0:
        raise Invalid("This file is empty.", field="photos")
    folder.make_room(size)
    member_id, device_id = whose
    told = {key: metadata[key] for key in METADATA & metadata.keys()}  # 'arrived' is ours alone
    with db.transaction():
        waiting = Upload.select().where(
            Upload.member_id == member_id, Upload.item_id.is_null(), Upload.until > db.now()
        )
        if waiting.count() >= AT_ONCE:
            raise Conflict("Too many files are on their way. Please wait until some have arrived.")
        made = Upload.create(member_id=member_id, device_id=device_id, size=size, metadata=json.dumps(told),
                             until=db.now() + LASTS, force_insert=True)  # fmt: skip
        create(_file(folder, made.id)).close()
    return made


def get(public_id: str, member_id: int) -> Upload:
    """Return a member's own upload; `NotFound` for any other and for one whose time is over."""
    found = Upload.get_or_none(Upload.id == public_id, Upload.member_id == member_id)
    if found is None or (found.until < db.now() and found.item_id is None):
        raise NotFound
    return found


class Piece(NamedTuple):
    """Bytes for `offset`; with `checksum` (algorithm of `CHECKSUMS`, digest) they count only when they match it."""

    offset: int
    data: Iterator[bytes]
    checksum: tuple[str, bytes] | None = None


class Mismatch(Invalid):
    """The bytes that came are not those that were sent; none of them was kept (tus: 460)."""

    status = 460


def take(folder: Folder, upload: Upload, piece: Piece) -> vault.Item | None:
    """Write one piece; when it was the last one, return the item that the file has become.

    Raises `Conflict` when the offset is not where the file stands (RFC: tus 1.0.0, PATCH), `TooLarge` for bytes past
    the end (none is kept), and what `vault.keep` raises for a complete file that is none of ours.
    """
    with _locks[upload.id]:
        fresh = get(upload.id, upload.member_id)
        if piece.offset != fresh.offset or fresh.item_id is not None:
            raise Conflict("This piece does not follow the last one.")
        path = _file(folder, fresh.id)
        digest = hashlib.new(piece.checksum[0], usedforsecurity=False) if piece.checksum else None
        end = append(path, fresh.offset, _at_most(piece.data, fresh.size - fresh.offset, digest))
        if digest and piece.checksum and digest.digest() != piece.checksum[1]:
            raise Mismatch("These bytes were damaged on the way. Please send them again.")
        with db.transaction():
            Upload.update(offset=end, until=db.now() + LASTS).where(Upload.id == fresh.id).execute()
        fresh.offset = upload.offset = end
        return _finish(folder, fresh) if fresh.is_complete else None


def finish(folder: Folder, upload: Upload) -> vault.Item | None:
    """Finish an upload whose bytes were all acknowledged when the house went down before its item was written."""
    with _locks[upload.id]:
        fresh = get(upload.id, upload.member_id)
        return _finish(folder, fresh) if fresh.is_complete and fresh.item_id is None else None


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
    _locks.pop(upload.id, None)


def sweep(folder: Folder) -> int:
    """Drop uploads whose time is over, and files in `uploads` that no row knows; returns how many."""
    over = list(Upload.select().where(Upload.until < db.now()))
    for upload in over:
        drop(folder, upload)
    known = {row[0] for row in db.rows("SELECT id FROM upload")}
    old = time.time() - STRAY_AFTER
    strays = [path for path in folder.uploads.iterdir() if path.name not in known and path.stat().st_mtime < old]
    for path in strays:
        folder.remove(path)
    return len(over) + len(strays)


def _finish(folder: Folder, upload: Upload) -> vault.Item:
    """Bytes to their place, then the rows. What the file is, is written down before it moves: see `finish`."""
    path, metadata = _file(folder, upload.id), json.loads(upload.metadata)
    try:
        if "arrived" not in metadata:
            metadata["arrived"] = vault.examine(path, metadata.get("filename", ""), _modified(metadata))
            with db.transaction():
                Upload.update(metadata=json.dumps(metadata)).where(Upload.id == upload.id).execute()
    except Invalid:
        drop(folder, upload)
        raise
    arrived = vault.Arrived(*metadata["arrived"])
    vault.settle_in(folder, path, arrived)
    with db.transaction():
        item = vault.add(folder, arrived, upload.member_id)
        Upload.update(item_id=item.id).where(Upload.id == upload.id).execute()
    _locks.pop(upload.id, None)
    return item


def _at_most(pieces: Iterator[bytes], room: int, digest: hashlib._Hash | None) -> Iterator[bytes]:
    for piece in pieces:
        room -= len(piece)
        if room < 0:
            raise TooLarge("More bytes came than this file has.")
        if digest:
            digest.update(piece)
        yield piece


def _modified(metadata: dict[str, str]) -> dt.datetime | None:
    """The file's own date as the browser told it (milliseconds since 1970, as in `File.lastModified`)."""
    text = metadata.get("modified", "")
    return db.moment(int(text) // 1000) if text.isascii() and text.isdigit() and len(text) < 14 else None


def _file(folder: Folder, upload_id: str) -> Path:
    return folder.uploads / upload_id
