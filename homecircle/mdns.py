"""Announce and withdraw the house on the network, failing soft (mDNS, RFC 6762, and DNS-SD, RFC 6763).

While an Announcer runs, `homecircle.local` answers with this machine's LAN addresses, and the services `_http._tcp`
and `_homecircle._tcp` carry the instance name "HomeCircle" and a TXT record of `path` and `version`: no family name,
no name of a person.

Rules of this noun:
- A name is asked for before it is taken; taken by another host means `-2`, `-3` and so on. zeroconf probes the names
  of services only, so the name of the host is asked for here. An answer that holds nothing but addresses of this
  machine is no conflict: its own avahi-daemon may well answer to the same name.
- Who hears another host answer to the name later waits a moment, asks again and gives way if the other is still there.
  The house with the higher address waits longer, so that of two houses that noticed each other only one leaves.
- The addresses are looked at every few seconds. Whenever they changed, everything is opened anew: zeroconf's own
  rescan cannot rejoin an interface whose only address was exchanged for another, since the kernel still holds the
  membership it made through the old one.
- No network, no multicast: one warning, and looking goes on. A small computer boots before its Wi-Fi is there.
"""

import asyncio
import contextlib
import ipaddress
import logging
import secrets
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from homecircle import network

# zeroconf is imported in the thread that needs it: the server listens first and loads the rest afterwards.
if TYPE_CHECKING:
    from zeroconf import RecordUpdateListener, ServiceInfo
    from zeroconf._dns import DNSRecord

LOOK_EVERY = 4.0  # seconds; with asking (1.8 s) and probing (0.8 s) a new address is announced well within 10 s
ASK_PAUSES = (0.2, 0.25, 0.35, 0.75)  # seconds after each question; RFC 6762 6 lets an answer given lately wait 1 s
GIVE_WAY_AFTER = {"lower": 0.5, "higher": 4.0}  # seconds; the lower has asked (1.8 s) and left before the higher asks
STOP_WITHIN = 2.0  # seconds
NAMES_TRIED = 20
JOIN_TRIES = 3  # looks; a fresh IPv6 address cannot be bound until the kernel has checked it for duplicates
SERVICES = ("_http._tcp.local.", "_homecircle._tcp.local.")
INSTANCE = "HomeCircle"
A, AAAA, IN, QUERY = 1, 28, 1, 0  # RFC 1035 3.2.2, RFC 3596

log = logging.getLogger(__name__)


class Announcer:
    """Holds the house's name on the network from start() to stop(), in one daemon thread of its own.

    port, version: what the services tell.  wanted: the host's name without `.local`.
    changed: called from the announcer's thread with (name, addresses) whenever what is in force has changed;
    the addresses are () while nothing is announced.
    """

    def __init__(
        self,
        port: int,
        version: str,
        wanted: str = "homecircle",
        changed: Callable[[str, tuple[str, ...]], None] | None = None,
    ) -> None:
        self._port = port
        self._version = version
        self._wanted = wanted
        self._changed = changed
        self._in_force: tuple[str, tuple[str, ...]] = (f"{wanted}.local", ())
        self._grumbled = False
        self._voice: _Voice | None = None
        self._heard_on: tuple[network.Link, ...] = ()
        self._given_up = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._life: asyncio.Task[None] | None = None
        self._thread: threading.Thread | None = None

    @property
    def name(self) -> str:
        """The name in force, such as 'homecircle-2.local'; the wanted one until a name has been won."""
        return self._in_force[0]

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses the name answers with, best first; () while nothing is announced."""
        return self._in_force[1]

    def start(self) -> None:
        """Begin to announce; returns at once and never raises for the network's sake."""
        if self._thread is not None:
            return
        self._loop = asyncio.new_event_loop()
        self._life = self._loop.create_task(self._live())
        self._thread = threading.Thread(target=self._run, args=(self._loop, self._life), name="mdns", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Say goodbye (RFC 6762 10.1) and end the thread; returns after 2 s at the latest, done or not."""
        thread, self._thread = self._thread, None
        if thread is None or self._loop is None or self._life is None:
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed: the thread has ended by itself
            self._loop.call_soon_threadsafe(self._life.cancel)
        thread.join(STOP_WITHIN)

    def _run(self, loop: asyncio.AbstractEventLoop, life: asyncio.Task[None]) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(life)
        except asyncio.CancelledError:
            pass
        except Exception:
            log.exception("The house is no longer announced on the network")
        finally:
            with contextlib.suppress(TimeoutError):
                loop.run_until_complete(asyncio.wait_for(self._leave(), STOP_WITHIN * 0.75))
            loop.close()

    async def _live(self) -> None:
        from zeroconf import Error

        # zeroconf warns, with tracebacks, about every interface that comes or goes; the line that counts is ours.
        logging.getLogger("zeroconf").setLevel(logging.CRITICAL)
        while True:
            try:
                await self._look()
                await self._listen()
            except (OSError, RuntimeError, Error) as trouble:
                await self._leave()
                self._grumble(trouble)
                await asyncio.sleep(LOOK_EVERY)

    async def _look(self) -> None:
        """Compare the machine's addresses with those announced, and announce anew if they differ."""
        links = network.links()
        lan = network.lan(links)
        if self._voice is None or lan != self._heard_on:
            await self._leave()
            await self._announce(lan, network.packed(links) | network.packed(self._heard_on))
        else:
            await self._voice.join_late()

    async def _announce(self, lan: tuple[network.Link, ...], ours: frozenset[bytes]) -> None:
        addresses = network.worth_telling(lan)
        self._heard_on = lan
        if not addresses:
            raise OSError("this machine has no address on a network")
        self._voice = voice = _Voice(lan, ours)
        name = await voice.claim(self._wanted, self._given_up)
        self._given_up = ""
        announced = await voice.register(self._port, self._version, addresses)
        self._tell(name, addresses)
        await announced
        log.info("Announced on the network as %s at %s", name, ", ".join(addresses))
        self._grumbled = False

    async def _listen(self) -> None:
        """Wait for the next look; meanwhile notice another host that answers to our name, and give way."""
        voice = self._voice
        if voice is not None and await voice.doubted(LOOK_EVERY):
            await asyncio.sleep(GIVE_WAY_AFTER[voice.standing()])
            if await voice.taken(voice.host):
                self._given_up = self.name
                log.info("Another host on the network answers to %s; taking another name", self.name)
                await self._leave()
            else:
                await voice.repeat()

    async def _leave(self) -> None:
        if self._voice is not None:
            await self._voice.close()
            self._voice = None
        self._tell(self.name, ())

    def _tell(self, name: str, addresses: tuple[str, ...]) -> None:
        if (name, addresses) == self._in_force:
            return
        self._in_force = (name, addresses)
        if self._changed is None:
            return
        try:
            self._changed(name, addresses)
        except Exception:
            log.exception("The new name or addresses could not be passed on")

    def _grumble(self, trouble: Exception) -> None:
        if self._grumbled:
            return
        self._grumbled = True
        reason = str(trouble) or type(trouble).__name__
        log.warning("The house cannot be announced on the network yet (%s); looking again in a moment", reason)


class _Voice:
    """One opened zeroconf on a fixed set of interfaces; lives inside the announcer's event loop."""

    def __init__(self, lan: tuple[network.Link, ...], ours: frozenset[bytes]) -> None:
        from zeroconf.asyncio import AsyncZeroconf

        self.host = ""
        self._ours = ours
        self._doubt = asyncio.Event()
        self._rivals: set[bytes] = set()
        self._told: set[bytes] = set()
        self._infos: list[ServiceInfo] = []
        self._tries = 0
        # One IPv4 address and one index for IPv6 an interface: a second address would only say everything twice.
        by_index = [link.number for link in lan if any(one.version == 6 for one in link.addresses)]
        by_address = [str(v4[0]) for link in lan if (v4 := [one for one in link.addresses if one.version == 4])]
        self._wanted = len(by_index) + len(by_address)
        self._open = AsyncZeroconf(interfaces=[*by_address, *by_index])
        self._zeroconf = self._open.zeroconf
        self._zeroconf.async_add_listener(_ear(self._hear), None)

    def _hear(self, record: "DNSRecord", now: float) -> None:
        """A record has come in; one that gives our name to an address of another machine casts doubt."""
        if record.type not in (A, AAAA) or record.key != self.host.lower() or record.is_expired(now):
            return
        address = getattr(record, "address", b"")
        if address not in self._ours and address not in network.packed(network.links()):
            self._rivals.add(address)
            self._doubt.set()

    def standing(self) -> str:
        """'lower' or 'higher' than the host that was heard, by the first address of each (IPv4 before IPv6)."""
        ours, theirs = (min(some, key=lambda one: (len(one), one)) for some in (self._told, self._rivals))
        return "higher" if (len(ours), ours) > (len(theirs), theirs) else "lower"

    async def claim(self, wanted: str, given_up: str) -> str:
        """The first of wanted, wanted-2, wanted-3 ... that no other host holds, with `.local`. Raises OSError.

        given_up: a name another host has answered to a moment ago; it may not answer again so soon.
        """
        await self._zeroconf.async_wait_for_start()
        if not self._zeroconf.engine.senders:
            raise OSError("no interface of this machine takes multicast")
        for number in range(1, NAMES_TRIED + 1):
            name = f"{wanted}.local" if number == 1 else f"{wanted}-{number}.local"
            if name != given_up and not await self.taken(f"{name}."):
                return name
        raise OSError("every name that was tried is taken")

    async def taken(self, host: str) -> bool:
        """Whether another host answers to the name, asked several times over about a second."""
        self.host = host
        self._doubt.clear()
        self._rivals.clear()
        await asyncio.sleep(secrets.randbelow(250) / 1000)  # RFC 6762 8.1: after a power cut all houses wake at once
        for pause in ASK_PAUSES:
            self._ask(host)
            if await self.doubted(pause):
                return True
        return False

    def _ask(self, host: str) -> None:
        from zeroconf._dns import DNSQuestion
        from zeroconf._protocol.outgoing import DNSOutgoing

        out = DNSOutgoing(QUERY)
        for kind in (A, AAAA):
            out.add_question(DNSQuestion(host, kind, IN))
        self._zeroconf.async_send(out)

    async def doubted(self, seconds: float) -> bool:
        """Whether another host has answered to the name; waits for that at most so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._doubt.wait()
        except TimeoutError:
            return False
        return True

    async def register(self, port: int, version: str, addresses: tuple[str, ...]) -> Awaitable[object]:
        """Answer from now on; what comes back ends when the announcements have been sent."""
        from zeroconf import ServiceInfo

        self._told = {ipaddress.ip_address(one).packed for one in addresses}
        self._infos = [
            ServiceInfo(
                kind,
                f"{INSTANCE}.{kind}",
                port=port,
                properties={"path": "/", "version": version},
                server=self.host,
                parsed_addresses=list(addresses),
            )
            for kind in SERVICES
        ]
        register = self._zeroconf.async_register_service
        return asyncio.gather(*await asyncio.gather(*(register(info, allow_name_change=True) for info in self._infos)))

    async def repeat(self) -> None:
        """Announce once more: whoever else held the name for a while had ours thrown out of every cache."""
        await asyncio.gather(*[await self._zeroconf.async_update_service(info) for info in self._infos])

    async def join_late(self) -> None:
        """Try again, a few times, the interfaces that could not be joined at first."""
        if len(self._zeroconf.engine.senders) < self._wanted and self._tries < JOIN_TRIES:
            self._tries += 1
            await self._zeroconf.async_update_interfaces()

    async def close(self) -> None:
        """Say goodbye for whatever was announced, and close every socket; may be called again if it was cut short."""
        from zeroconf import Error

        with contextlib.suppress(OSError, RuntimeError, Error):
            await self._open.async_close()


def _ear(hear: Callable[["DNSRecord", float], None]) -> "RecordUpdateListener":
    from zeroconf import RecordUpdate, RecordUpdateListener, Zeroconf

    class Ear(RecordUpdateListener):
        def async_update_records(self, zc: Zeroconf, now: float, records: list[RecordUpdate]) -> None:
            for record in records:
                hear(record.new, now)

    return Ear()
