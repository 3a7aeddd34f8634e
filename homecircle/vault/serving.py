"""What is kept, as files that one who may see it gets: renditions, faces, originals as they came or without place.

The one place of the vault that decides who may see an item. What tells of a place in a film is not copied away but
blanked: zeros stand where its `blanks`, (offset, length) in order, say, and its length and offsets stay.
"""

from __future__ import annotations

import io
import json
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from homecircle import audiences, db
from homecircle.errors import Invalid, NotFound
from homecircle.files import Folder, create, settle
from homecircle.vault.decoder import Decoder
from homecircle.vault.images import Undrawable

ENDINGS = {
    "image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/gif": "gif", "image/heic": "heic",
    "image/heif": "heif", "image/avif": "avif", "video/mp4": "mp4", "video/quicktime": "mov", "video/webm": "webm",
}  # fmt: skip
EDGES = (320, 1080, 2016)
UNTYPED = "application/octet-stream"
PIECE = 1 << 18
Blanks = tuple[tuple[int, int], ...]
_NOT_CLEAN = "The place cannot be taken out of this file, so only the one who added it can download it."
_NOT_OPEN = "The one who added this file has not opened it for others yet. Ask them: they can do that on its page."


class Drawn(NamedTuple):
    """One rendition on disk."""

    path: Path
    media_type: str


def rendition(folder: Folder, public_id: str, edge: int, stamp: str, member_id: int) -> Drawn:
    """Return the file of one rendition of an item the member may see; `NotFound` for any other."""
    found = db.row(_FILE, public_id, member_id)
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
    """An original as one member gets it: its file, and what of it is blanked for them."""

    path: Path
    media_type: str
    name: str
    blanks: Blanks = ()

    @property
    def mark(self) -> str:
        """What tells the bytes as they came from those without place: two members never share an ETag."""
        return "clean" if self.blanks or self.path.name.endswith("-clean") else "whole"


def original(folder: Folder, decoder: Decoder, public_id: str, member_id: int) -> Kept:
    """Return an original for a member who may see it.

    The one who added it gets the bytes as they came. Others get them without place and serials, unless the place is
    shared: a picture as a copy made once by the decoder, a film with those bytes blanked as it is sent (a copy of 4 GB
    would cost 4 GB). `Invalid` for kinds that cannot be cleaned, `Busy` where the machine has no time for it now.
    """
    found = db.row(_ORIGINAL, public_id, member_id)
    if found is None:
        raise NotFound
    path, media_type, name, owner, place_shared, digest, blanks = found
    if owner == member_id or place_shared:
        return Kept(folder.root / path, media_type, name)
    if media_type == UNTYPED:
        raise Invalid(_NOT_OPEN)
    if not media_type.startswith("video/"):
        return Kept(_clean_copy(folder, decoder, folder.root / path, digest), media_type, name)
    if blanks is None:
        raise Invalid(_NOT_CLEAN)
    return Kept(folder.root / path, media_type, name, blanks_of(blanks))


def blanks_of(told: str) -> Blanks:
    """Return the blanks that an original's row tells of."""
    return tuple((at, length) for at, length in json.loads(told))


def reading(path: Path, blanks: Blanks = ()) -> BinaryIO:
    """Open a file to be read, blanked."""
    return cast("BinaryIO", _Blanked(path, blanks)) if blanks else path.open("rb")


def pieces(path: Path, blanks: Blanks = ()) -> Iterator[bytes]:
    """Yield a whole file, blanked: for an archive that is streamed."""
    with reading(path, blanks) as handle:
        while piece := handle.read(PIECE):
            yield piece


def drawn_from(folder: Folder, digest: str) -> list[Path]:
    """Return every file that was made from an original: renditions and the copy without place."""
    return list((folder.renditions / digest[:2]).glob(f"{digest}-*"))


def _drawn(folder: Folder, digest: str, drawings: str, edge: int) -> Drawn:
    sizes = {each[0]: each[1] for each in json.loads(drawings)}
    chosen = edge if edge in sizes else max((each for each in sizes if each < edge), default=0)
    if not chosen:
        raise NotFound
    return Drawn(rendition_path(folder, digest, chosen, sizes[chosen]), sizes[chosen])


def rendition_path(folder: Folder, digest: str, edge: int, media_type: str) -> Path:
    """Return where a rendition of an original lies."""
    return folder.renditions / digest[:2] / f"{digest}-{edge}.{ENDINGS[media_type]}"


def clean_path(folder: Folder, digest: str) -> Path:
    """Return where a picture's copy without place lies, once somebody has asked for it."""
    return folder.renditions / digest[:2] / f"{digest}-clean"


class _Blanked(io.FileIO):
    def __init__(self, path: Path, blanks: Blanks) -> None:
        super().__init__(path)
        self._blanks = blanks
        self._starts = [start for start, _length in blanks]

    def read(self, size: int | None = -1) -> bytes:
        at = self.tell()
        data = bytearray(super().read(-1 if size is None else size))
        first = max(0, bisect_right(self._starts, at) - 1)
        for start, length in self._blanks[first:]:
            if start >= at + len(data):
                break
            low, high = max(0, start - at), min(len(data), start + length - at)
            data[low:high] = bytes(max(0, high - low))
        return bytes(data)


def _clean_copy(folder: Folder, decoder: Decoder, path: Path, digest: str) -> Path:
    clean = clean_path(folder, digest)
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


# Takes the item's public id and the member's id: what they added, what was shared from the vault itself with them, what
# stands in a post or a message that they may see.
_MAY_SEE = audiences.VISIBLE.replace("?", "?2")
_ITS_OWN = _MAY_SEE.replace("audience_id", "item.audience_id", 2)
VISIBLE = f"""item.deleted_at IS NULL AND (item.member_id = ?2 OR {_ITS_OWN} OR EXISTS (
  SELECT 1 FROM post_item JOIN post ON post.id = post_item.post_id
  WHERE post_item.item_id = item.id AND post.deleted_at IS NULL AND {_MAY_SEE}) OR EXISTS (
  SELECT 1 FROM message_item JOIN message ON message.id = message_item.message_id AND message.deleted_at IS NULL
  JOIN post ON post.id = message.post_id
  WHERE message_item.item_id = item.id AND post.deleted_at IS NULL AND {_MAY_SEE}))"""
SEEN = f"FROM item JOIN original ON original.id = item.original_id WHERE item.public_id = ?1 AND {VISIBLE}"
_FILE = f"SELECT sha256, stamp, drawings {SEEN}"
_ORIGINAL = f"SELECT path, media_type, item.name, item.member_id, place_shared, sha256, blanks {SEEN}"
