"""The commands. Each reads arguments, calls one verb, prints; ends with 0, or with one clear sentence and a code.

`keeping` has those of backups, `moving` import and export, `terminal` what they share.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from homecircle import __version__, control
from homecircle.cli import keeping, moving
from homecircle.cli.terminal import Group, Sentence, data_option, folder_of, opened
from homecircle.config import Config
from homecircle.files import Folder


@click.group(cls=Group)
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
    found = control.ask(folder_of(data).control, "status")
    if found is None:
        raise Sentence("HomeCircle is not running with this folder.")
    if as_json:
        click.echo(json.dumps(found))
        return
    click.echo(f"HomeCircle {found['version']} is running ({found['status']}).")
    click.echo("At home:  " + "  ".join(found["addresses"]))
    click.echo(f"Disk:     {found['free'] / 1e9:.1f} GB of {found['total'] / 1e9:.1f} GB free  ({found['data']})")
    if found.get("room_until"):
        click.echo(f"Room:     until about {dt.date.fromisoformat(found['room_until']):%B %Y}")
    for each in found["safety"]:
        last = f"last well {each['good_at']}" if each["good_at"] else "not yet"
        click.echo(f"{each['what'].capitalize() + ':':9} {each['place']}, {last}  {each['problem']}".rstrip())
    for each in found["jobs"]:
        if each["outcome"] not in {"", "ok"}:
            click.echo(f"Job:      {each['name']} failed at {each['began_at']}: {each['outcome']}")
    click.echo("Claimed:  " + ("yes" if found["claimed"] else "not yet: `homecircle setup-code` gives the code"))


@main.command()
@click.argument("job")
@data_option
def run(job: str, data: Path | None) -> None:
    """Run one JOB of the timetable now."""
    found = control.ask(folder_of(data).control, "run", job=job)
    if found is None:
        raise Sentence("HomeCircle is not running with this folder.")
    if found["outcome"] != "ok":
        raise Sentence(found["outcome"])
    click.echo(f"{job}: ok")


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
        raise Sentence(f"{unwell} of {len(findings)} need a look.")


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


def _asked(data: Path | None, verb: str, alone: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Ask the running server; without one take the folder's lock, as the folder's owner."""
    found = control.ask(folder_of(data).control, verb)
    if found is not None:
        return found
    with opened(data):
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
        import webbrowser  # a start does not wait for it

        webbrowser.open(address)


def _show_way_in(found: dict[str, Any], what: str) -> None:
    code = found["code"]
    if found["link"]:
        if sys.stdout.isatty() and not found.get("here"):
            import segno

            drawn = io.StringIO()
            segno.make(found["link"], error="l").terminal(out=drawn, compact=True, border=1)
            click.echo(drawn.getvalue())
        click.echo(f"{'Open here:      ' if found.get('here') else 'Open on a phone:'}  {found['link']}")
        click.echo("or type:          " + "  ".join(found["addresses"]))
    click.echo(f"{what}:      {code[:4]} {code[4:]}")


for each in (
    keeping.backup,
    keeping.verify,
    keeping.restore,
    keeping.bring,
    keeping.rehearse,
    moving.import_,
    moving.export,
):
    main.add_command(each)
