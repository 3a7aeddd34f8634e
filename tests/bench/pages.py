"""P1 to P3, P5, P6, P19: pages, their statements and what they weigh."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec

from homecircle import circle, db
from homecircle.files import Folder
from tests.bench import bare, browsers
from tests.bench.ground import Figure, Form, interleaved, median, missing, ratio
from tests.bench.houses import Ask, Kept, Pages, Server, Worker, call, copied, house

ROUNDS = 7
TIMES = 30


def p1(form: Form) -> list[Figure]:
    """The feed with everything on against the bare page of the same HTML."""
    with copied(house(1000, 1000, 40)) as kept:
        pages = Pages(kept)
        pages.get("/")  # the first look moves the divider; from now on the page stands still
        drawn = pages.get("/").decode()
        plain = bare.app(Folder(kept.path).database, drawn, 1)
        same = _same(drawn, call(plain, pages.environ("/"))[1].decode())
        ours, theirs = interleaved(form.pick(9, 30), lambda: _timed(lambda: pages.get("/")),
                                   lambda: _timed(lambda: call(plain, pages.environ("/"))))  # fmt: skip
        pages.close()
    note = f"{median(ours) * 1000:.2f} ms against {median(theirs) * 1000:.2f} ms; {same}"
    return [Figure("P1", "feed page of 20 posts against the bare page", ratio(ours, theirs), "x", 1.0, note=note)]


def p2(form: Form) -> list[Figure]:
    """The feed at a hundred or a thousand times as many posts; its deepest page; a member who sees almost nothing."""
    sizes = form.pick((100_000,), (100_000, 1_000_000))
    small = house(1000, 100)
    figures = []
    for size in sizes:
        large = house(size, size // 10)
        workers = [Worker(small), Worker(large)]
        few, many = interleaved(ROUNDS, *(_asker(each, _pages_from(kept, 0)) for each, kept in
                                          zip(workers, (small, large), strict=True)))  # fmt: skip
        first, deepest = interleaved(ROUNDS, _asker(workers[1], _pages_from(large, 0)),
                                     _asker(workers[1], _pages_from(large, size - 400)))  # fmt: skip
        for each in workers:
            each.close()
        note = f"{median(many) * 1000:.2f} ms against {median(few) * 1000:.2f} ms"
        figures += [Figure("P2", f"feed at {size} posts against 1000", ratio(many, few), "x", 1.2, note=note),
                    Figure("P2", f"  its deepest pages against its first ({size})", ratio(deepest, first),
                           "x", 1.2)]  # fmt: skip
    return [*figures, _sees_little()]


def _sees_little() -> Figure:
    """Nearly everything is for named members; Aunt Pia is in no named audience."""
    kept = house(100_000, 10_000, for_everyone=0.0005)
    worker = Worker(kept)
    paths = ["/"] * 4
    little, usual = interleaved(ROUNDS, _asker(worker, paths, "Aunt Pia"), _asker(worker, paths, "Nora"))
    worker.close()
    note = f"{median(little) * 1000:.2f} ms against {median(usual) * 1000:.2f} ms"
    return Figure("P2", "  member who may see almost nothing against the usual one", ratio(little, usual), "x", 1.5,
                  note=note)  # fmt: skip


def p3(_form: Form) -> list[Figure]:
    """SQL statements of a page, whatever its length."""
    with copied(house(1000, 1000, 40)) as kept:
        pages = Pages(kept)
        pages.get("/")
        with db.beside(Folder(kept.path).database) as line:
            short = line.execute("SELECT public_id FROM post WHERE id = 3").fetchone()[0]
        opened = len(pages.statements("/"))
        circle.advance("settled")
        pages.get("/")  # the circle's own facts are read again once
        most, least = (len(pages.statements(path)) for path in ("/", f"/?before={short}"))
        pages.close()
    note = f"a page of two posts: {least} (with one for ?before=)"
    return [Figure("P3", "SQL statements of the feed page", most, "", 8, note=note),
            Figure("P3", "  for an admin, until set-up's check-list and the first backup", opened, "", 8)]  # fmt: skip


def p5(form: Form) -> list[Figure]:
    """Search, newest first: a word of every tenth post and one of every thousandth; the verb, without the page."""
    if find_spec("homecircle.search") is None:
        return [missing("P5", "search newest first, any word", "not built yet")]
    from homecircle import search

    size = form.pick(100_000, 1_000_000)
    with opened(house(size, size // 10)):
        common, rare, none = interleaved(ROUNDS, *(_asking(search.find, 1, word, {})
                                                   for word in ("Sunday", "comet", "xylophone")))  # fmt: skip
    note = f"common {median(common) * 1000:.2f}, rare {median(rare) * 1000:.2f}, none {median(none) * 1000:.2f} ms"
    return [Figure("P5", f"search at {size} posts", median(common + rare) * 1000, "ms", 3, note=note),
            Figure("P5", "  common word against rare", ratio(common, rare), "x", 5)]  # fmt: skip


def p6(_form: Form) -> list[Figure]:
    """The SQL of a vault of 100,000 items: a page of 200, a month nine years back, on this day."""
    if find_spec("homecircle.vault.timeline") is None:
        return [missing("P6", "vault of 100,000: page of 200, jump, on this day", "not built yet")]
    from homecircle.vault import timeline

    with opened(house(100_000, 100_000)):
        months = [each.number for each in timeline.months(1)]
        whole = _asking(timeline.page, 1, months[1], "", 200)
        asked = {"its first page of 200": _sql_of(timeline.page, 1, months[1], "", 200),
                 "a month nine years back": _sql_of(timeline.page, 1, months[-12], "", 200),
                 "the list of months": _sql_of(timeline.months, 1),
                 "on this day": _sql_of(timeline.memory, 1, dt.datetime.now(dt.UTC).date(), 1)}  # fmt: skip
        took = interleaved(ROUNDS, *asked.values(), whole)
    note = f"the SQL; with its tiles {median(took.pop()) * 1000:.2f} ms"
    return [Figure("P6", f"vault of 100,000: {name}", median(each) * 1000, "ms", 1, note=note if "200" in name else "")
            for name, each in zip(asked, took, strict=True)]  # fmt: skip


@contextlib.contextmanager
def opened(kept: Kept) -> Iterator[None]:
    """The database of a house, without its pages."""
    db.open_file(Folder(kept.path).database)
    try:
        yield
    finally:
        db.close_file()


def _sql_of(verb: Callable[..., object], *values: object) -> Callable[[], float]:
    """Time the very statements that a verb runs, read to their ends, without what it makes of their rows."""
    texts: list[str] = []
    line = db.database.connection()
    line.set_trace_callback(texts.append)
    verb(*values)
    line.set_trace_callback(None)
    return lambda: _timed(lambda: [line.execute(text).fetchall() for text in texts])


def _asking(verb: Callable[..., object], *values: object) -> Callable[[], float]:
    return lambda: _timed(lambda: verb(*values))


def p19(_form: Form) -> list[Figure]:
    """What a new phone loads at its first page: HTML, styles and scripts as a real browser counts them."""
    what = "first page over the wire: HTML + CSS + JS, gzip"
    if why := browsers.missing():
        return [missing("P19", what, why)]
    with copied(house(1000, 1000, 40)) as kept, Server(kept) as server:
        sizes = browsers.weigh(server)
    total = sum(sizes.values()) / 1000
    note = ", ".join(f"{kind} {size / 1000:.1f}" for kind, size in sorted(sizes.items()))
    return [Figure("P19", what, total, "kB", 60, note=note)]


def _timed(turn: Callable[[], object]) -> float:
    """Seconds of one of `TIMES` in a row."""
    took = []
    for _ in range(TIMES):
        began = time.perf_counter()
        turn()
        took.append(time.perf_counter() - began)
    return median(took)


def _asker(worker: Worker, paths: list[str], who: str = "Nora") -> Callable[[], float]:
    return lambda: sum(median(worker.measure(Ask(path, who, 8))) for path in paths) / len(paths)


def _pages_from(kept: Kept, skipped: int) -> list[str]:
    """Eight pages in a row, from `skipped` posts below the newest on: no single page's posts decide."""
    with db.beside(Folder(kept.path).database) as line:
        newest = line.execute("SELECT max(id) FROM post").fetchone()[0]
        numbers = [newest - skipped - 20 * turn for turn in range(8)]
        found = [line.execute("SELECT public_id FROM post WHERE id = ?", (each,)).fetchone()[0] for each in numbers]
    return [f"/?before={each}" for each in found]


def _same(ours: str, theirs: str) -> str:
    """Say whether both drew the same, but for spaces and the forms' once-keys."""
    plain = [re.sub(r"\s+", "", re.sub(r'(name="once" value=")[^"]*', r"\1", each)) for each in (ours, theirs)]
    if plain[0] == plain[1]:
        return f"the same {len(ours.encode()) / 1000:.0f} kB of HTML"
    at = next((i for i, (a, b) in enumerate(zip(*plain, strict=False)) if a != b), 0)
    near = [each[max(0, at - 40) : at + 60] for each in plain]
    print(f"    the bare page differs: ...{near[0]}\n    {'against':>22} ...{near[1]}")
    return f"NOT the same HTML: {len(plain[0])} against {len(plain[1])} characters"
