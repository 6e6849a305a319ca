"""Prometheus text of the connections to CRMs: what webhooks missed, limits, subscriptions, duplicates.

Owns the names. What a vendor does not tell has no series.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from schemas.connection_states import ConnectionState
from schemas.instants import SECOND
from schemas.progress import REPEATED, Progress

_ACTIVE = "active"


def connection_lines(
    states: Mapping[str, ConnectionState], progress: Mapping[tuple[str, int], Progress]
) -> Iterator[str]:
    """Of all connections that are asked, or whose calls are compared."""
    asked = {name: state for name, state in sorted(states.items()) if state.is_asked}
    name = "floorcast_connection_missed_share"
    yield from head_of(name, "gauge", "Of the records that changed, the part that no webhook brought.")
    for connection, state in asked.items():
        for window, share in (("day", state.share_day), ("month", state.share_month)):
            if share is not None:
                yield f'{name}{{connection="{quoted(connection)}",window="{window}"}} {share}'
    name = "floorcast_connection_api_problem"
    yield from head_of(name, "gauge", "That an API cannot be asked, or not for all, by reason.")
    for connection, state in asked.items():
        if state.problem is not None:
            yield f'{name}{{connection="{quoted(connection)}",reason="{quoted(state.problem)}"}} 1'
    yield from _gauge(
        "reconciled_timestamp_seconds", "Begin of the last whole reconciliation.",
        {of: state.reconciled_at / SECOND for of, state in asked.items() if state.reconciled_at is not None},
    )  # fmt: skip
    yield from _gauge(
        "not_visible", "Records that an API does not show, and that nobody says are deleted.",
        {of: state.not_visible for of, state in asked.items()},
    )  # fmt: skip
    yield from _gauge(
        "pending_lookups", "Records that are still to be asked for.",
        {of: state.pending for of, state in asked.items()},
    )  # fmt: skip
    limits = {of: state.limits for of, state in asked.items() if state.limits is not None}
    yield from _gauge("limit_used", "Requests used of a limit.", {of: told.used for of, told in limits.items()})
    yield from _gauge("limit", "Requests that a vendor allows.", {of: told.of for of, told in limits.items()})
    kept = {of: state.subscription for of, state in sorted(states.items()) if state.subscription is not None}
    yield from _gauge(
        "subscription_active", "Whether the CRM posts to us.", {of: int(s.state == _ACTIVE) for of, s in kept.items()}
    )
    yield from _gauge(
        "subscription_expires_timestamp_seconds", "When a subscription ends unless it is renewed.",
        {of: s.expires_at / SECOND for of, s in kept.items() if s.expires_at is not None},
    )  # fmt: skip
    yield from _gauge(
        "duplicates",
        "Calls that another connection tells of, and that count there.",
        counted_by_name(progress, "responses", REPEATED),
    )


def counted_by_name(progress: Mapping[tuple[str, int], Progress], stage: str, beginning: str) -> dict[str, int]:
    """What all partitions of a stage have counted under names that begin so, by what follows; in order of that."""
    found: Counter[str] = Counter()
    for (of_stage, _), each in progress.items():
        if of_stage == stage:
            for name, count in each.counters.items():
                if name.startswith(beginning):
                    found[name.removeprefix(beginning)] += count
    return dict(sorted(found.items()))


def _gauge(name: str, help_text: str, values: Mapping[str, float]) -> Iterator[str]:
    yield from head_of(f"floorcast_connection_{name}", "gauge", help_text)
    for connection, value in values.items():
        yield f'floorcast_connection_{name}{{connection="{quoted(connection)}"}} {value}'


def head_of(name: str, kind: str, help_text: str) -> Iterator[str]:
    """What stands above the values of a series."""
    escaped = help_text.replace("\\", r"\\").replace("\n", r"\n")
    yield f"# HELP {name} {escaped}"
    yield f"# TYPE {name} {kind}"


def quoted(value: str) -> str:
    """A text as the value of a label. Never cut: two reps whose ids begin alike would be one series twice."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
