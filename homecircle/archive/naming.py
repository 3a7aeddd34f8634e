"""What files are called on the way out: ``2026/2026-07/2026-07-03_1420_Mia_swimming-badge_01.jpg``.

A name must live on FAT, exFAT, NTFS, HFS and in a ZIP: letters and digits of any script joined by hyphens, nothing that
one of them refuses or a path could be made of, at most 255 bytes, and told apart without regard to case. It begins with
a date, so it is none of the names that Windows keeps for itself (CON, NUL). What makes it unique is minute, person and
number alone; the words are for people.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from homecircle.vault import ENDINGS

WHO_BYTES, WORDS_BYTES = 30, 48
SOMEBODY = "somebody"
FIRST = "index.html"  # the page that is opened first, here and in each month's folder
LINKS = "links.html"


def month_folder(month: int) -> str:
    """'2026/2026-07' for 202607."""
    year, number = divmod(month, 100)
    return f"{year:04}/{year:04}-{number:02}"


def stem(at: int, who: str, words: str, number: int) -> str:
    """Return a file's path without ending: `at` is 20260703142005, `who` one of `people`, `number` unique with them."""
    text = f"{at:014}"
    day = f"{text[:4]}-{text[4:6]}-{text[6:8]}_{text[8:12]}"
    parts = [day, who, plain(words, WORDS_BYTES), f"{number:02}"]
    return f"{month_folder(at // 10**8)}/{'_'.join(part for part in parts if part)}"


def ending(media_type: str, name: str) -> str:
    """Return what stands behind the dot: by what the file is, else what its sender called it, else 'bin'."""
    own = name.rpartition(".")[2].lower()
    return ENDINGS.get(media_type) or (own if re.fullmatch(r"[a-z0-9]{1,8}", own) and "." in name else "bin")


def people(names: Iterable[tuple[int, str]]) -> dict[int, str]:
    """Give each (id, name) a part of a file name of their own, also where case does not count."""
    found: dict[int, str] = {}
    taken: set[str] = set()
    for number, name in names:
        word = first = plain(name, WHO_BYTES) or SOMEBODY
        turn = 2
        while _folded(word) in taken:
            word, turn = f"{first}-{turn}", turn + 1
        taken.add(_folded(word))
        found[number] = word
    return found


def plain(text: str, limit: int) -> str:
    """Return the letters and digits of a text, with hyphens for all between, cut to `limit` bytes, at a word's end."""
    normal = unicodedata.normalize("NFC", text)
    kept = "".join(letter if unicodedata.category(letter)[0] in "LMN" else " " for letter in normal)
    words = "-".join(kept.split())
    cut = words.encode()[:limit].decode(errors="ignore")
    whole = cut if len(cut) == len(words) or words[len(cut)] == "-" else cut.rpartition("-")[0]
    return (whole or cut).strip("-")


def _folded(word: str) -> str:
    return unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", word).casefold())
