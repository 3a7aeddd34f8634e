"""For whom an item is that stands in no post: who sees it where, in every list and at every address."""

from __future__ import annotations

import io
import json
import re
import zipfile

import pytest

from homecircle import audiences, db, events, feed, search, vault
from homecircle.errors import Conflict, Invalid
from homecircle.vault import timeline
from tests.conftest import SAMPLES, Family, Home, Person
from tests.test_timeline import ids, picture, post, sizes


def _kept(home: Home, person: Person, name: str) -> str:
    folder = home.house.folder
    with (SAMPLES / name).open("rb") as handle:
        item = vault.keep(folder, folder.take(handle), name, person.id)
    home.draw()
    return item.public_id


def _share(person: Person, items: list[str], *others: Person) -> None:
    with db.transaction():
        audience = audiences.named(person.id, [each.public_id for each in others])
    vault.share(items, person.id, audience)


def _everywhere(home: Home, person: Person, item: str) -> dict[str, bool]:
    """At which addresses a member meets an item."""
    browser, found = home.browser(person), vault.Item.get(vault.Item.public_id == item)
    at = timeline.about(item, found.member_id).at
    stamp = vault.get(item, found.member_id).small.rpartition("/")[2]
    zipped = browser.post("/vault/zip", {"items": [item]})
    return {
        "page": browser.get(f"/vault/{item}").status_code == 200,
        "tile": browser.get(f"/vault/{item}?part=tile").status_code == 200,
        "shot": browser.get(f"/vault/{item}?part=shot").status_code == 200,
        "rendition": browser.get(f"/vault/{item}/{stamp}").status_code == 200,
        "original": browser.get(f"/vault/{item}/original").status_code == 200,
        "zip": zipped.status_code == 200 and len(zipfile.ZipFile(io.BytesIO(zipped.data)).namelist()) == 1,
        "vault": item in browser.get("/vault").text,
        "month": item in browser.get(f"/vault/{at:%Y-%m}").text,
        "count": bool(timeline.months(person.id)),
        "day": item in browser.get(f"/vault/on-this-day?day={at:%Y-%m-%d}").text,
        "search": item in browser.get(f"/vault/search?q={found.name.partition('.')[0]}").text,
    }


@pytest.mark.parametrize("who", [(), ("ben",), ("ben", "cleo"), ("ada",), None], ids=str)
def test_only_those_it_is_for_meet_it_anywhere(home: Home, family: Family, who: tuple[str, ...] | None) -> None:
    item = _kept(home, family.ada, "harbour.jpg")
    if who is not None:
        _share(family.ada, [item], *(getattr(family, each) for each in who))
    for person in family:
        sees = person is family.ada or who == () or person.name.lower() in (who or ())
        assert set(_everywhere(home, person, item).values()) == {sees}, person.name
        if not sees:
            assert item not in home.browser(person).get("/live/since?id=").text


def test_a_device_that_reads_as_nobody_meets_only_what_is_for_everyone(family: Family) -> None:
    for_all, for_ben = (picture(family.ada, f"2026-07-0{day}T10:00:00") for day in (1, 2))
    _share(family.ada, [for_all])
    _share(family.ada, [for_ben], family.ben)
    assert [shot.tile.id for shot in timeline.page(0, 202607)[0]] == [for_all]


def test_for_whom_is_chosen_once(family: Family) -> None:
    first, second = (picture(family.ada, f"2026-07-0{day}T10:00:00") for day in (1, 2))
    _share(family.ada, [first], family.ada)  # only me, which stays open
    _share(family.ada, [first], family.ben)
    _share(family.ada, [first], family.ben)  # the same again is no change
    with pytest.raises(Conflict):
        _share(family.ada, [second, first])
    assert ids(family.cleo, 202607) == []
    assert ids(family.ben, 202607) == [first]
    with pytest.raises(Invalid):
        _share(family.ben, [first])  # somebody else's
    assert sizes(family.cleo) == {}


def test_a_post_still_shows_it_to_others_and_taking_the_post_down_leaves_its_own_audience(family: Family) -> None:
    item = picture(family.ada, "2026-07-01T10:00:00")
    _share(family.ada, [item], family.ben)
    shown = post(family.ada, [item])
    assert sizes(family.cleo) == sizes(family.ben) == {202607: 1}
    feed.take_down(shown, family.ada.id, is_admin=False)
    assert sizes(family.cleo) == {}
    assert sizes(family.ben) == {202607: 1}
    timeline.remove([item], family.ada.id, family.ada.id, is_admin=False)
    assert sizes(family.ben) == {} == sizes(family.ada)
    timeline.put_back(item, family.ada.id)
    assert sizes(family.ben) == {202607: 1}


def test_what_was_found_before_by_one_is_found_by_those_it_is_shared_with(family: Family) -> None:
    item = picture(family.ada, "2026-07-01T10:00:00", name="kayak.jpg")
    assert search.find(family.ben.id, "kayak", {})[0] == []
    _share(family.ada, [item], family.ben)
    assert [each.id for each in search.find(family.ben.id, "kayak", {})[0]] == [item]
    assert search.find(family.cleo.id, "kayak", {})[0] == []


def test_the_drawn_picture_is_told_to_those_it_is_for(home: Home, family: Family) -> None:
    folder = home.house.folder
    with (SAMPLES / "cake.jpg").open("rb") as handle:
        item = vault.keep(folder, folder.take(handle), "cake.jpg", family.ada.id).public_id
    _share(family.ada, [item], family.ben)
    cursors = {person.name: events.cursor(person.id) for person in family}
    home.draw()
    hinted = {
        person.name: bool(json.loads(home.browser(person).get(f"/live/since?id={cursors[person.name]}").text)["hints"])
        for person in family
    }
    assert hinted == {"Ada": True, "Ben": True, "Cleo": False, "Grandma": False}
    assert re.search(r"<img", home.browser(family.ben).get(f"/vault/{item}").text)
