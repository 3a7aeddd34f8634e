"""Several files as one ZIP with a known size, streamed: nothing is written to disk, nothing is packed.

A generator holds one of the server's threads for as long as the reader is slow, so there is one ZIP of photos and one
export at a time for the whole house; whoever asks meanwhile is told so.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import PurePath

from flask import Response

from homecircle import archive, db
from homecircle.archive import Packed, Scope, zipping
from homecircle.errors import TooMany
from homecircle.vault import Kept, serving
from homecircle.web import rendering
from homecircle.web.house import house

LIMIT = 200  # files in one
LEFT_OUT = "left-out.txt"
_one = threading.Semaphore(1)
_leaving = threading.Semaphore(1)


def send(files: list[tuple[str, Kept]], name: str, left_out: str = "") -> Response:
    """Answer with a ZIP called `name` of (name in it, file); `TooMany` while another one is on its way.

    `left_out` says, in a file of its own, what is not in it and why.
    """

    def pack() -> Packed:
        entries = [(each, kept.path.stat().st_size, serving.pieces(kept.path, kept.blanks)) for each, kept in files]
        if text := left_out.encode():
            entries.append((LEFT_OUT, len(text), iter([text])))
        size = zipping.size((each, length) for each, length, _pieces in entries)
        return Packed(size, zipping.stream(entries, io.BytesIO(), db.now()), lambda: None)

    busy = TooMany("Somebody is downloading several photos just now. Please try again in a minute.", retry_after=60)
    return _answer(name, pack, _one, busy)


def send_archive(scope: Scope, name: str) -> Response:
    """Answer with what a member takes along as a ZIP called `name`; `TooMany` while another export is on its way."""
    pack = partial(archive.pack, house().folder, house().decoder, scope, rendering.language())
    busy = TooMany("Somebody is taking everything along just now. Please try again later.", retry_after=600)
    return _answer(name, pack, _leaving, busy)


def _answer(name: str, pack: Callable[[], Packed], turn: threading.Semaphore, busy: TooMany) -> Response:
    if not turn.acquire(blocking=False):
        raise busy
    try:
        packed = pack()
    except BaseException:
        turn.release()
        raise
    answer = Response(packed.pieces, mimetype="application/zip")
    if packed.size is not None:
        answer.content_length = packed.size
    answer.call_on_close(packed.close)
    answer.call_on_close(turn.release)
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
