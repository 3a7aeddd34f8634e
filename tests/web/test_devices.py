"""The pages of the ways in through the client: codes, asking, sheets, the tablet, other doors, being signed out."""

from __future__ import annotations

import datetime as dt
import html
import json
import re

import pytest

from homecircle import circle, db, devices, members
from tests.conftest import AWAY, Browser, Family, Home, Person, photo

IPHONE = {"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1"}


def pass_of(person: Person) -> devices.Pass:
    found = devices.recognise(person.token, "home")
    assert found is not None
    return found


def words_of(page: str) -> str:
    return html.unescape(re.search(r'class="two-words">([^<]+)<', page)[1])


def ask(browser: Browser, name: str = "Gran") -> str:
    """Ask at the door; returns the two words."""
    answer = browser.post("/hello/ask", {"name": name})
    assert (answer.status_code, answer.location) == (303, "/hello/ask")
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    return words_of(browser.get("/hello/ask").text)


def first_ask(page: str, under: str = "/house/asks/") -> str:
    return re.search(rf'action="{under}(\w+)"', page)[1]


# Hello and join


def test_a_typed_code_lets_in_and_a_wrong_one_says_so_kindly(home: Home, family: Family) -> None:
    stranger = home.browser()
    answer = stranger.post("/hello", {"code": "BBBBBBBB"})
    assert answer.status_code == 422
    assert "ten minutes are over" in html.unescape(answer.text)
    code = devices.offer("device", "Ben", family.ben.id).code
    assert stranger.post("/hello", {"code": code}).location == "/"
    assert stranger.get("/").status_code == 200


def test_who_joins_reads_on_in_their_own_words(home: Home, family: Family) -> None:
    made = devices.offer("member", "Oma", family.ada.id)
    phone = home.browser()
    german = {"Accept-Language": "de-DE,de;q=0.9,en;q=0.5"}
    assert phone.post("/join", {"secret": made.secret}, headers=german).location == "/join/you"
    assert "Du bist drin" in phone.get("/join/you").text  # whatever the browser asks for by now


def test_after_five_wrong_codes_one_waits(home: Home, family: Family) -> None:
    stranger = home.browser()
    for _ in range(5):
        stranger.post("/hello", {"code": "BBBBBBBB"})
    answer = stranger.post("/hello", {"code": devices.offer("device", "Ben", family.ben.id).code})
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 600
    assert "10 minutes" in answer.text
    assert home.browser(family.ben).get("/").status_code == 200


def test_looking_at_an_invitation_uses_nothing_up(home: Home, family: Family) -> None:
    made = devices.offer("member", "Mia", family.ada.id)
    stranger = home.browser()
    for _ in range(3):
        assert "Ada invites you to The Lindqvists" in stranger.post("/join/look", {"secret": made.secret}).text
    assert stranger.post("/join", {"secret": made.secret}).location == "/join/you"
    assert stranger.get("/join/you").status_code == 200
    assert stranger.post("/join/look", {"secret": made.secret}).status_code == 422


def test_a_paired_browser_keeps_its_place(home: Home, family: Family) -> None:
    made = devices.offer("member", "Mia", family.ada.id)
    before = devices.count()
    answer = home.browser(family.ben).post("/join", {"secret": made.secret})
    assert answer.status_code == 409
    assert "paired already" in answer.text
    assert devices.count() == before


# Asking


def test_ask_wait_and_be_let_in(home: Home, family: Family) -> None:
    tablet, ada = home.browser(), home.browser(family.ada)
    words = ask(tablet)
    part = tablet.get("/hello/ask?part=waiting", headers={"HX-Request": "true"})
    assert "HX-Redirect" not in part.headers
    page = ada.get("/house/asks").text
    assert page.count('name="words"') == 3
    assert words in page
    answer = ada.post(f"/house/asks/{first_ask(page)}", {"words": words, "member": family.grandma.public_id})
    assert answer.status_code == 303
    assert "It is in." in ada.get(answer.location).text
    part = tablet.get("/hello/ask?part=waiting", headers={"HX-Request": "true"})
    assert part.headers["HX-Redirect"] == "/hello/ask"
    assert tablet.get("/hello/ask").location == "/"
    assert tablet.get("/").status_code == 200
    assert "let-in" in str(db.rows("SELECT verb FROM deed"))


def test_a_wrong_pair_is_refused_kindly(home: Home, family: Family) -> None:
    tablet, ada = home.browser(), home.browser(family.ada)
    words = ask(tablet)
    page = ada.get("/house/asks").text
    other = next(each for each in re.findall(r'name="words" value="([^"]+)"', page) if each != words)
    answer = ada.post(f"/house/asks/{first_ask(page)}", {"words": other, "member": ""})
    assert answer.status_code == 422
    assert "it was not let in" in answer.text
    assert "You can ask again" in tablet.get("/hello/ask").text
    assert tablet.get("/").location == "/hello"


def test_someone_new_is_asked_who_they_are(home: Home, family: Family) -> None:
    phone, ada = home.browser(), home.browser(family.ada)
    words = ask(phone, "Mia")
    ada.post(f"/house/asks/{first_ask(ada.get('/house/asks').text)}", {"words": words, "member": ""})
    assert phone.get("/hello/ask").location == "/join/you"
    assert "Mia" in {face.name for face in members.present().values()}


def test_an_own_device_lets_the_old_one_back_in(home: Home, family: Family) -> None:
    phone, gran = home.browser(), home.browser(family.grandma)
    words = ask(phone, "Grandma")
    assert "/devices/asks/" in gran.get("/devices").text
    page = gran.get("/devices/asks").text
    assert "Grandma wants in, on Browser" in page
    answer = gran.post(f"/devices/asks/{first_ask(page, '/devices/asks/')}",
                       {"words": words, "device": ""})  # fmt: skip
    assert answer.location == "/devices"
    assert phone.get("/hello/ask").location == "/"
    assert "data-here" not in phone.get("/devices").text
    assert len(devices.of_member(family.grandma.id)) == 2


def test_every_page_of_an_admin_says_that_somebody_is_at_the_door(home: Home, family: Family) -> None:
    ada, ben = home.browser(family.ada), home.browser(family.ben)
    assert "Somebody is at the door" not in ada.get("/vault").text
    assert ada.get("/devices/asks").text.strip() == ""
    ask(home.browser(), "Grandma's tablet")
    assert "Somebody is at the door" in ada.get("/vault").text
    assert "Grandma&#39;s tablet wants in, on Browser" in ada.get("/devices/asks").text
    assert "Somebody is at the door" not in ben.get("/vault").text
    assert ben.get("/devices/asks").text.strip() == ""
    assert "checked" not in ada.get("/devices/asks").text  # nobody is of that name: nobody is meant beforehand


def test_no_says_no(home: Home, family: Family) -> None:
    phone, ada = home.browser(), home.browser(family.ada)
    ask(phone)
    ada.post(f"/house/asks/{first_ask(ada.get('/house/asks').text)}/delete")
    assert "Nobody is waiting" in ada.get("/house/asks?part=list").text
    assert "You can ask again" in phone.get("/hello/ask").text


def test_requests_are_for_admins(home: Home, family: Family) -> None:
    ask(home.browser())
    for path in ("/house/asks", "/house/devices", "/house/away"):
        assert home.browser(family.ben).get(path).status_code == 403
        assert home.browser(family.ada).get(path).status_code == 200


def test_outside_one_asks_only_while_it_is_open(home: Home, family: Family) -> None:
    circle.update(away_address=AWAY)
    phone = home.browser(origin=AWAY)
    assert "Ask to be let in</" not in phone.get("/hello").text
    assert phone.post("/hello/ask", {"name": "Gran"}).status_code == 403
    home.browser(family.ada).post("/house/away/asking", {"open": "1"})
    words = ask(phone)
    assert "Nobody is waiting" in home.browser(family.ada).get("/house/asks").text
    outside = Browser(home.app.test_client(), AWAY, devices.add(family.ada.id, "phone outside", "away"))
    page = outside.get("/house/asks").text
    assert 'data-tone="warm"' in page
    outside.post(f"/house/asks/{first_ask(page)}", {"words": words, "member": family.grandma.public_id})
    assert phone.get("/hello/ask").location == "/"
    assert phone.get("/").status_code == 200
    home.browser(family.ada).post("/house/away/asking", {})
    assert not devices.may_ask("away")


# Signed out


def test_a_signed_out_phone_says_so_and_whose_it_was(home: Home, family: Family) -> None:
    ben, ada = home.browser(family.ben), home.browser(family.ada)
    ada.post(f"/devices/{pass_of(family.ben).device}/delete")
    assert ben.get("/").location == "/hello"
    page = ben.get("/hello")
    assert "This phone was signed out" in page.text
    assert page.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert "Ask to be let in as Ben" in page.text
    assert "/face/" not in page.text  # initials: no picture is given to who is not in
    assert "Lindqvist" not in page.text
    assert "Ben" not in home.browser().get("/hello").text
    words = ask(ben, "Ben")
    asked = ada.get("/house/asks").text
    assert re.search(rf'value="{family.ben.public_id}" required checked', asked)
    ada.post(f"/house/asks/{first_ask(asked)}", {"words": words, "member": family.ben.public_id})
    assert ben.get("/hello/ask").location == "/"
    assert ben.get("/").status_code == 200


def test_a_phone_signs_itself_out_and_forgets_whose_it_was(home: Home, family: Family) -> None:
    ben = home.browser(family.ben)
    ben.post(f"/devices/{pass_of(family.ben).device}/delete")
    page = ben.get("/hello").text
    assert "This phone was signed out" not in page
    assert "Ben" not in page


def test_after_signing_out_nothing_is_given(home: Home, family: Family) -> None:
    ben, ada = home.browser(family.ben), home.browser(family.ada)
    head = {"Tus-Resumable": "1.0.0"}
    made = ben.post("/uploads", headers=head | {"Upload-Length": "6", "Upload-Metadata": "filename YS5qcGc="})
    assert made.status_code == 201
    path = made.location.removeprefix("http://homecircle.local")
    ada.post(f"/devices/{pass_of(family.ben).device}/delete")
    piece = head | {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    assert ben.open(path, "PATCH", data=b"abcdef", headers=piece).status_code == 401
    assert ben.open(path, "HEAD", headers=head).status_code in {303, 401}
    for url in ("/live", "/live/since?id=", f"/members/{family.ada.public_id}/face/x", "/manifest.webmanifest"):
        assert ben.get(url).status_code == 401
    assert ben.get("/", headers={"If-None-Match": "*"}).status_code == 303
    assert ben.post("/feed", {"text": "still here", "once": "1"}).status_code == 401


def test_an_admins_only_device_stays(home: Home, family: Family) -> None:
    ada = home.browser(family.ada)
    answer = ada.post(f"/devices/{pass_of(family.ada).device}/delete")
    assert answer.status_code == 403
    assert "your only device" in answer.text
    cleo = home.browser(family.cleo)
    answer = cleo.post(f"/devices/{pass_of(family.cleo).device}/delete")
    assert answer.location == "/hello"
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert cleo.get("/").location == "/hello"


def test_others_devices_are_told_by_the_month(home: Home, family: Family) -> None:
    db.rows("UPDATE device SET used_on = used_on - 100 WHERE member_id = ?", family.cleo.id)
    page = home.browser(family.ada).get("/house/devices").text
    assert "silent since" in page
    assert "100 days ago" not in page
    assert page.index("Cleo&#39;s phone") < page.index("Ben&#39;s phone")
    assert home.browser(family.ben).post(f"/devices/{pass_of(family.cleo).device}/delete").status_code == 404


# A device in somebody's name


def test_a_device_in_my_name_is_shown_to_me_and_can_be_thrown_out(home: Home, family: Family) -> None:
    tablet, ada, gran = home.browser(), home.browser(family.ada), home.browser(family.grandma)
    words = ask(tablet)
    answer = {"words": words, "member": family.grandma.public_id}
    ada.post(f"/house/asks/{first_ask(ada.get('/house/asks').text)}", answer)
    tablet.get("/hello/ask")
    page = html.unescape(gran.get("/devices").text)
    assert "Ada added a device in your name" in page
    assert "That wasn't me" in page
    assert "That wasn't me" not in html.unescape(tablet.get("/devices").text)
    for path in ("/devices", "/devices/sheet", "/devices/here"):
        assert tablet.post(path).status_code == 403
    added = devices.added_for(family.grandma.id)[0].public_id
    assert tablet.post(f"/devices/{added}/yes").status_code == 403
    assert gran.post(f"/devices/{added}/delete").status_code == 303
    assert tablet.get("/").location == "/hello"
    assert "added a device" not in gran.get("/devices").text


def test_a_yes_is_enough(home: Home, family: Family) -> None:
    tablet, ada, gran = home.browser(), home.browser(family.ada), home.browser(family.grandma)
    answer = {"words": ask(tablet), "member": family.grandma.public_id}
    ada.post(f"/house/asks/{first_ask(ada.get('/house/asks').text)}", answer)
    tablet.get("/hello/ask")
    gran.post(f"/devices/{devices.added_for(family.grandma.id)[0].public_id}/yes")
    assert tablet.get("/devices/sheet").status_code == 200


# The recovery sheet


def test_a_sheet_is_shown_once_and_lets_in(home: Home, family: Family) -> None:
    gran, phone = home.browser(family.grandma), home.browser()
    page = gran.post("/devices/sheet").text
    words = re.findall(r"<li>([a-z]+)</li>", page)
    assert len(words) == 10
    assert "<svg" in page
    assert words[0] not in re.findall(r"<li>([a-z]+)</li>", gran.get("/devices/sheet").text)
    assert "Your sheet was made" in gran.get("/devices/sheet").text
    assert phone.post("/hello/sheet", {"words": " ".join(words[:9])}).status_code == 422
    assert phone.post("/hello/sheet", {"words": " ".join(words)}).location == "/"
    assert "Grandma" in phone.get("/settings").text
    assert "Make my sheet" in gran.get("/devices/sheet").text


def test_a_sheet_in_a_full_house_asks_which_device_goes(home: Home, family: Family) -> None:
    for number in range(8):
        devices.add(family.ben.id, f"device {number}", "home")
    words = re.findall(r"<li>([a-z]+)</li>", home.browser(family.grandma).post("/devices/sheet").text)
    phone = home.browser()
    answer = phone.post("/hello/sheet", {"words": " ".join(words)})
    assert answer.status_code == 409
    assert "Grandma&#39;s phone" in answer.text
    assert "Ben" not in answer.text
    chosen = re.search(r'name="replaced" value="(\w+)"', answer.text)[1]
    assert phone.post("/hello/sheet", {"words": " ".join(words), "replaced": chosen}).location == "/"
    assert home.browser(family.grandma).get("/").location == "/hello"
    assert devices.count() == 12


def test_the_sheets_square_opens_the_same(home: Home, family: Family) -> None:
    made = devices.new_sheet(pass_of(family.grandma))
    phone = home.browser()
    assert "Welcome back, Grandma" in phone.post("/join/look", {"secret": made.secret}).text
    assert phone.post("/join", {"secret": made.secret}).location == "/"


# The kitchen tablet


@pytest.fixture
def tablet(home: Home, family: Family) -> Browser:
    page = home.browser(family.ada).post("/house/devices", {"name": "Kitchen tablet"}).text
    assert re.search(r"Good until \d\d:\d\d<", page)  # ten minutes need no date
    code = re.search(r'class="spoken-code">([A-Z ]+)<', page)[1]
    browser = home.browser()
    assert browser.post("/hello", {"code": code}).location == "/who"
    return browser


def agree(home: Home, person: Person, pin: str = "") -> int:
    browser = home.browser(person)
    chair = re.search(r'action="/devices/(\w+)/face"', browser.get("/devices").text)[1]
    return browser.post(f"/devices/{chair}/face", {"pin": pin}).status_code


def test_nobody_is_at_the_tablet_until_a_face_is_tapped(home: Home, family: Family, tablet: Browser) -> None:
    assert tablet.get("/").location == "/who"
    assert tablet.get("/hello").location == "/who"
    assert "Ben" not in tablet.get("/who").text
    assert agree(home, family.ben) == 303
    page = tablet.get("/who")
    assert "Ben" in page.text
    assert "Clear-Site-Data" in page.headers
    assert tablet.post("/who", {"member": family.ben.public_id}).location == "/"
    feed = tablet.get("/")
    assert feed.status_code == 200
    assert feed.headers["Refresh"] == "605"
    assert tablet.post("/who/delete").location == "/who"
    assert tablet.get("/").location == "/who"


def test_at_the_tablet_private_pages_are_closed(home: Home, family: Family, tablet: Browser) -> None:
    agree(home, family.ada, "4711")
    assert tablet.post("/who", {"member": family.ada.public_id, "pin": "1234"}).status_code == 422
    assert tablet.post("/who", {"member": family.ada.public_id, "pin": "4711"}).location == "/"
    assert tablet.get("/settings").location == "/who?stay=1"
    assert "I am done here" in tablet.get("/who?stay=1").text
    for path in ("/settings/look", "/settings/leave", "/devices", "/devices/sheet", "/house/asks", "/house/devices"):
        assert tablet.get(path).status_code == 403, path
    for path in ("/settings/leave", "/devices", "/members/invitations", "/house/away"):
        assert tablet.post(path, {"name": "x", "sure": "1"}).status_code == 403, path
    assert tablet.get("/manifest.webmanifest").status_code == 200
    assert home.browser(family.ben).get("/who").status_code == 404


def test_an_admin_needs_a_pin_there(home: Home, family: Family, tablet: Browser) -> None:
    assert agree(home, family.ada) == 422
    assert agree(home, family.ada, "12") == 422
    assert agree(home, family.ada, "4711") == 303


def test_five_wrong_pins_close_the_face(home: Home, family: Family, tablet: Browser) -> None:
    agree(home, family.ben, "4711")
    assert "with a PIN" in tablet.get("/who").text
    assert "Your PIN" in tablet.get(f"/who/{family.ben.public_id}").text
    for _ in range(5):
        assert tablet.post("/who", {"member": family.ben.public_id, "pin": "0000"}).status_code == 422
    assert tablet.post("/who", {"member": family.ben.public_id, "pin": "4711"}).status_code == 429
    assert "closed for a while" in tablet.get("/who").text


def test_the_tablet_keeps_no_media(home: Home, family: Family, tablet: Browser) -> None:
    home.browser(family.ada).post("/feed", {"text": "Cake", "once": "k", "photos": [photo("cake.jpg")]})
    home.draw()
    agree(home, family.ben)
    tablet.post("/who", {"member": family.ben.public_id})
    url = re.search(r"/vault/\w+/320-\w+", tablet.get("/").text)[0]
    assert tablet.get(url).headers["Cache-Control"] == "private, no-store"
    assert "immutable" in home.browser(family.ben).get(url).headers["Cache-Control"]
    style = re.search(r"/static/\w+/css/base.css", tablet.get("/").text)[0]
    assert "immutable" in tablet.get(style).headers["Cache-Control"]


def test_ten_idle_minutes_end_a_visit_at_the_tablet(
    home: Home, family: Family, tablet: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:

    real, shift = db.now, [dt.timedelta()]
    monkeypatch.setattr(db, "now", lambda: real() + shift[0])
    agree(home, family.ben)
    tablet.post("/who", {"member": family.ben.public_id})
    shift[0] = dt.timedelta(minutes=8)
    assert tablet.get("/live/since?id=").status_code == 200  # a page alone is nobody's doing
    shift[0] = dt.timedelta(minutes=11)
    assert tablet.get("/").location == "/who"
    assert tablet.get("/live/since?id=").status_code == 401
    tablet.post("/who", {"member": family.ben.public_id})
    shift[0] = dt.timedelta(minutes=19)
    assert tablet.get("/").status_code == 200
    shift[0] = dt.timedelta(minutes=27)
    assert tablet.get("/").status_code == 200


# Other doors


def link_of(page: str) -> str:
    return html.unescape(re.search(r'href="(https?://[^"]+#[^"]+)"', page)[1])


def test_a_phone_works_outside_too_at_one_place(home: Home, family: Family) -> None:
    ada, ben = home.browser(family.ada), home.browser(family.ben)
    assert ada.post("/house/away", {"away_address": "home.example"}).status_code == 422
    assert ada.post("/house/away", {"away_address": AWAY}).status_code == 303
    before = devices.count()
    link = link_of(ben.post("/devices/away").text)
    assert link.startswith(f"{AWAY}/join/away#")
    secret = link.partition("#")[2]
    outside = home.browser(origin=AWAY)
    assert outside.get("/join/away").status_code == 200
    answer = outside.post("/join/away", {"secret": secret})
    assert answer.location == "/hello/ask"
    assert "Secure" in answer.headers["Set-Cookie"]
    page = outside.get("/hello/ask").text
    code = devices.offer_recovery().code
    assert outside.post("/hello/ask/code", {"code": "BBBBBBBB"}).status_code == 422
    assert outside.post("/hello/ask/code", {"code": code}).location == "/hello/ask"
    answer = outside.get("/hello/ask")
    assert answer.location == "/"
    assert outside.get("/").status_code == 200
    assert devices.count() == before
    assert words_of(page)
    ada.post("/house/away", {"away_address": ""})
    assert outside.get("/").status_code == 421


def test_an_own_away_device_lets_the_next_one_in(home: Home, family: Family) -> None:
    circle.update(away_address=AWAY)
    secret = link_of(home.browser(family.ben).post("/devices/away").text).partition("#")[2]
    phone = home.browser(origin=AWAY)
    phone.post("/join/away", {"secret": secret})
    words = words_of(phone.get("/hello/ask").text)
    laptop = Browser(home.app.test_client(), AWAY, devices.add(family.ben.id, "laptop", "away"))
    page = laptop.get("/devices").text
    assert words in page
    assert "/devices/asks/" not in home.browser(family.ben).get("/devices").text
    asked = first_ask(page, "/devices/asks/")
    assert laptop.post(f"/devices/asks/{asked}", {"words": words}).status_code == 303
    assert phone.get("/hello/ask").location == "/"


def test_invitations_carry_the_canonical_address(home: Home, family: Family) -> None:
    circle.update(away_address=AWAY)
    ada = home.browser(family.ada)
    assert f"{AWAY}/join#" in ada.post("/members/invitations", {"name": "Mia"}).text
    assert "http://192.0.2.7/join#" in ada.post("/devices").text  # made with a home token: for home


def test_an_invitation_that_is_refused_comes_back_as_it_was_typed(home: Home, family: Family) -> None:
    typed = {"name": "Mia", "welcome": "Come in! " * 40, "admin": "1"}
    answer = home.browser(family.ada).post("/members/invitations", typed)
    assert answer.status_code == 422
    assert 'value="Mia"' in answer.text and f'value="{typed["welcome"]}"' in answer.text
    assert 'name="admin" value="1" checked' in answer.text
    assert 'value="" placeholder' in home.browser(family.ada).get("/members").text


def test_a_device_keeps_its_place_at_another_home_address(home: Home, family: Family) -> None:
    before = devices.count()
    link = link_of(home.browser(family.ben).post("/devices/here").text)
    host, _, secret = link.partition("/join/here#")
    by_number = home.browser(origin=host)
    assert by_number.get("/join/here").status_code == 200
    assert by_number.post("/join/here", {"secret": secret}).location == "/"
    assert by_number.get("/").status_code == 200
    assert devices.count() == before


def test_an_iphones_icon_opens_signed_in(home: Home, family: Family) -> None:
    safari, icon = home.browser(family.ben), home.browser()
    start = json.loads(safari.get("/manifest.webmanifest", headers=IPHONE).text)["start_url"]
    assert start.startswith("/join/here#")
    assert json.loads(safari.get("/manifest.webmanifest").text)["start_url"] == "/"
    before = devices.count()
    assert icon.get("/join/here").status_code == 200
    assert icon.post("/join/here", {"secret": start.partition("#")[2]}).location == "/"
    assert icon.get("/").status_code == 200
    assert icon.get("/join/here").location == "/#main"  # no used-up secret stays in the address
    assert devices.count() == before
    assert home.browser().post("/join/here", {"secret": start.partition("#")[2]}).status_code == 422
    home.browser(family.ada).post(f"/devices/{pass_of(family.ben).device}/delete")
    assert icon.get("/").location == "/hello"


def test_the_pages_ask_as_many_questions_for_twelve_devices_as_for_four(home: Home, family: Family) -> None:
    def asked(path: str) -> int:
        counted: list[str] = []
        line = db.database.connection()
        line.set_trace_callback(counted.append)
        home.browser(family.ada).get(path)
        line.set_trace_callback(None)
        return len(counted)

    for path in ("/devices", "/house/devices", "/house/asks"):
        home.browser(family.ada).get(path)  # what is kept in memory is read once
    few = {path: asked(path) for path in ("/devices", "/house/devices", "/house/asks")}
    for number in range(8):
        devices.add(family.ada.id, f"device {number}", "home")
    assert {path: asked(path) for path in few} == few


def test_a_program_is_added_once_and_takes_a_place(home: Home, family: Family) -> None:
    ada = home.browser(family.ada)
    assert ada.get("/devices/program").status_code == 200
    assert ada.post("/devices/program", {"name": " "}).status_code == 422
    page = ada.post("/devices/program", {"name": "Old laptop"}).text
    key = page.partition("Bearer ")[2].partition("<")[0]
    assert devices.recognise(key, "home").kind == "program"
    assert key not in ada.get("/devices").text
    assert "Old laptop" in ada.get("/devices").text
    mine = devices.of_member(family.ada.id)
    assert ada.post(f"/devices/{mine[0].public_id}/delete").status_code == 403  # a program is no way in
    ada.post(f"/devices/{mine[1].public_id}/delete")
    assert devices.recognise(key, "home") is None
    while devices.count() < devices.LIMIT:
        devices.add(family.ben.id, "Another", "home")
    assert ada.post("/devices/program", {"name": "One too many"}).status_code == 409


def test_who_joins_says_how_large_words_shall_be(home: Home, family: Family) -> None:
    made = devices.offer("member", "Mia", family.ada.id)
    mia = home.browser()
    mia.post("/join", {"secret": made.secret})
    assert "How big should the words be?" in mia.get("/join/you").text
    assert mia.post("/join/you", {"name": "Mia", "text_size": "9"}).status_code == 422
    assert mia.post("/join/you", {"name": "Mia", "text_size": "4"}).status_code == 303
    assert 'data-text="4"' in mia.get("/").text
