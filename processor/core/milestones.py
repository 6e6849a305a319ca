"""Goals that reach a milestone: which alerts are to be raised or resolved, given all numbers and the time.

Owns what a milestone is, and what has fired. Does no I/O, and reads no clock.

    raised      the first time in a period that attainment is as much or more; not again in that period
    resolved    attainment falls below, the period is over, or nobody has that goal any more
"""

from collections.abc import Iterable, Mapping
from fractions import Fraction

from msgspec.structs import replace

from processor.core.crossings import CrossingBook, Watched, WatchedPane, over, watched_by, with_value
from schemas.alerts import GOAL, SILENT, Alert, Crossing
from schemas.config.goals import Goal
from schemas.floor import Floor
from schemas.goals.book import GoalBook
from schemas.goals.periods import Days
from schemas.windows import Window, date_of, day_window, index_of, is_day


class MilestoneBook(CrossingBook):
    """Numbers are attainments here."""

    kind = GOAL

    def __init__(self, floor: Floor) -> None:
        self._open: dict[Watched, set[str]] = {}
        super().__init__(floor)

    def rebase(self, floor: Floor) -> None:
        """Look at these numbers from now on: they were read in anew."""
        super().rebase(floor)
        self._goals = GoalBook(floor)
        self._milestones: dict[str, Goal] = {name: goal for name, goal in self._goals.goals.items() if goal.milestones}
        self._restless = [name for name, goal in self._milestones.items() if floor.moves_by_the_clock(goal.metric)]

    @property
    def is_needed(self) -> bool:
        """Whether there is any milestone, or an alert of one that there was."""
        return bool(self._milestones) or bool(self._open)

    def oldest(self, now: int) -> dict[bool, Window]:
        """The oldest day that means anything to a goal at `now` or later, if there is any; as thresholds say it."""
        today = self._floor.calendar.day_of(now)
        days = [self._goals.period(name, today).first for name in self._milestones]
        found = {True: day_window(min(days))} if days else {}
        return self._with_levels(found, [goal.metric for goal in self._milestones.values()], now)

    def note_pane(self, pane: WatchedPane, *, is_quiet: bool = False) -> None:
        """A pane has changed."""
        if is_day(pane[0]):
            super().note_pane(pane, is_quiet=is_quiet)

    def _gather(self, panes: Mapping[WatchedPane, bool], last: int | None, as_of: int, *, is_all_new: bool) -> None:
        today = self._floor.calendar.day_of(as_of)
        periods = {name: self._goals.period(name, today) for name in self._milestones}
        for (window, rep), is_quiet in panes.items():
            for name, period in periods.items():
                if period.first <= index_of(window) <= period.last:
                    scopes = self._floor.scopes_of(window, rep)
                    self._want_moved((Watched(name, scope) for scope in scopes), is_quiet=is_quiet)
        if is_all_new:
            self._want(self._open)  # also of goals and people that there are no more
            self._want(self._all(self._milestones))
        elif as_of != last:
            self._want(self._all(self._restless))

    def _all(self, names: Iterable[str]) -> Iterable[Watched]:
        return (Watched(name, scope) for name in names for scope in self._goals.scopes())

    def _judge(self, key: Watched, as_of: int, now: int, *, is_quiet: bool) -> list[Alert]:
        goal, today = self._milestones.get(key.name), self._floor.calendar.day_of(as_of)
        held = {id: self._alerts[id] for id in self._open.get(key, ())}
        if goal is None:
            return [self._keep(over(alert, now)) for alert in held.values()]
        period = self._goals.period(key.name, today)
        attainment = self._attainment(key, period, as_of)
        found: list[Alert] = []
        current = {_alert_id(key, period, limit): limit for limit in map(Fraction, goal.milestones)}
        for id, alert in held.items():
            if id not in current:  # another period's, or of a milestone that there is no more
                found.append(self._keep(over(alert, now)))
            elif attainment is None or attainment < current[id]:
                value = None if attainment is None else float(attainment)
                found.append(self._keep(with_value(alert.resolved(now), value)))
        for id, limit in current.items():
            if id not in self._alerts and attainment is not None and attainment >= limit:
                raised = self._raise(id, key, goal, period, limit, attainment, as_of, now)
                found.append(self._keep(replace(raised, quiet=SILENT)) if is_quiet else raised)
        return found

    def _attainment(self, key: Watched, period: Days, now: int) -> Fraction | None:
        if key.scope.kind == "rep":
            attained = self._goals.attained(key.name, key.scope.id or "", period, now)
            found = None if attained is None else attained.attainment
        else:
            standing = self._goals.standing(key.name, key.scope, period, now)
            found = None if standing is None else standing.attainment
        return None if found is None else Fraction(found)

    def _raise(
        self,
        id: str,
        key: Watched,
        goal: Goal,
        period: Days,
        limit: Fraction,
        attainment: Fraction,
        as_of: int,
        now: int,
    ) -> Alert:
        scope, today = key.scope, self._floor.calendar.day_of(as_of)
        start, end = self._goals.bounds(period)
        rep = scope.id if scope.kind == "rep" else None
        team = scope.id if scope.kind == "team" else self._floor.roster.team_on(rep, today)
        crossing = Crossing(
            key.name, scope.kind, goal.metric, goal.period, "reaches", float(limit), float(attainment),
            label=f"Goal {key.name}", unit="ratio", until=end,
        )  # fmt: skip
        return self._keep(Alert(id, GOAL, "warn", None, rep, team, start, as_of, max(now, as_of), crossing=crossing))

    def _keep(self, alert: Alert) -> Alert:
        self._alerts[alert.id] = alert
        key = watched_by(alert)
        held = self._open.setdefault(key, set())
        if alert.is_open:
            held.add(alert.id)
        else:
            held.discard(alert.id)
        if not held:
            del self._open[key]
        return alert


def _alert_id(key: Watched, period: Days, limit: Fraction) -> str:
    """The same across restarts. Names hold no colon, nor do kinds, dates and numbers: two ids are never alike."""
    first = date_of(period.first).isoformat()
    return f"{GOAL}:{key.name}:{key.scope.kind}:{key.scope.id or ''}:{first}:{float(limit):g}"
