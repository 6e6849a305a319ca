"""The rounds: what is done to a floorcast, one fault each, and what has to be seen of it meanwhile.

Owns the faults. That every number is right afterwards is not asked here: `running` does, after each of them.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from random import Random

import psutil

from tests.faults.cluster_rounds import CLUSTER_ROUNDS
from tests.faults.link import Link, State
from tests.faults.load import Try
from tests.faults.places import MemoryLimit, clock_environment, set_clock, small_disk
from tests.faults.poison import poison
from tests.faults.recovery import RECORDS, recover
from tests.faults.running import Round, Scene
from tests.faults.screens import SCREENS, watch_on_many_screens
from tests.faults.stack import Member, until
from tests.faults.worst import MEMORY_PER_BYTE, SHAPES, STILL_SECONDS, Costs, clock

FREEZE_SECONDS = 20.0
LINK_SECONDS = 12.0
OUTAGE_SECONDS = 60.0
BACK_SECONDS = 5.0
STALL_SECONDS = 10
POISON = 10_000
CLOCK_SECONDS = 2 * 3600.0
FENCED = 75
FAILED = 70
UNREACHABLE = 3

_FENCED_LINE = "fenced, a newer owner than"


# --- Kills ------------------------------------------------------------------------------------------------------------


async def kill_api(scene: Scene) -> None:
    scene.stack.api.send(signal.SIGKILL)
    scene.heal()


async def kill_worker(scene: Scene) -> None:
    scene.worker(1).send(signal.SIGKILL)
    scene.heal()


async def kill_workers(scene: Scene) -> None:
    for worker in scene.stack.workers:
        worker.send(signal.SIGKILL)
    scene.heal()


async def kill_kafka(scene: Scene) -> None:
    await scene.kafka.kill()
    await scene.kafka.start()
    scene.heal()


async def lose_worker(scene: Scene) -> None:
    """It does not come back: its partitions have to go on elsewhere."""
    await scene.worker(2).stop(by_force=True)
    scene.heal()
    scene.stack.workers.pop()


def keep_checkpoints(folder: Path) -> Mapping[str, str]:
    return {"FLOORCAST_STATE": str(folder / "checkpoints")}


async def kill_worker_with_checkpoints(scene: Scene) -> None:
    """It begins from them; then they are cut, and it begins from the log."""
    worker = scene.worker(1)
    await until(lambda: "snapshot.written" in worker.words(), "written: a checkpoint")
    worker.send(signal.SIGKILL)
    await until(lambda: "snapshot.restored" in worker.words(), "taken: a checkpoint")
    worker.send(signal.SIGSTOP)  # so that it writes none meanwhile
    for path in (scene.stack.folder / "checkpoints").glob("*.checkpoint"):
        path.write_bytes(path.read_bytes()[:-1])
    worker.send(signal.SIGKILL)
    await until(lambda: "snapshot.thrown_away" in worker.words(), "thrown away: a checkpoint")
    scene.heal()


# --- Zombies ----------------------------------------------------------------------------------------------------------


async def freeze_worker(scene: Scene) -> None:
    await _freeze(scene, then=None)
    scene.expect(FENCED in scene.worker(1).ends, f"the zombie ended with {scene.worker(1).ends}, not with {FENCED}")
    scene.expect(_FENCED_LINE in scene.worker(1).words(), "the zombie's log does not say that it was fenced")


async def freeze_worker_and_ask_it_to_end(scene: Scene) -> None:
    await _freeze(scene, then=signal.SIGTERM)


async def _freeze(scene: Scene, then: signal.Signals | None) -> None:
    zombie = scene.worker(1)
    zombie.send(signal.SIGSTOP)
    await asyncio.sleep(FREEZE_SECONDS)
    if then is not None:
        zombie.send(then)
    lives = len(zombie.ends)
    zombie.send(signal.SIGCONT)
    scene.heal()
    await until(lambda: len(zombie.ends) > lives, "ended: the zombie")
    scene.note(f"the zombie ended with {zombie.ends[lives]}")


# --- Coming and going -------------------------------------------------------------------------------------------------


async def rotate_workers(scene: Scene) -> None:
    """Each leaves once for a newcomer."""
    for number in (3, 4):
        joining = scene.stack.new_worker(number)
        await joining.start()
        scene.stack.workers.append(joining)
        await asyncio.sleep(4)
        leaving = scene.stack.workers.pop(0)
        await leaving.stop()
        scene.expect(leaving.ends[-1:] == [0], f"{leaving.name} ended with {leaving.ends} when it was asked to")
        await asyncio.sleep(4)
    scene.heal()


async def restart_fast(scene: Scene) -> None:
    random = Random("restarts")
    for number in range(20):
        worker = scene.worker(1 + number % 2)
        await worker.restart(random.choice((signal.SIGKILL, signal.SIGTERM)))
        await asyncio.sleep(random.uniform(0.2, 1.5))
    scene.heal()


async def worker_without_kafka(scene: Scene) -> None:
    worker = scene.worker(2)
    await worker.stop(by_force=True)
    lives = len(worker.ends)
    await scene.kafka.kill()
    await worker.start()
    await until(lambda: len(worker.ends) > lives, "ended: a worker without Kafka")
    scene.expect(worker.ends[lives] == UNREACHABLE, f"a worker without Kafka ended with {worker.ends[lives]}")
    await scene.kafka.start()
    scene.heal()


# --- Links ------------------------------------------------------------------------------------------------------------


async def _spoil(scene: Scene, link: Link, state: State, seconds: float = LINK_SECONDS) -> list[Try]:
    began = time.monotonic()
    link.become(state)
    try:
        await asyncio.sleep(seconds)
    finally:
        link.become(State.PASSES)
    scene.heal()
    return scene.load.answers(began, scene.healed_at)


async def api_link_swallows(scene: Scene) -> None:
    _expect_refusals(scene, await _spoil(scene, scene.kafka.api_link, State.SWALLOWS))


async def api_link_resets(scene: Scene) -> None:
    _expect_refusals(scene, await _spoil(scene, scene.kafka.api_link, State.RESETS))


async def api_link_drags(scene: Scene) -> None:
    await _spoil(scene, scene.kafka.api_link, State.DRAGS)


async def worker_link_swallows(scene: Scene) -> None:
    await _spoil(scene, scene.kafka.worker_link, State.SWALLOWS, 20)


async def worker_link_resets(scene: Scene) -> None:
    await _spoil(scene, scene.kafka.worker_link, State.RESETS)


async def worker_link_drags(scene: Scene) -> None:
    await _spoil(scene, scene.kafka.worker_link, State.DRAGS)


async def worker_link_swallows_writes(scene: Scene) -> None:
    """The worker stays in the group, fetches, and gets nothing acknowledged: only its own watch can end it."""
    worker, link = scene.worker(1), scene.kafka.worker_link
    lives = len(worker.ends)
    link.become(State.SWALLOWS_WRITES)
    try:
        await until(lambda: len(worker.ends) > lives, "ended: a worker that stands still", 60)
    finally:
        link.become(State.PASSES)
    scene.heal()
    scene.expect(worker.ends[lives] == FAILED, f"the worker that stood still ended with {worker.ends[lives]}")
    scene.expect("no progress: " in worker.words(), "the worker that stood still does not say so in its log")


# --- What the machine lacks -------------------------------------------------------------------------------------------


async def fill_disk(scene: Scene) -> None:
    """Kafka ends itself when it cannot write; it is started again once there is room."""
    place = scene.stack.folder / "kafka" / "ballast"
    began = time.monotonic()
    with place.open("wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(bytes(64 * 1024))
        except OSError:
            pass
    await asyncio.sleep(LINK_SECONDS)
    place.unlink()
    answers = scene.load.answers(began, time.monotonic())
    scene.note(f"Kafka {'lived on' if scene.kafka.alive else 'ended'}, {_count(answers, 503)} deliveries refused")
    if not scene.kafka.alive:
        await scene.kafka.start()
    scene.heal()


async def limit_memory(scene: Scene) -> None:
    worker = scene.worker(1)
    with MemoryLimit(worker.pid, extra_bytes=8 << 20) as limit:
        lives = len(worker.ends)
        await scene.load.also(poison(600, seed=7, size=200_000), at_once=16)
        await asyncio.sleep(2)
        killed = worker.ends[lives:]
    scene.note(f"ended by the kernel: {killed.count(-9)} times; at most {limit.peak >> 20} MiB more than before")
    scene.heal()


async def jump_clock(scene: Scene) -> None:
    """The clock of workers and api, and the CRM's with it, as it is where one server gives the time."""
    for ahead in (CLOCK_SECONDS, -CLOCK_SECONDS, 0.0):
        set_clock(scene.stack.folder, ahead)
        scene.load.turn_clock(ahead)
        began = time.monotonic()
        await asyncio.sleep(10)
        answers = scene.load.answers(began + 3, time.monotonic())
        taken = _count(answers, 202)
        scene.expect(taken > 0.9 * len(answers), f"with a clock {ahead:+.0f} s wrong {taken} of {len(answers)} taken")
    scene.heal()


# --- Deliveries -------------------------------------------------------------------------------------------------------


async def repeat_deliveries(scene: Scene) -> None:
    """All that was taken three times more, in no order."""
    again = scene.load.again(3)
    await scene.load.also(again, at_once=32)
    scene.note(f"{len(again)} deliveries repeated")
    scene.heal()


async def post_poison(scene: Scene) -> None:
    api = psutil.Process(scene.stack.api.pid)
    before = api.memory_info().rss
    await scene.load.also(poison(POISON, seed=5), at_once=32)
    scene.heal()
    scene.note(f"the api grew by {(api.memory_info().rss - before) >> 20} MiB")


async def post_worst(scene: Scene) -> None:
    """One shape after the other, each as fast as it is taken, and the next once the stages have done it.

    So is the last post of each, which the others were for: read together with them it may come to nothing.
    """
    posted, costs = 0, Costs(scene.stack)
    looking = asyncio.create_task(costs.watch_memory())
    try:
        for shape in SHAPES:
            *deliveries, last = shape.posts(clock())
            began, before = time.monotonic(), costs.cpu()
            posted += sum(len(delivery.body) for delivery in (*deliveries, last))
            for part in (deliveries, [last]):
                await scene.load.also(part, at_once=1)
                await scene.watch.caught_up()
            took = {name: seconds - before[name] for name, seconds in costs.cpu().items()}
            said = ", ".join(f"{name} {seconds:.1f}" for name, seconds in took.items())
            scene.note(f"{shape.what}: {time.monotonic() - began:.1f} s (CPU: {said})")
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
    scene.heal()
    still, place = scene.watch.stall
    scene.expect(still <= STILL_SECONDS * scene.watch.slowness, f"{place} stood still for {still:.1f} s")
    ended = {worker.name: worker.ends for worker in scene.stack.workers if worker.ends}
    scene.expect(not ended, f"workers ended: {ended}")
    scene.expect(
        costs.grown <= MEMORY_PER_BYTE * posted, f"a worker grew by {costs.grown >> 20} MiB for {posted >> 20} posted"
    )
    scene.note(f"a worker grew by {costs.grown >> 20} MiB at most for {posted >> 20} MiB posted")


async def outage(scene: Scene) -> None:
    """Kafka is away: every delivery is refused and told when to come again; and taken again soon after its return."""
    api = psutil.Process(scene.stack.api.pid)
    before = api.memory_info().rss
    began = time.monotonic()
    await scene.kafka.kill()
    peak = before
    while time.monotonic() - began < OUTAGE_SECONDS:
        await asyncio.sleep(0.5)
        peak = max(peak, api.memory_info().rss)
    answers = scene.load.answers(began + 5, time.monotonic())
    await scene.kafka.start()
    scene.heal()
    _expect_refusals(scene, answers, all_of_them=True)
    slowest = max((one.seconds for one in answers), default=0.0)
    scene.note(f"{len(answers)} deliveries refused, the slowest within {slowest:.1f} s")
    scene.expect(peak - before < 32 << 20, f"the api grew by {(peak - before) >> 20} MiB while Kafka was away")
    scene.note(f"the api grew by {(peak - before) >> 20} MiB")
    taken = lambda: any(one.status == 202 for one in scene.load.answers(scene.healed_at, time.monotonic()))  # noqa: E731
    await until(taken, "deliveries are taken again")
    first = next(one.at for one in scene.load.tries if one.at >= scene.healed_at and one.status == 202)
    scene.note(f"the first was taken {first - scene.healed_at:.1f} s after Kafka's return")
    scene.expect(first - scene.healed_at < BACK_SECONDS, "deliveries were taken too late after Kafka's return")


def _count(answers: list[Try], status: int) -> int:
    return sum(one.status == status for one in answers)


def _expect_refusals(scene: Scene, answers: list[Try], *, all_of_them: bool = False) -> None:
    refused = [one for one in answers if one.status == 503]
    other = [one for one in answers if one.status not in (202, 503)]
    scene.expect(
        not other, f"{len(other)} answers are neither 202 nor 503: {sorted({str(one.status) for one in other})}"
    )
    scene.expect(bool(refused), "nothing was refused although Kafka was away")
    scene.expect(all(one.retry_after is not None for one in refused), "a 503 without Retry-After")
    if all_of_them:
        scene.expect(len(refused) == len(answers), f"{len(answers) - len(refused)} of {len(answers)} were not refused")


# --- All at once ------------------------------------------------------------------------------------------------------


def mixed(seed: int) -> Round:
    """Some of the faults above, several at a time, as the seed decides."""

    async def apply(scene: Scene) -> None:
        random = Random(f"mixed {seed}")

        async def strike(member: Member) -> None:
            await asyncio.sleep(random.uniform(0, 3))
            if random.random() < 0.5:
                member.send(signal.SIGKILL)
            else:
                member.send(signal.SIGSTOP)
                await asyncio.sleep(random.uniform(2, 14))
                member.send(signal.SIGCONT)

        async def cut() -> None:
            link = random.choice((scene.kafka.api_link, scene.kafka.worker_link))
            await _spoil(scene, link, random.choice((State.SWALLOWS, State.RESETS)), random.uniform(2, 8))

        async def break_kafka() -> None:
            await scene.kafka.kill()
            await scene.kafka.start()

        for _ in range(3):
            async with asyncio.TaskGroup() as group:
                for member in random.sample(scene.stack.members, 2):
                    group.create_task(strike(member))
                group.create_task(random.choice((cut, break_kafka))())
            await asyncio.sleep(random.uniform(0, 3))
        scene.heal()

    return Round(
        f"mixed-{seed}",
        f"three times two of the processes killed or frozen, and a link or Kafka (seed {seed})",
        apply,
        linked=True,
    )


_STALL = {"FLOORCAST_STALL": str(STALL_SECONDS)}

ROUNDS = (
    Round("kill-worker", "kill -9 of a worker", kill_worker),
    Round(
        "checkpoints",
        "kill -9 of a worker with checkpoints, which are cut then",
        kill_worker_with_checkpoints,
        environment=keep_checkpoints,
    ),
    Round("kill-workers", "kill -9 of all workers", kill_workers),
    Round("kill-api", "kill -9 of the api", kill_api),
    Round("kill-kafka", "kill -9 of Kafka", kill_kafka),
    Round("lose-worker", "kill -9 of a worker that does not come back", lose_worker),
    Round("freeze", "a worker frozen for 20 s", freeze_worker),
    Round("freeze-end", "a worker frozen for 20 s, with SIGTERM meanwhile", freeze_worker_and_ask_it_to_end),
    Round("rotate", "workers join and leave in rotation", rotate_workers),
    Round("restarts", "20 fast restarts of workers", restart_fast),
    Round("no-kafka", "a worker started while Kafka is down", worker_without_kafka),
    Round("api-black-hole", f"api-Kafka black-holed for {LINK_SECONDS:g} s", api_link_swallows, linked=True),
    Round("api-reset", f"api-Kafka reset for {LINK_SECONDS:g} s", api_link_resets, linked=True),
    Round("api-slow", "api-Kafka slowed, 250 ms a piece", api_link_drags, linked=True),
    Round("worker-black-hole", "worker-Kafka black-holed for 20 s", worker_link_swallows, linked=True),
    Round("worker-reset", f"worker-Kafka reset for {LINK_SECONDS:g} s", worker_link_resets, linked=True),
    Round("worker-slow", "worker-Kafka slowed, 250 ms a piece", worker_link_drags, linked=True),
    Round(
        "standstill",
        "a worker whose writes get no answer, though it stays in the group",
        worker_link_swallows_writes,
        linked=True,
        environment=lambda _: _STALL,
        may_stand_still=("worker-1",),
    ),
    Round("disk-full", "Kafka's disk full", fill_disk, prepare=small_disk),
    Round("memory", "a memory limit on a worker", limit_memory),
    Round(
        "clock",
        "the clock 2 h ahead, then 2 h behind, then right",
        jump_clock,
        environment=clock_environment,
        compacts=False,
    ),
    Round("repeat", "all deliveries three times more, in no order", repeat_deliveries),
    Round("poison", f"{POISON:,} unreadable payloads among good ones", post_poison),
    Round("worst", "deliveries of the worst legal shapes", post_worst, windows=("today",), seconds=900),
    Round("outage", f"Kafka away for {OUTAGE_SECONDS:g} s", outage),
    Round("screens", f"kill -9 of the api under {SCREENS} screens", watch_on_many_screens),
    Round("million", f"kill -9 of a worker with {RECORDS:,} records in its tables", alone=recover, seconds=1200),
    mixed(1),
    mixed(2),
    *CLUSTER_ROUNDS,
)
