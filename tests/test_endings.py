"""Signing out ends what is under way, over a real socket; and what it says to those whose device is open."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from homecircle import devices, events
from homecircle.devices import Pass
from homecircle.endings import Endings
from tests.bench.endings import GIVEN_UP, WAYS, ended
from tests.bench.houses import Server, copied, house
from tests.conftest import Family, Home


@pytest.mark.parametrize("way", WAYS)
def test_sign_out_ends_what_is_under_way(way: Callable[..., object]) -> None:
    with copied(house(20, 12, 4)) as kept:
        assert ended(Server(kept), way) < GIVEN_UP / 2  # without an end it is read until GIVEN_UP


class _Line:
    """A connection that carries something for a device."""

    def __init__(self, me: Pass | None) -> None:
        self.me, self.is_cut = me, False

    def under_way(self) -> Pass | None:
        return self.me

    def cut(self) -> None:
        self.is_cut = True


def test_cut_off_leaves_the_others_alone(home: Home, family: Family) -> None:
    ada, ben = (devices.recognise(each.token, "home") for each in (family.ada, family.ben))
    lines, woken = [_Line(ben), _Line(ada), _Line(None)], threading.Event()
    endings = Endings(lambda: lines, woken.set)
    endings.start()
    try:
        devices.revoke(ben.device, ada)
        assert woken.wait(10)
    finally:
        endings.stop()
        events.ring()
    assert not lines[0].is_cut  # until the one thread that may close connections does it
    endings.cut_off()
    assert [each.is_cut for each in lines] == [True, False, False]
