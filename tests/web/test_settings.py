"""What a member sets for themself, and where they find help."""

from __future__ import annotations

from homecircle import members
from tests.conftest import Family, Home


def test_help_says_how_things_are_done_and_whom_to_ask(home: Home, family: Family) -> None:
    page = home.browser(family.cleo)
    assert 'href="/settings/help"' in page.get("/settings").get_data(as_text=True)
    said = page.get("/settings/help").get_data(as_text=True)
    assert "Put up a photo" in said and f'href="/members/{members.get(family.ada.id).public_id}"' in said
    assert f'href="/members/{members.get(family.ben.id).public_id}"' not in said
