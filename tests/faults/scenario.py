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
from collections.abc import Callable, Iterable
from pathlib import Path

from homecircle import archive, backup, db, drafts, feed, threads, trash, vault
from homecircle.archive.gathering import Gathering, Wish
from homecircle.archive.pile import Source
from homecircle.audiences import EVERYONE
from homecircle.files import Folder, sha256
from homecircle.vault import previews, uploads
from tests.faults.family import photo

shim = ctypes.CDLL(None)
SECRET, OLD = "a secret that is to be forgotten", "words that lay in the trash for long"
MONTHS = 90 * 86400


def live(folder: Folder, say: Callable[[str, str], None]) -> None:
    """Everything that a family does with what should last; `say` hears of each thing once it was acknowledged."""
    folder.prepare()
    db.open_file(folder.database)
    posts = [feed.publish(1, f"post {number}", [], [], f"once {number}") for number in range(3)]
    for post in posts:
        say("post", post.public_id)
    say("message", threads.say(posts[0], 2, threads.Words("hello"), "once").public_id)
    items = [_send(folder, str(number)) for number in range(2)]
    for item in items:
        feed.publish(1, "", [item], [], f"photo of {item}")
        say("item", item)
    _wait(folder, say)
    _move(folder, say)
    say("backup", backup.make(folder).path.name)
    feed.take_down(posts[1], 1, is_admin=True)
    say("gone", posts[1].public_id)
    say("backup", backup.make(folder).path.name)
    _let_go(folder, say)
    backup.prune(folder.backups)
    db.truncate_log()
    uploads.sweep(folder)
    say("post", feed.publish(1, "the last post", [], [], "the last").public_id)
    db.close_file()


def _send(folder: Folder, name: str, slot: str = "") -> str:
    content = photo(50_000)
    upload = uploads.begin(folder, (1, 1), len(content), {"filename": f"{name}.jpg", "slot": slot})
    uploads.take(folder, upload, uploads.Piece(0, iter([content[:20_000]])))
    item = uploads.take(folder, upload, uploads.Piece(20_000, iter([content[20_000:]])))
    assert item is not None
    return str(item.public_id)


def _wait(folder: Folder, say: Callable[[str, str], None]) -> None:
    """A post waits for its photo, an item is shared without a post, a link is kept."""
    waiting = drafts.share(1, "later", [drafts.COMING + "slot"], [], "draft")
    say("draft", waiting)
    say("item", _send(folder, "late", "slot"))
    drafts.fill()
    say("post", waiting)
    alone = _send(folder, "alone")
    vault.share([alone], 1, EVERYONE)
    say("shared", alone)
    say("link", previews.keep(1, "https://example.org/cake", "").public_id)


def _move(folder: Folder, say: Callable[[str, str], None]) -> None:
    """What lies ready is brought in; everything is taken out."""
    lying = folder.root.parent / "lying"
    shutil.rmtree(lying, ignore_errors=True)
    lying.mkdir()
    (lying / "brought.jpg").write_bytes(photo(40_000))
    brought = sha256(lying / "brought.jpg")
    assert Gathering(folder, Wish(Source(lying), 1, EVERYONE), lambda done, whole: None).run().photos == 1
    say("brought", brought)
    out = folder.root.parent / "out"
    shutil.rmtree(out, ignore_errors=True)
    archive.export(folder, out)
    say("export", str(out))


def _let_go(folder: Folder, say: Callable[[str, str], None]) -> None:
    """One thing is forgotten everywhere, another one has lain in the trash for long."""
    digest = sha256(folder.root / db.row("SELECT path FROM original JOIN item ON original.id = original_id "
                                         "WHERE item.public_id = ?", item := _send(folder, "secret"))[0])  # fmt: skip
    post = feed.publish(1, SECRET, [item], [], os.urandom(4).hex())
    backup.make(folder)
    feed.take_down(post, 1, is_admin=False)
    trash.forget("post", post.public_id, 1, with_photos=True)
    say("no post", post.public_id)
    backup.forget(folder, None)
    say("forgotten", digest)
    old = feed.publish(1, OLD, [], [], os.urandom(4).hex())
    feed.take_down(old, 1, is_admin=False)
    db.rows("UPDATE post SET deleted_at = deleted_at - ? WHERE id = ?", MONTHS, old.id)
    trash.purge(folder)
    say("purged", old.public_id)


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
    if kind in {"gone", "no post", "purged", "forgotten"}:
        return _is_gone(folder, kind, name)
    if kind == "export":
        return archive.is_export(Path(name))
    if kind == "draft":
        return bool(drafts.shared_before(1, "draft") == name)
    if kind == "brought":
        return bool(db.row("SELECT 1 FROM original JOIN item ON original.id = original_id WHERE sha256 = ?", name))
    if kind == "shared":
        return db.row("SELECT audience_id FROM item WHERE public_id = ?", name) == (EVERYONE,)
    table = {"post": "post", "message": "message", "item": "item", "link": "link"}[kind]
    return bool(db.row(f"SELECT 1 FROM {table} WHERE public_id = ?", name))


def _is_gone(folder: Folder, kind: str, name: str) -> bool:
    if kind == "gone":
        return bool(db.row("SELECT 1 FROM post WHERE public_id = ? AND deleted_at IS NOT NULL", name))
    if kind == "forgotten":  # in no file of the house, nor of a backup
        return not _hold(folder.root.rglob("*.sqlite3*"), SECRET) and not list(folder.root.rglob(f"*{name[:12]}*"))
    words = kind == "purged" and _hold(folder.root.glob("homecircle.sqlite3*"), OLD)
    return not words and not db.row("SELECT 1 FROM post WHERE public_id = ?", name)


def _hold(files: Iterable[Path], words: str) -> bool:
    return any(words.encode() in path.read_bytes() for path in files)


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
    everything = len(said)
    assert said[-1][0] == "post" and said[-2][0] == "purged", said
    assert wrong(Folder(scratch), said) == []
    problems: list[str] = []
    tried = range(1 + points % every, points + 1, every)
    for point in tried:
        folder = fresh(empty, scratch)
        _, said = run(folder, point, error)
        problems += [f"point {point}: {each}" for each in wrong(folder, said)]
        _, rest = run(folder, 0, error)  # and the house goes on
        problems += [] if len(rest) == everything else [f"point {point}: does not go on"]
    print(json.dumps({"points": points, "tried": len(tried), "problems": problems}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "error")
