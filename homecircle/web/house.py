"""What the composition root hands to the pages: folder, decoder, doors, and what only a running house knows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from flask import current_app

from homecircle import circle
from homecircle.files import Folder
from homecircle.vault.decoder import Decoder
from homecircle.web.doors import Doors

STREAMS = 24  # live streams at once; each holds one of waitress's 48 threads (BARS.md)


def _nothing() -> None:
    return None


@dataclass(slots=True)
class House:
    """One running house. `wake_drawer` says that a picture waits; `details` is what an admin reads at /healthz."""

    folder: Folder
    decoder: Decoder
    doors: Doors
    wake_drawer: Callable[[], None] = _nothing
    details: Callable[[], dict[str, object]] = dict
    streams: int = 0
    _stranger: tuple[str, float] = field(default=("", 0.0))

    def note_stranger(self, name: str) -> None:
        """A device that is not paired has opened a page: set-up's *Try it from a phone* waits for it."""
        self._stranger = (name, time.monotonic())

    def stranger_since(self, moment: float) -> str:
        """Return the kind of device that knocked after `moment` (monotonic seconds), or ''."""
        name, seen = self._stranger
        return name if seen > moment else ""

    def addresses(self) -> list[str]:
        """Return the home addresses a phone can type: numbers first (Android's .local is unreliable), then names."""
        port = "" if self.doors.port == 80 else f":{self.doors.port}"
        numeric = [f"[{each}]" if ":" in each else each for each in self.doors.addresses()]
        return [f"http://{host}{port}" for host in (*numeric, *self.doors.names())]

    def canonical(self) -> str:
        """Return the address that invitations carry: the away one when it is set, else the numeric home one."""
        return circle.get().away_address or self.addresses()[0]


def house() -> House:
    """Return the house that this request is served by."""
    return cast("House", current_app.extensions["house"])
