"""What a link is: an http(s) address in somebody's words; and what its page says of itself. No database.

A preview is a title, the name of the site and a small picture. The page's own words are looked for in its head, in the
way that others agreed on (ogp.me), else its title; its picture comes by the same rules as the page (`outside`) and is
drawn anew by the decoder, so nothing a stranger made reaches a browser of the family but letters and pixels.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from html.parser import HTMLParser
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from homecircle.vault import outside
from homecircle.vault.outside import Found, Unreachable, Way

TITLE_LIMIT = 160  # characters
SITE_LIMIT = 60
PAGES = frozenset({"text/html", "application/xhtml+xml"})
PICTURES = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif", "image/avif"})
HEAD = 256 << 10  # characters of a page that are looked through
PIECE = 8 << 10
_ADDRESS = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)
_CLOSING = ".,;:!?)'\"»”’"  # what ends the sentence round an address
# Encodings of text only: Python's own list has some that take a square of the time (punycode).
_CHARSETS = re.compile(r"utf-8|utf-16.*|ascii|iso8859-\d+|cp125\d|cp874|koi8-[ru]|shift_jis|euc_jp|euc_kr|gb.*|big5.*")
_DECLARED = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)


class Told(NamedTuple):
    """What a page says of itself; `picture` is an address, or ''."""

    title: str
    site: str
    picture: str


def spans(text: str) -> Iterator[tuple[int, str]]:
    """Yield where each http(s) address of a plain text begins, and the address."""
    for found in _ADDRESS.finditer(text):
        yield found.start(), found[0].rstrip(_CLOSING)


def found_in(text: str) -> list[str]:
    """Return the http(s) addresses of a plain text, each once."""
    return list(dict.fromkeys(url for _, url in spans(text)))


def without(line: str) -> str:
    """Return what a line says besides its links; '' when nothing."""
    return " ".join(_ADDRESS.sub(" ", line).split()).strip(" :,;-–")


def shortened(url: str, limit: int = 40) -> str:
    """Return an address as one reads it: without scheme, www. and question."""
    try:
        parts = urlsplit(url)
    except ValueError:  # a bracket that opens no IPv6 address
        shown = url
    else:
        shown = (parts.netloc + parts.path).removeprefix("www.").rstrip("/")
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def site(url: str) -> str:
    """Return the name that a link's address gives its site: the host without www."""
    return shortened(url, outside.URL_LIMIT).partition("/")[0].rpartition("@")[2][:SITE_LIMIT]


def look(url: str, way: Way) -> Told:
    """Ask the page behind a link what it is. Raises `Unreachable`, also for one without a title."""
    found = outside.fetch(url, PAGES, way)
    told = read(found)
    if not told.title:
        raise Unreachable("it has no title")
    return told


def picture(url: str, way: Way) -> bytes:
    """Fetch the picture that a page named, as it is; `Unreachable` for one that is too large."""
    found = outside.fetch(url, PICTURES, way)
    if not found.is_whole:
        raise Unreachable("its picture is too large")
    return found.body


def read(page: Found) -> Told:
    """Return what a page's head says of itself."""
    head = _Head()
    text = _text(page)
    for at in range(0, len(text), PIECE):
        try:
            head.feed(text[at : at + PIECE])
        except AssertionError:  # what html.parser raises for a declaration that is none
            break
        if head.is_over:
            break
    said, named = head.said, ""
    with suppress(ValueError):
        named = urljoin(page.url, said["og:image"]) if said.get("og:image") else ""
    return Told(_line(said.get("og:title") or head.title, TITLE_LIMIT),
                _line(said.get("og:site_name", ""), SITE_LIMIT) or site(page.url), named)  # fmt: skip


class _Head(HTMLParser):
    """Listens to the head of a page; never told that it ends, so what is left open costs no second look."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.said: dict[str, str] = {}
        self.title, self.is_over, self._in_title = "", False, False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.is_over = self.is_over or tag == "body"
        self._in_title = tag == "title" and not self.title and not self.is_over
        if tag == "meta" and not self.is_over:
            named = dict(attrs)
            name = (named.get("property") or named.get("name") or "").lower()
            if name in {"og:title", "og:site_name", "og:image"}:
                self.said.setdefault(name, (named.get("content") or "").strip()[: outside.URL_LIMIT])

    def handle_endtag(self, tag: str) -> None:
        self._in_title = False
        self.is_over = self.is_over or tag == "head"

    def handle_data(self, data: str) -> None:
        if self._in_title and len(self.title) < 4 * TITLE_LIMIT:
            self.title += data


def _text(page: Found) -> str:
    declared = _DECLARED.search(page.body[:2048])
    charset = page.charset or (declared[1].decode("ascii") if declared else "utf-8")
    try:
        name = codecs.lookup(charset).name
    except (LookupError, ValueError):
        name = "utf-8"
    return page.body.decode(name if _CHARSETS.fullmatch(name) else "utf-8", errors="replace")[:HEAD]


def _line(text: str, limit: int) -> str:
    """One line without controls and without what turns the direction of a text."""
    shown = unicodedata.normalize("NFC", " ".join(text[: 4 * limit].split()))
    line = "".join(x for x in shown if x.isprintable() and unicodedata.category(x) != "Cf")
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
