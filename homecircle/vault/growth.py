"""How long the disk has room: by what came in the last half year, once there is a month to judge by."""

from __future__ import annotations

import datetime as dt

from homecircle import db
from homecircle.files import UPLOADS_KEEP_FREE, Folder

LOOKED_BACK = dt.timedelta(days=182)
AT_LEAST = dt.timedelta(days=30)
LONGEST = 50 * 365.25  # days; beyond that nobody asks


def room_until(folder: Folder) -> dt.date | None:
    """Return the day about which uploads will find no more room, or None: too early to say, or very far away.

    Reckoned with the reserve that is kept for words, at the pace of the last half year.
    """
    now, first = db.now(), db.row("SELECT min(arrived_at) FROM original")[0]
    if first is None or now - db.moment(first) < AT_LEAST:
        return None
    since = max(db.moment(first), now - LOOKED_BACK)
    came = db.row("SELECT coalesce(sum(size), 0) FROM original WHERE arrived_at >= ?", int(since.timestamp()))[0]
    room = max(0, folder.free() - max(UPLOADS_KEEP_FREE, folder.total() // 20))
    days = room / came * ((now - since) / dt.timedelta(days=1)) if came else LONGEST
    return (now + dt.timedelta(days=days)).date() if days < LONGEST else None
