"""Cases from the field, whole: what a sender posts, signed, goes to its number through every stage, without Kafka.

Each case is a file of tests/fixtures/field, with `T` for the instant of the test. Where alerts are told in it, or time
passes, tests/integration/test_field_alerts.py plays it on a running floorcast.
"""

from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from deploy.cli import app as floorcast
from processor.core.normalise import normalise
from schemas.config import Config, parse_config
from schemas.connectors import build_connector
from schemas.dead_letters import DeadLetter
from schemas.deliveries import encode_delivery
from schemas.exit_codes import ExitCode
from schemas.instants import format_instant
from schemas.progress import Progress
from tests import field_cases
from tests.api.fakes import FakeIngest
from tests.api.reading import Floor
from tests.builders import instant
from tests.field_cases import Json, signed, written

T = instant("2026-03-18T12:00Z")
URL = "http://127.0.0.1:8080"


def case(number: str, at: int = T) -> Json:
    """The case with this number, with `T` at an instant."""
    return field_cases.case(number, at, URL)


@dataclass
class Played:
    """A floor to which a case is posted."""

    config: Config
    floor: Floor
    ingest: FakeIngest
    dead: list[DeadLetter] = field(default_factory=list)
    progress: Progress = field(default_factory=Progress)

    async def deliver(self, delivery: Json) -> httpx.Response:
        """Post one, signed as its sender would; what the log has then goes through all stages."""
        path, headers, body = signed(
            delivery, self.config, id=f"d-{len(self.ingest.accepted)}", now=self.floor.now, url=URL
        )
        before = len(self.ingest.accepted)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.floor.app), base_url=URL) as client:
            answer = await client.post(path, content=body, headers=headers)
        self._normalise(before)
        return answer

    def _normalise(self, since: int) -> None:
        taken = enumerate(self.ingest.accepted[since:], since)
        output = normalise(
            [(offset, encode_delivery(delivery)) for offset, delivery in taken],
            partition=0,
            connectors={name: build_connector(connection) for name, connection in self.config.connections.items()},
            progress=self.progress,
        )
        self.dead += output.dead_letters
        if output.changes:
            self.floor.take(*output.changes)

    async def play(self, found: Json) -> list[int]:
        return [(await self.deliver(delivery)).status_code for delivery in found["deliveries"]]


def playing(found: Json, folder: Path) -> Played:
    config, ingest = parse_config(written(found), {}), FakeIngest()
    return Played(config, Floor(folder, config, T, ingest=ingest), ingest)


def checked(text: str, folder: Path) -> tuple[int, str]:
    """What `floorcast check` says."""
    path = folder / "floorcast.yaml"
    path.write_text(text, encoding="utf-8")
    result = CliRunner().invoke(floorcast, ["check", "--config", str(path)])
    return result.exit_code, result.output


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_a_merge_into_a_new_record_keeps_the_lead_that_waits(order: tuple[int, int], tmp_path: Path) -> None:
    found = case("04")
    played = playing(found, tmp_path)
    for number in order:
        assert (await played.deliver(found["deliveries"][number])).status_code < 300

    (waiting,) = (await played.floor.read("/v1/leads/waiting"))["rows"]

    expected = found["expected"]["leads waiting"][0]
    assert {name: waiting[name] for name in expected} == expected
    row = await played.floor.read("/v1/organisation/metrics", window="today", metrics="leads_assigned,leads_due")
    assert row["metrics"] == {"leads_assigned": 1, "leads_due": 1}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
async def test_the_new_record_of_a_merge_has_the_values_of_the_primary_one(
    order: tuple[int, ...], tmp_path: Path
) -> None:
    """Whatever the other said later; also once the new one was merged itself."""
    found = case("04")
    (owner,) = (event for event in found["deliveries"][0]["body"] if event.get("propertyName") == "hubspot_owner_id")
    later = owner | {"occurredAt": owner["occurredAt"] + 60_000, "propertyValue": "99"}
    others = [later | {"objectId": id} for id in (102, 104)]
    (merge,) = (event for event in found["deliveries"][1]["body"] if "mergedObjectIds" in event)
    again = {"objectId": 105, "primaryObjectId": 103, "mergedObjectIds": [104], "newObjectId": 105}
    again |= {"occurredAt": merge["occurredAt"] + 60_000}
    found["deliveries"][0]["body"] += others
    found["deliveries"].append({"connection": "crm", "body": [merge | again]})
    played = playing(found, tmp_path)

    for number in order:
        await played.deliver(found["deliveries"][number])

    (waiting,) = (await played.floor.read("/v1/leads/waiting"))["rows"]
    assert (waiting["lead"], waiting["rep"], waiting["source"]) == ("hs:105", "r-17", "PAID_SEARCH")


def test_a_duration_without_a_unit_is_refused_by_check(tmp_path: Path) -> None:
    code, said = checked(written(case("07")), tmp_path)

    assert code == ExitCode.WRONG_USE
    for name in ("lead_response.rules.0.sla", "lead_response.escalate_after", "conversation.min_talk"):
        assert f"{name}: must be a duration such as 30s, 5m, 1h or 2d" in said


async def test_keys_of_the_configuration_are_text_as_written(tmp_path: Path) -> None:
    found = case("08")
    played = playing(found, tmp_path)

    assert await played.play(found) == [202]
    reps = (await played.floor.read("/v1/reps"))["rows"]
    assert [(rep["rep"], rep["name"], rep["team"]) for rep in reps] == [("0123", "Kari Ek", "se")]
    assert {team["team"] for team in (await played.floor.read("/v1/teams"))["rows"]} == {"no", "se"}
    code, said = checked(written(found) + "teams: {dk: {}}\n", tmp_path)
    assert (code, "teams: stands already in line" in said) == (ExitCode.WRONG_USE, True)


@pytest.mark.parametrize(
    ("bad", "reason", "detail"),
    [
        ('{"name":"Ana \\ud83d"}', "bad_field", "fields.name: is not valid Unicode"),
        ('{"active":1e400}', "bad_field", "fields.active"),
        ('{"active":NaN}', "bad_field", "fields.active"),
    ],
)
async def test_one_bad_event_loses_no_other(bad: str, reason: str, detail: str, tmp_path: Path) -> None:
    found = case("09")
    (delivery,) = found["deliveries"]
    delivery["raw body"] = delivery["raw body"].replace('{"name":"Ana \\ud83d"}', bad)
    played = playing(found, tmp_path)

    assert (await played.deliver(delivery)).status_code == 202
    assert [(letter.index, letter.reason) for letter in played.dead] == [(1, reason)]
    assert played.dead[0].detail.startswith(detail)
    row = await played.floor.read("/v1/organisation/metrics", window="today", metrics="calls_made")
    assert row["metrics"] == {"calls_made": 1}


@pytest.mark.parametrize("last", ["OPEN", ""])
async def test_a_lead_that_is_reopened_or_cleared_waits_again(last: str, tmp_path: Path) -> None:
    found = case("12")
    found["deliveries"][2]["body"][0]["propertyValue"] = last
    played = playing(found, tmp_path)

    await played.play(found)

    lead = await played.floor.read("/v1/leads/hs:71")
    assert lead["state"] in {"waiting", "warned", "breached"}
    assert lead["status"] in {None, "new"}


@pytest.mark.parametrize("number", ["15", "17"])
async def test_addresses_and_headers_as_senders_write_them_are_taken(number: str, tmp_path: Path) -> None:
    found = case(number)
    played = playing(found, tmp_path)

    assert await played.play(found) == [202]
    row = await played.floor.read("/v1/organisation/metrics", window="today", metrics="calls_made")
    assert row["metrics"] == {"calls_made": 1}


@pytest.mark.parametrize("lead", ["t1", "t2", "t3", "t4", "t5", "t6"])
async def test_of_two_changes_of_one_second_the_later_one_of_the_body_stays(lead: str, tmp_path: Path) -> None:
    found = case("18")
    for event in found["deliveries"][0]["body"]:
        event |= {"id": lead, "changed_at": format_instant(T)}
    played = playing(found, tmp_path)

    await played.play(found)
    await played.play(found)

    assert (await played.floor.read(f"/v1/leads/{lead}"))["rep"] == found["expected"]["rep"]
