"""The pages of presence through the client: a wave is confirmed, shown for the hour, and told to one."""

from __future__ import annotations

from homecircle import events
from tests.conftest import Family, Home

HTMX = {"HX-Request": "true"}


def test_a_wave_is_confirmed_and_shown_for_the_hour(home: Home, family: Family) -> None:
    ada, gran = home.browser(family.ada), family.grandma.public_id
    assert f"/members/{gran}/wave" in ada.get(f"/members/{gran}").text
    answer = ada.post(f"/members/{gran}/wave", headers=HTMX).text
    assert "Waved" in answer
    assert "Grandma will see that you thought of them" in answer
    for path in ("/presence", f"/members/{gran}"):
        page = ada.get(path).text
        assert "Waved" in page
        assert f"/members/{gran}/wave" not in page


def test_a_wave_without_scripts_is_confirmed_too(home: Home, family: Family) -> None:
    ada = home.browser(family.ada)
    answer = ada.post(f"/members/{family.grandma.public_id}/wave")
    assert "Grandma will see that you thought of them" in ada.get(answer.location).text


def test_a_wave_comes_to_an_open_page_of_one_alone(home: Home, family: Family) -> None:
    start = events.cursor(family.grandma.id)
    home.browser(family.ada).post(f"/members/{family.grandma.public_id}/wave")
    gran, ben = home.browser(family.grandma), home.browser(family.ben)
    assert ["wave", ""] in gran.get(f"/live/since?id={start}").json["hints"]
    assert ben.get(f"/live/since?id={start}").json["hints"] == []
    assert "Ada is thinking of you" in gran.get("/since?part=wave", headers=HTMX).text
    assert ben.get("/since?part=wave", headers=HTMX).status_code == 204
    gran.get("/since")
    assert gran.get("/since?part=wave", headers=HTMX).status_code == 204
