"""After a restore, in the browser: what a suspended device sees, and the page on which an admin ticks."""

from __future__ import annotations

import html

from homecircle import devices
from tests.conftest import Family, Home, Person


def pass_of(person: Person) -> devices.Pass:
    found = devices.recognise(person.token, "home")
    assert found is not None
    return found


def test_a_suspended_browser_is_told_why_and_works_again_once_ticked(home: Home, family: Family) -> None:
    ben, cleo = home.browser(family.ben), home.browser(family.cleo)
    ids = {each.name: each.public_id for each in devices.everyone()}
    devices.suspend_all()
    assert (ben.get("/").location, ben.get("/live").status_code) == ("/hello", 401)
    told = ben.get("/hello")
    assert "was restored from a backup" in told.text and "Clear-Site-Data" not in told.headers
    admin = home.browser()
    admin.post("/hello", {"code": devices.offer_recovery().code})
    assert "/house/restored" in admin.get("/house").text
    page = html.unescape(admin.get("/house/restored").text)
    assert all(name in page for name in ids) and "checked" not in page
    assert admin.post("/house/restored", {"devices": [ids["Ben's phone"]]}).location == "/house"
    assert ben.get("/").status_code == 200
    told = cleo.get("/hello")
    assert "signed out" in told.text and "Clear-Site-Data" in told.headers
    assert "/house/restored" not in admin.get("/house").text
    assert "No device is waiting" in admin.get("/house/restored").text
    assert "which devices are still ours: Ben's phone (Ben)" in html.unescape(ben.get("/house/log").text)


def test_too_many_ticks_are_told_and_stay_ticked(home: Home, family: Family) -> None:
    while devices.count() < devices.LIMIT:
        devices.add(family.ben.id, "another", "home")
    devices.suspend_all()
    admin = home.browser()
    admin.post("/hello", {"code": devices.offer_recovery().code})
    all_of_them = [each.public_id for each in devices.suspended()]
    answer = admin.post("/house/restored", {"devices": all_of_them})
    assert answer.status_code == 409 and "11 free places, and 12 devices" in answer.text
    assert answer.text.count("checked") == 12


def test_only_admins_tick(home: Home, family: Family) -> None:
    assert home.browser(family.cleo).get("/house/restored").status_code == 403
    assert home.browser(family.cleo).post("/house/restored").status_code == 403
