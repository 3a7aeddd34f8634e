"""Forget everywhere, through the pages: only in one's own trash, asked once more, told how far it is."""

from __future__ import annotations

from homecircle import backup, db, feed, trash
from homecircle.vault import timeline
from tests.conftest import Family, Home, photo
from tests.test_trash import keep


def removed(home: Home, family: Family) -> tuple[str, str]:
    """A post with a photo, in Ben's trash."""
    item = keep(home.house.folder, family.ben, "garden.jpg")
    post = feed.publish(family.ben.id, "wobblequint", [item], [], "p")
    feed.take_down(post, family.ben.id, is_admin=False)
    return post.public_id, item


def test_forget_a_post_with_its_photo_everywhere(home: Home, family: Family) -> None:
    begun: list[str] = []
    home.house.begin = begun.append
    home.house.second_place = home.house.folder.root / "usb"
    backup.make(home.house.folder)
    post, _item = removed(home, family)
    ben = home.browser(family.ben)
    page = f"/vault/trash/post/{post}"
    assert f'href="{page}"' in ben.get("/vault/trash").text
    asked = ben.get(page).text
    assert "wobblequint" in asked and "nobody can bring it back" in asked and 'name="photos"' in asked
    answer = ben.post(f"{page}/forget", {"photos": "1"})
    assert answer.status_code == 303 and begun == ["forget"]
    shown = ben.get(answer.headers["Location"]).text
    assert "wobblequint" not in shown and "being gone through now" in shown
    assert db.row("SELECT (SELECT count(*) FROM post), (SELECT count(*) FROM item)") == (0, 0)
    backup.forget(home.house.folder, None)
    assert "as soon as that disk is plugged in" in ben.get("/vault/trash").text
    trash.note_gone("there", trash.forgotten("there"))
    assert "forgotten, here and in every backup" in ben.get("/vault/trash?forgotten=1").text
    assert ben.post(f"{page}/forget").status_code == 404


def test_what_lies_in_the_trash_of_another_is_not_there(home: Home, family: Family) -> None:
    post, item = removed(home, family)
    timeline.remove([item], family.ben.id, family.ben.id, is_admin=False)
    for person in (family.ada, family.cleo):
        other = home.browser(person)
        for path in (f"/vault/trash/post/{post}", f"/vault/trash/item/{item}", "/vault/trash/post/abcdefghijklmnop",
                     f"/vault/trash/member/{family.ada.public_id}"):  # fmt: skip
            assert other.get(path).status_code == 404 == other.post(f"{path}/forget").status_code
    assert db.row("SELECT count(*) FROM post")[0] == 1
    assert home.browser(family.ben).get(f"/vault/trash/item/{item}").status_code == 200


def test_the_photo_of_a_deleted_post_lies_in_the_trash_with_it(home: Home, family: Family) -> None:
    ben = home.browser(family.ben)
    ben.post("/feed", {"text": "Look", "once": "a", "photos": [photo("cake.jpg")]})
    ben.post("/vault/add", {"photos": [photo("garden.jpg")]})
    cake, garden = (row[0] for row in db.rows("SELECT public_id FROM item ORDER BY id"))
    ben.post("/feed", {"text": "Again", "once": "b", "items": [garden]})
    posts = [row[0] for row in db.rows("SELECT public_id FROM post WHERE kind = '' ORDER BY id")]
    for post in posts:
        ben.post(f"/feed/{post}/delete")
    assert ben.get(f"/vault/{cake}").status_code == 404 and ben.get(f"/vault/{garden}").status_code == 200
    page = ben.get("/vault/trash").text
    assert "with its photo" in page and cake not in page
    assert "Its photo goes with it." in ben.get(f"/vault/trash/post/{posts[0]}").text
    ben.post(f"/feed/{posts[0]}/restore")
    assert home.browser(family.cleo).get(f"/vault/{cake}").status_code == 200
