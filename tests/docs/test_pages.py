"""What the written pages name exists: files, commands, settings, series, paths, tests; and their samples are right."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from api.settings import Settings as ApiSettings
from deploy.catalogue.trial import Trial
from deploy.cli import app
from deploy.settings import Settings as UpSettings
from docs.generate import REFERENCE
from processor.settings import Settings as WorkerSettings
from schemas.catalogue.reading import read_metrics, shipped
from schemas.config import parse_config
from schemas.connectors import build_connector
from schemas.deliveries import Delivery
from schemas.instants import parse_instant
from schemas.windows import WINDOWS
from tests.docs.pages import DOCS, PAGES, README, ROOT, WRITTEN, Block, anchors_of, blocks, code_of, column_of, links_of
from tests.docs.pages import name_of as name

ENVIRONMENT = {
    "AIRCALL_TOKEN": "aircall-token-of-a-sample",
    "HUBSPOT_SECRET": "sample-client-secret",
    "HUBSPOT_TOKEN": "sample-token",
    "SLACK_URL": "https://hooks.example.com/T0",
}
LARGEST_IMAGE = 300_000
OTHER_VARIABLES = {"FLOORCAST_API_KEY", "FLOORCAST_SECRET", "FLOORCAST_CACHE"}
"""Read beside the settings: by verify, by simulate, by the local Kafka."""


# --- Samples ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", blocks("yaml"), ids=lambda block: block.name)
def test_a_sample_configuration_can_be_used(block: Block) -> None:
    if not block.text.startswith("organisation:"):
        assert yaml.safe_load(block.text)
        return

    config = parse_config(block.text, ENVIRONMENT, block.name)

    for connection in config.connections.values():
        build_connector(connection)


@pytest.mark.parametrize(
    "block", [each for each in blocks("yaml") if each.text.startswith("metrics:")], ids=lambda block: block.name
)
def test_sample_metrics_are_right_and_their_examples_come_out(block: Block) -> None:
    read = read_metrics(block.text, block.name, shipped())

    assert read.problems == []
    assert list(Trial(read.defined, "USD").wrong(read.defined.own)) == []


@pytest.mark.parametrize("block", blocks("json"), ids=lambda block: block.name)
def test_a_sample_event_says_only_what_is_understood(block: Block) -> None:
    event = json.loads(block.text)
    text = next(block.text for block in blocks("yaml") if "generic" in block.text)
    connector = build_connector(next(iter(parse_config(text, ENVIRONMENT).connections.values())))
    received_at = parse_instant(event["changed_at"])

    parsed = connector.parse(Delivery("feed", received_at, {}, block.text.encode()))

    assert (len(parsed.changes), parsed.problems, parsed.ignored) == (1, [], {})


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: block.name)
def test_sample_code_is_python(block: Block) -> None:
    compile(block.text, block.name, "exec")


# --- What is named ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links_of(page):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors_of(target), link


def _command(words: list[str]) -> Any:
    found: Any = get_command(app)
    while words and words[0] in getattr(found, "commands", {}):
        found = found.commands[words.pop(0)]
    return found


@pytest.mark.parametrize("page", WRITTEN, ids=name)
def test_every_command_exists_with_its_flags(page: Path) -> None:
    for code in code_of(page):
        found = re.match(r"\s*(?:\.venv/bin/)?floorcast ([a-z].*)", code)
        if found is None:
            continue
        words = found[1].split()
        command = _command(words)
        assert command.name != "floorcast", code
        if words and re.fullmatch(r"[a-z-]+", words[0]):
            assert not hasattr(command, "commands"), code
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, code


@pytest.mark.parametrize("page", WRITTEN, ids=name)
def test_every_target_of_make_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))

    named = {found[1] for code in code_of(page) if (found := re.match(r"make ([a-z]+)", code))}

    assert named <= targets


def test_every_setting_that_is_named_exists() -> None:
    fields = {*UpSettings.model_fields, *ApiSettings.model_fields, *WorkerSettings.model_fields}
    known = {f"FLOORCAST_{field.upper()}" for field in fields} | OTHER_VARIABLES
    known |= set(re.findall(r"FLOORCAST_\w+", (ROOT / "docker-compose.yml").read_text(encoding="utf-8")))

    named = {word for page in WRITTEN for word in re.findall(r"FLOORCAST_[A-Z_]+[A-Z]", page.read_text("utf-8"))}

    assert named <= known


def test_the_readme_has_every_setting_of_up() -> None:
    assert set(column_of(README, "variable")) == {f"FLOORCAST_{field.upper()}" for field in UpSettings.model_fields}


def test_every_series_that_is_named_is_exported() -> None:
    exported = set(re.findall(r"^\| `(floorcast_\w+)`", (REFERENCE / "metrics.md").read_text("utf-8"), re.MULTILINE))

    named = {found[0] for page in WRITTEN for code in code_of(page) if (found := re.match(r"floorcast_[a-z_]+", code))}

    # A label of Prometheus itself, see deploy/prometheus/prometheus.yml.
    assert named - {"floorcast_url"} <= exported


def test_every_path_that_is_named_is_served() -> None:
    served = set(re.findall(r"^### `[A-Z]+ (\S+)`", (REFERENCE / "rest.md").read_text("utf-8"), re.MULTILINE))
    patterns = [re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/?]+", re.escape(path)) + r"(\?.*)?\Z") for path in served]
    patterns.append(
        re.compile(r"/(docs|docs/runbooks|openapi\.json|webhooks/\S*|static/|board/|v1/?|v1/…|api/v2/alerts)\Z")
    )

    named = {
        found[1]
        for page in WRITTEN
        for code in code_of(page)
        if (found := re.match(r"(?:GET |POST )?(/(?:v1|board|livez|readyz|metrics|docs|openapi|webhooks)\S*)", code))
    }

    for path in named:
        assert any(pattern.match(path) for pattern in patterns), path


def test_every_worked_example_is_a_test() -> None:
    held = (ROOT / "tests" / "test_oracle.py").read_text(encoding="utf-8")
    named = {code for code in code_of(DOCS / "guides" / "how-numbers-are-made.md") if code.startswith("test_")}

    assert len(named) == 10
    for test in named:
        assert f"def {test}(" in held


def test_every_test_and_every_file_that_is_named_exists() -> None:
    tests = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "tests").rglob("test_*.py"))

    for page in WRITTEN:
        for code in code_of(page):
            if re.fullmatch(r"test_\w+", code):
                assert f"def {code}(" in tests, f"{name(page)}: {code}"
            if re.fullmatch(r"(api|bench|deploy|docs|processor|schemas|tests)/[\w./-]+\.[a-z]+", code):
                # A connector that the reader is about to write.
                assert (ROOT / code).exists() or "acme" in code, f"{name(page)}: {code}"


def test_every_alert_of_the_rules_is_described_and_no_other() -> None:
    rules = yaml.safe_load((ROOT / "deploy" / "prometheus" / "rules" / "alerts.yml").read_text(encoding="utf-8"))
    alerts = {
        rule["alert"]: rule["labels"]["area"] for group in rules["groups"] for rule in group["rules"] if "alert" in rule
    }

    page = DOCS / "guides" / "alerts-and-prometheus.md"
    described = re.findall(r"^\| (\w+) \| (leads|pipeline|watchdog) \|", page.read_text(encoding="utf-8"), re.MULTILINE)

    assert dict(described) == alerts


def test_the_wallboards_parameters_are_those_that_it_reads() -> None:
    script = (ROOT / "api" / "static" / "address.js").read_text(encoding="utf-8")
    read = set(re.findall(r'query\.get\("(\w+)"\)', script))

    assert set(column_of(DOCS / "guides" / "wallboard.md", "parameter")) == read


def test_the_changelog_counts_right() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert f"{len(shipped().metrics)} metrics in {len(WINDOWS)} windows" in text


# --- Form ------------------------------------------------------------------------------------------------------------


def test_decisions_are_numbered_and_have_the_same_parts() -> None:
    notes = sorted(page for page in (DOCS / "decisions").glob("*.md") if page.name != "README.md")
    index = links_of(DOCS / "decisions" / "README.md")

    assert [page.name for page in notes] == index
    assert len({page.name[:4] for page in notes}) == len(notes)
    for page in notes:
        text = page.read_text(encoding="utf-8")
        assert re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", page.name)
        assert text.startswith(f"# {page.name[:4]}. ")
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences", "Alternatives"]


def test_images_are_small_enough_to_be_loaded_with_the_page() -> None:
    images = list((DOCS / "images").iterdir())

    assert images
    assert all(image.stat().st_size < LARGEST_IMAGE for image in images)
