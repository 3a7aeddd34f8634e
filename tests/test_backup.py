"""Backups: whole or not at all, incremental, proven by reading, restored into a new house."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import os
import random
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from homecircle import backup, cli, db, devices, feed, jobs, vault
from homecircle.backup import shelf
from homecircle.errors import Conflict, NoSpace, Refused
from homecircle.files import Folder, clear, sha256
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
    while vault.draw_next(folder, decoder):
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
    assert len(backup.suspended()) == 4 and devices.count() == 0
    assert devices.offer_recovery().code  # and this lets the first admin in
    while vault.draw_next(new, decoder):
        pass
    assert db.row("SELECT count(*) FROM original WHERE state = 'ready'")[0] == len(PHOTOS)


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
