"""The Faust app of a set of stages, and the process that runs it.

Owns Faust's settings, one agent per stage and the timers (tick, renewal, checkpoint). Does not know what the stages do.
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import faust
from faust.types import TP
from faust.types.auth import CredentialsT

from processor.transport.batches import BatchSchema, BatchTransport
from processor.transport.drained import FETCH_BYTES
from processor.transport.ending import EndingWorker
from processor.transport.fail_stop import FAILED, Die, die
from processor.transport.log_watch import LogWatch
from processor.transport.recovery import ShardTableManager
from processor.transport.shards import LiveShards, ShardFactory
from schemas.kafka import Address, kafka_options
from schemas.kafka_clients import is_cancelled
from schemas.machine_clock import machine_clock

RENEW_SECONDS = 4 * 3600.0
TICK_SECONDS = 1.0
KEEP_SECONDS = 10.0
"""Between looks at what shards are to write down."""
METADATA_MS = 10_000


class StagedApp(faust.App):
    """A Faust app whose topics are stages. `live` holds their shards, for health and telemetry."""

    live: LiveShards
    die: Die
    on_assigned: Callable[[set[TP]], Awaitable[None]]
    log_watch: LogWatch | None = None
    """Over the topics of all shards."""
    ending: EndingWorker
    """What runs it, from `run_worker` on."""


class _StagedWorker(EndingWorker, faust.Worker):
    """Faust's worker, which owns the process."""


def build_batched_app(
    *,
    name: str,
    bootstrap: Address,
    stages: Mapping[str, ShardFactory],
    partitions: int,
    datadir: Path,
    worker_id: str | None = None,
    session_timeout_seconds: float = 30.0,
    heartbeat_seconds: float = 3.0,
    rebalance_timeout_seconds: float = 60.0,
    commit_seconds: float = 1.0,
    batch_max: int = 4000,
    renew_seconds: float = RENEW_SECONDS,
) -> StagedApp:
    """Build the app of consumer group `name`: for each source topic its stage, for each assigned partition its shard.

    `worker_id` is a name that stays the same over restarts of this worker (`group.instance.id`): the group keeps its
    partitions for it for `session_timeout_seconds`, so that a restart needs no rebalance. Two live workers must not
    share one. The source topics exist already, have `partitions` partitions each, and are neither compacted nor
    written transactionally.
    """
    live = LiveShards(stages, die=die)
    datadir.mkdir(parents=True, exist_ok=True)
    app = StagedApp(
        name,
        broker=f"kafka://{bootstrap}",
        broker_credentials=_credentials(bootstrap),
        datadir=str(datadir),
        store="memory://",
        web_enabled=False,
        worker_redirect_stdouts=False,
        TableManager=ShardTableManager,
        table_standby_replicas=0,
        topic_partitions=partitions,
        topic_disable_leader=True,
        topic_allow_declare=False,
        consumer_group_instance_id=worker_id,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=FETCH_BYTES,
        broker_session_timeout=session_timeout_seconds,
        broker_heartbeat_interval=heartbeat_seconds,
        broker_rebalance_timeout=rebalance_timeout_seconds,
        broker_request_timeout=max(30.0, session_timeout_seconds),  # Faust refuses a shorter one
        # Loading counts as not polling, and a worker thrown out for it would begin again from the start.
        broker_max_poll_interval=3600.0,
        broker_commit_interval=commit_seconds,
        # A topic that the broker did not name when the group was joined is left out until the next look. By default
        # that is in five minutes, and its stage would stand still so long.
        consumer_metadata_max_age_ms=METADATA_MS,
        stream_recovery_delay=0.0,
        # Faust would load the library that its client for HTTP is of, and asks nobody anything.
        HttpClient=object,
        stream_wait_empty=True,  # otherwise a half-processed batch is acked when an agent is cancelled
    )
    app.live = live
    app.die = die
    app.on_assigned = lambda tps: live.assign((tp.topic, tp.partition) for tp in tps)
    app.transport = _transport(app, batch_max)
    for topic in stages:
        _add_agent(app, topic)

    async def suspend(*_args: Any, **_rest: Any) -> None:
        await live.suspend()

    async def close(*_args: Any, **_rest: Any) -> None:
        await live.close()

    app.on_partitions_revoked.connect(suspend, weak=False)
    app.on_before_shutdown.connect(close, weak=False)
    _every(app, TICK_SECONDS, lambda: live.tick(machine_clock()), "tick")
    _every(app, renew_seconds, live.renew, "renewal")
    _every(app, KEEP_SECONDS, live.keep, "checkpoint")
    # Faust's own producer sends nothing here, but its full-buffer warning comes once per message if it ever does.
    logging.getLogger("faust.transport.producer").setLevel(logging.ERROR)
    return app


def run_worker(app: StagedApp, *, override_logging: bool = True) -> NoReturn:
    """Run the app until SIGTERM, SIGINT or `app.ending`, then raise SystemExit with 0; with 1 if Faust itself fails.

    With `override_logging`, Faust configures the root logger. At a level above INFO it would put it at DEBUG for the
    sake of a progress spinner.
    """
    worker = _StagedWorker(app, loglevel="INFO", redirect_stdouts=False, override_logging=override_logging, quiet=True)
    worker.spinner = None  # else it draws on stdout, beside a log of which each line is JSON
    app.ending = worker
    worker.execute_from_commandline()


def _credentials(bootstrap: Address) -> CredentialsT | None:
    """What Faust shows to the broker; the same as all other clients of this process."""
    options = kafka_options(bootstrap)
    context: ssl.SSLContext | None = options.get("ssl_context")
    if "sasl_mechanism" in options:
        return faust.SASLCredentials(
            mechanism=options["sasl_mechanism"],
            username=options["sasl_plain_username"],
            password=options["sasl_plain_password"],
            ssl_context=context,
        )
    return None if context is None else faust.SSLCredentials(context)


def _transport(app: StagedApp, batch_max: int) -> BatchTransport:
    transport = BatchTransport(app.conf.broker_consumer, app)
    transport.batch_max = batch_max
    transport.on_seek = lambda tp, offset: app.live.sought((tp.topic, tp.partition), offset)
    return transport


def _add_agent(app: StagedApp, topic: str) -> None:
    """Add the agent of one stage.

    It has an actor per partition: twice the throughput and a sixth of the latency of a shared one.
    """

    async def agent(stream: Any) -> None:
        # Faust acks the batch in hand when it cancels an agent, so batches are acked by hand.
        stream.enable_acks = False
        try:
            async for event in stream.events():
                await app.live.process((event.message.topic, event.message.partition), event.value)
                event.ack()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            # Raising would ack the batch and restart the agent after it (#315).
            app.die(FAILED, f"stage {topic} failed: {error!r}", error=error)

    app.agent(app.topic(topic, schema=BatchSchema()), name=f"stage {topic}", isolated_partitions=True)(agent)


def _every(app: StagedApp, seconds: float, work: Callable[[], Awaitable[None]], what: str) -> None:
    """Faust's own timers log each late round; and an exception in one would stop the worker by committing first."""

    async def loop() -> None:
        while not app.should_stop:
            await app.sleep(seconds)
            if app.should_stop:
                return
            try:
                await work()
            except BaseException as error:
                # A cancellation that nobody asked for would end this loop without a word: no lead would be told of.
                if isinstance(error, asyncio.CancelledError) and is_cancelled():
                    raise
                app.die(FAILED, f"{what} failed: {error!r}", error=error)

    app.task(loop)
