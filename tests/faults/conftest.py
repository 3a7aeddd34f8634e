"""Crash, full disk, power cut, bad bytes: short forms by default, `--long` for the numbers of the README."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.family import House, Switch, move_in
from tests.faults.image import Image, why_not


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="the numbers of the README instead of a few")


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
def house(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[House]:
    """A house of the cast; it lies on the file system of its own that the test asks for, if it does (`image`)."""
    there = request.getfixturevalue("image").root if "image" in request.fixturenames else tmp_path
    made = move_in(there / "data")
    yield made
    made.leave()


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or not sys.platform.startswith("linux"):
        return None
    made, source = tmp_path_factory.mktemp("shim") / "shim.so", Path(__file__).with_name("shim.c")
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", str(made), str(source), "-ldl"], check=True)
    return made


@pytest.fixture
def shim(compiled: Path | None, tell: Callable[[str], None]) -> Path:
    """The library that stands between a house and its disk; skipped, and said aloud, where that cannot be."""
    if compiled is None:
        tell("NOT DONE on this machine: there is no C compiler")
        pytest.skip("there is no C compiler")
    return compiled


@pytest.fixture
def switch(shim: Path, house: House, tmp_path: Path) -> Switch:
    """What is wrong with the disk (or the clock) of `house`, to be turned on and off while it runs."""
    made = Switch(tmp_path / "switch")
    house.around = {"LD_PRELOAD": str(shim), "SHIM_SWITCH": str(made.path), "SHIM_UNDER": str(house.folder.root)}
    return made


@pytest.fixture
def image(tmp_path: Path, request: pytest.FixtureRequest, tell: Callable[[str], None]) -> Iterator[Image]:
    """An empty file system of the kind that the test names; skipped, and said aloud, where that cannot be."""
    kind, megabytes, *options = request.param
    if reason := why_not(kind):
        tell(f"NOT DONE on this machine: {reason}")
        pytest.skip(reason)
    made = Image(tmp_path, kind, megabytes, options)
    made.mount()
    yield made
    made.unmount()
    made.file.unlink()
