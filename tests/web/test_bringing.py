"""The page for moving in, through the client: what lies ready, a look, bringing in for whom, and what others see."""

from __future__ import annotations

import re
import time

import pytest

from homecircle import db, devices
from homecircle.vault import timeline
from tests.conftest import SAMPLES, Browser, Family, Home, Person
from tests.test_archive_gathering import BARE, note, tree, zipped

PAGE = "/house/move-in"


@pytest.fixture
def laid(home: Home) -> None:
    """A Takeout in two ZIPs and a folder in the folder for arrivals."""
    place, year = home.house.folder.arrivals, "Takeout/Google Photos/Photos from 2019"
    zipped(place / "takeout-001.zip", {f"{year}/a.jpg": BARE[1], f"{year}/b.jpg": BARE[2], f"{year}/c.dng": b"II*\0"})
    zipped(place / "takeout-002.zip", {f"{year}/a.jpg.json": note()})
    tree(place / "Sommer <b>", {"d.jpg": BARE[3]})
    (place / "link").symlink_to(SAMPLES)


def settled(home: Home, person: Person) -> str:
    end = time.monotonic() + 20
    while home.house.bringing.is_busy and time.monotonic() < end:
        time.sleep(0.01)
    return home.browser(person).get(PAGE).text


def ask(browser: Browser, what: str, **form: object) -> int:
    return browser.post(PAGE, {"what": what, **form}).status_code


def names(person: Person) -> set[str]:
    rows = db.rows(
        "SELECT DISTINCT name FROM item JOIN item_place ON item_id = item.id AND reader_id IN (0, ?)", person.id
    )
    return {row[0] for row in rows}


def test_only_admins_move_in(home: Home, family: Family, laid: None) -> None:
    for path, method in ((PAGE, "GET"), (PAGE, "POST"), (f"{PAGE}/stop", "POST"), (f"{PAGE}/done", "POST")):
        assert home.browser(family.ben).open(path, method, data={"what": ""}).status_code == 403
    assert PAGE in home.browser(family.ada).get("/house").text
    assert home.house.bringing.told() is None


def test_what_lies_ready_is_listed_and_nothing_else(home: Home, family: Family, laid: None) -> None:
    page = home.browser(family.ada).get(PAGE).text
    values = set(re.findall(r'name="what" value="([^"]*)"', page))
    assert values == {"", "takeout-001.zip", "takeout-002.zip", "Sommer &lt;b&gt;"}
    assert str(home.house.folder.arrivals) in page
    for elsewhere in ("link", "..", "../vault", "takeout-001.zip/x", "/etc", "nothing"):
        assert ask(home.browser(family.ada), elsewhere, look="1") == 404
    assert home.house.bringing.told() is None


def test_a_look_first_then_only_for_me(home: Home, family: Family, laid: None) -> None:
    ada = home.browser(family.ada)
    assert ask(ada, "", look="1") == 303
    page = settled(home, family.ada)
    assert "3 photos, 0 videos" in page
    assert "1 left out: no picture or video that HomeCircle can show" in page and "c.dng" in page
    assert names(family.ada) == set()
    assert ask(ada, "", whom="me") == 303
    assert "It is all in." in settled(home, family.ada)
    assert names(family.ada) == {"a.jpg", "b.jpg", "d.jpg"}
    assert names(family.ben) == set()
    assert "Only me" not in home.browser(family.ada).get(f"{PAGE}?part=state").text
    ada.post(f"{PAGE}/done")
    assert "It is all in." not in ada.get(PAGE).text
    home.draw()
    assert [month.number for month in timeline.months(family.ada.id)][-1] == 201907


def test_for_everyone_or_for_those_ticked(home: Home, family: Family, laid: None) -> None:
    ada = home.browser(family.ada)
    refused = ada.post(PAGE, {"what": "Sommer <b>", "whom": "some"})
    assert refused.status_code == 422 and "Tick who it is for." in refused.text
    assert ask(ada, "Sommer <b>", whom="some", **{"for": [family.ben.public_id]}) == 303
    settled(home, family.ada)
    assert (names(family.ben), names(family.cleo)) == ({"d.jpg"}, set())
    assert ask(ada, "takeout-001.zip", whom="everyone", files="1") == 303
    settled(home, family.ada)
    assert names(family.cleo) == {"a.jpg", "b.jpg", "c.dng"}


def test_what_was_chosen_stays_chosen_when_the_page_comes_back(home: Home, family: Family, laid: None) -> None:
    ada = home.browser(family.ada)
    ask(ada, "Sommer <b>", look="1", whom="some", **{"for": [family.ben.public_id]})
    page = settled(home, family.ada)
    assert re.search(r'value="some" checked', page)
    assert re.search(rf'value="{family.ben.public_id}" checked', page)
    assert not re.search(rf'value="{family.cleo.public_id}" checked', page)
    refused = ada.post(PAGE, {"what": "Sommer <b>", "whom": "some"}).text
    assert re.search(r'value="some" checked', refused)


def test_another_admin_learns_that_but_not_what(home: Home, family: Family, laid: None) -> None:
    db.rows("UPDATE member SET role = 'admin' WHERE id = ?", family.ben.id)
    ask(home.browser(family.ada), "takeout-001.zip", look="1")
    page = settled(home, family.ben)
    state = page[page.index('id="state"') : page.index('id="lying"')]
    assert "Something else" in state
    assert not re.search(r"takeout-001|2 photos|dng|Bring in", state)


def test_a_stop_leaves_what_came(home: Home, family: Family) -> None:
    lake = (SAMPLES / "lake-12mp.jpg").read_bytes()
    tree(home.house.folder.arrivals / "many", {f"{n:03}.jpg": lake + bytes([n]) for n in range(100)})
    ada = home.browser(family.ada)
    assert ask(ada, "many", whom="me") == 303
    page = ada.get(PAGE).text
    assert 'hx-trigger="every 2s"' in page and "<progress" in page
    assert ask(ada, "many", whom="me") == 409
    assert ada.post(f"{PAGE}/stop").status_code == 303
    assert "Stopped. What came by then is here" in settled(home, family.ada)
    came = len(names(family.ada))
    assert came < 100
    assert ask(ada, "many", whom="me") == 303
    settled(home, family.ada)
    assert len(names(family.ada)) == 100


def test_a_shared_device_has_no_such_page(home: Home, family: Family) -> None:
    tablet = Browser(home.app.test_client(), "http://homecircle.local",
                     devices.add(None, "Kitchen", "home", kind="shared"))  # fmt: skip
    assert tablet.get(PAGE).status_code in {303, 401, 403}
