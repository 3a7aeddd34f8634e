"""The one child process that opens hostile bytes: its limits, time-outs and restarts.

The parent sends the bytes of a file through a pipe and gets the drawings back through another; both sides speak frames
of a fixed head, a little JSON and a body, so that the parent never unpickles or decodes what a hijacked child may say,
and checks every number and name in it. A film is not sent: the child asks for the few ranges it wants to see, and
their number, their bytes and the time are counted on this side too. The child

* is a fresh interpreter, not a fork: it has none of the server's memory, sockets and environment;
* does not even import the nouns of the house (`homecircle.vault` brings the database), see _PROGRAM;
* runs at nice 19, loads its libraries, then locks itself in: 768 MiB, no core, no file or socket ever again
  (RLIMIT_NOFILE 0 leaves the open pipes alone), no new privileges, 15 s of processor for each picture;
* gets the first byte of a picture only after it said that it is locked in;
* is given ten seconds of *processor* for a picture: on a busy machine, at nice 19, a good picture may lie for minutes
  without a turn. What had none within `BUSY` is `Busy`: the machine's fault, to be tried again, not the picture's;
* ends at the end of its input, so with its parent (PR_SET_PDEATHSIG would end it with the *thread* that started it),
  after a minute without work, and after 50 pictures.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import resource
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from homecircle.errors import HouseError
from homecircle.vault import answers, cleaning, images, videos
from homecircle.vault.answers import BLANK, DRAWN_LIMIT, Died
from homecircle.vault.images import Picture, Undrawable
from homecircle.vault.videos import Film

MIB = 1 << 20
INPUT_LIMIT = 64 * MIB
TOLD_LIMIT = 16 << 10  # the JSON of one answer
PICTURES_PER_CHILD = 50
PATIENCE = 10.0  # seconds of processor for one picture (of the wall's clock where a system does not tell)
BUSY = 120.0  # seconds on the wall's clock after which nobody waits for a starved child any more
IDLE = 60.0  # seconds without work after which the child ends

MEMORY, PROCESSOR, FILE_SIZE = 768 * MIB, 15, 20 * MIB  # bytes, seconds a picture, bytes
LOCKED = b"locked in"
ASK = struct.Struct(">cQ")  # verb, length of the body
ANSWER = struct.Struct(">IQ")  # length of the JSON, length of the body; no JSON: a range of that length is wanted, and
WANTED = struct.Struct(">Q")  # its offset follows
PIECE = 1 << 18
LOOK = 0.2  # seconds between two looks how much processor the child has had


class Closed(Exception):
    """The decoder was closed meanwhile: nothing is known about the picture, which stays pending."""


class Busy(HouseError):
    """The machine had no time for the child: nothing is known about the picture, a later try may well draw it."""

    status = 503


def _no_turn() -> Busy:
    return Busy("Home is very busy at the moment. Please try again in a few minutes.")


class Unreadable(OSError):
    """The disk does not give the file's bytes."""


class _TooSlow(Exception):
    """No answer in time."""


# --- The parent -----------------------------------------------------------------------------------------------------

# Stands in for the packages, so that their __init__ (database, web) is never run in the child: it starts in half the
# time and has nothing of the house in its memory.
_PROGRAM = """
import sys, types
for name, folder in zip(("homecircle", "homecircle.vault"), sys.argv[1:3]):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [folder]
from homecircle.vault import decoder
decoder.child(float(sys.argv[3]))
"""
_VAULT = Path(__file__).resolve().parent


class Decoder:
    """Draws one picture after the other, from any thread; the child is started when there is work."""

    def __init__(self, patience: float = PATIENCE, idle: float = IDLE, busy: float = BUSY) -> None:
        self._patience, self._idle, self._busy = patience, idle, busy
        self._turn = threading.Lock()
        self._child: _Child | None = None
        self._closed = False

    def draw(self, path: Path) -> Picture:
        """What is in the picture, and its drawings. Raises Undrawable with one of images.REASONS, Busy, Closed,
        OSError."""
        with self._asked(b"d", path) as (child, told, length):
            body = BytesIO()
            child.take(length, body.write, DRAWN_LIMIT + images.PREVIEW_LIMIT)
            return answers.picture(told, body.getvalue())

    def clean(self, path: Path, out: IO[bytes]) -> int:
        """Write a copy without place, serials and names to `out`; the number of bytes. Where it fails midway, `out`
        holds a part. Raises Undrawable, Busy, Closed, OSError."""
        # not for ever: a page that waits holds one of the server's workers
        with self._asked(b"c", path, self._busy) as (child, told, length):
            if told != {"cleaned": True}:
                raise Died
            child.take(length, out.write, INPUT_LIMIT + PIECE)
            return length

    def probe(self, path: Path) -> Film:
        """What the film is, of any size: only a few ranges of it are read. Raises Undrawable with one of
        images.REASONS, Busy, Closed, OSError."""
        with self._asked(b"p", path) as (child, told, length):
            body = BytesIO()
            child.take(length, body.write, videos.BLANKS_LIMIT * BLANK.size)
            return answers.film(told, body.getvalue(), path.stat().st_size)

    def close(self) -> None:
        """End the child at once, also in the middle of a picture; whoever waits for that one gets Closed."""
        self._closed = True
        child = self._child
        if child is not None:
            child.end()
        with self._turn, contextlib.suppress(Closed):
            self._drop()

    @contextlib.contextmanager
    def _asked(self, verb: bytes, path: Path, wait: float = -1) -> Iterator[tuple[_Child, dict[str, Any], int]]:
        """Ask, and hold the turn until the caller has taken the body. A child that does not behave is ended."""
        with self._in_turn(wait), _opened(path) as source:
            try:
                told, length = self._answer(verb, source)
                child = self._child
                if child is None:
                    raise Died
                if set(told) == {"refused"} and told["refused"] in images.REASONS:
                    raise Undrawable(told["refused"])
                yield child, told, length
            except _TooSlow:
                self._drop()
                raise Undrawable("too_slow") from None
            except Died:
                reason = self._drop()
                raise Undrawable(reason) from None
            except Undrawable:
                raise
            except BaseException:  # nobody takes the rest of the body any more: the next answer would start in it
                self._drop()
                raise

    @contextlib.contextmanager
    def _in_turn(self, wait: float) -> Iterator[None]:
        """Wait for the ones before, at most `wait` seconds (-1: as long as it takes)."""
        if not self._turn.acquire(timeout=wait):
            raise _no_turn()
        try:
            yield
        finally:
            self._turn.release()

    def _answer(self, verb: bytes, source: IO[bytes]) -> tuple[dict[str, Any], int]:
        """A picture before may have hurt the child, or it just ended of idleness: then a fresh one tries again."""
        size = os.fstat(source.fileno()).st_size
        if size > INPUT_LIMIT and verb != b"p":
            raise Undrawable("too_large")
        child = self._ready()
        if child.served:
            try:
                return child.ask(verb, source, size)
            except Died:
                self._drop()
                source.seek(0)
                child = self._ready()
        return child.ask(verb, source, size)

    def _ready(self) -> _Child:
        if self._closed:
            raise Closed
        child = self._child
        if child is not None and (child.served >= PICTURES_PER_CHILD or child.process.poll() is not None):
            self._drop()
            child = None
        if child is None:
            child = self._child = _Child(self._idle, self._patience, self._busy)
        if self._closed:
            self._drop()
        return child

    def _drop(self) -> str:
        """End the child and say what that means for the picture."""
        child, self._child = self._child, None
        code = child.end() if child is not None else 0
        if child is not None:
            child.shut()
        if self._closed:
            raise Closed
        return "too_slow" if code == -signal.SIGXCPU else "crashed"


@contextlib.contextmanager
def _reading() -> Iterator[None]:
    """What goes wrong in here is the file's: Unreadable."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unreadable(error.errno, error.strerror) from error


def _opened(path: Path) -> IO[bytes]:
    with _reading():
        return path.open("rb")


class _Child:
    """The pipes to one child. Raises _TooSlow when it is too slow, Busy when it has no turn, Died when it is gone or
    talks nonsense."""

    def __init__(self, idle: float, patience: float, busy: float) -> None:
        self.served = 0
        self._patience, self._busy = patience, busy
        self.process = subprocess.Popen(  # noqa: S603 - our own interpreter, our own words
            [sys.executable, "-I", "-c", _PROGRAM, str(_VAULT.parent), str(_VAULT), str(idle)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"MALLOC_ARENA_MAX": "1"},  # nothing of ours; an arena for each thread would eat the address space
            cwd="/",
            bufsize=0,
        )
        if self.process.stdin is None or self.process.stdout is None:
            raise Died
        self._to, self._from = self.process.stdin, self.process.stdout
        os.set_blocking(self._to.fileno(), False)
        os.set_blocking(self._from.fileno(), False)
        # takes the exit status as soon as there is one, so that an idle house holds no zombie
        threading.Thread(target=self.process.wait, name="decoder-child", daemon=True).start()
        self._begin(busy)

    def ask(self, verb: bytes, source: IO[bytes], size: int) -> tuple[dict[str, Any], int]:
        """Send one file; the child's words about it and the length of the body that follows."""
        if not self.served:
            self._begin(self._busy)
            if self._read(len(LOCKED)) != LOCKED:
                raise Died
        self._begin(self._patience)
        self.served += 1
        self._write(ASK.pack(verb, size))
        if verb != b"p":
            self._send(source, 0, size)
        words, length = ANSWER.unpack(self._read(ANSWER.size))
        ranges = total = 0
        while not words:
            at, ranges, total = *WANTED.unpack(self._read(WANTED.size)), ranges + 1, total + length
            is_right = verb == b"p" and 0 < length <= videos.RANGE_LIMIT and at + length <= size
            if not is_right or ranges > videos.RANGES_LIMIT or total > videos.BYTES_LIMIT:
                raise Died
            self._send(source, at, length)
            words, length = ANSWER.unpack(self._read(ANSWER.size))
        return self._told(words), length

    def _send(self, source: IO[bytes], at: int, length: int) -> None:
        with _reading():
            source.seek(at)
        while length:
            with _reading():
                piece = source.read(min(PIECE, length))
            if not piece:
                raise Died  # the file grew shorter under us: the child would wait for ever
            self._write(piece)
            length -= len(piece)

    def _told(self, words: int) -> dict[str, Any]:
        if words > TOLD_LIMIT:
            raise Died
        try:
            told = json.loads(self._read(words))
        except (ValueError, RecursionError):
            raise Died from None
        if not isinstance(told, dict):
            raise Died
        return told

    def take(self, length: int, sink: Callable[[bytes], object], limit: int) -> None:
        """Pass the body on, piece by piece."""
        if length > limit:
            raise Died
        while length:
            piece = self._read(min(length, PIECE))
            sink(piece)
            length -= len(piece)

    def end(self) -> int:
        """Kill it if it still runs; its exit code. May be called from another thread than the one that asks."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            if self._gone() is None:
                self.process.kill()
                self.process.wait(5)
        return self.process.returncode or 0

    def shut(self) -> None:
        """Close the pipes; only by the thread whose turn it is."""
        self._to.close()
        self._from.close()

    def _gone(self) -> int | None:
        """A child that hung up is about to end by itself: its own exit code tells why."""
        poll = select.poll()
        poll.register(self._from.fileno(), 0)
        if not poll.poll(0):
            return self.process.poll()
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.process.wait(0.5)
        return None

    def _begin(self, processor: float) -> None:
        """From now on it may use so many seconds of processor."""
        self._began, self._most = time.monotonic(), math.inf
        with contextlib.suppress(OSError):  # it has just ended: the pipe will say so
            self._most = self._processor() + processor

    def _processor(self) -> float:
        """Seconds of processor that the child has had (clock_getcpuclockid(3) of another process); else the wall's.

        Raises `OSError` for one that has ended.
        """
        return time.clock_gettime(~self.process.pid << 3 | 2) if sys.platform == "linux" else time.monotonic()

    def _await(self, fd: int, event: int) -> None:
        poll = select.poll()
        poll.register(fd, event)
        while True:
            is_ready = poll.poll(LOOK * 1000)
            if time.monotonic() - self._began > self._busy:
                raise _no_turn()
            if is_ready:
                return
            with contextlib.suppress(OSError):
                if self._processor() > self._most:
                    raise _TooSlow

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self._await(self._to.fileno(), select.POLLOUT)
            with contextlib.suppress(BlockingIOError):
                try:
                    rest = rest[os.write(self._to.fileno(), rest) :]
                except BrokenPipeError:
                    raise Died from None

    def _read(self, length: int) -> bytes:
        out = bytearray()
        while len(out) < length:
            self._await(self._from.fileno(), select.POLLIN)
            piece = os.read(self._from.fileno(), length - len(out))
            if not piece:
                raise Died
            out += piece
        return bytes(out)


# --- The child ------------------------------------------------------------------------------------------------------


def child(idle: float) -> None:
    """The life of the child: lock itself in, then a picture for each request until its input ends."""
    images.load()
    _lock_in()
    sys.stdout.buffer.write(LOCKED)
    sys.stdout.buffer.flush()
    # select, not poll: poll() counts its descriptors against RLIMIT_NOFILE
    while select.select([0], [], [], idle)[0]:
        head = _whole(ASK.size)
        if len(head) < ASK.size:
            return
        verb, size = ASK.unpack(head)
        _renew_processor()
        told, parts = _probed(size) if verb == b"p" else _done(verb, _whole(size))
        words = json.dumps(told).encode()
        sys.stdout.buffer.write(ANSWER.pack(len(words), sum(map(len, parts))) + words)
        for part in parts:
            sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()


def _whole(size: int) -> bytes:
    """Exactly that many bytes, or fewer at the end of the input; held in memory only once."""
    whole = BytesIO()
    left = size
    while left:
        piece = os.read(0, min(left, PIECE))
        if not piece:
            break
        whole.write(piece)
        left -= len(piece)
    return whole.getvalue()


def _done(verb: bytes, data: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """(what to say, what to send along)"""
    try:
        if verb == b"c":
            return {"cleaned": True}, [cleaning.cleaned(data)]
        picture = images.draw(data)
    except Undrawable as refused:
        return {"refused": refused.reason}, []
    except MemoryError:
        return {"refused": "too_large"}, []
    told = asdict(picture)
    parts = [told["preview"], *(one["data"] for one in told["drawings"])]
    told["preview"] = len(picture.preview)
    for one in told["drawings"]:
        one["data"] = len(one["data"])
    return told, parts


def _probed(size: int) -> tuple[dict[str, Any], list[bytes]]:
    """(what to say, what to send along) of a film that stays where it is"""
    try:
        film = videos.probe(_fetched, size)
    except Undrawable as refused:
        return {"refused": refused.reason}, []
    except MemoryError:
        return {"refused": "too_large"}, []
    blanks = None if film.blanks is None else len(film.blanks)
    return asdict(film) | {"blanks": blanks}, [b"".join(BLANK.pack(*each) for each in film.blanks or ())]


def _fetched(offset: int, length: int) -> bytes:
    """Ask the parent for a range of the film."""
    sys.stdout.buffer.write(ANSWER.pack(0, length) + WANTED.pack(offset))
    sys.stdout.buffer.flush()
    data = _whole(length)
    if len(data) < length:
        raise SystemExit  # the parent is gone
    return data


def _lock_in() -> None:
    """From here on: bounded memory, no core file, no file, no socket, no program with more rights. On other systems
    than Linux some limits do not exist; there the others have to do."""
    os.nice(19)
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: FILE_SIZE,
        resource.RLIMIT_AS: MEMORY,
        resource.RLIMIT_NOFILE: 0,
    }
    if sys.platform == "linux":
        import ctypes

        no_new_privileges = 38  # PR_SET_NO_NEW_PRIVS, linux/prctl.h
        if ctypes.CDLL(None, use_errno=True).prctl(no_new_privileges, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")
    for limit, most in limits.items():
        try:
            resource.setrlimit(limit, (most, most))
        except (ValueError, OSError):
            if sys.platform == "linux":
                raise


def _renew_processor() -> None:
    """The limit counts the whole life of the process, so each picture moves it on."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + 1 + PROCESSOR
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))
