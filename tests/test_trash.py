"""The trash: after 30 days, or at once, no file holds the words; and nobody else's things go along."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from homecircle import db, feed, members, search, threads, trash, vault
from homecircle.errors import NotFound
from homecircle.files import Folder
from homecircle.threads import Words
from homecircle.vault import renditions, timeline, uploads
from homecircle.vault.decoder import Decoder
from tests.conftest import SAMPLES, Family

MONTH = vault.TRASH_LASTS + dt.timedelta(hours=1)
POST, REPLY, BACK, EDITED, ANSWERED, CAPTION, NAME, LINK, MEMBER = (
    "quillerwomp", "brandelzot", "fimpelstrand", "gorvaxil", "uxtelbane", "yolkenfratz", "plumbixory", "dovregubben",
    "zwirbelina",
)  # fmt: skip
WORDS = (POST, REPLY, BACK, EDITED, ANSWERED, CAPTION, NAME, LINK, MEMBER)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> object:
    """Moves the clock on."""
    real, shift = db.now, [dt.timedelta()]

    def move(by: dt.timedelta) -> None:
        shift[0] += by

    monkeypatch.setattr(db, "now", lambda: real() + shift[0])
    return move


def keep(folder: Folder, person: object, sample: str, name: str = "") -> str:
    with (SAMPLES / sample).open("rb") as handle:
        spooled = folder.take(handle)
    return vault.keep(folder, spooled, name or sample, person.id).public_id


def draw(folder: Folder, decoder: Decoder) -> None:
    while renditions.draw_next(folder, decoder):
        pass


def traces(root: Path, words: tuple[str, ...] = WORDS) -> dict[str, list[str]]:
    """Which words stand in which files, whatever their case; those of 7 letters on also without their beginning, since
    the search index shares beginnings between words."""
    found: dict[str, list[str]] = {}
    for path in sorted(each for each in root.rglob("*") if each.is_file()):
        content = path.read_bytes().lower()
        for word in words:
            if word.encode() in content or word[3:].encode() in content:
                found.setdefault(word, []).append(str(path.relative_to(root)))
    return found


def tell(folder: Folder, family: Family, decoder: Decoder) -> tuple[feed.Post, str]:
    """Ada shares much of which nothing is to be left; others have things round it."""
    for number in range(60):  # so that the words do not stand alone in their pages and pieces of the index
        other = feed.publish(
            family.ben.id, f"An ordinary day number {number} {'and so on ' * number}", [], [], f"o{number}"
        )
        threads.say(other, family.cleo.id, Words(f"How nice {number}"), f"r{number}")
    item = keep(folder, family.ada, "garden.jpg", f"{NAME}.jpg")
    timeline.describe(item, family.ada.id, CAPTION.capitalize(), "")
    post = feed.publish(family.ada.id, f"{EDITED} {EDITED.upper()} before", [item], [], "p")
    feed.edit(post, family.ada.id, f"{POST.capitalize()} https://{LINK}.example/{LINK}")
    post = feed.get(post.public_id, family.ada.id)
    first = threads.say(post, family.ben.id, Words(ANSWERED), "m1")
    threads.edit(first, post, family.ben.id, f"{REPLY} yes")
    threads.say(post, family.cleo.id, Words("yes", quote=first.public_id), "m2")
    feed.mark(post, family.ben.id, "nice one")
    talk = feed.publish(family.ben.id, "What shall we eat?", [], [], "q")
    back = threads.say(talk, family.ada.id, Words(BACK), "m3")
    threads.take_back(back, talk, family.ada.id, is_admin=False)
    ben = members.get(family.ben.id)
    members.update(ben, name=MEMBER.capitalize())
    members.update(ben, name="Ben")
    draw(folder, decoder)
    return post, item


def is_whole() -> bool:
    return [row[0] for row in db.rows("PRAGMA integrity_check")] == ["ok"] and not db.rows("PRAGMA foreign_key_check")


def test_nothing_is_left_of_what_was_deleted_a_month_ago(
    folder: Folder, family: Family, decoder: Decoder, later: object
) -> None:
    post, item = tell(folder, family, decoder)
    assert set(traces(folder.root)) == set(WORDS)  # the search for traces finds what is there, also in the log
    feed.take_down(post, family.ada.id, is_admin=False)
    timeline.remove([item], family.ada.id, family.ada.id, is_admin=False)
    files = [*folder.vault.rglob("*.*"), *folder.renditions.rglob("*.*")]
    assert len(files) >= 3
    trash.purge(folder)
    assert POST in traces(folder.root)  # not before its time
    later(MONTH)
    before = feed.page(family.cleo.id)
    assert trash.purge(folder) >= 4
    assert traces(folder.root) == {}
    assert not any(path.exists() for path in files)
    assert db.rows("SELECT 1 FROM event WHERE subject IN (?, ?)", post.public_id, item) == []
    assert feed.page(family.cleo.id) == before and is_whole()
    found = search.find(family.cleo.id, "ordinary day 42", {})[0]
    assert [each.text[:25] for each in found] == ["An ordinary day number 42"]
    assert trash.purge(folder) == 0


def test_bytes_that_others_use_stay(folder: Folder, family: Family, decoder: Decoder, later: object) -> None:
    mine, theirs = keep(folder, family.ada, "garden.jpg"), keep(folder, family.ben, "garden.jpg")
    face = keep(folder, family.ada, "cake.jpg")
    number = db.row("SELECT original_id FROM item WHERE public_id = ?", face)[0]
    members.update(members.get(family.cleo.id), picture_id=number)
    feed.publish(family.ben.id, "look", [theirs], [], "p")
    draw(folder, decoder)
    timeline.remove([mine, face], family.ada.id, family.ada.id, is_admin=False)
    files = {path for top in (folder.vault, folder.renditions) for path in top.rglob("*.*")}
    later(MONTH)
    assert trash.purge(folder) == 2
    assert {path for top in (folder.vault, folder.renditions) for path in top.rglob("*.*")} == files
    assert vault.get(theirs, family.cleo.id).state == "ready" and is_whole()
    assert vault.picture(folder, number, db.row("SELECT stamp FROM original WHERE id = ?", number)[0]).path.exists()
    members.update(members.get(family.cleo.id), picture_id=None)  # and when nobody uses them any more, they go
    later(dt.timedelta(days=2))
    trash.purge(folder)
    assert not db.row("SELECT 1 FROM original WHERE id = ?", number) and len(list(folder.vault.rglob("*.*"))) == 1


def test_a_photo_that_lay_in_the_vault_by_itself_stays_there_when_its_post_goes(
    folder: Folder, family: Family, later: object
) -> None:
    item = keep(folder, family.ben, "garden.jpg")
    post = feed.publish(family.ben.id, "look", [item], [], "p")
    feed.take_down(post, family.ada.id, is_admin=True)
    later(MONTH)
    assert trash.purge(folder) == 1
    assert vault.get(item, family.ben.id).name == "garden.jpg"
    with pytest.raises(NotFound):
        vault.get(item, family.cleo.id)


def test_what_nobody_can_reach_goes_a_month_after_its_member_has_left(
    folder: Folder, family: Family, later: object
) -> None:
    shared, own = keep(folder, family.ben, "garden.jpg"), keep(folder, family.ben, "cake.jpg")
    feed.publish(family.ben.id, "look", [shared], [], "p")
    members.Member.update(left_at=db.now()).where(members.Member.id == family.ben.id).execute()
    later(MONTH)
    assert trash.purge(folder) == 1
    assert vault.get(shared, family.cleo.id) and not db.row("SELECT 1 FROM item WHERE public_id = ?", own)


def test_a_purge_that_was_killed_goes_on(
    folder: Folder, family: Family, decoder: Decoder, later: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [keep(folder, family.ada, name) for name in ("garden.jpg", "cake.jpg", "still.webp")]
    draw(folder, decoder)
    timeline.remove(items, family.ada.id, family.ada.id, is_admin=False)
    later(MONTH)
    erase, calls = Folder.erase, []

    def pull_the_plug(self: Folder, path: Path) -> None:
        calls.append(path)
        if len(calls) == 2:
            raise KeyboardInterrupt
        erase(self, path)

    monkeypatch.setattr(Folder, "erase", pull_the_plug)
    with pytest.raises(KeyboardInterrupt):
        trash.purge(folder)
    assert db.row("SELECT count(*) FROM original")[0] == 0 and list(folder.vault.rglob("*.*"))
    trash.purge(folder)
    assert not list(folder.vault.rglob("*.*")) and not list(folder.renditions.rglob("*.*"))
    assert db.rows("SELECT * FROM leftover") == []


def test_the_same_bytes_that_come_again_meanwhile_stay(
    folder: Folder, family: Family, decoder: Decoder, later: object
) -> None:
    item = keep(folder, family.ada, "garden.jpg")
    draw(folder, decoder)
    timeline.remove([item], family.ada.id, family.ada.id, is_admin=False)
    later(MONTH)
    trash.erase_here()
    with (SAMPLES / "garden.jpg").open("rb") as handle:
        spooled = folder.take(handle)
    arrived = vault.examine(spooled, "garden.jpg")
    vault.settle_in(folder, spooled, arrived)  # the same bytes are known: nothing is moved
    assert trash.purge(folder) == 1
    again = vault.add(folder, arrived, family.ben.id)
    trash.purge(folder)
    path = db.row("SELECT path FROM original WHERE id = ?", again.original_id)[0]
    assert (folder.root / path).exists() and vault.get(again.public_id, family.ben.id).state == "ready"
    timeline.remove([again.public_id], family.ben.id, family.ben.id, is_admin=False)
    later(MONTH)
    _rows_only(folder)
    back = keep(folder, family.ada, "garden.jpg")  # its file was to follow its row; now it has a row again
    trash.settle(folder)
    draw(folder, decoder)
    drawn = vault.rendition(folder, back, 320, vault.get(back, family.ada.id).small.rpartition("-")[2], family.ada.id)
    assert drawn.path.exists() and (folder.root / path).exists()


def _rows_only(folder: Folder) -> None:
    """A purge that is killed before the first file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trash, "settle", lambda folder: None)
        trash.purge(folder)
    assert db.row("SELECT count(*) FROM leftover")[0] == 1


def test_the_number_of_an_original_is_never_given_twice(folder: Folder, family: Family, later: object) -> None:
    """How safe one is goes by its number: a new one must not be taken for one that was proven."""
    item = keep(folder, family.ada, "garden.jpg")
    number = db.row("SELECT original_id FROM item WHERE public_id = ?", item)[0]
    timeline.remove([item], family.ada.id, family.ada.id, is_admin=False)
    later(MONTH)
    trash.purge(folder)
    after = keep(folder, family.ada, "cake.jpg")
    assert db.row("SELECT original_id FROM item WHERE public_id = ?", after)[0] > number


def test_a_long_thread_goes_in_short_transactions(
    folder: Folder, family: Family, later: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trash, "BATCH", 5)
    post = feed.publish(family.ada.id, "a long talk", [], [], "p")
    for number in range(23):
        threads.say(post, family.ben.id, Words(f"and {number}"), f"m{number}")
    feed.take_down(post, family.ada.id, is_admin=False)
    later(MONTH)
    gone = []
    erase = trash.erase
    monkeypatch.setattr(trash, "erase", lambda line, kind, ids: gone.append(len(ids)) or erase(line, kind, ids))
    trash.purge(folder)
    assert gone == [5, 5, 5, 5, 3, 1] and is_whole()
    assert db.row("SELECT count(*) FROM message")[0] == 0 == db.row("SELECT count(*) FROM find")[0]


def _arrived(folder: Folder, name: str) -> tuple[vault.Arrived, Path]:
    """A file in its place in the vault, as an import leaves it that is cut before the row."""
    with (SAMPLES / name).open("rb") as stream:
        spooled = folder.take(stream)
    arrived = vault.examine(spooled, name)
    vault.settle_in(folder, spooled, arrived)
    return arrived, folder.root / arrived.path


def test_a_file_that_was_cut_from_its_row_goes_and_no_other(folder: Folder, family: Family) -> None:
    kept, whole = _arrived(folder, "cake.jpg")
    vault.add(folder, kept, family.ada.id)
    lost = _arrived(folder, "garden.jpg")[1]
    unknown = lost.with_name("20260703-142005-1a2b3c4d5e6f.jpg")  # an older database may stand beside a newer vault
    unknown.write_bytes(b"somebody's only photo")
    vault.coming.clear()  # the house went down here
    trash.purge(folder)
    assert (lost.exists(), whole.exists(), unknown.exists()) == (False, True, True)
    assert not trash.has_leftovers()


def test_a_file_that_is_on_its_way_to_its_row_stays(folder: Folder, family: Family) -> None:
    coming, place = _arrived(folder, "garden.jpg")
    trash.purge(folder)
    assert place.exists()
    vault.add(folder, coming, family.ada.id)
    trash.purge(folder)
    assert place.exists() and not vault.coming
    data = (SAMPLES / "cake.jpg").read_bytes()
    upload = uploads.begin(folder, (family.ada.id, 1), len(data), {"filename": "cake.jpg"})
    uploads.take(folder, upload, uploads.Piece(0, iter([data])))
    (path, digest), *_ = db.rows("SELECT path, sha256 FROM original WHERE id = 2")
    db.rows("UPDATE upload SET item_id = NULL")
    db.rows("DELETE FROM item WHERE original_id = 2")
    db.rows("DELETE FROM original WHERE id = 2")
    db.rows("INSERT INTO leftover (path, sha256) VALUES (?, ?)", path, digest)  # the house went down before the row
    trash.purge(folder)
    assert (folder.root / path).exists()
    assert uploads.finish(folder, upload) is not None
    trash.purge(folder)
    assert (folder.root / path).exists() and not trash.has_leftovers()
