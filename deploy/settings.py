"""What the command line takes from the environment: `FLOORCAST_…` variables, `.env`, secret files.

Owns the settings of `floorcast up` and its relatives, and the environment that `${env:NAME}` in `floorcast.yaml` is
filled from. The api's and the worker's own settings are theirs.
"""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated

from dotenv import dotenv_values
from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import SettingsConfigDict

from schemas.instants import DAY, SECOND, parse_duration
from schemas.kafka import BrokerAddresses, KafkaSettings

SECRETS = Path("/run/secrets")
PREFIX = "FLOORCAST_"
_LARGEST_SECRET_BYTES = 64 * 1024
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def verification_interval(text: str) -> int | None:
    """How often to recount the log (microseconds); None for `off`. Raises ValueError."""
    if text == "off":
        return None
    interval = parse_duration(text)
    if not 10 * SECOND <= interval <= DAY:
        raise ValueError("must be between 10s and 1d")
    return interval


def _checked_interval(text: str) -> str:
    verification_interval(text)
    return text


class Settings(KafkaSettings):
    """Settings of the commands that run or ask a whole floorcast. A flag wins over the environment."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    config: Path = Field(default=Path("floorcast.yaml"), description="The configuration file.")
    data: Path = Field(default=Path(".floorcast"), description="Where `up` keeps Kafka's log and its own files.")
    host: str = Field(default="127.0.0.1", min_length=1, description="Address that `up` listens on.")
    port: int = Field(default=8080, ge=0, le=65535, description="Port that `up` listens on; 0 takes a free one.")
    broker: BrokerAddresses | None = Field(
        default=None, description="HOST:PORT of a Kafka; without it `up` starts its own."
    )
    prefix: str = Field(
        default="floorcast.", pattern=r"^[A-Za-z0-9._-]{0,64}$", description="What the names of all topics begin with."
    )
    verify_every: Annotated[str, AfterValidator(_checked_interval)] = Field(
        default="5m",
        description="How often `up` recounts the newest part of the log and compares what is served; `off`: never.",
    )
    partitions: int = Field(
        default=4, ge=1, le=1024, description="Partitions of each topic, until a replay says another number."
    )
    worker_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="Port of the /livez and /metrics of the worker that `up` starts; 0: none.",
    )


_FLAGS = {"worker_host": "--host", "worker_port": "--port"}


def describe_problems(error: ValidationError, given: Collection[str] = ()) -> list[str]:
    """One line per setting that cannot be used, by its flag where it was `given` as one, else by its variable.

    Never its value.
    """
    told = []
    for problem in error.errors(include_input=False):
        reason = str(problem["msg"]).removeprefix("Value error, ")
        if not problem["loc"]:  # what concerns several settings names them itself
            told.append(reason)
            continue
        name = "_".join(str(part) for part in problem["loc"])
        where = _FLAGS.get(name, f"--{name.replace('_', '-')}") if name in given else f"{PREFIX}{name.upper()}"
        told.append(f"{where}: {reason}")
    return told


def read_environment(given: Mapping[str, str], dotenv: Path, secrets: Path) -> dict[str, str]:
    """Return the variables of the process, then of `.env`, then one per secret file: the first that has a name wins."""
    found: dict[str, str] = {}
    if secrets.is_dir():
        for path in sorted(secrets.iterdir()):
            if _NAME.fullmatch(path.name) and path.is_file() and path.stat().st_size <= _LARGEST_SECRET_BYTES:
                found[path.name] = path.read_text(encoding="utf-8", errors="replace").strip()
    if dotenv.is_file():
        # `${env:NAME}` is ours, in floorcast.yaml only: what stands in `.env` is taken as it is.
        found |= {name: value for name, value in dotenv_values(dotenv, interpolate=False).items() if value is not None}
    return {**{name: value for name, value in found.items() if "\0" not in value}, **given}
