"""A stuck reader keeps the log from being brought in; once it has let go, the log is small again."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from homecircle import db, feed
from homecircle.files import Folder
from tests.conftest import Family

AFTER = 8 << 20  # bytes


def test_the_log_is_small_again_when_a_stuck_reader_lets_go(
    folder: Folder, family: Family, rounds: Callable[[int, int], int], tell: Callable[[str], None]
) -> None:
    log = Path(f"{folder.database}-wal")
    with db.beside(folder.database) as stuck:
        stuck.execute("BEGIN")
        stuck.execute("SELECT count(*) FROM post").fetchone()
        while log.stat().st_size < rounds(12, 82) << 20:
            _share(family)
        held = log.stat().st_size
        assert not db.truncate_log()
        assert stuck.execute("SELECT count(*) FROM post").fetchone() == (0,)
    for _ in range(2):  # one commit brings the log in, the next one begins it anew
        _share(family)
    released = log.stat().st_size
    assert released <= AFTER
    assert db.truncate_log() and log.stat().st_size == 0
    assert db.rows("PRAGMA integrity_check") == [("ok",)]
    tell(f"log with a stuck reader {held / 1e6:.0f} MB, released {released / 1e6:.1f} MB, after the nightly truncate 0")


def _share(family: Family) -> None:
    """Fifty posts at once, as an import shares them."""
    with db.transaction():
        for _ in range(50):
            words = " ".join(os.urandom(4).hex() for _ in range(400))
            feed.publish(family.ada.id, words, [], [], os.urandom(8).hex())
