"""After a restore: every device is suspended until an admin says which are still the family's.

A backup is older than what happened since: a phone that was lost or signed out after it would be let in again. So a
restore closes every device (`places.recognise` asks for nothing but that) and remembers which it closed, with their
tokens: one that is ticked works again without pairing, the others are signed out for good.
"""

from __future__ import annotations

import json

from homecircle import db, events, members
from homecircle.devices import places
from homecircle.devices.places import Device, Pass
from homecircle.errors import HouseFull, Refused


def suspend_all() -> int:
    """Close every device and every open invitation of a house that was just restored; returns how many devices."""
    moment = int(db.now().timestamp())
    with db.transaction():
        db.rows("INSERT OR REPLACE INTO suspended (device_id, at) "
                "SELECT id, ? FROM device WHERE revoked_at IS NULL", moment)  # fmt: skip
        db.rows("UPDATE device SET revoked_at = ?, face_id = NULL WHERE revoked_at IS NULL", moment)
        db.rows("UPDATE invitation SET revoked_at = ? WHERE used_at IS NULL AND revoked_at IS NULL", moment)
        return int(db.row("SELECT count(*) FROM suspended")[0])


def suspended() -> list[Device]:
    """Return the devices that a restore has closed and nobody has answered for, in order of pairing."""
    numbers = [row[0] for row in db.rows("SELECT device_id FROM suspended")]
    return list(Device.select().where(Device.id.in_(numbers)).order_by(Device.id)) if numbers else []


def has_suspended() -> bool:
    """Say whether an admin still has to tick devices."""
    return db.row("SELECT 1 FROM suspended LIMIT 1") is not None


def take_back(public_ids: list[str], by: Pass) -> int:
    """Let the ticked devices in again and sign all other suspended ones out for good; returns how many came back.

    Raises `HouseFull` when more are ticked than places are free: then nothing has changed.
    """
    with db.transaction():
        waiting = suspended()
        back = [each for each in waiting if each.public_id in public_ids]
        if (free := places.LIMIT - places.count()) < len(back):
            raise HouseFull("There are %(free)s free places, and %(ticked)s devices are ticked.",
                            free=free, ticked=len(back))  # fmt: skip
        numbers = json.dumps([each.id for each in back])
        db.rows("UPDATE device SET revoked_at = NULL WHERE id IN (SELECT value FROM json_each(?))", numbers)
        db.rows("DELETE FROM suspended")
        if waiting:
            places.note_deed(by.id, "took-back", ", ".join(_called(each) for each in back))
        for each in waiting:
            events.record("device.changed" if each in back else "device.revoked", each.public_id, by.id)
    return len(back)


def welcome(member: str, device: str, token_hash: bytes) -> None:
    """Give the browser that brings a backup back its place in the restored house, as one of those who look after it.

    It has typed the set-up code, which only the machine itself tells: that is what `homecircle recover` asks for too.
    Raises `Refused` for somebody who does not look after the house (any more).
    """
    found = next((each for each in members.roster().values() if each.id == member), None)
    number = next((number for number, face in members.present().items() if face.id == member), 0)
    if found is None or not number or found.role != "admin":
        raise Refused("%(name)s does not look after HomeCircle any more. Please choose somebody else.",
                      name=found.name if found else "?")  # fmt: skip
    with db.transaction():
        made = Device.create(member_id=number, name=device)
        db.rows("INSERT INTO token (hash, device_id, door, made_at) VALUES (?, ?, 'home', ?)",
                token_hash, made.id, int(db.now().timestamp()))  # fmt: skip
        events.record("recover.used", made.public_id, None, places.told(number))


def _called(device: Device) -> str:
    owner = members.roster().get(device.member_id or 0)
    return f"{device.name} ({owner.name})" if owner else str(device.name)
