"""Alerts over REST and SSE: listed, limited to a team, acknowledged and snoozed."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.read.subscriptions import Filter
from schemas.alerts import (
    Acknowledgement,
    Alert,
    AlertAction,
    acknowledgement_key,
    decode_action,
    encode_acknowledgement,
    encode_alert,
)
from schemas.instants import HOUR, MINUTE, format_instant
from schemas.topics import ACKNOWLEDGEMENTS, ALERTS, THRESHOLD_ALERTS
from tests.alert_builders import make_alert, make_crossing
from tests.api.read.test_broadcast import Desk, parsed
from tests.api.reading import Floor, subscribe


@dataclass
class FakeActions:
    """Where actions go."""

    taken: list[AlertAction] = field(default_factory=list)

    async def append(self, message: bytes) -> str:
        self.taken.append(decode_action(message))
        return "0-0"


class ActingFloor(Floor):
    def __init__(self, data: Path) -> None:
        super().__init__(data)
        self.actions = FakeActions()
        self.app.state.alert_actions = self.actions

    def raise_alert(self, alert: Alert) -> None:
        topic = ALERTS if alert.crossing is None else THRESHOLD_ALERTS
        self.view.apply(topic.name, alert.id.encode(), encode_alert(alert))

    def done(self, partition: int, alert: str, what: Acknowledgement) -> None:
        key = acknowledgement_key(partition, alert)
        self.view.apply(ACKNOWLEDGEMENTS.name, key, encode_acknowledgement(what))

    async def post(self, path: str, body: Any = None, headers: dict[str, str] | None = None) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
            return await client.post(path, json={} if body is None else body, headers=headers)

    async def post_bytes(self, path: str, body: bytes) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
            return await client.post(path, content=body, headers={"content-type": "application/json"})


@pytest.fixture
def floor(tmp_path: Path) -> ActingFloor:
    return ActingFloor(tmp_path)


async def test_open_alerts_come_newest_first_with_the_contract_shape(floor: ActingFloor) -> None:
    floor.raise_alert(make_alert("old", due_at=floor.now - HOUR))
    floor.raise_alert(make_alert("over", due_at=floor.now).resolved(floor.now))
    floor.raise_alert(make_alert("new", "warn", due_at=floor.now - MINUTE))

    rows = (await floor.read("/v1/alerts"))["rows"]

    assert [row["lead"] for row in rows] == ["new", "old"]
    assert rows[0]["kind"] == "lead_response"
    assert {name: rows[0][name] for name in ("level", "rep", "team", "resolved_at", "acknowledged_at")} == {
        "level": "warn", "rep": "r1", "team": "north", "resolved_at": None, "acknowledged_at": None,
    }  # fmt: skip
    assert rows[0]["due_at"] == rows[0]["raised_at"] == format_instant(floor.now - MINUTE)
    assert [row["lead"] for row in (await floor.read("/v1/alerts", state="all"))["rows"]] == ["over", "new", "old"]


async def test_an_alert_of_a_metric_says_what_is_needed_to_understand_it(floor: ActingFloor) -> None:
    floor.raise_alert(make_alert("l1"))
    floor.raise_alert(make_crossing())

    metric, lead = sorted((await floor.read("/v1/alerts"))["rows"], key=lambda row: row["kind"], reverse=True)

    assert {name: metric[name] for name in ("kind", "lead", "rep", "metric", "window", "value", "limit", "over")} == {
        "kind": "metric_threshold", "lead": None, "rep": "r1", "metric": "calls_made", "window": "today", "value": 9,
        "limit": 10, "over": False,
    }  # fmt: skip
    assert (metric["due_at"], metric["started_at"]) == ("2026-03-18T11:00:00.000Z", "2026-03-18T00:00:00.000Z")
    assert "metric" not in lead


async def test_of_a_metric_this_crossing_is_acknowledged_and_the_limit_snoozed(floor: ActingFloor) -> None:
    alert = make_crossing()
    floor.raise_alert(alert)

    await floor.post(f"/v1/alerts/{alert.id}/acknowledge")
    await floor.post(f"/v1/alerts/{alert.id}/snooze", {"for": "1h"})

    assert [action.lead for action in floor.actions.taken] == [alert.id, "metric_threshold:few:rep:r1"]


async def test_a_key_of_a_team_does_not_see_what_the_organisation_has_crossed(floor: ActingFloor) -> None:
    floor.raise_alert(make_crossing(rep=None, team=None))
    floor.raise_alert(make_crossing(rep=None, team="south"))

    rows = (await floor.get("/v1/alerts", headers=floor.key("read", team="south"))).json()["rows"]

    assert [row["per"] for row in rows] == ["team"]


async def test_a_key_of_a_team_sees_and_touches_its_own_alerts_only(floor: ActingFloor) -> None:
    floor.raise_alert(make_alert("mine", team="south"))
    floor.raise_alert(make_alert("others", team="north"))
    key = floor.key("admin", team="south")

    rows = (await floor.get("/v1/alerts", headers=key)).json()["rows"]

    assert [row["lead"] for row in rows] == ["mine"]
    other = await floor.post(f"/v1/alerts/{make_alert('others').id}/acknowledge", headers=key)
    assert other.status_code == 404
    assert floor.actions.taken == []


async def test_an_acknowledgement_goes_to_kafka_and_is_shown_when_it_comes_back(floor: ActingFloor) -> None:
    alert = make_alert("l/1")  # ids hold any character
    floor.raise_alert(alert)

    answer = await floor.post(f"/v1/alerts/{alert.id}/acknowledge")

    assert answer.status_code == 200, answer.text
    assert answer.json()["acknowledged_at"] == format_instant(floor.now)
    (action,) = floor.actions.taken
    assert action == AlertAction(alert.id, "l/1", floor.now - floor.now % 1000, None)
    floor.done(0, alert.id, Acknowledgement(floor.now + 5000))
    floor.done(2, alert.id, Acknowledgement(floor.now, None, floor.now + HOUR))
    (row,) = (await floor.read("/v1/alerts"))["rows"]
    assert row["acknowledged_at"] == format_instant(floor.now)
    assert row["snoozed_until"] == format_instant(floor.now + HOUR)


async def test_a_snooze_says_until_when(floor: ActingFloor) -> None:
    alert = make_alert()
    floor.raise_alert(alert)

    answer = await floor.post(f"/v1/alerts/{alert.id}/snooze", {"for": "1h"})

    assert answer.status_code == 200, answer.text
    assert answer.json()["snoozed_until"] == format_instant(floor.now + HOUR)
    assert floor.actions.taken[0].snoozed_until == floor.now - floor.now % 1000 + HOUR


@pytest.mark.parametrize("length", ["1h30m", "3600", 60, "-1h"])
async def test_how_a_length_is_written_is_told(floor: ActingFloor, length: object) -> None:
    floor.raise_alert(make_alert())

    answer = await floor.post(f"/v1/alerts/{make_alert().id}/snooze", {"for": length})

    assert answer.json()["detail"] == "for: must be a duration such as 30s, 5m, 1h or 2d"


@pytest.mark.parametrize("body", [{}, {"for": "soon"}, {"for": "0s"}, {"for": "31d"}, {"for": "1h", "why": "x"}, [1]])
async def test_a_snooze_that_means_nothing_is_refused(floor: ActingFloor, body: Any) -> None:
    floor.raise_alert(make_alert())

    answer = await floor.post(f"/v1/alerts/{make_alert().id}/snooze", body)

    assert answer.status_code == 422
    assert floor.actions.taken == []


async def test_an_unknown_alert_cannot_be_acknowledged(floor: ActingFloor) -> None:
    assert (await floor.post("/v1/alerts/nothing/acknowledge")).status_code == 404


async def test_acting_needs_a_key_of_scope_admin(floor: ActingFloor) -> None:
    floor.raise_alert(make_alert())
    path = f"/v1/alerts/{make_alert().id}/acknowledge"
    reader = floor.key("read")

    assert (await floor.post(path, headers=reader)).status_code == 403
    assert (await floor.post(path)).status_code == 401
    assert (await floor.post(path, headers=floor.key("admin"))).status_code == 200


async def test_a_form_of_another_site_cannot_act(floor: ActingFloor) -> None:
    floor.raise_alert(make_alert())

    answer = await floor.post(f"/v1/alerts/{make_alert().id}/acknowledge", headers={"content-type": "text/plain"})

    assert answer.status_code == 415
    assert floor.actions.taken == []


async def test_a_program_acknowledges_with_no_body(floor: ActingFloor) -> None:
    """What needs no body is posted without one; where a key is shown in a header no page of another site did it."""
    floor.raise_alert(make_alert())
    path = f"/v1/alerts/{make_alert().id}/acknowledge"

    async with httpx.AsyncClient(transport=httpx.ASGITransport(floor.app), base_url="http://127.0.0.1:8080") as client:
        of_page = [
            (await client.post(path, headers={name: value})).status_code
            for name, value in (("origin", "https://evil.example"), ("sec-fetch-site", "cross-site"))
        ]
        bare = await client.post(path)
        key = floor.key("admin") | {"content-type": "application/x-www-form-urlencoded"}
        keyed = await client.post(path, headers=key)

    assert of_page == [415, 415]
    assert (bare.status_code, keyed.status_code) == (200, 200)
    assert len(floor.actions.taken) == 2


def test_a_screen_gets_open_alerts_first_and_then_each_change() -> None:
    desk = Desk()
    alert = make_alert("l1", team="north")

    def publish(changed: Alert) -> None:
        desk.view.apply(ALERTS.name, changed.id.encode(), encode_alert(changed))
        desk.flush()

    publish(make_alert("before"))
    mine, first = subscribe(desk.broadcaster, Filter(), desk.now)
    others, other_first = subscribe(desk.broadcaster, Filter(teams=frozenset({"south"})), desk.now)
    publish(alert)
    publish(alert.resolved(desk.now))

    ((_, _, snapshot),) = parsed(first)
    assert [row["lead"] for row in snapshot["alerts"]] == ["before"]
    assert parsed(other_first)[0][2]["alerts"] == []
    told = [data for _, kind, data in parsed(b"".join(mine._queue)) if kind == "alert"]
    assert [(row["lead"], row["resolved_at"] is None) for row in told] == [("l1", True), ("l1", False)]
    assert [kind for _, kind, _ in parsed(b"".join(others._queue)) if kind == "alert"] == []


@pytest.mark.parametrize("body", [b"\xff\xfe[", b"{", b"nonsense"])
async def test_a_body_that_is_no_json_is_named(floor: ActingFloor, body: bytes) -> None:
    floor.raise_alert(make_alert())

    answer = await floor.post_bytes(f"/v1/alerts/{make_alert().id}/snooze", body)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["field"] == "body"
    assert answer.json()["detail"].startswith("body: is not JSON")
