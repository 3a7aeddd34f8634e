"""My export: a streamed ZIP of what one may see, or of what is one's own; and the way to it before leaving."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from homecircle import archive, feed, members, threads, vault
from homecircle.archive import carrying, gathering, pile, zipping
from homecircle.web import bundling
from tests.conftest import SAMPLES, Family, Home, Person


def _keep(home: Home, name: str, who: Person) -> vault.Item:
    with (SAMPLES / name).open("rb") as handle:
        return vault.keep(home.house.folder, home.house.folder.take(handle), name, who.id)


@pytest.fixture
def lived(home: Home, family: Family) -> str:
    """Ada shares a photo with all, Ben another with Cleo; Cleo answers Ada."""
    garden, cake = _keep(home, "garden.jpg", family.ada), _keep(home, "cake.jpg", family.ben)
    post = feed.publish(family.ada.id, "The garden", [garden.public_id], [], "1")
    feed.publish(family.ben.id, "hush-hush", [cake.public_id], [family.cleo.public_id], "2")
    threads.say(post, family.cleo.id, threads.Words("So green"), "3")
    home.draw()
    return post.public_id


def _zip(home: Home, who: Person, scope: str) -> zipfile.ZipFile:
    answer = home.browser(who).post("/settings/export", {"scope": scope})
    assert answer.status_code == 200 and answer.mimetype == "application/zip"
    assert answer.content_length is None or answer.content_length == len(answer.data)
    found = zipfile.ZipFile(io.BytesIO(answer.data))
    assert found.testzip() is None
    return found


def _words(found: zipfile.ZipFile) -> str:
    return "".join(found.read(name).decode() for name in found.namelist() if name.endswith((".html", ".json")))


def test_an_export_brings_what_one_may_see(home: Home, family: Family, lived: str) -> None:
    cleo = _zip(home, family.cleo, "member")
    assert "hush-hush" in _words(cleo) and "The garden" in _words(cleo)
    grandma = _zip(home, family.grandma, "member")
    assert "The garden" in _words(grandma) and "hush-hush" not in _words(grandma)
    assert not [name for name in grandma.namelist() if "Ben" in name and not name.startswith("faces")]
    assert len([name for name in cleo.namelist() if name.endswith(".jpg") and name.startswith("2")]) == 2


def test_an_admin_outside_the_audience_cannot_export_it(home: Home, family: Family, lived: str) -> None:
    found = _zip(home, family.ada, "member")
    assert "hush" not in _words(found)
    cake = (SAMPLES / "cake.jpg").read_bytes()
    assert all(found.read(name) != cake for name in found.namelist())


def test_only_mine_holds_ones_own_words_and_nobody_elses_photos(home: Home, family: Family, lived: str) -> None:
    found = _zip(home, family.cleo, "own")
    told = json.loads(found.read("posts.json"))
    assert told["posts"] == [] and told["items"] == [] and [each["text"] for each in told["messages"]] == ["So green"]
    assert "So green" in _words(found) and "The garden" not in _words(found) and "hush" not in _words(found)
    ada = _zip(home, family.ada, "own")
    assert "So green" in _words(ada)  # the answers to one's own post
    assert (SAMPLES / "garden.jpg").read_bytes() in [ada.read(name) for name in ada.namelist()]


def test_the_size_is_known_where_nothing_must_be_cleaned(home: Home, family: Family, lived: str) -> None:
    own = home.browser(family.ada).post("/settings/export", {"scope": "own"})
    assert own.headers["Content-Length"] == str(len(own.data))
    assert "Content-Length" not in home.browser(family.grandma).post("/settings/export").headers


def test_nothing_is_left_behind_and_there_is_one_at_a_time(home: Home, family: Family, lived: str) -> None:
    _zip(home, family.ada, "member")
    assert not list(home.house.folder.temporary.iterdir())
    with bundling._leaving:
        assert home.browser(family.ada).post("/settings/export").status_code == 429
    assert home.browser(family.ada).post("/settings/export").status_code == 200


def test_a_zip_comes_back_like_a_folder(home: Home, family: Family, lived: str, tmp_path: Path) -> None:
    (tmp_path / "mine.zip").write_bytes(home.browser(family.ben).post("/settings/export").data)
    assert archive.is_export(tmp_path / "mine.zip") and not archive.is_export(SAMPLES / "cake.jpg")
    wish = gathering.Wish(pile.Source(tmp_path / "mine.zip"), members.join("Zoe").id)
    told = gathering.Gathering(home.house.folder, wish, lambda _done, _whole: None).run()
    assert told.photos + told.videos == 2


def test_the_page_says_what_there_is_and_leaving_leads_to_it(home: Home, family: Family, lived: str) -> None:
    page = home.browser(family.ben).get("/settings/export").text
    assert "Everything I may see" in page and "Only what is mine" in page and "kB" in page
    for path in ("/settings", "/settings/leave"):
        assert 'href="/settings/export"' in home.browser(family.ben).get(path).text
    assert home.browser().post("/settings/export").status_code == 401


def test_memory_does_not_grow_with_the_photos(home: Home, family: Family) -> None:
    original = home.house.folder.root / vault.Original.get_by_id(_keep(home, "garden.jpg", family.ben).original_id).path
    item = vault.Item.get(vault.Item.name == "garden.jpg")
    with original.open("ab") as handle:
        handle.truncate(64 << 20)
    for turn in range(9):
        vault.Item.create(original_id=item.original_id, member_id=family.ben.id, kind="photo", name=f"{turn}.jpg")
    packed = carrying.pack(home.house.folder, home.house.decoder, archive.Scope("own", family.ben.id), "en")
    tracemalloc.start()
    try:
        length = sum(len(piece) for piece in packed.pieces)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
        packed.close()
    assert length == packed.size and length > 10 * (64 << 20)


def test_a_zip_beyond_4_gib_is_read_by_others(tmp_path: Path) -> None:
    holes = [(f"{turn}.bin", 2_200_000_000) for turn in range(2)] + [("last.txt", 5)]
    zeros = bytes(1 << 20)

    def pieces(length: int) -> object:
        while length > 0:
            yield zeros[: min(length, 1 << 20)]
            length -= 1 << 20

    place = tmp_path / "large.zip"
    with place.open("wb") as handle, (tmp_path / "index").open("x+b") as index:
        for piece in zipping.stream(((n, s, pieces(s)) for n, s in holes), index, carrying.db.now()):
            if piece is zeros or piece == zeros:
                handle.seek(len(piece), 1)
            else:
                handle.write(piece)
    assert place.stat().st_size == zipping.size(holes)
    with zipfile.ZipFile(place) as found:
        assert [(each.filename, each.file_size) for each in found.infolist()] == holes
        assert found.read("last.txt") == bytes(5)
    if unzip := shutil.which("unzip"):
        assert subprocess.run([unzip, "-p", place, "last.txt"], capture_output=True, check=False).stdout == bytes(5)


def test_an_export_without_photos_is_told_as_small(home: Home, family: Family) -> None:
    page = home.browser(family.ada).get("/settings/export").text
    assert page.count("small: no photos yet") == 2
    assert " 0 B" not in page
