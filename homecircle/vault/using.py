"""Using what lies in the vault once more: in another post, or as a face.

An item may be used in another post by the member who added it; by others only for an audience inside one that it
already has: nobody sees through a post what they could not see before. Everyone includes those who join late, so it is
inside no named audience. A file that its owner has not opened is used by nobody else. A picture of a member or of the
family is seen by all: so it is one's own photo, or one that everyone sees.
"""

from __future__ import annotations

import json

from homecircle import audiences, db, vault
from homecircle.errors import Invalid, NotAllowed, NotFound

_GONE = "One of the photos is not in the vault any more. Please add it again."
_WIDER = "Somebody else added one of the photos. You can share it only with those who see it already."
_NO_FACE = "Only a photo of your own, or one that everyone sees, can be that picture."


def usable(member_id: int, public_ids: list[str], audience_id: int) -> list[int]:
    """Return the internal ids of items that the member may put into a post for that audience, in the order given.

    `Invalid` when one is not there for the member, or is somebody else's and would be seen by more than see it now.
    """
    values = {"ids": json.dumps(public_ids), "me": member_id, "for": audience_id}
    found = {public_id: (number, fits) for public_id, number, fits in db.rows(_USABLE, values)}
    if set(public_ids) - found.keys():
        raise Invalid(_GONE, field="photos")
    if not all(fits for _number, fits in found.values()):
        raise Invalid(_WIDER, field="photos")
    return [found[public_id][0] for public_id in dict.fromkeys(public_ids)]


def unshared(public_ids: list[str], member_id: int) -> list[str]:
    """Return those of the items that are the member's own and only theirs, in the order given."""
    found = {row[0] for row in db.rows(_UNSHARED, member_id, json.dumps(public_ids))}
    return [each for each in dict.fromkeys(public_ids) if each in found]


def face(public_id: str, member_id: int, reader: int) -> int:
    """Return the original of a photo that may be the picture of a member or of the family.

    `NotFound` for what the device may not see (`reader`), `NotAllowed` for what not everyone may see.
    """
    if vault.get(public_id, reader).kind != "photo":
        raise NotFound
    found = db.row(_FACE, {"id": public_id, "me": member_id})
    if found is None:
        raise NotAllowed(_NO_FACE)
    return int(found[0])


_MAY_SEE = vault.VISIBLE.replace("?2", ":me")
_INSIDE = f"""EXISTS (SELECT 1 FROM item_audience AS had WHERE had.item_id = item.id AND (
  had.audience_id = {audiences.EVERYONE} OR (:for <> {audiences.EVERYONE} AND NOT EXISTS (
    SELECT 1 FROM audience_member AS one WHERE one.audience_id = :for AND one.member_id NOT IN (
      SELECT member_id FROM audience_member WHERE audience_id = had.audience_id)))))"""
_USABLE = f"""
SELECT public_id, id, member_id = :me OR ((kind <> 'file' OR place_shared) AND {_INSIDE}) FROM item
WHERE public_id IN (SELECT value FROM json_each(:ids)) AND {_MAY_SEE}"""
_UNSHARED = """
SELECT public_id FROM item WHERE member_id = ? AND audience_id IS NULL AND deleted_at IS NULL
  AND public_id IN (SELECT value FROM json_each(?))
  AND NOT EXISTS (SELECT 1 FROM item_audience WHERE item_id = item.id)"""
_FACE = f"""
SELECT original_id FROM item JOIN original ON original.id = item.original_id AND original.state = 'ready'
WHERE public_id = :id AND deleted_at IS NULL AND (member_id = :me OR EXISTS (
  SELECT 1 FROM item_audience WHERE item_id = item.id AND audience_id = {audiences.EVERYONE}))"""
