"""The commands that move things in and out: import and export."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from homecircle import control
from homecircle.cli.terminal import Bar, Sentence, data_option, folder_of, looked_into, opened, watched
from homecircle.errors import HouseError
from homecircle.files import Folder


@click.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only look, and say what would come.")
@click.option("--member", default="", metavar="NAME", help="Into whose vault.  [default: the first admin's]")
@click.option("--for", "audience", type=click.Choice(["me", "everyone"]), default="me", show_default=True,
              help="Who may see it, besides that member. Final for what comes.")  # fmt: skip
@click.option("--keep-files", is_flag=True, help="Also what can never be shown (RAW, PDF), as files for download.")
@data_option
def import_(path: Path, data: Path | None, **asked: Any) -> None:
    """Bring in photos and videos from PATH: a folder, a ZIP, or a Google Takeout (also a folder of its ZIPs).

    What `homecircle export` made brings an empty house back as it was: people, words and all.
    What is there already is skipped, so the same again goes on where it was stopped.
    """
    path, look = path.absolute(), asked["dry_run"]
    if not look and _come_back(path, data):
        return
    wish = {"member": asked["member"], "everyone": asked["audience"] == "everyone", "is_look": look,
            "keeps_files": asked["keep_files"]}  # fmt: skip
    with _handed(path) as handed:
        if control.ask(folder_of(data).control, "import", handed=handed, path=str(path), **wish) is not None:
            told = _brought(folder_of(data))
        else:
            told = _bring_alone(data, path, handed, wish)
    _say_report(told["report"], look)
    if told["failed"]:
        raise Sentence(told["failed"])
    if told["stopped"]:
        raise Sentence("Stopped. The same command goes on with the rest.")


@click.command()
@click.option("--to", required=True, type=click.Path(path_type=Path), help="A new or empty folder: a USB stick, say.")
@click.option("--member", default="", metavar="NAME", help="Only what this member may see.")
@data_option
def export(to: Path, member: str, data: Path | None) -> None:
    """Take everything along: pages for any browser, originals by date, and JSON. It may run beside the server."""
    from homecircle import archive

    with looked_into(data) as folder, Bar("taking along") as bar:
        made = archive.export(folder, to.absolute(), member, bar.move)
    click.echo(f"{made.files} files, {made.size / 1e6:.1f} MB. Open {made.path / 'index.html'} in any browser.")
    if made.problems:
        raise Sentence("\n".join(made.problems))


@contextlib.contextmanager
def _handed(path: Path) -> Iterator[int]:
    """Open PATH as the one who typed the command: the server, or the folder's owner, may not be let in there."""
    try:
        handed = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise Sentence(f"{path} cannot be read ({error.strerror}).") from None
    try:
        yield handed
    finally:
        os.close(handed)


def _come_back(path: Path, data: Path | None) -> bool:
    """Make an empty house the one that was taken out; False where somebody lives in it, or it is no export."""
    from homecircle import archive, members

    if not archive.is_export(path):
        return False
    begun = control.ask(folder_of(data).control, "bring-back", path=str(path))
    if begun is None:
        with opened(data) as folder, Bar("bringing back") as bar:
            made = {} if members.roster() else archive.bring_back(folder, path, bar.move)._asdict()
    else:
        made = watched(folder_of(data), "bringing back")[0] if begun["begun"] else {}
    if made:
        click.echo(f"{made['people']} people, {made['posts']} posts, {made['messages']} answers and {made['items']} "
                   "photos and files are back. `homecircle recover` lets the first admin in.")  # fmt: skip
        if made["problems"]:
            raise Sentence("\n".join(made["problems"]))
    return bool(made)


def _brought(folder: Folder) -> dict[str, Any]:
    """Follow what the running server brings in, to its end; Ctrl-C stops it there too."""
    with Bar("bringing in") as bar:
        while True:
            try:
                told = control.ask(folder.control, "import-progress")
                if told is None:
                    raise Sentence("HomeCircle was stopped before everything was in. The same command goes on.")
                bar.move(told["done"], told["whole"])
                if told["finished"]:
                    return told
                threading.Event().wait(0.3)
            except KeyboardInterrupt:
                control.ask(folder.control, "import-stop")


def _bring_alone(data: Path | None, path: Path, handed: int, wish: dict[str, Any]) -> dict[str, Any]:
    """Bring in without a server; the pictures are drawn when it next starts."""
    from homecircle.archive import gathering, pile

    told: dict[str, Any] = {"failed": "", "stopped": False}
    with opened(data) as folder, Bar("bringing in") as bar:
        source = pile.Source(path, handed)
        pile.refuse(folder, source)
        walk = gathering.Gathering(folder, gathering.wished(source, **wish), bar.move)
        try:
            walk.run()
        except KeyboardInterrupt:
            told["stopped"] = True
        except HouseError as refusal:
            told["failed"] = str(refusal)
        return told | {"report": walk.report.told()}


def _say_report(report: dict[str, Any], is_look: bool) -> None:
    from homecircle.archive.gathering import WHY

    came = ", ".join(f"{report[each]} {each if report[each] != 1 else each[:-1]}"
                     for each in ("photos", "videos", "files", "links")
                     if report[each] or each not in {"files", "links"})  # fmt: skip
    first, last = report["first"], report["last"]
    years = f", {first}" + (f" to {last}" if first != last else "") if first else ""
    click.echo(f"{came} {'would come' if is_look else 'came'} ({report['size'] / 1e6:.1f} MB{years}).")
    for number, words in ((report["there"], "already in your vault, or its trash"),
                          (report["twice"], "there more than once, and come once"),
                          (report["undated"], "with no date but the file's own")):  # fmt: skip
        if number:
            click.echo(f"{number} {words}.")
    for why, number in report["why"].items():
        click.echo(f"{number} left out, {WHY[why]}:")
        for path, _ in (each for each in report["left"] if each[1] == why):
            click.echo(f"  {path}")
