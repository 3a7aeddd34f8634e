"""Bringing in: folders, ZIPs and Takeouts made here from real small pictures; what comes, with which date, and once."""

from __future__ import annotations

import datetime as dt
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from homecircle import audiences, db, vault
from homecircle.archive import pile
from homecircle.archive.gathering import Gathering, Report, Wish
from homecircle.archive.pile import Source
from homecircle.archive.takeout import Notes
from homecircle.errors import Invalid, NoSpace
from homecircle.files import Folder
from homecircle.vault import timeline
from tests.conftest import SAMPLES, Family, Person

BARE = {n: (SAMPLES / f"orientation-{n}.jpg").read_bytes() for n in range(1, 9)}  # no date of their own
NOON = int(dt.datetime(2019, 7, 3, 12, 0, 5).timestamp())  # noqa: DTZ001  on the house's own clock


def tree(root: Path, files: dict[str, bytes | str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        os.utime(path, (1_600_000_000, 1_600_000_000))  # 13 September 2020
    return root


def zipped(path: Path, files: dict[str, bytes | str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2020, 9, 13, 12, 0, 0)), content)
    return path


def note(at: int | None = NOON, **more: object) -> str:
    taken = {} if at is None else {"photoTakenTime": {"timestamp": str(at), "formatted": "whenever"}}
    return json.dumps({"title": "x.jpg", "geoData": {"latitude": 48.1, "longitude": 11.5}, **taken, **more})


def bring(
    folder: Folder, person: Person, path: Path, watch: Callable[[int, int], None] = lambda *_: None, **wish: object
) -> Report:
    return Gathering(folder, Wish(Source(path), person.id, **wish), watch).run()


def kept(person: Person) -> dict[str, tuple[str, str, str]]:
    """Name -> (taken, caption, description) of everything that is the member's."""
    rows = db.rows("SELECT name, taken, caption, description FROM item WHERE member_id = ? ORDER BY id", person.id)
    assert len({row[0] for row in rows}) == len(rows)
    return {row[0]: (row[1], row[2], row[3]) for row in rows}


def test_a_folder_comes_with_its_dates_and_only_once(folder: Folder, family: Family, tmp_path: Path) -> None:
    camera = (SAMPLES / "cake.jpg").read_bytes()
    stick = tree(tmp_path / "stick", {
        "DCIM/cake.jpg": camera, "DCIM/copy of cake.jpg": camera, "IMG-20190704-WA0003.jpg": BARE[1],
        "PXL_20200102_030405678.jpg": BARE[2], "scan.jpg": BARE[3], "film.mp4": (SAMPLES / "turned.mp4").read_bytes(),
        "bell\a.txt": "hello", "Thumbs.db": "x", ".hidden/a.jpg": BARE[4], "letter.pdf": "%PDF-1.7", "empty.jpg": "",
    })  # fmt: skip
    (stick / "link.jpg").symlink_to(stick / "scan.jpg")
    os.mkfifo(stick / "pipe.jpg")
    looked = bring(folder, family.ada, stick, is_look=True)
    assert kept(family.ada) == {}
    assert list(folder.vault.rglob("*.*")) == []
    report = bring(folder, family.ada, stick)
    assert looked == report
    assert (report.photos, report.videos, report.twice, report.there) == (4, 1, 1, 0)
    assert (report.first, report.last, report.undated) == (2019, 2026, 1)
    assert report.why == {"kind": 2, "empty": 1}
    assert {(each.path, each.why) for each in report.left} == {
        ("stick/letter.pdf", "kind"), ("stick/bell?.txt", "kind"), ("stick/empty.jpg", "empty")}  # fmt: skip
    found = {name: taken for name, (taken, _, _) in kept(family.ada).items()}
    assert found == {
        "cake.jpg": "2026-06-13T10:23:00", "IMG-20190704-WA0003.jpg": "2019-07-04T12:00:00",
        "PXL_20200102_030405678.jpg": "2020-01-02T03:04:05", "film.mp4": found["film.mp4"],
        "scan.jpg": dt.datetime.fromtimestamp(1_600_000_000).isoformat(),  # noqa: DTZ006  the same clock
    }  # fmt: skip
    assert (stick / "DCIM/cake.jpg").read_bytes() == camera  # the stick stays as it was
    originals = sorted(path.read_bytes() for path in folder.vault.rglob("*.jpg"))
    assert originals == sorted([camera, BARE[1], BARE[2], BARE[3]])
    again = bring(folder, family.ada, stick)
    assert (again.photos, again.videos, again.there) == (0, 0, 6)
    assert list(folder.temporary.iterdir()) == []


def test_files_of_other_kinds_come_by_choice(folder: Folder, family: Family, tmp_path: Path) -> None:
    stick = tree(tmp_path / "stick", {"letter.pdf": "%PDF-1.7"})
    assert bring(folder, family.ada, stick, keeps_files=True).files == 1
    assert [shot.tile.name for shot in timeline.files(family.ada.id)[0]] == ["letter.pdf"]


def test_a_takeout_gives_dates_descriptions_and_albums(folder: Folder, family: Family, tmp_path: Path) -> None:
    year, album = "Takeout/Google Fotos/Fotos von 2019", "Takeout/Google Fotos/Sommer in Schweden"
    files = {
        f"{year}/IMG_1.jpg": BARE[1], f"{year}/IMG_1.jpg.json": note(),
        f"{year}/IMG_2.jpg": BARE[2], f"{year}/IMG_2.jpg.supplemental-metadata.json": note(description="Unser Boot"),
        f"{album}/IMG_2.jpg": BARE[2], f"{album}/IMG_2.jpg.supplemental-metadata.json": note(description="Unser Boot"),
        f"{year}/IMG_3.jpg": BARE[3], f"{year}/IMG_3.jpg.json": note(description="Nur wir"),
        f"{year}/cake.jpg": (SAMPLES / "cake.jpg").read_bytes(), f"{year}/cake.jpg.json": note(),
        f"{album}/Metadaten.json": json.dumps({"title": "Sommer in Schweden ☀"}),
        f"{year}/Metadaten.json": json.dumps({"title": "Fotos von 2019"}),
        "Takeout/Google Fotos/Papierkorb/IMG_9.jpg": BARE[5], "Takeout/Google Fotos/Papierkorb/IMG_9.jpg.json": note(),
        "Takeout/archive_browser.json": "{}",
    }  # fmt: skip
    report = bring(folder, family.ada, zipped(tmp_path / "takeout-001.zip", files))
    assert (report.photos, report.twice, report.undated) == (4, 1, 0)
    assert report.why == {"trash": 1}
    assert kept(family.ada) == {
        "IMG_2.jpg": ("2019-07-03T12:00:05", "Sommer in Schweden ☀", "Unser Boot"),
        "IMG_1.jpg": ("2019-07-03T12:00:05", "", ""),
        "IMG_3.jpg": ("2019-07-03T12:00:05", "Nur wir", ""),
        "cake.jpg": ("2026-06-13T10:23:00", "", ""),  # the camera's own clock is the better one
    }
    assert not db.rows("SELECT 1 FROM original WHERE has_place")


def test_a_takeout_in_several_zips_is_one(folder: Folder, family: Family, tmp_path: Path) -> None:
    year = "Takeout/Google Photos/Photos from 2019"
    zipped(tmp_path / "stick/takeout-001.zip", {f"{year}/IMG_1.jpg": BARE[1]})
    zipped(tmp_path / "stick/takeout-002.zip", {f"{year}/IMG_1.jpg.json": note()})
    (tmp_path / "stick/takeout-003.zip").write_bytes(b"PK\3\4 the rest never came")
    report = bring(folder, family.ada, tmp_path / "stick")
    assert (report.photos, report.undated, dict(report.why)) == (1, 0, {"damaged": 1})
    assert kept(family.ada)["IMG_1.jpg"][0] == "2019-07-03T12:00:05"


LONG = "20190703_142005_a_name_that_is_far_too_long_for_it.jpg"
NAMES = [
    ("IMG_1.jpg", "IMG_1.jpg.json"),
    ("IMG_1.JPG", "IMG_1.jpg.json"),
    ("IMG_1.jpg", "IMG_1.jpg.supplemental-metadata.json"),
    ("IMG_1.jpg", "IMG_1.jpg.supplemental-metad.json"),
    ("IMG_1.jpg", "IMG_1.jpg.supplemen.json"),
    ("IMG_1.jpg", "IMG_1.jpg.s.json"),
    ("IMG_1.jpg", "IMG_1.jpg..json"),
    ("IMG_1.jpg", "IMG_1.json"),
    ("IMG_1(2).jpg", "IMG_1.jpg(2).json"),
    ("IMG_1(2).jpg", "IMG_1(2).jpg.json"),
    ("IMG_1(2).jpg", "IMG_1.jpg.supplemental-metadata(2).json"),
    ("IMG_1(2).jpg", "IMG_1.jpg.supplemental-me(2).json"),
    ("IMG_1-edited.jpg", "IMG_1.jpg.json"),
    ("IMG_1-bearbeitet.jpg", "IMG_1.jpg.supplemental-metadata.json"),
    ("IMG_1-edited(2).jpg", "IMG_1.jpg(2).json"),
    ("IMG_1.MOV", "IMG_1.HEIC.json"),
    ("IMG_1.MP4", "IMG_1.HEIC.supplemental-metadata.json"),
    ("PXL_1.MP", "PXL_1.MP.jpg.json"),
    (LONG, f"{LONG[:46]}.json"),
    (LONG, f"{LONG[:46]}(1).json".replace("(1)", "")),
    ("Käse.jpg", "Ka\u0308se.jpg.json"),
]


@pytest.mark.parametrize(("photo", "beside"), NAMES)
def test_a_photo_finds_its_json(photo: str, beside: str) -> None:
    told = Notes([f"a/{beside}"], lambda _: note(description="it").encode()).about(f"a/{photo}")
    assert told.description == "it"
    assert told.taken == dt.datetime.fromtimestamp(NOON, dt.UTC)


STRANGE = [
    ("IMG_1.jpg", "IMG_10.jpg.json"), ("IMG_10.jpg", "IMG_1.jpg.json"), ("IMG_1.jpg", "IMG_1.jpg(2).json"),
    ("IMG_1(2).jpg", "IMG_1.jpg.json"), ("IMG_1.jpg", "b/IMG_1.jpg.json"), ("IMG.jpg", "metadata.json"),
]  # fmt: skip


@pytest.mark.parametrize(("photo", "beside"), STRANGE)
def test_a_photo_does_not_take_the_json_of_another(photo: str, beside: str) -> None:
    assert Notes([f"a/{beside}"], lambda _: note().encode()).about(f"a/{photo}").taken is None


@pytest.mark.parametrize(
    "said", ["", "null", "[]", "{", "[" * 100_000, '{"photoTakenTime": 7}', '{"photoTakenTime": {"timestamp": "0"}}',
             '{"photoTakenTime": {"timestamp": "99999999999"}}', '{"description": {"a": 1}}', "\xff\xfe"],
)  # fmt: skip
def test_a_json_that_makes_no_sense_says_nothing(said: str) -> None:
    told = Notes(["a/IMG_1.jpg.json"], lambda _: said.encode("latin-1")).about("a/IMG_1.jpg")
    assert (told.taken, told.album, told.description, told.is_trash) == (None, "", "", False)


@pytest.mark.parametrize("title", ["Photos from 2019", "Fotos von 2019", "Photos de 2019", "2019-07-03", "Archive"])
def test_years_and_days_are_no_albums(title: str) -> None:
    folder = f"Takeout/Google Photos/{title}"
    assert Notes([f"{folder}/a.jpg.json"], lambda _: note().encode()).about(f"{folder}/a.jpg").album == ""


@pytest.mark.parametrize("title", ["Italy 2019", "Photos of Mia 2019", "Fotos", "Opa 80"])
def test_a_folder_of_a_takeout_is_an_album(title: str) -> None:
    folder = f"Takeout/Google Photos/{title}"
    assert Notes([f"{folder}/a.jpg.json"], lambda _: note().encode()).about(f"{folder}/a.jpg").album == title
    assert Notes([f"{title}/a.jpg.json"], lambda _: note().encode()).about(f"{title}/a.jpg").album == ""  # not Google's


def test_one_bad_file_never_holds_up_the_rest(folder: Folder, family: Family, tmp_path: Path) -> None:
    path = zipped(tmp_path / "some.zip", {"a.jpg": BARE[1], "b.jpg": BARE[2] * 3, "../../c.jpg": BARE[3]})
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        at = archive.getinfo("b.jpg").header_offset
    data[at + 40 : at + 60] = bytes(20)
    path.write_bytes(data)
    stick = tree(tmp_path / "stick", {"d.jpg": BARE[4], "e.jpg": BARE[5]})
    path.rename(stick / "some.zip")
    report = bring(folder, family.ada, stick)
    assert report.photos == 4
    assert [(each.path, each.why) for each in report.left] == [("b.jpg", "damaged")]
    assert kept(family.ada).keys() == {"a.jpg", "c.jpg", "d.jpg", "e.jpg"}
    assert not list(tmp_path.parent.rglob("c.jpg"))
    assert list(folder.temporary.iterdir()) == []


def test_a_locked_zip_is_said_to_be_locked(folder: Folder, family: Family, tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.jpg": BARE[1]})
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    assert dict(bring(folder, family.ada, path).why) == {"locked": 1}


def test_what_grows_too_large_or_finds_no_room_is_not_taken(
    folder: Folder, family: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stick = tree(tmp_path / "stick", {"a.jpg": BARE[1]})
    with (stick / "film.mp4").open("wb") as film:
        film.truncate((4 << 30) + 1)  # sparse
    assert dict(bring(folder, family.ada, stick).why) == {"large": 1}
    monkeypatch.setattr(Folder, "free", lambda _: 1 << 20)
    with pytest.raises(NoSpace):
        bring(folder, family.ben, stick)
    assert kept(family.ben) == {}


class Enough(Exception):
    """The test has seen enough."""


def test_it_stops_at_any_piece_and_goes_on_with_the_rest(folder: Folder, family: Family, tmp_path: Path) -> None:
    path = zipped(tmp_path / "some.zip", {f"{n}.jpg": BARE[n] for n in BARE})
    heard: list[int] = []
    for most in (*range(1, 40, 4), 1000):
        heard.clear()

        def watch(done: int, whole: int, most: int = most) -> None:
            heard.append(done)
            assert done <= whole == sum(map(len, BARE.values()))
            if len(heard) == most:
                raise Enough

        before = len(kept(family.ada))
        try:
            bring(folder, family.ada, path, watch)
        except Enough:
            assert most < 1000
        assert heard == sorted(heard)
        assert before <= len(kept(family.ada)) == len(list(folder.vault.rglob("*.jpg")))
        assert list(folder.temporary.iterdir()) == []
        assert most > 1 or not kept(family.ada)
    assert sorted(each.read_bytes() for each in folder.vault.rglob("*.jpg")) == sorted(BARE.values())


def test_what_another_has_is_not_told_of_and_stored_once(folder: Folder, family: Family, tmp_path: Path) -> None:
    stick = tree(tmp_path / "stick", {"a.jpg": BARE[1]})
    bring(folder, family.ada, stick)
    report = bring(folder, family.ben, stick)
    assert (report.photos, report.there) == (1, 0)
    assert vault.Original.select().count() == 1
    assert len(kept(family.ben)) == 1


def test_what_lies_in_the_trash_comes_anew(folder: Folder, family: Family, tmp_path: Path) -> None:
    source = tree(tmp_path / "old", {"a.jpg": BARE[1], "b.jpg": BARE[2]})
    bring(folder, family.ada, source)
    removed = db.row("SELECT public_id FROM item WHERE name = 'a.jpg'")[0]
    timeline.remove([removed], family.ada.id, family.ada.id, is_admin=False)
    report = bring(folder, family.ada, source)
    assert (report.photos, report.there) == (1, 1)
    assert {row[0] for row in db.rows("SELECT name FROM item WHERE deleted_at IS NULL")} == {"a.jpg", "b.jpg"}


def test_for_whom_it_is(folder: Folder, family: Family, tmp_path: Path) -> None:
    bring(folder, family.ada, tree(tmp_path / "one", {"IMG_20190101_000000.jpg": BARE[1]}))
    all_of_us = tree(tmp_path / "two", {"IMG_20190202_000000.jpg": BARE[2]})
    bring(folder, family.ada, all_of_us, audience_id=audiences.EVERYONE)
    assert [each.number for each in timeline.months(family.ben.id)] == [201902]
    assert [each.number for each in timeline.months(family.ada.id)] == [201902, 201901]


def test_a_source_that_cannot_be_is_refused_in_one_sentence(folder: Folder, tmp_path: Path) -> None:
    text = tree(tmp_path, {"letter.txt": "hello"}) / "letter.txt"
    for path in (tmp_path / "nowhere", text, folder.root, folder.vault, folder.root.parent):
        with pytest.raises(Invalid) as told:
            pile.refuse(folder, Source(path))
        assert str(path) in str(told.value)
    tree(folder.arrivals, {"holiday/a.jpg": BARE[1]})
    pile.refuse(folder, Source(folder.arrivals / "holiday"))


def test_what_was_opened_by_another_is_read_by_what_was_handed(folder: Folder, family: Family, tmp_path: Path) -> None:
    stick = tree(tmp_path / "stick", {"deep/a.jpg": BARE[1]})
    path = zipped(tmp_path / "b.zip", {"b.jpg": BARE[2]})
    for source in (stick, path):
        handed = os.open(source, os.O_RDONLY)
        gone = Source(Path("/nowhere") / source.name, handed)
        pile.refuse(folder, gone)
        assert Gathering(folder, Wish(gone, family.ada.id), lambda *_: None).run().photos == 1
        os.close(handed)
    assert kept(family.ada).keys() == {"a.jpg", "b.jpg"}
