"""Member and role: who is in the circle, what they look like, what they may; the limit of twelve.

A name has at most 40 characters. There is always an admin. The twelve chairs are held by a trigger in the database.
The roster (everyone who ever was here: a dozen rows) is kept in memory and forgotten with every change to it.
"""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

import peewee

from homecircle import db, events
from homecircle.errors import HouseFull, Invalid, NotFound

LIMIT = 12
NAME_LIMIT = 40
COLOURS = (
    "Berry",
    "Coral",
    "Terracotta",
    "Amber",
    "Olive",
    "Leaf",
    "Pine",
    "Lagoon",
    "Sky",
    "Indigo",
    "Violet",
    "Plum",
)
THEMES = ("auto", "light", "dark")
TEXT_SIZES = (1, 2, 3, 4)
WELCOME_LIMIT = 200
SEEN_BY_OTHERS = {"name", "colour", "picture_id", "role"}


class Member(db.Model):
    """A person of the family; see the module."""

    id = peewee.AutoField()
    public_id = peewee.TextField(default=db.random_id)
    name = peewee.TextField()
    colour = peewee.IntegerField()
    role = peewee.TextField(default="member")
    picture_id = peewee.IntegerField(null=True)
    joined_at = db.UtcField(default=db.now)
    left_at = db.UtcField(null=True)
    language = peewee.TextField(default="en")
    zone = peewee.TextField(default="")
    text_size = peewee.IntegerField(default=1)
    theme = peewee.TextField(default="auto")
    welcome = peewee.TextField(null=True)
    welcomed_by = peewee.IntegerField(null=True)

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"


class Face(NamedTuple):
    """A member as others see them. `picture` is the stamp of their picture's renditions, or ''."""

    id: str
    name: str
    colour: int
    stamp: str
    role: str
    joined: int

    @property
    def picture(self) -> str:
        return f"/members/{self.id}/face/{self.stamp}" if self.stamp else ""


_kept: dict[str, dict[int, Face]] = {}
_generation = [0]


@db.on_open
def forget_roster() -> None:
    """Read the roster anew at the next question (called after every change to a member or a picture)."""
    _generation[0] += 1
    _kept.clear()


def roster() -> dict[int, Face]:
    """Return everyone who ever was in the circle, by internal id: what draws the author of an old post."""
    return _roster("everyone")


def present() -> dict[int, Face]:
    """Return those who are in the circle now, by internal id, in order of joining."""
    return _roster("present")


def _roster(which: str) -> dict[int, Face]:
    kept = _kept.get(which)
    if kept is not None:
        return kept
    generation = _generation[0]
    found = db.rows(_ROSTER)
    made = {
        "everyone": {row[0]: Face(*row[1:7]) for row in found},
        "present": {row[0]: Face(*row[1:7]) for row in found if row[7] is None},
    }
    # kept only when nothing changed meanwhile, and never out of a transaction that may still fail
    if generation == _generation[0] and not db.database.in_transaction():
        _kept.update(made)
    return made[which]


def get(member_id: int) -> Member:
    """Return a member by internal id; `NotFound` when there is none in the circle."""
    found = Member.get_or_none((Member.id == member_id) & Member.left_at.is_null())
    if found is None:
        raise NotFound
    return found


def get_public(public_id: str) -> Member:
    """Return a member who is in the circle by public id; `NotFound` otherwise."""
    found = Member.get_or_none((Member.public_id == public_id) & Member.left_at.is_null())
    if found is None:
        raise NotFound
    return found


def join(name: str, role: str = "member", language: str = "en") -> Member:
    """Give a new member a chair and the first free colour; `HouseFull` when all twelve are taken."""
    colour = min(set(range(1, LIMIT + 1)) - {face.colour for face in present().values()}, default=1)
    with db.transaction():
        try:
            made = Member.create(name=clean_name(name), role=role, colour=colour, language=language)
        except peewee.IntegrityError as error:
            raise HouseFull("HomeCircle is for at most 12. All twelve chairs are taken.") from error
        _changed()
        # what was shared before is there to read, but it is no news to one who comes late
        db.rows(_STARTS_SEEN, made.id)
        events.record("member.joined", made.public_id, made.id)
    return made


def welcome(member_id: int, text: str, by: int | None) -> None:
    """Keep what one who invited says to the new member; '' for the house's own words."""
    Member.update(welcome=text, welcomed_by=by).where(Member.id == member_id).execute()


def greeted(member_id: int) -> None:
    """The member has been welcomed: they have said something, or closed it."""
    Member.update(welcome=None).where(Member.id == member_id, Member.welcome.is_null(False)).execute()


def picture_of(member_id: int) -> int | None:
    """Return the id of the original that is a member's picture."""
    found = db.row("SELECT picture_id FROM member WHERE id = ?", member_id)
    return found[0] if found else None


def check(**changes: object) -> dict[str, object]:
    """Return the changes as they will be kept; `Invalid` naming the field for a value that is none."""
    checks = {"name": clean_name, "colour": _colour, "theme": _theme, "text_size": _text_size}
    return {key: checks[key](value) if key in checks else value for key, value in changes.items()}


def update(member: Member, **changes: object) -> None:
    """Change what a member sets for themself: name, colour, picture_id, language, zone, text_size, theme."""
    for key, value in check(**changes).items():
        setattr(member, key, value)
    with db.transaction():
        member.save(only=[getattr(Member, key) for key in changes])
        _changed()
        if changes.keys() & SEEN_BY_OTHERS:  # a new text size is nobody's business, nor that one is here to set it
            events.record("member.changed", member.public_id, member.id)


def clean_name(name: object) -> str:
    """Return a name without control characters and doubled spaces; `Invalid` when none is left or it is too long."""
    return line(name, NAME_LIMIT, "name", "What shall we call you?")


def line(text: object, limit: int, field: str, empty: str = "") -> str:
    """Return one clean line of at most `limit` characters (NFC; no controls, no surrogates, no bidi overrides).

    Raises `Invalid` on `field` when it is too long, or (with the sentence `empty`) when nothing is left.
    """
    normal = unicodedata.normalize("NFC", str(text))
    kept = "".join(" " if unicodedata.category(letter) in {"Zl", "Zp", "Cc"} else letter for letter in normal)
    clean = " ".join("".join(letter for letter in kept if not _is_odd(letter)).split())
    if empty and not clean:
        raise Invalid(empty, field=field)
    if len(clean) > limit:
        raise Invalid("That is too long: at most %(limit)s letters.", field=field, limit=limit)
    return clean


def _is_odd(letter: str) -> bool:
    return unicodedata.category(letter) == "Cs" or letter in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def _changed() -> None:
    forget_roster()  # for the rest of this transaction
    db.after_commit(forget_roster)


def _colour(value: object) -> int:
    number = _number(value)
    if not 1 <= number <= len(COLOURS):
        raise Invalid("Please choose one of the twelve colours.", field="colour")
    return number


def _text_size(value: object) -> int:
    number = _number(value)
    if number not in TEXT_SIZES:
        raise Invalid("Please choose one of the text sizes.", field="text_size")
    return number


def _theme(value: object) -> str:
    if value not in THEMES:
        raise Invalid("Please choose light, dark or automatic.", field="theme")
    return str(value)


def _number(value: object) -> int:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0


_STARTS_SEEN = """
UPDATE member SET seen_post = (SELECT coalesce(max(id), 0) FROM post),
  seen_event = (SELECT coalesce(max(id), 0) FROM event),
  visit_post = (SELECT coalesce(max(id), 0) FROM post) WHERE id = ?"""
_ROSTER = """
SELECT member.id, public_id, name, colour, coalesce(original.stamp, ''), role, joined_at, left_at
FROM member LEFT JOIN original ON original.id = member.picture_id AND original.state = 'ready' ORDER BY member.id"""
