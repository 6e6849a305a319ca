"""The Grafana dashboards as code: what they show, and the JSON that Grafana is provisioned with.

Run it after a change: `python deploy/grafana/generate.py` writes `dashboards/*.json`, `--check` tells what differs.
Owns queries and layout. The series are the api's (api/read/exposition.py), the rules those of deploy/prometheus.

Plain dicts in Grafana's classic JSON model: four dashboards need a handful of its fields, which have not changed for
years, and no library that follows each of its releases.
"""

import argparse
import difflib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]

FOLDER = Path(__file__).parent / "dashboards"
DATASOURCE = {"type": "prometheus", "uid": "prometheus"}
SCHEMA_VERSION = 42
COLUMNS = 24

FLOOR = 'window="$window",team=~"$team"'
ONE_REP = 'window="$window",rep="$rep"'


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


# ---------------------------------------------------------------- kinds of panels


def number(title: str, expr: str, **more: Any) -> Panel:
    """One value, as it is now."""
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "value",
        "graphMode": "none",
        "textMode": "auto",
        "justifyMode": "auto",
        "orientation": "auto",
    }
    settings: Json = {"width": 4, "height": 4, "options": options}
    return Panel("stat", title, (Query(expr, is_instant=True),), **settings | more)


def lines(title: str, *queries: tuple[str, str], stacked: bool = False, **more: Any) -> Panel:
    """Values over time; queries with their legends."""
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
    settings: Json = {"width": 12, "custom": custom, "options": options}
    return Panel("timeseries", title, made, **settings | more)


def ranking(title: str, expr: str, legend: str, **more: Any) -> Panel:
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


def table(title: str, by: Sequence[str], columns: Sequence[tuple[str, str, str]], **more: Any) -> Panel:
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


# ---------------------------------------------------------------- queries

# Every api exports the same picture of the floor: `max` takes one of them, a sum over instances would double it.


def per_rep(metric: str, where: str) -> str:
    """By rep and team, once however many apis there are."""
    return f"max by (rep, team) (floorcast_{metric}{{{where}}})"


def total(metric: str, where: str) -> str:
    """Of all reps together."""
    return f"sum({per_rep(metric, where)})"


def per_team(metric: str, where: str) -> str:
    """Of each team together."""
    return f"sum by (team) ({per_rep(metric, where)})"


def share(part: str, whole: str, where: str) -> str:
    """Of the sums, never of shares; nothing where the whole is 0."""
    return f"{total(part, where)} / ({total(whole, where)} > 0)"


WINDOW = Variable("window", "Window", "label_values(floorcast_calls_made, window)", default="today")
TEAM = Variable("team", "Team", "label_values(floorcast_calls_made, team)", is_multi=True)
REP = Variable("rep", "Rep", "label_values(floorcast_calls_made, rep)")

RED_FROM_ONE = (("green", None), ("red", 1))
SECONDS_OF_RESPONSE = (("green", None), ("yellow", 900), ("red", 3600))
YES_NO = ({"type": "value", "options": {"0": {"text": "no", "color": "red"}, "1": {"text": "yes", "color": "green"}}},)

SALES_FLOOR = Dashboard(
    uid="floorcast-floor",
    title="Sales floor",
    description="What the floor has done, by team and by rep. Rolling windows and today come from the api as they are.",
    variables=(WINDOW, TEAM),
    sections=(
        Section(
            "The floor",
            (
                number("Calls made", total("calls_made", FLOOR)),
                number("Conversations", total("conversations", FLOOR)),
                number("Connect rate", share("calls_connected", "calls_made", FLOOR), unit="percentunit", decimals=1),
                number("Talk time", total("talk_seconds", FLOOR), unit="s"),
                number("Emails sent", total("emails_sent", FLOOR)),
                number("Meetings held", total("meetings_held", FLOOR)),
                number("Leads answered", total("leads_answered", FLOOR)),
                number(
                    "Leads waiting",
                    'sum(max by (team, state) (floorcast_leads_waiting{team=~"$team"}))',
                    steps=(("green", None), ("yellow", 1)),
                ),
                number("Deals won", total("deals_won", FLOOR)),
                number(
                    "Win rate",
                    f"{total('deals_won', FLOOR)} / ({total('deals_won', FLOOR)} + {total('deals_lost', FLOOR)} > 0)",
                    unit="percentunit",
                    decimals=1,
                ),
                number(
                    "Revenue won",
                    total("revenue_won", FLOOR),
                    decimals=0,
                    description="In the organisation's currency.",
                ),
                number(
                    "Numbers behind by",
                    "max(floorcast_behind_seconds)",
                    unit="s",
                    steps=(("green", None), ("yellow", 5), ("red", 30)),
                ),
            ),
        ),
        Section(
            "Who leads",
            (
                ranking("Calls made", f"topk(10, {per_rep('calls_made', FLOOR)})", "{{rep}}"),
                ranking("Conversations", f"topk(10, {per_rep('conversations', FLOOR)})", "{{rep}}"),
                ranking("Revenue won", f"topk(10, {per_rep('revenue_won', FLOOR)})", "{{rep}}"),
            ),
        ),
        Section(
            "In the course of the day",
            (
                lines("Calls made", (per_team("calls_made", FLOOR), "{{team}}"), minimum=0),
                lines("Revenue won", (per_team("revenue_won", FLOOR), "{{team}}"), minimum=0),
            ),
        ),
        Section(
            "Everybody",
            (
                table(
                    "Reps",
                    ("rep", "team"),
                    (
                        ("Calls", per_rep("calls_made", FLOOR), "short"),
                        ("Connected", per_rep("calls_connected", FLOOR), "short"),
                        ("Conversations", per_rep("conversations", FLOOR), "short"),
                        ("Talk time", per_rep("talk_seconds", FLOOR), "s"),
                        ("Emails", per_rep("emails_sent", FLOOR), "short"),
                        ("Meetings booked", per_rep("meetings_booked", FLOOR), "short"),
                        ("Meetings held", per_rep("meetings_held", FLOOR), "short"),
                        ("Leads answered", per_rep("leads_answered", FLOOR), "short"),
                        ("Deals won", per_rep("deals_won", FLOOR), "short"),
                        ("Revenue", per_rep("revenue_won", FLOOR), "short"),
                    ),
                ),
            ),
        ),
    ),
)


def of_rep(title: str, metric: str, **more: Any) -> Panel:
    """One metric of the chosen rep, as the api has it: ratios and percentiles are not made again here."""
    return number(title, f"max(floorcast_{metric}{{{ONE_REP}}})", **more)


REP_BOARD = Dashboard(
    uid="floorcast-rep",
    title="Rep",
    description="Everything of one rep.",
    variables=(WINDOW, REP),
    sections=(
        Section(
            "Activity",
            (
                of_rep("Calls made", "calls_made"),
                of_rep("Calls connected", "calls_connected"),
                of_rep("Connect rate", "connect_rate", unit="percentunit", decimals=1),
                of_rep("Conversations", "conversations"),
                of_rep("Talk time", "talk_seconds", unit="s"),
                of_rep("Emails sent", "emails_sent"),
                of_rep("Emails received", "emails_received"),
                of_rep("Meetings booked", "meetings_booked"),
                of_rep("Meetings held", "meetings_held"),
            ),
        ),
        Section(
            "Leads",
            (
                of_rep("Leads assigned", "leads_assigned"),
                of_rep("Leads due", "leads_due"),
                of_rep("Leads answered", "leads_answered"),
                of_rep("Response, median", "lead_response_seconds_p50", unit="s", steps=SECONDS_OF_RESPONSE),
                of_rep("Response, 90th percentile", "lead_response_seconds_p90", unit="s", steps=SECONDS_OF_RESPONSE),
                of_rep("Within SLA", "lead_response_within_sla", unit="percentunit", decimals=1),
            ),
        ),
        Section(
            "Deals",
            (
                of_rep("Deals won", "deals_won"),
                of_rep("Deals lost", "deals_lost"),
                of_rep("Win rate", "win_rate", unit="percentunit", decimals=1),
                of_rep("Revenue won", "revenue_won", decimals=0),
                of_rep("Average deal size", "average_deal_size", decimals=0),
                of_rep("Sales cycle, median", "sales_cycle_seconds_p50", unit="s"),
            ),
        ),
        Section(
            "In the course of the day",
            (
                lines(
                    "Calls and conversations",
                    (f"max(floorcast_calls_made{{{ONE_REP}}})", "calls"),
                    (f"max(floorcast_calls_connected{{{ONE_REP}}})", "connected"),
                    (f"max(floorcast_conversations{{{ONE_REP}}})", "conversations"),
                    minimum=0,
                ),
                lines(
                    "Response to leads",
                    (f"max(floorcast_lead_response_seconds_p50{{{ONE_REP}}})", "median"),
                    (f"max(floorcast_lead_response_seconds_p90{{{ONE_REP}}})", "90th percentile"),
                    unit="s",
                    minimum=0,
                ),
            ),
        ),
    ),
)

WAITING = 'max by (team, state) (floorcast_leads_waiting{team=~"$team"})'
ANSWERS = 'floorcast_lead_response_seconds_bucket{team=~"$team"}'


def response_quantile(quantile: float) -> str:
    """Over the answers that became known lately."""
    return f"histogram_quantile({quantile}, sum by (le) (max by (team, le) (increase({ANSWERS}[$__range]))))"


def answered(part: str, more: str = "") -> str:
    """Leads whose answer became known in the time shown."""
    series = f'floorcast_lead_response_seconds_{part}{{team=~"$team"{more}}}'
    return f"sum(max by (team) (increase({series}[$__range])))"


LEAD_RESPONSE = Dashboard(
    uid="floorcast-leads",
    title="Lead response",
    description="Who waits, for how long, and how fast leads are answered.",
    variables=(TEAM, WINDOW),
    sections=(
        Section(
            "Now",
            (
                number("Waiting", f"sum({WAITING})"),
                number(
                    "Warned",
                    'sum(max by (team, state) (floorcast_leads_waiting{team=~"$team",state="warned"}))',
                    steps=(("green", None), ("yellow", 1)),
                ),
                number(
                    "Beyond their SLA",
                    'sum(max by (team, state) (floorcast_leads_waiting{team=~"$team",state="breached"}))',
                    steps=RED_FROM_ONE,
                ),
                number(
                    "Longest wait",
                    'max(floorcast:lead_waiting_seconds:max{team=~"$team"}) or vector(0)',
                    unit="s",
                    steps=SECONDS_OF_RESPONSE,
                ),
                number(
                    "Answered within an hour",
                    answered("bucket", ',le="3600.0"') + f" / ({answered('count')} > 0)",
                    unit="percentunit",
                    decimals=1,
                    description="Of the leads whose answer became known in the time shown.",
                ),
                number(
                    "Answered within SLA",
                    f"{total('leads_answered', FLOOR)} / ({total('leads_due', FLOOR)} > 0)",
                    unit="percentunit",
                    decimals=1,
                    description="Leads answered of those due, in the window.",
                ),
            ),
        ),
        Section(
            "Waiting",
            (
                lines("Leads waiting, by state", (f"sum by (state) ({WAITING})", "{{state}}"), stacked=True, minimum=0),
                lines(
                    "Longest wait, by team",
                    ('floorcast:lead_waiting_seconds:max{team=~"$team"}', "{{team}}"),
                    unit="s",
                    minimum=0,
                    steps=SECONDS_OF_RESPONSE,
                    description="An alert goes out at an hour.",
                ),
                lines(
                    "Beyond their SLA, by team",
                    ('max by (team) (floorcast_leads_waiting{team=~"$team",state="breached"})', "{{team}}"),
                    minimum=0,
                ),
                lines(
                    "Alerts",
                    (
                        'sum by (alertname, team, alertstate) (ALERTS{area="leads",team=~"$team"})',
                        "{{alertname}} {{team}} ({{alertstate}})",
                    ),
                    stacked=True,
                    minimum=0,
                ),
            ),
        ),
        Section(
            "Answers",
            (
                lines(
                    "Time to the answer",
                    (response_quantile(0.5), "median"),
                    (response_quantile(0.9), "90th percentile"),
                    unit="s",
                    minimum=0,
                    description="Of answers that became known in the time shown; to the width of the buckets.",
                ),
                ranking(
                    "Response, median by rep",
                    f"topk(15, {per_rep('lead_response_seconds_p50', FLOOR)})",
                    "{{rep}}",
                    unit="s",
                    width=12,
                    steps=SECONDS_OF_RESPONSE,
                    description="Exact, over due leads in the window. Too many unanswered: none.",
                ),
                table(
                    "Reps",
                    ("rep", "team"),
                    (
                        ("Due", per_rep("leads_due", FLOOR), "short"),
                        ("Answered", per_rep("leads_answered", FLOOR), "short"),
                        ("Median", per_rep("lead_response_seconds_p50", FLOOR), "s"),
                        ("90th percentile", per_rep("lead_response_seconds_p90", FLOOR), "s"),
                        ("Within SLA", per_rep("lead_response_within_sla", FLOOR), "percentunit"),
                    ),
                ),
            ),
        ),
    ),
)


def latency(quantile: float) -> str:
    """Delivery received to value served, over all apis."""
    return f"histogram_quantile({quantile}, sum by (le) (rate(floorcast_end_to_end_seconds_bucket[$__rate_interval])))"


def rate_of(counter: str, *by: str) -> str:
    """Per second. What stages count is the same on every api."""
    labels = ", ".join(by)
    return f"max by ({labels}) (rate({counter}[$__rate_interval]))" if by else f"max(rate({counter}[$__rate_interval]))"


def delivered(where: str, *by: str) -> str:
    """Per second. Each api counts those it took itself."""
    return f"sum by ({', '.join(by)}) (rate(floorcast_deliveries_total{{{where}}}[$__rate_interval]))"


PIPELINE = Dashboard(
    uid="floorcast-pipeline",
    title="Pipeline health",
    description="Whether the numbers are fresh and complete, and what came in the way of it.",
    since="now-1h",
    sections=(
        Section(
            "Now",
            (
                number(
                    "Ready",
                    'min(floorcast_ready{job="floorcast"})',
                    mappings=YES_NO,
                    steps=(("red", None), ("green", 1)),
                ),
                number(
                    "Numbers behind by",
                    "max(floorcast_behind_seconds)",
                    unit="s",
                    steps=(("green", None), ("yellow", 5), ("red", 30)),
                ),
                number(
                    "End to end, p99",
                    "floorcast:end_to_end_seconds:p99_5m",
                    unit="s",
                    steps=(("green", None), ("yellow", 1), ("red", 5)),
                ),
                number(
                    "Messages to do",
                    "sum(floorcast:consumer_lag_records:sum)",
                    steps=(("green", None), ("yellow", 1000)),
                ),
                number(
                    "Dead letters in the time shown",
                    "sum(max by (connection, reason) (increase(floorcast_dead_letters_total[$__range]))) or vector(0)",
                    steps=RED_FROM_ONE,
                    decimals=0,
                ),
                number(
                    "Alerts firing",
                    'count(ALERTS{alertstate="firing",alertname!="Watchdog"}) or vector(0)',
                    steps=RED_FROM_ONE,
                ),
            ),
        ),
        Section(
            "Compared with a recount of the log",
            (
                number(
                    "Values that differ",
                    "max(floorcast_verification_differences)",
                    steps=RED_FROM_ONE,
                    width=6,
                    height=6,
                    description="Found by floorcast verify --every; it says in which windows in /v1/freshness.",
                ),
                number(
                    "Rounds since the last comparison",
                    "(time() - max(floorcast_verified_timestamp_seconds))"
                    " / max(floorcast_verification_interval_seconds)",
                    steps=(("green", None), ("yellow", 2), ("red", 3)),
                    decimals=1,
                    width=6,
                    height=6,
                ),
                lines(
                    "Values that differ, and those that changed too fast to be compared",
                    ("max(floorcast_verification_differences)", "differ"),
                    ("max(floorcast_verification_undecided)", "changed too fast"),
                    minimum=0,
                    width=12,
                    height=6,
                ),
            ),
        ),
        Section(
            "Deliveries",
            (
                lines(
                    "Deliveries taken, by connection",
                    (
                        delivered('outcome="accepted"', "connection"),
                        "{{connection}}",
                    ),
                    unit="reqps",
                    minimum=0,
                ),
                lines(
                    "Deliveries not taken",
                    (
                        delivered('outcome!="accepted"', "connection", "outcome"),
                        "{{connection}}: {{outcome}}",
                    ),
                    unit="reqps",
                    minimum=0,
                ),
                lines(
                    "Since the last delivery",
                    ("time() - max by (connection) (floorcast_last_delivery_timestamp_seconds)", "{{connection}}"),
                    unit="s",
                    minimum=0,
                ),
                lines(
                    "Business hours",
                    ("floorcast:business_open_seconds > bool 0", "open"),
                    minimum=0,
                    maximum=1,
                    description="A source that is silent is told of within them only.",
                ),
            ),
        ),
        Section(
            "Freshness",
            (
                lines(
                    "Delivery received to value served",
                    (latency(0.5), "median"),
                    (latency(0.95), "95 %"),
                    (latency(0.99), "99 %"),
                    unit="s",
                    minimum=0,
                ),
                lines("Numbers behind by", ("floorcast_behind_seconds", "{{instance}}"), unit="s", minimum=0),
                lines("Messages to do, by topic", ("floorcast:consumer_lag_records:sum", "{{topic}}"), minimum=0),
                lines(
                    "Events, by stage", (rate_of("floorcast_events_total", "stage"), "{{stage}}"), unit="ops", minimum=0
                ),
            ),
        ),
        Section(
            "What is not in the numbers",
            (
                lines(
                    "Dead letters",
                    (rate_of("floorcast_dead_letters_total", "connection", "reason"), "{{connection}}: {{reason}}"),
                    unit="ops",
                    minimum=0,
                ),
                lines(
                    "Left out on purpose",
                    (rate_of("floorcast_ignored_events_total", "reason"), "{{reason}}"),
                    unit="ops",
                    minimum=0,
                ),
                lines(
                    "Late and repeated changes",
                    (rate_of("floorcast_late_changes_total"), "late"),
                    (rate_of("floorcast_duplicate_changes_total"), "said nothing new"),
                    unit="ops",
                    minimum=0,
                ),
                number(
                    "Deals without a rate",
                    "max(floorcast_deals_without_rate)",
                    steps=(("green", None), ("yellow", 1)),
                    width=6,
                    height=8,
                ),
                number(
                    "Reps not exported",
                    "max(floorcast_reps_left_out)",
                    steps=(("green", None), ("yellow", 1)),
                    width=6,
                    height=8,
                ),
            ),
        ),
        Section(
            "The exporter",
            (
                lines("Scrape", ('scrape_duration_seconds{job="floorcast"}', "{{instance}}"), unit="s", minimum=0),
                lines("Series", ('scrape_samples_scraped{job="floorcast"}', "{{instance}}"), minimum=0),
            ),
        ),
    ),
)

DASHBOARDS = (SALES_FLOOR, REP_BOARD, LEAD_RESPONSE, PIPELINE)


def files() -> dict[str, str]:
    """File name -> content of every dashboard."""
    from deploy.grafana import funnel, goals  # noqa: PLC0415 - they are made of what stands above

    made = (*DASHBOARDS, goals.GOALS, funnel.FUNNEL)
    return {f"{each.uid.removeprefix('floorcast-')}.json": json.dumps(each.model(), indent=2) + "\n" for each in made}


def differences(folder: Path) -> list[str]:
    """Compare what lies in `folder` with what would be written, as a diff; empty if it is right."""
    made = files()
    lines_of_diff: list[str] = []
    for name in sorted(made.keys() | {path.name for path in folder.glob("*.json")}):
        path = folder / name
        there = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        lines_of_diff += difflib.unified_diff(there, made.get(name, "").splitlines(), name, "generated", lineterm="")
    return lines_of_diff


def main(arguments: Sequence[str]) -> int:
    """Write the files, or only tell what differs (1)."""
    parser = argparse.ArgumentParser(description="Write the Grafana dashboards.")
    parser.add_argument("--check", action="store_true", help="only tell what differs")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the dashboards lie")
    chosen = parser.parse_args(arguments)
    if chosen.check:
        found = differences(chosen.folder)
        for line in found:
            sys.stdout.write(line + "\n")
        return 1 if found else 0
    chosen.folder.mkdir(parents=True, exist_ok=True)
    made = files()
    for path in chosen.folder.glob("*.json"):
        if path.name not in made:
            path.unlink()
    for name, content in made.items():
        (chosen.folder / name).write_text(content, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
