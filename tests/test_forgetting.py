"""Forget everywhere: no backup holds it any more, and each of them is as whole as before."""

from __future__ import annotations

import errno
import json
import shutil
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from homecircle import audiences, backup, db, feed, trash, vault
from homecircle.backup import forgetting, making, shelf
from homecircle.errors import NotFound, Refused
from homecircle.files import Folder
from homecircle.vault import timeline
from homecircle.vault.decoder import Decoder
from tests.conftest import Family
from tests.test_trash import BACK, CAPTION, LINK, MEMBER, NAME, POST, REPLY, draw, is_whole, keep, tell, traces

KEPT = {POST, REPLY, CAPTION, NAME, LINK}


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """The second place."""
    made = tmp_path / "usb"
    made.mkdir()
    return made


@pytest.fixture
def told(folder: Folder, family: Family, decoder: Decoder, there: Path) -> tuple[feed.Post, str]:
    """What is to be forgotten, in two backups in each of two places; what others shared stands round it."""
    stays = keep(folder, family.ben, "cake.jpg")
    feed.publish(family.ben.id, "our cake", [stays], [], "cake")
    found = tell(folder, family, decoder)
    backup.nightly(folder, there)
    for _ in range(2):
        for to in (None, there):
            backup.make(folder, to)
    return found


def let_go(family: Family, told: tuple[feed.Post, str]) -> None:
    post, item = told
    feed.take_down(post, family.ada.id, is_admin=False)
    timeline.remove([item], family.ada.id, family.ada.id, is_admin=False)
    trash.forget("post", post.public_id, family.ada.id)
    trash.forget("item", item, family.ada.id)


def its_own(found: dict[str, list[str]]) -> dict[str, list[str]]:
    """Without the reply that was taken back and the name of old, which have no trash: they go by the year's pruning."""
    return {word: files for word, files in found.items() if word not in {BACK, MEMBER}}


def test_no_backup_holds_it_any_more_and_all_are_whole(
    folder: Folder, family: Family, told: tuple[feed.Post, str], there: Path, decoder: Decoder, tmp_path: Path
) -> None:
    places = (folder.backups, there)
    assert all(traces(each).keys() >= KEPT and len(backup.backups(each)) == 3 for each in places)
    let_go(family, told)
    with pytest.raises(NotFound):
        trash.thing("item", told[1], family.ada.id)  # out of the house at once
    assert trash.left(family.ada.id) == (2, 2)
    backup.forget(folder, there)
    assert trash.left(family.ada.id) == (0, 0)
    for each in places:
        assert its_own(traces(each)) == {} and backup.verify(each) == []
        assert not list(each.rglob(".*")) and len(list(each.rglob("*.jpg"))) == len(backup.backups(each))
    assert traces(folder.root, (POST, CAPTION, NAME)) == {} and is_whole()
    assert backup.drill(folder, there, decoder) == []
    files = {path: path.stat().st_mtime_ns for path in there.rglob("*")}
    backup.forget(folder, there)
    assert {path: path.stat().st_mtime_ns for path in there.rglob("*")} == files  # nothing is left to do
    db.close_file()
    new = Folder(tmp_path / "new")
    assert backup.restore(backup.backups(there)[0], new.root).problems == ()
    assert its_own(traces(new.root)) == {}
    db.open_file(new.database)
    assert is_whole() and db.row("SELECT text FROM post ORDER BY id LIMIT 1")[0] == "our cake"


def test_a_disk_that_is_not_there_is_waited_for(
    folder: Folder, family: Family, told: tuple[feed.Post, str], there: Path
) -> None:
    away = there.rename(there.with_name("unplugged"))
    there.mkdir()  # the empty mount point
    let_go(family, told)
    backup.forget(folder, there)
    assert trash.left(family.ada.id) == (0, 2) and its_own(traces(away))
    there.rmdir()
    away.rename(there)
    backup.forget(folder, there)
    assert trash.left(family.ada.id) == (0, 0) and its_own(traces(there)) == {}


def test_a_second_disk_in_turn_is_cleaned_when_a_backup_is_made_on_it(
    folder: Folder, family: Family, told: tuple[feed.Post, str], there: Path
) -> None:
    other = there.with_name("other")
    shutil.copytree(there, other)
    let_go(family, told)
    backup.forget(folder, there)
    assert its_own(traces(other))
    backup.by_hand(folder, other, there, lambda done, whole: None)
    assert its_own(traces(other)) == {} and backup.verify(other) == []


def test_two_that_take_out_at_once_do_not_spoil_it(
    folder: Folder, family: Family, told: tuple[feed.Post, str], there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go(family, told)
    real, others = trash.find_anew, list[threading.Thread]()

    def meanwhile(line: sqlite3.Connection) -> None:
        """The timetable's own run begins while another one is in the middle of a backup."""
        monkeypatch.setattr(trash, "find_anew", real)
        others.append(threading.Thread(target=lambda: run(backup.forget, folder, there)))
        others[0].start()
        others[0].join(1)
        real(line)

    def run(verb: Callable[..., object], *given: object) -> None:
        with db.connection():
            verb(*given)

    monkeypatch.setattr(trash, "find_anew", meanwhile)
    assert backup.by_hand(folder, there, there, lambda done, whole: None)[0].problems == ()
    others[0].join()
    backup.forget(folder, there)
    for each in (folder.backups, there):
        assert its_own(traces(each)) == {} and backup.verify(each) == []
    assert trash.left(family.ada.id) == (0, 0)


def test_a_backup_does_not_miss_what_was_let_go_while_it_was_made(
    folder: Folder, family: Family, told: tuple[feed.Post, str], there: Path, monkeypatch: pytest.MonkeyPatch,
    decoder: Decoder,
) -> None:  # fmt: skip
    real = making.copy_database

    def copy(source: Path, target: Path) -> None:
        real(source, target)
        let_go(family, told)
        backup.forget(folder, there)  # the files go; the backups are busy, and wait for the next run
        monkeypatch.setattr(making, "copy_database", real)

    monkeypatch.setattr(making, "copy_database", copy)
    for each in there.iterdir():
        shutil.rmtree(each)
    made = backup.make(folder, there)
    assert made.problems == () and backup.verify(made.path) == [] and backup.drill(folder, there, decoder) == []
    backup.forget(folder, there)
    assert its_own(traces(there)) == {} and backup.verify(there) == [] and trash.left(family.ada.id) == (0, 0)


@pytest.mark.parametrize("cut", range(1, 9))
def test_a_run_that_was_cut_short_is_finished_by_the_next(
    folder: Folder, family: Family, told: tuple[feed.Post, str], there: Path, cut: int
) -> None:
    let_go(family, told)
    calls = []

    def maybe(step: object) -> object:
        def run(*values: object) -> object:
            calls.append(1)
            if len(calls) >= cut:
                raise KeyboardInterrupt
            return step(*values)

        return run

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Folder, "move", maybe(Folder.move))
        patch.setattr(Folder, "erase", maybe(Folder.erase))
        patch.setattr(forgetting, "write_new", maybe(forgetting.write_new))
        patch.setattr(forgetting, "_tidy", lambda backup: None)  # a kill runs no `finally`
        with pytest.raises(KeyboardInterrupt):
            backup.forget(folder, there)
    assert backup.verify(folder.backups) == backup.verify(there) == []  # also when the disk is taken away just then
    backup.forget(folder, there)
    for each in (folder.backups, there):
        assert its_own(traces(each)) == {} and backup.verify(each) == [] and not list(each.rglob(".*"))
    assert trash.left(family.ada.id) == (0, 0)


@pytest.mark.parametrize("failing", range(1, 9))
def test_a_disk_that_fails_for_a_moment_leaves_every_backup_whole(
    folder: Folder, family: Family, told: tuple[feed.Post, str], there: Path, failing: int
) -> None:
    let_go(family, told)
    calls, move = [], Folder.move

    def fail(room: Folder, source: Path, target: Path) -> None:
        calls.append(1)
        if len(calls) == failing:
            raise OSError(errno.EIO, "not now")
        move(room, source, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Folder, "move", fail)
        with pytest.raises(Refused, match="still holds"):
            backup.forget(folder, there)
    assert backup.verify(folder.backups) == backup.verify(there) == []
    backup.forget(folder, there)
    for each in (folder.backups, there):
        assert its_own(traces(each)) == {} and backup.verify(each) == [] and not list(each.rglob(".*"))


def test_a_backup_that_cannot_be_changed_is_told_and_stays_written_down(
    folder: Folder, family: Family, told: tuple[feed.Post, str], there: Path
) -> None:
    first = backup.backups(there)[0]
    manifest = shelf.read_manifest(first)
    manifest.files[shelf.DATABASE][1] = "0" * 64
    (first / shelf.MANIFEST).write_text(manifest.text())
    let_go(family, told)
    with pytest.raises(Refused, match="still holds what was forgotten everywhere"):
        backup.forget(folder, there)
    assert trash.left(family.ada.id) == (0, 2)


def test_an_older_backup_that_is_restored_does_not_bring_it_back(
    folder: Folder, family: Family, told: tuple[feed.Post, str], there: Path, tmp_path: Path
) -> None:
    drawer = tmp_path / "drawer"
    shutil.copytree(there, drawer)
    let_go(family, told)
    backup.forget(folder, there)
    db.close_file()
    new = Folder(tmp_path / "new")
    backup.restore(backup.backups(drawer)[0], new.root, old=folder.root)
    db.open_file(new.database)
    new.prepare()
    assert db.rows("SELECT 1 FROM post WHERE public_id = ?", told[0].public_id) == []
    backup.forget(new, None)
    assert its_own(traces(new.root)) == {} and is_whole()


def test_only_the_one_who_removed_it_forgets_it_and_photos_go_along_when_asked(
    folder: Folder, family: Family, decoder: Decoder
) -> None:
    own, twice = keep(folder, family.ben, "garden.jpg"), keep(folder, family.ben, "cake.jpg")
    shared = keep(folder, family.ben, "still.webp")
    post = feed.publish(family.ben.id, "look", [own, twice, shared], [], "p")
    vault.share([shared], family.ben.id, audiences.EVERYONE)  # the family has it in the vault as well
    feed.publish(family.ben.id, "again", [twice], [], "q")
    draw(folder, decoder)
    with pytest.raises(NotFound):
        trash.forget("post", post.public_id, family.ben.id)  # not in the trash
    feed.take_down(post, family.ben.id, is_admin=False)
    for person in (family.ada, family.cleo):
        with pytest.raises(NotFound):
            trash.forget("post", post.public_id, person.id)
    assert trash.thing("post", post.public_id, family.ben.id) == ("post", post.public_id, "look", 1, 0)
    trash.forget("post", post.public_id, family.ben.id, with_photos=True)
    backup.forget(folder, None)
    assert all(vault.get(each, family.cleo.id) for each in (twice, shared))
    assert len(list(folder.vault.rglob("*.*"))) == 2
    said = json.dumps(db.rows("SELECT * FROM forgotten"))
    assert "look" not in said and "garden" not in said
