"""Backups under load are whole; one killed at any moment leaves the earlier ones; every flipped bit is found."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from homecircle import backup, control, db, vault
from homecircle.files import sha256
from tests.faults.family import House, photo, quiet

MAKE = """
import sys
from pathlib import Path
from homecircle import backup, db
from homecircle.files import Folder
folder = Folder(Path(sys.argv[1]))
folder.prepare()
db.open_file(folder.database)
print("ready", flush=True)
while True:
    made = backup.make(folder, Path(sys.argv[2]))
    print(made.path.name, flush=True)
"""


def test_backups_under_load_are_whole_and_restorable(
    house: House, rounds: Callable[[int, int], int], tell: Callable[[str], None], tmp_path: Path
) -> None:
    house.start()
    count, made, before = rounds(3, 50), list[Path](), list[dict[str, str]]()

    def back_up() -> None:
        for _ in range(count):
            before.append(dict(house.said.posts))
            made.append(_ask_for_one(house))

    house.write(0.5, back_up)
    assert len(made) == count and house.check() == []
    house.kill()
    for number, path in enumerate(made):
        assert backup.verify(path) == []
        restored = backup.restore(path, tmp_path / f"restored-{number}")
        assert restored.problems == ()
        with db.beside(tmp_path / f"restored-{number}" / "homecircle.sqlite3") as line:
            posts = dict(line.execute("SELECT public_id, text FROM post").fetchall())
        assert before[number].items() <= posts.items()
    tell(f"{count} of {count} whole and restored, {len(house.said)} acknowledged meanwhile, the last with {restored}")


def _ask_for_one(house: House) -> Path:
    """As `homecircle backup` does."""
    assert control.ask(house.folder.control, "backup", to=str(house.folder.backups)) is not None
    while not (told := control.ask(house.folder.control, "backup-progress"))["finished"]:
        threading.Event().wait(0.02)
    assert told["failed"] == "" and told["made"][0]["problems"] == []
    return Path(told["made"][0]["path"])


def test_a_backup_killed_at_any_moment_leaves_the_earlier_ones(
    house: House, rounds: Callable[[int, int], int], tell: Callable[[str], None], tmp_path: Path
) -> None:
    _fill(house, 40)
    there = tmp_path / "usb"
    count, cut, known = rounds(4, 20), 0, list[str]()
    for _ in range(count):
        known += _made_until_killed(house, there, random.uniform(0.0, 0.6))
        cut += bool(list(there.glob(".*.making")))
        assert backup.verify(there) == [] or not known
        assert {path.name for path in backup.backups(there)} >= set(known)
    db.open_file(house.folder.database)
    backup.make(house.folder, there)  # and the next one tidies up
    db.close_file()
    assert backup.verify(there) == [] and not list(there.glob(".*"))
    tell(f"{count} kills, {cut} in the middle of one, {len(known)} told as made, all of them whole")


def _made_until_killed(house: House, there: Path, seconds: float) -> list[str]:
    running = subprocess.Popen([sys.executable, "-c", MAKE, str(house.folder.root), str(there)],
                               stdout=subprocess.PIPE, env=quiet(), text=True)  # fmt: skip
    assert running.stdout is not None and running.stdout.readline() == "ready\n"
    threading.Event().wait(seconds)
    running.kill()
    return running.communicate()[0].split()


def test_every_flipped_bit_is_found(house: House, tell: Callable[[str], None]) -> None:
    _fill(house, 100)
    db.open_file(house.folder.database)
    try:
        made = backup.make(house.folder, house.folder.root.parent / "usb")
        assert backup.scrub(house.folder, made.path.parent) == []
        originals = sorted(path for path in house.folder.vault.rglob("*.jpg"))
        kept = [*random.sample(sorted(made.path.rglob("*.jpg")), 18), made.path / "homecircle.sqlite3",
                made.path / "manifest.json"]  # fmt: skip
        for path in (*originals, *kept):
            _flip(path)
        db.rows("UPDATE hashed SET at = 0")  # a quarter later
        found = backup.scrub(house.folder, made.path.parent)
        assert all(any(str(path) in problem for problem in found) for path in originals)
        verified = backup.verify(made.path)
        (made.path / "manifest.json").write_text(_mended(made.path))
        verified += backup.verify(made.path)
        missed = [path for path in kept if not any(path.name in each for each in verified)]
    finally:
        db.close_file()
    assert missed == [made.path / "manifest.json"] and "manifest" in verified[0]  # it is told by that name
    tell(f"{len(originals)} of 100 originals and {len(kept)} of 20 backup files found")


_kept_manifest: dict[Path, bytes] = {}


def _mended(made: Path) -> str:
    return _kept_manifest[made / "manifest.json"].decode()


def _flip(path: Path) -> None:
    """Turn one bit over; in a file of its own, since a hard link would turn over in the vault as well."""
    content = bytearray(path.read_bytes())
    _kept_manifest[path] = bytes(content)
    content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    path.unlink()
    path.write_bytes(content)


def _fill(house: House, count: int) -> None:
    """Put photos into the vault, without a server."""
    db.open_file(house.folder.database)
    for _ in range(count):
        spooled = house.folder.spool()
        spooled.write_bytes(photo(100_000))
        vault.keep(house.folder, spooled, "photo.jpg", 1)
    db.close_file()


@pytest.mark.parametrize("damage", ["text", "zeroed", "empty", "cut"])
def test_a_database_that_is_damaged_is_told_and_left_as_it_is(house: House, damage: str) -> None:
    _fill(house, 30)
    path = house.folder.database
    content = bytearray(path.read_bytes())
    if damage == "text":
        content[:] = b"Dear diary, today the children wrote over the database.\n" * 500
    elif damage == "zeroed":
        content[3 * 4096 : 6 * 4096] = bytes(3 * 4096)
    elif damage == "cut":
        del content[len(content) // 2 :]
    else:
        content[:100] = bytes(100)
    path.write_bytes(content)
    digest = sha256(path)
    code, said = house.refusal()
    assert code != 0 and "cannot be read" in said and "homecircle restore" in said
    assert said.count("\n") <= 2 and "Traceback" not in said
    assert sha256(path) == digest


def test_a_log_that_was_cut_loses_no_earlier_row_and_no_whole_file(house: House) -> None:
    house.start()
    house.write(0.5, house.kill)
    log = house.folder.database.with_name("homecircle.sqlite3-wal")
    content = log.read_bytes()
    log.write_bytes(content[: len(content) // 2])
    house.start()  # what the log held whole is there; what was cut out of it nobody can know
    assert [each for each in house.check() if not each.startswith(("post ", "message ", "photo "))] == []
    assert house.line().ask("GET", "/").status == 200
