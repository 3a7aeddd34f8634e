"""The vault without posts, through the client: adding, for whom, a post of what lies there, a photo as a picture."""

from __future__ import annotations

import re

from homecircle import circle, db, feed, members
from homecircle.vault import timeline
from tests.conftest import Family, Home, photo
from tests.test_timeline import picture, post


def _items(page: str) -> list[str]:
    return re.findall(r'name="items" value="(\w+)"', page)


def test_files_go_into_the_vault_without_a_post_and_are_ones_own_until_shared(home: Home, family: Family) -> None:
    ada, ben = home.browser(family.ada), home.browser(family.ben)
    assert "Put in vault without a post" in ada.get("/vault").text
    answer = ada.post("/vault/add", {"photos": [photo("cake.jpg"), photo("garden.jpg")]})
    assert answer.status_code == 303
    home.draw()
    page = ada.get(answer.location).text
    items = _items(page)
    assert len(items) == 2 and re.search(r'value="me" checked', page)
    assert ben.get(f"/vault/{items[0]}").status_code == 404
    assert ada.post("/vault/whom", {"items": items, "whom": "me"}).status_code == 303
    assert ben.get(f"/vault/{items[0]}").status_code == 404
    nobody = ada.post("/vault/whom", {"items": items, "whom": "some"})
    assert nobody.status_code == 422 and "Tick who it is for." in nobody.text
    assert ada.post("/vault/whom", {"items": items, "whom": "some", "for": [family.ben.public_id]}).status_code == 303
    assert ben.get(f"/vault/{items[0]}").status_code == 200
    assert home.browser(family.cleo).get(f"/vault/{items[0]}").status_code == 404
    assert ada.post("/vault/whom", {"items": items, "whom": "everyone"}).status_code == 409
    page = ada.get(f"/vault/whom?items={items[0]}&items={items[1]}").text
    assert _items(page) == [] and "2 are left out" in page


def test_a_bad_file_says_why_and_keeps_the_others(home: Home, family: Family) -> None:
    answer = home.browser(family.ada).post("/vault/add", {"photos": [photo("cake.jpg"), photo("drawing.svg")]})
    assert answer.status_code == 422
    assert "can&#39;t be shown" in answer.text and "1 is in the vault." in answer.text
    assert home.browser(family.ada).post("/vault/add", {}).status_code == 422


def test_for_whom_is_asked_of_ones_own_only(home: Home, family: Family) -> None:
    mine, theirs = picture(family.ada, "2026-07-01T10:00:00"), picture(family.ben, "2026-07-01T10:00:00")
    ada = home.browser(family.ada)
    page = ada.get(f"/vault/whom?items={mine}&items={theirs}&items={'a' * 16}").text
    assert _items(page) == [mine] and "2 are left out" in page
    refused, nowhere = (ada.post("/vault/whom", {"items": [each], "whom": "everyone"}) for each in (theirs, "a" * 16))
    assert refused.status_code == nowhere.status_code == 422


def test_a_post_is_made_of_what_lies_in_the_vault(home: Home, family: Family) -> None:
    mine, theirs, hidden = (picture(each, "2026-07-01T10:00:00") for each in (family.ben, family.ada, family.ada))
    post(family.ada, [theirs], family.ben)
    ben = home.browser(family.ben)
    page = ben.get(f"/new?items={theirs}&items={mine}&items={hidden}&items={'a' * 16}").text
    assert _items(page) == [theirs, mine]
    assert "Ada added some of these." in page
    refused = ben.post("/feed", {"text": "Look", "items": [theirs, mine], "once": "a"})
    assert refused.status_code == 422
    assert "only with those who see it already" in refused.text
    assert _items(refused.text) == [theirs, mine] and ">Look</textarea>" in refused.text
    assert ben.post("/feed", {"items": [theirs, mine], "for": [family.ada.public_id], "once": "b"}).status_code == 303
    assert "added some of these" not in ben.get(f"/new?items={mine}").text


def test_a_day_is_shared_again_with_the_words_everyone_could_read(home: Home, family: Family) -> None:
    said, psst = (picture(family.ada, "2019-07-03T10:00:00") for _ in range(2))
    feed.publish(family.ada.id, "The boat!", [said], [], "p")
    feed.publish(family.ada.id, "A secret", [psst], [family.cleo.public_id], "s")
    cleo = home.browser(family.cleo)
    assert 'href="/new?day=2019-07-03"' in cleo.get("/vault/on-this-day?day=2019-07-03").text
    page = cleo.get("/new?day=2019-07-03").text
    assert "On this day, 3 July 2019\n“The boat!” – Ada</textarea>" in page
    assert set(_items(page)) == {said, psst} and "A secret" not in page
    assert _items(home.browser(family.ben).get("/new?day=2019-07-03").text) == [said]
    assert cleo.get("/new?day=never").status_code == 200


def test_a_photo_becomes_a_face_and_the_picture_of_the_family(home: Home, family: Family) -> None:
    item, private = (picture(family.ada, f"2019-07-0{day}T10:00:00") for day in (3, 4))
    feed.publish(family.ada.id, "", [item], [], "p")
    feed.publish(family.ada.id, "", [private], [family.ben.public_id], "s")
    ben = home.browser(family.ben)
    original = db.row("SELECT original_id FROM item WHERE public_id = ?", item)[0]
    assert ben.post(f"/vault/{item}/face").status_code == 303
    assert members.picture_of(family.ben.id) == original
    assert ben.post(f"/vault/{private}/face").status_code == 403
    assert members.picture_of(family.ben.id) == original
    for tail in ("face", "family"):
        assert home.browser(family.cleo).post(f"/vault/{private}/{tail}").status_code in {403, 404}
    assert home.browser(family.cleo).post(f"/vault/{private}/face").status_code == 404
    assert ben.post(f"/vault/{item}/family").status_code == 403
    assert circle.get().picture_id is None
    assert home.browser(family.ada).post(f"/vault/{item}/family").status_code == 303
    assert circle.get().picture_id == original
    assert timeline.about(item, family.ben.id).post


def test_the_page_of_a_photo_tells_of_the_posts_one_may_see_and_offers_what_one_may_do(
    home: Home, family: Family
) -> None:
    item = picture(family.ada, "2019-07-03T10:00:00")
    seen = feed.publish(family.ada.id, "The boat", [item], [], "p")
    hidden = feed.publish(family.ada.id, "Psst", [item], [family.cleo.public_id], "s")
    feed.mark(seen, family.ben.id, "so proud")
    for path in (f"/vault/{item}", f"/vault/{item}?part=caption"):
        ada, ben = home.browser(family.ada).get(path).text, home.browser(family.ben).get(path).text
        for post_id in (seen.public_id, hidden.public_id):
            assert f'href="/feed/{post_id}">Ada, ' in ada
        assert hidden.public_id not in ben and "Psst" not in ben
        assert f'action="/vault/{item}/family"' in ada and f'action="/vault/{item}/family"' not in ben
        assert f'action="/vault/{item}/face"' in ben
        assert f'action="/vault/{item}/delete"' in ada and f'action="/vault/{item}/delete"' not in ben
    caption = home.browser(family.ben).get(f"/vault/{item}?part=caption").text
    assert "so proud" in caption and f'href="/feed/{seen.public_id}?reply=1"' in caption
    assert re.search(r"<textarea[^>]* autofocus", home.browser(family.ben).get(f"/feed/{seen.public_id}?reply=1").text)


def test_files_tell_who_and_how_large_and_are_downloaded_from_the_list(home: Home, family: Family) -> None:
    item = picture(family.ada, "2019-07-03T10:00:00", "letter.pdf", "file")
    post(family.ada, [item])
    page = home.browser(family.ben).get("/vault/files").text
    assert re.search(r"letter\.pdf</b>.*?Ada · 3 July 2019 · 1(\.0)? kB", page, re.S)
    assert f'href="/vault/{item}/original" download' in page
    db.rows("UPDATE original SET state = 'kept'")
    assert f'href="/vault/{item}/original" download' not in home.browser(family.ben).get("/vault/files").text
    assert f'href="/vault/{item}/original" download' in home.browser(family.ada).get("/vault/files").text
    for path in ("/vault", "/vault/links", "/vault/files"):
        assert 'id="find-words"' in home.browser(family.ben).get(path).text
