"""What of the vault one wants to see: each filter keeps what it says, in every list, and never shows more."""

from __future__ import annotations

import pytest

from homecircle import db, feed, threads
from homecircle.errors import NotFound
from homecircle.threads import Words
from homecircle.vault import filters, timeline
from homecircle.vault.filters import Filter
from tests.conftest import Family, Person
from tests.test_timeline import picture, post


def _found(person: Person, wanted: Filter, month: int = 202607) -> list[str]:
    shots = [shot.tile.id for shot in timeline.page(person.id, month, wanted=wanted)[0]]
    assert len(shots) == timeline.size(person.id, month, wanted)
    counted = {each.number: each.size for each in timeline.months(person.id, wanted)}
    assert counted.get(month, 0) == len(shots)
    return shots


def test_each_filter_keeps_what_it_says(family: Family) -> None:
    mine = picture(family.ada, "2026-07-01T10:00:00")
    film = picture(family.ada, "2026-07-02T10:00:00", "a.mp4", "video")
    theirs = picture(family.ben, "2026-07-03T10:00:00")
    first, second = post(family.ada, [mine, film]), post(family.ben, [theirs])
    said = threads.say(first, family.cleo.id, Words("", items=(picture(family.cleo, "2026-07-04T10:00:00"),)), "m")
    reply = db.row("SELECT public_id FROM item WHERE member_id = ?", family.cleo.id)[0]
    feed.mark(second, family.cleo.id, "❤️")
    cleo = family.cleo
    assert _found(cleo, filters.ALL) == [reply, theirs, film, mine]
    assert _found(cleo, Filter(by=family.ada.id)) == [film, mine]
    assert _found(cleo, Filter(kind="video")) == [film]
    assert _found(cleo, Filter(kind="photo", by=family.ada.id)) == [mine]
    assert _found(cleo, Filter(marked=cleo.id)) == [theirs]
    assert _found(cleo, Filter(post=first.id)) == [reply, film, mine]
    assert _found(cleo, Filter(post=first.id, marked=cleo.id)) == []
    assert _found(family.ben, Filter(marked=family.ben.id)) == []
    threads.take_back(said, first, cleo.id, is_admin=False)
    assert _found(family.ben, Filter(post=first.id)) == [film, mine]
    feed.take_down(second, family.ben.id, is_admin=False)
    assert _found(cleo, Filter(marked=cleo.id)) == []


def test_a_filter_shows_no_more_than_one_may_see(family: Family) -> None:
    secret, shared = (picture(family.ada, f"2026-07-0{day}T10:00:00") for day in (1, 2))
    hidden = post(family.ada, [secret, shared], family.cleo, text="psst")
    post(family.ada, [shared], text="for all")
    feed.mark(hidden, family.cleo.id, "❤️")
    for wanted in (Filter(by=family.ada.id), Filter(kind="photo"), Filter(post=hidden.id)):
        assert _found(family.ben, wanted) == [shared]
        assert _found(family.cleo, wanted) == [shared, secret]
    # a device that reads as nobody does not learn by a mark in which hidden post something stands
    assert [each.size for each in timeline.months(0, Filter(marked=family.cleo.id))] == []
    assert [each.text for each in filters.posts(family.ben.id)] == ["for all"]
    assert [each.text for each in filters.posts(family.cleo.id)] == ["for all", "psst"]
    with pytest.raises(NotFound):
        filters.post(hidden.public_id, family.ben.id)
    assert filters.post(hidden.public_id, family.cleo.id).text == "psst"


def test_a_filtered_month_comes_in_pages(family: Family) -> None:
    for day in range(1, 29):
        picture(family.ada, f"2026-07-{day:02}T10:00:00", kind="video" if day % 2 else "photo")
    wanted, met, after = Filter(kind="video"), list[str](), ""
    for _ in range(6):
        shots, after = timeline.page(family.ada.id, 202607, after, 3, wanted)
        met += [shot.tile.id for shot in shots]
        if not after:
            break
    assert len(met) == len(set(met)) == 14
    assert met == _found(family.ada, wanted)


@pytest.mark.parametrize("asked", [("x" * 16, ""), ("", "everything")])
def test_choose_a_filter_that_is_none_finds_nothing(family: Family, asked: tuple[str, str]) -> None:
    with pytest.raises(NotFound):
        filters.chosen(*asked, 0, None)
