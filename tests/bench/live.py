"""P4, P12 to P14: several at once, hints on open streams, from phone to phone, writing."""

from __future__ import annotations

import contextlib
import http.client
import selectors
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench import browsers
from tests.bench.ground import Figure, Form, interleaved, median, missing, pause, quantile, ratio
from tests.bench.houses import Client, Kept, Server, copied, house, newest_post

STREAMS = 24
ROUNDS = 5


def p4(form: Form) -> list[Figure]:
    """Requests a second of the feed with twelve clients against one, over sockets; the slowest against the usual."""
    seconds = form.pick(2.0, 10.0)
    with copied(house(1000, 1000, 40)) as kept, Server(kept) as server:
        _load(server, 12, 1.0)
        one, twelve = interleaved(ROUNDS, lambda: _load(server, 1, seconds), lambda: _load(server, 12, seconds))
    rates = ratio([len(each) for each in twelve], [len(each) for each in one])
    spread = median([quantile(each, 0.99) / median(each) for each in twelve])
    note = f"{median([len(each) for each in twelve]) / seconds:.0f} a second against " \
           f"{median([len(each) for each in one]) / seconds:.0f}"  # fmt: skip
    return [Figure("P4", "requests a second of 12 clients against 1", rates, "x", 0.8, at_least=True, note=note),
            Figure("P4", "  p99 against p50 at 12 clients", spread, "x", 3)]  # fmt: skip


def _load(server: Server, clients: int, seconds: float) -> list[float]:
    """Ask for the feed as fast as answers come; return how long each took."""
    took: list[float] = []
    end = time.perf_counter() + seconds
    request = (f"GET / HTTP/1.1\r\nHost: {server.host}\r\nAccept: text/html\r\n"
               f"Cookie: hc_lan={server.kept.tokens['Nora']}\r\n\r\n").encode()  # fmt: skip

    def ask() -> None:
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as line:
            while (began := time.perf_counter()) < end:
                line.sendall(request)
                _drain(line)
                took.append(time.perf_counter() - began)

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return took


def _drain(line: socket.socket) -> None:
    """Read one answer with a Content-Length, in as little Python as can be."""
    got = line.recv(1 << 18)
    while (head := got.find(b"\r\n\r\n")) < 0:
        got += line.recv(1 << 18)
    at = got.lower().index(b"content-length:") + 15
    left = int(got[at : got.index(b"\r\n", at)]) - (len(got) - head - 4)
    while left > 0:
        left -= len(line.recv(min(left, 1 << 18)))


@contextlib.contextmanager
def streams(server: Server, count: int = STREAMS) -> Iterator[list[socket.socket]]:
    """Open event streams, shared out among the family's devices, past their greeting."""
    opened = []
    names = list(server.kept.tokens)
    for turn in range(count):
        line = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        cookie = server.kept.tokens[names[turn % len(names)]]
        line.sendall(f"GET /live?since= HTTP/1.1\r\nHost: {server.host}\r\nCookie: hc_lan={cookie}\r\n\r\n".encode())
        opened.append(line)
    for line in opened:
        while b"event: hello" not in line.recv(65536):
            pass
        line.setblocking(False)
    pause(1.0)
    try:
        yield opened
    finally:
        for line in opened:
            line.close()


def p12(form: Form) -> list[Figure]:
    """From the end of a message's write to the hint on each of 24 open streams.

    The commit cannot be seen from outside, so the usual time of the same request without streams is taken off.
    """
    took: list[float] = []
    with copied(house(1000, 1000, 40)) as kept, Server(kept) as server:
        post, client = newest_post(kept), Client(server)
        alone = median([_say(client, post, f"alone{turn}") for turn in range(40)])
        with streams(server) as opened:
            for turn in range(form.pick(40, 300)):
                for line in opened:
                    _empty(line)
                heard: list[float] = []
                listener = threading.Thread(target=_hear, args=(opened, f"post-{post}".encode(), heard))
                listener.start()
                sent = time.perf_counter()
                _say(client, post, f"hint{turn}")
                listener.join()
                if len(heard) < len(opened):
                    return [missing("P12", "hint to 24 streams", f"only {len(heard)} of {len(opened)} heard it")]
                took += [max(0.0, each - sent - alone) for each in heard]
                pause(0.15)
    note = f"the write itself, {alone * 1000:.1f} ms, taken off"
    return [Figure("P12", "hint to each of 24 open streams, p50", median(took) * 1000, "ms", 5, note=note),
            Figure("P12", "  p99", quantile(took, 0.99) * 1000, "ms", 50)]  # fmt: skip


def _say(client: Client, post: str, once: str) -> float:
    began = time.perf_counter()
    status = client.post(f"/feed/{post}/messages", text="Said.", once=once)
    if status != 303:
        raise RuntimeError(f"a message was answered with {status}")
    return time.perf_counter() - began


def _hear(opened: list[socket.socket], word: bytes, heard: list[float]) -> None:
    """Note when each stream has said `word`."""
    with selectors.DefaultSelector() as waiting:
        for line in opened:
            waiting.register(line, selectors.EVENT_READ, bytearray())
        end = time.perf_counter() + 5
        while waiting.get_map() and time.perf_counter() < end:
            for key, _events in waiting.select(0.5):
                key.data.extend(key.fileobj.recv(65536))
                if word in key.data:
                    heard.append(time.perf_counter())
                    waiting.unregister(key.fileobj)


def _empty(line: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError):
        while line.recv(65536):
            pass


def p13(form: Form) -> list[Figure]:
    """From the tap on Send in one browser to the words on the page of another one."""
    what = "message said -> drawn on the other phone's page, p50"
    if why := browsers.missing():
        return [missing("P13", what, why)]
    took = []
    with copied(house(1000, 1000, 40)) as kept, Server(kept) as server:
        post = newest_post(kept)
        with browsers.pages(server, "Nora", "Emil") as (here, there):
            here.goto(f"/feed/{post}")
            there.goto("/")
            pause(2.0)
            for turn in range(form.pick(9, 40)):
                words = f"From phone to phone {turn}."
                there.evaluate(_WATCH, words)
                here.locator("form[action$='/messages'] textarea").first.fill(words)
                here.evaluate(_SEND)
                there.wait_for_function("() => window.drawnAt", timeout=15_000)
                took.append(there.evaluate("() => window.drawnAt") - here.evaluate("() => window.sentAt"))
                pause(0.7)
    note = f"p90 {quantile(took, 0.9):.0f} ms"
    return [Figure("P13", what, median(took), "ms", 150, note=note)]


_WATCH = """words => { window.drawnAt = 0;
  const look = () => { if (!window.drawnAt && document.body.textContent.includes(words))
    requestAnimationFrame(() => { window.drawnAt = Date.now(); }); };
  window.watcher?.disconnect(); window.watcher = new MutationObserver(look);
  window.watcher.observe(document.body, {childList: true, subtree: true, characterData: true}); }"""
_SEND = """() => { window.sentAt = Date.now();
  document.querySelector("form[action$='/messages']").requestSubmit(); }"""


def p14(form: Form) -> list[Figure]:
    """Writing a message, the whole request, against a bare commit of the same disk; twelve writers at once."""
    with copied(house(1000, 1000, 40)) as kept, Server(kept) as server:
        post, client = newest_post(kept), Client(server)
        commit = _committer(kept)
        counter = iter(range(10**9))

        def write() -> float:
            return _say(client, post, f"one{next(counter)}")

        write()
        requests, commits = interleaved(form.pick(100, 1000), write, commit)
        errors, slowest = _twelve_write(server, post, form.pick(15, 60))
    note = f"{median(requests) * 1000:.2f} ms against {median(commits) * 1000:.2f} ms"
    return [Figure("P14", "message write against a bare FULL commit, p50",
                   median(requests) / median(commits), "x", 4, note=note),
            Figure("P14", "  12 writers at once: errors", errors, "", 0),
            Figure("P14", "  12 writers at once: slowest", slowest * 1000, "ms", 500)]  # fmt: skip


def _committer(kept: Kept):
    line = sqlite3.connect(Path(kept.path) / "bare.sqlite3", isolation_level=None)
    for text in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "CREATE TABLE said (words TEXT)"):
        line.execute(text)

    def commit() -> float:
        began = time.perf_counter()
        line.execute("INSERT INTO said VALUES ('Said.')")
        return time.perf_counter() - began

    return commit


def _twelve_write(server: Server, post: str, times: int) -> tuple[int, float]:
    took: list[float] = []
    errors: list[int | str] = []

    def write(writer: int) -> None:
        client = Client(server, list(server.kept.tokens)[writer % len(server.kept.tokens)])
        for turn in range(times):
            began = time.perf_counter()
            try:
                status = client.post(f"/feed/{post}/messages", text="Said at once.", once=f"w{writer}-{turn}")
            except (OSError, http.client.HTTPException) as error:
                errors.append(str(error))
                return
            took.append(time.perf_counter() - began)
            if status != 303:
                errors.append(status)

    threads = [threading.Thread(target=write, args=(each,)) for each in range(12)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return len(errors), max(took)
