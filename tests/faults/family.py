"""A real house in a process of its own, a family that writes without pause, and what was acknowledged to it."""

from __future__ import annotations

import hashlib
import http.client
import itertools
import os
import random
import re
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from homecircle import circle, db, devices, members
from homecircle.files import Folder, sha256
from tests.conftest import SAMPLES

READY_IN = 5.0  # seconds (issue 5)
FORM = "application/x-www-form-urlencoded"
FIRST_PORT = 20_000 + os.getpid() % 120 * 100  # two runs side by side must not ask each other's houses
_ports = itertools.cycle(range(FIRST_PORT, FIRST_PORT + 100))


@dataclass
class Acknowledged:
    """What the house has said yes to."""

    posts: dict[str, str] = field(default_factory=dict)
    messages: set[str] = field(default_factory=set)
    photos: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.posts) + len(self.messages) + len(self.photos)


class Line:
    """One device's connection; every call is one request, `OSError` or `HTTPException` when nobody answers."""

    def __init__(self, port: int, token: str) -> None:
        self.base = f"http://127.0.0.1:{port}"
        self._headers = {"Cookie": f"hc_lan={token}", "Origin": self.base}
        self._line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> http.client.HTTPResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._line.request(method, path, body or None, self._headers | named)
        answer = self._line.getresponse()
        answer.text = answer.read()
        return answer

    def close(self) -> None:
        self._line.close()

    def post(self, path: str, **form: str) -> http.client.HTTPResponse:
        return self.ask("POST", path, urllib.parse.urlencode(form).encode(), Content_Type=FORM)

    def publish(self, text: str) -> str:
        """Share a post; returns its public id, or '' when it was not taken."""
        answer = self.post("/feed", text=text, once=text)
        place = answer.getheader("Location", "")
        return place.rpartition("#post-")[2] if answer.status == 303 else ""

    def upload(self, content: bytes, pieces: int = 2) -> str:
        """Send a file by tus; returns the item it became, or ''."""
        tus = {"Tus_Resumable": "1.0.0"}
        begun = self.ask("POST", "/uploads", Upload_Length=str(len(content)), **tus)
        if begun.status != 201:
            return ""
        place = urllib.parse.urlsplit(begun.getheader("Location", "")).path
        step, item = len(content) // pieces + 1, ""
        for start in range(0, len(content), step):
            answer = self.ask("PATCH", place, content[start : start + step], Upload_Offset=str(start),
                              Content_Type="application/offset+octet-stream", **tus)  # fmt: skip
            item = answer.getheader("Upload-Item", "")
        return item


@dataclass
class House:
    """One house: its folder, its family's tokens, its server, and what was acknowledged so far."""

    folder: Folder
    tokens: dict[str, str]
    said: Acknowledged = field(default_factory=Acknowledged)
    port: int = 0
    server: subprocess.Popen[bytes] | None = None
    first_post: str = ""
    lines: list[Line] = field(default_factory=list)
    read: set[tuple[str, int, int]] = field(default_factory=set)
    dark: threading.Event = field(default_factory=threading.Event)
    late: int = 0
    around: dict[str, str] = field(default_factory=dict)
    last_words: str = ""

    def start(self) -> float:
        """Start the server; returns after how many seconds it answered."""
        self.kill()  # one that has ended by itself still holds a pipe
        self.hang_up()
        self.dark.clear()
        self.port, began = _free_port(), time.monotonic()
        self.server = subprocess.Popen(self._command(), env=quiet() | self.around, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.PIPE)  # fmt: skip
        while True:
            try:
                if self.line().ask("GET", "/healthz").status == 200:
                    return time.monotonic() - began
            except OSError:
                assert self.server.poll() is None, self.server.stderr.read()
            assert time.monotonic() - began < 30, "the house does not start"
            threading.Event().wait(0.02)

    def refusal(self) -> tuple[int, str]:
        """Start the server where it cannot start; returns its code and what it said."""
        self.port = _free_port()
        ended = subprocess.run(self._command(), env=quiet(), capture_output=True, timeout=30, check=False)
        return ended.returncode, ended.stderr.decode()

    def kill(self) -> None:
        """kill -9, at any moment."""
        if self.server is not None:
            self.server.kill()
            self.server.communicate()
            self.server = None

    def lose_power(self, cut: Callable[[], None]) -> None:
        """Cut the power. What is said after the cut has begun does not count: nobody would have heard it.

        Nor is it always true: ext4 of Linux 6.18 answered 46 fsyncs that ended up to 29 ms *after* the shutdown ioctl
        had begun with 0 and had written nothing (150 cuts, six bare writers); of those that ended before it, none.
        """
        self.dark.set()
        cut()

    def stop(self) -> int:
        """SIGTERM; returns the code it ended with."""
        assert self.server is not None
        self.server.terminate()
        code = self.server.wait(20)
        self.last_words = self.server.communicate()[1].decode()
        self.server = None
        return code

    def line(self, who: str = "Ada") -> Line:
        self.lines.append(Line(self.port, self.tokens[who]))
        return self.lines[-1]

    def hang_up(self) -> None:
        """Close every connection."""
        for line in self.lines:
            line.close()
        self.lines.clear()

    def leave(self) -> None:
        """End whatever runs."""
        self.kill()
        self.hang_up()

    def write(self, seconds: float, end: Callable[[], None]) -> None:
        """Four writers without pause (posts, messages, two senders of photos), and after `seconds` the `end`."""
        if not self.first_post:
            self.first_post = self.line().publish("The first post")
            self.said.posts[self.first_post] = "The first post"
        over = threading.Event()
        work = [("Ada", self._post), ("Ben", self._say), ("Cleo", self._send), ("Grandma", self._send)]
        threads = [threading.Thread(target=_again, args=(over, self.line(who), verb)) for who, verb in work]
        for thread in threads:
            thread.start()
        threading.Event().wait(seconds)
        end()
        over.set()
        for thread in threads:
            thread.join(30)

    def check(self) -> list[str]:
        """Return everything that is wrong: acknowledged and lost, torn files, what SQLite finds."""
        with db.beside(self.folder.database) as line:
            wrong = [each for (each,) in line.execute("PRAGMA integrity_check") if each != "ok"]
            wrong += [str(each) for each in line.execute("PRAGMA foreign_key_check")]
            return wrong + self._lost(line) + self._torn(line)

    def _lost(self, line: sqlite3.Connection) -> list[str]:
        posts = dict(line.execute("SELECT public_id, text FROM post").fetchall())
        messages = {text for (text,) in line.execute("SELECT text FROM message")}
        photos = dict(line.execute("SELECT public_id, sha256 FROM item JOIN original ON original.id = original_id"))
        return (
            [f"post {each}" for each, text in self.said.posts.items() if posts.get(each) != text]
            + [f"message {text}" for text in self.said.messages - messages]
            + [f"photo {each}" for each, digest in self.said.photos.items() if photos.get(each) != digest]
        )

    def _torn(self, line: sqlite3.Connection) -> list[str]:
        """Files that are not what their row, or without a row their name, says; each is read after the first crash
        it went through, and not again in a hundred others."""
        rows = dict(line.execute("SELECT path, sha256 FROM original").fetchall())
        torn = [path for path in rows if not (self.folder.root / path).exists()]
        for path in self.folder.vault.rglob("*.jpg"):
            name, found = str(path.relative_to(self.folder.root)), path.stat()
            mark = (name, found.st_size, found.st_mtime_ns)
            if mark not in self.read and not _is_whole(path, rows.get(name, "")):
                torn.append(name)
            if name in rows:
                self.read.add(mark)
        return torn

    def _post(self, line: Line) -> None:
        text = f"post {os.urandom(8).hex()}"
        if public_id := line.publish(text):
            self._hear(lambda: self.said.posts.update({public_id: text}))

    def _say(self, line: Line) -> None:
        text = f"message {os.urandom(8).hex()}"
        if line.post(f"/feed/{self.first_post}/messages", text=text, once=text).status in {200, 303}:
            self._hear(lambda: self.said.messages.add(text))

    def _send(self, line: Line) -> None:
        content = photo()
        if item := line.upload(content):
            self._hear(lambda: self.said.photos.update({item: hashlib.sha256(content).hexdigest()}))

    def _hear(self, write_down: Callable[[], None]) -> None:
        if self.dark.is_set():
            self.late += 1
        else:
            write_down()

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "homecircle", "serve", "--data", str(self.folder.root), "--host", "127.0.0.1",
                "--port", str(self.port), "--away-port", "0"]  # fmt: skip


class Switch:
    """The four numbers that steer `shim.c` in a house that runs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.turn()

    def turn(self, *, write: bool = False, sync: bool = False, slow: int = 0, clock: int = 0) -> None:
        """EIO on write; EIO on fsync; milliseconds an fsync takes; seconds the clock is off."""
        with self.path.open("r+b" if self.path.exists() else "wb") as handle:  # in place: it is mapped
            handle.write(struct.pack("4l", write, sync, slow, clock))


def move_in(root: Path) -> House:
    """Make a claimed house of four, each with a paired device."""
    folder = Folder(root)
    folder.prepare()
    db.open_file(folder.database)
    tokens = {}
    for name in ("Ada", "Ben", "Cleo", "Grandma"):
        member = members.join(name, role="admin" if name == "Ada" else "member")
        tokens[name] = devices.add(member.id, f"{name}'s phone", "home")
    circle.update(name="The Lindqvists", claimed_at=db.now(), setup_step="done")
    db.close_file()
    return House(folder, tokens)


def photo(size: int | None = None) -> bytes:
    """A picture that nobody has: a small one of the samples, and random bytes behind its end (1 to 3 MiB)."""
    head = (SAMPLES / "garden.jpg").read_bytes()
    return head + os.urandom(max(64, (size or random.randrange(1 << 20, 3 << 20)) - len(head)))


def quiet() -> dict[str, str]:
    """The environment of a house that announces itself to nobody."""
    return {"HOMECIRCLE_ANNOUNCE": "false", "PATH": os.defpath, "PYTHONPATH": str(Path(__file__).parents[2])}


def _again(over: threading.Event, line: Line, verb: Callable[[Line], None]) -> None:
    while not over.is_set():
        try:
            verb(line)
        except (OSError, http.client.HTTPException):
            return  # the house is gone; what it had not said yes to does not count


def _free_port() -> int:
    while True:
        port = next(_ports)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def _is_whole(path: Path, digest: str) -> bool:
    """An original carries the beginning of its hash in its name, with or without a row."""
    found, named = sha256(path), re.search(r"-([0-9a-f]{12})\.", path.name)
    return named is not None and found.startswith(named[1]) and (found == digest or not digest)
