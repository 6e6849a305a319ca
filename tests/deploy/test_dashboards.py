"""The committed dashboards: as generated, as Grafana models them, and with something to show in every panel."""

import json
import re
import urllib.error
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from deploy.grafana import generate
from deploy.grafana.model import COLUMNS, DATASOURCE
from schemas.catalogue.reading import shipped
from schemas.instants import MINUTE
from tests.builders import make_config
from tests.deploy.exported_floor import TOKEN, ExportedFloor, clock, serving
from tests.deploy.observing import get, prometheus_config, query, running_prometheus, until

GRAFANA = Path(generate.__file__).parent
FILES = sorted((GRAFANA / "dashboards").glob("*.json"))
CHOSEN = {"window": "today", "team": ".*", "rep": "bo", "goal": "calls"}
SPANS = {"__rate_interval": "30s", "__range": "5m", "__interval": "5s"}


def dashboards() -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in FILES]


def queries() -> dict[str, str]:
    """`dashboard / panel / A` -> PromQL, with every variable filled in."""
    return {
        f"{dashboard['title']} / {panel['title']} / {target['refId']}": substituted(target["expr"])
        for dashboard in dashboards()
        for panel in dashboard["panels"]
        for target in panel.get("targets", [])
    }


def substituted(expr: str) -> str:
    return re.sub(r"\$\{?(\w+)\}?", lambda found: (CHOSEN | SPANS)[found[1]], expr)


def has_a_number(result: list[Any]) -> bool:
    return any(sample["value"][1] != "NaN" for sample in result)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("prometheus")
    token = folder / "token"
    token.write_text(TOKEN)
    with (
        serving(ExportedFloor(folder, now=clock(), waits=70 * MINUTE)) as target,
        running_prometheus(folder, prometheus_config(target=target, token=token)) as address,
    ):
        yield address


def test_what_is_committed_is_what_is_generated(capsys: pytest.CaptureFixture[str]) -> None:
    differs = generate.main(["--check"])

    assert (differs, capsys.readouterr().out) == (0, "")


def test_a_dashboard_that_was_changed_by_hand_is_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generate.main(["--folder", str(tmp_path)])
    changed = tmp_path / "floor.json"
    changed.write_text(changed.read_text().replace("Sales floor", "Floor of sales"))
    (tmp_path / "stray.json").write_text("{}")

    differs = generate.main(["--check", "--folder", str(tmp_path)])

    told = capsys.readouterr().out
    assert differs == 1
    assert '-  "title": "Floor of sales",' in told
    assert "--- stray.json" in told


@pytest.mark.parametrize("dashboard", dashboards(), ids=lambda dashboard: dashboard["uid"])
def test_a_dashboard_is_the_same_after_a_trip_through_grafanas_own_model(dashboard: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        # It would rather have the newer model, which Grafana makes of this one when it reads it.
        warnings.simplefilter("ignore", DeprecationWarning)
        from grafana_foundation_sdk.cog.encoder import JSONEncoder
        from grafana_foundation_sdk.cog.plugins import register_default_plugins
        from grafana_foundation_sdk.models.dashboard import Dashboard
    register_default_plugins()

    there_and_back = json.loads(json.dumps(Dashboard.from_json(dashboard), cls=JSONEncoder))

    assert kept_of(dashboard, there_and_back) == dashboard


def kept_of(asked: Any, given: Any) -> Any:
    """`given` without the defaults that a model adds."""
    if isinstance(asked, dict):
        return {name: kept_of(value, given[name]) for name, value in asked.items() if name in given}
    if isinstance(asked, list):
        return [kept_of(value, other) for value, other in zip(asked, given, strict=True)]
    return given


@pytest.mark.parametrize("dashboard", dashboards(), ids=lambda dashboard: dashboard["uid"])
def test_panels_have_ids_of_their_own_and_do_not_overlap(dashboard: dict[str, Any]) -> None:
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in dashboard["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    ids = [panel["id"] for panel in dashboard["panels"]]

    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < COLUMNS
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("promql", queries().values(), ids=queries())
def test_a_query_is_promql(promql: str) -> None:
    promql_parser.parse(promql)


def may_be_empty() -> set[str]:
    """The queries of shares and means by tag: the small floor of this test has no case of some of them."""
    return {
        f"{dashboard['title']} / {panel['title']} / {target['refId']}"
        for dashboard in dashboards()
        if dashboard["uid"].startswith("floorcast-tag-")
        for panel in dashboard["panels"]
        if panel["type"] == "bargauge"
        for target in panel["targets"]
    }


def test_there_is_a_dashboard_of_each_tag_with_a_panel_for_each_metric() -> None:
    catalogue = shipped().metrics
    for tag in {tag for entry in catalogue.values() for tag in entry.tags}:
        (board,) = (found for found in dashboards() if found["uid"] == f"floorcast-tag-{tag}")
        labels = [entry.label for entry in catalogue.values() if tag in entry.tags]
        assert [panel["title"] for panel in board["panels"] if panel["type"] != "row"] == labels


OWN = """
metrics:
  long_calls: {unit: seconds, tags: [mine, Q4 push!], type: simple, from: call, at: dialed_at, credit: rep, agg: sum,
    value: talk}
  accounts: {unit: count, tags: [mine], type: simple, from: deal, at: created_at, credit: rep, agg: distinct,
    of: customer}
  accounts_twice: {unit: count, tags: [mine], type: derived, expr: accounts * 2}
  left: {unit: number, tags: [mine], type: derived, expr: 100 - long_calls}
  double: {unit: number, tags: [mine], type: derived, expr: long_calls + 3 * long_calls / 2}
  twice: {unit: number, tags: [mine], type: derived, expr: -(long_calls * 3 - long_calls) * 2}
  people: {unit: count, tags: [mine], type: simple, from: call, at: dialed_at, credit: rep, agg: distinct, of: rep}
  cycle: {unit: days, tags: [mine], better: lower, type: duration, from: deal, start: created_at, end: closed_at,
    stat: p50, credit: rep}
"""


def test_metrics_of_ones_own_are_on_the_dashboards_of_their_tags() -> None:
    made = generate.dashboard_files(make_config(defines=OWN).catalogue)

    boards = [json.loads(content) for content in made.values()]
    assert len({board["uid"] for board in boards}) == len(boards) == len(made)
    assert all(re.fullmatch(r"[a-z0-9-]{1,40}", board["uid"]) for board in boards)
    (others,) = (board for board in boards if board["title"] == "Metrics: Q4 push!")
    assert [panel["title"] for panel in others["panels"]] == ["Q4 push!", "Long calls"]
    (mine,) = (board for board in boards if board["title"] == "Metrics: mine")
    asked = {
        panel["title"]: (panel["type"], panel["targets"][0]["expr"], panel["fieldConfig"]["defaults"]["unit"])
        for panel in mine["panels"]
        if panel["type"] != "row"
    }
    each = 'max by (rep, team) (floorcast_{}{{window="$window",team=~"$team",rep!=""}})'
    team = 'max by (team) (floorcast_{}{{window="$window",team=~"$team",rep=""}})'
    assert asked == {
        "Long calls": (
            "timeseries", f"({team.format('long_calls')} or sum by (team) ({each.format('long_calls')}))", "s"
        ),
        # One account may be of two people.
        "Accounts": ("bargauge", f"topk(10, {each.format('accounts')})", "short"),
        "Accounts twice": ("bargauge", f"topk(10, {each.format('accounts_twice')})", "short"),
        "Left": ("bargauge", f"topk(10, {each.format('left')})", "short"),  # the number counts for each of them
        "Double": ("bargauge", f"topk(10, {each.format('double')})", "short"),
        "Twice": ("timeseries", f"({team.format('twice')} or sum by (team) ({each.format('twice')}))", "short"),
        "People": ("timeseries", f"({team.format('people')} or sum by (team) ({each.format('people')}))", "short"),
        "Cycle": ("bargauge", f"bottomk(10, {each.format('cycle')})", "s"),
    }  # fmt: skip


def test_every_panel_has_something_to_show(prometheus: str) -> None:
    missing, empty = queries(), may_be_empty()
    failed: dict[str, object] = {}

    def all_answered() -> bool:
        for name, expr in list(missing.items()):
            try:
                answered = has_a_number(query(prometheus, expr)) or name in empty
            except urllib.error.HTTPError as error:
                answered, failed[name] = True, json.load(error)
            if answered:
                del missing[name]
        return not missing

    until(all_answered, lambda: missing)
    assert failed == {}


@pytest.mark.parametrize("dashboard", dashboards(), ids=lambda dashboard: dashboard["uid"])
def test_every_variable_has_something_to_choose(prometheus: str, dashboard: dict[str, Any]) -> None:
    for variable in dashboard["templating"]["list"]:
        found = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"])
        assert found is not None
        series, label = found.groups()

        def values(series: str = series, label: str = label) -> Any:
            return get(f"http://{prometheus}/api/v1/label/{label}/values", **{"match[]": series})["data"]

        assert CHOSEN[label] in [".*", *until(values, lambda: "no values")]


def test_what_is_provisioned_is_where_compose_puts_it() -> None:
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())["datasources"]
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/floorcast.yml").read_text())["providers"]
    compose = yaml.safe_load((GRAFANA.parents[1] / "docker-compose.yml").read_text())
    mounted = {volume["target"]: volume["source"] for volume in compose["services"]["grafana"]["volumes"]}

    assert (source["type"], source["uid"]) == (DATASOURCE["type"], DATASOURCE["uid"])
    assert mounted[provider["options"]["path"]] == "./deploy/grafana/dashboards"
    assert mounted["/etc/grafana/provisioning"] == "./deploy/grafana/provisioning"
