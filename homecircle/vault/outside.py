"""The one way out of the house: fetch a page or a picture of a stranger without reaching anything at home.

A link is written by a member, but what stands behind it (names, redirects, bytes) is chosen by whoever made it, who
would like this house to ask its router, its neighbours or itself. So

* http and https, ports 80 and 443, no name and password; a host is a whole name or a plain address, never a number in
  another spelling, never a name of the house (``.local``, ``localhost``, one without a dot);
* every address of a name must be public, none of a range that stands for another one (mapped, 6to4, Teredo, NAT64) and
  none of the networks this machine itself stands in; one that was checked is connected to, and asked again who it is;
* three redirects at most, each looked at like the first; no proxy of the environment, no cookie, no referrer;
* five seconds and half a mebibyte for it all, counted after unpacking, however slowly it drips.

No database. `Way` holds what tests replace: names, the line, what counts as public, whom TLS trusts.
"""

from __future__ import annotations

import contextlib
import io
import queue
import re
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from http.client import HTTPException, HTTPResponse
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import NamedTuple, cast
from urllib.parse import quote, urljoin, urlsplit

LIMIT = 512 << 10  # bytes, unpacked
HEAD_LIMIT = 128 << 10  # bytes of headers and of the seams between chunks
PATIENCE = 5.0  # seconds for names, lines, redirects and bytes together
ONE_LINE = 2.0  # seconds for one address of several
REDIRECTS = 3
ADDRESSES = 4  # of a name that are tried
PORTS = {"http": 80, "https": 443}
URL_LIMIT = 2000  # characters
AGENT = "HomeCircle link preview"
MOVED = frozenset({301, 302, 303, 307, 308})
# RFC 6761, 6762, 7686, 8375, 9476, and what routers call their own network
HOME_NAMES = ("localhost", "local", "internal", "home.arpa", "lan", "home", "localdomain", "onion", "alt", "test",
              "invalid", "example")  # fmt: skip
# What the registries of special addresses (RFC 6890 and after it) set aside: Python's `is_global` misses a third of it.
_SET_ASIDE = tuple(map(ip_network, (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
    "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
    "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3ffe::/16", "3fff::/20",
)))  # fmt: skip
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})  # RFC 5214, 6.1: an IPv4 address follows
_NEIGHBOURS = {4: 24, 6: 56}  # what one house or one street gets from its provider
_WIDE = {4: 8, 6: 32}  # a direct route this wide is a tunnel to everywhere, no neighbourhood


class Unreachable(Exception):
    """It was not fetched; the words say why (for the log: they never hold the address)."""


class Found(NamedTuple):
    """What was fetched: where it was in the end, its media type and charset ('' when not said), its first bytes."""

    url: str
    media_type: str
    charset: str
    body: bytes
    is_whole: bool


class _Place(NamedTuple):
    scheme: str
    host: str
    port: int
    target: str


def is_public(text: str) -> bool:
    """Say whether an address belongs to the public Internet, by the registries alone."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        is_odd = address.scope_id is not None or (int(address) >> 32) & 0xFFFFFFFF in _ISATAP
        if is_odd or address not in _GLOBAL_UNICAST:
            return False
    return address.is_global and not any(address in each for each in _SET_ASIDE if each.version == address.version)


def is_outside(text: str) -> bool:
    """Say whether an address is public and none of this machine's own or of the networks it stands in."""
    if not is_public(text):
        return False
    address = ip_address(text)
    side = _own_side(address)
    if side is not None and address in ip_network((side, _NEIGHBOURS[address.version]), strict=False):
        return False
    return not any(address in each for each in _direct_networks() if each.version == address.version)


def _resolve(host: str, port: int) -> list[str]:
    """Every address of a name (the dot: never a name of the own network's search list)."""
    return [str(each[4][0]) for each in socket.getaddrinfo(f"{host}.", port, type=socket.SOCK_STREAM)]


def _connect(address: str, port: int, seconds: float) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    line = socket.socket(family, socket.SOCK_STREAM)
    try:
        line.settimeout(seconds)
        line.connect((address, port))
    except BaseException:
        line.close()
        raise
    return line


@dataclass(frozen=True, slots=True)
class Way:
    """How the outside is reached."""

    resolve: Callable[[str, int], list[str]] = _resolve
    connect: Callable[[str, int, float], socket.socket] = _connect
    is_outside: Callable[[str], bool] = is_outside
    trust: Callable[[], ssl.SSLContext] = ssl.create_default_context


def fetch(url: str, media_types: frozenset[str], way: Way) -> Found:
    """Fetch one of `media_types` by the rules above; raises `Unreachable` for everything else."""
    deadline = time.monotonic() + PATIENCE
    for _ in range(REDIRECTS + 1):
        try:
            answer = _ask(url, media_types, deadline, way)
        except (OSError, HTTPException, ValueError, zlib.error) as error:
            raise Unreachable(type(error).__name__) from error
        if isinstance(answer, Found):
            return answer
        url = answer
    raise Unreachable("it leads on and on")


def _ask(url: str, media_types: frozenset[str], deadline: float, way: Way) -> Found | str:
    """Ask one address: what it is, or where it leads to."""
    place = _place(url)
    line = _line(place, deadline, way)
    try:
        if place.scheme == "https":
            line.settimeout(_left(deadline))
            line = way.trust().wrap_socket(line, server_hostname=place.host)
        line.settimeout(_left(deadline))
        line.sendall(_words(place))
        response = HTTPResponse(cast("socket.socket", _Ear(line, deadline)), method="GET")
        response.begin()
        if response.status in MOVED:
            return urljoin(url, response.headers.get("Location") or "nowhere:")
        media_type = response.headers.get_content_type()
        if response.status != 200 or media_type not in media_types:
            raise Unreachable(f"it answered {response.status} {media_type[:40]}")
        body, is_whole = _body(response)
        return Found(url, media_type, str(response.headers.get_content_charset() or ""), body, is_whole)
    finally:
        line.close()


def _place(url: str) -> _Place:
    """Take an address apart; `Unreachable` for what is none of the outside."""
    parts = urlsplit(url)
    if len(url) > URL_LIMIT or parts.scheme not in PORTS or "@" in parts.netloc:
        raise Unreachable("it is no address of the web")
    port = PORTS[parts.scheme] if parts.port is None else parts.port
    if port not in PORTS.values():
        raise Unreachable("it names an odd port")
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
    query = "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~?") if parts.query else ""
    return _Place(parts.scheme, _host(parts.hostname or "", "[" in parts.netloc), port, path + query)


def _host(host: str, is_bracketed: bool) -> str:
    """A whole name in ASCII, or a plain address."""
    if is_bracketed:
        return str(IPv6Address(host))
    name = host[:253].encode("idna").decode("ascii").lower().removesuffix(".")
    last = name.rpartition(".")[2]
    if re.fullmatch(r"\d+|0x[0-9a-f]*", last):  # by the URL standard such a name is a number, in whatever spelling
        if str(IPv4Address(name)) != name:
            raise Unreachable("it is an address in an odd spelling")
        return name
    is_name = re.fullmatch(r"(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)+[a-z0-9-]+", name)
    if not is_name or any(f".{name}".endswith(f".{each}") for each in HOME_NAMES):
        raise Unreachable("it is no name of the outside")
    return name


def _line(place: _Place, deadline: float, way: Way) -> socket.socket:
    """A line to a checked address of the place."""
    for address in _addresses(place, deadline, way):
        try:
            line = way.connect(address, place.port, min(ONE_LINE, _left(deadline)))
        except OSError:
            continue
        with contextlib.ExitStack() as undo:
            undo.callback(line.close)
            peer = str(line.getpeername()[0])
            if ip_address(peer) != ip_address(address) or not way.is_outside(peer):
                raise Unreachable("somebody else answered")
            undo.pop_all()
        return line
    raise Unreachable("nobody answered")


def _addresses(place: _Place, deadline: float, way: Way) -> list[str]:
    with contextlib.suppress(ValueError):
        found = [str(ip_address(place.host))]
        return _checked(found, way)
    return _checked(_named(place, deadline, way), way)


def _checked(found: list[str], way: Way) -> list[str]:
    if not found or not all(way.is_outside(each) for each in found):
        raise Unreachable("it does not lie outside")
    return list(dict.fromkeys(found))[:ADDRESSES]


def _named(place: _Place, deadline: float, way: Way) -> list[str]:
    """Ask for the addresses of a name, in a thread that is left behind when it takes too long (it knows no limit)."""
    told: queue.SimpleQueue[list[str]] = queue.SimpleQueue()

    def look() -> None:
        try:
            told.put(way.resolve(place.host, place.port))
        except (OSError, UnicodeError):
            told.put([])

    threading.Thread(target=look, name="names", daemon=True).start()
    try:
        return told.get(timeout=_left(deadline))
    except queue.Empty:
        raise Unreachable("its name is not told in time") from None


def _words(place: _Place) -> bytes:
    host = f"[{place.host}]" if ":" in place.host else place.host
    host += "" if place.port == PORTS[place.scheme] else f":{place.port}"
    lines = (f"GET {place.target} HTTP/1.1", f"Host: {host}", f"User-Agent: {AGENT}", "Accept: text/html, image/*",
             "Accept-Encoding: gzip", "Connection: close", "", "")  # fmt: skip
    return "\r\n".join(lines).encode("ascii")


def _body(response: HTTPResponse) -> tuple[bytes, bool]:
    """At most `LIMIT` bytes, unpacked, and whether that is all of it."""
    packing = response.headers.get("Content-Encoding", "identity").strip().lower()
    if packing not in {"identity", "gzip", "x-gzip", ""}:
        raise Unreachable("it is packed in an odd way")
    unpack = zlib.decompressobj(31) if "gzip" in packing else None
    body = bytearray()
    while len(body) <= LIMIT and (piece := response.read1(1 << 14)):
        body += unpack.decompress(piece, LIMIT + 1 - len(body)) if unpack else piece
    return bytes(body[:LIMIT]), len(body) <= LIMIT


class _Ear(io.RawIOBase):
    """Hears a line until its deadline and no more than it should, whatever the pace; stands in for the socket."""

    def __init__(self, line: socket.socket, deadline: float) -> None:
        self._line, self._deadline = line, deadline
        self._most = LIMIT + HEAD_LIMIT

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what BufferedReader gives
        if self._most <= 0:
            raise Unreachable("it says too much")
        self._line.settimeout(_left(self._deadline))
        heard = self._line.recv_into(buffer)
        self._most -= heard
        return heard


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise Unreachable("it takes too long")
    return left


def _own_side(address: IPv4Address | IPv6Address) -> str | None:
    """The address of this machine from which that one would be reached (connecting a UDP socket sends nothing)."""
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as side:
        side.connect((str(address), 9))
        return str(side.getsockname()[0])
    return None


def _direct_networks() -> tuple[IPv4Network | IPv6Network, ...]:
    return _networks(_lines("route"), _lines("ipv6_route"))


def _lines(name: str) -> str:
    path = Path("/proc/net") / name
    return path.read_text(encoding="ascii") if path.exists() else ""


@lru_cache(4)
def _networks(table4: str, table6: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """The networks that Linux reaches without a router, from its routing tables (proc(5), proc_net(5))."""
    found: list[IPv4Network | IPv6Network] = []
    for fields in (line.split() for line in table4.splitlines()[1:]):
        if fields[2] == "00000000":
            where, mask = (IPv4Address(bytes.fromhex(fields[at])[::-1]) for at in (1, 7))
            found.append(ip_network(f"{where}/{mask}", strict=False))
    for fields in (line.split() for line in table6.splitlines()):
        if int(fields[4], 16) == 0:
            found.append(ip_network((bytes.fromhex(fields[0]), int(fields[1], 16)), strict=False))
    return tuple(each for each in found if each.prefixlen >= _WIDE[each.version])
