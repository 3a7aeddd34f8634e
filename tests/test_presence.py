"""Presence: coarse, reciprocal, never a log; waves at most once an hour."""

from __future__ import annotations

import datetime as dt
import time

import pytest

from homecircle import db, presence
from homecircle.errors import Conflict, Invalid, NotFound
from tests.conftest import Family


def _sight(viewer: int, of: int) -> presence.Sight:
    return next(each for each in presence.around(viewer) if each.member_id == of)


def test_an_open_page_is_here_now(family: Family) -> None:
    assert not _sight(family.ada.id, family.ben.id).is_here
    presence.arrive(family.ben.id)
    assert _sight(family.ada.id, family.ben.id).is_here
    presence.depart(family.ben.id)
    assert _sight(family.ada.id, family.ben.id).is_here  # five seconds' grace
    presence.bye(family.ben.id)
    assert not _sight(family.ada.id, family.ben.id).is_here


def test_only_the_rounded_moment_is_stored(family: Family) -> None:
    for fineness, step in (("minute", 300), ("day", 86400), ("week", 604800)):
        presence.share(family.ben.id, fineness)
        presence.arrive(family.ben.id)
        stored = db.row("SELECT here_at FROM member WHERE id = ?", family.ben.id)[0]
        offset = 0 if fineness == "minute" else 43200
        assert (stored - offset) % step == 0
        presence.bye(family.ben.id)
    presence.share(family.ben.id, "hidden")
    presence.arrive(family.ben.id)
    assert db.row("SELECT here_at FROM member WHERE id = ?", family.ben.id)[0] is None


@pytest.mark.parametrize("theirs", presence.SHARES)
@pytest.mark.parametrize("own", presence.SHARES)
def test_one_sees_only_as_finely_as_one_shows(family: Family, own: str, theirs: str) -> None:
    presence.share(family.ada.id, own)
    presence.share(family.ben.id, theirs)
    presence.arrive(family.ben.id)
    sight = _sight(family.ada.id, family.ben.id)
    coarsest = max(own, theirs, key=presence.SHARES.index)
    assert sight.is_here == (coarsest == "minute")
    assert sight.fineness == ("" if coarsest == "hidden" else coarsest)
    assert (sight.last is None) == (coarsest == "hidden")


def test_a_status_ends(family: Family) -> None:
    presence.say_status(family.ben.id, "At the allotment until 5", db.now() + dt.timedelta(hours=1))
    assert _sight(family.ada.id, family.ben.id).status == "At the allotment until 5"
    db.rows("UPDATE member SET status_until = 1 WHERE id = ?", family.ben.id)
    assert _sight(family.ada.id, family.ben.id).status == ""
    for text, until in (("x" * 41, None), ("back then", db.now() - dt.timedelta(minutes=1))):
        with pytest.raises(Invalid):
            presence.say_status(family.ben.id, text, until)


def test_a_wave_once_an_hour_to_each(family: Family) -> None:
    presence.wave(family.ada.id, family.grandma.public_id)
    presence.wave(family.ada.id, family.ben.public_id)
    presence.wave(family.ben.id, family.grandma.public_id)
    with pytest.raises(Conflict):
        presence.wave(family.ada.id, family.grandma.public_id)
    db.rows("UPDATE event SET at = at - 3601 WHERE verb = 'wave.sent'")
    presence.wave(family.ada.id, family.grandma.public_id)
    for nobody in (family.ada.public_id, "nobody"):
        with pytest.raises(NotFound):
            presence.wave(family.ada.id, nobody)


def test_who_is_gone_is_told_when_it_is_so(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    presence.arrive(family.ben.id)
    presence.depart(family.ben.id)
    before = presence.turn()
    assert _sight(family.ada.id, family.ben.id).is_here
    assert presence.turn() == before
    late = time.monotonic() + presence.GRACE + 1
    monkeypatch.setattr(presence.time, "monotonic", lambda: late)
    assert not _sight(family.ada.id, family.ben.id).is_here
    assert presence.turn() == before + 1
    assert presence.turn() == before + 1
