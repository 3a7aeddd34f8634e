"""python -m tests.bench [P1 P7 ...] [--long] [--json FILE]: the figures of the README, each beside its bar.

Prints machine, versions and load first, then a line a figure: name, what, figure, bar, ok or SHORT. Never fails on a
time. Yardsticks (nginx, pyvips, sharp, browsers) that are not there are named as missing; `--yardsticks` installs what
comes from the registries. The sample houses are built on demand and kept in tests/.cache.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from tests.bench import endings, keeping, live, memory, pages, peers, pictures, uploads
from tests.bench.ground import CACHE, Figure, Form, machine, missing

Measure = Callable[[Form], list[Figure]]
MEASURES: dict[str, Measure] = {
    "P1": pages.p1, "P2": pages.p2, "P3": pages.p3, "P4": live.p4, "P5": pages.p5, "P6": pages.p6, "P7": pictures.p7,
    "P8": pictures.p8, "P9": pictures.p9, "P10": uploads.p10, "P11": uploads.p11, "P12": live.p12, "P13": live.p13,
    "P14": live.p14, "P15": memory.p15, "P16": peers.p16, "P17": memory.p17, "P18": memory.p18,
    "P19": pages.p19, "P20": keeping.p20, "X2": endings.x2,
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/run --bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="P1", help="which to measure (default: all)")
    parser.add_argument("--long", action="store_true", help="the long form: 1,000,000 posts, 1 GB, an hour of use")
    parser.add_argument("--json", type=Path, help="write the results to this file too")
    parser.add_argument("--yardsticks", action="store_true", help="install pyvips and sharp into tests/.cache")
    chosen = parser.parse_args()
    CACHE.mkdir(exist_ok=True)
    if chosen.yardsticks:
        pictures.install_yardsticks()
    if unknown := set(chosen.names) - MEASURES.keys():
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    wanted = chosen.names or [*MEASURES]
    print(_told(about := machine()), flush=True)
    figures = [figure for name in wanted for figure in _measured(name, Form(chosen.long))]
    if chosen.json:
        lines = [
            {name: getattr(each, name) for name in Figure.__slots__} | {"verdict": each.verdict} for each in figures
        ]
        chosen.json.write_text(json.dumps({"machine": about, "figures": lines}, indent=1))
    return 0


def _measured(name: str, form: Form) -> list[Figure]:
    began = time.monotonic()
    try:
        found = MEASURES[name](form)
    except Exception as error:  # noqa: BLE001  one benchmark that breaks does not lose the others
        traceback.print_exc(limit=-4)
        found = [missing(name, "broke", f"{type(error).__name__}: {error}"[:200])]
    for figure in found:
        print(figure, flush=True)
    print(f"     ({time.monotonic() - began:.0f} s)", file=sys.stderr, flush=True)
    return found


def _told(about: dict[str, object]) -> str:
    versions = about["versions"]
    assert isinstance(versions, dict)
    return (f"{about['processor']}, {about['cores']} cores, {about['system']}\nPython {about['python']}, "
            f"SQLite {about['sqlite']}, " + ", ".join(f"{name} {number}" for name, number in versions.items())
            + f"\nload average {about['load']}\n")  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
