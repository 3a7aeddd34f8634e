"""The page on which something in one's trash is forgotten everywhere, backups included."""

from __future__ import annotations

from flask import Blueprint, Response, g, request

from homecircle import trash
from homecircle.web import guard, rendering
from homecircle.web.house import house

pages = Blueprint("trash", __name__, url_prefix="/vault/trash")


@pages.get("/<kind>/<public_id>")
@guard.own
def show(kind: str, public_id: str) -> str:
    """Ask once more: nobody can take this back."""
    return rendering.page("trash/show.html", thing=trash.thing(kind, public_id, g.me.reader))


@pages.post("/<kind>/<public_id>/forget")
@guard.own
def forget(kind: str, public_id: str) -> Response:
    """Let it go from the house now, and have the backups gone through at once."""
    trash.forget(kind, public_id, g.me.reader, with_photos=bool(request.form.get("photos")))
    house().begin("forget")
    return rendering.lead_to("vault.trash", forgotten=1)
