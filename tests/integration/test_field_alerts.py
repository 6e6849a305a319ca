"""Cases from the field, played on a running floorcast: what channels are told, what is listed, and what is shown.

Each case has a configuration of its own, so each has a `floorcast up`, all of them on one Kafka. Instants in the cases
are `T`, the instant of the test, and what lies so far from it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.simulator.known import CrmEvent
from schemas.config import load_config
from schemas.instants import HOUR, SECOND, format_instant
from tests import field_cases
from tests.field_cases import Json, signed, written
from tests.integration.event_stream import Screen, watching
from tests.integration.floor_process import FloorProcess
from tests.integration.posted import clock, post
from tests.integration.served import Reader, settle
from tests.integration.waiting import eventually
from tests.sinks import HttpSink

pytestmark = [pytest.mark.kafka]

LATE = 300


def case(number: str, at: int, **config: Any) -> Json:
    """The case with this number, with `T` at an instant. `config` replaces parts of its configuration."""
    found = field_cases.case(number, at, "http://127.0.0.1:1")
    found["config"] |= config
    return found


@asynccontextmanager
async def playing(
    make: Callable[[int], Json], sink: HttpSink, kafka: str, folder: Path
) -> AsyncIterator[tuple[FloorProcess, Reader, Json]]:
    """A floor with the configuration of a case, and the case with `T` at the instant when it was ready."""
    configuration = json.loads(json.dumps(make(0)["config"]).replace("http://127.0.0.1:SINK", sink.url))
    floor = FloorProcess(folder, configuration, kafka=kafka)
    try:
        await asyncio.to_thread(floor.start)
        async with Reader(floor.url) as reader:
            yield floor, reader, make(clock())
        await asyncio.to_thread(floor.stop)
    finally:
        await asyncio.to_thread(floor.kill_everything)


async def deliver(floor: FloorProcess, found: Json, number: int) -> None:
    await post(floor.url, floor.config_file, *found["deliveries"][number]["body"])


async def open_alerts(reader: Reader, lead: str) -> dict[str, Json]:
    found = await reader.get("/v1/alerts", state="open", limit="500")
    return {alert["level"]: alert for alert in found["rows"] if alert["lead"] == lead}


def told(sink: HttpSink, lead: str, level: str | None = None, kind: str = "alert.raised") -> list[Json]:
    """What a webhook said of a lead: raised, unless another turn is named. A message that came twice has one id."""
    messages = {message.json["id"]: message.json for message in sink.received if message.json["type"] == kind}
    data = [message["data"] for message in messages.values()]
    return [alert for alert in data if alert["lead"] == lead and level in {None, alert["level"]}]


@pytest.mark.asyncio(loop_scope="module")
async def test_alerts_follow_a_due_instant_that_moves_also_over_a_restart(
    sink: HttpSink, kafka: str, tmp_path: Path
) -> None:
    """The case moves it by 21 seconds, on a busy machine; the routes hold nothing back."""
    async with playing(lambda at: case("01", at), sink, kafka, tmp_path) as (floor, reader, found):
        await deliver(floor, found, 0)

        async def is_escalated() -> Any:
            return (await open_alerts(reader, "A")).keys() == {"warn", "breach", "escalate"}

        await eventually(is_escalated, "escalated")
        await deliver(floor, found, 1)

        async def is_over() -> Any:
            return not await open_alerts(reader, "A")

        await eventually(is_over, "resolved")
        lead = await reader.get("/v1/leads/A")
        assert lead["state"] in {"waiting", "warned"}
        pid = floor.kill("worker")
        await asyncio.to_thread(floor.wait_for_another, "worker", pid)

        async def is_breached() -> Any:
            return {"breach", "escalate"} <= (await open_alerts(reader, "A")).keys()

        await eventually(is_breached, "breached at the true instant")
        shown = await open_alerts(reader, "A")
        assert {shown["breach"]["due_at"], shown["escalate"]["due_at"]} == {lead["due_at"]}

        async def are_told() -> Any:
            return len(told(sink, "A", "breach")) == 2 and len(told(sink, "A", "escalate")) == 2

        await eventually(are_told, "told of both instants, each once")
        assert [alert["due_at"] for alert in told(sink, "A", "breach")][1] == lead["due_at"]
        assert len(told(sink, "A", "breach", "alert.resolved")) == 1
        assert len({alert["id"] for alert in told(sink, "A")}) == len(told(sink, "A"))


@pytest.mark.asyncio(loop_scope="module")
async def test_a_team_hears_once_of_a_lead_that_it_is_given_after_its_breach(
    sink: HttpSink, kafka: str, tmp_path: Path
) -> None:
    async with playing(lambda at: case("03", at), sink, kafka, tmp_path) as (floor, reader, found):
        await deliver(floor, found, 0)

        async def is_breached() -> Any:
            return (await open_alerts(reader, "U")).get("breach")

        assert (await eventually(is_breached, "breached"))["team"] is None
        assert told(sink, "U") == []
        await deliver(floor, found, 1)

        async def is_told() -> Any:
            return {alert["level"] for alert in told(sink, "U")} == {"warn", "breach"}

        await eventually(is_told, "told")
        shown = await open_alerts(reader, "U")
        waiting = (await reader.get("/v1/leads/waiting"))["rows"]
        assert {alert["team"] for alert in shown.values()} == {"north"} == {lead["team"] for lead in waiting}
        pid = floor.kill("worker")
        await asyncio.to_thread(floor.wait_for_another, "worker", pid)
        at = format_instant(clock())
        await post(
            floor.url,
            floor.config_file,
            {"record": "lead", "id": "U", "changed_at": at, "fields": {"status": "disqualified"}},
        )

        async def is_over() -> Any:
            return len(told(sink, "U", kind="alert.resolved")) == 2

        await eventually(is_over, "resolved where it was told")
        assert len(told(sink, "U", "breach")) == 1


@pytest.mark.asyncio(loop_scope="module")
async def test_a_planned_call_stops_no_clock_and_what_is_told_late_is_told_together(
    sink: HttpSink, kafka: str, tmp_path: Path
) -> None:
    """Case 11 with a call in 15 seconds instead of 8 hours; and 300 leads of long ago, of which nobody had heard."""
    alerts = {
        "quiet_after": "40m",
        "channels": {"desk": {"kind": "webhook", "url": "http://127.0.0.1:SINK/hook", "allow_private": True}},
    }

    def made(at: int) -> Json:
        found = case("11", at, alerts=alerts)
        soon = json.dumps(found["deliveries"]).replace(format_instant(at + 8 * HOUR), format_instant(at + 15 * SECOND))
        return found | {"deliveries": json.loads(soon)}

    async with playing(made, sink, kafka, tmp_path) as (floor, reader, found):
        async with watching(floor.url, Screen()) as screen:
            await deliver(floor, found, 0)

            async def is_breached() -> Any:
                return (await open_alerts(reader, "D")).get("breach")

            await eventually(is_breached, "breached")
            lead = await reader.get("/v1/leads/D")
            assert (lead["state"], lead["answered_at"], lead["touch"]) == ("breached", None, None)
            waiting = (await reader.get("/v1/leads/waiting"))["rows"]
            assert [held["lead"] for held in waiting] == ["D"]
            before = (await reader.get("/v1/organisation/metrics", window="7d"))["metrics"]
            assert (before["leads_due"], before["leads_answered"]) == (1, 0)

            async def is_answered() -> Any:
                return (await reader.get("/v1/leads/D"))["state"] == "answered"

            await eventually(is_answered, "answered at its instant")

            def pushed() -> list[str]:
                return [event.payload["state"] for event in screen.events if event.kind == "lead"]

            async def is_shown() -> Any:
                return pushed()[-1] == "answered"

            # The api looks at its clock in its own time: what is asked may be ahead of what is pushed by a moment.
            await eventually(is_shown, "pushed as answered")
            assert "answered" not in pushed()[:-1]
        answered = await reader.get("/v1/leads/D")
        assert answered["response_seconds"] == pytest.approx(50 * 60 + 15, abs=0.01)
        after = (await reader.get("/v1/organisation/metrics", window="7d"))["metrics"]
        assert (after["leads_due"], after["leads_answered"]) == (1, 1)
        code, words = await asyncio.to_thread(floor.verify)
        assert code == 0, words

        async def is_over() -> Any:
            return not await open_alerts(reader, "D")

        await eventually(is_over, "resolved at its instant")

        long_ago = format_instant(clock() - 3 * HOUR)
        events: list[CrmEvent] = [
            {
                "record": "lead", "id": f"old-{number}", "changed_at": long_ago,
                "fields": {"rep": "s1", "received_at": long_ago, "status": "new"},
            }
            for number in range(LATE)
        ]  # fmt: skip
        await post(floor.url, floor.config_file, *events)

        async def are_open() -> Any:
            rows = (await reader.get("/v1/alerts", state="open", limit="1000"))["rows"]
            return sum(alert["level"] == "breach" for alert in rows) == LATE

        await eventually(are_open, "listed")
        pid = floor.kill("worker")
        await asyncio.to_thread(floor.wait_for_another, "worker", pid)

        async def is_summed() -> Any:
            return [message.json for message in sink.received if message.json["type"] == "alert.summary"]

        (summary,) = await eventually(is_summed, "told in a summary")
        assert (summary["data"]["leads"], summary["data"]["levels"]["breach"]) == (LATE, LATE)
        assert not [message for message in sink.received if str(message.json["data"]["lead"]).startswith("old-")]


@pytest.mark.asyncio(loop_scope="module")
async def test_the_cases_in_which_no_alert_is_told_are_right_on_a_running_floor(kafka: str, tmp_path: Path) -> None:
    """All of them on one, whose file is that of case 08 as it is written, with what the others need added to it."""
    floor = FloorProcess(tmp_path, {}, kafka=kafka)
    at = clock()
    cases = {number: field_cases.case(number, at, floor.url) for number in ("04", "08", "09", "12", "15", "17", "18")}
    crm = json.dumps(cases["04"]["config"]["connections"]["crm"])
    text = written(cases["08"]).replace("teams:", f"  crm: {crm}\nteams:", 1)
    text = text.replace("reps:\n", 'reps:\n  r-17: {name: Ana Lim, team: se, aliases: {crm: ["52530071"]}}\n', 1)
    floor.config_file.write_text(f"{text}lead_response: {json.dumps(cases['04']['config']['lead_response'])}\n")
    config = load_config(floor.config_file, {})
    try:
        await asyncio.to_thread(floor.start)
        async with Reader(floor.url) as reader, httpx.AsyncClient(base_url=floor.url) as client:
            for number, found in cases.items():
                for place, delivery in enumerate(found["deliveries"]):
                    path, headers, body = signed(delivery, config, id=f"{number}-{place}", now=clock(), url=floor.url)
                    answer = await client.post(path, content=body, headers=headers)
                    assert answer.status_code < 300, (number, answer.text)

            await settle(reader, floor.kafka, floor.running.prefix)
            row = await reader.get("/v1/organisation/metrics", window="24h", metrics="calls_made")
            assert row["metrics"]["calls_made"] == 4, "the calls of cases 08, 09, 15 and 17"
            (expected,) = cases["04"]["expected"]["leads waiting"]
            merged = await reader.get("/v1/leads/hs:103")
            assert {name: merged[name] for name in expected} == expected
            reps = {rep["rep"]: rep for rep in (await reader.get("/v1/reps"))["rows"]}
            assert (reps["0123"]["name"], reps["0123"]["team"]) == ("Kari Ek", "se")
            assert {"no", "se"} <= {team["team"] for team in (await reader.get("/v1/teams"))["rows"]}
            letters = (await reader.get("/v1/dead-letters"))["rows"]
            assert [(letter["index"], letter["reason"]) for letter in letters] == [(1, "bad_field")]
            reopened = await reader.get("/v1/leads/hs:71")
            assert (reopened["state"] in {"waiting", "warned"}, reopened["status"] in {None, "new"}) == (True, True)
            assert (await reader.get("/v1/leads/t2"))["rep"] == cases["18"]["expected"]["rep"]
        await asyncio.to_thread(floor.stop)
    finally:
        await asyncio.to_thread(floor.kill_everything)
