"""The dashboard of the floor: what it has done, by team and by rep."""

from deploy.grafana.model import Dashboard, Section
from deploy.grafana.panels import lines, number, ranking, table
from deploy.grafana.queries import (
    FLOOR,
    TEAM,
    WINDOW,
    per_rep,
    per_team,
    share,
    total,
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
                number("Calls made", total("calls_made", FLOOR)),
                number("Conversations", total("conversations", FLOOR)),
                number("Connect rate", share("calls_connected", "calls_made", FLOOR), unit="percentunit", decimals=1),
                number("Talk time", total("talk_seconds", FLOOR), unit="s"),
                number("Emails sent", total("emails_sent", FLOOR)),
                number("Meetings held", total("meetings_held", FLOOR)),
                number("Leads answered", total("leads_answered", FLOOR)),
                number(
                    "Leads waiting",
                    'sum(max by (team, state) (floorcast_leads_waiting{team=~"$team"}))',
                    steps=(("green", None), ("yellow", 1)),
                ),
                number("Deals won", total("deals_won", FLOOR)),
                number(
                    "Win rate",
                    f"{total('deals_won', FLOOR)} / ({total('deals_won', FLOOR)} + {total('deals_lost', FLOOR)} > 0)",
                    unit="percentunit",
                    decimals=1,
                ),
                number(
                    "Revenue won",
                    total("revenue_won", FLOOR),
                    decimals=0,
                    description="In the organisation's currency.",
                ),
                number(
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
                table(
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
