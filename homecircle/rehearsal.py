"""The rehearsal of an upgrade: this version lives on a copy of the house before it is let near the house itself.

`install.sh` asks for it while the version before goes on serving. The copy (the database alone, in `tmp`) is migrated
and checked, nothing may have got lost, and the pages of each member are drawn. What goes wrong there changes nothing.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from homecircle import circle, db, devices, files, members
from homecircle.errors import NoSpace, Refused
from homecircle.files import Folder
from homecircle.vault.decoder import Decoder
from homecircle.web import create_app, guard
from homecircle.web.doors import DOOR, Doors
from homecircle.web.house import House

NAME = "homecircle.local"
PAGES = ("/", "/vault", "/threads", "/since", "/presence", "/members", "/settings")
OF_ADMINS = ("/house", "/house/devices")
COUNTED = ("member", "device", "post", "message", "mark", "item", "original")


def rehearse(folder: Folder) -> int:
    """Migrate, check and draw a copy of the house; returns how many pages are well.

    Raises `NoSpace`, or `Refused` with what this version cannot do with the house.
    """
    size = folder.database.stat().st_size
    if folder.free() < 2 * size + files.POSTS_KEEP_FREE:
        raise NoSpace("There is no room in %(path)s to try this version on a copy: %(size)s MB are needed.",
                      path=folder.root, size=(2 * size + files.POSTS_KEEP_FREE) // 1_000_000)  # fmt: skip
    trial = Folder(folder.spool())
    try:
        trial.prepare()
        db.copy_beside(folder.database, trial.database)
        before = _counts(trial.database)
        _migrate(trial)
        try:
            _refuse_losses(trial.database, before)
            return _draw(trial)
        finally:
            db.close_file()
    finally:
        files.clear(trial.root)


def _migrate(trial: Folder) -> None:
    try:
        db.open_file(trial.database)
    except Refused as error:
        raise Refused("This version cannot take the house over: %(why)s", why=error.__cause__ or error) from error


def _refuse_losses(path: Path, before: dict[str, int]) -> None:
    with db.beside(path) as line:
        torn = line.execute("PRAGMA foreign_key_check").fetchone()
    if torn or (wrong := db.quick_check(path)):
        raise Refused("This version damages the database: %(why)s", why=f"a row of {torn[0]}" if torn else wrong[0])
    after = _counts(path)
    if lost := [f"{name} ({before[name]}, then {after.get(name, 0)})" for name in before if before[name] > after[name]]:
        raise Refused("This version loses something: %(why)s", why=", ".join(lost))


def _counts(path: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    with db.beside(path) as line:
        for name in COUNTED:
            try:
                found[name] = int(line.execute(f"SELECT count(*) FROM {name}").fetchone()[0])
            except sqlite3.OperationalError:  # a table that an older version did not have yet
                found[name] = 0
    return found


def _draw(trial: Folder) -> int:
    """Open the pages of each member on a device of their own, or the first page of a house that has nobody yet."""
    decoder = Decoder()
    try:
        doors = Doors(names=lambda: (NAME,), addresses=lambda: (), away_host=lambda: circle.get().away_host)
        app = create_app(House(trial, decoder, doors))
        if not circle.get().is_claimed:
            return _open(app, ("/setup",), "")
        devices.suspend_all()  # twelve places may be taken
        seats = [(face.role, devices.add(number, "Rehearsal", "home")) for number, face in members.present().items()]
        return sum(_open(app, PAGES + (OF_ADMINS if role == "admin" else ()), token) for role, token in seats)
    finally:
        decoder.close()


def _open(app: object, pages: tuple[str, ...], token: str) -> int:
    client = app.test_client()  # type: ignore[attr-defined]  # flask is the pages' own
    if token:
        client.set_cookie(guard.COOKIES["home"], token, domain=NAME)
    for path in pages:
        answer = client.get(path, base_url=f"http://{NAME}", headers={"Accept": "text/html"},
                            environ_overrides={DOOR: "home"})  # fmt: skip
        if answer.status_code != 200:
            raise Refused("This version cannot draw the page %(path)s (%(code)s).", path=path, code=answer.status_code)
    return len(pages)
