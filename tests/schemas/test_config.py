"""What `floorcast.yaml` says of calendars, teams, SLA rules and alerts, and how its faults are named."""

import pytest

from schemas.config import Config, ConfigError, parse_config
from schemas.instants import HOUR, MINUTE

BASE = """\
organisation: {name: Acme, timezone: Asia/Kuala_Lumpur, currency: USD}
connections:
  feed: {kind: generic, secrets: [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw]}
"""

OFFICE = """\
calendars:
  office: {timezone: Europe/Berlin, hours: {mon-fri: ["09:00-18:00"]}}
"""


def parsed(text: str) -> Config:
    return parse_config(BASE + text, {"HOOK": "https://hooks.example.com/T/B/x"})


def test_the_contracts_example_is_understood() -> None:
    config = parsed(
        """
calendars:
  office:
    timezone: Europe/Berlin
    hours: {mon-fri: ["09:00-18:00"]}
    holidays: {country: DE, subdivision: BE, extra: ["2026-12-24", 2026-12-31]}
teams:
  north: {name: North, calendar: office}
lead_response:
  rules:
    - {when: {source: demo_request}, sla: 5m, clock: elapsed}
    - {when: {team: [north, south]}, sla: 30m, clock: business}
    - {sla: 1h, clock: elapsed}
alerts:
  channels:
    floor: {kind: webhook, url: "https://example.com/hook", secret: "whsec_abcdefgh", allow_private: false}
    chat: {kind: slack, url: "${env:HOOK}"}
    mail: {kind: email, url: "smtps://mail.example.com", sender: floor@example.com, recipients: [lead@example.com]}
  routes:
    - {levels: [breach, escalate], teams: [north], to: [floor]}
    - {levels: [escalate], to: [chat, floor]}
"""
    )

    rules = config.lead_response
    assert [
        rules.rule(*lead).sla // MINUTE
        for lead in (("demo_request", "north"), ("web", "north"), ("web", "west"), (None, None))
    ] == [5, 30, 60, 60]
    assert config.alerts.channels_for("escalate", "north") == ["floor", "chat"]
    assert config.alerts.channels_for("breach", "south") == []
    assert config.remarks() == []
    assert "example.com/T" not in repr(config)


def test_without_a_section_the_defaults_hold() -> None:
    config = parsed("")

    response = config.lead_response
    assert (response.start, response.stop, response.automated, response.responder, response.credit) == (
        "received", "attempt", "exclude", "anyone", "sender",
    )  # fmt: skip
    assert (response.before_start, response.warn_at, response.escalate_after) == ("zero", 0.75, 2 * HOUR)
    assert (response.rule("web", "north").sla, response.rule("web", "north").clock) == (HOUR, "elapsed")


def test_without_routes_everything_goes_to_all_channels() -> None:
    config = parsed(
        "alerts: {channels: {a: {kind: teams, url: 'https://x.example'}, b: {kind: slack, url: 'http://y'}}}"
    )

    assert config.alerts.channels_for("warn", None) == ["a", "b"]


def test_a_share_of_the_sla_is_exact() -> None:
    assert parsed("lead_response: {warn_at: 0.7}").lead_response.warn_after(HOUR) == 42 * MINUTE


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (
            'calendars:\n  office: {timezone: UTC, hours: {mon-fri: ["22:00-06:00"]}}',
            ["5: calendars.office.hours: mon-fri: 22:00-06:00 ends before it begins; work past midnight is written "
             "22:00-24:00 and, on the day after, 00:00-06:00"],
        ),
        (
            'calendars:\n  office:\n    timezone: UTC\n    hours:\n      mon: ["09:00-10:00"]\n'
            "    holidays: {country: DE, subdivision: XX}",
            ["9: calendars.office.holidays: Entity `DE` does not have subdivision XX"],
        ),
        (
            "teams:\n  north: {calendar: office}",
            ["5: teams.north.calendar: there is no calendar 'office' under calendars"],
        ),
        (
            OFFICE + "teams: {north: {}}\nlead_response:\n  rules:\n    - {sla: 1h}\n    - {sla: 1h, clock: business}",
            ["10: lead_response.rules.1.clock: business time needs organisation.calendar or a team with a calendar, "
             "and there is none"],
        ),
        ("lead_response:\n  rules:\n    - {sla: 400d}", ["6: lead_response.rules.0.sla: must be at most 366d"]),
        (
            "alerts:\n  channels:\n    a: {kind: webhook}\n    b: {kind: slack, url: 'https://me:pw@x.io', colour: 1}",
            [
                "6: alerts.channels.a.url: is missing",
                "7: alerts.channels.b.url: must be an http or https address without user name and fragment",
                "7: alerts.channels.b.colour: is not a setting here",
            ],
        ),
        (
            "alerts:\n  channels: {a: {kind: teams, url: 'https://x.example'}}\n  routes:\n    - {to: [a, b]}",
            ["7: alerts.routes.0.to: there is no channel 'b' under alerts.channels"],
        ),
        ("reps:\n  r-1: {team: south}", ["5: reps.r-1.team: there is no team 'south' under teams"]),
    ],
    ids=["overnight", "subdivision", "calendar", "business", "sla", "channels", "routes", "team"],
)  # fmt: skip
def test_a_fault_is_named_by_line_and_field(text: str, problems: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        parsed(text)

    assert caught.value.problems == [f"floorcast.yaml:{problem}" for problem in problems]


def test_what_may_not_be_meant_is_remarked() -> None:
    config = parsed(
        OFFICE + "  spare: {timezone: UTC, hours: {sat: ['09:00-10:00']}}\n"
        "teams: {north: {calendar: office}, south: {}}\n"
        "lead_response: {rules: [{sla: 1h, clock: business}, {sla: 2h}]}"
    )  # fmt: skip

    assert config.remarks() == [
        "teams.south.calendar: is not set, so rules of clock business run on elapsed time for this team",
        "calendars.spare: no team goes by it",
        "lead_response.rules.0: matches every lead, so no rule after it ever does",
    ]


def threshold(fields: str, rest: str = "") -> str:
    return f"{rest}alerts:\n  thresholds:\n    few: {{{fields}}}"


def test_thresholds_are_understood() -> None:
    config = parsed(
        OFFICE
        + """
teams: {north: {calendar: office}}
alerts:
  thresholds:
    few-calls: {metric: calls_made, per: rep, teams: [north], below: 10, at: 11:00, level: breach}
    million: {metric: revenue_won, per: organisation, window: quarter, reaches: "1000000.50"}
    slow: {metric: connect_rate, per: team, window: 1h, below: 0.1, during: business hours}
"""
    )

    few, million, slow = config.alerts.thresholds.values()
    assert (few.comparison, str(few.limit), few.at, few.level) == ("below", "10", "11:00", "breach")
    assert (million.comparison, str(million.limit), million.level) == ("reaches", "1000000.50", "warn")
    assert str(slow.limit) == "0.1"
    assert config.remarks() == []
    assert len({entry.definition for entry in config.alerts.thresholds.values()}) == 3


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("metric: calls, per: rep, above: 1", "alerts.thresholds.few.metric: there is no metric 'calls'; there are"),
        ("metric: calls_made, per: rep", "alerts.thresholds.few: needs one of below, above and reaches"),
        (
            "metric: calls_made, per: rep, below: 1, above: 5",
            "alerts.thresholds.few: needs one of below, above and reaches, not below and above",
        ),
        ("metric: calls_made, per: rep, above: ten", "alerts.thresholds.few.above: must be a number such as 10"),
        ("metric: calls_made, per: rep, above: .inf", "alerts.thresholds.few.above: must be a number such as 10"),
        ("metric: calls_made, per: rep, reaches: 0", "alerts.thresholds.few.reaches: calls_made is never less"),
        (
            "metric: calls_made, per: rep, below: 10",
            "alerts.thresholds.few.below: calls_made begins at 0 with each day, so it would be below at once",
        ),
        ("metric: win_rate, per: rep, below: 20", "alerts.thresholds.few.below: win_rate is a share between 0 and"),
        ("metric: calls_made, per: rep, below: 1, at: '25:00'", "alerts.thresholds.few.at: must be a time of day"),
        (
            "metric: calls_made, per: rep, below: 1, window: 7d, at: '11:00'",
            "alerts.thresholds.few: at goes with window today and below or above, and without during",
        ),
        ("metric: calls_made, per: rep, above: 1, window: yesterday", "alerts.thresholds.few.window: yesterday is"),
        ("metric: calls_made, per: rep, above: 1, window: 2h", "alerts.thresholds.few.window: '2h' is not a window"),
        ("metric: calls_made, per: rep, above: 1, calendar: x", "alerts.thresholds.few.calendar: there is no calend"),
        (
            "metric: calls_made, per: organisation, window: 1h, below: 1, during: business hours",
            "alerts.thresholds.few: during needs a calendar: the organisation as a whole has none",
        ),
        ("metric: calls_made, per: everybody, above: 1", "alerts.thresholds.few.per: Input should be 'rep', 'team'"),
        (
            "metric: calls_made, per: organisation, above: 1, teams: [north]",
            "alerts.thresholds.few: teams goes with per rep or per team",
        ),
    ],
)
def test_a_fault_of_a_threshold_is_named_by_line_and_field(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parsed(threshold(text))

    (found,) = caught.value.problems
    assert found.startswith(f"floorcast.yaml:6: {problem}")


def test_a_threshold_of_a_team_that_the_file_does_not_have_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"alerts\.thresholds\.few\.teams: there is no team 'south' under teams"):
        parsed(threshold("metric: calls_made, per: rep, above: 1, teams: [south]", "teams: {north: {}}\n"))


def test_a_threshold_that_nobody_is_told_of_is_remarked() -> None:
    routes = "\n  channels: {a: {kind: teams, url: 'https://x.example'}}\n  routes: [{levels: [breach], to: [a]}]"

    found = parsed(threshold("metric: calls_made, per: organisation, above: 1") + routes).remarks()

    assert found == [
        "alerts.thresholds.few.level: no entry of alerts.routes takes warn of these, so no channel is told"
    ]


def test_a_route_may_take_metrics_only() -> None:
    config = parsed(
        "alerts:\n  channels: {a: {kind: teams, url: 'https://x.example'}, b: {kind: slack, url: 'https://y'}}\n"
        "  routes: [{kinds: [metric_threshold], to: [a]}, {kinds: [lead_response], to: [b]}]"
    )

    assert config.alerts.channels_for("warn", None, "metric_threshold") == ["a"]
    assert config.alerts.channels_for("warn", None, "lead_response") == ["b"]


def test_a_threshold_that_looks_at_nights_too_is_remarked() -> None:
    found = parsed(threshold("metric: calls_made, per: rep, window: 1h, below: 1")).remarks()

    assert found == ["alerts.thresholds.few.during: is not set, so 1h without work at night is below too"]
