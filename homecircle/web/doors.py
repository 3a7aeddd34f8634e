"""Which door a request came through: the listening socket, never a header.

`server` wraps the application once for each listening socket and names its door there. Home answers to its own names
and addresses, followed as they change; away answers to the one away host alone. Any other Host gets 421 with help and
no data. Forwarded headers are believed at the away door from a configured proxy only, right-most address;
elsewhere they are ignored, never refused. No privilege ever follows from a source address.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

DOOR = "homecircle.door"
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass(slots=True)
class Doors:
    """What the doors answer to. `addresses` is asked at each unknown Host, so a changed address needs no restart."""

    names: Callable[[], Iterable[str]]
    addresses: Callable[[], Iterable[str]]
    away_host: Callable[[], str]
    port: int = 80
    trusted_proxies: tuple[str, ...] = ()
    _known: set[str] = field(default_factory=set)

    def knows(self, door: str, host: str) -> bool:
        """Say whether a Host header may be answered at `door`.

        Upper case, a trailing dot and a port are parts of the same name; another port is another place.
        """
        name, port = split_host(host)
        if not name:
            return False
        if door == "away":
            away_name, away_port = split_host(self.away_host())
            return bool(away_name) and name == away_name and port in {away_port, None}
        if port != self.port and not (port is None and self.port == 80):
            return False
        if name in self._known:
            return True
        self._known = LOOPBACK | {_bare(each) for each in (*self.names(), *self.addresses())}
        return name in self._known

    def forget(self) -> None:
        """Ask for names and addresses anew at the next request (mDNS calls it when they change)."""
        self._known = set()

    def client(self, environ: WSGIEnvironment) -> tuple[str, str]:
        """Return (client address, scheme) as this door may believe them."""
        peer, door = environ.get("REMOTE_ADDR", ""), environ[DOOR]
        if door == "home":
            return peer, "http"
        # The tunnel ends at our loopback port and speaks https outside; cookies and links follow that.
        if not self._is_trusted(peer):
            return peer, "https"
        return _rightmost(environ.get("HTTP_X_FORWARDED_FOR", "")) or peer, "https"

    def _is_trusted(self, peer: str) -> bool:
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        return any(address in ipaddress.ip_network(each) for each in self.trusted_proxies)


def at(door: str, application: WSGIApplication) -> WSGIApplication:
    """Wrap the application for the sockets of one door."""

    def through(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ[DOOR] = door
        return application(environ, start_response)

    return through


def split_host(host: str) -> tuple[str, int | None]:
    """Return (name in small letters without brackets and trailing dot, port or None); ('', None) for what is no host.

    Written by hand because Flask's TRUSTED_HOSTS refuses IPv6, capitals and trailing dots.
    """
    text = host.strip().lower()
    name, colon, port = text.rpartition(":")
    if text.endswith("]") or not colon:
        name, port = text, ""
    if port and not (port.isascii() and port.isdigit() and len(port) <= 5):
        return "", None
    if ":" in name and not (name.startswith("[") and name.endswith("]")):
        return "", None
    return _bare(name.strip("[]").removesuffix(".")), int(port) if port else None


def _bare(name: str) -> str:
    """One spelling for each name and address."""
    try:
        return str(ipaddress.ip_address(name.lower().partition("%")[0]))
    except ValueError:
        return name.lower().removesuffix(".")


def _rightmost(forwarded: str) -> str:
    """The address that our own proxy saw; whatever stands left of it was written by the client."""
    try:
        return str(ipaddress.ip_address(forwarded.rpartition(",")[2].strip()))
    except ValueError:
        return ""


def marker(environ: dict[str, Any]) -> str:
    """Return the door of a request."""
    return str(environ.get(DOOR, "home"))
