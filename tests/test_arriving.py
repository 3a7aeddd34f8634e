"""A backup becomes this very house: whole or not at all, at whatever moment the plug is pulled."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from homecircle import backup, circle, cli, db, devices, feed, members, vault
from homecircle.errors import Invalid
from homecircle.files import Folder
from tests.conftest import SAMPLES, Family

TOKEN = "what the asking browser brings"


@pytest.fixture
def shelf(folder: Folder, family: Family, tmp_path: Path) -> Path:
    """A backup of a lived-in house, on another disk; that house is closed."""
    with (SAMPLES / "garden.jpg").open("rb") as handle:
        spooled = folder.take(handle)
    item = vault.keep(folder, spooled, "garden.jpg", family.ada.id)
    feed.publish(family.ada.id, "Our garden", [item.public_id], [], "one")
    backup.make(folder, tmp_path / "usb")
    db.close_file()
    return tmp_path / "usb"


@pytest.fixture
def fresh(shelf: Path, tmp_path: Path) -> Folder:
    """A new, empty house whose first admin has typed the set-up code; closed."""
    made = Folder(tmp_path / "fresh")
    made.prepare()
    db.open_file(made.database)
    devices.pair(devices.offer_setup().invitation, "home", "Browser")
    db.close_file()
    return made


def bring(fresh: Folder, shelf: Path, member: str) -> dict[str, object]:
    """Do what the process of the page does; returns the last thing it told."""
    given = json.dumps([str(backup.backups(shelf)[-1]), member, "New laptop", devices.hashed(TOKEN).hex()])
    said = CliRunner().invoke(cli.main, ["bring", "--data", str(fresh.root)], input=given)
    assert said.exception is None or isinstance(said.exception, SystemExit), said.output
    return dict(json.loads(said.stdout.splitlines()[-1]))


def texts(folder: Folder) -> list[str]:
    """Open the house as a start does, tell its posts, close it."""
    folder.prepare()
    db.open_file(folder.database)
    try:
        found = [row[0] for row in db.rows("SELECT text FROM post")]
        kept = [folder.root / row[0] for row in db.rows("SELECT path FROM original")]
        assert all(path.exists() for path in kept) and bool(kept) == bool(found)
        return found
    finally:
        db.close_file()


def test_it_comes_back_with_its_things_and_lets_in_who_brought_it(fresh: Folder, shelf: Path, family: Family) -> None:
    told = bring(fresh, shelf, family.ada.public_id)
    assert told["done"] == told["whole"]
    assert texts(fresh) == []  # until the next start
    assert backup.move_in(fresh) and not fresh.arriving.exists()
    assert texts(fresh) == ["Our garden"]
    db.open_file(fresh.database)
    found = devices.recognise(TOKEN, "home")
    assert found is not None and found.id == family.ada.id and found.is_admin and not found.limited
    assert [each.name for each in devices.everyone()] == ["New laptop"] and len(devices.suspended()) == 4
    assert circle.get().name == "The Lindqvists"
    assert not backup.move_in(fresh)


def test_who_looks_after_it_no_more_does_not_get_in(fresh: Folder, shelf: Path, family: Family) -> None:
    told = bring(fresh, shelf, family.ben.public_id)
    assert "does not look after" in str(told["message"]) and told["values"] == {"name": "Ben"}
    assert not backup.move_in(fresh) and not fresh.arriving.exists()
    assert texts(fresh) == []


def test_a_house_that_is_lived_in_by_now_is_never_replaced(fresh: Folder, shelf: Path, family: Family) -> None:
    """The server was killed, the process that restores went on, and meanwhile the family began anew."""
    bring(fresh, shelf, family.ada.public_id)
    db.open_file(fresh.database)
    feed.publish(members.join("Zoe", role="admin").id, "Our new beginning", [], [], "new")
    db.close_file()
    assert not backup.move_in(fresh) and not fresh.arriving.exists()
    db.open_file(fresh.database)
    assert [row[0] for row in db.rows("SELECT text FROM post")] == ["Our new beginning"]


def test_one_that_is_not_whole_is_taken_away(fresh: Folder, shelf: Path, family: Family) -> None:
    backup.restore(shelf, fresh.arriving)  # as if killed before the mark
    assert not backup.move_in(fresh) and not fresh.arriving.exists()
    assert texts(fresh) == []


def test_one_that_is_still_being_written_is_left_alone(fresh: Folder, shelf: Path) -> None:
    backup.restore(shelf, fresh.arriving)
    holder = (
        "import sys, pathlib\nfrom homecircle.files import Folder\n"
        "with Folder(pathlib.Path(sys.argv[1])).lock():\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    child = subprocess.Popen([sys.executable, "-c", holder, str(fresh.arriving)], text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    try:
        assert child.stdout.readline() == "held\n"
        assert not backup.move_in(fresh) and fresh.arriving.exists()
    finally:
        child.communicate()


def test_at_whatever_step_moving_in_is_cut_short_the_next_start_ends_it(
    fresh: Folder, shelf: Path, family: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Cut(BaseException):
        pass

    left = [0]

    def counted(real: object) -> object:
        def call(*given: object, **named: object) -> object:
            left[0] -= 1
            if left[0] < 0:
                raise Cut
            return real(*given, **named)

        return call

    bring(fresh, shelf, family.ada.public_id)
    changes = ("rename", "replace", "unlink", "rmdir", "mkdir", "fsync")  # every change of a folder is one of these
    for name in changes:
        monkeypatch.setattr(os, name, counted(getattr(os, name)))
    left[0], step, is_done = 1 << 30, 0, False
    while not is_done:
        trial = Folder(tmp_path / f"trial-{step}")
        shutil.copytree(fresh.root, trial.root, ignore=shutil.ignore_patterns("*.sock"))
        left[0] = step
        try:
            is_done = backup.move_in(trial)
        except Cut:
            step += 1
        left[0] = 1 << 30
        if (trial.arriving / "whole").exists():
            assert backup.move_in(trial)
        backup.move_in(trial)
        assert texts(trial) == ["Our garden"] and not trial.arriving.exists()
    assert step > 10


def test_backups_are_found_and_told(shelf: Path, tmp_path: Path) -> None:
    (made,) = backup.choices([tmp_path / "absent", shelf, shelf / "x"])
    assert (made.posts, made.items) == (1, 1) and made.size > 0
    assert backup.admins(made.path) == [(backup.admins(made.path)[0][0], "Ada")]
    assert backup.look_in(str(shelf)) == shelf and backup.look_in(str(made.path)) == made.path
    for wrong in ("usb", str(tmp_path), "/nonexistent", ""):
        with pytest.raises(Invalid):
            backup.look_in(wrong)
    manifest = made.path / "manifest.json"
    manifest.write_text(manifest.read_text()[:-1])
    assert backup.choices([shelf]) == []


def test_only_a_house_with_nothing_to_lose_is_fresh(fresh: Folder) -> None:
    db.open_file(fresh.database)
    assert backup.is_fresh()
    feed.publish(1, "first", [], [], "1")
    assert not backup.is_fresh()
    db.rows("DELETE FROM event")
    db.rows("DELETE FROM post")
    assert backup.is_fresh()
    members.join("Ben")
    assert not backup.is_fresh()
