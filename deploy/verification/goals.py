"""Goals as the recount reads them: how far everybody is with what each day carries, on values that others recounted.

Owns the recount's own formulas of goals: attainment, pace, what is needed, who is at their goal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, Any

from deploy.verification.goal_days import OF_WINDOWS, Dates, GoalDays, Whose
from deploy.verification.measures import Exact
from deploy.verification.rows import shown
from deploy.verification.spans import Span

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.verification.books import BoundDefinitions
    from deploy.verification.records import Record
    from schemas.config.goals import Goal

_PERIODS = ("day", "week", "month", "quarter", "fiscal_quarter", "year", "fiscal_year")

ORGANISATION = Whose("organisation")
Actual = Callable[[str, Whose, Dates], Exact]
"""The exact value of a metric on days; None where not all of them are kept."""


class Goals(GoalDays):
    """How far everybody is with all goals of a configuration. The values of one instant belong to one `actual_of`."""

    def __init__(self, reading: BoundDefinitions, records: Iterable[Record]) -> None:
        super().__init__(reading, records)
        self._reached: dict[tuple[str, Dates, int], list[tuple[set[str | None], bool]]] = {}

    def standing(self, name: str, whose: Whose, days: Dates, now: int, actual_of: Actual) -> dict[str, Any] | None:
        """Where somebody is with a goal in these days, exactly; None: there is nothing to reach."""
        goal, today = self.goals[name], self.people.day_of(now)
        is_over = days.last < today
        to_date = Dates(days.first, min(days.last, today))
        found: dict[str, Any] = dict.fromkeys(("gap", "expected", "pace", "projection", "needed_per_day"))
        if not self.is_spread(name):
            target = self.unspread_target(name, whose, days, now)
            if not target:
                return None
            actual = actual_of(goal.metric, whose, to_date)
            is_lower = self.terms.definitions.metrics[goal.metric].get("better") == "lower"
            above, below = (target, actual) if is_lower else (actual, target)
            is_reached = actual is not None and (actual <= target if is_lower else actual >= target)
            return found | {
                "target": target,
                "actual": actual,
                "attainment": Fraction(above) / below if above is not None and below else None,
                "state": "reached" if is_reached else "missed" if is_over else "behind",
            }
        target, expected = self.target(name, whose, days, now)
        if not target:
            return None
        actual = actual_of(goal.metric, whose, to_date)
        found |= {"target": target, "expected": expected, "actual": actual, "attainment": None, "state": None}
        if actual is None:
            return found
        missing, share = target - actual, self.needed_share(name, whose, days, now)
        pace = Fraction(actual) / expected if expected else None
        return found | {
            "attainment": Fraction(actual) / target,
            "gap": actual - target,
            "pace": pace,
            "projection": actual * target / expected if expected else None,
            "needed_per_day": Fraction(0) if missing <= 0 else None if share is None else missing * share,
            "state": _state(goal, actual >= target, is_over=is_over, pace=pace),
        }

    def share_at_goal(self, name: str, team: str | None, days: Dates, now: int, actual_of: Actual) -> Exact:
        """Of the people who on a day have something to reach in a team (None: in any), how many have reached it."""
        outcomes = [reached for teams, reached in self._outcomes(name, days, now, actual_of) if team in teams]
        return Fraction(sum(outcomes), len(outcomes)) if outcomes else None

    def _outcomes(
        self, name: str, days: Dates, now: int, actual_of: Actual
    ) -> list[tuple[set[str | None], bool]]:  # fmt: skip
        """Of everybody with something to reach: in which teams (None: in any), and whether they have."""
        key = name, days, now
        if key not in self._reached:
            self._reached.clear()
            self._reached[key] = [
                ({None, *self._teams_of(name, rep, days)}, standing["state"] == "reached")
                for rep in self.people.roster
                if (standing := self.standing(name, Whose("rep", rep), days, now, actual_of)) is not None
            ]
        return self._reached[key]

    def _teams_of(self, name: str, rep: str, days: Dates) -> set[str | None]:
        if not self.is_spread(name):
            return {self.people.team_of(rep, day) for day in days if self.people.is_employed(rep, day)}
        return {self.people.team_of(rep, day) for day in days if self.weight(name, rep, day)[0]}

    def row(self, name: str, whose: Whose, period: Dates, now: int, actual_of: Actual) -> dict[str, Any] | None:
        """What `/v1/goals` says of somebody in a period; None: there is no row."""
        found = self.standing(name, whose, period, now, actual_of)
        if found is None:
            return None
        goal, entry = self.goals[name], self.terms.definitions.metrics[self.goals[name].metric]
        made = self.as_shown(name, found)
        today = self.people.day_of(now)
        share = None
        if whose.scope != "rep" and self._is_known(goal.metric, Dates(period.first, min(period.last, today)), now):
            share = self.share_at_goal(name, whose.id, period, now, actual_of)
        low, high = (Fraction(str(limit)) for limit in goal.fit)
        fit = None
        if share is not None and period.last < today:
            fit = "too_high" if share < low else "too_low" if share >= high else "fits"
        deals = leads = None
        if entry["unit"] == "money" and found["gap"] is not None:
            deals, leads = self._missing(-found["gap"], whose, today, actual_of)
        return made | {
            "share_at_goal": None if share is None else float(share),
            "fit": fit,
            "deals_needed": deals,
            "leads_needed": leads,
        }

    def _is_known(self, metric: str, days: Dates, now: int) -> bool:
        """Whether all of these days is still kept for a metric."""
        span = Span(None, None, days.first, days.last, now, self.people.day_of(now))
        leaves = self.reading.formulas.by_name[metric].leaves()
        return self.terms.is_kept(span) and not any(one.lacks(span) for leaf in leaves for one in leaf.measures)

    def _missing(
        self, missing: Fraction, whose: Whose, today: date, actual_of: Actual
    ) -> tuple[int | None, int | None]:
        if missing <= 0:
            return 0, 0
        days = Dates(today - timedelta(days=89), today)
        average, conversion = (
            actual_of(metric, whose, days) if metric in self.terms.definitions.metrics else None
            for metric in ("average_deal_size", "lead_conversion_rate")
        )
        if average is None or average <= 0:
            return None, None
        deals = missing / average
        return ceil(deals), ceil(deals / conversion) if conversion is not None and conversion > 0 else None

    def as_shown(self, name: str, found: Mapping[str, Any]) -> dict[str, Any]:
        """The same as it is served."""
        entry = self.terms.definitions.metrics[self.goals[name].metric]
        made: dict[str, Any] = {"state": found["state"]}
        for field in ("target", "actual", "gap", "expected", "projection", "needed_per_day"):
            made[field] = shown(found[field], entry, self.terms.currency)
        for field in ("attainment", "pace"):
            made[field] = None if found[field] is None else float(found[field])
        return made

    def meant(self, metric: str, window: str, days: Dates) -> list[str]:
        """The goals of a metric in a window, the one that is meant first."""
        ranked = []
        for place, (name, goal) in enumerate(self.goals.items()):
            period = self.period(name, days.first)
            is_held = period.first <= days.first and days.last <= period.last
            if goal.metric != metric or not (is_held or self.is_spread(name)):
                continue
            if period == days:
                rank = (0, int(goal.period != OF_WINDOWS.get(window)), place)
            else:
                rank = (1, _PERIODS.index(goal.period), place) if is_held else (2, 0, place)
            ranked.append((rank, name))
        return [name for _, name in sorted(ranked)]


def _state(goal: Goal, is_reached: bool, *, is_over: bool, pace: Fraction | None) -> str:
    if is_reached or is_over:
        return "reached" if is_reached else "missed"
    if pace is None:
        return "on_track"
    behind, ahead = (Fraction(str(limit)) for limit in (goal.bands.behind, goal.bands.ahead))
    return "ahead" if pace >= ahead else "behind" if pace < behind else "on_track"
