"""P15, P17, P18: what an idle house needs, and how soon it is there."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time

from tests.bench.ground import Figure, Form, interleaved, median, memory, missing, pause, processor, quantile, ratio
from tests.bench.houses import Client, Server, copied, free_port, house, newest_post
from tests.bench.live import streams

BARE = """
import sys
from flask import Flask
from waitress import serve
app = Flask(__name__)
app.get("/")(lambda: "hello")
serve(app, host="127.0.0.1", port=int(sys.argv[1]), threads=4)
"""


def p15(form: Form) -> list[Figure]:
    """Resident memory with everything on: idle, and after twelve devices have used the house for a while."""
    seconds = form.pick(60, 3600)
    with copied(house(1000, 1000, 40)) as kept, Server(kept, announce=True) as server:
        pause(8.0)
        idle, own = memory(server.pid), memory(server.pid, "RssAnon")
        with streams(server, 12):
            done = _use(server, seconds)
        after, own_after = memory(server.pid), memory(server.pid, "RssAnon")
    note = f"of which {own:.0f} MB its own, the rest shared libraries"
    used = f"{done} requests; {own_after:.0f} MB its own"
    return [Figure("P15", "idle memory with everything on", idle, "MB", 60, note=note),
            Figure("P15", f"  after {seconds} s of 12 devices", after, "MB", 90, note=used)]  # fmt: skip


def _use(server: Server, seconds: float) -> int:
    """Twelve devices that look, read on, open talks and pictures, and write; return how many requests that were."""
    end, post = time.monotonic() + seconds, newest_post(server.kept)
    done = itertools.count()

    def device(number: int) -> None:
        client = Client(server, list(server.kept.tokens)[number % len(server.kept.tokens)])
        for turn in itertools.count():
            if time.monotonic() > end:
                return
            paths = ("/", f"/feed/{post}", "/since", "/presence", "/threads", f"/feed/{post}?part=card", "/members")
            client.get(paths[turn % len(paths)])
            if turn % 10 == number % 10:
                client.post(f"/feed/{post}/messages", text="In use.", once=f"use{number}-{turn}")
            next(done)
            pause(0.25)

    threads = [threading.Thread(target=device, args=(each,)) for each in range(12)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return next(done)


def p17(form: Form) -> list[Figure]:
    """From the command to the first page, against a Flask view on waitress that says hello."""
    with copied(house(1000, 1000, 40)) as kept:

        def ours() -> float:
            with Server(kept) as server:
                return server.took

        took, bare = interleaved(form.pick(7, 20), ours, _bare_start)
    return [Figure("P17", "start to first page against bare Flask + waitress", ratio(took, bare), "x", 1.5,
                   note=f"bare {median(bare):.2f} s"),
            Figure("P17", "  seconds", median(took), "s", 0.6)]  # fmt: skip


def _bare_start() -> float:
    import http.client

    port, began = free_port(), time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", BARE, str(port)], stderr=subprocess.DEVNULL)
    try:
        while True:
            line = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            try:
                line.request("GET", "/")
                line.getresponse().read()
                return time.monotonic() - began
            except OSError:
                pause(0.005)
            finally:
                line.close()
    finally:
        process.terminate()
        process.wait(10)


def p18(form: Form) -> list[Figure]:
    """Processor of an idle house with 24 open streams, scheduler and mDNS."""
    seconds = form.pick(60, 600)
    with copied(house(1000, 1000, 40)) as kept, Server(kept, announce=True) as server, streams(server):
        pause(8.0)
        shares = []
        for _ in range(5):
            before, began = processor(server.pid), time.monotonic()
            pause(seconds / 5)
            shares.append((processor(server.pid) - before) / (time.monotonic() - began) * 100)
    note = f"of {len(shares)} spells the busiest {quantile(shares, 1.0):.2f} %"
    if not shares:
        return [missing("P18", "idle processor with 24 streams", "no time to measure")]
    return [Figure("P18", "idle processor with 24 streams", sum(shares) / len(shares), "%", 0.2, note=note)]
