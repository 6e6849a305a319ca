"""Settings of a worker process, from the environment (`FLOORCAST_…`) or flags.

The command line fills the environment from `.env` and secret files before.
"""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from schemas.kafka import BrokerAddresses, Kafka, KafkaSettings
from schemas.tracing import TRACES_PATTERN


class Settings(KafkaSettings):
    """One worker."""

    model_config = SettingsConfigDict(env_prefix="FLOORCAST_", extra="ignore", frozen=True)

    config: Path = Field(default=Path("floorcast.yaml"), description="The configuration file.")
    broker: BrokerAddresses = Field(default="127.0.0.1:9092", description="Kafka, as host:port[,host:port].")
    prefix: str = Field(
        default="floorcast.", pattern=r"^[A-Za-z0-9._-]{0,64}$", description="Before every topic and group name."
    )
    partitions: int = Field(
        default=4, ge=1, le=1024, description="Partitions of each topic, until a replay says another number."
    )
    data: Path = Field(
        default=Path(".floorcast"),
        description="Folder for local state and the API keys (`keys.json`); may be empty at any start.",
    )
    state: Path | None = Field(
        default=None,
        description="Folder of checkpoints of what this worker holds, used by no other: one that finds them starts "
        "within a moment. May be empty, lost or of long ago at any start, which then takes as long as without.",
    )
    traces: str = Field(
        default="",
        pattern=TRACES_PATTERN,
        description="The collector that is told traces by OTLP, such as `http://collector:4318`; empty: none are made. "
        "OpenTelemetry's own variables (`OTEL_TRACES_SAMPLER`, `OTEL_EXPORTER_OTLP_HEADERS`, …) hold beside it.",
    )
    worker_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._-]{1,128}$",
        description="A name that stays over restarts of this worker: it then has its partitions back at once.",
    )
    worker_port: int = Field(
        default=0, ge=0, le=65535, description="Port of the worker's own /livez, /readyz and /metrics; 0: none."
    )
    worker_host: str = Field(
        default="127.0.0.1", min_length=1, description="Address that the worker's own port is opened on."
    )
    stall: float = Field(
        default=120.0,
        ge=10,
        le=86_400,
        description="Seconds after which a worker that makes no progress, though there is work, ends itself.",
    )
    session_timeout: float = Field(
        default=10.0, ge=0.5, le=300, description="Seconds after which the partitions of a silent worker go elsewhere."
    )

    @property
    def kafka(self) -> Kafka:
        """Where Kafka is, and what is shown to it."""
        return self.kafka_at(self.broker)

    @property
    def keys(self) -> Path:
        """Where the API keys lie."""
        return self.data / "keys.json"
