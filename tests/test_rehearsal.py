"""An upgrade is tried on a copy: what a migration does wrong is told, and the house keeps every byte."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from homecircle import cli, db, devices, feed, rehearsal
from homecircle.errors import NoSpace, Refused
from homecircle.files import Folder
from tests.conftest import Family

NEW = "9999_tomorrow.py"


@pytest.fixture
def left(folder: Folder, family: Family) -> Folder:
    """A house with a post and twelve devices, as the version before left it."""
    feed.publish(family.ada.id, "Our garden", [], [], "one")
    while devices.count() < devices.LIMIT:
        devices.add(family.ben.id, "another", "home")
    db.close_file()
    return folder


@pytest.fixture
def upgraded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Give the program one more migration."""
    migrations = tmp_path / "migrations"
    shutil.copytree(db.MIGRATIONS, migrations, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(db, "MIGRATIONS", migrations)

    def write(body: str) -> None:
        (migrations / NEW).write_text(f"def up(migrator, db):\n    {body}\n")

    return write


def held(folder: Folder) -> dict[str, bytes]:
    """Every file of the house, but for SQLite's index of an empty log, which whoever reads beside leaves behind."""
    found = {str(path.relative_to(folder.root)): path.read_bytes() for path in folder.root.rglob("*") if path.is_file()}
    return {name: content for name, content in found.items() if content and not name.endswith("-shm")}


def test_a_version_that_is_well_is_tried_and_the_house_keeps_every_byte(
    left: Folder, upgraded: Callable[[str], None]
) -> None:
    before = held(left)
    upgraded('db.execute_sql("ALTER TABLE post ADD COLUMN mood TEXT")')
    said = CliRunner().invoke(cli.main, ["rehearse", "--data", str(left.root)])
    pages = 4 * len(rehearsal.PAGES) + len(rehearsal.OF_ADMINS)
    assert (said.exit_code, said.output) == (0, f"{pages} pages of a copy are well.\n")
    assert held(left) == before and not list(left.temporary.iterdir())


def test_it_is_tried_beside_a_house_that_runs(folder: Folder, family: Family) -> None:
    feed.publish(family.ada.id, "still in the log", [], [], "one")
    with folder.lock():
        said = CliRunner().invoke(cli.main, ["rehearse", "--data", str(folder.root)])
    assert said.exit_code == 0, said.output


def test_a_house_that_nobody_has_claimed_is_tried_too(folder: Folder) -> None:
    db.close_file()
    assert rehearsal.rehearse(folder) == 1


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('db.execute_sql("ALTER TABLE absent ADD COLUMN x")', "no such table: absent"),
        ('db.execute_sql("PRAGMA max_page_count = 1"); db.execute_sql("CREATE TABLE more (x)")', "disk is full"),
        (
            'db.execute_sql("DELETE FROM event"); db.execute_sql("DELETE FROM post")',
            r"loses something: post \(1, then 0\)",
        ),
    ],
)
def test_what_a_version_does_wrong_is_told_and_nothing_is_changed(
    left: Folder, upgraded: Callable[[str], None], body: str, says: str
) -> None:
    before = held(left)
    upgraded(body)
    with pytest.raises(Refused, match=says):
        rehearsal.rehearse(left)
    assert held(left) == before and not list(left.temporary.iterdir())


def test_a_page_that_cannot_be_drawn_is_found(left: Folder, upgraded: Callable[[str], None]) -> None:
    upgraded('db.execute_sql("ALTER TABLE mark RENAME COLUMN mark TO sign")')
    with pytest.raises(Refused, match=r"cannot draw the page / \(500\)"):
        rehearsal.rehearse(left)


def test_without_room_it_is_not_even_tried(left: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Folder, "free", lambda self: 200 << 20)
    with pytest.raises(NoSpace, match="no room"):
        rehearsal.rehearse(left)


def test_an_older_program_refuses_a_newer_house_and_changes_no_byte(
    left: Folder, upgraded: Callable[[str], None]
) -> None:
    upgraded('db.execute_sql("ALTER TABLE post ADD COLUMN mood TEXT")')
    db.open_file(left.database)
    feed.publish(1, "by the newer one", [], [], "two")
    db.close_file()
    (db.MIGRATIONS / NEW).unlink()
    before = held(left)
    for verb in (lambda: db.open_file(left.database), lambda: rehearsal.rehearse(left)):
        with pytest.raises(Refused, match="newer HomeCircle"):
            verb()
        assert held(left) == before
