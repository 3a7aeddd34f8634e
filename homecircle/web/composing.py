"""What every form that shares something has in common: its files, and its once-key."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path

from flask import g, request

from homecircle import vault
from homecircle.errors import HouseError, Invalid, NotAllowed
from homecircle.vault import timeline, uploads
from homecircle.web.house import house

FILES_AT_ONCE = 10
_NOT_SHOWN = (
    "“%(name)s” can't be shown. Tick “Keep files that can't be shown, too” and choose it again to keep it anyway."
)


def keep_files(*, for_post: bool = True) -> tuple[list[str], HouseError | None]:
    """Take the form's `photos` into the vault; one bad file never loses the others.

    They came with what is being shared and go with it, unless it is not `for_post`. With `keep` also what cannot be
    shown, for others to download as it is. Returns the public ids of what was kept, and the last refusal.
    """
    kept: list[str] = []
    problem: HouseError | None = None
    chosen = [each for each in request.files.getlist("photos") if each.filename]
    if not chosen:
        return [], None
    try:
        uploads.make_room(house().folder, g.me.id, request.content_length or 0, house().quota)
    except HouseError as error:
        return [], error
    if len(chosen) > FILES_AT_ONCE:
        problem = Invalid("At most 10 photos at once this way. The first ten are here; share the others after them.",
                          field="photos")  # fmt: skip
    for each in chosen[:FILES_AT_ONCE]:
        spooled = house().folder.take(each.stream)
        try:
            kept.append(_keep(spooled, each.filename or "", vault.Label(came_with=for_post)).public_id)
        except vault.UnknownKind as error:
            problem = Invalid(_NOT_SHOWN, field="photos", **error.values)
        except HouseError as error:
            problem = error
        finally:
            house().folder.remove(spooled)
    if kept:
        house().wake_drawer()
    return kept, problem


def held(items: Iterable[str]) -> list[vault.Tile]:
    """Return the tiles of a form that comes back: what one sees, and what is one's own.

    A limited device does not see what it has just brought before that stands in a post: the words shall not be lost.
    """
    found = timeline.some(list(items), g.me.reader)
    return [found[each].tile if each in found else vault.get(each, g.me.id)
            for each in dict.fromkeys(items) if each in found or vault.may_use(each, g.me.id)]  # fmt: skip


def _keep(spooled: Path, name: str, label: vault.Label) -> vault.Item:
    any_kind = bool(request.form.get("keep"))
    arrived = vault.examine(spooled, name, any_kind=any_kind)
    vault.settle_in(house().folder, spooled, arrived)
    return vault.add(house().folder, arrived._replace(opened=any_kind), g.me.id, label)


def once() -> str:
    """Return the form's once-key; a form without one (a program's) shares as often as it is sent."""
    return request.form.get("once", "")[:64] or secrets.token_urlsafe(12)


def not_for(named: list[str]) -> HouseError | None:
    """Return the refusal of a post for named members from a device that may not read one."""
    if named and g.me.limited:
        return NotAllowed("A post for some of you needs a device of your own, or your PIN here.")
    return None
