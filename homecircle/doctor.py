"""One check a line, one next step each: what `homecircle doctor` prints.

A check looks and changes nothing. It runs beside a running server (what that one says is handed in) or without one.
"""

from __future__ import annotations

import datetime as dt
import os
import socket
import sqlite3
import stat
import struct
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from homecircle import backup, db, files
from homecircle.config import Config
from homecircle.files import Folder

BACKUP_AGE = dt.timedelta(hours=36)
PROOF_AGE = dt.timedelta(days=9)
CLOCK_SLACK = dt.timedelta(minutes=2)
BUILT = dt.datetime(2026, 7, 1, tzinfo=dt.UTC)  # no clock of a house shows a time before its program
MDNS = ("224.0.0.251", 5353)  # RFC 6762, section 3


class Finding(NamedTuple):
    """The outcome of one check: what was looked at, whether it is well, what was seen, and what to do next ('')."""

    name: str
    is_well: bool
    seen: str
    next_step: str = ""


class Patient(NamedTuple):
    """What is looked at: the settings, the folder, and what a running server says of itself (or None)."""

    settings: Config
    folder: Folder
    running: Mapping[str, Any] | None


def look(settings: Config, running: Mapping[str, Any] | None) -> list[Finding]:
    """Run every check, in the order in which a house is built; a check that cannot look says so and the rest go on."""
    patient = Patient(settings, Folder(settings.data), running)
    return [_looked(name, check, patient) for name, check in CHECKS]


def _looked(name: str, check: Callable[[Patient], Finding], patient: Patient) -> Finding:
    try:
        return check(patient)
    except (OSError, sqlite3.DatabaseError) as error:
        return Finding(name, False, f"could not be looked at ({error})", "Run this on the machine itself, with sudo.")


def python(_patient: Patient) -> Finding:
    """Python and SQLite are new enough."""
    seen = f"Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}"
    is_well = sys.version_info >= (3, 11) and sqlite3.sqlite_version_info >= (3, 37)
    return Finding("Python", is_well, seen, "" if is_well else "Install Python 3.11 or newer.")


def data_folder(patient: Patient) -> Finding:
    """The folder is there, private, and everything in it belongs to its owner."""
    root = patient.folder.root
    if not patient.folder.database.exists():
        return Finding("Data folder", False, f"{root} holds no house", "`homecircle serve` makes one; or name --data.")
    if patient.folder.restoring.exists():
        return Finding("Data folder", False, f"{root} is only half restored", "Run `homecircle restore` again.")
    owner, mode = root.stat().st_uid, stat.S_IMODE(root.stat().st_mode)
    if mode & 0o077:
        return Finding("Data folder", False, f"others may look into {root}", f"chmod 700 {root}")
    strange = [path for path in _first_floors(root) if path.lstat().st_uid != owner]
    if strange:
        return Finding("Data folder", False, f"{strange[0]} belongs to somebody else", f"chown -R {owner} {root}")
    return Finding("Data folder", True, f"{root}, private")


def file_system(patient: Patient) -> Finding:
    """The folder lies on a disk of this machine."""
    kind = files.file_system(patient.folder.root)
    if kind in files.NETWORK_FILE_SYSTEMS:
        return Finding("File system", False, f"{kind}, a network disk", "Move the folder to a disk of this machine.")
    note = ", an SD card: they wear out, so set backup_to" if files.on_sd_card(patient.folder.root) else ""
    return Finding("File system", True, (kind or "unknown kind") + note)


def disk_space(patient: Patient) -> Finding:
    """There is room for words and for photos."""
    free = patient.folder.free()
    seen = f"{free / 1e9:.1f} GB of {patient.folder.total() / 1e9:.1f} GB free"
    if free < files.POSTS_KEEP_FREE:
        return Finding("Disk space", False, seen + ": nothing can be written", "Make room on this disk.")
    if free < max(files.UPLOADS_KEEP_FREE, patient.folder.total() // 20):
        return Finding("Disk space", False, seen + ": photos have to wait", "Make room on this disk.")
    return Finding("Disk space", True, seen)


def database(patient: Patient) -> Finding:
    """SQLite finds nothing wrong in the database."""
    path = patient.folder.database
    if not path.exists():
        return Finding("Database", False, "there is none", "`homecircle serve` makes one.")
    try:
        problems = db.quick_check(path)
    except sqlite3.DatabaseError as error:
        problems = [str(error)]
    if problems:
        return Finding("Database", False, problems[0], "`homecircle restore BACKUP --data NEW` brings back a backup.")
    return Finding("Database", True, f"{path.stat().st_size / 1e6:.1f} MB, sound")


def port(patient: Patient) -> Finding:
    """The home port is ours, or can be had."""
    if patient.running:
        return Finding("Port", True, f"HomeCircle answers at {patient.running['addresses'][0]}")
    wanted = patient.settings.port or 80
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((patient.settings.host or "", wanted))
        except OSError as error:
            if patient.settings.port:
                return Finding("Port", False, f"{wanted} cannot be had ({error.strerror})", "`--port` chooses another.")
            return Finding("Port", True, f"80 cannot be had ({error.strerror}); HomeCircle takes 8080 or the next")
    return Finding("Port", True, f"{wanted} is free")


def mdns(patient: Patient) -> Finding:
    """Multicast works here, so that the house can be found as homecircle.local."""
    if not patient.settings.announce:
        return Finding("Name on the network", True, "switched off; use the numeric address")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            joined = struct.pack("4s4s", socket.inet_aton(MDNS[0]), socket.inet_aton("0.0.0.0"))  # noqa: S104  any card
            probe.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, joined)
        except OSError as error:
            return Finding("Name on the network", False, f"no multicast ({error.strerror})",
                           "Connect this machine to the network; phones can use the numeric address.")  # fmt: skip
    return Finding("Name on the network", True, f"{patient.settings.name}.local can be announced")


def backups(patient: Patient) -> Finding:
    """The last backup is young, and in a second place."""
    step = "Set backup_to to a folder on another disk, or run `homecircle backup --to DIR`."
    places = [patient.folder.backups, *filter(None, [patient.settings.second_place])]
    ages = [(_age(backup.backups(place)), place) for place in places]
    age, place = ages[-1]
    if age is None:
        return Finding("Backup", False, f"there is none in {place}", "Run `homecircle backup`.")
    if age > BACKUP_AGE:
        return Finding("Backup", False, f"the last one in {place} is {age.days} days old", "Run `homecircle backup`.")
    seen = f"{age.total_seconds() / 3600:.0f} h ago, in {place}"
    if not patient.settings.second_place:
        return Finding("Backup", False, f"{seen}; this does not survive a dead disk", step)
    return Finding("Backup", True, seen)


def proof(patient: Patient) -> Finding:
    """The last backup was restored on trial, and nothing that was read again was found damaged."""
    if patient.running is None:
        return Finding("Proof", True, "known while HomeCircle runs; `homecircle verify` reads everything now")
    found = {(each["what"], each["place"]): each for each in patient.running.get("safety", ())}
    problem = next((each["problem"] for each in found.values() if each["problem"]), "")
    if problem:
        return Finding("Proof", False, problem[:200], "`homecircle verify` reads everything again.")
    drill = found.get(("drill", "there")) or found.get(("drill", "here"))
    if drill is None or drill["good_at"] is None:
        return Finding("Proof", False, "no backup has been restored on trial yet", "Run `homecircle run drill`.")
    age = db.now() - dt.datetime.fromisoformat(drill["good_at"])
    step = "" if age <= PROOF_AGE else "Run `homecircle run drill`."
    return Finding("Proof", not step, f"restored on trial {age.days} days ago", step)


def clock(patient: Patient) -> Finding:
    """The clock shows no time before this program was made, nor before what the house has already written."""
    moment = db.now()
    newest = db.newest_event(patient.folder.database) if patient.folder.database.exists() else None
    if moment < BUILT or (newest and newest > moment + CLOCK_SLACK):
        return Finding("Clock", False, f"{moment:%Y-%m-%d %H:%M} UTC is too early", "timedatectl set-ntp true")
    return Finding("Clock", True, f"{moment:%Y-%m-%d %H:%M} UTC")


def _first_floors(root: Path) -> list[Path]:
    """The folder's own files and folders and what lies directly in them: enough to see a command that ran as root."""
    found = list(root.iterdir())
    return found + [each for path in found if path.is_dir() and os.access(path, os.R_OK) for each in path.iterdir()]


def _age(found: list[Path]) -> dt.timedelta | None:
    return db.now() - backup.made_at(found[-1]) if found else None


CHECKS: tuple[tuple[str, Callable[[Patient], Finding]], ...] = (
    ("Python", python),
    ("Data folder", data_folder),
    ("File system", file_system),
    ("Disk space", disk_space),
    ("Database", database),
    ("Clock", clock),
    ("Port", port),
    ("Name on the network", mdns),
    ("Backup", backups),
    ("Proof", proof),
)
