"""`homecircle import`, beside a running server over its real socket and without one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from homecircle import control, db, members
from homecircle.files import Folder
from tests.conftest import SAMPLES
from tests.test_archive_gathering import BARE, note, tree, zipped
from tests.test_server import PATIENCE, Running, running

assert running  # the fixture


@pytest.fixture
def takeout(tmp_path: Path) -> Path:
    year = "Takeout/Google Photos/Photos from 2019"
    return zipped(tmp_path / "takeout.zip", {
        f"{year}/a.jpg": BARE[1], f"{year}/a.jpg.json": note(), f"{year}/b.jpg": BARE[2], f"{year}/c.dng": b"II*\0",
        f"{year}/film.mp4": (SAMPLES / "turned.mp4").read_bytes()})  # fmt: skip


@pytest.fixture
def alone(tmp_path: Path) -> Folder:
    """A claimed house that is not running."""
    folder = Folder(tmp_path / "alone")
    folder.prepare()
    db.open_file(folder.database)
    members.join("Ada", role="admin")
    members.join("Ben")
    db.close_file()
    return folder


def command(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "homecircle", "import", *words, "--data", str(data)]
    return subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE, check=False)


def items(data: Path) -> list[tuple[str, str, int]]:
    db.open_file(data / "homecircle.sqlite3")
    try:
        return db.rows("SELECT item.name, member.name, coalesce(audience_id, 0) FROM item "
                       "JOIN member ON member.id = member_id ORDER BY item.name")  # fmt: skip
    finally:
        db.close_file()


def test_without_a_server_it_looks_first_and_then_brings_in(alone: Folder, takeout: Path) -> None:
    looked = command(alone.root, str(takeout), "--dry-run")
    assert looked.returncode == 0, looked.stderr
    assert "2 photos, 1 video would come" in looked.stdout and "2019 to 2020" in looked.stdout
    assert "1 left out, no picture or video that HomeCircle can show:\n  Takeout/" in looked.stdout
    assert "1 with no date" in looked.stdout
    assert items(alone.root) == []
    came = command(alone.root, str(takeout), "--member", "ben", "--for", "everyone")
    assert came.returncode == 0, came.stderr
    assert items(alone.root) == [("a.jpg", "Ben", 1), ("b.jpg", "Ben", 1), ("film.mp4", "Ben", 1)]
    assert "bringing in: 100 %" in came.stderr
    again = command(alone.root, str(takeout), "--member", "Ben")
    assert "0 photos, 0 videos came" in again.stdout and "3 already in your vault" in again.stdout
    for words in ((str(takeout), "--member", "Nobody"), ("/nowhere/at/all",), (str(alone.root),)):
        refused = command(alone.root, *words)
        assert refused.returncode == 1
        assert refused.stderr.count("\n") == 1


def test_beside_a_running_server_that_server_brings_in(running: Running, takeout: Path) -> None:
    running.claim()
    looked = running.command("import", str(takeout), "--dry-run")
    assert "2 photos, 1 video would come" in looked.stdout, looked.stderr
    came = running.command("import", str(takeout))
    assert (came.returncode, came.stderr[-20:]) == (0, "bringing in: 100 %\n"), came
    assert "2 photos, 1 video came" in came.stdout
    assert "3 already in your vault" in running.command("import", str(takeout)).stdout
    refused = running.command("import", str(takeout), "--member", "Nobody")
    assert (refused.returncode, refused.stderr) == (1, "There is nobody called Nobody in the circle.\n")
    assert running.command("import", str(running.data / "vault")).returncode == 1
    assert running.command("import", str(takeout.parent / "nothing")).returncode == 1
    held = [os.readlink(each) for each in Path(f"/proc/{running.process.pid}/fd").iterdir()]  # noqa: PTH115  a socket too
    assert str(takeout) not in held


MANY = 2000  # files: so many that a slow machine is not through before the signal


def test_ctrl_c_stops_it_and_the_same_again_goes_on(running: Running, tmp_path: Path) -> None:
    running.claim()
    one = (SAMPLES / "bicycle.jpg").read_bytes()
    stick = tree(tmp_path / "stick", {f"{n:04}.jpg": one + n.to_bytes(4, "big") for n in range(MANY)})
    line = [sys.executable, "-m", "homecircle", "import", str(stick), "--data", str(running.data)]
    # what a shell has put into the background ignores Ctrl-C, and so does what it starts
    asking = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))  # fmt: skip
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        told = control.ask(running.data / "control.sock", "import-progress")
        if told.get("report", {}).get("photos", 0) > 3:
            break
        time.sleep(0.05)
    asking.send_signal(signal.SIGINT)
    out, error = asking.communicate(timeout=PATIENCE)
    assert (asking.returncode, error.splitlines()[-1]) == (1, "Stopped. The same command goes on with the rest.")
    told = control.ask(running.data / "control.sock", "import-progress")
    assert told["stopped"] and 3 < told["report"]["photos"] < MANY
    assert f"{told['report']['photos']} photos" in out
    assert json.dumps(told)
    looked = running.command("import", str(stick), "--dry-run")
    assert f"{told['report']['photos']} already in your vault" in looked.stdout
    assert f"{MANY - told['report']['photos']} photos" in looked.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who may become somebody else")
def test_root_opens_what_the_folders_owner_may_not(alone: Folder, takeout: Path, tmp_path: Path) -> None:
    for path in (alone.root, *alone.root.rglob("*")):
        os.chown(path, 65534, 65534)
    for above in (alone.root, *alone.root.parents)[1:]:
        if above.stat().st_uid == 0 and above.stat().st_mode & 0o001 == 0:
            above.chmod(above.stat().st_mode | 0o001)
    locked = tmp_path / "media"
    locked.mkdir(0o700)
    takeout.rename(locked / "takeout.zip")
    (locked / "takeout.zip").chmod(0o600)
    came = command(alone.root, str(locked / "takeout.zip"))
    assert (came.returncode, came.stderr.splitlines()[-1]) == (0, "bringing in: 100 %")
    assert {path.stat().st_uid for path in alone.root.rglob("*")} == {65534}
    stick = tree(locked / "stick", {"d.jpg": BARE[4]})
    assert "1 photo," in command(alone.root, str(stick)).stdout
