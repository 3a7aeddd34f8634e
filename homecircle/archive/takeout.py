"""What a Google Takeout says of its photos: the JSON file beside each, and the album whose folder it lies in.

Google cuts names to 51 signs, numbers what would have the same name, and writes one JSON for a photo, its edited copy
and its moving half, so the name of that JSON is looked for in this order: the photo's own, with the number moved behind
it, cut short, without ``-edited``, and last that of the same stem. Both forms are in the field: ``IMG_1.jpg.json`` (to
2024) and ``IMG_1.jpg.supplemental-metadata.json`` with all its beginnings. What it says of places is not read.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, NamedTuple

NOTE_LIMIT = 1 << 20  # bytes of one JSON; the largest in the field have 3 kB
NAME_LIMIT = 51  # of Google's names, the ending included
LEAST = 40  # signs that a name which was cut still has
ENDING = ".json"
SUPPLEMENT = "supplemental-metadata"
EARLIEST = dt.datetime(1826, 1, 1, tzinfo=dt.UTC)  # the first photo there is
_NUMBERED = re.compile(r"(?P<stem>.+?)(?P<number>\(\d+\))?(?P<ending>\.[^.()]*)?")
_EDITED = re.compile(
    "-(edited|bearbeitet|bewerkt|modifié|modificato|editado|editada|redigerad|redigeret|redigert|edytowane|muokattu)$"
)
_ALBUM = re.compile(r"m[eé]ta\w*(\(\d+\))?\.json")
_YEAR = re.compile(
    r"(photos?|fotos?|foto.s|bilder|kuvat|zdjęcia|fotky|valokuvat) "
    r"((from|von|vom|aus|de|da|do|del|dal|di|van|uit|från|fra|z|ze|vuodelta) (l.)?)?"
    r"((the |dem )?(year|jahr|année|año|anno|ano|roku) )?(19|20)\d\d"
)
_DAY = re.compile(r"(19|20)\d\d-\d\d-\d\d([ #_-].*)?|untitled.*|ohne titel.*")
_TRASH = {"trash", "bin", "papierkorb", "corbeille", "cestino", "papelera", "prullenbak", "lixeira", "kosz"}
_ARCHIVE = {"archive", "archiv", "archivio", "archief", "archivo", "arquivo"}


class Told(NamedTuple):
    """What is known of a photo beside its bytes. `taken` is a moment; a camera's own clock is better where it is.

    `name` is what the file was called when it came, where that is not what it is called here.
    """

    taken: dt.datetime | None = None
    album: str = ""
    description: str = ""
    is_trash: bool = False
    name: str = ""


class Notes:
    """The JSON files of one or several Takeouts, found by the names of the photos beside them."""

    def __init__(self, paths: Iterable[str], read: Callable[[str], bytes]) -> None:
        self._read = read
        self._notes: dict[str, dict[tuple[str, str], str]] = {}
        self._albums: dict[str, str] = {}
        for path in paths:
            folder, _, name = path.rpartition("/")
            name = _plain(name)
            if _ALBUM.fullmatch(name):
                self._albums.setdefault(folder, path)
            elif name.endswith(ENDING):
                self._index(folder, name.removesuffix(ENDING), path)
        self._titles: dict[str, str] = {}

    def about(self, path: str) -> Told:
        """Return what is told of a photo or film by its path."""
        folder, _, name = path.rpartition("/")
        found = self._note(folder, _plain(name))
        said = _object(self._read(found)) if found else {}
        album = self._album(folder, is_takeout="photoTakenTime" in said)
        is_trash = said.get("trashed") is True or (bool(said) and folder.rpartition("/")[2].lower() in _TRASH)
        return Told(_moment(said.get("photoTakenTime")), album, _text(said.get("description")), is_trash)

    def _index(self, folder: str, name: str, path: str) -> None:
        """By the photo's name and number, and by its stem for the halves that have no JSON of their own."""
        found = re.fullmatch(r"(.+?)(\(\d+\))?", name)
        core, number = (found[1], found[2] or "") if found else (name, "")
        photo, _, rest = core.rpartition(".")
        if photo and SUPPLEMENT.startswith(rest):
            core = photo
        here = self._notes.setdefault(folder, {})
        here.setdefault((core, number), path)
        stem, its_number, _ = _parts(core)
        here.setdefault(("/" + stem, its_number or number), path)

    def _note(self, folder: str, name: str) -> str:
        here = self._notes.get(folder)
        if not here:
            return ""
        stem, number, ending = _parts(name)
        plain = _EDITED.sub("", stem)
        for each in dict.fromkeys((stem, plain)):
            whole = each + ending
            found = here.get((each + number + ending, "")) or here.get((whole, number)) or _cut(here, whole, number)
            if found:
                return found
        halves = (stem, plain, stem + ending)  # the last: PXL_1.MP is half of PXL_1.MP.jpg
        return next((here["/" + each, number] for each in halves if ("/" + each, number) in here), "")

    def _album(self, folder: str, *, is_takeout: bool) -> str:
        """The title of the album whose folder it is, or '' for a year, a day, and every folder that is not Google's."""
        if folder not in self._titles:
            path, (above, _, name) = self._albums.get(folder), folder.rpartition("/")
            title = _text(_object(self._read(path)).get("title")) if path else ""
            from_google = path or (is_takeout and above.rpartition("/")[2].lower().startswith("google "))
            title = title or (name if from_google else "")
            self._titles[folder] = "" if _is_no_album(title) or _is_no_album(name) else title
        return self._titles[folder]


def _cut(here: dict[tuple[str, str], str], whole: str, number: str) -> str:
    """The JSON of a name that was too long: its own beginning, or the whole with a beginning of the supplement."""
    longest = min(len(whole), NAME_LIMIT)
    return next((here[whole[:length], number] for length in range(longest, LEAST - 1, -1)
                 if (whole[:length], number) in here), "")  # fmt: skip


def _parts(name: str) -> tuple[str, str, str]:
    """'img_1(2).jpg' as ('img_1', '(2)', '.jpg')."""
    found = _NUMBERED.fullmatch(name)
    return (found["stem"], found["number"] or "", found["ending"] or "") if found else (name, "", "")


@lru_cache(4096)
def _is_no_album(title: str) -> bool:
    plain = _plain(title)
    return bool(_YEAR.fullmatch(plain) or _DAY.fullmatch(plain)) or plain in _TRASH | _ARCHIVE


def _plain(name: str) -> str:
    """One spelling of a name: ZIPs of a Mac part letters from their accents."""
    return unicodedata.normalize("NFC", name).lower()


def _object(data: bytes) -> dict[str, Any]:
    """The JSON object in a file; what is none says nothing."""
    try:
        found = json.loads(data) if len(data) <= NOTE_LIMIT else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(said: Any) -> str:
    return " ".join(said.split()) if isinstance(said, str) else ""


def _moment(said: Any) -> dt.datetime | None:
    """``{"timestamp": "1562157605"}``; Google writes 0 where it does not know."""
    text = str(said.get("timestamp", "")) if isinstance(said, dict) else ""
    if not re.fullmatch(r"-?\d{1,11}", text, re.ASCII) or int(text) == 0:
        return None
    found = dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(seconds=int(text))
    return found if EARLIEST <= found <= dt.datetime.now(dt.UTC) + dt.timedelta(days=1) else None
