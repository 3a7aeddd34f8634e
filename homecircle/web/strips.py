"""What is told of the house's safety: the strip on every page of an admin, and what runs by itself.

The strip stands on every page, so what it says is asked at most once a minute.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from flask import Flask, current_app, g, request
from flask_babel import gettext, ngettext

from homecircle import backup, db, devices, files, jobs
from homecircle.web import rendering
from homecircle.web.house import house

ASKED_EVERY = 60.0  # seconds
REFUSED_FOR = 86_400.0  # seconds for which it is told that something found no room
LATER = "hc_later"  # the cookie of *Not now*


class Strip(NamedTuple):
    """What an admin has to know: devices wait after a restore, photos wait for room, or for how many days there was no
    backup (0: well), or never one, here or (`is_elsewhere`) in the second place; and whether one ever went well there.
    """

    is_restored: bool
    days: int
    is_full: bool = False
    is_first: bool = False
    is_elsewhere: bool = False
    is_backed_up: bool = False

    @property
    def late(self) -> str:
        """For how long there was none, in words."""
        if self.is_first and self.is_elsewhere:
            return gettext("There is no backup on the other disk yet.")
        if self.is_first:
            return gettext("There is no backup yet.")
        return ngettext("The last good backup is %(num)s day old.", "The last good backup is %(num)s days old.",
                        self.days)  # fmt: skip


class JobLine(NamedTuple):
    """What runs by itself, in words, and how it went."""

    name: str
    is_well: bool
    words: str
    has_run: bool


def strip(*, is_fresh: bool = False) -> Strip:
    """What stands under the top bar for an admin; asked anew when a minute has passed, or with `is_fresh`."""
    known: dict[str, tuple[float, Strip]] = current_app.extensions.setdefault("strip", {})
    at, found = known.get("strip", (0.0, Strip(False, 0)))
    if is_fresh or not at or time.monotonic() - at > ASKED_EVERY:
        second = house().second_place
        late = backup.overdue(second)
        found = Strip(devices.has_suspended(), late.days, house().folder.is_tight(), late.is_first, second is not None,
                      backup.is_elsewhere())  # fmt: skip
        known["strip"] = (time.monotonic(), found)
    return found._replace(is_full=found.is_full or _was_refused())


def lines() -> list[JobLine]:
    """What runs by itself, those first that went wrong."""
    return sorted(map(_line, jobs.last_runs()), key=lambda each: each.is_well)


def worst() -> str:
    """The worst of what an admin should look at, in words; '' when everything is fine. See `Server.status`."""
    if files.has_failed() or db.has_failed():
        return gettext("The disk of this machine reports errors. Please have it looked at soon, and see that there is "
                       "a backup on another one. When it is mended, start HomeCircle again.")  # fmt: skip
    if house().folder.free() <= files.POSTS_KEEP_FREE:
        return gettext("The disk is full: nothing new can be written. Please make room.")
    if any(state.problem for state in backup.states()):
        return gettext("Not all is well with the backup or the files. Below stands what.")
    if any(not run.is_well for run in jobs.last_runs()):
        return gettext("Something that runs by itself went wrong. Below stands what.")
    return ""


def install(app: Flask) -> None:
    """Hand the strip to every page of an admin."""
    app.context_processor(_for_admins)


def _for_admins() -> dict[str, object]:
    if not (g.get("me") and g.me.is_admin):
        return {"strip": None}
    found = strip()
    return {"strip": found._replace(days=0) if request.cookies.get(LATER) == "backup" else found}


def _was_refused() -> bool:
    """Say whether something found no room lately: a film may be too large where there is room for photos."""
    at = current_app.extensions.get("refused_at")
    return at is not None and time.monotonic() - at < REFUSED_FOR


def _line(run: jobs.Run) -> JobLine:
    names = {
        "sweep-uploads": gettext("Clearing away unfinished uploads"),
        "forget-guesses": gettext("Forgetting old codes and requests"),
        "keep-ballast": gettext("Keeping room for the house itself"),
        "purge": gettext("Emptying the trash"),
        "backup": gettext("Backup"),
        "scrub": gettext("Looking through the files"),
        "forget": gettext("Forgetting everywhere"),
        "truncate-log": gettext("Tidying the database"),
        "drill": gettext("Trying the backup out"),
    }
    if run.began_at is None:
        words = gettext("not yet")
    elif run.is_well:
        words = gettext("well, %(day)s", day=rendering.ago(run.began_at))
    else:
        words = gettext("failed, %(day)s: %(why)s", day=rendering.ago(run.began_at), why=run.outcome)
    return JobLine(names.get(run.name, run.name), run.is_well, str(words), run.began_at is not None)
