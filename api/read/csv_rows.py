"""Rows of metrics as a table for spreadsheets: RFC 4180, UTF-8.

Owns the columns and what a cell may begin with: a name that a spreadsheet would take for a formula is text.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from api.read.rows import Json

HEADS: Mapping[str, tuple[str, ...]] = {"rep": ("rep", "name", "team"), "team": ("team", "name"), "organisation": ()}
"""Kind of scope -> the columns that say whose row it is."""
_WINDOW = ("window", "from", "to", "as_of", "currency")
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def csv_of(rows: Iterable[Json], kind: str, metrics: Sequence[str], by: str | None) -> str:
    """A header, and a line for each row (`by`: for each segment of each); what is null is empty."""
    written = io.StringIO(newline="")
    table = csv.writer(written, lineterminator="\r\n")
    table.writerow([_text(cell) for cell in (*HEADS[kind], *_WINDOW, *([] if by is None else [by]), *metrics)])
    for row in rows:
        window = row["window"]
        spans = window["name"], window["from"], window["to"], row["as_of"], row.get("currency")
        head = [_text(cell) for cell in (*(row[name] for name in HEADS[kind]), *spans)]
        if by is None:
            table.writerow([*head, *_values(row, metrics)])
            continue
        for segment in row["segments"]:
            table.writerow([*head, _text(segment["by"][by]), *_values(segment, metrics)])
    return written.getvalue()


def _values(row: Json, metrics: Sequence[str]) -> list[Any]:
    """Numbers, also those that money writes as text: a minus before them is no formula."""
    return [row["metrics"][name] for name in metrics]


def _text(cell: str | None) -> str | None:
    return f"'{cell}" if cell is not None and cell.startswith(_FORMULAS) else cell
