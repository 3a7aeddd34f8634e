"""Using again: who may put what into another post, for whom; and which photo may be a face."""

from __future__ import annotations

import pytest

from homecircle import audiences, db, feed, threads, vault
from homecircle.errors import Invalid, NotAllowed, NotFound
from homecircle.threads import Words
from homecircle.vault import using
from tests.conftest import Family
from tests.test_timeline import picture, post, sizes

GONE, WIDER = "not in the vault any more", "only with those who see it already"


def test_an_own_item_is_used_again_for_anybody(family: Family) -> None:
    item = picture(family.ada, "2026-07-01T10:00:00")
    post(family.ada, [item], family.cleo)
    post(family.ada, [item])
    assert sizes(family.ben) == {202607: 1}


def test_what_everyone_sees_may_be_used_by_everyone(family: Family) -> None:
    item = picture(family.ada, "2026-07-01T10:00:00")
    first = post(family.ada, [item])
    post(family.ben, [item])
    feed.take_down(first, family.ada.id, is_admin=False)
    post(family.cleo, [item], family.grandma)  # Ben's post still shows it to all
    assert sizes(family.grandma) == {202607: 1}


def test_nobody_shows_it_to_more_than_see_it_already(family: Family) -> None:
    item = picture(family.ada, "2026-07-01T10:00:00")
    post(family.ada, [item], family.ben, family.cleo)
    for others in ((), (family.grandma,), (family.cleo, family.grandma), (family.ada, family.cleo, family.grandma)):
        with pytest.raises(Invalid, match=WIDER):
            post(family.ben, [item], *others)
    assert sizes(family.grandma) == {}
    post(family.ben, [item], family.cleo)
    post(family.ben, [item], family.ada, family.cleo)
    with pytest.raises(Invalid, match=GONE):  # to Grandma it does not exist
        post(family.grandma, [item])
    with db.transaction():
        four = audiences.named(family.ben.id, [each.public_id for each in (family.ada, family.cleo, family.grandma)])
    with pytest.raises(Invalid, match=WIDER):
        using.usable(family.ben.id, [item], four)


def test_what_was_taken_away_opens_nothing(family: Family) -> None:
    item, other = (picture(family.ada, f"2026-07-0{day}T10:00:00") for day in (1, 2))
    wide, narrow = post(family.ada, [item]), post(family.ada, [item], family.ben)
    feed.take_down(wide, family.ada.id, is_admin=False)
    with pytest.raises(Invalid, match=WIDER):
        post(family.ben, [item])
    talk = post(family.ada, [], text="talk")
    said = threads.say(talk, family.ada.id, Words("", items=(other,)), "m")
    post(family.ben, [other])
    threads.take_back(said, talk, family.ada.id, is_admin=False)
    feed.take_down(narrow, family.ada.id, is_admin=False)
    with pytest.raises(Invalid, match=GONE):
        post(family.ben, [item])


def test_an_item_with_an_audience_of_its_own_is_used_within_it(family: Family) -> None:
    item = picture(family.ada, "2026-07-01T10:00:00")
    with db.transaction():
        vault.share([item], family.ada.id, audiences.named(family.ada.id, [family.ben.public_id]))
    assert using.unshared([item], family.ada.id) == []
    post(family.ben, [item], family.ada)
    with pytest.raises(Invalid, match=WIDER):
        post(family.ben, [item])


def test_a_file_that_is_not_open_is_used_by_nobody_else(family: Family) -> None:
    item = picture(family.ada, "2026-07-01T10:00:00", "a.pdf", "file")
    post(family.ada, [item])
    with pytest.raises(Invalid, match=WIDER):
        post(family.ben, [item])
    vault.open_up(item, family.ada.id, opened=True)
    post(family.ben, [item])


def test_a_face_is_a_photo_of_ones_own_or_one_for_everyone(family: Family) -> None:
    mine, ours, all_of_us = (picture(family.ada, f"2026-07-0{day}T10:00:00") for day in (1, 2, 3))
    film = picture(family.ada, "2026-07-04T10:00:00", "a.mp4", "video")
    post(family.ada, [ours], family.ben)
    post(family.ada, [all_of_us, film])
    for item in (mine, ours, all_of_us):
        assert using.face(item, family.ada.id, family.ada.id)
    assert using.face(all_of_us, family.ben.id, family.ben.id) == using.face(all_of_us, family.ben.id, 0)
    with pytest.raises(NotAllowed):
        using.face(ours, family.ben.id, family.ben.id)
    for item, reader in ((mine, family.ben.id), (ours, 0), (film, family.ben.id), ("a" * 16, family.ben.id)):
        with pytest.raises(NotFound):
            using.face(item, family.ben.id, reader)
