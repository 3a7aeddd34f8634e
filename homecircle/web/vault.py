"""The pages of the vault: one item, its renditions, its original."""

from __future__ import annotations

from urllib.parse import quote

from flask import Blueprint, Response, g, request

from homecircle import vault
from homecircle.vault import ENDINGS
from homecircle.web import guard, rendering
from homecircle.web.house import house
from homecircle.web.sending import IMMUTABLE, send

pages = Blueprint("vault", __name__, url_prefix="/vault")


@pages.get("/<public_id>")
def show(public_id: str) -> str:
    """One item on a page of its own; with ?part=tile only its tile."""
    part = request.args.get("part") == "tile"
    found = vault.get(public_id, g.me.id)
    return rendering.page("vault/_tile.html" if part else "vault/show.html", tile=found)


@pages.get("/<public_id>/<int:edge>-<stamp>")
@guard.medium
def rendition(public_id: str, edge: int, stamp: str) -> Response:
    """A smaller picture; its URL changes with its content, so browsers may keep it."""
    found = vault.rendition(house().folder, public_id, edge, stamp, g.me.id)
    return send(found.path, found.media_type, f"{stamp}-{edge}", IMMUTABLE)


@pages.get("/<public_id>/original")
@guard.medium
def original(public_id: str) -> Response:
    """The file as it came (for others: without place), whole or in pieces."""
    kept = vault.original(house().folder, house().decoder, public_id, g.me.id)
    answer = send(
        kept.path, kept.media_type, f"{public_id}-{kept.mark}", "private, no-cache", kept.blanks
    )
    kind = "inline" if kept.media_type in ENDINGS else "attachment"
    answer.headers["Content-Disposition"] = f"{kind}; filename*=UTF-8''{quote(kept.name)}"
    return answer
