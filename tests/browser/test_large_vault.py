"""A walk through a vault of many years: the first view, nine years back, open, next, fifty as a ZIP, search.

It holds 100,000 photos of ten years (made in 14 s on a small machine, walked in 11). The house is made once and kept in
tests/.cache, under a name that changes with what makes it.
"""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from homecircle import db, migrations, sample
from homecircle.devices import places
from homecircle.files import Folder
from tests.browser.conftest import People, Server

CACHE = Path(__file__).parent.parent / ".cache"
SIZE = 100_000


@pytest.fixture
def server() -> Iterator[Server]:
    """The house of many years, with a token of its first member."""
    folder = _made()
    db.open_file(folder / "homecircle.sqlite3")
    with db.transaction():
        token = places.give_token(1, "home")
    db.close_file()
    made = Server(folder)
    made.token = token
    try:
        made.start()
        yield made
    finally:
        made.stop()
    assert "Traceback" not in made.log.read_text()
    made.log.unlink()


def _made() -> Path:
    source = [Path(sample.__file__), *sorted(Path(next(iter(migrations.__path__))).glob("*.py"))]
    key = hashlib.sha256(b"".join(each.read_bytes() for each in source)).hexdigest()[:12]
    folder = CACHE / f"vault-{SIZE}-{key}"
    if not folder.exists():
        for old in CACHE.glob(f"vault-{SIZE}-*"):
            shutil.rmtree(old, ignore_errors=True)
        half = folder.with_name("vault-half")  # a build that was cut short is none
        shutil.rmtree(half, ignore_errors=True)
        sample.build(Folder(half), sample.Plan(posts=SIZE // 10, years=10, photos=12, items=SIZE, for_everyone=1))
        half.rename(folder)
    return folder


def test_a_vault_of_many_years_is_walked(people: People, server: Server) -> None:
    page = people.come()
    cookie = {"name": "hc_lan", "value": server.token, "url": server.origin}
    page.context.add_cookies([cookie])
    page.goto("/vault")
    expect(page.locator(".month").first.locator(".shot").first).to_be_visible()
    _jump(page)
    page.locator(".month-name a:focus").wait_for()
    month = page.locator(".month:has(.month-name a:focus)")
    expect(month.locator(".shot").nth(5)).to_be_visible()
    month.locator(".shot").first.click()
    said = page.locator(".pswp .viewer-by")
    expect(said).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".pswp__counter")).to_contain_text("of")
    expect(said).to_be_visible()
    page.go_back()
    expect(page.locator(".pswp")).to_have_count(0)
    _download_fifty(page)
    page.goto("/vault")
    page.get_by_role("searchbox").fill("hedgehog")
    page.get_by_role("searchbox").press("Enter")
    expect(page.locator(".found").first).to_contain_text("hedgehog")


def _jump(page: Page) -> None:
    page.get_by_role("button", name="Jump to month").click()
    newest = int(str(page.locator("#jump h3").first.text_content()))
    page.locator(f"#jump section[aria-labelledby='jump-{newest - 9}'] a").last.click()


def _download_fifty(page: Page) -> None:
    page.goto("/vault")
    shots = page.locator(".shot")
    page.get_by_role("button", name="Select").click()
    while page.locator(".shot").count() < 50:
        page.mouse.wheel(0, 2000)
        page.wait_for_timeout(100)
    for number in range(50):
        shots.nth(number).click()
    with page.expect_download() as waiting:
        page.locator("#select-bar").get_by_role("button", name="Download").click()
    assert len(zipfile.ZipFile(waiting.value.path()).namelist()) == 50
