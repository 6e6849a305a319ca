"""What a test posts to a running floorcast, and the books of it: the truth that does not come from floorcast's log.

Owns the hostile deliveries of a simulated floor, the posting, and the list of what was acknowledged. A delivery counts
once its 202 has come; it is posted until then.
"""

import asyncio
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random

from deploy.simulator.floor import Mix, SimulatedFloor, delivery_size
from deploy.simulator.known import CrmEvent
from deploy.simulator.posting import DeliveryPoster, HttpSender, PayloadForm, Post, Summary, write_delivery
from deploy.simulator.truth import changes_of
from schemas.config import Config, load_config
from schemas.connectors.standard_webhooks import read_key
from schemas.instants import DAY, HOUR, to_datetime
from schemas.records import RecordChange
from tests.oracle import Books, recount

HOSTILE = Mix(duplicates=0.20, late=0.10, edits=0.10, deletions=0.05)
AT_ONCE = 32

Outgoing = tuple[str, Post]
"""Connection and delivery."""


def clock() -> int:
    """The machine's clock, in microseconds."""
    return time.time_ns() // 1000


def noon() -> str:
    """A zone in which it is about noon now, so that no day ends under a test."""
    ahead = 12 - to_datetime(clock()).hour
    # Names of these zones have the sign of POSIX: Etc/GMT-8 is eight hours ahead.
    return "Etc/GMT" if ahead == 0 else f"Etc/GMT{'-' if ahead > 0 else '+'}{abs(ahead)}"


def hostile_deliveries(*, seed: int, events: int, now: int, connections: Sequence[str]) -> list[Outgoing]:
    """Deliveries of one floor, in no order: a quarter long ago, a quarter of the last two days, half of the last hours.

    They go to the connections by turns, so that one record is spoken of by several.
    """
    random = Random(f"hostile {seed}")
    happened = _happened(seed, random, events, now)
    deliveries: list[Outgoing] = []
    at = 0
    while at < len(happened):
        batch = happened[at : at + delivery_size(random, 12)]
        at += len(batch)
        number = len(deliveries)
        deliveries.append((connections[number % len(connections)], post_of(batch, f"hostile-{seed}-{number}", random)))
    deliveries += random.sample(deliveries, len(deliveries) // 50)  # the same delivery once more
    random.shuffle(deliveries)
    return deliveries


def _happened(seed: int, random: Random, events: int, now: int) -> list[CrmEvent]:
    floor = SimulatedFloor(seed, 12, HOSTILE, ("USD", "EUR", "JPY"))
    old, recent = events // 4, events // 4
    instants = sorted(
        [now - random.randrange(2 * DAY, 80 * DAY) for _ in range(old)]
        + [now - random.randrange(3 * HOUR, 2 * DAY) for _ in range(recent)]
        + [now - random.randrange(0, 3 * HOUR) for _ in range(events - old - recent)]
    )
    return [floor.next(instant) for instant in instants]


def post_of(events: Sequence[CrmEvent], delivery_id: str, random: Random | None = None) -> Post:
    """A delivery of these events, in one of the forms they can have; in the plain one without `random`."""
    forms = (
        (PayloadForm.PLAIN, PayloadForm.STRUCTURED, PayloadForm.BINARY)
        if len(events) == 1
        else (PayloadForm.ARRAY, PayloadForm.BATCHED)
    )
    headers, body = write_delivery(events, forms[0] if random is None else random.choice(forms), delivery_id)
    return Post(0, delivery_id, headers, body, len(events))


async def post(url: str, config_file: Path, *events: CrmEvent) -> None:
    """Post these events as one delivery of the connection `feed`."""
    await Posted(url, config_file).post([("feed", post_of(events, f"d-{clock()}"))])


class Posted:
    """Posts to one api and remembers what it acknowledged."""

    def __init__(self, url: str, config_file: Path) -> None:
        self._url = url
        self._config_file = config_file
        self._summaries: list[tuple[str, Summary, int]] = []
        self._books: tuple[int, Config, Books] | None = None

    @property
    def config(self) -> Config:
        """The configuration as it stands in the file now."""
        return load_config(self._config_file, os.environ)

    @property
    def taken(self) -> int:
        """How many deliveries were acknowledged, so far."""
        return sum(len(summary.taken) for _, summary, _ in self._summaries)

    async def post(self, outgoing: Iterable[Outgoing]) -> None:
        """Post all of it, 32 at once over all connections, each until it is acknowledged."""
        by_connection: dict[str, list[Post]] = {}
        for connection, post in outgoing:
            by_connection.setdefault(connection, []).append(post)
        each = max(1, AT_ONCE // len(by_connection))
        async with asyncio.TaskGroup() as group:
            for connection, posts in by_connection.items():
                group.create_task(self._post(connection, posts, each))

    async def _post(self, connection: str, posts: list[Post], at_once: int) -> None:
        secret = self.config.connections[connection].secrets[0].get_secret_value()
        summary = Summary()
        self._summaries.append((connection, summary, clock()))
        async with HttpSender(f"{self._url}/webhooks/{connection}") as send:
            await DeliveryPoster(send, read_key(secret, "secret"), at_once=at_once).post_all(posts, summary, keep=True)

    def books(self) -> Books:
        """The recount of all that was acknowledged, under the configuration of now."""
        config = self.config
        if self._books is None or self._books[:2] != (self.taken, config):
            self._books = self.taken, config, recount(self.changes(config), config)
        return self._books[2]

    def changes(self, config: Config) -> list[RecordChange]:
        """What the acknowledged deliveries say, as their connectors read it."""
        return [
            change
            for connection, summary, at in self._summaries
            for change in changes_of(summary.taken, config, connection, at)
        ]
