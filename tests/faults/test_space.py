"""What a full disk means to the one hand that writes: refusals in words, nothing half done, a ballast that is lent."""

from __future__ import annotations

import errno
import io
import sqlite3
from pathlib import Path

import pytest

from homecircle import db, feed, files
from homecircle.errors import NoSpace
from homecircle.files import BALLAST, LOAN, Folder
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
    with pytest.raises(NoSpace), db._room_or_refusal():  # noqa: PT012
        try:
            raise sqlite3.OperationalError("database or disk is full")
        except sqlite3.OperationalError:
            raise sqlite3.OperationalError("cannot rollback - no transaction is active")  # noqa: B904  as peewee does
    with pytest.raises(sqlite3.OperationalError, match="no such table"), db._room_or_refusal():
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
