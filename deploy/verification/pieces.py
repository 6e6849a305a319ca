"""The recount of a whole log piece by piece: what is in memory does not grow with the log.

`verify` hands over what it keeps of the log on disk and what the api serves. Records, threads and leads are recounted a
few at a time, each together with all that belongs to it, and their facts are summed up to the rows that were asked for
as they come.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property

from deploy.verification.books import Books, BoundDefinitions
from deploy.verification.definitions import Definitions
from deploy.verification.forgetting import GROUPS, RememberedLog
from deploy.verification.kept import KeptChanges
from deploy.verification.lists import Lists
from deploy.verification.measures import Counted
from deploy.verification.records import countable, fold
from deploy.verification.recount import count_groups, left_of
from deploy.verification.rows import Tally
from deploy.verification.shapes import LeadClock, RecountedRows, RecountedWindow, Row
from deploy.verification.spans import Span
from schemas.config import Config
from schemas.records import RecordChange

AT_ONCE = 2_000
"""Records of a piece; what belongs to one lead or thread is never cut."""


@dataclass(frozen=True, slots=True)
class ServedWindow:
    """The rows of a window as they were served: each is recounted as of the instant of its own answer."""

    window: RecountedWindow
    organisation_at: int
    reps_at: int
    teams_at: Mapping[str, int] = field(default_factory=dict)


class Sheet:
    """The rows of one window in the making."""

    def __init__(self, asked: ServedWindow, reading: BoundDefinitions) -> None:
        self._asked = asked
        self._reading = reading
        self._span = cache(lambda now: reading.span(asked.window, now))
        self._organisation = self._tally(asked.organisation_at)
        self._teams: dict[str, Tally] = {}
        self._reps: dict[str, Tally] = {}
        for team in {*reading.teams, *asked.teams_at}:
            self._team(team)
        for rep in reading.people.roster:
            self._rep(rep)
        self._add_days()

    def add(self, counted: Counted) -> None:
        """Take in one more, if it lies in the window."""
        if counted.day is not None and not any(span.holds(counted.at, counted.day) for span in self._stretches):
            return
        if self._holds(counted, self._asked.organisation_at):
            self._organisation.add(counted)
        if counted.rep is not None and self._holds(counted, self._asked.reps_at):
            self._rep(counted.rep).add(counted)
        # Of what lasts the team is that of the day at the window's end, which is another one for another answer.
        teams = [self._reading.team_of(counted, self._span(at)) for at in self._instants]
        for team in dict.fromkeys(team for team in teams if team is not None):
            span = self._span(self._team_at(team))
            if self._holds(counted, self._team_at(team)) and self._reading.team_of(counted, span) == team:
                self._team(team).add(counted)

    def rows(self) -> RecountedRows:
        """What has been added."""
        return {
            "organisation": _with_funnels(self._organisation),
            "teams": {team: _with_funnels(tally) for team, tally in self._teams.items()},
            "reps": {rep: tally.row() for rep, tally in self._reps.items()},
            "idle": _with_funnels(self._tally(self._asked.reps_at)),
        }

    @cached_property
    def _instants(self) -> tuple[int, ...]:
        """As of when teams were asked for, the days apart that they lie in."""
        by_day = {self._span(at).seen_on: at for at in (self._asked.organisation_at, *self._asked.teams_at.values())}
        return tuple(by_day.values())

    @cached_property
    def _stretches(self) -> tuple[Span, ...]:
        """What the window holds at any of the instants asked for, which most often is the same."""
        instants = (self._asked.organisation_at, self._asked.reps_at, *self._asked.teams_at.values())
        return tuple(
            {(one.start, one.end, one.first, one.last, one.seen_on): one for one in map(self._span, instants)}.values()
        )

    def _add_days(self) -> None:
        spans = [self._span(at) for at in (self._asked.organisation_at, self._asked.reps_at, *self._instants)]
        for counted in self._reading.days_of(min(one.first for one in spans), max(one.seen_on for one in spans)):
            self.add(counted)

    def _holds(self, counted: Counted, now: int) -> bool:
        return counted.day is None or self._span(now).holds(counted.at, counted.day)

    def _tally(self, now: int) -> Tally:
        return Tally(self._reading.formulas, self._span(now))

    def _team_at(self, team: str) -> int:
        return self._asked.teams_at.get(team, self._asked.organisation_at)

    def _team(self, team: str) -> Tally:
        if team not in self._teams:
            self._teams[team] = self._tally(self._team_at(team))
        return self._teams[team]

    def _rep(self, rep: str) -> Tally:
        if rep not in self._reps:
            self._reps[rep] = self._tally(self._asked.reps_at)
        return self._reps[rep]


def expected_rows(books: Books, asked: ServedWindow) -> RecountedRows:
    """The rows of books that hold all that lies in the window."""
    sheet = Sheet(asked, books.reading)
    for counted in books.counted:
        sheet.add(counted)
    return sheet.rows()


def _with_funnels(tally: Tally) -> Row:
    return {**tally.row(), "funnels": tally.funnels()}


def recount_in_pieces(
    kept: KeptChanges,
    config: Config,
    asked: Sequence[ServedWindow],
    leads_at: int,
    definitions: Definitions | None = None,
    *,
    lists_at: int | None = None,
) -> tuple[list[RecountedRows], dict[str, LeadClock], Lists | None]:
    """Give the rows of every window, and the clocks of the leads that wait at `leads_at`.

    And goals and lists of what is open, if an instant is said as of which goals are asked for. By the metrics that are
    shipped, unless others are given.
    """
    newest = kept.newest_at
    people = kept.people()
    reading = BoundDefinitions(config, fold(left_of(people, config, definitions, newest).records), definitions)
    sheets = [Sheet(each, reading) for each in asked]
    waiting: dict[str, LeadClock] = {}
    lists = None
    if lists_at is not None:
        told = fold(left_of([*kept.goals(), *people], config, definitions, newest).records)
        lists = Lists(reading, countable(told).get("goal", []), lists_at)

    def sum_up(books: Books) -> None:
        for counted in books.counted:
            for sheet in sheets:
                sheet.add(counted)
            if lists is not None:
                lists.add(counted)

    def left(changes: Iterable[RecordChange]) -> tuple[RememberedLog, Books]:
        remembered = left_of([*changes, *people], config, definitions, newest)
        return remembered, Books(fold(remembered.records), reading, first_day=remembered.first_day, newest=newest)

    for changes in kept.records_in_turn(AT_ONCE):
        _, books = left(changes)
        if alike := kept.of_same_numbers(changes):
            books.repeated = left(alike)[1].repeated
        books.count_single()
        sum_up(books)
        if lists is not None:
            lists.open.take_deals(books)
    for kind in GROUPS:
        for names, changes in kept.groups_in_turn(kind, AT_ONCE):
            known, books = left(changes)
            count_groups(books, kind, fold(known.records), known, frozenset(names))
            sum_up(books)
            if lists is not None:
                lists.open.take_leads(books)
            waiting |= {lead: clock for lead, clock in books.lead_clocks(leads_at).items() if clock["waiting"]}
    return [sheet.rows() for sheet in sheets], waiting, lists
