"""P10 and P11: large files in and out."""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.ground import CACHE, Figure, Form, interleaved, median, memory, missing, pause, ratio
from tests.bench.houses import Client, Kept, Server, copied, free_port, house

PIECE = 8 << 20
RANGE = 4 << 20
FILM = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom"  # what makes the bytes a video (ISO 14496-12)
NGINX = """
daemon off; pid {where}/pid; error_log {where}/error; worker_processes 1;
events {{ worker_connections 256; }}
http {{ access_log off; sendfile on; client_body_temp_path {where}/b; proxy_temp_path {where}/p;
  fastcgi_temp_path {where}/f; uwsgi_temp_path {where}/u; scgi_temp_path {where}/s;
  server {{ listen 127.0.0.1:{port}; root {root}; }} }}
"""


def p10(form: Form) -> list[Figure]:
    """A film by tus in pieces of 8 MiB, hashed and on the disk, against dd of the same size with conv=fsync."""
    size = form.pick(300, 1000) << 20
    with copied(house(1000, 100)) as kept, Server(kept) as server:
        client, turn = Client(server), iter(range(1000))
        _upload(client, 16 << 20, 1000)
        Path(f"/proc/{server.pid}/clear_refs").write_text("5")  # the peak counts from here (proc(5))
        before = memory(server.pid)
        ours, theirs = interleaved(form.pick(5, 7), lambda: _upload(client, size, next(turn)),
                                   lambda: _dd(kept.path / "tmp" / "dd", size))  # fmt: skip
        growth = memory(server.pid, "VmHWM") - before
    speed, bare = size / median(ours) / 1e6, size / median(theirs) / 1e6
    note = f"{speed:.0f} MB/s against {bare:.0f} MB/s, {size >> 20} MiB"
    return [Figure("P10", "upload by tus against dd conv=fsync", ratio(theirs, ours), "x", 0.8, at_least=True,
                   note=note),
            Figure("P10", "  growth of the server meanwhile", growth, "MB", 30)]  # fmt: skip


def _upload(client: Client, size: int, turn: int) -> float:
    """Seconds of one upload of bytes that no other one has."""
    piece = bytes(os.urandom(1 << 20)) * (PIECE >> 20)
    name = base64.b64encode(b"film.mp4").decode()
    began = time.perf_counter()
    status, _body, headers = client.ask("POST", "/uploads", b"", Tus_Resumable="1.0.0", Upload_Length=str(size),
                                        Upload_Metadata=f"filename {name}")  # fmt: skip
    assert status == 201, status
    where = "/uploads/" + headers["Location"].rpartition("/")[2]
    for offset in range(0, size, PIECE):
        data = piece[: size - offset] if offset else FILM + f"{turn:8}".encode() + piece[len(FILM) + 8 : size]
        status, body, _ = client.ask("PATCH", where, data, Tus_Resumable="1.0.0", Upload_Offset=str(offset),
                                     Content_Type="application/offset+octet-stream")  # fmt: skip
        assert status == 204, (status, body)
    return time.perf_counter() - began


def _dd(target: Path, size: int) -> float:
    target.unlink(missing_ok=True)
    began = time.perf_counter()
    subprocess.run(["dd", "if=/dev/zero", f"of={target}", "bs=1M", f"count={size >> 20}", "conv=fsync"], check=True,
                   stderr=subprocess.DEVNULL)  # fmt: skip
    took = time.perf_counter() - began
    target.unlink()
    return took


def p11(form: Form) -> list[Figure]:
    """A film in ranges of 4 MiB against nginx; the feed while forty players have asked and do not read."""
    size = form.pick(100, 400) << 20
    figures = []
    with copied(house(1000, 1000, 40)) as kept, Server(kept) as server:
        client = Client(server)
        _upload(client, size, 1)
        path = next(each for each in kept.path.joinpath("vault").rglob("*.mp4"))
        film = _original_of(kept, path)
        with _nginx(kept.path) as port:
            if port:
                other = f"/{path.relative_to(kept.path)}"
                line = _Line(port, "Host: nginx")
                own = _Line(server.port, f"Host: {server.host}\r\nCookie: {client.cookie}")
                ours, theirs = interleaved(form.pick(7, 15), lambda: own.fetch(film, size),
                                           lambda: line.fetch(other, size))  # fmt: skip
                note = f"{size / median(ours) / 1e6:.0f} MB/s against {size / median(theirs) / 1e6:.0f} MB/s"
                figures.append(Figure("P11", "Range download against nginx", ratio(theirs, ours), "x", 0.8,
                                      at_least=True, note=note))  # fmt: skip
            else:
                figures.append(missing("P11", "Range download against nginx", "nginx is not installed"))
        figures.append(_stalled(server, client, film))
    return figures


def _stalled(server: Server, client: Client, film: str) -> Figure:
    def look() -> float:
        return median([client.timed("/") for _ in range(40)])

    def look_beside() -> float:
        with contextlib.ExitStack() as players:
            for _ in range(40):
                line = players.enter_context(socket.create_connection(("127.0.0.1", server.port)))
                line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                line.sendall(f"GET {film} HTTP/1.1\r\nHost: {server.host}\r\nCookie: {client.cookie}\r\n"
                             "Range: bytes=0-\r\n\r\n".encode())  # fmt: skip
            pause(1.0)
            return look()

    quiet, beside = interleaved(5, look, look_beside)
    note = f"{median(beside) * 1000:.1f} ms against {median(quiet) * 1000:.1f} ms"
    return Figure("P11", "  feed p50 beside 40 stalled players", ratio(beside, quiet), "x", 1.2, note=note)


def _original_of(kept: Kept, path: Path) -> str:
    from homecircle import db
    from homecircle.files import Folder

    with db.beside(Folder(kept.path).database) as line:
        found = line.execute("SELECT item.public_id FROM item JOIN original ON original.id = original_id "
                             "WHERE path = ?", (str(path.relative_to(kept.path)),)).fetchone()  # fmt: skip
    return f"/vault/{found[0]}/original"


class _Line:
    """A keep-alive connection that reads a file range after range and throws it away."""

    def __init__(self, port: int, headers: str) -> None:
        self.line, self.headers = socket.create_connection(("127.0.0.1", port), timeout=60), headers
        self.room = memoryview(bytearray(1 << 20))

    def fetch(self, path: str, size: int) -> float:
        began = time.perf_counter()
        for start in range(0, size, RANGE):
            end = min(size, start + RANGE) - 1
            self.line.sendall(f"GET {path} HTTP/1.1\r\n{self.headers}\r\nRange: bytes={start}-{end}\r\n\r\n".encode())
            head = b""
            while b"\r\n\r\n" not in head:
                head += self.line.recv(4096)
            assert b" 206 " in head[:20], head[:200]
            left = end - start + 1 - (len(head) - head.index(b"\r\n\r\n") - 4)
            while left:
                left -= self.line.recv_into(self.room[: min(left, len(self.room))])
        return time.perf_counter() - began


@contextlib.contextmanager
def _nginx(root: Path) -> Iterator[int]:
    """The port of an nginx that serves `root`, or 0 when there is none."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if not program:
        yield 0
        return
    with tempfile.TemporaryDirectory(dir=CACHE) as where:
        port = free_port()
        user = "user root;" if os.geteuid() == 0 else ""
        Path(where, "conf").write_text(user + NGINX.format(where=where, port=port, root=root))
        process = subprocess.Popen([program, "-c", f"{where}/conf", "-p", where], stderr=subprocess.DEVNULL)
        try:
            for _ in range(100):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                pause(0.05)
            yield port
        finally:
            process.terminate()
            process.wait(10)
