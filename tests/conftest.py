"""The sample family and the few fixtures: always the same cast, a real SQLite file, the real application."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from flask.testing import FlaskClient
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from homecircle import circle, db, devices, members
from homecircle.files import Folder
from homecircle.vault import renditions
from homecircle.vault.decoder import Decoder
from homecircle.web import create_app
from homecircle.web.doors import DOOR, Doors
from homecircle.web.house import House

SAMPLES = Path(__file__).parent / "samples"
HOME = "http://homecircle.local"
AWAY = "https://family.example.org"


def photo(name: str) -> FileStorage:
    """A sample as a form sends it."""
    return FileStorage(io.BytesIO((SAMPLES / name).read_bytes()), name)


class Person(NamedTuple):
    """One of the cast: the member's internal id, public id, and a token of a paired home device."""

    id: int
    public_id: str
    name: str
    token: str


class Family(NamedTuple):
    ada: Person  # admin
    ben: Person
    cleo: Person  # a child
    grandma: Person


@pytest.fixture(scope="session")
def new_house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A house that nobody lives in yet, made once: its migrations take longer than most tests."""
    made = Folder(tmp_path_factory.mktemp("new") / "data")
    made.prepare()
    db.open_file(made.database)
    db.close_file()
    return made.root


@pytest.fixture
def beginning(new_house: Path) -> Path:
    """The folder that each test's own is a copy of."""
    return new_house


@pytest.fixture
def folder(tmp_path: Path, beginning: Path) -> Iterator[Folder]:
    shutil.copytree(beginning, tmp_path / "data")
    made = Folder(tmp_path / "data")
    made.prepare()
    db.open_file(made.database)
    yield made
    db.close_file()


@pytest.fixture
def family(folder: Folder) -> Family:
    return seat_family()


def seat_family() -> Family:
    """Let the cast move into the house that is open."""

    def seat(name: str, role: str = "member") -> Person:
        member = members.join(name, role=role)
        return Person(member.id, member.public_id, name, devices.add(member.id, f"{name}'s phone", "home"))

    circle.update(name="The Lindqvists", claimed_at=db.now(), setup_step="settled")
    return Family(seat("Ada", "admin"), seat("Ben"), seat("Cleo"), seat("Grandma"))


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    made = Decoder()
    yield made
    made.close()


class Browser:
    """A client that behaves like a browser at one door: sends Host and Origin, keeps cookies."""

    def __init__(self, client: FlaskClient, origin: str, token: str = "") -> None:
        self.client, self.origin = client, origin
        self.door = "away" if origin.startswith("https") else "home"
        if token:
            cookie = "__Host-hc" if self.door == "away" else "hc_lan"
            self.client.set_cookie(cookie, token, domain=origin.partition("://")[2], secure=self.door == "away")

    def open(self, path: str, method: str = "GET", **options: object) -> TestResponse:
        headers = {"Accept": "text/html"} | dict(options.pop("headers", {}) or {})
        if method not in {"GET", "HEAD"}:
            headers.setdefault("Origin", self.origin)
        headers = {name: value for name, value in headers.items() if value is not None}
        if isinstance(options.get("data"), dict) and any(
            isinstance(each, (list, tuple)) for each in options["data"].values()
        ):
            boundary, options["data"] = encode_multipart(options["data"])  # in memory: no temporary of the client's own
            options["content_type"] = f"multipart/form-data; boundary={boundary}"
        # buffered: the answer is read and closed as a server would
        return self.client.open(path, method=method, base_url=self.origin, headers=headers, buffered=True,
                                environ_overrides={DOOR: self.door}, **options)  # fmt: skip

    def get(self, path: str, **options: object) -> TestResponse:
        return self.open(path, "GET", **options)

    def post(self, path: str, data: object = None, **options: object) -> TestResponse:
        return self.open(path, "POST", data=data or {}, **options)


class Home(NamedTuple):
    """The application with its house, and a browser for whoever asks."""

    app: object
    house: House

    def browser(self, person: Person | None = None, origin: str = HOME) -> Browser:
        return Browser(self.app.test_client(), origin, person.token if person else "")

    def draw(self) -> None:
        while renditions.draw_next(self.house.folder, self.house.decoder):
            pass


@pytest.fixture
def home(folder: Folder, family: Family, decoder: Decoder) -> Home:
    doors = Doors(lambda: ("homecircle.local",), lambda: ("192.0.2.7", "fd00::7"), lambda: circle.get().away_host)
    house = House(folder, decoder, doors)
    app = create_app(house)
    app.config["TESTING"] = False
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return Home(app, house)
