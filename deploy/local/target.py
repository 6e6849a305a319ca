"""Which floorcast a command is about: the `up` that runs on its data folder, or a Kafka that is named.

`up.json` in that folder is written by `deploy.local.up`, and there while it runs.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from deploy.local.login import read_login
from deploy.local.ports import UpError
from schemas.kafka import PLAIN, Address, Kafka

if TYPE_CHECKING:
    from deploy.settings import Settings

DEMO = "demo"
"""Below a data folder: that of `floorcast demo`, which leaves the folder itself alone."""


class Running(msgspec.Struct, frozen=True):
    """What `up.json` says."""

    url: str
    broker: str
    pid: int
    prefix: str
    config: str
    has_login: bool = False
    """Whether its Kafka is the local one, which asks for the login of this folder."""


class Instance(msgspec.Struct, frozen=True):
    """The floorcast that a command asks or works on."""

    broker: Address
    prefix: str
    config: Path
    url: str | None
    """None: no api is known."""


def find_running(data: Path) -> Running | None:
    """The `up` that runs on this data folder; where none does, the demo that runs below it."""
    return _running_in(data) or _running_in(data / DEMO)


def _running_in(data: Path) -> Running | None:
    try:
        running = msgspec.json.decode((data / "up.json").read_bytes(), type=Running)
        os.kill(running.pid, 0)
    except PermissionError:
        return running
    except (OSError, msgspec.MsgspecError):
        return None
    return running


def find_target(settings: "Settings", url: str | None = None) -> Instance:
    """What the command line and the environment name, and what is not named by the `up` that runs on the folder.

    Raises UpError if no Kafka is named and none runs.
    """
    given = settings.model_fields_set
    running = find_running(settings.data)
    # An `up` beside another Kafka that is named has nothing to say about that one.
    if running is not None and settings.broker not in (None, running.broker):
        running = None
    if running is None:
        if settings.broker is None:
            problem = f"no floorcast up runs on {settings.data}: name its folder with --data, or a Kafka with --broker"
            raise UpError([problem], 2)
        return Instance(settings.kafka_at(settings.broker), settings.prefix, settings.config, url)
    folder = settings.data if _running_in(settings.data) is not None else settings.data / DEMO
    login = read_login(folder) if running.has_login else settings.kafka_security
    return Instance(
        broker=Kafka(running.broker, login or PLAIN),
        prefix=settings.prefix if "prefix" in given else running.prefix,
        config=settings.config if "config" in given else Path(running.config),
        url=url or running.url,
    )


async def reach_broker(broker: Address) -> None:
    """Raise UpError unless a Kafka at one of the comma-separated addresses lets us in."""
    from schemas.kafka_refusals import why_not  # noqa: PLC0415

    problem = await why_not(broker)
    if problem is not None:
        raise UpError([problem], 3)
