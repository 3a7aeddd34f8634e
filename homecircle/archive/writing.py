"""Writing it down: the words and pages first, in a folder of their own; then the files, to a folder or into a ZIP.

``posts.json`` holds one thing a line, so that it can be written and read without being in memory as a whole::

    {"homecircle": 2, "scope": "house", "circle": {...},
    "members": [...], "items": [...], "posts": [...], "messages": [...], "links": [...]}

Everything names everything by its public id; each list is in the order of the house. Times are UTC. An item's ``file``
is a path in the export, its ``sha256`` that of the bytes as they came, '' where they went without place.
A link is one that is kept without a post; the small picture of its preview goes in its line, as base64.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from homecircle import __version__, circle, db, files
from homecircle.archive.drawing import Drawing, buffered
from homecircle.archive.leaving import Leaving, Linked, Medium, Said, Told
from homecircle.archive.scope import Scope
from homecircle.files import Folder, create, make_folder

FORMAT = 2  # 1 had no links
WORDS = "posts.json"
PICTURES = "pictures"
Note = Callable[[list[Medium]], None]


class Draft(NamedTuple):
    """What was written, in `work`: the words under ``out/``, the list of files that go with them in ``media``.

    `size` is that of all of it in bytes, `is_sized` says that none of it is a guess.
    """

    work: Path
    texts: tuple[tuple[str, int], ...]
    size: int
    is_sized: bool

    @property
    def out(self) -> Path:
        return self.work / "out"

    def media(self) -> Iterator[Medium]:
        """Yield the files that go along."""
        with (self.work / "media").open(encoding="utf-8") as lines:
            for line in lines:
                yield Medium.read(line)


def write(folder: Folder, scope: Scope, language: str, work: Path) -> Draft:
    """Write the words and pages of what is taken along into `work`, which must not be there yet."""
    make_folder(work / "out")
    with db.snapshot(), create(work / "media") as listed:
        writing = _Writing(Leaving(folder, scope), work, listed)
        writing.put(WORDS, (line.encode(errors="replace") for line in writing.words()))
        drawing = Drawing(writing.leaving, language, writing.faces, writing.picture)
        for name, pieces in drawing.all():
            writing.put(name, buffered(pieces))
        writing.put("style.css", [drawing.style()])
    texts = tuple(writing.texts)
    return Draft(work, texts, writing.size + sum(size for _name, size in texts), writing.is_sized)


class _Writing:
    """One draft on its way."""

    def __init__(self, leaving: Leaving, work: Path, listed: IO[bytes]) -> None:
        self.leaving, self.work, self.listed = leaving, work, listed
        self.texts: list[tuple[str, int]] = []
        self.faces: dict[int, str] = {}
        self.picture = ""
        self.size, self.is_sized = 0, True

    def put(self, name: str, pieces: Iterable[bytes]) -> None:
        """Write one text."""
        path = self.work / "out" / name
        files.put(path, pieces)
        self.texts.append((name, path.stat().st_size))

    def words(self) -> Iterator[str]:
        """Yield ``posts.json`` and list every file that goes along."""
        leaving = self.leaving
        head = {"homecircle": FORMAT, "version": __version__, "scope": leaving.scope.kind, "circle": self._circle()}
        yield _line(head)[:-1] + ",\n"
        yield from _listed("members", (self._member(*each) for each in enumerate(leaving.who, 1)), ",\n")
        yield from _listed("items", self._items(), ",\n")
        yield from _listed("posts", (self._post(each) for few in leaving.posts() for each in few), ",\n")
        yield from _listed("messages", (self._said(each) for few in leaving.messages() for each in few), ",\n")
        yield from _listed("links", (self._link(each) for each in leaving.links()), "}\n")

    def _circle(self) -> dict[str, object]:
        here = circle.get()
        told, media = self.leaving.face(here.picture_id, "family", is_whole=self.leaving.scope.kind == "house")
        self._note(media)
        self.picture = media[-1].name if media else ""
        return {"name": here.name, "language": here.language, "picture": told}

    def _member(self, turn: int, number: int) -> dict[str, object]:
        names = ("id", "name", "colour", "role", "joined_at", "left_at", "picture_id", *_OWN)
        found: dict[str, Any] = dict(zip(names, db.row(_MEMBER, number), strict=True))
        scope = self.leaving.scope
        is_whole = scope.kind == "house" or number == scope.member_id
        place = f"{turn:02}_{self.leaving.names[number]}"
        told, media = self.leaving.face(found.pop("picture_id"), place, is_whole=is_whole)
        self._note(media)
        if media:
            self.faces[number] = media[-1].name
        for name in () if is_whole else _OWN:
            del found[name]
        return _timed(found) | {"picture": told}

    def _items(self) -> Iterator[dict[str, object]]:
        for told, media in self.leaving.items():
            self._note(media)
            yield _timed(told)

    def _post(self, post: Told) -> dict[str, object]:
        who = self.leaving.who
        told = {
            "id": post.id, "kind": post.kind, "by": who[post.by].id, "text": post.text, "shared_at": post.at,
            "edited_at": post.edited_at, "for": [who[each].id for each in post.audience] or "everyone",
            "items": [each.id for each in post.items],
            "marks": [_timed({"by": who[by].id, "mark": mark, "made_at": at}) for by, mark, at in post.marks],
        }  # fmt: skip
        return _timed(told)

    def _said(self, said: Said) -> dict[str, object]:
        return _timed({
            "id": said.id, "post": said.post, "by": self.leaving.who[said.by].id, "text": said.text,
            "quote": said.quote or None, "said_at": said.at, "edited_at": said.edited_at,
            "items": [each.id for each in said.items],
        })  # fmt: skip

    def _link(self, link: Linked) -> dict[str, object]:
        known = {"title": link.title, "site": link.site, "width": link.width, "height": link.height,
                 "picture": link.picture}  # fmt: skip
        return _timed({
            "id": link.id, "by": self.leaving.who[link.by].id, "url": link.url, "note": link.note,
            "added_at": link.at, "preview": known if link.is_known else None,
        })  # fmt: skip

    def _note(self, media: list[Medium]) -> None:
        for each in media:
            self.listed.write(each.line().encode())
            self.size += each.size
            self.is_sized = self.is_sized and not each.clean


def _listed(name: str, things: Iterable[dict[str, object]], end: str) -> Iterator[str]:
    yield f'"{name}": ['
    mark = "\n"
    for each in things:
        yield mark + _line(each)
        mark = ",\n"
    yield f"\n]{end}"


def _timed(told: dict[str, Any]) -> dict[str, object]:
    """The same with seconds as moments: '2026-07-03T14:20:05Z'."""
    return {key: f"{db.moment(value):%Y-%m-%dT%H:%M:%SZ}" if key.endswith("_at") and value is not None else value
            for key, value in told.items()}  # fmt: skip


def _line(told: dict[str, object]) -> str:
    return json.dumps(told, ensure_ascii=False, separators=(", ", ": "))


_OWN = ("language", "zone", "text_size", "theme", "shares")  # what is nobody else's business
_MEMBER = f"""
SELECT public_id, name, colour, role, joined_at, left_at, picture_id, {", ".join(_OWN)} FROM member WHERE id = ?"""
