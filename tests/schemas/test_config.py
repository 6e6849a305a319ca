"""What `floorcast.yaml` says of calendars, teams, SLA rules and alerts, and how its faults are named."""

from pathlib import Path

import pytest

from schemas.catalogue.rules import EVER
from schemas.config import Config, ConfigError, load_config, parse_config
from schemas.config.leads import SlaRule
from schemas.config.rules import rules_of
from schemas.instants import HOUR, MINUTE
from tests.builders import instant, make_config

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
  south: {}
lead_response:
  rules:
    - {when: {source: demo_request}, sla: 5m, clock: elapsed}
    - {when: {team: [north, south]}, sla: 30m, clock: business}
    - {sla: 1h, clock: elapsed}
alerts:
  channels:
    floor: {kind: webhook, url: "https://example.com/hook", secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}
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
    assert config.remarks() == [
        "teams.south.calendar: is not set, so rules of clock business run on elapsed time for this team"
    ]
    assert "example.com/T" not in repr(config)


def test_without_a_section_the_defaults_hold() -> None:
    config = parsed("")

    response = config.lead_response
    assert (response.start, response.stop, response.automated, response.responder, response.credit) == (
        "received", "attempt", "exclude", "anyone", "sender",
    )  # fmt: skip
    assert (response.before_start, response.warn_at, response.escalate_after) == ("zero", 0.75, 2 * HOUR)
    assert (response.rule("web", "north").sla, response.rule("web", "north").clock) == (HOUR, "elapsed")


def test_the_organisation_may_have_a_calendar_and_alerts_an_age() -> None:
    config = make_config(
        calendar="office", calendars={"office": {"timezone": "UTC", "hours": {"mon": ["09:00-10:00"]}}}
    )
    assert (config.organisation.calendar, config.alerts.quiet_after) == ("office", HOUR)

    with pytest.raises(ValueError, match=r"organisation\.calendar: there is no calendar 'ofice' under calendars"):
        make_config(calendar="ofice", calendars={"office": {"timezone": "UTC", "hours": {"mon": ["09:00-10:00"]}}})


def test_without_routes_everything_goes_to_all_channels() -> None:
    config = parsed(
        "alerts: {channels: {a: {kind: teams, url: 'https://x.example'}, b: {kind: slack, url: 'https://y'}}}"
    )

    assert config.alerts.channels_for("warn", None) == ["a", "b"]


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        ("{kind: webhook, url: 'http://example.com/'}", "url: must be https (allow_private: true permits http"),
        ("{kind: slack, url: 'https://example.com:25/'}", "url: port 25 belongs to another service"),
        ("{kind: teams, url: 'https://example.com:99999/'}", "url: the port is not one"),
        ("{kind: email, url: 'smtp://h:99999', sender: a@b.c, recipients: [a@b.c]}", "url: the port is not one"),
        ("{kind: webhook, url: 'https://e.com/', secret: whsec_abc}", "secret: must hold at least 16 bytes"),
        ("{kind: webhook, url: 'https://e.com/', secret: not-a-key}", "secret: must begin with whsec_"),
        ("{kind: webhook, url: 'https://e.com:9443/', allow_private: perhaps}", "allow_private: must be true or false"),
    ],
)
def test_a_channel_that_cannot_work_is_told_with_its_line_and_whatever_else_is_wrong(
    channel: str, expected: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        parsed(f"alerts:\n  channels:\n    floor: {channel}\n  quiet_after: 60\n")

    told = caught.value.problems
    assert [line.partition(": ")[0] for line in told] == ["floorcast.yaml:6", "floorcast.yaml:7"]
    assert told[0].startswith(f"floorcast.yaml:6: alerts.channels.floor.{expected}")


def test_a_share_of_the_sla_is_exact() -> None:
    assert parsed("lead_response: {warn_at: 0.7}").lead_response.warn_after(HOUR) == 42 * MINUTE


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (
            'calendars:\n  office: {timezone: UTC, hours: {mon-fri: ["22:00-06:00"]}}',
            ["5: calendars.office.hours.mon-fri.0: 22:00-06:00 ends before it begins; work past midnight is written "
             "22:00-24:00 and, on the day after, 00:00-06:00"],
        ),
        (
            'calendars:\n  office:\n    timezone: UTC\n    hours:\n      mon: ["09:00-10:00"]\n'
            "    holidays: {country: AT, subdivision: XX}",
            ["9: calendars.office.holidays.subdivision: holidays of 'XX' in AT are not known; there are "
             "1, 2, 3, 4, 5, 6, 7, 8, 9"],
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
                "7: alerts.channels.b.colour: is not a setting here; there are names, allow_private, url, quiet, kind",
            ],
        ),
        (
            "alerts:\n  channels: {a: {kind: teams, url: 'https://x.example'}}\n  routes:\n    - {to: [a, b]}",
            ["7: alerts.routes.0.to: there is no channel 'b' under alerts.channels; there are a"],
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


def test_the_calendar_of_the_organisation_is_used_and_is_that_of_teams_without_one() -> None:
    config = make_config(
        calendar="office",
        calendars={"office": {"timezone": "UTC", "hours": {"mon": ["09:00-10:00"]}}},
        teams={"south": {}},
        lead_response={"rules": [{"sla": "1h", "clock": "business"}]},
        alerts={
            "thresholds": {
                "few": {
                    "metric": "calls_made", "per": "team", "below": 3, "window": "1h", "during": "business hours",
                }
            }
        },
    )  # fmt: skip

    assert config.remarks() == []


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
    assert config.remarks() == [
        "alerts.thresholds.million.window: last_year of a quarter needs retention.records: 460d, and 400d are kept, "
        "so that comparison is null"
    ]
    assert len({entry.definition for entry in config.alerts.thresholds.values()}) == 3


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "metric: calls_mad, per: rep, above: 1",
            "alerts.thresholds.few.metric: there is no metric 'calls_mad'; did you mean 'calls_made'?",
        ),
        ("metric: calls_made, per: rep", "alerts.thresholds.few: needs one of below, above and reaches"),
        (
            "metric: calls_made, per: rep, below: 1, above: 5",
            "alerts.thresholds.few: needs one of below, above and reaches, not below and above",
        ),
        ("metric: calls_made, per: rep, above: ten", "alerts.thresholds.few.above: must be a number such as 10"),
        ("metric: calls_made, per: rep, above: .inf", "alerts.thresholds.few.above: must be a number such as 10"),
        (
            "metric: calls_made, per: rep, below: 10",
            "alerts.thresholds.few.below: calls_made begins at 0 with each day, so it would be below at once",
        ),
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
        (
            "metric: calls_made, per: everybody, above: 1",
            "alerts.thresholds.few.per: must be one of rep, team, organisation",
        ),
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


def test_a_limit_is_any_number_and_one_beyond_a_share_is_remarked() -> None:
    many = parsed(threshold("metric: win_rate, per: rep, below: 20, window: 30d"))
    few = parsed(threshold("metric: revenue_won, per: organisation, above: -100"))

    assert many.remarks() == ["alerts.thresholds.few.below: win_rate is a share, of which 1 is the whole: 20 % is 0.2"]
    assert (str(few.alerts.thresholds["few"].limit), few.remarks()) == ("-100", [])


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


def problems(text: str, environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, environment or {})
    return [problem.removeprefix("floorcast.yaml:") for problem in caught.value.problems]


def test_a_duration_without_a_unit_is_refused() -> None:
    found = problems(
        BASE + "lead_response:\n  rules:\n    - {sla: 300}\n  escalate_after: 7200\nconversation: {min_talk: 60}\n"
    )

    shape = "must be a duration such as 30s, 5m, 1h or 2d"
    assert found == [
        f"6: lead_response.rules.0.sla: {shape}: 300 has no unit; did you mean 300s?",
        f"7: lead_response.escalate_after: {shape}: 7200 has no unit; did you mean 7200s?",
        f"8: conversation.min_talk: {shape}: 60 has no unit; did you mean 60s?",
    ]


@pytest.mark.parametrize(
    ("text", "ending"),
    [
        ("'300'", ": 300 has no unit; did you mean 300s?"),
        ("5 minutes", "; did you mean 5m?"),
        ("1.5", ": 1.5 has no unit; did you mean 1.5s?"),
        ("soon", "2d"),
        ("[1h]", "2d"),
        ("", "2d"),
    ],
)
def test_a_duration_is_a_number_with_its_unit(text: str, ending: str) -> None:
    (found,) = problems(BASE + f"lead_response: {{rules: [{{sla: {text}}}]}}")

    assert found.startswith("4: lead_response.rules.0.sla: must be a duration such as 30s")
    assert found.endswith(ending)


def test_a_number_in_code_is_no_duration_either() -> None:
    for value in (300, 300.0, True):
        with pytest.raises(ValueError, match="must be a duration"):
            SlaRule.model_validate({"sla": value})


def test_keys_and_values_are_what_was_written() -> None:
    config = parsed(
        "teams: {no: {name: Norway}, 1e3: {name: off}, se: {}}\n"
        "calendars: {c: {timezone: UTC, hours: {mon: [09:00-18:00]}, holidays: {country: NO, extra: [2026-12-31]}}}\n"
        "reps:\n  0123: {name: Kari Ek, team: se, aliases: {feed: [0123, 1e3, yes, 0x1F]}, active: true}\n"
    )

    assert list(config.teams) == ["no", "1e3", "se"]
    assert config.teams["1e3"].name == "off"
    assert config.reps["0123"].aliases == {"feed": ["0123", "1e3", "yes", "0x1F"]}
    assert config.reps["0123"].active is True
    assert config.calendars["c"].holidays.country == "NO"


def test_a_key_that_is_there_twice_is_refused_with_both_lines() -> None:
    found = problems(BASE + "teams: {a: {}}\nreps:\n  r: {team: a}\n  'r': {team: a}\nteams: {b: {}}\n")

    assert found == ["7: reps.r: stands already in line 6", "8: teams: stands already in line 4"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: &x [*x]", "holds too much, or is nested too deeply"),
        ("a: !python/object:os.system x", "tags such as !python/object:os.system are not known here"),
        ("? [a]\n: b", "a key must be text"),
        ("<<: 5", "<< takes mappings only"),
        ("a: [", "is not YAML: "),
        ("[" * 3000, "is nested too deeply"),
        ("", "must be a mapping with organisation and connections"),
        ("a\x00", "is not YAML: "),
        ("a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
            f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(9 * ['*' + chr(97 + n)])}]\n" for n in range(9)
        ), "holds too much"),
    ],
    ids=["cycle", "tag", "key", "merge", "cut", "deep", "empty", "control character", "billion laughs"],
)  # fmt: skip
def test_a_text_that_is_no_such_file_is_one_problem(text: str, problem: str) -> None:
    (found,) = problems(text)

    assert problem in found
    assert len(found) < 200


def test_a_mapping_may_be_merged_from_another() -> None:
    config = parsed("teams: {a: &a {name: A}, b: {<<: *a}, c: {<<: [*a], name: C}}")

    assert [team.name for team in config.teams.values()] == ["A", "A", "C"]


def test_everything_that_is_wrong_between_the_parts_is_told_at_once() -> None:
    found = problems(
        """\
organisation: {name: Acme, timezone: UTC, currency: EUR}
connections:
  feed: {kind: generic, secrets: [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw]}
  other: {kind: generic, secrets: ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw="]}
calendars: {office: {timezone: UTC, hours: {mon: ["09:00-18:00"]}}}
teams: {north: {calendar: ofice}}
reps: {r: {team: nroth, aliases: {fed: ["1"]}}}
lead_response: {rules: [{when: {team: [north, suoth]}, sla: 1h}]}
alerts:
  channels: {floor: {kind: slack, url: "https://x.example"}}
  routes: [{teams: [noth], to: [flor]}]
  thresholds: {few: {metric: call_made, per: team, above: 1}}
currency_rates: {EUR: "1.1"}
"""
    )

    assert found == [
        "4: connections.other.secrets.0: is a secret of connection 'feed' too",
        "6: teams.north.calendar: there is no calendar 'ofice' under calendars; did you mean 'office'?",
        "7: reps.r.team: there is no team 'nroth' under teams; did you mean 'north'?",
        "7: reps.r.aliases.fed: there is no connection 'fed' under connections; did you mean 'feed'?",
        "8: lead_response.rules.0.when.team: there is no team 'suoth' under teams; did you mean 'north'?",
        "11: alerts.routes.0.teams: there is no team 'noth' under teams; did you mean 'north'?",
        "11: alerts.routes.0.to: there is no channel 'flor' under alerts.channels; did you mean 'floor'?",
        "12: alerts.thresholds.few.metric: there is no metric 'call_made'; did you mean 'calls_made'?",
        "13: currency_rates.EUR: EUR is the organisation's own currency",
    ]


def test_a_key_that_two_connections_write_in_other_letters_is_shared() -> None:
    key = "b9260244ef33625f9b4b26a27db08758cdd39478b852c73f2d33ab042eb8abb4"

    found = problems(
        BASE + f"  a: {{kind: close, secrets: ['{key}']}}\n  b: {{kind: close, secrets: ['{key.upper()}']}}\n"
    )

    assert found == ["5: connections.b.secrets.0: is a secret of connection 'a' too"]


def test_zones_currencies_kinds_and_settings_are_named_with_what_was_probably_meant() -> None:
    found = problems(
        """\
organisation: {name: Acme, timezone: Europe/Berlinn, currency: EURO, week_starts: mondy}
connections:
  hub: {kind: hubspto, secrets: [x]}
  crm: {kind: hubspot, secrets: ["${env:GONE}"], publicurl: "https://x.example"}
  sf: {secrets: [x]}
reps: {r: {naem: Ana}}
alert: {}
"""
    )

    assert found == [
        "1: organisation.timezone: 'Europe/Berlinn' is not an IANA time zone such as Europe/Berlin; did you mean "
        "'Europe/Berlin'?",
        "1: organisation.currency: 'EURO' is not an ISO 4217 code such as USD; did you mean 'EUR'?",
        "1: organisation.week_starts: must be one of monday, tuesday, wednesday, thursday, friday, saturday, sunday; "
        "did you mean 'monday'?",
        "3: connections.hub.kind: there is no kind 'hubspto'; did you mean 'hubspot'?",
        "4: connections.crm.secrets.0: environment variable GONE is not set",
        "4: connections.crm.public_url: is missing",
        "4: connections.crm.publicurl: is not a setting here; did you mean 'public_url'?",
        "5: connections.sf.kind: is missing",
        "6: reps.r.naem: is not a setting here; did you mean 'name'?",
        "7: alert: is not a setting here; did you mean 'alerts'?",
    ]


def test_a_zone_may_be_meant_by_its_place_alone() -> None:
    assert "did you mean 'Europe/Berlin'?" in problems(BASE.replace("Asia/Kuala_Lumpur", "Berlin"))[0]


def test_a_bad_secret_is_named_by_its_line_and_not_repeated() -> None:
    (found,) = problems(BASE.replace("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "not-a-webhook-secret"))

    assert found == "3: connections.feed.secrets.0: must begin with whsec_ (Standard Webhooks)"


def test_legacy_signatures_are_remarked() -> None:
    text = "  crm: {kind: hubspot, secrets: [abcdefgh], public_url: 'https://x.example', legacy_signatures: true}\n"

    remarks = parsed(text).remarks()

    assert [remark.partition(": ")[0] for remark in remarks] == [
        "connections.crm.kind",
        "connections.crm.legacy_signatures",
    ]


def test_a_rate_holds_from_its_day_on_and_an_undated_one_for_ever() -> None:
    said = {"EUR": "1.08", "GBP": [{"since": "2026-01-01", "rate": "1.27"}, {"since": "2026-07-01", "rate": "1.3"}]}
    config = make_config(timezone="Asia/Kuala_Lumpur", currency_rates=said)

    assert dict(rules_of(config).rates) == {
        "EUR": ((EVER, 108, 2),),
        "GBP": ((instant("2025-12-31T16:00Z"), 127, 2), (instant("2026-06-30T16:00Z"), 13, 1)),
        "USD": ((EVER, 1, 0),),
    }


@pytest.mark.parametrize(
    ("rates", "problem"),
    [
        ("{EUR: [{since: 2026-07-01, rate: 1}, {since: 2026-01-01, rate: 2}]}",
         "5: currency_rates.EUR: must be in the order"),
        ('{EUR: [{rate: "1"}, {rate: "2"}]}', "5: currency_rates.EUR: must be in the order"),
        ("{EUR: [{since: soon, rate: 1}]}", "5: currency_rates.EUR.0.since: must be a date such as 2026-03-18"),
        ("{EUR: [{since: 2026-01-01, rate: -1}]}", "5: currency_rates.EUR.0.rate: must be greater than 0"),
        ("{EUR: [{since: 2026-01-01}]}", "5: currency_rates.EUR.0.rate: is missing"),
        ("{EUR: dear}", "5: currency_rates.EUR: must be a number"),
        ("{EUR: []}", "5: currency_rates.EUR: must not be empty"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_rates_is_named(rates: str, problem: str) -> None:
    with pytest.raises(ConfigError) as error:
        parsed(f"\ncurrency_rates: {rates}\n")

    assert [line.partition(problem)[1] for line in error.value.problems] == [problem]


def test_a_limit_below_which_a_level_is_does_not_begin_anew_with_each_period() -> None:
    parsed(threshold("metric: open_deals, per: rep, below: 3"))
    parsed(threshold("metric: arr, per: organisation, window: month, below: 1000"))

    assert (
        "begins at 0 with each month"
        in problems(BASE + threshold("metric: new_customers, per: organisation, window: month, below: 3"))[0]
    )


def test_a_limit_below_which_a_formula_is_not_where_nothing_happened() -> None:
    own = "metrics: {calls_left: {unit: number, type: derived, expr: 100 - calls_made}}"
    limit = {"metric": "calls_left", "per": "rep", "below": 20}

    assert make_config(defines=own, alerts={"thresholds": {"few": limit}}).alerts.thresholds["few"].limit == 20


def test_ids_that_are_not_kept_for_all_of_a_window_cross_no_limit() -> None:
    parsed(threshold("metric: contacts_mailed, per: rep, window: month, above: 3"))
    parsed(threshold("metric: new_customers, per: rep, window: year, above: 3"))

    assert problems(BASE + threshold("metric: emails_per_contact, per: rep, window: quarter, above: 3")) == [
        "6: alerts.thresholds.few.window: emails_per_contact keeps its ids for 35d, and a quarter is "
        "longer: give it keep: 91d, or use another window"
    ]


def test_what_is_not_kept_for_all_of_a_window_is_remarked() -> None:
    text = (
        "retention: {records: 80d}\n"
        "goals:\n  mailed: {metric: contacts_mailed, period: quarter, amounts: [{amount: 5}]}\n"
        "screens:\n  wall: {scenes: [{name: a, tiles: [{kind: figures, metrics: [calls_made], window: year}]}]}\n"
    )
    found = parsed(text).remarks()

    assert "goals.mailed.period: a quarter needs retention.records: 92d, and 80d are kept, so it can be null" in found
    assert (
        "goals.mailed.period: contacts_mailed keeps its ids for 35d, so it is null once a quarter is older than that"
        in found
    )
    assert any(line.startswith("screens.wall.scenes.0.tiles.0.window: a year needs") for line in found)
    assert not any("last_year" in line for line in parsed(text.replace("80d", "740d")).remarks())


def test_business_hours_that_nobody_has_said_are_remarked() -> None:
    metrics = (
        "metrics: {worked: {unit: days, type: duration, from: deal, start: created_at, end: closed_at, clock: business,"
        " stat: mean, credit: rep}}"
    )
    office = {"office": {"timezone": "UTC", "hours": {"mon-fri": ["09:00-18:00"]}}}

    assert (
        "metrics.worked.clock: is business, and organisation.calendar is not set, so it goes by elapsed time"
        in make_config(defines=metrics).remarks()
    )
    assert not any(
        "worked" in line for line in make_config(defines=metrics, calendars=office, calendar="office").remarks()
    )


def test_unknown_names_are_told_beside_what_is_wrong_by_itself() -> None:
    found = problems(
        """\
organisation: {name: Acme, timezone: Berlinn, currency: EUR}
connections:
  feed: {kind: generic, secrets: [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw]}
  hub: {kind: hubspto, secrets: [x]}
teams: {north: {}}
reps: {r: {team: nroth, aliases: {hub: ["1"], fed: ["1"]}}}
lead_response:
  rules:
    - {sla: 300}
    - {when: {team: suoth}, sla: 1h}
    - {when: {team: noth}, sla: 1h}
alerts:
  channels: {a: {kind: slak, url: "https://x.example"}, floor: {kind: slack, url: "https://x.example"}}
  routes: [{levels: [breech], to: [flor]}, {to: [a]}]
"""
    )

    told = [line.partition(": ") for line in found]
    assert [f"{line} {rest.split(';')[0]}" for line, _, rest in told] == [
        "1 organisation.timezone: 'Berlinn' is not an IANA time zone such as Europe/Berlin",
        "4 connections.hub.kind: there is no kind 'hubspto'",
        "6 reps.r.team: there is no team 'nroth' under teams",
        "6 reps.r.aliases.fed: there is no connection 'fed' under connections",
        "9 lead_response.rules.0.sla: must be a duration such as 30s, 5m, 1h or 2d: 300 has no unit",
        "10 lead_response.rules.1.when.team: there is no team 'suoth' under teams",
        "11 lead_response.rules.2.when.team: there is no team 'noth' under teams",
        "13 alerts.channels.a.kind: there is no kind 'slak'",
        "14 alerts.routes.0.levels.0: must be one of warn, breach, escalate",
        "14 alerts.routes.0.to: there is no channel 'flor' under alerts.channels",
    ]


def test_a_fault_hides_no_other() -> None:
    """Neither one of the same setting, nor one of another, nor a name that what is wrong by itself stands beside."""
    found = problems(
        """\
organisation: {name: Acme, timezone: Berlinn, currency: EUR, calendar: ofice}
connections:
  i: {kind: generic, secrets: [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw]}
  h: {kind: hubspot}
  j: {kind: generic, secrets: [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw]}
calendars:
  office: {timezone: UTC, hours: {mon-fry: [09:00-18:00], sat: [18:00-09:00], sun: [9-12, 13-14]},
    holidays: {country: XX, extra: [2026-02-30, 24.12.2026]}}
teams: {south: {calendar: offic}}
reps: {r: {team: suoth, active: maybe}}
prometheus: {windows: [todayy, 90s]}
retention: {minutes: 1m, records: 0d}
goals: {g: {metric: calls_mad, per: month}}
screens: {s: {teams: [suoth], rotat: 5s}}
"""
    )

    told = [line.partition(": ") for line in found]
    assert [f"{line} {rest.partition(':')[0]}" for line, _, rest in told] == [
        "1 organisation.timezone", "1 organisation.calendar",
        "4 connections.h.secrets", "4 connections.h.public_url", "5 connections.j.secrets.0",
        "7 calendars.office.hours.mon-fry", "7 calendars.office.hours.sat.0",
        "7 calendars.office.hours.sun.0", "7 calendars.office.hours.sun.1",
        "8 calendars.office.holidays.country", "8 calendars.office.holidays.extra.0",
        "8 calendars.office.holidays.extra.1",
        "9 teams.south.calendar", "10 reps.r.active", "10 reps.r.team",
        "11 prometheus.windows.0", "11 prometheus.windows.1",
        "12 retention.minutes", "12 retention.records",
        "13 goals.g.period", "13 goals.g.per", "13 goals.g.metric",
        "14 screens.s.scenes", "14 screens.s.rotat", "14 screens.s.teams",
    ]  # fmt: skip
    assert any("'ofice' under calendars; did you mean 'office'?" in line for line in found)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("teams:\nalerts:\n", ["4: teams: is empty", "5: alerts: is empty"]),
        ("  crm:\n  dialler: 5\n", ["4: connections.crm: is empty", "5: connections.dialler: must be a mapping"]),
        ("  files: {kind: file, secrets: [x]}\n", ["4: connections.files.secrets: must be empty"]),
        (
            "  clo: {kind: close, secrets: [00112233445566778899aabbccddeeff], lookups: {wait: 2m}}\n",
            ["4: connections.clo.lookups.wait: must be at most 1m"],
        ),
        (
            "lead_response: {response_bands: [5m, x, 300]}\n",
            [
                "4: lead_response.response_bands.1: must be a duration such as 30s, 5m, 1h or 2d",
                "4: lead_response.response_bands.2: must be a duration such as 30s, 5m, 1h or 2d: 300 has no unit; "
                "did you mean 300s?",
            ],
        ),
        (
            "digest: {at: 25:00, to: [x], metrics: [calls_mad]}\n",
            [
                '4: digest.at: must be a time of day such as "11:00"',
                "4: digest.to: there is no channel 'x' under alerts.channels",
                "4: digest.metrics: there is no metric 'calls_mad'; did you mean 'calls_made'?",
            ],
        ),
    ],
    ids=["sections", "connections", "secrets", "wait", "bands", "digest"],
)
def test_what_is_wrong_is_told_in_words_of_the_file(text: str, told: list[str]) -> None:
    assert problems(BASE + text) == told


def test_a_file_in_another_encoding_is_named_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "floorcast.yaml"
    path.write_bytes("organisation:\n  name: Brück".encode("latin-1"))

    with pytest.raises(ConfigError, match=r"floorcast\.yaml:2: is not UTF-8 text"):
        load_config(path, {})


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("currency_rates: {USD: 1_0}", "currency_rates.USD"),
        ("prometheus: {reps: {top: 1_0, by: calls_made}}", "prometheus.reps.top"),
        ("lead_response: {warn_at: 0_5}", "lead_response.warn_at"),
        ("lead_response: {warn_at: nan}", "lead_response.warn_at"),
        ("alerts: {thresholds: {a: {metric: calls_made, per: rep, above: 0x10}}}", "alerts.thresholds.a.above"),
        ("goals: {a: {metric: calls_made, period: month, amounts: [{amount: 1_000}]}}", "goals.a.amounts.0.amount"),
    ],
)
def test_what_only_python_takes_for_a_number_is_none(text: str, place: str) -> None:
    found = problems(BASE.replace("USD", "EUR") + text)

    assert any(f"{place}: must be a " in line and "number such as 10" in line for line in found)


def test_a_number_may_begin_with_its_point_or_with_a_zero() -> None:
    config = parsed(
        "lead_response: {warn_at: .5}\n"
        "alerts: {thresholds: {a: {metric: win_rate, per: rep, above: .25, window: 30d}, "
        "b: {metric: calls_made, per: rep, above: 010}}}"
    )

    assert config.lead_response.warn_at == 0.5
    assert [str(limit.limit) for limit in config.alerts.thresholds.values()] == ["0.25", "10"]


@pytest.mark.parametrize("text", ["99999999999999999999d", "36501d", "9999999999999h"])
def test_a_duration_that_no_instant_could_take_is_refused(text: str) -> None:
    (found,) = problems(BASE + f"lead_response: {{escalate_after: {text}}}")

    assert found == f"4: lead_response.escalate_after: '{text}' is longer than 36500d"


def test_what_an_alias_stands_for_is_wrong_once_and_nothing_is_merged_twice() -> None:
    found = problems(
        BASE + "teams:\n  a: &a {name: A, name: B}\n  b: {<<: *a}\n  c: *a\n  d:\n    <<: *a\n    <<: *a\n"
    )

    assert found == ["5: teams.a.name: stands already in line 5", "10: teams.d.<<: stands already in line 9"]


def test_tags_that_would_mean_another_value_are_refused() -> None:
    found = problems(BASE + "teams: {a: {name: !!binary aGk=}, b: !!set {x}, c: {name: !!str no}}")

    assert [line.rpartition("tags such as ")[2] for line in found] == [
        "!!binary are not known here",
        "!!set are not known here",
    ]


@pytest.mark.parametrize(
    "origin", ["https://wiki.example.com/", "*", "null", "wiki.example.com", "https://Wiki.example.com", "https://a\\n"]
)
def test_an_origin_is_written_as_browsers_say_it(origin: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parsed(f'cors: ["{origin}"]\n')

    (problem,) = refused.value.problems
    assert "cors.0: must be an origin as browsers say it, such as https://wiki.example.com" in problem
