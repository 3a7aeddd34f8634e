"""P16: HomeCircle beside what a family would pick otherwise, installed from its registry, on loopback, in one run.

`matrix-synapse` (with SQLite) for talk and for pictures in a room, `ihatemoney` for a small Flask application that
families keep. Each gets an environment of its own in tests/.cache/peers at the first question (about a minute and
400 MB), is set up afresh, measured and taken down. PiGallery2 1.8.0, the newest on its registry, cannot be installed:
its dependency typeconfig 1.0.8d is there no more.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench.ground import CACHE, Figure, Form, interleaved, median, memory, missing, pause, ratio
from tests.bench.houses import PATIENCE, Client, Server, copied, free_port, house, newest_post
from tests.bench.live import streams

PICTURES = 200
SETTLED = 8.0  # seconds until what loads after listening is loaded


def p16(form: Form) -> list[Figure]:
    """Memory, start, message to seen and a page of pictures, beside each peer."""
    figures = []
    with copied(house(1000, 1000, 40)) as kept, Server(kept, announce=True) as own:
        pause(SETTLED)
        idle = memory(own.pid)
        for name, measure in (("matrix-synapse", _beside_synapse), ("ihatemoney", _beside_ihatemoney)):
            if why := _not_installed(name):
                figures.append(missing("P16", f"against {name}", why))
            else:
                figures += measure(form, own, idle)
    return figures


def _beside_synapse(form: Form, own: Server, idle: float) -> list[Figure]:
    with Synapse() as peer:
        peer.furnish()
        pause(SETTLED)
        figures = [_memory("matrix-synapse", idle, peer.memory()), _start("matrix-synapse", peer.took)]
        with streams(own, 1) as opened:
            post, writer, reader = newest_post(own.kept), Client(own), Client(own, "Emil")
            counter = iter(range(10**6))

            def ours() -> float:
                began = time.perf_counter()
                writer.post(f"/feed/{post}/messages", text="Said.", once=f"peer{next(counter)}")
                opened[0].setblocking(True)
                while b"post-" not in opened[0].recv(65536):
                    pass
                reader.get(f"/feed/{post}?part=card", HX_Request="true")
                return time.perf_counter() - began

            said, theirs = interleaved(form.pick(15, 60), ours, peer.say_and_see)
        own_page, their_page = interleaved(form.pick(15, 60), lambda: writer.timed("/vault"), peer.pictures)
    figures.append(_beside("message said -> read by another", "matrix-synapse", said, theirs))
    return [*figures, _beside(f"page of pictures (theirs: JSON of {PICTURES})", "matrix-synapse", own_page, their_page)]


def _beside_ihatemoney(form: Form, own: Server, idle: float) -> list[Figure]:
    with IHateMoney() as peer:
        pause(2.0)
        client = Client(own)
        own_page, theirs = interleaved(form.pick(15, 60), lambda: client.timed("/vault"), peer.page)
        return [_memory("ihatemoney", idle, peer.memory()), _start("ihatemoney", peer.took),
                _beside("page of pictures (theirs: the first page)", "ihatemoney", own_page, theirs)]  # fmt: skip


def _memory(name: str, idle: float, theirs: float) -> Figure:
    return Figure(
        "P16", f"idle memory against {name}", idle / theirs, "x", 0.5, note=f"{idle:.0f} against {theirs:.0f} MB"
    )


def _start(name: str, theirs: float) -> Figure:
    with copied(house(1000, 1000, 40)) as kept, Server(kept) as fresh:
        ours = fresh.took
    return Figure("P16", f"  start against {name}", ours / theirs, "x", 1, note=f"{ours:.2f} against {theirs:.2f} s")


def _beside(what: str, name: str, ours: list[float], theirs: list[float]) -> Figure:
    note = f"{name}: {median(ours) * 1000:.0f} against {median(theirs) * 1000:.0f} ms"
    return Figure("P16", f"  {what}", ratio(ours, theirs), "x", 1, note=note)


def _not_installed(name: str) -> str:
    """Install a peer into an environment of its own; returns why that cannot be, or ''."""
    place = CACHE / "peers" / name
    if (place / "installed").exists():
        return ""
    try:
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True, capture_output=True)
        subprocess.run([str(place / "bin" / "pip"), "install", "--quiet", name], check=True, capture_output=True,
                       timeout=600)  # fmt: skip
    except (subprocess.SubprocessError, OSError) as error:
        return f"cannot be installed here ({type(error).__name__})"
    (place / "installed").touch()
    return ""


class Peer:
    """One peer in a folder and on a port of its own; a context that takes it down again."""

    name = ""

    def __init__(self) -> None:
        self.port, self.took = free_port(), 0.0
        self._end = contextlib.ExitStack()

    def __enter__(self) -> Any:
        self.root = Path(self._end.enter_context(tempfile.TemporaryDirectory(dir=CACHE)))
        self.python = str(CACHE / "peers" / self.name / "bin" / "python")
        command, environment = self.prepare()
        began = time.monotonic()
        self.process = subprocess.Popen(command, cwd=self.root, env=os.environ | environment,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        self._end.callback(self._stop)
        while not self._answers():
            if time.monotonic() - began > PATIENCE or self.process.poll() is not None:
                self._end.close()
                raise RuntimeError(f"{self.name} does not answer")
            pause(0.02)
        self.took = time.monotonic() - began
        return self

    def __exit__(self, *_error: object) -> None:
        self._end.close()

    def prepare(self) -> tuple[list[str], dict[str, str]]:
        """Write what it needs; return the command that starts it, and its environment."""
        raise NotImplementedError

    def memory(self) -> float:
        """MB of the process and its children."""
        return sum(memory(pid) for pid in _family(self.process.pid))

    def ask(self, method: str, path: str, body: object = None, token: str = "") -> Any:
        """Ask for JSON."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(line):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            line.request(method, path, None if body is None else json.dumps(body), headers)
            answer = line.getresponse()
            text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{self.name}: {answer.status} {text[:200]!r}")
        return json.loads(text)

    def _answers(self) -> bool:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        with contextlib.closing(line), contextlib.suppress(OSError, http.client.HTTPException):
            line.request("GET", "/")
            return line.getresponse().status < 500
        return False

    def _stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Synapse(Peer):
    """A homeserver with SQLite, two people, and one room with a talk and `PICTURES` pictures."""

    name = "matrix-synapse"

    def prepare(self) -> tuple[list[str], dict[str, str]]:
        start = [self.python, "-m", "synapse.app.homeserver", "--config-path", "homeserver.yaml"]
        subprocess.run([*start, "--server-name", "localhost", "--generate-config", "--report-stats=no"], cwd=self.root,
                       check=True, capture_output=True)  # fmt: skip
        written = self.root / "homeserver.yaml"
        plenty = "{per_second: 100000, burst_count: 100000}"
        text = written.read_text().replace("port: 8008", f"port: {self.port}").replace("    - ::1\n", "")
        written.write_text(f"{text}\nrc_message: {plenty}\nrc_login: {{address: {plenty}, account: {plenty}}}\n")
        return start, {}

    def furnish(self) -> None:
        """Register two people, open a room, put the pictures up."""
        self.here, self.there = (self._register(name) for name in ("ada", "ben"))
        made = self.ask("POST", "/_matrix/client/v3/createRoom", {"preset": "public_chat"}, self.here)
        self.room = urllib.parse.quote(made["room_id"])
        self.ask("POST", f"/_matrix/client/v3/join/{self.room}", {}, self.there)
        self.turn = 0
        for number in range(PICTURES):
            self._send({"msgtype": "m.image", "body": f"{number}.jpg", "url": f"mxc://localhost/{number}",
                        "info": {"w": 4000, "h": 3000, "mimetype": "image/jpeg"}})  # fmt: skip
        self.since = self._sync(timeout=0)["next_batch"]

    def say_and_see(self) -> float:
        """From sending a message to the other one having it."""
        began = time.perf_counter()
        self._send({"msgtype": "m.text", "body": "Said."})
        while not (told := self._sync())["rooms"]["join"]:
            self.since = told["next_batch"]
        took = time.perf_counter() - began
        self.since = told["next_batch"]
        return took

    def pictures(self) -> float:
        """The newest pictures of the room."""
        began = time.perf_counter()
        found = self.ask(
            "GET", f"/_matrix/client/v3/rooms/{self.room}/messages?dir=b&limit={PICTURES}", None, self.here
        )
        assert len(found["chunk"]) == PICTURES
        return time.perf_counter() - began

    def _register(self, name: str) -> str:
        program = str(Path(self.python).parent / "register_new_matrix_user")
        subprocess.run([program, "-u", name, "-p", "long enough", "--no-admin", "-c", "homeserver.yaml",
                        f"http://127.0.0.1:{self.port}"], cwd=self.root, check=True, capture_output=True)  # fmt: skip
        said = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": name},
            "password": "long enough",
        }
        return str(self.ask("POST", "/_matrix/client/v3/login", said)["access_token"])

    def _send(self, content: dict[str, object]) -> None:
        self.turn += 1
        self.ask("PUT", f"/_matrix/client/v3/rooms/{self.room}/send/m.room.message/{self.turn}", content, self.here)

    def _sync(self, timeout: int = 30_000) -> Any:
        since = f"&since={self.since}" if hasattr(self, "since") else ""
        found = self.ask("GET", f"/_matrix/client/v3/sync?timeout={timeout}{since}", None, self.there)
        found.setdefault("rooms", {}).setdefault("join", {})
        return found


class IHateMoney(Peer):
    """A small Flask application with SQLite."""

    name = "ihatemoney"

    def prepare(self) -> tuple[list[str], dict[str, str]]:
        settings = self.root / "settings.cfg"
        settings.write_text(f'SQLALCHEMY_DATABASE_URI = "sqlite:///{self.root}/money.db"\nSECRET_KEY = "for a minute"\n'
                            'ACTIVATE_DEMO_PROJECT = True\nSESSION_COOKIE_SECURE = False\n')  # fmt: skip
        command = [self.python, "-m", "flask", "--app", "ihatemoney.wsgi:application", "run", "--port", str(self.port)]
        return command, {"IHATEMONEY_SETTINGS_FILE_PATH": str(settings)}

    def page(self) -> float:
        """Its first page."""
        began = time.perf_counter()
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(line):
            line.request("GET", "/")
            assert line.getresponse().read()
        return time.perf_counter() - began


def _family(pid: int) -> Iterator[int]:
    """A process and all its children (proc(5))."""
    yield pid
    for each in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in each.read_text().split():
            yield from _family(int(child))
