"""`floorcast check` on examples, and `floorcast metrics`."""

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from typer.testing import CliRunner, Result

from deploy.cli import app
from deploy.local import target
from schemas.catalogue import TYPES
from schemas.catalogue.reading import shipped
from schemas.catalogue.versions import WITHOUT

CONFIG = """\
organisation: {name: Acme, timezone: UTC, currency: JPY}
connections:
  feed: {kind: generic, secrets: ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}
"""
DEMOS = """\
metrics:
  demos:
    label: Demos
    description: Demos that were held.
    unit: count
    tags: [activity, leading]
    type: simple
    from: meeting
    where: {kind: demo, outcome: held, not: {outcome: [no_show, cancelled]}}
    at: starts_at
    credit: rep
    agg: count
    examples:
      - given:
          - {record: meeting, id: m1, changed_at: "2026-03-02T10:00:00Z",
             fields: {rep: r1, kind: demo, outcome: held, starts_at: "2026-03-02T09:00:00Z"}}
        window: 2026-03-02/2026-03-02
        rep: r1
        is: 1
  talked:
    unit: seconds
    type: simple
    from: call
    at: dialed_at
    credit: rep
    agg: sum
    value: talk_seconds
  pace: {unit: number, type: derived, expr: demos * 2 + 1}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with both files, which is the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "floorcast.yaml").write_text(CONFIG)
    (tmp_path / "metrics.yaml").write_text(DEMOS)
    return tmp_path


def floorcast(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def test_both_files_are_right_where_their_examples_come_out() -> None:
    result = floorcast("check")

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "floorcast.yaml is right\nmetrics.yaml is right\n"


@pytest.mark.parametrize(
    ("said", "instead", "told"),
    [
        ("is: 1", "is: 2", "19: metrics.demos.examples.0.is: is 1, not 2"),
        ("rep: r1\n        is: 1", "is: null", "18: metrics.demos.examples.0.is: is 1, not null"),
        ("kind: demo, outcome: held, st", "knd: demo, st",
         "14: metrics.demos.examples.0.given: meeting has no field knd; did you mean 'kind'?"),
        ("outcome: held, starts_at", "outcome: happened, starts_at",
         "15: metrics.demos.examples.0.given.0: fields.outcome: "),
        ("record: meeting", "record: meting",
         "15: metrics.demos.examples.0.given.0.record: there is no record meting; did you mean 'meeting'?"),
        ("changed_at: \"2026-03-02T10:00:00Z\"", "changed_at: yesterday",
         "15: metrics.demos.examples.0.given.0.changed_at: is not an RFC 3339 instant"),
        ("2026-03-02/2026-03-02", "2026-03-02/2026-03-01",
         "17: metrics.demos.examples.0.window: ends before it begins"),
        ("2026-03-02/2026-03-02", "today", "17: metrics.demos.examples.0.window: "),
        ("is: 1", "is: one", "19: metrics.demos.examples.0.is: must be a number such as 3, 0.25 or 1/3, or null"),
        ("rep: r1\n", "rep: r1\n        team: north\n",
         "14: metrics.demos.examples.0: is of a rep or of a team, not of both"),
    ],
)  # fmt: skip
def test_an_example_that_does_not_come_out_is_named(folder: Path, said: str, instead: str, told: str) -> None:
    assert said in DEMOS
    (folder / "metrics.yaml").write_text(DEMOS.replace(said, instead, 1))

    result = floorcast("check")

    assert result.exit_code == 2
    assert result.stderr.startswith(f"metrics.yaml:{told}")


@pytest.mark.parametrize(
    ("file", "more"),
    [
        ("metrics.yaml", "  late: {type: derived, unit: count, expr: demos + nothing}\n"),
        ("metrics.yaml", "  demos_again: {type: derived, unit: number, expr: late}\n"
                         "  late: {type: simple, unit: count, from: cal}\n"),
        ("floorcast.yaml", "colour: red\n"),
    ],
)  # fmt: skip
def test_examples_are_counted_too_where_something_else_is_wrong(folder: Path, file: str, more: str) -> None:
    (folder / "metrics.yaml").write_text(DEMOS.replace("is: 1", "is: 2", 1))
    with (folder / file).open("a") as text:
        text.write(more)

    result = floorcast("check")

    assert result.exit_code == 2
    *others, example = result.stderr.splitlines()
    assert others
    assert example == "metrics.yaml:19: metrics.demos.examples.0.is: is 1, not 2"


def test_numbers_and_flags_of_an_example_are_what_the_field_is(folder: Path) -> None:
    call = (
        "    examples:\n      - window: 2026-03-02/2026-03-02\n        is: 90.5\n        given:\n"
        "          - {record: call, id: c1, changed_at: '2026-03-02T10:00:00Z', fields: {rep: r1, talk_seconds: 90.5, "
        "internal: false, dialed_at: '2026-03-02T09:00:00Z'}}\n"
        "          - {record: call, id: c2, changed_at: '2026-03-02T10:00:00Z', fields: {rep: r1, talk_seconds: 10, "
        "internal: true, dialed_at: '2026-03-02T09:00:00Z'}}\n"
    )
    (folder / "metrics.yaml").write_text(DEMOS.replace("    value: talk_seconds\n", f"    value: talk_seconds\n{call}"))

    assert floorcast("check").exit_code == 0


def test_the_list_has_those_of_the_file_too() -> None:
    plain, rows = floorcast("metrics", "list"), json.loads(floorcast("metrics", "list", "--json").stdout)

    assert [row["name"] for row in rows] == [*shipped().metrics, "demos", "talked", "pace"]
    assert rows[-3] == {
        "name": "demos", "type": "simple", "unit": "count", "version": 1, "tags": ["activity", "leading"],
    }  # fmt: skip
    head, *lines = plain.stdout.splitlines()
    assert head.split() == ["NAME", "TYPE", "UNIT", "VERSION", "TAGS"]
    assert lines[-3].split() == ["demos", "simple", "count", "1", "activity,", "leading"]
    assert len(lines) == len(rows)


def test_without_a_configuration_the_shipped_ones_are_listed_and_a_named_one_must_be_there(folder: Path) -> None:
    (folder / "floorcast.yaml").unlink()
    with_own = floorcast("metrics", "list", "--json")
    (folder / "metrics.yaml").unlink()
    listed, shown = floorcast("metrics", "list", "--json"), floorcast("metrics", "show", "calls_made")

    assert [row["name"] for row in json.loads(with_own.stdout)] == [*shipped().metrics, "demos", "talked", "pace"]
    assert [row["name"] for row in json.loads(listed.stdout)] == [*shipped().metrics]
    assert listed.stderr.startswith("there is no floorcast.yaml here")
    assert (listed.exit_code, shown.exit_code) == (0, 0)
    assert floorcast("metrics", "list", "--config", "other.yaml").exit_code == 2


def test_what_is_shown_is_the_entry_and_its_plan() -> None:
    shown = floorcast("metrics", "show", "demos").stdout

    head, _, plan = shown.partition("\nHow it is counted:\n")
    (entry,) = yaml.safe_load(head).values()
    assert "examples" not in entry
    assert entry["where"] == {"kind": "demo", "outcome": "held", "not": {"outcome": ["no_show", "cancelled"]}}
    origin, counted, fields = plan.splitlines()
    assert origin == "  from meeting, counted by the ledger, from the record alone"
    assert counted.startswith("    at starts_at, for rep: 1, where kind is demo and ")
    assert "outcome is held and outcome is not cancelled and outcome is not no_show" in counted
    assert {"kind", "outcome", "rep", "starts_at"} <= {*fields.removeprefix("    reads ").split(", ")}


def test_the_dashboards_of_ones_own_metrics_are_written_where_grafana_looks(folder: Path) -> None:
    (folder / "stray.json").write_text("{}")
    result = floorcast("metrics", "dashboards", str(folder / "boards"))
    refused = floorcast("metrics", "dashboards", str(folder / "stray.json"))

    found = {path.name for path in (folder / "boards").iterdir()}
    assert (result.exit_code, result.stdout) == (0, f"{len(found)} dashboards are in {folder / 'boards'}\n")
    assert {"floor.json", "tag-activity.json"} <= found
    assert "Demos" in (folder / "boards" / "tag-activity.json").read_text()
    assert (refused.exit_code, refused.stdout) == (2, "")


def test_of_a_funnel_its_steps_and_labels_are_shown(folder: Path) -> None:
    (folder / "metrics.yaml").write_text(
        "dimensions: {product: {of: deal.product, values: {Pro: [pro]}}}\n"
        "metrics: {way: {unit: ratio, type: funnel, from: deal, path: stage, pipeline: sales, mode: visited,"
        " re_entry: each, cohort: created, credit: [creator, rep], by: [product]}}\n"
    )
    with (folder / "floorcast.yaml").open("a") as text:
        text.write("pipelines: {sales: {steps: [lead, '7'], won: [closed], labels: {'7': Offer made}}}\n")

    plan = floorcast("metrics", "show", "way").stdout.partition("How it is counted:\n")[2]

    assert plan.splitlines() == [
        "  from deal, counted by the ledger, from the record alone",
        "    the steps of a deal in pipeline sales (and those that name none), in their order:",
        "      lead, labelled Lead",
        "      7, labelled Offer made",
        "      won, labelled Won",
        "    visited: each step counts that was entered",
        "    at created_at, once for every entry of a step, for creator or else rep",
        "    what is counted of each step: who entered it, went on, was lost, is open; how long they stayed",
        "    reads closed_at, created_at, creator, entered_stage_at, pipeline, rep, stage, status",
        "  told apart by product: Pro, Other",
    ]


@pytest.mark.parametrize("name", shipped().metrics)
def test_every_shipped_metric_can_be_shown(name: str) -> None:
    result = floorcast("metrics", "show", name)

    assert result.exit_code == 0
    plan = result.stdout.partition("How it is counted:\n")[2]
    assert "from " in plan or "made when it is read, of " in plan
    assert "one value of a sample: passed" not in plan
    assert not re.search(r"[A-Z][A-Za-z]+\(", plan)  # that would be how the code writes it


def test_one_that_there_is_not_is_named_with_the_nearest() -> None:
    result = floorcast("metrics", "show", "demo")

    assert (result.exit_code, result.stderr) == (2, "there is no metric 'demo'; did you mean 'demos'?\n")


class TestSchema:
    def schema(self) -> Any:
        return json.loads(floorcast("metrics", "schema").stdout)

    def test_every_reference_leads_somewhere(self) -> None:
        schema = self.schema()
        references = set(re.findall(r'"\$ref": "#/\$defs/([A-Za-z_]+)"', json.dumps(schema)))

        assert references <= schema["$defs"].keys()
        assert references >= {*TYPES, "where", "Example", "Given", "Dimension"}

    def test_an_entry_is_of_one_of_the_types_or_false(self) -> None:
        metrics = self.schema()["properties"]["metrics"]

        assert metrics["additionalProperties"]["anyOf"] == [
            {"const": False}, *({"$ref": f"#/$defs/{name}"} for name in TYPES),
        ]  # fmt: skip
        names = re.compile(metrics["propertyNames"]["pattern"])
        assert names.match("demos_2")
        assert not any(map(names.match, ("Demos", "2demos", "de-mos", "", "d" * 65)))

    @pytest.mark.parametrize("kind", TYPES)
    def test_it_knows_the_settings_of_each_type(self, kind: str) -> None:
        known = self.schema()["$defs"][kind]
        fields = TYPES[kind].model_fields

        names = {field.alias or name for name, field in fields.items()}
        needed = {field.alias or name for name, field in fields.items() if field.is_required()} - {
            "label",
            "description",
        }
        assert known["additionalProperties"] is False
        if kind in WITHOUT:
            assert known["properties"].keys() == names
            assert {*known["required"]} == needed
        else:
            assert known["properties"].keys() == {*names, "versions"}
            assert [{*way["required"]} for way in known["anyOf"]] == [needed, {"versions"}]
            version = known["properties"]["versions"]["items"]
            assert version["properties"].keys() == {*names, "since", "note"}
            assert version["additionalProperties"] is False
        for name in {"where"} & known["properties"].keys():
            assert known["properties"][name] == {"$ref": "#/$defs/where"}


class TestReload:
    @pytest.fixture
    def heard(self) -> Iterator[list[int]]:
        """Be the `up` that is told: the signals that came."""
        found: list[int] = []
        before = signal.signal(signal.SIGHUP, lambda number, _frame: found.append(number))
        yield found
        signal.signal(signal.SIGHUP, before)

    def run_up(self, folder: Path) -> None:
        (folder / ".floorcast").mkdir()
        running = target.Running(
            "http://x", "localhost:1", os.getpid(), "floorcast.", str(folder / "floorcast.yaml"), True
        )
        (folder / ".floorcast/up.json").write_bytes(msgspec.json.encode(running))

    def test_the_up_of_the_folder_is_told(self, folder: Path, heard: list[int]) -> None:
        self.run_up(folder)

        result = floorcast("reload")

        assert (result.exit_code, heard) == (0, [signal.SIGHUP])
        assert "connections and cors say takes effect when floorcast up is started again" in result.stdout

    @pytest.mark.parametrize(("said", "instead"), [("is: 1", "is: 2"), ("from: meeting", "from: meetng")])
    def test_nobody_is_told_of_a_file_with_an_error(
        self, folder: Path, heard: list[int], said: str, instead: str
    ) -> None:
        self.run_up(folder)
        (folder / "metrics.yaml").write_text(DEMOS.replace(said, instead))

        result = floorcast("reload")

        assert (result.exit_code, heard) == (2, [])
        assert "metrics.yaml:" in result.stderr

    def test_another_file_than_its_own_is_refused(self, folder: Path, heard: list[int]) -> None:
        self.run_up(folder)

        assert floorcast("reload", "--config", "floorcast.yaml").exit_code == 0
        result = floorcast("reload", "--config", "other.yaml")

        assert (result.exit_code, heard) == (2, [signal.SIGHUP])
        assert result.stderr.startswith("--config: the floorcast up on .floorcast goes by ")

    def test_without_one_there_is_nobody_to_tell(self) -> None:
        result = floorcast("reload")

        assert result.exit_code == 2
        assert result.stderr == "no floorcast up runs on .floorcast: name its folder with --data\n"


VERSIONED = """\
  talked_to: {unit: count, type: simple, from: call, at: dialed_at, credit: rep, agg: count,
    versions: [{note: all}, {since: 2026-03-18, note: ours, where: {direction: outbound}}]}
  worked: {unit: seconds, type: duration, from: deal, start: created_at, end: closed_at, stat: p50, clock: business}
"""


def test_versions_are_shown_as_they_are_written_with_the_instants_between_them(folder: Path) -> None:
    (folder / "metrics.yaml").write_text(DEMOS + VERSIONED)

    text, _, plan = floorcast("metrics", "show", "talked_to").stdout.partition("How it is counted:")

    assert yaml.safe_load(text)["talked_to"]["versions"] == [
        {"note": "all"}, {"since": "2026-03-18", "note": "ours", "where": {"direction": "outbound"}},
    ]  # fmt: skip
    assert "where dialed_at is before 2026-03-18T00:00:00.000Z or not set" in plan
    assert "where dialed_at is 2026-03-18T00:00:00.000Z or later and direction is outbound" in plan


def test_a_remark_names_the_file_and_the_line_that_it_is_about(folder: Path) -> None:
    (folder / "metrics.yaml").write_text(DEMOS + VERSIONED)
    limit = "alerts: {thresholds: {odd: {metric: win_rate, per: organisation, window: 7d, below: 3}}}\n"
    (folder / "floorcast.yaml").write_text(CONFIG + limit)

    result = floorcast("check")

    assert (result.exit_code, [line.split(": ")[:2] for line in result.stderr.splitlines()]) == (
        0, [["floorcast.yaml:4", "alerts.thresholds.odd.below"], ["metrics.yaml:31", "metrics.worked.clock"]],
    )  # fmt: skip


def test_a_metric_that_can_never_count_anything_is_remarked(folder: Path) -> None:
    entry = "simple, from: [call, email], at: dialed_at, agg: count, where: {thread: {is_set: true}}"
    (folder / "metrics.yaml").write_text(f"metrics:\n  idle: {{unit: count, type: {entry}}}\n")

    result, shown = floorcast("check"), floorcast("metrics", "show", "idle")

    remark = "counts nothing: none of what it is from can meet all that it asks for"
    assert (result.exit_code, result.stderr) == (0, f"metrics.yaml:2: metrics.idle: {remark}\n")
    assert remark in shown.stdout
