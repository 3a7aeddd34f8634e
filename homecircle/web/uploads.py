"""Uploads by the tus 1.0.0 protocol (tus.io): creation, HEAD, PATCH, termination, expiration; for any tus client."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from email.utils import format_datetime

from flask import Blueprint, Response, g, request, url_for

from homecircle import drafts, vault
from homecircle.errors import HouseError, Invalid, TooLarge
from homecircle.vault import uploads
from homecircle.web import guard
from homecircle.web.house import house

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,termination,expiration,checksum"
PIECE_TYPE = "application/offset+octet-stream"
METADATA_LIMIT = 4096
HASH_LIMIT = 80
pages = Blueprint("uploads", __name__, url_prefix="/uploads")


@pages.route("", methods=["OPTIONS"], provide_automatic_options=False)
@guard.programs
@guard.medium
def options() -> Response:
    """Say what this server can do."""
    answer = _answer(204)
    answer.headers.update(
        {
            "Tus-Version": VERSION,
            "Tus-Extension": EXTENSIONS,
            "Tus-Max-Size": str(uploads.SIZE_LIMIT),
            "Tus-Checksum-Algorithm": ",".join(uploads.CHECKSUMS),
        }
    )
    return answer


@pages.post("")
@guard.programs
@guard.medium
def create() -> Response:
    """Begin a file: Upload-Length bytes, named by Upload-Metadata; a body is its first piece."""
    if refusal := _other_version():
        return refusal
    size, metadata = _number("Upload-Length"), _metadata(request.headers.get("Upload-Metadata", ""))
    if g.me.kind == "program":
        metadata["keep"] = "1"  # nobody is there to be asked
    made = uploads.begin(house().folder, (g.me.id, g.me.device_id), size, metadata, house().quota)
    if request.mimetype == PIECE_TYPE:
        _take(made, 0)
    answer = _answer(201, uploads.get(made.id, g.me.id))
    answer.headers["Location"] = url_for("uploads.show", upload_id=made.id, _external=True)
    return answer


@pages.route("/<upload_id>", methods=["HEAD"], provide_automatic_options=False)
@guard.programs
@guard.medium
def show(upload_id: str) -> Response:
    """Say where a file stands."""
    if refusal := _other_version():
        return refusal
    found = uploads.get(upload_id, g.me.id)
    _arrived(uploads.finish(house().folder, found), found)
    answer = _answer(200, uploads.get(upload_id, g.me.id))
    answer.headers["Upload-Length"] = str(found.size)
    return answer


@pages.patch("/<upload_id>")
@guard.programs
@guard.medium
def update(upload_id: str) -> Response:
    """Take one piece. What the answer acknowledges is on the disk."""
    if refusal := _other_version():
        return refusal
    if request.mimetype != PIECE_TYPE:
        return _answer(415)
    _take(uploads.get(upload_id, g.me.id), _number("Upload-Offset"))
    return _answer(204, uploads.get(upload_id, g.me.id))


@pages.post("/<upload_id>/keep")
@guard.medium
def keep(upload_id: str) -> Response:
    """Yes, keep this file though it cannot be shown; with `open`, others may download it as it is."""
    found = uploads.get(upload_id, g.me.id)
    _arrived(uploads.keep(house().folder, found, opened=request.form.get("open") == "1"), found)
    return _answer(204, uploads.get(upload_id, g.me.id))


@pages.put("/<upload_id>/poster")
@guard.programs
@guard.medium
def poster(upload_id: str) -> Response:
    """Take a small picture for a film or a large photo, made by the sender's browser."""
    if (request.content_length or 0) > uploads.POSTER_LIMIT:
        raise TooLarge("A poster has at most 1 MB.")
    uploads.give_poster(house().folder, uploads.get(upload_id, g.me.id), request.get_data())
    house().wake_drawer()
    return _answer(204)


@pages.put("/<upload_id>/hash")
@guard.programs
@guard.medium
def compare(upload_id: str) -> Response:
    """Hear the SHA-256 (hex) that the file has where it comes from; 460 when it is to be sent once more."""
    if (request.content_length or 0) > HASH_LIMIT:
        raise TooLarge("This is no SHA-256.")
    found = uploads.get(upload_id, g.me.id)
    uploads.compare(house().folder, found, request.get_data(as_text=True).strip(), house().quota)
    return _answer(204, uploads.get(upload_id, g.me.id))


@pages.delete("/<upload_id>")
@guard.programs
@guard.medium
def delete(upload_id: str) -> Response:
    """Forget a file that is on its way."""
    if refusal := _other_version():
        return refusal
    uploads.drop(house().folder, uploads.get(upload_id, g.me.id))
    return _answer(204)


def _take(upload: uploads.Upload, offset: int) -> None:
    if (request.content_length or 0) > uploads.PIECE_LIMIT:
        raise TooLarge("A piece has at most 8 MiB.")
    made = uploads.take(house().folder, upload, uploads.Piece(offset, _pieces(), _checksum()))
    _arrived(made, upload)


def _arrived(made: vault.Item | None, upload: uploads.Upload) -> None:
    if made is not None:
        drafts.fill()
    if made is not None or uploads.is_behind(upload):
        house().wake_drawer()


def _checksum() -> tuple[str, bytes] | None:
    """Read `Upload-Checksum: sha1 base64`; `HouseError` (400) for what is not that, as the protocol says."""
    header = request.headers.get("Upload-Checksum", "")
    if not header:
        return None
    name, _, digest = header.partition(" ")
    try:
        if name in uploads.CHECKSUMS and digest:
            return name, base64.b64decode(digest, validate=True)
    except binascii.Error:
        pass
    raise HouseError("The header %(name)s cannot be read.", name="Upload-Checksum")


def _answer(status: int, upload: uploads.Upload | None = None) -> Response:
    answer = Response(status=status, headers={"Tus-Resumable": VERSION, "Cache-Control": "no-store"})
    if upload is not None:
        answer.headers["Upload-Offset"] = str(upload.offset)
        if item := uploads.item_of(upload):
            answer.headers["Upload-Item"] = item  # ours: what the finished file has become
            if uploads.is_different(upload):
                answer.headers["HC-Item-State"] = "different"  # ours: it came several times, and never as it is there
        else:
            if uploads.waits(upload):
                answer.headers["HC-Item-State"] = "unknown-kind"  # ours: POST <upload>/keep keeps it, DELETE does not
            answer.headers["Upload-Expires"] = format_datetime(upload.until, usegmt=True)
    return answer


def _other_version() -> Response | None:
    if request.headers.get("Tus-Resumable") == VERSION:
        return None
    refusal = _answer(412)
    refusal.headers["Tus-Version"] = VERSION
    return refusal


def _number(name: str) -> int:
    text = request.headers.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise Invalid("The header %(name)s must be a number.", name=name)
    return int(text)


def _metadata(header: str) -> dict[str, str]:
    """Read `key base64,key base64`; `Invalid` for what is not that."""
    if len(header) > METADATA_LIMIT:
        raise Invalid("The header %(name)s is too long.", name="Upload-Metadata")
    try:
        pairs = [pair.strip().partition(" ")[::2] for pair in header.split(",") if pair.strip()]
        return {key: base64.b64decode(value, validate=True).decode("utf-8") for key, value in pairs}
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise Invalid("The header %(name)s cannot be read.", name="Upload-Metadata") from error


def _pieces() -> Iterator[bytes]:
    while piece := request.stream.read(1 << 18):
        yield piece
