"""The commands. Each reads arguments, calls one verb, prints; ends with 0, or with one clear sentence and a code."""

from __future__ import annotations

import io
import logging
import sys
import webbrowser
from collections.abc import Callable
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
    """Addresses, version, disk."""
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


def _folder(data: Path | None) -> Folder:
    return Folder(Config.load(data).data)


def _asked(data: Path | None, verb: str, alone: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Ask the running server; without one take the folder's lock, as the folder's owner."""
    folder = _folder(data)
    found = control.ask(folder.control, verb)
    if found is not None:
        return found
    if not folder.database.exists():
        raise _Sentence(f"There is no HomeCircle in {folder.root} yet. `homecircle serve` makes one.")
    folder.become_owner()
    folder.prepare()
    with folder.lock():
        db.open_file(folder.database)
        try:
            return alone()
        finally:
            db.close_file()


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
