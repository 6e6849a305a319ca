"""What `floorcast.yaml` says of goals and the fiscal year, and how its faults are named."""

from decimal import Decimal

import pytest

from schemas.config import Config, ConfigError, parse_config
from schemas.definitions import definitions_digest

BASE = """\
organisation: {name: Acme, timezone: Europe/Berlin, currency: EUR}
connections:
  feed: {kind: generic, secrets: [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw]}
teams: {north: {}, south: {}}
reps:
  r-17: {team: north, aliases: {feed: ["99"]}}
"""

QUOTA = """\
fiscal: {year_starts: 02-01}
goals:
  quota:
    metric: revenue_won
    period: fiscal_quarter
    amounts:
      - {since: 2026-01-01, each: "40000"}
      - {since: 2026-04-01, team: north, each: 45000}
      - {since: 2026-01-01, rep: r-17, amount: "60000.50"}
      - {since: 2026-01-01, team: north, amount: "500000"}
      - {since: 2026-01-01, amount: "6000000"}
    ramp: {3mo: 0.5, 0mo: 0.25, 9mo: 1}
    join: full
    absence: none
    elapsed: calendar
    bands: {behind: 0.8, ahead: 1.1}
    fit: [0.5, 0.95]
    milestones: [0.5, 1.0]
"""


def parsed(text: str) -> Config:
    return parse_config(BASE + text, {})


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        parsed(text)
    return refused.value.problems


def goal(more: str) -> str:
    return f"goals:\n  quota: {{metric: calls_made, period: month, {more}}}\n"


def test_a_goal_is_read_as_it_is_written() -> None:
    config = parsed(QUOTA)

    quota = config.goals["quota"]
    assert [(each.each, each.amount, each.team, each.rep) for each in quota.amounts] == [
        (Decimal(40000), None, None, None),
        (Decimal(45000), None, "north", None),
        (None, Decimal("60000.50"), None, "r-17"),
        (None, Decimal(500000), "north", None),
        (None, Decimal(6000000), None, None),
    ]
    assert list(quota.ramp.items()) == [(0, Decimal("0.25")), (3, Decimal("0.5")), (9, Decimal(1))]
    assert (quota.bands.behind, quota.fit, config.fiscal.year_starts) == (
        Decimal("0.8"),
        [Decimal("0.5"), Decimal("0.95")],
        "02-01",
    )
    assert config.remarks() == [
        "goals.quota.period: last_year of a quarter needs retention.records: 460d, and 400d are kept, so that "
        "comparison is null"
    ]


def test_what_is_left_out_is_the_contracts_default() -> None:
    quota = parsed(goal("amounts: [{each: 60}]")).goals["quota"]

    assert (quota.join, quota.absence, quota.elapsed, quota.ramp, quota.milestones) == (
        "prorate",
        "prorate",
        "working",
        {},
        [],
    )
    assert (quota.bands.behind, quota.bands.ahead) == (Decimal("0.9"), Decimal("1.05"))
    assert quota.fit == [Decimal("0.6"), Decimal("0.9")]


def test_goals_change_no_number_that_is_derived() -> None:
    assert definitions_digest(parsed(QUOTA)) == definitions_digest(parsed(""))


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("amounts: [{each: -1}]", "amounts.0.each: must be a number that is not negative"),
        ("amounts: [{each: 1, amount: 2}]", "amounts.0: needs one of each and amount, not both"),
        ("amounts: [{since: 2026-01-01}]", "amounts.0: needs one of each and amount"),
        ("amounts: [{rep: r-17, each: 2}]", "amounts.0: each is of everybody"),
        ("amounts: [{rep: r-17, team: north, amount: 2}]", "amounts.0: is of a rep or of a team"),
        ("amounts: [{each: 2, since: 2026-02-30}]", "amounts.0.since: 2026-02-30 is a day that does not exist"),
        ("amounts: [{each: 2, since: tomorrow}]", "amounts.0.since: must be a date such as"),
        ("amounts: [{each: 2, team: nroth}]", "amounts.0.team: there is no team 'nroth' under teams; did you mean 'n"),
        ('amounts: [{amount: 2, rep: "99"}]', "amounts.0.rep: '99' is an alias: write 'r-17'"),
        ("ramp: {3mo: 1}", "ramp: needs 0mo"),
        ("ramp: {0d: 1}", "ramp: 0d is not a number of months such as 3mo"),
        ("ramp: {0mo: 1, 00mo: 1}", "ramp: 00mo is there twice"),
        ("bands: {behind: 1.2}", "bands: behind must not be more than ahead"),
        ("fit: [0.9, 0.6]", "fit: must ascend"),
        ("milestones: [0, 1]", "milestones must be above 0"),
        ("join: later", "join: must be one of prorate, full, next_period"),
    ],
)
def test_a_fault_names_its_field(more: str, problem: str) -> None:
    (found,) = problems(goal(more))

    assert found.startswith("floorcast.yaml:")
    assert problem in found


def test_the_metric_and_the_fiscal_year_are_checked() -> None:
    assert (
        "goals.quota.metric: there is no metric 'revenue_one'"
        in problems("goals: {quota: {metric: revenue_one, period: month}}")[0]
    )
    assert (
        "fiscal.year_starts: must be a month and a day that every month has"
        in problems("fiscal: {year_starts: 02-30}")[0]
    )


def test_shares_and_the_like_have_no_sum_over_the_people_of_a_team() -> None:
    rate = "goals: {rate: {metric: win_rate, period: month, amounts: [{each: 0.3}, {team: south, amount: 0.4}]}}"
    (found,) = problems(rate)
    assert "goals.rate.amounts.0.each: win_rate does not add up over people: north must have an amount" in found

    parsed(rate.replace("{each: 0.3}", "{each: 0.3}, {team: north, amount: 0.3}"))
    parsed("goals: {rate: {metric: win_rate, period: month, amounts: [{rep: r-17, amount: 0.3}]}}")


def test_what_is_perhaps_not_meant_is_remarked() -> None:
    config = parsed(
        """
goals:
  calls: {metric: calls_made, period: fiscal_year, amounts: [{rep: r-9, amount: 4}]}
  mails: {metric: emails_sent, period: week}
"""
    )

    assert config.remarks() == [
        "goals.calls.period: fiscal.year_starts is not set, so the fiscal year is the calendar's",
        "goals.calls.amounts.0.rep: 'r-9' is not in reps; it holds once a record names this person",
        "goals.mails.amounts: are none, so only records of kind goal say how much it is",
        "goals.calls.period: last_year of a year needs retention.records: 735d, and 400d are kept, so that comparison "
        "is null",
    ]


@pytest.mark.parametrize(
    ("rep", "told"), [("hs:ana", None), ("ana", None), ("hs:ann", "hs:ann' is an alias: write 'hs:ana")]
)
def test_an_alias_is_known_by_the_id_that_records_carry(rep: str, told: str | None) -> None:
    config = """\
organisation: {name: Acme, timezone: Europe/Berlin, currency: EUR}
connections:
  crm: {kind: generic, namespace: hs, secrets: [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw]}
reps:
  hs:ana: {aliases: {crm: [ana, ann]}}
"""
    text = config + goal(f'amounts: [{{amount: 2, rep: "{rep}"}}]')
    try:
        found = parse_config(text, {})
    except ConfigError as error:
        (problem,) = error.problems
        assert told is not None
        assert told in problem
    else:
        assert told is None
        assert found.aliases() == {"hs:ann": "hs:ana"}
