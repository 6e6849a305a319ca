"""Goals that reach a milestone: which alerts are to be raised or resolved, given all numbers and the time.

Owns what a milestone is, and what has fired. Does no I/O, and reads no clock.

    raised      the first time in a period that attainment is as much or more; not again in that period
    resolved    attainment falls below, the period is over, or nobody has that goal any more
"""

from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

from msgspec.structs import replace

from schemas.alerts import GOAL, Alert, Crossing, decode_alert
from schemas.config.goals import Goal
from schemas.floor import Floor, Scope
from schemas.goals.book import GoalBook
from schemas.goals.periods import Days
from schemas.windows import Window, date_of, day_window, index_of, is_day

LOOKS_AT_ONCE = 250
"""Attainments that one look makes: some ten milliseconds, after which others have their turn."""

Pane = tuple[Window, str | None]


class _Key(NamedTuple):
    """One attainment that is looked at."""

    goal: str
    scope: Scope


class MilestoneBook:
    """State: the alerts that were raised, and which attainments may be others since the last look."""

    def __init__(self, floor: Floor) -> None:
        self._alerts: dict[str, Alert] = {}
        self._open: dict[_Key, set[str]] = {}
        self._queue: dict[_Key, None] = {}
        self._panes: set[Pane] = set()
        self.rebase(floor)

    @property
    def is_needed(self) -> bool:
        """Whether there is any milestone, or an alert of one that there was."""
        return bool(self._milestones) or bool(self._open)

    def rebase(self, floor: Floor) -> None:
        """Look at these numbers from now on: they were read in anew."""
        self._floor = floor
        self._goals = GoalBook(floor)
        self._milestones: dict[str, Goal] = {
            name: goal for name, goal in self._goals.goals.items() if goal.milestones
        }  # fmt: skip
        self._restless = [name for name, goal in self._milestones.items() if floor.moves_by_the_clock(goal.metric)]
        self._is_all_new = True
        self._looked_at: int | None = None

    def restore(self, row: bytes) -> None:
        """Put an alert back that an earlier owner published, if it is of a goal."""
        alert = decode_alert(row)
        if alert.kind == GOAL:
            self._keep(alert)

    def forget(self, before: int) -> list[str]:
        """Forget the alerts that were resolved before that instant; their ids."""
        ids = [id for id, alert in self._alerts.items() if alert.resolved_at is not None and alert.resolved_at < before]
        for id in ids:
            del self._alerts[id]
        return ids

    def oldest(self, now: int) -> dict[bool, Window]:
        """The oldest day that means anything to a goal at `now` or later, if there is any; as thresholds say it."""
        today = self._floor.calendar.day_of(now)
        days = [self._goals.period(name, today).first for name in self._milestones]
        return {True: day_window(min(days))} if days else {}

    def note_pane(self, pane: Pane) -> None:
        """A pane has changed."""
        if not self._is_all_new and is_day(pane[0]):
            self._panes.add(pane)

    def note_roster(self) -> None:
        """Somebody's entry, absence or goal has changed."""
        self._is_all_new = True

    @property
    def is_behind(self) -> bool:
        """Whether the last look left attainments for the next one."""
        return bool(self._queue)

    def look(self, as_of: int, now: int, most: int = LOOKS_AT_ONCE) -> list[Alert]:
        """Look at attainments that may have changed, at most so many; the alerts that turn. As thresholds do."""
        self._gather(as_of)
        found: list[Alert] = []
        while self._queue and most > 0:
            most -= 1
            key = next(iter(self._queue))
            del self._queue[key]
            found += self._judge(key, as_of, now)
        return found

    def _gather(self, as_of: int) -> None:
        panes, self._panes = self._panes, set()
        last, self._looked_at = self._looked_at, as_of
        day_of = self._floor.calendar.day_of
        is_all_new = self._is_all_new or last is None or day_of(last) != day_of(as_of)
        self._is_all_new = False
        if is_all_new:
            self._queue |= dict.fromkeys(self._open)  # also of goals and people that there are no more
            self._queue |= dict.fromkeys(self._all(self._milestones))
            return
        if as_of != last:
            self._queue |= dict.fromkeys(self._all(self._restless))
        today = day_of(as_of)
        periods = {name: self._goals.period(name, today) for name in self._milestones}
        for window, rep in panes:
            for name, period in periods.items():
                if period.first <= index_of(window) <= period.last:
                    scopes = self._floor.scopes_of(window, rep)
                    self._queue |= dict.fromkeys(_Key(name, scope) for scope in scopes)

    def _all(self, names: Iterable[str]) -> Iterable[_Key]:
        return (_Key(name, scope) for name in names for scope in self._goals.scopes())

    def _judge(self, key: _Key, as_of: int, now: int) -> list[Alert]:
        goal, today = self._milestones.get(key.goal), self._floor.calendar.day_of(as_of)
        held = {id: self._alerts[id] for id in self._open.get(key, ())}
        if goal is None:
            return [self._close(alert, now) for alert in held.values()]
        period = self._goals.period(key.goal, today)
        attainment = self._attainment(key, period, as_of)
        found: list[Alert] = []
        current = {_alert_id(key, period, limit): limit for limit in map(Fraction, goal.milestones)}
        for id, alert in held.items():
            if id not in current:  # another period's, or of a milestone that there is no more
                found.append(self._close(alert, now))
            elif attainment is None or attainment < current[id]:
                found.append(self._keep(_with_value(alert.resolved(now), attainment)))
        for id, limit in current.items():
            if id not in self._alerts and attainment is not None and attainment >= limit:
                found.append(self._raise(id, key, goal, period, limit, attainment, as_of, now))
        return found

    def _attainment(self, key: _Key, period: Days, now: int) -> Fraction | None:
        if key.scope.kind == "rep":
            attained = self._goals.attained(key.goal, key.scope.id or "", period, now)
            found = None if attained is None else attained.attainment
        else:
            standing = self._goals.standing(key.goal, key.scope, period, now)
            found = None if standing is None else standing.attainment
        return None if found is None else Fraction(found)

    def _raise(
        self, id: str, key: _Key, goal: Goal, period: Days, limit: Fraction, attainment: Fraction, as_of: int, now: int
    ) -> Alert:
        scope, today = key.scope, self._floor.calendar.day_of(as_of)
        start, end = self._goals.bounds(period)
        rep = scope.id if scope.kind == "rep" else None
        team = scope.id if scope.kind == "team" else self._floor.roster.team_on(rep, today)
        crossing = Crossing(
            key.goal, scope.kind, goal.metric, goal.period, "reaches", float(limit), float(attainment),
            label=f"Goal {key.goal}", unit="ratio", until=end,
        )  # fmt: skip
        return self._keep(Alert(id, GOAL, "warn", None, rep, team, start, as_of, max(now, as_of), crossing=crossing))

    def _close(self, alert: Alert, now: int) -> Alert:
        """Its period is over, or nobody has that goal any more."""
        crossing = None if alert.crossing is None else replace(alert.crossing, is_over=True)
        return self._keep(replace(alert.resolved(now), crossing=crossing))

    def _keep(self, alert: Alert) -> Alert:
        self._alerts[alert.id] = alert
        key = _key_of(alert)
        held = self._open.setdefault(key, set())
        if alert.is_open:
            held.add(alert.id)
        else:
            held.discard(alert.id)
        if not held:
            del self._open[key]
        return alert


def _with_value(alert: Alert, attainment: Fraction | None) -> Alert:
    value = None if attainment is None else float(attainment)
    return alert if alert.crossing is None else replace(alert, crossing=replace(alert.crossing, value=value))


def _alert_id(key: _Key, period: Days, limit: Fraction) -> str:
    """The same across restarts. Names hold no colon, nor do kinds, dates and numbers: two ids are never alike."""
    first = date_of(period.first).isoformat()
    return f"{GOAL}:{key.goal}:{key.scope.kind}:{key.scope.id or ''}:{first}:{float(limit):g}"


def _key_of(alert: Alert) -> _Key:
    crossing = alert.crossing
    per, name = ("organisation", "") if crossing is None else (crossing.per, crossing.threshold)
    return _Key(name, Scope(per, {"rep": alert.rep, "team": alert.team}.get(per)))
