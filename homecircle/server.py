"""The composition root: open the database, listen, start what may come after listening, serve; stop in reverse order.

One process, waitress, two doors: the home sockets and a loopback-only one for the family's tunnel, each wrapped so that
the door of a request is the socket it came through (see `listening`).
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any

from waitress import wasyncore

from homecircle import (
    __version__,
    archive,
    backup,
    circle,
    db,
    devices,
    drafts,
    events,
    files,
    jobs,
    listening,
    members,
    trash,
)
from homecircle.archive.gathering import wished
from homecircle.archive.pile import Source
from homecircle.config import Config
from homecircle.control import Control
from homecircle.endings import Endings, Line
from homecircle.errors import Conflict, HouseError, Refused
from homecircle.files import POSTS_KEEP_FREE, Folder
from homecircle.jobs import Runner
from homecircle.network import is_loopback, told_of
from homecircle.vault import growth, previews, renditions, uploads
from homecircle.vault.decoder import Closed, Decoder
from homecircle.vault.outside import Way
from homecircle.web import create_app, reserve
from homecircle.web.doors import Doors
from homecircle.web.house import House

FIRST_PAGE = 2.0  # seconds that the first page has for itself before the timetable and mDNS are loaded (README, P17)
LOADED = 5.0  # seconds after which what comes after listening is loaded
TRIM_EVERY = 60.0  # seconds; once takes up to 3 ms
GRACE = 8.0  # seconds for what is in flight when the house is asked to stop
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
        self._hashes = threading.Event()
        self._work = _Work(self._stopping)
        self.house: House
        self.port = 0
        self._name = f"{settings.name}.local"  # until mDNS has won another
        self._runner = Runner(self._verbs())
        self.starts_again = False
        self._arrival = backup.Arrival(self.folder, self.start_again)

    def start(self) -> None:
        """Take the folder, open the database, listen. Raises `Refused` with one sentence and leaves nothing behind."""
        with ExitStack() as undo:
            self.folder.prepare(self.settings.house)
            undo.enter_context(self.folder.lock())
            self.folder.spool_requests()
            self.folder.lend()
            if backup.move_in(self.folder):
                log.info("a backup was brought back: this is the house it holds")
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
            self._endings.cut_off()
        self._wind_down()
        self._end.close()

    def stop(self) -> None:
        """Ask the house to stop; returns at once."""
        self._stopping.set()
        self._pull()

    def start_again(self) -> None:
        """Ask the house to stop and to begin anew (`serve` does that): a backup has arrived."""
        self.starts_again = True
        self.stop()

    def setup_code(self) -> dict[str, Any]:
        """Make a fresh first-run code: {"code", "link"}."""
        made = devices.offer_setup()
        return {
            "code": made.code,
            "link": f"{self.house.addresses()[0]}/setup#{made.secret}",
            "addresses": self.house.addresses(),
            "here": is_loopback(self.settings.host),
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
        room = growth.room_until(self.folder)
        return {
            "status": "ok" if self._is_well() else "degraded", "version": __version__,
            "claimed": circle.get().is_claimed, "addresses": self.house.addresses(), "data": str(self.folder.root),
            "room_until": room.isoformat() if room else "",
            "free": self.folder.free(), "total": self.folder.total(), "port": self.port,
            "streams": len(self.house.streams), "safety": [_told(state) for state in backup.states()],
            "jobs": [run._asdict() | {"began_at": run.began_at.isoformat() if run.began_at else None}
                     for run in jobs.last_runs()],
        }  # fmt: skip

    def _is_well(self) -> bool:
        return self.folder.free() > POSTS_KEEP_FREE and not db.has_failed() and not files.has_failed()

    def _listen(self, undo: ExitStack) -> None:
        home, self.port = listening.home_sockets(self.settings)
        decoder = Decoder()
        undo.callback(decoder.close)
        here = Doors(names=lambda: (self._name, *self.settings.hosts), addresses=lambda: told_of(self.settings.host),
                     away_host=lambda: circle.get().away_host, port=self.port,
                     trusted_proxies=self.settings.trusted_proxies)  # fmt: skip
        self.house = House(self.folder, decoder, here, wake_drawer=self._wake, begin=self._begin, details=self.status,
                           quota=self.settings.quota * uploads.GB, second_place=self.settings.second_place,
                           arrival=self._arrival, begin_work=self._begin_named, work=self._progress)  # fmt: skip
        undo.callback(self._arrival.stop)
        app = create_app(self.house)
        reserve.install(app)
        dispatcher = listening.workers()
        undo.callback(dispatcher.shutdown, True, 2)
        listening.Parser.free = self.folder.free
        self._doors = [listening.open_door("home", app, [each], self._map, dispatcher) for each in home]
        away = listening.away_socket(self.settings.away_port)
        if away is not None:
            self._doors.append(listening.open_door("away", app, [away], self._map, dispatcher))
        undo.callback(wasyncore.close_all, self._map)
        undo.callback(self.house.streams.close)
        self._endings = Endings(self._lines, self._pull)
        self._endings.start()
        undo.callback(self._endings.stop)

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
                "bring-back": self.bring_back,
                "import": self.bring_in,
                "import-progress": self._brought,
                "import-stop": self._stop_bringing,
            }
            control = Control(self.folder.control, {name: _connected(verb) for name, verb in verbs.items()})
            control.start()
            undo.callback(control.stop)
            self.folder.keep_ballast()
            undo.callback(self.house.bringing.stop)
            threading.Thread(target=self._draw, name="pictures", daemon=True).start()
            threading.Thread(target=self._hash, name="uploads", daemon=True).start()
            threading.Thread(target=self._preview, name="previews", daemon=True).start()
            threading.Thread(target=self._give_back, name="memory", daemon=True).start()
            undo.callback(self._wake)
            if self._stopping.wait(FIRST_PAGE):
                return
            self._runner.start()
            undo.callback(self._runner.stop)
            if self.settings.announce and not is_loopback(self.settings.host):
                self._announce(undo)
            if not self._stopping.is_set():
                self._end.push(undo.pop_all())

    def _give_back(self) -> None:
        """Hand the system what loading, the first pages and a busy hour took and need no more: 63.5 MB become 59.1."""
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's alone
        after = LOADED
        while trim is not None and not self._stopping.wait(after):
            trim(0)
            after = TRIM_EVERY

    def _verbs(self) -> dict[str, Callable[[], object]]:
        return {
            "sweep-uploads": lambda: (uploads.sweep(self.folder), drafts.sweep()),
            "forget-guesses": devices.forget_guesses,
            "truncate-log": db.truncate_log,
            "forget": lambda: backup.forget(self.folder, self.settings.second_place),
            "purge": lambda: trash.purge(self.folder),
            "keep-ballast": self.folder.keep_ballast,
            "backup": lambda: backup.nightly(self.folder, self.settings.second_place, self._go_on),
            "scrub": self._scrub,
            "drill": lambda: _proven(backup.drill(
                self.folder, self.settings.second_place, self.house.decoder, self._go_on)),
        }  # fmt: skip

    def _scrub(self) -> None:
        try:
            _proven(backup.scrub(self.folder, self.settings.second_place, self._go_on))
        finally:
            self._pictures.set()  # what could be read after all

    def back_up(self, to: str = "") -> dict[str, Any]:
        """Begin a backup (in `to`, or where the nightly one goes); `backup-progress` tells how it goes."""
        place, second = Path(to) if to else None, self.settings.second_place

        def verb(watch: backup.Watch) -> list[backup.Backup]:
            return backup.by_hand(self.folder, place, second, watch)

        return self._begin_work("backup", verb, job="" if to else "backup")

    def _begin_named(self, what: str) -> None:
        """What a page asks for: 'backup' or 'drill'."""
        if what == "backup":
            self.back_up()
        else:
            self._begin_work("drill", self._drill, job="drill")

    def _begin_work(self, what: str, verb: Callable[[backup.Watch], list[Any]], job: str = "") -> dict[str, Any]:
        if self._work.is_busy:
            raise Conflict("Something is under way already. Please try again when it is done.")
        self._work = _Work(self._stopping, what)
        threading.Thread(target=self._work.do, name=what, args=(verb, job)).start()
        return {}

    def _drill(self, watch: backup.Watch) -> list[backup.Backup]:
        _proven(backup.drill(self.folder, self.settings.second_place, self.house.decoder, watch))
        return []

    def _progress(self) -> dict[str, Any]:
        return self._work.told

    def bring_in(self, path: str, handed: int = -1, **wish: Any) -> dict[str, Any]:
        """Begin to bring `path` in (which may be `handed` open); `import-progress` tells how it goes."""
        self.house.bringing.begin(wished(Source(Path(path), handed), **wish))
        return {}

    def bring_back(self, path: str) -> dict[str, Any]:
        """Begin to make an empty house the one that was taken out; `begun` is false where somebody lives in it."""
        if members.roster():
            return {"begun": False}
        self._begin_work("bring-back", lambda watch: [self._bring_back(Path(path), watch)])
        return {"begun": True}

    def _bring_back(self, path: Path, watch: backup.Watch) -> archive.Returned:
        made = archive.bring_back(self.folder, path, watch)
        self._pictures.set()
        return made

    def _brought(self) -> dict[str, Any]:
        told = self.house.bringing.told() or {}
        return told | {"failed": str(told.get("failed") or "")}

    def _stop_bringing(self) -> dict[str, Any]:
        self.house.bringing.stop()
        return {}

    def _go_on(self, _done: int, _whole: int) -> None:
        _refuse_when(self._stopping)

    def _begin(self, job: str) -> None:
        self._runner.begin(job)

    def _run_job(self, job: str) -> dict[str, Any]:
        if job not in self._verbs():
            raise Refused(
                "There is no job '%(job)s'. The timetable has: %(jobs)s.", job=job, jobs=", ".join(self._verbs())
            )
        return {"outcome": self._runner.run(job)}

    def _draw(self) -> None:
        """Draw pictures as they come, and first those that waited when the house went down."""
        self._work_off(self._pictures, lambda: renditions.draw_next(self.folder, self.house.decoder))

    def _preview(self) -> None:
        """Ask the pages of links for their previews; while an admin has not turned that on, none ever waits."""
        self._work_off(previews.waiting, lambda: previews.fetch_next(self.folder, self.house.decoder, Way()))

    def _work_off(self, bell: threading.Event, verb: Callable[[], bool]) -> None:
        """Do it as long as there is more, whenever the bell rings; one that fails does not keep the next from it."""
        while not self._stopping.is_set():
            bell.clear()
            try:
                with db.connection():
                    while not self._stopping.is_set() and verb():
                        pass
            except Closed:
                return
            except Exception:
                log.exception("%s: one of them failed", threading.current_thread().name)
                self._stopping.wait(5.0)
                bell.set()
            bell.wait()

    def _hash(self) -> None:
        """Hash what came before a restart, and finish the uploads that were complete (see `vault.uploads`)."""
        self._work_off(self._hashes, self._catch_up)

    def _catch_up(self) -> bool:
        with contextlib.suppress(Refused):  # the house stops
            if uploads.catch_up(self.folder, lambda: _refuse_when(self._stopping)):
                self._pictures.set()
            drafts.fill()
        return False

    def _wake(self) -> None:
        self._hashes.set()
        self._pictures.set()
        previews.waiting.set()

    def _announce(self, undo: ExitStack) -> None:
        from homecircle.mdns import Announcer  # brings asyncio: a tenth of what is loaded before the first page

        announcer = Announcer(self.port, __version__, self.settings.name, self._moved)
        announcer.start()
        undo.callback(announcer.stop)

    def _moved(self, name: str, addresses: tuple[str, ...]) -> None:
        self._name = name
        if addresses:
            log.info("now at %s, %s", name, ", ".join(addresses))
        self.house.doors.forget()

    def _lines(self) -> list[Line]:
        return [each for each in list(self._map.values()) if isinstance(each, listening.HomeChannel)]

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
        while time.monotonic() < end and any(listening.is_busy(each) for each in list(self._map.values())):
            wasyncore.loop(timeout=0.1, map=self._map, use_poll=True, count=1)


class _Work:
    """What somebody asked for (a backup, a drill, a house that comes back), in a thread of its own: see `told`."""

    def __init__(self, stopping: threading.Event, what: str = "") -> None:
        self._stopping = stopping
        self.is_busy = bool(what)
        self.told: dict[str, Any] = {
            "what": what, "done": 0, "whole": 0, "finished": not what, "failed": "", "made": []}  # fmt: skip

    def do(self, verb: Callable[[backup.Watch], list[Any]], job: str = "") -> None:
        """Run the verb to its end, whatever that is; written down like the `job` that it stands for."""
        error, made = "", list[Any]()
        began, clock = db.now(), time.monotonic()
        try:
            with db.connection():
                made = verb(self._watch)
        except HouseError as refusal:
            error = str(refusal)
        except Exception as bug:
            log.exception("what a command asked for failed")
            error = f"That failed ({type(bug).__name__}). It has been written down in HomeCircle's log."
        told = [{name: str(each) if isinstance(each, Path) else each for name, each in one._asdict().items()}
                for one in made]  # fmt: skip
        if job:
            jobs.note(job, began, time.monotonic() - clock, error or "ok")
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
    if server.starts_again:  # the same process anew, with the sockets that systemd has handed it
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606  no shell is wanted


def _connected(verb: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Give a command's thread a connection of its own."""

    def run(**arguments: Any) -> dict[str, Any]:
        with db.connection():
            return verb(**arguments)

    return run
