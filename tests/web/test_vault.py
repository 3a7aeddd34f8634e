"""The pages of the vault through the client: months, search, links, captions, trash, ZIP, on this day."""

from __future__ import annotations

import datetime as dt
import io
import re
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from werkzeug.datastructures import FileStorage

from homecircle import backup, db, devices, feed, vault
from homecircle.vault import timeline, uploads
from homecircle.web import bundling
from tests.conftest import SAMPLES, Browser, Family, Home, Person, photo
from tests.test_timeline import picture


def _share(home: Home, person: Person, *names: str, text: str = "", to: tuple[Person, ...] = ()) -> list[str]:
    """A post with these samples; returns the items' ids in order."""
    before = db.row("SELECT coalesce(max(id), 0) FROM item")[0]
    data = {"text": text, "once": db.random_id(), "photos": [photo(name) for name in names]}
    home.browser(person).post("/feed", data | ({"for": [each.public_id for each in to]} if to else {}))
    home.draw()
    return [row[0] for row in db.rows("SELECT public_id FROM item WHERE id > ? ORDER BY id", before)]


def _whole_vault(home: Home, person: Person) -> str:
    """The vault with every month that comes as one scrolls."""
    browser = home.browser(person)
    page = browser.get("/vault").text
    return page + "".join(browser.get(url).text for url in re.findall(r'hx-get="(/vault/[\d-]+\?part=grid)"', page))


def test_the_vault_shows_months_and_what_one_may_see(home: Home, family: Family) -> None:
    assert "Photos people post land here by themselves." in home.browser(family.ben).get("/vault").text
    for_all = _share(home, family.ada, "cake.jpg", "garden.jpg")
    secret = _share(home, family.ada, "harbour.jpg", to=(family.cleo,))
    page, theirs = _whole_vault(home, family.ben), _whole_vault(home, family.cleo)
    assert all(f"/vault/{each}" in page for each in for_all)
    assert secret[0] not in page
    assert secret[0] in theirs
    assert 'href="/vault/links"' in page and 'aria-current="page"' in page


def test_a_long_month_comes_in_pages_that_know_their_height(home: Home, family: Family) -> None:
    for number in range(200):
        picture(family.ada, f"2024-07-{1 + number % 28:02}T10:00:00")
    picture(family.ada, "2023-01-01T10:00:00")
    ada = home.browser(family.ada)
    page = ada.get("/vault").text
    assert page.count('class="shot"') == 60
    assert re.search(r'month-body h-8 h-64 h-128"', page)  # 200
    more = re.search(r'month-more h-4 h-8 h-128" hx-get="([^"]+)"', page)[1].replace("&amp;", "&")  # 140
    part = ada.get(more).text
    assert part.count('class="shot"') == 140
    assert "month-more" not in part and "<html" not in part
    assert not set(re.findall(r'data-id="(\w+)"', page)) & set(re.findall(r'data-id="(\w+)"', part))
    assert 'hx-get="/vault/2023-01?part=grid"' in page
    assert ada.get("/vault/2024-07").text.count('class="shot"') == 180
    for nowhere in ("/vault/2022-01", "/vault/2024-13", "/vault/0-0", "/vault/99999999999999999999-01"):
        assert ada.get(nowhere).status_code == 404, nowhere
    assert home.browser(family.ben).get("/vault/2024-07").status_code == 404


def test_the_number_of_statements_does_not_grow_with_the_page(home: Home, family: Family) -> None:
    def statements(path: str) -> int:
        asked: list[str] = []
        db.database.connection().set_trace_callback(asked.append)
        home.browser(family.ada).get(path)
        db.database.connection().set_trace_callback(None)
        return len([sql for sql in asked if "found_" not in sql])  # the index's own shadow tables

    for number in range(3):
        feed.publish(
            family.ada.id, "cake https://example.org", [picture(family.ada, "2024-07-01T10:00:00")], [], f"{number}"
        )
    paths = (
        "/vault",
        "/vault/2024-07",
        "/vault?kind=photo",
        "/vault/2024-07?kind=photo",
        "/vault/search?q=cake",
        "/vault/links",
    )
    few = [statements(path) for path in paths]
    for number in range(50):
        feed.publish(
            family.ada.id, "cake https://example.org", [picture(family.ada, "2024-07-01T10:00:00")], [], f"m{number}"
        )
    many = [statements(path) for path in paths]
    assert all(later <= earlier for later, earlier in zip(many, few, strict=True)), (few, many)
    assert max(many) <= 10


def test_search_finds_and_tells_nothing_of_the_unseen(home: Home, family: Family) -> None:
    _share(home, family.ada, "cake.jpg", text="Swimming badge <b>!", to=(family.cleo,))
    ada, ben = home.browser(family.ada), home.browser(family.ben)
    page = ada.get("/vault/search?q=swim").text
    assert "<mark>Swim</mark>ming badge &lt;b&gt;!" in page
    assert ada.get("/vault/search?q=cake").text.count('class="row found"') == 1
    unseen, nothing = (ben.get(f"/vault/search?q={word}").text for word in ("swim", "zwim"))
    assert "Nothing found" in unseen
    assert unseen.replace("swim", "zwim") == nothing
    assert "Cleo" in ben.get("/vault/search?q=cle").text


def test_links_are_listed_without_asking_the_outside(home: Home, family: Family) -> None:
    home.browser(family.ada).post("/feed", {"text": "Look: https://example.org/cake, javascript:alert(1)", "once": "1"})
    page = home.browser(family.ben).get("/vault/links").text
    assert 'href="https://example.org/cake"' in page
    assert 'href="javascript:' not in page
    assert "Ada, now" in page


def test_a_caption_is_written_by_its_uploader(home: Home, family: Family) -> None:
    item = _share(home, family.ada, "cake.jpg")[0]
    ada, ben = home.browser(family.ada), home.browser(family.ben)
    assert "Caption and description" in ada.get(f"/vault/{item}").text
    assert "Caption and description" not in ben.get(f"/vault/{item}").text
    assert (
        ada.post(f"/vault/{item}/edit", {"caption": "Mia's <cake>", "description": "It has 7 candles"}).status_code
        == 303
    )
    page = ben.get(f"/vault/{item}").text
    assert "<h1>Mia&#39;s &lt;cake&gt;</h1>" in page.replace("<h1 >", "<h1>")
    assert 'alt="It has 7 candles"' in page
    assert "Mia&#39;s &lt;cake&gt;" in ben.get(f"/vault/{item}?part=caption").text
    assert ben.post(f"/vault/{item}/edit", {"caption": "Mine"}).status_code == 403
    wrong = ada.post(f"/vault/{item}/edit", {"caption": "x" * 301, "description": "kept"})
    assert wrong.status_code == 422
    assert "x" * 301 in wrong.text and "kept" in wrong.text and 'role="alert"' in wrong.text


def test_the_trash_gives_back(home: Home, family: Family) -> None:
    item = _share(home, family.ada, "cake.jpg", text="Party")[0]
    ada, ben = home.browser(family.ada), home.browser(family.ben)
    assert ben.post(f"/vault/{item}/delete").status_code == 403
    gone = ada.post(f"/vault/{item}/delete")
    assert gone.status_code == 303
    assert f'action="/vault/{item}/restore"' in ada.get(gone.location).text
    for who in (ada, ben):
        assert who.get(f"/vault/{item}").status_code == 404
        assert item not in who.get("/vault").text + who.get("/").text
    assert f"/vault/{item}/restore" in ada.get("/vault/trash").text
    assert item not in ben.get("/vault/trash").text
    assert ben.post(f"/vault/{item}/restore").status_code == 404
    assert ada.post(f"/vault/{item}/restore").status_code == 303
    assert item in ben.get("/vault").text
    post = re.search(r'id="post-(\w+)"', ada.get("/").text)[1]
    ada.post(f"/feed/{post}/delete")
    assert f'action="/feed/{post}/restore"' in ada.get("/vault/trash").text
    ada.post(f"/feed/{post}/restore")
    assert "Party" in ben.get("/").text


def _zip(browser: Browser, items: list[str]) -> zipfile.ZipFile:
    answer = browser.post("/vault/zip", {"items": items})
    assert answer.status_code == 200
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    return zipfile.ZipFile(io.BytesIO(answer.data))


def test_several_are_downloaded_as_a_zip_of_known_size(home: Home, family: Family) -> None:
    items = _share(home, family.ada, "cake.jpg", "garden.jpg", "cake.jpg")
    mine = _zip(home.browser(family.ada), items)
    assert mine.testzip() is None
    assert len(set(mine.namelist())) == 3
    whole = [mine.read(name) for name in mine.namelist()]
    assert whole == [(SAMPLES / name).read_bytes() for name in ("cake.jpg", "garden.jpg", "cake.jpg")]
    theirs = _zip(home.browser(family.ben), items)
    for name, item in zip(theirs.namelist(), items, strict=True):
        assert theirs.read(name) == home.browser(family.ben).get(f"/vault/{item}/original").data


def test_a_zip_holds_only_what_one_may_see_and_is_one_at_a_time(home: Home, family: Family) -> None:
    secret = _share(home, family.ada, "harbour.jpg", to=(family.cleo,))
    seen = _share(home, family.ada, "cake.jpg")
    ben = home.browser(family.ben)
    assert len(_zip(ben, secret + seen).namelist()) == 1
    assert ben.post("/vault/zip", {"items": secret}).status_code == 404
    assert ben.post("/vault/zip", {"items": ["nothing"]}).status_code == 404
    assert bundling._one.acquire(blocking=False)
    try:
        busy = ben.post("/vault/zip", {"items": seen})
        assert busy.status_code == 429
        assert busy.headers["Retry-After"] == "60"
    finally:
        bundling._one.release()
    assert len(_zip(ben, seen).namelist()) == 1


def test_several_go_to_the_trash_or_none(home: Home, family: Family) -> None:
    mine, theirs = _share(home, family.ben, "cake.jpg")[0], _share(home, family.ada, "garden.jpg")[0]
    ben = home.browser(family.ben)
    assert ben.post("/vault/delete", {"items": [mine, theirs]}).status_code == 403
    assert mine in ben.get("/vault").text
    assert ben.post("/vault/delete", {"items": [mine]}).status_code == 303
    assert mine not in ben.get("/vault").text


def test_on_this_day_stands_on_home_until_one_sends_it_away(home: Home, family: Family) -> None:
    today = db.now().date()
    item = picture(family.ada, f"2019-{today:%m-%d}T10:00:00")
    feed.publish(family.ada.id, "", [item], [], "p")
    ben = home.browser(family.ben)
    assert f"{today.year - 2019} years ago today" in ben.get("/").text
    assert item in ben.get(f"/vault/on-this-day?day=2019-{today:%m-%d}").text
    assert item in ben.get("/vault/on-this-day").text
    assert ben.post("/vault/on-this-day/hide", {"day": f"2019-{today:%m-%d}"}).status_code == 303
    db.rows("UPDATE member SET active_at = 0")  # a visit begins anew
    assert "years ago today" not in ben.get("/").text
    cleo = home.browser(family.cleo)
    assert cleo.post("/vault/on-this-day/hide", headers={"HX-Request": "true"}).text == ""
    db.rows("UPDATE member SET active_at = 0")
    assert "years ago today" not in cleo.get("/").text
    assert "years ago today" in home.browser(family.grandma).get("/").text
    assert ben.get("/vault/on-this-day?day=never").status_code == 200


def test_a_post_of_many_shows_all_on_a_page_of_its_own(home: Home, family: Family) -> None:
    items = _share(home, family.ada, *["cake.jpg"] * 6, text="Six", to=(family.cleo,))
    post = re.search(r'data-all="/vault/of/(\w+)"', home.browser(family.cleo).get("/").text)[1]
    for path in (f"/vault/of/{post}", f"/vault/of/{post}?part=grid"):
        page = home.browser(family.cleo).get(path).text
        assert re.findall(r'data-id="(\w+)"', page) == items
        assert home.browser(family.ben).get(path).data == home.browser(family.ben).get("/vault/of/nowhere").data


def test_a_limited_device_sees_what_is_for_everyone_and_may_do_no_more(home: Home, family: Family) -> None:
    """One that somebody added in Cleo's name: her own photos and trash stay closed."""
    today = db.now().date()
    private = picture(family.cleo, f"2019-{today:%m-%d}T10:00:00", "diary.jpg")
    removed = picture(family.cleo, "2019-01-01T10:00:00", "letter.jpg")
    shared = _share(home, family.cleo, "cake.jpg", text="for all")[0]
    secret = _share(home, family.ada, "harbour.jpg", text="a secret", to=(family.cleo,))[0]
    home.browser(family.cleo).post(f"/vault/{removed}/delete")
    token = devices.add(family.cleo.id, "Not hers", "home", added_by=family.ben.id)
    limited = Browser(home.app.test_client(), "http://homecircle.local", token)
    searches = [f"/vault/search?q={word}" for word in ("diary", "secret", "letter", "2019", "all")]
    pages = [limited.get(path).text for path in ("/", "/vault", "/vault/trash", "/vault/on-this-day", *searches)]
    assert any(shared in page for page in pages)
    for hidden in (private, removed, secret):
        assert not any(hidden in page for page in pages)
        assert limited.get(f"/vault/{hidden}").status_code == 404
        assert limited.post("/vault/zip", {"items": [hidden]}).status_code == 404
        assert limited.post(f"/vault/{hidden}/restore").status_code in {403, 404}
        assert limited.post(f"/vault/{hidden}/delete").status_code in {403, 404}
    assert limited.post(f"/vault/{shared}/edit", {"caption": "hello"}).status_code == 303
    assert limited.post("/vault/on-this-day/hide").status_code == 303


@pytest.mark.parametrize("part", ["caption", "shot", "tile"])
def test_parts_of_the_unseen_answer_like_nothing(home: Home, family: Family, part: str) -> None:
    secret = _share(home, family.ada, "harbour.jpg", to=(family.cleo,))[0]
    ben = home.browser(family.ben)
    assert home.browser(family.cleo).get(f"/vault/{secret}?part={part}").status_code == 200
    for method, tail in (("GET", f"?part={part}"), ("POST", "/edit"), ("POST", "/delete"), ("POST", "/restore")):
        seen, nowhere = (ben.open(f"/vault/{each}{tail}", method) for each in (secret, "a" * 16))
        assert (seen.status_code, seen.data) == (404, nowhere.data), tail


def test_the_words_of_a_photo_name_who_when_and_its_post(home: Home, family: Family) -> None:
    item = picture(family.ada, "2019-07-03T14:20:00")
    post = feed.publish(family.ada.id, "", [item], [], "p")
    words = home.browser(family.ben).get(f"/vault/{item}?part=caption").text
    assert "Ada · 3 July 2019, 14:20" in words
    assert f'href="/feed/{post.public_id}"' in words and f'href="/vault/{item}/original"' in words


def test_a_house_of_before_the_vault_is_filled(tmp_path: Path) -> None:
    """The migration finds what is there already: months, rights, words."""
    from playhouse.migrations import Runner

    path = tmp_path / "old.sqlite3"
    db.database.init(str(path), pragmas=db._PRAGMAS)
    db.database.connect()
    try:
        Runner(db.database, str(db.MIGRATIONS)).up("0003_ways_in")
        for sql in (
            "INSERT INTO member (public_id, name, colour, role, joined_at) VALUES ('a', 'Ada', 1, 'admin', 0)",
            "INSERT INTO original (sha256, size, media_type, path, stamp, state, arrived_at) "
            "VALUES ('x', 1, 'image/jpeg', 'p', 's', 'ready', 0)",
            "INSERT INTO item (public_id, original_id, member_id, kind, name, taken, added_at) "
            "VALUES ('i', 1, 1, 'photo', 'IMG_1.jpg', '2019-07-03T10:00:00', 0)",
            "INSERT INTO post (public_id, author_id, text, audience_id, shared_at, once) "
            "VALUES ('p', 1, '東京タワー', 1, 0, 'p')",
            "INSERT INTO post_item VALUES (1, 0, 1)",
        ):
            db.database.execute_sql(sql)
        Runner(db.database, str(db.MIGRATIONS)).up()
        assert db.rows("SELECT * FROM item_place") == [(0, 0, 20190703100000, 1)]
        assert [each.number for each in timeline.months(99)] == [201907]
        assert (
            len(db.rows("SELECT rowid FROM found WHERE found MATCH ?", '{words} : "タ ワ ー" AND {facts} : "ƒr0"')) == 1
        )
        assert vault.get("i", 99).name == "IMG_1.jpg"
    finally:
        db.database.close()


def test_years_are_whole_in_the_sheet(home: Home, family: Family) -> None:
    picture(family.ada, "2019-07-03T14:20:00")
    picture(family.ada, "2021-01-03T14:20:00")
    page = home.browser(family.ada).get("/vault").text
    assert [int(each) for each in re.findall(r'<h3 id="jump-(\d+)"', page)] == [2021, 2019]
    assert page.count('class="jump-month" href') == 2
    assert page.count("data-empty aria-hidden") == 22


def _document(home: Home, person: Person, data: bytes, name: str, **more: str) -> str:
    """Post a file and return the public id of its item."""
    form = {"text": "Look", "once": name, "photos": [FileStorage(io.BytesIO(data), name)]} | more
    answer = home.browser(person).post("/feed", form)
    assert answer.status_code == 303, answer.get_data(as_text=True)
    return str(db.row("SELECT public_id FROM item ORDER BY id DESC LIMIT 1")[0])


PDF = b"%PDF-1.4 made by hand"


def test_a_document_is_kept_by_choice_and_opens_nothing(home: Home, family: Family) -> None:
    ben = home.browser(family.ben)
    form = {"text": "The plan", "once": "a", "photos": [FileStorage(io.BytesIO(PDF), "plan.pdf")]}
    refused = ben.post("/feed", form)
    assert refused.status_code == 422
    assert "plan.pdf" in refused.text and "Tick “Keep files" in refused.text
    item = _document(home, family.ben, PDF, "plan.pdf", keep="1")
    for person in (family.ben, family.ada):
        browser = home.browser(person)
        card = browser.get("/").text
        assert "plan.pdf" in card and f'href="/vault/{item}/original"' in card
        assert re.search(r"plan\.pdf</b><span[^>]*>Ben ·", browser.get("/vault/files").text)
        answer = browser.get(f"/vault/{item}/original")
        assert answer.data == PDF
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert db.row("SELECT path FROM original")[0].endswith(".pdf")
    assert timeline.months(family.ben.id) == []
    empty = ben.post("/feed", {"keep": "1", "photos": [FileStorage(io.BytesIO(b""), "none.pdf")], "once": "b"})
    assert empty.status_code == 422 and "is empty" in empty.text


def test_a_file_is_open_for_others_only_when_its_owner_says_so(home: Home, family: Family) -> None:
    item, ben = _document(home, family.ben, PDF, "plan.pdf", keep="1"), home.browser(family.ben)
    ada = home.browser(family.ada)
    assert ada.post(f"/vault/{item}/open", {}).status_code == 404
    assert ben.post(f"/vault/{item}/open", {}).status_code == 303
    assert ada.get(f"/vault/{item}/original").status_code == 422
    assert "Not open for others yet" in ada.get("/").text
    assert f"/vault/{item}/original" not in ada.get("/").text + ada.get(f"/vault/{item}").text
    assert "has not opened this file" in ada.get(f"/vault/{item}").text
    assert "checked" not in ben.get(f"/vault/{item}").text.partition("Others may download")[0].rpartition("<form")[2]
    assert ben.get(f"/vault/{item}/original").data == PDF
    ben.post(f"/vault/{item}/open", {"open": "1"})
    assert ada.get(f"/vault/{item}/original").data == PDF


def test_a_zip_leaves_out_what_is_not_open_and_says_so(home: Home, family: Family) -> None:
    item, cake = _document(home, family.ben, PDF, "plan.pdf", keep="1"), _share(home, family.ben, "cake.jpg")[0]
    ben, ada = home.browser(family.ben), home.browser(family.ada)
    ben.post(f"/vault/{item}/open", {})
    theirs = _zip(ada, [item, cake])
    assert [name.rpartition(" ")[2] for name in theirs.namelist()] == ["cake.jpg", "left-out.txt"]
    said = theirs.read("left-out.txt").decode()
    assert "plan.pdf: The one who added this file has not opened it" in said and "cake" not in said
    assert ada.post("/vault/zip", {"items": [item]}).status_code == 422
    assert len(_zip(ben, [item, cake]).namelist()) == 2
    ben.post(f"/vault/{item}/open", {"open": "1"})
    assert [name.rpartition(" ")[2] for name in _zip(ada, [item, cake]).namelist()] == ["plan.pdf", "cake.jpg"]


def test_a_picture_that_cannot_be_drawn_stands_with_the_files(home: Home, family: Family) -> None:
    data = (SAMPLES / "truncated.jpg").read_bytes()
    item, ada = _document(home, family.ben, data, "beach.jpg"), home.browser(family.ada)
    home.draw()
    assert "beach.jpg" in ada.get("/vault/files").text
    assert timeline.months(family.ben.id) == []
    assert "This picture is damaged" in ada.get("/").text
    assert "damaged</span>" not in ada.get("/").text
    again = _document(home, family.ben, data, "again.jpg")
    assert vault.get(again, family.ben.id).kind == vault.get(item, family.ben.id).kind == "file"


def test_what_moves_is_shown_moving(home: Home, family: Family) -> None:
    item = _document(home, family.ben, (SAMPLES / "turning.gif").read_bytes(), "turning.gif")
    home.draw()
    for person in (family.ben, family.ada):
        browser = home.browser(person)
        assert f'data-large="/vault/{item}/original"' in browser.get("/").text
        assert f'data-large="/vault/{item}/original"' in browser.get("/vault").text
        assert f'src="/vault/{item}/original"' in browser.get(f"/vault/{item}").text
        shown = browser.get(f"/vault/{item}/original")
        assert shown.headers["Content-Type"] == "image/gif"
        with Image.open(io.BytesIO(shown.data)) as moving:
            assert moving.n_frames == 8
    assert b"comment-word-of-ada" not in home.browser(family.ada).get(f"/vault/{item}/original").data


def test_the_one_who_added_it_reads_how_safe_it_is(home: Home, family: Family) -> None:
    folder, there = home.house.folder, home.house.folder.root / "usb"
    with (SAMPLES / "garden.jpg").open("rb") as handle:
        item = vault.keep(folder, folder.take(handle), "garden.jpg", family.ben.id).public_id
    feed.publish(family.ben.id, "look", [item], [], "p")
    home.draw()
    ben, page = home.browser(family.ben), f"/vault/{item}"
    backup.nightly(folder, None)
    assert "on this one disk only" in ben.get(page).text  # a copy on the same disk proves nothing
    home.house.second_place = there
    assert "not in the backup yet" in ben.get(page).text
    there.mkdir()
    backup.nightly(folder, there)
    assert "keep it on your phone too" in ben.get(page).text
    assert backup.drill(folder, there, home.house.decoder) == []
    assert "safe to delete from your phone" in ben.get(page).text
    assert "Everything you added" not in ben.get("/vault").text  # today is not over
    assert "How safe it is" not in home.browser(family.cleo).get(page).text


def test_the_vault_says_until_when_all_of_ones_own_is_proven(
    home: Home, family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, there = home.house.folder, home.house.folder.root / "usb"
    there.mkdir()
    ben, told = home.browser(family.ben), "Everything you added until the end of %s is proven"
    for name in ("garden.jpg", "cake.jpg"):
        with (SAMPLES / name).open("rb") as handle:
            vault.keep(folder, folder.take(handle), name, family.ben.id)
    garden, cake = (row[0] for row in db.rows("SELECT id FROM item ORDER BY id"))
    now = db.now().replace(hour=12)

    def added(item: int, days: int, **more: str) -> None:
        vault.Item.update(added_at=now - dt.timedelta(days=days), **more).where(vault.Item.id == item).execute()

    added(garden, 9)
    added(cake, 3)
    backup.nightly(folder, there)
    assert "Everything you added" not in ben.get("/vault").text
    assert backup.drill(folder, there, home.house.decoder) == []
    assert "Everything you added" not in ben.get("/vault").text  # that place is no longer the second one
    home.house.second_place = there
    assert told % "yesterday" in ben.get("/vault").text
    assert "Everything you added" not in home.browser(family.cleo).get("/vault").text  # she has added nothing
    added(cake, 3, arrival="different")
    day = (now - dt.timedelta(days=4)).strftime("%A")
    assert told % day in ben.get("/vault").text
    added(garden, 3)
    assert "Everything you added" not in ben.get("/vault").text
    added(garden, 9)
    added(cake, 3, arrival="")
    assert told % "yesterday" in ben.get("/vault").text
    coming = uploads.begin(folder, (family.ben.id, 2), 1000, {})
    uploads.Upload.update(made_at=now - dt.timedelta(days=4)).execute()
    assert told % (now - dt.timedelta(days=5)).strftime("%A") in ben.get("/vault").text
    uploads.drop(folder, coming)
    assert told % "yesterday" in ben.get("/vault").text
    db.rows("UPDATE safety SET problem = 'a bit is flipped' WHERE what = 'drill'")
    assert "Everything you added" not in ben.get("/vault").text


def test_filters_narrow_every_address_of_the_vault(home: Home, family: Family) -> None:
    for day in range(1, 71):
        picture(family.ada, f"2024-07-{1 + day % 28:02}T10:00:00", kind="video" if day % 7 == 0 else "photo")
    shared = feed.publish(family.ada.id, "Boats", [picture(family.ada, "2023-05-01T10:00:00")], [], "p")
    ada, ben = home.browser(family.ada), home.browser(family.ben)
    page = ada.get("/vault?kind=video").text
    assert page.count('class="shot"') == 10
    assert 'id="m-2023-05"' not in page
    assert page.count('href="#m-2024-07"') == 1  # the jump sheet tells of the filtered months
    assert 'href="/vault/2024-07?kind=video"' in page
    assert ada.get("/vault/2024-07?kind=video").text.count('class="shot"') == 10
    page = ada.get("/vault?kind=photo").text
    more = re.search(r'class="month-more[^"]*" hx-get="([^"]+)"', page)
    assert more is None and 'hx-get="/vault/2023-05?kind=photo&amp;part=grid"' in page
    assert ada.get(f"/vault?by={family.ada.public_id}").text.count('class="month"') == 2
    many = ada.get(f"/vault?by={family.ada.public_id}").text
    more = re.search(r'class="month-more[^"]*" hx-get="([^"]+)"', many)[1].replace("&amp;", "&")
    assert f"by={family.ada.public_id}" in more
    assert ada.get(more).text.count('class="shot"') == 10  # of 70 the first 60 came with the page
    nothing = ada.get(f"/vault?by={family.ben.public_id}").text
    assert "No photos match." in nothing and 'class="shot"' not in nothing
    assert ben.get(f"/vault?post={shared.public_id}").text.count('class="shot"') == 1
    assert "Ada, " in ben.get("/vault").text and ": Boats</option>" in ben.get("/vault").text
    for nowhere in ("/vault?by=x", "/vault?kind=file", "/vault?post=" + "a" * 16, "/vault/2024-07?kind=x"):
        assert ada.get(nowhere).status_code == 404, nowhere


def test_filters_tell_nothing_of_a_post_one_may_not_see(home: Home, family: Family) -> None:
    item = picture(family.ada, "2024-07-01T10:00:00")
    hidden = feed.publish(family.ada.id, "psst", [item], [family.cleo.public_id], "h")
    feed.publish(family.ada.id, "all", [picture(family.ada, "2024-07-02T10:00:00")], [], "p")
    ben = home.browser(family.ben)
    assert "psst" in home.browser(family.cleo).get("/vault").text
    assert "psst" not in ben.get("/vault").text
    seen, nowhere = (ben.get(f"/vault?post={each}") for each in (hidden.public_id, "a" * 16))
    assert (seen.status_code, seen.data) == (404, nowhere.data)


def test_a_post_that_is_found_shows_its_first_photo(home: Home, family: Family) -> None:
    ada = home.browser(family.ada)
    ada.post("/feed", {"text": "Whispering pines", "once": "1", "photos": [photo("cake.jpg"), photo("garden.jpg")]})
    ada.post("/feed", {"text": "Whispering alone", "once": "2"})
    home.draw()
    first = db.row("SELECT item.public_id FROM item JOIN post_item ON item_id = item.id ORDER BY position LIMIT 1")[0]
    page = home.browser(family.ben).get("/vault/search?q=whispering").text
    assert re.findall(r'class="found-thumb"[^>]*src="/vault/(\w+)/', page) == [first]
    ada.post(f"/vault/{first}/delete")
    second = db.row("SELECT public_id FROM item WHERE deleted_at IS NULL")[0]
    page = home.browser(family.ben).get("/vault/search?q=whispering").text
    assert re.findall(r'class="found-thumb"[^>]*src="/vault/(\w+)/', page) == [second]


def test_an_address_that_was_cut_short_blames_nobody(home: Home, family: Family) -> None:
    answer = home.browser(family.ada).get("/fee")
    assert answer.status_code == 404 and "There is no page at this address." in answer.text
    assert "Someone may have removed it" in home.browser(family.ada).get("/feed/nothing").text
