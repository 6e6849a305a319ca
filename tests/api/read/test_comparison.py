"""What rows are compared with, against the recount's own reading of it: any changes, any window."""

import random
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.read.comparison import COMPARISONS, OF_REPS
from api.read.metric_rows import MetricRows
from api.read.view import ORGANISATION, Scope, View, rep_scope, team_scope
from deploy.verification.definitions import Definitions, is_sum, shipped
from deploy.verification.recount import recount
from deploy.verification.rows import shown
from schemas.config import Config
from schemas.records import RecordChange
from schemas.windows import WINDOWS, span_between, span_of
from tests.api.reading import ToldPipeline, floor_config, make_view
from tests.builders import change
from tests.comparing import Comparing, changed
from tests.strategies import NOW, changes

REPS = {
    "r1": {"name": "Ana", "team": "north", "aliases": {"feed": ["old-2"]}},
    "r2": {"name": "Ben", "team": "north", "since": "2026-03-17"},
    "r3": {"name": "Cleo", "team": "north"},
    "gone": {"name": "Dan", "team": "north", "until": "2026-03-16"},
    "off": {"team": "north", "active": False},
    "alone": {"team": "south"},
    "none": {},
}
CONFIG = floor_config(reps=REPS, timezone="Europe/Berlin", retention={"records": "100d"})
SCOPES = (
    rep_scope("r1"), rep_scope("r2"), rep_scope("gone"), rep_scope("alone"), rep_scope("none"), team_scope("north"),
    ORGANISATION,
)  # fmt: skip
DATES = (
    ("2026-03-16", "2026-03-18"), ("2026-03-01", "2026-03-31"), ("2025-12-20", "2026-01-02"),
    ("2025-01-01", "2025-03-01"),
)  # fmt: skip
FEW = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def view_of(config: Config, said: list[RecordChange]) -> View:
    view = make_view(config)
    ToldPipeline(config, view).take(said)
    return view


def spans(chance: random.Random) -> list[Any]:
    return [*chance.sample(WINDOWS, 3), "today", tuple(date.fromisoformat(day) for day in chance.choice(DATES))]


def of(scope: Scope) -> dict[str, Any]:
    return {} if scope == ORGANISATION else {scope.kind: scope.id}


@FEW
@given(st.lists(changes(), max_size=25), st.randoms(use_true_random=False))
def test_comparisons_are_what_the_recount_compares_with(said: list[RecordChange], chance: random.Random) -> None:
    said = [one for one in said if one.kind != "rep"]
    view, books = view_of(CONFIG, said), recount(said, CONFIG)
    catalogue, definitions = view.catalogue, shipped()
    names = chance.sample([*catalogue], 9)
    for window in spans(chance):
        span = span_of(window, NOW, view.calendar) if isinstance(window, str) else span_between(*window)
        comparing = Comparing(books, window, NOW)
        for scope in chance.sample(SCOPES, 3):
            whose, is_rep = of(scope), scope.kind == "rep"
            kinds = [kind for kind in COMPARISONS if is_rep or kind not in OF_REPS]
            row = MetricRows(view, span, NOW, names, compare=kinds).row(scope)
            team = books.reading.people.team_of(scope.id, view_day(view)) if is_rep else None
            for name in names:
                unit = catalogue[name].unit
                value = comparing.value(name, **whose)
                expected = {
                    "previous": comparing.value(name, comparing.previous(), **whose),
                    "last_year": comparing.value(name, comparing.last_year(), **whose),
                }
                if is_rep:
                    expected["team"] = None if team is None else comparing.of_team(name, team)
                    expected["best"] = comparing.best(name, team)
                for kind, compared in expected.items():
                    found = row["compare"][kind]
                    told = shown(compared, definitions.metrics[name], "USD")
                    assert found["metrics"][name] == told, (kind, name, window, scope)
                    assert found["change"][name] == pytest.approx(changed(value, compared, unit)), (kind, name, window)
                check_share(row, name, scope, team, value, comparing, definitions)


def check_share(
    row: Any, name: str, scope: Scope, team: str | None, value: Any, comparing: Comparing, definitions: Definitions
) -> None:  # fmt: skip
    shares = row["compare"]["share"]["metrics"]
    if not is_sum(definitions, name):
        assert name not in shares
        return
    wholes = {"organisation": comparing.value(name)}
    if scope.kind == "rep":
        wholes["team"] = None if team is None else comparing.value(name, team=team)
    assert shares[name] == {
        whose: float(value / whole) if whole and value is not None else None for whose, whole in wholes.items()
    }


def view_day(view: View) -> date:
    return date.fromordinal(date(1970, 1, 1).toordinal() + view.calendar.day_of(NOW))


def made(config: Config, *said: RecordChange) -> View:
    return view_of(config, list(said))


def dialled(rep: str, id: str, at: str, **fields: Any) -> RecordChange:
    return change("call", id, at, rep=rep, direction="outbound", dialed_at=at, **fields)


def test_what_is_not_kept_is_null_and_said_and_never_a_part() -> None:
    view = made(CONFIG, dialled("r1", "c1", "2026-03-18T10:00Z"), dialled("r1", "c2", "2025-12-01T10:00Z"))
    names = ["calls_made", "connect_rate"]

    def row(first: str, last: str, **asked: Any) -> Any:
        span = span_between(date.fromisoformat(first), date.fromisoformat(last))
        return MetricRows(view, span, NOW, names, **asked).row(rep_scope("r1"))

    kept = row("2025-12-08", "2026-03-18", compare=["previous", "last_year"])
    assert kept["metrics"]["calls_made"] == 1
    assert kept["unavailable"] == {
        "compare.previous": "kept since 2025-12-08", "compare.last_year": "kept since 2025-12-08",
    }  # fmt: skip
    assert kept["compare"]["previous"]["metrics"] == dict.fromkeys(names)
    assert kept["compare"]["previous"]["change"] == dict.fromkeys(names)
    older = row("2025-12-07", "2026-03-18", by="team")
    assert older["metrics"] == dict.fromkeys(names)
    assert older["unavailable"] == dict.fromkeys(names, "kept since 2025-12-08")
    assert older["segments"] == []
    minutes = MetricRows(view, span_of("24h", NOW, view.calendar), NOW, names, compare=["last_year"]).row(ORGANISATION)
    assert minutes["unavailable"] == {"compare.last_year": "kept since 2026-03-16T15:31:00.000Z"}


def test_ids_that_are_kept_shorter_are_said_of_the_comparison_alone() -> None:
    called = "unit: count, type: simple, from: call, at: dialed_at, credit: rep, agg: distinct, of: lead"
    defines = f"metrics: {{called: {{{called}}}}}"
    config = floor_config(defines=defines)
    view = View(config)
    span = span_of("30d", NOW, view.calendar)

    row = MetricRows(view, span, NOW, ["called", "calls_made"], compare=["previous"]).row(ORGANISATION)

    assert row["unavailable"] == {"compare.previous.called": "kept since 2026-02-11"}
    assert row["compare"]["previous"]["metrics"] == {"called": None, "calls_made": 0}


def test_a_formula_with_a_number_of_its_own_is_the_same_wherever_nothing_happened() -> None:
    own = "metrics: {left: {unit: number, type: derived, expr: 100 - calls_made}}"
    config = floor_config(defines=own)
    view = view_of(config, [dialled("r1", "c1", "2026-03-18T10:00Z"), dialled("gone", "c2", "2026-02-18T10:00Z")])
    span, reps = span_of("today", NOW, view.calendar), ("r1", "r2", "gone")
    rows = MetricRows(view, span, NOW, ["left", "calls_made"], by="team", compare=["team", "share"])

    found = {rep: rows.row(rep_scope(rep)) for rep in reps}

    assert {rep: row["metrics"]["left"] for rep, row in found.items()} == {"r1": 99, "r2": 100, "gone": 100}
    assert {rep: [part["metrics"]["left"] for part in row["segments"]] for rep, row in found.items()} == {
        "r1": [99], "r2": [], "gone": [],
    }  # fmt: skip
    compared = found["r1"]["compare"]
    assert compared["team"]["metrics"]["left"] == (99 + 100) / 2  # of those who are here
    assert [*compared["share"]["metrics"]] == ["calls_made"]


def test_segments_are_compared_with_the_same_segment() -> None:
    view = made(
        CONFIG,
        dialled("r1", "c1", "2026-03-18T10:00Z"), dialled("r1", "c2", "2026-03-18T10:00Z"),
        dialled("r1", "c3", "2026-03-17T10:00Z"), dialled("alone", "c4", "2026-03-17T10:00Z"),
    )  # fmt: skip
    span = span_of("today", NOW, view.calendar)

    row = MetricRows(view, span, NOW, ["calls_made"], by="team", compare=["previous", "share"]).row(ORGANISATION)

    (north,) = row["segments"]  # nobody of south has done anything today
    assert north["by"] == {"team": "north"}
    assert north["compare"]["previous"]["metrics"] == {"calls_made": 1}
    assert north["compare"]["previous"]["change"] == {"calls_made": 1.0}
    assert north["compare"]["share"]["metrics"] == {"calls_made": {"organisation": 1.0}}
    assert row["compare"]["previous"]["metrics"] == {"calls_made": 2}


def test_a_benchmark_is_the_metrics_own_and_versions_are_said_where_a_window_has_several() -> None:
    one = "type: simple, from: call, at: dialed_at, credit: rep, agg: count"
    defines = (
        "metrics:\n"
        "  rate: {unit: ratio, benchmark: {value: 1/3, source: us}, type: ratio, numerator: calls_connected, "
        "denominator: calls_made}\n"
        f"  dialled: {{unit: count, versions: [{{{one}}}, {{since: 2026-03-10, {one}, where: {{direction: inbound}}}}, "
        f"{{since: 2026-03-18, {one}}}]}}\n"
        "  part: {unit: ratio, type: ratio, numerator: twice, denominator: calls_made}\n"
        "  twice: {unit: count, type: derived, expr: dialled * 2}\n"
    )
    config = floor_config(defines=defines)
    view = View(config)
    ToldPipeline(config, view).take(
        [
            dialled("r1", "c1", "2026-03-18T10:00Z", outcome="connected"),
            dialled("r1", "c2", "2026-03-18T11:00Z"),
            dialled("r1", "c3", "2026-03-10T11:00Z"),
        ]
    )

    def row(first: str, last: str, *names: str) -> Any:
        span = span_between(date.fromisoformat(first), date.fromisoformat(last))
        asked = [*names] or ["rate", "dialled"]
        return MetricRows(view, span, NOW, asked, compare=["benchmark"]).row(rep_scope("r1"))

    crossing = row("2026-03-17", "2026-03-18")
    assert crossing["metrics"] == {"rate": 0.5, "dialled": 2}
    assert crossing["versions"] == {"dialled": [2, 3]}
    assert crossing["compare"]["benchmark"]["metrics"] == {"rate": 1 / 3, "dialled": None}
    assert crossing["compare"]["benchmark"]["change"] == {"rate": float(1 / 6), "dialled": None}
    assert "versions" not in row("2026-03-18", "2026-03-18")
    assert row("2026-03-01", "2026-03-31")["versions"] == {"dialled": [1, 2, 3]}
    # What is made of it has no versions of its own: the row names the part that has.
    assert row("2026-03-17", "2026-03-18", "part")["versions"] == {"dialled": [2, 3]}
    assert "versions" not in row("2026-03-17", "2026-03-18", "rate")
