"""Drafts: who sees what before the first photo is in, the place in the order, what drops out and what is never lost."""

from __future__ import annotations

import datetime as dt
import io

import pytest

from homecircle import audiences, db, drafts, events, feed, membership, notices, search, vault
from homecircle.errors import Invalid, NotFound
from homecircle.files import Folder
from homecircle.vault import uploads
from tests.conftest import SAMPLES, Family, Person

PICTURES = ("cake.jpg", "garden.jpg", "harbour.jpg")
DAY = dt.timedelta(hours=24, minutes=1)


def _arrive(folder: Folder, who: Person, slot: str, name: str = "cake.jpg") -> str:
    data = (SAMPLES / name).read_bytes()
    made = uploads.begin(folder, (who.id, 1), len(data), {"filename": name, "slot": slot})
    uploads.take(folder, made, uploads.Piece(0, iter([data])))
    drafts.fill()
    return uploads.item_of(uploads.get(made.id, who.id))


def _share(who: Person, text: str, *items: str, audience: list[str] | None = None) -> str:
    return drafts.share(who.id, text, list(items), audience or [], f"{text}{items}")


def _items(public_id: str, reader: int) -> list[str]:
    entry = feed.entry(public_id, reader)
    return [tile.id for tile in feed.items_of([entry]).get(entry.number, [])]


def test_a_draft_is_its_authors_alone_until_the_first_photo_is_in(folder: Folder, family: Family) -> None:
    cursor, newest = events.cursor(family.ben.id), notices.newest()
    made = _share(family.ada, "By the sea", "coming-a", "coming-b")
    feed.publish(family.ben.id, "Said meanwhile", [], [], "1")
    for who in (family.ada, family.ben):
        assert [each.text for each in feed.page(who.id)[0]] == ["Said meanwhile"]
        with pytest.raises(NotFound):
            feed.get(made, who.id)
    assert [(each.id, each.coming) for each in drafts.of_author(family.ada.id, family.ada.id)] == [(made, 2)]
    with pytest.raises(NotFound):
        drafts.get(made, family.ben.id, family.ben.id)
    told = [each.verb for each in events.since(family.cleo.id, cursor)]
    assert told.count("post.published") == 1
    assert search.find(family.ada.id, "sea", {})[0] == []
    item = _arrive(folder, family.ada, "b")
    assert [each.text for each in feed.page(family.ben.id)[0]] == ["By the sea", "Said meanwhile"]
    assert _items(made, family.ben.id) == [item]
    assert drafts.of_author(family.ada.id, family.ada.id) == []
    assert newest < notices.newest()
    assert [each.verb for each in events.since(family.cleo.id, cursor)].count("post.published") == 2


def test_photos_take_their_places_whenever_they_arrive(folder: Folder, family: Family) -> None:
    first = _arrive(folder, family.ada, "early", "lake-12mp.jpg")
    made = _share(family.ada, "", "coming-0", first, "coming-2")
    assert feed.entry(made, family.ben.id).is_filling
    third = _arrive(folder, family.ada, "2", "garden.jpg")
    assert _items(made, family.ben.id) == [first, third]
    zeroth = _arrive(folder, family.ada, "0", "harbour.jpg")
    assert _items(made, family.ben.id) == [zeroth, first, third]
    assert not feed.entry(made, family.ben.id).is_filling


def test_what_arrived_before_share_is_found_by_its_slot(folder: Folder, family: Family) -> None:
    item = _arrive(folder, family.ada, "quick")
    made = _share(family.ada, "", "coming-quick")
    assert _items(made, family.ben.id) == [item]


def test_a_surprise_stays_one_from_draft_to_post(folder: Folder, family: Family) -> None:
    made = _share(family.ada, "For Cleo", "coming-s", audience=[family.cleo.public_id])
    assert drafts.of_author(family.ada.id, 0) == []  # a limited device does not show it
    _arrive(folder, family.ada, "s")
    assert feed.entry(made, family.cleo.id).text == "For Cleo"
    with pytest.raises(NotFound):
        feed.entry(made, family.ben.id)


def test_the_same_form_twice_is_one_draft_and_one_post(folder: Folder, family: Family) -> None:
    made = _share(family.ada, "Once", "coming-x")
    assert _share(family.ada, "Once", "coming-x") == made
    _arrive(folder, family.ada, "x")
    assert _share(family.ada, "Once", "coming-x") == made
    assert len(feed.page(family.ben.id)[0]) == 1


def test_what_arrived_while_the_house_went_down_is_put_in_its_place(folder: Folder, family: Family) -> None:
    made = _share(family.ada, "Survives", "coming-x", "coming-y")
    data = (SAMPLES / "cake.jpg").read_bytes()
    upload = uploads.begin(folder, (family.ada.id, 1), len(data), {"slot": "y"})
    uploads.take(folder, upload, uploads.Piece(0, iter([data])))  # and nobody told the drafts
    db.close_file()
    db.open_file(folder.database)
    assert drafts.fill()
    assert not drafts.fill()
    assert len(_items(made, family.ben.id)) == 1


def test_what_never_arrives_drops_out(folder: Folder, family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    words, bare = _share(family.ada, "Words", "coming-a"), _share(family.ada, "", "coming-b")
    half = _share(family.ada, "Half", "coming-c", "coming-d")
    _arrive(folder, family.ada, "c")
    now = db.now()
    monkeypatch.setattr(db, "now", lambda: now + DAY)
    slow = uploads.begin(folder, (family.ben.id, 2), 10, {"slot": "slow"})
    kept = _share(family.ben, "Slow", "coming-slow", "coming-later")
    drafts.sweep()
    assert [(each.id, each.coming) for each in drafts.of_author(family.ada.id, family.ada.id)] == [(words, 0)]
    assert not feed.entry(half, family.ben.id).is_filling
    with pytest.raises(NotFound):
        drafts.get(bare, family.ada.id, family.ada.id)
    monkeypatch.setattr(db, "now", lambda: now + 2 * DAY - dt.timedelta(minutes=2))
    uploads.take(folder, slow, uploads.Piece(0, iter([b"12345"])))
    monkeypatch.setattr(db, "now", lambda: now + 2 * DAY + dt.timedelta(minutes=2))
    drafts.sweep()
    assert drafts.get(kept, family.ben.id, family.ben.id).coming == 2  # a piece came not long ago
    assert drafts.get(kept, family.ben.id, family.ben.id).share == 0.25


def test_words_are_shared_alone_when_their_author_says_so(folder: Folder, family: Family) -> None:
    made = _share(family.ada, "At least the words", "coming-a")
    drafts.share_words(made, family.ben.id, family.ben.id)  # not his
    assert feed.page(family.ben.id)[0] == []
    drafts.share_words(made, family.ada.id, family.ada.id)
    drafts.share_words(made, family.ada.id, family.ada.id)  # the second tap
    assert [each.id for each in feed.page(family.ben.id)[0]] == [made]
    item = _arrive(folder, family.ada, "a")
    assert _items(made, family.ben.id) == [item]
    with pytest.raises(Invalid):
        drafts.share_words(_share(family.ada, "", "coming-z"), family.ada.id, family.ada.id)


def test_a_draft_taken_back_gives_its_words_and_keeps_its_photos(folder: Folder, family: Family) -> None:
    made = _share(family.ada, "Not yet", "coming-a")
    with pytest.raises(NotFound):
        drafts.drop(made, family.ben.id, family.ben.id)
    assert drafts.drop(made, family.ada.id, family.ada.id) == "Not yet"
    item = _arrive(folder, family.ada, "a")
    assert feed.page(family.ada.id)[0] == []
    assert vault.get(item, family.ada.id).name == "cake.jpg"


def test_a_file_taken_out_is_no_longer_waited_for(folder: Folder, family: Family) -> None:
    made = _share(family.ada, "Two", "coming-a", "coming-b")
    drafts.give_up(family.ben.id, "a")  # not his
    drafts.give_up(family.ada.id, "a")
    assert drafts.get(made, family.ada.id, family.ada.id).coming == 1
    _arrive(folder, family.ada, "b")
    assert not feed.entry(made, family.ada.id).is_filling


def test_a_file_begun_anew_is_one_upload(folder: Folder, family: Family) -> None:
    for _ in range(2):
        uploads.begin(folder, (family.ada.id, 1), 10, {"slot": "same"})
    uploads.begin(folder, (family.ben.id, 1), 10, {"slot": "same"})
    assert db.row("SELECT count(*) FROM upload")[0] == 2
    assert len(list(folder.uploads.iterdir())) == 2


def test_a_draft_has_as_much_room_as_a_post(folder: Folder, family: Family) -> None:
    with pytest.raises(Invalid):
        _share(family.ada, "", *(f"coming-{n}" for n in range(feed.ITEM_LIMIT + 1)))
    with pytest.raises(Invalid):
        _share(family.ada, "x" * (feed.TEXT_LIMIT + 1), "coming-a")
    assert audiences.EVERYONE == 1
    assert db.row("SELECT count(*) FROM draft")[0] == 0


@pytest.mark.parametrize("posts_stay", [True, False])
def test_what_one_who_leaves_had_not_shared_yet_is_never_shared(
    folder: Folder, family: Family, posts_stay: bool
) -> None:
    _share(family.ben, "Never mind", "coming-late")
    data = (SAMPLES / "cake.jpg").read_bytes()
    first = vault.keep(folder, folder.take(io.BytesIO(data)), "cake.jpg", family.ben.id).public_id
    shared = _share(family.ben, "The first of two", first, "coming-more")
    on_its_way = [uploads.begin(folder, (family.ben.id, 1), len(data), {"slot": slot}) for slot in ("late", "more")]
    membership.leave(family.ben.id, posts_stay=posts_stay)
    for each in on_its_way:  # the last bytes were here when the door closed
        uploads.take(folder, each, uploads.Piece(0, iter([data])))
    drafts.fill()
    assert [each.text for each in feed.page(family.ada.id)[0]] == (["The first of two"] if posts_stay else [])
    assert db.rows("SELECT 1 FROM draft") == [] == db.rows("SELECT 1 FROM coming")
    assert db.row("SELECT count(*) FROM post_item JOIN post ON post.id = post_id WHERE public_id = ?", shared)[0] == 1


def test_the_place_of_a_photo_that_is_on_its_way_is_shared_when_ticked(folder: Folder, family: Family) -> None:
    first = _arrive(folder, family.ada, "a")
    made = _share(family.ada, "By the sea", first, "coming-b")
    drafts.share_place(made, family.ben.id)  # somebody else's tick
    assert [each.opened for each in _tiles(made, family.ben.id)] == [False]
    drafts.share_place(made, family.ada.id)
    _arrive(folder, family.ada, "b", "garden.jpg")
    assert [each.opened for each in _tiles(made, family.ben.id)] == [True, True]


def _tiles(public_id: str, reader: int) -> list[vault.Tile]:
    entry = feed.entry(public_id, reader)
    return feed.items_of([entry])[entry.number]
