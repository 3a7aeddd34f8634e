"""Who is around, as it changes, on a wide screen too."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import People


def test_who_comes_and_goes_is_seen_without_a_reload(ada: Page, ben: Page, people: People) -> None:
    desk = ada.context.new_page()
    desk.set_viewport_size({"width": 1280, "height": 800})
    desk.goto("/")
    both = [page.locator("#around .around-one", has_text="Ben") for page in (ada, desk)]
    for around in both:
        expect(around).to_be_visible()
        expect(around).to_have_attribute("data-here", "", timeout=60_000)  # told at most four times a minute
    state = ben.context.storage_state()
    ben.goto("about:blank")
    for around in both:
        expect(around).not_to_have_attribute("data-here", "", timeout=60_000)
    again = people.come(storage_state=state)
    again.goto("/")
    for around in both:
        expect(around).to_have_attribute("data-here", "", timeout=60_000)
        expect(around).to_contain_text("Here now")
