"""A fresh house's *I have a backup*, through the client: what is typed there, and a house that is lived in."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from homecircle import backup, circle, db, devices, feed
from homecircle.files import Folder
from homecircle.vault.decoder import Decoder
from homecircle.web import create_app
from homecircle.web.doors import Doors
from homecircle.web.house import House
from tests.conftest import HOME, Browser, Family, Home

ODD = ("\0", "/\0", "/mnt/\0", "/" + "a" * 5000, "/a" * 3000, "..", "../..", "", ".", "~", "/", "/proc/self/fd",
       "/etc/passwd", "//", "\udcff/x", "/\u202e", "C:\\")  # fmt: skip
PAGES = ("/setup/backup", "/setup/backup/chosen")


def _home(folder: Folder, decoder: Decoder) -> Home:
    doors = Doors(lambda: ("homecircle.local",), lambda: ("192.0.2.7", "fd00::7"), lambda: circle.get().away_host)
    house = House(folder, decoder, doors, arrival=backup.Arrival(folder, lambda: None))
    app = create_app(house)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return Home(app, house)


@pytest.fixture
def fresh(folder: Folder, decoder: Decoder) -> Browser:
    """The browser of the one who typed the set-up code of an empty house."""
    token, _ = devices.pair(devices.offer_setup().invitation, "home", "Browser")
    circle.update(claimed_at=db.now())
    return Browser(_home(folder, decoder).app.test_client(), HOME, token)


@pytest.mark.parametrize("typed", ODD, ids=lambda typed: ascii(typed[:12]))
def test_what_no_folder_is_called_finds_nothing(fresh: Browser, typed: str) -> None:
    for path in PAGES:
        for name in ("place", "path"):
            answer = fresh.get(path, query_string={name: typed.encode(errors="surrogateescape")})
            assert answer.status_code in {200, 404, 422}, (path, name)
            assert "root:x:0" not in answer.text
    assert fresh.post("/setup/backup", {"path": typed.encode(errors="surrogateescape")}).status_code == 404


def test_a_backup_whose_rows_are_damaged_is_told_of(fresh: Browser, folder: Folder, tmp_path: Path) -> None:
    found = backup.make(folder, tmp_path / "usb")
    (found.path / "homecircle.sqlite3").write_bytes(b"no database " * 1000)
    answer = fresh.get("/setup/backup/chosen", query_string={"path": str(found.path)})
    assert answer.status_code == 409 and "damaged" in answer.text
    shutil.rmtree(found.path)
    assert fresh.get("/setup/backup/chosen", query_string={"path": str(found.path)}).status_code == 404


def test_in_a_house_that_is_lived_in_there_is_no_such_page(
    folder: Folder, family: Family, decoder: Decoder, tmp_path: Path
) -> None:
    """Else whoever looks after it could read who is in other backups on the machine."""
    found = backup.make(folder, tmp_path / "usb")
    feed.publish(family.ben.id, "Somebody lives here", [], [], "1")
    ada = _home(folder, decoder).browser(family.ada)
    chosen = {"path": str(found.path), "member": family.ada.public_id}
    for path in PAGES:
        assert ada.get(path, query_string=chosen).status_code == 404
    assert ada.post("/setup/backup", chosen).status_code == 404
