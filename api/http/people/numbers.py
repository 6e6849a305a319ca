"""The numbers of a page: which metrics it shows, its figures, the table of reps, the parts, the funnel and the goals.

Owns which rows are asked of api/read and how they become cells. A list of people is asked for in the order of a
leaderboard, so that of a large floor only those who are shown are looked at.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, NamedTuple

from api.http.people.asked import PageAsked
from api.http.people.cells import Bar, CellWriter, ShownCell, bars, drawn_number, is_nothing
from api.read.comparison import OF_REPS
from api.read.funnels import funnel_json
from api.read.goal_rows import row_json, standings_of
from api.read.leaderboards import LeaderboardAsked as Ranked
from api.read.leaderboards import Leaderboards
from api.read.metric_rows import MetricRows
from api.read.segments import TEAM, RowParts
from api.read.standouts import standouts
from api.read.view import Scope, View, rep_scope
from api.words.parts import part_name
from api.words.texts import ReaderWords
from schemas.catalogue.reading import shipped
from schemas.config.rules import rules_of
from schemas.formats import NOTHING, Formats
from schemas.instants import parse_instant
from schemas.json_object import Json
from schemas.windows import Span, date_of, first_day_of, span_of

FIRST = (
    "calls_made", "conversations", "emails_sent", "meetings_held", "lead_response_within_sla", "deals_won",
    "revenue_won", "win_rate",
)  # fmt: skip
"""What a floor is shown first of what it counts; its own metrics come after these."""
MOST_METRICS = 8
REPS_A_PAGE = 100
TREND_DAYS = 14
PERIODS = 12
MOST_STANDOUTS = 8
FEW_ENOUGH = 500
"""Reps among whom it is looked for who stands out: each is compared in every metric that is shown."""


class LargeFigure(NamedTuple):
    """A large number, with the days before it."""

    cell: ShownCell
    bars: list[Bar]
    days: str


class PersonRow(NamedTuple):
    """A row of the table of reps."""

    rep: str
    name: str
    team: str
    rank: str
    cells: list[ShownCell]


class DescribedMetric(NamedTuple):
    """A metric in the table of all: its value, with what it counts."""

    cell: ShownCell
    meaning: str
    tags: list[str]


class PeopleTable(NamedTuple):
    """The table of reps."""

    rows: list[PersonRow]
    total: int
    first: int
    sort: str


class PageNumbers:
    """Makes the numbers of one page."""

    def __init__(
        self,
        view: View,
        asked: PageAsked,
        now: int,
        *,
        scope: Scope,
        words: ReaderWords,
        formats: Formats,
        sees_all: bool = True,
    ) -> None:
        """`scope`: whose page it is; `sees_all`: whether shares of the organisation may be shown."""
        self.view, self.asked, self.now, self.scope = view, asked, now, scope
        self.words, self.formats = words, formats
        self._sees_all = sees_all
        currency = view.config.organisation.currency
        self.cells = CellWriter(view.catalogue, words, formats, currency)
        self.values = view.values(scope, asked.span, now).metrics
        """Of every metric, as it is for the whole of the page."""
        self._month = view.values(scope, span_of("30d", now, view.calendar), now).metrics
        self.metrics = asked.metrics or self._counted()

    def _counted(self) -> tuple[str, ...]:
        """The metrics that this floor has counted within a month, to be the same daily; those of `FIRST` come first."""
        catalogue = self.view.catalogue
        own = [name for name in catalogue if name not in shipped().metrics and catalogue[name].type != "funnel"]
        counted = [
            name
            for name in [*FIRST, *own]
            if name in catalogue and not (is_nothing(self._month.get(name)) and is_nothing(self.values.get(name)))
        ]
        first = [name for name in ("calls_made",) if name in catalogue and name not in counted]
        return (*first, *counted)[:MOST_METRICS] or tuple(catalogue)[:1]

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all was counted lately."""
        return all(map(is_nothing, self._month.values()))

    def rows(self, metrics: Sequence[str], *, by: str | None = None, of_reps: bool = False) -> MetricRows:
        """Makes rows that are compared as asked."""
        compare = self.asked.compare
        kinds = () if compare is None or (compare in OF_REPS and not of_reps) else (compare,)
        return MetricRows(
            self.view, self.asked.span, self.now, metrics, by=by, compare=kinds, sees_organisation=self._sees_all
        )  # fmt: skip

    def figures(self) -> list[LargeFigure]:
        """The large numbers, each with its last days."""
        row, compare = self.rows(self.metrics, of_reps=self.scope.kind == "rep").row(self.scope), self.asked.compare
        today = self.view.calendar.day_of(self.now)
        parts = RowParts(self.view, self.now, self.metrics)
        days = [
            parts.values(self.scope, Span("", days=True, first=day, last=day)).metrics
            for day in range(today - TREND_DAYS + 1, today + 1)
        ]
        return [LargeFigure(self.cells.cell(row, name, compare), *self._trend(name, days)) for name in self.metrics]

    def _trend(self, metric: str, days: Sequence[Json]) -> tuple[list[Bar], str]:
        values = [day[metric] for day in days]
        drawn = bars(values)
        known = [value for value in values if value is not None]
        if not drawn or len(known) < 2:
            return [], ""
        least, most = min(known, key=drawn_number), max(known, key=drawn_number)
        said = {"least": self.cells.text(metric, least), "most": self.cells.text(metric, most), "count": TREND_DAYS}
        return drawn, self.words.say("figures.days", **said)

    def people(self, leaderboards: Leaderboards) -> PeopleTable:
        """The reps in the order of one metric, a page of them."""
        view, asked, sort = self.view, self.asked, self.asked.sort or self.metrics[0]
        metrics = self.metrics if sort in self.metrics else (*self.metrics, sort)
        today = view.calendar.day_of(self.now)
        ranked = Ranked(sort, asked.span, asked.team, by_goal=False, today=today)
        entries = leaderboards.top(ranked, len(view.reps()), self.now)
        listed = entries[asked.start : asked.start + REPS_A_PAGE]
        maker = self.rows(metrics, of_reps=True)
        rows = [maker.row(rep_scope(entry["rep"])) for entry in listed]
        best = max((drawn_number(entry["value"]) for entry in entries), default=0.0)
        teams = view.roster.team_names
        return PeopleTable(
            [
                PersonRow(
                    entry["rep"],
                    entry["name"],
                    teams.get(entry["team"], entry["team"] or ""),
                    "" if entry["rank"] is None else self.formats.count(entry["rank"]),
                    [self.cells.cell(row, name, asked.compare, best=best if name == sort else 0) for name in metrics],
                )
                for entry, row in zip(listed, rows, strict=True)
            ],
            len(entries),
            asked.start,
            sort,
        )

    def segments(self) -> tuple[list[str], list[tuple[str, list[ShownCell]]]]:
        """The metrics that are counted by the dimension, and a row of cells for each of its labels."""
        by = self.asked.by
        if by is None:
            return [], []
        metrics = [name for name in self.metrics if by == "team" or self.view.lacking(name, by) is None]
        if not metrics:
            return [], []
        row = self.rows(metrics, by=by).row(self.scope)
        rows = []
        for segment in row["segments"]:
            cells = [self.cells.cell(segment, name, self.asked.compare) for name in metrics]
            rows.append((self._part(by, segment["by"][by]), cells))
        return metrics, rows

    def _part(self, by: str, label: str | None) -> str:
        if not label:
            return self.words.say("floor.no_label")
        if by == TEAM:
            return self.view.roster.team_names.get(label, label)
        pipelines = rules_of(self.view.config).pipelines
        return part_name(self.view.dimensions[by], label, self.words, self.formats, pipelines)

    def everything(self) -> list[DescribedMetric]:
        """Every metric, with comparison and goal, and what it counts, in the order of the catalogue."""
        catalogue, words = self.view.catalogue, self.words
        metrics = [*self.values]
        row = self.rows(metrics, of_reps=self.scope.kind == "rep").row(self.scope)
        return [
            DescribedMetric(
                self.cells.cell(row, name, self.asked.compare),
                words.description(name, catalogue[name]),
                [words.tag(tag) for tag in catalogue[name].tags],
            )
            for name in metrics
        ]

    def standouts(self, reps: Sequence[str]) -> list[dict[str, Any]]:
        """Who is far from their team in what is shown."""
        if len(reps) > FEW_ENOUGH:
            return []
        found = standouts(self.view, reps, self.asked.span, self.now, self.metrics)[:MOST_STANDOUTS]
        return [
            {
                **one,
                "label": self.cells.label(one["metric"]),
                "text": self.cells.text(one["metric"], one["value"]),
                "team_text": self.cells.text(one["metric"], one["team_value"]),
            }
            for one in found
        ]

    def funnel(self) -> dict[str, Any] | None:
        """The steps of the pipeline that is asked for; None: there is no funnel of deals."""
        reader = self.view.funnel("stage_conversion") if "stage_conversion" in self.view.catalogue else None
        if reader is None or not reader.ways:
            return None
        way = reader.way(self.asked.pipeline) or reader.ways[0]
        found = funnel_json(self.view, reader, self.scope, self.asked.span, self.now, way.pipeline)
        most = max((step["entered"] or 0 for step in _steps(found)), default=0)
        steps = [
            {
                **step,
                "label": self.words.step(step["step"], step["label"]),
                "width": 100 * (step["entered"] or 0) / most if most else 0,
                "is_worst": step["step"] == found["worst"],
                "entered_text": self.formats.value(step["entered"], "count"),
                "share": NOTHING if step["conversion"] is None else self.formats.share(step["conversion"]),
                "days": self.formats.value(step["time_in_stage_days_p50"], "days"),
                "running_text": self.formats.value(step["running"], "count"),
            }
            for step in _steps(found)
        ]
        return {"steps": steps, "pipeline": way.pipeline, "pipelines": [each.pipeline for each in reader.ways]}

    def goals(self) -> list[dict[str, Any]]:
        """Each goal of the page's scope, with its last twelve periods."""
        view, today = self.view, self.view.calendar.day_of(self.now)
        wanted = []
        for name in view.goals.goals:
            periods = [view.goals.period(name, today)]
            while len(periods) < PERIODS:
                periods.append(view.goals.period_before(name, periods[-1]))
            wanted.append((name, periods[::-1]))
        found: dict[str, list[Json]] = {}
        for row, standing in standings_of(view, [self.scope], wanted, self.now):
            found.setdefault(row.goal, []).append(row_json(view, row, standing, self.now))
        return [self._goal(name, rows) for name, rows in found.items()]

    def _goal(self, name: str, rows: list[Json]) -> dict[str, Any]:
        metric, last = rows[-1]["metric"], rows[-1]
        # On a closed day nothing is to be reached: what is shown last ended before it.
        is_running = parse_instant(last["period"]["to"]) > self.now
        begins = next((place for place, row in enumerate(rows) if drawn_number(row["actual"])), len(rows) - 1)
        return {
            "name": name,
            "label": self.cells.label(metric),
            "actual": self.cells.text(metric, last["actual"]) if is_running else "",
            "goal": self.cells.goal(last, metric) if is_running else None,
            "projection": None if last["projection"] is None else self.cells.text(metric, last["projection"]),
            "periods": [
                {
                    "name": self._period(row["period"]),
                    "share": NOTHING if row["attainment"] is None else self.formats.share(row["attainment"]),
                    # Before anything was counted at all nobody has missed anything.
                    "state": row["state"] or "" if place >= begins else "",
                    "word": self.cells.state(row["state"]) if place >= begins else "",
                    "height": 100 * min(1.2, max(0.0, row["attainment"] or 0.0)) / 1.2,
                    "actual": self.cells.text(metric, row["actual"]),
                    "target": self.cells.target(metric, row["target"]),
                }
                for place, row in enumerate(rows)
            ],
        }

    def _period(self, period: Json) -> str:
        start = parse_instant(period["from"])
        return self.formats.month(start) if period["name"] in {"month", "quarter", "year"} else self.formats.day(start)


def _steps(found: Json) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = found["steps"]
    return steps


def dates_before(view: View, now: int) -> Iterator[tuple[str, tuple[date, date]]]:
    """The first and last date of the week, month and quarter before this one, by name."""
    today = view.calendar.day_of(now)
    for name in ("week", "month", "quarter"):
        ends = first_day_of(name, today, view.calendar) - 1
        yield f"last_{name}", (date_of(first_day_of(name, ends, view.calendar)), date_of(ends))
