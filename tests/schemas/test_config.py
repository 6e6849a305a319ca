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
            ["10: lead_response.rules.1.clock: business time needs a team with a calendar, and no entry of teams has "
             "one"],
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
