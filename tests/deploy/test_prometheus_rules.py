"""The committed rules: well formed, right at their thresholds, about series that are exported."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from schemas.exit_codes import ExitCode
from schemas.instants import MINUTE
from tests.deploy.exported_floor import ExportedFloor, clock
from tests.deploy.observing import PROMETHEUS, complaints, run, tool

RULES = sorted((PROMETHEUS / "rules").glob("*.yml"))
TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))
RUNBOOKS = PROMETHEUS.parents[1] / "docs" / "runbooks"
FROM_ELSEWHERE = {"up", "alertmanager_notifications_failed_total"}
OPTIONAL = {"floorcast_utc_offset_seconds"}
"""Rules do without where an api does not tell it."""


def rules() -> list[dict[str, Any]]:
    return [rule for path in RULES for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


def names_in(expr: str) -> set[str]:
    without_labels = re.sub(r"\{[^}]*\}", "", re.sub(r"#.*", "", expr))
    return set(re.findall(r"\b(?:floorcast[a-z0-9_:]*|up|alertmanager_[a-z_]+)\b", without_labels))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    floor = ExportedFloor(tmp_path_factory.mktemp("floor"), now=clock(), waits=70 * MINUTE)
    return floor.text(clock())


def test_the_configuration_and_its_rules_are_well_formed() -> None:
    promtool = tool("promtool")

    config = run(promtool, "check", "config", "--syntax-only", "prometheus.yml", cwd=PROMETHEUS)
    checked = run(promtool, "check", "rules", "--lint=all", "--lint-fatal", *map(str, RULES))

    assert (config.returncode, checked.returncode) == (0, 0), config.stderr + checked.stderr


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_rules_do_what_their_examples_say(path: Path) -> None:
    done = run(tool("promtool"), "test", "rules", str(path))

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "right", "wrong", "examples"),
    [
        ("alerts.yml", "lead_waiting_seconds:max > 3600", "lead_waiting_seconds:max > 3700", "leads.yml"),
        ("alerts.yml", "keep_firing_for: 2m", "keep_firing_for: 0s", "leads.yml"),
        ("alerts.yml", " and on (job, instance) floorcast_ready == 1", "", "leads.yml"),
    ],
    ids=["later", "not-kept", "while-loading"],
)
def test_the_examples_notice_a_rule_that_is_wrong(
    tmp_path: Path, file: str, right: str, wrong: str, examples: str
) -> None:
    for folder in ("rules", "tests"):
        (tmp_path / folder).mkdir()
    for path in RULES:
        text = path.read_text()
        assert path.name != file or right in text
        (tmp_path / "rules" / path.name).write_text(text.replace(right, wrong) if path.name == file else text)
    (tmp_path / "tests" / examples).write_text((PROMETHEUS / "tests" / examples).read_text())

    done = run(tool("promtool"), "test", "rules", str(tmp_path / "tests" / examples))

    assert done.returncode == 1, done.stdout


def test_every_alert_has_an_example_and_says_what_it_is_about() -> None:
    alerts = [rule for rule in rules() if "alert" in rule]
    tried = {
        example["alertname"]
        for path in TESTS
        for group in yaml.safe_load(path.read_text())["tests"]
        for example in group.get("alert_rule_test", [])
        if example["exp_alerts"]
    }
    dashboards = {
        f"/d/{json.loads(path.read_text())['uid']}"
        for path in (PROMETHEUS.parent / "grafana" / "dashboards").glob("*.json")
    }

    assert {rule["alert"] for rule in alerts} == tried
    for rule in alerts:
        assert set(rule["labels"]) == {"severity", "area"}
        assert {"summary", "description"} <= set(rule["annotations"])
        assert rule["annotations"].get("dashboard", "/d/floorcast-pipeline") in dashboards


def test_every_alert_has_a_page_that_says_what_it_means_what_to_look_at_and_what_to_do() -> None:
    # Pages in lower case are of planned work: tests/integration/test_planned_work.py.
    pages = {path.stem: path.read_text() for path in RUNBOOKS.glob("[A-Z]*.md") if path.stem != "README"}
    alerts = {rule["alert"]: rule["annotations"]["runbook_url"] for rule in rules() if "alert" in rule}

    assert alerts.keys() == pages.keys()
    for name, url in alerts.items():
        assert url.endswith(f"/docs/runbooks/{name}.md")
        title, meaning, *rest = pages[name].split("\n\n")
        assert (title, rest[0]) == (f"# {name}", "## What to look at")
        assert meaning.endswith(".")
        assert "## What to do" in rest
        assert f"[{name}]({name}.md)" in (RUNBOOKS / "README.md").read_text()


def test_pages_are_where_people_reach_an_api_and_no_alert_carries_that_as_a_label() -> None:
    configured = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())

    assert configured["global"]["external_labels"].keys() == {"floorcast_url"}
    assert configured["alerting"]["alert_relabel_configs"] == [{"regex": "floorcast_url", "action": "labeldrop"}]


def test_every_exit_code_is_documented() -> None:
    table = (RUNBOOKS / "README.md").read_text()

    assert [code.name for code in ExitCode if f"| {code.value} |" not in table] == []


def test_rules_ask_only_for_series_that_are_exported_or_recorded(exported: bytes) -> None:
    families = {
        sample.name for family in text_string_to_metric_families(exported.decode()) for sample in family.samples
    }
    known = families | {rule["record"] for rule in rules() if "record" in rule} | FROM_ELSEWHERE | OPTIONAL

    unknown = {rule.get("alert", rule.get("record")): names_in(rule["expr"]) - known for rule in rules()}

    assert {name: missing for name, missing in unknown.items() if missing} == {}


def test_what_is_exported_is_as_prometheus_likes_it(exported: bytes) -> None:
    assert complaints(exported) == []
