"""What holds for every page: readable for all, within the screen, light, and of use without scripts."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Page, Response, expect

from tests.browser.conftest import SAMPLES, People, Server, claim, invite, share, shared, wait_for, write

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
LOOKS = [("light", 1), ("dark", 4)]
FIRST_PAGE = 60_000  # bytes, compressed: HTML, CSS and scripts
OUR_SCRIPTS = 10_240  # without viewer.js, which belongs to PhotoSwipe and has the limit of the whole page only
# Things wider than the page, and targets smaller than a finger (links within words excepted, as WCAG 2.5.8 does).
NARROW = """() => {
  const { scrollWidth } = document.documentElement;
  const wide = scrollWidth > innerWidth ? [`page ${scrollWidth}`] : [];
  for (const one of document.querySelectorAll("a, button, input:not([type=hidden]), select, textarea, summary")) {
    const target = one.matches(".vh, [type=checkbox], [type=radio]") ? one.closest("label") ?? one : one;
    const { width, height } = target.getBoundingClientRect();
    const inline = one.matches("p a, .post-text a, .message-body a, .skip");
    if (!one.checkVisibility() || inline || (width >= 44 && height >= 44)) continue;
    wide.push(`${one.outerHTML.slice(0, 90)} ${Math.round(width)} x ${Math.round(height)}`);
  }
  return wide;
}"""

# For those who are not in yet: as if they had chosen a size.
ENLARGE = "addEventListener('DOMContentLoaded', () => document.documentElement.dataset.text = %d)"


def faults(page: Page) -> list[str]:
    """What axe finds. It is put in through the debugger, so that the page's own policy stays as it is."""
    # tall enough for the whole page: what a sticky bar covers at this moment is no fault of the page
    page.set_viewport_size({"width": 390, "height": 4000})
    page.wait_for_load_state("load")
    line = page.context.new_cdp_session(page)
    line.send("Runtime.evaluate", {"expression": AXE})
    asked = {"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]}
    found = page.evaluate("(asked) => axe.run(document, asked)", asked)["violations"]
    line.detach()
    return [f"{each['id']}: {node['html'][:160]}" for each in found for node in each["nodes"]]


def furnish(ada: Page) -> dict[str, str]:
    """Give the house something to show; returns the pages' paths by the names of their pictures."""
    ada.locator(".bar input[type=file]").set_input_files([SAMPLES / name for name in ("harbour.jpg", "garden.jpg")])
    ada.get_by_label("Your words").fill("A day by the sea, with everybody and the dog.")
    share(ada)
    expect(ada.locator(".post img[srcset]")).to_have_count(2, timeout=40_000)
    write(ada, "Swimming badge!")
    share(ada)
    expect(ada.locator(".post", has_text="Swimming badge!")).to_be_visible()
    post = shared(ada, "A day by the sea")
    item = urlsplit(str(ada.locator(".post .tile").first.get_attribute("href"))).path
    ada.goto("/members")
    member = str(ada.locator("#main a[href^='/members/']").first.get_attribute("href"))
    return {
        "home": "/", "new": "/new", "post": f"/feed/{post}", "edit": f"/feed/{post}/edit", "photo": item,
        "family": "/members", "member": member, "you": "/settings", "profile": "/settings/profile",
        "look": "/settings/look", "help": "/settings/help", "export": "/settings/export",
        "language": "/settings/language", "devices": "/devices",
        "program": "/devices/program", "since": "/since", "around": "/presence", "lost": "/feed/nothing",
        "links": "/vault/links", "previews": "/house/links",
        "move-in": "/house/move-in",
    }  # fmt: skip


def doors(ada: Page) -> dict[str, str]:
    """The pages of those who are not in yet."""
    ada.goto("/members")
    link, _ = invite(ada, "Grandma")
    return {"hello": "/hello", "join-typed": "/join", "join": link}


@pytest.mark.parametrize(("theme", "size"), LOOKS)
def test_pages_are_readable_for_all(
    people: People, ada: Page, theme: str, size: int, picture: Callable[[Page, str], None]
) -> None:
    pages, found = furnish(ada), []
    strangers = doors(ada)
    ada.goto("/settings/look")
    ada.locator(f"[name=text_size][value='{size}']").check(force=True)
    ada.locator(f"[name=theme][value='{theme}']").check(force=True)
    ada.get_by_role("button", name="Save").click()
    stranger = people.come(color_scheme=theme)
    stranger.add_init_script(ENLARGE % size)
    for page, paths in ((ada, pages), (stranger, strangers)):
        for name, path in paths.items():
            page.set_viewport_size({"width": 390, "height": 844})
            page.goto("about:blank")
            page.goto(path)
            page.wait_for_load_state("load")
            picture(page, f"{name}-{theme}-{size}")
            found += [f"{name}: {each}" for each in faults(page)]
            page.set_viewport_size({"width": 320, "height": 640})
            found += [f"{name} at 320: {each}" for each in page.evaluate(NARROW)]
    assert found == []


@pytest.mark.parametrize(("theme", "size"), LOOKS)
def test_set_up_is_readable_for_all(
    people: People, server: Server, theme: str, size: int, picture: Callable[[Page, str], None]
) -> None:
    page, found = people.come(color_scheme=theme), []
    page.add_init_script(ENLARGE % size)
    page.goto("/")
    picture(page, f"setup-code-{theme}-{size}")
    found += faults(page)
    claim(page, server)
    invite(page, "Gran")
    for step in ("welcome", "family", "you", "place", "phone", "invite"):
        page.set_viewport_size({"width": 390, "height": 844})
        page.goto(f"/setup/{step}")
        picture(page, f"setup-{step}-{theme}-{size}")
        found += [f"{step}: {each}" for each in faults(page)]
        page.set_viewport_size({"width": 320, "height": 640})
        found += [f"{step} at 320: {each}" for each in page.evaluate(NARROW)]
    assert found == []


def test_the_first_page_is_light(people: People, ada: Page) -> None:
    furnish(ada)
    page = people.come(storage_state={"cookies": ada.context.cookies(), "origins": []})
    page.add_init_script(
        "{ const later = setTimeout; window.setTimeout = (what, wait, ...more) =>"
        " wait >= 2000 ? 0 : later(what, wait, ...more); }"
    )  # what it loads at rest is not this
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))
    page.goto("/")
    page.wait_for_load_state("load")
    page.locator(".post").first.wait_for()
    named = page.evaluate("[...document.querySelectorAll('[data-behavior]')].map((one) => one.dataset.behavior)")

    def came(name: str) -> bool:
        return bool(page.evaluate("1")) and any(f"/js/{name}.js" in each.url for each in answers)

    wait_for(lambda: all(came(name) for name in named), "every behaviour of the page")
    ours = weight = 0
    for answer in list(answers):
        kind = answer.headers.get("content-type", "").partition(";")[0]
        if kind not in {"text/html", "text/css", "text/javascript"}:
            continue
        size = len(gzip.compress(answer.body(), 6))
        weight += size
        ours += size if "/js/" in answer.url and not answer.url.endswith("/viewer.js") else 0
    print(f"first page {weight} bytes, our scripts {ours} bytes")
    assert weight <= FIRST_PAGE
    assert ours <= OUR_SCRIPTS


def test_everything_that_matters_works_without_scripts(chromium: Browser, server: Server, people: People) -> None:
    ada, ben = people.come(java_script_enabled=False), people.come(java_script_enabled=False)
    claim(ada, server)
    _, letters = invite(ada, "Ben")
    ada.get_by_role("button", name="Done for now").click()
    ben.goto("/join")
    ben.get_by_label("Your code").fill(letters)
    ben.get_by_role("button", name="Join").click()
    ben.get_by_role("button", name="That is me").click()
    ben.get_by_role("link", name="Skip").click()
    ben.locator("noscript a[href='/new'], a[href='/new']").first.click()
    ben.get_by_label("Your words").fill("Written by hand")
    ben.get_by_label("Photos or videos").set_input_files(SAMPLES / "cake.jpg")
    ben.get_by_role("button", name="Share").click()
    ada.goto("/")
    post = ada.locator(".post", has_text="Written by hand")
    expect(post.locator(".tile")).to_have_count(1)
    ben.goto("/")
    ben.locator(".post a[href*='/feed/']").first.click()
    path = urlsplit(ben.url).path
    ben.goto(f"{path}/edit")
    ben.get_by_label("Your words").fill("Written better")
    ben.get_by_role("button", name="Save").click()
    ada.goto("/")
    expect(ada.locator(".post", has_text="Written better")).to_be_visible()
