"""Events and deliveries of a simulated floor, one after the other at a steady interval."""

from collections.abc import Iterator, Sequence
from random import Random

from deploy.simulator.floor import Mix, SimulatedFloor, delivery_size
from deploy.simulator.known import CrmEvent
from schemas.instants import SECOND

CLEAN = Mix(0, 0, 0, 0)


def events(
    seed: int,
    count: int,
    start: int,
    *,
    interval: int = SECOND,
    reps: int = 12,
    mix: Mix | None = None,
    currencies: Sequence[str] = ("USD",),
) -> Iterator[CrmEvent]:
    """`count` events, the first reported at `start`, then one each `interval` (microseconds)."""
    floor = SimulatedFloor(seed, reps, mix if mix is not None else Mix(), currencies)
    for index in range(count):
        yield floor.next(start + index * interval)


def deliveries(
    seed: int,
    count: int,
    start: int,
    *,
    interval: int = SECOND,
    reps: int = 12,
    mix: Mix | None = None,
    currencies: Sequence[str] = ("USD",),
    largest: int = 12,
) -> Iterator[list[CrmEvent]]:
    """The same events in deliveries: mostly one each, sometimes up to `largest` at once."""
    random = Random(f"deliveries of {seed}")
    batch: list[CrmEvent] = []
    size = 1
    for event in events(seed, count, start, interval=interval, reps=reps, mix=mix, currencies=currencies):
        batch.append(event)
        if len(batch) >= size:
            yield batch
            batch, size = [], delivery_size(random, largest)
    if batch:
        yield batch
