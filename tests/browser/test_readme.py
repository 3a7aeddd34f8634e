"""What the README shows is what stands there: the feed of a family, on a phone in both themes and on a desk."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE, SAMPLES, share, shared, write

DESK = {"width": 1280, "height": 900}


def test_the_feed_of_a_family(ada: Page, ben: Page, picture: Callable[[Page, str], None]) -> None:
    ada.get_by_role("button", name="Hide").click()
    ada.locator("html[data-bound]").wait_for(state="attached")
    for words, photos in (("Cake is ready", ["cake.jpg"]), ("From the lake, just before dark", ["lake-12mp.jpg"])):
        write(ada, words)
        ada.locator("#composer [data-pick] input").first.set_input_files([SAMPLES / name for name in photos])
        share(ada)
        expect(ben.locator(".post", has_text=words).locator("img:not(.ph)")).to_be_visible(timeout=40_000)
        expect(ada.locator("#posts .post", has_text=words)).to_have_count(1)
    card = ben.locator(".post", has_text="From the lake")
    card.get_by_role("button", name="React").click()
    ben.locator(":popover-open").get_by_role("button", name="Love").click()
    expect(card.locator(".mark")).to_be_visible()
    ben.goto(f"/feed/{shared(ben, 'From the lake')}")
    ben.locator("textarea[name=text]").fill("Is the water warm?")
    ben.get_by_role("button", name="Send").click()
    expect(ben.locator(".message", has_text="Is the water warm?")).to_be_visible()
    looks = ((ben, "phone", PHONE, "light"), (ben, "phone", PHONE, "dark"), (ada, "desk", DESK, "light"))
    for page, name, size, theme in looks:
        page.set_viewport_size(size)
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        page.goto("/")
        expect(page.locator(".post", has_text="From the lake").locator("img:not(.ph)")).to_be_visible()
        expect(page.locator(".mark").first).to_be_visible()
        picture(page, f"feed-{name}-{theme}")
