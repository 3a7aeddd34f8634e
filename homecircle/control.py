"""The socket by which commands ask a running server: ``<data>/control.sock``, 0600, one JSON line each way.

Only without a server does a command take the folder's lock itself, as the folder's owner, so that nothing in the folder
ever belongs to root.

A command may hand an open file or folder through with its question (SCM_RIGHTS, unix(7)), so that the server reads a
USB stick which only the one who typed the command may open. The verb that takes `handed` closes it, unless it refuses.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from homecircle.errors import HouseError, Refused

PATIENCE = 600.0  # seconds a command waits for its answer
LINE_LIMIT = 1 << 20
Verb = Callable[..., dict[str, Any]]
log = logging.getLogger("homecircle.control")


class Control:
    """Answers commands for one running server. A verb gets keyword arguments and returns what JSON can say."""

    def __init__(self, path: Path, verbs: Mapping[str, Verb]) -> None:
        path.unlink(missing_ok=True)
        with _short(path) as name:
            before = os.umask(0o177)
            try:
                self._server = _Server(name, _Asked)
            finally:
                os.umask(before)
        self._server.verbs = verbs
        self._path = path
        self._thread = threading.Thread(target=self._server.serve_forever, name="control", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and take the socket away."""
        self._server.shutdown()
        self._server.server_close()
        with contextlib.suppress(OSError):  # a disk that is closed to writing; the next start takes it away
            self._path.unlink(missing_ok=True)


def ask(path: Path, verb: str, /, handed: int = -1, **arguments: object) -> dict[str, Any] | None:
    """Ask the running server; None when none runs. Raises `Refused` with the server's own sentence.

    `handed` is a descriptor that the server gets its own copy of.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(PATIENCE)
        try:
            with _short(path) as name:
                line.connect(name)
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except PermissionError:
            raise Refused("Only the account that runs HomeCircle (or root) may do this. Try it with sudo.") from None
        asked = json.dumps({"verb": verb, **arguments}).encode() + b"\n"
        sent = socket.send_fds(line, [asked], [handed]) if handed >= 0 else 0
        if rest := asked[sent:]:  # nothing at all, sent to one who has answered and gone, is a broken pipe, too
            line.sendall(rest)
        with line.makefile("rb") as answers:
            answer = json.loads(answers.readline(LINE_LIMIT) or b'{"error": "HomeCircle stopped before it answered."}')
    if "error" in answer:
        raise Refused("%(why)s", why=answer["error"])
    return dict(answer)


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    verbs: Mapping[str, Verb]


class _Asked(socketserver.StreamRequestHandler):
    handed = -1

    def _line(self) -> bytes:
        """The question; what is handed comes with its first bytes."""
        first, handed, _, _ = socket.recv_fds(self.request, LINE_LIMIT, 1)
        self.handed = handed[0] if handed else -1
        return first if first.endswith(b"\n") or not first else first + self.rfile.readline(LINE_LIMIT)

    def handle(self) -> None:
        try:
            asked = json.loads(self._line())
            server = self.server
            assert isinstance(server, _Server)  # noqa: S101  for the type checker; there is no other
            verb = server.verbs[asked.pop("verb")]
            answer = verb(**asked, **({"handed": self.handed} if self.handed >= 0 else {}))
            self.handed = -1  # the verb's, since it has not refused
        except HouseError as error:
            answer = {"error": str(error)}
        except (ValueError, KeyError, TypeError, AttributeError):
            answer = {"error": "This HomeCircle does not know that command. Is it another version?"}
        except Exception:
            log.exception("a command failed")
            answer = {"error": "Something went wrong. It has been written down in HomeCircle's log."}
        finally:
            if self.handed >= 0:
                os.close(self.handed)
        with contextlib.suppress(BrokenPipeError):
            self.wfile.write(json.dumps(answer).encode() + b"\n")


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name for the socket within the 108 bytes that unix(7) allows, also in a deep folder."""
    if len(os.fsencode(path)) < 100:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
