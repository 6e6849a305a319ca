"""Our own contender: the stage `ledger` alone, in one worker, as the real worker runs it.

    python -m bench.peers.floorcast_ledger BOOTSTRAP PREFIX PARTITIONS STATE

The same `LedgerShard`, Faust app, fences, order of writing and commits; only the other stages are missing.
"""

import asyncio
import sys
import time
from pathlib import Path

from processor.agents.ledger import LedgerShard
from processor.agents.stage import Deployment
from processor.app import settle_process
from processor.core.definitions import definitions_of
from processor.logs import configure_logging
from processor.transport.outgoing import Outgoing
from processor.transport.shards import Shard, StagePartition
from processor.transport.worker import build_batched_app, run_worker
from schemas.config import Config
from schemas.topics import RECORD_CHANGES

CONFIG = {
    "organisation": {"name": "Bench", "timezone": "UTC", "currency": "USD"},
    "connections": {"feed": {"kind": "generic", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}},
}


class FirstBatch:
    """Says when the first batch was handed to its shard."""

    def __init__(self) -> None:
        self._said = False

    def shard_loaded(self, place: StagePartition, shard: Shard, seconds: float) -> None: ...

    def batch_done(self, place: StagePartition, shard: Shard, messages: int, seconds: float) -> None:
        if not self._said:
            self._said = True
            print(f"first {time.time() - seconds}", flush=True)


def main() -> None:
    """Run until SIGTERM."""
    bootstrap, prefix, partitions, state = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    settle_process()
    configure_logging()
    asyncio.set_event_loop(asyncio.new_event_loop())  # as a worker does: Faust's own is of the loops before
    config = Config.model_validate(CONFIG)
    deployment = Deployment(
        bootstrap, prefix, 1, partitions, partitions, definitions_of(config), "", {}, Outgoing(bootstrap)
    )
    app = build_batched_app(
        name=f"{prefix}g1.processor",
        bootstrap=bootstrap,
        stages={deployment.topic(RECORD_CHANGES): lambda partition: LedgerShard(partition, deployment)},
        partitions=partitions,
        datadir=Path(state),
        session_timeout_seconds=10.0,
    )
    app.live.observer = FirstBatch()
    run_worker(app, override_logging=False)


if __name__ == "__main__":
    main()
