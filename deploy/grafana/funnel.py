"""The dashboard of the funnel: what share of deals and leads comes to its end. Each step is served by /v1/funnels."""

from deploy.grafana.model import Dashboard, Section
from deploy.grafana.panels import number_panel, ranking, table_panel
from deploy.grafana.queries import FLOOR, TEAM, WINDOW, per_rep, per_team, total_query

_SHARE = (("red", None), ("yellow", 0.1), ("green", 0.25))

FUNNEL = Dashboard(
    uid="floorcast-funnel",
    title="Funnel",
    description="Of those that entered the first step in the window, the share that has entered the last one, by rep.",
    variables=(WINDOW, TEAM),
    sections=(
        Section(
            "Deals and leads",
            (
                number_panel("Leads assigned", total_query("leads_assigned", FLOOR)),
                number_panel("Deals created", total_query("deals_created", FLOOR)),
                number_panel("Deals won", total_query("deals_won", FLOOR)),
                number_panel("Deals lost", total_query("deals_lost", FLOOR)),
                ranking("Deals created by team", per_team("deals_created", FLOOR), "{{team}}", width=12),
                ranking("Deals won by team", per_team("deals_won", FLOOR), "{{team}}", width=12),
            ),
        ),
        Section(
            "To the end",
            (
                ranking(
                    "Stages", per_rep("stage_conversion", FLOOR), "{{rep}}", unit="percentunit", steps=_SHARE, width=12
                ),
                ranking("Leads", per_rep("lead_funnel", FLOOR), "{{rep}}", unit="percentunit", steps=_SHARE, width=12),
                table_panel(
                    "Reps",
                    ("rep", "team"),
                    (
                        ("Deals", per_rep("stage_conversion", FLOOR), "percentunit"),
                        ("Leads", per_rep("lead_funnel", FLOOR), "percentunit"),
                    ),
                ),
            ),
        ),
    ),
)
