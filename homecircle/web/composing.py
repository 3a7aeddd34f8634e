"""What every form that shares something has in common: its files, and its once-key."""

from __future__ import annotations

import secrets

from flask import g, request

from homecircle import vault
from homecircle.errors import HouseError, Invalid, NotAllowed
from homecircle.web.house import house

FILES_AT_ONCE = 10


def keep_files() -> tuple[list[str], HouseError | None]:
    """Take the form's `photos` into the vault; one bad file never loses the others.

    Returns the public ids of what was kept, and the last refusal.
    """
    kept: list[str] = []
    problem: HouseError | None = None
    chosen = [each for each in request.files.getlist("photos") if each.filename]
    if len(chosen) > FILES_AT_ONCE:
        problem = Invalid("At most 10 photos at once this way. The first ten are here; share the others after them.",
                          field="photos")  # fmt: skip
    for each in chosen[:FILES_AT_ONCE]:
        spooled = house().folder.take(each.stream)
        try:
            kept.append(vault.keep(house().folder, spooled, each.filename or "", g.me.id).public_id)
        except HouseError as error:
            problem = error
        finally:
            house().folder.remove(spooled)
    if kept:
        house().wake_drawer()
    return kept, problem


def once() -> str:
    """Return the form's once-key; a form without one (a program's) shares as often as it is sent."""
    return request.form.get("once", "")[:64] or secrets.token_urlsafe(12)


def not_for(named: list[str]) -> HouseError | None:
    """Return the refusal of a post for named members from a device that may not read one."""
    if named and g.me.limited:
        return NotAllowed("A post for some of you needs a device of your own, or your PIN here.")
    return None
