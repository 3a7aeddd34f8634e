"""The vault as a phone uses it: months that come by themselves, the viewer, jumping, selecting, searching."""

from __future__ import annotations

import datetime as dt
import sqlite3
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import SAMPLES, People, Server, share, wait_for

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
NAMES = ["cake.jpg", "garden.jpg", "harbour.jpg", "mountains.jpg", "bicycle.jpg", "lake-12mp.jpg"]
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def album(ada: Page, server: Server) -> Page:
    """Ada's Home after a post of six photos; the house has pictures of nine years besides."""
    expect(ada.locator("#composer [data-pick]").first).not_to_have_attribute("hidden", "")
    ada.wait_for_timeout(300)  # the field in the bar is bound by a module of its own
    ada.locator(".bar input[type=file]").set_input_files([SAMPLES / name for name in NAMES])
    expect(ada.locator(".shelf-item")).to_have_count(len(NAMES))
    ada.get_by_label("Your words").fill("Six of the summer")
    share(ada)
    post = ada.locator(".post", has_text="Six of the summer")
    expect(post.locator(".tile")).to_have_count(4, timeout=60_000)
    wait_for(lambda: _ready(server.data / "homecircle.sqlite3") == len(NAMES), "six pictures to be drawn", 90)
    wait_for(lambda: ada.reload() and post.locator("img[srcset]").count() == 4, "the photos to be drawn", 60)
    _fill(server.data / "homecircle.sqlite3")
    return ada


def _ready(database: Path) -> int:
    line = sqlite3.connect(database, timeout=20)
    found = line.execute("SELECT count(*) FROM original WHERE state = 'ready'").fetchone()[0]
    line.close()
    return int(found)


def _fill(database: Path) -> None:
    """A photo a day in July of each year from 2017 on, of the bytes that are there."""
    line = sqlite3.connect(database, timeout=20)
    originals = [row[0] for row in line.execute("SELECT id FROM original WHERE state = 'ready'")]
    for year in range(2017, 2026):
        for day in range(1, 28):
            values = (f"{year}{day:02}".ljust(16, "a"), originals[day % len(originals)], f"{year}-07-{day:02}T14:20:00")
            line.execute(
                "INSERT INTO item (public_id, original_id, member_id, kind, name, taken, added_at) "
                "VALUES (?, ?, 1, 'photo', 'old.jpg', ?, 0)", values
            )  # fmt: skip
    line.commit()
    line.close()


def _is_clean(page: Page, *, but: str = "no-rule") -> None:
    rules = RULES | ({"rules": {but: {"enabled": False}}} if but != "no-rule" else {})
    found = Axe().run(page, options=rules).response["violations"]
    assert not [(each["id"], each["nodes"][0]["html"][:200]) for each in found]
    assert page.evaluate(OVERFLOW) <= 0


def test_a_photo_opens_large_and_back_closes_it(album: Page) -> None:
    post = album.locator(".post", has_text="Six of the summer")
    third = post.locator(".tile").nth(2)
    before = album.url
    third.click()
    viewer = album.locator(".pswp")
    expect(viewer).to_be_visible()
    expect(viewer).to_have_attribute("aria-modal", "true")
    expect(viewer.locator(".pswp__counter")).to_have_text("3 of 6")
    expect(viewer.locator(".viewer-by")).to_contain_text("Ada · ")
    album.wait_for_timeout(500)  # it has faded in
    assert album.evaluate("document.querySelector('.pswp').contains(document.activeElement)")
    _is_clean(album)
    album.keyboard.press("ArrowRight")
    album.keyboard.press("ArrowRight")
    expect(viewer.locator(".pswp__counter")).to_have_text("5 of 6")  # not one of the four on the page
    expect(viewer.get_by_role("link", name="Download original")).to_be_visible()
    expect(viewer.get_by_role("link", name="Go to the post")).to_have_attribute("href", f"/feed/{_id(post)}")
    album.go_back()
    expect(viewer).to_have_count(0)
    assert album.url == before
    expect(post.locator(".tile").nth(3)).to_be_focused()  # the last that was shown and stands on the page
    third.press("Enter")
    expect(viewer).to_be_visible()
    album.keyboard.press("Escape")
    expect(viewer).to_have_count(0)
    expect(third).to_be_focused()
    assert album.url == before
    third.click()
    viewer.get_by_role("button", name="Close").click()
    expect(viewer).to_have_count(0)


def test_the_vault_grows_as_one_scrolls_and_jumps_years_back(album: Page) -> None:
    album.goto("/vault")
    expect(album.locator(".month")).to_have_count(album.locator(".jump-month[href]").count())
    oldest = album.locator("#m-2017-07")
    expect(oldest.locator(".shot")).to_have_count(0)
    tall = album.evaluate("document.documentElement.scrollHeight")
    album.get_by_role("button", name="Jump to month").click()
    _is_clean(album)
    album.locator("#jump").get_by_role("link", name="July 2017").click()
    expect(album.locator("#jump")).to_be_hidden()
    expect(oldest.locator(".shot")).to_have_count(27)
    expect(oldest).to_be_in_viewport()
    expect(oldest.locator(".month-name a")).to_be_focused()
    for year in range(2025, 2017, -1):
        album.locator(f"#m-{year}-07").scroll_into_view_if_needed()
        expect(album.locator(f"#m-{year}-07 .shot")).to_have_count(27)
    assert abs(album.evaluate("document.documentElement.scrollHeight") - tall) <= 4  # the scrollbar told the truth
    oldest.locator(".shot").first.click()
    expect(album.locator(".pswp .viewer-by")).to_contain_text("27 July 2017, 14:20")
    album.wait_for_timeout(400)  # PhotoSwipe hears keys when it has opened
    album.keyboard.press("ArrowRight")
    expect(album.locator(".pswp .viewer-by")).to_contain_text("26 July 2017, 14:20")


def test_several_are_selected_and_downloaded(album: Page) -> None:
    album.goto("/vault")
    album.locator("#m-2025-07").scroll_into_view_if_needed()
    shots = album.locator("#m-2025-07 .shot")
    expect(shots).to_have_count(27)
    album.get_by_role("button", name="Select").click()
    bar = album.locator("#select-bar")
    expect(bar.get_by_role("button", name="Download")).to_be_disabled()
    shots.nth(0).click()
    shots.nth(1).focus()
    album.keyboard.press(" ")
    expect(shots.nth(1)).to_have_attribute("aria-checked", "true")
    expect(bar.locator("[data-count]")).to_have_text("2 selected")
    _is_clean(album, but="target-size")  # squares lie half under the bar, as wherever one scrolls
    with album.expect_download() as waiting:
        bar.get_by_role("button", name="Download").click()
    assert Path(waiting.value.path()).read_bytes()[:2] == b"PK"
    bar.get_by_role("button", name="Delete").click()
    expect(album.get_by_text("Moved to the trash.")).to_be_visible()
    album.goto("/vault/trash")
    album.get_by_role("button", name="Put back").first.click()
    album.goto("/vault/trash")
    expect(album.get_by_role("button", name="Put back")).to_have_count(1)


@pytest.mark.parametrize("size", ["1", "4"])
def test_the_pages_are_open_to_everyone(people: People, album: Page, size: str) -> None:
    album.set_viewport_size({"width": 320 if size == "4" else 390, "height": 844})
    album.emulate_media(color_scheme="dark" if size == "4" else "light")
    album.add_init_script(
        f"addEventListener('DOMContentLoaded', () => document.documentElement.dataset.text = '{size}')"
    )
    for path in ("/vault", "/vault/2019-07", "/vault/links", "/vault/files", "/vault/trash", "/vault/search?q=summer",
                 "/vault/on-this-day?day=2019-07-03"):  # fmt: skip
        album.goto(path)
        _is_clean(album)


def test_without_scripts_one_reads_searches_and_describes(people: People, album: Page) -> None:
    page = people.come(java_script_enabled=False)
    page.context.add_cookies(album.context.cookies())
    page.goto("/vault")
    page.locator("#t-2019-07 a").click()
    expect(page.locator(".shot")).to_have_count(27)
    page.locator(".shot").first.click()
    page.locator("summary").click()
    page.get_by_label("Caption", exact=True).fill("The old oak")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="The old oak")).to_be_visible()
    page.goto("/vault")
    page.get_by_role("searchbox").fill("oak july 2019")
    page.get_by_role("button", name="Search").click()
    expect(page.locator(".found")).to_have_count(1)
    expect(page.locator(".found mark")).to_have_text("oak")


def test_the_memory_of_the_day_goes_when_one_says_so(album: Page, server: Server) -> None:
    line = sqlite3.connect(server.data / "homecircle.sqlite3", timeout=20)
    today = f"2019-{dt.datetime.now().astimezone():%m-%d}T14:20:00"
    line.execute("UPDATE item SET taken = ? WHERE taken = '2019-07-03T14:20:00'", (today,))
    line.execute("UPDATE member SET active_at = 0")  # a visit begins anew
    line.commit()
    line.close()
    album.goto("/")
    memory = album.locator(".memory")
    expect(memory).to_contain_text("years ago")
    _is_clean(album)
    memory.get_by_role("button", name="More for this memory").click()
    album.get_by_role("button", name="Don't show me this one again").click()
    expect(memory).to_have_count(0)
    line = sqlite3.connect(server.data / "homecircle.sqlite3", timeout=20)
    line.execute("UPDATE member SET active_at = 0")
    line.commit()
    line.close()
    album.goto("/")
    expect(album.locator(".post").first).to_be_visible()
    expect(memory).to_have_count(0)


def _id(post: object) -> str:
    return str(post.get_attribute("id")).removeprefix("post-")
