"""The live stream through the client: the 25th page is told to ask now and then, and may."""

from __future__ import annotations

from homecircle.web.house import STREAMS
from tests.conftest import Family, Home


def test_the_stream_too_many_is_told_to_ask_instead(home: Home, family: Family) -> None:
    ben = home.browser(family.ben)
    home.house.streams = STREAMS
    assert STREAMS == 24
    answer = ben.get("/live?since=")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) <= 20
    assert home.house.streams == STREAMS  # it took no place
    assert ben.get("/live/since?id=").status_code == 200
