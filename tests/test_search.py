"""Search: any script, two letters, names, months; newest first; only what one may see, at every change."""

from __future__ import annotations

import pytest

from homecircle import db, feed, search, threads
from homecircle.threads import Words
from homecircle.vault import timeline
from tests.conftest import Family
from tests.test_timeline import picture

MONTHS = {"july": 7, "jul": 7, "märz": 3}


def share(person: object, text: str, *others: object) -> feed.Post:
    return feed.publish(person.id, text, [], [each.public_id for each in others], db.random_id())


def found(person: object, question: str) -> list[str]:
    return [each.text for each in search.find(person.id, question, MONTHS)[0]]


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("Swimming badge!", "swimming"),
        ("Swimming badge!", "BADGE swim"),
        ("Swimming badge!", "sw"),
        ("Ein Schwimmabzeichen für Mia", "schwimm"),
        ("Überraschung im Café", "uberraschung cafe"),
        ("Uberraschung im Cafe\u0301", "Überraschung café"),
        ("Go to Oz", "oz"),
        ("昨日は東京タワーに行きました", "東京"),
        ("昨日は東京タワーに行きました", "タワー"),
        ("วันนี้อากาศดีมาก", "อากาศ"),
        ("Мама мыла раму", "мыла"),
        ("हिन्दी में एक वाक्य", "हिन्दी"),
        ("عيد ميلاد سعيد", "ميلاد"),
        ("See https://example.org/cake-recipe now", "cake recipe"),
        ("It's 40 € \"quoted\" AND (brackets) NEAR*", "quoted AND brackets near"),
    ],
)  # fmt: skip
def test_words_of_any_script_are_found(family: Family, text: str, question: str) -> None:
    share(family.ben, "Something else altogether")
    post = share(family.ada, text)
    assert [each.id for each in search.find(family.ben.id, question, MONTHS)[0]] == [post.public_id]


@pytest.mark.parametrize(
    "question", ["", "   ", '"', "*", "(", "AND", "a OR", "NEAR(", "{words}", "x:y", "😀", "'--", "ƒr1"]
)
def test_no_question_breaks_or_opens_anything(family: Family, question: str) -> None:
    share(family.ada, "Only for Cleo", family.cleo)
    assert found(family.ben, question) == []


def test_what_one_may_not_see_is_not_found(family: Family) -> None:
    post = share(family.ada, "A surprise for Ben", family.cleo)
    threads.say(post, family.cleo.id, Words("Surprise indeed"), "m")
    assert found(family.cleo, "surprise") == ["Surprise indeed", "A surprise for Ben"] == found(family.ada, "surprise")
    assert found(family.ben, "surprise") == [] == found(family.grandma, "surprise")
    assert search.find(0, "surprise", MONTHS) == ([], "")


def test_what_is_deleted_edited_or_put_back_is_followed(family: Family) -> None:
    post = share(family.ada, "Strawberry cake")
    said = threads.say(post, family.ben.id, Words("Strawberry jam"), "m")
    feed.edit(post, family.ada.id, "Raspberry cake")
    assert found(family.ben, "strawberry") == ["Strawberry jam"]
    assert found(family.ben, "raspberry") == ["Raspberry cake"]
    threads.edit(said, post, family.ben.id, "Cherry jam")
    assert found(family.ben, "strawberry") == []
    feed.take_down(post, family.ada.id, is_admin=True)
    assert found(family.ben, "raspberry") == [] == found(family.ben, "cherry")
    feed.put_back(post.public_id, family.ada.id, family.ada.id)
    assert found(family.ben, "raspberry cake") == ["Raspberry cake"]
    threads.take_back(said, post, family.ben.id, is_admin=False)
    assert found(family.ben, "cherry") == []
    db.rows("INSERT INTO found (found) VALUES ('integrity-check')")


def test_photos_are_found_by_caption_description_and_file_name(family: Family) -> None:
    item = picture(family.ada, "2024-07-05T10:00:00", "Garden_party.JPG")
    assert found(family.ben, "garden") == []
    feed.publish(family.ada.id, "", [item], [], "p")
    for question in ("garden", "party jpg", "july 2024", "2024", "Ada garden"):
        assert [each.id for each in search.find(family.ben.id, question, MONTHS)[0]][-1:] == [item], question
    timeline.describe(item, family.ada.id, "Sommerfest", "東京の庭")
    for question in ("sommerfest", "東京", "garden"):
        assert [each.id for each in search.find(family.ben.id, question, MONTHS)[0]] == [item], question
    timeline.remove([item], family.ada.id, family.ada.id, is_admin=True)
    assert found(family.ben, "sommerfest") == []


def test_a_name_finds_what_its_member_wrote(family: Family) -> None:
    share(family.ben, "Fish for supper")
    share(family.ada, "Ben, come home")
    assert found(family.cleo, "Ben") == ["Ben, come home", "Fish for supper"]
    assert found(family.cleo, "ben supper") == ["Fish for supper"]
    assert [face.name for face in search.people("be")] == ["Ben"]


def test_pages_follow_each_other_newest_first(family: Family) -> None:
    for number in range(70):
        share(family.ada, f"cake number {number}", *([family.cleo] if number % 7 == 0 else []))
    seen, before = [], ""
    while True:
        page, before = search.find(family.ben.id, "cake", MONTHS, before)
        seen += [each.text for each in page]
        if not before:
            break
    assert seen == [f"cake number {n}" for n in range(69, -1, -1) if n % 7]


def test_links_are_listed_with_who_posted_them(family: Family) -> None:
    share(family.ada, "We went by http once")
    post = share(family.ada, "Look https://example.org/a and http://example.com.")
    threads.say(post, family.ben.id, Words("or https://example.net"), "m")
    share(family.ada, "secret https://example.org/ben", family.cleo)
    texts = [each.text for each in search.links(family.ben.id)[0]]
    assert texts == ["or https://example.net", post.text, "We went by http once"]


def test_an_excerpt_shows_the_place(family: Family) -> None:
    text = "word " * 60 + "Schwimmabzeichen in Gold" + " more" * 60
    head, hit, tail = search.excerpt(text, "schwimm")
    assert hit == "Schwimm"
    assert head.startswith("…") and tail.startswith("abzeichen in Gold") and tail.endswith("…")
    assert search.excerpt("Café au lait", "cafe")[1] == "Café"
    assert search.excerpt("nothing here", "july 2024") == ("nothing here", "", "")


def test_an_index_of_many_changes_is_whole(family: Family) -> None:
    posts = [share(family.ada, f"number {number} 東京") for number in range(20)]
    for number, post in enumerate(posts):
        if number % 2:
            feed.edit(post, family.ada.id, f"other {number}")
        if number % 3 == 0:
            feed.take_down(post, family.ada.id, is_admin=True)
    db.rows("INSERT INTO found (found) VALUES ('integrity-check')")
    assert db.row("SELECT count(*) FROM find_turned")[0] == 0
    assert len(found(family.ben, "東")) == len([n for n in range(20) if n % 2 == 0 and n % 3])
