"""The composition root: open the database, listen, start what may come after listening, serve; stop in reverse order.

One process, waitress, two doors: the home sockets and a loopback-only one for the family's tunnel, each wrapped so that
the door of a request is the socket it came through. The settings are those that measurement decided (BARS.md).
"""

from __future__ import annotations

import logging
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import FrameType
from typing import Any

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import create_server
from waitress.task import ThreadedTaskDispatcher

from homecircle import __version__, circle, config, db, devices, events, vault
from homecircle.config import Config
from homecircle.control import Control
from homecircle.errors import Refused
from homecircle.files import Folder
from homecircle.jobs import Runner
from homecircle.mdns import Announcer, lan_addresses
from homecircle.vault import uploads
from homecircle.vault.decoder import Closed, Decoder
from homecircle.web import create_app, doors, guard
from homecircle.web.doors import Doors
from homecircle.web.house import House

FIRST_FREE_PORT = 8080
PORTS_TRIED = 20
GRACE = 8.0  # seconds for what is in flight when the house is asked to stop
SETTINGS: dict[str, Any] = {
    "threads": 48, "recv_bytes": 262144, "outbuf_high_watermark": 1 << 20, "channel_request_lookahead": 1,
    "asyncore_use_poll": True, "connection_limit": 400, "channel_timeout": 30, "cleanup_interval": 5,
    "max_request_body_size": 64 << 20, "max_request_header_size": 16 << 10, "ident": None, "expose_tracebacks": False,
    "clear_untrusted_proxy_headers": False,
}  # fmt: skip
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
        self.house: House
        self.port = 0

    def start(self) -> None:
        """Take the folder, open the database, listen. Raises `Refused` with one sentence and leaves nothing behind."""
        with ExitStack() as undo:
            self.folder.prepare(self.settings.house)
            undo.enter_context(self.folder.lock())
            db.open_file(self.folder.database)
            undo.callback(db.close_file)
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
            "status": "ok" if self.folder.free() > 0 else "degraded", "version": __version__,
            "claimed": circle.get().is_claimed, "addresses": self.house.addresses(), "data": str(self.folder.root),
            "free": self.folder.free(), "total": self.folder.total(), "streams": self.house.streams,
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
        dispatcher = ThreadedTaskDispatcher()
        dispatcher.set_thread_count(SETTINGS["threads"])
        undo.callback(dispatcher.shutdown, True, 2)
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
            }
            control = Control(self.folder.control, {name: _connected(verb) for name, verb in verbs.items()})
            control.start()
            undo.callback(control.stop)
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
        }

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

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)  # type: ignore[no-untyped-call]
        is_large = self.content_length > guard.BODY_OF_STRANGERS or self.chunked
        if is_large and not guard.knows_token(self.headers, self.door):
            self.adj = _Strict(self.adj, guard.BODY_OF_STRANGERS)


class _Strict:
    """The settings with a smaller limit for bodies (waitress asks them piece by piece)."""

    def __init__(self, settings: Any, limit: int) -> None:
        self._settings = settings
        self.max_request_body_size = limit

    def __getattr__(self, name: str) -> Any:
        return getattr(self._settings, name)


class _AwayParser(_Parser):
    door = "away"


class _HomeChannel(HTTPChannel):
    parser_class = _Parser


class _AwayChannel(HTTPChannel):
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
