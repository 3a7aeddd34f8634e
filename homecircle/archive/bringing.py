"""Bringing in beside a running house: one source at a time, in a thread of its own, told to pages and commands."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from typing import Any

from homecircle import db
from homecircle.archive import pile
from homecircle.archive.gathering import Gathering, Wish
from homecircle.errors import Conflict, HouseError
from homecircle.files import Folder

STOP_PATIENCE = 5.0  # seconds in which a file that is under way ends
log = logging.getLogger("homecircle.archive")


class _Stopped(Exception):
    """Somebody asked to stop."""


class Bringing:
    """Does one `Wish` after the other; `told` is what is known of the last one. `came` is called after each file."""

    def __init__(self, folder: Folder, came: Callable[[], None]) -> None:
        self._folder, self._came = folder, came
        self._turn = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._gathering: Gathering | None = None
        self._state: dict[str, Any] = {}

    @property
    def is_busy(self) -> bool:
        return bool(self._state) and not self._state["finished"]

    def begin(self, wish: Wish) -> None:
        """Begin to look or to bring in. `Conflict` while another one is under way, `Invalid` for what cannot be read.

        A descriptor that was handed is closed when it is done (not when it is refused).
        """
        with self._turn:
            if self.is_busy:
                raise Conflict("Something is being brought in already. Wait until it is done, or stop it.")
            pile.refuse(self._folder, wish.source)
            self._stopping.clear()
            self._state = {"path": str(wish.source.path), "member": wish.member_id, "audience": wish.audience_id,
                           "is_look": wish.is_look,
                           "done": 0, "whole": 0, "finished": False, "stopped": False, "failed": None}  # fmt: skip
            self._gathering = Gathering(self._folder, wish, self._watch, self._came)
            self._thread = threading.Thread(target=self._do, args=(wish,), name="bringing in", daemon=True)
            self._thread.start()

    def told(self) -> dict[str, Any] | None:
        """Return how the last one goes, or None when there was none: `done` and `whole` in bytes, what came by now in
        `report`; once `finished`, whether it was `stopped`, and in `failed` the refusal that ended it, or None.
        """
        state, gathering = self._state, self._gathering
        return state | {"report": gathering.report.told()} if state and gathering else None

    def forget(self) -> None:
        """Forget the last one, once it is done."""
        with self._turn:
            if not self.is_busy:
                self._state, self._gathering = {}, None

    def stop(self) -> None:
        """Stop after the piece that is under way; what came by then stays."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(STOP_PATIENCE)

    def _do(self, wish: Wish) -> None:
        ended: dict[str, Any] = {"finished": True}
        try:
            with db.connection():
                if self._gathering:
                    self._gathering.run()
        except _Stopped:
            ended["stopped"] = True
        except HouseError as refusal:
            ended["failed"] = refusal
        except Exception:
            log.exception("bringing in failed")
            ended["failed"] = Conflict("Something went wrong at home. It has been written down; please try again.")
        finally:
            if wish.source.handed >= 0:
                os.close(wish.source.handed)
            self._state = self._state | ended

    def _watch(self, done: int, whole: int) -> None:
        if self._stopping.is_set():
            raise _Stopped
        self._state = self._state | {"done": done, "whole": whole}
