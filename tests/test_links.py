"""Links: nothing at home is ever reached for one; what its page says; asked once, for the author, when switched on."""

from __future__ import annotations

import gzip
import secrets
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from homecircle import circle, db, events, feed, trash, vault
from homecircle.devices import Pass, places
from homecircle.errors import Invalid, NotFound
from homecircle.files import Folder
from homecircle.vault import links, outside, previews
from homecircle.vault.decoder import Decoder
from homecircle.vault.outside import LIMIT, Found, Unreachable, Way
from tests.conftest import SAMPLES, Family, Person
from tests.outside import THERE, Stranger, answer, leads_to, stranger

ROOT = Path(__file__).parents[1]
HTML = frozenset({"text/html"})
CAKE = b"""<!doctype html><html><head><meta charset=utf-8><title>Plum cake | Recipes</title>
<meta property="og:title" content="Plum cake &amp; cream"><meta property="og:site_name" content="Recipes">
<meta property="og:image" content="/cake.jpg"></head><body><title>no</title></body></html>"""

# Addresses that are not outside, and how a name or an address may spell them: 0 connections for each (X9).
NOT_OUTSIDE = (
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",  # noqa: S104  not bound, refused
    "169.254.169.254",
    "100.64.0.1", "100.127.255.254", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.7", "203.0.113.9",
    "192.88.99.1", "224.0.0.251", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::1", "::", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:192.168.1.1", "64:ff9b::7f00:1", "64:ff9b::192.168.1.1",
    "64:ff9b:1::a00:1", "100::1", "2001::1", "2001:0:7f00:1::1", "2001:2::1", "2001:10::1", "2001:db8::1",
    "2002:7f00:1::", "2002:c0a8:101::1", "3fff::1", "3ffe::1", "5f00::1", "fc00::1", "fd00::7", "fe80::1",
    "fe80::1%lo", "fec0::1", "ff02::1", "ff0e::1", "2a00:1450:4001::5efe:7f00:1", "4000::1",
)  # fmt: skip
SPELLINGS = (
    "http://127.0.0.1/", "http://127.1/", "http://127.0.1/", "http://2130706433/", "http://017700000001/",
    "http://0177.0.0.1/", "http://0x7f000001/", "http://0x7f.0.0.1/", "http://0x7f.1/", "http://0/", "http://0x/",
    "http://127.0.0.1./", "http://127.000.000.001/", "http://00.0.0.0/", "http://3232235777/", "http://1.1/",
    "http://[::1]/", "http://[::]/", "http://[0:0:0:0:0:0:0:1]/", "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/", "http://[::127.0.0.1]/", "http://[64:ff9b::127.0.0.1]/", "http://[2002:7f00:1::]/",
    "http://[fe80::1%25lo]/", "http://[fd00::7]/", "http://[v1.x]/",
    "http://localhost/", "http://localhost./", "http://LOCALHOST/", "http://a.localhost/", "http://homecircle.local/",
    "http://homecircle.local./", "http://router/", "http://router./", "http://nas.lan/", "http://fritz.home.arpa/",
    "http://metadata.google.internal/", "http://\uff11\uff12\uff17.\uff10.\uff10.\uff11/", "http://127\u30020.0.1/",
    "http://\u2460\u2461\u2466.0.0.1/", "http://127.0.0.1\u3002/", "http://lo\u00adcalhost/", "http://.127.0.0.1/",
    "http://127.0.0.1..//", "http://evil.example.org@127.0.0.1/", "http://127.0.0.1#@example.org/",
    "http://127.0.0.1\\@example.org/", "http://example.org:80@127.0.0.1:80/", "http://%31%32%37.0.0.1/",
    "http://169.254.169.254/latest/meta-data/", "http://100.100.100.200/", "http:///127.0.0.1/", "http:127.0.0.1",
)  # fmt: skip
ODD = (
    "ftp://example.org/", "file:///etc/passwd", "gopher://example.org/", "http://example.org:22/",
    "http://example.org:8080/", "http://example.org:0/", "https://example.org:65536/", "http://ada@example.org/",
    "http://:@example.org/", "http://@example.org/", "http://exam ple.org/", "http://example.org:80x/",
    "https://a..example.org/", "https://-a.example.org/", "http://[", "http://example.org/" + "x" * 2000, "nowhere:",
)  # fmt: skip


class Watched:
    """A way that writes down every question for a name and every connection, and makes none."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers, self.looked_up, self.dialled = list(answers), [], []

    def resolve(self, host: str, port: int) -> list[str]:
        self.looked_up.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0] if self.answers else []

    def connect(self, address: str, port: int, seconds: float) -> socket.socket:
        self.dialled.append(address)
        raise ConnectionRefusedError

    @property
    def way(self) -> Way:
        return Way(self.resolve, self.connect)


@pytest.mark.parametrize("url", SPELLINGS)
def test_no_spelling_of_home_is_connected_to_or_even_looked_up(url: str) -> None:
    watched = Watched(["93.184.215.14"])
    with pytest.raises(Unreachable):
        outside.fetch(url, HTML, watched.way)
    assert watched.dialled == []
    assert watched.looked_up == []


@pytest.mark.parametrize("url", ODD)
def test_only_addresses_of_the_web_are_fetched(url: str) -> None:
    watched = Watched(["93.184.215.14"])
    with pytest.raises(Unreachable):
        outside.fetch(url, HTML, watched.way)
    assert watched.dialled == watched.looked_up == []


@pytest.mark.parametrize("address", NOT_OUTSIDE)
def test_no_name_leads_to_an_address_that_is_not_outside(address: str) -> None:
    for answers in ([address], ["93.184.215.14", address], [address, "93.184.215.14"]):
        watched = Watched(answers)
        with pytest.raises(Unreachable):
            outside.fetch("https://photos.example.org/", HTML, watched.way)
        assert watched.looked_up == ["photos.example.org"]
        assert watched.dialled == []
    literal = f"[{address}]" if ":" in address else address
    with pytest.raises(Unreachable):
        outside.fetch(f"http://{literal}/", HTML, watched.way)
    assert watched.dialled == []


@pytest.mark.parametrize("url", [*SPELLINGS, *ODD])
def test_no_redirect_leads_home(url: str) -> None:
    try:
        location = url.encode("latin-1").decode("latin-1")
    except UnicodeEncodeError:
        location = url.encode().decode("latin-1")
    page = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode("latin-1")
    with stranger({"/": page}) as server:
        with pytest.raises(Unreachable):
            outside.fetch("http://example.org/", HTML, server.way())
        assert set(server.dialled) == {THERE}  # twice where it is another way to say a path of the same site
        assert set(server.looked_up) == {"example.org"}


def test_a_name_that_turns_round_between_two_questions_is_not_followed() -> None:
    with stranger({"/": leads_to("/again")}) as server:
        turning = Watched([THERE], ["127.0.0.1"], ["192.168.1.1"])
        with pytest.raises(Unreachable, match="outside"):
            outside.fetch("http://rebind.example.org/", HTML, server.way(resolve=turning.resolve))
        assert server.dialled == [THERE]
        assert turning.looked_up == ["rebind.example.org"] * 2


def test_what_was_checked_is_connected_to_and_asked_again_who_it_is() -> None:
    with stranger({"/": answer(CAKE)}) as server, stranger({}) as router:

        def elsewhere(_address: str, _port: int, seconds: float) -> socket.socket:
            return socket.create_connection((THERE, router.port), seconds)

        there = server.way(resolve=lambda _host, _port: ["93.184.215.14"], connect=elsewhere)
        with pytest.raises(Unreachable, match="somebody else"):
            outside.fetch("http://example.org/", HTML, there)
        assert router.asked == []


def test_a_page_is_fetched_with_nothing_told_of_the_family() -> None:
    with stranger({"/caf%C3%A9?q=1%202": leads_to("//www.example.org/cake#crumb"), "/cake": answer(CAKE)}) as server:
        found = outside.fetch("http://b\u00fccher.example.org/caf\u00e9?q=1%202#me", HTML, server.way())
        assert found == Found("http://www.example.org/cake#crumb", "text/html", "utf-8", CAKE, True)
        assert server.looked_up == ["xn--bcher-kva.example.org", "www.example.org"]
        assert server.asked[0].split("\r\n")[:-2] == [
            "GET /caf%C3%A9?q=1%202 HTTP/1.1", "Host: xn--bcher-kva.example.org", "User-Agent: HomeCircle link preview",
            "Accept: text/html, image/*", "Accept-Encoding: gzip", "Connection: close",
        ]  # fmt: skip
        assert server.asked[1].startswith("GET /cake HTTP/1.1\r\nHost: www.example.org\r\n")


def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with stranger({}) as proxy, stranger({"/": answer(CAKE)}) as server:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://{THERE}:{proxy.port}")
        assert outside.fetch("http://example.org/", HTML, server.way()).body == CAKE
        assert proxy.lines == 0


def test_three_redirects_are_followed_and_no_circle() -> None:
    pages = {"/1": leads_to("/2"), "/2": leads_to("/3", "308 Permanent Redirect"), "/3": leads_to("/4"),
             "/4": answer(CAKE), "/0": leads_to("/1"), "/round": leads_to("/round")}  # fmt: skip
    with stranger(pages) as server:
        assert outside.fetch("http://example.org/1", HTML, server.way()).body == CAKE
        for url in ("http://example.org/0", "http://example.org/round"):
            server.asked.clear()
            with pytest.raises(Unreachable, match="on and on"):
                outside.fetch(url, HTML, server.way())
            assert len(server.asked) == 4


def _drips(head: bytes) -> object:
    def say(_asked: str, line: socket.socket) -> None:
        line.sendall(head)
        while line.send(b"x"):
            line.settimeout(0.05)
            try:
                if line.recv(1) == b"":
                    return
            except TimeoutError:
                continue

    return say


@pytest.mark.parametrize("head", ["", "X-Long: ", "Content-Type: text/html\r\n\r\n"])
def test_a_slow_drip_is_left_at_the_deadline(head: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "PATIENCE", 0.6)
    with (
        stranger({"/": _drips(f"HTTP/1.1 200 OK\r\n{head}".encode() if head else b"")}) as server,
        pytest.raises(Unreachable),
    ):
        outside.fetch("http://example.org/", HTML, server.way())


def test_names_lines_and_handshakes_that_never_come_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "PATIENCE", 0.3)
    never = __import__("threading").Event()
    with stranger({}) as server:
        with pytest.raises(Unreachable, match="name"):
            outside.fetch("http://a.example.org/", HTML, server.way(resolve=lambda *_: never.wait(20) and []))
        with pytest.raises(Unreachable):
            outside.fetch("https://a.example.org/", HTML, server.way())  # waits for a TLS answer
        never.set()


def test_half_a_mebibyte_is_read_and_no_more() -> None:
    def endless(_asked: str, line: socket.socket) -> None:
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + CAKE)
        while True:
            line.sendall(bytes(1 << 16))

    bomb = gzip.compress(CAKE + bytes(100 << 20), 9)
    heads = b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 60_000 + b"\r\n"
    chunked = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n"
    pages = {
        "/endless": endless, "/bomb": answer(bomb, "text/html", "Content-Encoding: gzip"),
        "/broken": answer(b"\x1f\x8b" + b"zzzz" * 99, "text/html", "Content-Encoding: gzip"),
        "/odd": answer(CAKE, "text/html", "Content-Encoding: br"),
        "/heads": heads + b"X: yyyy\r\n" * 90 + (b"Z: " + b"z" * 60_000 + b"\r\n") * 8 + b"\r\n",
        "/hundreds": b"HTTP/1.1 100 Continue\r\n\r\n" * 60_000,
        "/chunks": chunked + b"1\r\nx\r\n" * 200_000,
    }  # fmt: skip
    with stranger(pages) as server:
        for path in ("/endless", "/bomb"):
            found = outside.fetch(f"http://example.org{path}", HTML, server.way())
            assert len(found.body) == LIMIT
            assert not found.is_whole
            assert links.read(found).title == "Plum cake & cream"
        for path in ("/broken", "/odd", "/heads", "/hundreds", "/chunks", "/nowhere"):
            with pytest.raises(Unreachable):
                outside.fetch(f"http://example.org{path}", HTML, server.way())


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1", b"nonsense\r\n\r\n", b"HTTP/1.1 999999 x\r\n\r\n", b"\xff" * 500,
                                  b"HTTP/1.1 302 Found\r\n\r\n", answer(CAKE, "application/pdf"), answer(CAKE, "odd"),
                                  answer(CAKE, status="401 No")])  # fmt: skip
def test_nonsense_is_refused_in_one_way(said: bytes) -> None:
    with stranger({"/": said}) as server, pytest.raises(Unreachable):
        outside.fetch("http://example.org/", HTML, server.way())


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's context for example.org, and the certificate that one may choose to trust."""
    key, made = tmp_path / "key.pem", tmp_path / "made.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", key, "-out", made, "-days", "2", "-subj", "/CN=example.org",
                    "-addext", "subjectAltName=DNS:example.org"], check=True, capture_output=True)  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    return context, made


def test_tls_is_believed_only_with_a_good_certificate(certificate: tuple[ssl.SSLContext, Path]) -> None:
    context, made = certificate
    with stranger({"/": answer(CAKE)}, context) as server:
        trusting = server.way(trust=lambda: ssl.create_default_context(cafile=made))
        assert outside.fetch("https://example.org/", HTML, trusting).body == CAKE
        server.asked.clear()
        for url, way in (("https://example.org/", server.way()), ("https://other.example.org/", trusting)):
            with pytest.raises(Unreachable, match="SSLCertVerificationError"):
                outside.fetch(url, HTML, way)
        assert server.asked == []
    with stranger({}, context) as closed, pytest.raises(Unreachable):
        outside.fetch("https://example.org/", HTML, closed.way(trust=ssl.create_default_context))


def test_public_addresses_are_outside() -> None:
    for address in ("93.184.215.14", "1.1.1.1", "8.8.8.8", "2606:4700::1111", "2a00:1450:4001:81b::200e"):
        assert outside.is_public(address), address
    for nonsense in ("", "example.org", "1.1", "::ffff:8.8.8.8"):
        assert not outside.is_public(nonsense), nonsense


IN_A_NETWORK = """
import sys
from homecircle.vault import outside
from homecircle.vault.outside import Way, Unreachable
for host, *addresses in [line.split() for line in sys.argv[1:]]:
    try:
        found = outside.fetch(f"http://{host}/", frozenset({"text/html"}), Way(resolve=lambda *_: addresses))
        print(host, found.body.decode())
    except Unreachable as why:
        print(host, "refused:", why)
"""
WEB = """
import http.server
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Type", "text/html"); self.end_headers()
        self.wfile.write(b"<title>Here</title>")
    def log_message(self, *_): pass
class Both(http.server.ThreadingHTTPServer):
    address_family = 10
server = Both(("::", 80), Page)
print("ready", flush=True)
server.serve_forever()
"""


IN_A_HOUSE = """
import sys, threading
from pathlib import Path
from homecircle import circle, db, events, feed, members
from homecircle.config import Config
from homecircle.server import Server
from homecircle.vault import previews
server = Server(Config.load(Path(sys.argv[1]), host="127.0.0.1", port=8080, announce=False, away_port=0))
server.start()
running = threading.Thread(target=server.run)
running.start()
ada = members.join("Ada", role="admin")
circle.update(claimed_at=db.now(), link_previews=True)
heard = events.rung()
post = feed.publish(ada.id, "http://93.184.215.14/ http://92.0.3.1/", [], [], "1")
while not previews.of_posts([post.id]):
    events.wait(heard, 1.0)
print([each.title for each in previews.of_posts([post.id])[post.id]])
while previews.Link.select().where(previews.Link.state == "pending").exists():
    events.wait(heard, 0.1)
server.stop()
running.join()
"""


@pytest.fixture
def two_networks() -> Iterator[tuple[str, str]]:
    """A house with public addresses of its own, and a router behind which the outside lies; needs root."""
    home, world = (f"hc{name}{secrets.token_hex(3)}" for name in "hw")
    made = [
        ["netns", "add", home], ["netns", "add", world],
        ["-n", home, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", world],
        ["-n", home, "addr", "add", "92.0.3.2/22", "dev", "eth0"],
        ["-n", world, "addr", "add", "92.0.3.1/22", "dev", "eth0"],
        ["-n", home, "addr", "add", "2a01:5:5:1::2/64", "dev", "eth0", "nodad"],
        ["-n", world, "addr", "add", "2a01:5:5:1::1/64", "dev", "eth0", "nodad"],
        *(["-n", world, "addr", "add", each, "dev", "lo"] for each in ("93.184.215.14/32", "92.0.0.7/32")),
        *(["-n", world, "addr", "add", each, "dev", "lo"] for each in ("2606:4700::1111/128", "2a01:5:5:2::9/128")),
        *(["-n", each, "link", "set", name, "up"] for each in (home, world) for name in ("lo", "eth0")),
        ["-n", home, "route", "add", "default", "via", "92.0.3.1"],
        ["-n", home, "-6", "route", "add", "default", "via", "2a01:5:5:1::1"],
    ]  # fmt: skip
    try:
        for words in made:
            told = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
            if told.returncode:
                pytest.skip(f"no network namespaces here: {told.stderr}")
        yield home, world
    finally:
        for name in (home, world):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


@pytest.fixture
def web_of_the_world(two_networks: tuple[str, str]) -> Iterator[str]:
    """A web server at every address of the world; yields the network of the house."""
    home, world = two_networks
    run = ["ip", "netns", "exec", world, sys.executable, "-c", WEB]
    with subprocess.Popen(run, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout.readline() == "ready\n"
        yield home
        server.kill()


def _at_home(home: str, program: str, *words: str) -> list[str]:
    run = ["ip", "netns", "exec", home, sys.executable, "-c", program, *words]
    return subprocess.run(run, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT).stdout.splitlines()


def test_in_a_real_network_the_outside_answers_and_the_street_is_left_alone(web_of_the_world: str) -> None:
    asked = ["four.example.org 93.184.215.14", "six.example.org 2606:4700::1111",
             "dead.example.org 93.184.215.99 93.184.215.14", "router.example.org 92.0.3.1",
             "neighbour.example.org 92.0.0.7", "self.example.org 92.0.3.2", "near6.example.org 2a01:5:5:1::1",
             "street6.example.org 2a01:5:5:2::9", "self6.example.org 2a01:5:5:1::2"]  # fmt: skip
    told = _at_home(web_of_the_world, IN_A_NETWORK, *asked)
    assert told[:3] == [f"{name}.example.org <title>Here</title>" for name in ("four", "six", "dead")]
    assert [line.partition(" ")[2] for line in told[3:]] == ["refused: it does not lie outside"] * 6


def test_a_running_house_asks_by_itself(web_of_the_world: str, tmp_path: Path) -> None:
    assert _at_home(web_of_the_world, IN_A_HOUSE, str(tmp_path / "data")) == ["['Here']"]


# --- What a page says -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "kind", "title"),
    [
        (b"<title> A\n  title </title>", "", "A title"),
        (b"<TITLE>A &lt;b&gt; &amp; c</TITLE>", "", "A <b> & c"),
        ("<title>Käse</title>".encode("latin-1"), "iso-8859-1", "Käse"),
        ("<meta charset='windows-1252'><title>5 €</title>".encode("cp1252"), "", "5 €"),
        ("<title>日本</title>".encode("shift_jis"), "shift_jis", "日本"),
        (b"<title>x</title>", "zlib", "x"), (b"<title>x</title>", "punycode", "x"), (b"<title>x</title>", "\0", "x"),
        (b"<svg><title>A</title></svg><title>B</title>", "", "A"),
        (b"<script>'<title>no</title>'</script><!-- <title>no</title> --><title>yes</title>", "", "yes"),
        (b"<body><title>no</title>", "", ""), (b"</head><title>no</title>", "", ""), (b"<![x[<title>y</title>", "", ""),
        ("<title>\u202eevil\u2066 \u0007bell</title>".encode(), "", "evil bell"),
        (b"<title>" + b"x" * 500 + b"</title>", "", "x" * 159 + "…"), (b"", "", ""),
        (b"<meta name=og:title content='By name'><title>t</title>", "", "By name"),
        (b"<meta property=og:title><meta property=og:title content='second'><title>t</title>", "", "t"),
    ],
)  # fmt: skip
def test_a_title_is_read_in_any_dress(page: bytes, kind: str, title: str) -> None:
    assert links.read(Found("https://www.example.org/a", "text/html", kind, page, True)).title == title


def test_site_and_picture_are_named_by_the_page() -> None:
    told = links.read(Found("https://www.example.org/a/b", "text/html", "", CAKE, True))
    assert told == ("Plum cake & cream", "Recipes", "https://www.example.org/cake.jpg")
    page = b"<title>t</title><meta property=og:image content='http://['>"
    bare = links.read(Found("https://www.example.org/a/b", "text/html", "", page, True))
    assert bare == ("t", "example.org", "")


@pytest.mark.parametrize("piece", [b"<!--", b"<a ", b"<a b='", b"<![CDATA[", b"</", b"<script>", b"&#", b"<meta a=b ",
                                   b"<a/", b"<!", b"<?", b"<title>", b"<a b=\"'", b"<a =", b"<a\t"])  # fmt: skip
def test_a_hostile_page_is_looked_through_in_bounded_work(piece: bytes) -> None:
    page = Found("https://example.org/", "text/html", "", piece * (LIMIT // len(piece)), False)
    program = "import sys; from tests.test_links import look_through; look_through(sys.stdin.buffer.read())"
    done = subprocess.run([sys.executable, "-c", program], input=page.body, check=False, cwd=ROOT)
    assert done.returncode == 0


def look_through(body: bytes) -> None:
    """Read a page with a few seconds of processor; the kernel ends the process at more (a square takes minutes)."""
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (8, 8))
    links.read(Found("https://example.org/", "text/html", "", body, False))


# --- Rows -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def web() -> Iterator[Stranger]:
    pages = {"/cake": answer(CAKE), "/cake.jpg": answer((SAMPLES / "cake.jpg").read_bytes(), "image/jpeg"),
             "/plain": answer(b"<title>Plain</title>"), "/odd": answer(CAKE.replace(b"/cake.jpg", b"/plain")),
             "/large": answer(CAKE.replace(b"/cake.jpg", b"/big.jpg")),
             "/big.jpg": answer(bytes(LIMIT + 1), "image/jpeg"),
             "/fake": answer(CAKE.replace(b"/cake.jpg", b"/fake.jpg")),
             "/fake.jpg": answer(b"GIF89a" * 9, "image/jpeg"),
             }  # fmt: skip
    with stranger(pages) as made:
        yield made


def _pass(person: Person) -> Pass:
    return places.recognise(person.token, "home")


def _share(person: Person, text: str, *others: Person) -> feed.Post:
    return feed.publish(person.id, text, [], [each.public_id for each in others], db.random_id())


def _fetch_all(folder: Folder, decoder: Decoder, web: Stranger) -> int:
    times = 0
    while previews.fetch_next(folder, decoder, web.way()):
        times += 1
    return times


def test_while_previews_are_off_nobody_is_asked(
    folder: Folder, family: Family, decoder: Decoder, web: Stranger
) -> None:
    post = _share(family.ada, "http://example.org/cake")
    assert not circle.get().link_previews
    assert _fetch_all(folder, decoder, web) == 0
    previews.turn(_pass(family.ada), is_on=True)
    feed.edit(post, family.ada.id, "Look: http://example.org/cake")  # the link was there before
    assert _fetch_all(folder, decoder, web) == 0
    _share(family.ada, "http://example.org/cake")
    previews.turn(_pass(family.ada), is_on=False)
    previews.turn(_pass(family.ada), is_on=False)
    assert _fetch_all(folder, decoder, web) == 0
    assert (web.looked_up, web.dialled, web.lines) == ([], [], 0)
    assert [row[0] for row in db.rows("SELECT verb FROM deed ORDER BY id")] == ["previews-on", "previews-off"]


def test_a_link_is_asked_once_and_its_card_told(
    folder: Folder, family: Family, decoder: Decoder, web: Stranger
) -> None:
    previews.turn(_pass(family.ada), is_on=True)
    post = _share(family.ada, "Cake: http://example.org/cake, and http://example.org/nowhere!", family.ben)
    cursor = {each.id: events.cursor(each.id) for each in (family.ben, family.cleo)}
    assert previews.of_posts([post.id]) == {}
    assert previews.waiting.is_set()
    assert _fetch_all(folder, decoder, web) == 2
    [found] = previews.of_posts([post.id])[post.id]
    assert found[:3] == ("http://example.org/cake", "Plum cake & cream", "Recipes")
    assert [each.verb for each in events.since(family.ben.id, cursor[family.ben.id])] == ["link.drawn"]
    assert events.since(family.cleo.id, cursor[family.cleo.id]) == []
    public_id = found.picture.split("/")[3]
    drawn = previews.picture(public_id, family.ben.id)
    assert drawn[:4] == b"RIFF"
    assert drawn != (SAMPLES / "cake.jpg").read_bytes()
    with pytest.raises(NotFound):
        previews.picture(public_id, family.cleo.id)
    asked = len(web.asked)
    assert _fetch_all(folder, decoder, web) == 0
    assert len(web.asked) == asked == 3
    assert list(folder.temporary.iterdir()) == []
    feed.take_down(post, family.ada.id, is_admin=False)
    with pytest.raises(NotFound):
        previews.picture(public_id, family.ben.id)


def test_a_page_whose_picture_cannot_be_had_has_a_card_without(
    folder: Folder, family: Family, decoder: Decoder, web: Stranger, caplog: pytest.LogCaptureFixture
) -> None:
    previews.turn(_pass(family.ada), is_on=True)
    caplog.set_level("INFO")
    for path in ("plain", "odd", "large", "fake"):
        post = _share(family.ada, f"http://example.org/{path}")
        _fetch_all(folder, decoder, web)
        [found] = previews.of_posts([post.id])[post.id]
        assert found.title
        assert found.picture == ""
    assert len(caplog.records) == 3
    assert not any("example.org" in record.getMessage() for record in caplog.records)
    assert list(folder.temporary.iterdir()) == []


def test_a_card_follows_the_words_of_its_post(folder: Folder, family: Family, decoder: Decoder, web: Stranger) -> None:
    previews.turn(_pass(family.ada), is_on=True)
    circle.update(away_address="https://family.example.org")
    many = " ".join(f"http://example.org/plain?{n}" for n in range(9))
    post = _share(family.ada, f"https://family.example.org/join {many}")
    assert _fetch_all(folder, decoder, web) == previews.A_POST - 1
    feed.edit(post, family.ada.id, "Now http://example.org/plain?1 and http://example.org/cake")
    assert _fetch_all(folder, decoder, web) == 1
    post = feed.Post.get_by_id(post.id)
    assert [each.url for each in previews.of_posts([post.id])[post.id]] == [
        "http://example.org/plain?1", "http://example.org/cake"]  # fmt: skip
    feed.edit(post, family.ada.id, "Nothing")
    assert previews.of_posts([post.id]) == {}


def test_a_purge_takes_the_links_of_a_post_and_removed_ones_along(
    folder: Folder, family: Family, decoder: Decoder, web: Stranger
) -> None:
    previews.turn(_pass(family.ada), is_on=True)
    post = _share(family.ada, "http://example.org/cake")
    stays, goes = (previews.keep(family.ada.id, "http://example.org/plain", "") for _ in range(2))
    assert _fetch_all(folder, decoder, web) == 3
    previews.remove(goes.public_id, family.ada.id)
    feed.take_down(post, family.ada.id, is_admin=False)
    long_ago = int((db.now() - vault.TRASH_LASTS).timestamp()) - 60
    for table in ("post", "link"):
        db.rows(f"UPDATE {table} SET deleted_at = ? WHERE deleted_at IS NOT NULL", long_ago)
    trash.purge(folder)
    assert [row[0] for row in db.rows("SELECT public_id FROM link")] == [stays.public_id]
    assert [each.id for each in previews.kept(family.ada.id)] == [stays.public_id]
    assert b"Plum cake" not in folder.database.read_bytes()


def test_a_link_is_kept_for_oneself(folder: Folder, family: Family, decoder: Decoder, web: Stranger) -> None:
    for wrong in ("", "javascript:alert(1)", "example.org", "http://a.org http://b.org", "http://a.org/" + "x" * 2000):
        with pytest.raises(Invalid):
            previews.keep(family.ada.id, wrong, "")
    with pytest.raises(Invalid):
        previews.keep(family.ada.id, "http://example.org/", "x" * 301)
    first = previews.keep(family.ada.id, " http://example.org/cake ", "For\nSunday")
    assert _fetch_all(folder, decoder, web) == 0
    previews.turn(_pass(family.ada), is_on=True)
    second = previews.keep(family.ada.id, "http://example.org/cake", "")
    assert _fetch_all(folder, decoder, web) == 1
    kept = previews.kept(family.ada.id)
    assert [(each.id, each.note) for each in kept] == [(second.public_id, ""), (first.public_id, "For Sunday")]
    assert kept[0].preview.title == "Plum cake & cream"
    assert kept[1].preview is None
    assert previews.kept(family.ben.id) == []
    assert previews.picture(second.public_id, family.ada.id)
    for verb in (lambda: previews.picture(second.public_id, family.ben.id),
                 lambda: previews.remove(second.public_id, family.ben.id)):  # fmt: skip
        with pytest.raises(NotFound):
            verb()
    previews.remove(second.public_id, family.ada.id)
    assert len(previews.kept(family.ada.id)) == 1
    with pytest.raises(NotFound):
        previews.picture(second.public_id, family.ada.id)
    previews.put_back(second.public_id, family.ada.id)
    assert len(previews.kept(family.ada.id)) == 2


def test_what_was_taken_away_before_its_turn_came_is_not_asked_for(
    folder: Folder, family: Family, decoder: Decoder, web: Stranger
) -> None:
    previews.turn(_pass(family.ada), is_on=True)
    post = _share(family.ada, "Oh no: http://example.org/cake")
    link = previews.keep(family.ada.id, "http://example.org/cake", "")
    feed.take_down(post, family.ada.id, is_admin=False)
    previews.remove(link.public_id, family.ada.id)
    assert _fetch_all(folder, decoder, web) == 0
    assert (web.looked_up, web.dialled) == ([], [])
    previews.waiting.clear()
    feed.put_back(post.public_id, family.ada.id, family.ada.id)
    assert previews.waiting.is_set()
    assert _fetch_all(folder, decoder, web) == 1


def test_a_kept_link_comes_back_for_thirty_days(folder: Folder, family: Family) -> None:
    link = previews.keep(family.ada.id, "https://example.org/cake", "")
    with pytest.raises(NotFound):
        previews.put_back(link.public_id, family.ada.id)  # not in the trash
    previews.remove(link.public_id, family.ada.id)
    assert [each[0] for each in previews.trash(family.ada.id)] == [link.public_id]
    db.rows("UPDATE link SET deleted_at = deleted_at - 30 * 86400 - 1")
    assert previews.trash(family.ada.id) == []
    with pytest.raises(NotFound):
        previews.put_back(link.public_id, family.ada.id)
