"""The pages of drafts: the author's card, nothing for anybody else, and both ways out of one that got stuck."""

from __future__ import annotations

import base64

import pytest

from homecircle import drafts
from tests.conftest import SAMPLES, Browser, Family, Home

TUS = {"Tus-Resumable": "1.0.0"}


def _send(browser: Browser, slot: str, name: str = "cake.jpg") -> None:
    data = (SAMPLES / name).read_bytes()
    told = f"slot {base64.b64encode(slot.encode()).decode()}"
    headers = TUS | {"Upload-Length": str(len(data)), "Upload-Metadata": told}
    answer = browser.open("/uploads", "POST", data=data,
                          headers=headers | {"Content-Type": "application/offset+octet-stream"})  # fmt: skip
    assert answer.status_code == 201


@pytest.fixture
def draft(home: Home, family: Family) -> str:
    form = {"text": "By the sea", "once": "k", "items": ["coming-a", "coming-b"]}
    answer = home.browser(family.ada).post("/feed", form, headers={"HX-Request": "true"})
    assert 'class="post draft' in answer.text
    return drafts.of_author(family.ada.id, family.ada.id)[0].id


def test_its_author_sees_it_and_nobody_else_can(home: Home, family: Family, draft: str) -> None:
    ada, ben = home.browser(family.ada), home.browser(family.ben)
    page = ada.get("/").text
    assert "By the sea" in page
    assert "2 photos and videos are on their way." in page
    assert "By the sea" not in ben.get("/").text
    nowhere = ben.get("/feed/aaaaaaaaaaaaaaaa/draft")
    for path in (f"/feed/{draft}", f"/feed/{draft}?part=card", f"/feed/{draft}/draft", f"/feed/{draft}/edit"):
        answer = ben.get(path)
        assert (answer.status_code, answer.data) == (404, nowhere.data)
    assert ben.post(f"/feed/{draft}/draft/delete").status_code == 404
    ben.post(f"/feed/{draft}/draft")
    ben.post("/feed/coming/a/delete")
    assert drafts.get(draft, family.ada.id, family.ada.id).coming == 2


def test_it_becomes_a_post_with_its_first_photo(home: Home, family: Family, draft: str) -> None:
    ada, ben = home.browser(family.ada), home.browser(family.ben)
    assert "By the sea" in ada.get(f"/feed/{draft}/draft").text
    _send(ada, "b")
    assert ada.get(f"/feed/{draft}/draft").data == b""
    assert ada.get("/").text.count("By the sea") == 1
    card = ben.get(f"/feed/{draft}?part=card").text
    assert card.count('class="tile"') == 1
    assert "more photos are coming" in card
    _send(ada, "a", "garden.jpg")
    card = ben.get(f"/feed/{draft}?part=card").text
    assert card.count('class="tile"') == 2
    assert "more photos are coming" not in card


def test_its_words_are_shared_or_taken_back(home: Home, family: Family, draft: str) -> None:
    ada = home.browser(family.ada)
    back = ada.post(f"/feed/{draft}/draft/delete")
    assert "By the sea</textarea>" in back.text
    assert "By the sea" not in ada.get("/").text
    ada.post("/feed", {"text": "Again", "once": "l", "items": ["coming-c"]})
    again = drafts.of_author(family.ada.id, family.ada.id)[0].id
    assert ada.post(f"/feed/{again}/draft").status_code == 303
    assert "Again" in home.browser(family.ben).get("/").text


def test_a_file_that_will_not_come_is_said(home: Home, family: Family, draft: str) -> None:
    ada = home.browser(family.ada)
    for slot in ("a", "b"):
        assert ada.post(f"/feed/coming/{slot}/delete").status_code == 204
    assert "The photos did not arrive" in ada.get(f"/feed/{draft}/draft").text
