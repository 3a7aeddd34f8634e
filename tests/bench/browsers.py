"""Real Chromiums, driven by playwright: what a page weighs, and how soon the other phone shows what was said."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.bench.houses import Server

SYSTEM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update",
             "--host-resolver-rules=MAP homecircle.local 127.0.0.1"]  # fmt: skip


def missing() -> str:
    """Why there is no browser, or ''."""
    if find_spec("playwright") is None:
        return "playwright is not installed"
    return "" if SYSTEM.exists() else "no /usr/bin/chromium"


@contextlib.contextmanager
def pages(server: Server, *who: str) -> Iterator[list[Any]]:
    """A browser of its own for each, signed in and at the house's name."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        opened = []
        for name in who:
            browser = play.chromium.launch(executable_path=str(SYSTEM), args=ARGUMENTS)
            context = browser.new_context(base_url=server.origin, viewport={"width": 390, "height": 844})
            context.add_cookies([{"name": "hc_lan", "value": server.kept.tokens[name], "url": server.origin}])
            opened.append((browser, context.new_page()))
        try:
            yield [page for _browser, page in opened]
        finally:
            for browser, _page in opened:
                browser.close()


def weigh(server: Server) -> dict[str, int]:
    """Bytes of bodies over the wire by kind, at a first visit."""
    sizes: Counter[str] = Counter()
    with pages(server, "Nora") as (page,):
        asked: list[Any] = []
        page.on("requestfinished", lambda request: asked.append(request))
        page.goto("/")
        page.wait_for_timeout(1500)
        for request in asked:
            if request.resource_type in {"document", "stylesheet", "script"}:
                sizes[request.resource_type] += request.sizes()["responseBodySize"]
    return dict(sizes)
