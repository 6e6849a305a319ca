"""The catalogue: what cells are called, what is wrong with entries, and what metrics are made of panes."""

import re
from fractions import Fraction
from typing import Any

import pytest
import yaml

from schemas.catalogue import begins_at_zero, bound, parse_catalogue, shipped_catalogue
from schemas.catalogue.base import Reading
from schemas.catalogue.percentiles import Ranked, between, rank
from schemas.catalogue.rules import Rules
from schemas.config import ConfigError
from schemas.config.rules import rules_of
from schemas.instants import DAY, HOUR, MINUTE, SECOND
from schemas.panes import Pane, merge
from tests.builders import make_config
from tests.panes import cell_of, pane_of, shipped

NOW = 1_764_120_000 * SECOND

CELLS = {
    "calls_made": [0x8960E83BBA49C2A7],
    "calls_connected": [0x143F24154A881472],
    "conversations_by_call": [0x4F1DF5A315B224A5],
    "conversations_by_mail": [0xD7614EC8C541DB6D],
    "talk_seconds": [0xC0B4966EC704F4F4],
    "emails_sent": [0xA6CCE995B4892A92],
    "emails_received": [0xCC7D1E5C4EF3E352],
    "meetings_booked": [0xF43A7933C9A6A36D],
    "meetings_held": [0xE4FDF907AD924700],
    "leads_assigned": [0x17F0AED979CB3453],
    "leads_due": [0x473D55450BC17ABC, 0x0FA88E105415CB34, 0x9B6BB1E70CC49B0F, 0xB54FE8D2AAC324A9],
    "leads_answered": [0x473D55450BC17ABC, 0xB54FE8D2AAC324A9],
    "lead_response_seconds_p50": [0x5B8559447AF7A23A, 0x0FA88E105415CB34, 0x9B6BB1E70CC49B0F, 0xB54FE8D2AAC324A9],
    "lead_response_within_sla": [
        0xA2F8D7CBE3174C60,
        0x473D55450BC17ABC,
        0x0FA88E105415CB34,
        0x9B6BB1E70CC49B0F,
        0xB54FE8D2AAC324A9,
    ],
    "deals_won": [0xF0AFCF8E13EFEE1E],
    "deals_lost": [0xC98F96481CACCB0B],
    "revenue_won": [0xE1CF9120FEE41561, 0xE58BBC4E1BC77E45],
    "win_rate": [0xF0AFCF8E13EFEE1E, 0x4B46C43A78DC0304],
    "average_deal_size": [0xE1CF9120FEE41561, 0xE58BBC4E1BC77E45, 0x4726260446114B5C],
    "sales_cycle_days_p50": [0xF497416BBBB68AE2, 0x7BEE20E3E92102AC],
    "stage_conversion": [],
    "lead_funnel": [0x5012161A9A60D93E, 0xA457AB43C4D3ACEF, 0x69176F3F4FB2CEA7],
}
"""A name that changes derives all panes anew, in every installation: that is meant to be so, or a mistake."""


@pytest.mark.parametrize("metric", CELLS)
def test_the_cells_of_the_shipped_metrics_have_their_names(metric: str) -> None:
    assert [measure.name for measure in shipped().metrics[metric].reader.measures] == CELLS[metric]


def test_every_shipped_metric_is_made_of_named_cells() -> None:
    named = {cell for cells in CELLS.values() for cell in cells}

    assert {cell for metric in shipped().metrics.values() for cell in metric.cells} == named == {*shipped().plan.forms}


def entry(**changed: Any) -> dict[str, Any]:
    made = {
        "label": "Calls", "description": "Calls.", "unit": "count", "type": "simple", "from": "call",
        "where": {"direction": "outbound", "not": {"outcome": "failed"}}, "at": "dialed_at", "credit": "rep",
        "agg": "count",
    } | changed  # fmt: skip
    return {name: value for name, value in made.items() if value is not None}


RATIO = {"label": "A", "description": "A.", "unit": "ratio", "type": "ratio", "denominator": "c"}
NOT_SIMPLE = dict.fromkeys(("from", "where", "at", "credit", "agg"))


def catalogue(**entries: dict[str, Any]) -> Any:
    return parse_catalogue(yaml.safe_dump({"metrics": entries}, sort_keys=False), "metrics.yaml")


def cells(**entries: dict[str, Any]) -> dict[str, frozenset[int]]:
    return {name: metric.cells for name, metric in bound(catalogue(**entries), Rules()).metrics.items()}


def test_another_name_order_or_spelling_of_the_same_is_the_same_cell() -> None:
    found = cells(
        a=entry(),
        b=entry(label="Renamed", description="Other words.", better="lower"),
        c=entry(where={"not": {"outcome": ["failed"]}, "direction": "outbound"}),
        d=entry(where={"not": {"any": [{"outcome": "failed"}, {"not": {"direction": "outbound"}}]}}),
    )

    assert len({*found.values()}) == 1


@pytest.mark.parametrize(
    "other",
    [{"where": {"direction": "inbound"}}, {"at": "ended_at"}, {"credit": "deal"}, {"from": "email", "at": "sent_at",
      "where": {"direction": "outbound"}}, {"agg": "sum", "value": "talk"}],
    ids=["condition", "instant", "person", "fact", "number"],
)  # fmt: skip
def test_what_means_another_thing_is_another_cell(other: dict[str, Any]) -> None:
    found = cells(a=entry(), b=entry(**other))

    assert found["a"] != found["b"]


def test_rules_are_part_of_what_a_measure_means() -> None:
    longer = rules_of(make_config(conversation={"min_talk": "90s"}))
    rated = rules_of(make_config(currency_rates={"EUR": "1.08"}))

    def changed(rules: Rules) -> set[str]:
        other = bound(shipped_catalogue(), rules).metrics
        return {name for name, metric in shipped().metrics.items() if metric.cells != other[name].cells}

    assert changed(longer) == {"conversations", "conversations_by_call"}
    assert changed(rules_of(make_config(conversation={"calls": "outbound"}))) == changed(longer)
    assert changed(rules_of(make_config(conversation={"mails": "none"}))) == {"conversations", "conversations_by_mail"}
    assert changed(rules_of(make_config(conversation={"meetings": "none"}))) == {"conversations"}
    assert changed(rated) == {"revenue_won", "average_deal_size"}
    assert changed(rules_of(make_config(lead_response={"credit": "owner"}))) == {
        name for name, metric in shipped_catalogue().items() if metric.type == "response"
    }


@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        ({"a": entry(type="simpel")}, "a.type: must be one of simple, ratio, derived, duration, conversion, funnel,"),
        ({"a": entry(colour="red")}, "a.colour: is not a setting here"),
        ({"a": entry(**{"from": "calls"})}, "a.from: there is no fact calls; did you mean 'call'?"),
        ({"a": entry(where={"directoin": "outbound"})},
         "a.where.directoin: call has no field directoin; did you mean 'direction'?"),
        ({"a": entry(where={"not": {"any": [{"x": True}]}})}, "a.where.not.any.0.x: call has no field x"),
        ({"a": entry(where={"direction": {}})}, "a.where.direction: must be one of at_least, below, is_set"),
        ({"a": entry(where={"internal": "yes"})}, "a.where.internal: must be true or false"),
        ({"a": entry(where={"talk": {"at_least": 60}})}, "a.where.talk.at_least: '60' is not a duration"),
        ({"a": entry(where={"talk": {"over": "60s"}})}, "a.where.talk: must be one of at_least, below, is_set"),
        ({"a": entry(where={"rep": {"at_least": "60s"}})}, "a.where.rep: is not a duration"),
        ({"a": entry(where={"any": []})}, "a.where.any: must be a list of conditions"),
        ({"a": entry(at="rep")}, "a.at: rep is not an instant"),
        ({"a": entry(at="started")}, "a.at: call has no field started; there are answered_at, dialed_at, ended_at"),
        ({"a": entry(credit="direction")}, "a.credit: direction is not a person"),
        ({"a": entry(agg="sum")}, "a.value: is missing: agg sum needs a field"),
        ({"a": entry(value="talk")}, "a.value: is only for agg sum"),
        ({"a": entry(agg="sum", value="direction")}, "a.value: direction is neither a number nor"),
        ({"a": entry(agg="sum", value="talk", unit="money")}, "a.value: is no money"),
        ({"a": entry(**{"from": ["call", "lead"]})}, "a.from: lead cannot stand in a list"),
        ({"a": {**RATIO, "numerator": "b"}, "c": entry()}, "a.numerator: there is no metric b"),
        ({"a": {**RATIO, "numerator": "a"}, "c": entry()}, "a.numerator: is made of itself: a of a"),
        ({"a": {**RATIO, "numerator": {"metric": "a", "where": {}}}, "c": entry()},
         "a.numerator.metric: a is not of type simple"),
        ({"a": {**RATIO, "numerator": {"metric": "c", "where": {"x": "y"}}}, "c": entry()},
         "a.numerator.where.x: call has no field x"),
        ({"a": entry(type="derived", expr="b +", **NOT_SIMPLE)},
         "a.expr: is not made of names, numbers"),
        ({"a": entry(type="derived", expr="open('x')", **NOT_SIMPLE)},
         "a.expr: open('x') is neither a metric nor a number"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(entries: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError) as error:
        catalogue(**entries)

    assert any(re.match(rf"metrics\.yaml:\d+: metrics\.{re.escape(problem)}", line) for line in error.value.problems), (
        error.value.problems
    )


def test_what_is_no_catalogue_is_named() -> None:
    for text in ("[", "metrics: 5", "- a"):
        with pytest.raises(ConfigError, match=r"^metrics\.yaml:1: "):
            parse_catalogue(text, "metrics.yaml")


def values(pane: Pane, *, now: int = NOW, **entries: dict[str, Any]) -> dict[str, Any]:
    metrics = bound(catalogue(**entries), Rules()).metrics if entries else shipped().metrics
    return {name: metric.reader.result(pane, Reading(now, 2)).value for name, metric in metrics.items()}


def derived(expr: str, **changed: Any) -> dict[str, Any]:
    return {"label": "D", "description": "D.", "unit": "number", "type": "derived", "expr": expr} | changed


def test_a_formula_is_exact_until_it_is_shown() -> None:
    inbound = entry(where={"direction": "inbound"})
    found = bound(catalogue(a=entry(), b=inbound), Rules()).metrics
    (a,), (b,) = found["a"].cells, found["b"].cells
    shown = values(
        {a: 7, b: 3},
        a=entry(), b=inbound, c=derived("(a - b) * 2 + 0.1"), d=derived("a / b / a * b"), e=derived("a / (b - 3)"),
        f=derived("-a"), g=derived("e + a"), h=derived("a + b", unit="count"),
        i={**RATIO, "numerator": "a", "denominator": "b"},
    )  # fmt: skip

    assert shown == {"a": 7, "b": 3, "c": 8.1, "d": 1, "e": None, "f": -7, "g": None, "h": 10, "i": 7 / 3}


def test_a_narrowed_metric_meets_both_conditions() -> None:
    narrowed = {"metric": "a", "where": {"direction": "inbound"}}
    found = cells(
        a=entry(where={"direction": ["inbound", "outbound"]}),
        r={**RATIO, "numerator": narrowed, "denominator": "a"},
        b=entry(where={"any": [{"direction": "inbound"}, {"direction": "outbound"}], "direction": "inbound"}),
    )

    assert found["r"] == found["a"] | found["b"]


def test_where_nothing_happened() -> None:
    shown = values({})

    assert {name for name, value in shown.items() if value is None} == {
        "connect_rate", "lead_response_seconds_p50", "lead_response_seconds_p90", "lead_response_within_sla",
        "win_rate", "average_deal_size", "sales_cycle_days_p50", "stage_conversion", "lead_funnel",
    }  # fmt: skip
    assert all(begins_at_zero(shipped_catalogue(), name) == (value is not None) for name, value in shown.items())


def test_shipped_metrics_of_one_pane() -> None:
    pane = pane_of(
        calls_made=4, calls_connected=3, talk_seconds=90_500_000, conversations_by_call=1, conversations_by_mail=2,
        meetings_held=3, deals_won=2, deals_closed=5, revenue_won="1000.005",
        sales_cycle_days_p50=[DAY, 2 * DAY, 4 * DAY, 4 * DAY], leads_answered=2, responses=[MINUTE, 3 * MINUTE],
        pending=[(NOW - HOUR, NOW), (NOW - MINUTE, NOW + 1)],
    )  # fmt: skip
    shown = values(pane)

    assert shown["conversations"] == 6
    assert shown["connect_rate"] == 0.75
    assert shown["talk_seconds"] == 90.5
    assert shown["revenue_won"] == "1000.00"  # half to even
    assert shown["win_rate"] == 0.4
    assert shown["sales_cycle_days_p50"] == 3
    assert (shown["leads_due"], shown["leads_answered"]) == (3, 2)
    assert shown["lead_response_seconds_p50"] == 180
    p90 = shipped().metrics["lead_response_seconds_p90"].reader.result(pane, Reading(NOW, 2))
    assert p90.value is None
    assert p90.bound == pytest.approx(180 + 0.8 * (3600 - 180))


def test_what_one_origin_takes_out_of_another_leaves_no_lead_waiting() -> None:
    waiting = pane_of(pending=[(NOW - HOUR, NOW)])
    taken_out = {cell_of("pending"): {(NOW - HOUR, NOW): -1}}

    assert values(merge([waiting, taken_out]))["leads_due"] == 0


def test_a_touch_that_is_still_to_come_answers_from_then_on() -> None:
    cells = shipped().metrics["leads_due"].reader.measures
    coming = (NOW - HOUR, NOW - MINUTE, NOW + MINUTE)
    pane = {cells[2].name: {coming: 1}, cells[3].name: {coming: 1}}
    before, after = values(pane), values(pane, now=NOW + MINUTE)

    assert (before["leads_due"], before["leads_answered"], before["lead_response_within_sla"]) == (1, 0, 0)
    assert before["lead_response_seconds_p50"] is None
    assert (after["leads_due"], after["leads_answered"], after["lead_response_within_sla"]) == (1, 1, 0)
    assert after["lead_response_seconds_p50"] == 3660


def test_a_percentile_is_that_of_the_sample_written_out() -> None:
    sample = Ranked({5: 2, 1: 1, 9: 3})

    assert [sample[place] for place in range(len(sample))] == [1, 5, 5, 9, 9, 9]
    assert between(sample, *rank(6, Fraction(1, 2))) == 7
    assert between(sample, *rank(6, Fraction(9, 10))) == 9
