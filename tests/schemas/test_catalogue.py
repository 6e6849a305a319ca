"""The catalogue: what cells are called, what is wrong with entries, and what metrics are made of panes."""

import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.catalogue import begins_at_zero, bound, reading
from schemas.catalogue.base import Reading
from schemas.catalogue.derived import Derived
from schemas.catalogue.percentiles import Ranked, between, rank
from schemas.catalogue.rules import Rules
from schemas.config import ConfigError
from schemas.config.rules import rules_of
from schemas.instants import DAY, HOUR, MINUTE, SECOND
from schemas.panes import Pane, merge
from tests.builders import catalogue_of, make_config
from tests.panes import cell_of, pane_of, shipped

NOW = 1_764_120_000 * SECOND

_PINNED = json.loads((Path(__file__).parents[1] / "fixtures" / "shipped_cells.json").read_text(encoding="utf-8"))
CELLS: dict[str, list[int]] = {name: [int(cell, 16) for cell in cells] for name, cells in _PINNED["metrics"].items()}
LABELLED = {int(cell, 16) for cell in _PINNED["labelled"]}
"""Those of the parts of a metric by a dimension."""
"""A name that changes derives all panes anew, in every installation: that is meant to be so, or a mistake."""


@pytest.mark.parametrize("metric", CELLS)
def test_the_cells_of_the_shipped_metrics_have_their_names(metric: str) -> None:
    assert [measure.name for measure in shipped().metrics[metric].reader.measures] == CELLS[metric]


def test_nothing_is_wrong_with_the_shipped_metrics_at_which_no_process_looks() -> None:
    read = reading.read_metrics(reading.shipped_text(), reading.SHIPPED, None)

    assert read.problems == []
    assert dict(read.defined.metrics) == dict(reading.shipped().metrics)


def test_every_shipped_metric_is_made_of_named_cells() -> None:
    named = {cell for cells in CELLS.values() for cell in cells}

    assert {cell for metric in shipped().metrics.values() for cell in metric.cells} == named
    assert {*shipped().plan.forms} == named | LABELLED


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
    return catalogue_of(yaml.safe_dump({"metrics": entries}, sort_keys=False))


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
        other = bound(reading.shipped().metrics, rules).metrics
        return {name for name, metric in shipped().metrics.items() if metric.cells != other[name].cells}

    by_call = {"conversations", "conversations_by_call"}
    assert changed(longer) == by_call | {"conversation_rate"}
    assert (
        changed(rules_of(make_config(conversation={"calls": "outbound"}))) == by_call
    )  # the rate is of outbound calls
    assert changed(rules_of(make_config(conversation={"mails": "none"}))) == {"conversations", "conversations_by_mail"}
    assert changed(rules_of(make_config(conversation={"meetings": "none"}))) == {"conversations"}
    money = {name for name, metric in reading.shipped().metrics.items() if metric.unit == "money"}
    shares = {name for name in reading.shipped().metrics if name.startswith("revenue_") and name.endswith("_share")}
    assert changed(rated) == money | shares | {"average_discount", "sales_to_cost_ratio"}
    missed = {"leads_late", "lead_value_late", "leads_missed", "lead_value_missed"}  # the owner's in any case
    assert (
        changed(rules_of(make_config(lead_response={"credit": "owner"})))
        == {name for name, metric in reading.shipped().metrics.items() if metric.type == "response"} - missed
    )


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
        ({"a": entry(where={"rep": {"at_least": "60s"}})},
         "a.where.rep: is a text: of it can be asked which it is, or is_set"),
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
            catalogue_of(text)


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

    absent = {name for name, value in shown.items() if value is None}
    assert absent == {name for name in shown if _is_made_by_dividing(name)}
    assert all(begins_at_zero(reading.shipped().metrics, name) == (value is not None) for name, value in shown.items())


def _is_made_by_dividing(name: str) -> bool:
    """A share, a mean, a percentile, or what is made of one."""
    found = reading.shipped().metrics[name]
    if isinstance(found, Derived):
        return any(_is_made_by_dividing(part) for part in re.findall("[a-z_]{3,}", found.expr)) or "/" in found.expr
    is_mean_or_percentile = re.fullmatch(r"p\d+|mean|within|kept", str(getattr(found, "stat", ""))) is not None
    return found.type in {"ratio", "conversion", "funnel"} or is_mean_or_percentile


def test_shipped_metrics_of_one_pane() -> None:
    pane = pane_of(
        calls_made=4, calls_connected=3, talk_seconds=90_500_000, conversations_by_call=1, conversations_by_mail=2,
        meetings_held=3, deals_won=2, deals_lost=3, revenue_won="1000.005",
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


def test_what_lies_in_no_list_of_a_dimension_is_what_is_left_of_the_whole() -> None:
    won = shipped().metrics["average_deal_size"]
    none, stored = won.segments["kind"]["none"], {*shipped().plan.forms}
    cells = [[measure.name for measure in reader.measures] for reader in (won.reader, won.segments["kind"]["new"])]
    reading = Reading(now=NOW, money_digits=2)

    def pane(*held: tuple[int, str]) -> Pane:
        """So many won deals of a kind, of 100.00 each; of "": of any."""
        return {
            cell: amount * 10_000 if place == 0 else amount
            for amount, kind in held
            for place, cell in ((0, cells[kind == "new"][0]), (2, cells[kind == "new"][2]))
        }

    sums = {cell: {512: amount} if amount > 100 else amount for cell, amount in pane((5, ""), (2, "new")).items()}
    assert none.result(sums, reading).value == "100.00"
    assert none.exact({**sums, cells[0][0]: {512: 20_000}, cells[0][2]: 2}, reading) is None  # all of them are new
    assert {measure.name for measure in none.measures} <= stored


def test_people_for_whom_something_counts_are_read_off_their_days() -> None:
    people, days = shipped().metrics["crm_people"], shipped().metrics["crm_days"]
    (cell,) = people.cells
    pane: Pane = {cell: {("r1", 20_000): 1, ("r1", 20_001): 1, ("r2", 20_000): 1}}
    reading = Reading(now=NOW, money_digits=2)

    assert people.cells == days.cells
    assert (people.reader.exact(pane, reading), days.reader.exact(pane, reading)) == (2, 3)
    assert (people.keep, days.keep) == (35, None)


def test_deals_won_or_lost_share_the_cells_of_those_won_and_those_lost() -> None:
    metrics = shipped().metrics

    assert metrics["win_rate"].cells == metrics["deals_won"].cells | metrics["deals_lost"].cells
    assert metrics["hold_rate"].cells == metrics["meetings_held"].cells | metrics["meetings_no_show"].cells


@pytest.mark.parametrize("values", [["won", "wun"], ["won", 3], ["won", "won"]])
def test_a_list_of_values_is_checked_and_counted_as_one(values: list[Any]) -> None:
    where = {"status": values}
    found = entry(**{"from": "deal"}, where=where, at="closed_at")
    if values == ["won", "won"]:
        plain = entry(**{"from": "deal"}, where={"status": "won"}, at="closed_at")
        both = bound(catalogue(a=found, b=plain), Rules()).metrics
        assert both["a"].cells == both["b"].cells
        return
    with pytest.raises(ConfigError, match=r"where\.status"):
        catalogue(a=found)
