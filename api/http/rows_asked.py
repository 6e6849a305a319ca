"""What the routes of rows share beside a window: `metrics`, `by`, `compare`, `goals`, `format`, and how they answer.

Owns the checks of these parameters (422 naming the parameter) and the choice between JSON and CSV.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from fastapi import Depends, Query
from starlette.responses import Response

from api.http.errors import ForbiddenError, InvalidParameterError
from api.http.etag import EncodedRows, answer_text, tagged_answer
from api.http.parameters import MetricsAsked, ReadRequest, SpanAsked, known_dimension, one_of, read_names
from api.read.comparison import BENCHMARK, COMPARISONS, OF_REPS
from api.read.csv_rows import CsvTable
from api.read.metric_rows import MetricRows
from api.read.view import Scope, View, rep_scope
from schemas.comparing import LAST_YEAR, PREVIOUS
from schemas.json_object import Json

CSV = "text/csv"
TABLE: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {CSV: {"schema": {"type": "string"}, "example": "rep,name,team,window,from,to,as_of,currency\r\n"}}
    }
}
"""The other form of a successful answer."""

_AT_ONCE = 200
"""Rows that are made before the event loop turns again."""
_OWN = frozenset({PREVIOUS, LAST_YEAR, BENCHMARK})
"""Comparisons that tell nothing of other people."""

By = Annotated[str | None, Query(description="A dimension: rows get `segments`.", examples=["team"], max_length=200)]
Compare = Annotated[
    str | None,
    Query(
        description=f"With what, with commas: {', '.join(f'`{kind}`' for kind in COMPARISONS)}. Rows get `compare`.",
        examples=["previous"],
        max_length=200,
    ),
]
EveryGoal = Annotated[
    Literal["all"] | None, Query(description="`all`: of a metric with several goals a list of all of them.")
]
Format = Annotated[
    Literal["json", "csv"] | None, Query(description="As `Accept` says (`application/json`, `text/csv`) if left out.")
]


class RowQuestion:
    """The rows that a request asks for."""

    def __init__(self, request: ReadRequest, rows: MetricRows, compare: Sequence[str], *, is_csv: bool) -> None:
        self._request, self._rows, self._compare, self._is_csv = request, rows, compare, is_csv

    def refuse_comparisons_of_reps(self) -> None:
        """422 where a team or the organisation is to be compared as only people are."""
        found = next((kind for kind in self._compare if kind in OF_REPS), None)
        if found is not None:
            raise InvalidParameterError(field="compare", detail=f"{found} compares reps, and this row is of none")

    def answer(self, kind: str, scope: Scope) -> Response:
        """The row of a rep, a team or the organisation."""
        row, table = self._rows.row(scope), self._table(kind)
        if table is not None:
            table.add([row])
        return self._answer(row, table)

    async def answer_of_reps(self, reps: Sequence[str], more: Json) -> Response:
        """The rows of these reps, beside `more`, with the event loop free between two parts of very many."""
        rows, table = EncodedRows(), self._table("rep")
        for first in range(0, len(reps), _AT_ONCE):
            if first:
                await asyncio.sleep(0)
            some = reps[first : first + _AT_ONCE]
            self._rows.expect(some)
            made = [self._rows.row(rep_scope(rep)) for rep in some]
            rows.add(made)
            if table is not None:
                table.add(made)
        return self._answer({"rows": rows, **more}, table)

    def _table(self, kind: str) -> CsvTable | None:
        return CsvTable(kind, self._rows.metrics, self._rows.by) if self._is_csv else None

    def _answer(self, payload: Json, table: CsvTable | None) -> Response:
        """The payload, or its rows as a table."""
        found = (
            tagged_answer(self._request, payload)
            if table is None
            else answer_text(self._request, payload, table.text, CSV)
        )
        found.headers.add_vary_header("accept")
        return found


# Async, because FastAPI would run a plain function in a thread.
async def read_rows(
    request: ReadRequest,
    span: SpanAsked,
    metrics: MetricsAsked,
    by: By = None,
    compare: Compare = None,
    goals: EveryGoal = None,
    format: Format = None,
) -> RowQuestion:
    """What is asked for. 422 naming the parameter that means nothing."""
    view = request.view
    require_dimension(view, by, view.catalogue if metrics is None else metrics)
    kinds = read_names("compare", compare) or ()
    for kind in kinds:
        one_of("compare", kind, COMPARISONS)
        if request.access.rep is not None and kind not in _OWN:
            raise ForbiddenError(detail=f"this key shows one rep alone: compare with {', '.join(sorted(_OWN))}")
    is_csv = format == "csv" if format is not None else prefers_csv(request.headers.get("accept", ""))
    rows = MetricRows(
        view, span, request.now, metrics, by=by, compare=() if is_csv else kinds, every_goal=goals == "all",
        sees_organisation=request.access.team is None,
    )  # fmt: skip
    return RowQuestion(request, rows, kinds, is_csv=is_csv)


RowsAsked = Annotated[RowQuestion, Depends(read_rows)]


def require_dimension(view: View, by: str | None, metrics: Iterable[str]) -> None:
    """422 where there is no dimension of that name, or a metric is not counted by it."""
    if by is None or known_dimension(view, by) is None:
        return
    for name in metrics:
        lacking = view.lacking(name, by)
        if lacking is not None:
            part = "" if lacking == name else f", of which {name} is made,"
            raise InvalidParameterError(field="by", detail=f"{lacking}{part} is not counted by {by}")


def prefers_csv(accept: str) -> bool:
    """Whether a client names CSV, and nothing else that it would rather have."""
    weights = dict(_weighted(part) for part in accept.split(",") if part.strip())
    wanted = weights.get(CSV, 0.0)
    return wanted > 0 and wanted >= weights.get("application/json", 0.0)


def _weighted(part: str) -> tuple[str, float]:
    """A media type and its weight; what cannot be read as one weighs nothing."""
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    weight = next((piece[2:] for piece in parameters if piece.startswith("q=")), "1")
    try:
        return name, float(weight)
    except ValueError:
        return name, 0.0
