"""A real server in a process of its own, and real browsers that stand at http://homecircle.local as a phone does.

Every page of every browser is watched: a word on the console, a violation of the policy, a request to anybody else than
the house, or an uncaught error fails the test. Chromium is the system's where there is one, else Playwright's own; it
yields to the house, as a phone does, which has a processor of its own: run by root it takes nice -8 for itself, and the
decoder at nice 19 would have one four-hundredth of what it has.
"""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Playwright,
    Response,
    StorageState,
    expect,
    sync_playwright,
)

# The shell without windows does the same pages in two thirds of the time.
SYSTEM_CHROMIUMS = (Path("/usr/bin/chromium-headless-shell"), Path("/usr/bin/chromium"))
ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP homecircle.local 127.0.0.1",
]
SAMPLES = Path(__file__).parent.parent / "samples"
YIELDING = """#!/bin/sh
exec nice -n 19 %s "$@"
"""
WITHOUT_RIGHTS = "setpriv --bounding-set=-sys_nice --inh-caps=-sys_nice"
PHONE = {"width": 390, "height": 844}
PATIENCE = 20.0  # seconds for a server to start or stop
# What Chromium itself writes: when a request was cut or refused, which some tests do on purpose; and of the headers
# that help on https only.
OWN_WORDS = (
    "Failed to load resource: ",
    "The Cross-Origin-Opener-Policy header has been ignored",
    "Clear-Site-Data header on ",
    "htmx: htmx:error: Failed to fetch",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", metavar="DIR", help="leave pictures of every page in DIR")


class Server:
    """`homecircle serve` with a folder and a port of its own, which stay the same over a restart."""

    def __init__(self, data: Path) -> None:
        self.data, self.port, self.away_port = data, _free_port(), _free_port()
        self.origin = f"http://homecircle.local:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.log = data.parent / f"{data.name}.log"

    def start(self) -> None:
        ports = ["--port", str(self.port), "--away-port", str(self.away_port)]
        command = [sys.executable, "-m", "homecircle", "serve", "--data", str(self.data), *ports]
        environment = dict(os.environ) | {"HOMECIRCLE_ANNOUNCE": "0"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        wait_for(self._answers, f"the server to answer; its log is {self.log}")
        wait_for((self.data / "control.sock").exists, "the server's control socket")

    def stop(self, *, kill: bool = False) -> None:
        if self.process is None:
            return
        self.process.kill() if kill else self.process.terminate()
        self.process.wait(PATIENCE)
        self.process = None

    def setup_code(self) -> str:
        """A fresh set-up code, from the command that prints it."""
        return self._printed("Set-up code")

    def setup_link(self) -> str:
        """A fresh set-up code's link, which carries its secret behind the #."""
        return self._printed("Open on a phone")

    def _printed(self, what: str) -> str:
        command = [sys.executable, "-m", "homecircle", "setup-code", "--data", str(self.data)]
        printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout
        line = next(line for line in printed.splitlines() if line.startswith(what))
        return line.partition(":")[2].strip()

    def _answers(self) -> bool:
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


class People:
    """Browsers of the family, each watched. `complaints` is what a test must not leave behind."""

    def __init__(self, chromium: Browser, origin: str) -> None:
        self.chromium, self.origin = chromium, origin
        self.contexts: list[BrowserContext] = []
        self.complaints: list[str] = []

    def come(self, **options: object) -> Page:
        """A new device, with an empty store, at the house's name."""
        made = {"base_url": self.origin, "viewport": PHONE, "locale": "en-GB"} | options
        context = self.chromium.new_context(**made)
        context.set_default_timeout(15_000)
        self.contexts.append(context)
        context.on("page", self._watch)
        page = context.new_page()
        if made.get("java_script_enabled", True):
            for way in ("goto", "reload"):
                setattr(page, way, _then_settled(page, getattr(page, way)))
        return page

    def leave(self) -> None:
        for context in self.contexts:
            context.close()

    def _watch(self, page: Page) -> None:
        page.on("console", lambda said: self._heard(said.type, said.text))
        page.on("pageerror", lambda error: self._failed(str(error)))
        page.on("request", lambda asked: self._asked(asked.url))

    def _failed(self, error: str) -> None:
        if not error.startswith(("Transition was aborted because of ", "Transition was skipped")):  # between two pages
            self.complaints.append(f"uncaught: {error}")

    def _heard(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"} and not text.startswith(OWN_WORDS):
            self.complaints.append(f"console {kind}: {text}")

    def _asked(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in {"http", "https", "ws", "wss"} and f"{parts.scheme}://{parts.netloc}" != self.origin:
            self.complaints.append(f"a request left the house: {url}")


def _then_settled(page: Page, go: Callable[..., Response | None]) -> Callable[..., Response | None]:
    """Arrive, and wait until the page listens: before that a tap goes the way that it goes without scripts."""

    def went(*given: Any, **named: Any) -> Response | None:
        answer = go(*given, **named)
        if answer is not None and "html" in answer.headers.get("content-type", ""):
            page.locator("html[data-bound], html:not(:has([type=module]))").wait_for(state="attached")
        return answer

    return went


def wait_for(what: Callable[[], object], name: str, seconds: float = PATIENCE) -> None:
    """Look again and again until `what` is true."""
    end = time.monotonic() + seconds
    pause = socket.socketpair()  # nothing is ever sent: a pause that is no sleep
    pause[0].settimeout(0.05)
    try:
        while not what():
            if time.monotonic() > end:
                raise AssertionError(f"waited {seconds} s in vain for {name}")
            try:
                pause[0].recv(1)
            except TimeoutError:
                continue
    finally:
        for each in pause:
            each.close()


def still(page: Page) -> None:
    """Wait until nothing on the page moves any more: what fades in, what slides up."""
    page.evaluate(
        """async () => {
          const ends = (each) => Number.isFinite(each.effect.getComputedTiming().endTime);
          const moves = (each) => each.playState === "running" && ends(each);
          for (let calm = 0; calm < 5; calm++) {
            await new Promise(requestAnimationFrame);
            if (document.getAnimations().some(moves)) calm = 0;
          }
        }"""
    )


def claim(page: Page, server: Server, family: str = "The Lindqvists", name: str = "Ada") -> None:
    """S1 with every step, on the real pages, up to the invitations."""
    page.goto("/")
    page.get_by_label("Set-up code").fill(server.setup_code())
    page.get_by_role("button", name="Start").click()
    page.get_by_role("button", name="Let's start").click()
    page.get_by_label("What do you call yourselves?").fill(family)
    page.get_by_role("button", name="Next").click()
    page.get_by_label("What does the family call you?").fill(name)
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Keep them here").click()
    page.get_by_role("heading", name="Try it from a phone").wait_for()
    page.get_by_role("button", name="Next").click()


def invite(page: Page, name: str) -> tuple[str, str]:
    """Make an invitation on the page that one is on; returns (the link from its path on, letters).

    The link names the house by its number; the tests walk in by its name.
    """
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Make an invitation").click()
    link = page.locator(".link-box").inner_text().strip()
    assert urlsplit(link).path == "/join"
    return f"/join#{urlsplit(link).fragment}", page.locator(".spoken-code").inner_text().strip()


def join_by_link(page: Page, link: str) -> None:
    page.goto(link)
    page.locator("#invited").get_by_role("button", name="Join").click()
    page.get_by_role("button", name="That is me").click()
    page.get_by_role("link", name="Done").click()


def write(page: Page, words: str) -> None:
    """Open the composer on Home and write, without sharing."""
    page.locator("#composer > summary").click()
    page.get_by_label("Your words").fill(words)


def share(page: Page) -> None:
    page.locator("#composer").get_by_role("button", name="Share").click()


def shared(page: Page, words: str) -> str:
    """The public id of the post with these words, once its author's page shows it as shared, not as on its way."""
    card = page.locator("article.post[id^='post-']", has_text=words)
    return str(card.get_attribute("id")).removeprefix("post-")


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        expect.set_options(timeout=15_000)
        yield running


@pytest.fixture(scope="session")
def executable(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What starts a Chromium that yields to the house."""
    chosen = shlex.quote(str(next(filter(Path.exists, SYSTEM_CHROMIUMS), playwright.chromium.executable_path)))
    is_root = os.getuid() == 0 and shutil.which("setpriv")
    made = tmp_path_factory.mktemp("browser") / "chromium"
    made.write_text(YIELDING % (f"{WITHOUT_RIGHTS} {chosen}" if is_root else chosen))
    made.chmod(0o755)
    return made


@pytest.fixture(scope="session")
def chromium(playwright: Playwright, executable: Path) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
    yield browser
    browser.close()


class Begun(NamedTuple):
    """A house that was moved into once, on the real pages, for all tests that begin there."""

    folder: Path
    jars: dict[str, StorageState]

    def copy_to(self, folder: Path) -> None:
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("*.sock"))


def begin(chromium: Browser, folder: Path, come_in: Callable[[Server, People], dict[str, Page]]) -> Begun:
    """Let `come_in` do what is done on the pages; then the house is stopped, and each one's cookies are kept."""
    server = Server(folder)
    try:
        server.start()
        people = People(chromium, server.origin)
        jars = {name: page.context.storage_state() for name, page in come_in(server, people).items()}
        people.leave()
    finally:
        server.stop()
    assert people.complaints == []
    return Begun(folder, jars)


@pytest.fixture(scope="session")
def one_phone(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Begun:
    """A claimed house with the first admin's phone."""

    def come_in(server: Server, people: People) -> dict[str, Page]:
        page = people.come()
        claim(page, server)
        page.get_by_role("button", name="Done for now").click()
        page.locator("#posts").wait_for()
        return {"ada": page}

    return begin(chromium, tmp_path_factory.mktemp("one") / "house", come_in)


@pytest.fixture(scope="session")
def two_phones(chromium: Browser, one_phone: Begun, tmp_path_factory: pytest.TempPathFactory) -> Begun:
    """The same, and Ben has joined by a link."""
    folder = tmp_path_factory.mktemp("two") / "house"
    one_phone.copy_to(folder)

    def come_in(_: Server, people: People) -> dict[str, Page]:
        ada, ben = people.come(storage_state=one_phone.jars["ada"]), people.come()
        ada.goto("/members")
        link, _ = invite(ada, "Ben")
        join_by_link(ben, link)
        ben.locator("#posts").wait_for()
        return {"ada": ada, "ben": ben}

    return begin(chromium, folder, come_in)


@pytest.fixture
def begun(request: pytest.FixtureRequest) -> Begun | None:
    """What this test's house begins with: as much as the people it asks for need."""
    name = "two_phones" if "ben" in request.fixturenames else "one_phone" if "ada" in request.fixturenames else ""
    return request.getfixturevalue(name) if name else None


@pytest.fixture
def server(tmp_path: Path, begun: Begun | None) -> Iterator[Server]:
    """A house of its own for each test; one that nobody has claimed, unless the test asks for `ada` or `ben`."""
    made = Server(tmp_path / "house")
    if begun is not None:
        begun.copy_to(made.data)
    try:
        made.start()
        yield made
    finally:
        made.stop()
    assert "Traceback" not in made.log.read_text(), made.log.read_text()[-4000:]


@pytest.fixture
def people(chromium: Browser, server: Server) -> Iterator[People]:
    made = People(chromium, server.origin)
    yield made
    made.leave()
    assert made.complaints == []


@pytest.fixture
def ada(people: People, begun: Begun) -> Page:
    """The first admin's phone on Home of a claimed house."""
    return come_home(people, begun.jars["ada"])


@pytest.fixture
def ben(people: People, ada: Page, begun: Begun) -> Page:
    """A second phone, joined by a link, on Home."""
    return come_home(people, begun.jars["ben"])


def come_home(people: People, jar: StorageState) -> Page:
    """A phone that has been here before, on Home."""
    page = people.come(storage_state=jar)
    page.goto("/")
    page.locator("#posts").wait_for()
    return page


@pytest.fixture
def picture(request: pytest.FixtureRequest) -> Callable[[Page, str], None]:
    """Leave a picture of a page where --screenshots says, for people to look at."""
    wanted = request.config.getoption("--screenshots")

    def take(page: Page, name: str) -> None:
        if wanted:
            Path(wanted).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(wanted) / f"{name}.png")

    return take


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
