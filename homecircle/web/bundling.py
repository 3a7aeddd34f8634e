"""Several files as one ZIP with a known size, streamed: nothing is written to disk, nothing is packed.

A generator holds one of the server's threads for as long as the reader is slow, so there is one ZIP at a time for the
whole house (BARS.md); whoever asks meanwhile is told so.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import PurePath

from flask import Response
from zipstream import ZIP_STORED, ZipStream

from homecircle.errors import TooMany
from homecircle.vault import Kept
from homecircle.web import sending

LIMIT = 200  # files in one
_one = threading.Semaphore(1)


def send(files: list[tuple[str, Kept]], name: str) -> Response:
    """Answer with a ZIP called `name` of (name in it, file); `TooMany` while another one is on its way."""
    if not _one.acquire(blocking=False):
        raise TooMany("Somebody is downloading several photos just now. Please try again in a minute.", retry_after=60)
    try:
        zipped = ZipStream(compress_type=ZIP_STORED, sized=True)
        for each, kept in files:
            zipped.add(sending.pieces(kept.path, kept.blanks), each, size=kept.path.stat().st_size)
        answer = Response(iter(zipped), mimetype="application/zip")
        answer.content_length = len(zipped)
    except BaseException:
        _one.release()
        raise
    answer.call_on_close(_one.release)
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def named(kept: list[tuple[str, Kept]]) -> Iterator[tuple[str, Kept]]:
    """Give each of (moment, file) a name of its own: '2026-07-03 1420 beach.jpg', the same again with a number."""
    seen: set[str] = set()
    for at, each in kept:
        path = PurePath(f"{at} {each.name}")
        name, number = str(path), 2
        while name.casefold() in seen:
            name, number = f"{path.stem} {number}{path.suffix}", number + 1
        seen.add(name.casefold())
        yield name, each
