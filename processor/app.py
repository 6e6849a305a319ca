"""The worker process: reads the configuration, checks the topics, runs the Faust app until it is told to stop.

Owns exit codes and logging of the process. What it runs is wired in topology.py.
"""

import asyncio
import os
import sys

from processor.settings import Settings
from processor.telemetry import configure_logging
from processor.topology import build_app
from processor.transport.administration import KafkaError, TopicsError, ensure_topics
from processor.transport.worker import run
from schemas.config import Config, ConfigError, load_config

WRONG_CONFIGURATION = 2
UNREACHABLE = 3


def main(settings: Settings) -> int:
    """Run a worker. 0 after SIGTERM or SIGINT; 2 for a wrong configuration or topics; 3 if Kafka cannot be reached."""
    configure_logging()
    try:
        config = load_config(settings.config, os.environ)
    except ConfigError as error:
        _say(*error.problems)
        return WRONG_CONFIGURATION
    try:
        asyncio.run(_check_topics(settings, config))
    except TopicsError as error:
        _say(*error.problems)
        return WRONG_CONFIGURATION
    except (KafkaError, OSError, TimeoutError) as error:
        _say(f"Kafka at {settings.broker} cannot be reached: {type(error).__name__}")
        return UNREACHABLE
    # Faust keeps a loop from its import on; one of our own that is open and current is what its worker runs on.
    asyncio.set_event_loop(asyncio.new_event_loop())
    try:
        run(build_app(settings, config), override_logging=False)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


async def _check_topics(settings: Settings, config: Config) -> None:
    async with asyncio.timeout(30):
        await ensure_topics(
            settings.broker,
            prefix=settings.prefix,
            generation=settings.generation,
            partitions=settings.partitions,
            records_kept=config.retention.records,
        )


def _say(*lines: str) -> None:
    for line in lines:
        sys.stderr.write(f"floorcast worker: {line}\n")
