"""What can be said of install.sh without installing: `tests/run --install` does the rest in a real machine."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from homecircle import __version__
from homecircle.files import Folder

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "install.sh"
LOCK = (ROOT / "homecircle" / "requirements.lock").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def run(*options: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run install.sh with a home of its own, so that nothing of this machine can be touched by mistake."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(home)}
    return subprocess.run(
        [SCRIPT, *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=30,
    )


def locked(part: str) -> dict[str, str]:
    """Name and version of what stands under one heading of the lock file, with what belongs to each."""
    text = LOCK.split(f"# == to {part} ==")[1].split("# ==")[0].replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all(re.search(r"==\S+ +--hash=sha256:[0-9a-f]{64}", line) for line in lines), "a line without hashes"
    return {canonicalize_name(line.partition("==")[0]): line.split()[0].partition("==")[2] for line in lines}


def with_all_they_need(names: list[str]) -> set[str]:
    """The packages `names` and, as installed here, those that they need in turn."""
    found: set[str] = set()
    waiting = [Requirement(name) for name in names]
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if name in found or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        waiting += [Requirement(line) for line in requires(name) or [] if "extra ==" not in line]
    return found


def test_shellcheck_has_nothing_to_say() -> None:
    done = subprocess.run(["shellcheck", "--shell=sh", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_cut_download_does_nothing(tmp_path: Path) -> None:
    text = SCRIPT.read_bytes()
    assert text.endswith(b'\nmain "$@"\n')
    for part in (0.3, 0.6, 0.9):
        cut = tmp_path / "cut.sh"
        cut.write_bytes(text[: int(len(text) * part)])
        done = subprocess.run(["/bin/sh", cut], capture_output=True, text=True, check=False,
                              env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)})  # fmt: skip
        assert done.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["cut.sh"]


def test_help_names_every_option(tmp_path: Path) -> None:
    told = run("--help", home=tmp_path)
    assert told.returncode == 0
    assert all(
        option in told.stdout for option in ("--yes", "--port", "--data", "--no-start", "--uninstall", "--purge")
    )
    assert run("--version", home=tmp_path).stdout == f"HomeCircle {__version__}\n"


@pytest.mark.parametrize(
    "options",
    [
        ["--port", "abc"],
        ["--port", "0"],
        ["--port", "65536"],
        ["--port", "8081"],
        ["--port"],
        ["--port="],
        ["--data", "/"],
        ["--data", "/etc/x"],
        ["--data", "/srv/a b"],
        ["--data=/srv/$(id)"],
        ["--frobnicate"],
        ["--purge"],
    ],
)
def test_refuses_with_one_sentence_and_changes_nothing(tmp_path: Path, options: list[str]) -> None:
    done = run(*options, *([] if "--purge" in options else ["--no-start"]), home=tmp_path)
    assert done.returncode == 1
    assert re.fullmatch(r"[^\n]+\.\S*[^\n]*\n", done.stderr), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_lock_holds_what_is_needed_to_run_and_to_build() -> None:
    to_run, to_build = locked("run"), locked("build")
    assert with_all_they_need(PROJECT["project"]["dependencies"]) == set(to_run)
    assert with_all_they_need(PROJECT["build-system"]["requires"]) <= set(to_run) | set(to_build)
    for line in [*PROJECT["project"]["dependencies"], *PROJECT["build-system"]["requires"]]:
        wanted = Requirement(line)
        assert wanted.specifier.contains((to_run | to_build)[canonicalize_name(wanted.name)]), line


def test_lock_is_what_the_tests_ran_with() -> None:
    behind = {name: (locked("run")[name], version(name)) for name in locked("run")}
    assert {name: both for name, both in behind.items() if both[0] != both[1]} == {}


def test_lock_tells_of_no_registry_or_machine() -> None:
    assert not re.search(
        r"https?://|file:|index-url|find-links|trusted-host|/home/|/tmp/",
        LOCK.replace("--no-emit-index-url", "").replace("--no-emit-find-links", ""),
    )


def test_wheel_carries_all_the_house_needs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", tmp_path],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    carried = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())
    for folder in ("static", "templates"):
        kept = {path for path in (ROOT / folder).rglob("*") if path.is_file()}
        assert {f"homecircle/{path.relative_to(ROOT)}" for path in kept} <= carried
    house = {str(path.relative_to(ROOT)) for path in (ROOT / "homecircle").rglob("*") if path.is_file()}
    assert {name for name in house if "__pycache__" not in name} <= carried
    assert "homecircle/requirements.lock" in carried
    assert "homecircle/migrations/0001_first_house.py" in carried
    assert not [name for name in carried if name.startswith(("tests/", "homecircle/tests"))]


def test_purging_knows_every_name_in_a_data_folder(folder: Folder) -> None:
    """It removes by name, so that a folder with other things in it keeps them."""
    folder.secret()
    with folder.lock():
        present = {path.name for path in folder.root.iterdir()}
    listed = re.search(r'KEPT_IN_DATA="([^"]+)"', SCRIPT.read_text(encoding="utf-8"))
    assert listed
    assert present <= set(listed[1].split())
