"""The timetable and its runner (APScheduler); no logic of its own.

A job is one line: name, verb, when. Each may be killed at any moment and run again, and keeps its state in rows or
files. APScheduler's loop is the wall clock's, so a thread compares wall and monotonic time and plans every job anew
after a jump of more than a minute: an interval job would otherwise fall silent for as long as the clock went back.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from homecircle import db

log = logging.getLogger("homecircle.jobs")
LOOK_AT_CLOCK = 30.0  # seconds
JUMP = 60.0  # seconds


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the timetable: `when` is APScheduler's trigger and its arguments."""

    name: str
    trigger: str
    when: dict[str, Any]


TIMETABLE = (
    Line("sweep-uploads", "interval", {"hours": 1}),
    Line("forget-guesses", "interval", {"hours": 6}),
    Line("keep-ballast", "interval", {"hours": 1}),
    Line("purge", "cron", {"hour": 1, "minute": 50}),
    Line("backup", "cron", {"hour": 2, "minute": 30}),
    Line("scrub", "cron", {"hour": 3, "minute": 10}),
    Line("forget", "interval", {"minutes": 20}),
    Line("truncate-log", "cron", {"hour": 3, "minute": 40}),
    Line("drill", "cron", {"day_of_week": "sun", "hour": 4, "minute": 10}),
)


class Run(NamedTuple):
    """How a job ran last: 'ok' or why not; without a moment it has not run yet."""

    name: str
    began_at: dt.datetime | None
    outcome: str

    @property
    def is_well(self) -> bool:
        return self.outcome in {"", "ok"}


def last_runs() -> list[Run]:
    """Return how every job of the timetable ran last, in its order."""
    found = {name: (db.moment(began), outcome) for name, began, outcome in db.rows(
        "SELECT name, began_at, outcome FROM job_run")}  # fmt: skip
    return [Run(line.name, *found.get(line.name, (None, ""))) for line in TIMETABLE]


class Runner:
    """Runs the lines of the timetable; `verbs` holds the verb of each by its name."""

    def __init__(self, verbs: Mapping[str, Callable[[], object]]) -> None:
        self._verbs = verbs
        self._stop = threading.Event()
        self._lock = threading.RLock()
        self._scheduler: Any = None
        self._early: set[str] = set()  # asked for before the scheduler was there

    def start(self) -> None:
        """Load the scheduler (here, not at import: the house listens first) and begin."""
        from apscheduler.schedulers.background import BackgroundScheduler

        scheduler = BackgroundScheduler(job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None})
        with self._lock:
            self._scheduler = scheduler
            self._plan()
            for name in self._early:
                self.begin(name)
        scheduler.start()
        threading.Thread(target=self._watch_clock, name="clock", daemon=True).start()

    def stop(self) -> None:
        """Let a running job end and begin no other."""
        self._stop.set()
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=False)

    def run(self, name: str) -> str:
        """Run one job now and return its outcome: 'ok', or why not. `KeyError` for one that is not on the timetable."""
        verb, began, clock = self._verbs[name], db.now(), time.monotonic()
        try:
            with db.connection():
                verb()
            outcome = "ok"
        except Exception as error:
            log.exception("job %s failed", name)
            outcome = f"{type(error).__name__}: {error}"[:500]
        note(name, began, time.monotonic() - clock, outcome)
        return outcome

    def begin(self, name: str) -> None:
        """Run a job now, in the scheduler's own thread; when it is running already, it runs once more at its time."""
        with self._lock:
            if self._scheduler is None:
                self._early.add(name)
            elif not self._stop.is_set():
                self._scheduler.modify_job(name, next_run_time=db.now())

    def _plan(self) -> None:
        for line in TIMETABLE:
            self._scheduler.add_job(
                self.run, line.trigger, args=[line.name], id=line.name, replace_existing=True, **line.when
            )

    def _watch_clock(self) -> None:
        ahead = time.time() - time.monotonic()
        while not self._stop.wait(LOOK_AT_CLOCK):
            if abs(time.time() - time.monotonic() - ahead) > JUMP:
                log.warning("the clock was changed; every job is planned anew")
                ahead = time.time() - time.monotonic()
                self._plan()
                self._scheduler.wakeup()


def note(name: str, began: dt.datetime, seconds: float, outcome: str) -> None:
    """Write down how a job went: by the timetable, or by somebody who asked for it now."""
    took = int(seconds * 1000)
    log.info("job %s: %s in %d ms", name, outcome, took)
    with db.connection(), db.transaction():
        db.rows("INSERT OR REPLACE INTO job_run (name, began_at, took_ms, outcome) VALUES (?, ?, ?, ?)",
                name, int(began.timestamp()), took, outcome)  # fmt: skip
