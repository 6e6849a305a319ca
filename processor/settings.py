"""Settings of a worker process, from the environment (`FLOORCAST_…`) or flags.

The command line fills the environment from `.env` and secret files before.
"""

from pathlib import Path

from pydantic import Field

from schemas.process_settings import ProcessSettings


class Settings(ProcessSettings):
    """One worker."""

    partitions: int = Field(
        default=4, ge=1, le=1024, description="Partitions of each topic, until a replay says another number."
    )
    state: Path | None = Field(
        default=None,
        description="Folder of checkpoints of what this worker holds, used by no other: one that finds them starts "
        "within a moment. May be empty, lost or of long ago at any start, which then takes as long as without.",
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
