"""The pages that are taken along: HTML by month, for any browser, from ``file://``, without a script.

Drawn by Jinja from ``templates/archive`` in the language of the one who leaves, a piece at a time: a month of thousands
of posts is never in memory as a whole. Times are those of the house's own zone.
"""

from __future__ import annotations

import datetime as dt
import gettext
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

import jinja2
from babel.dates import format_date, format_datetime
from markupsafe import Markup, escape

from homecircle import circle, config, db
from homecircle.archive.leaving import Item, Leaving, Linked, Said, Told
from homecircle.archive.naming import FIRST, LINKS, month_folder

STYLES = ("css/tokens.css", "css/archive.css")  # the house's own colours, and the pages
_LINK = re.compile(r"https?://[^\s<>\"]*[^\s<>\".,;:!?)'»”’]", re.IGNORECASE)


class Person(NamedTuple):
    """A face of the export; `picture` is a path in it, or ''."""

    name: str
    colour: int
    picture: str
    left: str

    @property
    def initial(self) -> str:
        return self.name.strip()[:1].upper()


class Month(NamedTuple):
    """A month of the export: '../../2026/2026-07/index.html', 'July 2026', '3 posts · 12 photos'."""

    path: str
    name: str
    holds: str


class Drawing:
    """The pages of one export. `faces` are paths of pictures by member, `picture` is the family's."""

    def __init__(self, leaving: Leaving, language: str, faces: dict[int, str], picture: str) -> None:
        self.leaving, self.language, self.picture = leaving, language, picture
        self.words = gettext.translation("messages", config.translations(), [language], fallback=True)
        self.people = {
            number: Person(face.name, face.colour, faces.get(number, ""), "") for number, face in leaving.who.items()
        }
        self.pages = jinja2.Environment(
            loader=jinja2.FileSystemLoader(config.asset_folders()[1]), autoescape=True, trim_blocks=True,
            lstrip_blocks=True, undefined=jinja2.StrictUndefined, extensions=["jinja2.ext.i18n"],
        )  # fmt: skip
        self.pages.install_gettext_translations(self.words, newstyle=True)  # type: ignore[attr-defined]  # i18n adds it
        self.pages.globals.update(language=language, circle=circle.get().name or "HomeCircle")

    def style(self) -> bytes:
        """The one style sheet."""
        return b"\n".join((config.asset_folders()[0] / each).read_bytes() for each in STYLES)

    def all(self) -> Iterator[tuple[str, Iterator[str]]]:
        """Yield every page: its path, and its pieces (to be used before the next page is asked for)."""
        found = self.leaving.months()
        for place, (number, _posts, _items) in enumerate(found):
            before, after = found[place - 1] if place else None, found[place + 1] if place + 1 < len(found) else None
            yield f"{month_folder(number)}/{FIRST}", self._month(number, before, after)
        if has_links := self.leaving.has_links():
            yield LINKS, self._links()
        yield FIRST, self._index(found, LINKS if has_links else "")

    def _index(self, found: list[tuple[int, int, int]], links: str) -> Iterator[str]:
        years: dict[int, list[Month]] = {}
        for each in found:
            years.setdefault(each[0] // 100, []).append(self._line(each, ""))
        scope = self.leaving.scope
        mine = self.people.get(scope.member_id)
        today = db.now().astimezone().date()
        return self.pages.get_template("archive/index.html").generate(
            root="", kind=scope.kind, name=mine.name if mine else "", people=self._family(), years=years.items(),
            day=self._day(today), picture=quote(self.picture), links=links,
        )  # fmt: skip

    def _links(self) -> Iterator[str]:
        kept = map(self._link, self.leaving.links())
        return self.pages.get_template("archive/links.html").generate(root="", kept=kept)

    def _link(self, link: Linked) -> dict[str, Any]:
        return self._moment(link.by, link.at, None) | {
            "id": link.id, "url": link.url, "note": link.note, "title": link.title, "width": link.width,
            "height": link.height, "picture": link.picture,
        }  # fmt: skip

    def _month(
        self, number: int, before: tuple[int, int, int] | None, after: tuple[int, int, int] | None
    ) -> Iterator[str]:
        root = "../../"
        return self.pages.get_template("archive/month.html").generate(
            root=root, month=self._month_name(number), before=before and self._line(before, root),
            after=after and self._line(after, root), entries=self._entries(number),
            elsewhere=[self._said(each) for each in self.leaving.elsewhere(number)],
            others=map(self._item, self.leaving.others(number)),
        )  # fmt: skip

    def _entries(self, month: int) -> Iterator[dict[str, Any]]:
        for posts in self.leaving.posts(month):
            talks = self.leaving.talks(posts)
            for post in posts:
                yield self._post(post, talks.get(post.id, []))

    def _post(self, post: Told, talk: list[Said]) -> dict[str, Any]:
        names = [self.people[each].name for each in post.audience]
        return self._moment(post.by, post.at, post.edited_at) | {
            "id": post.id, "joined": post.kind == "joined", "text": prose(post.text), "audience": ", ".join(names),
            "shots": [self._item(each) for each in post.items], "talk": [self._said(each) for each in talk],
            "marks": [(self.people[member].name, mark) for member, mark, _at in post.marks],
        }  # fmt: skip

    def _said(self, said: Said) -> dict[str, Any]:
        scope = self.leaving.scope
        is_elsewhere = scope.kind == "own" and said.post_by != scope.member_id
        return self._moment(said.by, said.at, said.edited_at) | {
            "id": said.id, "text": prose(said.text), "quote": said.quoted_text[:200],
            "quoted_by": self.people[said.quoted_by].name if said.quoted_by else "",
            "under": self.people[said.post_by].name if is_elsewhere else "",
            "shots": [self._item(each) for each in said.items],
        }  # fmt: skip

    def _moment(self, by: int, at: int, edited_at: int | None) -> dict[str, Any]:
        moment = db.moment(at)
        said = format_datetime(moment.astimezone().replace(tzinfo=None), self._pattern("d MMMM y, HH:mm"),
                               locale=self.language)  # fmt: skip
        return {"by": self.people[by], "at": said, "iso": f"{moment:%Y-%m-%dT%H:%M:%SZ}", "edited": bool(edited_at)}

    def _item(self, item: Item) -> dict[str, Any]:
        alt = item.description or item.caption
        if not alt:
            words = self.words
            told = (
                words.gettext("A video by %(name)s") if item.kind == "video" else words.gettext("A photo by %(name)s")
            )
            alt = told % {"name": self.people[item.by].name}
        return {
            "kind": item.kind, "name": item.name, "caption": item.caption, "alt": alt, "file": quote(item.file),
            "shown": quote(item.shown), "width": item.width, "height": item.height,
        }  # fmt: skip

    def _family(self) -> list[Person]:
        return [
            self.people[number]._replace(left=self._day(db.moment(left).astimezone().date()) if left else "")
            for number, left in db.rows("SELECT id, left_at FROM member ORDER BY id") if number in self.people
        ]  # fmt: skip

    def _line(self, found: tuple[int, int, int], root: str) -> Month:
        number, posts, items = found
        told = [self.words.ngettext("%(n)s post", "%(n)s posts", posts) % {"n": posts}] if posts else []
        told += [self.words.ngettext("%(n)s photo", "%(n)s photos", items) % {"n": items}] if items else []
        return Month(f"{root}{month_folder(number)}/{FIRST}", self._month_name(number), " · ".join(told))

    def _month_name(self, number: int) -> str:
        # a year beyond what a date can be: a camera's clock may say anything
        year, month = divmod(number, 100)
        if not (1 <= year <= 9999 and 1 <= month <= 12):
            return f"{year:04}-{month:02}"
        return str(format_date(dt.date(year, month, 1), "LLLL y", locale=self.language))

    def _day(self, day: dt.date) -> str:
        return str(format_date(day, self._pattern("d MMMM y"), locale=self.language))

    def _pattern(self, english: str) -> str:
        return english.replace("d MMMM", "d. MMMM") if self.language == "de" else english


def prose(text: str) -> Markup:
    """Plain text as HTML: escaped, http(s) addresses as links; the style sheet keeps the line breaks."""
    pieces, end = list[str | Markup](), 0
    for found in _LINK.finditer(text):
        pieces += [escape(text[end : found.start()]),
                   Markup('<a href="{0}" rel="noopener noreferrer nofollow">{0}</a>').format(found[0])]  # fmt: skip
        end = found.end()
    return Markup("").join([*pieces, escape(text[end:])])


def buffered(pieces: Iterable[str], size: int = 1 << 16) -> Iterator[bytes]:
    """Yield the pieces of a page as larger ones."""
    held, length = list[str](), 0
    for piece in pieces:
        held.append(piece)
        length += len(piece)
        if length > size:
            yield "".join(held).encode()
            held, length = [], 0
    yield "".join(held).encode()
