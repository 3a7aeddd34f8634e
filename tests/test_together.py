"""Photos that came with a post leave the vault with it, come back with it, and really go with it."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homecircle import audiences, backup, db, drafts, feed, search, threads, trash, vault
from homecircle.errors import NotFound
from homecircle.files import Folder
from homecircle.threads import Words
from homecircle.vault import timeline, uploads
from tests.conftest import SAMPLES, Family, Person
from tests.test_trash import MONTH, is_whole, later

__all__ = ["later"]  # a fixture


def bring(folder: Folder, person: Person, sample: str = "garden.jpg", *, came_with: bool = True) -> str:
    with (SAMPLES / sample).open("rb") as handle:
        spooled = folder.take(handle)
    return vault.keep(folder, spooled, sample, person.id, vault.Label(came_with=came_with)).public_id


def is_there(item: str, person: Person) -> bool:
    try:
        return bool(vault.get(item, person.id))
    except NotFound:
        return False


def lines(person: Person) -> list[str]:
    return [tile.id for tile, _at in timeline.trash(person.id)]


def test_it_leaves_the_vault_at_once_and_comes_back_with_its_post(folder: Folder, family: Family) -> None:
    item, own = bring(folder, family.ben), bring(folder, family.ben, "cake.jpg", came_with=False)
    post = feed.publish(family.ben.id, "look", [item, own], [], "p")
    feed.take_down(post, family.ben.id, is_admin=False)
    assert not is_there(item, family.ben) and is_there(own, family.ben)
    assert lines(family.ben) == [] and timeline.some([item], family.ben.id) == {}
    assert [each.kind for each in search.find(family.ben.id, "garden", {})[0]] == []
    thing = trash.thing("post", post.public_id, family.ben.id)
    assert (thing.along, thing.photos) == (1, 1)
    feed.put_back(post.public_id, family.ben.id, family.ben.id)
    assert is_there(item, family.cleo) and is_there(own, family.cleo)
    assert [each.kind for each in search.find(family.cleo.id, "garden", {})[0]] == ["item"]


def test_it_stays_while_something_else_shows_it(folder: Folder, family: Family) -> None:
    item, shared = bring(folder, family.ben), bring(folder, family.ben, "cake.jpg")
    vault.share([shared], family.ben.id, audiences.EVERYONE)
    one = feed.publish(family.ben.id, "one", [item, shared], [], "p1")
    two = feed.publish(family.ben.id, "two", [item], [family.cleo.public_id], "p2")
    feed.take_down(one, family.ben.id, is_admin=False)
    assert is_there(item, family.cleo) and not is_there(item, family.ada) and is_there(shared, family.ada)
    feed.take_down(two, family.ben.id, is_admin=False)
    assert not is_there(item, family.ben)
    feed.put_back(one.public_id, family.ben.id, family.ben.id)  # not the one it left with: it stood here, too
    assert is_there(item, family.ada)
    feed.put_back(two.public_id, family.ben.id, family.ben.id)
    assert is_there(item, family.ada)


def test_what_was_deleted_by_itself_does_not_come_back_with_the_post(folder: Folder, family: Family) -> None:
    item = bring(folder, family.ben)
    post = feed.publish(family.ben.id, "look", [item], [], "p")
    timeline.remove([item], family.ben.id, family.ben.id, is_admin=False)
    feed.take_down(post, family.ben.id, is_admin=False)
    assert lines(family.ben) == [item]
    feed.put_back(post.public_id, family.ben.id, family.ben.id)
    assert not is_there(item, family.ben) and lines(family.ben) == [item]
    timeline.put_back(item, family.ben.id)
    assert is_there(item, family.ada)


def test_an_admin_has_it_in_their_trash_with_the_post(folder: Folder, family: Family) -> None:
    item = bring(folder, family.ben)
    post = feed.publish(family.ben.id, "look", [item], [], "p")
    answer = bring(folder, family.cleo, "cake.jpg")
    threads.say(post, family.cleo.id, Words("me too", items=(answer,)), "m")
    feed.take_down(post, family.ada.id, is_admin=True)
    assert not is_there(item, family.ben) and lines(family.ben) == [] == lines(family.ada)
    with pytest.raises(NotFound):
        timeline.put_back(item, family.ben.id)
    assert is_there(answer, family.cleo) and not is_there(answer, family.ben)  # somebody else's is theirs
    feed.put_back(post.public_id, family.ada.id, family.ada.id)
    assert is_there(item, family.cleo) and is_there(answer, family.ben)


def test_it_goes_for_good_with_its_post_and_the_same_bytes_of_others_stay(
    folder: Folder, family: Family, later: object
) -> None:
    item, theirs = bring(folder, family.ben), bring(folder, family.ada, came_with=False)
    post = feed.publish(family.ben.id, "look", [item, bring(folder, family.ben, "cake.jpg")], [], "p")
    feed.take_down(post, family.ben.id, is_admin=False)
    later(MONTH)
    assert trash.purge(folder) == 3
    assert not db.row("SELECT 1 FROM item WHERE public_id = ?", item) and is_there(theirs, family.ada) and is_whole()
    assert len(list(folder.vault.rglob("*.jpg"))) == 1


def test_a_reply_taken_back_takes_its_photo_along_and_its_undo_brings_it(
    folder: Folder, family: Family, later: object
) -> None:
    item, post = bring(folder, family.cleo), feed.publish(family.ben.id, "look", [], [], "p")
    said = threads.say(post, family.cleo.id, Words("here", items=(item,)), "m")
    threads.take_back(said, post, family.cleo.id, is_admin=False)
    assert not is_there(item, family.cleo) and lines(family.cleo) == [item]  # a reply has no line of its own
    threads.put_back(said.public_id, post, family.cleo.id)
    assert is_there(item, family.ben)
    threads.take_back(threads.get(said.public_id, post), post, family.cleo.id, is_admin=False)
    later(dt.timedelta(days=2))
    trash.purge(folder)
    assert lines(family.cleo) == [item]  # the words are gone, the photo waits its 30 days
    timeline.put_back(item, family.cleo.id)
    assert is_there(item, family.cleo) and not is_there(item, family.ben)


def test_forget_everywhere_takes_it_and_leaves_what_another_post_in_the_trash_shows(
    folder: Folder, family: Family
) -> None:
    item, both = bring(folder, family.ben), bring(folder, family.ben, "cake.jpg")
    one = feed.publish(family.ben.id, "one", [both], [], "p1")
    two = feed.publish(family.ben.id, "two", [item, both], [], "p2")
    for post in (one, two):
        feed.take_down(post, family.ben.id, is_admin=False)
    backup.make(folder, None)
    trash.forget("post", two.public_id, family.ben.id)
    backup.forget(folder, None)
    assert not db.row("SELECT 1 FROM item WHERE public_id = ?", item)
    assert len(list(folder.root.rglob("*.jpg"))) == 2  # the cake here and in the backup
    feed.put_back(one.public_id, family.ben.id, family.ben.id)
    assert is_there(both, family.cleo) and is_whole()


def test_a_photo_that_arrives_after_its_post_was_deleted_lies_with_it(folder: Folder, family: Family) -> None:
    data, first = (SAMPLES / "cake.jpg").read_bytes(), bring(folder, family.ben)
    post = drafts.share(family.ben.id, "", [first, "coming-b"], [], "p")
    feed.take_down(feed.get(post, family.ben.id), family.ben.id, is_admin=False)
    made = uploads.begin(folder, (family.ben.id, 1), len(data), {"filename": "cake.jpg", "slot": "b", "post": "1"})
    uploads.take(folder, made, uploads.Piece(0, iter([data])))
    drafts.fill()
    item = uploads.item_of(uploads.get(made.id, family.ben.id))
    assert not is_there(item, family.ben) and lines(family.ben) == []
    feed.put_back(post, family.ben.id, family.ben.id)
    assert is_there(item, family.cleo)


def test_what_was_left_in_the_composer_and_used_days_later_lay_in_the_vault(
    folder: Folder, family: Family, later: object
) -> None:
    item = bring(folder, family.ben)
    later(dt.timedelta(days=2))
    post = feed.publish(family.ben.id, "after all", [item], [], "p")
    feed.take_down(post, family.ben.id, is_admin=False)
    assert is_there(item, family.ben)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from("ab"), st.booleans()), max_size=10))
def test_however_two_posts_go_and_come_a_photo_is_there_while_one_of_them_is(
    folder: Folder, family: Family, steps: list[tuple[str, bool]]
) -> None:
    item = bring(folder, family.ben)
    posts = {name: feed.publish(family.ben.id, name, [item], [], db.random_id()) for name in "ab"}
    there = {"a": True, "b": True}
    for name, comes in steps:
        if comes and not there[name]:
            feed.put_back(posts[name].public_id, family.ben.id, family.ben.id)
        elif not comes and there[name]:
            feed.take_down(posts[name], family.ben.id, is_admin=False)
        there[name] = comes
        assert is_there(item, family.ben) == any(there.values())
        assert item not in lines(family.ben)
