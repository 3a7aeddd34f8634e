"""The pages of links through the client: the switch, the card of a preview and its picture, links kept for oneself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from homecircle import db, feed
from homecircle.vault import previews
from tests.conftest import SAMPLES, Family, Home, Person
from tests.outside import Stranger, answer, stranger

CAKE = (
    b"<title>Plum &lt;i&gt; cake</title>"
    b"<meta property=og:site_name content=Recipes><meta property=og:image content=/c.jpg>"
)


@pytest.fixture
def web() -> Iterator[Stranger]:
    with stranger({"/": answer(CAKE), "/c.jpg": answer((SAMPLES / "cake.jpg").read_bytes(), "image/jpeg")}) as made:
        yield made


def _share(home: Home, web: Stranger, person: Person, text: str, *others: Person) -> str:
    data = {"text": text, "once": db.random_id()} | ({"for": [each.public_id for each in others]} if others else {})
    home.browser(person).post("/feed", data)
    while previews.fetch_next(home.house.folder, home.house.decoder, web.way()):
        pass
    return feed.Post.select().order_by(feed.Post.id.desc()).get().public_id


def test_an_admin_turns_previews_on_and_everyone_reads_of_it(home: Home, family: Family) -> None:
    ada, ben = home.browser(family.ada), home.browser(family.ben)
    for verb in (ben.get, ben.post):
        assert verb("/house/links").status_code == 403
    assert "Link previews are off: nothing leaves the house." in ada.get("/house/links").text
    assert "asks the linked page once" not in ben.get("/house/kept").text
    assert 'href="/house/links"' in ada.get("/house").text
    for on, words in (("1", "Link previews are on."), ("", "Link previews are off")):
        assert ada.post("/house/links", {"on": on}).location == "/house/links"
        assert words in ada.get("/house/links").text
    ada.post("/house/links", {"on": "1"})
    assert "That page sees the address of this home." in ben.get("/house/kept").text
    log = ben.get("/house/log").text
    assert "turned link previews on" in log
    assert "turned link previews off" in log


def test_a_card_stands_under_the_words_and_comes_from_this_house(home: Home, family: Family, web: Stranger) -> None:
    home.browser(family.ada).post("/house/links", {"on": "1"})
    cursor = json.loads(home.browser(family.ben).get("/live/since?id=").text)["id"]
    post = _share(home, web, family.ada, "Sunday? http://example.org/")
    ben = home.browser(family.ben)
    told = json.loads(ben.get(f"/live/since?id={cursor}").text)["hints"]
    assert told.count([f"post-{post}", post]) >= 1
    assert db.row("SELECT count(*) FROM event WHERE verb = 'link.drawn'")[0] == 1
    for page in (ben.get("/").text, ben.get(f"/feed/{post}?part=card").text, ben.get(f"/feed/{post}").text):
        card = re.search(r'<a class="link-card".*?</a>', page)[0]
        assert "<b>Plum &lt;i&gt; cake</b>" in card
        assert "Recipes" in card
        assert 'href="http://example.org/"' in card
        picture = re.search(r'src="([^"]+)"', card)[1]
        assert picture.startswith("/vault/links/")
        assert 'width="320"' in card
    shown = ben.get(picture)
    assert shown.mimetype == "image/webp"
    assert shown.data[:4] == b"RIFF"
    assert "immutable" in shown.headers["Cache-Control"]
    assert "sandbox" in shown.headers["Content-Security-Policy"]
    assert ben.get(picture, headers={"If-None-Match": shown.headers["ETag"]}).status_code == 304
    listed = ben.get("/vault/links").text
    assert "Plum &lt;i&gt; cake" in listed
    assert '<p class="link-note">Sunday?</p>' in listed
    assert "Ada, now" in listed


def test_a_picture_is_seen_with_its_post_alone(home: Home, family: Family, web: Stranger) -> None:
    home.browser(family.ada).post("/house/links", {"on": "1"})
    post = _share(home, web, family.ada, "For Cleo: http://example.org/", family.cleo)
    picture = re.search(r'src="(/vault/links/[^"]+)"', home.browser(family.cleo).get("/").text)[1]
    ben = home.browser(family.ben)
    unseen, nothing = ben.get(picture), ben.get("/vault/links/aaaaaaaaaaaaaaaa/picture")
    assert (unseen.status_code, unseen.data, unseen.headers) == (404, nothing.data, nothing.headers)
    etag = home.browser(family.cleo).get(picture).headers["ETag"]
    assert ben.get(picture, headers={"If-None-Match": etag}).status_code == 404
    assert "Plum" not in ben.get("/vault/links").text + ben.get("/").text
    home.browser(family.ada).post(f"/feed/{post}/delete")
    assert home.browser(family.cleo).get(picture).status_code == 404
    home.browser(family.ada).post(f"/feed/{post}/restore")
    assert home.browser(family.cleo).get(picture).status_code == 200


def test_a_link_is_kept_removed_and_brought_back(home: Home, family: Family) -> None:
    ada, ben = home.browser(family.ada), home.browser(family.ben)
    wrong = ada.post("/vault/links", {"url": "javascript:alert(1)", "note": "my <note>"})
    assert wrong.status_code == 422
    assert "A link begins with https:// or http://." in wrong.text
    assert "my &lt;note&gt;" in wrong.text
    assert ada.post("/vault/links", {"url": "https://example.org/cake", "note": "For Sunday"}).status_code == 303
    page = ada.get("/vault/links").text
    assert 'href="https://example.org/cake"' in page
    assert "For Sunday" in page
    assert "example.org" not in ben.get("/vault/links").text
    away = re.search(r'action="(/vault/links/\w+/delete)"', page)[1]
    assert ben.post(away).status_code == 404
    gone = ada.post(away)
    page = ada.get(gone.location).text
    assert "example.org/cake" not in page
    assert re.search(r'action="(/vault/links/\w+/restore)"', ada.get("/vault/trash").text)
    assert "/vault/links/" not in ben.get("/vault/trash").text.replace('href="/vault/links', "")
    back = re.search(r'action="(/vault/links/\w+/restore)"', page)[1]
    assert ben.post(back).status_code == 404
    ada.post(back)
    assert "example.org/cake" in ada.get("/vault/links").text


@pytest.mark.parametrize("text", ["http://[", "http://[x", "https://a\u2100b/", "http://", "http://:99999/"])
def test_no_broken_address_breaks_a_page(home: Home, family: Family, text: str) -> None:
    ada = home.browser(family.ada)
    ada.post("/house/links", {"on": "1"})
    assert ada.post("/feed", {"text": f"Look: {text}", "once": "1"}).status_code == 303
    for path in ("/", "/vault/links", "/vault/search?q=look"):
        assert ada.get(path).status_code == 200, path


def test_a_page_with_links_asks_one_statement_more(home: Home, family: Family) -> None:
    def statements() -> int:
        asked: list[str] = []
        db.database.connection().set_trace_callback(asked.append)
        home.browser(family.ben).get("/")
        db.database.connection().set_trace_callback(None)
        return len(asked)

    feed.publish(family.ada.id, "Words", [], [], "w")
    home.browser(family.ben).get("/")
    plain = statements()
    for number in range(20):
        feed.publish(family.ada.id, f"http://example.org/{number}", [], [], f"{number}")
    home.browser(family.ben).get("/")
    assert statements() == plain + 1


def test_a_kept_link_is_found_by_the_one_who_keeps_it(home: Home, family: Family) -> None:
    ben = home.browser(family.ben)
    ben.post("/vault/links", {"url": "https://cake.example/plums", "note": "Gran's https cake"})
    link = db.row("SELECT public_id FROM link")[0]
    for words in ("plums", "Gran", "Ben cake"):
        assert f"/vault/links#link-{link}" in ben.get("/vault/search", query_string={"q": words}).text
    assert f'id="link-{link}"' in ben.get("/vault/links").text and "From posts" not in ben.get("/vault/links").text
    assert "cake.example" not in home.browser(family.ada).get("/vault/search?q=plums").text
    ben.post(f"/vault/links/{link}/delete")
    assert f"#link-{link}" not in ben.get("/vault/search?q=plums").text
    ben.post(f"/vault/links/{link}/restore")
    assert f"#link-{link}" in ben.get("/vault/search?q=plums").text
