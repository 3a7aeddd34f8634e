"""A line that is cut again and again: a TCP proxy that lets bytes through slowly, closes every connection at seeded
moments, and counts what of each piece of an upload went through."""

from __future__ import annotations

import contextlib
import random
import re
import socket
import threading
import time
from dataclasses import dataclass, field

ONCE = 64 << 10
TRICKLE = 32 << 10  # bytes a second
HEAD = re.compile(rb"PATCH (\S+) .*?content-length: (\d+)", re.I | re.S)


@dataclass(slots=True)
class Sent:
    """One PATCH: whose it is, how long it is, and how much of it went through before its answer or its end."""

    path: str
    length: int
    passed: int = 0
    answered: bool = False


@dataclass
class Proxy:
    """Leads to `port`; `rate` is bytes a second and connection, `pauses` the range of seconds between two cuts.

    Until the cutting starts the line is a trickle: what goes up is still on its way then, however slow the machine.
    """

    port: int
    rate: int
    pauses: tuple[float, float]
    seed: int
    sent: list[Sent] = field(default_factory=list)
    cuts: int = 0
    is_cutting: bool = False

    def __post_init__(self) -> None:
        self._door = socket.create_server(("127.0.0.1", 0))
        self.here = int(self._door.getsockname()[1])
        self._open: set[socket.socket] = set()
        self._end = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def speed(self) -> int:
        return self.rate if self.is_cutting else TRICKLE

    def start_cutting(self) -> None:
        self.is_cutting = True
        threading.Thread(target=self._cut, daemon=True).start()

    def stop(self) -> None:
        self._end.set()
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        self._close_all()

    def resent(self, size_of_all: int) -> int:
        """Bytes of pieces that went through, beyond those of the files themselves."""
        return sum(each.passed for each in self.sent) - size_of_all

    def lost(self) -> list[Sent]:
        """The pieces that a cut took: begun and never answered."""
        return [each for each in self.sent if not each.answered]

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._door.accept()
                threading.Thread(target=self._lead, args=(near,), daemon=True).start()

    def _lead(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(("127.0.0.1", self.port))
        except OSError:
            near.close()
            return
        self._open |= {near, far}
        line = _Line(self, near, far)
        threading.Thread(target=line.down, daemon=True).start()
        line.up()

    def _cut(self) -> None:
        chance = random.Random(self.seed)
        while not self._end.wait(chance.uniform(*self.pauses)):
            self.cuts += 1
            self._close_all()

    def _close_all(self) -> None:
        for each in list(self._open):
            self._open.discard(each)
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def wait(self, seconds: float) -> None:
        self._end.wait(seconds)


class _Line:
    """One connection: requests go up at the proxy's rate and are read along, answers come down."""

    def __init__(self, proxy: Proxy, near: socket.socket, far: socket.socket) -> None:
        self.proxy, self.near, self.far = proxy, near, far
        self.head, self.rest = b"", 0
        self.piece: Sent | None = None

    def up(self) -> None:
        with contextlib.suppress(OSError):
            began, through = time.monotonic(), 0
            while data := self.near.recv(ONCE):
                self.far.sendall(data)
                self.read(data)
                through += len(data)
                if self.rest:
                    self.proxy.wait(max(0.0, began + through / self.proxy.speed - time.monotonic()))
                else:
                    began, through = time.monotonic(), 0
        self.close()

    def down(self) -> None:
        with contextlib.suppress(OSError):
            while data := self.far.recv(ONCE):
                self.near.sendall(data)
                if self.piece is not None and not self.rest and data.startswith(b"HTTP/1.1 204"):
                    self.piece.answered = True
        self.close()

    def read(self, data: bytes) -> None:
        while data:
            if self.rest:
                taken = min(self.rest, len(data))
                self.rest -= taken
                if self.piece is not None:
                    self.piece.passed += taken
                data = data[taken:]
                continue
            self.head += data
            head, end, data = self.head.partition(b"\r\n\r\n")
            if not end:
                return
            self.head = b""
            self.begin(head)

    def begin(self, head: bytes) -> None:
        length = re.search(rb"\r\ncontent-length: (\d+)", head, re.I)
        self.rest = int(length[1]) if length else 0
        found = HEAD.match(head)
        self.piece = Sent(found[1].decode(), int(found[2])) if found else None
        if self.piece is not None:
            self.proxy.sent.append(self.piece)

    def close(self) -> None:
        for each in (self.near, self.far):
            self.proxy._open.discard(each)
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
