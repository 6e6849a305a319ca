"""The committed routes, inhibitions and texts, as Alertmanager reads them."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml

from tests.deploy.observing import (
    ALERTMANAGER,
    PROMETHEUS,
    Sink,
    alertmanager_config,
    get,
    run,
    running_alertmanager,
    running_sink,
    tool,
    until,
)

CONFIG = ALERTMANAGER / "alertmanager.yml"
RECEIVERS = {"leads": "floor", "metrics": "floor", "pipeline": "operators", "watchdog": "dead-man"}
PUSHED = [("LeadResponse", "leads"), ("MetricThreshold", "metrics")]  # by a channel of kind alertmanager


def alerts_by_area() -> list[tuple[str, str]]:
    groups = yaml.safe_load((PROMETHEUS / "rules" / "alerts.yml").read_text())["groups"]
    return [(rule["alert"], rule["labels"]["area"]) for group in groups for rule in group["rules"] if "alert" in rule]


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with running_sink() as sink:
        yield sink


@pytest.fixture(scope="module")
def alertmanager(sink: Sink, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("alertmanager")
    with running_alertmanager(folder, alertmanager_config(sink.address)) as address:
        yield address


def raise_alerts(alertmanager: str, *alerts: dict[str, str]) -> None:
    post(alertmanager, [{"labels": labels, "annotations": {"summary": "so it is"}} for labels in alerts])


def end_alert(alertmanager: str, labels: dict[str, str]) -> None:
    post(alertmanager, [{"labels": labels, "endsAt": "2026-01-01T00:00:00Z"}])


def post(alertmanager: str, alerts: list[dict[str, Any]]) -> None:
    httpx.post(f"http://{alertmanager}/api/v2/alerts", json=alerts, timeout=5).raise_for_status()


def state_of(alertmanager: str, **labels: str) -> str | None:
    """`active` or `suppressed`; None while Alertmanager has not looked at it."""
    for alert in get(f"http://{alertmanager}/api/v2/alerts"):
        if alert["labels"] == labels and alert["status"]["state"] != "unprocessed":
            return str(alert["status"]["state"])
    return None


def lead(name: str = "LeadWaitingOverOneHour", **labels: str) -> dict[str, str]:
    return {"alertname": name, "area": "leads", **labels}


def pipeline(name: str, **labels: str) -> dict[str, str]:
    return {"alertname": name, "area": "pipeline", **labels}


def test_the_configuration_is_well_formed() -> None:
    done = run(tool("amtool"), "check-config", str(CONFIG))

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("alert", "area"), [*alerts_by_area(), *PUSHED])
def test_every_alert_goes_to_who_can_do_something(alert: str, area: str) -> None:
    done = run(
        tool("amtool"),
        "config",
        "routes",
        "test",
        f"--config.file={CONFIG}",
        f"--verify.receivers={RECEIVERS[area]}",
        f"alertname={alert}",
        f"area={area}",
        "team=north",
    )

    assert done.returncode == 0, done.stdout


def test_an_alert_that_no_route_knows_goes_to_the_operators() -> None:
    done = run(tool("amtool"), "config", "routes", "test", f"--config.file={CONFIG}", "alertname=Unheard")

    assert done.stdout.split() == ["operators"]


def test_leads_are_kept_back_while_the_numbers_stand_still(alertmanager: str, sink: Sink) -> None:
    stale = pipeline("PipelineStale", instance="a")
    raise_alerts(alertmanager, stale)
    until(lambda: "PipelineStale" in sink.names("operators"), lambda: sink.posted)

    raise_alerts(alertmanager, lead(team="stale"))

    assert until(lambda: state_of(alertmanager, **lead(team="stale")), lambda: "no state") == "suppressed"
    end_alert(alertmanager, stale)
    told = until(lambda: [a for a in sink.alerts("floor") if a["labels"]["team"] == "stale"], lambda: sink.posted)
    assert told[0]["status"] == "firing"


def test_over_an_hour_says_it_all_of_its_own_team_only(alertmanager: str, sink: Sink) -> None:
    raise_alerts(alertmanager, lead(team="north"))
    until(lambda: any(a["labels"].get("team") == "north" for a in sink.alerts("floor")), lambda: sink.posted)

    raise_alerts(alertmanager, lead("LeadsBreached", team="north"), lead("LeadsBreached", team="south"))

    def state(team: str) -> str:
        labels = lead("LeadsBreached", team=team)
        return until(lambda: state_of(alertmanager, **labels), lambda: get(f"http://{alertmanager}/api/v2/alerts"))

    assert {team: state(team) for team in ("north", "south")} == {"north": "suppressed", "south": "active"}


@pytest.mark.parametrize(
    ("status", "title", "text"),
    [
        ("firing", "CRITICAL: LeadWaitingOverOneHour", "A lead waits\nFor 1h 2m\nhttp://floor/docs/runbooks/X.md"),
        ("resolved", "over: LeadWaitingOverOneHour", "A lead waits"),
    ],
)
def test_a_message_says_what_is_wrong_and_when_it_is_over(status: str, title: str, text: str, tmp_path: Any) -> None:
    labels = {"alertname": "LeadWaitingOverOneHour", "severity": "critical", "team": "north"}
    alert = {
        "status": status,
        "labels": labels,
        "annotations": {
            "summary": "A lead waits",
            "description": "For 1h 2m",
            "runbook_url": "http://floor/docs/runbooks/X.md",
        },
        "startsAt": "2026-03-18T10:00:00Z",
        "endsAt": "2026-03-18T11:00:00Z",
    }
    data = tmp_path / "data.json"
    data.write_text(json.dumps({"status": status, "alerts": [alert], "commonLabels": labels, "groupLabels": {}}))

    def rendered(template: str) -> str:
        done = run(
            tool("amtool"),
            "template",
            "render",
            f"--template.glob={ALERTMANAGER}/templates/*.tmpl",
            f'--template.text={{{{ template "{template}" . }}}}',
            f"--template.data={data}",
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    assert (rendered("floorcast.title"), rendered("floorcast.text")) == (title, text)
