"""What holds when the line does not: hidden pages, full houses, a server that goes away in the middle."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import SAMPLES, Server, share, wait_for, write

BIG = 40 << 20
HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


AT_REST = "performance.getEntriesByType('resource').some((each) => each.name.endsWith('/js/stay.js'))"


def streams(page: Page) -> int:
    """How many live streams the house holds, as an admin's device is told."""
    return int(page.evaluate("async () => (await (await fetch('/healthz')).json()).streams"))


def test_a_hidden_page_closes_its_stream_within_three_seconds(ada: Page, ben: Page) -> None:
    wait_for(lambda: streams(ada) == 2, "two open streams")
    ben.evaluate(HIDE, True)
    wait_for(lambda: streams(ada) == 1, "the hidden page to let go", 10.0)
    write(ada, "While you were away")
    share(ada)
    expect(ada.locator(".post", has_text="While you were away")).to_be_visible()
    expect(ben.locator(".post")).to_have_text([re.compile("Ben joined")])
    ben.evaluate(HIDE, False)
    expect(ben.locator(".post", has_text="While you were away")).to_be_visible()


def test_a_page_that_finds_the_house_full_asks_now_and_then(ada: Page, ben: Page) -> None:
    asked: list[str] = []
    ben.on("requestfinished", lambda request: asked.append(request.url) if "/live/since" in request.url else None)
    ben.route("**/live?*", lambda route: route.fulfill(status=503, headers={"HC-Home": "1"}))
    ben.clock.install()
    ben.reload()
    wait_for(lambda: ben.evaluate("1") and asked, "the first question")
    write(ada, "Room for one more")
    share(ada)
    expect(ada.locator(".post", has_text="Room for one more")).to_be_visible()
    ben.clock.fast_forward(20_500)
    expect(ben.locator(".post", has_text="Room for one more")).to_be_visible()
    expect(ben.locator("#strip-connection")).to_be_hidden()
    ben.unroute("**/live?*")
    wait_for(lambda: streams(ada) == 2 or ben.clock.fast_forward(20_500), "a stream again")


def test_a_server_that_dies_in_the_middle_loses_nothing(server: Server, ada: Page, ben: Page) -> None:
    write(ben, "Half a thought")
    write(ada, "Said")
    ada.locator("#composer [data-form] > [role=status]").wait_for(state="attached")  # its script is here
    server.stop(kill=True)
    strip = ben.locator("#strip-connection")
    expect(strip).to_be_visible(timeout=12_000)
    expect(strip).to_contain_text("Can't reach home")
    ada.get_by_label("Your words").fill("Said into the dark")
    share(ada)
    expect(ada.locator("#drafts .post", has_text="Said into the dark")).to_contain_text("Will be shared when home is")
    server.start()
    expect(strip).to_contain_text("Back again", timeout=30_000)
    expect(strip).to_be_hidden()
    expect(ada.locator("#posts .post", has_text="Said into the dark")).to_have_count(1, timeout=40_000)
    expect(ada.locator("#drafts .post")).to_have_count(0)
    expect(ben.locator("#pill")).to_be_visible()
    assert ben.get_by_label("Your words").input_value() == "Half a thought"
    ben.locator("#composer > summary").click()
    ben.locator("#pill").click()
    expect(ben.locator(".post", has_text="Said into the dark")).to_have_count(1)


def test_a_tap_while_home_is_away_leaves_one_where_one_is(server: Server, ben: Page) -> None:
    wait_for(lambda: ben.evaluate(AT_REST), "the page to have come to rest")
    server.stop(kill=True)
    strip, vault = ben.locator("#strip-connection"), ben.get_by_role("link", name="Vault").first
    expect(strip).to_be_visible(timeout=12_000)
    vault.click()  # it would end on the browser's own error page
    expect(ben.locator(".toast")).to_contain_text("Can't reach home")
    expect(ben).to_have_url(f"{server.origin}/")
    server.start()
    expect(strip).to_be_hidden(timeout=30_000)
    vault.click()
    expect(ben.get_by_role("heading", name="Vault")).to_be_visible()


def test_a_page_asked_again_after_a_cut_misses_no_change(server: Server, ada: Page, ben: Page) -> None:
    write(ada, "Before")
    share(ada)
    expect(ben.locator(".post-text").first).to_have_text("Before")
    failed: list[str] = []

    def cut(route: Route) -> None:
        failed.append(route.request.url)
        route.abort()

    ben.route("**/feed/*?part=card", cut)
    ada.locator(".post", has_text="Before").locator("[popovertarget^=more]").click()
    ada.get_by_role("link", name="Edit", exact=True).click()
    ada.get_by_label("Your words").fill("After")
    ada.get_by_role("button", name="Save").click()
    wait_for(lambda: ben.evaluate("1") and failed, "the card to be asked for")
    ben.unroute("**/feed/*?part=card")
    ada.locator("html[data-bound]").wait_for(state="attached")  # it is on the way to another page
    server.stop()
    server.start()
    expect(ben.locator(".post-text").first).to_have_text("After", timeout=30_000)


def test_a_large_file_goes_on_where_it_was_cut(server: Server, ada: Page, tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(b"\0\0\0\x18ftypisom\0\0\x02\0isommp42" + hashlib.shake_256(b"film").digest(BIG - 24))
    line = ada.context.new_cdp_session(ada)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 8 << 20}
    line.send("Network.enable")
    line.send("Network.emulateNetworkConditions", slow)
    ada.locator(".bar input[type=file]").set_input_files(film)
    ada.get_by_label("Your words").fill("The film")
    percent = ada.locator(".shelf-item progress")
    wait_for(lambda: int(percent.evaluate("(bar) => bar.value")) >= 50, "half of the file", 60)
    server.stop(kill=True)
    expect(ada.locator(".upload-state")).to_contain_text("No connection")
    pieces: list[int] = []

    def note(request: object) -> None:
        if getattr(request, "method", "") == "PATCH":
            pieces.append(int(request.headers["upload-offset"]))

    server.start()
    ada.on("request", note)
    share(ada)
    expect(ada.locator(".post:not(.draft)", has_text="The film")).to_be_visible(timeout=60_000)
    assert pieces[0] > BIG // 4  # not from the beginning
    wanted = hashlib.sha256(film.read_bytes()).hexdigest()
    kept = [path for path in server.data.rglob("*") if path.is_file() and path.stat().st_size == BIG]
    assert [hashlib.sha256(path.read_bytes()).hexdigest() for path in kept] == [wanted]


def test_a_bad_file_never_blocks_the_others(ada: Page, tmp_path: Path) -> None:
    empty = tmp_path / "empty.jpg"
    empty.write_bytes(b"")
    ada.locator(".bar input[type=file]").set_input_files([empty, SAMPLES / "cake.jpg"])
    expect(ada.locator(".upload[data-group=needs] .upload-state")).to_contain_text("This file is empty.")
    ada.get_by_label("Your words").fill("Only one of two")
    share(ada)
    expect(ada.locator(".post", has_text="Only one of two").locator(".tile")).to_have_count(1)
