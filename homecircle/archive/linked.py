"""Links that are kept without a post, on their way back: with a whole house, or to one member of one that is lived in.

Their pages are not asked again: what an export does not know of them stays unknown. The picture of a preview is shown
as it is (drawn anew it would be another one each time, and no export like the one before), so it must be a picture
through and through: the decoder's child opens it first; one that it cannot open, or of another size, is left out.
"""

from __future__ import annotations

import contextlib
from io import BytesIO

from homecircle import db
from homecircle.archive.reading import Line, Source, read_lines
from homecircle.errors import Refused
from homecircle.files import Folder
from homecircle.vault import links, previews
from homecircle.vault.decoder import Busy, Decoder
from homecircle.vault.images import Undrawable
from homecircle.vault.outside import URL_LIMIT

PICTURE = 256 << 10  # letters of base64: such a picture has a few kilobytes
AT_ONCE = 50  # rows in one transaction
Row = tuple[str, str, int, str, str, str, int, int, bytes | None]


def check(line: Line) -> None:
    """Refuse a line that is no link."""
    line.id("id"), line.id("by"), line.text("note", previews.NOTE_LIMIT), line.moment("added_at")
    if links.found_in(line.text("url", URL_LIMIT)) != [line.text("url")]:
        raise line.refusal()  # it becomes a link: nothing but http(s)
    if known := line.thing("preview"):
        known.text("title", links.TITLE_LIMIT), known.text("site", links.SITE_LIMIT), _picture(known)


def sound(folder: Folder, source: Source) -> set[str]:
    """Return the ids of the links whose picture can be opened and is what it says."""
    with contextlib.closing(Decoder()) as decoder:
        return {line.id("id") for line in read_lines(source, "links") if _is_sound(folder, decoder, line)}


def row(line: Line, has_picture: bool) -> Row:
    """Return what a row says of a link: url, note, added_at, state, title, site, width, height, picture."""
    known = line.thing("preview")
    drawn = (*_measures(known), _picture(known)) if known and has_picture else (0, 0, None)
    told = (known.text("title"), known.text("site")) if known else ("", "")
    return (line.text("url"), line.text("note"), line.moment("added_at"), "ready" if known else "none", *told, *drawn)


def bring(folder: Folder, source: Source, member_id: int, *, is_look: bool) -> int:
    """Give a member the links of an export that they do not keep yet, for them alone; returns how many (would) come.

    What is no link is passed over: the photos beside it come all the same.
    """
    came, there = 0, {row[0] for row in db.rows(_THERE, member_id)}
    waiting: list[Row] = []
    with contextlib.closing(Decoder()) as decoder:
        for line in read_lines(source, "links"):
            with contextlib.suppress(Refused):
                check(line)
                if (url := line.text("url")) in there:
                    continue
                there.add(url)
                came += 1
                if not is_look:
                    waiting.append(row(line, _is_sound(folder, decoder, line)))
            if len(waiting) >= AT_ONCE:
                waiting = _keep(waiting, member_id)
    _keep(waiting, member_id)
    return came


def _keep(rows: list[Row], member_id: int) -> list[Row]:
    """Write them, and nothing else while the house waits; returns what is left to write."""
    with db.transaction():
        for each in rows:
            db.rows(LINK, db.random_id(), member_id, *each)
    return []


def _is_sound(folder: Folder, decoder: Decoder, line: Line) -> bool:
    known = line.thing("preview")
    picture = _picture(known) if known else None
    return bool(known and picture and _opens(folder, decoder, picture, _measures(known)))


def _measures(known: Line) -> tuple[int, int]:
    return known.number("width", 0, 1 << 14, 0), known.number("height", 0, 1 << 14, 0)


def _picture(known: Line) -> bytes | None:
    found = known.base64("picture", PICTURE)
    if bool(found) != all(_measures(known)) or (found and (found[:4] != b"RIFF" or found[8:12] != b"WEBP")):
        raise known.refusal()
    return found or None


def _opens(folder: Folder, decoder: Decoder, picture: bytes, measures: tuple[int, int]) -> bool:
    spooled = folder.take(BytesIO(picture))
    try:
        found = decoder.draw(spooled)
    except (Undrawable, Busy):
        return False
    finally:
        folder.remove(spooled)
    return (found.width, found.height) == measures and found.media_type == previews.PICTURE_TYPE


_THERE = "SELECT url FROM link WHERE member_id = ? AND post_id IS NULL AND deleted_at IS NULL"
LINK = """
INSERT INTO link (public_id, member_id, url, note, added_at, state, title, site, width, height, picture)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
