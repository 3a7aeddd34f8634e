"""The ways in, as the family goes them: asked for at the door, on the kitchen tablet with a PIN, by the sheet in the
drawer; and their pages, readable for all.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Response, expect

from tests.browser.conftest import SAMPLES, People, Server, invite, share, wait_for, write
from tests.browser.test_every_page import ENLARGE, LOOKS, NARROW, faults

PIN = "2468"


def ask(page: Page, name: str) -> str:
    """Ask at the door; returns the two words."""
    page.goto("/hello")
    page.get_by_role("link", name="Ask to be let in").click()
    page.get_by_label("What does the family call you?").fill(name)
    page.get_by_role("button", name="Ask").click()
    return page.locator(".two-words").inner_text().strip()


def pair_tablet(ada: Page, tablet: Page) -> None:
    """A kitchen tablet, with Ada's face and a PIN on it."""
    ada.goto("/house/devices")
    ada.get_by_label("Name", exact=False).first.fill("Kitchen tablet")
    ada.get_by_role("button", name="Add").click()
    letters = ada.locator(".spoken-code").inner_text()
    tablet.goto("/hello")
    tablet.get_by_label("Your code").fill(letters)
    tablet.get_by_role("button", name="Come in").click()
    ada.goto("/devices")
    ada.get_by_label("A PIN of four to eight digits for it").fill(PIN)
    ada.get_by_role("button", name="Show my face there").click()


def test_the_link_of_an_invitation_is_copied_on_plain_http_too(ada: Page) -> None:
    ada.goto("/members")
    link, _ = invite(ada, "Cleo")
    ada.get_by_role("button", name="Copy link").click()
    expect(ada.locator("#toasts")).to_contain_text("Copied")
    ada.goto("/new")
    ada.get_by_label("Your words").press("ControlOrMeta+v")
    expect(ada.get_by_label("Your words")).to_have_value(re.compile(re.escape(link)))


def test_asked_for_at_the_door(people: People, ada: Page) -> None:
    ada.goto("/vault")  # whatever page it is: somebody at the door is told of there
    phone = people.come()
    words = ask(phone, "Gran")
    strip = ada.locator("summary", has_text="Gran wants in")
    strip.click()
    assert ada.locator("[name=member]:checked").count() == 0
    ada.get_by_label(words).check()
    ada.get_by_label("Someone new: Gran").check()
    ada.get_by_role("button", name="Let it in").click()
    phone.get_by_role("button", name="That is me").click()
    phone.get_by_role("link", name="Done").click()
    expect(phone.locator(".welcome")).to_contain_text("Lovely that you are here")
    expect(phone.locator(".composer-open")).to_contain_text("Say hello, Gran")
    ada.goto("/")
    expect(ada.locator(".post", has_text="Gran joined")).to_be_visible()
    write(phone, "Hello all")
    share(phone)
    expect(phone.locator("#posts .post", has_text="Hello all")).to_be_visible()
    phone.goto("/")
    expect(phone.locator(".welcome")).to_have_count(0)


def test_an_own_device_lets_a_lost_one_come_back(people: People, ada: Page, ben: Page) -> None:
    ben.goto("/presence")
    again = people.come()
    words = ask(again, "Ben")
    ben.locator("summary", has_text="Ben wants in").click()
    ben.get_by_label(words).check()
    ben.get_by_role("button", name="Let it in").click()
    again.locator("#posts").wait_for()
    expect(ben).to_have_url(f"{people.origin}/devices")


def test_a_tablet_for_all_asks_for_the_pin(people: People, ada: Page) -> None:
    write(ada, "For everyone to read")
    share(ada)
    expect(ada.locator("#posts .post", has_text="For everyone to read")).to_be_visible()
    tablet = people.come()
    pair_tablet(ada, tablet)
    tablet.goto("/")
    tablet.get_by_role("link", name="Ada").click()
    tablet.get_by_label("Your PIN for this device").fill("1111")
    tablet.get_by_role("button", name="That is me").click()
    expect(tablet.locator(".field-error")).to_contain_text("That PIN is not right")
    tablet.get_by_label("Your PIN for this device").fill(PIN)
    tablet.get_by_role("button", name="That is me").click()
    expect(tablet.locator(".post", has_text="For everyone to read")).to_be_visible()
    tablet.goto("/who?stay=1")
    tablet.get_by_role("button", name="I am done here").click()
    tablet.goto("/")
    expect(tablet.get_by_role("heading", name="Who is here?")).to_be_visible()


KEPT = """async () => ({
  stores: (await indexedDB.databases()).map((each) => each.name),
  words: { ...localStorage, ...sessionStorage },
  caches: globalThis.caches ? await caches.keys() : [],
})"""


@pytest.mark.parametrize("ending", ["done", "fallen back", "signed out"])
def test_a_tablet_for_all_keeps_nothing_of_who_was_there(
    people: People, server: Server, ada: Page, ending: str
) -> None:
    ada.locator(".bar input[type=file]").set_input_files(SAMPLES / "cake.jpg")
    ada.get_by_label("Your words").fill("A secret cake")
    share(ada)
    expect(ada.locator(".post img[srcset]")).to_be_visible(timeout=40_000)
    tablet, media = people.come(), list[Response]()
    tablet.on("response", lambda answer: media.append(answer) if "/vault/" in answer.url else None)
    pair_tablet(ada, tablet)
    tablet.goto("/who")
    tablet.get_by_role("link", name="Ada").click()
    tablet.get_by_label("Your PIN for this device").fill(PIN)
    tablet.get_by_role("button", name="That is me").click()
    expect(tablet.locator(".post img[srcset]")).to_be_visible()
    tablet.locator(".bar input[type=file]").set_input_files(SAMPLES / "garden.jpg")
    tablet.get_by_label("Your words").fill("Half a thought")
    expect(tablet.locator(".shelf-item[data-state=done]")).to_be_visible()
    tablet.on("dialog", lambda dialog: dialog.accept())
    if ending == "done":
        tablet.goto("/who?stay=1")
        tablet.get_by_role("button", name="I am done here").click()
    elif ending == "fallen back":
        with closing(sqlite3.connect(server.data / "homecircle.sqlite3", isolation_level=None)) as rows:
            rows.execute("UPDATE device SET face_until = 1 WHERE kind = 'shared'")
        tablet.goto("/vault")
    else:
        ada.goto("/house/devices")
        ada.locator("li", has_text="Kitchen tablet").get_by_role("button", name="Sign out").click()
        tablet.goto("/vault")
    expect(tablet).to_have_url(re.compile("/hello" if ending == "signed out" else "/who"))
    wait_for(lambda: tablet.evaluate(KEPT) == {"stores": [], "words": {}, "caches": []}, "an empty browser")
    for _ in range(3):
        tablet.go_back()
        assert "secret cake" not in tablet.locator("body").inner_text()
        assert "Half a thought" not in tablet.content()
        assert tablet.locator(".post").count() == 0
    pictures = [each for each in media if each.headers.get("content-type", "").startswith("image/")]
    assert pictures
    assert {each.headers["cache-control"] for each in pictures} == {"private, no-store"}


def test_the_sheet_in_the_drawer_opens_once(people: People, ada: Page) -> None:
    ada.goto("/devices/sheet")
    ada.locator("#main form[action='/devices/sheet'] button").click()
    expect(ada.locator(".sheet-words li")).to_have_count(10)
    words = ada.locator(".sheet-words li").all_inner_texts()
    ada.emulate_media(media="print")
    expect(ada.locator(".sheet-words")).to_be_visible()
    expect(ada.locator("nav.bar")).to_be_hidden()
    ada.emulate_media(media="screen")
    for worked in (True, False):
        phone = people.come()
        phone.goto("/hello")
        phone.get_by_role("link", name="I have the recovery sheet").click()
        phone.locator("[name=words]").fill(" ".join(words))
        phone.locator("#main [type=submit]").click()
        expect(phone.locator("#posts") if worked else phone.locator(".field-error")).to_be_visible()


@pytest.mark.parametrize(("theme", "size"), LOOKS)
def test_pages_of_the_circle_are_readable_for_all(
    people: People, ada: Page, ben: Page, theme: str, size: int, picture: Callable[[Page, str], None]
) -> None:
    tablet, phone = people.come(color_scheme=theme), people.come(color_scheme=theme)
    pair_tablet(ada, tablet)
    ada.goto("/presence")
    ada.get_by_role("button", name="Wave to Ben").click()
    ada.locator(".waved").wait_for()
    ada.goto("/members")
    invite(ada, "Mia")
    ada.goto("/")
    card = ada.locator(".post", has_text="Ben joined")
    post = urlsplit(str(card.locator(".post-when").get_attribute("href"))).path
    member = urlsplit(str(card.locator(".post-by").get_attribute("href"))).path
    ben.goto(post)
    ben.locator(".say textarea").fill("Here I am, with a few words to answer")
    ben.get_by_role("button", name="Send").click()
    ben.locator(".message").wait_for()
    for page in (tablet, phone):
        page.add_init_script(ENLARGE % size)
    ask(phone, "Gran")
    ada.goto("/settings/look")
    ada.locator(f"[name=text_size][value='{size}']").check()
    ada.locator(f"[name=theme][value='{theme}']").check()
    ada.get_by_role("button", name="Save").click()
    places = {
        ada: ("/", post, "/threads", member, f"{member}/delete", "/presence", "/since", "/house", "/house/asks",
              "/house/devices", "/house/away", "/house/log", "/house/kept", "/devices/sheet", "/settings/sharing",
              "/settings/leave", "/settings/export", "/join/tip", "/vault/trash"),
        tablet: ("/who", f"/who/{_face(tablet)}"),
        phone: ("/hello/ask", "/hello/sheet", "/join/away"),
    }  # fmt: skip
    found = []
    for page, paths in places.items():
        for path in paths:
            page.set_viewport_size({"width": 390, "height": 844})
            page.goto(path)
            if path == "/":
                page.locator(".ask-strip summary").click()
            name = path.replace("/", "-").strip("-")[:24] or "home"
            picture(page, f"circle-{name}-{theme}-{size}")
            found += [f"{path}: {each}" for each in faults(page)]
            page.set_viewport_size({"width": 320, "height": 640})
            found += [f"{path} at 320: {each}" for each in page.evaluate(NARROW)]
    assert found == []


def _face(tablet: Page) -> str:
    tablet.goto("/who")
    return str(tablet.get_by_role("link", name="Ada").get_attribute("href")).rpartition("/")[2]
