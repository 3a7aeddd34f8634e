"""Presence: who is here now, who was here last, and waves. Warm, coarse and reciprocal; never a log.

Here now is an open live page (or a poll within 45 s), known only in memory; it ends 5 s after a clean close and 35 s
after a dead one. What is stored is one rounded moment a member, as coarse as they chose: five minutes, the day, the
week, or nothing. One sees others only as finely as one shows oneself. A wave says "thinking of you" and nothing else,
at most once an hour to each.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
import time
from typing import NamedTuple

from homecircle import audiences, db, events, members
from homecircle.errors import Conflict, Invalid, NotFound, Unwritable

SHARES = ("minute", "day", "week", "hidden")
GRACE = 5.0  # seconds after a page was closed
POLL_COUNTS = 45.0  # seconds
STATUS_LIMIT = 40
WAVE_EVERY = dt.timedelta(hours=1)
ROUNDED_TO = 300  # seconds


class Sight(NamedTuple):
    """What one member may know of another. `fineness` is how finely `last` may be told, or ''."""

    member_id: int
    is_here: bool
    fineness: str
    last: dt.datetime | None
    status: str
    may_wave: bool


class _Pages:
    """Open pages by member, in memory alone."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.open: dict[int, int] = {}
        self.until: dict[int, float] = {}
        self.leaving: set[int] = set()  # without an open page, and not yet told to be gone
        self.turn = 0
        self.turned_at = 0.0

    def change(self, member_id: int, by: int, grace: float) -> bool:
        """Count a page in or out; say whether the member thereby came."""
        with self.lock:
            before = self._here(member_id)
            self.open[member_id] = max(0, self.open.get(member_id, 0) + by)
            self.until[member_id] = max(self.until.get(member_id, 0.0), time.monotonic() + grace)
            return not before

    def leave(self, member_id: int) -> None:
        with self.lock:
            self.until[member_id] = 0.0

    def tell(self, member_id: int) -> None:
        with self.lock:
            if not self.open.get(member_id, 0):
                self.leaving.add(member_id)
            self._grow()

    def turns(self) -> int:
        with self.lock:
            gone = {each for each in self.leaving if not self._here(each)}
            self.leaving -= gone
            if gone:
                self._grow()
            return self.turn

    def _grow(self) -> None:
        self.turn += 1
        self.turned_at = time.monotonic()

    def here(self, member_id: int) -> bool:
        with self.lock:
            return self._here(member_id)

    def _here(self, member_id: int) -> bool:
        return self.open.get(member_id, 0) > 0 or self.until.get(member_id, 0.0) > time.monotonic()


_pages = _Pages()


@db.on_open
def forget() -> None:
    """Nobody is here yet."""
    _pages.open.clear()
    _pages.until.clear()
    _pages.leaving.clear()


def arrive(member_id: int) -> None:
    """A live page of the member has opened."""
    if _pages.change(member_id, 1, 0.0):
        _note(member_id)


def depart(member_id: int) -> None:
    """A live page of the member has closed."""
    _pages.change(member_id, -1, GRACE)
    _note(member_id)


def polled(member_id: int) -> None:
    """A page without a stream has asked what is new."""
    if _pages.change(member_id, 0, POLL_COUNTS):
        _note(member_id)


def turn() -> int:
    """Return a number that grows whenever somebody who shows it comes, goes or is gone: what a live page compares."""
    return _pages.turns()


def turned_within(seconds: float) -> bool:
    """Say whether somebody came or went just now: a page drawn before that does not show it."""
    return _pages.turn > 0 and time.monotonic() - _pages.turned_at < seconds


def bye(member_id: int) -> None:
    """The last page says goodbye: no grace for a page that polled."""
    _pages.leave(member_id)
    _note(member_id)


def around(viewer_id: int) -> list[Sight]:
    """Return what the viewer may know of everybody else, in order of joining."""
    an_hour_ago = int((db.now() - WAVE_EVERY).timestamp())
    found = {row[0]: row[1:] for row in db.rows(_AROUND, viewer_id, an_hour_ago)}
    own = found[viewer_id][0] if viewer_id in found else "hidden"
    return [_sight(number, row, own) for number, row in found.items() if number != viewer_id]


def share(member_id: int, fineness: str) -> None:
    """Choose how finely one is seen; what is stored is made as coarse at once. `Invalid` for anything else."""
    if fineness not in SHARES:
        raise Invalid("Please choose one of the four.", field="shares")
    with db.transaction():
        db.rows("UPDATE member SET shares = ?, here_at = ? WHERE id = ?", fineness,
                _rounded(int(db.now().timestamp()), fineness), member_id)  # fmt: skip
        events.record("presence.changed", "", member_id)


def status_of(member_id: int) -> tuple[str, int | None]:
    """Return one's own status line and when it ends (seconds since 1970)."""
    found = db.row("SELECT status, status_until FROM member WHERE id = ?", member_id)
    return found[0], found[1]


def shares_of(member_id: int) -> str:
    """Return how finely one is seen."""
    return str(db.row("SELECT shares FROM member WHERE id = ?", member_id)[0])


def say_status(member_id: int, text: str, until: dt.datetime | None) -> None:
    """Set a status line of at most 40 characters with an end (by default in a day); '' takes it away."""
    line = members.line(text, STATUS_LIMIT, "status")
    moment = db.now()
    end = min(until or moment + dt.timedelta(days=1), moment + dt.timedelta(days=31))
    if line and end <= moment:
        raise Invalid("Please choose an end that is still to come.", field="until")
    with db.transaction():
        db.rows("UPDATE member SET status = ?, status_until = ? WHERE id = ?", line, int(end.timestamp()), member_id)
        events.record("presence.changed", "", member_id)


def wave(from_id: int, to_public_id: str) -> None:
    """Think of somebody. `Conflict` within an hour of the last one to them; `NotFound` for oneself or nobody."""
    to = members.get_public(to_public_id)
    if to.id == from_id:
        raise NotFound
    with db.transaction():
        audience_id = audiences.of([to.id])
        last = db.row("SELECT max(at) FROM event WHERE verb = 'wave.sent' AND actor_id = ? AND audience_id = ?",
                      from_id, audience_id)[0]  # fmt: skip
        if last and db.now() - WAVE_EVERY < db.moment(last) <= db.now():
            raise Conflict("%(name)s knows already. You can wave again in an hour.", name=to.name)
        events.record("wave.sent", to.public_id, from_id, audience_id)


def _sight(number: int, row: tuple[str, int | None, str, int | None, int], own: str) -> Sight:
    shares, last, status, until, waved = row
    coarsest = max(SHARES.index(shares), SHARES.index(own))
    fineness = SHARES[coarsest] if coarsest < SHARES.index("hidden") else ""
    is_here = fineness == "minute" and _pages.here(number)
    rounded = _rounded(last, fineness) if last and fineness else None
    shown = status if until and until > int(db.now().timestamp()) else ""
    return Sight(number, is_here, fineness, db.moment(rounded) if rounded else None, shown, not waved)


def _note(member_id: int) -> None:
    """Write the rounded moment, and tell those who may know that somebody came or went."""
    with db.connection():
        shares, before = db.row("SELECT shares, here_at FROM member WHERE id = ?", member_id)
        rounded = _rounded(int(db.now().timestamp()), shares)
        if rounded != before:
            with contextlib.suppress(Unwritable), db.transaction():
                db.rows("UPDATE member SET here_at = ? WHERE id = ?", rounded, member_id)
        tell = shares == "minute"
    if tell:
        _pages.tell(member_id)
        events.ring()


def _rounded(moment: int, fineness: str) -> int | None:
    """A moment as coarse as it may be kept: five minutes, noon of the day, noon of the week's Thursday, or None."""
    if fineness == "hidden":
        return None
    if fineness == "minute":
        return moment - moment % ROUNDED_TO
    day = moment - moment % 86400 + 43200
    return day if fineness == "day" else day - ((day // 86400) % 7) * 86400  # 1970 began on a Thursday


_AROUND = """
SELECT id, shares, here_at, status, status_until, EXISTS (
  SELECT 1 FROM audience JOIN event ON event.audience_id = audience.id
  WHERE audience.members = CAST(member.id AS TEXT) AND event.verb = 'wave.sent' AND event.actor_id = ? AND event.at > ?)
FROM member WHERE left_at IS NULL ORDER BY id"""
