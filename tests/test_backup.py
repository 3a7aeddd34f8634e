"""Backups: whole or not at all, incremental, proven by reading, restored into a new house."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import os
import random
import shutil
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from homecircle import backup, cli, db, devices, feed, jobs, members, membership, threads, trash, vault
from homecircle.backup import shelf
from homecircle.errors import Conflict, HouseFull, NoSpace, Refused
from homecircle.files import Folder, clear, sha256
from homecircle.vault import renditions
from homecircle.vault.decoder import Decoder
from tests.conftest import SAMPLES, Family

PHOTOS = ("garden.jpg", "cake.jpg", "still.webp", "phone.heic")


@pytest.fixture
def lived_in(folder: Folder, family: Family, decoder: Decoder) -> Folder:
    """A house with posts and drawn photos."""
    for name in PHOTOS:
        with (SAMPLES / name).open("rb") as handle:
            spooled = folder.take(handle)
        item = vault.keep(folder, spooled, name, family.ada.id)
        feed.publish(family.ada.id, f"Look: {name}", [item.public_id], [], name)
    while renditions.draw_next(folder, decoder):
        pass
    (folder.root / "homecircle.toml").write_text('name = "lindqvist"\n')
    folder.secret()
    return folder


def originals(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in (root / "vault").rglob("*") if path.is_file()}


def flip(path: Path, chance: random.Random) -> None:
    """Turn one bit of a file over, as a dying disk does; a file of its own first, so that no hard link shares it."""
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.unlink()
    path.write_bytes(content)


def at(monkeypatch: pytest.MonkeyPatch, moment: dt.datetime) -> None:
    monkeypatch.setattr(db, "now", lambda: moment)


def test_damage_of_any_kind_is_told_in_words(lived_in: Folder, tmp_path: Path) -> None:
    made, whole = tmp_path / "damaged", backup.make(lived_in, tmp_path / "usb").path / "homecircle.sqlite3"
    # what SQLite complains of is quoted as it stands there, which need not be text
    for old, new in ((b"CREATE INDEX", b"CREATE INDE\xa0"), (b"SQLite format 3", b"SQLite format 4")):
        made.write_bytes(whole.read_bytes().replace(old, new))
        (problem,) = shelf.database_problems(made, {})
        assert "cannot be read" in problem
        with pytest.raises(sqlite3.DatabaseError):
            db.quick_check(made)
    for seed in range(60):
        chance, content = random.Random(seed), bytearray(whole.read_bytes())
        content[chance.randrange(12 * 4096)] ^= 1 << chance.randrange(8)
        made.write_bytes(content)
        assert all(each.endswith((").", "counted.")) for each in shelf.database_problems(made, {}))


def test_a_backup_holds_database_originals_and_settings_and_never_the_secret(lived_in: Folder) -> None:
    made = backup.make(lived_in)
    assert made.path.parent == lived_in.backups and made.problems == ()
    held = {str(path.relative_to(made.path)) for path in made.path.rglob("*") if path.is_file()}
    assert held == {"homecircle.sqlite3", "homecircle.toml", "manifest.json", *originals(lived_in.root)}
    assert originals(made.path) == originals(lived_in.root)
    assert backup.verify(made.path) == [] == backup.verify(lived_in.backups)
    said = json.loads((made.path / "manifest.json").read_text())
    assert said["rows"]["post"] == len(PHOTOS) and set(said["files"]) == held - {"manifest.json"}


def test_a_file_is_private_and_nothing_is_left_beside_the_backup(lived_in: Folder) -> None:
    made = backup.make(lived_in)
    assert all(path.stat().st_mode & 0o077 == 0 for path in [made.path, *made.path.rglob("*")])
    assert [path.name for path in lived_in.backups.iterdir()] == [made.path.name]


def test_an_unchanged_original_is_not_copied_again(lived_in: Folder, tmp_path: Path) -> None:
    here = backup.make(lived_in)
    assert here.copied == 0  # one disk: hard links
    there = tmp_path / "usb"
    for path in (lived_in.root / "vault").rglob("*.*"):  # as on another disk: the vault's own files cannot be linked
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content)
    first, second = backup.make(lived_in, there), backup.make(lived_in, there)
    one = next(path for path in first.path.rglob("*.jpg"))
    assert (second.path / one.relative_to(first.path)).stat().st_ino == one.stat().st_ino
    assert second.path.name > first.path.name


def test_on_another_disk_originals_are_copied_once(lived_in: Folder) -> None:
    there = Path("/dev/shm") / f"homecircle-{os.getpid()}"  # noqa: S108  the one other file system every Linux has
    if not there.parent.is_dir() or there.parent.stat().st_dev == lived_in.root.stat().st_dev:
        print("no second file system on this machine")
        return
    try:
        first, second = backup.make(lived_in, there), backup.make(lived_in, there)
        assert first.copied == sum(len(each) for each in originals(lived_in.root).values())
        assert second.copied == 0 and backup.verify(there) == []
        clear(first.path)
        assert backup.verify(there) == []
    finally:
        clear(there)


def test_a_damaged_original_is_told_and_healed_from_the_backup_before(lived_in: Folder, tmp_path: Path) -> None:
    there = tmp_path / "usb"
    backup.make(lived_in, there)
    path = next(iter(sorted(originals(lived_in.root))))
    (lived_in.root / path).unlink()
    healed = backup.make(lived_in, there)  # the earlier backup still has it
    assert healed.problems == () and backup.verify(healed.path) == []
    lost = backup.make(lived_in, tmp_path / "other")
    assert lost.problems == (f"{path} is missing from the vault.",)
    assert any(path in problem for problem in backup.verify(lost.path))


def test_pruning_keeps_days_weeks_and_months(lived_in: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    first = dt.datetime(2026, 1, 1, 2, 30, tzinfo=dt.UTC)
    for day in range(0, 430):
        (lived_in.backups / f"{first + dt.timedelta(days=day):{'%Y%m%dT%H%M%SZ'}}-{'0' * 8}").mkdir()  # another house's
    at(monkeypatch, first)
    made = backup.make(lived_in).path
    house = made.name.partition("-")[2]
    for day in range(1, 430):
        os.link(made / "manifest.json", _copy(made, first + dt.timedelta(days=day), house) / "manifest.json")
    gone = backup.prune(lived_in.backups)
    kept = [backup.made_at(path).date() for path in backup.backups(lived_in.backups)]
    last = (first + dt.timedelta(days=429)).date()
    assert set(kept) >= {last - dt.timedelta(days=each) for each in range(7)}
    assert len(gone) + len(kept) == 430 and len(kept) <= 7 + 4 + 12
    assert len({(day.year, day.month) for day in kept}) == 12
    assert {day.isocalendar()[1] for day in kept} >= {
        (last - dt.timedelta(weeks=each)).isocalendar()[1] for each in range(4)
    }
    assert len(list(lived_in.backups.glob("*-00000000"))) == 430  # another house's are left alone
    assert backup.verify(backup.newest(lived_in.backups)) != [f"There is no backup in {lived_in.backups}."]


def _copy(made: Path, moment: dt.datetime, house: str) -> Path:
    path = made.with_name(f"{moment:%Y%m%dT%H%M%SZ}-{house}")
    path.mkdir()
    return path


def test_removing_a_backup_takes_nothing_from_another(lived_in: Folder) -> None:
    first, second = backup.make(lived_in), backup.make(lived_in)
    clear(first.path)
    assert backup.verify(second.path) == [] and len(originals(lived_in.root)) == len(PHOTOS)


def test_an_interrupted_backup_leaves_the_earlier_ones_and_is_tidied_away(lived_in: Folder) -> None:
    before = backup.make(lived_in)

    def pull_the_plug(done: int, _whole: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backup.make(lived_in, None, pull_the_plug)
    assert backup.backups(lived_in.backups) == [before.path] and backup.verify(lived_in.backups) == []
    house = before.path.name.partition("-")[2]
    (lived_in.backups / f".20200101T000000Z-{house}.making").mkdir()
    backup.make(lived_in)
    assert not list(lived_in.backups.glob(".*"))


def test_two_backups_at_once_are_refused(lived_in: Folder) -> None:
    def again(_done: int, _whole: int) -> None:
        with pytest.raises(Conflict):
            backup.make(lived_in)

    backup.make(lived_in, None, again)


def test_every_flipped_bit_is_found_by_verify_and_scrub(lived_in: Folder) -> None:
    chance = random.Random(5)
    made = backup.make(lived_in)
    everything = sorted(path for path in made.path.rglob("*") if path.is_file())
    for path in everything:
        whole = path.read_bytes()
        flip(path, chance)
        assert backup.verify(made.path), path
        path.write_bytes(whole)
    assert backup.verify(made.path) == []
    path = sorted((lived_in.root / "vault").rglob("*.jpg"))[0]
    assert backup.scrub(lived_in, None) == []
    flip(path, chance)
    db.rows("UPDATE hashed SET at = 0")
    assert backup.scrub(lived_in, None) == [f"{path} is damaged: its bytes are not those that were kept."]
    assert backup.verify_vault(lived_in) == [f"{path} is damaged: its bytes are not those that were kept."]
    assert {(each.what, each.place): bool(each.problem) for each in backup.states()} == {
        ("scrub", "vault"): True, ("scrub", "here"): False}  # fmt: skip


def test_the_scrub_reads_everything_once_a_month_spread_over_the_nights(
    lived_in: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = dt.datetime(2026, 3, 1, 3, tzinfo=dt.UTC)
    read: dict[str, list[dt.datetime]] = {}
    for _ in range(70):
        at(monkeypatch, night)
        backup.scrub(lived_in, None)
        for key, when in db.rows("SELECT key, at FROM hashed WHERE place = 'vault'"):
            if when == int(night.timestamp()):
                read.setdefault(key, []).append(night)
        night += dt.timedelta(days=1)
    assert set(read) == set(originals(lived_in.root))
    for nights in read.values():
        pauses = [later - sooner for sooner, later in itertools.pairwise(nights)]
        assert max(pauses) <= dt.timedelta(days=30) and min(pauses) >= dt.timedelta(days=14)
    at(monkeypatch, night - dt.timedelta(days=400))  # the clock was set back: nothing falls silent
    assert backup.scrub(lived_in, None) == []
    assert db.row("SELECT count(*) FROM hashed WHERE at < ?", int(night.timestamp()) - 390 * 86400)[0] > 0


def test_the_drill_opens_pictures_and_says_what_is_wrong(lived_in: Folder, decoder: Decoder, tmp_path: Path) -> None:
    there = tmp_path / "usb"
    assert backup.drill(lived_in, there, decoder) == [f"There is no backup in {there}."]
    there.mkdir()
    backup.nightly(lived_in, there)
    top = db.row("SELECT max(id) FROM original")[0]
    assert backup.steps(top) == "backed up"
    assert backup.drill(lived_in, there, decoder) == []
    assert backup.steps(top) == "proven" and backup.steps(top + 1) == "arrived"
    assert not list(lived_in.temporary.iterdir())
    flip(backup.newest(there) / "homecircle.sqlite3", random.Random(1))
    assert backup.drill(lived_in, there, decoder)
    state = next(each for each in backup.states() if each.what == "drill")
    assert state.problem and state.good_at is not None


def test_the_drill_opens_films_and_asks_nothing_of_what_is_too_large(
    lived_in: Folder, family: Family, decoder: Decoder, tmp_path: Path
) -> None:
    _arrive(lived_in, family.ada.id, "small.webm")
    whole = tmp_path / "all-of-us.png"
    Image.new("L", (6000, 5000)).save(whole)
    with whole.open("rb") as handle, (SAMPLES / "harbour.jpg").open("rb") as poster:
        item = vault.keep(lived_in, lived_in.take(handle), whole.name, family.ada.id)
        vault.give_poster(lived_in, lived_in.take(poster), item.id)
    while renditions.draw_next(lived_in, decoder):
        pass
    assert vault.get(item.public_id, family.ada.id).state == "ready"
    # so that the dice fall on those two
    db.rows("UPDATE original SET state = 'kept' WHERE media_type LIKE 'image/%' AND poster_id IS NULL")
    there = tmp_path / "usb"
    there.mkdir()
    backup.nightly(lived_in, there)
    assert backup.drill(lived_in, there, decoder) == []


def test_a_newer_backup_proves_nothing_that_came_after_an_older_one_was_restored(
    lived_in: Folder, family: Family, decoder: Decoder, tmp_path: Path
) -> None:
    there, older = tmp_path / "usb", backup.make(lived_in, tmp_path / "older").path
    there.mkdir()
    _arrive(lived_in, family.ada.id, "orientation-1.jpg")
    backup.nightly(lived_in, there)
    before = db.row("SELECT max(id) FROM original")[0]
    assert backup.steps(before) == "backed up"
    db.close_file()
    new = Folder(tmp_path / "new")
    restored(older, new)
    _arrive(new, family.ada.id, "orientation-3.jpg")
    assert db.row("SELECT max(id) FROM original")[0] == before  # the number that the newer backup has too
    assert backup.drill(new, there, decoder) == []
    assert backup.steps(before) == "arrived" and backup.steps(before - 1) == "proven"


def test_until_when_all_is_proven_is_found_without_reading_every_item(folder: Folder) -> None:
    for asked, values in ((shelf._FIRST_UNPROVEN, {"me": 1, "upto": 1}), (shelf._ANY_BEFORE, (1, 1))):
        plan = [row[3] for row in db.database.execute_sql(f"EXPLAIN QUERY PLAN {asked}", values).fetchall()]
        assert not any("SCAN item" in step for step in plan)
        found = [step.split()[4] for step in plan if step.startswith("SEARCH item USING INDEX")]
        assert found in (["item_by_member", "item_differs"], ["item_by_member"])


def _arrive(folder: Folder, member_id: int, name: str) -> None:
    with (SAMPLES / name).open("rb") as handle:
        vault.keep(folder, folder.take(handle), name, member_id)


def test_a_copy_beside_the_photos_is_no_copy_on_another_disk(lived_in: Folder, tmp_path: Path) -> None:
    backup.nightly(lived_in, None)
    assert not backup.is_elsewhere()
    there = tmp_path / "usb"
    there.mkdir()
    backup.nightly(lived_in, there)
    assert backup.is_elsewhere()


def test_the_nightly_backup_misses_its_disk_and_says_so(lived_in: Folder, tmp_path: Path) -> None:
    there = tmp_path / "usb"
    there.mkdir()
    backup.nightly(lived_in, there)
    there.rename(tmp_path / "unplugged")
    there.mkdir()  # an unmounted mount point: an empty folder on the wrong disk
    (before,) = backup.backups(lived_in.backups)
    with pytest.raises(Refused, match="The backup disk is not there"):
        backup.nightly(lived_in, there)
    assert not list(there.iterdir())
    assert len(backup.backups(lived_in.backups)) == 1  # of one day the newest is kept
    assert backup.newest(lived_in.backups) != before
    problems = {each.place: each.problem for each in backup.states()}
    assert problems["here"] == "" and "plugged in" in problems["there"]


def test_a_restored_house_has_every_row_and_file_and_lets_nobody_in(
    lived_in: Folder, family: Family, tmp_path: Path, decoder: Decoder
) -> None:
    made, new = backup.make(lived_in), Folder(tmp_path / "new" / "data")
    posts, files = db.rows("SELECT public_id, text FROM post ORDER BY id"), originals(lived_in.root)
    feed.publish(family.ben.id, "after the backup", [], [], "late")
    db.close_file()
    found = backup.restore(made.path, new.root)
    assert found.problems == () and originals(new.root) == files
    assert not (new.root / "secret.key").exists() and not new.restoring.exists()
    assert (new.root / "homecircle.toml").read_text() == 'name = "lindqvist"\n'
    new.prepare()
    db.open_file(new.database)
    assert db.rows("SELECT public_id, text FROM post ORDER BY id") == posts
    assert devices.recognise(family.ada.token, "home") is None
    assert found.suspended == len(devices.suspended()) == 4 and devices.count() == 0
    assert devices.offer_recovery().code  # and this lets the first admin in
    while renditions.draw_next(new, decoder):
        pass
    assert db.row("SELECT count(*) FROM original WHERE state = 'ready'")[0] == len(PHOTOS)


def opened(token: str) -> devices.Pass:
    found = devices.recognise(token, "home")
    assert found is not None
    return found


def restored(made: Path, new: Folder, old: Path | None = None) -> backup.Restored:
    """Restore and open the house that came back."""
    found = backup.restore(made, new.root, old=old)
    new.prepare()
    db.open_file(new.database)
    return found


def recovered() -> devices.Pass:
    """The first admin in a restored house, let in by `homecircle recover`."""
    _, found = devices.pair(devices.offer_recovery().invitation, "home", "New phone")
    assert found is not None and found.is_admin
    return found


def test_a_ticked_device_comes_back_as_it_was_and_the_rest_is_out_for_good(
    lived_in: Folder, family: Family, tmp_path: Path
) -> None:
    program = devices.add(family.ben.id, "Ben's script", "home", kind="program")
    away = devices.places.give_token(opened(family.ben.token).device_id, "away")
    made, new = backup.make(lived_in), Folder(tmp_path / "new")
    db.close_file()
    restored(made.path, new)
    tokens = [*((person.token, "home") for person in family), (program, "home"), (away, "away")]
    assert not any(devices.recognise(*each) for each in tokens)
    assert all(devices.is_suspended(*each) and not devices.was_signed_out(*each) for each in tokens)
    admin, own = recovered(), next(each for each in devices.suspended() if each.name == "Ben's phone")
    assert devices.take_back([own.public_id, "unknown"], admin) == 1
    let_in = [each for each in tokens if devices.recognise(*each)]
    assert let_in == [(family.ben.token, "home"), (away, "away")] and not devices.has_suspended()
    assert devices.was_signed_out(family.cleo.token, "home")
    assert membership.log()[0].verb == "took-back" and membership.log()[0].about == "Ben's phone (Ben)"


def test_no_more_come_back_than_there_are_places(lived_in: Folder, family: Family, tmp_path: Path) -> None:
    while devices.count() < devices.LIMIT:
        devices.add(family.ben.id, "another", "home")
    made, new = backup.make(lived_in), Folder(tmp_path / "new")
    db.close_file()
    restored(made.path, new)
    admin = recovered()
    waiting = [each.public_id for each in devices.suspended()]
    with pytest.raises(HouseFull, match="11 free places"):
        devices.take_back(waiting, admin)
    assert devices.count() == 1 and len(devices.suspended()) == 12
    assert devices.take_back(waiting[:11], admin) == 11 and devices.count() == 12


@pytest.mark.parametrize("knows", ["the old folder", "a newer backup"])
def test_what_was_revoked_or_deleted_since_the_backup_stays_so(
    lived_in: Folder, family: Family, tmp_path: Path, knows: str
) -> None:
    post, kept = (feed.Post.get(feed.Post.once == name) for name in PHOTOS[:2])
    said = threads.say(kept, family.cleo.id, threads.Words("soon gone"), "said")
    feed.mark(kept, family.cleo.id, "lovely")
    feed.mark(kept, family.grandma.id, "stays")
    membership.make_admin(family.cleo.public_id, family.ada.id)
    purged = feed.publish(family.ben.id, "purged", [], [], "purged")
    made, new = backup.make(lived_in), Folder(tmp_path / "new")
    ada, cleo = opened(family.ada.token), devices.of_member(family.cleo.id)[0]
    devices.revoke(cleo.public_id, ada)
    membership.unmake_admin(family.cleo.public_id, family.ada.id)
    membership.remove(family.ben.public_id, family.ada.id, posts_stay=True)
    feed.take_down(post, family.ada.id, is_admin=True)
    threads.take_back(said, kept, family.cleo.id, is_admin=False)
    feed.unmark(kept, family.cleo.id)
    with db.transaction():
        for table in ("event", "mark", "message", "post_item"):
            db.rows(f"DELETE FROM {table} WHERE post_id = ?", purged.id)
        db.rows("DELETE FROM post WHERE id = ?", purged.id)
    old = None
    if knows == "the old folder":
        old = lived_in.root
        shutil.copytree(old, tmp_path / "dead", ignore=shutil.ignore_patterns("backups", "*.sock"))  # with its log
        old = tmp_path / "dead"
        assert (old / "homecircle.sqlite3-wal").stat().st_size
    else:
        backup.make(lived_in)
    db.close_file()
    before = {path: path.read_bytes() for path in (old or tmp_path / "none").rglob("*.sqlite3*")}
    assert restored(made.path, new, old).again == 8
    assert {path: path.read_bytes() for path in before} == before
    assert {each.name for each in devices.suspended()} == {"Ada's phone", "Grandma's phone"}
    assert {face.name: face.role for face in members.present().values()} == {
        "Ada": "admin", "Cleo": "member", "Grandma": "member"}  # fmt: skip
    texts = {each.text for each in feed.page(family.ada.id)[0]}
    assert texts == {f"Look: {name}" for name in PHOTOS[1:]}
    assert [each.public_id for each in feed.trash(family.ada.id)] == [post.public_id]
    assert not feed.trash(family.ben.id)  # what had left its trash is in none
    assert [each.text for each in threads.page(kept.id)] == []
    assert feed.marks_of(feed.page(family.ada.id)[0])[kept.id] == [(family.grandma.id, "stays")]
    assert recovered().id == family.ada.id
    assert db.quick_check(new.database) == [] and not list(new.temporary.iterdir())


@pytest.mark.parametrize("knows", ["an older folder", "a life that parted from it"])
def test_what_another_life_never_knew_is_not_taken_for_deleted(
    lived_in: Folder, family: Family, tmp_path: Path, knows: str
) -> None:
    first = backup.make(lived_in)
    other = Folder(tmp_path / "other")
    late = feed.publish(family.ben.id, "the summer of which only this backup tells", [], [], "late")
    said = threads.say(late, family.cleo.id, threads.Words("how lovely"), "said")
    feed.mark(late, family.cleo.id, "lovely")
    membership.make_admin(family.cleo.public_id, family.ada.id)
    second = backup.make(lived_in)
    db.close_file()
    restored(first.path, other)  # by mistake the first; what the second tells is not in it
    if knows != "an older folder":
        for number in range(3):
            feed.publish(family.grandma.id, "we went on", [], [], f"on-{number}")
        devices.add(family.grandma.id, "a new phone", "home")
    db.close_file()
    new = Folder(tmp_path / "new")
    restored(second.path, new, other.root)
    assert late.text in {each.text for each in feed.page(family.ada.id)[0]}
    assert [each.text for each in threads.page(late.id)] == [said.text]
    assert feed.marks_of(feed.page(family.ada.id)[0])[late.id] == [(family.cleo.id, "lovely")]
    assert members.get(family.cleo.id).role == "admin"
    assert trash.purge(new) == 0


def test_somebody_looks_after_a_house_whose_admins_have_all_gone(
    lived_in: Folder, family: Family, tmp_path: Path
) -> None:
    made = backup.make(lived_in)
    mia = members.join("Mia", role="admin")
    membership.remove(family.ada.public_id, mia.id, posts_stay=True)
    db.close_file()
    restored(made.path, Folder(tmp_path / "new"), lived_in.root)
    assert recovered().id == family.ben.id


def test_an_old_folder_that_tells_nothing_is_refused_and_restored_without_it(
    lived_in: Folder, family: Family, tmp_path: Path
) -> None:
    made, new, other = backup.make(lived_in), Folder(tmp_path / "new"), Folder(tmp_path / "other")
    db.close_file()
    other.prepare()
    with pytest.raises(Refused, match="no HomeCircle"):
        backup.restore(made.path, new.root, old=other.root)
    db.open_file(other.database)
    db.close_file()
    with pytest.raises(Refused, match="another house's"):
        backup.restore(made.path, new.root, old=other.root)
    other.database.write_bytes(b"no database at all" * 1000)
    with pytest.raises(Refused, match="cannot be read"):
        backup.restore(made.path, new.root, old=other.root)
    assert restored(made.path, new).again == 0


def test_a_restore_refuses_a_folder_that_is_lived_in(lived_in: Folder, tmp_path: Path) -> None:
    made = backup.make(lived_in)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "diary.txt").write_text("mine")
    for place in (tmp_path / "full", lived_in.root):
        with pytest.raises(Refused, match="not empty"):
            backup.restore(made.path, place)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["diary.txt"]


def test_a_restore_that_was_cut_short_is_no_house_and_goes_on(lived_in: Folder, tmp_path: Path) -> None:
    made, new = backup.make(lived_in), tmp_path / "new"
    db.close_file()

    def pull_the_plug(done: int, whole: int) -> None:
        if done > whole * 0.9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backup.restore(made.path, new, pull_the_plug)
    with pytest.raises(Refused, match="half restored"):
        Folder(new).prepare()
    assert backup.restore(made.path, new).problems == ()
    Folder(new).prepare()


def test_a_restore_tells_what_is_damaged_and_brings_the_rest(lived_in: Folder, tmp_path: Path) -> None:
    made, chance = backup.make(lived_in), random.Random(7)
    path = sorted(made.path.rglob("*.jpg"))[0]
    flip(path, chance)
    db.close_file()
    found = backup.restore(made.path, tmp_path / "new")
    assert len(found.problems) == 1 and path.name in found.problems[0]
    assert len(originals(tmp_path / "new")) == len(PHOTOS)
    flip(made.path / "homecircle.sqlite3", chance)
    with pytest.raises(Refused, match="database in this backup is damaged"):
        backup.restore(made.path, tmp_path / "newer")


def test_a_backup_of_a_newer_version_is_refused(
    lived_in: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = db.known_migrations()
    monkeypatch.setattr(db, "known_migrations", lambda: [*known, "9999_tomorrow"])
    made = backup.make(lived_in)
    monkeypatch.setattr(db, "known_migrations", lambda: known)
    with pytest.raises(Refused, match="newer HomeCircle"):
        backup.restore(made.path, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_backup_of_an_older_version_is_migrated(lived_in: Folder, tmp_path: Path) -> None:
    made = backup.make(lived_in)
    with sqlite3.connect(made.path / "homecircle.sqlite3") as line:
        line.execute("DROP TABLE suspended")
        assert line.execute("SELECT count(*) FROM schema_migration WHERE name LIKE '0005%'").fetchone()[0] == 1
        line.execute("DELETE FROM schema_migration WHERE name LIKE '0005%'")
        for statement in ("DROP TABLE safety", "DROP TABLE hashed", "ALTER TABLE circle DROP COLUMN house_id"):
            line.execute(statement)
    line.close()
    copy, manifest = made.path / shelf.DATABASE, shelf.read_manifest(made.path)
    with db.reading(copy) as line:
        manifest.rows = shelf.count_rows(line)
    manifest.migrations = [name for name in manifest.migrations if not name.startswith("0005")]
    manifest.files[shelf.DATABASE] = [copy.stat().st_size, sha256(copy)]
    (made.path / shelf.MANIFEST).write_text(manifest.text())
    db.close_file()
    assert backup.restore(made.path, tmp_path / "new").problems == ()
    db.open_file(tmp_path / "new" / "homecircle.sqlite3")
    assert db.row("SELECT length(house_id) FROM circle")[0] == 8
    assert db.row("SELECT count(*) FROM post")[0] == len(PHOTOS)


def test_a_place_that_is_too_small_is_refused_before_anything_is_copied(
    lived_in: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Folder, "free", lambda self: 100 << 20)
    with pytest.raises(NoSpace, match="no room left for a backup"):
        backup.make(lived_in)
    assert not list(lived_in.backups.iterdir())


def test_the_commands_back_up_verify_and_restore(lived_in: Folder, tmp_path: Path) -> None:
    db.close_file()
    run = CliRunner()
    there = tmp_path / "usb"
    said = run.invoke(cli.main, ["backup", "--data", str(lived_in.root), "--to", str(there)])
    assert said.exit_code == 0 and str(there) in said.output, said.output
    said = run.invoke(cli.main, ["backup", "--data", str(lived_in.root)])
    assert said.exit_code == 0, said.output
    said = run.invoke(cli.main, ["verify", "--data", str(lived_in.root)])
    assert said.exit_code == 0 and "Everything is whole." in said.output
    said = run.invoke(cli.main, ["restore", str(there), "--data", str(tmp_path / "new")])
    assert said.exit_code == 0 and "recover" in said.output, said.output
    flip(next(there.rglob("*.jpg")), random.Random(2))
    said = run.invoke(cli.main, ["verify", str(there)])
    assert said.exit_code == 1 and "is damaged" in said.output
    db.open_file(lived_in.database)


def test_the_timetable_has_backup_drill_and_scrub() -> None:
    lines = {line.name: line for line in jobs.TIMETABLE}
    assert lines["backup"].when == {"hour": 2, "minute": 30}
    assert lines["drill"].when["day_of_week"] == "sun" and "scrub" in lines


def test_a_picture_that_the_disk_does_not_give_back_holds_no_other_up(lived_in: Folder, decoder: Decoder) -> None:
    db.rows("UPDATE original SET state = 'pending'")
    first, path = db.row("SELECT id, path FROM original ORDER BY id LIMIT 1")
    assert backup.scrub(lived_in, None) == []
    aside = lived_in.root / "aside"
    (lived_in.root / path).rename(aside)
    (lived_in.root / path).mkdir()  # opens no more: what EIO looks like without a broken disk
    while renditions.draw_next(lived_in, decoder):
        pass
    assert db.rows("SELECT state, reason FROM original WHERE id = ?", first) == [("failed", "unreadable")]
    assert db.row("SELECT count(*) FROM original WHERE state = 'pending'") == (0,)
    assert db.rows("SELECT DISTINCT kind FROM item WHERE original_id = ?", first) == [("photo",)]  # it may come back
    assert [path in each for each in backup.scrub(lived_in, None)] == [True]  # read at once, though not due for weeks
    assert db.rows("SELECT state FROM original WHERE id = ?", first) == [("failed",)]
    (lived_in.root / path).rmdir()
    aside.rename(lived_in.root / path)
    assert backup.scrub(lived_in, None) == []
    while renditions.draw_next(lived_in, decoder):
        pass
    assert db.rows("SELECT state, reason FROM original WHERE id = ?", first) == [("ready", "")]
