"""The goals of a floor: what everybody is to reach, and how far they are, out of roster, panes and configuration.

Owns which goal is meant for a metric in a window, and what is remembered of targets and actuals until a person, an
amount or a pane changes. Pure: the clock is an argument.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import NamedTuple

from schemas.catalogue.adding import is_spread
from schemas.catalogue.base import Exact
from schemas.config.goals import PERIODS, Goal
from schemas.floor import ORGANISATION, Floor, Scope, rep_scope
from schemas.goals.people import employment_of
from schemas.goals.periods import Days, Periods, period_of_window
from schemas.goals.remembering import let_go
from schemas.goals.shares import Shares
from schemas.goals.standing import Fit, Standing, deals_needed, fit_of, standing, unspread
from schemas.goals.target_book import NO_TEAMS, TargetBook
from schemas.goals.targets import Calendars
from schemas.goals.work import Work, works_of
from schemas.people import Person
from schemas.windows import Day, Span

_DAYS_OF_NEED = 90


class Attained(NamedTuple):
    """Target and attainment alone."""

    target: Exact
    attainment: Exact
    is_reached: bool


class PeopleAtGoal(NamedTuple):
    """How many of a team, or of all, are at their goal."""

    share_at_goal: Fraction | None
    fit: Fit | None


class Needed(NamedTuple):
    """What is missing, as deals and as leads."""

    deals: int | None
    leads: int | None


class GoalBook:
    """All goals of a configuration, over a floor."""

    def __init__(self, floor: Floor) -> None:
        config = floor.config
        self._floor = floor
        self._periods = Periods(config.organisation.first_weekday, config.fiscal.year_starts)
        of_teams, of_all = works_of(config, floor.calendar)
        self._calendars = Calendars(of_all, of_teams, Work(floor.calendar, None))
        self.goals: Mapping[str, Goal] = {
            name: goal for name, goal in config.goals.items() if goal.metric in floor.catalogue
        }
        self._is_spread = {name: is_spread(floor.catalogue, goal.metric) for name, goal in self.goals.items()}
        self._of_metric: dict[str, list[str]] = {}
        for name, goal in self.goals.items():
            self._of_metric.setdefault(goal.metric, []).append(name)
        self._targets = TargetBook(floor, self.goals, self._periods, self._calendars)
        self._actuals: OrderedDict[tuple[str, int, int], dict[Scope, tuple[int, Exact]]] = OrderedDict()
        self._shares: OrderedDict[tuple[str, Days], Shares] = OrderedDict()

    # ---------------------------------------------------------------- which goal

    def window(self, span: Span) -> Days | None:
        """The days that a window means to goals; None: it is one of minutes, and has none."""
        return self._periods.of_window(span) if self.goals else None

    def period(self, name: str, day: Day) -> Days:
        """The period of a goal in which a day lies."""
        return self._periods.holding(self.goals[name].period, day)

    def period_before(self, name: str, period: Days) -> Days:
        """The one before it."""
        return self._periods.before(self.goals[name].period, period)

    def bounds(self, period: Days) -> tuple[int, int]:
        """[start, end) in microseconds."""
        return self._calendars.alike.start(period.first), self._calendars.alike.start(period.last + 1)

    def metrics(self) -> Iterator[str]:
        """Those that have a goal."""
        return iter(self._of_metric)

    def goals_for(self, metric: str, window: str, days: Days) -> list[str]:
        """The goals of a metric in a window, the one that is meant first.

        That is the one whose period is the window's, else of the shortest period that holds it, else the first of the
        file. What has no weight on days has no part in a window that its period does not hold.
        """
        found = []
        for place, name in enumerate(self._of_metric.get(metric, ())):
            period = self.goals[name].period
            held = self._periods.holding(period, days.first)
            if held == days:
                rank = (0, int(period != period_of_window(window)), place)
            elif held.holds(days):
                rank = (1, PERIODS.index(period), place)
            elif self._is_spread[name]:
                rank = (2, 0, place)
            else:
                continue
            found.append((rank, name))
        return [name for _, name in sorted(found)]

    # ---------------------------------------------------------------- how far

    def standing(self, name: str, scope: Scope, days: Days, now: int, actual_in: Span | None = None) -> Standing | None:
        """Where somebody is with a goal in these days; None: they have no target.

        `actual_in`: the days of which the actual is asked; up to today, if left out.
        """
        floor, goal = self._floor, self.goals[name]
        today = floor.calendar.day_of(now)
        span = self._to_date(days, today) if actual_in is None else actual_in
        is_over = days.last < today
        if not self._is_spread[name]:
            amount = self._targets.amount(name, scope, days, today)
            if not amount:
                return None
            is_lower_better = floor.catalogue[goal.metric].better == "lower"
            actual = self._actual(goal.metric, scope, span, now)
            is_kept = floor.not_kept(span, now, goal.metric) is None
            return unspread(amount, actual, is_lower_better=is_lower_better, is_over=is_over, is_kept=is_kept)
        target = self._targets.of_scope(name, scope, days, today)
        whole = target.whole
        if not whole:
            return None
        return standing(
            whole, target.expected(today, now), self._actual(goal.metric, scope, span, now),
            self._targets.per_day(name, scope, days, today, now), goal.bands, is_over=is_over,
        )  # fmt: skip

    def attained(self, name: str, rep: str, days: Days, now: int, actual_in: Span | None = None) -> Attained | None:
        """Target and attainment of a rep alone, which takes a tenth of a standing's work; None: no target."""
        floor, scope = self._floor, rep_scope(rep)
        if not self._is_spread[name]:
            found = self.standing(name, scope, days, now, actual_in)
            return None if found is None else Attained(found.target, found.attainment, is_reached=found.is_reached)
        today, person = floor.calendar.day_of(now), floor.roster.people.get(rep)
        if person is None:
            return None
        target = self._targets.of_person(name, person, days, today).whole
        if not target:
            return None
        span = self._to_date(days, today) if actual_in is None else actual_in
        actual = self._actual(self.goals[name].metric, scope, span, now)
        if actual is None:
            return Attained(target, None, is_reached=False)
        return Attained(target, actual / target, is_reached=actual >= target)

    def not_kept(self, name: str, days: Days, now: int) -> str | None:
        """Since when there is something of what was reached in days that begin earlier; None: it is all there."""
        return self._floor.not_kept(self._to_date(days, self._floor.calendar.day_of(now)), now, self.goals[name].metric)

    def people(self, name: str, scope: Scope, days: Days, now: int) -> PeopleAtGoal:
        """How many people of a team or of the organisation are at their goal; of a rep nothing is said."""
        if scope.kind == "rep":
            return PeopleAtGoal(None, None)
        today = self._floor.calendar.day_of(now)
        if self.not_kept(name, days, now) is not None:
            return PeopleAtGoal(None, None)
        share = self._share_at_goal(name, scope.id, days, today, now)
        return PeopleAtGoal(share, fit_of(share, self.goals[name].fit) if days.last < today else None)

    def needed(self, name: str, scope: Scope, found: Standing, now: int) -> Needed:
        """The deals and leads that are missing for a goal of money, by the last 90 days; None for others."""
        floor = self._floor
        if floor.catalogue[self.goals[name].metric].unit != "money" or found.gap is None:
            return Needed(None, None)
        today = floor.calendar.day_of(now)
        span = Span("", days=True, first=today - _DAYS_OF_NEED + 1, last=today)
        average, conversion = (
            self._actual(metric, scope, span, now) if metric in floor.catalogue else None
            for metric in ("average_deal_size", "lead_conversion_rate")
        )
        return Needed(*deals_needed(-found.gap, average, conversion))

    def scopes(self) -> Iterator[Scope]:
        """Who may have a target: the organisation, teams, people of the roster."""
        yield ORGANISATION
        for team in self._floor.roster.team_names:
            yield Scope("team", team)
        for rep in sorted(self._floor.roster.people):
            yield rep_scope(rep)

    # ---------------------------------------------------------------- actuals

    def _actual(self, metric: str, scope: Scope, span: Span, now: int) -> Exact:
        """The exact value of a metric; of reps remembered until one of their panes changes.

        None where not all of the span is kept.
        """
        floor = self._floor
        if floor.not_kept(span, now, metric) is not None:
            return None
        if scope.kind == "rep" and scope.id is not None:
            revision = floor.rep_revision(scope.id)
        else:
            # Moves between teams change what a team has done too.
            revision = floor.days_revision(span.first, span.last) + floor.roster_revision
        key = metric, span.first, span.last
        held = self._actuals.get(key)
        if held is None:
            held = self._actuals[key] = {}
            let_go(self._actuals)
        known = held.get(scope)
        if known is not None and known[0] == revision:
            return known[1]
        pane = floor.merged(scope, span, now, floor.cells_of([metric]))
        value = floor.exact(metric, pane, now)
        if not floor.moves_by_the_clock(metric, pane):
            held[scope] = revision, value
        return value

    def _share_at_goal(self, name: str, team: str | None, days: Days, today: Day, now: int) -> Fraction | None:
        """Of the people with a target on a day in that team (None: of all), how many have reached their own."""
        floor, key = self._floor, (name, days)
        # Of the same panes and roster it is the same all day, but where leads wait.
        moves = floor.moves_by_the_clock(self.goals[name].metric)
        seen_from = floor.roster_revision, today, now if moves else None
        held = self._shares.get(key)
        if held is None or held.seen_from != seen_from:
            held = self._shares[key] = Shares(seen_from)
            let_go(self._shares)
            for person in floor.roster.people.values():
                held.put(person.rep, *self._outcome(name, person, days, today, now))
        elif held.revision < floor.days_revision(days.first, min(days.last, today)):
            for rep in floor.reps_changed_since(held.revision):
                known = floor.roster.people.get(rep)
                if known is not None:
                    held.put(rep, *self._outcome(name, known, days, today, now))
        held.revision = floor.revision
        return held.of(team)

    def _outcome(
        self, name: str, person: Person, days: Days, today: Day, now: int
    ) -> tuple[frozenset[str | None], bool]:
        """The teams in which a person has a target (None: for the organisation), and whether it is reached."""
        if not self._is_spread[name]:
            found = self.standing(name, rep_scope(person.rep), days, now)
            if found is None:
                return NO_TEAMS, False
            employment = employment_of(person)
            teams = () if employment is None else employment.moves_in(employment.within(days))[0]
            return frozenset({None, *teams}), found.is_reached
        target = self._targets.of_person(name, person, days, today)
        if not target.whole:
            return NO_TEAMS, False
        span = self._to_date(days, today)
        actual = self._actual(self.goals[name].metric, rep_scope(person.rep), span, now)
        return target.teams, actual is not None and actual >= target.whole

    @staticmethod
    def _to_date(days: Days, today: Day) -> Span:
        """Those of the days that have begun."""
        return Span("", days=True, first=days.first, last=min(days.last, today))
