"""Queries and choices that dashboards share."""

from deploy.grafana.model import Variable

FLOOR = 'window="$window",team=~"$team"'
ONE_REP = 'window="$window",rep="$rep"'


# Every api exports the same picture of the floor: `max` takes one of them, a sum over instances would double it.


def per_rep(metric: str, where: str) -> str:
    """By rep and team, once however many apis there are."""
    return f'max by (rep, team) (floorcast_{metric}{{{where},rep!=""}})'


def per_team(metric: str, where: str) -> str:
    """Of each team: its own series, which there are where `prometheus.reps` leaves people out, else theirs together."""
    own = f'max by (team) (floorcast_{metric}{{{where},rep=""}})'
    return f"({own} or sum by (team) ({per_rep(metric, where)}))"


def total_query(metric: str, where: str) -> str:
    """Of all teams together."""
    return f"sum({per_team(metric, where)})"


def share(part: str, whole: str, where: str) -> str:
    """Of the sums, never of shares; nothing where the whole is 0."""
    return f"{total_query(part, where)} / ({total_query(whole, where)} > 0)"


WINDOW = Variable("window", "Window", "label_values(floorcast_calls_made, window)", default="today")
TEAM = Variable("team", "Team", "label_values(floorcast_calls_made, team)", is_multi=True)
REP = Variable("rep", "Rep", "label_values(floorcast_calls_made, rep)")

RED_FROM_ONE = (("green", None), ("red", 1))
SECONDS_OF_RESPONSE = (("green", None), ("yellow", 900), ("red", 3600))
YES_NO = ({"type": "value", "options": {"0": {"text": "no", "color": "red"}, "1": {"text": "yes", "color": "green"}}},)
