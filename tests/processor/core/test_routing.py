from processor.core.routing import quiet_until, routed
from schemas.config.alerts import Alerts, QuietHours
from tests.alert_builders import make_alert
from tests.builders import instant

HOOK = {"kind": "webhook", "url": "https://example.com/hook"}


def test_without_routes_everything_goes_to_all_channels() -> None:
    rules = Alerts.model_validate({"channels": {"a": HOOK, "b": HOOK}})

    assert {name: len(alerts) for name, alerts in routed([make_alert()], rules).items()} == {"a": 1, "b": 1}


def test_routes_choose_by_level_and_team_and_each_channel_hears_once() -> None:
    rules = Alerts.model_validate(
        {
            "channels": {"a": HOOK, "b": HOOK, "c": HOOK},
            "routes": [
                {"levels": ["breach", "escalate"], "teams": ["north"], "to": ["a"]},
                {"levels": ["breach"], "to": ["a", "b"]},
                {"teams": ["south"], "to": ["c"]},
            ],
        }
    )
    alerts = [make_alert("l1", "breach"), make_alert("l2", "escalate"), make_alert("l3", "breach", team=None)]

    found = {name: [alert.lead for alert in told] for name, told in routed(alerts, rules).items()}

    assert found == {"a": ["l1", "l2", "l3"], "b": ["l1", "l3"]}


NIGHT = QuietHours(hours="20:00-07:00", timezone="Europe/Berlin", let_through=["escalate"])


def test_quiet_hours_last_over_midnight() -> None:
    seven = instant("2026-03-19T07:00+01:00")

    assert quiet_until(NIGHT, "breach", instant("2026-03-18T19:59:59+01:00")) is None
    assert quiet_until(NIGHT, "breach", instant("2026-03-18T20:00+01:00")) == seven
    assert quiet_until(NIGHT, "breach", instant("2026-03-19T06:59+01:00")) == seven
    assert quiet_until(NIGHT, "breach", seven) is None


def test_quiet_hours_end_by_the_clock_on_the_wall_when_summer_begins() -> None:
    assert quiet_until(NIGHT, "warn", instant("2026-03-28T23:00+01:00")) == instant("2026-03-29T07:00+02:00")


def test_quiet_hours_within_a_day() -> None:
    lunch = QuietHours(hours="12:00-13:30", timezone="UTC")

    assert quiet_until(lunch, "warn", instant("2026-03-18T12:30Z")) == instant("2026-03-18T13:30Z")
    assert quiet_until(lunch, "warn", instant("2026-03-18T13:30Z")) is None


def test_levels_that_are_let_through_do_not_wait() -> None:
    assert quiet_until(NIGHT, "escalate", instant("2026-03-18T23:00+01:00")) is None
