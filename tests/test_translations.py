"""The words of the pages in German: whole, fresh, with the places of the English, and on the page itself."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from homecircle import members
from tests.conftest import Family, Home

ROOT = Path(__file__).parent.parent
CATALOGUES = sorted((ROOT / "homecircle" / "translations").glob("*/LC_MESSAGES/messages.po"))
PLACE = re.compile(r"%\(\w+\)[a-z]|\{\w*\}|%%")


def _catalogue(path: Path) -> Catalog:
    with path.open("rb") as opened:
        return read_po(opened, locale=path.parts[-3])


def _places(text: str) -> list[str]:
    return sorted(PLACE.findall(text))


def _torn(catalogue: Catalog) -> list[object]:
    """The entries whose words do not have exactly the places of the English."""
    torn = []
    for message in catalogue:
        ids = message.id if isinstance(message.id, (tuple, list)) else (message.id,)
        strings = message.string if isinstance(message.string, (tuple, list)) else (message.string,)
        wanted = [_places(each) for each in ids]
        if message.id and any(_places(each) not in wanted for each in strings if each):
            torn.append(message.id)
    return torn


def test_every_language_is_whole_and_fresh() -> None:
    check = [sys.executable, str(ROOT / "tests" / "translations.py"), "--check"]
    ran = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_every_sentence_keeps_its_places(path: Path) -> None:
    assert _torn(_catalogue(path)) == []


def test_a_lost_place_is_found() -> None:
    catalogue = Catalog(locale="de")
    catalogue.add("%(n)s of {total}", "%(n)s von {total}")
    catalogue.add("%(free)s are free.", "Viel ist frei.")
    catalogue.add("{percent} %% of it", "{percent} % davon")
    assert _torn(catalogue) == ["%(free)s are free.", "{percent} %% of it"]


@pytest.mark.parametrize(
    ("path", "german", "english"),
    [
        ("/", ["Zuhause", "Album", "Das ist der Ort deiner Familie."], ["Vault", "Around", "family's place"]),
        ("/settings", ["Sprache und Uhrzeit", "Papierkorb", "Die Familie verlassen"], ["Trash", "Leave the family"]),
        ("/settings/sharing", ["Auf die Minute genau", "Gar nicht"], ["To the minute", "Not at all"]),
        ("/presence", ["Ein Gruß sagt „Ich denk an dich“"], ["A wave says", "What are you up to?"]),
        ("/devices", ["Meine Geräte", "Dieses Gerät"], ["My devices", "This device"]),
    ],
)
def test_a_page_in_german_has_no_english_left(
    home: Home, family: Family, path: str, german: list[str], english: list[str]
) -> None:
    members.update(members.get(family.ada.id), language="de")
    answer = home.browser(family.ada).get(path, headers={"Accept-Language": "en"})
    assert answer.status_code == 200
    assert '<html lang="de"' in answer.text
    shown = re.sub(r"<script.*?</script>|<[^>]*>", "\n", answer.text, flags=re.S)
    assert [each for each in german if each not in shown] == []
    assert [each for each in english if each in shown] == []


def test_a_refusal_is_german_too(home: Home, family: Family) -> None:
    members.update(members.get(family.ada.id), language="de")
    answer = home.browser(family.ada).post("/feed", {"text": "", "once": "k"})
    assert "Schreib erst etwas, oder füg ein Foto hinzu." in answer.text
    assert "Write something or add a photo first." not in answer.text
    assert "Das ist nicht mehr hier." in home.browser(family.ada).get("/feed/nothing").text


def test_the_browser_chooses_for_a_stranger(home: Home) -> None:
    page = home.browser().get("/hello", headers={"Accept-Language": "de-AT,de;q=0.9"}).text
    assert "Es gibt kein Passwort" in page
    assert "There is no password" not in page
