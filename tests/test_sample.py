"""The made-up family: the same seed makes the same rows, all can be seen on the pages, nothing is overwritten."""

from __future__ import annotations

import datetime as dt
import hashlib
import random
from pathlib import Path

import pytest
from click.testing import CliRunner

from homecircle import circle, db, feed, members, sample, vault
from homecircle.cli import main
from homecircle.devices import recognise
from homecircle.errors import Refused
from homecircle.files import Folder
from homecircle.vault import images
from homecircle.vault.decoder import Decoder
from homecircle.web import create_app
from homecircle.web.doors import Doors
from homecircle.web.house import House
from tests.conftest import HOME, Browser

DAY = dt.datetime(2026, 7, 4, tzinfo=dt.UTC)
TABLES = ("circle", "member", "device", "audience", "audience_member", "original", "item", "post", "post_reader",
          "post_item", "message", "mark", "event")  # fmt: skip
SAID_BY_CHANCE = {"circle": "house_id"}


@pytest.fixture
def moved_in(tmp_path: Path) -> tuple[Folder, sample.Made]:
    folder = Folder(tmp_path / "family")
    made = sample.build(folder, sample.Plan(posts=400, photos=3, items=30, until=DAY))
    db.open_file(folder.database)
    yield folder, made
    db.close_file()


def _rows(folder: Folder) -> dict[str, str]:
    """A hash of every table, but for what is drawn by chance when the file is made."""
    with db.reading(folder.database) as line:
        found = {}
        for table in TABLES:
            columns = [row[1] for row in line.execute(f"PRAGMA table_info({table})")]
            named = ", ".join(each for each in columns if each != SAID_BY_CHANCE.get(table))
            content = repr(line.execute(f"SELECT {named} FROM {table} ORDER BY 1, 2").fetchall())
            found[table] = hashlib.sha256(content.encode()).hexdigest()
        return found


def test_the_same_seed_makes_the_same_rows(tmp_path: Path) -> None:
    rows = []
    for name, seed in (("one", 5), ("two", 5), ("three", 6)):
        folder = Folder(tmp_path / name)
        sample.build(folder, sample.Plan(posts=120, photos=2, items=12, seed=seed, until=DAY))
        rows.append(_rows(folder))
    assert rows[0] == rows[1]
    assert rows[0]["post"] != rows[2]["post"]


def test_the_family_is_claimed_and_its_pages_are_drawn(moved_in: tuple[Folder, sample.Made]) -> None:
    folder, made = moved_in
    assert circle.get().is_claimed and circle.get().name == "The Wrens"
    assert [face.name for face in members.present().values()] == [person.name for person in sample.FAMILY]
    decoder = Decoder()
    doors = Doors(lambda: ("homecircle.local",), lambda: ("192.0.2.7",), lambda: "")
    app = create_app(House(folder, decoder, doors))
    browser = Browser(app.test_client(), HOME, made.tokens["Nora"])
    page = browser.get("/").get_data(as_text=True)
    assert page.count('class="post c') == feed.PAGE and "The Wrens" in page and "<img alt=" in page
    shown = [tile for tiles in feed.items_of(feed.page(1)[0]).values() for tile in tiles]
    assert shown and all(browser.get(tile.small).status_code == 200 for tile in shown)
    decoder.close()


def test_about_a_tenth_is_for_named_members(moved_in: tuple[Folder, sample.Made]) -> None:
    named = db.row("SELECT count(*) FROM post WHERE audience_id <> 1")[0]
    assert 20 <= named <= 60
    assert all(number in members_of for number, members_of in _authors_and_audiences())
    readers = db.row("SELECT count(*) FROM post_reader")[0]
    assert readers == sum(len(each) for _author, each in _authors_and_audiences())
    pia = [person.name for person in sample.FAMILY].index("Aunt Pia") + 1
    assert db.row("SELECT count(*) FROM post_reader WHERE member_id = ?", pia)[0] == 0


def _authors_and_audiences() -> list[tuple[int, tuple[int, ...]]]:
    found = db.rows("SELECT author_id, audience.members FROM post JOIN audience ON audience.id = audience_id "
                    "WHERE audience_id <> 1")  # fmt: skip
    return [(author, tuple(map(int, names.split(",")))) for author, names in found]


def test_talks_marks_and_photos_are_counted_as_they_are(moved_in: tuple[Folder, sample.Made]) -> None:
    _folder, made = moved_in
    for table, count in (("post", made.posts), ("message", made.messages), ("mark", made.marks), ("item", 30)):
        assert db.row(f"SELECT count(*) FROM {table}")[0] == count
    assert db.row("SELECT count(*) FROM message WHERE quote_id IS NOT NULL")[0] > 0
    assert db.row("SELECT count(*) FROM original WHERE state = 'ready' AND preview <> ''")[0] == 3
    first = db.row("SELECT item.taken, original.taken FROM item JOIN original ON original.id = original_id "
                   "ORDER BY item.id")  # fmt: skip
    assert first[0] == first[1]
    assert db.row("SELECT count(*) FROM post JOIN post AS next ON next.id = post.id + 1 "
                  "WHERE next.shared_at < post.shared_at")[0] == 0  # fmt: skip
    assert db.row("SELECT max(shared_at) FROM post")[0] < DAY.timestamp()
    assert db.quick_check(_folder.database) == []


def test_a_token_opens_the_home_door(moved_in: tuple[Folder, sample.Made]) -> None:
    _folder, made = moved_in
    for name, token in made.tokens.items():
        found = recognise(token, "home")
        assert found is not None and members.get(found.id).name == name


def test_a_landscape_is_a_picture_with_its_date() -> None:
    drawn = images.draw(sample.landscape(random.Random(3), DAY))
    assert (drawn.width, drawn.height, drawn.taken) == (sample.WIDTH, sample.HEIGHT, "2026-07-04T00:00:00")


def test_a_folder_with_anything_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("kept")
    with pytest.raises(Refused, match="not empty"):
        sample.build(Folder(tmp_path), sample.Plan(posts=1, photos=0))
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_the_command_prints_a_token_last(tmp_path: Path) -> None:
    words = ["sample", "--data", str(tmp_path / "new"), "--posts", "20", "--photos", "0", "--until", "2026-07-04"]
    ended = CliRunner().invoke(main, words)
    assert ended.exit_code == 0, ended.output
    db.open_file(Folder(tmp_path / "new").database)
    assert recognise(ended.output.strip().splitlines()[-1], "home") is not None
    assert vault.Item.select().count() == 0
    db.close_file()
    again = CliRunner().invoke(main, words)
    assert again.exit_code == 1 and "not empty" in again.output
