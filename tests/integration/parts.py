"""What a floorcast serves beside the values of rows, segments and comparisons, against the recount of what was posted.

Owns which of them are asked for: every metric by every dimension that it has, and compared in every way. Each answer is
compared as of the instant it names.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from api.read.comparison import COMPARISONS, OF_REPS
from deploy.verification.books import Books
from deploy.verification.definitions import Definitions, is_sum
from deploy.verification.measures import Exact
from deploy.verification.rows import shown
from schemas.instants import parse_instant, to_datetime
from tests.comparing import Comparing, changed
from tests.integration.served import Reader
from tests.segments import segments

SPLITS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/v1/organisation/metrics", {}),
    ("/v1/teams/north/metrics", {"team": "north"}),
)
COMPARED = (*SPLITS, ("/v1/reps/r1/metrics", {"rep": "r1"}))


_NOTHING = (None, 0, "0.00")


class Parts:
    """One api, and the truth about it."""

    def __init__(self, reader: Reader, books: Books, definitions: Definitions, zone: ZoneInfo, currency: str) -> None:
        self._reader, self._books, self._definitions = reader, books, definitions
        self._zone, self._currency = zone, currency

    async def segment_differences(self, window: str) -> tuple[int, list[str]]:
        """How many values were compared, and a line for each that is another one."""
        metrics = [row for row in (await self._reader.get("/v1/metrics"))["rows"] if row["type"] != "funnel"]
        dimensions = dict.fromkeys(name for row in metrics for name in row["by"])
        compared, lines = 0, list[str]()
        for by in (*dimensions, "team"):
            names = [row["name"] for row in metrics if by == "team" or by in row["by"]]
            for path, whose in SPLITS:
                status, row = await self._reader.ask(path, window=window, by=by, metrics=",".join(names))
                if status == 422 and "is not kept" in row["detail"]:
                    continue
                assert status == 200, row
                served = {part["by"][by]: part["metrics"] for part in row["segments"]}
                now = parse_instant(row["as_of"])
                for name in names:
                    expected = segments(self._books, name, by, now=now, window=window, **whose)
                    for label in served.keys() | expected.keys():
                        compared += 1
                        told = self._told(name, expected.get(label), served.get(label, {}).get(name))
                        lines += [f"{window} {path} by {by} {label}: {line}" for line in told]
        return compared, lines

    async def comparison_differences(self, window: str) -> tuple[int, list[str]]:
        """The same of what rows are compared with."""
        compared, lines = 0, list[str]()
        for path, whose in COMPARED:
            kinds = [kind for kind in COMPARISONS if "rep" in whose or kind not in OF_REPS]
            row = await self._reader.get(path, window=window, compare=",".join(kinds))
            now = parse_instant(row["as_of"])
            comparing, unavailable = Comparing(self._books, window, now), row.get("unavailable", {}).keys()
            for name in row["metrics"]:
                for kind, value, other in self._compared(comparing, name, whose, now):
                    if not unavailable.isdisjoint((name, f"compare.{kind}", f"compare.{kind}.{name}")):
                        continue
                    compared += 1
                    served = row["compare"][kind]
                    told = self._told(name, other, served["metrics"][name])
                    change = changed(value, other, self._definitions.metrics[name]["unit"])
                    if served["change"][name] != pytest.approx(change):
                        told.append(f"{name} changed by {served['change'][name]}, recounted {change}")
                    lines += [f"{window} {path} {kind}: {line}" for line in told]
                if is_sum(self._definitions, name):
                    compared += 1
                    whole, value = comparing.value(name), comparing.value(name, **whose)
                    share = float(value / whole) if whole and value is not None else None
                    if row["compare"]["share"]["metrics"][name]["organisation"] != share:
                        lines.append(f"{window} {path} share: {name}: recounted {share}")
        return compared, lines

    def _compared(
        self, comparing: Comparing, name: str, whose: dict[str, Any], now: int
    ) -> Iterator[tuple[str, Exact, Exact]]:
        value = comparing.value(name, **whose)
        yield "previous", value, comparing.value(name, comparing.previous(), **whose)
        yield "last_year", value, comparing.value(name, comparing.last_year(), **whose)
        if "rep" in whose:
            team = self._books.reading.people.team_of(whose["rep"], self._today(now))
            yield "team", value, None if team is None else comparing.of_team(name, team)
            yield "best", value, comparing.best(name, team)

    def _today(self, now: int) -> date:
        return to_datetime(now).astimezone(self._zone).date()

    def _told(self, name: str, recounted: Exact, served: Any) -> list[str]:
        entry = self._definitions.metrics[name]
        expected = shown(recounted, entry, self._currency)
        # Of persons those occur that have something of any metric asked for: of the others they have nothing.
        is_same = served == expected or (not recounted and served in _NOTHING)
        return [] if is_same else [f"{name}: recounted {expected!r}, served {served!r}"]
