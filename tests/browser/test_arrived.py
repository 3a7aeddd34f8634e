"""Arrived: home compares what came with what lies on the phone, on plain http too; what differs is sent once more."""

from __future__ import annotations

import base64
import hashlib
import random
import sqlite3
from contextlib import closing

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.browser.conftest import SAMPLES, People, Server, claim, share, wait_for
from tests.browser.test_tray import STORED, choose, sums

RECKON = """async (data) => {
  const { hashOf } = await import(document.querySelector("script[type=module]").src.replace("main.js", "hashing.js"));
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const file = new Blob([bytes]);
  return [Boolean(window.crypto.subtle), await hashOf(file)];
}"""
# FIPS 180-4's own examples, and every way in which the last block can be filled.
VECTORS = {
    b"": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    b"abc": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq": "248d6a61d20638b8e5c026930c3e6039"
    "a33ce45964ff2167f6ecedd419db06c1",
    b"a" * 1_000_000: "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
}


def _reckon(page: Page, data: bytes) -> tuple[bool, str]:
    asked, found = page.evaluate(RECKON, base64.b64encode(data).decode())
    return asked, found


def _arrivals(server: Server) -> list[str]:
    return _items(server, "arrival")


def _items(server: Server, column: str) -> list[str]:
    with closing(sqlite3.connect(f"file:{server.data / 'homecircle.sqlite3'}?mode=ro", uri=True)) as line:
        return [row[0] for row in line.execute(f"SELECT {column} FROM item ORDER BY id")]


def _open_item(server: Server, page: Page) -> None:
    page.goto(f"/vault/{_items(server, 'public_id')[0]}")


def test_the_house_reckons_as_the_standard_says(ada: Page) -> None:
    edges = [random.Random(size).randbytes(size) for size in (55, 56, 63, 64, 65, (1 << 20) - 1, 1 << 20, 3_000_001)]
    for data in [*VECTORS, *edges]:
        is_asked, found = _reckon(ada, data)
        assert not is_asked  # plain http: the browser does not reckon there
        assert found == VECTORS.get(data, hashlib.sha256(data).hexdigest())


def test_every_byte_is_checked_on_plain_http(server: Server, ada: Page) -> None:
    choose(ada, "cake.jpg", "garden.jpg")
    ada.get_by_label("Your words").fill("Two")
    share(ada)
    wait_for(lambda: _arrivals(server) == ["equal", "equal"], "both to be compared")
    wait_for(lambda: ada.evaluate(STORED) == [], "an empty store")
    _open_item(server, ada)
    expect(ada.locator(".safe-steps")).to_contain_text("every byte was checked against your phone")


def test_every_byte_is_checked_where_the_browser_reckons_itself(people: People, server: Server) -> None:
    people.origin = server.origin = f"http://127.0.0.1:{server.port}"
    page = people.come()
    claim(page, server)
    page.get_by_role("button", name="Done for now").click()
    page.locator("#posts").wait_for()
    assert _reckon(page, b"abc") == (True, VECTORS[b"abc"])
    choose(page, "cake.jpg")
    wait_for(lambda: _arrivals(server) == ["equal"], "it to be compared")


def _spoil(page: Page, times: int) -> list[bytes]:
    """Flip a bit in the next pieces on their way, as bad memory would; returns what was sent instead."""
    spoilt: list[bytes] = []

    def flip(route: Route, request: Request) -> None:
        body = request.post_data_buffer
        if request.method != "PATCH" or not body or len(spoilt) >= times:
            return route.continue_()
        spoilt.append(body[:-1] + bytes([body[-1] ^ 1]))
        return route.continue_(post_data=spoilt[-1])

    page.route("**/uploads/**", flip)
    return spoilt


@pytest.mark.parametrize("is_late", [False, True])
def test_what_came_damaged_is_sent_once_more(server: Server, ada: Page, *, is_late: bool) -> None:
    spoilt = _spoil(ada, 1)
    held: list[Route] = []
    if is_late:  # home has made an item of it already when it hears what the file is
        ada.route("**/uploads/*/hash", lambda route: held.append(route))
    choose(ada, "cake.jpg")
    if is_late:
        expect(ada.locator(".shelf-item[data-state=done]")).to_have_count(1)
        wait_for(lambda: held or ada.evaluate("0"), "the hash")
        ada.unroute("**/uploads/*/hash")
        held[0].continue_()
    whole = hashlib.sha256((SAMPLES / "cake.jpg").read_bytes()).hexdigest()
    wait_for(lambda: ada.evaluate("1") and _arrivals(server) == ["equal"], "it to be put right")
    assert len(spoilt) == 1 and whole in sums(server.data)
    ada.get_by_label("Your words").fill("Cake")
    share(ada)
    expect(ada.locator("#posts .post", has_text="Cake").locator(".tile")).to_have_count(1)
    _open_item(server, ada)
    expect(ada.locator(".safe-steps")).to_contain_text("every byte was checked")
    wait_for(lambda: ada.evaluate(STORED) == [], "an empty store")


def test_what_never_comes_whole_is_told_and_kept_as_it_came(server: Server, ada: Page) -> None:
    _spoil(ada, 9)
    choose(ada, "cake.jpg")
    expect(ada.locator("#tray")).to_contain_text("It is kept as it came; please keep yours too.")
    assert _arrivals(server) == ["different"]
    _open_item(server, ada)
    expect(ada.locator(".safe-steps")).to_contain_text("not quite what you have on your phone")


def test_what_was_not_compared_yet_is_compared_after_a_reload(server: Server, ada: Page) -> None:
    ada.route("**/uploads/*/hash", lambda route: route.abort())
    ada.goto("/vault")
    with ada.expect_file_chooser() as chooser:
        ada.get_by_role("link", name="Put in vault without a post").click()
    chooser.value.set_files(SAMPLES / "cake.jpg")
    expect(ada.locator("#toasts")).to_contain_text("1 in the vault.")
    assert _arrivals(server) == [""]
    ada.unroute("**/uploads/*/hash")
    ada.reload()
    wait_for(lambda: ada.evaluate("1") and _arrivals(server) == ["equal"], "it to be compared")
    wait_for(lambda: ada.evaluate(STORED) == [], "an empty store")
    wait_for(lambda: ada.evaluate("localStorage.getItem('queue')") is None, "an empty queue")


def test_without_workers_it_arrives_as_large_as_it_was(server: Server, ada: Page) -> None:
    ada.add_init_script("delete window.Worker")
    ada.goto("/")
    choose(ada, "cake.jpg")
    ada.get_by_label("Your words").fill("Cake")
    share(ada)
    expect(ada.locator("#posts .post", has_text="Cake").locator(".tile")).to_have_count(1)
    wait_for(lambda: ada.evaluate(STORED) == [], "an empty store")
    assert _arrivals(server) == [""]
    _open_item(server, ada)
    expect(ada.locator(".safe-steps")).to_contain_text("as large as on your phone")
