"""The machine's clock is set two hours back, or forth: jobs go on, and order is not the clock's.

That no code outlives its time then is proven in `tests/test_devices.py`, with the house's clock in hand.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.faults.family import House, Switch, quiet

HOURS = 2 * 3600
PATIENCE = 20.0  # seconds; without a look at the clock it would be two hours

_JOBS = """
import sys
import threading
from pathlib import Path
from homecircle import db, jobs

jobs.LOOK_AT_CLOCK = 0.2
jobs.TIMETABLE = (jobs.Line("tick", "interval", {"seconds": 1}), jobs.Line("nightly", "cron", {"second": "*/2"}))
db.open_file(Path(sys.argv[1]))
runner = jobs.Runner({name: (lambda name=name: print(name, flush=True)) for name in ("tick", "nightly")})
runner.start()
threading.Event().wait()
"""


@pytest.mark.parametrize("jump", [-HOURS, HOURS], ids=["back", "forth"])
def test_no_job_stops_when_the_clock_is_set(
    house: House, switch: Switch, jump: int, tell: Callable[[str], None]
) -> None:
    around = quiet() | house.around
    with subprocess.Popen([sys.executable, "-c", _JOBS, str(house.folder.database)], env=around, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as running:  # fmt: skip
        ended = threading.Timer(2 * PATIENCE, running.kill)
        ended.start()
        assert running.stdout is not None
        lines = iter(running.stdout)
        _await_both(lines)
        switch.turn(clock=jump)
        began = time.monotonic()
        for _ in range(3):
            _await_both(lines)
        took = time.monotonic() - began
        ended.cancel()
        running.kill()
    assert took < PATIENCE
    tell(f"clock set by {jump // 3600:+d} h: each job ran three times more within {took:.1f} s")


def test_posts_and_talk_stay_in_order_when_the_clock_is_set(house: House, switch: Switch) -> None:
    house.start()
    line, posts = house.line(), list[str]()
    for jump in (0, -HOURS, HOURS, 0):
        switch.turn(clock=jump)
        posts.append(line.publish(f"the clock is off by {jump}, {len(posts)}"))
        said = f"said at {jump}, {len(posts)}"
        assert line.post(f"/feed/{posts[0]}/messages", text=said, once=said).status == 303
    feed = line.ask("GET", "/").text.decode()
    shown = list(dict.fromkeys(re.findall(r'id="post-([a-z0-9]{16})"', feed)))
    assert shown[:4] == posts[::-1]
    talk = line.ask("GET", f"/feed/{posts[0]}").text.decode()
    assert re.findall(r"said at -?\d+, (\d)", talk) == ["1", "2", "3", "4"]
    assert line.ask("GET", "/threads").status == line.ask("GET", "/since").status == 200


def _await_both(lines: Iterator[str]) -> None:
    seen = set[str]()
    while seen < {"tick", "nightly"}:
        line = next(lines, "")
        assert line, "the jobs fell silent"
        seen.add(line.strip())
