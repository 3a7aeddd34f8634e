"""Messages and marks: said once, seen by whoever sees the post, edited for fifteen minutes, taken back."""

from __future__ import annotations

import datetime as dt

import pytest

from homecircle import db, feed, threads
from homecircle.errors import Invalid, NotAllowed, NotFound
from homecircle.threads import Words
from tests.conftest import Family


@pytest.fixture
def post(family: Family) -> feed.Post:
    return feed.publish(family.ada.id, "Swimming badge!", [], [], "p")


def test_say_twice_by_a_retry_is_one_message(family: Family, post: feed.Post) -> None:
    first, again = (threads.say(post, family.ben.id, Words("So proud"), "k") for _ in range(2))
    assert first.id == again.id
    assert [line.text for line in threads.page(post.id)] == ["So proud"]


def test_last_few_shows_two_and_says_that_there_are_earlier_ones(family: Family, post: feed.Post) -> None:
    other = feed.publish(family.ben.id, "Another", [], [], "q")
    for number in range(4):
        threads.say(post, family.ben.id, Words(f"m{number}"), str(number))
    threads.say(other, family.ada.id, Words("only one"), "x")
    found = threads.last_few([post.id, other.id])
    assert [line.text for line in found[post.id][0]] == ["m2", "m3"]
    assert found[post.id][1] is True
    assert ([line.text for line in found[other.id][0]], found[other.id][1]) == (["only one"], False)


def test_a_quote_names_the_older_message_and_only_of_this_thread(family: Family, post: feed.Post) -> None:
    other = feed.publish(family.ben.id, "Another", [], [], "q")
    elsewhere = threads.say(other, family.ben.id, Words("elsewhere"), "e")
    first = threads.say(post, family.ben.id, Words("When is the next one?"), "a")
    threads.say(post, family.ada.id, Words("In May", quote=first.public_id), "b")
    threads.say(post, family.ada.id, Words("No", quote=elsewhere.public_id), "c")
    lines = threads.page(post.id)
    assert lines[1].quote == (family.ben.id, "When is the next one?", first.public_id)
    assert lines[2].quote is None


def test_edit_is_for_fifteen_minutes_and_for_the_author(family: Family, post: feed.Post) -> None:
    said = threads.say(post, family.ben.id, Words("Brad"), "k")
    with pytest.raises(NotAllowed):
        threads.edit(said, post, family.ada.id, "x")
    threads.edit(said, post, family.ben.id, "Bread")
    assert threads.page(post.id)[0].text == "Bread"
    said.said_at = db.now() - dt.timedelta(minutes=16)
    with pytest.raises(NotAllowed):
        threads.edit(said, post, family.ben.id, "Too late")


def test_take_back_leaves_nothing_to_read(family: Family, post: feed.Post) -> None:
    said = threads.say(post, family.ben.id, Words("Oops"), "k")
    answer = threads.say(post, family.ada.id, Words("What?", quote=said.public_id), "l")
    with pytest.raises(NotAllowed):
        threads.take_back(said, post, family.cleo.id, is_admin=False)
    threads.take_back(said, post, family.ben.id, is_admin=False)
    lines = threads.page(post.id)
    assert [(line.id, line.quote) for line in lines] == [(answer.public_id, None)]
    with pytest.raises(NotFound):
        threads.get(said.public_id, post)


def test_nothing_and_too_much_are_refused(family: Family, post: feed.Post) -> None:
    for text in ("", "  \n ", "\u0000", "x" * 4001):
        with pytest.raises(Invalid):
            threads.say(post, family.ben.id, Words(text), "k")
    assert threads.page(post.id) == []


def test_talks_are_those_one_takes_part_in_with_what_is_new(family: Family, post: feed.Post) -> None:
    assert threads.talks(family.ada.id, family.ada.id) == []
    threads.say(post, family.ben.id, Words("Hello"), "1")
    assert [talk.is_new for talk in threads.talks(family.ada.id, family.ada.id)] == [True]
    assert [talk.is_new for talk in threads.talks(family.ben.id, family.ben.id)] == [False]
    assert threads.talks(family.cleo.id, family.cleo.id) == []
    threads.see(family.ada.id, post.id)
    assert [talk.is_new for talk in threads.talks(family.ada.id, family.ada.id)] == [False]


def test_a_mark_is_one_for_each_member_and_replaced(family: Family, post: feed.Post) -> None:
    feed.mark(post, family.ben.id, "❤️")
    feed.mark(post, family.ben.id, "so proud")
    feed.mark(post, family.cleo.id, "👏")
    entry = feed.entry(post.public_id, family.ada.id)
    assert sorted(feed.marks_of([entry])[entry.number]) == [(family.ben.id, "so proud"), (family.cleo.id, "👏")]
    feed.unmark(post, family.ben.id)
    assert feed.marks_of([entry])[entry.number] == [(family.cleo.id, "👏")]
    for text in ("", "x" * 17):
        with pytest.raises(Invalid):
            feed.mark(post, family.ben.id, text)


def test_put_back_what_one_took_away_oneself(family: Family) -> None:
    post = feed.publish(family.ada.id, "Cake?", [], [], "k")
    said = threads.say(post, family.ben.id, Words("Yes"), "1")
    threads.take_back(said, post, family.ada.id, is_admin=True)
    with pytest.raises(NotFound):
        threads.put_back(said.public_id, post, family.ben.id)  # it lies with the one who removed it
    threads.put_back(said.public_id, post, family.ada.id)
    assert [line.text for line in threads.page(post.id)] == ["Yes"]
    with pytest.raises(NotFound):
        threads.put_back(said.public_id, post, family.ada.id)
