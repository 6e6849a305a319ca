"""The kinds of panels that dashboards have."""

from collections.abc import Sequence
from typing import Any

from deploy.grafana.model import Panel, Query, Section
from deploy.grafana.queries import total_query
from schemas.json_object import Json


def section(title: str, *panels: Panel) -> Section:
    """A heading with its panels."""
    return Section(title, panels)


def total_panel(title: str, metric: str, unit: str = "short", **more: Any) -> Panel:
    """What a metric is now for all teams together."""
    return number_panel(title, total_query(metric), unit, **more)


def share_panel(title: str, expr: str, **more: Any) -> Panel:
    """One share, as it is now."""
    return number_panel(title, expr, "percentunit", decimals=1, **more)


def number_panel(title: str, expr: str, unit: str = "short", **more: Any) -> Panel:
    """One value, as it is now."""
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "value",
        "graphMode": "none",
        "textMode": "auto",
        "justifyMode": "auto",
        "orientation": "auto",
    }
    settings: Json = {"unit": unit, "width": 4, "height": 4, "options": options}
    return Panel("stat", title, (Query(expr, is_instant=True),), **settings | more)


def lines(title: str, *queries: tuple[str, str], unit: str = "short", stacked: bool = False, **more: Any) -> Panel:
    """Values over time, from 0 on; queries with their legends."""
    custom = {
        "drawStyle": "line",
        "lineWidth": 2,
        "fillOpacity": 20 if stacked else 5,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
    }
    options = {
        "legend": {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    made = tuple(Query(expr, legend) for expr, legend in queries)
    settings: Json = {"unit": unit, "width": 12, "minimum": 0, "custom": custom, "options": options}
    return Panel("timeseries", title, made, **settings | more)


def ranking(title: str, expr: str, legend: str = "{{rep}}", **more: Any) -> Panel:
    """Values beside each other as bars, as they are now."""
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "orientation": "horizontal",
        "displayMode": "gradient",
        "showUnfilled": True,
        "valueMode": "color",
        "namePlacement": "auto",
        "sizing": "auto",
        "minVizWidth": 8,
        "minVizHeight": 16,
        "maxVizHeight": 300,
    }
    query = Query(expr, legend, is_instant=True)
    settings: Json = {"width": 8, "options": options, "minimum": 0}
    return Panel("bargauge", title, (query,), **settings | more)


def table_panel(title: str, by: Sequence[str], columns: Sequence[tuple[str, str, str]], **more: Any) -> Panel:
    """One row per combination of the labels `by`; a column is (heading, query, unit)."""
    queries = tuple(Query(expr, is_instant=True, is_table=True) for _, expr, _ in columns)
    # Grafana names the value of a lone query just `Value`.
    values = ["Value"] if len(columns) == 1 else [f"Value #{chr(ord('A') + place)}" for place in range(len(columns))]
    headings = {value: heading for value, (heading, _, _) in zip(values, columns, strict=True)}
    order = [*by, *values]
    settings: Json = {
        "width": 24,
        "height": 10,
        "transformations": (
            {"id": "merge", "options": {}},
            {
                "id": "organize",
                "options": {
                    "excludeByName": {"Time": True},
                    "indexByName": {name: place for place, name in enumerate(order)},
                    "renameByName": {label: label.capitalize() for label in by} | headings,
                },
            },
        ),
        "overrides": tuple(
            {"matcher": {"id": "byName", "options": heading}, "properties": [{"id": "unit", "value": unit}]}
            for heading, _, unit in columns
        ),
        "options": {
            "showHeader": True,
            "cellHeight": "sm",
            "sortBy": [{"displayName": columns[0][0], "desc": True}],
        },
    }
    return Panel("table", title, queries, **settings | more)
