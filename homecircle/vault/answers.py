"""What the parent of the decoder child believes of the words that come back: every number and name is checked.

The child opens hostile bytes, so whatever it says may be a lie. What does not fit raises `Died`: a child that talks
nonsense is as good as dead.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from io import BytesIO
from typing import IO, Any

from homecircle.vault import images, videos
from homecircle.vault.images import Drawing, Picture
from homecircle.vault.videos import Film

DRAWN_LIMIT = 20 << 20  # bytes of all renditions of one picture together
BLANK = struct.Struct(">QQ")  # offset, length


class Died(Exception):
    """The child ended without an answer, or answered nonsense."""


_CHECKS: dict[str, Callable[[Any], bool]] = {
    "media_type": lambda told: isinstance(told, str) and told in images.FORMATS,
    "width": lambda told: _is_number(told, 1, 1_000_000),
    "height": lambda told: _is_number(told, 1, 1_000_000),
    "taken": lambda told: _is_text(told, r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"),
    "offset": lambda told: _is_text(told, r"[+-]\d\d:\d\d"),
    "camera": lambda told: isinstance(told, str) and len(told) <= images.CAMERA_LIMIT and told.isprintable(),
    "has_place": lambda told: isinstance(told, bool),
    "animated": lambda told: isinstance(told, bool),
    "preview": lambda told: _is_number(told, 0, images.PREVIEW_LIMIT),
    "drawings": lambda told: isinstance(told, list) and 0 < len(told) <= len(images.EDGES),
}
_DRAWING_CHECKS: dict[str, Callable[[Any], bool]] = {
    "edge": lambda told: _is_number(told, 1, max(images.EDGES)),
    "media_type": lambda told: isinstance(told, str) and told in images.DRAWN_TYPES,
    "width": lambda told: _is_number(told, 1, max(images.EDGES)),
    "height": lambda told: _is_number(told, 1, max(images.EDGES)),
    "data": lambda told: _is_number(told, 1, DRAWN_LIMIT),
}
_FILM_CHECKS: dict[str, Callable[[Any], bool]] = {
    "media_type": lambda told: isinstance(told, str) and told in videos.TYPES,
    "duration": lambda told: type(told) is float and 0.0 <= told <= 1e6,
    "width": lambda told: _is_number(told, 1, 0xFFFF),
    "height": lambda told: _is_number(told, 1, 0xFFFF),
    "taken": _CHECKS["taken"],
    "offset": _CHECKS["offset"],
    "has_place": lambda told: isinstance(told, bool),
    "blanks": lambda told: told is None or _is_number(told, 0, videos.BLANKS_LIMIT),
}


def _is_number(told: Any, low: int, high: int) -> bool:
    return type(told) is int and low <= told <= high


def _is_text(told: Any, pattern: str) -> bool:
    return told is None or (isinstance(told, str) and re.fullmatch(pattern, told, re.ASCII) is not None)


def _check(told: Any, checks: dict[str, Callable[[Any], bool]]) -> None:
    if not isinstance(told, dict) or set(told) != set(checks):
        raise Died
    if not all(is_right(told[name]) for name, is_right in checks.items()):
        raise Died


def picture(told: dict[str, Any], body: bytes) -> Picture:
    """The child's words made a Picture, every one of them checked."""
    _check(told, _CHECKS)
    rest = BytesIO(body)
    preview = rest.read(told["preview"])
    if len(preview) != told["preview"] or (preview and images.sniff(preview) != "image/webp"):
        raise Died
    drawings = tuple(_drawing(one, rest) for one in told["drawings"])
    if tuple(one.edge for one in drawings) != images.edges_for(told["width"], told["height"]) or rest.read(1):
        raise Died
    return Picture(**told | {"preview": preview, "drawings": drawings})


def _drawing(told: Any, rest: IO[bytes]) -> Drawing:
    _check(told, _DRAWING_CHECKS)
    data = rest.read(told["data"])
    is_whole = len(data) == told["data"] and images.sniff(data[:64]) == told["media_type"]
    if not is_whole or max(told["width"], told["height"]) > told["edge"]:
        raise Died
    return Drawing(**told | {"data": data})


def film(told: dict[str, Any], body: bytes, size: int) -> Film:
    """The child's words made a Film, every one of them checked; blanks lie in the file, in order and apart."""
    _check(told, _FILM_CHECKS)
    if len(body) != (told["blanks"] or 0) * BLANK.size:
        raise Died
    blanks = tuple(BLANK.iter_unpack(body))
    end = 0
    for offset, length in blanks:
        if offset < end or not 0 < length <= size - offset:
            raise Died
        end = offset + length
    return Film(**told | {"blanks": None if told["blanks"] is None else blanks})
