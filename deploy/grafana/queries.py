"""Queries and choices that dashboards share."""

from deploy.grafana.model import Variable

_CHOSEN = 'window="$window",team=~"$team"'


# Every api exports the same picture of the floor: `max` takes one of them, a sum over instances would double it.


def per_rep(metric: str) -> str:
    """By rep and team, once however many apis there are."""
    return f'max by (rep, team) (floorcast_{metric}{{{_CHOSEN},rep!=""}})'


def per_team(metric: str) -> str:
    """Of each team: its own series, which there are where `prometheus.reps` leaves people out, else theirs together."""
    return f'(max by (team) (floorcast_{metric}{{{_CHOSEN},rep=""}}) or sum by (team) ({per_rep(metric)}))'


def total_query(metric: str) -> str:
    """Of all teams together."""
    return f"sum({per_team(metric)})"


def share(part: str, whole: str) -> str:
    """Of the sums, never of shares; nothing where the whole is 0."""
    return f"{total_query(part)} / ({total_query(whole)} > 0)"


def of_rep(metric: str) -> str:
    """Of the chosen rep, as the api has it: ratios and percentiles are not made again here."""
    return f'max(floorcast_{metric}{{window="$window",rep="$rep"}})'


WINDOW = Variable("window", "Window", "label_values(floorcast_calls_made, window)", default="today")
TEAM = Variable("team", "Team", "label_values(floorcast_calls_made, team)", is_multi=True)
REP = Variable("rep", "Rep", "label_values(floorcast_calls_made, rep)")


def from_green(yellow: float | None, red: float | None = None) -> tuple[tuple[str, float | None], ...]:
    """Colours of a value that is bad when it is high; None: not that one."""
    others = [(color, value) for color, value in (("yellow", yellow), ("red", red)) if value is not None]
    return ("green", None), *others


RED_FROM_ONE = from_green(None, 1)
SECONDS_OF_RESPONSE = from_green(900, 3600)
YES_NO = ({"type": "value", "options": {"0": {"text": "no", "color": "red"}, "1": {"text": "yes", "color": "green"}}},)
