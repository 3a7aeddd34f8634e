"""Forty bad inputs: none is a 500, none leaks, none loses what is there."""

from __future__ import annotations

import json
from io import BytesIO

import pytest
from werkzeug.datastructures import FileStorage

from homecircle import db
from tests.conftest import SAMPLES, Family, Home, photo

SCRIPT = '<script>alert(1)</script><img src=x onerror="alert(1)">'
SQL = "'); DROP TABLE post; --"
TEXTS = [
    SCRIPT,
    SQL,
    "\u0000\u0001\u001b[31m",
    "\u202eevil\u202c",
    "x" * 4001,
    "x" * 900_000,
    "𝕳" * 3000,
    "\n" * 5000,
    " " * 100,
    "%s %(name)s {{ 7*7 }} {% raw %}",
    "javascript:alert(1)",
    "http://" + "a" * 3000,
    "e\u0301" * 4001,
    "../../etc/passwd",
    "\ufeff\u200b",
    "https://evil.example/<script>",
]
FILES = [
    ("empty.jpg", b""),
    ("text.jpg", b"words"),
    ("half.jpg", None),
    ("../../evil.jpg", b"\xff\xd8\xff"),
    ("a.svg", b"<svg onload='alert(1)'/>"),
    ("x" * 3000 + ".jpg", b"\xff\xd8\xff\xe0"),
    ("nul\x00.jpg", b"GIF89a"),
    ("page.html", SCRIPT.encode()),
    ("riff", b"RIFF\xff\xff\xff\xffWEBP"),
    ("png", b"\x89PNG\r\n\x1a\n" + b"\xff" * 100),
    ("heic", b"\x00\x00\x00\x18ftypheic" + b"\x00" * 16),
]


def _unharmed(home: Home, family: Family) -> None:
    page = home.browser(family.ben).get("/")
    assert page.status_code == 200
    assert "Still here" in page.text
    assert "<script>alert" not in page.text
    assert "onerror=" not in page.text.replace("onerror=&#34;", "")


@pytest.fixture(autouse=True)
def _something_to_lose(home: Home, family: Family) -> None:
    home.browser(family.ben).post("/feed", {"text": "Still here", "once": "0"})


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text[:12]))
def test_odd_texts_everywhere(home: Home, family: Family, text: str) -> None:
    ada = home.browser(family.ada)
    post = db.row("SELECT public_id FROM post")[0]
    tries = [
        ("/feed", {"text": text, "once": "1"}),
        ("/feed", {"text": "a", "once": text[:100]}),
        ("/feed", {"text": "a", "for": [text[:99]], "once": "2"}),
        ("/feed", {"items": [text[:99]], "once": "3"}),
        (f"/feed/{post}/messages", {"text": text, "quote": text[:99], "once": "4"}),
        (f"/feed/{post}/mark", {"mark": text}),
        ("/settings/profile", {"name": text, "colour": text[:9]}),
        ("/settings/look", {"text_size": text[:9], "theme": text[:9]}),
        ("/settings/language", {"language": text[:9], "zone": text[:99]}),
        ("/settings/sharing", {"shares": text[:20]}),
        ("/presence/status", {"text": text, "until": text[:9]}),
        ("/members/invitations", {"name": text, "once": "5"}),
        ("/hello", {"code": text}),
        ("/join", {"secret": text}),
        ("/join/look", {"secret": text}),
        ("/setup", {"code": text}),
    ]
    for path, form in tries:
        answer = ada.post(path, form)
        assert answer.status_code < 500, (path, answer.status_code)
        assert "<script>alert" not in answer.text, path
    for path in ("/", "/feed/", "/members/", "/vault/", "/since", "/threads", "/presence", "/devices"):
        for query in ({"before": text[:200], "after": text[:200]}, {"part": text[:50], "removed": text[:50]}):
            assert ada.get(path, query_string=query).status_code < 500
    _unharmed(home, family)


@pytest.mark.parametrize(("name", "data"), FILES, ids=[ascii(name[:12]) for name, _ in FILES])
def test_odd_files_lose_nothing(home: Home, family: Family, name: str, data: bytes | None) -> None:
    data = (SAMPLES / "cake.jpg").read_bytes()[:5000] if data is None else data
    ada = home.browser(family.ada)
    for path, field in (("/feed", "photos"), ("/settings/profile", "picture")):
        good, bad = photo("orientation-1.jpg"), FileStorage(BytesIO(data), name)
        form = {
            field: [good, bad] if field == "photos" else bad,
            "text": "With files",
            "name": "Ada",
            "colour": "1",
            "once": "9",
        }
        answer = ada.post(path, form)
        assert answer.status_code in {303, 422}, (path, answer.status_code)
        if field == "photos" and answer.status_code == 422:
            assert "With files" in answer.text
            assert answer.text.count('name="items"') == 1
    home.draw()
    assert ada.get("/").status_code == 200
    _unharmed(home, family)


def test_lone_surrogates_and_broken_encodings(home: Home, family: Family) -> None:
    ada = home.browser(family.ada)
    for body in (
        b"text=%ED%A0%80&once=1",
        b"text=%FF%FE&once=2",
        b"text=\xff\xfe&once=3",
        b"%",
        b"&" * 10_000,
        b"=" * 1000,
    ):
        answer = ada.open("/feed", "POST", data=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
        assert answer.status_code < 500, body[:20]
    for path in ("/feed/%ff", "/feed/%00", "/%ED%A0%80", "/feed/" + "a" * 5000, "/static/x/../../etc/passwd"):
        assert ada.get(path).status_code in {303, 308, 400, 404}, path
    _unharmed(home, family)


def test_bodies_of_another_kind(home: Home, family: Family) -> None:
    ada, deep = home.browser(family.ada), "[" * 50_000 + "]" * 50_000
    kinds = [
        ("application/json", deep),
        ("application/json", json.dumps({"text": "x"})),
        ("text/xml", "<!DOCTYPE a [<!ENTITY b 'c'>]>"),
        ("multipart/form-data; boundary=x", '--x\r\nContent-Disposition: form-data; name="text"\r\n\r\ncut'),
        ("multipart/form-data", "no boundary"),
        ("", "nothing"),
    ]
    for kind, body in kinds:
        for path in ("/feed", "/hello", "/join", "/uploads"):
            assert ada.open(path, "POST", data=body, headers={"Content-Type": kind}).status_code < 500, (path, kind)
    _unharmed(home, family)


def test_too_many_fields_and_too_large_forms(home: Home, family: Family) -> None:
    ada = home.browser(family.ada)
    answer = ada.post("/feed", {"text": "x" * (2 << 20), "once": "1"})
    assert answer.status_code in {413, 422}
    assert ada.post("/feed", {f"field{number}": "x" for number in range(5000)}).status_code < 500
    many = {"text": "many", "once": "k", "photos": [photo("orientation-1.jpg") for _ in range(12)]}
    answer = ada.post("/feed", many)
    assert answer.status_code == 422
    assert answer.text.count('name="items"') == 10
    _unharmed(home, family)


def test_headers_that_make_no_sense(home: Home, family: Family) -> None:
    ada = home.browser(family.ada)
    for headers in (
        {"Range": "bytes=9-1,3-"},
        {"If-None-Match": '"'},
        {"Accept-Language": "x" * 9000},
        {"Accept": ";;;"},
        {"Cookie": "hc_lan=\x01; a=b=c;;"},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic !!!"},
        {"HX-Request": "maybe"},
        {"Content-Length": "abc"},
        {"X-Forwarded-For": "']--"},
        {"Accept-Language": "zz-ZZ-1;q=z"},
    ):
        for path in ("/", "/feed/x", "/live/since", "/vault/x/original"):
            assert ada.get(path, headers=headers).status_code < 500, (headers, path)
