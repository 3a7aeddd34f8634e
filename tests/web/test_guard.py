"""The access table: every route x every method as a stranger, forged origins and hosts, the header set everywhere."""

from __future__ import annotations

import pytest

from homecircle import circle, devices
from homecircle.web import HEADERS
from tests.conftest import AWAY, HOME, Browser, Family, Home

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
# What a stranger may open at all. Everything else must lead to the door.
OPEN = {
    ("static", "GET"),
    ("healthz", "GET"),
    ("devices.hello", "GET"),
    ("devices.hello_with_code", "POST"),
    ("devices.join", "GET"),
    ("devices.join_look", "POST"),
    ("devices.join_with_secret", "POST"),
    ("setup.code", "GET"),
    ("setup.claim", "POST"),
    ("asking.new", "GET"),
    ("asking.create", "POST"),
    ("asking.create_with_code", "POST"),
    ("asking.sheet", "GET"),
    ("asking.create_with_sheet", "POST"),
    ("asking.here", "GET"),
    ("asking.come_here", "POST"),
    ("asking.away", "GET"),
    ("asking.ask_away", "POST"),
}


def _addresses(home: Home) -> list[tuple[str, str, set[str]]]:
    places = {"path": "css/base.css", "version": "x", "edge": "320"}
    found = []
    for rule in home.app.url_map.iter_rules():
        url = rule.rule
        for argument in rule.arguments:
            for kind in ("", "int:", "path:"):
                url = url.replace(f"<{kind}{argument}>", places.get(argument, "abcdefgh"))
        found.append((rule.endpoint, url, rule.methods - {"OPTIONS"}))
    return found


def test_every_route_is_closed_to_strangers(home: Home) -> None:
    stranger, opened, routes = home.browser(), set(), home.app.url_map.bind("homecircle.local")
    for _endpoint, url, _methods in _addresses(home):
        for method in METHODS:
            answer = stranger.open(url, method)
            if answer.status_code in {401, 405} or (answer.status_code == 303 and answer.location == "/hello"):
                continue
            opened.add((routes.match(url, method=method)[0], "GET" if method == "HEAD" else method))
    assert opened == OPEN - {("setup.code", "GET")}  # a claimed house sends /setup to the door as well


def test_a_stranger_learns_nothing_from_unknown_addresses(home: Home) -> None:
    stranger = home.browser()
    for path in ("/feed/abcdefghijklmnop", "/vault/abcdefghijklmnop", "/nothing-here", "/members/x"):
        answer = stranger.get(path)
        assert (answer.status_code, answer.location) == (303, "/hello")
    assert stranger.get("/live").status_code == 401
    assert stranger.get("/vault/abcdefghijklmnop/original").status_code == 401


def test_hello_tells_no_name(home: Home, family: Family) -> None:
    for path in ("/hello", "/join"):
        page = home.browser().get(path).text
        assert "Lindqvist" not in page
        assert not any(person.name in page for person in family)


def test_every_answer_has_the_header_set(home: Home, family: Family) -> None:
    for who in (home.browser(), home.browser(family.ada), home.browser(family.cleo)):
        for _endpoint, url, _methods in _addresses(home):
            for method in ("GET", "POST", "DELETE"):
                if url == "/live" and method == "GET":
                    continue
                answer = who.open(url, method)
                assert answer.status_code < 500, (url, method)
                assert not set(HEADERS) - set(answer.headers.keys()), (url, method)
                assert answer.headers["HC-Home"] == "1"  # what the pages' scripts believe
                assert "no-store" in answer.headers["Cache-Control"] or answer.status_code in {200, 206, 304}


FORGED = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "https://homecircle.local"},
    {"Origin": "http://homecircle.local:8080"},
    {"Origin": "http://homecircle.local.evil.example"},
    {"Origin": "http://192.0.2.7"},
    {"Origin": "HTTP://HOMECIRCLE.LOCAL/"},
    {"Origin": ""},
    {"Origin": HOME, "Sec-Fetch-Site": "cross-site"},
    {"Origin": HOME, "Sec-Fetch-Site": "same-site"},
    {"Origin": HOME, "Sec-Fetch-Site": "none"},
    {"Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"},
    {"Origin": "http://homecircle.local@evil.example"},
    {"Origin": "file://"},
]


@pytest.mark.parametrize("headers", FORGED, ids=str)
def test_a_write_from_another_page_is_refused(home: Home, family: Family, headers: dict[str, str]) -> None:
    browser = home.browser(family.ada)
    assert browser.post("/feed", {"text": "forged", "once": "1"}, headers=headers).status_code == 403
    assert "forged" not in browser.get("/").text


def test_a_write_without_any_origin_is_refused_unless_a_token_is_borne(home: Home, family: Family) -> None:
    answer = home.browser(family.ada).post("/feed", {"text": "x", "once": "1"}, headers={"Origin": None})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "EVIL.EXAMPLE",
        "evil.example.",
        "homecircle.local.evil.example",
        "192.0.2.8",
        "10.0.0.1",
        "[::2]",
        "homecircle.local:8080",
        "family.example.org",
        "",
        "homecircle.local@evil.example",
        "a b",
        "[fd00::8]:80",
    ],
)
def test_an_unknown_host_gets_421_and_no_data(home: Home, family: Family, host: str) -> None:
    for path in ("/", "/healthz", "/hello", "/static/x/css/base.css", "/nothing", "/live"):
        for method in ("GET", "POST"):
            answer = home.browser(family.ada).open(path, method, headers={"Host": host})
            assert answer.status_code == 421, (path, host)
            assert "Lindqvist" not in answer.text
            assert answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "host",
    [
        "homecircle.local",
        "HOMECIRCLE.LOCAL",
        "homecircle.local.",
        "homecircle.local:80",
        "192.0.2.7",
        "192.0.2.7:80",
        "[fd00::7]",
        "[FD00::7]:80",
        "localhost",
    ],
)
def test_our_own_names_and_addresses_are_answered(home: Home, host: str) -> None:
    assert home.browser().get("/healthz", headers={"Host": host}).status_code == 200


def test_the_away_door_answers_its_one_host_alone(home: Home, family: Family) -> None:
    away = home.browser(origin=AWAY)
    assert away.get("/healthz").status_code == 421
    circle.update(away_address=AWAY)
    assert away.get("/healthz").status_code == 200
    assert away.get("/healthz", headers={"Host": "homecircle.local"}).status_code == 421
    assert home.browser().get("/healthz", headers={"Host": "family.example.org"}).status_code == 421


def test_a_home_token_opens_nothing_from_outside(home: Home, family: Family) -> None:
    circle.update(away_address=AWAY)
    assert home.browser(family.ada).get("/").status_code == 200
    assert Browser(home.app.test_client(), AWAY, family.ada.token).get("/").location == "/hello"


def test_forwarded_headers_open_nothing(home: Home) -> None:
    forged = {
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Host": "homecircle.local",
        "X-Forwarded-Proto": "https",
        "Tailscale-User-Login": "ada@example.org",
        "X-Real-IP": "127.0.0.1",
        "Forwarded": "for=127.0.0.1",
    }
    assert home.browser().get("/", headers=forged).location == "/hello"


def test_the_token_is_a_cookie_that_scripts_cannot_read(home: Home, family: Family) -> None:
    offer = devices.offer("device", "Ada", family.ada.id)
    answer = home.browser().post("/join", {"secret": offer.secret})
    assert answer.status_code == 303
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("hc_lan=") and "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Secure" not in cookie
    circle.update(away_address=AWAY)
    away = home.browser(origin=AWAY).post("/join", {"secret": devices.offer("device", "Ada", family.ada.id).secret})
    assert away.headers["Set-Cookie"].startswith("__Host-hc=") and "Secure" in away.headers["Set-Cookie"]


def test_a_revoked_device_opens_nothing(home: Home, family: Family) -> None:
    ben = home.browser(family.ben)
    assert ben.get("/").status_code == 200
    mine = devices.of_member(family.ben.id)[0]
    ada = devices.recognise(family.ada.token, "home")
    assert ada is not None
    devices.revoke(mine.public_id, ada)
    assert ben.get("/").location == "/hello"
    assert ben.get("/live/since?id=").status_code == 401


def test_admin_pages_say_kindly_that_they_are_for_admins(home: Home, family: Family) -> None:
    answer = home.browser(family.cleo).post("/members/invitations", {"name": "Mia"})
    assert answer.status_code == 403
    assert "looks after HomeCircle" in answer.text
