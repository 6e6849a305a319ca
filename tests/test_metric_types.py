"""Every type of metric against a plain count of the same records: what a floor reads of panes is what there was.

Records are edited on the way: what they counted for before is taken out again.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from fractions import Fraction
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.read.metric_rows import MetricRows
from api.read.view import View
from processor.core.panes import PaneTable
from processor.core.plan import Contribution, Evaluator
from processor.core.retention import RetentionCutoff
from schemas.catalogue import bound
from schemas.catalogue.defined import Defined
from schemas.config.rules import rules_of
from schemas.floor import ORGANISATION, Scope, rep_scope, team_scope
from schemas.instants import DAY, HOUR, MINUTE
from schemas.windows import Calendar, Span, date_of, day_from, day_window, span_of
from tests.builders import catalogue_of, make_config
from tests.strategies import NOW

CALM = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
TEAMS = {"r1": "north", "r2": "south"}

CATALOGUE = """
dimensions:
  product: {of: deal.product, values: {Pro: [pro, p2], Basic: [basic]}, other: Other}
  kind: {of: deal.kind, other: none}
  unlisted: {of: deal.stage, values: {}}
  who: {of: rep.name}
metrics:
  created: {unit: count, type: simple, from: deal, at: created_at, credit: rep, agg: count, by: [product, kind]}
  won: {unit: count, type: simple, from: deal, where: {status: won}, at: closed_at, credit: rep, agg: count,
    by: [product]}
  revenue: {unit: money, type: simple, from: deal, where: {status: won}, at: closed_at, credit: rep, agg: sum,
    value: amount, by: [product]}
  big: {unit: count, type: simple, from: deal, where: {amount: {at_least: "100.5"}}, at: [closed_at, created_at],
    credit: [creator, rep], agg: count}
  small: {unit: count, type: simple, from: deal, where: {amount: {below: 100.5}}, at: [closed_at, created_at],
    credit: [creator, rep], agg: count}
  size: {unit: money, type: ratio, numerator: revenue, denominator: {metric: won, where: {valued: true}}}
  leads_with_deals: {unit: count, type: simple, from: deal, at: created_at, credit: rep, agg: distinct, of: lead,
    keep: 3d}
  creators: {unit: count, type: simple, from: deal, at: created_at, credit: rep, agg: distinct, of: [creator, rep]}
  often: {unit: count, type: simple, from: deal, at: created_at, credit: rep, agg: distinct, of: lead,
    at_least: 2, keep: 9d}
  deal_days: {unit: count, type: simple, from: deal, at: created_at, credit: rep, agg: days}
  open_deals: {unit: count, type: level, from: deal, start: created_at, end: closed_at, credit: rep, agg: count}
  open_pipeline: {unit: money, type: level, from: deal, start: created_at, end: closed_at, credit: rep, agg: sum,
    value: amount, by: [product]}
  open_leads: {unit: count, type: level, from: deal, start: created_at, end: closed_at, credit: rep, agg: distinct,
    of: lead}
  kept: {unit: ratio, type: level, from: deal, start: created_at, end: closed_at, credit: rep, agg: distinct, of: lead,
    stat: kept}
  win_due: {unit: ratio, type: conversion, base: created, to: {status: won}, at_to: closed_at, within: 2d, open: due}
  win_apart: {unit: ratio, type: conversion, base: created, to: {status: won}, at_to: closed_at, open: apart,
    by: [product]}
  cycle: {unit: days, type: duration, from: deal, start: created_at, end: closed_at, stat: mean, credit: rep}
  versioned:
    unit: count
    versions:
      - {type: simple, from: deal, at: created_at, credit: rep, agg: count}
      - {since: 2026-03-17, type: simple, from: deal, where: {status: won}, at: created_at, credit: rep, agg: count}
      - {since: 2026-03-18, type: simple, from: deal, where: {status: lost}, at: created_at, credit: rep, agg: count}
  share:
    unit: ratio
    versions:
      - {type: ratio, numerator: won, denominator: created}
      - {since: 2026-03-18, type: ratio, numerator: created, denominator: created}
"""


def catalogue() -> Any:
    raw = yaml.safe_load(CATALOGUE)
    for name, entry in raw["metrics"].items():
        entry |= {"label": name, "description": "Of a test."}
    return catalogue_of(yaml.safe_dump(raw, sort_keys=False))


FOUND = catalogue()
CONFIG = make_config(
    timezone="Asia/Kuala_Lumpur",
    teams={"north": {}, "south": {}},
    reps={"r1": {"team": "north"}, "r2": {"team": "south", "aliases": {"feed": ["old-2"]}}, "r3": {}},
    currency_rates={"EUR": "1.1"},
    defined=Defined(FOUND),
)
RULES = rules_of(CONFIG)
CALENDAR = Calendar(CONFIG.organisation.zone, CONFIG.organisation.first_weekday)
TODAY = CALENDAR.day_of(NOW)
PLAN = bound(FOUND, RULES).plan

_instants = st.sampled_from(
    [NOW + offset for offset in (-45 * DAY, -9 * DAY, -3 * DAY, -2 * DAY, -DAY, -HOUR, -MINUTE, 0, 1, HOUR, DAY)]
) | st.integers(NOW - 5 * DAY, NOW + 2 * DAY)
deals = st.fixed_dictionaries(
    {},
    optional={
        "rep": st.sampled_from(["r1", "r2", "r3", "old-2"]), "creator": st.sampled_from(["r1", "old-2", "r2"]),
        "lead": st.sampled_from(["l1", "l2", "l3"]), "created_at": _instants, "closed_at": _instants,
        "status": st.sampled_from(["open", "won", "lost"]), "amount": st.sampled_from(["100", "100.5", "-3", "33.33"]),
        "currency": st.sampled_from(["USD", "EUR", "JPY"]), "kind": st.sampled_from(["new", "renewal"]),
        "product": st.sampled_from(["pro", "p2", "basic", "x"]), "deleted": st.sampled_from([False, False, True]),
    },
)  # fmt: skip
Deal = Mapping[str, Any]


def view_of(edits: Iterable[tuple[Deal, Deal]], chance: random.Random) -> View:
    """What an api shows of deals that were one thing and are another."""
    evaluator = Evaluator(PLAN, CONFIG.aliases())
    cutoff = RetentionCutoff(CALENDAR, CONFIG.retention.records)
    cutoff.advance(NOW)
    tables = [
        PaneTable(f"ledger.{number}", CALENDAR, CONFIG.retention.minutes, cutoff, PLAN.keeps) for number in (0, 1)
    ]
    messages: list[tuple[bytes, bytes | None]] = []
    steps: list[tuple[PaneTable, list[Contribution], list[Contribution]]] = []
    for before, after in edits:
        table = chance.choice(tables)
        held = [evaluator.of_record("deal", deal.get) for deal in (before, after)]
        steps += [(table, [], held[0]), (table, held[0], held[1])]
    for table, old, new in steps:
        table.advance(NOW)
        table.replace(old, new)
        messages += table.take_changes()
    view = View(CONFIG)
    for key, value in messages:
        view.take_pane(key, value)
    return view


# ------------------------------------------------------------------ a plain count


def person(deal: Deal, *names: str) -> str | None:
    who = next((deal[name] for name in names if deal.get(name)), None)
    return "r2" if who == "old-2" else who


def counted(deals: Iterable[Deal], scope: Scope, span: Span, at: str, credit: tuple[str, ...] = ("rep",)) -> list[Deal]:
    """Those that count for a scope at an instant within a span."""
    found = []
    for deal in deals:
        instant = next((deal[name] for name in at.split() if name in deal), None)
        if instant is None:
            continue
        place = CALENDAR.day_of(instant) if span.days else instant // MINUTE
        if span.first <= place <= span.last and is_of(scope, person(deal, *credit)):
            found.append(deal)
    return found


def is_of(scope: Scope, who: str | None) -> bool:
    if scope.kind == "team":
        return TEAMS.get(who or "") == scope.id
    return scope == ORGANISATION or who == scope.id


def money(deal: Deal) -> Fraction | None:
    rate = {"USD": Fraction(1), "EUR": Fraction(11, 10)}.get(deal.get("currency", "USD"))
    return None if rate is None else Fraction(deal.get("amount", "0")) * rate


def share(part: int, whole: int) -> float | None:
    return float(Fraction(part, whole)) if whole else None


def there(deals: Iterable[Deal], scope: Scope, span: Span, *, before: bool = False) -> list[Deal]:
    """The deals that had begun and not ended at the end of a span, or right before it."""
    index = span.first - 1 if before else span.last
    day = index if span.days else CALENDAR.day_of(min(index * MINUTE, NOW))
    if day >= TODAY:
        minute = NOW // MINUTE if span.days else min(index, NOW // MINUTE)

        def has_come(at: int) -> bool:
            return CALENDAR.day_of(at) < TODAY or (CALENDAR.day_of(at) == TODAY and at // MINUTE <= minute)
    else:

        def has_come(at: int) -> bool:
            return CALENDAR.day_of(at) <= day

    found = []
    for deal in deals:
        start, end = deal.get("created_at"), deal.get("closed_at")
        if start is not None and end is not None and end <= start:
            continue
        is_there = (start is None or has_come(start)) and (end is None or not has_come(end))
        if is_there and is_of(scope, person(deal, "rep")):
            found.append(deal)
    return found


def shown(amount: Fraction) -> str:
    cents = round(amount * 100)
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02}"


def plainly(deals: list[Deal], scope: Scope, span: Span, now: int) -> dict[str, Any]:
    """The values of all metrics of the catalogue above."""
    living = [deal for deal in deals if not deal.get("deleted")]
    created = counted(living, scope, span, "created_at")
    won = [deal for deal in counted(living, scope, span, "closed_at") if deal.get("status") == "won"]
    paid = [amount for deal in won if (amount := money(deal)) is not None]
    sized = counted(living, scope, span, "closed_at created_at", ("creator", "rep"))
    leads = Counter(deal["lead"] for deal in created if "lead" in deal)
    in_time = [
        deal
        for deal in created
        if deal.get("status") == "won" and "closed_at" in deal and deal["closed_at"] - deal["created_at"] <= 2 * DAY
    ]
    failed = [
        deal
        for deal in created
        if deal not in in_time and (deal.get("status") == "lost" or deal["created_at"] + 2 * DAY <= now)
    ]
    took = [
        deal["closed_at"] - deal["created_at"]
        for deal in counted(living, scope, span, "closed_at")
        if "created_at" in deal and deal["closed_at"] >= deal["created_at"]
    ]
    held, before = there(living, scope, span), there(living, scope, span, before=True)
    ids, ids_before = ({deal["lead"] for deal in found if "lead" in deal} for found in (held, before))
    first_day = span.first if span.days else CALENDAR.day_of(span.first * MINUTE)
    limits = [CALENDAR.day_start(day_from(date(2026, 3, day))) for day in (17, 18)]

    def version(deal: Deal) -> int:
        return sum(1 for limit in limits if deal["created_at"] >= limit)

    wanted = (None, "won", "lost")
    is_new = [deal for deal in created if version(deal) == 2]
    old_won = [deal for deal in won if deal["closed_at"] < limits[1]]
    return {
        "created": len(created),
        "won": len(won),
        "revenue": shown(sum(paid, Fraction())),
        "big": sum(1 for deal in sized if "amount" in deal and Fraction(deal["amount"]) >= Fraction("100.5")),
        "small": sum(1 for deal in sized if "amount" in deal and Fraction(deal["amount"]) < Fraction("100.5")),
        "size": shown(sum(paid, Fraction()) / len(paid)) if paid else None,
        "leads_with_deals": len(leads) if first_day >= TODAY - 3 else None,
        "creators": (
            len({person(deal, "creator", "rep") for deal in created} - {None}) if first_day >= TODAY - 35 else None
        ),
        "often": sum(1 for number in leads.values() if number >= 2) if first_day >= TODAY - 9 else None,
        "deal_days": len(
            {(person(deal, "rep"), CALENDAR.day_of(deal["created_at"])) for deal in created if deal.get("rep")}
        ),
        "open_deals": len(held),
        "open_pipeline": shown(sum((money(deal) or Fraction() for deal in held), Fraction())),
        "open_leads": len(ids),
        "kept": share(len(ids & ids_before), len(ids_before)),
        "win_due": share(len(in_time), len(in_time) + len(failed)),
        "win_apart": share(sum(1 for deal in created if deal.get("status") == "won"), len(created)),
        "cycle": float(Fraction(sum(took), len(took) * DAY)) if took else None,
        "versioned": sum(
            1 for deal in created if wanted[version(deal)] is None or deal.get("status") == wanted[version(deal)]
        ),
        "share": share(len(old_won) + len(is_new), len(created)),
    }


SCOPES = [ORGANISATION, team_scope("north"), team_scope("south"), *map(rep_scope, ("r1", "r2", "r3"))]
SPANS = [
    *(span_of(name, NOW, CALENDAR) for name in ("5m", "1h", "24h", "today", "yesterday", "7d", "30d")),
    Span("before", days=True, first=TODAY - 40, last=TODAY - 3),
    Span("to come", days=True, first=TODAY - 1, last=TODAY + 5),
]


@CALM
@given(st.lists(st.tuples(deals, deals), max_size=8), st.randoms(use_true_random=False))
def test_every_type_says_what_a_plain_count_says(edits: list[tuple[Deal, Deal]], chance: random.Random) -> None:
    view, after = view_of(edits, chance), [deal for _, deal in edits]
    for scope in chance.sample(SCOPES, 3):
        for span in chance.sample(SPANS, 3):
            for now in (NOW, NOW + MINUTE // 3):  # the second half of a term that ends between two minutes
                values = view.values(scope, span, now)

                assert values.metrics == plainly(after, scope, span, now), (scope, span)


@CALM
@given(st.lists(st.tuples(deals, deals), max_size=8), st.randoms(use_true_random=False))
def test_segments_are_a_plain_count_of_each_label(edits: list[tuple[Deal, Deal]], chance: random.Random) -> None:
    view, after = view_of(edits, chance), [deal for _, deal in edits]
    lists = {"Pro": ("pro", "p2"), "Basic": ("basic",)}
    names = ("won", "revenue", "size", "open_pipeline", "win_apart")
    for scope in chance.sample(SCOPES, 2):
        for span in chance.sample(SPANS, 2):
            segments = MetricRows(view, span, NOW, names[:2] + names[3:], by="product").row(scope)["segments"]

            assert [one["by"]["product"] for one in segments] == ["Pro", "Basic", "Other"]
            for one in segments:
                values = lists.get(one["by"]["product"], ())
                others = [value for held in lists.values() for value in held]
                meant = [
                    deal for deal in after
                    if (deal.get("product") in values if values else deal.get("product") not in others)
                ]  # fmt: skip
                expected = plainly(meant, scope, span, NOW)
                assert one["metrics"] == {name: expected[name] for name in one["metrics"]}


@CALM
@given(st.lists(st.tuples(deals, deals), max_size=8), st.randoms(use_true_random=False))
def test_segments_of_people_are_those_of_their_rows(edits: list[tuple[Deal, Deal]], chance: random.Random) -> None:
    view, after = view_of(edits, chance), [deal for _, deal in edits]
    names = ("created", "open_deals", "open_leads", "deal_days", "creators")
    for span in chance.sample(SPANS, 3):
        segments = MetricRows(view, span, NOW, names, by="team").row(ORGANISATION)["segments"]
        found = {one["by"]["team"]: one["metrics"] for one in segments}
        meant: dict[str | None, Callable[[str | None], bool]] = {
            "north": lambda who: who == "r1", "south": lambda who: who == "r2", None: lambda who: who in {"r3", None}
        }  # fmt: skip
        for team, is_meant in meant.items():
            theirs = [deal for deal in after if is_meant(person(deal, "rep"))]
            expected = plainly(theirs, ORGANISATION, span, NOW)
            wanted = {name: expected[name] for name in names}
            assert found.get(team) == (wanted if any(wanted.values()) else None)
        assert [*found] == sorted(found, key=lambda team: (team is None, team))


@CALM
@given(st.lists(st.tuples(deals, deals), max_size=6), st.randoms(use_true_random=False))
def test_ids_that_are_kept_shorter_go_before_the_rest(edits: list[tuple[Deal, Deal]], chance: random.Random) -> None:
    view = view_of(edits, chance)
    for window in view.store.windows():
        day = window >> 1 if window & 1 else None
        origins = {origin for origin, _ in view.store.all_in(window)}
        kept = {int(origin.partition(".")[2].partition(".")[2]) for origin in origins if origin.count(".") == 2}
        assert all(day is not None and day >= TODAY - keep for keep in kept)


def test_nothing_is_left_of_what_was_taken_out() -> None:
    evaluator = Evaluator(PLAN, {})
    cutoff = RetentionCutoff(CALENDAR, CONFIG.retention.records)
    table = PaneTable("ledger.0", CALENDAR, CONFIG.retention.minutes, cutoff, PLAN.keeps)
    deal = {"rep": "r1", "lead": "l1", "created_at": NOW, "amount": "5", "status": "open"}
    held = evaluator.of_record("deal", deal.get)
    table.replace([], held)
    told = {key for key, value in table.take_changes() if value is not None}
    table.replace(held, [])

    assert {key for key, value in table.take_changes() if value is None} == told
    assert b"ledger.0|r1|s0" in told
    # Two metrics share these ids: they are kept for who looks back further.
    assert f"ledger.0|r1|d{TODAY}.9".encode() in told
    assert len(table) == 0
    assert date_of(TODAY).isoformat() == "2026-03-18"
    assert day_window(TODAY) & 1 == 1
