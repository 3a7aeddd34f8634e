"""A piece of the outside for tests: real sockets on loopback that answer as they are told, and ways that lead there."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from homecircle.vault import outside
from homecircle.vault.outside import Way

THERE = "127.0.0.9"  # taken for public by `Stranger.way`; everything else is judged as ever
Say = Callable[[str, socket.socket], None]


def answer(body: bytes, kind: str = "text/html; charset=utf-8", *more: str, status: str = "200 OK") -> bytes:
    """A whole HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *more, "", ""]
    return "\r\n".join(lines).encode() + body


def leads_to(url: str, status: str = "302 Found") -> bytes:
    """An answer that leads on."""
    return answer(b"", "text/html", f"Location: {url}", status=status)


@dataclass
class Stranger:
    """A web server of the outside; `asked` holds the requests it heard, `lines` counts the connections it took."""

    port: int
    pages: dict[str, bytes | Say]
    asked: list[str] = field(default_factory=list)
    lines: int = 0
    context: ssl.SSLContext | None = None
    looked_up: list[str] = field(default_factory=list)
    dialled: list[str] = field(default_factory=list)

    def way(self, **changes: object) -> Way:
        """A way on which every name lies at this server, whatever the port; what it does is written down."""

        def resolve(host: str, _port: int) -> list[str]:
            self.looked_up.append(host)
            return [THERE]

        def connect(address: str, _port: int, seconds: float) -> socket.socket:
            self.dialled.append(address)
            return socket.create_connection((address, self.port), seconds)

        return replace(Way(resolve, connect, lambda each: each == THERE or outside.is_outside(each)), **changes)

    def serve(self, line: socket.socket) -> None:
        self.lines += 1
        with contextlib.suppress(OSError), line:
            if self.context is None:
                self.talk(line)
                return
            with self.context.wrap_socket(line, server_side=True) as wrapped:
                self.talk(wrapped)

    def talk(self, whole: socket.socket) -> None:
        heard = b""
        while b"\r\n\r\n" not in heard:
            piece = whole.recv(4096)
            if not piece:
                return
            heard += piece
        self.asked.append(heard.decode("latin-1"))
        path = heard.split(b" ")[1].decode()
        bare = self.pages.get(path.partition("?")[0], answer(b"", status="404 Not Found"))
        said = self.pages.get(path, bare)
        if callable(said):
            said(self.asked[-1], whole)
        else:
            whole.sendall(said)
        with contextlib.suppress(OSError):
            whole.shutdown(socket.SHUT_WR)
            whole.recv(1)


@contextlib.contextmanager
def stranger(pages: dict[str, bytes | Say], context: ssl.SSLContext | None = None) -> Iterator[Stranger]:
    """Run a web server of the outside."""
    with socket.create_server((THERE, 0)) as door:
        made = Stranger(door.getsockname()[1], pages, context=context)

        def listen() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=made.serve, args=(door.accept()[0],), daemon=True).start()

        threading.Thread(target=listen, daemon=True).start()
        yield made
        door.shutdown(socket.SHUT_RDWR)


__all__ = ["THERE", "Stranger", "answer", "leads_to", "stranger"]
