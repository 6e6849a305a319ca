"""A dashboard for each tag of the shipped catalogue: every metric that has it.

Owns which panel a metric has: sums in the course of time by team, shares and means as they are now by rep.
"""

from deploy.grafana.model import Dashboard, Panel, Section
from deploy.grafana.panels import lines, ranking
from deploy.grafana.queries import FLOOR, TEAM, WINDOW, per_rep, per_team
from schemas.catalogue import Catalogue
from schemas.catalogue.adding import adds_up
from schemas.catalogue.base import Entry
from schemas.catalogue.reading import shipped
from schemas.catalogue.series import PREFIX, exported

_UNITS = {"ratio": "percentunit", "seconds": "s", "days": "s"}
"""Unit of a metric -> what Grafana calls it; days are exported as seconds."""


def tag_boards() -> tuple[Dashboard, ...]:
    """The dashboards, by the name of their tag."""
    catalogue = shipped().metrics
    tags = sorted({tag for entry in catalogue.values() for tag in entry.tags})
    return tuple(_board(tag, catalogue) for tag in tags)


def _board(tag: str, catalogue: Catalogue) -> Dashboard:
    panels = tuple(_panel(name, entry, catalogue) for name, entry in catalogue.items() if tag in entry.tags)
    return Dashboard(
        uid=f"floorcast-tag-{tag}",
        title=f"Metrics: {tag}",
        description=f"Every shipped metric that is tagged {tag}.",
        variables=(WINDOW, TEAM),
        sections=(Section(tag.capitalize(), panels),),
    )


def _panel(name: str, entry: Entry, catalogue: Catalogue) -> Panel:
    series = exported(name, entry.unit)[0].removeprefix(PREFIX)
    unit = _UNITS.get(entry.unit, "short")
    if adds_up(catalogue, name, with_levels=True):
        query = (per_team(series, FLOOR), "{{team}}")
        return lines(entry.label, query, description=entry.description, unit=unit, width=8)
    best = "bottomk" if entry.better == "lower" else "topk"
    query_of_best = f"{best}(10, {per_rep(series, FLOOR)})"
    return ranking(entry.label, query_of_best, "{{rep}}", description=entry.description, unit=unit)
