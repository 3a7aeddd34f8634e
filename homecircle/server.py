"""The composition root: open the database, listen, start what may come after listening, serve; stop in reverse order.

One process, waitress, two doors: the home sockets and a loopback-only one for the family's tunnel, each wrapped so that
the door of a request is the socket it came through. The settings are those that measurement decided (BARS.md).
"""

from __future__ import annotations

import io
import logging
import re
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import create_server
from waitress.task import ErrorTask, ThreadedTaskDispatcher
from waitress.utilities import Error

from homecircle import __version__, backup, circle, config, db, devices, events, vault
from homecircle.config import Config
from homecircle.control import Control
from homecircle.errors import Conflict, HouseError, Refused
from homecircle.files import LEAST, POSTS_KEEP_FREE, Folder
from homecircle.jobs import Runner
from homecircle.mdns import Announcer, lan_addresses
from homecircle.vault import uploads
from homecircle.vault.decoder import Closed, Decoder
from homecircle.web import HEADERS, create_app, doors, guard, reserve
from homecircle.web.doors import Doors
from homecircle.web.house import House

FIRST_FREE_PORT = 8080
PORTS_TRIED = 20
SEND_AT_ONCE = 256 << 10  # bytes
GRACE = 8.0  # seconds for what is in flight when the house is asked to stop
SETTINGS: dict[str, Any] = {
    "threads": 48, "recv_bytes": 262144, "outbuf_high_watermark": 1 << 20, "channel_request_lookahead": 1,
    "asyncore_use_poll": True, "connection_limit": 400, "channel_timeout": 30, "cleanup_interval": 5,
    "max_request_body_size": 64 << 20, "max_request_header_size": 16 << 10, "ident": None, "expose_tracebacks": False,
    "clear_untrusted_proxy_headers": False,
}  # fmt: skip
_ODD = re.compile(rb"[\x00-\x1f\x7f]")
log = logging.getLogger("homecircle")


class Server:
    """One running house. `start` returns when it listens; `run` serves until `stop` is called (from any thread)."""

    def __init__(self, settings: Config) -> None:
        self.settings = settings
        self.folder = Folder(settings.data)
        self._end = ExitStack()
        self._map: dict[int, Any] = {}
        self._stopping = threading.Event()
        self._pictures = threading.Event()
        self._work = _Work(self._stopping)
        self.house: House
        self.port = 0

    def start(self) -> None:
        """Take the folder, open the database, listen. Raises `Refused` with one sentence and leaves nothing behind."""
        with ExitStack() as undo:
            self.folder.prepare(self.settings.house)
            undo.enter_context(self.folder.lock())
            self.folder.spool_requests()
            self.folder.lend()
            undo.enter_context(db.before_writing(self.folder.lend))
            db.open_file(self.folder.database)
            undo.callback(db.close_file)
            undo.callback(self.folder.lend)  # the last close brings the log into the file
            events.close(False)
            self._listen(undo)
            self._end = undo.pop_all()
        threading.Thread(target=self._settle_in, name="settle in", daemon=True).start()

    def run(self) -> None:
        """Serve until stopped; then answer what is in flight, for at most `GRACE` seconds, and close in reverse."""
        while not self._stopping.is_set():
            wasyncore.loop(timeout=1.0, map=self._map, use_poll=True, count=1)
        self._wind_down()
        self._end.close()

    def stop(self) -> None:
        """Ask the house to stop; returns at once."""
        self._stopping.set()
        self._pull()

    def setup_code(self) -> dict[str, Any]:
        """Make a fresh first-run code: {"code", "link"}."""
        made = devices.offer_setup()
        return {
            "code": made.code,
            "link": f"{self.house.addresses()[0]}/setup#{made.secret}",
            "addresses": self.house.addresses(),
        }

    def recover(self) -> dict[str, Any]:
        """Make a one-time code that makes a device an admin's: {"code", "link"}."""
        made = devices.offer_recovery()
        return {
            "code": made.code,
            "link": f"{self.house.canonical()}/join#{made.secret}",
            "addresses": self.house.addresses(),
        }

    def status(self) -> dict[str, Any]:
        """What `homecircle status` and an admin's /healthz show."""
        return {
            "status": "ok" if self.folder.free() > POSTS_KEEP_FREE else "degraded", "version": __version__,
            "claimed": circle.get().is_claimed, "addresses": self.house.addresses(), "data": str(self.folder.root),
            "free": self.folder.free(), "total": self.folder.total(), "streams": self.house.streams, "port": self.port,
            "safety": [_told(state) for state in backup.states()],
        }  # fmt: skip

    def _listen(self, undo: ExitStack) -> None:
        home, self.port = _home_sockets(self.settings)
        decoder = Decoder()
        undo.callback(decoder.close)
        self.announcer = Announcer(self.port, __version__, self.settings.name, self._moved)
        here = Doors(names=lambda: (self.announcer.name, *self.settings.hosts), addresses=_addresses,
                     away_host=lambda: circle.get().away_host, port=self.port,
                     trusted_proxies=self.settings.trusted_proxies)  # fmt: skip
        self.house = House(self.folder, decoder, here, wake_drawer=self._pictures.set, details=self.status)
        app = create_app(self.house)
        reserve.install(app)
        dispatcher = ThreadedTaskDispatcher()
        dispatcher.set_thread_count(SETTINGS["threads"])
        undo.callback(dispatcher.shutdown, True, 2)
        _Parser.free = self.folder.free
        self._doors = [_open_door("home", app, [each], self._map, dispatcher) for each in home]
        away = _away_socket(self.settings.away_port)
        if away is not None:
            self._doors.append(_open_door("away", app, [away], self._map, dispatcher))
        undo.callback(wasyncore.close_all, self._map)

    def _settle_in(self) -> None:
        """What may come after listening, each failing soft: the control socket, pictures, jobs, mDNS."""
        with ExitStack() as undo:
            verbs: dict[str, Callable[..., dict[str, Any]]] = {
                "setup-code": self.setup_code,
                "recover": self.recover,
                "status": self.status,
                "run": self._run_job,
                "backup": self.back_up,
                "backup-progress": self._progress,
            }
            control = Control(self.folder.control, {name: _connected(verb) for name, verb in verbs.items()})
            control.start()
            undo.callback(control.stop)
            self.folder.keep_ballast()
            threading.Thread(target=self._draw, name="pictures", daemon=True).start()
            undo.callback(self._pictures.set)
            self._runner = Runner(self._verbs())
            self._runner.start()
            undo.callback(self._runner.stop)
            if self.settings.announce:
                self.announcer.start()
                undo.callback(self.announcer.stop)
            if not self._stopping.is_set():
                self._end.push(undo.pop_all())

    def _verbs(self) -> dict[str, Callable[[], object]]:
        return {
            "sweep-uploads": lambda: uploads.sweep(self.folder),
            "forget-guesses": devices.forget_guesses,
            "truncate-log": db.truncate_log,
            "keep-ballast": self.folder.keep_ballast,
            "backup": lambda: backup.nightly(self.folder, self.settings.second_place, self._go_on),
            "scrub": lambda: _proven(backup.scrub(self.folder, self.settings.second_place, self._go_on)),
            "drill": lambda: _proven(backup.drill(
                self.folder, self.settings.second_place, self.house.decoder, self._go_on)),
        }  # fmt: skip

    def back_up(self, to: str = "") -> dict[str, Any]:
        """Begin a backup (in `to`, or where the nightly one goes); `backup-progress` tells how it goes."""
        if self._work.is_busy:
            raise Conflict("A backup is being made already.")
        self._work = _Work(self._stopping)
        self._work.is_busy = True
        place, second = Path(to) if to else None, self.settings.second_place
        threading.Thread(target=self._work.do, name="backup",
                         args=(lambda watch: backup.by_hand(self.folder, place, second, watch),)).start()  # fmt: skip
        return {}

    def _progress(self) -> dict[str, Any]:
        return self._work.told

    def _go_on(self, _done: int, _whole: int) -> None:
        _refuse_when(self._stopping)

    def _run_job(self, job: str) -> dict[str, Any]:
        if job not in self._verbs():
            raise Refused(
                "There is no job '%(job)s'. The timetable has: %(jobs)s.", job=job, jobs=", ".join(self._verbs())
            )
        return {"outcome": self._runner.run(job)}

    def _draw(self) -> None:
        """Draw pictures as they come, and first those that waited when the house went down."""
        while not self._stopping.is_set():
            self._pictures.clear()
            try:
                with db.connection():
                    while not self._stopping.is_set() and vault.draw_next(self.folder, self.house.decoder):
                        pass
            except Closed:
                return
            except Exception:
                log.exception("drawing a picture failed")
                self._stopping.wait(5.0)
                self._pictures.set()
            self._pictures.wait()

    def _moved(self, name: str, addresses: tuple[str, ...]) -> None:
        if addresses:
            log.info("now at %s, %s", name, ", ".join(addresses))
        self.house.doors.forget()

    def _pull(self) -> None:
        for door in getattr(self, "_doors", ()):
            door.trigger.pull_trigger()

    def _wind_down(self) -> None:
        for door in self._doors:
            door.accepting = False
            door.del_channel()
            door.socket.close()
        events.close()
        end = time.monotonic() + GRACE
        while time.monotonic() < end and any(_is_busy(each) for each in list(self._map.values())):
            wasyncore.loop(timeout=0.1, map=self._map, use_poll=True, count=1)


class _Work:
    """A backup that a command asked for, in a thread of its own; `told` is what the command hears of it."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping
        self.is_busy = False
        self.told: dict[str, Any] = {"done": 0, "whole": 0, "finished": False, "failed": "", "made": []}

    def do(self, verb: Callable[[backup.Watch], list[backup.Backup]]) -> None:
        """Run the verb to its end, whatever that is."""
        error, made = "", list[backup.Backup]()
        try:
            with db.connection():
                made = verb(self._watch)
        except HouseError as refusal:
            error = str(refusal)
        except Exception as bug:
            log.exception("a backup failed")
            error = f"The backup failed ({type(bug).__name__}). It has been written down in HomeCircle's log."
        told = [each._asdict() | {"path": str(each.path)} for each in made]
        self.told = self.told | {"finished": True, "failed": error, "made": told}
        self.is_busy = False

    def _watch(self, done: int, whole: int) -> None:
        _refuse_when(self._stopping)
        self.told = self.told | {"done": done, "whole": whole}


def _refuse_when(stopping: threading.Event) -> None:
    if stopping.is_set():
        raise Refused("HomeCircle was stopped before this was done.")


def _proven(problems: list[str]) -> None:
    if problems:
        raise Refused("%(why)s", why=" ".join(problems[:20]))


def _told(state: backup.State) -> dict[str, Any]:
    good = state.good_at.isoformat() if state.good_at else None
    return state._asdict() | {"tried_at": state.tried_at.isoformat(), "good_at": good}


def serve(settings: Config, ready: Callable[[Server], None]) -> None:
    """Run one house in the foreground until SIGTERM or SIGINT; `ready` is called once it listens."""
    server = Server(settings)
    server.start()

    def asked_to_stop(_signal: int, _frame: FrameType | None) -> None:
        server.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, asked_to_stop)
    ready(server)
    server.run()


class _Parser(HTTPRequestParser):
    """Takes no body of more than 64 KiB before the complete headers have shown the token of a paired device."""

    door = "home"
    free: ClassVar[Callable[[], int]]

    def parse_header(self, header_plus: bytes) -> None:
        if self.header_bytes_received < self.adj.max_request_header_size:  # else waitress parses a stand-in
            _refuse_two_readings(header_plus)
        super().parse_header(header_plus)  # type: ignore[no-untyped-call]
        is_large = self.content_length > guard.BODY_OF_STRANGERS or self.chunked
        if is_large and not guard.knows_token(self.headers, self.door):
            self.adj = _Strict(self.adj, guard.BODY_OF_STRANGERS)
        elif is_large and not self.chunked and type(self).free() - self.content_length < LEAST:
            self.body_rcv = _Sink(self.content_length)  # type: ignore[assignment]


class _NoRoom(Error):
    code, reason = 507, "Insufficient Storage"

    def __init__(self) -> None:
        super().__init__(b"Home has no space left. Reading works; writing waits until there is room again.\n")  # type: ignore[no-untyped-call]

    def to_response(self, _ident: str | None = None) -> tuple[str, list[tuple[str, str]], bytes]:
        return f"{self.code} {self.reason}", [("Content-Type", "text/plain; charset=utf-8")], self.body


class _Sink:
    """Takes a body that the full disk could not even spool and lets it go, so that its sender can read the answer."""

    def __init__(self, length: int) -> None:
        self._left = length
        self.error: _NoRoom | None = None
        self.completed = False

    def received(self, data: bytes) -> int:
        taken = min(len(data), self._left)
        self._left -= taken
        if not self._left:
            self.error = _NoRoom()
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


class _AwayParser(_Parser):
    door = "away"


class _Refusal(ErrorTask):
    """What waitress answers by itself (400, 413, 431) has the header set of every answer too."""

    def execute(self) -> None:
        self.response_headers.extend([*HEADERS.items(), ("Cache-Control", "no-store")])
        super().execute()  # type: ignore[no-untyped-call]


class _HomeChannel(HTTPChannel):
    parser_class = _Parser
    error_task_class = _Refusal

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)  # type: ignore[no-untyped-call]
        # waitress reads a buffer's worth of a file and reads again what was not taken: 740 -> 1217 MB/s (BARS.md P11)
        self.sendbuf_len = min(self.sendbuf_len, SEND_AT_ONCE)


class _AwayChannel(_HomeChannel):
    parser_class = _AwayParser


def _open_door(door: str, app: Any, sockets: list[socket.socket], where: dict[int, Any], dispatcher: Any) -> Any:
    made = create_server(doors.at(door, app), map=where, _dispatcher=dispatcher, sockets=sockets, **SETTINGS)
    made.channel_class = _HomeChannel if door == "home" else _AwayChannel
    return made


def _home_sockets(settings: Config) -> tuple[list[socket.socket], int]:
    """Return the listening home sockets and their port: systemd's, or the chosen one, or 80, or the next free one."""
    handed = [socket.socket(fileno=descriptor) for descriptor in config.from_systemd()]
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


def _away_socket(port: int) -> socket.socket | None:
    """The loopback-only port at which the family's tunnel ends; without it the house still serves at home."""
    try:
        return _listening(socket.AF_INET, "127.0.0.1", port) if port else None
    except OSError as error:
        log.warning("the away port %d cannot be had (%s): HomeCircle answers at home only", port, error.strerror)
        return None


def _addresses() -> tuple[str, ...]:
    return lan_addresses() or ("127.0.0.1",)


def _connected(verb: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Give a command's thread a connection of its own."""

    def run(**arguments: Any) -> dict[str, Any]:
        with db.connection():
            return verb(**arguments)

    return run


def _is_busy(channel: Any) -> bool:
    return bool(getattr(channel, "requests", None) or getattr(channel, "total_outbufs_len", 0))
