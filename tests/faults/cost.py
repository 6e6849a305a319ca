"""What the worst legal deliveries cost the stages: `python -m tests.faults.cost`; CPU and memory of each shape.

Owns the measuring, in one process and without Kafka: reading, ledger and groups, each delivery as one batch.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Sequence

from rich.console import Console

from deploy.simulator.posting import Post
from processor.core.normalise import normalise
from schemas.connectors.generic import Generic
from schemas.deliveries import encode_delivery
from schemas.instants import DAY
from schemas.progress import Progress
from tests.builders import make_config
from tests.faults.stack import CONNECTION
from tests.faults.worst import clock, shapes
from tests.pipeline import Pipeline

console = Console(soft_wrap=True)


def main() -> None:
    """Print a line for each shape: its posts, the CPU of the dearest one, and the memory that all of them took."""
    now = clock()
    for what, posts in shapes(now):
        dearest = max(_costs(posts, now, Pipeline(make_config(), partitions=1)))
        tracemalloc.start()
        _costs(posts, now, Pipeline(make_config(), partitions=1))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        size = sum(len(post.body) for post in posts)
        console.print(
            f"{what}: {len(posts)} posts of {size / 2**20:.1f} MiB; {dearest:.2f} s, {peak / 2**20:.0f} MiB",
            markup=False,
        )
    console.print(f"groups dropped by retention, all of them: {_retention(now):.2f} s", markup=False)


def _costs(posts: Sequence[Post], now: int, pipeline: Pipeline) -> list[float]:
    """CPU seconds of each post."""
    found = []
    for post in posts:
        raw = encode_delivery(post.as_received(CONNECTION, now))
        began = time.process_time()
        output = normalise(
            [(0, raw)], partition=0, connectors={CONNECTION: Generic(keys=[])}, progress=Progress()
        )  # fmt: skip
        pipeline.take(output.changes)
        found.append(time.process_time() - began)
    return found


def _retention(now: int) -> float:
    """CPU seconds until the groups of many leads are gone that became too old at one midnight."""
    pipeline = Pipeline(make_config(retention={"minutes": "25h", "records": "30d"}), partitions=1)
    *_, (_, posts) = shapes(now)
    _costs(posts, now, pipeline)
    began = time.process_time()
    pipeline.pass_time(now + 32 * DAY)
    return time.process_time() - began


if __name__ == "__main__":
    main()
