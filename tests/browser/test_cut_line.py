"""A film and photos arrive through a line that is cut again and again, with a server that dies and a page that is
loaded anew in the middle: every byte, and none twice beyond the piece that a cut took. `--long`: 300 MB, 60 photos."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Error, Page, Playwright, expect

from tests.browser.conftest import ARGUMENTS, PHONE, SAMPLES, Server, claim, share, wait_for
from tests.browser.proxy import Proxy

PHOTOS = ("cake.jpg", "garden.jpg", "harbour.jpg", "bicycle.jpg")
MOST = 8 << 20  # the largest piece that our page sends
SEED = 20260703


class Size(NamedTuple):
    """How much, how fast, how often it is cut, and how long a test may wait for it (seconds)."""

    film: int
    photos: int
    photo: int
    rate: int
    pauses: tuple[float, float]
    patience: float


SHORT = Size(20 << 20, 8, 300_000, 3 << 20, (0.5, 3.0), 180)
LONG = Size(300_000_000, 60, 2_000_000, 2 << 20, (1.0, 20.0), 1500)


@pytest.fixture
def much(request: pytest.FixtureRequest) -> Size:
    return LONG if request.config.getoption("--long", default=False) else SHORT


@pytest.fixture
def files(tmp_path: Path, much: Size) -> list[Path]:
    chance, made = random.Random(SEED), []
    for number in range(much.photos):
        path = tmp_path / f"photo-{number:02}.jpg"
        whole = (SAMPLES / PHOTOS[number % len(PHOTOS)]).read_bytes()  # what stands behind a JPEG's end is not drawn
        path.write_bytes(whole + chance.randbytes(max(16, chance.randrange(much.photo) * 2 - len(whole))))
        made.append(path)
    film = tmp_path / "film.mp4"
    with film.open("wb") as handle:
        handle.write(b"\0\0\0\x18ftypisom\0\0\x02\0isommp42")
        while handle.tell() < much.film:
            handle.write(chance.randbytes(min(1 << 20, much.film - handle.tell())))
    return [film, *made]


@pytest.fixture
def proxy(server: Server, much: Size) -> Iterator[Proxy]:
    made = Proxy(server.port, much.rate, much.pauses, SEED)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def far_away(playwright: Playwright, executable: Path, proxy: Proxy) -> Iterator[Browser]:
    """A browser whose every connection goes through the proxy."""
    led = f"--host-resolver-rules=MAP homecircle.local 127.0.0.1:{proxy.here}"
    browser = playwright.chromium.launch(executable_path=executable, args=[*ARGUMENTS[:-1], led])
    yield browser
    browser.close()


def _again(page: Page) -> None:
    """Load the page anew until it is there: that line is cut as well."""
    for _ in range(20):
        try:
            page.reload(wait_until="load", timeout=20_000)
            page.locator("#tray:not([hidden]) [data-summary-words]:not(:empty)").wait_for(timeout=8_000)
        except Error:
            continue
        return
    raise AssertionError("the page did not come back")


def _hashes(paths: list[Path]) -> list[str]:
    return sorted(hashlib.sha256(each.read_bytes()).hexdigest() for each in paths)


def test_all_arrives_through_a_line_that_is_cut_again_and_again(
    server: Server, proxy: Proxy, far_away: Browser, files: list[Path], much: Size
) -> None:
    page = far_away.new_context(base_url=server.origin, viewport=PHONE, locale="en-GB").new_page()
    page.set_default_timeout(15_000)
    page.on("dialog", lambda dialog: dialog.accept())
    claim(page, server)
    page.get_by_role("button", name="Done for now").click()
    expect(page.locator("#composer [data-files]")).to_have_attribute(
        "hidden", "", timeout=60_000
    )  # the scripts are here
    page.locator("#composer [data-pick] input").first.wait_for(state="attached")
    page.locator(".bar input[type=file]").set_input_files(files)
    page.get_by_label("Your words").fill("The whole summer")
    share(page)
    expect(page.locator(".draft", has_text="The whole summer")).to_be_visible(timeout=60_000)
    size, began = sum(each.stat().st_size for each in files), time.monotonic()
    proxy.start_cutting()

    def through() -> int:
        page.evaluate("1")
        return sum(each.passed for each in proxy.sent if each.answered)

    wait_for(lambda: through() > size // 4, "a quarter", much.patience)
    server.stop(kill=True)
    server.start()
    wait_for(lambda: through() > size // 2, "half", much.patience)
    _again(page)

    def kept() -> list[Path]:
        page.evaluate("1")
        return [each for each in (server.data / "vault").rglob("*") if each.is_file()]

    wait_for(lambda: len(kept()) == len(files), "every file", much.patience)
    took = time.monotonic() - began
    assert _hashes(kept()) == _hashes(files)
    lost, resent = proxy.lost(), proxy.resent(size)
    print(f"{size / 1e6:.0f} MB in {took:.0f} s, {proxy.cuts} cuts, {len(lost)} pieces lost, "
          f"{resent / 1e6:.1f} MB sent twice, largest lost {max(e.length for e in lost) / 1e6:.1f} MB")  # fmt: skip
    assert proxy.cuts > 3
    assert resent <= sum(each.length for each in lost)
    assert resent <= MOST * (proxy.cuts + 2)  # the server's death and the page's are cuts too
    assert max(each.length for each in lost) <= MOST
    proxy.stop()
