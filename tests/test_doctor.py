"""The doctor: one check a line, one next step each; it looks and changes nothing."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from homecircle import backup, cli, db, doctor
from homecircle.config import Config
from homecircle.doctor import Finding
from homecircle.files import Folder
from tests.conftest import Family


def look(folder: Folder, running: dict[str, object] | None = None, **settings: object) -> dict[str, Finding]:
    found = doctor.look(Config.load(folder.root, **settings), running)
    assert all("\n" not in each.seen + each.next_step for each in found)
    assert all(each.is_well or each.next_step for each in found)  # what is not well has a next step
    return {each.name: each for each in found}


def test_a_well_house_is_well_but_for_its_second_backup(folder: Folder, family: Family, tmp_path: Path) -> None:
    there = tmp_path / "usb"
    there.mkdir()
    backup.nightly(folder, there)
    before = {path: path.stat().st_mtime_ns for path in folder.root.rglob("*") if path.is_file()}
    found = look(folder, backup_to=str(there), port=8690)
    assert [name for name, each in found.items() if not each.is_well and name != "Name on the network"] == []
    assert {path: path.stat().st_mtime_ns for path in before} == before
    alone = look(folder)["Backup"]
    assert not alone.is_well and "does not survive a dead disk" in alone.seen


def test_it_tells_an_open_folder_and_what_belongs_to_root(folder: Folder, family: Family) -> None:
    folder.root.chmod(0o755)
    assert "others may look" in look(folder)["Data folder"].seen
    folder.root.chmod(0o700)
    if os.geteuid() == 0:
        os.chown(folder.database, 12345, 12345)
        assert "belongs to somebody else" in look(folder)["Data folder"].seen


def test_it_tells_a_full_disk(folder: Folder, family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Folder, "free", lambda self: 10 << 20)
    found = look(folder)["Disk space"]
    assert not found.is_well and "nothing can be written" in found.seen


def test_it_tells_a_database_that_is_none(folder: Folder, family: Family) -> None:
    db.close_file()
    folder.database.write_text("Dear diary, " * 1000)
    found = look(folder)["Database"]
    assert not found.is_well and "restore" in found.next_step
    folder.database.unlink()
    db.open_file(folder.database)


def test_it_tells_an_old_backup_and_a_failed_drill(
    folder: Folder, family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "there is none" in look(folder)["Backup"].seen
    backup.make(folder)
    moment = db.now()
    monkeypatch.setattr(db, "now", lambda: moment + dt.timedelta(days=5))
    assert "5 days old" in look(folder)["Backup"].seen
    told = {"what": "drill", "place": "here", "problem": "garden.jpg is damaged.", "good_at": None}
    running = {"addresses": ["http://192.0.2.1"], "safety": [told]}
    assert look(folder, running)["Proof"].seen == "garden.jpg is damaged."
    told |= {"problem": "", "good_at": moment.isoformat()}
    assert look(folder, running)["Proof"] == Finding("Proof", True, "restored on trial 5 days ago")


def test_it_tells_a_clock_that_is_behind_what_was_written(
    folder: Folder, family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = db.now()
    monkeypatch.setattr(db, "now", lambda: moment - dt.timedelta(hours=2))
    assert not look(folder)["Clock"].is_well


def test_it_tells_a_port_that_is_taken(folder: Folder, family: Family) -> None:
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        found = look(folder, host="127.0.0.1", port=other.getsockname()[1])["Port"]
    assert not found.is_well and "cannot be had" in found.seen


def test_the_command_ends_with_a_code_when_something_needs_a_look(tmp_path: Path) -> None:
    said = CliRunner().invoke(cli.main, ["doctor", "--data", str(tmp_path / "nowhere")])
    assert said.exit_code == 1 and "LOOK  Data folder" in said.output and "-> " in said.output
    assert not (tmp_path / "nowhere").exists()
