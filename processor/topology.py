"""The wiring of a worker: which stage reads which topic. The only place that knows all of them."""

from pathlib import Path

from processor.agents.ledger import LedgerShard
from processor.agents.normalise import NormaliseShard
from processor.agents.responses import ResponsesShard
from processor.agents.stage import Deployment
from processor.core.definitions import definitions_of
from processor.settings import Settings
from processor.transport.worker import StagedApp, build_batched_app
from schemas.config import Config
from schemas.connectors import build_connector
from schemas.topics import DELIVERIES, ENGAGEMENTS, RECORD_CHANGES


def build_app(settings: Settings, config: Config) -> StagedApp:
    """The worker's Faust app, ready to run."""
    deployment = Deployment(
        bootstrap=settings.broker,
        prefix=settings.prefix,
        generation=settings.generation,
        partitions=settings.partitions,
        definitions=definitions_of(config),
        connectors={name: build_connector(connection) for name, connection in config.connections.items()},
    )
    return build_batched_app(
        name=f"{settings.prefix}g{settings.generation}.processor",
        bootstrap=settings.broker,
        stages={
            deployment.topic(DELIVERIES): lambda partition: NormaliseShard(partition, deployment),
            deployment.topic(RECORD_CHANGES): lambda partition: LedgerShard(partition, deployment),
            deployment.topic(ENGAGEMENTS): lambda partition: ResponsesShard(partition, deployment),
        },
        partitions=settings.partitions,
        datadir=Path(settings.data) / "worker",
        worker_id=settings.worker_id,
        session_timeout_seconds=settings.session_timeout,
        heartbeat_seconds=min(3.0, settings.session_timeout / 4),
    )
