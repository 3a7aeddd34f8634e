"""What a full disk means to the one hand that writes: refusals in words, nothing half done, a ballast that is lent."""

from __future__ import annotations

import errno
import io
import json
import sqlite3
from collections import deque
from pathlib import Path

import pytest

from homecircle import db, feed, files
from homecircle.errors import NoSpace, Unwritable
from homecircle.files import BALLAST, LOAN, SPARES, Folder
from homecircle.vault import uploads
from homecircle.web import reserve
from tests.conftest import Family, Home


def fill(pages: int = 0) -> None:
    """Let SQLite believe that the disk ends here: it answers SQLITE_FULL as on a real one."""
    db.rows(f"PRAGMA max_page_count = {db.row('PRAGMA page_count')[0] + pages}")


def test_a_transaction_on_a_full_disk_is_refused_and_leaves_nothing(folder: Folder, family: Family) -> None:
    fill()
    said = list[str]()

    def publish_without_end() -> None:
        while True:
            said.append(feed.publish(family.ada.id, "x" * 4000, [], [], str(len(said))).public_id)

    with pytest.raises(NoSpace, match="Reading works"):
        publish_without_end()
    assert [each for (each,) in db.rows("SELECT public_id FROM post ORDER BY id")] == said
    assert not db.database.in_transaction()
    db.rows("PRAGMA max_page_count = 1000000")
    assert feed.publish(family.ada.id, "room again", [], [], "again").text == "room again"


def test_a_commit_that_finds_the_disk_full_is_a_refusal_too(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoSpace), db._disk_or_refusal():  # noqa: PT012  peewee's error comes of another
        full = sqlite3.OperationalError("database or disk is full")
        full.sqlite_errorcode = sqlite3.SQLITE_FULL
        try:
            raise full
        except sqlite3.OperationalError:
            raise sqlite3.OperationalError("cannot rollback - no transaction is active")  # noqa: B904  as peewee does
    with pytest.raises(sqlite3.OperationalError, match="no such table"), db._disk_or_refusal():
        db.rows("SELECT * FROM nowhere")


def test_files_refuse_in_words(folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "settle", full)
    source = tmp_path / "source"
    source.write_bytes(b"abc")
    for write in (
        lambda: folder.write(folder.root / "file", b"abc"),
        lambda: folder.take(io.BytesIO(b"abc")),
        lambda: files.append(source, 3, iter([b"def"])),
        lambda: files.copy(source, folder.root / "copy", lambda length: None),
    ):
        with pytest.raises(NoSpace, match="no space left"):
            write()
    assert not (folder.root / "file").exists()


@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS])
def test_a_disk_that_fails_or_is_closed_is_told_and_nothing_is_half_done(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def failing(_descriptor: int) -> None:
        raise OSError(number, "not now")

    monkeypatch.setattr(files, "_failures", failures := deque[str](maxlen=1))
    monkeypatch.setattr(files.os, "fsync", failing)
    with pytest.raises(Unwritable, match="takes nothing new") as told:
        folder.write(folder.root / "file", b"abc")
    assert not isinstance(told.value, NoSpace) and not (folder.root / "file").exists()
    assert bool(failures) == (number == errno.EIO)  # a disk that fails should be looked at; a closed one may be opened


def test_after_an_fsync_that_failed_nothing_is_written_before_the_file_is_opened_anew(
    folder: Folder, family: Family
) -> None:
    failing = sqlite3.OperationalError("disk I/O error")
    failing.sqlite_errorcode = sqlite3.SQLITE_IOERR_WRITE
    with pytest.raises(Unwritable, match="takes nothing new"), db.transaction():
        raise failing
    assert db.has_failed()
    feed.publish(family.ada.id, "it takes this again", [], [], "again")
    assert not db.has_failed()
    failing.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
    with pytest.raises(Unwritable), db.transaction():
        raise failing
    with pytest.raises(Unwritable, match="start HomeCircle again"):
        feed.publish(family.ada.id, "never again", [], [], "never")
    db.close_file()
    db.open_file(folder.database)
    assert [text for (text,) in db.rows("SELECT text FROM post")] == ["it takes this again"]
    assert feed.publish(family.ada.id, "after a new start", [], [], "new").text == "after a new start"


def test_a_disk_for_hardly_any_new_file_is_a_full_one_and_the_start_gets_what_it_needs(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.keep_ballast()
    assert all(spare.exists() for spare in folder.spares)
    monkeypatch.setattr(Folder, "_new_files", lambda self: SPARES - 1)
    assert folder.free() == 0
    with pytest.raises(NoSpace):
        folder.room_for_words()
    folder.prepare()
    assert not any(spare.exists() for spare in folder.spares)
    monkeypatch.undo()
    folder.keep_ballast()
    assert all(spare.exists() for spare in folder.spares)


def test_the_ballast_is_lent_a_piece_at_a_time_and_taken_again(
    folder: Folder, family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert folder.keep_ballast() and folder.ballast.stat().st_blocks * 512 >= BALLAST
    folder.lend()
    assert folder.ballast.stat().st_size == BALLAST  # there is room
    monkeypatch.setattr(Folder, "free", lambda self: 0)
    with db.before_writing(folder.lend):
        feed.publish(family.ada.id, "a small thing", [], [], "once")
    assert folder.ballast.stat().st_size == BALLAST - LOAN
    for _ in range(20):
        folder.lend()
    assert folder.ballast.stat().st_size == 0
    assert not folder.keep_ballast()
    monkeypatch.undo()
    assert folder.keep_ballast() and folder.ballast.stat().st_size == BALLAST


def test_a_checkpoint_that_fails_does_not_undo_what_was_said(
    folder: Folder, family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "CHECKPOINT_AT", -1)
    real = db.rows

    def full(sql: str, *values: object) -> object:
        if "wal_checkpoint" in sql:
            raise sqlite3.OperationalError("database or disk is full")
        return real(sql, *values)

    monkeypatch.setattr(db, "rows", full)
    assert feed.publish(family.ada.id, "kept", [], [], "once").text == "kept"
    monkeypatch.undo()
    assert db.row("SELECT text FROM post") == ("kept",)


def test_on_a_full_disk_pages_are_read_things_deleted_and_words_refused(
    home: Home, family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserve.install(home.app)
    post = feed.publish(family.ada.id, "before", [], [], "once")
    ada = home.browser(family.ada)
    monkeypatch.setattr(Folder, "free", lambda self: files.POSTS_KEEP_FREE - 1)
    assert ada.get("/").status_code == 200
    refused = ada.post("/feed", {"text": "too much", "once": "full"})
    assert refused.status_code == 507 and b"writing waits" in refused.data
    tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "10"}
    assert ada.post("/uploads", headers=tus).status_code == 507
    assert ada.post(f"/feed/{post.public_id}/delete").status_code == 303
    assert home.browser().post("/feed", {"text": "who am I"}).status_code == 401  # strangers learn nothing of it
    monkeypatch.undo()
    assert ada.post("/feed", {"text": "room again", "once": "full"}).status_code == 303


def test_who_finds_no_room_is_told_who_was_told_and_admins_are(
    home: Home, family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserve.install(home.app)
    ada, ben = home.browser(family.ada), home.browser(family.ben)
    has_no_room = "Home has hardly any room left"
    assert has_no_room not in ada.get("/").text
    folder = home.house.folder
    tus = {"Tus-Resumable": "1.0.0", "Accept": "application/json", "Upload-Length": str(folder.free())}
    monkeypatch.setattr(uploads, "SIZE_LIMIT", folder.total())
    refused = ben.post("/uploads", headers=tus)
    assert refused.status_code == 507
    assert json.loads(refused.text)["title"] == "Home has no space left for this. Ada was told."
    assert has_no_room in ada.get("/vault").text and "Somebody may be waiting for room" in ada.get("/house").text
    assert has_no_room not in ben.get("/vault").text
    assert "told" not in json.loads(ada.post("/uploads", headers=tus).text)["title"]
