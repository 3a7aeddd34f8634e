"""Audience: everyone, or a set of members; the one place that decides who may see.

The same set is one row for ever, so a query can go by it. Everyone means everyone who is in the circle at the time of
asking: a member who joins late sees what was shared with everyone. Named audiences are final.
"""

from __future__ import annotations

from collections.abc import Iterable

from homecircle import db, members
from homecircle.errors import Invalid
from homecircle.events import EVERYONE

__all__ = ["EVERYONE", "chosen", "may_see", "members_of", "named", "of"]

# What a member may see, as a condition on an `audience_id`: everyone's, or one that names them. Takes the member's id.
VISIBLE = f"(audience_id = {EVERYONE} OR audience_id IN (SELECT audience_id FROM audience_member WHERE member_id = ?))"


def of(member_ids: Iterable[int]) -> int:
    """Return the id of the audience of exactly these members (made when new; call inside a transaction)."""
    ids = sorted(set(member_ids))
    text = ",".join(map(str, ids))
    found = db.row("SELECT id FROM audience WHERE members = ?", text)
    if found:
        return int(found[0])
    db.rows("INSERT INTO audience (members) VALUES (?)", text)
    made = int(db.row("SELECT id FROM audience WHERE members = ?", text)[0])
    for member_id in ids:
        db.rows("INSERT INTO audience_member (audience_id, member_id) VALUES (?, ?)", made, member_id)
    return made


def named(author_id: int, public_ids: Iterable[str]) -> int:
    """Return the audience that an author ticked: no tick is everyone; the author is always in it.

    Raises `Invalid` when a ticked person is not in the circle (any more).
    """
    ticked = set(public_ids)
    if not ticked:
        return EVERYONE
    present = {face.id: number for number, face in members.present().items()}
    if ticked - present.keys():
        raise Invalid("Someone you ticked is not in the circle any more. Please choose again.", field="for")
    return of({present[public_id] for public_id in ticked} | {author_id})


def chosen(member_id: int, whom: str, ticked: Iterable[str]) -> int | None:
    """Return the audience that *For whom?* says of a member's own things: 'everyone', 'some' (those ticked), or None.

    None, for anything else, is only that member. Raises `Invalid` on `for` where nobody is ticked for 'some'.
    """
    if whom != "some":
        return EVERYONE if whom == "everyone" else None
    if not set(ticked):
        raise Invalid("Tick who it is for.", field="for")
    with db.transaction():
        return named(member_id, ticked)


def members_of(audience_id: int) -> list[int]:
    """Return the ids of the members an audience names; for everyone, of all who are in the circle."""
    if audience_id == EVERYONE:
        return list(members.present())
    return [row[0] for row in db.rows("SELECT member_id FROM audience_member WHERE audience_id = ?", audience_id)]


def may_see(member_id: int, audience_id: int) -> bool:
    """Say whether the member is in the audience."""
    return bool(db.row(f"SELECT 1 FROM (SELECT ? AS audience_id) WHERE {VISIBLE}", audience_id, member_id))
