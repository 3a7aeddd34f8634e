"""Answering with a file: whole or a piece (RFC 9110), never holding a thread for a slow reader.

Own code because Flask's ``send_file`` with a Range keeps a thread for each slow player, and eight of them stopped the
whole server.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from flask import Response, request

from homecircle.errors import NotFound
from homecircle.vault import ENDINGS, serving
from homecircle.vault.serving import Blanks

PIECE = 4 << 20  # the most that one 206 carries: a stalled player holds a buffer, never a thread
MEDIA_POLICY = "default-src 'none'; sandbox"
IMMUTABLE = "private, max-age=31536000, immutable"


def send(path: Path, media_type: str, etag: str, keep: str, blanks: Blanks = ()) -> Response:
    """Answer with a file or the piece of it that was asked for (RFC 9110: Range, If-Range, If-None-Match, HEAD).

    What `blanks` says is sent as zeros.

    The media type is one of a closed list; anything else goes as an attachment without a type, since a plain SVG and a
    file without type both ran script on the origin.
    """
    try:
        handle = serving.reading(path, blanks)
        size = path.stat().st_size
    except FileNotFoundError:
        raise NotFound from None
    if request.if_none_match.contains_weak(etag):
        handle.close()
        answer = Response(status=304)
    else:
        answer = _whole_or_piece(handle, size, etag)
        answer.mimetype = media_type if media_type in ENDINGS else "application/octet-stream"
    answer.set_etag(etag)
    answer.headers["Accept-Ranges"] = "bytes"
    answer.headers["Cache-Control"] = keep
    answer.headers["Content-Security-Policy"] = MEDIA_POLICY
    return answer


def send_bytes(data: bytes, media_type: str, etag: str, keep: str) -> Response:
    """Answer with a few bytes that lie in a row, with the headers of a file."""
    answer = Response(status=304) if request.if_none_match.contains_weak(etag) else Response(data, mimetype=media_type)
    answer.set_etag(etag)
    answer.headers["Cache-Control"] = keep
    answer.headers["Content-Security-Policy"] = MEDIA_POLICY
    return answer


def _whole_or_piece(handle: BinaryIO, size: int, etag: str) -> Response:
    asked = request.headers.get("Range", "") if request.method == "GET" and _unchanged(etag) else ""
    span = _span(asked, size)
    if span is None:
        handle.close()
        return Response(status=416, headers={"Content-Range": f"bytes */{size}"})
    start, end = span
    handle.seek(start)
    answer = Response(_body(handle, end - start), 206 if asked and _is_range(asked) else 200, direct_passthrough=True)
    answer.content_length = end - start
    if answer.status_code == 206:
        answer.headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return answer


def _body(handle: BinaryIO, length: int) -> Iterable[bytes]:
    """Hand the file to waitress, which sends up to Content-Length of it without holding a thread."""
    if request.method == "HEAD":
        handle.close()
        return ()
    wrapper = request.environ.get("wsgi.file_wrapper")
    return cast("Iterable[bytes]", wrapper(handle)) if wrapper else _pieces(handle, length)


def _pieces(handle: BinaryIO, length: int) -> Iterator[bytes]:
    with handle:
        while length > 0 and (piece := handle.read(min(length, 1 << 18))):
            length -= len(piece)
            yield piece


def _is_range(asked: str) -> bool:
    return bool(_RANGE.fullmatch(asked.strip()))


def _span(asked: str, size: int) -> tuple[int, int] | None:
    """The half-open piece of one range; the whole for none and for forms we need not know; None beyond the end."""
    found = _RANGE.fullmatch(asked.strip())
    if not found:
        return 0, size
    first, last = found.groups()
    if not first:  # the last n bytes
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
    return (start, min(end, start + PIECE)) if start < end else None


def _unchanged(etag: str) -> bool:
    condition = request.headers.get("If-Range")
    return condition is None or condition == f'"{etag}"'


_RANGE = re.compile(r"bytes=(\d{1,15}(?=-)|(?=-\d))-(\d{0,15})", re.ASCII)
