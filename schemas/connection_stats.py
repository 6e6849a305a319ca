"""What is known of each connection: when it last delivered, and what it says that nobody knows.

Owns the sum over partitions, for the api and the command line. Reads no topic.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.connectors.connection import Connection
from schemas.counted_texts import UNKNOWN, UNMAPPED, UnknownName, UnmappedWord
from schemas.progress import REPEATED, Progress


@dataclass(frozen=True, slots=True)
class ConnectionStats:
    """One connection of `floorcast.yaml`. Instants are microseconds; None: not yet."""

    connection: str
    kind: str
    last_delivery_at: int | None
    last_event_at: int | None
    """The newest `changed_at` that it has sent."""
    unknown: Sequence[UnknownName]
    """Most frequent first."""
    unmapped: Sequence[UnmappedWord] = ()
    """Words of its CRM that mean nothing here, most frequent first."""
    duplicates: int | None = None
    """Calls that count nowhere, as another connection tells of them; None: it has no `match`."""


def connection_stats(
    connections: Mapping[str, Connection], progress: Mapping[tuple[str, int], Progress]
) -> list[ConnectionStats]:
    """Of each connection, in the order of the file; `progress` by stage and partition."""
    partitions = [each for (stage, _), each in progress.items() if stage == "normalise"]
    groups = [each for (stage, _), each in progress.items() if stage == "responses"]
    unknown = UNKNOWN.by_connection(each.counters for each in partitions)
    unmapped = UNMAPPED.by_connection(each.counters for each in partitions)
    return [
        ConnectionStats(
            name,
            connection.kind,
            max((each.connections.get(name, (0, 0))[0] for each in partitions), default=0) or None,
            max((each.connections.get(name, (0, 0))[1] for each in partitions), default=0) or None,
            unknown.get(name, ()),
            unmapped.get(name, ()),
            None if connection.match is None else sum(each.counters.get(f"{REPEATED}{name}", 0) for each in groups),
        )
        for name, connection in connections.items()
    ]
