"""The dashboard of goals: how far the organisation, teams and people are in the current period of each goal."""

from deploy.grafana.model import Dashboard, Variable
from deploy.grafana.panels import lines, number_panel, ranking, section, share_panel, table_panel

_GOAL = Variable("goal", "Goal", "label_values(floorcast_goal_attainment, goal)")
_TEAM = Variable("team", "Team", "label_values(floorcast_goal_attainment, team)", is_multi=True)
_STEPS = (("red", None), ("yellow", 0.6), ("green", 0.9))


def _of(scope: str, by: str = "") -> str:
    """Attainment, once however many apis there are."""
    team = "" if scope == "organisation" else ',team=~"$team"'
    return f'max{by and f" by ({by})"} (floorcast_goal_attainment{{goal="$goal",scope="{scope}"{team}}})'


_PEOPLE = _of("rep", "rep, team")

GOALS = Dashboard(
    uid="floorcast-goals",
    title="Goals",
    description="Actual divided by target, in the current period of a goal. Who has no target is not there.",
    variables=(_GOAL, _TEAM),
    since="now-7d",
    sections=(
        section(
            "How far",
            share_panel("Organisation", _of("organisation"), steps=_STEPS),
            number_panel("People with a target", f"count({_PEOPLE})"),
            number_panel("At their goal", f"count({_PEOPLE} >= 1) or vector(0)"),
            share_panel(
                "Share at goal",
                f"(count({_PEOPLE} >= 1) or vector(0)) / count({_PEOPLE})",
                steps=_STEPS,
                description="Below 60 % the goal may be too high, from 90 % on too low.",
            ),
        ),
        section(
            "Teams and people",
            ranking("By team", _of("team", "team"), "{{team}}", unit="percentunit", steps=_STEPS, width=12),
            ranking("Farthest", f"topk(10, {_PEOPLE})", unit="percentunit", steps=_STEPS, width=12),
            lines("Teams over time", (_of("team", "team"), "{{team}}"), unit="percentunit", width=24, minimum=None),
            table_panel("People", ("rep", "team"), (("Attainment", _PEOPLE, "percentunit"),)),
        ),
    ),
)
