"""The house rules that no linter knows: owners of libraries, names, templates, promises that loop over the house."""

from __future__ import annotations

import ast
import itertools
import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from hashlib import sha256
from pathlib import Path

import pytest

from homecircle import config
from homecircle.config import Config
from tests.conftest import Home

ROOT = Path(__file__).parent.parent
CODE = sorted(path for path in (ROOT / "homecircle").rglob("*.py") if "migrations" not in path.parts)
WRITTEN = [path for kind in ("py", "js", "css", "html") for top in ("homecircle", "static", "templates", "tests")
           for path in (ROOT / top).rglob(f"*.{kind}") if not {"vendor", ".cache"} & set(path.parts)]  # fmt: skip
OWNERS = {
    "flask": {"web"}, "flask_babel": {"web"}, "werkzeug": {"web"}, "segno": {"web", "cli"}, "PIL": {"vault"},
    "pillow_heif": {"vault"}, "zeroconf": {"mdns.py"}, "ifaddr": {"network.py"}, "apscheduler": {"jobs.py"},
    "waitress": {"server.py", "listening.py"},
    "click": {"cli"}, "tempfile": {"files.py"}, "shutil": {"files.py"}, "playhouse": {"db.py"},
    "jinja2": {"archive", "web"}, "platformdirs": {"config.py"}, "tomllib": {"config.py"},
}  # fmt: skip
SILENCED = re.compile(r"(?:#|//|/\*) ?(?:noqa|type: ignore|shellcheck disable|biome-ignore|pragma:)|\{[#] djlint:off")
PRAGMA = re.compile(r"noqa|type: ignore|shellcheck disable=|djlint:off|biome-ignore|pragma:|fmt: skip"
                    r"|lint/[\w/]+|\[[\w, -]+\]|\b[A-Z]+\d+\b")  # fmt: skip
FORBIDDEN_NAMES = re.compile(r"^(utils?|helpers?|common|services?|managers?)$")


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_library_has_one_owner(path: Path) -> None:
    place = path.relative_to(ROOT / "homecircle").parts[0]
    for library in _imports(path) & OWNERS.keys():
        assert place in OWNERS[library], f"{path.name} imports {library}"


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_say_what_they_are_and_functions_stay_small(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), f"{path} has no docstring"
    assert not FORBIDDEN_NAMES.match(path.stem)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and "web" in path.parts:
            routed = any("pages." in ast.unparse(each) for each in node.decorator_list)
            lines = node.end_lineno - node.body[0].lineno + (0 if ast.get_docstring(node) else 1)
            assert not routed or lines <= 15, f"{path.name}:{node.name} has {lines} lines"


def test_pages_speak_no_sql_and_nouns_no_http() -> None:
    for path in CODE:
        names = _imports(path)
        if "web" in path.parts:
            assert "peewee" not in names, path
            assert not re.search(r"\bdb\.(rows?|transaction)\(", path.read_text()), path
        elif path.name != "server.py":
            assert not names & {"flask", "werkzeug"}, path


def test_every_template_is_named_after_its_route_or_is_a_part() -> None:
    drawn = set()
    for path in (*(ROOT / "homecircle" / "web").glob("*.py"), ROOT / "homecircle" / "archive" / "drawing.py"):
        drawn |= set(re.findall(r'"((?:[\w-]+/)?[\w-]+\.html)"', path.read_text()))
    templates = ROOT / "templates"
    for path in templates.rglob("*.html"):
        for name in re.findall(r'(?:include|extends|import|from|kept\()\s*\(?"([\w/-]+\.html)"', path.read_text()):
            drawn.add(name)
    there = {str(path.relative_to(templates)) for path in templates.rglob("*.html")}
    assert drawn == there


def test_templates_hold_nothing_the_content_security_policy_refuses() -> None:
    for path in (ROOT / "templates").rglob("*.html"):
        text = path.read_text()
        assert not re.search(r"\sstyle=|<style|\son\w+=|hx-on|javascript:|js:|<script(?![^>]*\ssrc=)", text), path
        assert not re.search(r'hx-trigger="[^"]*\[', text), path


def test_templates_ask_no_question_of_the_database(home: Home) -> None:
    assert not re.search(r"select\(|execute\(", "".join(p.read_text() for p in (ROOT / "templates").rglob("*.html")))


def test_every_setting_is_documented_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    for each in fields(Config):
        assert f"`{each.name}`" in readme, each.name


def test_nothing_points_at_a_text_that_is_not_here() -> None:
    named = {found for path in WRITTEN for found in re.findall(r"\b[\w-]+\.md\b", path.read_text())}
    assert named == {"README.md"}


def test_vendored_files_are_unchanged() -> None:
    folder = ROOT / "static" / "vendor"
    named = set()
    for entry in tomllib.loads((folder / "vendor.toml").read_text()).values():
        for each in entry if isinstance(entry, list) else [entry]:
            assert each["licence"]
            assert each["version"]
            assert sha256((folder / each["file"]).read_bytes()).hexdigest() == each["sha256"]
            named.add(each["file"])
    there = {path.name for path in folder.iterdir() if path.is_file()} - {"vendor.toml"}
    assert there <= named


def test_the_sprite_holds_what_is_drawn_and_nothing_else() -> None:
    there = set(re.findall(r'<symbol id="([\w-]+)"', (ROOT / "static" / "icons.svg").read_text()))
    written = [*(ROOT / "templates").rglob("*.html"), *(ROOT / "static" / "js").glob("*.js"), *CODE]
    named = set(re.findall(r"""["'#]([a-z][a-z0-9-]*)["']""", "".join(path.read_text() for path in written)))
    drawn = set(re.findall(r"icon\('([\w-]+)'", "".join(path.read_text() for path in written)))
    assert drawn <= there
    assert there <= named


def test_behaviours_named_by_templates_exist() -> None:
    behaviours = set()
    for path in (ROOT / "templates").rglob("*.html"):
        for names in re.findall(r'data-behavior="([\w -]+)"', path.read_text()):
            behaviours |= set(names.split())
    there = {path.stem for path in (config.asset_folders()[0] / "js").glob("*.js")}
    assert behaviours <= there


def _silences() -> Iterator[tuple[str, str, str]]:
    """Every line that silences a check: where it stands, what it says, and the line above."""
    for path in [*WRITTEN, ROOT / "install.sh", ROOT / "tests" / "run", ROOT / ".ci" / "run"]:
        lines = ["", *path.read_text().splitlines()]
        for number, (above, line) in enumerate(itertools.pairwise(lines), 1):
            if found := SILENCED.search(line):
                yield f"{path.relative_to(ROOT)}:{number}", line[found.start() :], above.strip()


def _tells_why(comment: str) -> bool:
    return bool(re.search(r"[a-z]{2,}", PRAGMA.sub("", comment)))


def test_a_check_is_silenced_only_with_a_reason() -> None:
    silences = list(_silences())
    assert len(silences) > 20, "this test finds what it looks for"
    mute = [where for where, said, above in silences
            if not _tells_why(said) and not (above.startswith(("#", "//", "{#")) and _tells_why(above))]  # fmt: skip
    assert mute == []


@pytest.mark.parametrize("said", ["noqa", "noqa: S603, S607", "type: ignore[arg-type]",
                                  "shellcheck disable=SC2016", "noqa: S104  # fmt: skip"])  # fmt: skip
def test_a_bare_code_is_no_reason(said: str) -> None:
    assert SILENCED.search(f"# {said}")
    assert not _tells_why(f"# {said}")
    assert _tells_why(f"# {said}  a wall clock")
