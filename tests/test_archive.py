"""The way out, and back: what comes along for whom, what files are called, and that nothing is lost on the way."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import io
import json
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from homecircle import (
    archive,
    audiences,
    circle,
    cli,
    db,
    devices,
    feed,
    members,
    membership,
    notices,
    search,
    threads,
    vault,
)
from homecircle.archive import carrying, gathering, naming, pile, reading, returning
from homecircle.errors import Conflict, HouseError, Refused
from homecircle.files import Folder, sha256
from homecircle.vault import previews, renditions, serving, timeline
from homecircle.vault.decoder import Decoder
from tests.conftest import SAMPLES, Family, Person, seat_family
from tests.test_server import Running


class Lived(NamedTuple):
    """A house with something of everything. Words of what only some may see begin with 'xyzzy'."""

    folder: Folder
    family: Family
    shared: str
    secret: str


def _keep(folder: Folder, name: str, who: Person, called: str = "") -> vault.Item:
    with (SAMPLES / name).open("rb") as handle:
        spooled = folder.take(handle)
    return vault.keep(folder, spooled, called or name, who.id)


def _draw(folder: Folder, decoder: Decoder) -> None:
    while renditions.draw_next(folder, decoder):
        pass


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """Lived in once, for all tests that take a copy: its pictures are drawn by the real decoder."""
    folder, decoder = Folder(tmp_path_factory.mktemp("lived") / "data"), Decoder()
    folder.prepare()
    db.open_file(folder.database)
    try:
        return _live(folder, seat_family(), decoder)
    finally:
        db.close_file()
        decoder.close()


@pytest.fixture
def beginning(request: pytest.FixtureRequest, new_house: Path) -> Path:
    return request.getfixturevalue("once").folder.root if "lived" in request.fixturenames else new_house


@pytest.fixture
def lived(once: Lived, folder: Folder) -> Lived:
    return once._replace(folder=folder)


def _live(folder: Folder, family: Family, decoder: Decoder) -> Lived:
    ada, ben, cleo, _ = family
    garden, film = _keep(folder, "garden.jpg", ada), _keep(folder, "turned.mp4", ben)
    beach = feed.publish(
        ada.id,
        "A day by the sea\nwith <b>everybody</b>",
        [
            garden.public_id,
        ],
        [],
        "1",
    )
    timeline.describe(garden.public_id, ada.id, "Green, all of it", "Beans and roses along a wall")
    feed.publish(ben.id, "Look: https://example.org/way?x=1.", [film.public_id], [], "2")
    first = threads.say(beach, ben.id, threads.Words("Who is that behind the dog?"), "3")
    answer = _keep(folder, "phone.heic", cleo)
    threads.say(beach, cleo.id, threads.Words("Me!", first.public_id, (answer.public_id,)), "4")
    threads.take_back(threads.say(beach, ada.id, threads.Words("taken back"), "5"), beach, ada.id, is_admin=False)
    threads.edit(first, beach, ben.id, "Who is behind the dog?")
    feed.mark(beach, ben.id, "🎉")
    feed.mark(beach, cleo.id, "so green")
    party = _keep(folder, "cake.jpg", ben, "xyzzyparty.jpg")
    surprise = feed.publish(ben.id, "xyzzysurprise for her", [party.public_id], [cleo.public_id], "6")
    threads.say(surprise, cleo.id, threads.Words("xyzzyhush"), "7")
    feed.mark(surprise, cleo.id, "xyzzymark")
    _keep(folder, "still.webp", cleo, "xyzzyalone.webp")
    previews.keep(ben.id, "https://plum.example/xyzzycake?a=1&b=2", "xyzzynote <b>")
    feed.take_down(feed.publish(ada.id, "thrown away", [], [], "8"), ada.id, is_admin=True)
    _draw(folder, decoder)
    return Lived(folder, family, beach.public_id, surprise.public_id)


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def said(root: Path) -> dict[str, list[dict[str, object]]]:
    return json.loads((root / "posts.json").read_text())


def file_of(root: Path, name: str) -> Path:
    return root / next(each["file"] for each in said(root)["items"] if each["name"] == name)


def test_export_brings_every_original_every_word_and_a_page_a_month(lived: Lived, tmp_path: Path) -> None:
    made = archive.export(lived.folder, tmp_path / "usb")
    assert made.problems == () and made.path == tmp_path / "usb"
    held = tree(made.path)
    assert made.files == len(held)
    originals = {sha256(path) for path in lived.folder.vault.rglob("*") if path.is_file()}
    assert originals <= {sha256(made.path / name) for name in held}
    pages = "".join(text.decode() for name, text in held.items() if name.endswith(".html"))
    for words in ("A day by the sea", "&lt;b&gt;everybody", "Who is behind the dog?", "so green", "xyzzysurprise",
                  'href="https://example.org/way?x=1"', "Beans and roses along a wall", "for Ben, Cleo",
                  'href="https://plum.example/xyzzycake?a=1&amp;b=2"', "xyzzynote &lt;b&gt;"):  # fmt: skip
        assert words in pages, words
    assert "taken back" not in pages and "thrown away" not in pages and "<script" not in pages
    assert {name.partition("/")[0] for name in held} >= {"index.html", "posts.json", "style.css", "pictures"}


def test_a_members_export_holds_nothing_of_what_that_member_may_not_see(lived: Lived, tmp_path: Path) -> None:
    made = archive.export(lived.folder, tmp_path / "usb", "grandma")
    hidden = {sha256(SAMPLES / "cake.jpg"), sha256(SAMPLES / "still.webp")}
    secrets = [b"xyzzy", lived.secret.encode(), *(digest.encode() for digest in hidden)]
    for name, content in tree(made.path).items():
        assert not any(secret in name.encode() + content for secret in secrets), name
        assert sha256(made.path / name) not in hidden
    for name in ("cleo", "BEN"):
        found = tree(archive.export(lived.folder, tmp_path / name, name).path)
        assert any(b"xyzzysurprise" in content for content in found.values())


def test_an_admin_outside_the_audience_takes_nothing_of_it_along(lived: Lived, tmp_path: Path) -> None:
    held = tree(archive.export(lived.folder, tmp_path / "usb", "Ada").path)
    assert not any(b"xyzzy" in name.encode() + content for name, content in held.items())


def test_own_originals_come_as_they_are_and_those_of_others_without_place(lived: Lived, tmp_path: Path) -> None:
    whole = (SAMPLES / "phone.heic").read_bytes()
    mine = archive.export(lived.folder, tmp_path / "cleo", "Cleo").path
    assert file_of(mine, "phone.heic").read_bytes() == whole
    theirs = archive.export(lived.folder, tmp_path / "ben", "Ben").path
    assert file_of(theirs, "phone.heic").read_bytes() != whole
    assert sha256(SAMPLES / "phone.heic") not in (theirs / "posts.json").read_text()
    assert not list(lived.folder.renditions.rglob("*-clean"))  # nothing is written in the house


def test_settings_of_others_stay_their_own_business(lived: Lived, tmp_path: Path) -> None:
    people = {
        each["name"]: each for each in said(archive.export(lived.folder, tmp_path / "ben", "Ben").path)["members"]
    }
    assert "zone" in people["Ben"] and not {"zone", "shares", "language", "text_size"} & people["Ada"].keys()


def test_names_live_on_any_stick(lived: Lived, tmp_path: Path) -> None:
    made = archive.export(lived.folder, tmp_path / "usb")
    names = [each for path in tree(made.path) for each in path.split("/")]
    assert not [name for name in names if set(name) & set('<>:"\\|?*') or name.endswith((".", " ")) or len(name) > 120]
    held = list(tree(made.path))
    assert len({name.casefold() for name in held}) == len(held)
    assert any("_Ada_Green-all-of-it_01.jpg" in name for name in held)


def test_a_folder_with_anything_in_it_is_refused(lived: Lived, tmp_path: Path) -> None:
    (tmp_path / "usb").mkdir()
    (tmp_path / "usb" / "notes.txt").write_text("mine")
    with pytest.raises(Refused, match="is not empty"):
        archive.export(lived.folder, tmp_path / "usb")
    assert (tmp_path / "usb" / "notes.txt").read_text() == "mine"


def test_an_export_that_is_cut_short_holds_no_page_and_is_begun_again(lived: Lived, tmp_path: Path) -> None:
    class Pulled(Exception):
        pass

    def pull(_done: int, _whole: int) -> None:
        raise Pulled

    with pytest.raises(Pulled):
        archive.export(lived.folder, tmp_path / "usb", watch=pull)
    assert list((tmp_path / "usb").iterdir()) == []
    (tmp_path / "usb" / ".making" / "out").mkdir(parents=True)  # as after a power cut
    (tmp_path / "usb" / "lost+found").mkdir()
    archive.export(lived.folder, tmp_path / "usb")
    assert (tmp_path / "usb" / "index.html").exists() and not (tmp_path / "usb" / ".making").exists()


def test_a_missing_original_is_told_and_the_rest_comes(lived: Lived, tmp_path: Path) -> None:
    gone = next(
        path
        for path in lived.folder.vault.rglob("*")
        if path.is_file() and sha256(path) == sha256(SAMPLES / "cake.jpg")
    )
    listed = carrying.writing.write

    def write_then_lose(*given: object) -> object:
        draft = listed(*given)
        gone.unlink()
        return draft

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(carrying.writing, "write", write_then_lose)
        made = archive.export(lived.folder, tmp_path / "usb")
    assert len(made.problems) == 1 and "missing from the vault" in made.problems[0]
    assert file_of(made.path, "garden.jpg").read_bytes() == (SAMPLES / "garden.jpg").read_bytes()


def test_the_command_takes_along_what_is_asked_for(lived: Lived, tmp_path: Path) -> None:
    data = str(lived.folder.root)
    db.close_file()  # as beside a server: another process has it open
    ran = CliRunner().invoke(cli.main, ["export", "--to", str(tmp_path / "all"), "--data", data])
    assert ran.exit_code == 0, ran.output
    assert "index.html in any browser" in ran.output
    nobody = CliRunner().invoke(cli.main, ["export", "--to", str(tmp_path / "x"), "--data", data, "--member", "Zoe"])
    assert nobody.exit_code == 1 and "Ada, Ben, Cleo, Grandma" in nobody.output
    empty = CliRunner().invoke(cli.main, ["export", "--to", str(tmp_path / "x"), "--data", str(tmp_path / "none")])
    assert empty.exit_code == 1 and "There is no HomeCircle" in empty.output
    db.open_file(lived.folder.database)


@pytest.mark.parametrize(
    ("text", "name"),
    [("Swimming badge!", "Swimming-badge"), ("../../etc/passwd", "etc-passwd"), ("CON", "CON"), ("🎂🎂", ""),
     ("Größe: 3 / 4?", "Größe-3-4"), ("a" * 300, "a" * 48), ("生日快乐" * 9, "生日快乐" * 4), ("x\0y\ud800z", "x-y-z")],
)  # fmt: skip
def test_words_become_a_part_of_a_name(text: str, name: str) -> None:
    assert naming.plain(text, 48) == name


def test_people_are_told_apart_without_regard_to_case() -> None:
    found = naming.people([(1, "Mia"), (2, "MIA"), (3, "🦊"), (4, "mia-2"), (5, "Straße"), (6, "STRASSE"), (7, "🐻")])
    assert len({name.casefold() for name in found.values()}) == 7
    assert found[1] == "Mia" and found[3] == "somebody"


def test_a_film_of_others_is_blanked_where_it_tells_a_place(tmp_path: Path) -> None:
    film = tmp_path / "film"
    film.write_bytes(bytes(range(1, 251)) * 3000)
    blanks = ((0, 3), (serving.PIECE - 2, 5), (serving.PIECE + 10, 1), (749_999, 1))
    got = b"".join(serving.pieces(film, blanks))
    wanted = bytearray(film.read_bytes())
    for at, length in blanks:
        wanted[at : at + length] = bytes(length)
    assert got == bytes(wanted)


def _empty_house(tmp_path: Path) -> Folder:
    db.close_file()
    made = Folder(tmp_path / "new house")
    made.prepare()
    db.open_file(made.database)
    return made


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages say on which day they were made: the same for both."""
    monkeypatch.setattr(carrying.writing.db, "now", lambda: dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC))


@pytest.fixture
def rich(lived: Lived, decoder: Decoder) -> Lived:
    """What else can be in a house: one who left, faces, things shared from the vault, a film's still, odd words."""
    folder, (ada, ben, cleo, grandma) = lived.folder, lived.family
    for who, name in ((ada, "harbour.jpg"), (cleo, "apple.mov")):
        with (SAMPLES / "mountains.jpg").open("rb") as handle:
            picture = vault.keep_picture(folder, folder.take(handle), "face.jpg")
        item = _keep(folder, name, who, "CON?.jpg 😀" if who is ada else name)
        if who is ada:
            members.update(members.get(who.id), picture_id=picture, zone="Europe/Berlin", text_size=3)
            circle.update(picture_id=picture, language="de")
        else:
            db.rows("UPDATE original SET poster_id = ? WHERE id = ?", picture, item.original_id)
    drawn, kept = _keep(folder, "garden.jpg", ben), _keep(folder, "palette.png", grandma)
    vault.share([drawn.public_id], ben.id, audiences.of([ada.id, ben.id]))
    vault.share([kept.public_id], grandma.id, audiences.EVERYONE)
    db.rows("UPDATE item SET added_at = 1700000000, place_shared = 1 WHERE id = ?", kept.id)
    feed.publish(grandma.id, "“Quotes” \\ and\nlines   </script> 生日快乐", [kept.public_id], [], "9")
    feed.mark(feed.tell_joined(cleo.id), ben.id, "👋")
    bread = previews.keep(ada.id, "http://bread.example/", "")
    db.rows("UPDATE link SET state = 'ready', title = 'Bread', site = 'Baker', width = 4, height = 3, picture = ? "
            "WHERE id = ?", _tiny(), bread.id)  # fmt: skip
    previews.remove(previews.keep(ada.id, "http://removed.example/", "").public_id, ada.id)
    db.rows("UPDATE item SET came_with = 1 WHERE name IN ('garden.jpg', 'cake.jpg', 'xyzzyparty.jpg')")
    db.rows("UPDATE item SET arrival = iif(name = 'garden.jpg', 'equal', 'different')")
    membership.leave(grandma.id, posts_stay=True)
    _draw(folder, decoder)
    return lived


def test_export_import_export_is_equal(rich: Lived, decoder: Decoder, tmp_path: Path, still: None) -> None:
    first = archive.export(rich.folder, tmp_path / "first").path
    hidden, open_to_all = feed.page(rich.family.ben.id)[0], search.find(rich.family.ben.id, "dog", {})
    house = _empty_house(tmp_path)
    came = archive.bring_back(house, first)
    _draw(house, decoder)
    assert came == archive.Returned(4, 5, 3, 9, ())
    again = archive.export(house, tmp_path / "again")
    before, after = tree(first), tree(again.path)
    assert sorted(before) == sorted(after) and [name for name in before if before[name] != after[name]] == []
    assert again.problems == ()
    assert db.rows("SELECT DISTINCT arrival FROM item WHERE name = 'garden.jpg'") == [("equal",)]
    ben = next(number for number, face in members.roster().items() if face.name == "Ben")
    assert [each.id for each in feed.page(ben)[0]] == [each.id for each in hidden]
    assert [each.id for each in search.find(ben, "dog", {})[0]] == [each.id for each in open_to_all[0]]
    assert not notices.standing(ben, ben).has_new  # it was read before
    assert not any(talk.is_new for talk in threads.talks(ben, ben))
    one = previews.kept(ben)[0]
    assert (one.url, one.note, one.preview) == ("https://plum.example/xyzzycake?a=1&b=2", "xyzzynote <b>", None)
    assert [each.id for each in search.find(ben, "xyzzynote", {})[0]] == [one.id]
    assert previews.kept(1)[0].preview and previews.picture(previews.kept(1)[0].id, 1)[8:12] == b"WEBP"
    assert db.rows("SELECT url FROM link ORDER BY id") == [(one.url,), ("http://bread.example/",)]
    assert devices.offer_recovery().code and circle.get().is_claimed


def test_a_members_export_holds_only_the_links_they_keep_themselves(rich: Lived, tmp_path: Path) -> None:
    ada, ben = (archive.export(rich.folder, tmp_path / name, name).path for name in ("ada", "ben"))
    assert [each["url"] for each in said(ada)["links"]] == ["http://bread.example/"]
    assert [each["note"] for each in said(ben)["links"]] == ["xyzzynote <b>"]
    cleo = archive.export(rich.folder, tmp_path / "cleo", "Cleo").path
    assert said(cleo)["links"] == [] and not (cleo / "links.html").exists()
    assert not any(b"bread.example" in content for content in tree(cleo).values())
    assert not any(b"plum.example" in content for content in tree(ada).values())
    by = {each["name"]: each["id"] for each in said(cleo)["members"]}
    others = {each["arrival"] for each in said(cleo)["items"] if each["by"] != by["Cleo"]}
    assert others == {""}  # how others' photos came is theirs to know


def test_photos_that_came_with_a_post_still_go_with_it_in_the_new_house(rich: Lived, tmp_path: Path) -> None:
    first = archive.export(rich.folder, tmp_path / "first").path
    archive.bring_back(_empty_house(tmp_path), first)
    ben = next(number for number, face in members.roster().items() if face.name == "Ben")
    named = "SELECT name FROM item WHERE deleted_at IS NOT NULL"
    feed.take_down(feed.get(rich.secret, ben), ben, is_admin=False)
    assert db.rows(named) == [("xyzzyparty.jpg",)]


def test_an_older_export_without_links_comes_back(lived: Lived, tmp_path: Path) -> None:
    first = archive.export(lived.folder, tmp_path / "first").path
    text = (first / "posts.json").read_text().replace('"homecircle": 2', '"homecircle": 1')
    text = (
        text.replace(', "came_with_post": false', "")
        .replace(', "came_with_post": true', "")
        .replace(', "arrival": ""', "")
    )
    (first / "posts.json").write_text(text[: text.index('],\n"links"')] + "]}\n")
    archive.bring_back(_empty_house(tmp_path), first)
    assert db.row("SELECT count(*), sum(came_with) FROM item") == (5, 0) and not db.rows("SELECT 1 FROM link")


def test_a_members_export_comes_back_as_far_as_it_goes(rich: Lived, tmp_path: Path) -> None:
    first = archive.export(rich.folder, tmp_path / "first", "Ben").path
    house = _empty_house(tmp_path)
    came = archive.bring_back(house, first)
    assert came.people == 4 and came.problems == ()
    assert "xyzzysurprise for her" in [each.text for each in feed.page(2)[0]]
    assert db.row("PRAGMA foreign_key_check") is None


def test_a_house_that_is_lived_in_gets_only_the_photos_and_each_once(lived: Lived, tmp_path: Path) -> None:
    first = archive.export(lived.folder, tmp_path / "first").path
    house = _empty_house(tmp_path)
    zoe = members.join("Zoe", role="admin")
    with pytest.raises(Conflict):
        archive.bring_back(house, first)

    def come() -> int:
        wish = gathering.Wish(pile.Source(first), zoe.id)
        told = gathering.Gathering(house, wish, lambda _done, _whole: None).run()
        return told.photos + told.videos

    assert come() == 5 and feed.page(zoe.id)[0] == []
    assert db.rows("SELECT count(*), count(DISTINCT member_id), count(audience_id) FROM item") == [(5, 1, 0)]
    assert db.row("SELECT caption FROM item WHERE name = 'garden.jpg'") == ("Green, all of it",)
    assert come() == 0 and [face.name for face in members.roster().values()] == ["Zoe"]


def test_somebody_who_comes_to_live_there_meanwhile_is_not_joined_by_strangers(lived: Lived, tmp_path: Path) -> None:
    first = archive.export(lived.folder, tmp_path / "first").path
    house = _empty_house(tmp_path)

    def move_in(_done: int, _whole: int) -> None:
        if not members.roster():
            members.join("Zoe", role="admin")

    with pytest.raises(Conflict):
        archive.bring_back(house, first, move_in)
    assert [face.name for face in members.roster().values()] == ["Zoe"] and not db.row("SELECT 1 FROM item")


def test_an_original_that_was_damaged_or_lost_on_the_way_is_told(lived: Lived, tmp_path: Path) -> None:
    first = archive.export(lived.folder, tmp_path / "first").path
    content = bytearray(file_of(first, "garden.jpg").read_bytes())
    content[len(content) // 2] ^= 1
    file_of(first, "garden.jpg").write_bytes(content)
    file_of(first, "turned.mp4").unlink()
    came = archive.bring_back(_empty_house(tmp_path), first)
    assert len(came.problems) == 2 and came.posts == 3
    assert any("damaged" in each for each in came.problems) and any("no file" in each for each in came.problems)
    assert db.row("SELECT count(*) FROM item") == (4,)


def _tiny() -> bytes:
    """A picture as a link has one."""
    made = io.BytesIO()
    Image.new("RGB", (4, 3), "maroon").save(made, "WEBP")
    return made.getvalue()


@pytest.mark.parametrize(
    ("forged", "size"), [(_tiny(), (4, 3)), (_tiny(), (3, 4)), (b"RIFF\x20\0\0\0WEBPVP8 <script>alert(1)", (4, 3))]
)
def test_a_links_picture_must_be_one_through_and_through(
    rich: Lived, tmp_path: Path, forged: bytes, size: tuple[int, int]
) -> None:
    first = archive.export(rich.folder, tmp_path / "first").path
    bread = next(each["preview"] for each in said(first)["links"] if each["preview"])
    _spoil(first, f'"{bread["picture"]}"', f'"{base64.b64encode(forged).decode()}"')
    _spoil(first, '"width": 4', f'"width": {size[0]}')
    _spoil(first, '"height": 3', f'"height": {size[1]}')
    archive.bring_back(_empty_house(tmp_path), first)
    kept = next(each.preview for each in previews.kept(1) if each.preview)
    is_sound = forged == _tiny() and size == (4, 3)
    assert (kept.title, bool(kept.picture), kept.width) == ("Bread", is_sound, 4 if is_sound else 0)


def test_a_house_that_is_lived_in_gets_the_links_that_are_not_kept_there(rich: Lived, tmp_path: Path) -> None:
    first = archive.export(rich.folder, tmp_path / "first").path
    house = _empty_house(tmp_path)
    zoe = members.join("Zoe", role="admin")
    previews.keep(zoe.id, "https://plum.example/xyzzycake?a=1&b=2", "her own words")

    def gather(*, is_look: bool) -> int:
        source = pile.Source(first)
        wish = gathering.wished(source, "", everyone=True, is_look=is_look, keeps_files=False)
        return gathering.Gathering(house, wish, lambda _done, _whole: None).run().links

    assert gather(is_look=True) == 1 and len(previews.kept(zoe.id)) == 1
    assert gather(is_look=False) == 1
    assert [each.note for each in previews.kept(zoe.id)] == ["", "her own words"]
    bread = previews.kept(zoe.id)[0]
    assert bread.preview and previews.picture(bread.id, zoe.id) == _tiny()
    assert db.row("SELECT count(*) FROM link WHERE member_id <> ?", zoe.id) == (0,)
    assert gather(is_look=False) == 0 and len(previews.kept(zoe.id)) == 2


def _spoil(path: Path, old: str, new: str) -> None:
    text = (path / "posts.json").read_text()
    assert old in text
    (path / "posts.json").write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"homecircle": 2', '"homecircle": 99'),
        ('"homecircle": 2', '"homecircle": "x"'),
        ('"role": "admin"', '"role": "root"'),
        ('"role": "admin"', '"role": "member"'),
        ('"shared_at": "2', '"shared_at": "x'),
        ('"shared_at": "2', '"shared_at": "9'),
        ('"items": ["', '"items": ["../'),
        ('"items": ["', '"items": [7, "'),
        ('"text": "A day', '"text": {"a": 1}, "x": "A day'),
        ('"text": "A day', '"text": "\\ud800'),
        ('"text": "A day', '"text": "' + "a" * 4001),
        ('"colour": 1', '"colour": 13'),
        ('"colour": 1', '"colour": true'),
        ('"marks": [{', '"marks": [["a"], {'),
        ('"marks": [{', '"marks": [' + "[" * 3000),
        ('"messages": [', '"massages": ['),
        ('"url": "https:', '"url": "javascript:'),
        ('"url": "https:', '"url": " https:'),
        ('"note": "', '"note": "' + "n" * 301 + ""),
        ('"preview": null', '"preview": []'),
        ('"preview": null', '"preview": {"width": 4, "height": 3, "picture": "PHN2Zz4="}'),
        ('"preview": null', '"preview": {"width": 4, "height": 3, "picture": "?"}'),
        ('"preview": null', '"preview": {"title": "' + "t" * 161 + '"}'),
        ("\n]}", ""),
        ('"id": "', '"id": "\'; DROP TABLE member; --'),
    ],
)
def test_a_garbled_export_ends_in_one_sentence_and_changes_nothing(
    lived: Lived, tmp_path: Path, old: str, new: str
) -> None:
    first = archive.export(lived.folder, tmp_path / "first").path
    _spoil(first, old, new)
    house = _empty_house(tmp_path)
    with pytest.raises(Refused) as refused:
        archive.bring_back(house, first)
    assert "\n" not in str(refused.value)
    assert not members.roster() and not db.rows("SELECT 1 FROM item")
    assert not any(path.is_file() for path in house.vault.rglob("*"))


@pytest.mark.parametrize("times", [1, 2])
def test_an_export_that_contradicts_itself_leaves_the_house_empty(lived: Lived, tmp_path: Path, times: int) -> None:
    first = archive.export(lived.folder, tmp_path / "first").path
    lines = (first / "posts.json").read_text().splitlines()
    place = lines.index('"posts": [') + 1
    if times == 2:  # the same post twice
        lines.insert(place, lines[place] if lines[place].endswith(",") else lines[place] + ",")
    else:  # of somebody who is not there
        post = json.loads(lines[place].removesuffix(","))
        lines[place] = json.dumps(post | {"by": "nobodynobody"}) + ","
    (first / "posts.json").write_text("\n".join(lines) + "\n")
    house = _empty_house(tmp_path)
    with pytest.raises(Refused, match="Nothing was brought in"):
        archive.bring_back(house, first)
    assert not members.roster() and not db.rows("SELECT 1 FROM item")
    assert house.temporary.exists() and not list(house.temporary.iterdir())


def test_a_path_leads_nowhere_but_into_the_export(lived: Lived, tmp_path: Path) -> None:
    first = archive.export(lived.folder, tmp_path / "first").path
    (tmp_path / "outside.jpg").write_bytes((SAMPLES / "cake.jpg").read_bytes())
    (first / "link.jpg").symlink_to(tmp_path / "outside.jpg")
    names = ("../outside.jpg", str(tmp_path / "outside.jpg"), "link.jpg", "2026", "x\\u0000y", "")
    for turn, name in enumerate(names):
        _spoil(first, '"file": "2', f'"file": "{name}", "was": "2')
        house = _empty_house(tmp_path / str(turn))
        came = archive.bring_back(house, first)
        assert any("has no file" in each for each in came.problems), name
        stored = {sha256(path) for path in house.vault.rglob("*") if path.is_file()}
        assert sha256(tmp_path / "outside.jpg") not in stored - {sha256(SAMPLES / "cake.jpg")}
        _spoil(first, f'"file": "{name}", "was": "2', '"file": "2')


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_is_refused_or_read_but_never_a_bug(lived: Lived, tmp_path: Path, data: st.DataObject) -> None:
    place = tmp_path / "first"
    if not place.exists():
        archive.export(lived.folder, place)
        (tmp_path / "posts.json").write_bytes((place / "posts.json").read_bytes())
    content = bytearray((tmp_path / "posts.json").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    (place / "posts.json").write_bytes(content)
    with contextlib.suppress(HouseError):
        with reading.Source(place) as source:
            returning.looked_at(source)
        archive.bring_back(_empty_house(tmp_path / db.random_id()), place)


def test_the_command_brings_an_empty_house_back_and_photos_into_one_that_is_lived_in(
    lived: Lived, tmp_path: Path
) -> None:
    first = archive.export(lived.folder, tmp_path / "first").path
    house = _empty_house(tmp_path)
    db.close_file()
    asked = ["import", str(first), "--data", str(house.root)]
    ran = CliRunner().invoke(cli.main, asked)
    assert ran.exit_code == 0, ran.output
    assert "4 people, 3 posts, 3 answers and 5 photos and files are back" in ran.output
    db.open_file(house.database)
    assert [face.name for face in members.present().values()] == ["Ada", "Ben", "Cleo", "Grandma"]
    db.rows("DELETE FROM post_item"), db.rows("DELETE FROM message_item"), db.rows("DELETE FROM item")
    db.close_file()
    ran = CliRunner().invoke(cli.main, [*asked, "--member", "Ben"])
    assert ran.exit_code == 0, ran.output
    db.open_file(house.database)
    assert db.rows("SELECT count(*), min(member_id), max(member_id) FROM item") == [(5, 2, 2)]  # no faces, no pages
    assert db.row("SELECT caption, description FROM item WHERE caption <> ''") == (
        "Green, all of it", "Beans and roses along a wall")  # fmt: skip


def test_both_commands_work_beside_a_running_server(lived: Lived, tmp_path: Path) -> None:
    db.close_file()
    with contextlib.ExitStack() as end:
        old = Running(lived.folder.root)
        end.callback(old.stop)
        old.wait_for_code()
        ran = old.command("export", "--to", str(tmp_path / "first"))
        assert ran.returncode == 0, ran.stderr
    with contextlib.ExitStack() as end:
        new = Running(tmp_path / "new house")
        end.callback(new.stop)
        new.wait_for_code()
        ran = new.command("import", str(tmp_path / "first"))
        assert ran.returncode == 0, ran.stderr
        assert "4 people, 3 posts" in ran.stdout
        assert "Claimed:  yes" in new.command("status").stdout
        assert new.command("recover").returncode == 0
    db.open_file(lived.folder.database)
