"""The vault in the order of the camera's clock: who sees what in which month, on this day, captions, the trash."""

from __future__ import annotations

import datetime as dt

import pytest

from homecircle import db, feed, search, threads, vault
from homecircle.errors import Invalid, NotAllowed, NotFound
from homecircle.threads import Words
from homecircle.vault import timeline
from tests.conftest import Family

assert search  # the index follows every transaction


def picture(person: object, taken: str, name: str = "IMG_1.jpg", kind: str = "photo") -> str:
    """An item whose bytes do not matter."""
    with db.transaction():
        number = db.row("SELECT count(*) FROM original")[0]
        original = vault.Original.create(sha256=f"{number:064}", size=1000, path=f"vault/{number}", state="ready",
                                         media_type="image/jpeg", width=400, height=300,
                                         drawings='[[320, "image/webp", 320]]')  # fmt: skip
        item = vault.Item.create(original_id=original.id, member_id=person.id, kind=kind, name=name, taken=taken)
    return item.public_id


def post(person: object, items: list[str], *others: object, text: str = "") -> feed.Post:
    return feed.publish(person.id, text, items, [each.public_id for each in others], db.random_id())


def sizes(person: object) -> dict[int, int]:
    return {each.number: each.size for each in timeline.months(person.id)}


def ids(person: object, month: int) -> list[str]:
    return [shot.tile.id for shot in timeline.page(person.id, month)[0]]


def test_months_hold_what_each_may_see_and_no_more(family: Family) -> None:
    mine, ours, all_of_us = (picture(family.ada, f"2026-07-0{day}T10:00:00") for day in (1, 2, 3))
    post(family.ada, [ours], family.cleo)
    post(family.ada, [all_of_us])
    assert sizes(family.ada) == {202607: 3}
    assert sizes(family.cleo) == {202607: 2}
    assert sizes(family.ben) == {202607: 1}
    assert ids(family.ada, 202607) == [all_of_us, ours, mine]
    assert ids(family.ben, 202607) == [all_of_us]
    assert timeline.months(0) == timeline.months(family.ben.id)  # a device that reads as nobody: everyone's, once


def test_an_item_in_two_posts_and_a_reply_counts_once(family: Family) -> None:
    item = picture(family.ada, "2024-05-01T10:00:00")
    first = post(family.ada, [item], family.cleo)
    second = post(family.ada, [item])
    threads.say(second, family.ada.id, Words("again", items=(item,)), "m")
    assert sizes(family.cleo) == {202405: 1} == sizes(family.ben)
    feed.take_down(second, family.ada.id, is_admin=True)
    assert sizes(family.ben) == {}
    assert sizes(family.cleo) == {202405: 1} == sizes(family.ada)
    feed.take_down(first, family.ada.id, is_admin=True)
    assert sizes(family.cleo) == {}
    assert sizes(family.ada) == {202405: 1}
    feed.put_back(second.public_id, family.ada.id, family.ada.id)
    assert sizes(family.ben) == {202405: 1} == sizes(family.ada)


def test_a_photo_in_a_reply_goes_when_it_is_taken_back(family: Family) -> None:
    item = picture(family.ben, "2023-01-01T00:00:00")
    said = threads.say(talk := post(family.ada, [], text="hello"), family.ben.id, Words("", items=(item,)), "m")
    assert ids(family.cleo, 202301) == [item]
    threads.take_back(said, talk, family.ben.id, is_admin=False)
    assert sizes(family.cleo) == {}
    assert ids(family.ben, 202301) == [item]


def test_the_cameras_date_moves_an_item_to_its_month(family: Family) -> None:
    item = picture(family.ada, "2026-07-01T10:00:00")
    vault.Item.update(taken="2019-02-28T23:59:59").where(vault.Item.public_id == item).execute()
    assert sizes(family.ada) == {201902: 1}
    vault.Item.update(taken=None).where(vault.Item.public_id == item).execute()
    here = db.now().astimezone()
    assert sizes(family.ada) == {here.year * 100 + here.month: 1}


def test_pages_of_a_month_hold_each_once_in_order(family: Family) -> None:
    made = [picture(family.ada, f"2026-07-{1 + n % 3:02}T10:00:00") for n in range(25)]
    for each in made[::2]:
        post(family.ada, [each])
    for each in made[1::4]:
        post(family.ada, [each], family.ben)
    expected = [each for _, each in sorted(((n % 3, n), each) for n, each in enumerate(made))][::-1]
    seen, after = [], ""
    while True:
        shots, after = timeline.page(family.ada.id, 202607, after, 4)
        seen += [shot.tile.id for shot in shots]
        if not after:
            break
    assert seen == expected
    assert ids(family.cleo, 202607) == [each for each in expected if each in made[::2]]


def test_files_stand_on_their_own_shelf(family: Family) -> None:
    item = picture(family.ada, "2026-07-01T10:00:00", "letter.pdf", "file")
    assert sizes(family.ada) == {}
    assert [shot.tile.id for shot in timeline.files(family.ada.id)[0]] == [item]
    assert timeline.files(family.ben.id) == ([], "")


def test_on_this_day_brings_what_was_liked_most_and_can_be_sent_away(family: Family) -> None:
    today = dt.date(2026, 7, 3)
    few, many = picture(family.ada, "2019-07-03T09:00:00"), picture(family.ada, "2021-07-03T09:00:00")
    picture(family.ada, "2026-07-03T09:00:00")  # today's is no memory
    surprise = picture(family.ada, "2020-07-03T10:00:00")
    told = post(family.ada, [few])
    post(family.ada, [many, picture(family.ada, "2021-07-03T10:00:00")])
    post(family.ada, [surprise], family.cleo)
    assert timeline.memory(family.ben.id, today, family.ben.id)[:3] == (dt.date(2021, 7, 3), 5, 2)
    feed.mark(told, family.cleo.id, "❤️")
    found = timeline.memory(family.ben.id, today, family.ben.id)
    assert found[:3] == (dt.date(2019, 7, 3), 7, 1)
    assert found.shot.tile.id == few
    timeline.hide_memory(family.ben.id, today, dt.date(2019, 7, 3))
    assert timeline.memory(family.ben.id, today, family.ben.id).day.year == 2021
    timeline.hide_memory(family.ben.id, today)
    assert timeline.memory(family.ben.id, today, family.ben.id) is None
    assert timeline.memory(family.ben.id, dt.date(2027, 7, 3), family.ben.id).day.year in {2021, 2026}
    assert timeline.memory(family.cleo.id, today, family.cleo.id).day.year == 2019


def test_a_day_near_this_one_will_do(family: Family) -> None:
    post(family.ada, [picture(family.ada, "2019-12-30T09:00:00")])
    assert timeline.memory(family.ben.id, dt.date(2026, 1, 1), family.ben.id).day == dt.date(2019, 12, 30)
    assert timeline.memory(family.ben.id, dt.date(2026, 1, 3), family.ben.id) is None


def test_a_caption_is_its_uploaders(family: Family) -> None:
    item = picture(family.ada, "2026-07-01T10:00:00")
    post(family.ada, [item])
    timeline.describe(item, family.ada.id, "  The  badge ", "A swimmer\nholds it")
    tile = vault.get(item, family.ben.id)
    assert (tile.caption, tile.description) == ("The badge", "A swimmer holds it")
    with pytest.raises(NotAllowed):
        timeline.describe(item, family.ben.id, "Mine now", "")
    with pytest.raises(Invalid):
        timeline.describe(item, family.ada.id, "x" * 301, "")


def test_the_trash_is_of_the_one_who_removed_it(family: Family) -> None:
    item = picture(family.ben, "2026-07-01T10:00:00")
    post(family.ben, [item], text="look")
    with pytest.raises(NotAllowed):
        timeline.remove([item], family.cleo.id, family.cleo.id, is_admin=False)
    timeline.remove([item], family.ada.id, family.ada.id, is_admin=True)
    assert sizes(family.ben) == {} == sizes(family.cleo)
    with pytest.raises(NotFound):
        vault.get(item, family.ben.id)
    assert timeline.trash(family.ben.id) == []
    assert [tile.id for tile, _ in timeline.trash(family.ada.id)] == [item]
    with pytest.raises(NotFound):
        timeline.put_back(item, family.ben.id)
    timeline.put_back(item, family.ada.id)
    assert ids(family.cleo, 202607) == [item]


def test_after_thirty_days_nobody_puts_it_back(family: Family) -> None:
    item = picture(family.ada, "2026-07-01T10:00:00")
    timeline.remove([item], family.ada.id, family.ada.id, is_admin=True)
    long_ago = db.now() - vault.TRASH_LASTS - dt.timedelta(minutes=1)
    vault.Item.update(deleted_at=long_ago).where(vault.Item.public_id == item).execute()
    assert timeline.trash(family.ada.id) == []
    with pytest.raises(NotFound):
        timeline.put_back(item, family.ada.id)


def test_what_one_may_not_see_cannot_be_removed_by_an_admin(family: Family) -> None:
    item = picture(family.ben, "2026-07-01T10:00:00")
    with pytest.raises(NotFound):
        timeline.remove([item], family.ada.id, family.ada.id, is_admin=True)


def test_counts_agree_with_what_is_there(family: Family) -> None:
    people = [family.ada, family.ben, family.cleo]
    posts = []
    for number in range(40):
        owner = people[number % 3]
        item = picture(owner, f"20{10 + number % 5}-0{1 + number % 9}-01T00:00:00")
        others = [[], [family.ben], [family.ada, family.cleo]][number % 3] if number % 2 else []
        posts.append((post(owner, [item], *others), owner))
    for made, owner in posts[::4]:
        feed.take_down(made, owner.id, is_admin=False)
    for made, owner in posts[::8]:
        feed.put_back(made.public_id, owner.id, owner.id)
    for person in (*people, family.grandma):
        assert sizes(person) == {each.number: len(ids(person, each.number)) for each in timeline.months(person.id)}
        visible = db.rows("SELECT public_id FROM item")
        for (item,) in visible:
            try:
                vault.get(item, person.id)
                seen = True
            except NotFound:
                seen = False
            assert seen == (item in timeline.some([item], person.id))
