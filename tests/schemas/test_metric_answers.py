"""What `response` says of clocks by any time, bands of a lead's response, and tenure: worked examples."""

from datetime import date
from typing import Any

import pytest
import yaml

from processor.core.plan import Evaluator
from schemas.catalogue import BoundCatalogue, bound
from schemas.catalogue.base import Reading
from schemas.catalogue.rules import Rules
from schemas.catalogue.tenure import band_of, whole_months
from schemas.config import ConfigError
from schemas.config.rules import rules_of
from schemas.instants import DAY, HOUR, MINUTE, parse_instant
from schemas.panes import Pane, add
from schemas.windows import Calendar, day_from
from tests.builders import catalogue_of, make_config

START = parse_instant("2026-03-18T09:00:00Z")


def made(metrics: dict[str, dict[str, Any]], dimensions: dict[str, Any] | None = None) -> BoundCatalogue:
    for name, entry in metrics.items():
        entry |= {"label": name, "description": "Of a test."}
    text = yaml.safe_dump({"dimensions": dimensions or {}, "metrics": metrics}, sort_keys=False)
    return bound(catalogue_of(text), Rules())


def lead(rep: str = "r1", **fields: Any) -> dict[str, Any]:
    row = {"rep": rep, "started_at": START, "due_at": START + HOUR} | fields
    if "response" in fields:
        row |= {
            "answered_by": "r2",
            "within_sla": fields["response"] <= HOUR,
            "answered_at": START + fields["response"],
        }
    return row


def pane_of(catalogue: BoundCatalogue, fact: str, rows: list[dict[str, Any]]) -> Pane:
    pane: Pane = {}
    evaluator = Evaluator(catalogue.plan, {})
    for row in rows:
        counted = evaluator.of_row(fact, row.get) or evaluator.of_record(fact, row.get)
        for _, _, values in counted:
            add(pane, values, 1)
    return pane


def test_answers_by_any_time_and_what_was_missed() -> None:
    catalogue = made(
        {
            "in_half": {"unit": "ratio", "type": "response", "stat": "within", "within": "30m"},
            "missed": {"unit": "count", "type": "response", "stat": "missed", "within": "missed_after"},
            "late": {"unit": "count", "type": "response", "stat": "missed", "within": "sla"},
            "mean": {"unit": "seconds", "type": "response", "stat": "mean"},
        }
    )
    rows = [
        lead(response=10 * MINUTE), lead(response=30 * MINUTE), lead(response=40 * MINUTE), lead(response=8 * DAY),
        lead(), lead(coming_at=START + 8 * DAY),
    ]  # fmt: skip
    pane = pane_of(catalogue, "lead", rows)

    def at(now: int) -> dict[str, Any]:
        return {name: one.reader.result(pane, Reading(now, 2)).value for name, one in catalogue.metrics.items()}

    mean = (10 + 30 + 40 + 8 * 24 * 60) * 60 / 4
    assert at(START + 29 * MINUTE) == {"in_half": 0.5, "missed": 1, "late": 1, "mean": mean}
    assert at(START + 30 * MINUTE)["in_half"] == 2 / 6
    assert at(START + HOUR)["late"] == 3
    assert at(START + 7 * DAY) == {"in_half": 2 / 6, "missed": 3, "late": 3, "mean": mean}
    # An answer that has come later does not undo it.
    assert at(START + 9 * DAY)["missed"] == 3


def test_a_success_is_in_time_up_to_the_last_instant_and_a_term_is_over_at_it() -> None:
    metrics: dict[str, dict[str, Any]] = {
        "base": {
            "unit": "count", "type": "simple", "from": "deal", "at": "created_at", "credit": "rep", "agg": "count",
        },
        "rate": {
            "unit": "ratio", "type": "conversion", "base": "base", "to": {"status": "won"}, "at_to": "closed_at",
            "within": "1d", "open": "due",
        },
    }  # fmt: skip
    catalogue = made(metrics)
    deals = [
        {"rep": "r1", "created_at": START, "status": "won", "closed_at": START + DAY},
        {"rep": "r1", "created_at": START, "status": "won", "closed_at": START + DAY + 1},
        {"rep": "r1", "created_at": START, "status": "lost"},
        {"rep": "r1", "created_at": START, "status": "open"},
    ]
    pane = pane_of(catalogue, "deal", deals)
    read = catalogue.metrics["rate"].reader

    assert read.result(pane, Reading(START + DAY - 1, 2)).value == 1 / 2
    assert read.result(pane, Reading(START + DAY, 2)).value == 1 / 4


def test_bands_hold_up_to_their_name() -> None:
    catalogue = made(
        {
            "leads": {
                "unit": "count", "type": "simple", "from": "lead", "at": "received_at", "credit": "rep", "agg": "count",
                "by": ["band", "source"],
            }
        },
        {
            "band": {"of": "lead.response", "bands": ["5m", "15m"]},
            "source": {"of": "lead.source", "values": {"Web": ["web"]}, "other": "Else"},
        },
    )  # fmt: skip
    times = [0, 5 * MINUTE, 5 * MINUTE + 1, 15 * MINUTE, HOUR, None]
    rows = [{"received_at": START, "response": took, "source": "web" if took else None} for took in times]
    pane = pane_of(catalogue, "lead", rows)
    found = catalogue.metrics["leads"].segments

    def read(dimension: str) -> dict[str, Any]:
        return {label: one.result(pane, Reading(START, 2)).value for label, one in found[dimension].items()}

    assert read("band") == {"5m": 2, "15m": 2, "later": 1, "never": 1, "unknown": 0}
    assert read("source") == {"Web": 4, "Else": 2}


def test_a_record_is_told_apart_by_its_lead_where_that_is_known_and_counted_once() -> None:
    catalogue = made(
        {
            "held": {
                "unit": "count", "type": "simple", "from": "meeting", "where": {"outcome": "held"}, "at": "starts_at",
                "credit": "rep", "agg": "count", "by": ["source"],
            }
        },
        {"source": {"of": "lead.source", "values": {"Web": ["web"]}, "other": "Else"}},
    )  # fmt: skip
    evaluator = Evaluator(catalogue.plan, {"old": "r1"})
    meeting = {"rep": "old", "outcome": "held", "starts_at": START, "lead": "l1"}

    def read(*counted: Any) -> dict[str, Any]:
        pane: Pane = {}
        for contributions in counted:
            for who, _, values in contributions:
                assert who == "r1"
                add(pane, values, 1)
        metric = catalogue.metrics["held"]
        labels = {label: one.result(pane, Reading(START, 2)).value for label, one in metric.segments["source"].items()}
        return labels | {"all": metric.reader.result(pane, Reading(START, 2)).value}

    alone = evaluator.of_record("meeting", meeting.get)
    unnamed = evaluator.of_record("meeting", (meeting | {"lead": None}).get)
    known = evaluator.of_row("lead/meeting", (meeting | {"lead.source": "web"}).get)
    unknown = evaluator.of_row("lead/meeting", meeting.get)
    assert read(alone) == {"Web": 0, "Else": 0, "all": 1}
    assert read(unnamed) == {"Web": 0, "Else": 1, "all": 1}
    assert read(alone, known) == {"Web": 1, "Else": 0, "all": 1}
    assert read(alone, unknown) == {"Web": 0, "Else": 1, "all": 1}


@pytest.mark.parametrize(
    ("since", "day", "months"),
    [
        ("2026-01-31", "2026-02-28", 1), ("2026-01-31", "2026-02-27", 0), ("2026-01-15", "2026-04-14", 2),
        ("2026-01-15", "2026-04-15", 3), ("2025-03-18", "2026-03-18", 12), ("2026-05-01", "2026-03-18", 0),
    ],
)  # fmt: skip
def test_months_are_whole(since: str, day: str, months: int) -> None:
    assert whole_months(date.fromisoformat(since), date.fromisoformat(day)) == months
    assert band_of(["3mo", "1y"], months) == ("3mo" if months < 3 else "1y" if months < 12 else "older")


def test_versions_begin_with_the_organisations_day() -> None:
    one = {"type": "simple", "from": "deal", "at": "created_at", "credit": "rep", "agg": "count"}
    entry = {"unit": "count", "versions": [one, {"since": "2026-03-18", **one, "where": {"status": "won"}}]}
    rules = rules_of(make_config(timezone="Asia/Kuala_Lumpur"))
    text = yaml.safe_dump({"metrics": {"a": entry | {"label": "A", "description": "A."}}}, sort_keys=False)
    catalogue = bound(catalogue_of(text), rules)
    zone = Calendar(make_config(timezone="Asia/Kuala_Lumpur").organisation.zone, 0)
    midnight = zone.day_start(day_from(date(2026, 3, 18)))
    deals = [{"created_at": at, "status": status} for at in (midnight - 1, midnight) for status in ("won", "lost")]

    assert catalogue.metrics["a"].reader.result(pane_of(catalogue, "deal", deals), Reading(START, 2)).value == 3


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"agg": "distinct"}, "of: is missing: agg distinct needs ids"),
        ({"of": "lead"}, "of: is only for agg distinct"),
        ({"agg": "distinct", "of": "status_of"}, "of: deal has no field status_of"),
        ({"agg": "distinct", "of": "lead", "keep": "3h"}, "keep: must be whole days"),
        ({"agg": "distinct", "of": "lead", "at_least": "0"}, "at_least: must be a whole number above 0"),
        ({"by": ["colour"]}, "by.0: there is no dimension 'colour'"),
        ({"by": ["source_of_calls"]}, "by: deal does not say source_of_calls"),
        ({"from": "subscriptions"}, "from: there is no fact subscriptions; did you mean"),
        ({"where": {"amount": {"at_least": "many"}}}, "where.amount.at_least: must be a number"),
        ({"where": {"amount": {"at_least": "1_000"}}}, "where.amount.at_least: must be a number"),
        ({"where": {"amount": {"at_least": "\u0663"}}}, "where.amount.at_least: must be a number"),
        ({"type": "level", "start": "created_at", "end": "closed_at", "at": None, "stat": "kept"},
         "stat: kept needs agg distinct"),
        ({"type": "level", "start": "created_at", "end": "closed_at", "at": None, "agg": "sum"},
         "value: is missing: agg sum needs it"),
        ({"type": "level", "start": "created_at", "at": None, "of": "lead"}, "of: is only for agg distinct"),
        ({"where": {"amount": {"atleast": 3}}},
         "where.amount: must be one of at_least, below, is_set; did you mean 'at_least'"),
        ({"where": {"status": {"at_least": 3}}}, "where.status: is a text: of it can be asked which it is, or is_set"),
        ({"where": {"attributes.": "x"}}, "where.attributes.: deal has no field attributes.; did you mean"),
        ({"type": "conversion", "from": None, "at": None, "credit": None, "agg": None, "base": "a", "unit": "ratio",
          "to": {"status": "won"}, "at_to": "closed_at", "open": "apart"}, "base: a is not of type simple"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_entry_is_named(changed: dict[str, Any], problem: str) -> None:
    entry = {"unit": "count", "type": "simple", "from": "deal", "at": "created_at", "credit": "rep", "agg": "count"}
    entry = {name: value for name, value in (entry | changed).items() if value is not None}

    with pytest.raises(ConfigError, match=rf"metrics\.a\.{problem}"):
        made({"a": entry}, {"source_of_calls": {"of": "call.outcome"}})
