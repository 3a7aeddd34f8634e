"""What the commands share: the folder they mean, refusals as one sentence, how far long work is."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from homecircle import control, db
from homecircle.config import Config
from homecircle.errors import HouseError
from homecircle.files import Folder

data_option = click.option("--data", type=click.Path(path_type=Path), help="The data folder.")


class Sentence(click.ClickException):
    """One clear sentence on stderr, and the code 1."""

    def show(self, file: Any = None) -> None:
        click.echo(self.message, err=True)


class Group(click.Group):
    """Turns a refusal of the house into its sentence and the code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except HouseError as error:
            raise Sentence(str(error)) from error


class Bar:
    """How far long work is: a bar on a terminal, a line every tenth elsewhere."""

    def __init__(self, what: str) -> None:
        self._what, self._tenth = what, 0
        self._bar: Any = None

    def __enter__(self) -> Bar:
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


def watched(folder: Folder, what: str = "backing up") -> list[dict[str, Any]]:
    """Follow the backup that the running server makes (or the house it brings back), to its end."""
    with Bar(what) as bar:
        while True:
            told = control.ask(folder.control, "backup-progress")
            if told is None:
                raise Sentence("HomeCircle was stopped before this was done.")
            bar.move(told["done"], told["whole"])
            if told["finished"]:
                break
            threading.Event().wait(0.3)
    if told["failed"]:
        raise Sentence(told["failed"])
    return list(told["made"])


@contextlib.contextmanager
def opened(data: Path | None) -> Iterator[Folder]:
    """The folder without a server: its lock, as its owner, and its database."""
    folder = folder_of(data)
    if not folder.database.exists():
        raise Sentence(f"There is no HomeCircle in {folder.root} yet. `homecircle serve` makes one.")
    folder.become_owner()
    with folder.lock():
        folder.prepare()
        db.open_file(folder.database)
        try:
            yield folder
        finally:
            db.close_file()


@contextlib.contextmanager
def looked_into(data: Path | None) -> Iterator[Folder]:
    """The folder and its database to be read only, also while a server runs with it."""
    folder = folder_of(data)
    try:
        if not folder.database.exists():
            raise Sentence(f"There is no HomeCircle in {folder.root} yet. `homecircle serve` makes one.")
        folder.database.open("rb").close()
    except PermissionError:
        raise Sentence("Only the account that runs HomeCircle (or root) may do this. Try it with sudo.") from None
    with db.looking(folder.database):
        yield folder


def folder_of(data: Path | None) -> Folder:
    """The data folder that was meant: named, in the environment, or the platform's own."""
    return Folder(Config.load(data).data)
