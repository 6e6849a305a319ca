"""What is known of each connection, in words, and the topic of progress, which says most of it."""

from collections.abc import Mapping, Sequence

from deploy.cli.common import columns
from deploy.dead_letters import printable
from deploy.local.target import Instance
from processor.transport.following import read_through, take_progress
from processor.transport.generations import read_served
from schemas.connection_states import ConnectionState
from schemas.connection_stats import ConnectionStats
from schemas.instants import format_instant
from schemas.progress import Progress
from schemas.topics import PROGRESS


def list_lines(found: Sequence[ConnectionStats]) -> list[str]:
    """A table for people."""
    rows = [("CONNECTION", "KIND", "LAST DELIVERY", "LAST EVENT", "UNKNOWN NAMES")]
    rows += [
        (each.connection, each.kind, _at(each.last_delivery_at), _at(each.last_event_at), str(len(each.unknown)))
        for each in found
    ]
    return columns(rows)


def show_lines(stats: ConnectionStats, state: ConnectionState | None = None) -> list[str]:
    """One connection for people."""
    head = [
        f"connection     {stats.connection}",
        f"kind           {stats.kind}",
        f"last delivery  {_at(stats.last_delivery_at)}",
        f"last event     {_at(stats.last_event_at)}",
    ]
    if stats.duplicates is not None:
        head.append(f"duplicates     {stats.duplicates}")
    lines = [*head, *([] if state is None else _state_lines(state))]
    if stats.unknown:
        rows = [("RECORD", "UNKNOWN NAME", "COUNT")]
        rows += [
            ("(kind)" if each.record == each.name else each.record, printable(each.name), str(each.count))
            for each in stats.unknown
        ]
        lines = [*lines, "", *columns(rows)]
    else:
        lines = [*lines, "every name it sent is known"]
    if stats.unmapped:
        words = [("RECORD", "FIELD", "WORD WITHOUT A MEANING", "COUNT")]
        words += [(each.record, each.field, printable(each.word), str(each.count)) for each in stats.unmapped]
        lines = [*lines, "", *columns(words)]
    return lines


def _state_lines(state: ConnectionState) -> list[str]:
    """What the owner of the look-ups says of it."""
    found = []
    if state.is_asked:
        found.append(f"reconciled     {_at(state.reconciled_at)}")
        for word, missed, share in (
            ("a day", state.missed_day, state.share_day),
            ("a month", state.missed_month, state.share_month),
        ):
            part = "" if share is None else f" ({share:.2%} of what changed)"
            found.append(f"missed         {sum(missed.values())} in {word}{part}")
        found.append(f"not visible    {state.not_visible}")
        found.append(f"to be asked    {state.pending}")
    if state.limits is not None:
        until = "" if state.limits.resets_at is None else f", until {_at(state.limits.resets_at)}"
        found.append(f"limit          {state.limits.used} of {state.limits.of} used{until}")
    if state.subscription is not None:
        until = "" if state.subscription.expires_at is None else f", until {_at(state.subscription.expires_at)}"
        found.append(f"subscription   {printable(state.subscription.state)}{until}")
    if state.backfill is not None:
        of = "" if state.backfill.of is None else f" of {state.backfill.of}"
        found.append(f"back-fill      {state.backfill.records}{of} records so far")
    if state.problem is not None:
        found.append(f"problem        {state.problem}: {printable(state.detail or '')}")
    return found


async def read_progress(target: Instance) -> Mapping[tuple[str, int], Progress]:
    """What each partition of each stage last told."""
    found: dict[tuple[str, int], Progress] = {}
    served = await read_served(target.broker, target.prefix, 1)
    topic = PROGRESS.full_name(target.prefix, served.generation)
    await read_through(target.broker, topic, lambda _, records: take_progress(found, records))
    return found


def _at(instant: int | None) -> str:
    return "-" if instant is None else format_instant(instant)
