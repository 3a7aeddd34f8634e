"""What can be said of install.sh without installing: `tests/run --install` does the rest in a real machine."""

from __future__ import annotations

import os
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
from homecircle.config import Config
from homecircle.files import Folder, clear

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
        option in told.stdout
        for option in ("--yes", "--port", "--data", "--backup-to", "--no-start", "--uninstall", "--purge")
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
        ["--backup-to"],
        ["--backup-to", "/"],
        ["--backup-to", "/etc/x"],
        ["--backup-to=/mnt/my disk"],
        ["--frobnicate"],
        ["--purge"],
    ],
)
def test_refuses_with_one_sentence_and_changes_nothing(tmp_path: Path, options: list[str]) -> None:
    done = run(*options, *([] if "--purge" in options else ["--no-start"]), home=tmp_path)
    assert done.returncode == 1
    assert re.fullmatch(r"[^\n]+\.\S*[^\n]*\n", done.stderr), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_second_place_on_the_same_disk_is_refused(tmp_path: Path) -> None:
    (tmp_path / "usb").mkdir()  # where the disk should be mounted
    done = run("--backup-to", str(tmp_path / "usb"), "--data", str(tmp_path / "data"), "--no-start", home=tmp_path)
    assert done.returncode == 1
    assert "on the same disk" in done.stderr and "mounted? Nothing was changed." in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["usb"] and not list((tmp_path / "usb").iterdir())


def shell(calls: str, **variables: object) -> str:
    """Run some of install.sh's own functions, without its last line, as root's service would."""
    text = SCRIPT.read_text(encoding="utf-8").removesuffix('main "$@"\n')
    given = "".join(f"{name}='{value}'\n" for name, value in variables.items())
    script = f'{text}\nas_house() {{ "$@"; }}\nis_service=yes units=/nonexistent\n{given}{calls}\n'
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_second_place_is_one_line_of_the_settings(tmp_path: Path) -> None:
    settings = tmp_path / "homecircle.toml"
    shell("set_backup_to /mnt/usb", data=tmp_path)
    assert Config.load(tmp_path).second_place == Path("/mnt/usb")
    settings.write_text('name = "lindqvist"\nbackup_to = "/mnt/usb"\nport = 8080\n')
    assert shell("backup_to_now; set_backup_to /mnt/other/homecircle; backup_to_now", data=tmp_path) == (
        "/mnt/usb\n/mnt/other/homecircle\n"
    )
    shell("set_backup_to ''", data=tmp_path)
    assert settings.read_text() == 'name = "lindqvist"\nport = 8080\n'
    settings.write_text('backup_to = "/mnt/usb"\n')
    shell("set_backup_to ''", data=tmp_path)
    assert not list(tmp_path.iterdir())


def test_second_place_is_wanted_and_never_required(tmp_path: Path) -> None:
    """An unplugged USB disk must not keep the house from opening."""
    shell(f"write_drop_in '{tmp_path}'", second="/mnt/usb/homecircle")
    written = (tmp_path / "homecircle.service.d" / "backup.conf").read_text()
    assert "ReadWritePaths=-/mnt/usb/homecircle\n" in written
    assert "Requires" not in written and written.count("/mnt/usb") == 1
    shell(f"write_drop_in '{tmp_path}'", second="")
    assert not list(tmp_path.iterdir())


def test_second_place_is_never_the_top_of_a_disk(tmp_path: Path) -> None:
    """While that disk is not mounted, it is an empty folder of another one."""
    other = Path("/dev/shm")  # noqa: S108  the one other file system every Linux has
    if not other.is_mount():
        pytest.skip("no second file system on this machine")
    chosen = "backup_to_now() { :; }; choose_backup; echo $second"
    assert shell(chosen, backup_to=other, data=tmp_path) == f"{other}/homecircle\n"
    full = other / f"homecircle-test-{os.getpid()}"
    full.mkdir()
    try:
        assert shell(chosen, backup_to=full, data=tmp_path) == f"{full}\n"
        (full / "20261123T023000Z-1a2b3c4d").mkdir()
        assert shell(chosen, backup_to=full, data=tmp_path) == f"{full}\n"
        (full / "holiday.jpg").touch()
        assert shell(chosen, backup_to=full, data=tmp_path) == f"{full}/homecircle\n"
    finally:
        clear(full)


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
