"""The house on the network, in network namespaces with a real avahi-daemon as the rest of the family's LAN.

Two namespaces are joined by a cable: the announcer lives in `home`, avahi (or a rival) in `phone`. Nothing of the
machine's own network, bus or avahi is touched. Namespaces need root; without it only the unit part is collected.
"""

import json
import os
import queue
import re
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from homecircle import mdns

ROOT = Path(__file__).parents[1]
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
TOOLS = ("ip", "mount", "dbus-daemon", "avahi-daemon", "avahi-resolve", "avahi-browse")
HOME, HOME6, PHONE = "10.77.0.1", "fd77::1", "10.77.0.2"

ANNOUNCE = """
import json, logging, sys, time
logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(name)s %(message)s", level=logging.INFO)
from homecircle import mdns
def changed(name, addresses):
    print("CHANGED", json.dumps([name, addresses]), flush=True)
mdns.LOOK_EVERY = float(sys.argv[1])
house = mdns.Announcer(8080, "1.2.3", changed=changed)
begun = time.perf_counter()
house.start()
print("STARTED", time.perf_counter() - begun, flush=True)
sys.stdin.readline()
print("HOLDS", json.dumps([house.name, house.addresses]), flush=True)
begun = time.perf_counter()
house.stop()
print("STOPPED", time.perf_counter() - begun, flush=True)
"""

BRIEF = """
import threading
from homecircle import mdns
for wait in (0, 0.05, 0.6):
    house = mdns.Announcer(8080, "1.2.3")
    house.start()
    threading.Event().wait(wait)
    house.stop()
    house.stop()
    print("LEFT", threading.active_count(), house.addresses, flush=True)
print("END", flush=True)
"""

RIVAL = """
import sys
from zeroconf import ServiceInfo, Zeroconf
net = Zeroconf(interfaces=[sys.argv[1]])
net.register_service(ServiceInfo("_rival._tcp.local.", "Rival._rival._tcp.local.", port=9, server="homecircle.local.",
                                 parsed_addresses=[sys.argv[1]]), cooperating_responders=True)
print("RIVAL", flush=True)
sys.stdin.readline()
net.close()
"""

AVAHI = """[server]
host-name={name}
use-ipv4=yes
use-ipv6=yes
enable-dbus={bus}
[publish]
publish-workstation=no
"""

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={path}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/>
<allow send_destination="*"/><allow receive_sender="*"/></policy></busconfig>
"""


def until(holds: Callable[[], bool], seconds: float) -> float:
    """Ask again until it holds; the seconds it took, or a failure."""
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() - begun < seconds, f"not within {seconds} s"
        threading.Event().wait(0.1)
    return time.monotonic() - begun


class Running:
    """A process of this test, with its lines as they come."""

    def __init__(self, command: list[str], env: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command, env=env, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.lines: list[str] = []
        self._news: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            self._news.put(line.rstrip())

    def wait_for(self, pattern: str, seconds: float = 10) -> str:
        """The next line that matches."""
        end = time.monotonic() + seconds
        while True:
            try:
                line = self._news.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                pytest.fail(f"no {pattern!r} within {seconds} s in:\n" + "\n".join(self.lines))
            if re.search(pattern, line):
                return line

    def finish(self) -> None:
        """Press Enter, as it were."""
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> None:
        for sign in (signal.SIGTERM, signal.SIGKILL):
            self.process.send_signal(sign)
            try:
                self.process.wait(3)
                break
            except subprocess.TimeoutExpired:
                continue
        self._reader.join(3)
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                stream.close()


class Street:
    """Two namespaces, the cable between them, and every process started in them."""

    def __init__(self, folder: Path) -> None:
        tag = secrets.token_hex(3)
        self.folder = folder
        self.home, self.phone = f"hc-{tag}-home", f"hc-{tag}-phone"
        self.env = {"PATH": PATH, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={folder}/bus"}
        self.running: list[Running] = []

    def ip(self, *words: str) -> None:
        done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.fail(f"`ip {' '.join(words)}` is needed for these tests and failed: {done.stderr.strip()}")

    def build(self) -> None:
        for name in (self.home, self.phone):
            self.ip("netns", "add", name)
        self.ip("-n", self.phone, "link", "set", "lo", "up")

    def plug(self) -> None:
        """Lay the cable; both ends are called eth0, as in a container."""
        self.ip("-n", self.home, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", self.phone)
        for name, v4, v6 in ((self.phone, PHONE, "fd77::2"), (self.home, HOME, HOME6)):
            self.ip("-n", name, "addr", "add", f"{v4}/24", "dev", "eth0")
            self.ip("-n", name, "addr", "add", f"{v6}/64", "dev", "eth0", "nodad")
            self.ip("-n", name, "link", "set", "eth0", "up")
        show = ["ip", "-n", self.home, "-br", "link", "show", "eth0"]
        until(lambda: " UP " in subprocess.run(show, capture_output=True, text=True, check=True).stdout, 3)

    def run(self, namespace: str, *command: str) -> Running:
        one = Running(["ip", "netns", "exec", namespace, *command], self.env)
        self.running.append(one)
        return one

    def announcer(self, namespace: str = "", look_every: float = 1) -> Running:
        return self.run(namespace or self.home, sys.executable, "-c", ANNOUNCE, str(look_every))

    def avahi(self, namespace: str, name: str, bus: bool = True) -> Running:
        """A real avahi-daemon; its own /run, in the mount namespace that `ip netns exec` makes for it."""
        if bus:
            config = self.folder / "bus.conf"
            config.write_text(BUS.format(path=self.folder / "bus"))
            self.run(namespace, "dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile")
            until((self.folder / "bus").exists, 5)
        config = self.folder / f"avahi-{namespace}.conf"
        config.write_text(AVAHI.format(name=name, bus="yes" if bus else "no"))
        script = "mount -t tmpfs tmpfs /run && mkdir /run/avahi-daemon && exec avahi-daemon --no-drop-root --no-chroot"
        daemon = self.run(namespace, "sh", "-c", f"{script} --no-rlimits --no-proc-title -f {config}")
        daemon.wait_for(r"Server startup complete|Joining mDNS", 10)
        daemon.wait_for(r"Server startup complete", 10)
        return daemon

    def ask(self, *command: str) -> str:
        words = ["ip", "netns", "exec", self.phone, *command]
        try:
            return subprocess.run(words, env=self.env, capture_output=True, text=True, check=False, timeout=2).stdout
        except subprocess.TimeoutExpired:  # avahi's tools wait 5 s for an answer
            return ""

    def resolves(self, name: str, address: str) -> bool:
        answer = self.ask("avahi-resolve", "-6" if ":" in address else "-4", "-n", name).split()
        return answer == [name, address]

    def clear(self) -> None:
        for one in reversed(self.running):
            one.end()
        for name in (self.home, self.phone):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


@pytest.fixture
def street(tmp_path: Path) -> Iterator[Street]:
    missing = [tool for tool in TOOLS if not shutil.which(tool, path=PATH)]
    if missing:
        pytest.fail(f"missing on this machine: {', '.join(missing)} (iproute2, dbus, avahi-daemon, avahi-utils)")
    one = Street(tmp_path)
    try:
        one.build()
        yield one
    finally:
        one.clear()


def in_force(line: str) -> tuple[str, list[str]]:
    name, addresses = json.loads(line.split(" ", 1)[1])
    return name, addresses


class TestOnTheNetwork:
    """Against real daemons."""

    __test__ = os.geteuid() == 0

    def test_announce_is_found_by_a_phone_and_withdrawn_at_the_end(self, street: Street) -> None:
        street.plug()
        house = street.announcer()
        street.avahi(street.phone, "phone")
        assert float(house.wait_for("STARTED").split()[1]) < 0.1
        assert in_force(house.wait_for("CHANGED")) == ("homecircle.local", [HOME, HOME6])
        until(lambda: street.resolves("homecircle.local", HOME), 3)
        assert street.resolves("homecircle.local", HOME6)

        for kind in ("_homecircle._tcp", "_http._tcp"):
            found = [line for line in street.ask("avahi-browse", "-rpt", kind).splitlines() if line.startswith("=")]
            assert found
            for line in found:
                _, _, _, instance, _, _, host, address, port, text = line.split(";")
                assert (instance, host, port) == ("HomeCircle", "homecircle.local", "8080")
                assert address in (HOME, HOME6)
                assert sorted(re.findall(r'"([^"]*)"', text)) == ["path=/", "version=1.2.3"]

        watch = street.run(street.phone, "avahi-browse", "-p", "_homecircle._tcp")
        watch.wait_for(r"^\+;eth0;IPv4;HomeCircle;")
        house.finish()
        assert float(house.wait_for("STOPPED").split()[1]) < 2
        watch.wait_for(r"^-;eth0;IPv4;HomeCircle;", 4)
        assert not street.resolves("homecircle.local", HOME)

    def test_announce_takes_the_next_name_where_another_host_has_it(self, street: Street) -> None:
        street.plug()
        street.avahi(street.phone, "homecircle")
        house = street.announcer()
        assert in_force(house.wait_for("CHANGED"))[0] == "homecircle-2.local"
        until(lambda: street.resolves("homecircle-2.local", HOME), 3)
        assert street.resolves("homecircle.local", PHONE)
        assert "homecircle-2.local" in street.ask("avahi-browse", "-rpt", "_homecircle._tcp")

    def test_announce_gives_way_to_a_host_that_answers_to_the_name_later(self, street: Street) -> None:
        street.plug()
        house = street.announcer()
        street.avahi(street.phone, "phone")
        assert in_force(house.wait_for("CHANGED"))[0] == "homecircle.local"
        street.run(street.phone, sys.executable, "-c", RIVAL, PHONE).wait_for("RIVAL")
        house.wait_for(r"CHANGED .*\[\]", 8)
        assert in_force(house.wait_for("CHANGED"))[0] == "homecircle-2.local"
        until(lambda: street.resolves("homecircle-2.local", HOME), 3)

    def test_announce_of_two_houses_at_once_ends_with_two_names(self, street: Street) -> None:
        street.plug()
        both = [street.announcer(name) for name in (street.home, street.phone)]
        latest: list[str] = ["", ""]

        def parted() -> bool:
            for number, house in enumerate(both):
                told = [line for line in house.lines if line.startswith("CHANGED")]
                latest[number] = in_force(told[-1])[0] if told and in_force(told[-1])[1] else ""
            return set(latest) == {"homecircle.local", "homecircle-2.local"}

        until(parted, 15)

    def test_announce_lives_beside_an_avahi_of_the_same_host_and_name(self, street: Street) -> None:
        street.plug()
        own = street.avahi(street.home, "homecircle", bus=False)
        house = street.announcer()
        street.avahi(street.phone, "phone")
        assert in_force(house.wait_for("CHANGED"))[0] == "homecircle.local"
        until(lambda: street.resolves("homecircle.local", HOME), 3)
        until(lambda: "HomeCircle" in street.ask("avahi-browse", "-rpt", "_http._tcp"), 3)
        with pytest.raises(AssertionError, match="not within"):
            until(lambda: any("CHANGED" in line and "[]" in line for line in house.lines), 1.5)
        assert not any("conflict" in line.lower() for line in own.lines)

    def test_announce_follows_a_changed_address_within_ten_seconds(self, street: Street) -> None:
        street.plug()
        house = street.announcer(look_every=mdns.LOOK_EVERY)
        street.avahi(street.phone, "phone")
        house.wait_for("Announced")
        until(lambda: street.resolves("homecircle.local", HOME), 3)
        begun = time.monotonic()
        street.ip("-n", street.home, "addr", "del", f"{HOME}/24", "dev", "eth0")
        street.ip("-n", street.home, "addr", "add", "10.77.0.9/24", "dev", "eth0")
        until(lambda: street.resolves("homecircle.local", "10.77.0.9"), 10)
        print(f"a changed address was announced after {time.monotonic() - begun:.1f} s")
        house.finish()
        assert in_force(house.wait_for("HOLDS")) == ("homecircle.local", ["10.77.0.9", HOME6])

    def test_announce_waits_for_a_network_with_one_line(self, street: Street) -> None:
        house = street.announcer(look_every=0.5)
        house.wait_for("WARNING homecircle.mdns The house cannot be announced")
        with pytest.raises(AssertionError, match="not within"):
            until(lambda: house.process.poll() is not None, 2)
        street.plug()
        street.avahi(street.phone, "phone")
        house.wait_for("Announced", 10)
        until(lambda: street.resolves("homecircle.local", HOME), 3)
        assert len([line for line in house.lines if "WARNING" in line]) == 1
        assert not any("Traceback" in line for line in house.lines)
        house.finish()
        house.wait_for("STOPPED")

    def test_stop_leaves_nothing_open_at_whatever_moment(self, street: Street) -> None:
        street.plug()
        house = street.run(street.home, sys.executable, "-X", "dev", "-W", "error", "-c", BRIEF)
        house.wait_for("END")
        assert house.lines == ["LEFT 1 ()"] * 3 + ["END"]


def test_stop_without_start_does_nothing() -> None:
    house = mdns.Announcer(8080, "1.2.3")
    house.stop()
    assert (house.name, house.addresses) == ("homecircle.local", ())
