"""The dashboard of the floor: what it has done, by team and by rep."""

from deploy.grafana.model import Dashboard
from deploy.grafana.panels import lines, number_panel, ranking, section, share_panel, table_panel, total_panel
from deploy.grafana.queries import TEAM, WINDOW, from_green, per_rep, per_team, share, total_query

SALES_FLOOR = Dashboard(
    uid="floorcast-floor",
    title="Sales floor",
    description="What the floor has done, by team and by rep. Rolling windows and today come from the api as they are.",
    variables=(WINDOW, TEAM),
    sections=(
        section(
            "The floor",
            total_panel("Calls made", "calls_made"),
            total_panel("Conversations", "conversations"),
            share_panel("Connect rate", share("calls_connected", "calls_made")),
            total_panel("Talk time", "talk_seconds", "s"),
            total_panel("Emails sent", "emails_sent"),
            total_panel("Meetings held", "meetings_held"),
            total_panel("Leads answered", "leads_answered"),
            number_panel(
                "Leads waiting",
                'sum(max by (team, state) (floorcast_leads_waiting{team=~"$team"}))',
                steps=from_green(1),
            ),
            total_panel("Deals won", "deals_won"),
            share_panel(
                "Win rate",
                f"{total_query('deals_won')} / ({total_query('deals_won')} + {total_query('deals_lost')} > 0)",
            ),
            total_panel("Revenue won", "revenue_won", decimals=0, description="In the organisation's currency."),
            number_panel("Numbers behind by", "max(floorcast_behind_seconds)", "s", steps=from_green(5, 30)),
        ),
        section(
            "Who leads",
            ranking("Calls made", f"topk(10, {per_rep('calls_made')})"),
            ranking("Conversations", f"topk(10, {per_rep('conversations')})"),
            ranking("Revenue won", f"topk(10, {per_rep('revenue_won')})"),
        ),
        section(
            "In the course of the day",
            lines("Calls made", (per_team("calls_made"), "{{team}}")),
            lines("Revenue won", (per_team("revenue_won"), "{{team}}")),
        ),
        section(
            "Everybody",
            table_panel(
                "Reps",
                ("rep", "team"),
                (
                    ("Calls", per_rep("calls_made"), "short"),
                    ("Connected", per_rep("calls_connected"), "short"),
                    ("Conversations", per_rep("conversations"), "short"),
                    ("Talk time", per_rep("talk_seconds"), "s"),
                    ("Emails", per_rep("emails_sent"), "short"),
                    ("Meetings booked", per_rep("meetings_booked"), "short"),
                    ("Meetings held", per_rep("meetings_held"), "short"),
                    ("Leads answered", per_rep("leads_answered"), "short"),
                    ("Deals won", per_rep("deals_won"), "short"),
                    ("Revenue", per_rep("revenue_won"), "short"),
                ),
            ),
        ),
    ),
)
