"""Rows of metrics as a table for spreadsheets: RFC 4180, UTF-8.

Owns the columns and what a cell may begin with: a name that a spreadsheet would take for a formula is text.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from schemas.json_object import Json

HEADS: Mapping[str, tuple[str, ...]] = {"rep": ("rep", "name", "team"), "team": ("team", "name"), "organisation": ()}
"""Kind of scope -> the columns that say whose row it is."""
_WINDOW = ("window", "from", "to", "as_of", "currency")
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


class CsvTable:
    """A header, and a line for each row (`by`: for each segment of each); what is null is empty."""

    def __init__(self, kind: str, metrics: Sequence[str], by: str | None) -> None:
        self._heads, self._metrics, self._by = HEADS[kind], metrics, by
        self._written = io.StringIO(newline="")
        self._table = csv.writer(self._written, lineterminator="\r\n")
        self._table.writerow(
            [_text(cell) for cell in (*self._heads, *_WINDOW, *([] if by is None else [by]), *metrics)]
        )

    @property
    def text(self) -> str:
        """All of it so far."""
        return self._written.getvalue()

    def add(self, rows: Iterable[Json]) -> None:
        """Lines below those that are there."""
        for row in rows:
            window = row["window"]
            spans = window["name"], window["from"], window["to"], row["as_of"], row.get("currency")
            head = [_text(cell) for cell in (*(row[name] for name in self._heads), *spans)]
            if self._by is None:
                self._table.writerow([*head, *_values(row, self._metrics)])
                continue
            for segment in row["segments"]:
                self._table.writerow([*head, _text(segment["by"][self._by]), *_values(segment, self._metrics)])


def _values(row: Json, metrics: Sequence[str]) -> list[Any]:
    """Numbers, also those that money writes as text: a minus before them is no formula."""
    return [row["metrics"][name] for name in metrics]


def _text(cell: str | None) -> str | None:
    return f"'{cell}" if cell is not None and cell.startswith(_FORMULAS) else cell
