"""What the stream tells of wins: those of today and of the last hour, what is corrected in them, what is taken back.

Owns the difference against what was last told: what was first told by no webhook (a back-fill, a reconciliation, a
file, a replay) is told by REST alone. Pure: `now` is an argument.
"""

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Literal, NamedTuple

from api.read.view import View, ViewChanges
from schemas.alerts import SILENT
from schemas.instants import DAY, HOUR
from schemas.json_object import Json
from schemas.wins import Win, Wins

IN_SNAPSHOT = 20
_TAKEN_BACK = 200
"""So many that were taken back are remembered, for boards that are opened afterwards."""
_LATE = HOUR
"""So long after its instant a win is told, also where that was yesterday."""
_LISTED = 31 * DAY
"""So long a board lists a win, and is told when it is taken back."""

_Cause = tuple[Literal["deal", "goal"], str]
"""A deal, or the alert of a goal."""


class WinNews(NamedTuple):
    """A win as it is, and as it was last told (None: it was not)."""

    win: Json
    told: Json | None


class ToldWins:
    """State: the wins that were told."""

    def __init__(self) -> None:
        self._told: dict[_Cause, Win] = {}
        self._taken_back: dict[_Cause, Json] = {}
        """By cause, the last one at the end."""
        self._coming: list[tuple[int, str]] = []
        """Heap of (instant, deal): what is to be won yet."""
        self._day: tuple[int, int] | None = None
        """And its first instant."""
        self._looked_on: int | None = None
        """The day on which they were last looked at."""

    def news(self, view: View, changes: ViewChanges, now: int) -> list[WinNews]:
        """What clients do not know yet. What is new comes before what is taken back: a correction is both."""
        day, start = self._today(view, now)
        is_new_day, self._looked_on = day != self._looked_on, day
        since = min(start, now - _LATE)
        causes = set(self._looked_at(view, changes, since, now))
        if changes.everything or changes.reps or is_new_day:
            # Names and teams may be others; and what was won on a day that is over is told no more.
            causes |= self._told.keys()
        if not causes:
            return []
        wins = Wins(view, now)
        news: list[WinNews] = []
        gone: list[WinNews] = []
        for cause in sorted(causes):
            win = self._find(view, wins, cause, now)
            told = self._told.pop(cause, None)
            if told is None and self._is_quiet(view, cause):
                continue
            if win is not None and win.at >= since:
                self._told[cause] = win
                if told is None or told.row != win.row:
                    news.append(WinNews(win.row, None if told is None else told.row))
            told = told or _before(view, wins, changes, cause)
            if told is not None and now - told.at < _LISTED and (win is None or win.row["win"] != told.row["win"]):
                row = told.row | {"withdrawn": True}
                gone.append(WinNews(row, None))
                if win is None:
                    self._note_taken_back(cause, row)
        return news + gone

    def of_today(self, view: View, now: int) -> list[Json]:
        """Those of today that were told, the newest first."""
        _, start = self._today(view, now)
        return [win.row for win in sorted(self._told.values(), key=Win.key) if win.at >= start]

    def taken_back(self) -> list[Json]:
        """What was taken back since this began: who did not see it won does not celebrate it a second time either."""
        return list(self._taken_back.values())

    def _note_taken_back(self, cause: _Cause, row: Json) -> None:
        self._taken_back.pop(cause, None)
        self._taken_back[cause] = row
        if len(self._taken_back) > _TAKEN_BACK:
            del self._taken_back[next(iter(self._taken_back))]

    def next_instant(self) -> int | None:
        """When the next deal is won by time alone (microseconds)."""
        return self._coming[0][0] if self._coming else None

    def _today(self, view: View, now: int) -> tuple[int, int]:
        day = view.calendar.day_of(now)
        if self._day is None or self._day[0] != day:
            self._day = day, view.calendar.day_start(day)
        return self._day

    def _looked_at(self, view: View, changes: ViewChanges, since: int, now: int) -> Iterator[_Cause]:
        yield from (("deal", deal) for deal in changes.deals)
        yield from (("goal", id) for id in changes.alerts if id in view.milestones or ("goal", id) in self._told)
        while self._coming and self._coming[0][0] <= now:
            yield "deal", heappop(self._coming)[1]
        if changes.everything:
            yield from (("deal", card.deal) for card in view.deals.won_since(since))
            yield from (("goal", id) for id, alert in view.milestones.items() if alert.due_at >= since)

    def _is_quiet(self, view: View, cause: _Cause) -> bool:
        kind, id = cause
        if kind == "goal":
            alert = view.milestones.get(id)
            return alert is not None and alert.quiet == SILENT
        card = view.deals.won.get(id)
        return card is not None and card.is_quiet

    def _find(self, view: View, wins: Wins, cause: _Cause, now: int) -> Win | None:
        kind, id = cause
        if kind == "goal":
            alert = view.milestones.get(id)
            return None if alert is None else wins.of_goal(alert)
        card = view.deals.won.get(id)
        if card is None or card.won_at is None:
            return None
        if card.won_at > now:
            heappush(self._coming, (card.won_at, id))
        return wins.of_deal(card)


def _before(view: View, wins: Wins, changes: ViewChanges, cause: _Cause) -> Win | None:
    """What was won by this before it changed."""
    kind, id = cause
    if kind == "deal":
        card = changes.deals.get(id)
        return None if card is None or card.is_quiet else wins.of_deal(card)
    alert = view.milestones.get(id) if id in changes.alerts else None
    return None if alert is None else wins.as_reached(alert)
