"""What metrics are called in Prometheus, and which names are taken there.

Owns the rule. The api writes the series of metrics by it; a test compares the taken names with what is exported.
"""

from collections.abc import Mapping

from schemas.instants import DAY, SECOND

PREFIX = "floorcast_"

TAKEN = frozenset({
    "connection_api_problem", "connection_missed_share", "connection_reconciled_timestamp_seconds",
    "connection_not_visible",
    "connection_pending_lookups",
    "connection_limit_used", "connection_limit", "connection_subscription_active",
    "connection_subscription_expires_timestamp_seconds", "connection_duplicates",
    "alert_lateness_seconds", "alerts_late_total", "alerts_raised_total", "behind_seconds", "beyond_bounds_total",
    "consumer_lag_records", "dead_letters_total", "deals_without_rate", "definitions_differ", "deliveries_total",
    "duplicate_changes_total",
    "end_to_end_seconds", "events_total", "goal_attainment", "ignored_events_total", "last_delivery_timestamp_seconds",
    "reconciled_missed_total",
    "late_changes_total", "lead_oldest_waiting_timestamp_seconds", "lead_response_seconds", "leads_waiting",
    "negative_durations", "notifications_total", "ready", "reps_left_out", "threshold_alerts_open", "unreadable_panes",
    "verification_differences", "verification_interval_seconds", "verification_undecided",
    "verified_timestamp_seconds",
})  # fmt: skip
"""Names of series, without the prefix, that are no metrics of a catalogue."""

_PARTS = ("_bucket", "_sum", "_count", "_created", "_total")
"""What the series of one histogram or counter end with."""
_WORKERS = "worker_"


def exported(metric: str, unit: str) -> tuple[str, int]:
    """Name of a metric in Prometheus, and by what its values are multiplied: base units only, days become seconds."""
    if unit == "days":
        return f"{PREFIX}{metric.replace('_days', '_seconds')}", DAY // SECOND
    return f"{PREFIX}{metric}", 1


def taken_by(name: str, unit: str, others: Mapping[str, str]) -> str | None:
    """What has the name of this metric's series already; None: nothing. `others`: the units of other metrics."""
    series = exported(name, unit)[0]
    if is_taken(series.removeprefix(PREFIX)):
        return series
    return next((other for other, its in others.items() if other != name and exported(other, its)[0] == series), None)


def is_taken(name: str) -> bool:
    """Whether a series without its prefix is one of the pipeline's own."""
    names = {name, *(name.removesuffix(part) for part in _PARTS), *(f"{name}{part}" for part in _PARTS)}
    return name.startswith(_WORKERS) or not names.isdisjoint(TAKEN)
