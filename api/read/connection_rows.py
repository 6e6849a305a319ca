"""What is known of a connection, as one row: for REST and for the command line."""

from dataclasses import asdict

from api.read.rows import instant_or_none, reconciled_json
from schemas.connection_states import ConnectionState
from schemas.connection_stats import ConnectionStats
from schemas.json_object import Json

_NOT_KNOWN = dict.fromkeys(
    (
        "reconciled_at", "missed", "missed_share", "limits", "subscription", "not_visible", "backfill")
)  # fmt: skip
"""What only asking a CRM would tell."""


def connection_row(stats: ConnectionStats, state: ConnectionState | None) -> Json:
    """What `/v1/connections` and `floorcast connections --json` say of one; null: not known, or not told."""
    asked = {} if state is None else _asked(state)
    return (
        _NOT_KNOWN
        | asked
        | {
            "connection": stats.connection,
            "kind": stats.kind,
            "last_delivery_at": instant_or_none(stats.last_delivery_at),
            "last_event_at": instant_or_none(stats.last_event_at),
            "duplicates": stats.duplicates,
            "unknown": [asdict(name) for name in stats.unknown],
            # Who speaks our own words has none that mean nothing here; files have words of their own.
            "unmapped": None if stats.kind == "generic" else [asdict(word) for word in stats.unmapped],
        }
    )


def _asked(state: ConnectionState) -> Json:
    limits, kept = state.limits, state.subscription
    found: Json = {
        "subscription": None if kept is None else {"state": kept.state, "expires_at": instant_or_none(kept.expires_at)},
        "limits": None
        if limits is None
        else {"used": limits.used, "of": limits.of, "resets_at": instant_or_none(limits.resets_at)},
    }
    if not state.is_asked:
        return found
    return found | {
        **reconciled_json(state),
        "missed_share": {"day": state.share_day, "month": state.share_month},
        "not_visible": state.not_visible,
        "backfill": None if state.backfill is None else {"done": state.backfill.records, "of": state.backfill.of},
    }
