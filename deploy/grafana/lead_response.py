"""The dashboard of leads and how fast they are answered."""

from deploy.grafana.model import Dashboard
from deploy.grafana.panels import lines, number_panel, ranking, section, share_panel, table_panel
from deploy.grafana.queries import RED_FROM_ONE, SECONDS_OF_RESPONSE, TEAM, WINDOW, from_green, per_rep, share

WAITING = 'max by (team, state) (floorcast_leads_waiting{team=~"$team"})'
ANSWERS = 'floorcast_lead_response_seconds_bucket{team=~"$team"}'
LONGEST = 'floorcast:lead_waiting_seconds:max{team=~"$team"}'


def in_state(state: str, by: str) -> str:
    """Leads that wait, and how far they are with their time."""
    return f'max by ({by}) (floorcast_leads_waiting{{team=~"$team",state="{state}"}})'


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
        section(
            "Now",
            number_panel("Waiting", f"sum({WAITING})"),
            number_panel("Warned", f"sum({in_state('warned', 'team, state')})", steps=from_green(1)),
            number_panel("Beyond their SLA", f"sum({in_state('breached', 'team, state')})", steps=RED_FROM_ONE),
            number_panel("Longest wait", f"max({LONGEST}) or vector(0)", "s", steps=SECONDS_OF_RESPONSE),
            share_panel(
                "Answered within an hour",
                answered("bucket", ',le="3600.0"') + f" / ({answered('count')} > 0)",
                description="Of the leads whose answer became known in the time shown.",
            ),
            share_panel(
                "Answered within SLA",
                share("leads_answered", "leads_due"),
                description="Leads answered of those due, in the window.",
            ),
        ),
        section(
            "Waiting",
            lines("Leads waiting, by state", (f"sum by (state) ({WAITING})", "{{state}}"), stacked=True),
            lines(
                "Longest wait, by team",
                (LONGEST, "{{team}}"),
                unit="s",
                steps=SECONDS_OF_RESPONSE,
                description="An alert goes out at an hour.",
            ),
            lines("Beyond their SLA, by team", (in_state("breached", "team"), "{{team}}")),
            lines(
                "Alerts",
                (
                    'sum by (alertname, team, alertstate) (ALERTS{area="leads",team=~"$team"})',
                    "{{alertname}} {{team}} ({{alertstate}})",
                ),
                stacked=True,
            ),
        ),
        section(
            "Answers",
            lines(
                "Time to the answer",
                (response_quantile(0.5), "median"),
                (response_quantile(0.9), "90th percentile"),
                unit="s",
                description="Of answers that became known in the time shown; to the width of the buckets.",
            ),
            ranking(
                "Response, median by rep",
                f"topk(15, {per_rep('lead_response_seconds_p50')})",
                unit="s",
                width=12,
                steps=SECONDS_OF_RESPONSE,
                description="Exact, over due leads in the window. Too many unanswered: none.",
            ),
            table_panel(
                "Reps",
                ("rep", "team"),
                (
                    ("Due", per_rep("leads_due"), "short"),
                    ("Answered", per_rep("leads_answered"), "short"),
                    ("Median", per_rep("lead_response_seconds_p50"), "s"),
                    ("90th percentile", per_rep("lead_response_seconds_p90"), "s"),
                    ("Within SLA", per_rep("lead_response_within_sla"), "percentunit"),
                ),
            ),
        ),
    ),
)
