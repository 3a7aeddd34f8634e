"""The pages of the feed through the client: share, see, edit, delete, put back; audiences; what was written is kept."""

from __future__ import annotations

import re

from homecircle import db, feed
from tests.conftest import SAMPLES, Family, Home, photo


def _post_id(home: Home, person: object, text: str) -> str:
    page = home.browser(person).get("/").text
    return re.search(r'<article id="post-(\w+)"(?:(?!<article).)*?' + re.escape(text), page, re.S)[1]


def test_a_shared_text_is_seen_by_everyone(home: Home, family: Family) -> None:
    answer = home.browser(family.ada).post("/feed", {"text": "Swimming badge!", "once": "k1"})
    assert answer.status_code == 303
    assert "Swimming badge!" in home.browser(family.cleo).get("/").text


def test_the_same_form_twice_posts_once(home: Home, family: Family) -> None:
    ada = home.browser(family.ada)
    first, second = (ada.post("/feed", {"text": "Only once", "once": "k1"}) for _ in range(2))
    assert first.location == second.location
    assert ada.get("/").text.count("Only once") == 1


def test_a_surprise_is_seen_by_those_ticked_alone(home: Home, family: Family) -> None:
    home.browser(family.ada).post("/feed", {"text": "A surprise for Ben", "once": "k", "for": [family.cleo.public_id]})
    assert "A surprise" in home.browser(family.cleo).get("/").text
    assert "A surprise" in home.browser(family.ada).get("/").text
    for outsider in (family.ben, family.grandma):
        assert "A surprise" not in home.browser(outsider).get("/").text
    post = _post_id(home, family.ada, "A surprise")
    for path in (f"/feed/{post}", f"/feed/{post}?part=card", f"/feed/{post}/edit"):
        assert home.browser(family.ben).get(path).status_code == 404
    for path in (f"/feed/{post}/delete", f"/feed/{post}/edit", f"/feed/{post}/restore"):
        assert home.browser(family.ben).post(path, {"text": "x"}).status_code == 404


def test_photos_without_scripts_are_shared_and_drawn(home: Home, family: Family) -> None:
    files = [photo(name) for name in ("phone.heic", "lake-12mp.jpg", "orientation-6.jpg")]
    answer = home.browser(family.ada).post("/feed", {"text": "From the lake", "once": "k", "photos": files})
    assert answer.status_code == 303
    waiting = home.browser(family.ben).get("/").text
    assert waiting.count('data-state="pending"') == 3
    home.draw()
    page = home.browser(family.ben).get("/").text
    urls = re.findall(r"/vault/\w+/(?:320|1080|2016)-\w+", page)
    assert len(set(urls)) >= 5
    for url in set(urls):
        answer = home.browser(family.ben).get(url)
        assert answer.status_code == 200
        assert answer.mimetype in {"image/jpeg", "image/webp"}
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"


def test_a_file_that_is_no_picture_gets_a_sentence_and_loses_nothing(home: Home, family: Family) -> None:
    files = [photo(name) for name in ("cake.jpg", "text-named.jpg")]
    answer = home.browser(family.ada).post("/feed", {"text": "Cake & notes", "once": "k", "photos": files})
    assert answer.status_code == 422
    assert "text-named.jpg" in answer.text
    assert "Cake &amp; notes" in answer.text
    kept = re.findall(r'name="items" value="(\w+)"', answer.text)
    assert len(kept) == 1
    again = home.browser(family.ada).post("/feed", {"text": "Cake & notes", "once": "k", "items": kept})
    assert again.status_code == 303


def test_somebody_elses_item_cannot_be_shared(home: Home, family: Family) -> None:
    """By one who does not see it, or for more than see it (tests/test_using.py)."""
    two = [family.ben.public_id]
    home.browser(family.ada).post("/feed", {"once": "k", "photos": [photo("cake.jpg")], "for": two})
    item = db.row("SELECT public_id FROM item")[0]
    for person in (family.ben, family.cleo):
        answer = home.browser(person).post("/feed", {"text": "mine now", "once": "k", "items": [item]})
        assert answer.status_code == 422


def test_an_edit_is_seen_and_only_its_author_may(home: Home, family: Family) -> None:
    home.browser(family.ben).post("/feed", {"text": "Brad", "once": "k"})
    post = _post_id(home, family.ben, "Brad")
    assert home.browser(family.cleo).post(f"/feed/{post}/edit", {"text": "Hacked"}).status_code == 403
    assert home.browser(family.ben).post(f"/feed/{post}/edit", {"text": ""}).status_code == 422
    assert home.browser(family.ben).post(f"/feed/{post}/edit", {"text": "Bread"}).status_code == 303
    page = home.browser(family.cleo).get("/").text
    assert "Bread" in page and "Brad" not in page


def test_a_deleted_post_is_gone_and_comes_back_for_the_one_who_removed_it(home: Home, family: Family) -> None:
    home.browser(family.ben).post("/feed", {"text": "Oops", "once": "k"})
    post = _post_id(home, family.ben, "Oops")
    assert home.browser(family.cleo).post(f"/feed/{post}/delete").status_code == 403
    answer = home.browser(family.ben).post(f"/feed/{post}/delete")
    assert answer.status_code == 303
    assert post in home.browser(family.ben).get(answer.location).text  # the offer to put it back
    for person in family:
        assert "Oops" not in home.browser(person).get("/").text
        assert home.browser(person).get(f"/feed/{post}").status_code == 404
    assert home.browser(family.ada).post(f"/feed/{post}/restore").status_code == 404
    assert home.browser(family.ben).post(f"/feed/{post}/restore").status_code == 303
    assert "Oops" in home.browser(family.cleo).get("/").text


def test_pages_go_on_without_gap_or_repeat(home: Home, family: Family) -> None:
    ada = home.browser(family.ada)
    for number in range(45):
        ada.post(
            "/feed",
            {
                "text": f"Number-{number:02d}",
                "once": str(number),
                **({"for": [family.ben.public_id]} if number % 3 else {}),
            },
        )
    for person, expected in ((family.ben, set(range(45))), (family.cleo, set(range(0, 45, 3)))):
        seen, path = [], "/"
        while path:
            page = home.browser(person).get(path).text
            seen += [int(each) for each in re.findall(r"Number-(\d\d)", page)]
            found = re.search(r"/\?before=\w+", page)
            path = found[0] if found else ""
        assert seen == sorted(expected, reverse=True)


def test_number_of_statements_does_not_grow_with_the_page(home: Home, family: Family) -> None:
    ada = home.browser(family.ada)

    def statements() -> int:
        seen: list[str] = []
        home.browser(family.ada).get("/")  # what is kept in memory is warm
        original = db.database._add_conn_hooks

        def traced(connection: object) -> None:
            original(connection)
            connection.set_trace_callback(seen.append)

        db.database._add_conn_hooks = traced
        anchor = db.database.connection()
        anchor.set_trace_callback(seen.append)
        try:
            ada.get("/")
        finally:
            anchor.set_trace_callback(None)
            del db.database._add_conn_hooks
        found = [each for each in seen if not each.startswith("PRAGMA")]
        return len(found)

    ada.post("/feed", {"text": "one", "once": "one"})
    few = statements()
    for number in range(25):
        ada.post("/feed", {"text": f"more {number}", "once": f"m{number}"})
    assert statements() == few
    assert few <= 8, few


def test_the_original_is_whole_for_its_owner_and_without_place_for_others(home: Home, family: Family) -> None:
    source = (SAMPLES / "lake-12mp.jpg").read_bytes()
    home.browser(family.ada).post("/feed", {"once": "k", "photos": [photo("lake-12mp.jpg")]})
    home.draw()
    url = f"/vault/{db.row('SELECT public_id FROM item')[0]}/original"
    assert home.browser(family.ada).get(url).data == source
    copy = home.browser(family.ben).get(url).data
    assert copy != source and b"GPS" not in copy and len(copy) > len(source) // 2


def test_the_place_is_shared_only_where_the_poster_ticked_it(home: Home, family: Family) -> None:
    ben, cleo, source = home.browser(family.ben), home.browser(family.cleo), (SAMPLES / "garden.jpg").read_bytes()
    for once, more in (("a", {}), ("b", {"place": "1"})):
        ben.post("/feed", {"text": once, "once": once, "photos": [photo("garden.jpg")], **more})
    home.draw()
    hidden, told = (f"/vault/{row[0]}" for row in db.rows("SELECT public_id FROM item ORDER BY id"))
    assert cleo.get(f"{hidden}/original").data != source == cleo.get(f"{told}/original").data
    assert cleo.post(f"{hidden}/open", {"open": "1"}).status_code == 404
    assert "Share the place too" in ben.get(hidden).text and "Share the place too" not in cleo.get(hidden).text
    ben.post(f"{hidden}/open", {"open": "1"})
    ben.post(f"{told}/open")
    assert cleo.get(f"{hidden}/original").data == source != cleo.get(f"{told}/original").data


def test_ranges(home: Home, family: Family) -> None:
    source = (SAMPLES / "cake.jpg").read_bytes()
    home.browser(family.ada).post("/feed", {"once": "k", "photos": [photo("cake.jpg")]})
    ada, url = home.browser(family.ada), f"/vault/{db.row('SELECT public_id FROM item')[0]}/original"
    size = len(source)
    whole = ada.get(url)
    assert whole.headers["Accept-Ranges"] == "bytes"
    for asked, start, end in (("bytes=0-99", 0, 100), ("bytes=100-", 100, size), ("bytes=-50", size - 50, size)):
        answer = ada.get(url, headers={"Range": asked})
        assert answer.status_code == 206
        assert answer.data == source[start:end]
        assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{size}"
    assert ada.get(url, headers={"Range": f"bytes={size}-"}).status_code == 416
    assert ada.get(url, headers={"Range": "bytes=-0"}).status_code == 416
    assert ada.get(url, headers={"Range": "furlongs=1-2"}).status_code == 200
    assert ada.get(url, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304
    assert ada.get(url, headers={"Range": "bytes=0-9", "If-Range": '"other"'}).status_code == 200
    head = ada.open(url, "HEAD")
    assert head.content_length == size and head.data == b""


def test_a_film_plays_by_ranges_and_tells_others_no_place(home: Home, family: Family) -> None:
    source = (SAMPLES / "turned.mp4").read_bytes()
    home.browser(family.ada).post("/feed", {"once": "k", "photos": photo("turned.mp4")})
    home.draw()
    url = f"/vault/{db.row('SELECT public_id FROM item')[0]}/original"
    assert home.browser(family.ada).get(url).data == source
    seen = home.browser(family.ben).get(url).data
    assert len(seen) == len(source)
    assert seen != source
    assert b"\xa9xyz" in source
    assert b"\xa9xyz" not in seen
    pieces = [
        home.browser(family.ben).get(url, headers={"Range": f"bytes={at}-{at + 999}"})
        for at in range(0, len(source), 1000)
    ]
    assert {piece.status_code for piece in pieces} == {206}
    assert b"".join(piece.data for piece in pieces) == seen


def test_joining_is_told_in_the_words_of_the_reader(home: Home, family: Family) -> None:
    ada, mia = home.browser(family.ada), home.browser()
    made = ada.post("/members/invitations", {"name": "Mia", "once": "k", "welcome": "Here at last"}).text
    code = re.search(r'class="spoken-code">([A-Z ]+)<', made)[1]
    assert mia.post("/join", {"code": code}).status_code == 303
    page = mia.get("/").text
    assert "Here at last" in page
    assert "Say hello, Mia" in page
    ben = home.browser(family.ben)
    assert "Mia joined" in ben.get("/").text
    post = feed.page(family.ben.id)[0][0].id
    assert f'href="/feed/{post}"' in ben.get("/since").text
    assert "/edit" not in mia.get(f"/feed/{post}").text
    ben.post("/settings/language", {"language": "de", "zone": ""})
    assert "Mia ist dabei" in ben.get("/").text
    ada.post(f"/feed/{post}/messages", {"text": "Hello Mia", "once": "m"})
    assert "Ada replied to “Mia joined”" in mia.get("/since").text
    mia.post("/settings/language", {"language": "de", "zone": ""})
    assert "„Mia ist dabei“" in mia.get("/since").text  # each language has its own quotes
    mia.post("/settings/language", {"language": "en", "zone": ""})
    assert "Mia joined" in mia.get("/threads").text
    mia.post("/members/welcome/delete")
    assert "Here at last" not in mia.get("/").text
    mia.post(f"/feed/{post}/delete")
    assert "Mia joined" in mia.get("/vault/trash").text
    assert "Mia joined" not in home.browser(family.grandma).get("/").text


def test_a_post_for_some_says_just_whom_to_each_of_them(home: Home, family: Family) -> None:
    feed.publish(family.ada.id, "A surprise", [], [family.ben.public_id, family.cleo.public_id], "k")

    def told(person: object) -> str:
        line = re.search(r'class="post-for">(.*?)</p>', home.browser(person).get("/").text, re.S)[1]
        return " ".join(re.sub(r'<span class="face.*?</span>|<[^>]+>', "", line).split())

    assert [told(each) for each in family[:3]] == ["Just Ben, Cleo and you", "Just Ada, Cleo and you",
                                                  "Just Ada, Ben and you"]  # fmt: skip


def test_a_reply_that_was_removed_can_be_put_back(home: Home, family: Family) -> None:
    post = feed.publish(family.ada.id, "Cake?", [], [], "k").public_id
    ben = home.browser(family.ben)
    said = ben.post(f"/feed/{post}/messages", {"text": "With cherries", "once": "m"}).location.partition("#r-")[2]
    answer = ben.post(f"/feed/{post}/messages/{said}/delete", {"whole": "1"}, headers={"HX-Request": "true"})
    assert f"/feed/{post}/messages/{said}/restore" in answer.text
    assert "With cherries" not in ben.get(f"/feed/{post}").text
    ben.post(f"/feed/{post}/messages/{said}/restore")
    assert "With cherries" in ben.get(f"/feed/{post}").text
    answer = ben.post(f"/feed/{post}/messages/{said}/delete")
    assert f"/messages/{said}/restore" in ben.get(answer.location).text


def test_a_reply_with_a_photo_says_so_on_home(home: Home, family: Family) -> None:
    ada, ben = home.browser(family.ada), home.browser(family.ben)
    ben.post("/feed", {"text": "Who has been at the lake?", "once": "1"})
    post = _post_id(home, family.ben, "Who has been at the lake?")
    page = ada.post("/vault/add", {"photos": [photo("cake.jpg"), photo("garden.jpg")]})
    kept = re.findall(r"items=(\w+)", page.location)
    ada.post(f"/feed/{post}/messages", {"text": "We", "once": "2", "items": kept[:1]})
    assert "a photo</a>" in ben.get("/").text and "2 photos" not in ben.get("/").text
    ada.post(f"/feed/{post}/messages", {"text": "", "once": "3", "items": kept})
    assert "2 photos</a>" in ben.get("/").text


def test_a_film_alone_plays_in_its_post_also_when_its_tile_turns_live(home: Home, family: Family) -> None:
    ada = home.browser(family.ada)
    ada.post("/feed", {"text": "One film", "once": "1", "photos": photo("turned.mp4")})
    asked = re.search(r'hx-get="(/vault/\w+\?part=tile[^"]*)"', ada.get("/").text)
    assert asked and asked[1].endswith("alone=1")
    home.draw()
    tile = ada.get(asked[1].replace("&amp;", "&")).text
    assert "<video controls" in tile and "<video controls" in ada.get("/").text
    ada.post("/feed", {"text": "Two", "once": "2", "photos": [photo("turned.mp4"), photo("cake.jpg")]})
    home.draw()
    assert "alone" not in ada.get("/").text
