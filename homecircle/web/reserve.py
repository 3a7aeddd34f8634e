"""A full disk: reading, deleting and coming in go on; words and files wait, each with 507 and a sentence.

Uploads stop first (1 GiB or 5 %), words at 200 MiB; the disk is asked before each write, so the house writes again the
moment there is room.
"""

from __future__ import annotations

from flask import Flask, request

from homecircle.web import guard
from homecircle.web.house import house

GO_ON = ("/delete", "/leave", "/bye")  # what makes room, or only ends something
COME_IN = ("/hello", "/join")  # an admin who wants to make room must get in


def keep() -> None:
    """Before a page: raise `NoSpace` for a write that would take what the house needs for itself."""
    if request.method in {*guard.SAFE, "DELETE"} or request.path.endswith(GO_ON) or request.path.startswith(COME_IN):
        return
    if request.method == "PATCH":
        house().folder.make_room(request.content_length or 0)
    else:
        house().folder.room_for_words()


def install(app: Flask) -> None:
    """Ask before every request; after the guard, so that a stranger learns nothing of the disk."""
    app.before_request(keep)
