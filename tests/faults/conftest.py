"""Crash, full disk, power cut, bad bytes: short forms by default, `--long` for the numbers of BARS.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.family import House, move_in
from tests.faults.image import Image, why_not


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="100 rounds instead of a few")


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> Callable[[int, int], int]:
    """How often: (short form, long form)."""
    is_long = bool(request.config.getoption("--long", default=False))
    return lambda short, long: long if is_long else short


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Say aloud, beside pytest's dots: figures, and what this machine cannot do."""
    reporter = request.config.pluginmanager.getplugin("terminalreporter")
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def aloud(text: str) -> None:
        with capture.global_and_fixture_disabled():
            reporter.write_line(f"\n{request.node.name}: {text}")

    return aloud


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = move_in(tmp_path / "data")
    yield made
    made.leave()


@pytest.fixture
def image(tmp_path: Path, request: pytest.FixtureRequest, tell: Callable[[str], None]) -> Iterator[Image | None]:
    """An empty file system of its own; the test's parameter is its kind. None, said aloud, where that cannot be."""
    kind, megabytes, *options = request.param
    if reason := why_not(kind):
        tell(f"NOT DONE on this machine: {reason}")
        yield None
        return
    made = Image(tmp_path, kind, megabytes, options)
    made.mount()
    yield made
    made.unmount()
    made.file.unlink()
