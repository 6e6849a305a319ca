"""The wiring of a worker: which stage reads which topic. The only place that knows all of them."""

from pathlib import Path

from processor.agents.acknowledge import AcknowledgeShard
from processor.agents.channels import build_channels
from processor.agents.ledger import LedgerShard
from processor.agents.normalise import NormaliseShard
from processor.agents.notify import NotifyShard
from processor.agents.responses import ResponsesShard
from processor.agents.stage import Deployment
from processor.agents.thresholds import ThresholdsShard
from processor.agents.watermark import Watermark
from processor.core.definitions import definitions_of
from processor.settings import Settings
from processor.transport.checkpoints import Checkpoints, digest_of_code
from processor.transport.log_watch import LogWatch
from processor.transport.outgoing import Outgoing
from processor.transport.worker import StagedApp, build_batched_app
from schemas.alerts import channel_partition
from schemas.config import Config
from schemas.connectors import build_connector
from schemas.definitions import definitions_digest
from schemas.generations import Served, group_name, wanted_of
from schemas.kafka_facts import KafkaFacts
from schemas.machine_clock import machine_clock
from schemas.numbers import PhoneNumbers
from schemas.topics import ALERT_ACTIONS, DELIVERIES, ENGAGEMENTS, NOTIFICATIONS, RECORD_CHANGES
from schemas.tracing import OFF, Tracing


def build_app(
    settings: Settings, config: Config, served: Served, numbers: PhoneNumbers, tracing: Tracing = OFF
) -> StagedApp:
    """The worker's Faust app, ready to run."""
    asking = KafkaFacts(settings.kafka)
    checkpoints = _checkpoints(settings, config, served, asking)
    doubt = (lambda: None) if checkpoints is None else checkpoints.let_go_of_all
    deployment = Deployment(
        bootstrap=settings.kafka,
        prefix=settings.prefix,
        generation=served.generation,
        partitions=served.partitions,
        log_partitions=served.log_partitions,
        definitions=definitions_of(config),
        digest=definitions_digest(config),
        connectors={name: build_connector(connection) for name, connection in config.connections.items()},
        outgoing=Outgoing(settings.kafka),
        watch=LogWatch(asking, wanted_of(settings.prefix, served), doubt=doubt),
        numbers=numbers,
        tracing=tracing,
        names={name: config.names_told(name) for name in config.alerts.channels},
        rep_names={id: rep.name for id, rep in config.reps.items() if rep.name is not None},
        team_names={name: team.name for name, team in config.teams.items() if team.name is not None},
        checkpoints=checkpoints,
    )
    alerts = config.alerts
    watermark = Watermark(deployment, machine_clock)

    def notify(partition: int) -> NotifyShard:
        quiet = {
            name: channel.quiet
            for name, channel in alerts.channels.items()
            if channel_partition(name, deployment.partitions) == partition
        }
        return NotifyShard(partition, deployment, make_channels=lambda: build_channels(config), quiet=quiet)

    def acknowledge(partition: int) -> AcknowledgeShard:
        if partition == 0:
            return ThresholdsShard(partition, deployment, config=config, watermark=watermark)
        return AcknowledgeShard(partition, deployment, channels=alerts.channels)

    app = build_batched_app(
        name=group_name(settings.prefix, served.generation),
        bootstrap=settings.kafka,
        stages={
            deployment.topic(DELIVERIES): lambda partition: NormaliseShard(partition, deployment),
            deployment.topic(RECORD_CHANGES): lambda partition: LedgerShard(partition, deployment),
            deployment.topic(ENGAGEMENTS): lambda partition: ResponsesShard(
                partition, deployment, alerts=alerts, watermark=watermark
            ),
            deployment.topic(NOTIFICATIONS): notify,
            deployment.topic(ALERT_ACTIONS): acknowledge,
        },
        partitions=served.partitions,
        datadir=Path(settings.data) / "worker",
        worker_id=settings.worker_id,
        session_timeout_seconds=settings.session_timeout,
        heartbeat_seconds=min(3.0, settings.session_timeout / 4),
    )
    app.log_watch = deployment.watch
    app.live.tracing = tracing
    return app


def _checkpoints(settings: Settings, config: Config, served: Served, asking: KafkaFacts) -> Checkpoints | None:
    if settings.state is None:
        return None
    code = digest_of_code(config.organisation.timezone)
    checkpoints = Checkpoints(settings.state, asking, machine_clock, code)
    checkpoints.let_go(settings.prefix, served.generation)
    return checkpoints
