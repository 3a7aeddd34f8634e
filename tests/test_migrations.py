"""An older house, filled as its own version filled it, becomes one of this version without losing sight of anything."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from homecircle import db, feed, search, threads, trash, vault
from homecircle.errors import NotFound
from homecircle.files import Folder
from homecircle.vault import timeline
from tests.conftest import SAMPLES

NAMES = db.known_migrations()
NEED_OTHERS = {"0018_with_its_post", "0022_arrived_differently"}
ADA, BEN, CLEO = 1, 2, 3
NOON = 1_750_000_000
DIGEST = "ab" * 32
FIRST = f"""
INSERT INTO member (public_id, name, colour, role, joined_at) VALUES
  ('ada', 'Ada', 1, 'admin', {NOON}), ('ben', 'Ben', 2, 'member', {NOON}), ('cleo', 'Cleo', 3, 'member', {NOON});
INSERT INTO audience (id, members) VALUES (2, '1,2'), (3, '1');
INSERT INTO audience_member (audience_id, member_id) VALUES (2, 1), (2, 2), (3, 1);
INSERT INTO device (public_id, member_id, kind, name, paired_at, used_on) VALUES ('d', 1, 'personal', 'x', {NOON}, 1);
INSERT INTO original (sha256, size, media_type, path, stamp, state, taken, arrived_at) VALUES
  ('{DIGEST}', 7, 'image/jpeg', 'vault/2025/06/a.jpg', 's', 'ready', '2025-06-15T17:06:40', {NOON}),
  ('cd', 7, 'image/gif', 'vault/2025/06/b.gif', 't', 'ready', NULL, {NOON}),
  ('ef', 7, 'video/mp4', 'vault/2025/06/c.mp4', 'u', 'kept', NULL, {NOON});
INSERT INTO item (public_id, original_id, member_id, kind, name, taken, added_at, deleted_at, deleted_by) VALUES
  ('shared', 1, 1, 'photo', 'strawberry.jpg', '2025-06-15T17:06:40', {NOON}, NULL, NULL),
  ('named', 2, 1, 'photo', 'gooseberry.gif', NULL, {NOON}, NULL, NULL),
  ('own', 3, 1, 'video', 'cloudberry.mp4', NULL, {NOON}, NULL, NULL),
  ('gone', 1, 1, 'photo', 'again.jpg', NULL, {NOON}, {NOON}, 1);
INSERT INTO post (public_id, author_id, text, audience_id, shared_at, deleted_at, deleted_by, once) VALUES
  ('everyone', 1, 'a walk in the moor', 1, {NOON}, NULL, NULL, 'a'),
  ('two', 1, 'a surprise for Cleo 生日', 2, {NOON}, NULL, NULL, 'b'),
  ('trash', 2, 'a mistake', 1, {NOON}, {NOON}, 2, 'c');
INSERT INTO post_reader (member_id, post_id) VALUES (1, 2), (2, 2);
INSERT INTO post_item (post_id, position, item_id) VALUES (1, 0, 1), (2, 0, 2), (3, 0, 4);
INSERT INTO upload (id, member_id, device_id, size, metadata, made_at, until) VALUES ('up', 1, 1, 9, '{{}}', {NOON}, 9);
INSERT INTO event (token, verb, actor_id, subject, audience_id, at) VALUES
  ('t', 'post.shared', 1, 'everyone', 1, {NOON});
UPDATE circle SET name = 'The Lindqvists', claimed_at = {NOON}, setup_step = 'settled';
"""
TALK = f"""
INSERT INTO message (public_id, post_id, author_id, text, quote_id, said_at, deleted_at, once) VALUES
  ('m1', 1, 2, 'with heather', NULL, {NOON}, NULL, 'a'), ('m2', 1, 3, 'yes', 1, {NOON}, NULL, 'b'),
  ('m3', 1, 3, 'taken back', NULL, {NOON}, {NOON}, 'c');
INSERT INTO message_item (message_id, position, item_id) VALUES (1, 0, 3);
INSERT INTO mark (post_id, member_id, mark, made_at) VALUES (1, 3, 'lovely', {NOON});
"""
ASKED = ("moor", "surprise", "heather", "strawberry", "gooseberry", "cloudberry", "mistake", "生日")
SPELLED = "UPDATE post SET words = text || ' 生  日' WHERE public_id = 'two'"
COUNTED = (
    "member",
    "device",
    "post",
    "message",
    "mark",
    "item",
    "original",
    "post_item",
    "message_item",
    "upload",
    "event",
)


def _house(root: Path, names: list[str]) -> Folder:
    """A filled house of the version that had these migrations; closed."""
    folder, known = Folder(root / "data"), root / "migrations"
    folder.prepare()
    known.mkdir()
    for name in names:
        shutil.copy(db.MIGRATIONS / f"{name}.py", known)
    with pytest.MonkeyPatch.context() as older:
        older.setattr(db, "MIGRATIONS", known)
        db.open_file(folder.database)
        db.close_file()
    with closing(sqlite3.connect(folder.database)) as line:
        line.executescript(FIRST + (TALK if len(names) > 1 else "") + (SPELLED if len(names) > 3 else ""))
    return folder


def _seen(member: int) -> dict[str, object]:
    """What a member sees in the opened house."""
    posts = feed.page(member)[0]
    everything = ("shared", "named", "own", "gone")
    return {
        "posts": {post.id for post in posts},
        "items": {each for each in everything if _sees(each, member)},
        "found": {word for word in ASKED if search.find(member, word, {})[0]},
        "months": timeline.months(member),
        "said": {said.id for said in threads.page(1)},
    }  # fmt: skip


def _sees(item: str, member: int) -> bool:
    try:
        return bool(vault.get(item, member))
    except NotFound:
        return False


def _expected(names: list[str]) -> dict[int, tuple[set[str], set[str], set[str]]]:
    talk = len(names) > 1
    public = {"moor", "strawberry"} | ({"heather", "cloudberry"} if talk else set())
    shown = {"shared"} | ({"own"} if talk else set())
    secret = public | {"surprise", "gooseberry", "生日"}
    return {
        ADA: ({"everyone", "two"}, {"shared", "named", "own"}, secret | {"cloudberry"}),
        BEN: ({"everyone", "two"}, shown | {"named"}, secret),
        CLEO: ({"everyone"}, shown, public),
    }


@pytest.mark.parametrize("names", [NAMES[:n] for n in range(1, len(NAMES) + 1)], ids=lambda names: names[-1][:4])
def test_a_house_of_each_earlier_version_keeps_and_shows_what_it_had(tmp_path: Path, names: list[str]) -> None:
    _is_kept(_house(tmp_path, names), names)


@pytest.mark.parametrize("late", [name for name in NAMES[7:] if name not in NEED_OTHERS])
def test_a_migration_that_comes_after_later_ones_does_the_same(tmp_path: Path, late: str) -> None:
    """They were made side by side: none needs another one of them, but for a few, which wait."""
    names = [name for name in NAMES if name not in {late, *NEED_OTHERS}]
    _is_kept(_house(tmp_path, names), names)


def _is_kept(folder: Folder, names: list[str]) -> None:
    with closing(sqlite3.connect(folder.database)) as line:
        tables = {row[0] for row in line.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        before = {name: line.execute(f"SELECT count(*) FROM {name}").fetchone() for name in COUNTED if name in tables}
    db.open_file(folder.database)
    try:
        assert {name: db.row(f"SELECT count(*) FROM {name}") for name in before} == before
        assert db.rows("PRAGMA foreign_key_check") == [] and db.quick_check(folder.database) == []
        with db.transaction():  # what triggers have noted stands in the index with the same commit
            pass
        for member, (posts, items, found) in _expected(names).items():
            seen = _seen(member)
            assert (seen["posts"], seen["items"], seen["found"]) == (posts, items, found)
            assert seen["months"] == [(202506, len(items))]
            assert seen["said"] == ({"m1", "m2"} if "message" in before else set())
        _lives_on(folder)
    finally:
        db.close_file()


def _lives_on(folder: Folder) -> None:
    """It takes what is new, shows it to whom it is for, and lets go of what was deleted a month ago."""
    with (SAMPLES / "garden.jpg").open("rb") as handle:
        new = vault.keep(folder, folder.take(handle), "blueberry.jpg", BEN)
    vault.share([new.public_id], BEN, 2)
    assert _sees(new.public_id, ADA) and not _sees(new.public_id, CLEO)
    assert search.find(ADA, "blueberry", {})[0] and not search.find(CLEO, "blueberry", {})[0]
    feed.publish(BEN, "and now for all", [new.public_id], [], "new")
    assert _sees(new.public_id, CLEO) and search.find(CLEO, "blueberry", {})[0]
    trash.purge(folder)
    assert db.rows("SELECT public_id FROM post WHERE deleted_at IS NOT NULL") == []
    assert db.rows("SELECT public_id FROM item WHERE public_id = 'gone'") == []
    assert db.row("SELECT 1 FROM original WHERE sha256 = ?", DIGEST)  # another item has the same bytes
    assert db.rows("PRAGMA foreign_key_check") == []
