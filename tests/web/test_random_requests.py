"""Random requests to every route: none is answered with a mistake of the house's own, none opens a door.

The same seed gives the same requests. How many a route: HC_REQUESTS (12 here; the bar asks for 500).
"""

from __future__ import annotations

import os
import random
from typing import Any

import pytest

from homecircle import backup, db, devices, drafts, feed, threads, vault
from homecircle.threads import Words
from homecircle.vault import previews
from tests.conftest import HOME, Browser, Family, Home, photo

EACH = int(os.environ.get("HC_REQUESTS", "12"))
METHODS = ("GET", "GET", "POST", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS")
ODD = [
    "", "\0", "x" * 3000, "-1", "0", "99999999999999999999", "1e999", "../..", "/etc/passwd", "%00", "'\"<>",
    "🎂", "2026-13-45", "0001-01-01", "9999-12-31", "NaN", "some", "everyone", "[]", "a b", "\r\nX: y", "٣",
]  # fmt: skip
FIELDS = [
    "text", "once", "for", "items", "photos", "picture", "name", "colour", "url", "note", "code", "secret",
    "words", "what", "whom", "look", "files", "path", "place", "member", "device", "devices", "pin", "day",
    "open", "on", "scope", "posts", "sure", "caption", "description", "welcome", "keep", "role", "admin",
    "away_address", "mark", "quote", "text_size", "theme", "language", "zone", "shares", "until", "whole",
    "face", "replaced"
]  # fmt: skip
ASKED = [
    "before", "after", "part", "removed", "taken", "waved", "day", "by", "kind", "marked", "post", "left", "q",
    "id", "since", "place", "path", "items", "saved", "stay", "forgotten", "let_in"
]  # fmt: skip
HEADERS = {
    "HX-Request": ["true", "x"], "Range": ["bytes=0-9", "bytes=-5", "bytes=9-1", "lines=1"],
    "If-None-Match": ["*", '"x"', '"'], "Tus-Resumable": ["1.0.0", "2"], "Upload-Length": ["6", "-1", "9" * 15],
    "Upload-Offset": ["0", "7", "x"], "Upload-Metadata": ["slot YQ==,keep MQ==", "a b c", "filename /w=="],
    "Upload-Checksum": ["sha1 x", "md5", "crc AA=="], "Content-Type": ["application/offset+octet-stream", "text/plain"],
    "Accept": ["application/json", "*/*"], "Authorization": ["Bearer x", "Bearer"], "Last-Event-ID": ["x"],
}  # fmt: skip
# What ends the test's own house or browser: these have tests of their own.
ENDS = {"settings.leave_for_good", "members.remove", "devices.delete", "live.index"}


class Dice:
    """One seed's requests: real ids among the odd ones."""

    def __init__(self, seed: int, real: list[str]) -> None:
        self.roll = random.Random(seed)
        self.real = real

    def value(self) -> str:
        return self.roll.choice(self.real if self.roll.random() < 0.5 else ODD)

    def some(self, names: list[str], most: int) -> dict[str, Any]:
        return {name: self.value() for name in self.roll.sample(names, self.roll.randrange(most))}

    def address(self, rule: Any) -> str:
        url = rule.rule
        for argument in rule.arguments:
            number = self.roll.choice(["0", "2026", "9" * 30, "320", "13"])
            plain = self.value().replace("/", "_") or "_"
            url = url.replace(f"<int:{argument}>", number).replace(f"<{argument}>", plain)
            url = url.replace(f"<path:{argument}>", plain)
        return str(url.replace("?", "%3F").replace("#", "%23"))

    def headers(self) -> dict[str, str]:
        names = self.roll.sample(list(HEADERS), self.roll.randrange(3))
        return {name: self.roll.choice(HEADERS[name]) for name in names}

    def body(self) -> Any:
        form = self.some(FIELDS, 7)
        if self.roll.random() < 0.2:
            return form | {"photos": [photo(self.roll.choice(["cake.jpg", "empty.jpg", "text-named.jpg"]))]}
        return b"abcdef" if self.roll.random() < 0.2 else form


@pytest.fixture
def real(home: Home, family: Family) -> list[str]:
    """Ids of everything there is, the secret ones among them."""
    item = vault.keep(home.house.folder, home.house.folder.take(photo("cake.jpg").stream), "cake.jpg", family.ada.id)
    post = feed.publish(family.ada.id, "A surprise for Ben", [item.public_id], [family.cleo.public_id], "1")
    said = threads.say(post, family.cleo.id, Words("Hush"), "2")
    made = drafts.share(family.ada.id, "Not yet told", ["coming-a"], [], "3")
    link = previews.keep(family.ada.id, "https://example.org/secret-link", "")
    feed.publish(family.ben.id, "For all", [], [], "4")
    home.house.arrival = backup.Arrival(home.house.folder, lambda: None)
    home.draw()
    rows = db.rows("SELECT public_id FROM device UNION SELECT public_id FROM member")
    return [item.public_id, post.public_id, said.public_id, made, link.public_id, "post", "item", *(r[0] for r in rows)]


def _sent(browser: Browser, rule: Any, dice: Dice) -> tuple[str, str, Any]:
    method, url = dice.roll.choice(METHODS), dice.address(rule)
    options: dict[str, Any] = {"query_string": dice.some(ASKED, 4), "headers": dice.headers()}
    if method in {"POST", "PUT", "PATCH"}:
        options["data"] = dice.body()
    return method, url, browser.open(url, method, **options)


@pytest.mark.parametrize("who", ["ada", "ben", "limited", "tablet", "program", "signed out", "stranger"])
def test_no_random_request_is_a_mistake_or_a_way_in(home: Home, family: Family, real: list[str], who: str) -> None:
    tokens = {
        "ada": family.ada.token, "ben": family.ben.token, "stranger": "",
        "limited": devices.add(family.cleo.id, "Old", "home", added_by=family.ada.id),
        "tablet": devices.add(None, "Kitchen", "home", kind="shared"),
        "program": devices.add(family.ada.id, "Camera", "home", kind="program"),
        "signed out": devices.add(family.cleo.id, "Lost", "home"),
    }  # fmt: skip
    lost = next(each for each in devices.everyone() if each.name == "Lost")
    admin = devices.recognise(family.ada.token, "home")
    assert admin is not None
    devices.revoke(lost.public_id, admin)
    for number, rule in enumerate(home.app.url_map.iter_rules()):
        if rule.endpoint in ENDS:
            continue
        dice = Dice(number * 1000 + len(who), real)
        for _ in range(EACH):
            browser = Browser(home.app.test_client(), HOME, tokens[who])
            method, url, answer = _sent(browser, rule, dice)
            assert answer.status_code < 500 or answer.status_code in {503, 507}, (who, method, url, answer.status_code)
            if who not in {"ada"}:
                told = answer.data.decode(errors="replace")
                for secret in ("A surprise for Ben", "Not yet told", "secret-link", "Hush"):
                    assert secret not in told, (who, method, url, secret)
            if who in {"program", "signed out", "stranger"} and rule.endpoint != "static":
                assert "Lindqvist" not in answer.data.decode(errors="replace"), (who, method, url)


def test_a_programs_token_opens_uploads_and_nothing_else(home: Home, family: Family, real: list[str]) -> None:
    token = devices.add(family.ada.id, "Camera", "home", kind="program")
    opened = set()
    for rule in home.app.url_map.iter_rules():
        url = Dice(1, real).address(rule)
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            bare = Browser(home.app.test_client(), HOME)
            answer = bare.open(url, method, headers={"Authorization": f"Bearer {token}", "Accept": "*/*"})
            as_stranger = Browser(home.app.test_client(), HOME).open(url, method, headers={"Accept": "*/*"})
            if answer.status_code != as_stranger.status_code:
                opened.add(rule.endpoint)
    assert opened == {"uploads.options", "uploads.create", "uploads.show", "uploads.update", "uploads.poster",
                      "uploads.compare", "uploads.delete"}  # fmt: skip
