"""Power cuts and kill -9 under four writers: nothing acknowledged is lost, no file is torn."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from tests.faults.family import READY_IN, House
from tests.faults.image import Image


def test_kill_loses_nothing(house: House, rounds: Callable[[int, int], int], tell: Callable[[str], None]) -> None:
    slowest, count = 0.0, rounds(4, 100)
    for _ in range(count):
        slowest = max(slowest, house.start())
        assert house.check() == []
        house.write(random.uniform(0.2, 1.5), house.kill)
        house.kill()
    slowest = max(slowest, house.start())
    assert house.check() == []
    assert slowest <= READY_IN
    assert len(house.said.posts) > count and house.said.messages and house.said.photos
    tell(f"{count} kills, {len(house.said)} acknowledged, 0 lost, slowest start {slowest:.2f} s")


@pytest.mark.parametrize("image", [("ext4", 8192), ("xfs", 8192)], indirect=True, ids=["ext4", "xfs"])
def test_power_cuts_lose_nothing(
    image: Image, house: House, rounds: Callable[[int, int], int], tell: Callable[[str], None]
) -> None:
    slowest, count = 0.0, rounds(2, 50)
    for _ in range(count):
        slowest = max(slowest, house.start())
        assert house.check() == []
        house.write(random.uniform(0.3, 1.5), lambda: house.lose_power(image.cut_power))
        house.kill()
        image.unmount()
        image.mount()
    slowest = max(slowest, house.start())
    assert house.check() == []
    assert slowest <= READY_IN and len(house.said.posts) > count
    tell(f"{count} cuts on {image.kind}, {len(house.said)} acknowledged, 0 lost, slowest start {slowest:.2f} s "
         f"({house.late} answers came after the cut had begun)")  # fmt: skip


def test_stopping_under_load_ends_well(house: House, tell: Callable[[str], None]) -> None:
    house.start()
    codes, took = [], []

    def stop() -> None:
        began = time.monotonic()
        codes.append(house.stop())
        took.append(time.monotonic() - began)

    house.write(1.0, stop)
    assert codes == [0] and took[0] <= 10
    house.start()
    assert house.check() == []
    tell(f"stopped under load in {took[0]:.2f} s")
