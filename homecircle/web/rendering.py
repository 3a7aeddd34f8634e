"""Jinja filters and globals: times, sizes, links, asset URLs; and `page`, which draws a template.

A semaphore of one goes round drawing: more threads at it make Python's pages slower, not faster (README, P4). Static
files are read once, kept compressed, and named by a hash of them all, so that a browser may keep them for ever and one
module's ``import "./other.js"`` stays within one version.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import gzip
import hashlib
import re
import secrets
import threading
import time
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import jinja2
import tzlocal
from flask import Flask, Response, current_app, g, redirect, render_template, request, url_for
from flask_babel import format_date, format_datetime, format_decimal, get_locale, get_translations, gettext, ngettext
from jinja2.bccache import Bucket, BytecodeCache
from markupsafe import Markup, escape

from homecircle import circle, config, db, devices, files, members, notices
from homecircle.devices import Pass
from homecircle.errors import HouseError, NoSpace
from homecircle.files import Folder
from homecircle.vault import links

LANGUAGES = {"en": "English", "de": "Deutsch"}
KINDS = {
    ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".png": "image/png", ".txt": "text/plain",
}  # fmt: skip
SUM = hashlib.sha256().digest_size
_drawing = threading.Semaphore(1)


class Asset:
    """A static file as it is sent; `packed` with gzip, at the first question, or b"" where that gains nothing."""

    def __init__(self, path: Path) -> None:
        self.plain, self.media_type = path.read_bytes(), KINDS.get(path.suffix, "application/octet-stream")

    @functools.cached_property
    def packed(self) -> bytes:
        is_text = self.media_type.startswith("text/") or self.media_type == "image/svg+xml"
        return gzip.compress(self.plain, 6, mtime=0) if is_text else b""


class Me(NamedTuple):
    """The member who looks, as templates know them."""

    id: str
    name: str
    colour: int
    picture: str
    role: str
    text_size: int
    theme: str
    language: str
    zone: str
    device: str


def page(template: str, **values: object) -> str:
    """Draw a template. Whatever it shows is handed in: a template asks no question of the database."""
    with _drawing:
        return render_template(template, **values)


def sentence(error: HouseError) -> str:
    """Return what the house says, in the reader's language.

    Of a full disk also who was told: the admins' pages say so from now on (see `strips`).
    """
    text = gettext(error.message)
    text = str(text % error.values) if error.values else str(text)
    if not isinstance(error, NoSpace) or not g.get("me"):
        return text
    current_app.extensions["refused_at"] = time.monotonic()
    names = [face.name for number, face in members.present().items() if face.role == "admin" and number != g.me.id]
    if not names:
        return text
    return f"{text} {ngettext('%(names)s was told.', '%(names)s were told.', len(names), names=enumerated(names))}"


def enumerated(names: list[str]) -> str:
    """Return 'Ada, Ben and Cleo'."""
    if len(names) < 2:
        return "".join(names)
    return str(gettext("%(names)s and %(last)s", names=", ".join(names[:-1]), last=names[-1]))


def lead_to(endpoint: str, **values: Any) -> Response:
    """Answer a form that was done: 303 to the page that shows it (RFC 9110, 15.4.4)."""
    # flask types it as werkzeug's response, but makes the application's own
    return cast("Response", redirect(url_for(endpoint, **values), 303))


def asked_by_htmx() -> bool:
    """Say whether the page's own script asks (and so wants a fragment)."""
    return request.headers.get("HX-Request") == "true"


def qr(text: str) -> Markup:
    """Return a QR code as an inline SVG that takes its colours from the page."""
    import segno  # brings TLS and XML along, which a start does not wait for and an idle house does not hold

    return Markup(segno.make(text, error="m").svg_inline(svgclass="qr", lineclass=None, omitsize=True, border=2))  # noqa: S704  drawn by segno, escaped by it


class Compiled(BytecodeCache):
    """Compiled templates, kept from one start to the next among what may be deleted at any time.

    Compiling is half of what the first page waits for (README, P17), and most of each other page's first time. Nothing
    here waits for the disk: what a power cut has torn is known by its sum, and what a full disk refuses is compiled
    anew. Another text of a template is seen by jinja; another way to compile has another folder.
    """

    def __init__(self, folder: Folder) -> None:
        here = Path(__file__)
        way = b"".join([f"{jinja2.__version__} {version('flask-babel')}".encode(), here.read_bytes(),
                        here.with_name("__init__.py").read_bytes()])  # fmt: skip
        self._folder, self._kept = folder, folder.renditions / f"pages-{hashlib.sha256(way).hexdigest()[:12]}"
        with contextlib.suppress(OSError):
            for old in folder.renditions.glob("pages-*"):
                if old != self._kept:
                    files.clear(old)

    def load_bytecode(self, bucket: Bucket) -> None:
        with contextlib.suppress(OSError):
            found = (self._kept / bucket.key).read_bytes()
            if hashlib.sha256(found[SUM:]).digest() == found[:SUM]:
                bucket.bytecode_from_string(found[SUM:])

    def dump_bytecode(self, bucket: Bucket) -> None:
        made = bucket.bytecode_to_string()
        with contextlib.suppress(OSError):
            if not self._folder.is_tight(len(made)):
                self._folder.write_loosely(self._kept / bucket.key, hashlib.sha256(made).digest() + made)


def install(app: Flask) -> None:
    """Give the templates their filters and globals."""
    shelf = _Shelf(config.asset_folders()[0])
    app.extensions["assets"] = shelf
    app.jinja_env.filters.update(
        ago=ago, moment=moment, clock=clock, iso=iso, day=day, prose=prose, initials=initials, filesize=filesize,
        why=why, link=link, beside=beside,
    )  # fmt: skip
    app.jinja_env.globals.update(asset=shelf.url, kept=kept, once=lambda: secrets.token_urlsafe(12))
    # a word is looked up once for each language: 6 us a call by flask-babel, and a page of 20 cards has 45 of them
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]  # i18n adds it
        lambda text: _word(text, locale()), lambda one, many, n: ngettext(one, many, n), newstyle=True
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.context_processor(_globals)
    app.before_request(_take_standing)


def asset(app: Flask, version: str, path: str) -> Asset | None:
    """Return a static file of this very version, or None."""
    shelf: _Shelf = app.extensions["assets"]
    return shelf.files.get(path) if version == shelf.version else None


def asset_url(path: str) -> str:
    """Return the versioned URL of a static file."""
    shelf: _Shelf = current_app.extensions["assets"]
    return shelf.url(path)


def kept(template: str) -> Markup:
    """Draw a template that says the same to everyone, once for each language."""
    return _kept(template, locale(), asset_url("css/base.css"))


def language() -> str:
    """Choose the language: the member's own, else the best that the browser asks for, else the house's."""
    me: Pass | None = g.get("me")
    if me is not None and me.language in LANGUAGES:
        return me.language
    return request.accept_languages.best_match(list(LANGUAGES)) or circle.get().language


def zone() -> ZoneInfo:
    """Return the viewer's time zone: their own choice, else the machine's."""
    if "zone" not in g:
        me: Pass | None = g.get("me")
        g.zone = _zone(me.zone if me else "")
    return cast("ZoneInfo", g.zone)


def locale() -> str:
    """Return the language of this answer, asked once: flask-babel goes through four contexts for it."""
    if "locale" not in g:
        g.locale = str(get_locale())
    return cast("str", g.locale)


def zones() -> list[str]:
    """Return the names of the time zones that one can choose."""
    return sorted(
        name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "posix", "right"))
    )


def iso(at: dt.datetime) -> str:
    """'2026-07-03T14:20:05Z'."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def ago(at: dt.datetime) -> str:
    """How long ago in a word or two: 'now', '5 min', '2 h', 'Tuesday', '3 July', '3 July 2024'."""
    passed = (db.now() - at).total_seconds()
    if passed < 60:
        return gettext("now")
    if passed < 3600:
        return ngettext("%(num)s min", "%(num)s min", int(passed // 60))
    if passed < 20 * 3600:
        return ngettext("%(num)s h", "%(num)s h", int(passed // 3600))
    return day(at)


def day(at: dt.datetime) -> str:
    """The day as one says it: 'today', 'yesterday', 'Tuesday', '3 July', '3 July 2024'."""
    here = zone()
    local = at.astimezone(here).date()
    today = _today(here)
    days = (today - local).days
    if days in {0, 1}:
        return gettext("today") if days == 0 else gettext("yesterday")
    if 0 < days < 7:
        return _date(local, "EEEE", locale())
    return _date(local, pattern("d MMMM" if local.year == today.year else "d MMMM y"), locale())


def _today(here: ZoneInfo) -> dt.date:
    if "today" not in g:
        g.today = db.now().astimezone(here).date()
    return cast("dt.date", g.today)


def pattern(english: str) -> str:
    """Return a date's pattern as the reader's language writes it (CLDR): German puts a dot behind the day."""
    german = english.replace("EEEE d", "EEEE, d").replace("d MMMM", "d. MMMM")
    return german if locale() == "de" else english


def month(date: dt.date) -> str:
    """'October', with the year when it is another one."""
    same = date.year == db.now().year
    return _date(date, "LLLL" if same else "LLLL y", locale())


def moment(at: dt.datetime) -> str:
    """The whole moment: 'Saturday 21 November 2026, 18:42'."""
    return _moment(at, locale(), str(zone()))


def clock(at: dt.datetime) -> str:
    """Only the hour, of what ends within minutes: '18:42'."""
    return at.astimezone(zone()).strftime("%H:%M")


def initials(name: str) -> str:
    """One or two letters that stand for a face without a picture."""
    words = re.findall(r"\w+", name)
    return ("".join(word[0] for word in (words[0], words[-1])) if len(words) > 1 else name.strip()[:1]).upper()


def filesize(size: int) -> str:
    """'43 kB', '2.4 MB', '1.2 GB'."""
    for unit, step in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= step:
            return f"{format_decimal(round(size / step, 1))} {unit}"
    return f"{size} B"


def why(reason: str) -> str:
    """Return why a picture or film cannot be shown (`images.REASONS`, 'missing', 'unreadable' or 'busy')."""
    said = {
        "damaged": gettext("This picture is damaged, so it can't be shown. It is kept as it came."),
        "too_large": gettext("This picture is too large to be shown. It is kept as it came."),
        "missing": gettext("The file of this picture is missing."),
        "unreadable": gettext("The disk does not give this picture back at the moment."),
        "busy": gettext("Home was too busy to draw this picture. It tries again tonight."),
    }
    return str(said.get(reason) or gettext("This one cannot be shown, but it is kept."))


@lru_cache(2048)
def prose(text: str) -> Markup:
    """Plain text as HTML: escaped, line breaks kept (by CSS), http(s) addresses as shortened links."""
    pieces, end = [], 0
    for at, url in links.spans(text):
        pieces += [escape(text[end:at]), link(url)]
        end = at + len(url)
    return Markup("").join([*pieces, escape(text[end:])])


def link(url: str) -> Markup:
    """An http(s) address as a shortened link."""
    return Markup('<a href="{}" rel="noopener noreferrer nofollow">{}</a>').format(url, links.shortened(url))


def beside(text: str) -> str:
    """The first line of a text that says more than its links; '' when none does."""
    for line in text.splitlines():
        if words := links.without(line):
            return words if len(words) <= 120 else words[:119] + "…"
    return ""


class _Shelf:
    """The static files in memory: a few hundred kilobytes, read at the first question."""

    def __init__(self, folder: Path) -> None:
        self.files = {
            str(path.relative_to(folder)): Asset(path) for path in sorted(folder.rglob("*")) if path.is_file()
        }
        digest = hashlib.sha256(b"".join(name.encode() + each.plain for name, each in self.files.items()))
        self.version = digest.hexdigest()[:12]

    def url(self, path: str) -> str:
        """The versioned URL; a path that is not there is a mistake in a template."""
        if path not in self.files:
            raise LookupError(f"no static file {path}")
        return f"/static/{self.version}/{path}"


def _take_standing() -> None:
    """Take the live cursor before the page reads anything: what is committed in between is told by the stream."""
    view = current_app.view_functions.get(request.endpoint or "")
    if g.get("me") and request.method == "GET" and not asked_by_htmx() and not hasattr(view, "is_medium"):
        g.standing = notices.standing(g.me.id, g.me.reader)
        g.at_door = g.standing.is_asked and bool(devices.waiting(g.me))


def _globals() -> dict[str, object]:
    # An error page may be drawn before anyone is known, so nothing here may be missing.
    opened: Pass | None = g.get("me")
    face = members.roster().get(opened.id) if opened else None
    me = None
    if opened and face:
        me = Me(face.id, face.name, face.colour, face.picture, opened.role, opened.text_size, opened.theme,
                opened.language, opened.zone, opened.device)  # fmt: skip
    host = request.host.rpartition(":")[0] or request.host
    standing = g.get("standing") or notices.Standing("", False, False, False)
    return {
        "me": me, "circle": circle.get() if me else None, "door": g.get("door", "home"), "hx": asked_by_htmx(),
        "secure": g.get("door") == "away" or host in {"localhost", "127.0.0.1", "[::1]"},
        "cursor": standing.cursor, "has_new": standing.has_new,
        "has_added": standing.has_added and not (opened and opened.limited),
        "may_answer": bool(opened and opened.kind == "personal" and not opened.limited),
        "is_own": bool(opened and opened.kind == "personal"),  # else nothing may stay in the browser
        "at_door": g.get("at_door", False),
        "lang": language() if "me" in g else "en",
    }  # fmt: skip


@lru_cache(4096)
def _word(text: str, _locale: str) -> str:
    return str(get_translations().ugettext(text))


@lru_cache(32)
def _kept(template: str, _locale: str, _version: str) -> Markup:
    return Markup(current_app.jinja_env.get_template(template).render())  # noqa: S704  our own template


@lru_cache(64)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or tzlocal.get_localzone_name() or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


@lru_cache(512)
def _date(date: dt.date, pattern: str, _locale: str) -> str:
    return str(format_date(date, pattern))


@lru_cache(4096)
def _moment(at: dt.datetime, _locale: str, here: str) -> str:
    local = at.astimezone(_zone(here)).replace(tzinfo=None)
    return str(format_datetime(local, pattern("EEEE d MMMM y, HH:mm"), rebase=False))
