"""The crash-point enumerator: ended, or failed with EIO, at each fsync, rename, unlink and link."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.family import move_in, quiet


@pytest.mark.parametrize("how", ["kill", "error"])
def test_invariants_hold_at_every_point(
    how: str, shim: Path, tmp_path: Path, rounds: Callable[[int, int], int], tell: Callable[[str], None]
) -> None:
    house = move_in(tmp_path / "empty")
    (house.folder.root / "lock").unlink(missing_ok=True)
    ended = subprocess.run(
        [sys.executable, "-m", "tests.faults.scenario", str(house.folder.root), str(tmp_path / "scratch"),
         str(rounds(19, 1)), how],
        env=quiet() | {"LD_PRELOAD": str(shim)}, capture_output=True, text=True, timeout=1800, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-2000:]
    told = json.loads(ended.stdout.splitlines()[-1])
    assert told["problems"] == [] and told["points"] > 50
    tell(f"invariants hold at {told['tried']} of {told['points']} points ({how})")
