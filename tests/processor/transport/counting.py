"""The workload of the contract tests: revisions of records, folded into a ledger and into counts per rep.

Owns the shard and the plain recount it is compared with. The fold is indifferent to order and repetition, as the real
one.
"""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from processor.transport.fetched import Fetched, StoredRecords
from processor.transport.outgoing import Outgoing
from processor.transport.owner import Owner
from processor.transport.packing import KeyAndValue
from processor.transport.reading import read_to
from processor.transport.shards import Capture
from schemas.topics import FENCE

Row = tuple[int, str]
"""Revision and rep."""


def encode(row: Row) -> bytes:
    return b"%d|%s" % (row[0], row[1].encode())


def decode(value: bytes) -> Row:
    revision, _, rep = value.partition(b"|")
    return int(revision), rep.decode()


def recount(events: Iterable[KeyAndValue]) -> tuple[dict[bytes, bytes], dict[bytes, bytes]]:
    """Give the truth: the newest revision of each record, and the number of records per rep."""
    newest: dict[bytes, Row] = {}
    for key, value in events:
        assert key is not None
        assert value is not None
        newest[key] = max(newest.get(key, (-1, "")), decode(value))
    counts = Counter(rep for _, rep in newest.values())
    return (
        {key: encode(row) for key, row in newest.items()},
        {rep.encode(): b"%d" % count for rep, count in counts.items()},
    )


@dataclass
class Fault:
    """What happens to the process in its `batch`-th batch.

    At point `send` the batch is folded but nothing is sent; at `ack` all is acknowledged but nothing acked. The point
    `load` is in the first load, before any batch.
    """

    kind: str = ""
    point: str = ""
    batch: int = 0
    seen: int = field(default=0, init=False)

    def strike(self, point: str) -> None:
        if point == "send":
            self.seen += 1
        if point != self.point or self.seen != self.batch:
            return
        self.point = ""
        if self.kind == "freeze":
            os.kill(os.getpid(), signal.SIGSTOP)
        elif self.kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.kind == "raise":
            msg = "a bug in the stage"
            raise RuntimeError(msg)


class CountingShard:
    """One partition: rows are the truth, counts are derived from them."""

    def __init__(
        self,
        *,
        bootstrap: str,
        prefix: str,
        stage: str,
        partition: int,
        fault: Fault,
        say: Callable[[str], None],
        load_seconds: float = 0.0,
    ) -> None:
        self.ledger = f"{prefix}{stage}-ledger"
        self.counts = f"{prefix}{stage}-counts"
        self.owner = Owner(
            outgoing=Outgoing(bootstrap),
            name=f"{prefix}{stage}-{partition}",
            topics=(self.ledger, self.counts),
            partition=partition,
        )
        self.read = 0
        self._bootstrap = bootstrap
        self._partition = partition
        self._fault = fault
        self._say = say
        self._load_seconds = load_seconds
        self._rows: dict[bytes, Row] = {}
        self._records: Counter[str] = Counter()

    def resume(self, offset: int) -> None:
        pass

    async def suspend(self) -> None:
        pass

    def capture(self, *, is_last: bool) -> Capture | None:
        return None

    async def load(self) -> None:
        self._fault.strike("load")
        self._say(f"loading {self._partition}")
        fences = await self.owner.acquire()
        await asyncio.sleep(self._load_seconds)
        published: dict[bytes, bytes] = {}

        def apply(topic: str, _partition: int, records: StoredRecords) -> None:
            for record in records:
                if record.key in (None, FENCE):
                    continue
                assert record.key is not None
                if topic == self.ledger:
                    assert record.value is not None
                    self._rows[record.key] = decode(record.value)
                elif record.value is None:
                    published.pop(record.key, None)
                else:
                    published[record.key] = record.value

        await read_to(self._bootstrap, {(topic, self._partition): end for topic, end in fences.items()}, apply)
        self._records = Counter(rep for _, rep in self._rows.values())
        derived = {rep.encode(): b"%d" % count for rep, count in self._records.items()}
        changed: list[KeyAndValue] = [(rep, count) for rep, count in derived.items() if published.get(rep) != count]
        changed += [(rep, None) for rep in published if rep not in derived]
        await self.owner.send({self.counts: changed})
        self._say(f"loaded {self._partition} rows {len(self._rows)} repaired {len(changed)}")

    async def process(self, records: list[Fetched]) -> None:
        touched: dict[bytes, None] = {}
        reps: dict[str, None] = {}
        for record in records:
            assert record.key is not None
            assert record.value is not None
            new, old = decode(record.value), self._rows.get(record.key)
            if old is not None:
                if new <= old:
                    continue
                self._records[old[1]] -= 1
                reps[old[1]] = None
            self._rows[record.key] = new
            self._records[new[1]] += 1
            touched[record.key] = None
            reps[new[1]] = None
        self._fault.strike("send")
        await self.owner.send(
            {
                self.counts: [self._message(rep) for rep in reps],
                self.ledger: [(key, encode(self._rows[key])) for key in touched],
            }
        )
        self._say(f"batch {records[0].topic} {self._partition} {records[0].offset} {records[-1].offset}")
        self._fault.strike("ack")

    def _message(self, rep: str) -> KeyAndValue:
        count = self._records[rep]
        return rep.encode(), b"%d" % count if count else None

    async def tick(self, now: int) -> None:
        self._say(f"tick {self._partition}")

    async def close(self) -> None:
        await self.owner.close()
