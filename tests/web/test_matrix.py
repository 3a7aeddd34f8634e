"""Any member x any object x any method: what is not permitted answers like the non-existent, to the letter."""

from __future__ import annotations

import json
import re

import pytest

from homecircle import db, feed, threads, vault
from homecircle.threads import Words
from tests.conftest import Family, Home, Person, photo

METHODS = ("GET", "HEAD", "POST", "PATCH", "DELETE")
NOWHERE = "aaaaaaaaaaaaaaaa"


@pytest.fixture
def surprise(home: Home, family: Family) -> dict[str, str]:
    """A post of ada's for cleo alone, with a photo, a reply with a photo, and a mark; and the ids of it all."""
    ada = home.browser(family.ada)
    ada.post(
        "/feed",
        {"text": "A surprise for Ben", "once": "s", "for": [family.cleo.public_id], "photos": photo("cake.jpg")},
    )
    post = feed.Post.select().order_by(feed.Post.id.desc()).get()
    kept = vault.keep(
        home.house.folder, home.house.folder.take(photo("garden.jpg").stream), "garden.jpg", family.cleo.id
    )
    said = threads.say(post, family.cleo.id, Words("He will love it", items=(kept.public_id,)), "r")
    feed.mark(post, family.cleo.id, "🎂")
    home.draw()
    item = db.row("SELECT public_id FROM item WHERE name = 'cake.jpg'")[0]
    tiles = {each: vault.get(each, family.cleo.id) for each in (item, kept.public_id)}
    return {
        "post": post.public_id,
        "message": said.public_id,
        "item": item,
        "reply_item": kept.public_id,
        "stamp": tiles[item].small.rpartition("/")[2],
        "reply_stamp": tiles[kept.public_id].small.rpartition("/")[2],
    }


def _paths(ids: dict[str, str]) -> list[str]:
    post, item, reply_item = ids["post"], ids["item"], ids["reply_item"]
    paths = [
        f"/feed/{post}{tail}"
        for tail in ("", "?part=card", "/edit", "/delete", "/thread", "/messages", "/mark", "/mark/delete")
    ]
    paths += [f"/feed/{post}/messages/{ids['message']}/{verb}" for verb in ("edit", "delete")]
    for one, stamp in ((item, ids["stamp"]), (reply_item, ids["reply_stamp"])):
        paths += [f"/vault/{one}", f"/vault/{one}?part=tile", f"/vault/{one}/original", f"/vault/{one}/{stamp}"]
    return paths


def _tell(home: Home, who: Person, path: str, method: str) -> tuple[int, bytes, dict[str, str]]:
    headers = {"Range": "bytes=0-9"} if method == "GET" else {}
    answer = home.browser(who).open(
        path, method, headers=headers, data={"text": "x", "mark": "x"} if method == "POST" else None
    )
    return answer.status_code, answer.data, dict(answer.headers)


def test_the_unseen_answers_exactly_like_the_non_existent(home: Home, family: Family, surprise: dict[str, str]) -> None:
    other = {key: (value if "stamp" in key else NOWHERE) for key, value in surprise.items()}
    for outsider in (family.ben, family.grandma):
        for path, nowhere in zip(_paths(surprise), _paths(other), strict=True):
            for method in METHODS:
                seen = _tell(home, outsider, path, method)
                assert seen[0] in {404, 405}, (outsider.name, method, path, seen[0])
                assert seen == _tell(home, outsider, nowhere, method), (method, path)


def test_those_it_is_for_see_it_all(home: Home, family: Family, surprise: dict[str, str]) -> None:
    for person in (family.ada, family.cleo):
        for path in _paths(surprise):
            if path.endswith(("/delete", "/edit", "/messages", "/mark")):
                continue
            assert _tell(home, person, path, "GET")[0] in {200, 206}, (person.name, path)


def test_no_list_hint_notice_or_304_tells_of_it(home: Home, family: Family, surprise: dict[str, str]) -> None:
    ben = home.browser(family.ben)
    cursor = re.search(r'data-since="(\w*)"', ben.get("/").text)[1]
    threads.say(feed.Post.get(feed.Post.public_id == surprise["post"]), family.ada.id, Words("Hush"), "r2")
    for path in (
        "/",
        "/since",
        "/threads",
        "/presence",
        "/members",
        f"/members/{family.ada.public_id}",
        "/house/log",
        "/devices",
        "/vault",
        "/vault/links",
        "/vault/files",
        "/vault/trash",
        "/vault/on-this-day",
        "/vault/search?q=cake",
        "/vault/search?q=Ada",
    ):
        page = ben.get(path).text
        assert not any(value in page for value in surprise.values()), path
        assert "surprise" not in page.lower().replace("a surprise for pa", ""), path
    told = json.loads(ben.get(f"/live/since?id={cursor}").text)
    assert told["hints"] == []
    assert told["id"] == cursor
    assert json.loads(home.browser(family.cleo).get("/live/since?id=").text)["hints"] != []
    whole = home.browser(family.cleo).get(f"/vault/{surprise['item']}/original")
    for etag in (whole.headers["ETag"], "*"):
        assert ben.get(f"/vault/{surprise['item']}/original", headers={"If-None-Match": etag}).status_code == 404


def test_the_cursor_after_something_unseen_is_the_one_before(home: Home, family: Family) -> None:
    home.browser(family.ada).post("/feed", {"text": "for all", "once": "1"})
    before = json.loads(home.browser(family.ben).get("/live/since?id=").text)["id"]
    home.browser(family.ada).post("/feed", {"text": "not for Ben", "once": "2", "for": [family.cleo.public_id]})
    assert json.loads(home.browser(family.ben).get("/live/since?id=").text)["id"] == before


def test_a_deleted_post_takes_its_photos_along(home: Home, family: Family, surprise: dict[str, str]) -> None:
    home.browser(family.ada).post(f"/feed/{surprise['post']}/delete")
    for path in _paths(surprise):
        if surprise["item"] in path or surprise["post"] in path:
            assert _tell(home, family.cleo, path, "GET")[0] in {404, 405}, path
