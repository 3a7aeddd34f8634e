"""The whole way through the front door, as a family walks it on phones at http://homecircle.local."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import People, Server, claim, invite, join_by_link, share, write


def test_a_family_moves_in(people: People, server: Server) -> None:
    ada, ben, cleo = people.come(), people.come(), people.come()
    claim(ada, server)
    link, _ = invite(ada, "Ben")
    ada.get_by_role("button", name="Done for now").click()
    expect(ada.get_by_role("heading", name="The Lindqvists")).to_be_visible()
    join_by_link(ben, link)
    expect(ben.get_by_role("heading", name="The Lindqvists")).to_be_visible()
    ada.goto("/members")
    _, letters = invite(ada, "Cleo")
    cleo.goto("/hello")
    cleo.get_by_label("Your code").fill(letters)
    cleo.get_by_role("button", name="Come in").click()
    cleo.get_by_role("button", name="That is me").click()
    cleo.get_by_role("link", name="Skip").click()
    cleo.goto("/members")
    for name in ("Ada", "Ben", "Cleo"):
        expect(cleo.locator(".member", has_text=name)).to_be_visible()


def test_words_are_seen_on_the_other_phone_at_once(ada: Page, ben: Page) -> None:
    write(ada, "Cake is ready")
    share(ada)
    expect(ben.locator(".post", has_text="Cake is ready")).to_be_visible()
    expect(ada.locator(".post", has_text="Cake is ready")).to_have_count(1)
