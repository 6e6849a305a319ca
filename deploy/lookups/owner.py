"""`floorcast lookups`: the process that asks the CRMs, one for all connections that have an API.

Owns the loop, what is published of it, and what goes wrong: an API that cannot be asked is waited for, and stops no
other connection. A broker that is away, or anything unexpected, ends the process: whoever started it starts it again,
and all that it knew lies in the log.
"""

import asyncio
import hashlib
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import msgspec
import structlog
from msgspec.structs import replace

from deploy.ended import ENDS, ended_by
from deploy.local.target import Instance
from deploy.lookups.backfill import running
from deploy.lookups.client import Client, CrmApiError
from deploy.lookups.known import KnownFile
from deploy.lookups.log import appending
from deploy.lookups.pacing import SharedPace, backoff
from deploy.lookups.rounds import CaughtUp, Rounds
from deploy.lookups.streams import Streams
from deploy.pulse import with_pulse
from deploy.subscribing.keeping import Keeper, is_kept
from processor.transport.fetched import Fetched
from processor.transport.following import Follower, MissingTopicError, log_unreadable, newest_read
from processor.transport.phone_number_key import read_numbers
from processor.transport.writing import Writer
from schemas.config import Config
from schemas.connection_states import ConnectionState, SubscriptionState, decode_state, encode_state, with_labels
from schemas.connectors import Connection, build_connector, build_source, daily_limit
from schemas.connectors.asking import BadAnswerError
from schemas.connectors.words import CrmConnection
from schemas.dead_letters import encode_dead_letter
from schemas.instants import DAY, SECOND
from schemas.kafka_facts import KafkaError
from schemas.machine_clock import machine_clock
from schemas.numbers import PhoneNumbers
from schemas.topics import CONNECTION_STATES, DEAD_LETTERS, DELIVERIES, STREAM_POSITIONS

log = structlog.get_logger("lookups")

_TOLD_EVERY = 10 * SECOND
_IDLE_SECONDS = 0.2
_LOOK_SECONDS = 5.0
_MONTH = 30 * DAY


def main(target: Instance, config: Config, folder: Path) -> int:
    """Ask until SIGTERM or SIGINT ends the process. `folder`: for what is known and the limits, shared with back-fills.

    A signal ends it in the middle of anything, and whatever was under way is asked anew. 3: Kafka is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # The configuration is read again: it begins anew with it, as the same process to whoever watches it.
    signal.signal(signal.SIGHUP, lambda *_: os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]]))  # noqa: S606
    try:
        asyncio.run(with_pulse(folder, LookupProcess(target, config, folder).run()))
    except ENDS as error:
        return ended_by("lookups", target.broker, error)
    return 0


def asked(config: Config) -> dict[str, CrmConnection]:
    """The connections that have an API."""
    return {
        name: connection
        for name, connection in config.connections.items()
        if isinstance(connection, CrmConnection) and build_source(connection) is not None
    }


def connections_digest(connections: Mapping[str, Connection], numbers: PhoneNumbers) -> str:
    """Of all that decides what the log means for them: the program and their settings, without secrets."""
    said = {
        name: [each.model_dump(mode="json", exclude={"secrets", "api"}), sorted(each.people), each.calendar.zone.key]
        for name, each in connections.items()
    }
    meaning = msgspec.json.encode([version("floorcast"), said], order="sorted")
    return hashlib.blake2b(meaning, key=numbers.key).hexdigest()[:32]


@dataclass(slots=True)
class _Turn:
    """One connection, and how asking it goes."""

    rounds: Rounds
    every: int
    wait: int
    reconciled_at: int | None
    failures: int = 0
    error: CrmApiError | BadAnswerError | None = None
    told: ConnectionState | None = None
    keeper: Keeper | None = None
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    statuses: Mapping[str, str] = field(default_factory=dict)

    def failed(self, error: CrmApiError | BadAnswerError) -> float:
        """Note what went wrong; how long to wait before asking again, in seconds."""
        told = error.wait if isinstance(error, CrmApiError) else None
        wait = backoff(self.failures + 1, 0.5) if told is None else told
        self.failures, self.error = self.failures + 1, error
        log.warning("connection.not_asked", connection=self.rounds.name, problem=str(error), again_in=round(wait))
        return wait

    def succeeded(self) -> None:
        self.failures, self.error = 0, None


class LookupProcess:
    """The process that `floorcast lookups` runs: it owns all asking of one deployment."""

    def __init__(
        self, target: Instance, config: Config, folder: Path, *, clock: Callable[[], int] = machine_clock
    ) -> None:
        self._target = target
        self._config = config
        self._all = config.connections
        self._connections = asked(config)
        self._kept = {name: each for name, each in config.connections.items() if is_kept(each)}
        self._streams = Streams(config)
        self._folder = folder
        self._clock = clock
        self._lock = asyncio.Lock()

    async def run(self) -> None:
        """Ask, for ever. Raises KafkaError."""
        if not self._connections and not self._kept:
            await asyncio.Event().wait()  # until another configuration has something to ask
        connectors = {name: build_connector(connection) for name, connection in self._all.items()}
        others = {name: connectors.pop(name) for name in self._all if name not in self._connections}
        broker, prefix = self._target.broker, self._target.prefix
        async with AsyncExitStack() as stack:
            numbers = await read_numbers(broker, prefix, self._config)
            digest = connections_digest(self._all, numbers)
            known = KnownFile(self._folder / "known.sqlite3", connectors, digest, others, numbers)
            stack.callback(known.close)
            writer = await stack.enter_async_context(Writer(broker))
            follower = await stack.enter_async_context(Follower(broker, DELIVERIES.full_name(prefix)))
            ends, positions = await follower.ends(), known.positions()
            if any(position > ends.get(partition, 0) for partition, position in positions.items()):
                known.forget()  # of another log: the folder has outlived its Kafka
            follower.seek(known.positions())

            async def catch_up() -> None:
                async with self._lock:
                    await follower.read_to(await follower.ends(), known.apply)

            states = await read_states(self._target)
            keepers = {name: Keeper(name, each, self._clock) for name, each in self._kept.items()}
            turns = []
            for name, connection in self._connections.items():
                source = build_source(connection)
                if source is None:
                    continue
                pace = SharedPace(self._folder / f"{name}.limits.json")
                client = Client(source, pace, daily=daily_limit(connection), clock=self._clock)
                client = await stack.enter_async_context(client)
                rounds = Rounds(
                    name,
                    connection,
                    client=client,
                    known=known,
                    append=appending(writer, prefix),
                    catch_up=catch_up,
                    clock=self._clock,
                )
                said = states.get(name, ConnectionState(at=0))
                turn = _Turn(rounds, connection.reconcile.every, connection.lookups.wait, said.reconciled_at)
                turn.keeper, turn.labels, turn.statuses = keepers.get(name), said.labels, said.statuses
                turns.append(turn)
            await catch_up()
            async with asyncio.TaskGroup() as group:
                for turn in turns:
                    group.create_task(self._look_up(turn, known, writer, catch_up))
                    group.create_task(self._reconcile(turn))
                for keeper in keepers.values():
                    group.create_task(keeper.run())
                if self._streams:
                    group.create_task(self._follow_streams())
                alone = [keeper for name, keeper in keepers.items() if name not in self._connections]
                if alone:
                    group.create_task(self._tell_subscriptions(alone, writer))

    async def _look_up(self, turn: _Turn, known: KnownFile, writer: Writer, catch_up: CaughtUp) -> None:
        """What webhooks name, for ever: no reconciliation holds it up."""
        dead = DEAD_LETTERS.full_name(self._target.prefix)
        while True:
            await catch_up()
            waiting = known.pending(turn.rounds.name, 1)
            if waiting and self._clock() >= waiting[0].first_at + turn.wait:
                try:
                    for letter in await turn.rounds.look_up():
                        await writer.write(dead, [encode_dead_letter(letter)], letter.id.encode())
                except (CrmApiError, BadAnswerError) as error:
                    await asyncio.sleep(turn.failed(error))
                else:
                    turn.succeeded()
            await self._tell(turn, known, writer)
            await asyncio.sleep(_IDLE_SECONDS)

    async def _reconcile(self, turn: _Turn) -> None:
        """What changed, for ever."""
        while True:
            try:
                turn.reconciled_at = await turn.rounds.reconcile(turn.reconciled_at)
            except (CrmApiError, BadAnswerError) as error:
                await asyncio.sleep(turn.failed(error))
                continue
            turn.succeeded()
            log.info("connection.reconciled", connection=turn.rounds.name)
            await asyncio.sleep(max(0, turn.reconciled_at + turn.every - self._clock()) / SECOND)

    async def _tell_subscriptions(self, keepers: Sequence[Keeper], writer: Writer) -> None:
        """How those of connections are that nothing else is asked of, for ever."""
        told: dict[str, ConnectionState] = {}
        while True:
            for keeper in keepers:
                state = ConnectionState(at=self._clock(), subscription=keeper.subscription, is_asked=False)
                told[keeper.name] = await self._publish(keeper.name, state, told.get(keeper.name), writer)
            await asyncio.sleep(1.0)

    async def _follow_streams(self) -> None:
        """What those who read streams write down of them, for ever."""
        async with Follower(self._target.broker, STREAM_POSITIONS.full_name(self._target.prefix)) as follower:
            await follower.read_to(await follower.ends(), self._streams.apply)
            while True:
                await follower.wait(_LOOK_SECONDS, self._streams.apply)

    async def _tell(self, turn: _Turn, known: KnownFile, writer: Writer) -> None:
        now, name = self._clock(), turn.rounds.name
        if turn.rounds.learned is not None:
            turn.labels = with_labels(turn.labels, turn.rounds.learned.labels)
            turn.statuses = {**turn.statuses, **turn.rounds.statuses}
        error = turn.error or next(iter(turn.rounds.lacking.values()), None)
        state = ConnectionState(
            at=now,
            reconciled_at=turn.reconciled_at,
            missed_day=known.missed(name, now - DAY),
            missed_month=known.missed(name, now - _MONTH),
            missed=known.ever_missed(name),
            changed_day=known.changed(name, now - DAY),
            changed_month=known.changed(name, now - _MONTH),
            not_visible=turn.rounds.not_visible,
            pending=known.pending_count(name),
            problem=None if error is None else getattr(error, "reason", "bad_answer"),
            detail=None if error is None else str(error),
            has_records=known.has_records(name),
            backfill=running(self._folder, name, now),
            limits=turn.rounds.limits,
            subscription=self._subscription(turn, now),
            labels=turn.labels,
            statuses=turn.statuses,
        )
        turn.told = await self._publish(name, state, turn.told, writer)

    async def _publish(
        self, name: str, state: ConnectionState, told: ConnectionState | None, writer: Writer
    ) -> ConnectionState:
        """Write what is new, or was told long ago; gives what was told last."""
        if told is not None and state.at - told.at < _TOLD_EVERY and replace(told, at=state.at) == state:
            return told
        await writer.write(CONNECTION_STATES.full_name(self._target.prefix), [encode_state(state)], name.encode())
        return state

    def _subscription(self, turn: _Turn, now: int) -> SubscriptionState | None:
        kept = None if turn.keeper is None else turn.keeper.subscription
        return self._streams.subscription(turn.rounds.name, now) or kept


async def read_states(
    target: Instance, on_unreadable: Callable[[Fetched], None] = log_unreadable
) -> dict[str, ConnectionState]:
    """What was last said of each connection, as far as it can be read. Raises KafkaError, MissingTopicError."""
    topic = CONNECTION_STATES.full_name(target.prefix)
    found = await newest_read(target.broker, topic, decode_state, on_unreadable)
    return {key.decode(errors="replace"): state for key, state in found.items()}


async def without_records(target: Instance, names: Sequence[str], *, seconds: float) -> list[str]:
    """Of these connections those of which nothing is known, as soon as all were looked at, at the latest after so long.

    Says nothing of one that nobody has looked at by then.
    """
    ends = time.monotonic() + seconds
    begun = machine_clock()
    while True:
        try:
            states = await read_states(target, lambda _record: None)
        except (KafkaError, MissingTopicError):
            return []
        looked = {name: states[name] for name in names if name in states and states[name].at >= begun}
        if len(looked) == len(names) or time.monotonic() > ends:
            return [name for name, state in looked.items() if not state.has_records]
        await asyncio.sleep(0.5)
