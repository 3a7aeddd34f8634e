"""The running house over a real socket: start, lock, two doors, streams, smuggling, strangers' bodies, stop."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

PATIENCE = 20.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Running:
    """A real `homecircle serve` on loopback ports of its own."""

    def __init__(self, data: Path) -> None:
        self.data, self.port, self.away_port = data, free_port(), free_port()
        self.start()

    def start(self) -> None:
        environment = os.environ | {"HOMECIRCLE_ANNOUNCE": "false"}
        command = [
            sys.executable,
            "-m",
            "homecircle",
            "serve",
            "--data",
            str(self.data),
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--away-port",
            str(self.away_port),
        ]
        self.log = (self.data.parent / "log").open("ab")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, env=environment)
        assert self.process.stdout is not None
        assert b"serving" in self.process.stdout.readline(), (self.data.parent / "log").read_text()

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "homecircle", *words, "--data", str(self.data)],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None, port: int = 0
    ) -> http.client.HTTPResponse:
        line = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=PATIENCE)
        given = {"Host": f"homecircle.local:{self.port}"} | (headers or {})
        line.request(method, path, body, given)
        answer = line.getresponse()
        answer.body = answer.read()
        line.close()
        return answer

    def claim(self) -> str:
        code = re.search(r"Set-up code:\s+(\w{4} \w{4})", self.wait_for_code())[1]
        origin = {"Origin": f"http://homecircle.local:{self.port}", "Content-Type": "application/x-www-form-urlencoded"}
        answer = self.ask("POST", "/setup", f"code={code.replace(' ', '+')}".encode(), origin)
        assert answer.status == 303, answer.body
        return answer.headers["Set-Cookie"].partition(";")[0]

    def wait_for_code(self) -> str:
        end = time.monotonic() + PATIENCE
        while not (self.data / "control.sock").exists() and time.monotonic() < end:
            time.sleep(0.05)
        return self.command("setup-code").stdout

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE)
        self.process.stdout.close()
        self.log.close()
        return code


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path / "data")
    yield made
    made.stop()


def _raw(port: int, request: bytes) -> bytes:
    """Send bytes as they are; return everything that comes back until half a second of silence."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as line, contextlib.suppress(ConnectionError):
        line.sendall(request)
        answer = line.recv(65536)
        line.settimeout(0.5)
        with contextlib.suppress(TimeoutError, ConnectionError):
            while piece := line.recv(65536):
                answer += piece
        return answer
    return b""


def test_claim_post_and_stop_with_a_stream_open(running: Running) -> None:
    cookie = running.claim()
    assert running.command("setup-code").returncode == 1  # claimed: there is no second first admin
    stream = http.client.HTTPConnection("127.0.0.1", running.port, timeout=PATIENCE)
    stream.request("GET", "/live?since=", headers={"Host": f"homecircle.local:{running.port}", "Cookie": cookie})
    hints = stream.getresponse()
    assert hints.headers["Content-Type"].startswith("text/event-stream")
    origin = {
        "Origin": f"http://homecircle.local:{running.port}",
        "Cookie": cookie,
        "Content-Type": "application/x-www-form-urlencoded",
    }
    began = time.monotonic()
    assert running.ask("POST", "/feed", b"text=Hello&once=1", origin).status == 303
    lines = []
    while not any(line.startswith(b"event: feed") for line in lines):
        lines.append(hints.fp.readline())
    assert time.monotonic() - began < 1.0
    began = time.monotonic()
    assert running.stop() == 0
    assert time.monotonic() - began < 10
    stream.close()
    running.start()
    assert b"Hello" in running.ask("GET", "/", headers={"Cookie": cookie}).body


def _stream(running: Running, cookie: str, version: str = "1.1") -> socket.socket:
    line = socket.create_connection(("127.0.0.1", running.port), timeout=PATIENCE)
    head = f"GET /live?since= HTTP/{version}\r\nHost: homecircle.local:{running.port}\r\nCookie: {cookie}\r\n\r\n"
    line.sendall(head.encode())
    return line


def _read_until(line: socket.socket, word: bytes) -> bytes:
    heard = b""
    while word not in heard:
        piece = line.recv(65536)
        assert piece, f"closed before {word!r} after {heard!r}"
        heard += piece
    return heard


def test_streams_hold_no_worker_and_their_places_are_free_at_once(running: Running) -> None:
    cookie = running.claim()
    origin = {"Origin": f"http://homecircle.local:{running.port}", "Cookie": cookie,
              "Content-Type": "application/x-www-form-urlencoded"}  # fmt: skip
    opened = [_stream(running, cookie) for _ in range(24)]
    for line in opened:
        assert b" 200 " in _read_until(line, b"event: hello\n")
        line.sendall(b"GET /settings HTTP/1.1\r\nHost: nobody is asked any more\r\n\r\n")
    one_too_many = _stream(running, cookie)
    assert b" 503 " in _read_until(one_too_many, b"\r\n\r\n")
    one_too_many.close()
    assert running.ask("POST", "/feed", b"text=To+all&once=1", origin).status == 303
    for line in opened:
        assert b"HTTP/" not in _read_until(line, b"event: feed\n")
    threads = len(list(Path(f"/proc/{running.process.pid}/task").iterdir()))
    assert threads < 24 + 16, "the workers, and what runs beside them"
    for line in opened:
        line.close()
    end = time.monotonic() + PATIENCE
    while b" 200 " not in _read_until(line := _stream(running, cookie), b"\r\n\r\n"):
        line.close()
        assert time.monotonic() < end
    line.close()


def test_pages_that_leave_while_they_are_answered_keep_no_place(running: Running) -> None:
    cookie = running.claim()
    for turn in range(80):
        line = _stream(running, cookie)
        if turn % 2:  # at once, with what was not read thrown back
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        line.close()
    _all_places_are_free(running, cookie)


def test_what_is_asked_behind_a_stream_is_never_answered(running: Running) -> None:
    cookie = running.claim()
    head = f"GET %s HTTP/1.1\r\nHost: homecircle.local:{running.port}\r\nCookie: {cookie}\r\n\r\n"
    origin = {"Origin": f"http://homecircle.local:{running.port}", "Cookie": cookie,
              "Content-Type": "application/x-www-form-urlencoded"}  # fmt: skip
    with socket.create_connection(("127.0.0.1", running.port), timeout=PATIENCE) as line:
        line.sendall((head % "/live?since=" + head % "/live?since=" + head % "/settings").encode())
        heard = _read_until(line, b"event: hello\n")
        assert running.ask("POST", "/feed", b"text=Hello&once=1", origin).status == 303
        heard += _read_until(line, b"event: feed\n")
        assert heard.count(b"HTTP/1.1 ") == 1 and heard.count(b"event: hello") == 1
    _all_places_are_free(running, cookie)


def _all_places_are_free(running: Running, cookie: str) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        opened = [_stream(running, cookie) for _ in range(24)]
        heads = [_read_until(line, b"\r\n\r\n") for line in opened]
        for line in opened:
            line.close()
        if all(b" 200 " in head for head in heads):
            return
        assert time.monotonic() < end


def test_a_stream_stays_open_for_a_proxy_of_the_old_kind(running: Running) -> None:
    cookie = running.claim()
    with _stream(running, cookie, "1.0") as line:
        head = _read_until(line, b"event: hello\n")
        assert b"Connection: close" in head and b"chunked" not in head
        origin = {"Origin": f"http://homecircle.local:{running.port}", "Cookie": cookie,
                  "Content-Type": "application/x-www-form-urlencoded"}  # fmt: skip
        assert running.ask("POST", "/feed", b"text=Hello&once=1", origin).status == 303
        assert _read_until(line, b"event: feed\n").startswith(b"event: feed\n")  # as it is, without chunks
        assert running.stop() == 0
        assert line.recv(65536) == b"" or line.recv(65536) == b""


def test_a_film_goes_out_to_the_byte_whole_and_in_pieces(running: Running) -> None:
    own = {"Cookie": running.claim(), "Origin": f"http://homecircle.local:{running.port}", "Tus-Resumable": "1.0.0"}
    film = b"\0\0\0\x18ftypisom\0\0\x02\0isommp42" + random.Random(1).randbytes(7 << 20)
    begun = running.ask("POST", "/uploads", b"", own | {"Upload-Length": str(len(film))})
    kind = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
    kept = running.ask("PATCH", urlsplit(begun.headers["Location"]).path, film, own | kind)
    where = f"/vault/{kept.headers['Upload-Item']}/original"
    assert running.ask("GET", where, headers=own).body == film
    assert running.ask("HEAD", where, headers=own).headers["Content-Length"] == str(len(film))
    for start in (0, 5, 4 << 20, len(film) - 3):
        piece = running.ask("GET", where, headers=own | {"Range": f"bytes={start}-"})
        assert (piece.status, piece.body) == (206, film[start : start + (4 << 20)])
    # one after another on one connection, asked for before the first has been read
    head = f"Host: homecircle.local:{running.port}\r\nCookie: {own['Cookie']}\r\n"
    asked = f"GET {where} HTTP/1.1\r\n{head}\r\n" + f"GET {where} HTTP/1.1\r\n{head}Connection: close\r\n\r\n"
    answer = _raw(running.port, asked.encode())
    assert answer.count(film) == 2 and answer.startswith(b"HTTP/1.1 200") and answer.endswith(film)


def test_a_second_start_ends_with_one_line(running: Running) -> None:
    began = time.monotonic()
    second = running.command("serve", "--port", str(free_port()), "--away-port", "0")
    assert (second.returncode, second.stdout) == (1, "")
    assert "already running" in second.stderr
    assert len(second.stderr.strip().splitlines()) == 1
    assert time.monotonic() - began < 5


def test_an_unmounted_disk_ends_the_start(tmp_path: Path) -> None:
    environment = os.environ | {"HOMECIRCLE_HOUSE": "abcdef"}
    empty = tmp_path / "data"
    empty.mkdir()
    ended = subprocess.run(
        [sys.executable, "-m", "homecircle", "serve", "--data", str(empty), "--port", str(free_port())],
        capture_output=True,
        text=True,
        env=environment,
        timeout=PATIENCE,
    )
    assert ended.returncode == 1
    assert "not the folder of this house" in ended.stderr
    assert list(empty.iterdir()) == []


def test_a_house_for_this_machine_alone_offers_no_way_from_a_phone(running: Running) -> None:
    printed = running.command("setup-code").stdout
    assert f"Open here:        http://127.0.0.1:{running.port}/setup#" in printed
    assert f"or type:          http://127.0.0.1:{running.port}\n" in printed


def test_the_doors(running: Running) -> None:
    assert running.ask("GET", "/healthz").body == b'{"status": "ok"}'
    assert running.ask("GET", "/healthz", headers={"Host": "evil.example"}).status == 421
    for host in (f"homecircle.local:{running.port}", "127.0.0.1", "family.example.org"):
        assert running.ask("GET", "/healthz", headers={"Host": host}, port=running.away_port).status == 421
        assert running.ask("POST", "/setup", b"code=x", {"Host": host}, port=running.away_port).status == 421


SMUGGLED = [
    b"POST /hello HTTP/1.1\r\nHost: H\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
    b"POST /hello HTTP/1.1\r\nHost: H\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    b"POST /hello HTTP/1.1\r\nHost: H\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    b"POST /hello HTTP/1.1\r\nHost: H\r\nContent-Length: +5\r\n\r\nabcde",
    b"GET /hello HTTP/1.1\r\nHost: H\r\nHost: evil.example\r\n\r\n",
    b"GET /hello HTTP/1.1\r\nHost: H\r\nX-A: b\r\n folded\r\n\r\n",
    b"GET /hello HTTP/1.1\r\nX-A: b\r\n\r\n",
    b"GET /hello HTTP/1.1\r\nHost : H\r\n\r\n",
    b"GET http://evil.example/hello HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    b"POST /hello HTTP/1.1\r\nHost: H\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"GET /hello\x00 HTTP/1.1\r\nHost: H\r\n\r\n",
]


@pytest.mark.parametrize("request_bytes", SMUGGLED, ids=lambda each: each[-40:].hex()[:12])
def test_smuggled_requests_are_refused_and_closed(running: Running, request_bytes: bytes) -> None:
    answer = _raw(running.port, request_bytes.replace(b"Host: H", f"Host: homecircle.local:{running.port}".encode()))
    assert answer.count(b"HTTP/1.1 ") + answer.count(b"HTTP/1.0 ") == 1, answer
    status = int(answer.split(b" ")[1])
    assert status in {400, 421, 501, 403}, answer[:200]
    assert b"Content-Security-Policy" in answer


def test_a_head_without_end_is_refused(running: Running) -> None:
    answer = _raw(running.port, b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 20_000 + b"\r\n\r\n")
    assert b" 431 " in answer.split(b"\r\n")[0]


def test_a_strangers_large_body_is_not_taken(running: Running) -> None:
    head = (
        f"POST /hello HTTP/1.1\r\nHost: homecircle.local:{running.port}\r\nOrigin: http://homecircle.local:{running.port}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
    ).encode()
    for length in (65_537, 1 << 20, 63 << 20):
        answer = _raw(running.port, head + f"Content-Length: {length}\r\n\r\n".encode() + b"x" * 1000)
        assert b" 413 " in answer.split(b"\r\n")[0]
    chunked = (
        head
        + b"Transfer-Encoding: chunked\r\n\r\n"
        + b"10000\r\n"
        + b"x" * 65536
        + b"\r\n10\r\n"
        + b"x" * 16
        + b"\r\n0\r\n\r\n"
    )
    assert b" 413 " in _raw(running.port, chunked).split(b"\r\n")[0]
    assert list((running.data / "tmp").iterdir()) == []


def test_the_log_carries_no_code_token_text_or_query(running: Running) -> None:
    cookie = running.claim()
    origin = {
        "Origin": f"http://homecircle.local:{running.port}",
        "Cookie": cookie,
        "Content-Type": "application/x-www-form-urlencoded",
    }
    running.ask("POST", "/feed", b"text=Words+of+ours&once=1", origin)
    running.ask("GET", "/?before=secretquery", headers={"Cookie": cookie})
    running.stop()
    log = (running.data.parent / "log").read_text()
    for secret in (cookie.partition("=")[2], "Words of ours", "Words+of", "secretquery"):
        assert secret not in log


def test_status_speaks_to_the_running_house(running: Running) -> None:
    deadline = time.monotonic() + PATIENCE
    while (found := running.command("status", "--json")).returncode and time.monotonic() < deadline:
        time.sleep(0.1)
    assert json.loads(found.stdout)["status"] == "ok"


def test_a_fresh_house_brings_a_backup_back_and_goes_on_as_it(running: Running, tmp_path: Path) -> None:
    def form(house: Running, cookie: str) -> dict[str, str]:
        kind = "application/x-www-form-urlencoded"
        return {"Origin": f"http://homecircle.local:{house.port}", "Cookie": cookie, "Content-Type": kind}

    old = form(running, running.claim())
    assert running.ask("POST", "/feed", b"text=From+before&once=1", old).status == 303
    assert running.command("backup", "--to", str(tmp_path / "usb")).returncode == 0
    running.stop()
    (tmp_path / "new").mkdir()
    house = Running(tmp_path / "new" / "data")
    try:
        mine = form(house, house.claim())
        assert b"/setup/backup" in house.ask("GET", "/setup/welcome", headers=mine).body
        found = house.ask("GET", f"/setup/backup?place={tmp_path / 'usb'}", headers=mine)
        path = re.search(r'chosen\?path=([^"]+)"', found.body.decode())[1]
        assert b"1 post" in found.body
        chosen = house.ask("GET", f"/setup/backup/chosen?path={path}", headers=mine).body.decode()
        member = re.search(r'name="member" value="(\w+)"', chosen)[1]
        begun = house.ask("POST", "/setup/backup", f"path={path}&member={member}".encode(), mine)
        assert begun.headers["Location"] == "/setup/backup/progress", begun.body
        end, answer = time.monotonic() + PATIENCE, None
        while time.monotonic() < end and (answer is None or answer.status != 303):
            with contextlib.suppress(OSError):  # while it begins anew
                answer = house.ask("GET", "/setup/backup/progress", headers=mine)
                assert b"problems" not in answer.body, answer.body
            time.sleep(0.1)
        assert answer.headers["Location"] == "/house/restored"
        assert house.process.poll() is None  # the same process
        assert b"From before" in house.ask("GET", "/", headers=mine).body
        assert b"Browser" in house.ask("GET", "/house/restored", headers=mine).body
        assert house.ask("GET", "/", headers=old).status == 401
        assert house.ask("GET", "/setup/backup", headers=mine).status == 404  # lived in now
        assert not (house.data / "arriving").exists()
    finally:
        assert house.stop() == 0


def test_a_backup_and_a_drill_are_begun_from_the_page_and_told(running: Running) -> None:
    mine = {"Origin": f"http://homecircle.local:{running.port}", "Cookie": running.claim()}
    told = ""
    for what, says in (
        ("drill", "There is no backup in"),
        ("backup", "The backup is made."),
        ("drill", "all of it is whole"),
    ):
        assert running.ask("POST", f"/house/work/{what}", b"", mine).status == 303
        end = time.monotonic() + PATIENCE
        while says not in told and time.monotonic() < end:
            told = running.ask("GET", "/house/work", headers=mine).body.decode()
            time.sleep(0.1)
        assert says in told, told
    assert b"Backup tried out" in running.ask("GET", "/house", headers=mine).body
    ran = {job["name"]: job["outcome"] for job in json.loads(running.command("status", "--json").stdout)["jobs"]}
    assert ran["backup"] == ran["drill"] == "ok"
