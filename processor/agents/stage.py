"""What the shards of all stages share: names of topics, reading back what was published, progress after the outputs.

Owns no rule of the business and no seam over Faust (processor/transport/).
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import msgspec
import structlog

from processor.agents.newer_rows import refuse_newer_messages, refuse_newer_rows
from processor.agents.outputs import frames_of_engagements
from processor.agents.restoring import Published, Restoring, Since
from processor.core.alert_names import with_names
from processor.core.apis_heard import ApisHeard
from processor.core.definitions import Definitions
from processor.core.ledger_state import Piece
from processor.core.retention import RetentionCutoff
from processor.core.routing import routed
from processor.transport.checkpoints import Checkpoints, HeldState
from processor.transport.fetched import Fetched
from processor.transport.log_watch import LogWatch, WatchedPartition
from processor.transport.outgoing import Outgoing
from processor.transport.owner import Owner
from processor.transport.packing import KeyAndValue
from processor.transport.shards import Capture
from schemas.alerts import Alert, alert_frames, channel_partition
from schemas.config.alerts import Alerts
from schemas.connectors.base import Connector
from schemas.dead_letters import DeadLetter, encode_dead_letter
from schemas.frames import QUIET, QUIETLY, Engagement, by_partition
from schemas.kafka import Address
from schemas.log_marks import REPLAY, LogMark, Place
from schemas.naming import NameStyle
from schemas.numbers import NONE_KEPT, PhoneNumbers
from schemas.progress import BETWEEN, STAGES, Progress, decode_progress, encode_progress, progress_key
from schemas.requests import request_headers
from schemas.snapshot_doubts import WantedSnapshot
from schemas.topics import (
    DEAD_LETTERS,
    DEALS,
    DELIVERIES,
    ENGAGEMENTS,
    LEAD_CLOCKS,
    NOTIFICATIONS,
    PANES,
    PROGRESS,
    ROSTER,
    Topic,
)
from schemas.tracing import OFF, Headers, Tracing

T = TypeVar("T")

TELL_SECONDS = 0.2
"""How long progress may wait for a batch to travel with: a shard that has five batches a second tells none alone."""

_PROBLEMS_TOLD = 10
"""Kinds of problems of one batch that the log names."""

MADE_ANEW = frozenset({PANES, ROSTER, DEALS, LEAD_CLOCKS, PROGRESS})
"""What a load publishes anew where it is not there: a loss of it is made good by a restart."""

_NO_REQUESTS: Mapping[str, str] = {}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where this deployment's topics are, and what it makes of their content."""

    bootstrap: Address
    prefix: str
    generation: int
    partitions: int
    """Of this generation's topics."""
    log_partitions: int
    """Of those that are not derived."""
    definitions: Definitions
    digest: str
    """Of the definitions, for those who serve what is derived."""
    connectors: Mapping[str, Connector]
    outgoing: Outgoing
    """Of all shards of this process."""
    watch: LogWatch | None = None
    """Over the topics of all of them; None: nobody looks."""
    numbers: PhoneNumbers = NONE_KEPT
    """What is kept of telephone numbers."""
    names: Mapping[str, NameStyle] = field(default_factory=dict)
    """Channel -> how it may be told of people."""
    team_names: Mapping[str, str] = field(default_factory=dict)
    """Team -> what the file calls it."""
    rep_names: Mapping[str, str] = field(default_factory=dict)
    """Person -> what the file calls them."""
    tracing: Tracing = OFF
    apis: ApisHeard = field(default_factory=ApisHeard)
    """By which definitions those go whose deliveries this process reads."""
    checkpoints: Checkpoints | None = None
    """Where shards write down what they hold; None: nowhere."""

    def topic(self, topic: Topic) -> str:
        """A topic of the catalogue, as Kafka knows it."""
        return topic.full_name(self.prefix, self.generation)

    def partitions_of(self, topic: Topic) -> int:
        """How many it has."""
        return topic.partitions(log=self.log_partitions, derived=self.partitions)


def _group_of(record: str) -> str:
    """The group of a lead, by its record."""
    return f"lead:{record.partition('|')[2]}"


class StageShard:
    """One partition of one stage: its owner, its progress, and what lies in its topics."""

    stage: ClassVar[str]
    source: ClassVar[Topic]
    """What it reads."""
    owned: ClassVar[Sequence[Topic]]
    """Topics in whose partition of our number nobody else writes under our keys; `progress` is added."""
    kept: ClassVar[Sequence[Topic]] = ()
    """Those of them of which a checkpoint holds what was published; `progress` is added."""

    def __init__(self, partition: int, deployment: Deployment) -> None:
        self.partition = partition
        self.deployment = deployment
        self.origin = f"{self.stage}.{partition}"
        self.progress = Progress()
        self.derived_by = ""
        """Digest of the definitions by which was derived what the load has read back; empty: nobody said; `BETWEEN`: a
        worker was killed while it derived."""
        self._settled = encode_progress(self.progress)
        """Progress as of the last batch that is done: counters of the batch in hand are not in it."""
        self._done: bytes | None = None
        """Progress that is to be told."""
        self._unread = 0
        """Messages of the batch in hand that are no frames."""
        self._damaged = 0
        """Rows of this load that are none."""
        self._telling: asyncio.TimerHandle | None = None
        self._sending: asyncio.Task[None] | None = None
        self._followed: dict[Topic, WatchedPartition] = {}
        self._has_resumed = False
        self._was_known = True
        """Whether the load has found progress of an earlier owner."""
        self.owner = Owner(
            outgoing=deployment.outgoing,
            definitions=deployment.digest,
            name=f"{deployment.prefix}g{deployment.generation}.{self.stage}-{partition}",
            topics=[deployment.topic(topic) for topic in (*self.owned, PROGRESS)],
            partition=partition,
        )
        self._restoring = Restoring(
            self.owner.name,
            deployment.bootstrap,
            beginnings={deployment.topic(PANES): f"{self.origin}|".encode()},
            wanted=WantedSnapshot(
                deployment.digest,
                deployment.generation,
                {deployment.topic(topic): deployment.partitions_of(topic) for topic in (*self.owned, PROGRESS)},
            ),
            kept=[deployment.topic(topic) for topic in (*self.kept, PROGRESS)],
            checkpoints=deployment.checkpoints,
        )

    @property
    def read(self) -> int:
        """Records that the load has read back so far."""
        return self._restoring.read

    async def tick(self, now: int) -> None:
        """Nothing of this stage depends on time alone."""

    async def close(self) -> None:
        """Drop what is held. Progress not told yet is told by the next owner: it begins at what is committed."""
        if self.deployment.watch is not None:
            for followed in self._followed.values():
                self.deployment.watch.leave(followed)
        if self._telling is not None:
            self._telling.cancel()
        if self._sending is not None:
            await self._sending
        await self.owner.close()

    async def suspend(self) -> None:
        """Tell now what is done."""
        untold = self._untold()
        if self._sending is not None:
            await self._sending
        if untold:
            await self.owner.send(untold)

    def resume(self, offset: int) -> None:
        """All below `offset` was committed, so it is done, also if nobody lived to say so."""
        is_unknown = offset and not self._was_known and not self._has_resumed
        if is_unknown and self.stage in STAGES and self.deployment.watch is not None:
            # Whoever begins tells so before anything is committed. What is committed later is our own: a shard that is
            # kept over a rebalance resumes again.
            source, progress = self.deployment.topic(self.source), self.deployment.topic(PROGRESS)
            self.deployment.watch.refuse(
                f"{source}[{self.partition}] was read up to {offset}, of which {progress} knows nothing: {REPLAY}"
            )
        self.progress.offset = max(self.progress.offset, offset)
        self._has_resumed = True
        self.settle()

    async def recover(self) -> Published:
        """Become the owner; what was published in our partitions up to our fence, by this stage or another.

        Of panes only those of this origin.
        """
        return await self._read_back(await self._acquire())

    async def recover_since(self, state_of: Callable[[Iterator[Piece]], T]) -> Published | Since[T]:
        """Become the owner; what a checkpoint holds and what was published since, or all, as `recover`.

        `state_of` makes of a checkpoint's pieces what they were made of.
        """
        self._restoring.begin(state_of)
        fences = await self._acquire()
        since: Since[T] | None = await self._restoring.since(fences, self.doubt_of)
        if since is None:
            return await self._read_back(fences)
        await self._go_on_with(self._progress_since(since))
        return since

    async def _acquire(self) -> dict[Place, int]:
        return {(topic, self.partition): offset for topic, offset in (await self.owner.acquire()).items()}

    async def _read_back(self, fences: Mapping[Place, int]) -> Published:
        published = await self._restoring.from_log(fences)
        await self._go_on_with(published[self.deployment.topic(PROGRESS)].get(self._key))
        return published

    def _progress_since(self, since: Since[Any]) -> bytes:
        return since.news[self.deployment.topic(PROGRESS)].get(self._key, since.kept.progress) or b""

    def distrust(self, error: Exception) -> None:
        """Throw the checkpoint away that a load has failed of: the next start would fail of it again."""
        self._restoring.distrust(error)

    def doubt_of(self, since: Since[Any]) -> str | None:
        """Why what was published since a checkpoint may not be taken in; None: it may."""
        try:
            if decode_progress(self._progress_since(since)).definitions != self.deployment.digest:
                return "others have derived by other definitions since"
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return "what was published since cannot be read"
        return None

    async def _go_on_with(self, held: bytes | None) -> None:
        """Go on with the progress of the owner before us."""
        if held is not None:
            try:
                self.progress = decode_progress(held)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                # What is committed says where to begin; counters begin anew.
                await self.dead_letter([self.damaged(PROGRESS, self._key)])
        is_older = refuse_newer_rows(self.progress, f"{self.deployment.topic(self.source)}[{self.partition}]")
        await self._watch_logs(is_known=held is not None)
        self.derived_by = self.progress.definitions
        if self.derived_by not in {"", self.deployment.digest}:
            # Before the first of it: whoever reads what a killed worker has left must not take it for the old numbers.
            if self.source is DELIVERIES and not self.partition:  # one line of a worker is enough
                log.warning(
                    "definitions.differ",
                    why=f"this worker derives by definitions {self.deployment.digest}, and what lies in Kafka was "
                    f"derived by {self.derived_by}: it is derived anew; apis serve it once their files say the same",
                )
            between = encode_progress(msgspec.structs.replace(self.progress, definitions=BETWEEN))
            await self.owner.send({self.deployment.topic(PROGRESS): [(self._key, between)]})
        elif is_older and held is not None:
            await self.owner.send({self.deployment.topic(PROGRESS): [(self._key, encode_progress(self.progress))]})
        # Told first when all is derived anew: until then nobody may take the old numbers for the new definitions'.
        self.progress.definitions = self.deployment.digest
        self._settled = encode_progress(self.progress)

    def capture(self, *, is_last: bool) -> Capture | None:
        """What is to be written of this stage so that a start need not read it all; None: nothing."""
        return None

    def take_down(self, held: Callable[[], HeldState], size: int, *, is_last: bool) -> Capture | None:
        """What writes a checkpoint of what `held` gives, of `size` rows and panes, if it is time; for `capture`."""
        topics = [self.deployment.topic(topic) for topic in (*self.kept, PROGRESS)]
        positions = {(topic, self.partition): self.owner.written[topic] for topic in topics}
        return self._restoring.capture(positions, self.owner.proved_at, self._settled, held, size, is_last=is_last)

    async def _watch_logs(self, *, is_known: bool) -> None:
        """Compare what an earlier owner has left with what lies in Kafka, and have it watched from now on."""
        watch, self._was_known = self.deployment.watch, is_known
        if watch is None:
            return
        held = {topic.name: topic for topic in (self.source, *self.owned)}
        marks = {
            (self.deployment.topic(held[name]), self.partition): mark
            for name, mark in self.progress.marks.items()
            if name in held and held[name] not in MADE_ANEW
        }
        self._followed = {self.source: self._follow(self.source, lambda: self.progress.offset)}
        for topic in (*self.owned, PROGRESS):
            self._followed[topic] = self._written(topic)
        await watch.begin(self._followed.values(), marks)
        if not is_known:
            await self.owner.send({self.deployment.topic(PROGRESS): [(self._key, encode_progress(self.progress))]})

    def _follow(self, topic: Topic, offset: Callable[[], int]) -> WatchedPartition:
        place = self.deployment.topic(topic), self.partition
        return WatchedPartition(place, offset, can_be_made_anew=topic in MADE_ANEW, on_new_mark=self._tell_marks)

    def _written(self, topic: Topic) -> WatchedPartition:
        name = self.deployment.topic(topic)
        return self._follow(topic, lambda: self.owner.written.get(name, 0))

    @property
    def _key(self) -> bytes:
        """Of our record in `progress`."""
        return progress_key(self.stage, self.partition)

    def _sure_marks(self) -> dict[str, LogMark]:
        """Of source and outputs; those of an earlier owner until the first look."""
        sure = {
            topic.name: followed.mark
            for topic, followed in self._followed.items()
            if topic is not PROGRESS and followed.mark != LogMark()
        }
        return self.progress.marks | sure

    def _tell_marks(self) -> None:
        """Called after a look that has made newer marks. What the batch in hand counts stays out of it."""
        # Until the load has told them with its end, outputs may be not yet published anew. And of `progress` alone,
        # whose mark is not told there, a write would make the next one, and so for ever.
        if not self._has_resumed or (marks := self._sure_marks()) == self.progress.marks:
            return
        settled = decode_progress(self._settled)
        settled.marks = self.progress.marks = marks
        self._settled = self._done = encode_progress(settled)
        if self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(TELL_SECONDS, self._tell)

    async def write(
        self, messages: Mapping[Topic, Sequence[KeyAndValue]], *, oldest_at: int | None = None, is_quiet: bool = False
    ) -> None:
        """Write to our own partitions; return when all is acknowledged.

        `oldest_at` (microseconds) becomes the messages' Kafka timestamp: the api tells its latency by it. `is_quiet`:
        whether what caused them was brought by no webhook, which the panes say to whoever looks at limits.
        """
        named = {self.deployment.topic(topic): batch for topic, batch in messages.items() if batch}
        if named:
            named |= self._untold()
            headers = {self.deployment.topic(PANES): (QUIETLY,)} if is_quiet else {}
            await self.owner.send(named, timestamp_ms=None if oldest_at is None else oldest_at // 1000, headers=headers)

    async def reach(self, newest_at: int, cutoff: RetentionCutoff) -> None:
        """Note the newest receipt of the log.

        Where the cutoff moves by it, that is acknowledged before anything is let go: a successor that did not know
        would derive days again of which only a part is left. The batch in hand is not done yet, so its counters stay
        out of what is told: it is counted when it is repeated.
        """
        self.progress.log_at = max(self.progress.log_at, newest_at)
        if cutoff.moves_at(self.progress.log_at):
            self.progress.kept_from = max(self.progress.kept_from, cutoff.of(self.progress.log_at))
            settled = decode_progress(self._settled)
            settled.log_at, settled.kept_from = self.progress.log_at, self.progress.kept_from
            self._settled = self._done = encode_progress(settled)
            await self.owner.send(self._untold())

    def finish(self, records: Sequence[Fetched]) -> None:
        """Note that this batch is done, after all that came of it is acknowledged.

        It is told with the next batch's output or in a moment, whichever is first: a request of its own for each batch
        would cost as much as the batch at a few hundred events a second.
        """
        self.progress.offset = max(self.progress.offset, records[-1].offset + 1)
        self.progress.count("dead..unreadable", self._unread)
        self._unread = 0
        self.settle()

    def settle(self) -> None:
        """Tell the progress as it is; not within a batch that counts, whose offset is not done yet."""
        self.progress.marks = self._sure_marks()
        self._settled = self._done = encode_progress(self.progress)
        if self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(TELL_SECONDS, self._tell)

    def _untold(self) -> dict[str, Sequence[KeyAndValue]]:
        """Progress that is true by now and not told yet. The batch in hand may have changed the counters already."""
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None
        done, self._done = self._done, None
        if done is None:
            return {}
        return {self.deployment.topic(PROGRESS): [(self._key, done)]}

    def _tell(self) -> None:
        self._telling = None
        untold = self._untold()
        if untold:
            # The owner ends the process if this cannot be sent; until then the task must not be collected.
            self._sending = asyncio.create_task(self.owner.send(untold))

    def parts(self, records: Sequence[Fetched]) -> list[tuple[bool, Sequence[Fetched]]]:
        """The records that were done before, if any, and the new ones: (is_new, records). Only new ones are counted."""
        done = self.progress.offset
        if records[0].offset >= done:
            return [(True, records)]
        repeated = [record for record in records if record.offset < done]
        fresh = records[len(repeated) :]
        return [(False, repeated)] + ([(True, fresh)] if fresh else [])

    async def dead_letter(self, letters: Sequence[DeadLetter]) -> None:
        """Keep what nobody could read, before the batch is done.

        One delivery may hold very many such events: the log names a few problems, each once, and the rest in a number.
        """
        if letters:
            alike = Counter((letter.connection, letter.reason, letter.detail) for letter in letters)
            first = {(letter.connection, letter.reason, letter.detail): letter for letter in reversed(letters)}
            for problem, events in alike.most_common(_PROBLEMS_TOLD):
                connection, reason, detail = problem
                log.warning(
                    "delivery.refused", connection=connection, reason=reason, detail=detail,
                    delivery=first[problem].id, request=first[problem].request or None, events=events,
                )  # fmt: skip
            if len(alike) > _PROBLEMS_TOLD:
                rest = len(letters) - sum(events for _, events in alike.most_common(_PROBLEMS_TOLD))
                log.warning("delivery.refused", problems=len(alike) - _PROBLEMS_TOLD, events=rest)
            messages: list[KeyAndValue] = [(letter.id.encode(), encode_dead_letter(letter)) for letter in letters]
            place = self.deployment.topic(DEAD_LETTERS), self.partition % self.deployment.log_partitions
            await self.owner.send_to({place: messages})

    async def engage(
        self,
        engagements: Sequence[Engagement],
        *,
        newest_at: int,
        oldest_at: int,
        is_quiet: bool = False,
        requests: Mapping[str, str] = _NO_REQUESTS,
    ) -> None:
        """Send engagements to the partitions of their groups. Before rows and panes: no load compares them.

        `is_quiet`: whether what caused them was brought by no webhook. `requests`: of leads, the request that did.
        """
        topic, key = self.deployment.topic(ENGAGEMENTS), QUIET if is_quiet else None
        frames: dict[tuple[str, int], list[KeyAndValue]] = {
            (topic, partition): [(key, frame) for frame in found]
            for partition, found in frames_of_engagements(
                engagements, self.deployment.partitions, newest_at=newest_at, oldest_at=oldest_at
            ).items()
        }
        told = {each.record: requests[each.record] for each in engagements if each.record in requests}
        await self.hand_on(frames, told, _group_of)

    async def tell_channels(self, turned: Sequence[Alert], rules: Alerts) -> None:
        """Hand on what channels are to be told of alerts, each with the names that it may know.

        Before the alerts are written: what is written is known as told.
        """
        names = self.deployment.names
        await self.hand_to_channels(
            {
                channel: with_names(
                    alerts,
                    names.get(channel, "full"),
                    rep_name=self.rep_name,
                    team_name=self.team_name,
                    lead_name=self.lead_name,
                )
                for channel, alerts in routed(turned, rules).items()
            }
        )

    def rep_name(self, rep: str) -> str | None:
        """What somebody is called; None: nobody says."""
        return None

    def team_name(self, team: str) -> str | None:
        """What a team is called; None: by its id."""
        return self.deployment.team_names.get(team)

    def lead_name(self, lead: str) -> str | None:
        """What the CRM calls a lead, by person or company; None: it does not."""
        return None

    async def hand_to_channels(self, told: Mapping[str, Sequence[Alert]]) -> None:
        """Hand on what each channel is to be told."""
        partitions = self.deployment.partitions
        frames: dict[tuple[str, int], list[KeyAndValue]] = {}
        for channel, alerts in told.items():
            place = self.deployment.topic(NOTIFICATIONS), channel_partition(channel, partitions)
            frames.setdefault(place, []).extend((None, frame) for frame in alert_frames(channel, alerts))
        if frames:
            # A worker that was paused and whose partition is another's by now must not call anybody.
            await self.owner.prove()
            headers = self.deployment.tracing.headers
            await self.owner.send_to(frames, headers=dict.fromkeys(frames, headers) if headers else None)

    async def hand_on(
        self,
        frames: Mapping[Place, Sequence[KeyAndValue]],
        requests: Mapping[str, str] = _NO_REQUESTS,
        key_of: Callable[[str], str] = str,
    ) -> None:
        """Send to other stages' partitions; return when all is acknowledged.

        `requests`: by records of leads, which request told of them; they go where `key_of` the record lives.
        """
        if not frames:
            return
        untold = {(topic, self.partition): messages for topic, messages in self._untold().items()}
        trace, partitions = self.deployment.tracing.headers, self.deployment.partitions
        headers: dict[Place, Headers] = dict.fromkeys(frames, trace) if trace else {}
        if requests:
            lying = by_partition(((key_of(key), (key, request)) for key, request in requests.items()), partitions)
            for place in frames:
                headers[place] = (*trace, *request_headers(lying.get(place[1], ())))
        await self.owner.send_to({**frames, **untold}, headers=headers)

    async def put_back(
        self, published: Published, topic: Topic, restore: Callable[[bytes, bytes], object]
    ) -> list[KeyAndValue]:  # fmt: skip
        """Hand each row that was read back to `restore`; the tombstones of those that it says are none."""
        damaged: list[bytes] = []
        for key, row in published[self.deployment.topic(topic)].items():
            try:
                restore(key, row)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                damaged.append(key)
        await self.dead_letter([self.damaged(topic, key) for key in damaged])
        return [(key, None) for key in damaged]

    def damaged(self, topic: Topic, key: bytes) -> DeadLetter:
        """A row that is none, read back at the load: it is let go, and the partition goes on."""
        self.progress.count("dead..unreadable")
        self._damaged += 1
        why = f"row {key.decode('utf-8', 'replace')!r} of {self.deployment.topic(topic)} is none"
        return DeadLetter("", "unreadable", why, self.partition, 0, self._damaged, 0, self.stage)

    async def decoded(self, records: Sequence[Fetched], decode: Callable[[bytes], T]) -> list[T]:
        """What `decode` makes of each message.

        Those that are no frames are written down, and we go on: nobody but us writes them, so this is a fault of ours.
        Unless a newer version runs, which may have written them.
        """
        found: list[T] = []
        unread: list[Fetched] = []
        for record in records:
            try:
                found.append(decode(record.value or b""))
            except msgspec.MsgspecError:
                unread.append(record)
        if unread:
            await refuse_newer_messages(self.deployment.bootstrap, self.deployment.topic(PROGRESS), unread[0])
            await self.dead_letter([self._unreadable(record) for record in unread])
        return found

    def _unreadable(self, record: Fetched) -> DeadLetter:
        self._unread += record.offset >= self.progress.offset
        why = f"a message of {record.topic} is not a frame"
        return DeadLetter("", "unreadable", why, record.partition, record.offset, None, 0, self.stage)
