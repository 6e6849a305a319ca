"""`floorcast metrics`: which metrics there are, what each counts, and the schema of `metrics.yaml`."""

import json as json_text
from typing import Annotated, Any

import typer

from deploy.catalogue.words import entry_text, plan_words
from deploy.cli.common import announce, checked_config, fail, group, settings_of
from deploy.cli.flags import ConfigFlag
from schemas.catalogue.defined import bound_under
from schemas.catalogue.json_schema import json_schema
from schemas.catalogue.reading import shipped
from schemas.config.rules import rules_of
from schemas.documents.errors import suggestion
from schemas.exit_codes import ExitCode

app = group("Which metrics there are, and what each counts.")


@app.command("list")
def metrics_list(
    *,
    json: Annotated[bool, typer.Option("--json", help="As a JSON array.")] = False,
    config: ConfigFlag = None,
) -> None:
    """List the metrics, those of metrics.yaml too: name, type, unit, version, tags."""
    defined = checked_config(settings_of(config=config).config).defined
    rows: list[dict[str, Any]] = [
        {"name": name, "type": entry.type, "unit": entry.unit, "version": entry.version, "tags": entry.tags}
        for name, entry in defined.metrics.items()
    ]
    if json:
        announce(json_text.dumps(rows, indent=2))
        return
    head = {"name": "NAME", "type": "TYPE", "unit": "UNIT", "version": "VERSION", "tags": ["TAGS"]}
    lines = [[str(row[name]) for name in ("name", "type", "unit", "version")] for row in [head, *rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    for line, row in zip(lines, [head, *rows], strict=True):
        shown = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        announce(f"{shown}  {', '.join(row['tags'])}".rstrip())


@app.command("show")
def metrics_show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A metric of the list.")],
    *,
    config: ConfigFlag = None,
) -> None:
    """Show a metric: its entry, its plan in words, which fields it reads, and in which stage."""
    found = checked_config(settings_of(config=config).config)
    defined = found.defined
    if name not in defined.metrics:
        fail([f"there is no metric {name!r}{suggestion(name, defined.metrics)}"], ExitCode.WRONG_USE)
    metric = bound_under(defined, rules_of(found)).metrics[name]
    origin = "of metrics.yaml" if name in defined.own else "shipped"
    if name in defined.own and name in shipped().metrics:
        origin += ", in place of the shipped one"
    announce(f"# {origin}, version {metric.entry.version}")
    announce(entry_text(name, metric.entry))
    announce("")
    announce("How it is counted:")
    for line in plan_words(metric):
        announce(f"  {line}")


@app.command("schema")
def metrics_schema() -> None:
    """Print the JSON Schema of metrics.yaml, for editors."""
    announce(json_text.dumps(json_schema(), indent=2))
