"""The process that the contract tests start, kill, freeze and wake: one Faust worker of counting shards.

Usage: python -m tests.processor.transport.counting_worker JSON, with the fields of `Orders`.
"""

import functools
import sys
from pathlib import Path

import msgspec
from aiokafka.consumer.group_coordinator import GroupCoordinator

from processor.transport.worker import build_batched_app, run_worker
from tests.processor.transport.counting import CountingShard, Fault


class Orders(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a test wants of a worker."""

    bootstrap: str
    prefix: str
    datadir: str
    worker_id: str
    """Empty for a member of no name, which the group does not keep a place for."""
    partitions: int
    stages: list[str]
    session_seconds: float = 6.0
    heartbeat_seconds: float = 0.3
    rebalance_seconds: float = 10.0
    commit_seconds: float = 0.5
    renew_seconds: float = 4 * 3600.0
    batch_max: int = 4000
    load_seconds: float = 0.0
    """How long a load takes at least, as if the ledger were large."""
    fault: str = ""
    """`kind@point:batch`, in partition 0; see `Fault`. Or `surprise`: of the coordinator."""


def main(orders: Orders) -> None:
    kind, _, where = orders.fault.partition("@")
    point, _, batch = where.partition(":")
    fault = Fault(kind=kind, point=point, batch=int(batch or 0))
    if kind == "surprise":
        surprise_the_coordinator()

    def make(stage: str, partition: int) -> CountingShard:
        return CountingShard(
            bootstrap=orders.bootstrap,
            prefix=orders.prefix,
            stage=stage,
            partition=partition,
            fault=fault if partition == 0 else Fault(),
            say=say,
            load_seconds=orders.load_seconds,
        )

    app = build_batched_app(
        name=f"{orders.prefix}workers",
        bootstrap=orders.bootstrap,
        stages={f"{orders.prefix}{stage}": functools.partial(make, stage) for stage in orders.stages},
        partitions=orders.partitions,
        datadir=Path(orders.datadir),
        worker_id=orders.worker_id or None,
        session_timeout_seconds=orders.session_seconds,
        heartbeat_seconds=orders.heartbeat_seconds,
        rebalance_timeout_seconds=orders.rebalance_seconds,
        commit_seconds=orders.commit_seconds,
        renew_seconds=orders.renew_seconds,
        batch_max=orders.batch_max,
    )
    run_worker(app)


def surprise_the_coordinator() -> None:
    """Let aiokafka meet something that it does not expect, as of a broker that is only starting."""

    async def fail(_coordinator: GroupCoordinator) -> None:
        msg = "Broker id None not in current metadata"
        raise RuntimeError(msg)

    GroupCoordinator.ensure_coordinator_known = fail


def say(what: str) -> None:
    sys.stdout.write(f"## {what}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(msgspec.json.decode(sys.argv[1], type=Orders))
