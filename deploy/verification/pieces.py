"""The recount of a whole log piece by piece: what is in memory does not grow with the log.

`verify` hands over what it keeps of the log on disk and what the api serves. Records, threads and leads are recounted a
few at a time, each together with all that belongs to it, and their facts are summed up to the rows that were asked for
as they come.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache

from deploy.verification.books import Books
from deploy.verification.kept import KeptChanges
from deploy.verification.records import fold
from deploy.verification.recount import left_of
from deploy.verification.rows import Fact, Span, Tally, span_of
from deploy.verification.shapes import LeadClock, Rows, Window
from schemas.config import Config
from schemas.records import RecordChange

AT_ONCE = 2_000
"""Records of a piece; what belongs to one lead or thread is never cut."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The rows of a window as they were served: each is recounted as of the instant of its own answer."""

    window: Window
    organisation_at: int
    reps_at: int
    teams_at: Mapping[str, int] = field(default_factory=dict)


class Sheet:
    """The rows of one window in the making."""

    def __init__(self, asked: Asked, config: Config, books: Books) -> None:
        """`books`: any, for the days of the organisation and the teams and reps that the roster names."""
        self._asked = asked
        self._currency = config.organisation.currency
        self._span = cache(lambda now: self._span_at(now, books.people.day_of(now), config.organisation.week_starts))
        self._organisation = Tally(asked.organisation_at, self._currency)
        self._teams: dict[str, Tally] = {}
        self._reps: dict[str, Tally] = {}
        for team in {*books.teams, *asked.teams_at}:
            self._team(team)
        for rep in books.reps:
            self._rep(rep)

    def add(self, fact: Fact) -> None:
        """Take in one more fact, if it happened in the window."""
        if self._span(self._asked.organisation_at).holds(fact):
            self._organisation.add(fact)
        if fact.rep is not None and self._span(self._asked.reps_at).holds(fact):
            self._rep(fact.rep).add(fact)
        if fact.team is not None and self._span(self._team_at(fact.team)).holds(fact):
            self._team(fact.team).add(fact)

    def rows(self) -> Rows:
        """What has been added."""
        return {
            "organisation": self._organisation.row(),
            "teams": {team: tally.row() for team, tally in self._teams.items()},
            "reps": {rep: tally.row() for rep, tally in self._reps.items()},
        }

    def _span_at(self, now: int, today: date, week_starts: str) -> Span:
        return span_of(self._asked.window, now, today, week_starts)

    def _team_at(self, team: str) -> int:
        return self._asked.teams_at.get(team, self._asked.organisation_at)

    def _team(self, team: str) -> Tally:
        if team not in self._teams:
            self._teams[team] = Tally(self._team_at(team), self._currency)
        return self._teams[team]

    def _rep(self, rep: str) -> Tally:
        if rep not in self._reps:
            self._reps[rep] = Tally(self._asked.reps_at, self._currency)
        return self._reps[rep]


def recount_in_pieces(
    kept: KeptChanges, config: Config, asked: Sequence[Asked], leads_at: int
) -> tuple[list[Rows], dict[str, LeadClock]]:
    """Give the rows of every window, and the clocks of the leads that wait at `leads_at`."""
    newest = kept.newest_at
    roster = _books([], kept.reps(), config, newest)
    sheets = [Sheet(each, config, roster) for each in asked]
    waiting: dict[str, LeadClock] = {}

    def sum_up(books: Books) -> None:
        for fact in books.facts:
            for sheet in sheets:
                sheet.add(fact)

    for changes in kept.records_in_turn(AT_ONCE):
        sum_up(_books(changes, kept.reps(), config, newest))
    for threads, changes in kept.threads_in_turn(AT_ONCE):
        books = _books([], kept.reps(), config, newest)
        left = left_of([*changes, *kept.reps()], config, newest)
        whole = frozenset(threads) if left.threads is None else left.whole_threads.intersection(threads)
        books.count_answers(fold(left.records), only=whole)
        for thread in frozenset(threads).intersection(left.threads or ()):
            books.count_answers(fold((left.threads or {})[thread]), only=(thread,))
        sum_up(books)
    for leads, changes in kept.leads_in_turn(AT_ONCE):
        books = _books([], kept.reps(), config, newest)
        left = left_of([*changes, *kept.reps()], config, newest)
        whole = frozenset(leads) if left.leads is None else left.whole_leads.intersection(leads)
        books.count_leads(fold(left.records), only=whole)
        for lead in frozenset(leads).intersection(left.leads or ()):
            books.count_leads(fold((left.leads or {})[lead]), only=(lead,))
        sum_up(books)
        waiting |= {lead: clock for lead, clock in books.lead_clocks(leads_at).items() if clock["waiting"]}
    return [sheet.rows() for sheet in sheets], waiting


def _books(changes: Iterable[RecordChange], reps: Sequence[RecordChange], config: Config, newest: int | None) -> Books:
    """Books of single records; without what belongs to groups."""
    left = left_of([*changes, *reps], config, newest)
    return Books(fold(left.records), config, first_day=left.first_day, has_groups=False)
