"""The dashboard of the floor: what it has done, by team and by rep."""

from deploy.grafana.model import Dashboard, Section
from deploy.grafana.panels import lines, number_panel, ranking, table_panel
from deploy.grafana.queries import (
    FLOOR,
    TEAM,
    WINDOW,
    per_rep,
    per_team,
    share,
    total_query,
)

SALES_FLOOR = Dashboard(
    uid="floorcast-floor",
    title="Sales floor",
    description="What the floor has done, by team and by rep. Rolling windows and today come from the api as they are.",
    variables=(WINDOW, TEAM),
    sections=(
        Section(
            "The floor",
            (
                number_panel("Calls made", total_query("calls_made", FLOOR)),
                number_panel("Conversations", total_query("conversations", FLOOR)),
                number_panel(
                    "Connect rate", share("calls_connected", "calls_made", FLOOR), unit="percentunit", decimals=1
                ),
                number_panel("Talk time", total_query("talk_seconds", FLOOR), unit="s"),
                number_panel("Emails sent", total_query("emails_sent", FLOOR)),
                number_panel("Meetings held", total_query("meetings_held", FLOOR)),
                number_panel("Leads answered", total_query("leads_answered", FLOOR)),
                number_panel(
                    "Leads waiting",
                    'sum(max by (team, state) (floorcast_leads_waiting{team=~"$team"}))',
                    steps=(("green", None), ("yellow", 1)),
                ),
                number_panel("Deals won", total_query("deals_won", FLOOR)),
                number_panel(
                    "Win rate",
                    f"{total_query('deals_won', FLOOR)} / ("
                    f"{total_query('deals_won', FLOOR)} + {total_query('deals_lost', FLOOR)} > 0)",
                    unit="percentunit",
                    decimals=1,
                ),
                number_panel(
                    "Revenue won",
                    total_query("revenue_won", FLOOR),
                    decimals=0,
                    description="In the organisation's currency.",
                ),
                number_panel(
                    "Numbers behind by",
                    "max(floorcast_behind_seconds)",
                    unit="s",
                    steps=(("green", None), ("yellow", 5), ("red", 30)),
                ),
            ),
        ),
        Section(
            "Who leads",
            (
                ranking("Calls made", f"topk(10, {per_rep('calls_made', FLOOR)})", "{{rep}}"),
                ranking("Conversations", f"topk(10, {per_rep('conversations', FLOOR)})", "{{rep}}"),
                ranking("Revenue won", f"topk(10, {per_rep('revenue_won', FLOOR)})", "{{rep}}"),
            ),
        ),
        Section(
            "In the course of the day",
            (
                lines("Calls made", (per_team("calls_made", FLOOR), "{{team}}"), minimum=0),
                lines("Revenue won", (per_team("revenue_won", FLOOR), "{{team}}"), minimum=0),
            ),
        ),
        Section(
            "Everybody",
            (
                table_panel(
                    "Reps",
                    ("rep", "team"),
                    (
                        ("Calls", per_rep("calls_made", FLOOR), "short"),
                        ("Connected", per_rep("calls_connected", FLOOR), "short"),
                        ("Conversations", per_rep("conversations", FLOOR), "short"),
                        ("Talk time", per_rep("talk_seconds", FLOOR), "s"),
                        ("Emails", per_rep("emails_sent", FLOOR), "short"),
                        ("Meetings booked", per_rep("meetings_booked", FLOOR), "short"),
                        ("Meetings held", per_rep("meetings_held", FLOOR), "short"),
                        ("Leads answered", per_rep("leads_answered", FLOOR), "short"),
                        ("Deals won", per_rep("deals_won", FLOOR), "short"),
                        ("Revenue", per_rep("revenue_won", FLOOR), "short"),
                    ),
                ),
            ),
        ),
    ),
)
