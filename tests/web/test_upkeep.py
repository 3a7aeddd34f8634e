"""Our home: what runs by itself, back up now, test a restore; and the strip about an old backup."""

from __future__ import annotations

import datetime as dt
import html
import re
from collections import deque

import pytest

from homecircle import backup, circle, db, files, jobs
from homecircle.web import strips
from tests.conftest import Family, Home


def later(monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    moment = db.now() + dt.timedelta(days=days)
    monkeypatch.setattr(db, "now", lambda: moment)
    monkeypatch.setattr(strips, "ASKED_EVERY", -1.0)


def test_a_job_that_raised_is_shown_first_and_runs_again(home: Home, family: Family) -> None:
    outcomes = [ValueError("the disk sulks"), None]

    def sulk() -> None:
        if error := outcomes.pop(0):
            raise error

    runner, ada = jobs.Runner({"scrub": sulk}), home.browser(family.ada)
    assert "failed," not in ada.get("/house").text
    assert runner.run("scrub") == "ValueError: the disk sulks"
    page = html.unescape(ada.get("/house").text)
    assert "Looking through the files</b>: failed, now: ValueError: the disk sulks" in page
    assert page.index("the disk sulks") < page.index("Tidying the database")
    runner.run("scrub")
    assert "Looking through the files</b>: well, now" in ada.get("/house").text


def test_the_house_page_says_first_what_is_worst(home: Home, family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = home.browser(family.ada)

    def first() -> str:
        page = html.unescape(ada.get("/house").text)
        return re.sub(
            r"<[^>]+>", "", page[page.index('class="house-line"' if "is fine" in page else "problems house") :]
        )

    assert "Everything is fine." in first()
    jobs.note("scrub", db.now(), 0.1, "ValueError: the disk sulks")
    assert "Something that runs by itself went wrong." in first()
    db.rows("INSERT INTO safety (what, place, tried_at, problem) VALUES ('scrub', 'vault', 0, 'x.jpg is damaged')")
    assert "Not all is well with the backup or the files." in first()
    monkeypatch.setattr(files.Folder, "free", lambda _: 1)
    assert "The disk is full" in first()
    monkeypatch.setattr(files, "_failures", deque(["EIO"]))
    assert "The disk of this machine reports errors." in first()
    assert "Everything is fine" not in ada.get("/house").text


def test_an_old_backup_is_told_on_every_page_of_admins(
    home: Home, family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    circle.update(claimed_at=db.now() - dt.timedelta(days=8))
    assert "There is no backup yet." in home.browser(family.ada).get("/").text
    backup.nightly(home.house.folder, None)
    later(monkeypatch, 7)
    ada = home.browser(family.ada)
    assert "days old" not in ada.get("/").text + ada.get("/house").text
    later(monkeypatch, 2)
    for path in ("/", "/vault", "/house"):
        assert "The last good backup is 9 days old." in ada.get(path).text
    assert 'data-tone="danger"' in ada.get("/house").text
    assert "days old" not in home.browser(family.cleo).get("/").text
    answer = ada.post("/house/later")
    assert answer.location == "/" and "Max-Age=604800" in answer.headers["Set-Cookie"]
    assert "days old" not in ada.get("/").text and "9 days old" in home.browser(family.ada).get("/").text
    backup.nightly(home.house.folder, None)
    assert "days old" not in home.browser(family.ada).get("/").text


def test_a_second_disk_that_stays_away_counts(home: Home, family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    home.house.second_place = home.house.folder.root.parent / "usb"
    circle.update(claimed_at=db.now() - dt.timedelta(days=8))
    backup.nightly(home.house.folder, None)
    assert "There is no backup on the other disk yet." in home.browser(family.ada).get("/").text
    home.house.second_place = None
    later(monkeypatch, 0)
    assert "days old" not in home.browser(family.ada).get("/").text


def test_the_strip_costs_a_page_nothing(home: Home, family: Family) -> None:
    ada, asked = home.browser(family.ada), []
    ada.get("/")
    db.database.connection().set_trace_callback(asked.append)
    ada.get("/")
    db.database.connection().set_trace_callback(None)
    assert asked
    assert not [each for each in asked if "suspended" in each or "safety" in each]


def test_back_up_now_and_test_restore_are_asked_for_and_followed(home: Home, family: Family) -> None:
    asked: list[str] = []
    told = {"what": "drill", "done": 5, "whole": 10, "finished": False, "failed": "", "made": []}
    home.house.begin_work, home.house.work = asked.append, lambda: told
    ada = home.browser(family.ada)
    for what in ("backup", "drill"):
        assert ada.post(f"/house/work/{what}").location == "/house#backup"
    assert asked == ["backup", "drill"] and ada.post("/house/work/dance").status_code == 404
    assert home.browser(family.cleo).post("/house/work/backup").status_code == 403
    assert 'value="50"' in ada.get("/house").text and "Back up now" not in ada.get("/house").text
    assert "HX-Refresh" not in ada.get("/house/work").headers
    assert '<meta http-equiv="refresh"' in ada.get("/house").text  # for browsers without scripts
    told["what"] = "bring-back"
    assert "What was taken along is coming back" in ada.get("/house/work").text
    told |= {"what": "drill", "finished": True, "failed": "cake.jpg is damaged."}
    part = ada.get("/house/work")
    assert "cake.jpg is damaged." in part.text and part.headers["HX-Refresh"] == "true"
