"""A lead that nobody answers: exporter to Prometheus to Alertmanager to a receiver, as configured here."""

from pathlib import Path

from schemas.instants import MINUTE
from tests.deploy.exported_floor import TOKEN, ExportedFloor, clock, serving
from tests.deploy.observing import (
    alertmanager_config,
    prometheus_config,
    query,
    running_alertmanager,
    running_prometheus,
    running_sink,
    until,
)


def test_a_lead_that_nobody_answers_for_an_hour_raises_a_notification(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    floor = ExportedFloor(tmp_path, now=clock(), waits=61 * MINUTE)

    with (
        serving(floor) as target,
        running_sink() as sink,
        running_alertmanager(tmp_path, alertmanager_config(sink.address)) as alertmanager,
        running_prometheus(
            tmp_path, prometheus_config(target=target, token=token, alertmanager=alertmanager)
        ) as prometheus,
    ):

        def told() -> object:
            firing = 'ALERTS{alertstate="firing"}'
            return {"posted": sink.posted, "firing": query(prometheus, firing), "up": query(prometheus, "up")}

        until(lambda: sink.alerts("floor"), told)
        until(lambda: sink.alerts("dead-man"), told)

    (alert,) = {alert["fingerprint"]: alert for alert in sink.alerts("floor")}.values()
    assert alert["status"] == "firing"
    assert alert["labels"] == {
        "alertname": "LeadWaitingOverOneHour",
        "area": "leads",
        "severity": "critical",
        "team": "north",
    }
    assert alert["annotations"]["summary"] == "A lead of team north has waited for over an hour"
    assert alert["annotations"]["description"].startswith("The one that waits longest has waited for 1h 1m")
    assert sink.names("dead-man") == {"Watchdog"}
    assert "LeadWaitingOverOneHour" not in sink.names("operators")
