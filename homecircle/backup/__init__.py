"""Backup: make, verify, drill, scrub, restore, prune, forget.

A backup is a folder ``20261123T023000Z-1a2b3c4d`` (UTC, and the house's own id, so that two houses may share a disk):
a consistent copy of the database, every original, ``homecircle.toml``, and ``manifest.json`` with the SHA-256 of each,
written last. Until it has its name it is no backup, so one that was cut short never looks whole. An original that an
earlier backup there has is a hard link to it: it costs no room, and removing a backup takes nothing from another one.
Never in a backup: ``secret.key``, locks and sockets, renditions, unfinished uploads.

There are two places: *here* (``backups/`` of the data folder: hard links to the originals themselves, which survive a
mistake but no dead disk) and *there* (`backup_to`: another disk). Only there counts as proof.

Reading again finds what no database check does (`integrity_check` alone found 29 of 200 flipped bits):
each original at least every 30 days, each file of a backup every 90, spread over the nights.

After a restore nobody is let in by an old token until an admin (let in by `homecircle recover`) has ticked the device,
since one that was lost or revoked after the backup would otherwise be let in again (`devices.returning`). Where the old
data folder or a newer backup knows what was signed out, removed and deleted since, that is done again (`since`). A
fresh house brings a backup back by itself, from its page (`arriving`).
"""

from __future__ import annotations

from homecircle.backup.arriving import (
    Arrival,
    Choice,
    Seat,
    admins,
    bring,
    choices,
    is_fresh,
    look_in,
    move_in,
    refusal,
)
from homecircle.backup.forgetting import forget
from homecircle.backup.making import Backup, by_hand, make, nightly, note_backup, prune
from homecircle.backup.proof import drill, scrub, verify, verify_vault
from homecircle.backup.restoring import Restored, restore
from homecircle.backup.shelf import (
    State,
    Watch,
    backups,
    is_elsewhere,
    made_at,
    newest,
    overdue,
    proven_until,
    states,
    steps,
    steps_of,
)

__all__ = [
    "Arrival", "Backup", "Choice", "Restored", "Seat", "State", "Watch", "admins", "backups", "bring", "by_hand",
    "choices", "drill", "forget", "is_elsewhere", "is_fresh", "look_in", "made_at", "make", "move_in", "newest",
    "nightly", "note_backup", "overdue", "proven_until", "prune", "refusal", "restore", "scrub", "states", "steps",
    "steps_of", "verify", "verify_vault",
]  # fmt: skip
