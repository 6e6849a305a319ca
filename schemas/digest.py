"""The day in figures: what the digest tells, before it is put in words.

The worker makes it when it is due (processor/core/days.py), the api when somebody asks what it would say now. Owns what
is in it. Pure: the numbers and `now` are arguments.
"""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from schemas.catalogue import Catalogue
from schemas.catalogue.base import MetricValue
from schemas.config import Config
from schemas.config.tiles import FiguresTile
from schemas.floor import ORGANISATION, Floor, Scope, team_scope
from schemas.goals.book import GoalBook
from schemas.goals.periods import Days
from schemas.goals.standing import Standing
from schemas.leads import LeadClock
from schemas.windows import Day, span_of
from schemas.wins import Win

USUAL = (
    "calls_made", "conversations", "emails_sent", "meetings_held", "leads_answered", "lead_response_within_sla",
    "deals_won", "revenue_won",
)  # fmt: skip
"""The metrics of a digest where neither it nor a screen names any."""
MOST_METRICS = 20


class Figure(NamedTuple):
    """A metric of the organisation, today and on the day before."""

    metric: str
    today: MetricValue
    before: MetricValue
    change: float | None
    """By how much it is more: a share of the day before, or of a ratio the difference; None: there is no saying."""


class Reached(NamedTuple):
    """How far the organisation or a team is with a goal of the period in which the day lies."""

    goal: str
    scope: Scope
    period: Days
    standing: Standing


class DayDigest(NamedTuple):
    """One day."""

    day: Day
    as_of: int
    figures: list[Figure]
    goals: list[Reached]
    wins: list[Win]
    """Of the day, the newest first."""
    waiting: list[LeadClock]
    """Leads that wait, longest first."""
    breached: int


def digest_metrics(config: Config) -> list[str]:
    """The metrics of the digest: as it says, else those that screens show in figures, else the usual ones."""
    catalogue: Catalogue = config.catalogue
    said: Sequence[str] = config.digest.metrics if config.digest is not None else ()
    tiles = (tile for screen in config.screens.values() for scene in screen.scenes for tile in scene.tiles)
    shown = [metric for tile in tiles if isinstance(tile, FiguresTile) for metric in tile.metrics]
    chosen = dict.fromkeys(said or shown or USUAL)
    return [name for name in chosen if name in catalogue][:MOST_METRICS]


def digest_so_far(
    floor: Floor, goals: GoalBook, wins: Iterable[Win], clocks: Iterable[LeadClock], now: int
) -> DayDigest:  # fmt: skip
    """The day so far. `wins`: of this day at least; `clocks`: of all leads that wait at least."""
    day, warn_at = floor.calendar.day_of(now), floor.config.lead_response.warn_at
    start = floor.calendar.day_start(day)
    waiting = [clock for clock in clocks if clock.is_waiting(now)]
    return DayDigest(
        day,
        now,
        list(_figures(floor, now)),
        list(_goals(floor, goals, now)),
        sorted((win for win in wins if start <= win.at <= now), key=Win.key),
        sorted(waiting, key=lambda clock: (clock.started_at or 0, clock.lead)),
        sum(clock.state(now, warn_at) == "breached" for clock in waiting),
    )


def _figures(floor: Floor, now: int) -> Iterator[Figure]:
    metrics = digest_metrics(floor.config)
    today = floor.values(ORGANISATION, span_of("today", now, floor.calendar), now, metrics).metrics
    before = floor.values(ORGANISATION, span_of("yesterday", now, floor.calendar), now, metrics).metrics
    for name in metrics:
        yield Figure(
            name, today[name], before[name], _change(today[name], before[name], floor.catalogue[name].unit)
        )  # fmt: skip


def _change(value: MetricValue, before: MetricValue, unit: str) -> float | None:
    if value is None or before is None:
        return None
    now, then = Decimal(str(value)), Decimal(str(before))
    if unit == "ratio":
        return float(now - then)
    return float(now / then - 1) if then else None


def _goals(floor: Floor, goals: GoalBook, now: int) -> Iterator[Reached]:
    today = floor.calendar.day_of(now)
    scopes = [ORGANISATION, *map(team_scope, floor.roster.team_names)]
    for name in goals.goals:
        for scope in scopes:
            period = goals.period(name, today)
            found = goals.standing(name, scope, period, now)
            if found is not None:
                yield Reached(name, scope, period, found)


def first_day_needed(floor: Floor, goals: GoalBook, now: int) -> Day:
    """The oldest day whose numbers a digest of today may look at."""
    today = floor.calendar.day_of(now)
    return min([today - 1, *(goals.period(name, today).first for name in goals.goals)])
