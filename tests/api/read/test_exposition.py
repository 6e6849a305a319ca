"""The Prometheus text: what is exported, how it is written, and that promtool has nothing against it."""

from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.read.exposition import (
    MAX_REPS,
    RESPONSE_BUCKETS,
    Exposition,
    Picture,
    ResponseHistogram,
    crossed_limits,
    exported_leads,
)
from api.read.piecemeal import at_once
from api.read.view import ScopeValues, rep_scope
from schemas.alerts import encode_alert
from schemas.catalogue.reading import shipped
from schemas.catalogue.series import exported
from schemas.instants import DAY, HOUR, MINUTE, SECOND
from schemas.progress import Progress, encode_progress, progress_key
from schemas.topics import PROGRESS, THRESHOLD_ALERTS, VERIFICATIONS
from schemas.verifications import VERIFICATION_KEY, WindowComparison
from tests.alert_builders import make_crossing
from tests.api.reading import Floor, ToldPipeline, floor_config, make_view, render
from tests.builders import change, instant, make_config, make_verification
from tests.deploy.observing import complaints

NOW = instant("2026-03-18T16:00Z")

STRANGE = 'a"b\\c d é 日本 ' + "x" * 200


def samples(text: bytes) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """(name, labels) -> value; a series that is there twice fails."""
    found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, key
            found[key] = sample.value
    return found


def value(text: bytes, name: str, **labels: str) -> float | None:
    return samples(text).get((name, frozenset(labels.items())))


async def exposed(floor: Floor) -> bytes:
    return render(await floor.read_side.picture_in_pieces())


@pytest.fixture
def floor(tmp_path: Path) -> Floor:
    floor = Floor(tmp_path)
    floor.read_side.broadcaster.pin(floor.config.prometheus.windows, floor.now)
    return floor


def call(id: str, rep: str | None = "r1", at: str = "2026-03-18T15:10Z", **fields: Any) -> Any:
    return change("call", id, at, rep=rep, direction="outbound", dialed_at=at, **fields)


def lead(id: str, at: str, rep: str | None = "r1") -> Any:
    return change("lead", id, at, rep=rep, received_at=at)


async def test_what_the_recount_found_is_exported_and_nothing_where_nobody_recounts(floor: Floor) -> None:
    assert b"verif" not in await exposed(floor)

    windows = (WindowComparison("today", floor.now, 2, 1), WindowComparison("year", floor.now, 1))
    floor.view.apply(VERIFICATIONS.name, VERIFICATION_KEY, make_verification(floor.config, floor.now, windows=windows))
    for is_loaded in (True, False):
        floor.read_side.consumer.is_loaded = is_loaded
        text = await exposed(floor)

        assert value(text, "floorcast_verified_timestamp_seconds") == floor.now / SECOND
        assert value(text, "floorcast_verification_differences") == 3
        assert value(text, "floorcast_verification_undecided") == 1
        assert value(text, "floorcast_verification_interval_seconds") == 300


async def test_every_value_equals_the_one_of_rest(floor: Floor) -> None:
    floor.take(
        call("c1", answered_at="2026-03-18T15:10:01Z", ended_at="2026-03-18T15:12:01.5Z"), call("c2", "stranger"),
        call("c3", "r2", "2026-03-18T10:00Z"), lead("l1", "2026-03-18T14:00Z"), lead("l2", "2026-03-18T14:00Z", "r2"),
        call("c4", "r2", lead="l2"),
        change("deal", "d1", rep="r3", status="won", amount="1234.5", created_at="2026-03-01T00:00Z",
               closed_at="2026-03-18T15:00Z"),
    )  # fmt: skip
    floor.now += 7 * MINUTE  # nobody has flushed since

    text = await exposed(floor)

    found = samples(text)
    expected = {}
    for window in ("today", "1h"):
        for row in (await floor.read("/v1/reps/metrics", window=window))["rows"]:
            labels = frozenset({("rep", row["rep"]), ("team", row["team"] or ""), ("window", window)})
            for metric, rest in row["metrics"].items():
                if rest is not None:
                    name, factor = exported(metric, floor.view.catalogue[metric].unit)
                    expected[name, labels] = float(rest) * factor
    assert {key: found[key] for key in found if "window" in dict(key[1])} == pytest.approx(expected)
    cycle = value(text, "floorcast_sales_cycle_seconds_p50", rep="r3", team="south", window="today")
    assert cycle == pytest.approx(17.625 * 86_400)


async def test_every_rep_of_the_roster_has_its_series_and_null_has_none(floor: Floor) -> None:
    text = await exposed(floor)

    for rep, team in (("r1", "north"), ("r2", "north"), ("r3", "south"), ("r4", "")):
        for window in ("today", "1h"):
            assert value(text, "floorcast_calls_made", rep=rep, team=team, window=window) == 0
            assert value(text, "floorcast_revenue_won", rep=rep, team=team, window=window) == 0
            assert value(text, "floorcast_connect_rate", rep=rep, team=team, window=window) is None


async def test_rep_who_joins_or_leaves_gets_or_loses_their_series(floor: Floor) -> None:
    floor.take(change("rep", "r7", "2026-03-01T00:00Z", team="west"))
    joined = await exposed(floor)
    floor.take(change("rep", "r7", floor.now, deleted=True))
    left = await exposed(floor)

    labels = {"rep": "r7", "team": "west", "window": "today"}
    assert value(joined, "floorcast_calls_made", **labels) == 0
    assert value(left, "floorcast_calls_made", **labels) is None


async def test_labels_are_escaped_and_never_cut(floor: Floor) -> None:
    twin = STRANGE[:-1] + "y"
    floor.take(call("c1", STRANGE), call("c2", twin), call("c3", twin))

    text = await exposed(floor)

    assert value(text, "floorcast_calls_made", rep=STRANGE, team="", window="today") == 1
    assert value(text, "floorcast_calls_made", rep=twin, team="", window="today") == 2


def test_reps_beyond_the_limit_are_counted_instead_of_exported() -> None:
    catalogue = shipped().metrics
    reps = {f"r{n:05}": None for n in range(MAX_REPS)}
    values = ScopeValues({"calls_made": 1})
    picture = Picture(
        catalogue=catalogue,
        windows={"today": {rep_scope(f"r{n:05}"): values for n in range(MAX_REPS + 10)}},
        teams=reps,
        reps_left_out=10,
    )

    text = render(picture)

    assert text.count(b"floorcast_calls_made{") == MAX_REPS
    assert value(text, "floorcast_reps_left_out") == 10


async def test_rep_beyond_the_limit_is_left_out_by_the_read_side(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.read.exposition.MAX_REPS", 3)

    text = await exposed(floor)

    assert value(text, "floorcast_reps_left_out") == 1
    assert {dict(labels)["rep"] for _, labels in samples(text) if "rep" in dict(labels)} == {"r1", "r2", "r3"}


async def test_waiting_leads_are_counted_by_team_and_state_and_every_pair_is_there(floor: Floor) -> None:
    floor.take(
        lead("l1", "2026-03-18T14:00Z"), lead("l2", "2026-03-18T14:35Z"), lead("l3", "2026-03-18T15:30Z", "r3"),
        lead("l4", "2026-03-18T15:00Z", None),
    )  # fmt: skip

    text = await exposed(floor)

    counts = {
        (team, state): value(text, "floorcast_leads_waiting", team=team, state=state)
        for team in ("", "north", "south") for state in ("waiting", "warned", "breached")
    }  # fmt: skip
    assert counts == dict.fromkeys(counts, 0) | {
        ("north", "breached"): 1, ("north", "warned"): 1, ("south", "waiting"): 1, ("", "waiting"): 1,
    }  # fmt: skip
    name = "floorcast_lead_oldest_waiting_timestamp_seconds"
    assert value(text, name, team="north") == instant("2026-03-18T14:00Z") / SECOND
    assert value(text, name, team="") == instant("2026-03-18T15:00Z") / SECOND


async def test_team_whose_leads_are_all_answered_has_no_oldest_one(floor: Floor) -> None:
    """`time() - 0` would be an alert of fifty years."""
    floor.take(lead("l1", "2026-03-18T15:00Z"), call("c1", lead="l1"))

    assert b"floorcast_lead_oldest_waiting_timestamp_seconds{" not in await exposed(floor)


def told(*changes: Any) -> tuple[ResponseHistogram, ToldPipeline]:
    config = floor_config()
    view = make_view(config)
    pipeline = ToldPipeline(config, view)
    pipeline.take(changes)
    return ResponseHistogram(view), pipeline


def test_lead_is_observed_once_whatever_becomes_of_it() -> None:
    histogram, pipeline = told(lead("l1", "2026-03-18T14:00Z"))
    histogram.observe(["l1"], NOW)
    assert histogram.teams == {}
    pipeline.take([call("c1", at="2026-03-18T14:20Z", lead="l1")])
    histogram.observe(["l1", "l1"], NOW)
    pipeline.take([call("c0", "r3", at="2026-03-18T14:01Z", lead="l1")])
    histogram.observe(["l1"], NOW)
    pipeline.take([change("lead", "l1", "2026-03-18T15:00Z", deleted=True)])
    histogram.observe(["l1"], NOW)
    pipeline.take([change("lead", "l1", "2026-03-18T15:01Z", deleted=False)])
    histogram.observe(["l1", "unknown"], NOW)

    assert list(histogram.teams) == ["north"]
    assert (histogram.teams["north"].count, histogram.teams["north"].total) == (1, 1200)


def test_histogram_is_by_the_team_of_who_answered_on_that_day() -> None:
    config = make_config()
    view = make_view(config)
    pipeline = ToldPipeline(config, view)
    pipeline.take(
        [
            change("rep", "r7", "2026-03-01T00:00Z", team="north"),
            change("rep", "r7", "2026-03-10T00:00Z", team="south"),
            lead("l1", "2026-03-05T10:00Z", "r7"), call("c1", "r7", "2026-03-05T10:30Z", lead="l1"),
            lead("l2", "2026-03-12T10:00Z", "r7"), call("c2", "r7", "2026-03-12T10:30Z", lead="l2"),
            lead("l3", "2026-03-12T10:00Z", "r7"), call("c3", None, "2026-03-12T10:30Z", lead="l3"),
        ]
    )  # fmt: skip
    histogram = ResponseHistogram(view)
    histogram.observe(view.clocks, NOW)

    assert {team: held.count for team, held in histogram.teams.items()} == {"north": 1, "south": 1, "": 1}


def test_buckets_hold_what_is_as_long_as_their_edge() -> None:
    histogram, _ = told(lead("l1", "2026-03-18T14:00Z"), call("c1", at="2026-03-18T15:00Z", lead="l1"))
    histogram.observe(["l1"], NOW)
    text = render(Picture(shipped().metrics, responses=histogram.teams))

    buckets = {
        dict(labels)["le"]: count for (name, labels), count in samples(text).items()
        if name == "floorcast_lead_response_seconds_bucket"
    }  # fmt: skip
    assert 3600 in RESPONSE_BUCKETS
    assert (buckets["1800.0"], buckets["3600.0"], buckets["+Inf"]) == (0, 1, 1)
    assert value(text, "floorcast_lead_response_seconds_sum", team="north") == 3600
    assert value(text, "floorcast_lead_response_seconds_count", team="north") == 1


async def test_picture_is_not_changed_by_what_comes_after_it(floor: Floor) -> None:
    floor.take(lead("l1", "2026-03-18T15:00Z"), call("c1", lead="l1"))
    floor.read_side._on_change()
    picture = await floor.read_side.picture_in_pieces()
    before = render(picture)
    floor.view.apply(PROGRESS.name, progress_key("ledger", 0), encode_progress(Progress(5, 0, {"events": 9})))
    floor.take(
        call("c2"), lead("l2", "2026-03-18T15:00Z"), call("c3", lead="l2"), change("rep", "r9", team="west"),
        change("rep", "r3", floor.now, active=False),
    )  # fmt: skip
    floor.now += 2 * DAY
    floor.read_side._on_change()
    await floor.read_side.picture_in_pieces()

    assert render(picture) == before


def picture_of(reps: int, calls: int) -> Picture:
    values = {rep_scope(f"r{n}"): ScopeValues({"calls_made": calls + n}) for n in range(reps)}
    return Picture(catalogue=shipped().metrics, windows={"today": values}, teams={f"r{n}": None for n in range(reps)})


def test_pieces_of_two_scrapes_may_be_made_in_turn() -> None:
    exposition, first, second = Exposition(), picture_of(450, 0), picture_of(450, 7)
    b"".join(exposition.pieces(first))

    pieces = list(zip_longest(exposition.pieces(first), exposition.pieces(second), fillvalue=b""))

    # Four of hundred reps each, one of each metric, and of the rest.
    assert len(pieces) > 20
    assert b"".join(piece for piece, _ in pieces) == render(first)
    assert b"".join(piece for _, piece in pieces) == render(second)
    assert b"".join(exposition.pieces(second)) == render(second)


async def test_no_sales_number_is_exported_while_the_view_loads(floor: Floor) -> None:
    floor.take(call("c1"), lead("l1", "2026-03-18T15:00Z"))
    floor.read_side.consumer.is_loaded = False

    text = await exposed(floor)

    assert value(text, "floorcast_ready") == 0
    assert not {name for name, labels in samples(text) if dict(labels).keys() & {"rep", "team"}}
    assert value(text, "floorcast_deals_without_rate") is None
    assert value(text, "floorcast_events_total", stage="ledger") == 0


async def test_counters_of_the_stages_are_added_up_over_partitions(floor: Floor) -> None:
    for stage, partition, counters in (
        ("normalise", 0, {"events": 3, "dead.feed.bad_field": 2, "ignored.unknown_kind": 1, "dead.a.b.not_json": 1}),
        ("normalise", 1, {"events": 4, "dead.feed.bad_field": 1}),
        ("ledger", 0, {"events": 6, "late": 1, "duplicates": 2, "beyond.named": 2_847}),
        ("ledger", 1, {"duplicates": 3, "beyond.named": 1}),
        ("responses", 1, {"beyond.group": 700}),
    ):
        progress = Progress(1, 0, counters, {"feed": (instant("2026-03-18T15:00Z"), 0)} if stage == "normalise" else {})
        floor.view.apply(PROGRESS.name, progress_key(stage, partition), encode_progress(progress))

    text = await exposed(floor)

    assert value(text, "floorcast_events_total", stage="normalise") == 7
    assert value(text, "floorcast_events_total", stage="ledger") == 6
    assert value(text, "floorcast_events_total", stage="responses") == 0
    assert value(text, "floorcast_dead_letters_total", connection="feed", reason="bad_field") == 3
    assert value(text, "floorcast_dead_letters_total", connection="a.b", reason="not_json") == 1
    assert value(text, "floorcast_ignored_events_total", reason="unknown_kind") == 1
    assert value(text, "floorcast_late_changes_total") == 1
    assert value(text, "floorcast_duplicate_changes_total") == 5
    assert value(text, "floorcast_beyond_bounds_total", bound="named") == 2_848
    assert value(text, "floorcast_beyond_bounds_total", bound="group") == 700
    assert value(text, "floorcast_last_delivery_timestamp_seconds", connection="feed") == 1773846000


def test_open_alerts_of_metrics_are_counted_by_threshold_and_alerts_of_both_stages_together() -> None:
    few = {"metric": "calls_made", "per": "rep", "below": 10, "at": "11:00"}
    view = make_view(make_config(alerts={"thresholds": {"few": few, "many": few | {"level": "breach"}}}))
    for alert in (make_crossing(), make_crossing(rep="r2"), make_crossing(rep="r3").resolved(1)):
        view.apply(THRESHOLD_ALERTS.name, alert.id.encode(), encode_alert(alert))
    progress = {
        ("responses", 1): Progress(counters={"alerts.warn": 2, "lateness.0.5": 2}),
        ("acknowledge", 0): Progress(counters={"alerts.warn": 3, "lateness.1": 3, "lateness_ms": 2400}),
    }

    text = render(Picture(catalogue=shipped().metrics, crossed=crossed_limits(view), progress=progress))

    assert value(text, "floorcast_threshold_alerts_open", threshold="few", level="warn") == 2
    assert value(text, "floorcast_threshold_alerts_open", threshold="many", level="breach") == 0
    assert value(text, "floorcast_alerts_raised_total", level="warn") == 5
    assert value(text, "floorcast_alert_lateness_seconds_bucket", le="0.5") == 2
    assert value(text, "floorcast_alert_lateness_seconds_bucket", le="1.0") == 5
    assert value(text, "floorcast_alert_lateness_seconds_sum") == 2.4


def test_waiting_leads_of_a_team_that_nobody_names_any_more_are_still_counted() -> None:
    view = make_view(make_config())
    leads = at_once(exported_leads(view, 0))

    assert leads.counts == {("", "waiting"): 0, ("", "warned"): 0, ("", "breached"): 0}
    assert leads.oldest == {}


async def test_promtool_has_nothing_against_it(floor: Floor) -> None:
    floor.take(
        call("c1", answered_at="2026-03-18T15:10:01Z", ended_at="2026-03-18T15:12:01Z"), call("c2", STRANGE),
        lead("l1", "2026-03-18T14:00Z"), lead("l2", "2026-03-18T14:00Z"), call("c3", lead="l2"),
        change("deal", "d1", rep="r3", status="won", amount="1", created_at="2026-03-01T00:00Z",
               closed_at="2026-03-18T15:00Z"),
    )  # fmt: skip
    counters = {"events": 1, "dead.feed.bad_field": 1, "ignored.x": 1}
    progress = Progress(1, 0, counters, {"feed": (floor.now - HOUR, floor.now)})
    floor.view.apply(PROGRESS.name, progress_key("normalise", 0), encode_progress(progress))
    floor.read_side.consumer.lag["deliveries", 0] = 3
    floor.read_side._on_change()
    floor.read_side._latency.observe(floor.now, floor.now - SECOND)

    answer = await floor.get("/metrics")

    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert complaints(answer.content) == []
    for name in (
        "floorcast_calls_made", "floorcast_lead_response_seconds_bucket", "floorcast_end_to_end_seconds_bucket",
        "floorcast_consumer_lag_records", "floorcast_deals_without_rate", "floorcast_leads_waiting",
    ):  # fmt: skip
        assert f"\n{name}" in answer.text
