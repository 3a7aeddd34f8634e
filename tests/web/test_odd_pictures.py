"""A folder of more than 250 odd pictures, the whole way: kept, drawn by a real decoder, shown, downloaded by others.

Each is either shown right (orientation and colours against a reference made another way) or kept as a file with a
sentence; none stops the house; nothing that a camera tells too much is in any rendition, nor in what others download.
"""

from __future__ import annotations

import io
import os
import time
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from homecircle import feed, vault
from homecircle.vault import EDGES
from tests.conftest import Family, Home, Person
from tests.samples import odd
from tests.samples.odd import FILE, Odd
from tests.test_decoder import children, status
from tests.test_images import TELLING

GRID = (24, 16)
MOST = 92  # per cent of the fields of that grid must be near; the rest are edges, where two scalings never agree
SENTENCES = {
    odd.DAMAGED: "This picture is damaged, so it can&#39;t be shown.",
    odd.TOO_LARGE: "This picture is too large to be shown.",
}
# In these nothing can be told from what must go, so that others get a sentence and no file.
UNCLEAN = {"moves.avif"}


@pytest.fixture
def folder_of_odd(home: Home, family: Family) -> dict[str, tuple[Odd, str]]:
    """Every one of them in the vault, drawn, and shared by Ben with everyone: name -> (itself, the item's id)."""
    found: dict[str, tuple[Odd, str]] = {}
    for one in odd.pictures():
        spooled = home.house.folder.spool()
        spooled.write_bytes(one.data)
        arrived = vault.examine(spooled, one.name, any_kind=True)
        vault.settle_in(home.house.folder, spooled, arrived)
        item = vault.add(home.house.folder, arrived, family.ben.id)
        found[one.name] = (one, item.public_id)
        begin, before = time.monotonic(), _own_peak(fresh=True)
        home.draw()
        if one.kept and one.kept != FILE:
            assert time.monotonic() - begin < 10, one.name
            assert _own_peak() - before < 64 << 10, one.name
            assert all(int(status(pid, "VmHWM").split()[0]) < 512 << 10 for pid in children()), one.name
    items = [item for _, item in found.values()]
    for at in range(0, len(items), feed.ITEM_LIMIT):
        feed.publish(family.ben.id, f"From {at}", items[at : at + feed.ITEM_LIMIT], [], f"odd {at}")
    return found


def _own_peak(*, fresh: bool = False) -> int:
    """The most memory this process ever had (kB), or from now on."""
    if fresh:
        Path("/proc/self/clear_refs").write_text("5")
    return int(status(os.getpid(), "VmHWM").split()[0])


def test_every_one_is_shown_right_or_kept_with_a_sentence(
    home: Home, family: Family, folder_of_odd: dict[str, tuple[Odd, str]]
) -> None:
    assert len(folder_of_odd) > 250
    wrong = []
    for one, item in folder_of_odd.values():
        tile = vault.get(item, family.ada.id)
        page = home.browser(family.ada).get(f"/vault/{item}")
        assert page.status_code == 200, one.name
        if one.kept:
            sentence = "has not opened this file" if one.kept == FILE else SENTENCES[tile.reason]
            is_right = tile.reason in one.kept.split() or (one.kept == FILE and tile.state == "kept")
            if not (is_right and tile.kind == "file" and sentence in page.text):
                wrong.append((one.name, tile.state, tile.reason))
        elif (tile.state, tile.width, tile.height) != ("ready", *one.shown.size):
            wrong.append((one.name, tile.state, tile.reason, tile.width, tile.height))
        else:
            wrong += _differences(home, family.ada, one, tile)
    assert wrong == []
    _others_get_nothing_that_tells_or_opens(home, family, folder_of_odd)


def _differences(home: Home, person: Person, one: Odd, tile: vault.Tile) -> list[tuple[object, ...]]:
    wrong: list[tuple[object, ...]] = []
    for edge in EDGES:
        stamp = tile.small.rpartition("-")[2]
        drawn = vault.rendition(home.house.folder, tile.id, edge, stamp, person.id).path.read_bytes()
        with Image.open(io.BytesIO(drawn)) as picture:
            off = _distance(picture, one.shown)
            told = [word for word in [*TELLING, b"Exif", b"http", b"8BIM", b"ICC_PROFILE"] if word in drawn]
            if off > one.tolerance or told or dict(picture.getexif()):
                wrong.append((one.name, edge, off, told))
    if bool(tile.moving) != one.moves:
        wrong.append((one.name, "moves", tile.moving))
    return wrong


def _distance(picture: Image.Image, wanted: Image.Image) -> int:
    """How far the colours are apart, in steps of 255, in MOST of the fields of a coarse grid."""
    wanted = wanted.convert("RGB").resize(picture.size, Image.Resampling.BOX)
    size = (min(GRID[0], picture.width), min(GRID[1], picture.height))
    two = [each.convert("RGB").resize(size, Image.Resampling.BOX) for each in (picture, wanted)]
    apart = sorted(max(colour) for colour in ImageChops.difference(*two).get_flattened_data())
    return apart[len(apart) * MOST // 100]


def _others_get_nothing_that_tells_or_opens(home: Home, family: Family, found: dict[str, tuple[Odd, str]]) -> None:
    ada, ben, unclean = home.browser(family.ada), home.browser(family.ben), set()
    for one, item in found.values():
        assert ben.get(f"/vault/{item}/original").data == one.data, "their own, byte for byte"
        answer = ada.get(f"/vault/{item}/original")
        if answer.status_code == 422:
            unclean |= {one.name} if not one.kept else set()
            assert one.kept or one.name in UNCLEAN, one.name
            continue
        assert answer.status_code == 200 and one.kept != FILE, one.name
        assert not [word for word in TELLING if word in answer.data], one.name
        assert answer.headers["Content-Type"] in vault.ENDINGS, one.name
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert unclean == UNCLEAN
