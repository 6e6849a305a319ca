"""Who stands out: reps whose metric is far from their team's, where there are enough cases to say so.

Owns how far and how many. Pure; values come from comparison.py.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from api.read.comparison import Comparisons
from api.read.segments import RowParts
from api.read.view import View, rep_scope
from schemas.catalogue.base import Exact, shown
from schemas.json_object import Json
from schemas.windows import Span

FAR = Fraction(1, 4)
"""How far from the team's value, as a share of it."""
ENOUGH = 20
"""Cases that a value has to be made of."""


class Standout(NamedTuple):
    """One metric of one rep."""

    distance: Fraction
    rep: str
    team: str
    metric: str
    value: Exact
    team_value: Exact
    sample: int | Fraction


def standouts(view: View, reps: Sequence[str], span: Span, now: int, metrics: Sequence[str]) -> list[Json]:
    """The metrics in which employed people differ from their team, the widest first."""
    found = sorted(_found(view, reps, span, now, metrics), key=lambda one: (-one.distance, one.rep, one.metric))
    return [_json(view, one, now) for one in found]


def _found(view: View, reps: Sequence[str], span: Span, now: int, metrics: Sequence[str]) -> Iterator[Standout]:
    parts = RowParts(view, now, metrics)
    comparisons = Comparisons(parts, span)
    employed, today = set(comparisons.employed[None]), view.calendar.day_of(now)
    for rep in reps:
        team = view.roster.team_on(rep, today)
        if team is None or rep not in employed:
            continue
        for metric in metrics:
            value, team_value = parts.exact(rep_scope(rep), span, metric), comparisons.of_team(team, metric)
            if value is None or not team_value:
                continue
            distance = abs(Fraction(value - team_value) / team_value)
            sample = parts.sample(rep_scope(rep), span, metric)
            if distance >= FAR and sample is not None and sample >= ENOUGH:
                yield Standout(distance, rep, team, metric, value, team_value, sample)


def _json(view: View, one: Standout, now: int) -> Json:
    entry, reading = view.catalogue[one.metric], view.reading(now)
    is_higher = Fraction(one.value or 0) > Fraction(one.team_value or 0)
    return {
        "rep": one.rep,
        "name": view.roster.name_of(one.rep),
        "team": one.team,
        "metric": one.metric,
        "value": shown(one.value, entry.unit, reading),
        "team_value": shown(one.team_value, entry.unit, reading),
        "side": "strong" if is_higher == (entry.better == "higher") else "weak",
        "n": int(one.sample) if one.sample == int(one.sample) else float(one.sample),
    }
