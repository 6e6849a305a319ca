"""Metrics that cross a limit: which alerts are to be raised, reopened or resolved, given all numbers and the time.

Owns what a crossing is, and what has fired. Does no I/O, and reads no clock.

    crossing    it was not so (or nobody had looked, or the period is new), and now it is
    period      in `today` to `year` one alert for each limit, scope and period: what goes back and forth after it was
                told turns the same alert, and only its first raising and first resolution are told
    rolling     in `5m` to `30d` each crossing is an alert of its own
    no number   a ratio of nothing neither raises nor resolves
    late        first seen long after its time of day (`quiet_after`): raised, and told in a summary alone
    over        the period ends, or nobody looks any more: resolved, whatever the number is
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from processor.core.crossings import CrossingBook, Watched, WatchedPane, over, watched_by
from schemas.alerts import LATE_AFTER, METRIC_THRESHOLD, SILENT, SUMMARY, Alert, Crossing
from schemas.calendars import BusinessCalendar, clock_instant
from schemas.catalogue.base import MetricValue
from schemas.config import Config
from schemas.config.alerts import Threshold
from schemas.config.windows import PERIODS
from schemas.floor import ORGANISATION, Floor, Scope, ScopeValues, rep_scope, team_scope
from schemas.instants import MINUTE
from schemas.windows import ROLLING_MINUTES, Span, Window, date_of, span_of

_TOLD_TURNS = 2


@dataclass(slots=True)
class _Rule:
    """One threshold, and whose numbers it looks at."""

    name: str
    threshold: Threshold
    prefix: str
    """Of the ids of its alerts: what was raised by another definition is another alert."""
    scopes: dict[Scope, str | None] = field(default_factory=dict)
    """With the team whose calendar counts."""

    @property
    def has_periods(self) -> bool:
        return self.threshold.window in PERIODS

    @property
    def is_timed(self) -> bool:
        """Whether a new minute may change what it says, without an event."""
        threshold = self.threshold
        return threshold.window in ROLLING_MINUTES or threshold.at is not None or threshold.during is not None


class _Phase(NamedTuple):
    """Whether somebody looks now, and since when, if `at` says so."""

    is_looked_at: bool
    since: int | None = None


_LOOKED_AT = _Phase(is_looked_at=True)
_NOT_NOW = _Phase(is_looked_at=False)


class ThresholdBook(CrossingBook):
    """Numbers are those of metrics here."""

    kind = METRIC_THRESHOLD

    def __init__(self, config: Config, floor: Floor) -> None:
        super().__init__(floor)
        self._config = config
        self._calendars = config.business_calendars()
        self._rules = {
            name: _Rule(name, threshold, f"{name}:{threshold.definition}")
            for name, threshold in config.alerts.thresholds.items()
        }
        self._open: dict[Watched, str] = {}
        self._crossings: dict[Watched, int] = {}
        """How often a rolling window's number has crossed."""
        self._clear: dict[Watched, str] = {}
        """The period in which a number was last seen on the good side."""
        self._restless: set[Watched] = set()
        """Numbers that change as time passes: a lead without an answer is part of them."""

    # ---------------------------------------------------------------- what was

    def begin(self, now: int) -> list[Alert]:
        """After all is restored: the alerts that are over because their threshold is not configured any more."""
        prefixes = {rule.prefix for rule in self._rules.values()}
        gone = [alert for alert in self._alerts.values() if alert.is_open and _prefix_of(alert) not in prefixes]
        found = [self._keep(over(alert, now)) for alert in gone]
        self._open = {watched_by(alert): alert.id for alert in self._alerts.values() if alert.is_open}
        return found

    def _is_needed(self, alert: Alert) -> bool:
        # Crossings are counted on from it; an id that was used before would be taken for a repetition.
        number = _crossing_of(alert)
        return number is not None and number == self._crossings.get(watched_by(alert))

    # ---------------------------------------------------------------- what changes

    def oldest(self, now: int) -> dict[bool, Window]:
        """Day or not -> the oldest window that means anything to a threshold at `now` or later."""
        found: dict[bool, Window] = {}
        for rule in self._rules.values():
            span = self._span(rule, now)
            first = Window(span.windows()[0])
            found[span.days] = min(first, found.get(span.days, first))
        return self._with_levels(found, [rule.threshold.metric for rule in self._rules.values()], now)

    # ---------------------------------------------------------------- looking

    def _gather(self, panes: Mapping[WatchedPane, bool], last: int | None, as_of: int, *, is_all_new: bool) -> None:
        is_new_minute = last is None or last // MINUTE != as_of // MINUTE
        for rule in self._rules.values():
            if is_all_new:
                rule.scopes = self._scopes(rule.threshold, as_of)
            self._want_touched(rule, panes, as_of)
            if is_all_new or (is_new_minute and rule.is_timed):
                self._want(Watched(rule.name, scope) for scope in rule.scopes)
        if is_all_new:
            # Whoever has left may still have an alert.
            self._want(self._open)
        if as_of != last:
            self._want(self._restless)

    def _want_touched(self, rule: _Rule, panes: Mapping[WatchedPane, bool], as_of: int) -> None:
        inside = self._span(rule, as_of).windows()
        for (window, rep), is_quiet in panes.items():
            if window in inside:
                scopes = (scope for scope in self._floor.scopes_of(window, rep) if scope in rule.scopes)
                self._want_moved((Watched(rule.name, scope) for scope in scopes), is_quiet=is_quiet)

    def _span(self, rule: _Rule, now: int) -> Span:
        return span_of(rule.threshold.window, now, self._floor.calendar)

    def _scopes(self, threshold: Threshold, as_of: int) -> dict[Scope, str | None]:
        """Whose numbers a threshold looks at, with their teams."""
        roster, wanted = self._floor.roster, threshold.teams
        if threshold.per == "organisation":
            return {ORGANISATION: None}
        day = self._floor.calendar.day_of(as_of)
        teams = {rep: person.team_on(day) for rep, person in roster.people.items() if person.active}
        if threshold.per == "rep":
            return {rep_scope(rep): team for rep, team in teams.items() if wanted is None or team in wanted}
        # A team of the past has numbers too, and nobody who could better them.
        peopled = {team for team in teams.values() if team is not None}
        return {team_scope(team): team for team in sorted(peopled) if wanted is None or team in wanted}

    # ---------------------------------------------------------------- when

    def _calendar_of(self, threshold: Threshold, team: str | None) -> BusinessCalendar | None:
        name = threshold.calendar
        if name is None and team is not None and team in self._config.teams:
            name = self._config.teams[team].calendar
        name = name or self._config.organisation.calendar
        return None if name is None else self._calendars[name]

    def _phase(self, threshold: Threshold, calendar: BusinessCalendar | None, as_of: int) -> _Phase:
        if threshold.at is not None:
            return self._phase_at(_minutes(threshold.at), calendar, as_of)
        if threshold.during is None or calendar is None:
            return _LOOKED_AT
        if not calendar.is_open(as_of):
            return _NOT_NOW
        minutes = ROLLING_MINUTES.get(threshold.window)
        if threshold.comparison == "below" and minutes is not None:
            # A window that reaches back into the night says nothing of the day.
            opened_at = calendar.opened_at(as_of)
            if opened_at is None or as_of < opened_at + minutes * MINUTE:
                return _NOT_NOW
        return _LOOKED_AT

    def _phase_at(self, minutes: int, calendar: BusinessCalendar | None, as_of: int) -> _Phase:
        """Since the newest such time of day that lies in the organisation's day of now, and on a working day."""
        days = self._floor.calendar
        zone = days.zone if calendar is None else calendar.zone
        today = days.day_of(as_of)
        for local_day in (today + 1, today, today - 1):
            since = clock_instant(zone, local_day, minutes)
            is_work = calendar is None or calendar.is_working_day(local_day)
            if since <= as_of and days.day_of(since) == today and is_work:
                return _Phase(is_looked_at=True, since=since)
        return _NOT_NOW

    # ---------------------------------------------------------------- one number

    def _judge(self, key: Watched, as_of: int, now: int, *, is_quiet: bool) -> list[Alert]:
        rule = self._rules[key.name]
        threshold, span = rule.threshold, self._span(rule, as_of)
        period = date_of(span.first).isoformat() if rule.has_periods else ""
        found: list[Alert] = []
        held = self._open.get(key)
        self._restless.discard(key)
        phase = _NOT_NOW
        if key.scope in rule.scopes:
            phase = self._phase(threshold, self._calendar_of(threshold, rule.scopes[key.scope]), as_of)
        is_past = rule.has_periods and held is not None and held != _alert_id(rule, key.scope, period)
        if held is not None and (is_past or not phase.is_looked_at):
            found.append(self._keep(over(self._alerts[held], now)))
            held = None
        if not phase.is_looked_at:
            return found
        pane = self._floor.merged(key.scope, span, as_of, self._floor.cells_of([threshold.metric]))
        if self._floor.moves_by_the_clock(threshold.metric, pane):
            self._restless.add(key)
        values = self._floor.result(pane, as_of, [threshold.metric], span)
        verdict = is_beyond(threshold, values)
        if verdict is False:
            self._clear[key] = period
            if held is not None:
                found.append(self._turn(self._alerts[held].resolved(now), values))
        elif verdict and held is None:
            due_at = as_of if phase.since is None or self._clear.get(key) == period else phase.since
            quiet = SUMMARY if now - due_at > self._config.alerts.quiet_after else ""
            # Nothing that is brought makes it too little; time does.
            is_silent = is_quiet and threshold.comparison != "below"
            found.append(
                self._raise(rule, key, span, values, due_at, max(now, due_at), quiet=SILENT if is_silent else quiet)
            )
        return found

    def _raise(
        self, rule: _Rule, key: Watched, span: Span, values: ScopeValues, due_at: int, now: int, *, quiet: str
    ) -> Alert:  # fmt: skip
        occasion = date_of(span.first).isoformat() if rule.has_periods else f"n{self._crossings.get(key, 0) + 1}"
        id = _alert_id(rule, key.scope, occasion)
        earlier = self._alerts.get(id)
        if earlier is not None:
            return self._turn(earlier.reopened(), values)
        threshold, is_money = rule.threshold, rule.threshold.metric in self._floor.money
        metric = self._floor.catalogue[threshold.metric]
        crossing = Crossing(
            rule.name, threshold.per, threshold.metric, threshold.window, threshold.comparison,
            _written(threshold.limit, is_money=is_money), _number(threshold, values),
            at=threshold.at, currency=self._config.organisation.currency if is_money else None,
            label=metric.label, unit=metric.unit,
        )  # fmt: skip
        alert = Alert(
            id, METRIC_THRESHOLD, threshold.level, None, key.scope.id if key.scope.kind == "rep" else None,
            rule.scopes[key.scope], span.bounds(self._floor.calendar)[0], due_at, now,
            is_late=now - due_at > LATE_AFTER, crossing=crossing, quiet=quiet,
        )  # fmt: skip
        return self._keep(alert)

    def _turn(self, alert: Alert, values: ScopeValues) -> Alert:
        crossing = alert.crossing
        if crossing is None:
            return alert
        threshold = self._rules[crossing.threshold].threshold
        return self._keep(replace(alert, crossing=replace(crossing, value=_number(threshold, values), is_over=False)))

    def _keep(self, alert: Alert) -> Alert:
        self._alerts[alert.id] = alert
        key = watched_by(alert)
        if alert.is_open:
            self._open[key] = alert.id
        elif self._open.get(key) == alert.id:
            del self._open[key]
        number = _crossing_of(alert)
        if number is not None:
            self._crossings[key] = max(self._crossings.get(key, 0), number)
        return alert


def is_beyond(threshold: Threshold, values: ScopeValues) -> bool | None:
    """Whether a number is beyond the limit; None if there is none that says so or the contrary.

    Numbers are compared as they are shown, in decimals: a money's text, a ratio's shortest digits.
    """
    limit, value = threshold.limit, values.metrics[threshold.metric]
    if value is not None:
        number = Decimal(str(value))
        return {"below": number < limit, "above": number > limit, "reaches": number >= limit}[threshold.comparison]
    bound = values.bounds.get(threshold.metric)
    if bound is None:
        return None
    # It is at least that, so it may be beyond a limit already although it is not known.
    least = Decimal(str(bound))
    if threshold.comparison == "below":
        return False if least >= limit else None
    return True if least > limit or (threshold.comparison == "reaches" and least == limit) else None


def is_told(alert: Alert) -> bool:
    """Whether channels are told of this turn: a number that wavers around its limit is not told of again and again."""
    return alert.turn <= _TOLD_TURNS and alert.quiet != SILENT


def _written(limit: Decimal, *, is_money: bool) -> int | float | str:
    """The limit in the form of the metric's values."""
    if is_money:
        return format(limit, "f")
    return int(limit) if limit == limit.to_integral_value() else float(limit)


def _number(threshold: Threshold, values: ScopeValues) -> MetricValue:
    value = values.metrics[threshold.metric]
    return values.bounds.get(threshold.metric) if value is None else value


def _alert_id(rule: _Rule, scope: Scope, occasion: str) -> str:
    """The same across restarts. Names hold no colon, and nor do kinds and occasions: two ids are never alike."""
    return f"{rule.prefix}:{scope.kind}:{scope.id or ''}:{occasion}"


def _prefix_of(alert: Alert) -> str:
    return ":".join(alert.id.split(":", 2)[:2])


def _crossing_of(alert: Alert) -> int | None:
    """Of a rolling window: the number of the crossing."""
    occasion = alert.id.rpartition(":")[2]
    return int(occasion[1:]) if occasion.startswith("n") else None


def _minutes(time_of_day: str) -> int:
    return int(time_of_day[:2]) * 60 + int(time_of_day[3:])
