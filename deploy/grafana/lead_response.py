"""The dashboard of leads and how fast they are answered."""

from deploy.grafana.model import Dashboard, Section
from deploy.grafana.panels import lines, number_panel, ranking, table_panel
from deploy.grafana.queries import (
    FLOOR,
    RED_FROM_ONE,
    SECONDS_OF_RESPONSE,
    TEAM,
    WINDOW,
    per_rep,
    total_query,
)

WAITING = 'max by (team, state) (floorcast_leads_waiting{team=~"$team"})'
ANSWERS = 'floorcast_lead_response_seconds_bucket{team=~"$team"}'


def response_quantile(quantile: float) -> str:
    """Over the answers that became known lately."""
    return f"histogram_quantile({quantile}, sum by (le) (max by (team, le) (increase({ANSWERS}[$__range]))))"


def answered(part: str, more: str = "") -> str:
    """Leads whose answer became known in the time shown."""
    series = f'floorcast_lead_response_seconds_{part}{{team=~"$team"{more}}}'
    return f"sum(max by (team) (increase({series}[$__range])))"


LEAD_RESPONSE = Dashboard(
    uid="floorcast-leads",
    title="Lead response",
    description="Who waits, for how long, and how fast leads are answered.",
    variables=(TEAM, WINDOW),
    sections=(
        Section(
            "Now",
            (
                number_panel("Waiting", f"sum({WAITING})"),
                number_panel(
                    "Warned",
                    'sum(max by (team, state) (floorcast_leads_waiting{team=~"$team",state="warned"}))',
                    steps=(("green", None), ("yellow", 1)),
                ),
                number_panel(
                    "Beyond their SLA",
                    'sum(max by (team, state) (floorcast_leads_waiting{team=~"$team",state="breached"}))',
                    steps=RED_FROM_ONE,
                ),
                number_panel(
                    "Longest wait",
                    'max(floorcast:lead_waiting_seconds:max{team=~"$team"}) or vector(0)',
                    unit="s",
                    steps=SECONDS_OF_RESPONSE,
                ),
                number_panel(
                    "Answered within an hour",
                    answered("bucket", ',le="3600.0"') + f" / ({answered('count')} > 0)",
                    unit="percentunit",
                    decimals=1,
                    description="Of the leads whose answer became known in the time shown.",
                ),
                number_panel(
                    "Answered within SLA",
                    f"{total_query('leads_answered', FLOOR)} / ({total_query('leads_due', FLOOR)} > 0)",
                    unit="percentunit",
                    decimals=1,
                    description="Leads answered of those due, in the window.",
                ),
            ),
        ),
        Section(
            "Waiting",
            (
                lines("Leads waiting, by state", (f"sum by (state) ({WAITING})", "{{state}}"), stacked=True, minimum=0),
                lines(
                    "Longest wait, by team",
                    ('floorcast:lead_waiting_seconds:max{team=~"$team"}', "{{team}}"),
                    unit="s",
                    minimum=0,
                    steps=SECONDS_OF_RESPONSE,
                    description="An alert goes out at an hour.",
                ),
                lines(
                    "Beyond their SLA, by team",
                    ('max by (team) (floorcast_leads_waiting{team=~"$team",state="breached"})', "{{team}}"),
                    minimum=0,
                ),
                lines(
                    "Alerts",
                    (
                        'sum by (alertname, team, alertstate) (ALERTS{area="leads",team=~"$team"})',
                        "{{alertname}} {{team}} ({{alertstate}})",
                    ),
                    stacked=True,
                    minimum=0,
                ),
            ),
        ),
        Section(
            "Answers",
            (
                lines(
                    "Time to the answer",
                    (response_quantile(0.5), "median"),
                    (response_quantile(0.9), "90th percentile"),
                    unit="s",
                    minimum=0,
                    description="Of answers that became known in the time shown; to the width of the buckets.",
                ),
                ranking(
                    "Response, median by rep",
                    f"topk(15, {per_rep('lead_response_seconds_p50', FLOOR)})",
                    "{{rep}}",
                    unit="s",
                    width=12,
                    steps=SECONDS_OF_RESPONSE,
                    description="Exact, over due leads in the window. Too many unanswered: none.",
                ),
                table_panel(
                    "Reps",
                    ("rep", "team"),
                    (
                        ("Due", per_rep("leads_due", FLOOR), "short"),
                        ("Answered", per_rep("leads_answered", FLOOR), "short"),
                        ("Median", per_rep("lead_response_seconds_p50", FLOOR), "s"),
                        ("90th percentile", per_rep("lead_response_seconds_p90", FLOOR), "s"),
                        ("Within SLA", per_rep("lead_response_within_sla", FLOOR), "percentunit"),
                    ),
                ),
            ),
        ),
    ),
)
