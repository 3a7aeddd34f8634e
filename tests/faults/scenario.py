"""One long scenario, run again and again in a fork, each time ended at another call that makes things last.

Started by `test_points` with the shim preloaded: ``scenario.py EMPTY-HOUSE SCRATCH EVERY ERROR``. Prints one line: how
many points there are, how many were tried, and what was wrong at which.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from homecircle import backup, db, feed, threads
from homecircle.files import Folder, sha256
from homecircle.vault import uploads
from tests.faults.family import photo

shim = ctypes.CDLL(None)
SAID = "said"


def live(folder: Folder, say: Callable[[str, str], None]) -> None:
    """Everything that a family does with what should last; `say` hears of each thing once it was acknowledged."""
    folder.prepare()
    db.open_file(folder.database)
    posts = [feed.publish(1, f"post {number}", [], [], f"once {number}") for number in range(3)]
    for post in posts:
        say("post", post.public_id)
    say("message", threads.say(posts[0], 2, threads.Words("hello"), "once").public_id)
    for number in range(2):
        content = photo(50_000)
        upload = uploads.begin(folder, (1, 1), len(content), {"filename": f"{number}.jpg"})
        uploads.take(folder, upload, uploads.Piece(0, iter([content[:20_000]])))
        item = uploads.take(folder, upload, uploads.Piece(20_000, iter([content[20_000:]])))
        assert item is not None
        feed.publish(1, "", [item.public_id], [], f"photo {number}")
        say("item", item.public_id)
    say("backup", backup.make(folder).path.name)
    feed.take_down(posts[1], 1, is_admin=True)
    say("gone", posts[1].public_id)
    say("backup", backup.make(folder).path.name)
    backup.prune(folder.backups)
    db.truncate_log()
    uploads.sweep(folder)
    say("post", feed.publish(1, "the last post", [], [], "the last").public_id)
    db.close_file()


def wrong(folder: Folder, said: list[list[str]]) -> list[str]:
    """What does not hold: acknowledged and lost, a torn file, a backup that is not whole, a database that is not."""
    folder.prepare()
    db.open_file(folder.database)
    try:
        problems = [each for (each,) in db.rows("PRAGMA integrity_check") if each != "ok"]
        problems += [f"{kind} {name} is lost" for kind, name in said if not _is_there(folder, kind, name)]
        problems += [path for path, digest in db.rows("SELECT path, sha256 FROM original")
                     if sha256(folder.root / path) != digest]  # fmt: skip
        found = backup.backups(folder.backups)
        return problems + [each for path in found for each in backup.verify(path)]
    finally:
        db.close_file()


def _is_there(folder: Folder, kind: str, name: str) -> bool:
    if kind == "backup":  # it may have been pruned: of one day the newest is kept
        return bool(backup.backups(folder.backups)) and backup.backups(folder.backups)[-1].name >= name
    if kind == "gone":
        return bool(db.row("SELECT 1 FROM post WHERE public_id = ? AND deleted_at IS NOT NULL", name))
    table = {"post": "post", "message": "message", "item": "item"}[kind]
    return bool(db.row(f"SELECT 1 FROM {table} WHERE public_id = ?", name))


def run(folder: Folder, point: int, error: bool) -> tuple[int, list[list[str]]]:
    """Live in a fork until `point` (0: to the end); returns how many points there were, and what was acknowledged."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        shim.arm(ctypes.c_long(point), int(error))
        try:
            live(folder, lambda kind, name: os.write(writing, json.dumps([kind, name]).encode() + b"\n"))
        except Exception:  # noqa: BLE001  an error was told, so nothing was acknowledged
            print(traceback.format_exc(), file=sys.stderr) if not point else None
        os.write(writing, json.dumps(["count", shim.count()]).encode() + b"\n")
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        lines = [json.loads(line) for line in told]
    os.waitpid(child, 0)
    counted = next((number for kind, number in lines if kind == "count"), 0)
    return counted, [line for line in lines if line[0] != "count"]


def fresh(empty: Path, scratch: Path) -> Folder:
    """A copy of the empty house."""
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(empty, scratch)
    return Folder(scratch)


def main(empty: Path, scratch: Path, every: int, error: bool) -> None:
    shim.count.restype = ctypes.c_long
    shim.arm(ctypes.c_long(-1), 0)
    points, said = run(fresh(empty, scratch), 0, error)
    assert len(said) == 10, said
    problems: list[str] = []
    tried = range(1 + points % every, points + 1, every)
    for point in tried:
        folder = fresh(empty, scratch)
        _, said = run(folder, point, error)
        problems += [f"point {point}: {each}" for each in wrong(folder, said)]
        _, rest = run(folder, 0, error)  # and the house goes on
        problems += [] if len(rest) == 10 else [f"point {point}: does not go on"]
    print(json.dumps({"points": points, "tried": len(tried), "problems": problems}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "error")
