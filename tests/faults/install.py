"""install.sh on newly installed Debians: `tests/run --install [SUITE ...]` (as root; some minutes a suite).

It drives the `fresh-machine` tool (on PATH, or named by FRESH_MACHINE), which boots the last commit in a container with
systemd. The machine shares this one's network, so ports 80 and 8081 have to be free here. Every step prints a line; the
first one that is not as promised ends the run with its output.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

SAMPLES = Path(__file__).parent.parent / "samples"
TOOL = os.environ.get("FRESH_MACHINE") or shutil.which("fresh-machine") or ""
EXPOSURE = 1.5  # of `systemd-analyze security`, at most
DATA = "/var/lib/homecircle"
FORM = "application/x-www-form-urlencoded"


class Machine:
    """The one machine that stands."""

    def __init__(self, suite: str) -> None:
        self._tool("up", suite)

    def run(self, command: str, code: int = 0, who: str = "sh") -> str:
        """Run `command` inside, expect its exit code, return everything it printed."""
        done = self._tool(who, f"{{ {command} ; }} 2>&1", check=False)
        if done.returncode != code:
            sys.exit(f"\n{command}\nended with {done.returncode}, not {code}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def write(self, path: str, text: str, *, more: bool = False) -> None:
        """Put `text` into a file inside, or behind what it holds already."""
        packed = base64.b64encode(text.encode()).decode()
        self.run(f"echo {packed} | base64 -d {'>>' if more else '>'} {path}")

    def reboot(self) -> None:
        self._tool("reboot")

    def down(self) -> None:
        self._tool("down", check=False)

    def _tool(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run([TOOL, *words], check=check, capture_output=True, text=True)


class Browser:
    """Keeps cookies, sends what a browser sends."""

    def __init__(self, port: int = 80) -> None:
        self.port, self.cookies = port, dict[str, str]()
        self.host = "127.0.0.1" if port == 80 else f"127.0.0.1:{port}"

    def ask(self, method: str, path: str, body: bytes | str | None = None, kind: str = FORM) -> tuple[int, str]:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Host": self.host, "Accept": "text/html", "Content-Type": kind}
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if method == "POST":
            headers["Origin"] = f"http://{self.host}"
        line.request(method, path, body, headers)
        answer = line.getresponse()
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer.status, answer.read().decode("utf-8", "replace")

    def claim(self, code: str) -> None:
        wants(self.ask("POST", "/setup", f"code={code}")[0] == 303, "the set-up code claims the house")
        wants(self.ask("POST", "/setup/done")[0] == 303, "set-up ends")

    def share(self, text: str, *names: str) -> None:
        edge = secrets.token_hex(16)
        once = re.search(r'name="once"[^>]*value="([^"]+)"', self.ask("GET", "/new")[1])
        fields = {"text": text, "once": once[1] if once else secrets.token_hex(8)}
        body = b"".join(
            f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in fields.items()
        )
        for name in names:
            head = f'--{edge}\r\nContent-Disposition: form-data; name="photos"; filename="{name}"\r\n'
            body += head.encode() + b"Content-Type: image/jpeg\r\n\r\n" + (SAMPLES / name).read_bytes() + b"\r\n"
        found = self.ask("POST", "/feed", body + f"--{edge}--\r\n".encode(), f"multipart/form-data; boundary={edge}")
        wants(found[0] == 303, f"{text!r} is shared")


def wants(is_so: bool, what: str, shown: str = "") -> None:
    if not is_so:
        sys.exit(f"NOT SO: {what}\n{shown}")
    print(f"  {what}", flush=True)


def until(what: str, is_so: Callable[[], bool], seconds: float = 30) -> None:
    """Look again and again."""
    pause = threading.Event()
    for _ in range(int(seconds * 2)):
        try:
            if is_so():
                wants(True, what)
                return
        except (OSError, http.client.HTTPException):
            pass
        pause.wait(0.5)
    wants(False, what)


def code_from(printed: str) -> str:
    found = re.search(r"Set-up code: +([A-Z]{4} [A-Z]{4})", printed)
    wants(found is not None, "the set-up code is shown", printed)
    return found[1].replace(" ", "") if found else ""


def renditions(page: str) -> set[str]:
    return set(re.findall(r"/vault/[a-z0-9]+/320-[a-z0-9]+", page))


def releases(machine: Machine) -> list[str]:
    return machine.run("ls /opt/homecircle/releases 2>/dev/null || true").split()


def fresh(machine: Machine) -> tuple[Browser, str]:
    print("A fresh install", flush=True)
    cut = machine.run("head -c 20000 install.sh > /tmp/cut.sh; sh /tmp/cut.sh || true; ls /opt")
    wants("homecircle" not in cut, "a cut download does nothing", cut)
    machine.run(
        "setsid ./install.sh & it=$!; until ls -d /opt/homecircle/releases/*/venv; do sleep 0.1; done; "
        "kill -TERM -$it; wait $it",
        code=143,
    )
    wants(not releases(machine), "stopped in the middle, nothing half-made stays")
    printed = machine.run("./install.sh --yes")
    for part in ("http://homecircle.local", "http://", DATA):
        wants(part in printed, f"it tells {part}", printed)
    code = code_from(printed)
    wants("█" in machine.run("script -qec 'homecircle setup-code' /dev/null || true"), "a terminal shows the QR code")
    code = code_from(machine.run("homecircle setup-code"))
    again = machine.run("./install.sh")
    wants("nothing was changed" in again, "a second run changes nothing", again)
    code = code_from(again)
    exposure = re.search(r"level for \S+ ([\d.]+)", machine.run("systemd-analyze security --no-pager homecircle"))
    wants(exposure is not None and float(exposure[1]) <= EXPOSURE, f"exposure {exposure[1] if exposure else '?'}")
    ada = Browser()
    ada.claim(code)
    ada.share("from the sandbox", "phone.heic", "orientation-6.jpg")
    until("both photos are drawn in the sandbox", lambda: len(renditions(ada.ask("GET", "/")[1])) == 2)
    for path in renditions(ada.ask("GET", "/")[1]):
        wants(ada.ask("GET", path)[0] == 200, f"{path} is served")
    journal = machine.run("journalctl --no-pager")
    wants(code not in journal and f"{code[:4]} {code[4:]}" not in journal and "#" + code not in journal,
          "the journal does not know the code")  # fmt: skip
    until("the house is announced", lambda: "Announced on the network as" in machine.run("journalctl --no-pager"))
    wants(not machine.run(f"find {DATA} ! -user homecircle"), "nothing in the data folder belongs to anyone else")
    refused = machine.run("homecircle status", code=1, who="as-user")
    wants("sudo" in refused, "others are told to use sudo", refused)
    return ada, code


def lives_through_power_cut(machine: Machine, ada: Browser) -> None:
    print("After a reboot", flush=True)
    machine.reboot()
    until("the post is there", lambda: "from the sandbox" in ada.ask("GET", "/")[1])
    with socket.create_connection(("::1", 80), timeout=5):
        wants(True, "IPv6 answers")


def upgrades(machine: Machine, ada: Browser) -> None:
    print("Upgrades", flush=True)
    before = releases(machine)
    init = "homecircle/__init__.py"
    machine.run(f"sed -i 's/^__version__.*/__version__ = \"0.9.1\"/' {init}")
    offline = machine.run("unshare --net ./install.sh", code=1)
    wants("network" in offline and "Nothing was changed" in offline, "without a network it says so", offline)
    wants(releases(machine) == before, "and nothing half-made stays")
    printed = machine.run("./install.sh")
    wants("brought up to date: 0.9.1" in printed, "a newer tree is an upgrade", printed)
    wants("0.9.1" in machine.run("homecircle status"), "the new version runs")
    wants("from the sandbox" in ada.ask("GET", "/")[1], "the post is there")
    pid = machine.run("systemctl show -p MainPID --value homecircle")
    broken, says = "homecircle/migrations/9999_broken.py", "def up(migrator, db): "
    machine.run(f"sed -i 's/0.9.1/0.9.2/' {init}")
    for what, wrong in (
        ("fails", 'raise ValueError("broken on purpose")'),
        ("loses posts", '[db.execute_sql("DELETE FROM " + each) for each in ("event", "post_item", "post")]'),
        ("finds no room", 'db.execute_sql("PRAGMA max_page_count = 1"); db.execute_sql("CREATE TABLE more (x)")'),
    ):
        machine.write(broken, f"{says}{wrong}\n")
        printed = machine.run("./install.sh", code=1)
        wants(
            "tried on a copy" in printed and "Nothing was changed" in printed, f"one that {what} is not let in", printed
        )
        print("   ", printed.strip().splitlines()[-1])
        wants(machine.run("systemctl show -p MainPID --value homecircle") == pid, "the version before was not stopped")
        wants(not machine.run(f"find {DATA}/tmp -mindepth 1"), "nothing of the copy is left")  # noqa: S108  the installed machine's own
    wants(len(machine.run(f"ls {DATA}/backups").split()) >= 4, "each try made a backup first")
    machine.run(f"rm {broken}")
    machine.write(init, "import sys\nif 'serve' in sys.argv:\n    raise SystemExit('broken on purpose')\n", more=True)
    printed = machine.run("./install.sh", code=1)
    wants(
        "broken on purpose" in printed and "runs again" in printed, "one that does not come up is rolled back", printed
    )
    wants("0.9.1" in machine.run("homecircle status"), "the former version runs again")
    wants("from the sandbox" in ada.ask("GET", "/")[1], "with its data")
    wants("before-upgrade" not in machine.run(f"ls {DATA}"), "the copy of the database is gone again")
    machine.run(f"head -n -3 {init} > /root/init && cp /root/init {init} && ./install.sh")
    wants(len(releases(machine)) == 2, "two releases are kept")


def keeps_a_second_place(machine: Machine, ada: Browser) -> None:
    """A loop-mounted image stands for the USB disk."""
    print("A second place for backups", flush=True)
    usb, conf = "/mnt/usb", "/etc/systemd/system/homecircle.service.d/backup.conf"
    machine.run(
        f"mkdir -p {usb} /mnt/inside; truncate -s 64M /root/usb.img; mkfs.ext4 -q /root/usb.img; chmod 711 /root"
    )
    for wrong in (f"{usb}", "/mnt/inside/backups"):  # not mounted yet
        printed = machine.run(f"./install.sh --backup-to {wrong}", code=1)
        wants("on the same disk" in printed and "Nothing was changed" in printed, f"{wrong} is refused", printed)
    machine.run(f"test ! -e {conf} && test ! -e {DATA}/homecircle.toml && test ! -e /mnt/inside/backups")
    machine.run("for n in $(seq 0 15); do [ -e /dev/loop$n ] || mknod /dev/loop$n b 7 $n; done; "
                "[ -e /dev/loop-control ] || mknod /dev/loop-control c 10 237; "
                f"mount -o loop /root/usb.img {usb}")  # fmt: skip
    try:
        printed = machine.run(f"./install.sh --backup-to {usb}")
        place = f"{usb}/homecircle"
        wants(f"homecircle backup --to {place}" in printed, "it tells where and how", printed)
        again = machine.run(f"./install.sh --backup-to {usb}")
        wants("nothing was changed" in again, "a second run changes nothing", again)
        wants("nothing was changed" in machine.run("./install.sh"), "nor does one without the option")
        machine.run(f"homecircle backup --to {place}")
        machine.run("homecircle run backup")
        wants("Everything is whole" in machine.run(f"homecircle verify {place}"), "the service writes there, whole")
        wants(not machine.run(f"find {place} ! -user homecircle"), "nothing there belongs to anyone else")
        wants("there" in machine.run("homecircle status"), "status tells of it")
        closed = machine.run(
            "nsenter -t $(systemctl show -p MainPID --value homecircle) -m -- touch /mnt/inside/x", code=1
        )
        wants("Read-only" in closed, "the folder beside it stays closed to the service", closed)
        machine.run(f"systemctl stop homecircle.socket homecircle; umount {usb}; "
                    "systemctl start homecircle.socket homecircle")  # fmt: skip
        until("without its disk the house opens", lambda: "from the sandbox" in ada.ask("GET", "/")[1])
        printed = machine.run("homecircle run backup", code=1)
        wants("The backup disk is not there" in printed, "and says what is missing", printed)
        machine.run(f"mount -o loop /root/usb.img {usb}; sleep 1; homecircle run backup")
        wants(True, "plugged in again, it goes on without a restart")
        printed = machine.run("./install.sh --backup-to none")
        wants("this machine only" in printed, "none takes it back", printed)
        machine.run(f"test ! -e {conf} && test ! -d $(dirname {conf}) && test -d {place} && homecircle run backup")
        machine.run(f"./install.sh --backup-to {usb}; ./install.sh --uninstall; test ! -e {conf}; ./install.sh")
        machine.run(f"grep -q {place} {conf} && homecircle run backup")
        wants(True, "a new install finds it in the settings that were kept")
        machine.run("./install.sh --backup-to none")
    finally:
        machine.run(f"umount {usb}")


def loses_its_disk(machine: Machine, ada: Browser) -> None:
    print("An unmounted disk", flush=True)
    machine.run(f"systemctl stop homecircle.socket homecircle; mv {DATA} {DATA}.away")
    machine.run(f"install -d -o homecircle -g homecircle -m 700 {DATA}; systemctl start homecircle.socket homecircle")
    journal = "journalctl --no-pager -o cat"
    until("the server refuses", lambda: "not the folder of this house" in machine.run(journal))
    printed = machine.run("./install.sh", code=1)
    wants("mounted" in printed, "so does install.sh", printed)
    machine.run(f"systemctl stop homecircle.socket homecircle; rm -rf {DATA}; mv {DATA}.away {DATA}; ./install.sh")
    until("it is all back", lambda: "from the sandbox" in ada.ask("GET", "/")[1])


def goes_and_comes(machine: Machine, ada: Browser) -> None:
    print("Going and coming", flush=True)
    printed = machine.run("./install.sh --uninstall")
    wants(DATA in printed, "uninstalling says where the data is", printed)
    machine.run(
        f"test -s {DATA}/homecircle.sqlite3 && test ! -e /opt/homecircle && test ! -e /usr/local/bin/homecircle"
    )
    with socket.create_server(("0.0.0.0", 80)):  # noqa: S104  what another web server does
        printed = machine.run("./install.sh")
    wants("8080" in printed and "taken" in printed, "port 80 taken: 8080, and said so", printed)
    moved = Browser(8080)
    moved.cookies = ada.cookies
    wants("from the sandbox" in moved.ask("GET", "/")[1], "the house that was kept is found")
    machine.run("./install.sh --port 8081", code=1)
    machine.run("./install.sh --purge </dev/null", code=1)
    machine.run("./install.sh --purge --yes")
    machine.run(f"test ! -e {DATA} && ! id homecircle && test ! -e /etc/systemd/system/homecircle.service")
    wants(True, "purged, nothing is left")
    printed = machine.run("./install.sh --data /home/family")
    wants("/home/family" in printed, "another data folder, below /home", printed)
    code = code_from(printed)
    ben = Browser()
    ben.claim(code)
    ben.share("elsewhere", "bicycle.jpg")
    until("its photo is drawn", lambda: len(renditions(ben.ask("GET", "/")[1])) == 1)
    machine.run("./install.sh --purge --yes; test ! -e /home/family")


def serves_one_account(machine: Machine) -> None:
    print("An account of one's own", flush=True)
    machine.run("chmod 000 /usr/lib/python3*/ensurepip")
    machine.run("mv /usr/lib/python3*/ensurepip /usr/lib/ensurepip.away")
    printed = machine.run("./install.sh", code=1, who="as-user")
    wants("apt install python3-venv" in printed, "without venv it says what to ask for", printed)
    machine.run("mv /usr/lib/ensurepip.away $(dirname $(python3 -c 'import os; print(os.__file__)'))/ensurepip; "
                "chmod 755 $(dirname $(python3 -c 'import os; print(os.__file__)'))/ensurepip")  # fmt: skip
    printed = machine.run("./install.sh --no-start --port 8090", who="as-user")
    wants("/home/parent/.local/share/homecircle" in printed, "it tells where everything is kept", printed)
    machine.run("./install.sh --port 8090 >/tmp/own.log 2>&1 & echo $! >/tmp/own.pid", who="as-user")
    until("it serves in the foreground", lambda: Browser(8090).ask("GET", "/healthz")[0] == 200)
    code_from(machine.run("~/.local/bin/homecircle setup-code", who="as-user"))
    wants("until you stop it" in machine.run("cat /tmp/own.log"), "and says so")
    machine.run("kill $(cat /tmp/own.pid)")
    machine.run("sleep 3; ./install.sh --purge --yes; test ! -e ~/.local/lib/homecircle", who="as-user")
    wants(True, "and goes without a trace")


def main() -> None:
    if not TOOL:
        sys.exit("tests/run --install needs the tool fresh-machine (on PATH, or named by FRESH_MACHINE).")
    for suite in sys.argv[1:] or ["bookworm"]:
        print(f"== {suite}", flush=True)
        machine = Machine(suite)
        try:
            ada, _ = fresh(machine)
            lives_through_power_cut(machine, ada)
            upgrades(machine, ada)
            keeps_a_second_place(machine, ada)
            loses_its_disk(machine, ada)
            goes_and_comes(machine, ada)
            serves_one_account(machine)
        finally:
            machine.down()
    print(json.dumps({"install": "as promised"}))


if __name__ == "__main__":
    main()
