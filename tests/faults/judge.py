"""Whether floorcast was right: what it serves, what it keeps and what it acknowledged, against independent recounts.

Owns the comparisons. Three recounts: the oracle of the tests over the books of what was acknowledged (for all that is
served), `floorcast verify` over the log, and the pure stages in one process over the log (for what is kept in topics).
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from processor.core.normalise import normalise
from schemas.config import Config
from schemas.connectors import build_connector
from schemas.deliveries import decode_delivery
from schemas.progress import Progress
from schemas.records import RecordChange
from schemas.topics import DEALS, DELIVERIES, GROUPS, LEAD_CLOCKS, LEDGER, PANES, ROSTER
from schemas.windows import WINDOWS
from tests.faults.load import Load
from tests.faults.stack import PARTITIONS, Stack
from tests.integration.served import Reader, all_differences, settle
from tests.oracle import recount
from tests.pipeline import Pipeline, without_left_over

_AT_ONCE = 5_000
_VERIFY_SECONDS = 600.0
"""Only guards against hanging: the worst deliveries are a recount of minutes."""
_VERDICT = re.compile(r"^verified \d+ changes of \d+ deliveries as of \S+: (\d+) differences$", re.MULTILINE)


@dataclass(slots=True)
class Judgment:
    """What is wrong."""

    differences: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """Acknowledged deliveries that the log does not hold."""
    deliveries: int = 0
    changes: int = 0

    def add(self, other: Judgment) -> None:
        """And what else is."""
        self.differences += other.differences
        self.missing += other.missing
        self.deliveries, self.changes = other.deliveries, other.changes


async def judge(
    stack: Stack, load: Load, *, windows: Sequence[str] = WINDOWS, verify: bool = True, patience: float = 1.0
) -> Judgment:
    """Compare everything, once all that was acknowledged has passed. Nothing may be posted meanwhile.

    What is served is compared in these windows. Without `verify` the product's own recount is left out; with it, it has
    so many times as long as on a quiet machine.
    """
    async with Reader(stack.api.url) as reader:
        await settle(reader, stack.kafka.address, stack.prefix)
        config = stack.config
        books = await asyncio.to_thread(recount, load.changes(), config)
        served = await all_differences(reader, books, config, windows)
    found = Judgment(differences=[f"served: {line}" for line in served])
    if verify:
        found.differences += await _verified(stack, patience * _VERIFY_SECONDS)
    log = await stack.records(DELIVERIES)
    stored: dict[str, set[bytes]] = {}
    for _, record in log:
        delivery = decode_delivery(record.value or b"")
        stored.setdefault(delivery.headers.get("webhook-id", ""), set()).add(delivery.body)
    taken = load.taken
    found.missing = [name for name, post in taken.items() if post.body not in stored.get(name, ())]
    found.deliveries = len(taken)
    values = [(partition, record.offset, record.value or b"") for partition, record in log]
    changes = _changes(values, config)
    found.changes = len(changes)
    found.differences += await _kept_differences(stack, changes, config)
    return found


async def _verified(stack: Stack, seconds: float) -> list[str]:
    """One line per difference that the product's own recount finds."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("floorcast")), "verify", "--config", str(stack.config_file),
        "--broker", stack.kafka.address, "--data", str(stack.folder / "verify"), "--url", stack.api.url,
        env={name: value for name, value in os.environ.items() if not name.startswith("FLOORCAST_")}
        | {"FLOORCAST_PREFIX": stack.prefix, "FLOORCAST_PARTITIONS": str(PARTITIONS)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(seconds):
            out, err = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    words = out.decode(errors="replace")
    verdict = _VERDICT.search(words)
    if verdict is None:
        return [f"verify: exit code {process.returncode}: {err.decode(errors='replace').strip()[-500:]}"]
    return [f"verify: {line}" for line in words.splitlines()[: int(verdict[1])]]


def _changes(log: list[tuple[int, int, bytes]], config: Config) -> list[RecordChange]:
    connectors = {name: build_connector(connection) for name, connection in config.connections.items()}
    return [
        change
        for partition in range(PARTITIONS)
        for change in normalise(
            ((offset, value) for of, offset, value in log if of == partition),
            partition=partition,
            connectors=connectors,
            progress=Progress(),
        ).changes
    ]


async def _kept_differences(stack: Stack, changes: list[RecordChange], config: Config) -> list[str]:
    """Compare the last value of each key with what the pure stages make of the log, byte for byte."""

    def derive() -> Pipeline:
        pipeline = Pipeline(config, partitions=PARTITIONS)
        for at in range(0, len(changes), _AT_ONCE):
            pipeline.take(changes[at : at + _AT_ONCE])
        return pipeline

    pipeline = await asyncio.to_thread(derive)
    state = pipeline.state()
    found: list[str] = []
    for topic in (LEDGER, GROUPS, PANES, ROSTER, DEALS, LEAD_CLOCKS):
        kept, expected = await stack.kept(topic), state[topic.name]
        if topic is GROUPS:
            kept = without_left_over(kept)
        for place in sorted(kept.keys() | expected.keys()):
            if kept.get(place) != expected.get(place):
                why = "missing" if place not in kept else "surplus" if place not in expected else "another value"
                found.append(f"kept in {topic.name}[{place[0]}]: {place[1].decode(errors='replace')}: {why}")
    return found
