"""The house's own facts: the circle's name and picture, where set-up stands, the away address, what is switched on.

One row. It is read on every page, so it is kept in memory and forgotten with every change to it.
"""

from __future__ import annotations

import re

import peewee

from homecircle import db, members
from homecircle.errors import Invalid

STEPS = ("code", "welcome", "family", "you", "place", "phone", "invite", "done", "settled")


class Circle(db.Model):
    """The one row; see the module."""

    id = peewee.AutoField()
    name = peewee.TextField(default="")
    picture_id = peewee.IntegerField(null=True)
    language = peewee.TextField(default="en")
    setup_step = peewee.TextField(default="code")
    away_address = peewee.TextField(default="")
    away_open_until = db.UtcField(null=True)
    link_previews = peewee.BooleanField(default=False)
    claimed_at = db.UtcField(null=True)

    @property
    def is_claimed(self) -> bool:
        return self.claimed_at is not None

    @property
    def picture(self) -> str:
        """URL of the family picture, or ''."""
        found = self.picture_id and db.row(
            "SELECT stamp FROM original WHERE id = ? AND state = 'ready'", self.picture_id
        )
        return f"/house/picture/{found[0]}" if found else ""

    @property
    def away_host(self) -> str:
        return self.away_address.removeprefix("https://")


_kept: list[Circle] = []
_generation = [0]


@db.on_open
def forget() -> None:
    """Read the row anew at the next question."""
    _generation[0] += 1
    _kept.clear()


def get() -> Circle:
    """Return the house's facts."""
    kept = _kept[:1]
    if kept:
        return kept[0]
    generation = _generation[0]
    found = Circle.get_by_id(1)
    if generation == _generation[0] and not db.database.in_transaction():
        _kept[:] = [found]
    return found


def update(**changes: object) -> None:
    """Change facts: name, picture_id, language, setup_step, away_address, claimed_at; `Invalid` names the field."""
    if "name" in changes:
        changes["name"] = members.line(changes["name"], members.NAME_LIMIT, "name", "What is your family called?")
    if "away_address" in changes:
        changes["away_address"] = _away_address(str(changes["away_address"]))
    with db.transaction():
        Circle.update(**changes).where(Circle.id == 1).execute()
        forget()
        db.after_commit(forget)


def advance(step: str) -> None:
    """Set-up has reached `step`; going back to look at an earlier one does not undo it."""
    if STEPS.index(step) > STEPS.index(get().setup_step):
        update(setup_step=step)


def _away_address(text: str) -> str:
    address = text.strip().rstrip("/").lower()
    if address and not re.fullmatch(r"https://[a-z0-9-]+(\.[a-z0-9-]+)+(:\d{1,5})?", address):
        raise Invalid(
            "This should look like https://home.example.org, without anything behind it.", field="away_address"
        )
    return address
