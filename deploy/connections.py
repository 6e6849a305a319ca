"""`floorcast connections`: what is known of each connection, and which names it sends that nobody here knows.

Owns how it is shown. Reads the topic of progress itself, so it needs no api.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence

import msgspec

from api.read.connection_rows import connection_row
from deploy.dead_letters import printable
from deploy.local.target import Target
from deploy.lookups.owner import read_states
from processor.transport.fetched import Fetched
from processor.transport.following import Follower, KafkaError, MissingTopicError
from processor.transport.generations import read_served
from schemas.connection_states import ConnectionState
from schemas.connection_stats import ConnectionStats, connection_stats
from schemas.connectors import Connection
from schemas.documents.errors import suggestion
from schemas.exit_codes import ExitCode
from schemas.instants import format_instant
from schemas.kafka_refusals import what_failed
from schemas.progress import Progress, decode_progress, read_progress_key
from schemas.topics import FENCE, PROGRESS


def run_list(target: Target, connections: Mapping[str, Connection], *, json: bool) -> int:
    """Print a line for each connection. Exit code 0, or 3 where Kafka is away."""

    def show(found: list[ConnectionStats], states: Mapping[str, ConnectionState]) -> None:
        if json:
            _print_json(found, states)
        else:
            _print_lines(list_lines(found))

    return _with_stats(target, connections, show)


def run_show(target: Target, connections: Mapping[str, Connection], name: str, *, json: bool) -> int:
    """Print all that is known of one connection. Exit code 0, 2 where there is none of that name, or 3."""
    if name not in connections:
        return _fail(
            f"there is no connection {printable(name)!r} in {target.config}{suggestion(name, connections)}",
            ExitCode.WRONG_USE,
        )

    def show(found: list[ConnectionStats], states: Mapping[str, ConnectionState]) -> None:
        (stats,) = (each for each in found if each.connection == name)
        if json:
            _print_json([stats], states, alone=True)
        else:
            _print_lines(show_lines(stats, states.get(name)))

    return _with_stats(target, connections, show)


def list_lines(found: Sequence[ConnectionStats]) -> list[str]:
    """A table for people."""
    rows = [("CONNECTION", "KIND", "LAST DELIVERY", "LAST EVENT", "UNKNOWN NAMES")]
    rows += [
        (each.connection, each.kind, _at(each.last_delivery_at), _at(each.last_event_at), str(len(each.unknown)))
        for each in found
    ]
    return _columns(rows)


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
        lines = [*lines, "", *_columns(rows)]
    else:
        lines = [*lines, "every name it sent is known"]
    if stats.unmapped:
        words = [("RECORD", "FIELD", "WORD WITHOUT A MEANING", "COUNT")]
        words += [(each.record, each.field, printable(each.word), str(each.count)) for each in stats.unmapped]
        lines = [*lines, "", *_columns(words)]
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


async def read_progress(target: Target) -> Mapping[tuple[str, int], Progress]:
    """What each partition of each stage last told."""
    found: dict[tuple[str, int], Progress] = {}

    def apply(_partition: int, records: list[Fetched]) -> None:
        for record in records:
            if record.key is None or record.value is None or record.key == FENCE:
                continue
            found[read_progress_key(record.key)] = decode_progress(record.value)

    served = await read_served(target.broker, target.prefix, 1)
    async with Follower(target.broker, PROGRESS.full_name(target.prefix, served.generation)) as follower:
        await follower.read_to(await follower.ends(), apply)
    return found


def _with_stats(
    target: Target,
    connections: Mapping[str, Connection],
    show: Callable[[list[ConnectionStats], Mapping[str, ConnectionState]], None],
) -> int:
    try:
        progress, states = asyncio.run(read_progress(target)), asyncio.run(read_states(target))
    except MissingTopicError as error:
        return _fail(str(error), ExitCode.UNREACHABLE)
    except (KafkaError, TimeoutError) as error:
        return _fail(asyncio.run(what_failed(target.broker, error)), ExitCode.UNREACHABLE)
    show(connection_stats(connections, progress), states)
    return 0


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _at(instant: int | None) -> str:
    return "-" if instant is None else format_instant(instant)


def _print_json(
    found: Sequence[ConnectionStats], states: Mapping[str, ConnectionState], *, alone: bool = False
) -> None:
    rows = [connection_row(each, states.get(each.connection)) for each in found]
    print(msgspec.json.format(msgspec.json.encode(rows[0] if alone else rows), indent=2).decode())  # noqa: T201 - the command's output


def _print_lines(lines: Sequence[str]) -> None:
    print("\n".join(lines))  # noqa: T201 - the command's output


def _fail(problem: str, code: int) -> int:
    print(f"floorcast connections: {problem}", file=sys.stderr)  # noqa: T201 - the command's output
    return code
