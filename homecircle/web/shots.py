"""What the pages show of the vault: shots with words to be read out, months with their height, today's memory."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlencode

from babel.dates import get_month_names
from flask_babel import format_date, format_datetime, gettext

from homecircle import db, members
from homecircle.devices import Pass
from homecircle.vault import Tile, filters, timeline
from homecircle.vault.timeline import Month, Shot
from homecircle.web import rendering

FIRST = 60  # shots of the newest month that come with the page; fills rows of 3, 4, 5 and 6

QUOTED = 300  # letters of a post that is shared again


class ShotLine(NamedTuple):
    """What `vault/_grid.html` draws: the tile, its day in words, and how long a video is."""

    tile: Tile
    day: str
    lasts: str


class MonthLine(NamedTuple):
    """A month of the vault: '2026-07', 'July 2026', how many, and the powers of two that make this number."""

    id: str
    name: str
    size: int
    heights: tuple[int, ...]
    year: int
    month: int


class YearLine(NamedTuple):
    """A year of *Jump to month*: twelve of (short name, '2026-07' or '' when it is empty, whole name, how many)."""

    year: int
    months: list[tuple[str, str, str, int]]


class Sieve(NamedTuple):
    """What a page of the vault is narrowed to: the filter, the words of its address, and the chosen post."""

    wanted: filters.Filter
    asked: dict[str, str]
    post: filters.Choice | None

    @property
    def query(self) -> str:
        """'kind=video&marked=1', or ''."""
        return urlencode(self.asked)


class MemoryLine(NamedTuple):
    """The card *On this day*."""

    day: str
    date: str
    years: int
    size: int
    is_today: bool
    shot: ShotLine


def lines(shots: Iterable[Shot]) -> list[ShotLine]:
    """Return the shots with the words that a template needs."""
    here = rendering.locale()
    return [ShotLine(each.tile, _day(each.at.date(), here), lasts(getattr(each.tile, "duration", 0))) for each in shots]


def months(found: list[Month]) -> list[MonthLine]:
    """Return the months as the page draws them."""
    return [_month(each) for each in found]


def years(found: list[MonthLine]) -> list[YearLine]:
    """Return the years that hold something, newest first, with all their months."""
    there, here = {(each.year, each.month): each for each in found}, rendering.locale()
    return [YearLine(year, [_cell(there.get((year, number)), _short(number, here)) for number in range(1, 13)])
            for year in dict.fromkeys(each.year for each in found)]  # fmt: skip


def heights(size: int) -> tuple[int, ...]:
    """Return the powers of two whose sum is `size`: classes h-1, h-2, h-4 ... say it to the style sheet."""
    return tuple(1 << bit for bit in range(size.bit_length()) if size >> bit & 1)


def sieve(me: Pass, asked: Mapping[str, str]) -> Sieve:
    """Read what a page's address wants to see: ?by= (a member), kind=, marked=1, post=. `NotFound` for what is none."""
    said = {name: asked[name] for name in ("by", "kind", "marked", "post") if asked.get(name)}
    post = filters.post(said["post"], me.reader) if "post" in said else None
    marked = me.id if "marked" in said else 0
    return Sieve(filters.chosen(said.get("by", ""), said.get("kind", ""), marked, post), said, post)


def lasts(seconds: float) -> str:
    """'0:07', '12:40'; '' when it is not known."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02}" if whole else ""


def day(date: dt.date) -> str:
    """'3 July 2026'."""
    return _day(date, rendering.locale())


def moment(at: dt.datetime) -> str:
    """'3 July 2026, 14:20': the camera's own clock, in no zone."""
    return str(format_datetime(at, rendering.pattern("d MMMM y, HH:mm"), rebase=False))


def month_name(number: int) -> str:
    """'July 2026' for 202607."""
    return _month_name(number, rendering.locale())


@lru_cache(1)
def month_numbers() -> dict[str, int]:
    """Return the number of each month by its names in the languages of the house, case-folded."""
    found = {}
    for language in rendering.LANGUAGES:
        for width in ("wide", "abbreviated"):
            for number, name in get_month_names(width, locale=language).items():
                found[name.rstrip(".").casefold()] = number
    return found


def today() -> dt.date:
    """Return the viewer's day."""
    return db.now().astimezone(rendering.zone()).date()


def date(text: str) -> dt.date | None:
    """Read '2026-07-03'; None for anything else."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


def again(me: Pass, of: dt.date) -> tuple[list[str], str]:
    """Return the photos of a day and the words that quote it, for a post that shares them again.

    Whose words they were is told only where everyone could read them: the new post may be for everyone.
    """
    found = [each.tile.id for each in timeline.on_day(me.reader, of)]
    quoted = filters.said_with(found)
    roster = members.roster()
    lines = [f"“{_short_of(text)}” – {roster[author].name}" for author, text in quoted]
    return found, "\n".join([gettext("On this day, %(day)s", day=day(of)), *lines])


def _short_of(text: str) -> str:
    return text if len(text) <= QUOTED else text[:QUOTED].rstrip() + "…"


def memory(me: Pass) -> MemoryLine | None:
    """Return the card of today, or None."""
    here = today()
    found = timeline.memory(me.id, here, me.reader)
    if found is None:
        return None
    same = (found.day.month, found.day.day) == (here.month, here.day)
    return MemoryLine(day(found.day), found.day.isoformat(), found.years, found.size, same, lines([found.shot])[0])


def _month(found: Month) -> MonthLine:
    year, number = divmod(found.number, 100)
    return MonthLine(f"{year}-{number:02}", month_name(found.number), found.size, heights(found.size), year, number)


def _cell(month: MonthLine | None, short: str) -> tuple[str, str, str, int]:
    return (short, month.id, month.name, month.size) if month else (short, "", "", 0)


@lru_cache(64)
def _short(number: int, _locale: str) -> str:
    return str(format_date(dt.date(2000, number, 1), "LLL"))


@lru_cache(4096)
def _day(date: dt.date, _locale: str) -> str:
    return str(format_date(date, rendering.pattern("d MMMM y")))


@lru_cache(2048)
def _month_name(number: int, _locale: str) -> str:
    return str(format_date(dt.date(number // 100, number % 100, 1), "LLLL y"))
