"""Lists of open deals and leads over the whole pipeline: in any order and repeated, they are what the recount lists."""

import random
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from api.read.open_deals import OpenDeals, OpenLeads
from api.read.view import View
from deploy.verification.books import Books
from deploy.verification.goal_days import Dates, Whose
from deploy.verification.goals import Goals
from deploy.verification.open_lists import Listed, OpenLists
from deploy.verification.recount import recount
from deploy.verification.spans import Span
from schemas.instants import DAY, HOUR, parse_instant
from schemas.records import RecordChange
from tests.builders import change, make_config
from tests.pipeline import Pipeline
from tests.strategies import NOW

Log = list[RecordChange]
CONFIG = make_config(
    timezone="Asia/Kuala_Lumpur",
    teams={"north": {}, "south": {}},
    reps={"r1": {"team": "north"}, "r2": {"aliases": {"feed": ["old-2"]}}, "r3": {"since": "2025-01-01"}},
    goals={
        "calls": {"metric": "calls_made", "period": "month", "amounts": [{"each": 5}]},
        "quota": {"metric": "revenue_won", "period": "month", "amounts": [{"each": "100"}, {"rep": "r3", "amount": 0}]},
        "year": {"metric": "revenue_won", "period": "year", "amounts": [{"rep": "r3", "amount": "60"}]},
    },
    currency_rates={"EUR": "2"},
    pipelines={"sales": {"steps": ["a", "b"]}},
)
AT = st.integers(0, 30).map(lambda step: NOW - step * 20 * HOUR)
REPS = st.sampled_from(["r1", "r2", "old-2", "r3", "r4", None])


@st.composite
def deals(draw: Any) -> RecordChange:
    fields = draw(
        st.fixed_dictionaries(
            {"rep": REPS, "stage": st.sampled_from(["a", "a", "b", None])},
            optional={
                "pipeline": st.sampled_from(["sales", None]), "entered_stage_at": AT, "closed_at": AT,
                "status": st.sampled_from(["open", "open", "won", "lost"]),
                "amount": st.sampled_from(["10", "29", "32", "80", None]), "currency": st.sampled_from(["EUR", "GBP"]),
                "next_step_at": AT.map(lambda at: at + 2 * DAY), "name": st.sampled_from(["Acme", None]),
            },
        )
    )  # fmt: skip
    deleted = draw(st.sampled_from([None, None, None, True, False]))
    return change("deal", f"d{draw(st.integers(1, 4))}", draw(AT), deleted=deleted, **fields)


@st.composite
def leads(draw: Any) -> RecordChange:
    fields = draw(
        st.fixed_dictionaries(
            {"rep": REPS},
            optional={
                "received_at": AT, "status": st.sampled_from(["new", "qualified", "disqualified", "customer"]),
                "source": st.sampled_from(["web", "fair"]), "name": st.sampled_from(["Kim", None]),
                "company": st.just("Acme"), "value": st.sampled_from(["7", "7.255"]), "currency": st.just("EUR"),
                "next_step_at": AT.map(lambda at: at + 2 * DAY), "merged_into": st.sampled_from(["l1", "l2", None]),
            },
        )
    )  # fmt: skip
    deleted = draw(st.sampled_from([None, None, None, True, False]))
    return change("lead", f"l{draw(st.integers(1, 3))}", draw(AT), deleted=deleted, **fields)


@st.composite
def touches(draw: Any) -> RecordChange:
    at = draw(AT)
    later = draw(st.sampled_from([0, 0, DAY, 9 * DAY]))
    return change("call", f"c{draw(st.integers(1, 4))}", at, rep=draw(REPS), lead=f"l{draw(st.integers(1, 3))}",
                  direction="outbound", dialed_at=at + later)  # fmt: skip


@st.composite
def won_ones(draw: Any) -> Log:
    """So many that it can be said how long deals stay in a stage, and how large they are."""
    size, found = draw(st.sampled_from([6, 25, 25])), []
    for number in range(size):
        at = draw(AT)
        found += [
            change("deal", f"w{number}", at - draw(st.integers(1, 99)) * HOUR, rep="r1", stage="a", amount=8,
                   pipeline="sales", created_at=at),
            change("deal", f"w{number}", at, stage="b", status="won", closed_at=at),
        ]  # fmt: skip
    return found


@st.composite
def open_ones(draw: Any) -> Log:
    """Some that may have any flag."""
    return [
        change("deal", f"o{number}", draw(AT), rep=draw(st.sampled_from(["r1", "r1", "r3"])), stage="a",
               pipeline="sales", amount=draw(st.sampled_from(["24", "31", "32", "50", "80"])),
               next_step_at=draw(AT.map(lambda at: at + 9 * DAY)))
        for number in range(4)
    ]  # fmt: skip


logs = st.tuples(st.lists(deals() | leads() | touches(), min_size=3, max_size=24), won_ones(), open_ones()).map(
    lambda parts: [one for part in parts for one in part]
)


def recounted(books: Books, now: int) -> tuple[Listed, Listed]:
    lists, goals = OpenLists(books.reading), Goals(books.reading, books.records_of("goal"))
    lists.take_deals(books)
    lists.take_leads(books)

    def actual(metric: str, whose: Whose, days: Dates) -> Any:
        span = Span(None, None, days.first, days.last, now, books.reading.people.day_of(now))
        return books.value(metric, now=now, window=span, **{whose.scope: whose.id})

    return lists.deals(now, goals, actual), lists.leads(now)


def listed(view: View, now: int) -> tuple[Listed, Listed]:
    open_deals, open_leads = OpenDeals(view, now), OpenLeads(view, now)
    deals = sorted(view.deals.open.values(), key=open_deals.key)
    leads = sorted((one for one in view.clocks.values() if one.is_open), key=open_leads.key)
    return (
        {one.deal: _plain(open_deals.row(one), "deal", "rep_name", "currency", "age_seconds") for one in deals},
        {one.lead: _plain(open_leads.row(one), "lead", "rep_name", "currency") for one in leads},
    )


def _plain(row: dict[str, Any], *left_out: str) -> dict[str, Any]:
    return {
        name: parse_instant(value) if name.endswith("_at") and value is not None else value
        for name, value in row.items()
        if name not in left_out
    }


@settings(
    max_examples=25, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(log=logs, seed=st.integers(0, 2**16), later=st.sampled_from([0, HOUR, 3 * DAY, 12 * DAY, 360 * DAY]))
def test_lists_of_what_is_open_are_what_the_recount_lists(log: Log, seed: int, later: int) -> None:
    arriving = log + random.Random(seed).choices(log, k=4)
    random.Random(seed).shuffle(arriving)
    pipeline, now = Pipeline(CONFIG), NOW + later
    for begin in range(0, len(arriving), 9):
        pipeline.take(arriving[begin : begin + 9])
    view, books = pipeline.view(), recount(log, CONFIG)

    for found, expected in zip(listed(view, now), recounted(books, now), strict=True):
        assert found == expected
        assert list(found) == list(expected)
