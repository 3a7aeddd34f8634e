"""Listening: the sockets of the two doors, and how waitress reads and answers on them.

Waitress reads requests and sends answers; what a house needs beyond that stands here, as subclasses of its own classes:
no large body before a paired device has shown its token, no head that two servers could read differently, the header
set on what waitress answers by itself, and for whom something is under way, so that it can be cut (see `endings`).
The settings are those that measurement decided.
"""

from __future__ import annotations

import contextlib
import errno
import io
import logging
import os
import re
import socket
import struct
import time
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, cast

import waitress.channel
import waitress.server
from waitress.buffers import ReadOnlyFileBasedBuffer
from waitress.channel import ClientDisconnected, HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import create_server
from waitress.task import ErrorTask, ThreadedTaskDispatcher, WSGITask
from waitress.utilities import Error

from homecircle import config, files
from homecircle.config import Config
from homecircle.devices import Pass
from homecircle.errors import Refused
from homecircle.files import LEAST
from homecircle.web import HEADERS, doors, guard, streams
from homecircle.web.streams import Stream

FIRST_FREE_PORT = 8080
PORTS_TRIED = 20
SEND_AT_ONCE = 256 << 10  # bytes
VANISHED_AFTER = 35_000  # milliseconds for which nobody has taken what was sent
FAR_BEHIND = 64 << 10  # bytes of hints that a page has not taken
_NO_SENDFILE = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}  # a file system that cannot do it
SETTINGS: dict[str, Any] = {
    "threads": 24, "recv_bytes": 262144, "outbuf_high_watermark": 1 << 20, "channel_request_lookahead": 1,
    "asyncore_use_poll": True, "connection_limit": 400, "channel_timeout": 30, "cleanup_interval": 5,
    "max_request_body_size": 64 << 20, "max_request_header_size": 16 << 10, "ident": None, "expose_tracebacks": False,
    "clear_untrusted_proxy_headers": False,
}  # fmt: skip
_ODD = re.compile(rb"[\x00-\x1f\x7f]")
log = logging.getLogger("homecircle")


class _Steady:
    """Stands in for `time` where waitress measures how long a line has been idle: a Pi that is told the time after its
    start would close every open line at once, and one whose clock is set back none for as long."""

    time = staticmethod(time.monotonic)


for each in (waitress.channel, waitress.server):
    vars(each)["time"] = _Steady


def home_sockets(settings: Config) -> tuple[list[socket.socket], int]:
    """Return the listening home sockets and their port: systemd's, or the chosen one, or 80, or the next free one."""
    # copies: who waits at the door while the house begins anew is answered after it
    handed = [socket.socket(fileno=os.dup(descriptor)) for descriptor in config.from_systemd()]
    if handed:
        for each in handed:
            each.setblocking(False)
        return handed, int(handed[0].getsockname()[1])
    ports = [settings.port] if settings.port else [80, *range(FIRST_FREE_PORT, FIRST_FREE_PORT + PORTS_TRIED)]
    for port in ports:
        if port == settings.away_port:
            continue
        try:
            return _bound(settings.host, port), port
        except OSError as error:
            why = error.strerror or str(error)
    raise Refused("Port %(port)s cannot be had (%(why)s). `--port` chooses another one.", port=ports[-1], why=why)


def away_socket(port: int) -> socket.socket | None:
    """The loopback-only port at which the family's tunnel ends; without it the house still serves at home."""
    try:
        return _listening(socket.AF_INET, "127.0.0.1", port) if port else None
    except OSError as error:
        log.warning("the away port %d cannot be had (%s): HomeCircle answers at home only", port, error.strerror)
        return None


def workers() -> Any:
    """Return the threads that serve both doors."""
    made = ThreadedTaskDispatcher()
    made.set_thread_count(SETTINGS["threads"])
    return made


def open_door(door: str, app: Any, sockets: list[socket.socket], where: dict[int, Any], dispatcher: Any) -> Any:
    """Serve an application at one door: waitress's server for these sockets, in the loop that `where` belongs to."""
    made = create_server(doors.at(door, app), map=where, _dispatcher=dispatcher, sockets=sockets, **SETTINGS)
    made.channel_class = HomeChannel if door == "home" else _AwayChannel
    return made


def is_busy(channel: Any) -> bool:
    """Say whether a request is being answered on a connection, or an answer is still going out."""
    return any(getattr(channel, each, None) for each in ("requests", "stream", "total_outbufs_len"))


class Parser(HTTPRequestParser):
    """Takes no body of more than 64 KiB before the complete headers have shown the token of a paired device."""

    door = "home"
    body_rcv: Any  # waitress's own receiver, or a `_Sink`
    sender: Pass | None = None
    free: ClassVar[Callable[[], int]]

    def parse_header(self, header_plus: bytes) -> None:
        if self.header_bytes_received < self.adj.max_request_header_size:  # else waitress parses a stand-in
            _refuse_two_readings(header_plus)
        super().parse_header(header_plus)
        is_large = self.content_length > guard.BODY_OF_STRANGERS or self.chunked
        self.sender = guard.sender(self.headers, self.door) if is_large else None
        if is_large and self.sender is None:
            self.adj = _Strict(self.adj, guard.BODY_OF_STRANGERS)
        elif is_large and not self.chunked and type(self).free() - self.content_length < LEAST:
            self.body_rcv = _Sink(self.content_length, _NoRoom())

    def received(self, data: bytes) -> int:
        try:
            return int(super().received(data))
        except OSError as error:  # a large body is spooled to the disk
            left = getattr(self.body_rcv, "remain", 0)
            told = files.refusal(error)
            if self.chunked or not left or told is None:
                raise
            self.body_rcv = _Sink(left, _NoRoom() if told.status == _NoRoom.code else _Closed())
            return int(super().received(data))


class _NoRoom(Error):
    code, reason = 507, "Insufficient Storage"
    sentence = b"Home has no space left. Reading works; writing waits until there is room again.\n"

    def __init__(self) -> None:
        super().__init__(self.sentence)

    def to_response(self, _ident: str | None = None) -> tuple[str, list[tuple[str, str]], bytes]:
        return f"{self.code} {self.reason}", [("Content-Type", "text/plain; charset=utf-8")], self.body


class _Closed(_NoRoom):
    code, reason = 503, "Service Unavailable"
    sentence = files.closed().message.encode() + b"\n"


class _Sink:
    """Takes a body that the disk could not even spool and lets it go, so that its sender can read the answer."""

    def __init__(self, length: int, told: _NoRoom) -> None:
        self._left = length
        self._told = told
        self.error: _NoRoom | None = None
        self.completed = False

    def received(self, data: bytes) -> int:
        taken = min(len(data), self._left)
        self._left -= taken
        if not self._left:
            self.error = self._told
        return taken

    def getbuf(self) -> io.BytesIO:
        return io.BytesIO()


def _refuse_two_readings(head: bytes) -> None:
    """Refuse a head that two servers could read differently (RFC 9112, 3.2.2, 5.2 and 6.1): 400, and closed."""
    first, *lines = head.split(b"\r\n")
    names = [line.partition(b":")[0].lower() for line in lines]
    both = b"content-length" in names and b"transfer-encoding" in names
    twice = any(names.count(name) > 1 for name in (b"host", b"content-length", b"transfer-encoding"))
    folded = any(line[:1] in {b" ", b"\t"} for line in lines)
    target = first.split(b" ")[1] if first.count(b" ") == 2 else b""
    if both or twice or folded or b"host" not in names or not target.startswith((b"/", b"*")) or _ODD.search(first):
        raise ParsingError("two readings")


class _Strict:
    """The settings with a smaller limit for bodies (waitress asks them piece by piece)."""

    def __init__(self, settings: Any, limit: int) -> None:
        self._settings = settings
        self.max_request_body_size = limit

    def __getattr__(self, name: str) -> Any:
        return getattr(self._settings, name)


class _AwayParser(Parser):
    door = "away"


class _Refusal(ErrorTask):
    """What waitress answers by itself (400, 413, 431) has the header set of every answer too."""

    def execute(self) -> None:
        self.response_headers.extend([*HEADERS.items(), ("Cache-Control", "no-store")])
        super().execute()


class _Stretch(NamedTuple):
    """A part of an open file, which the system itself puts on the line."""

    file: int
    at: int
    length: int


class _File(ReadOnlyFileBasedBuffer):
    """A file on its way out; one that goes as it lies on the disk is never read into this process."""

    def get(self, numbytes: int = -1, skip: bool = False) -> Any:
        if skip or type(self.file) is not io.BufferedReader:  # a film whose place is blanked
            return super().get(numbytes, skip)
        return _Stretch(self.file.fileno(), self.file.tell(), self.remain)


class _Task(WSGITask):
    """Lets the guard tell the connection for which device it answers; and is the line of a live stream."""

    def get_environment(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environment()
        environ[guard.SERVE] = self.channel.serve
        environ[streams.KEEP] = self.channel.keep
        environ["wsgi.file_wrapper"] = _File
        return environ

    def finish(self) -> None:
        """End the answer; one that is a live stream's stays open, without this thread."""
        stream = self.channel.stream
        if stream is not None and str(self.status).startswith("200"):
            self.close_on_finish = False  # HTTP/1.0 knows no other way to end an answer
            self.channel.ask_no_more()
            stream.begin(self)
            return
        if stream is not None:  # it came to nothing after all
            self.channel.stream = None
            stream.lost()
        super().finish()

    def send(self, data: bytes) -> bool:
        """More of the stream. A reader who is far behind is let go: the page comes back and asks from its cursor on."""
        if self.channel.total_outbufs_len > FAR_BEHIND:
            self.channel.will_close = True
            self.channel.server.pull_trigger()
            return False
        try:
            self.write(data)
        except ClientDisconnected:
            return False
        return True

    def end(self) -> None:
        """The stream is over: its last piece, and the line is closed once that is out."""
        self.channel.stream = None
        with contextlib.suppress(ClientDisconnected):
            super().finish()
        self.channel.close_when_flushed = True
        self.channel.server.pull_trigger()


class HomeChannel(HTTPChannel):
    parser_class = Parser
    task_class = _Task
    error_task_class = _Refusal
    serving: Pass | None = None
    stream: Stream | None = None

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        # waitress reads a buffer's worth of a file and reads again what was not taken: 740 -> 1217 MB/s (README, P11)
        self.sendbuf_len = min(self.sendbuf_len, SEND_AT_ONCE)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux: else who vanished is here for a quarter of an hour
            with contextlib.suppress(OSError):
                cast("socket.socket", self.socket).setsockopt(
                    socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, VANISHED_AFTER
                )

    def send(self, data: Any, do_close: bool = True) -> int:
        """Send what there is room for; a file by sendfile(2): 0.43x of nginx becomes 0.73x (README, P11)."""
        if not isinstance(data, _Stretch):
            return int(super().send(data, do_close=do_close))
        try:
            return os.sendfile(cast("socket.socket", self.socket).fileno(), data.file, data.at, data.length)
        except BlockingIOError:
            return 0
        except ConnectionError:
            if do_close:
                self.handle_close()
            return 0
        except OSError as error:
            if error.errno not in _NO_SENDFILE:
                raise
            piece = os.pread(data.file, min(data.length, SEND_AT_ONCE), data.at)
            return int(super().send(piece, do_close=do_close))

    def _flush_some(self, do_close: bool = True) -> bool:
        with self.outbuf_lock:  # waitress goes without where no worker is at it; but a stream is told at any time
            return bool(super()._flush_some(do_close=do_close))

    def keep(self, stream: Stream) -> None:
        """The answer that is being given is a live stream's: it stays open."""
        self.stream = stream
        if not self.connected:  # gone while it was being answered: `handle_close` has been here already
            stream.lost()

    def ask_no_more(self) -> None:
        """Forget what was asked behind the request that is being answered."""
        with self.requests_lock:
            for request in self.requests[1:]:
                request.close()
            del self.requests[1:]

    def received(self, data: bytes) -> bool:
        """Take what has come in; on an open stream nobody is asked anything any more."""
        return self.stream is None and bool(super().received(data))

    def handle_close(self) -> None:
        try:
            super().handle_close()
        finally:
            if self.stream is not None:
                self.stream.lost()

    def serve(self, me: Pass) -> None:
        """Remember for whom the answer is that begins now."""
        self.serving = me

    def service(self) -> None:
        self.serving = None
        super().service()

    def under_way(self) -> Pass | None:
        """Return for whom a body is coming in, or an answer going out."""
        coming = cast("Parser | None", self.request)
        if coming is not None and coming.sender is not None:
            return coming.sender
        return self.serving if is_busy(self) else None

    def cut(self) -> None:
        """End this connection now; what lies in the machine's own buffer is not delivered either (SO_LINGER of 0)."""
        if self.socket is not None:
            with contextlib.suppress(OSError):
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.handle_close()


class _AwayChannel(HomeChannel):
    parser_class = _AwayParser


def _bound(host: str, port: int) -> list[socket.socket]:
    """Listen on every address (IPv4, and IPv6 where the machine has it), or on the one that was named."""
    wanted = [(socket.AF_INET6 if ":" in host else socket.AF_INET, host)] if host else [
        (socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")]  # noqa: S104  the family's network is the purpose  # fmt: skip
    made: list[socket.socket] = []
    for family, address in wanted:
        try:
            made.append(_listening(family, address, port))
        except OSError:
            if family == socket.AF_INET6 and made:
                continue  # a machine without IPv6
            for each in made:
                each.close()
            raise
    return made


def _listening(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((address, port))
    except OSError:
        made.close()
        raise
    return made
