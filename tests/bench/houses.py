"""Sample houses of several sizes, kept between runs; a house in a process of its own; a real server on loopback."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import io
import json
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from homecircle import db, sample
from homecircle.files import Folder
from homecircle.vault.decoder import Decoder
from homecircle.web import create_app
from homecircle.web.doors import DOOR, Doors
from homecircle.web.house import House
from tests.bench.ground import CACHE, pause

PORTS = range(8800, 8900)
PATIENCE = 60.0  # seconds


class Kept(NamedTuple):
    """A house in the cache."""

    path: Path
    tokens: dict[str, str]


class Ask(NamedTuple):
    """What a `Worker` shall measure: a page, by whom, how often."""

    path: str
    who: str = "Nora"
    times: int = 20


def house(posts: int, items: int, photos: int = 12, for_everyone: float = 0.9) -> Kept:
    """Return a sample house, built at the first question (about 70 s for a million posts)."""
    made_by = [Path(sample.__file__), *sorted(db.MIGRATIONS.glob("*.py"))]
    mark = hashlib.sha256(b"".join(path.read_bytes() for path in made_by)).hexdigest()[:10]
    path = CACHE / "houses" / f"{posts}-{items}-{photos}-{for_everyone:g}-{mark}"
    if not (path / "tokens.json").exists():
        print(f"... building a house of {posts} posts", file=sys.stderr, flush=True)
        for old in path.parent.glob(f"{posts}-{items}-{photos}-{for_everyone:g}-*"):
            shutil.rmtree(old)
        plan = sample.Plan(posts=posts, years=10, items=items, photos=photos, for_everyone=for_everyone)
        made = sample.build(Folder(path), plan)
        (path / "tokens.json").write_text(json.dumps(made.tokens))
    return Kept(path, json.loads((path / "tokens.json").read_text()))


@contextlib.contextmanager
def copied(kept: Kept) -> Iterator[Kept]:
    """A copy of a house that may be written to."""
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        shutil.copytree(kept.path, Path(scratch) / "data")
        yield Kept(Path(scratch) / "data", kept.tokens)


class Pages:
    """The application of one house in this process, asked as a WSGI server would."""

    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        db.open_file(Folder(kept.path).database)
        self.decoder = Decoder()
        doors = Doors(lambda: ("homecircle.local",), lambda: ("192.0.2.7",), lambda: "")
        self.app = create_app(House(Folder(kept.path), self.decoder, doors))

    def close(self) -> None:
        self.decoder.close()
        db.close_file()

    def environ(self, path: str, who: str = "Nora", **more: str) -> dict[str, Any]:
        where, _, query = path.partition("?")
        return {
            "REQUEST_METHOD": "GET", "PATH_INFO": where, "QUERY_STRING": query, "SCRIPT_NAME": "", DOOR: "home",
            "SERVER_NAME": "homecircle.local", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "192.0.2.9", "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(),
            "wsgi.errors": sys.stderr, "wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False,
            "HTTP_HOST": "homecircle.local", "HTTP_ACCEPT": "text/html",
            "HTTP_COOKIE": f"hc_lan={self.kept.tokens[who]}", **more,
        }  # fmt: skip

    def get(self, path: str, who: str = "Nora", **more: str) -> bytes:
        status, body = call(self.app, self.environ(path, who, **more))
        assert status.startswith("200"), (status, path)
        return body

    def statements(self, path: str, who: str = "Nora") -> list[str]:
        """Every SQL text that one page runs (but for the pragmas that open a connection)."""
        seen: list[str] = []
        connect = db.database._connect

        def traced() -> Any:
            line = connect()
            line.set_trace_callback(seen.append)
            return line

        db.database.close()
        db.database._connect = traced
        try:
            self.get(path, who)
        finally:
            db.database._connect = connect
            db.database.connect(reuse_if_open=True)
        return [each for each in seen if not each.lstrip().upper().startswith(("PRAGMA", "BEGIN", "COMMIT"))]


def call(app: Any, environ: dict[str, Any]) -> tuple[str, bytes]:
    """Ask a WSGI application once."""
    told: list[str] = []
    answer = app(environ, lambda status, _headers, _error=None: told.append(status))
    try:
        return told[0] if told else "", b"".join(answer)
    finally:
        if hasattr(answer, "close"):
            answer.close()


class Worker:
    """A house in a process of its own that measures its pages when asked: so two houses can be measured in turn."""

    def __init__(self, kept: Kept) -> None:
        self._line, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("spawn").Process(target=_work, args=(kept, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def measure(self, ask: Ask) -> list[float]:
        """Return the seconds of each time."""
        self._line.send(ask)
        return list(self._line.recv())

    def close(self) -> None:
        self._line.send(None)
        self._process.join(PATIENCE)


def _work(kept: Kept, line: Any) -> None:
    pages = Pages(kept)
    while (ask := line.recv()) is not None:
        took = []
        for _ in range(ask.times):
            began = time.perf_counter()
            pages.get(ask.path, ask.who)
            took.append(time.perf_counter() - began)
        line.send(took)
    pages.close()


class Server:
    """`homecircle serve` on a loopback port; a context that ends what it started."""

    def __init__(self, kept: Kept, *, announce: bool = False) -> None:
        self.kept, self.port, self._announce = kept, free_port(), announce
        self.host = f"homecircle.local:{self.port}"
        self.origin = f"http://{self.host}"

    def __enter__(self) -> Server:
        began = time.monotonic()
        command = [sys.executable, "-m", "homecircle", "serve", "--data", str(self.kept.path), "--port",
                   str(self.port), "--away-port", "0",
                   *([] if self._announce else ["--host", "127.0.0.1"])]  # fmt: skip
        # as the service runs: compiled once (a developer's shell may forbid that), and with the unit's two arenas
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        announce = "true" if self._announce else "false"
        environment = inherited | {"HOMECIRCLE_ANNOUNCE": announce, "MALLOC_ARENA_MAX": "2"}
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        while not self._answers():
            if time.monotonic() - began > PATIENCE or self.process.poll() is not None:
                raise RuntimeError("the server does not answer")
        self.took = time.monotonic() - began
        return self

    def __exit__(self, *_error: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)

    @property
    def pid(self) -> int:
        return self.process.pid

    def _answers(self) -> bool:
        try:
            client = Client(self)
            try:
                return client.get("/")[0] == 200
            finally:
                client.close()
        except OSError:
            pause(0.005)
            return False


class Client:
    """One keep-alive connection of one member's browser."""

    def __init__(self, server: Server, who: str = "Nora") -> None:
        self.server, self.cookie = server, f"hc_lan={server.kept.tokens[who]}"
        self.line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        self.line.connect()
        assert self.line.sock is not None
        self.line.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes, Any]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        given = {"Host": self.server.host, "Cookie": self.cookie, "Accept": "text/html", "Origin": self.server.origin}
        self.line.request(method, path, body, given | named)
        answer = self.line.getresponse()
        return answer.status, answer.read(), answer.headers

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        return self.ask("GET", path, **headers)[:2]

    def post(self, path: str, **fields: str) -> int:
        from urllib.parse import urlencode

        kind = "application/x-www-form-urlencoded"
        return self.ask("POST", path, urlencode(fields).encode(), Content_Type=kind)[0]

    def timed(self, path: str) -> float:
        began = time.perf_counter()
        status, _body = self.get(path)
        assert status == 200, status
        return time.perf_counter() - began

    def close(self) -> None:
        self.line.close()


def free_port() -> int:
    for port in PORTS:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no port of 8800 to 8899 is free")


def newest_post(kept: Kept) -> str:
    """The public id of a post for everyone."""
    with db.beside(Folder(kept.path).database) as line:
        found = line.execute("SELECT public_id FROM post WHERE audience_id = 1 ORDER BY id DESC LIMIT 1").fetchone()
        return str(found[0])
