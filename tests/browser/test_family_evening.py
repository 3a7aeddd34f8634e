"""A family evening on five devices: a surprise that Ben never learns of, a kitchen tablet, a phone that is lost."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Response, expect

from tests.browser.conftest import SAMPLES, People, invite, join_by_link, share, shared, write

SURPRISE = "Saturday at six, not a word to him"
ASK = """async (path) => {
  const answer = await fetch(path, { redirect: "manual", cache: "no-store", headers: { "If-None-Match": "*" } });
  return [answer.status, await answer.text()];
}"""


class Ear:
    """Everything that one browser is told: addresses, and bodies that are text."""

    def __init__(self, page: Page) -> None:
        self.told: list[str] = []
        self.texts: list[Response] = []
        page.on("response", self._hear)

    def _hear(self, answer: Response) -> None:
        self.told.append(answer.url)
        kind = answer.headers.get("content-type", "")
        if "html" in kind or "json" in kind:
            self.texts.append(answer)

    def all(self) -> str:
        bodies = [answer.text() for answer in self.texts if answer.status < 300 and answer.request.method != "HEAD"]
        return "\n".join([*self.told, *bodies])


@pytest.fixture
def cleo(people: People, ada: Page) -> Page:
    ada.goto("/members")
    link, _ = invite(ada, "Cleo")
    page = people.come()
    join_by_link(page, link)
    ada.goto("/")
    return page


def _tablet(people: People, ada: Page, grandma: Page) -> Page:
    """A tablet in the kitchen on which Grandma's face stands, without a PIN."""
    ada.goto("/house/devices")
    ada.locator("#name").fill("Kitchen tablet")
    ada.get_by_text("Add it").click()
    code = ada.locator(".spoken-code").inner_text()
    tablet = people.come(viewport={"width": 820, "height": 1180})
    tablet.goto("/hello")
    tablet.get_by_label("Your code").fill(code)
    tablet.get_by_role("button", name="Come in").click()
    grandma.goto("/devices")
    grandma.get_by_text("Show my face there").click()
    tablet.goto("/who")
    tablet.get_by_text("Grandma").click()
    tablet.locator("#posts").wait_for()
    return tablet


def _ask(page: Page, path: str) -> tuple[int, str]:
    """Ask as the page itself would: (status, body); status 0 is being led to the door."""
    status, body = page.evaluate(ASK, path)
    return status, body


def _numbers(page: Page) -> list[str]:
    """Whatever a page counts: months of the vault, talks, marks."""
    return re.findall(r"\b\d+ photos?\b", page.locator("#main").inner_text())


def test_a_family_evening(people: People, ada: Page, ben: Page, cleo: Page) -> None:
    ada.goto("/members")
    link, _ = invite(ada, "Grandma")
    grandma = people.come()
    join_by_link(grandma, link)
    tablet = _tablet(people, ada, grandma)
    for page in (ada, ben, cleo, grandma):
        page.goto("/")
        page.locator("#posts").wait_for()

    # something for everyone: it stands on all five without a reload
    write(ada, "Soup is ready")
    share(ada)
    for page in (ben, cleo, grandma, tablet):
        expect(page.locator(".post", has_text="Soup is ready")).to_be_visible()

    # the surprise: everyone but Ben, with a photo
    ben.goto("/vault")
    before = _numbers(ben)
    ben.goto("/since")
    ben.goto("/")
    ear = Ear(ben)
    ada.reload()
    write(ada, SURPRISE)
    form = ada.locator("#composer")
    form.locator("[data-audience] summary").click()
    for name in ("Cleo", "Grandma"):
        form.locator("[data-audience] label", has_text=name).click()
    form.locator("[data-pick] input").first.set_input_files(SAMPLES / "cake.jpg")
    share(ada)
    for page in (cleo, grandma):
        expect(page.locator(".post", has_text=SURPRISE)).to_be_visible()
        expect(page.locator(".post", has_text=SURPRISE).locator("img:not(.ph)").first).to_be_visible(timeout=40_000)
    post = shared(ada, SURPRISE)
    photo = str(cleo.locator(".post", has_text=SURPRISE).locator(".tile img:not(.ph)").first.get_attribute("src"))
    item = photo.split("/")[2]

    # they talk under it, mark it; the tablet, where Grandma has no PIN, shows nothing of it
    cleo.goto(f"/feed/{post}")
    cleo.locator("textarea[name=text]").fill("He suspects nothing")
    cleo.get_by_role("button", name="Send").click()
    expect(grandma.locator(".post", has_text="He suspects nothing")).to_be_visible()
    tablet.goto("/")
    tablet.locator("#posts").wait_for()
    assert SURPRISE not in tablet.content()
    assert _ask(tablet, f"/feed/{post}")[0] == 404

    # half-way Grandma's phone is lost: Ada signs it out, and within a second it is shown nothing more
    ada.goto("/house/devices")
    phone = ada.locator("li, tr, section", has=ada.locator("form[action$='/delete']")).filter(has_text="Grandma")
    phone.locator("form[action$='/delete'] button").first.click()
    grandma.wait_for_url("**/hello")  # how soon is in tests/web/test_live.py: here a browser's back-off comes before
    assert _ask(grandma, f"/feed/{post}")[0] == 0
    assert _ask(grandma, photo)[0] == 401

    # of all that his page asked for by itself since then, nothing told of it
    expect(ben.locator(".dot-mark")).to_have_count(0)
    everything = ear.all()
    for word in (SURPRISE, "suspects", post, item):
        assert word not in everything
    # and Ben: not by feed, vault, search, post, thumbnail, 304, talks, notices or the dot; nor by anything he was told
    for path in ("/", "/vault", "/vault/search?q=Saturday", "/vault/search?q=cake", "/threads", "/since", "/house/log"):
        ben.goto(path)
        assert SURPRISE not in ben.content(), path
    for path in (f"/feed/{post}", f"/feed/{post}/thread", photo, f"/vault/{item}", f"/vault/{item}/original"):
        nowhere = path.replace(post, "a" * 16).replace(item, "a" * 16)
        assert _ask(ben, path) == _ask(ben, nowhere), path
        assert _ask(ben, path)[0] == 404, path
    ben.goto("/vault")
    assert _numbers(ben) == before
    ben.goto("/")
