"""`floorcast metrics`: which metrics there are, what each counts, and the schema of `metrics.yaml`."""

import json as json_text
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.catalogue.words import entry_text, plan_words
from deploy.cli.common import announce, checked_config, columns, fail, group, say, settings_of
from deploy.cli.flags import ConfigFlag
from deploy.grafana.generate import dashboard_files
from deploy.settings import Settings
from schemas.catalogue.defined import bound_under
from schemas.catalogue.json_schema import json_schema
from schemas.catalogue.reading import shipped
from schemas.config import Config, ConfigError, parse_config
from schemas.config.rules import rules_of
from schemas.documents.errors import suggestion
from schemas.exit_codes import ExitCode
from schemas.machine_clock import machine_clock
from schemas.windows import Calendar, date_of

app = group("Which metrics there are, and what each counts.")

_NO_FILE = """
organisation: {name: Any, timezone: UTC, currency: USD}
connections: {any: {kind: generic, secrets: [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw]}}
"""
"""What metrics are looked at by where there is no floorcast.yaml yet: all that it may leave out is left out."""


@app.command("list")
def metrics_list(
    *,
    json: Annotated[bool, typer.Option("--json", help="As a JSON array.")] = False,
    config: ConfigFlag = None,
) -> None:
    """List the metrics, those of metrics.yaml too: name, type, unit, version, tags."""
    found = _found_config(config)
    today = _today(found)
    rows: list[dict[str, Any]] = [
        {"name": name, "type": entry.type, "unit": entry.unit, "version": entry.version_on(today), "tags": entry.tags}
        for name, entry in found.defined.metrics.items()
    ]
    if json:
        announce(json_text.dumps(rows, indent=2))
        return
    cells = [[row["name"], row["type"], row["unit"], str(row["version"]), ", ".join(row["tags"])] for row in rows]
    for line in columns([["NAME", "TYPE", "UNIT", "VERSION", "TAGS"], *cells]):
        announce(line)


@app.command("show")
def metrics_show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A metric of the list.")],
    *,
    config: ConfigFlag = None,
) -> None:
    """Show a metric: its entry, its plan in words, which fields it reads, and in which stage."""
    found = _found_config(config)
    defined = found.defined
    if name not in defined.metrics:
        fail([f"there is no metric {name!r}{suggestion(name, defined.metrics)}"], ExitCode.WRONG_USE)
    metric = bound_under(defined, rules_of(found)).metrics[name]
    origin = "of metrics.yaml" if name in defined.own else "shipped"
    if name in defined.own and name in shipped().metrics:
        origin += ", in place of the shipped one"
    announce(f"# {origin}, version {metric.entry.version_on(_today(found))}")
    announce(entry_text(name, metric.entry))
    announce("")
    announce("How it is counted:")
    for line in list(plan_words(metric)) or [
        "nothing yet: its steps come from `pipelines` in floorcast.yaml, which names none"
    ]:
        announce(f"  {line}")


@app.command("dashboards")
def metrics_dashboards(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where Grafana looks for dashboards.")],
    *,
    config: ConfigFlag = None,
) -> None:
    """Write the dashboards for Grafana: those that are shipped, and one for each tag, with your own metrics too.

    What lies there under another name stays.
    """
    made = dashboard_files(_found_config(config).catalogue)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in made.items():
            (folder / name).write_text(content, encoding="utf-8")
    except OSError as error:
        fail([f"{folder}: cannot be written: {error.strerror}"], ExitCode.WRONG_USE)
    announce(f"{len(made)} dashboards are in {folder}")


@app.command("schema")
def metrics_schema() -> None:
    """Print the JSON Schema of metrics.yaml, for editors."""
    announce(json_text.dumps(json_schema(), indent=2))


def _found_config(named: Path | None) -> Config:
    """The configuration; where nobody names one and there is none, what holds without one, with metrics.yaml."""
    path = settings_of(Settings, config=named).config
    if named is not None or path.exists() or path != Path("floorcast.yaml"):
        return checked_config(path)
    try:
        found = parse_config(_NO_FILE, {}, folder=path.parent)
    except ConfigError as error:
        fail(error.problems, ExitCode.WRONG_USE)
    say("there is no floorcast.yaml here: what follows holds for an organisation in UTC with USD and default rules")
    return found


def _today(config: Config) -> date:
    calendar = Calendar(config.organisation.zone, config.organisation.first_weekday)
    return date_of(calendar.day_of(machine_clock()))
