"""The commands. Each reads arguments, calls one verb, prints; ends with 0, or with one clear sentence and a code."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import logging
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import segno

from homecircle import __version__, control, db
from homecircle.config import Config
from homecircle.errors import HouseError
from homecircle.files import Folder

data_option = click.option("--data", type=click.Path(path_type=Path), help="The data folder.")


class _Sentence(click.ClickException):
    def show(self, file: Any = None) -> None:
        click.echo(self.message, err=True)


class _Group(click.Group):
    """Turns a refusal of the house into its sentence and the code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except HouseError as error:
            raise _Sentence(str(error)) from error


@click.group(cls=_Group)
@click.version_option(__version__, prog_name="homecircle", message="%(prog)s %(version)s")
def main() -> None:
    """HomeCircle: a private micro-network for one family, on the family's own machine."""


@main.command()
@data_option
@click.option("--host", help="Listen on this address only (default: every address of this machine).")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Home port (default: 80, else the next free one from 8080)."
)
@click.option("--away-port", type=click.IntRange(0, 65535), help="Loopback port for your tunnel (default: 8081).")
@click.option("--open", "open_page", is_flag=True, help="Open the page in this machine's browser.")
def serve(data: Path | None, host: str | None, port: int | None, away_port: int | None, open_page: bool) -> None:
    """Run the server in the foreground."""
    from homecircle import server

    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("waitress").setLevel(logging.ERROR)
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    settings = Config.load(data, host=host, port=port, away_port=away_port)
    server.serve(settings, lambda running: _greet(running, open_page))


@main.command("setup-code")
@data_option
def setup_code(data: Path | None) -> None:
    """A fresh first-run code, with link and QR code for a phone."""
    _show_way_in(_asked(data, "setup-code", lambda: _alone("offer_setup")), "Set-up code")


@main.command()
@data_option
def recover(data: Path | None) -> None:
    """A one-time code that makes a device an admin's."""
    _show_way_in(_asked(data, "recover", lambda: _alone("offer_recovery")), "Recovery code")


@main.command()
@data_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(data: Path | None, as_json: bool) -> None:
    """Addresses, version, disk, last backup."""
    found = control.ask(_folder(data).control, "status")
    if found is None:
        raise _Sentence("HomeCircle is not running with this folder.")
    if as_json:
        import json

        click.echo(json.dumps(found))
        return
    click.echo(f"HomeCircle {found['version']} is running ({found['status']}).")
    click.echo("At home:  " + "  ".join(found["addresses"]))
    click.echo(f"Disk:     {found['free'] / 1e9:.1f} GB of {found['total'] / 1e9:.1f} GB free  ({found['data']})")
    for each in found["safety"]:
        last = f"last well {each['good_at']}" if each["good_at"] else "not yet"
        click.echo(f"{each['what'].capitalize() + ':':9} {each['place']}, {last}  {each['problem']}".rstrip())
    click.echo("Claimed:  " + ("yes" if found["claimed"] else "not yet: `homecircle setup-code` gives the code"))


@main.command()
@click.argument("job")
@data_option
def run(job: str, data: Path | None) -> None:
    """Run one JOB of the timetable now."""
    found = control.ask(_folder(data).control, "run", job=job)
    if found is None:
        raise _Sentence("HomeCircle is not running with this folder.")
    if found["outcome"] != "ok":
        raise _Sentence(found["outcome"])
    click.echo(f"{job}: ok")


@main.command()
@click.option("--to", type=click.Path(path_type=Path), help="Make it in this folder (another disk) instead.")
@data_option
def backup(to: Path | None, data: Path | None) -> None:
    """Make a backup now: database, originals, settings, each with its SHA-256."""
    from homecircle import backup as verbs

    place = to.absolute() if to else None
    settings = Config.load(data)
    if control.ask(Folder(settings.data).control, "backup", to=str(place or "")) is not None:
        made = _watched(Folder(settings.data))
    else:
        with _opened(data) as folder, _Bar("backing up") as bar:
            found = verbs.by_hand(folder, place, settings.second_place, bar.move)
        made = [each._asdict() for each in found]
    for each in made:
        click.echo(f"{each['path']}: {each['files']} files, {each['size'] / 1e6:.1f} MB, "
                   f"of which {each['copied'] / 1e6:.1f} MB were copied")  # fmt: skip
    if problems := [problem for each in made for problem in each["problems"]]:
        raise _Sentence("\n".join(problems))


@main.command()
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@data_option
def verify(directory: Path | None, data: Path | None) -> None:
    """Read every byte of the backup (or of all backups) in DIR; without DIR of the originals and all backups."""
    from homecircle import backup as verbs

    settings = Config.load(data)
    if directory is None and not Folder(settings.data).database.exists():
        raise _Sentence(f"There is no HomeCircle in {settings.data} yet. `homecircle serve` makes one.")
    places = [directory] if directory else [Folder(settings.data).backups, *filter(None, [settings.second_place])]
    problems: list[str] = []
    for place in places:
        with _Bar(f"reading {place}") as bar:
            problems += verbs.verify(place, bar.move)
    if directory is None:
        with _Bar("reading the originals") as bar:
            problems += verbs.verify_vault(Folder(settings.data), bar.move)
    if problems:
        raise _Sentence("\n".join(problems))
    click.echo("Everything is whole.")


@main.command()
@click.argument("backup_folder", metavar="BACKUP", type=click.Path(path_type=Path, exists=True))
@click.option("--data", "new", required=True, type=click.Path(path_type=Path), help="A new, empty data folder.")
def restore(backup_folder: Path, new: Path) -> None:
    """Bring BACKUP back into a new, empty data folder."""
    from homecircle import backup as verbs

    with _Bar("restoring") as bar:
        found = verbs.restore(backup_folder.absolute(), new.absolute(), bar.move)
    click.echo(f"{found.files} files, {found.size / 1e6:.1f} MB are in {new}. Every device was signed out:")
    click.echo(f"  homecircle serve --data {new}\n  homecircle recover --data {new}    lets the first admin in")
    if found.problems:
        raise _Sentence("\n".join(found.problems))


@main.command()
@data_option
def doctor(data: Path | None) -> None:
    """One check a line, one next step each."""
    from homecircle import doctor as checks

    settings = Config.load(data)
    folder = Folder(settings.data)
    running = control.ask(folder.control, "status")
    if folder.root.exists():
        folder.become_owner()
    findings = checks.look(settings, running)
    for each in findings:
        click.echo(f"{'ok   ' if each.is_well else 'LOOK '} {each.name}: {each.seen}")
        if each.next_step:
            click.echo(f"      -> {each.next_step}")
    if unwell := sum(not each.is_well for each in findings):
        raise _Sentence(f"{unwell} of {len(findings)} need a look.")


@main.command()
@click.option(
    "--data", required=True, type=click.Path(path_type=Path), help="A new folder; one with anything in it is refused."
)
@click.option("--posts", default=1000, show_default=True, type=click.IntRange(0, 10_000_000))
@click.option("--years", default=5, show_default=True, type=click.IntRange(1, 100), help="Spread over so many years.")
@click.option(
    "--photos",
    default=12,
    show_default=True,
    type=click.IntRange(0, 100_000),
    help="Pictures that are really made, kept and drawn in every size.",
)
@click.option(
    "--items",
    default=-1,
    type=click.IntRange(-1, 1_000_000),
    help="Photos in posts; those beyond --photos are further items of the same files.  [default: one for three posts]",
)
@click.option(
    "--seed", default=1, show_default=True, help="The same seed, sizes and day: the same family, word for word."
)
@click.option(
    "--until", type=click.DateTime(["%Y-%m-%d"]), help="The last day ends here.  [default: today at 00:00 UTC]"
)
def sample(data: Path, **sizes: Any) -> None:
    """Fill a new folder with a made-up family, for trying out; prints a token that opens the home door."""
    from homecircle import sample as verbs

    until = sizes.pop("until")
    plan = verbs.Plan(**sizes, until=until and until.replace(tzinfo=dt.UTC))
    made = verbs.build(Folder(data.absolute()), plan)
    click.echo(f"{made.posts} posts, {made.messages} messages, {made.marks} marks, {made.items} photos in posts.")
    click.echo(f"  homecircle serve --data {data}\nThe cookie hc_lan of {next(iter(made.tokens))}'s phone:")
    click.echo(next(iter(made.tokens.values())))


def _watched(folder: Folder) -> list[dict[str, Any]]:
    """Follow the backup that the running server makes, to its end."""
    with _Bar("backing up") as bar:
        while True:
            told = control.ask(folder.control, "backup-progress")
            if told is None:
                raise _Sentence("HomeCircle was stopped before the backup was done.")
            bar.move(told["done"], told["whole"])
            if told["finished"]:
                break
            threading.Event().wait(0.3)
    if told["failed"]:
        raise _Sentence(told["failed"])
    return list(told["made"])


class _Bar:
    """How far long work is: a bar on a terminal, a line every tenth elsewhere."""

    def __init__(self, what: str) -> None:
        self._what, self._tenth = what, 0
        self._bar: Any = None

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._bar is not None:
            self._bar.render_finish()

    def move(self, done: int, whole: int) -> None:
        """So much of all is done (bytes)."""
        if not sys.stderr.isatty():
            tenth = done * 10 // whole if whole else 0
            if tenth > self._tenth:
                click.echo(f"{self._what}: {tenth * 10} %", err=True)
            self._tenth = max(tenth, self._tenth)
            return
        if self._bar is None:
            self._bar = click.progressbar(length=max(1, whole), label=self._what, file=sys.stderr)
        self._bar.length = max(1, whole)
        self._bar.pos = min(done, self._bar.length)
        self._bar.render_progress()


@contextlib.contextmanager
def _opened(data: Path | None) -> Iterator[Folder]:
    """The folder without a server: its lock, as its owner, and its database."""
    folder = _folder(data)
    if not folder.database.exists():
        raise _Sentence(f"There is no HomeCircle in {folder.root} yet. `homecircle serve` makes one.")
    folder.become_owner()
    with folder.lock():
        folder.prepare()
        db.open_file(folder.database)
        try:
            yield folder
        finally:
            db.close_file()


def _folder(data: Path | None) -> Folder:
    return Folder(Config.load(data).data)


def _asked(data: Path | None, verb: str, alone: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Ask the running server; without one take the folder's lock, as the folder's owner."""
    found = control.ask(_folder(data).control, verb)
    if found is not None:
        return found
    with _opened(data):
        return alone()


def _alone(offer: str) -> dict[str, Any]:
    from homecircle import devices

    made = getattr(devices, offer)()
    return {"code": made.code, "link": "", "addresses": []}


def _greet(running: Any, open_page: bool) -> None:
    """Say where the house is; on a terminal of one's own also the set-up code (the journal never carries it)."""
    address = running.house.addresses()[0]
    if sys.stdout.isatty():
        click.echo(f"HomeCircle is at home: {'  '.join(running.house.addresses())}")
        if not running.status()["claimed"]:
            _show_way_in(running.setup_code(), "Set-up code")
        click.echo("Stop it with Ctrl-C.")
    else:
        click.echo(f"serving {address}")
        sys.stdout.flush()
    if open_page:
        webbrowser.open(address)


def _show_way_in(found: dict[str, Any], what: str) -> None:
    code = found["code"]
    if found["link"]:
        if sys.stdout.isatty():
            drawn = io.StringIO()
            segno.make(found["link"], error="l").terminal(out=drawn, compact=True, border=1)
            click.echo(drawn.getvalue())
        click.echo(f"Open on a phone:  {found['link']}")
        click.echo("or type:          " + "  ".join(found["addresses"]))
    click.echo(f"{what}:      {code[:4]} {code[4:]}")
