"""What is done to a Kafka of three nodes, and how long floorcast takes longer over it than Kafka itself.

Owns the faults of a cluster. That every number is right afterwards is not asked here: `running` does, after each.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from schemas.topics import DELIVERIES, TOPICS
from tests.faults.cluster import NODES, Cluster
from tests.faults.running import Round, Scene
from tests.faults.stack import PARTITIONS
from tests.faults.watch import LIE_SECONDS
from tests.faults.yardstick import Yardstick, longest_gap

FREEZE_SECONDS = (30.0, 75.0)
AWAY_SECONDS = 20.0
LONGER = 1.2
"""So many times as long as Kafka's own may floorcast's gap be in which it takes no delivery."""
LOOK_SECONDS = 1.0
"""And so much more where nodes come and go: somebody who was refused is told to come again later."""
CONTINUE_SECONDS = 6.0
"""So long after Kafka takes writes again a worker may stand still: 20 s where Kafka takes 14."""


@asynccontextmanager
async def measured(scene: Scene, spare: float = LOOK_SECONDS) -> AsyncIterator[None]:
    """Compare, over a fault, for how long Kafka takes nothing with for how long floorcast does.

    `spare`: seconds that floorcast may have beside what is in proportion.
    """
    cluster = scene.cluster
    async with Yardstick(cluster.address, PARTITIONS, NODES) as yardstick:
        began = time.monotonic()
        yield
        await scene.watch.well(time.monotonic())
        ended = time.monotonic()
        theirs = yardstick.gap(began, ended)
    ours = longest_gap((one.at for one in scene.load.tries if one.status == 202), began, ended)
    still, place = scene.watch.stall
    scene.note(f"no delivery taken for {ours:.1f} s, by Kafka itself nothing for {theirs:.1f} s")
    slowness = scene.watch.slowness
    scene.expect(
        ours <= LONGER * theirs + spare * slowness,
        f"no delivery was taken for {ours:.1f} s, and Kafka itself was away for {theirs:.1f} s",
    )
    scene.expect(
        still <= LONGER * theirs + CONTINUE_SECONDS * slowness,
        f"{place} stood still for {still:.1f} s, and Kafka itself was away for {theirs:.1f} s",
    )


async def kill_leader(scene: Scene) -> None:
    """The one that leads the first partition of the log, and not the quorum; it comes back later."""
    await _kill(scene, await _leader(scene))


async def kill_controller(scene: Scene) -> None:
    await _kill(scene, await scene.cluster.controller())


async def restart_in_turn(scene: Scene) -> None:
    """Each node, once the copies of the one before are whole again."""
    async with measured(scene):
        for node in scene.cluster.nodes:
            await asyncio.to_thread(node.stop)
            await asyncio.to_thread(node.start)
            await scene.cluster.until_whole()
        scene.heal()


async def reassign(scene: Scene) -> None:
    """Every partition goes to two of the nodes, then back to all with another one that leads."""
    topics = [scene.stack.topic(topic) for topic in TOPICS]
    async with measured(scene):
        for copies in (2, 3):
            wanted = {}
            for name in topics:
                partitions = await scene.cluster.leaders(name)
                wanted[name] = {
                    partition: [(leader + step) % NODES + 1 for step in range(copies)]
                    for partition, leader in partitions.items()
                }
            await scene.cluster.move(wanted)
        scene.heal()


def freeze(seconds: float) -> Callable[[Scene], Awaitable[None]]:
    """SIGSTOP of the node that leads the first partition of the log."""

    async def apply(scene: Scene) -> None:
        node = scene.cluster.node(await _leader(scene))
        looks = len(scene.watch.health)
        began = time.monotonic()
        async with measured(scene, spare=scene.watch.slowness - 1):
            node.send(signal.SIGSTOP)
            try:
                await scene.watch.well(began)
                well = time.monotonic() - began
                await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
            finally:
                node.send(signal.SIGCONT)
            await scene.cluster.until_whole()
            scene.heal()
        scene.note(f"all well again {well:.1f} s after the node froze")
        scene.expect(
            well < seconds or seconds == FREEZE_SECONDS[0], f"nothing was well again before the node was ({well:.1f} s)"
        )
        refused = _refused_for(scene, looks)
        if refused > LIE_SECONDS:
            scene.note("/readyz?role=ingest was 503 meanwhile")

    return apply


def _refused_for(scene: Scene, since: int) -> float:
    looks = [look.at for look in scene.watch.health[since:] if look.ingest_ready == 503]
    return looks[-1] - looks[0] if looks else 0.0


async def _leader(scene: Scene) -> int:
    """The node that leads most of the log and, if there is a choice, not the quorum."""
    leaders = list((await scene.cluster.leaders(scene.stack.topic(DELIVERIES))).values())
    controller = await scene.cluster.controller()
    return max(set(leaders), key=lambda node: (node != controller, leaders.count(node)))


async def _kill(scene: Scene, number: int) -> None:
    node = scene.cluster.node(number)
    async with measured(scene):
        await asyncio.to_thread(node.kill)
        await asyncio.sleep(AWAY_SECONDS)
        await asyncio.to_thread(node.start)
        await scene.cluster.until_whole()
        scene.heal()


def _round(name: str, fault: str, apply: Callable[[Scene], Awaitable[None]]) -> Round:
    return Round(name, f"three nodes: {fault}", apply, kafka=Cluster, seconds=600.0)


CLUSTER_ROUNDS = (
    _round("cluster-leader", "kill -9 of a leader", kill_leader),
    _round("cluster-controller", "kill -9 of the controller", kill_controller),
    _round("cluster-restarts", "each restarted in turn", restart_in_turn),
    _round("cluster-reassign", "all partitions moved twice", reassign),
    *(
        _round(f"cluster-freeze-{seconds:.0f}", f"one frozen for {seconds:.0f} s", freeze(seconds))
        for seconds in FREEZE_SECONDS
    ),
)  # fmt: skip
