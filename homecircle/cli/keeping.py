"""The commands that keep things safe: backup, verify, restore, and what install.sh and the first page ask for."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from homecircle import control
from homecircle.cli.terminal import Bar, Sentence, data_option, folder_of, opened, watched
from homecircle.config import Config
from homecircle.errors import HouseError
from homecircle.files import Folder


@click.command()
@click.option("--to", type=click.Path(path_type=Path), help="Make it in this folder (another disk) instead.")
@data_option
def backup(to: Path | None, data: Path | None) -> None:
    """Make a backup now: database, originals, settings, each with its SHA-256."""
    from homecircle import backup as verbs

    place = to.absolute() if to else None
    settings = Config.load(data)
    if control.ask(Folder(settings.data).control, "backup", to=str(place or "")) is not None:
        made = watched(Folder(settings.data))
    else:
        with opened(data) as folder, Bar("backing up") as bar:
            found = verbs.by_hand(folder, place, settings.second_place, bar.move)
        made = [each._asdict() for each in found]
    for each in made:
        click.echo(f"{each['path']}: {each['files']} files, {each['size'] / 1e6:.1f} MB, "
                   f"of which {each['copied'] / 1e6:.1f} MB were copied")  # fmt: skip
    if problems := [problem for each in made for problem in each["problems"]]:
        raise Sentence("\n".join(problems))


@click.command()
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@data_option
def verify(directory: Path | None, data: Path | None) -> None:
    """Read every byte of the backup (or of all backups) in DIR; without DIR of the originals and all backups."""
    from homecircle import backup as verbs

    settings = Config.load(data)
    if directory is None and not Folder(settings.data).database.exists():
        raise Sentence(f"There is no HomeCircle in {settings.data} yet. `homecircle serve` makes one.")
    places = [directory] if directory else [Folder(settings.data).backups, *filter(None, [settings.second_place])]
    problems: list[str] = []
    for place in places:
        with Bar(f"reading {place}") as bar:
            problems += verbs.verify(place, bar.move)
    if directory is None:
        with Bar("reading the originals") as bar:
            problems += verbs.verify_vault(Folder(settings.data), bar.move)
    if problems:
        raise Sentence("\n".join(problems))
    click.echo("Everything is whole.")


@click.command()
@click.argument("backup_folder", metavar="BACKUP", type=click.Path(path_type=Path, exists=True))
@click.option("--data", "new", required=True, type=click.Path(path_type=Path), help="A new, empty data folder.")
@click.option("--old", type=click.Path(path_type=Path, exists=True), help="The data folder from before, if it can be "
              "read: what was signed out, removed or deleted since the backup stays so.")  # fmt: skip
def restore(backup_folder: Path, new: Path, old: Path | None) -> None:
    """Bring BACKUP back into a new, empty data folder."""
    from homecircle import backup as verbs

    with Bar("restoring") as bar:
        found = verbs.restore(backup_folder.absolute(), new.absolute(), bar.move, old.absolute() if old else None)
    click.echo(f"{found.files} files, {found.size / 1e6:.1f} MB are in {new}.")
    if found.again:
        click.echo(f"{found.again} things that were signed out, removed or deleted since that backup stay so.")
    click.echo(f"{found.suspended} devices wait: an admin says at /house/restored which are still yours.")
    click.echo(f"  homecircle serve --data {new}\n  homecircle recover --data {new}    lets the first admin in")
    if found.problems:
        raise Sentence("\n".join(found.problems))


@click.command(hidden=True)
@data_option
def bring(data: Path | None) -> None:
    """What a fresh house's page asks for: bring a backup beside it. Reads one JSON line, tells of it in JSON lines."""
    from homecircle import backup as verbs

    place, *seat = json.loads(sys.stdin.read())
    told = [0]

    def watch(done: int, whole: int) -> None:
        if done - told[0] >= whole // 100 or done == whole:
            told[0] = done
            click.echo(json.dumps({"done": done, "whole": whole}))

    try:
        verbs.bring(folder_of(data), Path(place), verbs.Seat(*seat), watch)
    except HouseError as error:
        click.echo(json.dumps({"message": error.message, "values": {k: str(v) for k, v in error.values.items()}}))
        sys.exit(1)


@click.command(hidden=True)
@data_option
def rehearse(data: Path | None) -> None:
    """Try this version on a copy of the house, which stays as it is: install.sh asks for it before it switches."""
    from homecircle import rehearsal

    folder = folder_of(data)
    if not folder.database.exists():
        raise Sentence(f"There is no HomeCircle in {folder.root} yet. `homecircle serve` makes one.")
    folder.become_owner()
    click.echo(f"{rehearsal.rehearse(folder)} pages of a copy are well.")
