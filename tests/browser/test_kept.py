"""What is kept and how it is opened: films that play by Range, pictures that move, files that open nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, Response, expect

from tests.browser.conftest import SAMPLES, Server, share, wait_for
from tests.browser.test_vault import _ready

SPEAKING = b"""<svg xmlns="http://www.w3.org/2000/svg" onload="document.title='ran'"><script>alert(1)</script></svg>"""


def pick(page: Page, *paths: Path) -> None:
    expect(page.locator("#composer [data-pick]").first).not_to_have_attribute("hidden", "")
    page.locator(".bar input[type=file]").set_input_files(list(paths))


def test_a_file_that_cannot_be_shown_is_kept_after_a_yes(
    ada: Page, ben: Page, tmp_path: Path, picture: Callable[[Page, str], None]
) -> None:
    plan, unwanted = tmp_path / "plan.svg", tmp_path / "unwanted.txt"
    plan.write_bytes(SPEAKING)
    unwanted.write_bytes(b"not this one")
    pick(ada, plan, unwanted)
    expect(ada.locator(".shelf-item").first).to_contain_text("Keep it in the vault anyway?")
    picture(ada, "asked-in-the-composer")
    ada.get_by_label("Your words").fill("The plan")
    ada.get_by_role("button", name="Leave unwanted.txt out").click()
    expect(ada.locator(".shelf-item")).to_have_count(1)
    share(ada)  # too soon: the post would wait for an answer that may never come
    expect(ada.locator("#composer [role=status]", has_text="needs your answer first")).to_be_visible()
    expect(ada.get_by_role("button", name="Keep plan.svg")).to_be_focused()
    ada.keyboard.press("Enter")
    expect(ada.locator(".shelf-item[data-state=done]")).to_have_count(1)
    share(ada)
    card = ben.locator(".post", has_text="The plan")
    expect(card.locator(".tile")).to_have_count(1)
    with ben.expect_download() as download:
        card.locator(".tile").click()
    assert download.value.path().read_bytes() == SPEAKING
    assert ben.title() != "ran"


@pytest.mark.parametrize("name", ["turned.mp4", "apple.mov", "small.webm"])
def test_a_film_plays_by_range_and_jumps(ada: Page, server: Server, name: str) -> None:
    pieces: list[Response] = []
    ada.on("response", lambda answer: pieces.append(answer) if answer.url.endswith("/original") else None)
    pick(ada, SAMPLES / name)
    expect(ada.locator(".shelf-item [name=items]")).to_have_count(1)
    ada.get_by_label("Your words").fill("A film")
    share(ada)
    expect(ada.locator("#posts .post", has_text="A film")).to_be_visible()
    wait_for(lambda: _ready(server.data / "homecircle.sqlite3") == 1, "the film to be looked at")
    film = ada.locator(".post video")
    wait_for(lambda: ada.reload() and film.count() == 1, "the film on the page")
    film.evaluate("async (film) => { film.muted = true; await film.play(); }")
    wait_for(lambda: film.evaluate("film => film.currentTime") > 0.2, "the film to play")
    length, size = film.evaluate("film => [film.duration, [film.videoWidth, film.videoHeight]]")
    assert 1.5 < length < 3
    assert size == [int(film.get_attribute("width") or 0), int(film.get_attribute("height") or 0)]
    film.evaluate("film => { film.pause(); film.currentTime = 1.4; }")
    wait_for(lambda: not film.evaluate("film => film.seeking"), "the jump")
    assert abs(film.evaluate("film => film.currentTime") - 1.4) < 0.05
    assert pieces and {answer.status for answer in pieces} == {206}


def test_what_moves_moves_in_the_viewer(ada: Page, server: Server) -> None:
    pick(ada, SAMPLES / "turning.gif")
    expect(ada.locator(".shelf-item [name=items]")).to_have_count(1)
    ada.get_by_label("Your words").fill("It turns")
    share(ada)
    expect(ada.locator("#posts .post", has_text="It turns")).to_be_visible()
    wait_for(lambda: _ready(server.data / "homecircle.sqlite3") == 1, "the picture to be drawn")
    ada.reload()
    ada.locator(".post .tile").click()
    shown = ada.locator(".pswp__img:not(.pswp__img--placeholder)")
    expect(shown).to_be_visible()
    assert "/original" in (shown.get_attribute("src") or "")
    before = shown.screenshot()
    wait_for(lambda: shown.screenshot() != before, "the next frame")


def test_a_photo_too_large_for_home_shows_what_this_browser_made_of_it(ada: Page, ben: Page, tmp_path: Path) -> None:
    large = tmp_path / "all-of-us.png"
    picture = Image.new("RGB", (6000, 4500), "#1f6f5c")  # 27 megapixels, of which home opens 25
    picture.paste("#a8481f", (0, 0, 3000, 4500))
    picture.save(large, compress_level=1)
    ada.locator(".bar input[type=file]").set_input_files(large)
    ada.get_by_label("Your words").fill("The whole family")
    share(ada)
    shown = ben.locator("#posts .post", has_text="The whole family").locator(".tile[data-kind=photo] img[srcset]")
    expect(shown).to_be_visible(timeout=40_000)
    assert shown.evaluate("(picture) => picture.decode().then(() => picture.naturalWidth)") > 300
