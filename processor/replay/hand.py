"""One process of a replay: it parses a share of the log, and folds a share of the partitions.

Owns the order of work within a share and what is written of it. It uses the same core as the stages, in far larger
batches: a record that changed a hundred times in a batch is encoded once, and what one stage hands to the next goes by
files. Notifies nobody, and writes into the topics of a generation that nobody serves.
"""

import asyncio
import gc
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

import msgspec

from processor.agents.outputs import GROUP_TOPICS, LEDGER_TOPICS, frames_of_engagements, group_messages, ledger_messages
from processor.core.batch import Changes, ChangesReceived, new_batch, row_check
from processor.core.definitions import definitions_of
from processor.core.engaging import engagements_of
from processor.core.groups import Groups
from processor.core.ledger import Ledger
from processor.core.ledger_state import batched
from processor.core.normalise import normalise
from processor.replay.cut import older_part
from processor.replay.spool import Spool
from processor.transport.fetched import StoredRecords
from processor.transport.outgoing import Outgoing
from processor.transport.owner import Owner
from processor.transport.packing import KeyAndValue
from processor.transport.reading import read_to
from schemas.config import load_config
from schemas.connectors import build_connector
from schemas.dead_letters import encode_dead_letter
from schemas.definitions import definitions_digest
from schemas.frames import (
    Engagement,
    decode_engagements,
    partition_of,
)
from schemas.generations import Served
from schemas.kafka import Address
from schemas.numbers import NONE_KEPT, PhoneNumbers
from schemas.progress import Progress
from schemas.records import decode_record
from schemas.topics import DELIVERIES, LEDGER, PANES, Topic

OUTPUT_TOPICS = tuple(dict.fromkeys((*LEDGER_TOPICS, *GROUP_TOPICS)))
AT_ONCE = 100_000
"""Changes folded together."""
GROUPED_AT_ONCE = 300_000
"""Engagements grouped together: what is known of one group lies in many frames, and each batch that brings some of it
derives it again. So many take 90 MB."""
IN_A_FRAME = 1_500
"""Engagements: about as many as fit, so that few frames have to be split."""
TELL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class ReplayWork:
    """What all processes of a replay know."""

    bootstrap: Address
    prefix: str
    config: Path
    served: Served
    """The generation that is served meanwhile."""
    made: Served
    """The one that is made."""
    cut: int | None
    """See cut.py; None: all of it is read from the log."""
    spool: Path
    hands: int
    numbers: PhoneNumbers = NONE_KEPT
    """What is kept of telephone numbers."""

    def topic(self, topic: Topic) -> str:
        """As Kafka knows it, of the generation that is made."""
        return topic.full_name(self.prefix, self.made.generation)


# ---------------------------------------------------------------- what a hand is told, and what it says


class Older(msgspec.Struct, frozen=True, tag=True):
    """Take over the older part of the rows of these partitions of the old generation."""

    ends: dict[int, int]


class Parse(msgspec.Struct, frozen=True, tag=True):
    """Read deliveries: partition -> first offset, and the one after the last."""

    starts: dict[int, int]
    ends: dict[int, int]


class Fold(msgspec.Struct, frozen=True, tag=True):
    """Fold what was parsed into the ledgers. `log_at`: the newest receipt that any hand has seen."""

    log_at: int


class Group(msgspec.Struct, frozen=True, tag=True):
    """Fold what the ledgers, or the groups in the round before, have handed on."""

    log_at: int
    round: int


class WriteAll(msgspec.Struct, frozen=True, tag=True):
    """Write all that has changed."""


class End(msgspec.Struct, frozen=True, tag=True):
    """Nothing more is to be done."""


class Did(msgspec.Struct, frozen=True, tag=True):
    """So much more of the order is done."""

    amount: int


class Done(msgspec.Struct, frozen=True, tag=True):
    """The order is done."""

    amount: int = 0
    """Of what is to be done next: changes parsed, engagements handed on."""
    rows: int = 0
    """To be written, up to now."""
    log_at: int = 0
    progress: dict[str, Progress] = {}
    """Key as in `progress` -> what this hand has done."""


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The order cannot be done."""

    problem: str


Order = Older | Parse | Fold | Group | WriteAll | End
HandAnswer = Did | Done | Failed
encode = msgspec.msgpack.Encoder().encode
decode_order = msgspec.msgpack.Decoder(Order).decode
decode_word = msgspec.msgpack.Decoder(HandAnswer).decode


def main(work: ReplayWork, number: int, pipe: Connection) -> None:
    """Be hand `number`: do what comes through the pipe until it ends."""
    # Ctrl-C is for whoever gives the orders; without them the pipe ends, and so does this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What is made lives to the end, and nothing in it refers to itself.
    gc.disable()
    try:
        asyncio.run(_obey(work, number, pipe))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        os._exit(1)


async def _obey(work: ReplayWork, number: int, pipe: Connection) -> None:
    hand = Hand(work, number, lambda amount: pipe.send_bytes(encode(Did(amount))))
    try:
        while True:
            order = decode_order(await asyncio.to_thread(pipe.recv_bytes))
            if isinstance(order, End):
                return
            try:
                done = await hand.do(order)
            except (EOFError, BrokenPipeError, ConnectionResetError):
                raise
            except Exception as error:  # noqa: BLE001 - it is said by whoever gives the orders
                pipe.send_bytes(encode(Failed(f"{type(error).__name__}: {error}"[:500])))
                return
            pipe.send_bytes(encode(done))
    finally:
        await hand.close()


@dataclass(slots=True)
class _Share:
    """One partition of the ledger and of the groups."""

    ledger: Ledger
    groups: Groups
    done: Progress = field(default_factory=Progress)
    grouped: Progress = field(default_factory=Progress)
    unwritten: dict[Topic, dict[bytes, bytes | None]] = field(
        default_factory=lambda: {topic: {} for topic in OUTPUT_TOPICS}
    )

    def note(self, output: Mapping[Topic, Iterable[KeyAndValue]]) -> None:
        """Of each key the newest value has to be written."""
        for topic, messages in output.items():
            self.unwritten[topic].update((key, value) for key, value in messages if key is not None)


class Hand:
    """The state of one hand, over all passes of a replay."""

    def __init__(self, work: ReplayWork, number: int, tell: Callable[[int], None]) -> None:
        config = load_config(work.config, os.environ)
        definitions = definitions_of(config)
        self._work = work
        self._number = number
        self._digest = definitions_digest(config)
        self._connectors = {name: build_connector(connection) for name, connection in config.connections.items()}
        self._check_row = row_check()
        self._spool = Spool(work.spool, number)
        self._told = _Told(tell)
        self._parsed = {
            partition: Progress(definitions=self._digest) for partition in self._mine(work.made.log_partitions)
        }
        self._shares = {
            partition: _Share(Ledger(f"ledger.{partition}", definitions), Groups(f"responses.{partition}", definitions))
            for partition in self._mine(work.made.partitions)
        }
        self._owners: dict[int, Owner] = {}
        self._outgoing = Outgoing(work.bootstrap)

    def _mine(self, partitions: int) -> range:
        return range(self._number, partitions, self._work.hands)

    async def close(self) -> None:
        """Let go of the producers."""
        for owner in self._owners.values():
            await owner.close()

    async def do(self, order: Order) -> Done:
        """Carry an order out."""
        match order:
            case Older():
                done = await self._take_over(order)
            case Parse():
                done = await self._parse(order)
            case Fold():
                done = self._fold(order)
            case Group():
                done = self._group(order)
            case WriteAll():
                done = await self._write()
            case End():
                done = Done()
        self._spool.flush()
        self._told.rest()
        return done

    async def _take_over(self, order: Older) -> Done:
        cut, partitions = self._work.cut or 0, self._work.made.partitions
        rows: dict[bytes, bytes] = {}

        def apply(_topic: str, _partition: int, records: StoredRecords) -> None:
            records.fold_into(rows)
            self._told.add(len(records))

        topic = LEDGER.full_name(self._work.prefix, self._work.served.generation)
        mine = self._mine(self._work.served.partitions)
        await read_to(self._work.bootstrap, {(topic, partition): order.ends[partition] for partition in mine}, apply)
        for key, row in rows.items():
            older = older_part(row, cut)
            if older is not None:
                name = key.decode()
                self._spool.put("older", partition_of(name, partitions), (name.encode(), older))
        return Done()

    async def _parse(self, order: Parse) -> Done:
        topic, partitions, changes = self._work.topic(DELIVERIES), self._work.made.partitions, 0

        def apply(_topic: str, partition: int, stored: StoredRecords) -> None:
            nonlocal changes
            records, progress = list(stored), self._parsed[partition]
            output = normalise(
                ((record.offset, record.value or b"") for record in records),
                partition=partition,
                connectors=self._connectors,
                progress=progress,
                numbers=self._work.numbers,
            )
            progress.offset = records[-1].offset + 1
            for target, frames in output.frames(partitions).items():
                self._spool.put("changes", target, frames)
            self._spool.put("letters", partition, map(encode_dead_letter, output.dead_letters))
            changes += len(output.changes)
            self._told.add(len(records))

        mine = self._mine(self._work.made.log_partitions)
        await read_to(
            self._work.bootstrap,
            {(topic, partition): order.ends[partition] for partition in mine},
            apply,
            starts={(topic, partition): order.starts[partition] for partition in mine},
        )
        for partition in mine:
            self._parsed[partition].offset = max(self._parsed[partition].offset, order.ends[partition])
        newest = max((progress.log_at for progress in self._parsed.values()), default=0)
        return Done(
            changes, log_at=newest, progress={f"normalise|{p}": progress for p, progress in self._parsed.items()}
        )

    def _fold(self, order: Fold) -> Done:
        handed_on = 0
        for partition, share in self._shares.items():
            engagements: dict[tuple[str, str], bytes] = {}

            def engage(found: Iterable[Engagement], held: dict[tuple[str, str], bytes] = engagements) -> None:
                held.update(((each.group, each.record), each.row) for each in found)

            self._restore(partition, share, order.log_at, engage)
            for changes in _batches(self._spool.take("changes", partition), AT_ONCE):
                self._fold_changes(share, changes, order.log_at, engage)
                self._told.add(len(changes))
            share.done.log_at = max(share.done.log_at, order.log_at)
            share.done.kept_from = max(share.done.kept_from, share.ledger.cutoff.starts_at)
            handed_on += len(engagements)
            self._hand_on((Engagement(*names, row) for names, row in engagements.items()), 0, order.log_at)
        return Done(handed_on)

    def _restore(
        self, partition: int, share: _Share, log_at: int, engage: Callable[[Iterable[Engagement]], None]
    ) -> None:
        """Begin with the older part of the rows, if they were taken over."""
        pieces = self._spool.take("older", partition)
        found = list(zip(pieces, pieces, strict=True))
        if not found:
            return
        share.ledger.restore(dict(found))
        output = share.ledger.rebuild({}, {}, {}, log_at)
        share.note({LEDGER: found})
        share.note(ledger_messages(output))
        for name, row in found:
            self._check_row(row)
            engage(engagements_of(name.decode(), decode_record(row), row))

    def _fold_changes(
        self,
        share: _Share,
        changes: Changes,
        log_at: int,
        engage: Callable[[Iterable[Engagement]], None],
    ) -> None:
        output = share.ledger.fold(changes, log_at, is_quiet=True)  # a replay celebrates nothing
        share.done.count("events", len(changes))
        share.done.count("duplicates", output.duplicates)
        share.done.count("beyond.named", output.dropped)
        # They lie in `late` already: whoever folded them first has put them there.
        share.done.count("late", len(output.late))
        share.note(ledger_messages(output))
        engage(output.engagements)

    def _hand_on(self, engagements: Iterable[Engagement], round: int, log_at: int) -> None:
        for found in batched(engagements, IN_A_FRAME * self._work.made.partitions):
            frames = frames_of_engagements(found, self._work.made.partitions, newest_at=log_at, oldest_at=log_at)
            for target, mine in frames.items():
                self._spool.put(f"engagements.{round}", target, mine)

    def _group(self, order: Group) -> Done:
        handed_on = 0
        for partition, share in self._shares.items():
            frames = (
                decode_engagements(frame, _of_ours).engagements
                for frame in self._spool.take(f"engagements.{order.round}", partition)
            )
            for engagements in batched(chain.from_iterable(frames), GROUPED_AT_ONCE):
                output = share.groups.fold(engagements, order.log_at)
                share.grouped.count("events", len(engagements))
                share.grouped.count("duplicates", output.duplicates)
                share.grouped.count("beyond.group", output.refused)
                share.note(group_messages(output))
                self._hand_on(output.engagements, order.round + 1, order.log_at)
                handed_on += len(output.engagements)
                self._told.add(len(engagements))
            share.grouped.log_at = max(share.grouped.log_at, order.log_at)
            share.grouped.kept_from = max(share.grouped.kept_from, share.groups.cutoff.starts_at)
        rows = sum(len(found) for share in self._shares.values() for found in share.unwritten.values())
        return Done(handed_on, rows)

    async def _write(self) -> Done:
        progress: dict[str, Progress] = {}
        for partition, share in self._shares.items():
            share.done.definitions = share.grouped.definitions = self._digest
            progress[f"ledger|{partition}"] = share.done
            progress[f"responses|{partition}"] = share.grouped
        await asyncio.gather(*(self._write_share(partition, share) for partition, share in self._shares.items()))
        return Done(progress=progress)

    async def _write_share(self, partition: int, share: _Share) -> None:
        owner = await self._owner(partition)
        for topic, found in list(share.unwritten.items()):
            messages, share.unwritten[topic] = found, {}
            # Panes of one origin after those of the other: no batch may hold both (see `IsWanted` in reading.py).
            apart = (
                groupby(sorted(messages.items(), key=_origin_of), _origin_of)
                if topic is PANES
                else [(None, messages.items())]
            )
            for _, mine in apart:
                for part in batched(mine, AT_ONCE):
                    await owner.send({self._work.topic(topic): part})
                    self._told.add(len(part))

    async def _owner(self, partition: int) -> Owner:
        """Under a name of its own, so that no hand of a replay that was killed writes here any more."""
        if partition not in self._owners:
            self._owners[partition] = Owner(
                outgoing=self._outgoing,
                name=f"{self._work.prefix}g{self._work.made.generation}.replay-{partition}",
                topics=[self._work.topic(topic) for topic in OUTPUT_TOPICS],
                partition=partition,
                die=refuse_in_replay,
            )
            await self._owners[partition].acquire()
        return self._owners[partition]


class _Told:
    """Says how far it has come, but not more often than anybody looks."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        self._tell = tell
        self._amount = 0
        self._at = 0.0

    def add(self, amount: int) -> None:
        """So much more is done."""
        self._amount += amount
        now = time.monotonic()
        if now - self._at >= TELL_SECONDS:
            self._at = now
            self.rest()

    def rest(self) -> None:
        """Say all that was not said yet."""
        if self._amount:
            self._tell(self._amount)
            self._amount = 0


def _of_ours(_row: bytes) -> None:
    """No row in the spool is read to see whether it is one: ledgers have just written it, or it was taken over so."""


def _origin_of(pane: tuple[bytes, bytes | None]) -> bytes:
    return pane[0].partition(b"|")[0]


def _batches(frames: Iterable[bytes], most: int) -> Iterator[ChangesReceived]:
    """Their changes in batches of about so many."""
    batch = new_batch()
    for frame in frames:
        batch.add(frame)
        if len(batch) >= most:
            yield batch
            batch = new_batch()
    if batch:
        yield batch


def replay_owner(bootstrap: Address, name: str, topics: Sequence[str], partition: int = 0) -> Owner:
    """An owner with a way out of its own."""
    return Owner(outgoing=Outgoing(bootstrap), name=name, topics=topics, partition=partition, die=refuse_in_replay)


class WriteRefusedError(Exception):
    """Kafka did not take what was written."""


def refuse_in_replay(code: int, why: str, *, error: BaseException | None = None) -> NoReturn:
    """What an owner in a replay does instead of ending the process."""
    raise WriteRefusedError(why) from error
