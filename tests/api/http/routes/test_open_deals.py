"""`/v1/deals/open` and `/v1/leads/open`: who is listed, in which order, and with which flags."""

from pathlib import Path
from typing import Any

import pytest

from schemas.instants import DAY, HOUR
from tests.api.reading import Floor, floor_config
from tests.builders import change, instant

NOW = instant("2026-03-18T12:00Z")
GOALS = {
    "calls": {"metric": "calls_made", "period": "month", "amounts": [{"each": 5}]},
    "quota": {"metric": "revenue_won", "period": "month", "amounts": [{"each": "10000"}]},
}


def deal(id: str, at: int = NOW - DAY, /, **fields: Any) -> Any:
    said = {"rep": "r1", "pipeline": "sales", "stage": "offer", "amount": 1000, "next_step_at": NOW + DAY, **fields}
    return change("deal", id, at, **said)


def won(id: str, took: int, at: int = NOW - 9 * DAY, **fields: Any) -> list[Any]:
    """A deal that was in `offer` so long, and won at an instant."""
    return [
        deal(id, at - took, **fields),
        change("deal", id, at, stage="closed", status="won"),
    ]


def floor_of(path: Path, *changes: Any, **more: Any) -> Floor:
    floor = Floor(path, floor_config(currency_rates={"EUR": "2"}, **more), NOW)
    floor.take(*changes)
    return floor


async def listed(floor: Floor, path: str = "/v1/deals/open", **asked: Any) -> list[str]:
    return [row[path.split("/")[2].rstrip("s")] for row in (await floor.read(path, **asked))["rows"]]


async def test_a_row_has_the_contract_shape(tmp_path: Path) -> None:
    floor = floor_of(tmp_path, deal("d1", name="Acme", amount=12, currency="EUR", next_step_at=None))

    assert await floor.read("/v1/deals/open") == {
        "rows": [
            {
                "deal": "d1", "name": "Acme", "rep": "r1", "rep_name": "Ana", "team": "north", "pipeline": "sales",
                "stage": "offer", "amount": "24.00", "currency": "USD", "entered_stage_at": "2026-03-17T12:00:00.000Z",
                "age_seconds": 86400, "next_step_at": None, "flags": ["no_next_step"],
            }
        ],
        "as_of": "2026-03-18T12:00:00.000Z",
        "next": None,
    }  # fmt: skip


async def test_the_largest_is_first_and_pages_follow_each_other(tmp_path: Path) -> None:
    floor = floor_of(
        tmp_path, deal("a", amount=5), deal("b", amount=None), deal("c", amount=4, currency="EUR"), deal("d", amount=5),
        deal("e", amount=9, currency="GBP"),
    )  # fmt: skip

    assert await listed(floor) == ["c", "a", "d", "b", "e"]
    first = await floor.read("/v1/deals/open", limit=2)
    second = await floor.read("/v1/deals/open", limit=2, cursor=first["next"])
    assert [row["deal"] for row in second["rows"]] == ["d", "b"]


async def test_what_has_ended_is_not_listed(tmp_path: Path) -> None:
    floor = floor_of(
        tmp_path, deal("open"), deal("won", status="won"), deal("lost", status="lost"), deal("gone"), deal("merged"),
        deal("again", status="lost"), change("deal", "again", NOW, status="open"),
        change("deal", "gone", NOW, deleted=True), change("deal", "merged", NOW, merged_into="open"),
    )  # fmt: skip

    assert await listed(floor) == ["again", "open"]
    floor.pipeline.restart()
    assert await listed(floor) == ["again", "open"]
    floor.take(change("deal", "open", NOW, status="won"))
    assert await listed(floor) == ["again"]


async def test_a_deal_stands_still_after_what_most_won_ones_took_there(tmp_path: Path) -> None:
    floor = floor_of(tmp_path, *(each for number in range(19) for each in won(f"w{number}", (number + 1) * HOUR)))
    floor.take(deal("slow", NOW - 17 * HOUR), deal("quick", NOW - 16 * HOUR), deal("other", NOW - 99 * DAY, stage="x"))

    assert await listed(floor, flag="stalled") == []  # 19 are too few
    floor.take(*won("w19", 20 * HOUR), *won("old", HOUR, NOW - 366 * DAY), *won("q", HOUR, pipeline="renewals"))

    assert await listed(floor, flag="stalled") == ["slow"]  # p80 of 1 to 20 h is 16.2 h
    floor.now += HOUR
    assert await listed(floor, flag="stalled") == ["quick", "slow"]
    floor.now += 366 * DAY
    assert await listed(floor, flag="stalled") == []


async def test_a_deal_that_names_no_pipeline_stands_still_as_one_of_the_first(tmp_path: Path) -> None:
    pipelines = {"sales": {"steps": ["offer"]}, "renewals": {"steps": ["offer"]}}
    floor = floor_of(
        tmp_path, *(each for number in range(10) for each in won(f"w{number}", HOUR)),
        *(each for number in range(10) for each in won(f"x{number}", HOUR, pipeline=None)),
        deal("unsaid", NOW - DAY, pipeline=None), deal("said", NOW - DAY),
        deal("other", NOW - DAY, pipeline="renewals"),
        pipelines=pipelines,
    )  # fmt: skip

    assert await listed(floor, flag="stalled") == ["said", "unsaid"]


async def test_a_deal_much_larger_than_the_others_of_its_rep_is_at_risk(tmp_path: Path) -> None:
    floor = floor_of(
        tmp_path, deal("large", amount=4000), deal("nearly", amount=3999), deal("r2", rep="r2", amount=9999)
    )
    floor.take(*(each for number in range(4) for each in won(f"w{number}", HOUR)))

    assert await listed(floor, flag="at_risk") == []
    floor.take(*won("w4", HOUR))
    assert await listed(floor, flag="at_risk") == ["large"]


async def test_a_goal_that_hangs_on_one_deal(tmp_path: Path) -> None:
    floor = floor_of(tmp_path, deal("half", amount=4500), deal("more", amount=4501), goals=GOALS)
    floor.take(*won("w", HOUR, amount=1000))

    assert await listed(floor, flag="concentrated") == ["more"]
    floor.take(*won("w2", HOUR, amount=9000))
    assert await listed(floor, flag="concentrated") == []


async def test_only_what_is_asked_for_and_may_be_seen(tmp_path: Path) -> None:
    floor = floor_of(tmp_path, deal("n"), deal("s", rep="r3"), deal("none", rep=None))

    assert await listed(floor, team="south") == ["s"]
    assert await listed(floor, rep="r1") == ["n"]
    assert await floor.refused("/v1/deals/open", flag="late") == (422, "flag")
    assert await floor.refused("/v1/deals/open", rep="x") == (404, "rep")
    key = floor.key("read", team="north")
    answer = await floor.get("/v1/deals/open", headers=key)
    assert [row["deal"] for row in answer.json()["rows"]] == ["n"]
    assert (await floor.get("/v1/deals/open", headers=key, team="south")).status_code == 403
    assert (await floor.get("/v1/leads/open", headers=floor.key("board"))).status_code == 403


def lead(id: str, age: int, /, **fields: Any) -> Any:
    at = NOW - age
    return change("lead", id, at, **{"rep": "r1", "received_at": at, "next_step_at": NOW + DAY, **fields})


async def test_open_leads_have_their_touches_and_flags(tmp_path: Path) -> None:
    floor = floor_of(
        tmp_path, lead("l1", 15 * DAY, name="Kim", source="web", value=7, status="new"), lead("l2", 20 * DAY),
        lead("l3", HOUR // 2, next_step_at=NOW), lead("done", DAY, status="converted"),
        change("call", "c1", NOW, rep="r1", lead="l1", direction="outbound", dialed_at=NOW - 14 * DAY),
        change("call", "c2", NOW, rep="r1", lead="l1", direction="outbound", dialed_at=NOW - 15 * DAY),
    )  # fmt: skip

    rows = (await floor.read("/v1/leads/open"))["rows"]

    assert rows[1] == {
        "lead": "l1", "name": "Kim", "rep": "r1", "rep_name": "Ana", "team": "north", "status": "new", "source": "web",
        "received_at": "2026-03-03T12:00:00.000Z", "touches": 2, "last_touch_at": "2026-03-04T12:00:00.000Z",
        "next_step_at": "2026-03-19T12:00:00.000Z", "value": "7.00", "currency": "USD", "flags": [],
    }  # fmt: skip
    assert [(row["lead"], row["flags"]) for row in rows] == [
        ("l2", ["quiet", "late"]), ("l1", []), ("l3", ["no_next_step"]),
    ]  # fmt: skip


@pytest.mark.parametrize(("flag", "leads"), [("late", ["l1"]), ("quiet", ["l1", "l2"]), ("no_next_step", ["l2"])])
async def test_open_leads_by_a_flag(tmp_path: Path, flag: str, leads: list[str]) -> None:
    floor = floor_of(
        tmp_path, lead("l1", 30 * DAY), lead("l2", 29 * DAY, next_step_at=None),
        change("call", "c1", NOW, rep="r1", lead="l2", direction="outbound", dialed_at=NOW - 28 * DAY),
    )  # fmt: skip

    assert await listed(floor, "/v1/leads/open", flag=flag) == leads


async def test_a_touch_to_come_is_no_touch_until_it_comes(tmp_path: Path) -> None:
    floor = floor_of(
        tmp_path, lead("l1", 30 * DAY),
        change("call", "c1", NOW - 20 * DAY, rep="r1", lead="l1", direction="outbound", dialed_at=NOW - 20 * DAY),
        change("call", "c2", NOW, rep="r1", lead="l1", direction="outbound", dialed_at=NOW + HOUR),
    )  # fmt: skip

    async def seen() -> tuple[Any, ...]:
        (row,) = (await floor.read("/v1/leads/open"))["rows"]
        return row["touches"], row["last_touch_at"], row["flags"]

    assert await seen() == (1, "2026-02-26T12:00:00.000Z", ["quiet"])
    floor.now += HOUR
    assert await seen() == (2, "2026-03-18T13:00:00.000Z", [])
    floor.pipeline.pass_time(floor.now)
    assert floor.pipeline.restart() == 0
    assert await seen() == (2, "2026-03-18T13:00:00.000Z", [])
