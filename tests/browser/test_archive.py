"""What was taken along opens from a stick: in a browser, from file://, without server or script; readable for all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from homecircle import archive, circle, feed, threads, vault
from homecircle.files import Folder
from homecircle.vault import renditions, timeline
from homecircle.vault.decoder import Decoder
from tests.browser.test_every_page import NARROW, faults
from tests.conftest import SAMPLES, Family


def _keep(folder: Folder, name: str, who: int) -> str:
    with (SAMPLES / name).open("rb") as handle:
        return vault.keep(folder, folder.take(handle), name, who).public_id


@pytest.fixture
def stick(folder: Folder, family: Family, decoder: Decoder, tmp_path: Path) -> Path:
    ada, ben, cleo, grandma = family
    with (SAMPLES / "mountains.jpg").open("rb") as handle:
        circle.update(picture_id=vault.keep_picture(folder, folder.take(handle), "us.jpg"))
    album = [_keep(folder, name, ada.id) for name in ("harbour.jpg", "garden.jpg", "phone.heic", "turning.gif")]
    timeline.describe(album[0], ada.id, "The harbour in the morning", "Boats along a quay")
    post = feed.publish(ada.id, "A day by the sea, with everybody and the dog.\nThe way: https://example.org/a/b",
                        album, [], "1")  # fmt: skip
    first = threads.say(post, ben.id, threads.Words("Who is that behind the dog?"), "2")
    cake = _keep(folder, "cake.jpg", cleo.id)
    threads.say(post, cleo.id, threads.Words("Me! And this was lunch.", first.public_id, (cake,)), "3")
    for who, mark in ((ben, "🎉"), (grandma, "so lovely"), (cleo, "❤️")):
        feed.mark(post, who.id, mark)
    feed.publish(ben.id, "Swimming badge!", [_keep(folder, "small.webm", ben.id)], [], "4")
    feed.publish(grandma.id, "For the two of us " + "x" * 90, [], [ada.public_id], "5")
    _keep(folder, "lake-12mp.jpg", ben.id)
    while renditions.draw_next(folder, decoder):
        pass
    return archive.export(folder, tmp_path / "stick").path


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_export_opens_from_a_stick_and_is_readable_for_all(
    chromium: Browser, stick: Path, theme: str, picture: Callable[[Page, str], None]
) -> None:
    context = chromium.new_context(java_script_enabled=True, color_scheme=theme)
    page, complaints, seen = context.new_page(), list[str](), set[str]()
    page.on("console", lambda said: complaints.append(said.text))
    page.on("requestfailed", lambda asked: complaints.append(f"{asked.url}: {asked.failure}"))
    page.on("request", lambda asked: seen.add(urlsplit(asked.url).scheme))
    for place in sorted(stick.rglob("index.html")):
        page.set_viewport_size({"width": 390, "height": 844})
        page.goto(place.as_uri())
        picture(page, f"archive-{place.parent.name}-{theme}")
        name = str(place.relative_to(stick))
        page.wait_for_load_state("load")
        assert complaints == [], name
        assert faults(page) == [], name
        complaints.clear()  # axe itself asks for the style sheet in a way that file:// does not allow
        assert page.evaluate("document.scripts.length") == 0
        page.set_viewport_size({"width": 320, "height": 640})
        assert [each for each in page.evaluate(NARROW) if each.startswith("page")] == [], name
        for image in page.locator("img").all():
            image.scroll_into_view_if_needed()
            page.wait_for_function("(one) => one.complete && one.naturalWidth > 0", arg=image.element_handle())
        for link in page.locator("a[href], video[src]").all():
            target = link.evaluate("(one) => one.href || one.src")
            if target.startswith("file:"):
                assert Path(unquote(urlsplit(target).path)).is_file(), target
        page.set_viewport_size({"width": 1280, "height": 900})
        picture(page, f"archive-{place.parent.name}-{theme}-desk")
    context.close()
    assert complaints == [] and seen == {"file"}


def test_one_finds_from_the_cover_to_a_month_and_back_without_scripts(chromium: Browser, stick: Path) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((stick / "index.html").as_uri())
    page.locator(".months a").last.click()
    expect(page.get_by_text("A day by the sea")).to_be_visible()
    expect(page.get_by_role("link", name="https://example.org/a/b")).to_be_visible()
    page.get_by_role("link", name="The Lindqvists").click()
    page.get_by_role("heading", level=1, name="The Lindqvists").wait_for()
    context.close()
