"""What a round of the continuous recount looks at: windows, what stands, and the leads that wait.

Owns how each is recounted, asked for and compared. Which of them a round has, and what follows from several looks, is
rounds.py's.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import partial, reduce
from operator import or_
from typing import Any, Protocol

import httpx

from deploy.verification.books import Books
from deploy.verification.definitions import Definitions
from deploy.verification.kept import KeptChanges, TooManyRecordsError
from deploy.verification.lists import GOALS, OPEN_DEALS, OPEN_LEADS, ServedLists, lists_of, served_values
from deploy.verification.pieces import expected_rows
from deploy.verification.recount import recount
from deploy.verification.rounds import (
    LEVELS,
    STANDING,
    Judged,
    RoundPart,
    judge,
    judge_leads,
    judge_lists,
    level_rows,
    of_windows,
)
from deploy.verification.shapes import LeadClock, RecountedWindow
from deploy.verification.verify import ServedRows, fetch, fetch_lists, fetch_waiting
from schemas.config import Config
from schemas.instants import HOUR, format_instant, parse_instant
from schemas.verifications import LEADS

LEADS_AT_ONCE = 2_000
_LOOKED_BACK = HOUR
"""How much earlier than now an answer may be as of which the leads are compared."""


class LookedAt(Protocol):
    """What one recount is enough for. `recounted` and `judged` take long and run beside the loop."""

    @property
    def names(self) -> tuple[str, ...]: ...

    def recounted(self) -> Any:
        """Recount what was read so far. Raises TooManyRecordsError."""

    async def ask(self, client: httpx.AsyncClient, name: str) -> tuple[Any, int]:
        """Give what is served, and as of when."""

    def judged(self, before: Any, after: Any, answers: Mapping[str, Any]) -> Judged:
        """Compare answers by name with what was recounted before and after."""


class _OfBooks(ABC):
    """A look whose answers are compared one by one with books."""

    def judged(self, before: Books, after: Books, answers: Mapping[str, Any]) -> Judged:
        return reduce(or_, (self._judged(name, before, after, served) for name, served in answers.items()), Judged())

    @abstractmethod
    def _judged(self, name: str, before: Books, after: Books, served: Any) -> Judged:
        """Compare one of them."""


def _judged_rows(
    name: str, before: Books, after: Books, served: ServedRows, window: RecountedWindow, some: Callable[[Any], Any]
) -> Judged:
    """Compare some of what the rows of a window say."""
    then = some(expected_rows(before, served.of(window)))
    now = then if after is before else some(expected_rows(after, served.of(window)))
    return judge(name, then, now, some(served.rows))


class Windows(_OfBooks):
    """The windows of one part of a round."""

    def __init__(
        self, part: RoundPart, kept: KeptChanges, config: Config, definitions: Definitions, *, is_whole: bool
    ) -> None:
        self._part = part
        self._kept = kept
        self._config = config
        self._definitions = definitions
        self._is_whole = is_whole
        self._subjects = {subject.name: subject for subject in part.subjects}
        self.names = tuple(self._subjects)

    def recounted(self) -> Books:
        changes = self._kept.between(self._part.first, self._part.last)
        return recount(changes, self._config, self._definitions)

    async def ask(self, client: httpx.AsyncClient, name: str) -> tuple[ServedRows, int]:
        served = await fetch(client, self._subjects[name].parameters)
        return served, served.latest

    def _judged(self, name: str, before: Books, after: Books, served: ServedRows) -> Judged:
        of_some = partial(of_windows, definitions=self._definitions, is_whole=self._is_whole)
        return _judged_rows(name, before, after, served, self._subjects[name].window, of_some)


class StandingLook(_OfBooks):
    """What there is now, and what is to be reached: levels, goals, open deals and leads. All of the log says that."""

    def __init__(self, kept: KeptChanges, config: Config, definitions: Definitions) -> None:
        self._kept = kept
        self._config = config
        self._definitions = definitions
        self.names = tuple(subject.name for subject in STANDING.subjects)

    def recounted(self) -> Books:
        return recount(self._kept.everything(), self._config, self._definitions)

    async def ask(self, client: httpx.AsyncClient, name: str) -> tuple[ServedRows | ServedLists, int]:
        if name == LEVELS:
            served = await fetch(client, {"window": "today"})
            return served, served.latest
        lists = await fetch_lists(client)
        return lists, {GOALS: lists.goals_at, OPEN_DEALS: lists.deals_at, OPEN_LEADS: lists.leads_at}[name]

    def _judged(self, name: str, before: Books, after: Books, served: ServedRows | ServedLists) -> Judged:
        if isinstance(served, ServedRows):
            of_levels = partial(level_rows, definitions=self._definitions)
            return _judged_rows(name, before, after, served, "today", of_levels)
        was = lists_of(before, served)[name]
        is_now = was if after is before else lists_of(after, served)[name]
        return judge_lists(name, was, is_now, served_values(served)[name])


class WaitingLook:
    """The leads that wait by the log: all of them, though only those are recounted of which something new was said."""

    def __init__(self, kept: KeptChanges, config: Config, clock: Callable[[], int]) -> None:
        """`clock`: the time of now (microseconds). A lead waits until the first touch that it knows of has come."""
        self._kept = kept
        self._config = config
        self._clock = clock
        self._clocks: dict[str, LeadClock] = {}
        self.unknown: set[str] = set()
        """To which so much belongs that nobody recounts it."""

    def recounted(self) -> dict[str, LeadClock]:
        while fresh := self._kept.take_fresh_leads(LEADS_AT_ONCE):
            try:
                self._recount(fresh)
            except TooManyRecordsError:
                for lead in fresh:
                    try:
                        self._recount([lead])
                    except TooManyRecordsError:
                        self.unknown |= self._kept.merged_with([lead])
        since = self._clock() - _LOOKED_BACK
        self._clocks = {
            lead: clock for lead, clock in self._clocks.items() if clock["until"] is None or clock["until"] > since
        }
        return dict(self._clocks)

    def _recount(self, fresh: list[str]) -> None:
        clocks = recount(self._kept.around(fresh), self._config).lead_clocks(self._clock() - _LOOKED_BACK)
        for lead in self._kept.merged_with(fresh):
            clock = clocks.get(lead)
            if clock is not None and clock["waiting"]:
                self._clocks[lead] = clock
            else:
                self._clocks.pop(lead, None)


class StillWaiting:
    """The leads that wait, as far as they have waited since an instant. Those from before may have been refused."""

    names = (LEADS,)

    def __init__(self, waiting: WaitingLook, since: int) -> None:
        self._waiting = waiting
        self._since = format_instant(since)
        self.recounted = waiting.recounted

    async def ask(self, client: httpx.AsyncClient, _name: str) -> tuple[tuple[dict[str, Any], int], int]:
        waiting, as_of = await fetch_waiting(client)
        at = parse_instant(as_of)
        return (waiting, at), at

    def judged(
        self,
        before: Mapping[str, LeadClock],
        after: Mapping[str, LeadClock],
        answers: Mapping[str, tuple[dict[str, Any], int]],
    ) -> Judged:
        served, at = answers[LEADS]
        shown = [_shown(before, at), _shown(after, at), served]
        old = {lead for leads in shown for lead, (_, started_at, *_) in leads.items() if started_at < self._since}
        skipped = old | self._waiting.unknown
        return judge_leads(*({lead: held for lead, held in leads.items() if lead not in skipped} for leads in shown))


def _shown(clocks: Mapping[str, LeadClock], now: int) -> dict[str, tuple[Any, ...]]:
    return {
        lead: (
            clock["rep"],
            format_instant(clock["started_at"]),
            format_instant(clock["due_at"]),
            "breached" if now >= clock["due_at"] else "warned" if now >= clock["warn_at"] else "waiting",
        )
        for lead, clock in clocks.items()
        if clock["until"] is None or now < clock["until"]
    }
