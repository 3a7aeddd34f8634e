"""What every theme stands on: figures and how they are printed, interleaved measuring, the machine's own words."""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

CACHE = Path(__file__).parent.parent / ".cache"
SAMPLES = Path(__file__).parent.parent / "samples"
NAMED = ("homecircle", "flask", "jinja2", "waitress", "peewee", "pillow", "pillow-heif", "playwright")


@dataclass(frozen=True, slots=True)
class Figure:
    """One line: what was measured, in which unit, against which bar. `value` None: not measured, and `note` says why.

    `limit` is what the value must not pass (`at_least`: must reach); without one the line only informs.
    """

    name: str
    what: str
    value: float | None
    unit: str = ""
    limit: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def verdict(self) -> str:
        if self.value is None:
            return "missing"
        if self.limit is None:
            return ""
        return "ok" if (self.value >= self.limit if self.at_least else self.value <= self.limit) else "SHORT"

    def __str__(self) -> str:
        shown = "-" if self.value is None else f"{self.value:.3g} {self.unit}" if self.value < 1000 else (
            f"{self.value:.0f} {self.unit}")  # fmt: skip
        bar = "" if self.limit is None else f"{'>=' if self.at_least else '<='} {self.limit:g} {self.unit}"
        return f"{self.name:4} {self.what:62} {shown:>12}  {bar:>12}  {self.verdict:7} {self.note}".rstrip()


@dataclass(frozen=True, slots=True)
class Form:
    """How long to measure: `is_long` for the form of an hour."""

    is_long: bool = False

    def pick(self, short: Any, long: Any) -> Any:
        return long if self.is_long else short


def missing(name: str, what: str, why: str) -> Figure:
    """A line for what could not be measured."""
    return Figure(name, what, None, note=why)


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the sorted values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def interleaved(rounds: int, *turns: Callable[[], Any]) -> list[list[Any]]:
    """Call each in turn, `rounds` times over; return what each said, in order."""
    said: list[list[Any]] = [[] for _ in turns]
    for _ in range(rounds):
        for kept, turn in zip(said, turns, strict=True):
            kept.append(turn())
    return said


def ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """The median of the ratios of neighbours: what drifts on the machine drifts in both."""
    return median([a / b for a, b in zip(above, below, strict=True)])


def pause(seconds: float) -> None:
    threading.Event().wait(seconds)


def memory(pid: int, key: str = "VmRSS") -> float:
    """A line of /proc/PID/status in MB (proc(5))."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) / 1024
    return 0.0


def processor(pid: int) -> float:
    """Seconds of processor a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def machine() -> dict[str, Any]:
    """Where the figures come from."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model"))), "?")
    return {
        "processor": model, "cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version, "load": [round(each, 2) for each in os.getloadavg()],
        "versions": {name: _version(name) for name in NAMED},
    }  # fmt: skip


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"
