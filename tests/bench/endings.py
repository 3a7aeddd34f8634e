"""X2: what is under way when a device is signed out, over a real socket: a whole file, a ZIP, a piece of an upload."""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import sqlite3
import time
from collections.abc import Callable

from homecircle.files import Folder
from tests.bench.ground import Figure, Form, median, pause
from tests.bench.houses import Client, Server, copied, house

SIZE = 200_000_000  # bytes of the original that is fetched (a hole in the file: it needs no room)
SIP, BREATH = 16 << 10, 0.02  # a slow reader takes so many bytes in so many seconds
ALLOWED = 1.0
GIVEN_UP = 10.0  # seconds
ADMIN, GUEST = "Nora", "Juna"


def x2(form: Form) -> list[Figure]:
    """Seconds from the answer to *Sign out* to the end of what that device had under way."""
    with copied(house(20, 12, 4)) as kept:
        found = [median([ended(Server(kept), way) for _ in range(form.pick(1, 5))]) for way in WAYS]
    return [Figure("X2", f"signed out: {what} ends within", took, "s", ALLOWED)
            for what, took in zip(("a whole file", "a ZIP", "a piece of an upload"), found, strict=True)]  # fmt: skip


def ended(server: Server, way: Callable[[Server, str], socket.socket]) -> float:
    """Begin something as a guest, sign the guest's device out, and return the seconds until the connection ends."""
    with contextlib.closing(sqlite3.connect(Folder(server.kept.path).database)) as line, line:
        line.execute("UPDATE device SET revoked_at = NULL")
        item, path, device = line.execute(_GUESTS, (GUEST,)).fetchone()
        line.execute(_GIVE, (GUEST, item))  # who added it gets it as it is
    os.truncate(server.kept.path / path, SIZE)
    with server, way(server, item) as carried:
        admin = Client(server, ADMIN)
        assert _sip(carried, 0.5).startswith(b"HTTP/1.1 200" if way is not piece else b"")
        assert admin.post(f"/devices/{device}/delete") == 303
        began = time.monotonic()
        _sip(carried, GIVEN_UP)
        took = time.monotonic() - began
        admin.close()
    return took


def whole_file(server: Server, item: str) -> socket.socket:
    return _begun(server, f"GET /vault/{item}/original HTTP/1.1")


def bundle(server: Server, item: str) -> socket.socket:
    body = f"items={item}"
    return _begun(server, "POST /vault/zip HTTP/1.1", f"Content-Type: application/x-www-form-urlencoded\r\n"
                  f"Content-Length: {len(body)}\r\n", body)  # fmt: skip


def piece(server: Server, _item: str) -> socket.socket:
    """Eight MiB are announced, one is sent."""
    guest, name = Client(server, GUEST), base64.b64encode(b"beach.jpg").decode()
    tus = {"Tus_Resumable": "1.0.0", "Upload_Length": str(8 << 20), "Upload_Metadata": f"filename {name}"}
    url = guest.ask("POST", "/uploads", b"", **tus)[2]["Location"].partition(server.host)[2]
    guest.close()
    more = (f"Tus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\n"
            f"Content-Length: {8 << 20}\r\n")  # fmt: skip
    return _begun(server, f"PATCH {url} HTTP/1.1", more, "x" * (1 << 20))


WAYS = (whole_file, bundle, piece)


def _begun(server: Server, first: str, more: str = "", body: str = "") -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SIP)
    made.connect(("127.0.0.1", server.port))
    made.sendall(f"{first}\r\nHost: {server.host}\r\nOrigin: {server.origin}\r\n"
                 f"Cookie: hc_lan={server.kept.tokens[GUEST]}\r\n{more}\r\n{body}".encode())  # fmt: skip
    return made


def _sip(line: socket.socket, seconds: float) -> bytes:
    """Read slowly until the connection ends, or for so many seconds; return what came first."""
    end, first = time.monotonic() + seconds, b""
    line.settimeout(seconds)
    with contextlib.suppress(OSError):
        while time.monotonic() < end and (got := line.recv(SIP)):
            first = first or got
            pause(BREATH)
    return first


_GIVE = "UPDATE item SET member_id = (SELECT id FROM member WHERE name = ?) WHERE public_id = ?"
_GUESTS = """SELECT item.public_id, path, device.public_id FROM item JOIN original ON original.id = original_id
JOIN member ON member.name = ? JOIN device ON device.member_id = member.id
JOIN item_place ON item_id = item.id WHERE reader_id = 0 AND item.kind = 'photo' LIMIT 1"""
