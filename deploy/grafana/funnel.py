"""The dashboard of the funnel: what share of deals and leads comes to its end. Each step is served by /v1/funnels."""

from deploy.grafana.model import Dashboard
from deploy.grafana.panels import ranking, section, table_panel, total_panel
from deploy.grafana.queries import TEAM, WINDOW, per_rep, per_team

_SHARE = (("red", None), ("yellow", 0.1), ("green", 0.25))

FUNNEL = Dashboard(
    uid="floorcast-funnel",
    title="Funnel",
    description="Of those that entered the first step in the window, the share that has entered the last one, by rep.",
    variables=(WINDOW, TEAM),
    sections=(
        section(
            "Deals and leads",
            total_panel("Leads assigned", "leads_assigned"),
            total_panel("Deals created", "deals_created"),
            total_panel("Deals won", "deals_won"),
            total_panel("Deals lost", "deals_lost"),
            ranking("Deals created by team", per_team("deals_created"), "{{team}}", width=12),
            ranking("Deals won by team", per_team("deals_won"), "{{team}}", width=12),
        ),
        section(
            "To the end",
            ranking("Stages", per_rep("stage_conversion"), unit="percentunit", steps=_SHARE, width=12),
            ranking("Leads", per_rep("lead_funnel"), unit="percentunit", steps=_SHARE, width=12),
            table_panel(
                "Reps",
                ("rep", "team"),
                (
                    ("Deals", per_rep("stage_conversion"), "percentunit"),
                    ("Leads", per_rep("lead_funnel"), "percentunit"),
                ),
            ),
        ),
    ),
)
