"""What is under way ends when its device is signed out: a whole file, a ZIP, a piece of an upload (README, X2).

A page asks again at each request and a live stream after each commit, but a download of gigabytes was allowed once, and
nobody would ask again until its end. So, a moment after each commit, the connections that still carry something for a
device are looked through, and those whose device is no longer open, or opens as somebody else, are cut. The moment lets
the answer to the signing out itself get through. One thread for the house, none for a slow reader; it sleeps while
nothing happens.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from homecircle import db, devices, events
from homecircle.devices import Pass

AFTER = 0.4  # seconds from a commit to the look
SLEEP = 600.0
log = logging.getLogger("homecircle")


class Line(Protocol):
    """A connection: for whom something is under way on it (None: nothing, or for nobody), and its end."""

    def under_way(self) -> Pass | None: ...
    def cut(self) -> None: ...


class Endings:
    """Looks through `lines` after each commit; those to be cut are handed over by `cut_off`, after a `wake`."""

    def __init__(self, lines: Callable[[], Iterable[Line]], wake: Callable[[], None]) -> None:
        self._lines, self._wake = lines, wake
        self._due: deque[Line] = deque()
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begin to look."""
        threading.Thread(target=self._watch, name="endings", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    def cut_off(self) -> None:
        """Cut what is due: called by the one thread that may close connections."""
        while self._due:
            self._due.popleft().cut()

    def _watch(self) -> None:
        heard = events.rung()
        while not self._stopped.is_set() and not events.closing():
            rung = events.wait(heard, SLEEP)
            if rung == heard:
                continue
            heard = rung
            self._stopped.wait(AFTER)
            try:
                self._look()
            except Exception:
                log.exception("looking for what has to end failed")

    def _look(self) -> None:
        busy = [(line, served) for line in self._lines() if (served := line.under_way())]
        if not busy:
            return
        with db.connection():
            self._due.extend(line for line, me in busy if not devices.is_open(me.device_id, me.id))
        if self._due:
            self._wake()
