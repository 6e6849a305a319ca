"""`floorcast stream NAME`: the process that reads a connection's events and puts them into the log.

Owns the loop of each channel, the order of writing, and what goes wrong: an API that cannot be reached is tried again,
for as long as it takes. A Kafka that is away, or anything unexpected, ends the process: whoever started it starts it
again, and all that it knew lies in Kafka.

An event is asked for, stored, acknowledged, and only then are more asked for: a stream that is killed goes on behind
the last delivery that the log holds.
"""

import asyncio
import os
import random
import signal
import sys
import time
import zlib
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec
import orjson
import structlog

from deploy.ended import ENDS, ended_by
from deploy.local.target import Instance
from deploy.lookups.client import may_pass, refused_by
from deploy.lookups.pacing import backoff
from deploy.pulse import with_pulse
from deploy.streaming.events import Received, Schemas, event_deliveries, lost_since
from deploy.streaming.positions import last_marks, read_positions
from deploy.streaming.pubsub import ASK_BELOW, AT_ONCE, PubSub, PubSubError
from processor.logs import refuse
from processor.told_to_end import end_as_told
from processor.transport.fail_stop import FENCED, die
from processor.transport.following import Follower
from processor.transport.outgoing import Outgoing
from processor.transport.owner import Owner
from processor.transport.sole import OwnedError, Sole
from schemas.config import Config
from schemas.connectors.asking import CrmAnswer, NotLetInError
from schemas.connectors.salesforce.connector import SalesforceApi, SalesforceConnection, SalesforceStream
from schemas.connectors.salesforce.token import AccessToken, log_in
from schemas.deliveries import Delivery, encode_delivery
from schemas.exit_codes import ExitCode
from schemas.instants import HOUR
from schemas.machine_clock import machine_clock
from schemas.stream_positions import StreamPosition, encode_position, position_key
from schemas.topics import DELIVERIES, STREAM_POSITIONS

log = structlog.get_logger("stream")

_TOLD_EVERY_SECONDS = 1.0
_RENEWED_SECONDS = 4 * 3600.0
_TOKEN_SECONDS = 30.0
_LEAVE_SECONDS = 1.5


def main(target: Instance, config: Config, name: str, folder: Path) -> int:
    """Read until SIGTERM or SIGINT ends the process. `folder`: of its pulse.

    0: it was ended; 2: the configuration names no such stream; 3: Kafka is not there; 75: another stream of this
    connection runs.
    """
    if name not in streams(config):
        known = ", ".join(streams(config)) or "none"
        return refuse("stream", ExitCode.WRONG_USE, f"connections.{name}: has no stream; those that have one: {known}")
    try:
        told = asyncio.run(with_pulse(folder, _until_told(target, name, config)))
    except OwnedError as error:
        return refuse("stream", ExitCode.OWNED_BY_ANOTHER, str(error))
    except ENDS as error:
        return ended_by("stream", target.broker, error)
    if told is signal.SIGHUP:
        # The configuration is read again: it begins anew with it, as the same process to whoever watches it.
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606
    return 0


def streams(config: Config) -> list[str]:
    """The connections that have a stream."""
    return [
        name
        for name, connection in config.connections.items()
        if isinstance(connection, SalesforceConnection) and connection.stream is not None
    ]


async def _until_told(target: Instance, name: str, config: Config) -> signal.Signals:
    """Read until a signal says that it is enough: which one. What is not acknowledged by then is read anew."""
    told: asyncio.Future[signal.Signals] = asyncio.get_running_loop().create_future()

    def tell(number: signal.Signals) -> None:
        if told.done():
            end_as_told()
        told.set_result(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, tell, number)
    reading = asyncio.create_task(_run(target, name, config))
    ends: set[asyncio.Future[Any]] = {told, reading}
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    if reading.done():
        reading.result()
    reading.cancel()
    # So that the next one need not wait until Kafka misses this one.
    await asyncio.wait({reading}, timeout=_LEAVE_SECONDS)
    return told.result()


async def _run(target: Instance, name: str, config: Config) -> None:
    connection = config.connections[name]
    if not isinstance(connection, SalesforceConnection) or connection.stream is None or connection.api is None:
        raise TypeError(name)
    prefix, topic = target.prefix, STREAM_POSITIONS.full_name(target.prefix)
    async with AsyncExitStack() as stack:
        sole = await stack.enter_async_context(Sole(target.broker, group=f"{prefix}stream-{name}", topic=topic))
        owner = Owner(outgoing=Outgoing(target.broker), name=f"{prefix}stream-{name}", topics=[topic], partition=0)
        stack.push_async_callback(owner.close)
        await owner.acquire()
        written = {
            channel: position
            for (of, channel), position in (await read_positions(target.broker, prefix)).items()
            if of == name and channel in connection.stream.topics
        }
        known = await last_marks(target.broker, prefix, name, written)
        store = await Store.opened(target, name, owner)
        pubsub = await stack.enter_async_context(open_pubsub(connection, connection.stream, connection.api))
        channels = [ChannelReader(channel, store, pubsub, known.get(channel)) for channel in connection.stream.topics]
        async with asyncio.TaskGroup() as group:
            group.create_task(_until_lost(sole, name))
            group.create_task(_renew(owner))
            for channel in channels:
                group.create_task(channel.follow())


def open_pubsub(connection: SalesforceConnection, stream: SalesforceStream, api: SalesforceApi) -> PubSub:
    """The API of a connection."""
    return PubSub(stream.endpoint, tls=stream.tls, organization=connection.organization, log_in=lambda: ask_token(api))


async def ask_token(api: SalesforceApi) -> AccessToken:
    """A new token. Raises PubSubError."""
    steps = log_in(api.client_id, api.client_secret.get_secret_value())
    ask = next(steps)
    try:
        async with httpx.AsyncClient(base_url=api.url or "", timeout=_TOKEN_SECONDS, follow_redirects=False) as http:
            response = await http.request(ask.method, ask.path, data=dict(ask.form or {}))
    except httpx.TransportError as error:
        raise PubSubError(reason="unreachable", problem=f"{ask.path}: {type(error).__name__}") from None
    status = response.status_code
    if may_pass(status):
        reason = "limit" if status == httpx.codes.TOO_MANY_REQUESTS else "unreachable"
        raise PubSubError(reason=reason, problem=f"{ask.path}: answered {status}")
    if not response.is_success:
        refused = refused_by(ask, response, is_login=True)
        raise PubSubError(reason=refused.reason, problem=str(refused))
    try:
        steps.send(CrmAnswer(status, orjson.loads(response.content)))
    except orjson.JSONDecodeError:  # a page of whoever stands in between; its text may be what it read
        raise PubSubError(reason="unreachable", problem=f"{ask.path}: answered what is not JSON") from None
    except StopIteration as end:
        access: AccessToken = end.value
        if not access.instance_url:
            msg = f"{ask.path}: instance_url: is missing or not what is documented"
            raise PubSubError(reason="refused", problem=msg) from None
        return access
    except NotLetInError as error:
        raise PubSubError(reason="credentials", problem=f"{ask.path}: {error}") from None
    raise PubSubError(reason="refused", problem=f"{ask.path}: more is asked than is known")


async def _until_lost(sole: Sole, name: str) -> None:
    await sole.lost.wait()
    die(FENCED, f"stream {name}: another process of this name has the place")


async def _renew(owner: Owner) -> None:
    while True:
        await asyncio.sleep(_RENEWED_SECONDS)
        await owner.renew()


@dataclass
class Store:
    """Where the deliveries and positions of one connection are written."""

    connection: str
    owner: Owner
    deliveries: str
    """Topics, by their full names."""
    positions: str
    partition: int
    """Of the log: all that a connection's stream brings lies in one, so that its order stays."""
    end: int
    """Where nothing of this process lies before."""

    @classmethod
    async def opened(cls, target: Instance, connection: str, owner: Owner) -> "Store":
        """Look at the log. Raises KafkaError, MissingTopicError."""
        deliveries = DELIVERIES.full_name(target.prefix)
        async with Follower(target.broker, deliveries) as follower:
            ends = await follower.ends()
        partition = zlib.crc32(connection.encode()) % len(ends)
        return cls(connection, owner, deliveries, STREAM_POSITIONS.full_name(target.prefix), partition, ends[partition])

    async def append(self, deliveries: Sequence[Delivery]) -> int:
        """Store these in the log; where the last of them is to be found from."""
        place = (self.deliveries, self.partition)
        offsets = await self.owner.send_to({place: [(None, encode_delivery(each)) for each in deliveries]})
        self.end = max(self.end, offsets.get(place, -1))
        return self.end

    async def tell(self, channel: str, position: StreamPosition) -> None:
        """Write down how far a channel is."""
        await self.owner.send({self.positions: [(position_key(self.connection, channel), encode_position(position))]})


@dataclass
class ChannelReader:
    """One channel, followed for ever."""

    name: str
    store: Store
    pubsub: PubSub
    known: StreamPosition | None
    """As of the last process."""
    clock: Callable[[], int] = machine_clock
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random
    schemas: Schemas = field(default_factory=Schemas)
    position: StreamPosition = field(init=False)
    _told_at: float = field(default=float("-inf"), init=False)
    _failures: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.position = self.known or StreamPosition(b"", self.store.partition, self.store.end, self.clock())

    async def follow(self) -> None:
        """Read, store, and read on."""
        await self._tell()
        while True:
            try:
                await self._read()
            except PubSubError as error:
                await self._failed(error)

    async def _read(self) -> None:
        """Until the stream fails. Raises PubSubError."""
        subscription = await self.pubsub.subscribe(self.name, self.position.replay_id)
        log.info("stream.opened", connection=self.store.connection, channel=self.name)
        try:
            while True:
                events, mark, pending = await subscription.read()
                await self._take(events, mark)
                self._failures = 0
                if pending < ASK_BELOW:
                    await subscription.ask_for(AT_ONCE - pending)
        finally:
            subscription.cancel()

    async def _take(self, events: Sequence[Received], mark: bytes) -> None:
        for id in dict.fromkeys(event.schema_id for event in events):
            if id not in self.schemas:
                try:
                    self.schemas.add(id, await self.pubsub.schema(id))
                except ValueError as error:
                    raise PubSubError(reason="refused", problem=str(error)) from None
        now, partition, offset = self.clock(), self.position.partition, self.position.offset
        if events:
            deliveries = event_deliveries(
                events, self.schemas, connection=self.store.connection, channel=self.name, received_at=now
            )
            partition, offset = self.store.partition, await self.store.append(deliveries)
            mark = events[-1].replay_id
        was_broken = self.position.problem is not None
        self.position = StreamPosition(mark or self.position.replay_id, partition, offset, now)
        if not events or was_broken or time.monotonic() - self._told_at >= _TOLD_EVERY_SECONDS:
            await self._tell()

    async def _tell(self) -> None:
        self._told_at = time.monotonic()
        await self.store.tell(self.name, self.position)

    async def _failed(self, error: PubSubError) -> None:
        connection = self.store.connection
        if error.reason == "position":
            since = max(self.position.at - HOUR, 0)  # clocks differ
            log.warning("stream.gap", connection=connection, channel=self.name)
            lost = lost_since(since, connection=connection, channel=self.name, received_at=self.clock())
            offset = await self.store.append([lost])
            self.position = StreamPosition(b"", self.store.partition, offset, self.position.at)
            await self._tell()
            if not self._failures:
                self._failures = 1
                return
        wait = backoff(self._failures, self.chance())
        self._failures += 1
        log.warning(
            "stream.failed", connection=connection, channel=self.name, reason=error.reason, problem=str(error),
            again_in=round(wait, 1),
        )  # fmt: skip
        self.position = msgspec.structs.replace(self.position, problem=error.reason)
        await self._tell()
        await self.sleep(wait)
