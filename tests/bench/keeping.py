"""P20: a copy of the database while the family writes."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from homecircle import db
from homecircle.backup import making
from homecircle.files import Folder, settle
from tests.bench.ground import Figure, Form, interleaved, median, quantile, ratio
from tests.bench.houses import Pages, copied, house


def p20(form: Form) -> list[Figure]:
    """The backup's own copy under writes against cp and fsync of the same file."""
    size = form.pick(100_000, 1_000_000)
    with copied(house(size, size // 10)) as kept:
        pages, folder = Pages(kept), Folder(kept.path)
        target = Path(kept.path).parent / "copy"
        pages.get("/")

        def ours(path: Path) -> None:
            with db.connection():
                making.copy_database(folder.database, path)

        writing = threading.Event()
        writer = threading.Thread(target=_write, args=(writing,))
        writer.start()
        copies, plain = interleaved(5, lambda: _settled(target, ours), lambda: _copied(folder.database, target))
        quiet = _looked(pages, 1.5)
        busy = _while(lambda: _settled(target, ours), lambda: _looked(pages, 0.0))
        writing.set()
        writer.join()
        megabytes = folder.database.stat().st_size / 1e6
        pages.close()
    note = f"{megabytes:.0f} MB in {median(copies):.2f} s against {median(plain):.2f} s"
    slow = f"{quantile(busy, 0.95) * 1000:.1f} ms against {quantile(quiet, 0.95) * 1000:.1f} ms"
    return [Figure("P20", "copy of the database under writes against cp + fsync", ratio(copies, plain), "x", 1.3,
                   note=note),
            Figure("P20", "  feed p95 meanwhile against quiet", quantile(busy, 0.95) / quantile(quiet, 0.95), "x", 2.5,
                   note=slow)]  # fmt: skip


def _write(end: threading.Event) -> None:
    with db.connection():
        while not end.wait(0.02):
            with db.transaction():
                db.rows("UPDATE member SET status = ? WHERE id = 2", str(time.monotonic()))


def _settled(target: Path, copy: Callable[[Path], None]) -> float:
    target.unlink(missing_ok=True)
    os.sync()
    began = time.perf_counter()
    copy(target)
    with target.open("r+b") as handle:
        settle(handle)
    return time.perf_counter() - began


def _copied(source: Path, target: Path) -> float:
    import shutil

    return _settled(target, lambda path: shutil.copyfile(source, path) and None)


def _looked(pages: Pages, seconds: float, more: Callable[[], bool] = lambda: False) -> list[float]:
    took: list[float] = []
    end = time.perf_counter() + seconds
    while len(took) < 20 or time.perf_counter() < end or more():
        began = time.perf_counter()
        pages.get("/")
        took.append(time.perf_counter() - began)
    return took


def _while(work: Callable[[], object], look: Callable[[], list[float]]) -> list[float]:
    """Look again and again while `work` runs, five times over."""
    seen: list[float] = []
    for _ in range(5):
        thread = threading.Thread(target=work)
        thread.start()
        while thread.is_alive():
            seen += look()[:20]
    return seen
