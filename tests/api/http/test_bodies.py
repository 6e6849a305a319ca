"""What nobody need show a key for costs no memory: a body is read as far as its bound, and no further."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from api.http.bodies import MOST_BODY
from api.http.routes.screens import Screens
from schemas.devices import AccessBook
from tests.api.fakes import FakeAccessLog, FakeActions
from tests.api.reading import Floor

PIECE = b" " * 1024


@pytest.fixture
def floor(tmp_path: Path) -> Floor:
    found = Floor(tmp_path)
    found.app.state.alert_actions = FakeActions()
    found.app.state.screens = Screens(AccessBook(), FakeAccessLog())
    return found


class Endless:
    """A body without end that says nothing of its length, and how much of it was read."""

    def __init__(self) -> None:
        self.read = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self.read < 100 * MOST_BODY:
            self.read += len(PIECE)
            yield PIECE


@pytest.mark.parametrize(
    "path", ["/v1/screens/codes", "/v1/screens/pair", "/v1/screens/heartbeat", "/v1/alerts/a/snooze"]
)
async def test_a_body_without_end_is_refused_at_its_bound(floor: Floor, path: str) -> None:
    headers, body = {"content-type": "application/json"}, Endless()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(floor.app), base_url="http://127.0.0.1:8080") as client:
        endless = await client.post(path, content=body, headers=headers)
        said = await client.post(path, content=b"", headers=headers | {"content-length": str(MOST_BODY + 1)})

    for answer in (endless, said):
        assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
        assert answer.json()["type"] == "urn:floorcast:problem:body-too-large"
    assert body.read <= MOST_BODY + 2 * len(PIECE)


async def test_a_body_of_the_bound_is_read(floor: Floor) -> None:
    answer = await floor.post("/v1/alerts/a/snooze", {"for": " " * (MOST_BODY - len('{"for":""}'))})

    assert answer.status_code == 422
