"""The addresses of this machine that are worth telling a phone, and the network interfaces that carry them."""

from __future__ import annotations

import contextlib
import ipaddress
import itertools
import re
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import ifaddr

# What is not the family's network: loopback, bridges and cables of containers and virtual machines, tunnels.
# A bridge that a person made (br0, vmbr0) is one; docker names its own br- and twelve hexadecimal digits.
NOT_LAN = re.compile(
    r"lo\d*$|br-[0-9a-f]{12}$|docker|veth|virbr|vnet|lxcbr|lxdbr|incusbr|podman|cni|flannel|cali|kube"
    r"|tailscale|nordlynx|wg|tun|utun|tap|ppp|zt|ifb|dummy"
)
ASLEEP = {"down", "lowerlayerdown", "notpresent", "dormant"}  # RFC 2863 operational states that carry no packets
PRIVATE = tuple(ipaddress.ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
UNIQUE_LOCAL = ipaddress.ip_network("fc00::/7")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Link(NamedTuple):
    """An interface of this machine as it stands now."""

    number: int  # the kernel's, so that a dongle pulled and put back counts as another
    name: str
    addresses: tuple[Address, ...]


def lan_addresses() -> tuple[str, ...]:
    """The addresses of this machine that are worth telling a phone, best first; () without a network.

    Private IPv4 (RFC 1918), then other IPv4, self-assigned IPv4, unique local IPv6, other IPv6; within a kind the one
    that leads to the default route first. Left out: link-local IPv6 (useless without a zone), interfaces without a
    carrier, and those named in NOT_LAN. Reads the kernel's tables, sends nothing, takes well under 2 ms.
    """
    return worth_telling(lan(links()))


def told_of(host: str) -> tuple[str, ...]:
    """The addresses to tell of a house that listens at `host` ('' or a wildcard: at every address of this machine)."""
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host).is_unspecified:
            host = ""
    return (host,) if host else lan_addresses() or ("127.0.0.1",)


def is_loopback(host: str) -> bool:
    """Say whether only this very machine reaches `host`."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def links() -> tuple[Link, ...]:
    """Every interface of this machine; () where the kernel does not tell."""
    try:
        adapters = list(ifaddr.get_adapters())
    except OSError:
        return ()
    return tuple(
        Link(
            adapter.index or 0,
            adapter.name,
            tuple(ipaddress.ip_address(ip.ip if isinstance(ip.ip, str) else ip.ip[0]) for ip in adapter.ips),
        )
        for adapter in adapters
    )


def lan(links: Iterable[Link]) -> tuple[Link, ...]:
    """Those of them that lead to the family's network and are awake."""
    return tuple(link for link in links if not NOT_LAN.match(link.name) and _awake(link.name))


def _awake(name: str) -> bool:
    """Whether packets can pass; an unplugged cable keeps its addresses, but nobody reaches them."""
    try:
        state = Path("/sys/class/net", name.partition(":")[0], "operstate").read_text("ascii")
    except OSError:
        return True
    return state.strip() not in ASLEEP


def worth_telling(links: Iterable[Link]) -> tuple[str, ...]:
    """Their addresses that a phone can reach, best first: see `lan_addresses`."""
    first = _leads_out()
    found = {address for link in links for address in link.addresses if not _only_here(address)}
    return tuple(str(one) for one in sorted(found, key=lambda one: (_kind(one), str(one) != first, int(one))))


def _only_here(address: Address) -> bool:
    return address.is_loopback or (address.version == 6 and address.is_link_local)


def _kind(address: Address) -> int:
    if isinstance(address, ipaddress.IPv6Address):
        return 3 if address in UNIQUE_LOCAL else 4
    if any(address in network for network in PRIVATE):
        return 0
    return 2 if address.is_link_local else 1


def _leads_out() -> str:
    """The address packets to the outside would carry, or ''. Connecting a datagram socket sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))  # RFC 5737: an address for documentation
        except OSError:
            return ""
        return str(probe.getsockname()[0])


def packed(links: Iterable[Link]) -> frozenset[bytes]:
    """Their addresses as they stand in a packet."""
    return frozenset(one.packed for one in itertools.chain.from_iterable(link.addresses for link in links))
