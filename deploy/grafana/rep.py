"""The dashboard of one rep."""

from typing import Any

from deploy.grafana.model import Dashboard, Panel, Section
from deploy.grafana.panels import lines, number_panel
from deploy.grafana.queries import (
    ONE_REP,
    REP,
    SECONDS_OF_RESPONSE,
    WINDOW,
)


def of_rep(title: str, metric: str, **more: Any) -> Panel:
    """One metric of the chosen rep, as the api has it: ratios and percentiles are not made again here."""
    return number_panel(title, f"max(floorcast_{metric}{{{ONE_REP}}})", **more)


REP_BOARD = Dashboard(
    uid="floorcast-rep",
    title="Rep",
    description="Everything of one rep.",
    variables=(WINDOW, REP),
    sections=(
        Section(
            "Activity",
            (
                of_rep("Calls made", "calls_made"),
                of_rep("Calls connected", "calls_connected"),
                of_rep("Connect rate", "connect_rate", unit="percentunit", decimals=1),
                of_rep("Conversations", "conversations"),
                of_rep("Talk time", "talk_seconds", unit="s"),
                of_rep("Emails sent", "emails_sent"),
                of_rep("Emails received", "emails_received"),
                of_rep("Meetings booked", "meetings_booked"),
                of_rep("Meetings held", "meetings_held"),
            ),
        ),
        Section(
            "Leads",
            (
                of_rep("Leads assigned", "leads_assigned"),
                of_rep("Leads due", "leads_due"),
                of_rep("Leads answered", "leads_answered"),
                of_rep("Response, median", "lead_response_seconds_p50", unit="s", steps=SECONDS_OF_RESPONSE),
                of_rep("Response, 90th percentile", "lead_response_seconds_p90", unit="s", steps=SECONDS_OF_RESPONSE),
                of_rep("Within SLA", "lead_response_within_sla", unit="percentunit", decimals=1),
            ),
        ),
        Section(
            "Deals",
            (
                of_rep("Deals won", "deals_won"),
                of_rep("Deals lost", "deals_lost"),
                of_rep("Win rate", "win_rate", unit="percentunit", decimals=1),
                of_rep("Revenue won", "revenue_won", decimals=0),
                of_rep("Average deal size", "average_deal_size", decimals=0),
                of_rep("Sales cycle, median", "sales_cycle_seconds_p50", unit="s"),
            ),
        ),
        Section(
            "In the course of the day",
            (
                lines(
                    "Calls and conversations",
                    (f"max(floorcast_calls_made{{{ONE_REP}}})", "calls"),
                    (f"max(floorcast_calls_connected{{{ONE_REP}}})", "connected"),
                    (f"max(floorcast_conversations{{{ONE_REP}}})", "conversations"),
                    minimum=0,
                ),
                lines(
                    "Response to leads",
                    (f"max(floorcast_lead_response_seconds_p50{{{ONE_REP}}})", "median"),
                    (f"max(floorcast_lead_response_seconds_p90{{{ONE_REP}}})", "90th percentile"),
                    unit="s",
                    minimum=0,
                ),
            ),
        ),
    ),
)
