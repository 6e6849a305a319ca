"""`/v1/series`: steps of any length, metrics of any type, parts by a dimension."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from deploy.verification.definitions import with_own
from deploy.verification.recount import recount
from deploy.verification.rows import shown
from schemas.documents.text import read_document
from schemas.instants import parse_instant
from schemas.records import RecordChange
from schemas.windows import date_of
from tests.api.reading import Floor, floor_config
from tests.builders import change

DEFINES = """
dimensions:
  product: {of: deal.product, values: {Pro: [pro], Basic: [basic]}}
metrics:
  created: {unit: count, type: simple, from: deal, at: created_at, credit: rep, agg: count, by: [product]}
  open_now: {unit: count, type: level, from: deal, start: created_at, end: ended_at, credit: rep, agg: count}
  buyers: {unit: count, type: simple, from: deal, at: created_at, credit: rep, agg: distinct, of: customer}
  per_deal: {unit: number, type: derived, expr: calls_made / created}
"""


class Said(Floor):
    """A floor that remembers what the CRM said."""

    def take(self, *changes: RecordChange) -> None:
        self.said = [*changes]
        super().take(*changes)


@pytest.fixture
def floor(tmp_path: Path) -> Said:
    made = Said(tmp_path, floor_config(defines=DEFINES, timezone="Europe/Berlin"))
    days = ["2025-12-30", "2026-01-15", "2026-02-27", "2026-02-28", "2026-03-02", "2026-03-17", "2026-03-18"]
    made.take(
        *(
            change(
                "deal", f"d{place}", f"{day}T12:00Z", rep="r1" if place % 2 else "r3", created_at=f"{day}T10:00Z",
                status="won" if place % 3 == 0 else "open", closed_at=f"{day}T11:00Z", amount=place * 10,
                product="pro" if place % 2 else "basic", customer=f"c{place % 2}",
            )
            for place, day in enumerate(days)
        ),
        *(
            change("call", f"c{place}", f"{day}T12:00Z", rep="r1", direction="outbound", dialed_at=f"{day}T10:00Z")
            for place, day in enumerate([*days, *days[3:]])
        ),
        *(
            change("lead", f"l{place}", f"{day}T00:00Z", rep="r1", received_at=f"{day}T09:00Z")
            for place, day in enumerate(days[4:])
        ),
    )  # fmt: skip
    return made


@pytest.mark.parametrize(
    ("step", "asked", "begins"),
    [
        ("1d", {}, ["03-12", "03-13", "03-14", "03-15", "03-16", "03-17", "03-18", "03-19"]),
        ("1w", {"from_": "2026-02-26"}, ["02-23", "03-02", "03-09", "03-16", "03-23"]),
        ("1w", {}, ["02-02", "02-09", "02-16", "02-23", "03-02", "03-09", "03-16", "03-23"]),
        ("1mo", {"from_": "2026-01-31", "to": "2026-03-01"}, ["01-01", "02-01", "03-01", "04-01"]),
        ("1q", {"from_": "2025-12-31"}, ["10-01", "01-01", "04-01"]),
        ("1y", {}, ["01-01", "01-01", "01-01"]),
    ],
)
async def test_steps_are_whole_ones_of_the_calendar(
    floor: Said, step: str, asked: dict[str, Any], begins: list[str]
) -> None:
    points = (await floor.read("/v1/series/calls_made", step=step, **asked))["points"]

    ends = [*(point["from"] for point in points), points[-1]["to"]]
    days = [date_of(floor.view.calendar.day_of(parse_instant(end))) for end in ends]
    assert [f"{day:%m-%d}" for day in days] == begins


@pytest.mark.parametrize(
    "metric",
    ["calls_made", "connect_rate", "revenue_won", "sales_cycle_days_p50", "leads_due", "lead_response_seconds_p50",
     "created", "open_now", "buyers", "per_deal", "win_rate"],
)  # fmt: skip
@pytest.mark.parametrize("step", ["1w", "1mo"])
async def test_a_point_is_the_metric_over_its_step_as_the_recount_has_it(floor: Said, metric: str, step: str) -> None:
    definitions = with_own(read_document(DEFINES, "metrics.yaml").value)
    books = recount(floor.said, floor.config, definitions)

    for whose in ({}, {"team": "north"}, {"rep": "r3"}):
        points = (await floor.read(f"/v1/series/{metric}", step=step, from_="2026-01-01", **whose))["points"]
        for point in points:
            first, last = (floor.view.calendar.day_of(parse_instant(point[end])) for end in ("from", "to"))
            window = (date_of(first), date_of(last - 1))
            value = books.value(metric, now=floor.now, window=window, **whose)
            assert point["value"] == shown(value, definitions.metrics[metric], "USD"), (point, whose)
            assert ("unavailable" in point) == (metric == "buyers" and window[0] < date(2026, 2, 11))


async def test_of_a_level_a_point_is_the_end_of_its_step_and_what_waits_is_a_bound(floor: Said) -> None:
    levels = await floor.read("/v1/series/open_now", from_="2026-03-16", to="2026-03-20")
    waits = await floor.read("/v1/series/lead_response_seconds_p50", from_="2026-03-17", to="2026-03-17")

    # Days to come are empty of what happens; of what there is there is as much as now.
    assert [point["value"] for point in levels["points"]] == [3, 4, 4, 4, 4]
    assert waits["points"][0]["value"] is None
    assert waits["points"][0]["bound"] > 0


async def test_what_is_not_kept_is_null_and_says_since_when(floor: Said) -> None:
    points = (await floor.read("/v1/series/calls_made", step="1y"))["points"]

    assert [(point["value"], point.get("unavailable")) for point in points] == [
        (None, "kept since 2025-02-11"),
        (10, None),
    ]


async def test_points_have_parts_by_a_dimension(floor: Said) -> None:
    asked = {"step": "1mo", "from_": "2026-02-01"}
    product = (await floor.read("/v1/series/created", **asked, by="product"))["points"]
    team = (await floor.read("/v1/series/created", **asked, by="team"))["points"]

    def parts(points: Any, by: str) -> list[dict[str, int]]:
        return [{part["by"][by]: part["value"] for part in point["segments"]} for point in points]

    assert parts(product, "product") == [{"Pro": 1, "Basic": 1, "Other": 0}, {"Pro": 1, "Basic": 2, "Other": 0}]
    assert parts(team, "team") == [{"north": 1, "south": 1}, {"north": 1, "south": 2}]


@pytest.mark.parametrize(
    ("metric", "asked", "field"),
    [
        ("calls_made", {"by": "product"}, "by"), ("created", {"by": "colour"}, "by"),
        ("created", {"step": "2d"}, "step"), ("created", {"step": "1y", "from_": "2001-01-01"}, "to"),
    ],
)  # fmt: skip
async def test_what_means_nothing_is_named(floor: Said, metric: str, asked: dict[str, Any], field: str) -> None:
    assert await floor.refused(f"/v1/series/{metric}", **asked) == (422, field)
