"""Settings of the api process, from the environment (`FLOORCAST_…`): the command line fills it from `.env` and files.

Owns names, defaults and bounds. What describes the organisation (connections, teams, rules) is in `floorcast.yaml`,
read by `schemas.config`.
"""

from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from schemas.addresses import is_loopback
from schemas.process_settings import ProcessSettings

Role = Literal["all", "ingest", "read"]


class Settings(ProcessSettings):
    """How this api process runs."""

    partitions: int = Field(
        default=4, ge=1, le=1024, description="Partitions of each topic, until a replay says another number."
    )
    snapshot_seconds: float = Field(
        default=300.0,
        ge=1,
        le=3600,
        description="So often, and when the process ends, the view is written to the data directory, where more than a "
        "twentieth of it has changed.",
    )
    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on.")
    port: int = Field(default=8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    verifier_key_sha256: str | None = Field(
        default=None,
        pattern=r"^[0-9a-f]{64}$",
        description="SHA-256 of one more key of scope `read`, for as long as the process lives: `up` sets it.",
    )
    trusted_proxies: str = Field(
        default="",
        max_length=10_000,
        description="Addresses and networks, with commas, whose `Forwarded` and `X-Forwarded-*` headers are believed.",
    )
    access_log: Literal["all", "refused", "none"] = Field(
        default="all",
        description="Requests that have a line in the log. `all`: but deliveries taken, scrapes, probes and files.",
    )
    role: Role = Field(default="all", description="`ingest` takes webhooks only, `read` serves only, `all` does both.")

    drain_seconds: float = Field(
        default=0,
        ge=0,
        le=300,
        description="For so long after SIGTERM it is not ready and serves on; then it ends.",
    )
    request_deadline_seconds: float = Field(
        default=5.0, gt=0, le=300, description="A request, head and body, must have arrived after this time."
    )
    write_deadline_seconds: float = Field(
        default=30.0, gt=0, le=3600, description="A client that takes nothing of its answer for this long is dropped."
    )
    produce_timeout_seconds: float = Field(
        default=2.5,
        gt=0,
        le=60,
        description="After this time without Kafka's acknowledgement a delivery gets 503. While Kafka acknowledges "
        "none, sixteen at most wait for it, and all others get 503 at once.",
    )
    max_body_bytes: int = Field(default=1 << 20, ge=1, le=1 << 20, description="Largest body of a webhook.")
    max_head_bytes: int = Field(
        default=32 << 10, ge=1 << 10, le=1 << 20, description="Largest request line and headers, 32 bytes each added."
    )
    max_in_flight_deliveries: int = Field(
        default=2_000, ge=1, description="Deliveries that may wait for Kafka at once; more get 503."
    )
    max_in_flight_bytes: int = Field(
        default=64 << 20, ge=1 << 20, description="Bytes of bodies being read, and of deliveries waiting for Kafka."
    )
    deliveries_per_second: float = Field(
        default=2_000.0, gt=0, description="Authentic deliveries per second and connection; more get 429."
    )
    deliveries_burst: int = Field(default=10_000, ge=1, description="Deliveries a connection may send at once.")
    max_connections: int = Field(default=4_096, ge=1, description="Open HTTP connections; more get 503.")
    max_streams: int = Field(default=2_000, ge=1, description="Open streams, screens' and others'; more get 503.")
    max_streams_per_key: int = Field(
        default=1_000, ge=1, description="Open streams of one key, such as that of all screens; more get 429."
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _read_proxies(cls, given: str) -> str:
        for number, part in enumerate(_listed(given), start=1):
            try:
                ip_network(part)
            except ValueError:
                msg = f"entry {number} is no address and no network (10.0.0.0/8, not 10.0.0.1/8)"
                raise ValueError(msg) from None
        return given

    @property
    def proxies(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks of `trusted_proxies`."""
        return tuple(ip_network(part) for part in _listed(self.trusted_proxies))

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the address listened on."""
        return is_loopback(self.host)

    @property
    def snapshot(self) -> Path:
        """Where the view's panes lie between two starts."""
        return self.data / "view.snapshot"


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
