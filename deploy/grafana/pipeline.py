"""The dashboard of the pipeline: whether the numbers are fresh and complete."""

from deploy.grafana.model import Dashboard
from deploy.grafana.panels import lines, number_panel, section
from deploy.grafana.queries import RED_FROM_ONE, YES_NO, from_green


def latency(quantile: float) -> str:
    """Delivery received to value served, over all apis."""
    return f"histogram_quantile({quantile}, sum by (le) (rate(floorcast_end_to_end_seconds_bucket[$__rate_interval])))"


def rate_of(counter: str, *by: str) -> str:
    """Per second. What stages count is the same on every api."""
    labels = ", ".join(by)
    return f"max by ({labels}) (rate({counter}[$__rate_interval]))" if by else f"max(rate({counter}[$__rate_interval]))"


def delivered(where: str, *by: str) -> str:
    """Per second. Each api counts those it took itself."""
    return f"sum by ({', '.join(by)}) (rate(floorcast_deliveries_total{{{where}}}[$__rate_interval]))"


PIPELINE = Dashboard(
    uid="floorcast-pipeline",
    title="Pipeline health",
    description="Whether the numbers are fresh and complete, and what came in the way of it.",
    since="now-1h",
    sections=(
        section(
            "Now",
            number_panel(
                "Ready",
                'min(floorcast_ready{job="floorcast"})',
                mappings=YES_NO,
                steps=(("red", None), ("green", 1)),
            ),
            number_panel("Numbers behind by", "max(floorcast_behind_seconds)", "s", steps=from_green(5, 30)),
            number_panel("End to end, p99", "floorcast:end_to_end_seconds:p99_5m", "s", steps=from_green(1, 5)),
            number_panel("Messages to do", "sum(floorcast:consumer_lag_records:sum)", steps=from_green(1000)),
            number_panel(
                "Dead letters in the time shown",
                "sum(max by (connection, reason) (increase(floorcast_dead_letters_total[$__range]))) or vector(0)",
                steps=RED_FROM_ONE,
                decimals=0,
            ),
            number_panel(
                "Alerts firing",
                'count(ALERTS{alertstate="firing",alertname!="Watchdog"}) or vector(0)',
                steps=RED_FROM_ONE,
            ),
        ),
        section(
            "Compared with a recount of the log",
            number_panel(
                "Values that differ",
                "max(floorcast_verification_differences)",
                steps=RED_FROM_ONE,
                width=6,
                height=6,
                description="Found by floorcast verify --every; it says in which windows in /v1/freshness.",
            ),
            number_panel(
                "Rounds since the last comparison",
                "(time() - max(floorcast_verified_timestamp_seconds)) / max(floorcast_verification_interval_seconds)",
                steps=from_green(2, 3),
                decimals=1,
                width=6,
                height=6,
            ),
            lines(
                "Values that differ, and those that changed too fast to be compared",
                ("max(floorcast_verification_differences)", "differ"),
                ("max(floorcast_verification_undecided)", "changed too fast"),
                width=12,
                height=6,
            ),
        ),
        section(
            "Deliveries",
            lines(
                "Deliveries taken, by connection",
                (delivered('outcome="accepted"', "connection"), "{{connection}}"),
                unit="reqps",
            ),
            lines(
                "Deliveries not taken",
                (delivered('outcome!="accepted"', "connection", "outcome"), "{{connection}}: {{outcome}}"),
                unit="reqps",
            ),
            lines(
                "Since the last delivery",
                ("time() - max by (connection) (floorcast_last_delivery_timestamp_seconds)", "{{connection}}"),
                unit="s",
            ),
            lines(
                "Business hours",
                ("floorcast:business_open_seconds > bool 0", "open"),
                maximum=1,
                description="A source that is silent is told of within them only.",
            ),
        ),
        section(
            "Freshness",
            lines(
                "Delivery received to value served",
                (latency(0.5), "median"),
                (latency(0.95), "95 %"),
                (latency(0.99), "99 %"),
                unit="s",
            ),
            lines("Numbers behind by", ("floorcast_behind_seconds", "{{instance}}"), unit="s"),
            lines("Messages to do, by topic", ("floorcast:consumer_lag_records:sum", "{{topic}}")),
            lines("Events, by stage", (rate_of("floorcast_events_total", "stage"), "{{stage}}"), unit="ops"),
        ),
        section(
            "What is not in the numbers",
            lines(
                "Dead letters",
                (rate_of("floorcast_dead_letters_total", "connection", "reason"), "{{connection}}: {{reason}}"),
                unit="ops",
            ),
            lines(
                "Left out on purpose", (rate_of("floorcast_ignored_events_total", "reason"), "{{reason}}"), unit="ops"
            ),
            lines(
                "Late and repeated changes",
                (rate_of("floorcast_late_changes_total"), "late"),
                (rate_of("floorcast_duplicate_changes_total"), "said nothing new"),
                unit="ops",
            ),
            lines(
                "Changes that no webhook brought, in a day",
                ('max by (connection) (floorcast_connection_missed_share{window="day"})', "{{connection}}"),
                unit="percentunit",
            ),
            lines(
                "Requests used of a CRM's limit",
                (
                    "max by (connection) (floorcast_connection_limit_used / floorcast_connection_limit)",
                    "{{connection}}",
                ),
                unit="percentunit",
            ),
            number_panel(
                "Deals without a rate", "max(floorcast_deals_without_rate)", steps=from_green(1), width=6, height=8
            ),
            number_panel("Reps not exported", "max(floorcast_reps_left_out)", steps=from_green(1), width=6, height=8),
        ),
        section(
            "The exporter",
            lines("Scrape", ('scrape_duration_seconds{job="floorcast"}', "{{instance}}"), unit="s"),
            lines("Series", ('scrape_samples_scraped{job="floorcast"}', "{{instance}}")),
        ),
    ),
)
