"""What this machine tells of its addresses, on interfaces of every kind."""

from __future__ import annotations

import ipaddress
import subprocess
import sys

import pytest

from homecircle import network


def link(name: str, *addresses: str) -> network.Link:
    return network.Link(1, name, tuple(ipaddress.ip_address(one) for one in addresses))


def test_lan_addresses_come_best_first() -> None:
    links = [
        link("eth0", "2a01:db8::5", "fe80::1", "fd12::5", "169.254.7.7", "127.0.0.1"),
        link("wlan0", "100.64.0.9", "192.168.1.5", "::1"),
    ]
    assert network.worth_telling(links) == ("192.168.1.5", "100.64.0.9", "169.254.7.7", "fd12::5", "2a01:db8::5")


@pytest.mark.parametrize(
    "name", ["lo", "docker0", "br-0123456789ab", "veth1a2b3c", "virbr0", "tailscale0", "wg0", "tun0", "cni0"]
)
def test_lan_addresses_leave_out_what_no_phone_reaches(name: str) -> None:
    assert network.lan([link(name, "172.17.0.1")]) == ()


@pytest.mark.parametrize("name", ["eth0", "wlan0", "enp3s0", "br0", "vmbr0", "bond0", "end0"])
def test_lan_addresses_keep_the_interfaces_of_a_home(name: str) -> None:
    assert not network.NOT_LAN.match(name)


def test_the_server_listens_before_zeroconf_and_asyncio_are_loaded() -> None:
    script = "import sys; from homecircle import server; print({'zeroconf', 'asyncio'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_house_at_one_address_tells_of_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "lan_addresses", lambda: ("192.168.1.5",))
    assert [network.told_of(host) for host in ("", "0.0.0.0", "::")] == [("192.168.1.5",)] * 3  # noqa: S104  wildcards
    assert network.told_of("127.0.0.1") == ("127.0.0.1",)
    assert network.told_of("192.168.7.7") == ("192.168.7.7",)
    assert [network.is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "192.168.1.5", "")] == [
        True, True, True, False, False]  # fmt: skip
