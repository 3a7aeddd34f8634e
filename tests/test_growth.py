"""How long the disk has room."""

from __future__ import annotations

import datetime as dt

import pytest

from homecircle import db, vault
from homecircle.files import Folder
from homecircle.vault import growth

GB = 1 << 30


def arrived(days_ago: int, size: int) -> None:
    with db.transaction():
        number = db.row("SELECT count(*) FROM original")[0]
        vault.Original.create(sha256=f"{number:064}", size=size, path=f"vault/{number}", media_type="image/jpeg",
                              arrived_at=db.now() - dt.timedelta(days=days_ago))  # fmt: skip


@pytest.fixture
def disk(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """100 GB, of which 41 are free; 5 stay free for words."""
    monkeypatch.setattr(Folder, "free", lambda self: 41 * GB)
    monkeypatch.setattr(Folder, "total", lambda self: 100 * GB)
    return folder


def test_say_until_when_there_is_room_by_the_pace_of_late(disk: Folder) -> None:
    arrived(1000, 500 * GB)  # the big move in of long ago is no pace
    for week in range(26):
        arrived(week * 7, GB)
    days = (growth.room_until(disk) - db.now().date()).days
    assert 245 <= days <= 260  # 36 GB of room, 26 in half a year


def test_say_nothing_before_there_is_a_month_to_judge_by(disk: Folder) -> None:
    assert growth.room_until(disk) is None
    arrived(29, GB)
    assert growth.room_until(disk) is None
    arrived(31, GB)
    assert 500 <= (growth.room_until(disk) - db.now().date()).days <= 600


def test_say_nothing_of_what_is_very_far_away(disk: Folder) -> None:
    arrived(300, GB)
    assert growth.room_until(disk) is None
    arrived(100, 1000)
    assert growth.room_until(disk) is None


def test_a_full_disk_has_room_until_today(disk: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Folder, "free", lambda self: GB)
    arrived(60, GB)
    arrived(1, GB)
    assert growth.room_until(disk) == db.now().date()
