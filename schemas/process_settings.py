"""What the settings of an api and of a worker have in common, from the environment (`FLOORCAST_…`).

Owns names, defaults and bounds. The command line fills the environment from `.env` and secret files before.
"""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from schemas.kafka import BrokerAddresses, Kafka, KafkaSettings
from schemas.tracing import TRACES_PATTERN


class ProcessSettings(KafkaSettings):
    """Which Kafka and which organisation a process works for."""

    model_config = SettingsConfigDict(
        env_prefix="FLOORCAST_",
        frozen=True,
        # `.env` and the environment also hold what the other processes read.
        extra="ignore",
    )

    config: Path = Field(default=Path("floorcast.yaml"), description="The file with connections, teams and rules.")
    broker: BrokerAddresses = Field(default="127.0.0.1:9092", description="Kafka's HOST:PORT, several with commas.")
    prefix: str = Field(
        default="floorcast.",
        pattern=r"^[A-Za-z0-9._-]{0,64}$",
        description="Begins the name of every topic and group, so that several organisations share one cluster.",
    )
    data: Path = Field(
        default=Path(".floorcast"),
        description="Directory of keys that were made without a Kafka (`keys.json`), and of what the api's view held "
        "(`view.snapshot`): one that finds that there need not read it all from Kafka. May be empty at any start.",
    )
    traces: str = Field(
        default="",
        pattern=TRACES_PATTERN,
        description="The collector that is told traces by OTLP, such as `http://collector:4318`; empty: none are made. "
        "OpenTelemetry's own variables (`OTEL_TRACES_SAMPLER`, `OTEL_EXPORTER_OTLP_HEADERS`, …) hold beside it.",
    )

    @property
    def kafka(self) -> Kafka:
        """Where Kafka is, and what is shown to it."""
        return self.kafka_at(self.broker)

    @property
    def keys(self) -> Path:
        """Where the API keys lie."""
        return self.data / "keys.json"
