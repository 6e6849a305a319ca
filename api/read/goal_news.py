"""What the stream tells of goals: when anything of one changes, and once a minute what moves by the clock.

Owns the difference against what was last told. Pure: `now` is an argument.
"""

from api.read.goal_rows import MOVES_BY_THE_CLOCK, goals_of_row
from api.read.view import Scope, View
from schemas.instants import MINUTE
from schemas.json_object import Json
from schemas.windows import Span

ToldGoals = dict[Scope, tuple[int, Json]]
"""Who has goals in a window -> the minute in which they were last told, and what was told then, by metric."""


def first_told(view: View, told: ToldGoals, scope: Scope, span: Span, now: int) -> Json:
    """The goals of somebody for a snapshot. Others may have been told of them before, and stay as they were told."""
    goals = goals_of_row(view, scope, span, now)
    if goals:
        told.setdefault(scope, (now // MINUTE, goals))
    return goals


def goal_news(view: View, told: ToldGoals, scope: Scope, span: Span, now: int, *, is_whole: bool) -> Json:
    """What a client does not have yet, by metric; None: the goal is gone. `is_whole`: all of them."""
    minute, before = told.get(scope, (-1, {}))
    goals = goals_of_row(view, scope, span, now)
    is_new_minute = minute != now // MINUTE
    news: Json = {
        metric: goal
        for metric, goal in goals.items()
        if is_whole or _is_news(before.get(metric), goal, is_new_minute=is_new_minute)
    }
    news |= dict.fromkeys(before.keys() - goals.keys())
    if goals and (news or is_new_minute):
        told[scope] = now // MINUTE, {metric: news.get(metric, before.get(metric)) for metric in goals}
    elif not goals:
        told.pop(scope, None)
    return news


def _is_news(before: Json | None, goal: Json, *, is_new_minute: bool) -> bool:
    if before is None or is_new_minute:
        return goal != before
    return any(before[name] != value for name, value in goal.items() if name not in MOVES_BY_THE_CLOCK)
