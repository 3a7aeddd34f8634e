"""Upgrades ended at random: the old state or the new one, and the next start finishes what was begun."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from homecircle.files import Folder, sha256
from tests.faults import upgrade
from tests.faults.family import House, quiet


def test_an_upgrade_that_is_killed_leaves_the_old_state_or_the_new_and_goes_on(
    tmp_path: Path, rounds: Callable[[int, int], int], tell: Callable[[str], None]
) -> None:
    old, count, states = upgrade.old_house(tmp_path / "old", posts=3000), rounds(4, 20), list[int]()
    before, whole = upgrade.kept(old.folder.database), 0.0
    for number in range(count + 1):
        house = _copy(old, tmp_path / "house")
        if number:  # the first is let be, to know how long an upgrade takes
            serving = subprocess.Popen(house._command(), env=quiet(), stderr=subprocess.DEVNULL)
            log = house.folder.database.with_name("homecircle.sqlite3-wal")
            while not log.exists():  # the database is open: now the migrations begin
                threading.Event().wait(0.001)
            threading.Event().wait(random.uniform(0, 0.8 * whole))
            serving.kill()
            serving.wait()
            states.append(_applied(house.folder.database, before))
        whole = max(whole, house.start())
        assert upgrade.problems(house.folder.database) == [] and upgrade.is_new(house.folder.database)
        assert upgrade.kept(house.folder.database) == before and house.check() == []
        assert "post 2999, 家族" in house.line().ask("GET", "/").text.decode()
        assert house.stop() == 0
        house.leave()
    tell(f"{count} upgrades killed (migrations that had run: {sorted(states)}), {count} finished, 0 lost")


def test_an_upgrade_goes_on_from_every_point(
    shim: Path, tmp_path: Path, rounds: Callable[[int, int], int], tell: Callable[[str], None]
) -> None:
    old = upgrade.old_house(tmp_path / "old", posts=12)
    before, digest = upgrade.kept(old.folder.database), sha256(old.folder.database)
    for how in ("upgrade", "rehearsal"):
        points, every = _count(how, _copy(old, tmp_path / "count").folder, shim), rounds(7, 1)
        assert points > 10
        for point in range(1 + points % every, points + 1, every):
            folder = _copy(old, tmp_path / "house").folder
            ended = _run(how, folder, shim, point)
            assert ended.returncode == -9 or int(ended.stdout.splitlines()[-1]) < point, (point, ended)  # it had fewer
            _applied(folder.database, before)
            if how == "rehearsal":
                assert sha256(folder.database) == digest  # the house itself was not touched
            assert _run(how, folder, shim).returncode == 0
            assert _run("upgrade", folder, shim).returncode == 0
            assert upgrade.problems(folder.database) == [] and upgrade.is_new(folder.database)
            assert upgrade.kept(folder.database) == before and not list(folder.temporary.iterdir())
        tell(f"{how}: goes on from {len(range(1 + points % every, points + 1, every))} of {points} points")


def _applied(path: Path, before: dict[str, list[tuple[object, ...]]]) -> int:
    """How many migrations have run; each of them whole, with nothing of the family lost."""
    assert upgrade.problems(path) == [] and upgrade.kept(path) == before
    with upgrade.db.beside(path) as line:
        return int(line.execute("SELECT count(*) FROM schema_migration").fetchone()[0])


def _copy(old: House, root: Path) -> House:
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(old.folder.root, root)
    return House(Folder(root), old.tokens)


_VERBS = """
import ctypes, json, sys
from pathlib import Path
from homecircle import db, rehearsal
from homecircle.files import Folder
shim, folder = ctypes.CDLL(None), Folder(Path(sys.argv[2]))
shim.count.restype = ctypes.c_long
folder.prepare()
if sys.argv[1] == "upgrade":
    db.open_file(folder.database)
    db.close_file()
else:
    rehearsal.rehearse(folder)
print(json.dumps(shim.count()))
"""


def _run(how: str, folder: Folder, shim: Path, point: int = 0) -> subprocess.CompletedProcess[str]:
    around = quiet() | {"LD_PRELOAD": str(shim), "SHIM_POINT": str(point)}
    return subprocess.run([sys.executable, "-c", _VERBS, how, str(folder.root)], env=around, capture_output=True,
                          text=True, timeout=120, check=False)  # fmt: skip


def _count(how: str, folder: Folder, shim: Path) -> int:
    ended = _run(how, folder, shim)
    assert ended.returncode == 0, ended.stderr
    return int(json.loads(ended.stdout.splitlines()[-1]))
