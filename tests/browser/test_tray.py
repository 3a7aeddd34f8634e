"""The tray: shared at once, kept over a reload, nothing stays where it should not."""

from __future__ import annotations

import hashlib
import os
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import SAMPLES, Server, share, wait_for, write

PHOTOS = ("cake.jpg", "garden.jpg", "harbour.jpg", "lake-12mp.jpg")
STORED = """async () => {
  const { left } = await import(document.querySelector("script[type=module]").src.replace("main.js", "store.js"));
  return (await left(() => [])).map((each) => each.name);
}"""
IS_KEPT = """async () => {
  const { isKept } = await import(document.querySelector("script[type=module]").src.replace("main.js", "uploads.js"));
  return isKept();
}"""


@pytest.fixture
def film(tmp_path: Path) -> Path:
    made = tmp_path / "film.mp4"
    made.write_bytes(b"\0\0\0\x18ftypisom\0\0\x02\0isommp42" + random.Random(7).randbytes(6 << 20))
    return made


def choose(page: Page, *files: Path | str) -> None:
    page.locator(".bar input[type=file]").set_input_files([SAMPLES / each for each in files])


def hold(page: Page, which: str = "PATCH") -> list[str]:
    """Let no piece through until `release`; returns the addresses that were tried."""
    tried: list[str] = []

    def stop(route: Route) -> None:
        if route.request.method != which:
            return route.continue_()
        tried.append(route.request.url)
        return route.abort()

    page.route("**/uploads/**", stop)
    return tried


def release(page: Page) -> None:
    page.unroute("**/uploads/**")


def sums(folder: Path) -> set[str]:
    return {hashlib.sha256(each.read_bytes()).hexdigest() for each in (folder / "vault").rglob("*") if each.is_file()}


def test_share_may_be_pressed_while_bytes_still_run(ada: Page, ben: Page, film: Path) -> None:
    tried = hold(ada)
    choose(ada, film, "cake.jpg")
    ada.get_by_label("Your words").fill("From the lake")
    share(ada)
    draft = ada.locator(".draft", has_text="From the lake")
    expect(draft).to_contain_text("2 photos and videos are on their way.")
    wait_for(lambda: ada.evaluate("1") and tried, "a try")
    write(ben, "Said meanwhile")
    share(ben)
    expect(ada.locator("#posts .post", has_text="Said meanwhile")).to_be_visible()
    assert ben.locator(".post", has_text="From the lake").count() == 0
    release(ada)
    post = ben.locator("#posts .post", has_text="From the lake")
    expect(post).to_be_visible(timeout=40_000)
    expect(post.locator(".tile")).to_have_count(2, timeout=40_000)
    assert "From the lake" in ben.locator("#posts .post").first.inner_text()  # it came when its photo was in
    expect(draft).to_have_count(0)
    expect(ada.locator("#posts .post", has_text="From the lake")).to_be_visible()


def test_the_queue_goes_on_after_a_reload(server: Server, ada: Page, film: Path) -> None:
    hold(ada)
    choose(ada, film, *PHOTOS)
    ada.get_by_label("Your words").fill("All of it")
    share(ada)
    expect(ada.locator(".draft", has_text="All of it")).to_contain_text("5 photos")
    ada.on("dialog", lambda dialog: dialog.accept())
    assert ada.evaluate(IS_KEPT)
    ada.goto("/members")
    expect(ada.locator("#tray [data-summary-words]")).to_contain_text("Uploading")
    release(ada)
    ada.goto("/")
    post = ada.locator("#posts .post", has_text="All of it")
    expect(post.locator(".tile")).to_have_count(4, timeout=60_000)
    expect(post).not_to_contain_text("more photos are coming", timeout=60_000)
    wanted = {hashlib.sha256(each.read_bytes()).hexdigest() for each in (film, *(SAMPLES / name for name in PHOTOS))}
    assert sums(server.data) == wanted
    wait_for(lambda: ada.evaluate(STORED) == [], "an empty store")
    wait_for(lambda: ada.evaluate("localStorage.getItem('queue')") is None, "an empty queue")


def test_photos_that_are_not_shared_yet_stand_there_after_a_reload(ada: Page, ben: Page) -> None:
    choose(ada, "cake.jpg", "garden.jpg")
    ada.get_by_label("Your words").fill("Soon")
    expect(ada.locator(".shelf-item[data-state=done]")).to_have_count(2)
    assert ada.evaluate(IS_KEPT)
    ada.reload()
    expect(ada.locator("#composer > summary")).to_contain_text("Continue your draft?")
    ada.locator("#composer > summary").click()
    expect(ada.locator(".shelf-item")).to_have_count(2)
    share(ada)
    expect(ben.locator(".post", has_text="Soon").locator(".tile")).to_have_count(2)
    expect(ada.locator("#posts .post", has_text="Soon")).to_have_count(1)
    ada.reload()
    expect(ada.locator("#composer > summary")).to_contain_text("What's going on")


def test_a_file_is_paused_continued_and_taken_out(ada: Page, film: Path) -> None:
    hold(ada)
    choose(ada, film, "cake.jpg", "garden.jpg")
    ada.get_by_label("Your words").fill("Two of three")
    share(ada)
    expect(ada.locator(".draft")).to_contain_text("3 photos")
    ada.locator("#tray [data-open]").click()
    rows = ada.locator(".upload")
    waiting = rows.filter(has_text="garden.jpg")
    expect(waiting.locator(".upload-state")).to_have_text("Waiting")
    waiting.get_by_role("button", name="Remove").click()
    expect(ada.locator(".draft")).to_contain_text("2 photos", timeout=30_000)  # it looks again by itself
    expect(rows.filter(has_text="cake.jpg").locator(".upload-state")).to_contain_text("No connection. Trying again in")
    first = rows.filter(has_text="film.mp4")
    expect(first.get_by_role("button", name="Try now")).to_be_visible()
    release(ada)
    first.locator("[data-act]").evaluate("(act) => act.textContent === 'Try now' && act.click()")
    ada.keyboard.press("Escape")
    post = ada.locator("#posts .post", has_text="Two of three")
    expect(post.locator(".tile")).to_have_count(2, timeout=40_000)
    expect(post).not_to_contain_text("more photos", timeout=40_000)


def test_a_photo_taken_out_while_its_post_is_sent_is_not_waited_for(ada: Page, film: Path) -> None:
    hold(ada)
    choose(ada, film, "cake.jpg")
    ada.get_by_label("Your words").fill("Only the film")
    going: list[Route] = []
    ada.route("**/feed", lambda route: going.append(route))
    share(ada)
    wait_for(lambda: ada.evaluate("1") and going, "the post to be sent")
    ada.get_by_role("button", name="Leave cake.jpg out").click()
    going[0].continue_()
    expect(ada.locator(".draft")).to_contain_text("One photo or video is on its way.", timeout=30_000)


def test_a_file_that_the_browser_forgot_is_chosen_again(server: Server, ada: Page, film: Path) -> None:
    hold(ada)
    choose(ada, film)
    expect(ada.locator("#tray")).to_be_visible()
    wait_for(lambda: ada.evaluate(STORED) == ["film.mp4"], "the file to be stored")
    module = "document.querySelector('script[type=module]').src.replace('main.js', 'store.js')"
    ada.evaluate(f"async () => {{ const store = await import({module}); for (const each of await store.left(() => []))"
                 " await store.drop(each.slot); }")  # fmt: skip
    ada.on("dialog", lambda dialog: dialog.accept())
    ada.goto("/members")
    release(ada)
    ada.locator("#tray [data-open]").click()
    row = ada.locator(".upload", has_text="film.mp4")
    expect(row.locator(".upload-state")).to_contain_text("The phone forgot this file. Choose it again to continue")
    with ada.expect_file_chooser() as chooser:
        row.get_by_role("button", name="Choose").click()
    chooser.value.set_files(film)
    expect(row.locator(".upload-state")).to_have_text("In the vault ✓", timeout=40_000)
    assert sums(server.data) == {hashlib.sha256(film.read_bytes()).hexdigest()}


def test_signing_out_leaves_no_file_behind(ben: Page, film: Path) -> None:
    hold(ben)
    choose(ben, film)
    wait_for(lambda: ben.evaluate(STORED) == ["film.mp4"], "the file to be stored")
    ben.on("dialog", lambda dialog: dialog.accept())
    ben.goto("/devices")
    ben.get_by_role("link", name="Sign out").click()
    expect(ben.get_by_text("It is your only one.")).to_be_visible()
    ben.get_by_role("button", name="Sign out").click()
    expect(ben).to_have_url(re.compile("/hello$"))
    empty = "async () => (await indexedDB.databases()).map((each) => each.name)"
    wait_for(lambda: ben.evaluate(empty) == [], "an empty browser")
    assert ben.evaluate("localStorage.length") == 0


def test_words_and_photos_come_along_when_one_writes_elsewhere(ada: Page, film: Path) -> None:
    hold(ada)
    ada.goto("/members")
    choose(ada, film)
    ada.locator("dialog[open] textarea").fill("From another page")
    ada.locator("dialog[open]").get_by_role("button", name="Share").click()
    expect(ada.locator(".draft", has_text="From another page")).to_be_visible()
    release(ada)
    ada.reload()
    expect(ada.locator("#posts .post", has_text="From another page")).to_be_visible(timeout=40_000)


def test_a_film_shows_the_picture_that_the_browser_made(ada: Page, ben: Page) -> None:
    choose(ada, "small.webm", "cake.jpg")
    ada.get_by_label("Your words").fill("It moves")
    share(ada)
    film = ben.locator("#posts .post", has_text="It moves").locator(".tile[data-kind=video] img[srcset]")
    expect(film).to_be_visible(timeout=40_000)
    expect(film).to_have_js_property("complete", True)
    assert film.evaluate("(picture) => picture.naturalWidth") > 0
    ben.goto("/vault")
    expect(ben.locator(".shot[data-kind=video] img")).to_be_visible()


def test_a_picture_that_only_home_can_draw_comes_from_home(ada: Page) -> None:
    choose(ada, "phone.heic")
    chosen = ada.locator(".shelf-item")
    expect(chosen.locator(".kind use")).to_have_attribute("href", re.compile("#image$"))
    expect(chosen.locator("img[src^='/vault/']")).to_be_visible(timeout=40_000)
    expect(chosen).not_to_have_attribute("data-blank", "")
    assert chosen.locator("img").evaluate("(picture) => picture.decode().then(() => picture.naturalWidth)") > 0
    expect(ada.locator(".upload img[src^='/vault/']")).to_have_count(1)
    ada.reload()  # its bytes are no longer kept here
    ada.locator("#composer > summary").click()
    expect(ada.locator(".shelf-item img[src^='/vault/']")).to_be_visible()


def test_on_mobile_data_a_large_film_waits_for_wifi_or_a_tap(
    server: Server, ada: Page, tmp_path: Path, picture: Callable[[Page, str], None]
) -> None:
    ada.add_init_script("""Object.defineProperty(navigator, "connection", {
        value: Object.assign(new EventTarget(), { type: "cellular" }) })""")
    ada.reload()
    films = [tmp_path / "first.mp4", tmp_path / "second.mp4"]
    for film in films:
        film.write_bytes(b"\0\0\0\x18ftypisom\0\0\x02\0isommp42" + film.name.encode())
        os.truncate(film, 51_000_000)
    choose(ada, *films, "cake.jpg")
    chosen = {each: ada.locator(".shelf-item").nth(at) for at, each in enumerate(("first", "second", "cake"))}
    expect(chosen["cake"]).to_have_attribute("data-state", "done")
    expect(chosen["first"]).to_contain_text("Larger than 50 MB: waits for Wi-Fi")
    expect(chosen["second"]).to_contain_text("Larger than 50 MB: waits for Wi-Fi")
    picture(ada, "mobile-data")
    ada.get_by_role("button", name="Send first.mp4 now").click()
    expect(chosen["first"]).to_have_attribute("data-state", "done", timeout=60_000)
    ada.locator("#composer").get_by_label("Your words").fill("All of it")
    share(ada)  # what waits for Wi-Fi comes later
    expect(ada.locator("#posts .post", has_text="All of it")).to_contain_text("more photos are coming")
    ada.locator("#tray [data-open]").click()
    second = ada.locator(".upload", has_text="second")
    expect(second.get_by_role("button", name="Send now")).to_be_visible()
    picture(ada, "mobile-data-tray")
    ada.evaluate("navigator.connection.type = 'wifi'; navigator.connection.dispatchEvent(new Event('change'))")
    expect(second.locator(".upload-state")).to_have_text("In the vault ✓", timeout=60_000)
    assert len(sums(server.data)) == 3
