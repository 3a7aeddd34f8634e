"""The vault as a phone uses it: months that come by themselves, the viewer, jumping, selecting, searching."""

from __future__ import annotations

import base64
import datetime as dt
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import SAMPLES, Begun, People, Server, begin, come_home, share, still, wait_for

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
NAMES = ["cake.jpg", "garden.jpg", "harbour.jpg", "mountains.jpg", "bicycle.jpg", "lake-12mp.jpg"]
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="session")
def shared_album(chromium: Browser, one_phone: Begun, tmp_path_factory: pytest.TempPathFactory) -> Begun:
    """Ada has shared six photos; the house has pictures of nine years besides."""
    folder = tmp_path_factory.mktemp("album") / "house"
    one_phone.copy_to(folder)

    def come_in(_: Server, people: People) -> dict[str, Page]:
        ada = come_home(people, one_phone.jars["ada"])
        expect(ada.locator("#composer [data-pick]").first).not_to_have_attribute("hidden", "")
        ada.locator(".bar input[type=file]").set_input_files([SAMPLES / name for name in NAMES])
        expect(ada.locator(".shelf-item")).to_have_count(len(NAMES))
        ada.get_by_label("Your words").fill("Six of the summer")
        share(ada)
        post = ada.locator(".post", has_text="Six of the summer")
        expect(post.locator(".tile")).to_have_count(4, timeout=60_000)
        wait_for(lambda: _ready(folder / "homecircle.sqlite3") == len(NAMES), "six pictures to be drawn", 90)
        wait_for(lambda: ada.reload() and post.locator("img[srcset]").count() == 4, "the photos to be drawn", 60)
        return {"ada": ada}

    made = begin(chromium, folder, come_in)
    _fill(folder / "homecircle.sqlite3")
    return made


@pytest.fixture
def begun(shared_album: Begun) -> Begun:
    return shared_album


@pytest.fixture
def album(ada: Page) -> Page:
    """Ada's Home after that post."""
    return ada


def _ready(database: Path) -> int:
    """How many originals have been looked at whole (a film's poster is an original that is no item)."""
    line = sqlite3.connect(database, timeout=20)
    found = line.execute(
        "SELECT count(*) FROM original WHERE state = 'ready' AND id IN (SELECT original_id FROM item)"
    ).fetchone()[0]
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
    still(page)
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
    still(album)
    assert album.evaluate("document.querySelector('.pswp').contains(document.activeElement)")
    _is_clean(album)
    album.keyboard.press("ArrowRight")
    album.keyboard.press("ArrowRight")
    expect(viewer.locator(".pswp__counter")).to_have_text("5 of 6")  # not one of the four on the page
    expect(viewer.get_by_role("link", name="Download original")).to_be_visible()
    expect(viewer.get_by_role("link", name="Reply")).to_have_attribute("href", f"/feed/{_id(post)}?reply=1")
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


def test_the_menu_of_a_photo_tells_and_does(album: Page) -> None:
    post = album.locator(".post", has_text="Six of the summer")
    post.locator(".tile").first.click()
    viewer = album.locator(".pswp")
    still(album)
    viewer.get_by_role("button", name="More for this photo").click()
    expect(viewer.get_by_role("link", name="Go to the post")).to_have_attribute("href", f"/feed/{_id(post)}")
    viewer.get_by_role("button", name="Details").click()
    details = viewer.get_by_role("dialog", name="Details")
    expect(viewer.locator("#viewer-more")).to_be_hidden()
    expect(details).to_contain_text("Ada, ")
    expect(details.locator(".facts-post")).to_have_attribute("href", f"/feed/{_id(post)}")
    still(album)
    _is_clean(album)
    album.keyboard.press("Escape")  # the sheet; the photo stays
    expect(details).to_be_hidden()
    expect(viewer).to_be_visible()
    viewer.get_by_role("link", name="Reply").click()
    expect(album.locator(".say textarea")).to_be_focused()
    album.goto("/")
    post.locator(".tile").first.click()
    still(album)
    viewer.get_by_role("button", name="More for this photo").click()
    viewer.get_by_role("button", name="Set as family picture").click()
    expect(album.get_by_text("Saved.")).to_be_visible()
    expect(album.locator(".circle-mark")).to_have_attribute("src", re.compile("^/house/picture/"))
    album.get_by_role("button", name="Delete").click()  # the same on the photo's own page
    expect(album.get_by_text("Moved to the trash.")).to_be_visible()


def test_a_film_plays_by_ranges_and_stops_when_one_goes_on(album: Page, server: Server) -> None:
    album.locator(".bar input[type=file]").set_input_files([SAMPLES / "small.webm", SAMPLES / "cake.jpg"])
    expect(album.locator(".shelf-item")).to_have_count(2)
    album.get_by_label("Your words").fill("A film")
    share(album)
    post = album.locator(".post", has_text="A film")
    expect(post.locator("a[data-pswp-width]")).to_have_count(2, timeout=60_000)  # live: a reload would leave the upload
    answers: list[int] = []
    album.on("response", lambda answer: answers.append(answer.status) if answer.url.endswith("/original") else None)
    post.locator("a[data-kind=video]").click()
    film = album.locator(".pswp video")
    expect(film).to_be_visible()
    still(album)
    film.evaluate("async (film) => { film.muted = true; film.loop = true; await film.play(); }")
    wait_for(lambda: film.evaluate("(film) => film.currentTime > 0"), "the film to move")
    assert set(answers) == {206}
    kept = film.element_handle()
    album.keyboard.press("ArrowRight")
    expect(album.locator(".pswp__counter")).to_have_text("2 of 2")
    wait_for(lambda: kept.evaluate("(film) => film.paused"), "the film to stop")


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


def test_a_post_is_made_of_what_was_selected(album: Page) -> None:
    album.goto("/vault")
    album.locator("#m-2025-07").scroll_into_view_if_needed()
    shots = album.locator("#m-2025-07 .shot")
    expect(shots).to_have_count(27)
    album.get_by_role("button", name="Select").click()
    for number in (0, 2, 4):
        shots.nth(number).click()
    album.locator("#select-bar").get_by_role("button", name="Make a post").click()
    items = album.locator(".shelf-item input[name=items]")
    expect(items).to_have_count(3)
    _is_clean(album)
    items.nth(1).uncheck()
    album.get_by_label("Your words").fill("Two of that July")
    album.get_by_role("button", name="Share").click()
    post = album.locator(".post", has_text="Two of that July")
    expect(post.locator(".tile")).to_have_count(2)


def test_files_are_put_in_the_vault_without_a_post_and_then_shared(album: Page) -> None:
    album.goto("/vault")
    with album.expect_file_chooser() as chooser:
        album.get_by_role("link", name="Put in vault without a post").click()
    chooser.value.set_files([SAMPLES / "cake.jpg", SAMPLES / "garden.jpg"])
    album.locator("#toasts").get_by_role("link", name="For whom?").click(timeout=60_000)
    expect(album.locator(".shelf-item")).to_have_count(2)
    _is_clean(album)
    expect(album.get_by_role("radio", name="Only me")).to_be_checked()
    album.get_by_role("radio", name="Everyone").check()
    album.get_by_role("button", name="Save").click()
    expect(album.get_by_text("Saved.")).to_be_visible()


def test_what_is_dropped_on_the_vault_needs_no_post(album: Page) -> None:
    album.set_viewport_size({"width": 1280, "height": 844})
    album.goto("/vault")
    link = album.get_by_role("link", name="Put in vault without a post")
    expect(link).to_be_visible()
    album.wait_for_function("performance.getEntriesByType('resource').some(({name}) => name.endsWith('/shelve.js'))")
    still(album)
    data = base64.b64encode((SAMPLES / "harbour.jpg").read_bytes()).decode()
    album.evaluate(
        """(data) => {
          const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([bytes], "dropped.jpg", { type: "image/jpeg" }));
          document.getElementById("vault").dispatchEvent(
            new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
        }""",
        data,
    )
    expect(album.locator("#toasts")).to_contain_text("1 in the vault.", timeout=60_000)
    expect(album.locator("dialog[open]")).to_have_count(0)  # no composer


@pytest.mark.parametrize("size", ["1", "4"])
def test_the_pages_are_open_to_everyone(people: People, album: Page, size: str) -> None:
    # tall: what lies half under the bar at this moment is no fault of the page
    album.set_viewport_size({"width": 320 if size == "4" else 390, "height": 8000})
    album.emulate_media(color_scheme="dark" if size == "4" else "light")
    album.add_init_script(
        f"addEventListener('DOMContentLoaded', () => document.documentElement.dataset.text = '{size}')"
    )
    for path in ("/vault", "/vault?kind=video",
                 "/vault/2019-07", "/vault/links", "/vault/files", "/vault/trash", "/vault/add",
                 "/vault/search?q=summer", "/vault/on-this-day?day=2019-07-03"):  # fmt: skip
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
    page.get_by_role("group").get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="The old oak")).to_be_visible()
    page.goto("/vault")
    page.get_by_role("searchbox").fill("oak july 2019")
    page.get_by_role("button", name="Search").click()
    expect(page.locator(".found")).to_have_count(1)
    expect(page.locator(".found mark")).to_have_text("oak")


def test_the_memory_of_the_day_goes_when_one_says_so(album: Page, server: Server) -> None:
    album.goto("about:blank")  # the check-list of the old page asks for Home, and a visit would begin with that
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
    memory.locator(".memory-show").click()
    expect(album.locator(".pswp .viewer-by")).to_contain_text("2019, 14:20")
    still(album)
    album.keyboard.press("Escape")
    expect(album.locator(".pswp")).to_have_count(0)
    expect(memory.locator(".memory-show")).to_be_focused()
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


@pytest.mark.parametrize("size", ["1", "3"])
def test_forget_a_photo_everywhere(
    people: People, album: Page, size: str, picture: Callable[[Page, str], None]
) -> None:
    album.emulate_media(color_scheme="dark" if size == "3" else "light")
    album.add_init_script(
        f"addEventListener('DOMContentLoaded', () => document.documentElement.dataset.text = '{size}')"
    )
    album.goto("/vault/2019-07")
    album.goto(album.locator(".shot").first.get_attribute("href") or "")
    expect(album.get_by_text("on this one disk only")).to_be_visible()
    picture(album, f"safe-{size}")
    _is_clean(album)
    album.get_by_role("button", name="Delete").click()
    album.goto("/vault/trash")
    picture(album, f"trash-{size}")
    _is_clean(album)
    album.get_by_role("link", name="Forget everywhere").first.click()
    picture(album, f"forget-{size}")
    _is_clean(album)
    album.get_by_role("button", name="Forget everywhere").click()
    wait_for(lambda: album.goto("/vault/trash?forgotten=1") and "in every backup." in album.content(), "the backups")
    album.goto("/house/kept")
    picture(album, f"kept-{size}")
    _is_clean(album)
