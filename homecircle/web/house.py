"""What the composition root hands to the pages: folder, decoder, doors, and what only a running house knows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from flask import current_app

from homecircle import circle
from homecircle.archive.bringing import Bringing
from homecircle.backup import Arrival
from homecircle.files import Folder
from homecircle.network import is_loopback
from homecircle.vault.decoder import Decoder
from homecircle.web.doors import Doors
from homecircle.web.streams import Streams


def _nothing() -> None:
    return None


def _nothing_of(_job: str) -> None:
    return None


@dataclass(slots=True)
class House:
    """One running house. `wake_drawer` says that a picture or an upload waits for it; `quota` is how many bytes each
    member may keep (0: no limit); `details` is what an admin reads at /healthz; `arrival` brings a backup back into a
    fresh house; `begin` runs a job of the timetable now, in the background; `begin_work` ('backup' or 'drill') starts
    what one waits for, and `work` tells of it.
    """

    folder: Folder
    decoder: Decoder
    doors: Doors
    wake_drawer: Callable[[], None] = _nothing
    details: Callable[[], dict[str, object]] = dict
    quota: int = 0
    second_place: Path | None = None
    arrival: Arrival | None = None
    begin: Callable[[str], None] = _nothing_of
    begin_work: Callable[[str], None] = _nothing_of
    work: Callable[[], dict[str, Any]] = dict
    streams: Streams = field(default_factory=Streams)
    bringing: Bringing = field(init=False)
    _stranger: tuple[str, float] = field(default=("", 0.0))

    def __post_init__(self) -> None:
        self.bringing = Bringing(self.folder, self.wake_drawer)

    def note_stranger(self, name: str) -> None:
        """A device that is not paired has opened a page: set-up's *Try it from a phone* waits for it."""
        self._stranger = (name, time.monotonic())

    def stranger_since(self, moment: float) -> str:
        """Return the kind of device that knocked after `moment` (monotonic seconds), or ''."""
        name, seen = self._stranger
        return name if seen > moment else ""

    def addresses(self) -> list[str]:
        """Return the home addresses a phone can type: numbers first (Android's .local is unreliable), then names.

        At a house that only its own machine reaches the name on the network leads nowhere.
        """
        port, found = "" if self.doors.port == 80 else f":{self.doors.port}", tuple(self.doors.addresses())
        lonely = all(is_loopback(each) for each in found)
        names = [each for each in self.doors.names() if not (lonely and each.endswith(".local"))]
        numeric = [f"[{each}]" if ":" in each else each for each in found]
        return [f"http://{host}{port}" for host in (*numeric, *names)]

    def canonical(self) -> str:
        """Return the address that invitations carry: the away one when it is set, else the numeric home one."""
        return circle.get().away_address or self.addresses()[0]


def house() -> House:
    """Return the house that this request is served by."""
    return cast("House", current_app.extensions["house"])
