"""Dashboards, panels and queries as values, and the JSON that Grafana stores of them.

Plain dicts in Grafana's classic JSON model: a few dashboards need a handful of its fields, which have not changed for
years, and no library that follows each of its releases.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas.json_object import Json

DATASOURCE = {"type": "prometheus", "uid": "prometheus"}
SCHEMA_VERSION = 42
COLUMNS = 24


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL query of a panel."""

    expr: str
    legend: str = ""
    is_instant: bool = False
    is_table: bool = False

    def target(self, ref: str) -> Json:
        """As Grafana stores it."""
        return {
            "datasource": DATASOURCE,
            "refId": ref,
            "expr": self.expr,
            "legendFormat": self.legend,
            "instant": self.is_instant,
            "range": not self.is_instant,
            "format": "table" if self.is_table else "time_series",
        }


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel; its place comes from the order."""

    kind: str
    title: str
    queries: tuple[Query, ...]
    description: str = ""
    unit: str = "short"
    width: int = 6
    height: int = 8
    decimals: int | None = None
    steps: tuple[tuple[str, float | None], ...] = (("green", None),)
    """Colours and from which value on; the first has none."""
    custom: Json = field(default_factory=dict)
    options: Json = field(default_factory=dict)
    mappings: tuple[Json, ...] = ()
    transformations: tuple[Json, ...] = ()
    overrides: tuple[Json, ...] = ()
    minimum: float | None = None
    maximum: float | None = None

    def model(self, number: int, x: int, y: int) -> Json:
        """As Grafana stores it."""
        defaults: Json = {
            "unit": self.unit,
            "color": {"mode": "palette-classic" if self.kind == "timeseries" else "thresholds"},
            "thresholds": {
                "mode": "absolute",
                "steps": [{"color": color, "value": value} for color, value in self.steps],
            },
            "mappings": list(self.mappings),
            "custom": self.custom,
        }
        for name, value in (("decimals", self.decimals), ("min", self.minimum), ("max", self.maximum)):
            if value is not None:
                defaults[name] = value
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": DATASOURCE,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "targets": [query.target(chr(ord("A") + place)) for place, query in enumerate(self.queries)],
            "fieldConfig": {"defaults": defaults, "overrides": list(self.overrides)},
            "options": self.options,
            "transformations": list(self.transformations),
        }


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with its panels."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice above the dashboard, filled from the values of a label."""

    name: str
    label: str
    query: str
    is_multi: bool = False
    default: str | None = None

    def model(self) -> Json:
        """As Grafana stores it."""
        current: Json = {}
        if self.is_multi:
            current = {"selected": True, "text": ["All"], "value": ["$__all"]}
        elif self.default is not None:
            current = {"selected": True, "text": self.default, "value": self.default}
        model: Json = {
            "type": "query",
            "name": self.name,
            "label": self.label,
            "datasource": DATASOURCE,
            "query": {"qryType": 1, "query": self.query, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
            "definition": self.query,
            "refresh": 2,
            "sort": 1,
            "multi": self.is_multi,
            "includeAll": self.is_multi,
            "current": current,
            "options": [],
            "hide": 0,
        }
        # Reps without a team have an empty label, which a list of teams does not match.
        return model | {"allValue": ".*"} if self.is_multi else model


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard."""

    uid: str
    title: str
    description: str
    sections: tuple[Section, ...]
    variables: tuple[Variable, ...] = ()
    since: str = "now-6h"

    def model(self) -> Json:
        """As Grafana stores it."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": ["floorcast"],
            "schemaVersion": SCHEMA_VERSION,
            "version": 1,
            "editable": False,
            "graphTooltip": 1,
            "timezone": "browser",
            "refresh": "10s",
            "time": {"from": self.since, "to": "now"},
            "templating": {"list": [variable.model() for variable in self.variables]},
            "annotations": {"list": []},
            "links": [
                {
                    "type": "dashboards",
                    "title": "floorcast",
                    "tags": ["floorcast"],
                    "asDropdown": True,
                    "keepTime": True,
                    "includeVars": False,
                    "targetBlank": False,
                    "icon": "external link",
                    "tooltip": "",
                    "url": "",
                }
            ],
            "panels": _laid_out(self.sections),
        }


def _laid_out(sections: Sequence[Section]) -> list[Json]:
    placed: list[Json] = []
    y = 0
    for section in sections:
        row = {"id": len(placed) + 1, "type": "row", "title": section.title, "collapsed": False, "panels": []}
        placed.append({**row, "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1}})
        y += 1
        x = height = 0
        for panel in section.panels:
            if x + panel.width > COLUMNS:
                x, y, height = 0, y + height, 0
            placed.append(panel.model(len(placed) + 1, x, y))
            x += panel.width
            height = max(height, panel.height)
        y += height
    return placed
