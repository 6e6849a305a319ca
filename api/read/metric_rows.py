"""Rows of metrics as somebody has asked for them: with their segments, comparisons and goals.

Owns what stands in a row beside its metrics, and how it is written. Pure; numbers come from segments.py and
comparison.py.
"""

from collections.abc import Sequence

from api.read.comparison import Compared, Comparisons
from api.read.goal_rows import goals_of_row
from api.read.rows import row_maker, scope_fields, window_json
from api.read.segments import WHOLE, RowPart, RowParts
from api.read.view import Scope, View
from schemas.json_object import Json
from schemas.windows import Span


class MetricRows:
    """Makes the rows of one answer."""

    def __init__(
        self,
        view: View,
        span: Span,
        now: int,
        metrics: Sequence[str] | None = None,
        *,
        by: str | None = None,
        compare: Sequence[str] = (),
        every_goal: bool = False,
        sees_organisation: bool = True,
    ) -> None:
        self._view, self._span, self._now = view, span, now
        self.metrics = tuple(view.catalogue) if metrics is None else metrics
        self.by = by
        self._compare, self._every_goal = compare, every_goal
        self._make_row = row_maker(view, span, now)
        self._parts = RowParts(view, now, self.metrics, by)
        self._comparisons = Comparisons(self._parts, span, sees_organisation=sees_organisation)

    def expect(self, reps: Sequence[str]) -> None:
        """Rows of all these reps will be asked for."""
        self._parts.expect(reps)

    def row(self, scope: Scope) -> Json:
        """The row of a rep, a team or the organisation."""
        values = self._parts.values(scope, self._span)
        row = self._make_row(scope_fields(self._view, scope, self._now), values)
        if self._view.goals.goals:
            row["goals"] = goals_of_row(
                self._view, scope, self._span, self._now, values.metrics, every=self._every_goal
            )
        self._add_comparisons(row, scope, WHOLE)
        if self.by is not None:
            row["segments"] = [self._segment(self.by, scope, part) for part in self._parts.segments(scope, self._span)]
        return row

    def _segment(self, by: str, scope: Scope, part: RowPart) -> Json:
        values = self._parts.values(scope, self._span, part)
        made: Json = {"by": {by: part.label}, "metrics": values.metrics, "bounds": values.bounds}
        if values.unavailable:
            made["unavailable"] = values.unavailable
        self._add_comparisons(made, scope, part)
        return made

    def _add_comparisons(self, row: Json, scope: Scope, part: RowPart) -> None:
        if not self._compare:
            return
        row["compare"] = compared = {}
        unavailable = dict(row.get("unavailable", {}))
        for kind in self._compare:
            found = self._comparisons.of(scope, kind, part)
            compared[kind] = self._compared_json(found)
            for metric, why in found.unavailable.items():
                unavailable[f"compare.{kind}.{metric}" if metric else f"compare.{kind}"] = why
        if unavailable:
            row["unavailable"] = unavailable

    def _compared_json(self, found: Compared) -> Json:
        return {
            "window": window_json(self._view, found.span),
            "metrics": found.metrics,
            "bounds": found.bounds,
            "change": found.change,
        }
