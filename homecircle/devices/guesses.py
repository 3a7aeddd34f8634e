"""Guesses: how often somebody may be wrong at a door, in rows that survive a restart.

Each kind of try has a bucket for the address it comes from and one for the whole door, so that a stranger outside
cannot spend the house's own tries. A guess "in the future" (the clock was set back) counts too.
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

from homecircle import db
from homecircle.errors import TooMany

WINDOW = 3600  # seconds in which a door counts
WAIT = 600  # seconds for which one address waits


class Caller(NamedTuple):
    """Where a try comes from: the door it came through and the client's address."""

    door: str
    address: str

    @property
    def network(self) -> str:
        """The address as guesses are counted: IPv4 whole, IPv6 by its /64 (one household's)."""
        try:
            parsed = ipaddress.ip_address(self.address.partition("%")[0])
        except ValueError:
            return "unknown"
        if isinstance(parsed, ipaddress.IPv6Address):
            mapped = parsed.ipv4_mapped
            return str(mapped) if mapped else str(ipaddress.ip_network((parsed, 64), strict=False))
        return str(parsed)


class Budget(NamedTuple):
    """How many tries of one kind an address has in ten minutes, and a whole door in an hour."""

    kind: str
    own: int
    shared: int


CODES = Budget("code", 5, 20)
LINKS = Budget("link", 60, 60)
ASKS = Budget("ask", 5, 20)


def spend(budget: Budget, caller: Caller) -> None:
    """Write one try down."""
    with db.transaction():
        for bucket in _buckets(budget, caller):
            db.rows("INSERT INTO guess (bucket, at) VALUES (?, ?)", bucket, int(db.now().timestamp()))


def refuse_when_spent(budget: Budget, caller: Caller) -> None:
    """Raise `TooMany` while this address, or everyone at this door together, has tried too often."""
    own, shared = _buckets(budget, caller)
    seconds = max(_wait(shared, budget.shared, WINDOW), _wait(own, budget.own, WAIT))
    if seconds > 0:
        raise TooMany("That was too often. Please wait %(minutes)s minutes and try again.",
                      retry_after=seconds, minutes=-(-seconds // 60))  # fmt: skip


def forget(moment: int) -> int:
    """Remove the guesses that no longer count at `moment` (seconds); returns how many went."""
    return int(db.database.execute_sql("DELETE FROM guess WHERE at < ?", (moment - WINDOW,)).rowcount)


def _buckets(budget: Budget, caller: Caller) -> tuple[str, str]:
    return f"{budget.kind}:{caller.door}:{caller.network}", f"{budget.kind}:{caller.door}"


def _wait(bucket: str, limit: int, window: int) -> int:
    moment = int(db.now().timestamp())
    found = db.rows("SELECT at FROM guess WHERE bucket = ? AND at > ? ORDER BY at DESC LIMIT ?",
                    bucket, moment - window, limit)  # fmt: skip
    return 0 if len(found) < limit else min(window, max(1, found[-1][0] + window - moment))
