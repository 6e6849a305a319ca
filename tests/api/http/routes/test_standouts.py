"""`/v1/standouts`: who is far from their team, by enough cases."""

from pathlib import Path
from typing import Any

import pytest

from deploy.verification.recount import recount
from schemas.records import RecordChange
from tests.api.reading import Floor, floor_config
from tests.builders import change
from tests.comparing import Comparing

DAY = "2026-03-18"


def calls(rep: str, made: int, connected: int) -> list[RecordChange]:
    return [
        change(
            "call", f"{rep}-{index}", f"{DAY}T00:00Z", rep=rep, direction="outbound", dialed_at=f"{DAY}T10:00Z",
            outcome="connected" if index < connected else "no_answer",
        )
        for index in range(made)
    ]  # fmt: skip


def leads(rep: str, answered: int, waiting: int) -> list[RecordChange]:
    found = []
    for index in range(answered + waiting):
        id = f"{rep}-{index}"
        found.append(change("lead", id, f"{DAY}T00:00Z", rep=rep, received_at=f"{DAY}T01:00Z"))
        if index < answered:
            touch: dict[str, Any] = {"rep": rep, "lead": id, "direction": "outbound", "sent_at": f"{DAY}T01:10Z"}
            found.append(change("email", id, f"{DAY}T02:00Z", **touch))
    return found


@pytest.fixture
def floor(tmp_path: Path) -> Floor:
    reps = {
        "r1": {"name": "Ana", "team": "north"}, "r2": {"team": "north"},
        "r3": {"team": "north", "until": "2026-03-17"}, "r4": {"team": "south"}, "r5": {},
    }  # fmt: skip
    return Floor(tmp_path, floor_config(reps=reps))


async def test_far_from_the_team_and_made_of_enough_is_told_the_widest_first(floor: Floor) -> None:
    said = [*calls("r1", 40, 30), *calls("r2", 20, 3), *calls("r3", 50, 50), *calls("r5", 90, 9)]
    floor.take(*said)

    answer = await floor.read("/v1/standouts", metrics="calls_made,connect_rate,calls_connected")

    # Of those employed: calls (40 + 20) / 2, connected (30 + 3) / 2; the team's own share holds all of its people.
    assert [tuple(row.values()) for row in answer["rows"]] == [
        ("r1", "Ana", "north", "calls_connected", 30, 16.5, "strong", 30),
        ("r2", "r2", "north", "connect_rate", 0.15, pytest.approx(83 / 110), "weak", 20),
        ("r1", "Ana", "north", "calls_made", 40, 30, "strong", 40),
        ("r2", "r2", "north", "calls_made", 20, 30, "weak", 20),
    ]  # fmt: skip
    books = recount(said, floor.config)
    comparing = Comparing(books, "today", floor.now)
    for row in answer["rows"]:
        assert row["team_value"] == float(comparing.of_team(row["metric"], "north") or 0)
    assert answer["window"]["name"] == "today"
    assert (await floor.read("/v1/standouts", team="south"))["rows"] == []


async def test_unanswered_leads_that_are_due_are_in_the_sample_and_shorter_is_stronger(floor: Floor) -> None:
    metrics = "lead_response_within_sla,lead_response_seconds_p50"
    floor.take(*leads("r1", 15, 5), *leads("r2", 2, 20))

    rows = (await floor.read("/v1/standouts", metrics=metrics))["rows"]

    # Of the team's 42 more than half wait: its median is unknown, so nobody differs from it.
    assert [(row["rep"], row["side"], row["n"]) for row in rows] == [("r1", "strong", 20), ("r2", "weak", 22)]
    assert {row["metric"] for row in rows} == {"lead_response_within_sla"}


async def test_nobody_stands_out_by_a_little_or_by_few(floor: Floor) -> None:
    floor.take(*calls("r1", 24, 0), *calls("r2", 16, 0))  # a fifth above 20, and below
    floor.take(change("deal", "d", f"{DAY}T00:00Z", rep="r1", status="won", closed_at=f"{DAY}T01:00Z", amount="5"))

    assert (await floor.read("/v1/standouts"))["rows"] == []


@pytest.mark.parametrize("asked", [{"team": "west"}, {"metrics": "no"}, {"by": "team"}, {"window": "1y"}])
async def test_what_is_unknown_is_named(floor: Floor, asked: dict[str, str]) -> None:
    status, field = await floor.refused("/v1/standouts", **asked)

    assert (status, field) == (404 if "team" in asked else 422, *asked)


async def test_what_is_not_kept_is_said(floor: Floor) -> None:
    asked = {"from_": "2024-01-01", "to": "2026-03-18", "metrics": "calls_made,connect_rate"}
    answer = await floor.read("/v1/standouts", **asked)

    assert answer["rows"] == []
    assert answer["unavailable"] == dict.fromkeys(asked["metrics"].split(","), "kept since 2025-02-11")
