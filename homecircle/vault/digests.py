"""SHA-256 of files that still grow, carried along as their pieces arrive, so that the last piece is answered at once.

A digest is kept in memory only. After a restart, or when a piece was cut, it lags behind: `catch_up` reads what is
missing from the disk, in the background (`server`), while further pieces come.

`forget` begins a new generation of a file: who still reads what was thrown away cannot bring its hash back.
"""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

READ = 1 << 20


class Digest(NamedTuple):
    """The hash of a file's first `upto` bytes. Never changed in place: a cut piece leaves the old one valid."""

    sha: hashlib._Hash
    upto: int
    generation: int


_kept: dict[str, Digest] = {}
_generations = itertools.count()
_keeping = threading.Lock()


def get(name: str) -> Digest:
    """Return how far the file `name` is hashed; nothing of one that is not known."""
    with _keeping:
        return _kept.get(name) or _kept.setdefault(name, Digest(hashlib.sha256(), 0, next(_generations)))


def keep(name: str, digest: Digest) -> None:
    """Remember it, unless a longer one is known or what was hashed has been thrown away."""
    with _keeping:
        known = _kept.get(name)
        if known and known.generation == digest.generation and digest.upto > known.upto:
            _kept[name] = digest


def forget(name: str) -> None:
    """The file is finished or gone, or begins anew."""
    with _keeping:
        _kept.pop(name, None)


def catch_up(
    name: str, path: Path, upto: int, go_on: Callable[[], None] = lambda: None, since: Digest | None = None
) -> Digest:
    """Hash the file from where its digest stands to `upto` (what is safely on the disk); return the digest.

    `go_on` is called between two reads and may raise to end the work. Who reads beside the pieces that come takes
    `since` (`get`) before asking how far the file is, so that both are of the same generation.
    """
    sha, at, generation = found = since or get(name)
    if at >= upto:
        return found
    sha = sha.copy()
    with path.open("rb") as handle:
        handle.seek(at)
        while at < upto and (piece := handle.read(min(READ, upto - at))):
            sha.update(piece)
            at += len(piece)
            go_on()
    made = Digest(sha, at, generation)
    keep(name, made)
    return made
