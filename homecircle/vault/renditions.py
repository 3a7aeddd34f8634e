"""Renditions: what the decoder draws of a picture, or finds in a film, once that is in the vault; one after another."""

from __future__ import annotations

import base64
import json
import logging

from homecircle import db, members, vault
from homecircle.files import Folder, refusal
from homecircle.vault import Item, Original, images
from homecircle.vault.decoder import Busy, Decoder, Unreadable
from homecircle.vault.images import Undrawable
from homecircle.vault.serving import rendition_path

MOVING = frozenset({"image/gif", "image/webp", "image/png"})  # what browsers play, and what can be cleaned
log = logging.getLogger("homecircle.vault")


def draw_next(folder: Folder, decoder: Decoder) -> bool:
    """Draw the oldest picture that waits for its renditions; False when none does. May be killed and run again.

    One for which the machine had no time waits behind the others, and when it has none again, for the night.
    """
    found = db.row(_NEXT.format(but="AND reason <> 'busy'")) or db.row(_NEXT.format(but=""))
    if found is None:
        return False
    original = Original.get_by_id(found[0])
    changes = _found(folder, decoder, original)
    poster = original.poster_id
    as_it_was = Original.poster_id.is_null() if poster is None else Original.poster_id == poster
    with db.transaction():
        if not Original.update(**changes).where(Original.id == original.id, as_it_was).execute():
            return True  # its poster came meanwhile: it is still pending, and drawn with that
        said = {"kind": vault.kind_of(original.media_type, str(changes["state"]), str(changes.get("reason", "")))}
        said |= {"taken": str(changes["taken"])} if changes.get("taken") else {}
        Item.update(**said).where(Item.original_id == original.id).execute()
        vault.tell_drawn(original.id)
        db.after_commit(members.forget_roster)  # it may be somebody's face
    return True


def draw_again(paths: list[str]) -> None:
    """These could not be read when they were to be drawn, and now they can: they wait for it once more.

    So do those for which the machine had no time.
    """
    with db.transaction():
        db.rows("UPDATE original SET state = 'pending', reason = '' WHERE state = 'failed' AND (reason = 'busy' OR "
                "reason = 'unreadable' AND path IN (SELECT value FROM json_each(?)))", json.dumps(paths))  # fmt: skip


def _found(folder: Folder, decoder: Decoder, original: Original) -> dict[str, object]:
    """What a look at an original changes of its row."""
    try:
        is_film = original.media_type.startswith("video/")
        return _looked_at(folder, decoder, original) if is_film else _drawn_all(folder, decoder, original)
    except Undrawable as refused:
        return {"state": "failed", "reason": refused.reason}
    except Busy:
        return {"state": "failed" if original.reason == "busy" else "pending", "reason": "busy"}
    except FileNotFoundError:
        return {"state": "failed", "reason": "missing"}
    except Unreadable as error:
        refusal(error)  # an EIO is noted: the house is no longer all well
        log.exception("%s cannot be read", original.path)
        return {"state": "failed", "reason": "unreadable"}


def _drawn_all(folder: Folder, decoder: Decoder, original: Original) -> dict[str, object]:
    try:
        picture = decoder.draw(folder.root / original.path)
    except Undrawable as refused:
        instead = _poster(folder, decoder, original) if refused.reason == "too_large" and original.poster_id else {}
        if not instead:
            raise
        return instead
    for drawing in picture.drawings:
        folder.write(rendition_path(folder, original.sha256, drawing.edge, drawing.media_type), drawing.data)
    return _found_in(picture)


def _looked_at(folder: Folder, decoder: Decoder, original: Original) -> dict[str, object]:
    film = decoder.probe(folder.root / original.path)
    found: dict[str, object] = {
        "state": "ready", "reason": "", "width": film.width or original.width, "height": film.height or original.height,
        "duration": film.duration or original.duration,
        "has_place": film.has_place, "blanks": None if film.blanks is None else json.dumps(film.blanks),
    }  # fmt: skip
    found |= {"taken": film.taken} if film.taken else {}
    poster = _poster(folder, decoder, original) if original.poster_id else {}
    return found | {name: poster[name] for name in ("preview", "drawings") if poster}


def _poster(folder: Folder, decoder: Decoder, original: Original) -> dict[str, object]:
    """What a film, or a picture too large for the decoder, looks like; nothing of a poster that cannot be drawn."""
    try:
        picture = decoder.draw(folder.root / Original.get_by_id(original.poster_id).path)
    except (Undrawable, FileNotFoundError):
        return {}
    for drawing in picture.drawings:
        folder.write(rendition_path(folder, original.sha256, drawing.edge, drawing.media_type), drawing.data)
    told = _found_in(picture)
    return {name: told[name] for name in ("state", "reason", "width", "height", "preview", "drawings")}


def _found_in(picture: images.Picture) -> dict[str, object]:
    preview = "data:image/webp;base64," + base64.b64encode(picture.preview).decode() if picture.preview else ""
    drawings = [[each.edge, each.media_type, each.width] for each in picture.drawings]
    found: dict[str, object] = {
        "state": "ready", "reason": "", "width": picture.width, "height": picture.height, "camera": picture.camera,
        "has_place": picture.has_place, "preview": preview, "drawings": json.dumps(drawings),
        "moves": picture.animated and picture.media_type in MOVING,
    }  # fmt: skip
    return found | ({"taken": picture.taken} if picture.taken else {})


# Named, since the planner would rather go through all originals than through those that wait (EXPLAIN QUERY PLAN).
_NEXT = "SELECT id FROM original INDEXED BY original_pending WHERE state = 'pending' {but} ORDER BY id LIMIT 1"
