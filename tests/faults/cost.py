"""What the worst legal deliveries cost the stages: `python -m tests.faults.cost`; CPU and memory of each shape.

Owns the measuring, in one process and without Kafka: reading, ledger and groups, each delivery as one batch.
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Iterable, Sequence

from rich.console import Console

from deploy.simulator.posting import Post
from processor.core.normalise import normalise
from processor.core.panes import Message
from processor.heap import collect_seldom
from schemas.connectors.generic import Generic
from schemas.deliveries import encode_delivery
from schemas.instants import DAY
from schemas.progress import Progress
from tests.builders import make_config
from tests.faults.stack import CONNECTION
from tests.faults.worst import SHAPES, clock
from tests.pipeline import Pipeline

console = Console(soft_wrap=True)


def main() -> None:
    """Print a line for each shape that is asked for by a part of its name, or for all.

    Its posts, the CPU of the dearest one and of the last one with its size, and the memory that all of them took.
    """
    collect_seldom()  # as a worker does
    now, asked = clock(), sys.argv[1:]
    for shape in SHAPES:
        if asked and not any(part in shape.what for part in asked):
            continue
        posts = shape.posts(now)
        costs = costs_of(posts, now, Worker(make_config(), partitions=1))
        tracemalloc.start()
        worker = Worker(make_config(), partitions=1)
        costs_of(posts, now, worker)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        size = sum(len(post.body) for post in posts)
        console.print(
            f"{shape.what}: {len(posts)} posts of {size / 2**20:.1f} MiB; dearest {max(costs):.2f} s,"
            f" last {costs[-1]:.2f} s for {len(posts[-1].body) / 2**20:.2f} MiB; {peak / 2**20:.0f} MiB,"
            f" {peak / size:.0f} bytes for each",
            markup=False,
        )
    if not asked:
        console.print(f"groups dropped by retention, all of them: {_retention(now):.2f} s", markup=False)


class Worker(Pipeline):
    """Holds what a worker holds, and not what lies in Kafka."""

    def _publish(self, topic: str, p: int, messages: Iterable[Message]) -> None:
        """They are gone."""

    def _keep(self, topic: str, p: int, rows: Iterable[Message]) -> None:
        """Likewise."""


def costs_of(posts: Sequence[Post], now: int, pipeline: Pipeline) -> list[float]:
    """CPU seconds of each post."""
    found = []
    for post in posts:
        began = time.process_time()
        take(post, now, pipeline)
        found.append(time.process_time() - began)
    return found


def take(post: Post, now: int, pipeline: Pipeline) -> None:
    """Put a post through all stages."""
    raw = encode_delivery(post.as_received(CONNECTION, now))
    output = normalise([(0, raw)], partition=0, connectors={CONNECTION: Generic(keys=[])}, progress=Progress())
    pipeline.take(output.changes)


def _retention(now: int) -> float:
    """CPU seconds until the groups of many leads are gone that became too old at one midnight."""
    pipeline = Worker(make_config(retention={"minutes": "25h", "records": "30d"}), partitions=1)
    (shape,) = (shape for shape in SHAPES if "deleted" in shape.what)
    costs_of(shape.posts(now), now, pipeline)
    began = time.process_time()
    pipeline.pass_time(now + 32 * DAY)
    return time.process_time() - began


if __name__ == "__main__":
    main()
