"""Metrics of type `simple`, `ratio` and `derived` as the recount reads them: worked values."""

from datetime import date
from fractions import Fraction
from typing import Any

import pytest

from deploy.verification.definitions import merged, of_file, shipped, with_own
from schemas.records import RecordChange
from tests.builders import change, make_config
from tests.deploy.verification.metrics import NOON, books, definitions, value

DAY = "2026-03-18T"
MAILS = "{type: simple, unit: count, from: email, at: sent_at, credit: rep, agg: distinct, of: [contacts, lead]}"
DEALS = "type: simple, from: deal, where: {status: won}, at: closed_at, credit: rep"


def call(name: str, at: str = "10:00", rep: str | None = "ana", **fields: Any) -> RecordChange:
    return change("call", name, f"{DAY}{at}Z", rep=rep, direction="outbound", dialed_at=f"{DAY}{at}Z", **fields)


def deal(name: str, status: str = "won", at: str = f"{DAY}10:00Z", **fields: Any) -> RecordChange:
    return change("deal", name, f"{DAY}10:00Z", rep="ana", status=status, closed_at=at, **fields)


def mail(name: str, **fields: Any) -> RecordChange:
    return change("email", name, f"{DAY}09:00Z", rep="ana", direction="outbound", sent_at=f"{DAY}09:00Z", **fields)


@pytest.mark.parametrize(
    ("where", "counted"),
    [
        ("{}", 4),
        ("{outcome: busy}", 1),
        ("{outcome: [busy, connected]}", 2),
        ("{not: {outcome: busy}}", 3),
        ("{any: [{outcome: busy}, {talk: {at_least: 60s}}]}", 2),
        ("{talk: {at_least: 60}}", 1),
        ("{talk: {below: 60s}}", 3),
        ("{outcome: {is_set: false}}", 1),
        ("{outcome: {is_set: true}, not: {any: [{outcome: busy}, {outcome: failed}]}}", 1),
        ("{automated: false}", 3),
        ("{automated: true}", 1),
        ("{connected: true, conversation: true}", 1),
        ("{internal: true}", 1),
        ("{any: [{internal: true}, {outcome: busy}]}", 2),
    ],
)
def test_every_form_of_a_condition(where: str, counted: int) -> None:
    calls = [
        call("c1", outcome="busy"),
        call("c2", outcome="connected", talk_seconds=60),
        call("c3"),
        call("c4", outcome="failed", automated=True),
        call("c5", outcome="failed", internal=True),
    ]

    assert (
        value(calls, f"{{unit: count, from: call, where: {where}, at: dialed_at, credit: rep, agg: count}}") == counted
    )


def test_what_is_not_set_is_neither_large_nor_small_and_numbers_are_compared_as_numbers() -> None:
    deals = [deal("d1", units=9), deal("d2", units=10), deal("d3"), deal("d4", attributes='{"seats": 12, "kind": "a"}')]

    def count(where: str) -> object:
        return value(deals, f"{{unit: count, {DEALS.replace('status: won', where)}, agg: count}}")

    assert count("units: {at_least: 10}") == 1
    assert count("units: {below: 10}") == 1
    assert count("attributes.seats: {at_least: 12}") == 1
    assert count("attributes.kind: a") == 1
    assert count("attributes.kind: {below: 3}") == 0


def test_each_person_of_a_list_is_credited_once_and_nobody_means_the_organisation_alone() -> None:
    met = change("meeting", "m", f"{DAY}09:00Z", rep="ana", attendees=["ben", "ana"], starts_at=f"{DAY}09:00Z")
    alone = change("meeting", "n", f"{DAY}09:00Z", starts_at=f"{DAY}09:00Z")
    entry = "{unit: count, from: meeting, at: starts_at, credit: people, agg: count}"

    assert value([met, alone], entry) == 3
    assert [value([met, alone], entry, rep=rep) for rep in ("ana", "ben")] == [1, 1]


def test_people_are_known_by_their_roster_id_before_they_are_counted_once() -> None:
    config = make_config(reps={"ana": {"aliases": {"feed": ["7"]}}})
    met = change("meeting", "m", f"{DAY}09:00Z", rep="ana", attendees=["7"], starts_at=f"{DAY}09:00Z")

    assert value([met], "{unit: count, from: meeting, at: starts_at, credit: people, agg: count}", config=config) == 1


def test_the_first_instant_and_the_first_person_that_is_set_count() -> None:
    entry = "{unit: count, from: [call, email], at: [logged_at, happened_at], credit: [logged_by, rep], agg: count}"
    done = [
        call("c1", ended_at=f"{DAY}10:05Z"),
        call("c2", logged_at="2026-03-17T10:00Z", logged_by="ben"),
        mail("e1"),
    ]

    assert value(done, entry) == 2
    assert value(done, entry, window="yesterday", rep="ben") == 1


def test_distinct_ids_are_those_of_all_people_together_and_of_a_list_each() -> None:
    mails = [mail("e1", contacts=["p", "q"]), mail("e2", contacts=["q"]), mail("e3", lead="l"), mail("e4")]

    assert value(mails, MAILS) == 3
    assert value(mails, MAILS.replace("agg", "at_least: 2, agg")) == 1


@pytest.mark.parametrize(("first", "expected"), [(date(2026, 2, 11), 1), (date(2026, 2, 10), None)])
def test_distinct_is_not_known_before_the_day_that_many_days_ago(first: date, expected: int | None) -> None:
    assert value([mail("e", contacts=["p"])], MAILS, window=(first, date(2026, 3, 18))) == expected
    assert value([mail("e", contacts=["p"])], MAILS.replace("agg", "keep: 60d, agg"), window=(first, first)) == 0


def test_days_are_pairs_of_person_and_day() -> None:
    entry = "{unit: count, from: call, at: dialed_at, credit: rep, agg: days}"
    calls = [call("c1"), call("c2"), call("c3", rep="ben"), call("c4", rep=None)]
    calls.append(change("call", "c5", dialed_at="2026-03-17T10:00Z", rep="ana"))

    assert value(calls, entry, window="7d") == 3
    assert value(calls, entry, window="7d", rep="ana") == 2


def test_sums_and_differences_are_exact_and_what_is_not_set_is_nothing() -> None:
    deals = [deal("d1", list_amount="10.10", amount="10.05"), deal("d2", list_amount="0.2"), deal("d3", amount=1)]

    assert value(deals, f"{{unit: number, {DEALS}, agg: sum, value: list_amount - amount}}") == Fraction("-0.75")


def test_money_is_converted_by_the_rate_of_the_day_and_left_out_without_one() -> None:
    config = make_config(currency_rates={"EUR": "1.5"})
    deals = [deal("d1", amount=2, currency="EUR"), deal("d2", amount=3), deal("d3", amount=9, currency="GBP")]
    money = definitions(f"""
metrics:
  won: {{unit: money, {DEALS}, agg: sum, value: amount}}
  count: {{unit: count, {DEALS}, agg: count}}
  size: {{unit: money, type: ratio, numerator: won, denominator: {{metric: count, where: {{valued: true}}}}}}
""")

    assert value(deals, money, "won", config=config) == 6
    assert value(deals, money, "size", config=config) == 3
    row = books(deals, money, config).metrics(now=1773835200000000, window="today")
    assert row["metrics"] == {"won": "6.00", "count": 3, "size": "3.00"}


def test_a_team_rate_is_sum_by_sum_and_nothing_divided_is_nothing() -> None:
    halves = definitions("""
metrics:
  made: {unit: count, from: call, at: dialed_at, credit: rep, agg: count}
  busy: {unit: ratio, type: ratio, numerator: {metric: made, where: {outcome: busy}}, denominator: made}
""")
    calls = [call(f"a{n}", outcome="busy" if n < 1 else "failed") for n in range(10)]
    calls += [call(f"b{n}", rep="ben", outcome="busy" if n < 50 else "failed") for n in range(100)]

    assert value(calls, halves, "busy") == Fraction(51, 110)  # 46.4 %, not 30 %
    assert value(calls, halves, "busy", rep="ana") == Fraction(1, 10)
    assert value([], halves, "busy") is None


def test_a_condition_of_a_half_is_added_to_that_of_the_metric_also_on_the_same_field() -> None:
    twice = definitions("""
metrics:
  known: {unit: count, from: call, where: {outcome: [busy, failed]}, at: dialed_at, credit: rep, agg: count}
  share: {unit: ratio, type: ratio, numerator: {metric: known, where: {outcome: [busy, connected]}}, denominator: known}
""")

    assert value(
        [call("c1", outcome="busy"), call("c2", outcome="failed"), call("c3", outcome="connected")], twice, "share"
    ) == Fraction(1, 2)


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        ("made + 2 * made", 6),
        ("(made + 1) / made - 0.1", Fraction(14, 10)),
        ("made / none", None),
        ("made / none + 1", None),
        ("made - -1", 3),
    ],
)
def test_an_expression_is_worked_out_exactly_and_has_no_value_where_a_part_has_none(
    expr: str, expected: object
) -> None:
    derived = definitions(f"""
metrics:
  made: {{unit: count, from: call, at: dialed_at, credit: rep, agg: count}}
  none: {{unit: count, from: email, at: sent_at, credit: rep, agg: count}}
  m: {{unit: number, type: derived, expr: "{expr}"}}
""")

    assert value([call("c1"), call("c2")], derived) == expected


def test_each_version_counts_what_happens_in_its_days() -> None:
    versions = definitions("""
metrics:
  made:
    {unit: count, type: simple, at: dialed_at, credit: rep, agg: count, from: call,
     versions: [{}, {since: 2026-03-18, where: {outcome: busy}}]}
  all: {unit: count, from: call, at: dialed_at, credit: rep, agg: count}
  share:
    {unit: ratio, type: ratio,
     versions: [{numerator: made, denominator: all}, {since: 2026-03-18, numerator: all, denominator: all}]}
""")
    calls = [call("c1"), call("c2", outcome="busy"), change("call", "c3", dialed_at="2026-03-17T23:59Z")]

    assert value(calls, versions, "made", window="7d") == 2
    assert value(calls, versions, "made", window="yesterday") == 1
    assert value(calls, versions, "share", window="7d") == Fraction(3, 3)


def test_an_entry_takes_the_place_of_its_name_and_false_takes_it_away() -> None:
    own = {
        "metrics": {
            "calls_made": {"unit": "count", "type": "simple"},
            "emails_sent": "false",
            "mine": {"unit": "count"},
        }
    }

    found = with_own(own).metrics

    assert (found["calls_made"], "emails_sent" in found, list(found)[-1]) == (
        {"unit": "count", "type": "simple"},
        False,
        "mine",
    )
    assert next(iter(found)) == next(iter(shipped().metrics))
    assert merged({"quiet_after": "3d", "cold_sources": ["list"]}).cold_sources == {"list"}


def test_the_file_that_floorcast_yaml_names_counts_else_the_one_beside_it(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("floor")
    config = folder / "floorcast.yaml"
    config.write_text("organisation: {name: Acme}")
    assert of_file(config) is shipped()

    (folder / "metrics.yaml").write_text("metrics: {mine: {unit: count}}")
    (folder / "other.yaml").write_text("metrics: {theirs: {unit: count}}")
    assert "mine" in of_file(config).metrics

    config.write_text("metrics: other.yaml")
    assert "theirs" in of_file(config).metrics
    assert "mine" not in of_file(config).metrics


def test_meetings_that_are_no_conversations_are_left_out_of_them() -> None:
    config = make_config(conversation={"meetings": "none"})
    conversations = definitions("""
metrics:
  made: {unit: count, from: call, at: dialed_at, credit: rep, agg: count}
  meetings_held: {unit: count, from: meeting, at: starts_at, credit: rep, agg: count}
  conversations: {unit: count, type: derived, expr: made + meetings_held}
  both: {unit: count, type: derived, expr: made + meetings_held}
""")
    floor = [call("c"), change("meeting", "m", rep="ana", starts_at=NOON)]

    assert [value(floor, conversations, name, config=config) for name in ("conversations", "both")] == [1, 2]
