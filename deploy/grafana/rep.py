"""The dashboard of one rep."""

from typing import Any

from deploy.grafana.model import Dashboard, Panel
from deploy.grafana.panels import lines, number_panel, section
from deploy.grafana.queries import REP, SECONDS_OF_RESPONSE, WINDOW, of_rep


def _of_rep(title: str, metric: str, unit: str = "short", **more: Any) -> Panel:
    return number_panel(title, of_rep(metric), unit, **more)


REP_BOARD = Dashboard(
    uid="floorcast-rep",
    title="Rep",
    description="Everything of one rep.",
    variables=(WINDOW, REP),
    sections=(
        section(
            "Activity",
            _of_rep("Calls made", "calls_made"),
            _of_rep("Calls connected", "calls_connected"),
            _of_rep("Connect rate", "connect_rate", "percentunit", decimals=1),
            _of_rep("Conversations", "conversations"),
            _of_rep("Talk time", "talk_seconds", "s"),
            _of_rep("Emails sent", "emails_sent"),
            _of_rep("Emails received", "emails_received"),
            _of_rep("Meetings booked", "meetings_booked"),
            _of_rep("Meetings held", "meetings_held"),
        ),
        section(
            "Leads",
            _of_rep("Leads assigned", "leads_assigned"),
            _of_rep("Leads due", "leads_due"),
            _of_rep("Leads answered", "leads_answered"),
            _of_rep("Response, median", "lead_response_seconds_p50", "s", steps=SECONDS_OF_RESPONSE),
            _of_rep("Response, 90th percentile", "lead_response_seconds_p90", "s", steps=SECONDS_OF_RESPONSE),
            _of_rep("Within SLA", "lead_response_within_sla", "percentunit", decimals=1),
        ),
        section(
            "Deals",
            _of_rep("Deals won", "deals_won"),
            _of_rep("Deals lost", "deals_lost"),
            _of_rep("Win rate", "win_rate", "percentunit", decimals=1),
            _of_rep("Revenue won", "revenue_won", decimals=0),
            _of_rep("Average deal size", "average_deal_size", decimals=0),
            _of_rep("Sales cycle, median", "sales_cycle_seconds_p50", "s"),
        ),
        section(
            "In the course of the day",
            lines(
                "Calls and conversations",
                (of_rep("calls_made"), "calls"),
                (of_rep("calls_connected"), "connected"),
                (of_rep("conversations"), "conversations"),
            ),
            lines(
                "Response to leads",
                (of_rep("lead_response_seconds_p50"), "median"),
                (of_rep("lead_response_seconds_p90"), "90th percentile"),
                unit="s",
            ),
        ),
    ),
)
