"""The whole pipeline in one process, without Kafka: ledger and responses per partition, and the view.

Chains the pure cores exactly as the agents do. Messages between stages are passed through their encodings.
"""

from collections.abc import Iterable, Mapping, Sequence

from api.read.view import View
from deploy.verification.shapes import Row, Rows
from processor.core.batch import ChangesReceived, new_batch, row_check
from processor.core.bounds import SEPARATOR
from processor.core.definitions import definitions_of
from processor.core.groups import Groups
from processor.core.ledger import Ledger
from processor.core.merges import Merges
from schemas.config import Config
from schemas.frames import (
    MERGES_GROUP,
    Engagement,
    by_group,
    change_frames,
    decode_engagements,
    engagement_frames,
    partition_of,
    record_key,
)
from schemas.late import LateChange
from schemas.records import RecordChange
from schemas.topics import DEALS, LEAD_CLOCKS, PANES, ROSTER
from schemas.windows import span_of

PARTITIONS = 3


class Pipeline:
    """Takes batches of changes; `topics` holds the last value of every key, as Kafka would after compaction."""

    def __init__(self, config: Config, *, partitions: int = PARTITIONS) -> None:
        self.config = config
        self.partitions = partitions
        self.topics: dict[str, dict[tuple[int, bytes], bytes]] = {
            topic.name: {} for topic in (PANES, ROSTER, DEALS, LEAD_CLOCKS)
        }
        self.rows: dict[str, dict[tuple[int, bytes], bytes]] = {"ledger": {}, "groups": {}}
        self.log_at = 0
        self.late: list[LateChange] = []
        self._definitions = definitions_of(config)
        self._check = row_check()
        self._start()

    def _start(self) -> None:
        definitions = self._definitions
        self.ledgers = [Ledger(f"ledger.{p}", definitions) for p in range(self.partitions)]
        self.groups = [Groups(f"responses.{p}", definitions) for p in range(self.partitions)]

    def take(self, changes: Sequence[RecordChange]) -> None:
        """One batch, through every stage until nothing moves."""
        for p in range(self.partitions):
            mine = [c for c in changes if partition_of(record_key(c.kind, c.id), self.partitions) == p]
            for frame in change_frames(mine) if mine else ():
                batch = new_batch()
                batch.add(frame)
                for part in batch.parts(self.ledgers[p].cutoff.at):
                    self._fold(p, part)

    def _fold(self, p: int, batch: ChangesReceived) -> None:
        self.log_at = max(self.log_at, batch.newest_at)
        for output in self.ledgers[p].fold_parts(batch, self.log_at):
            self._publish(PANES.name, p, output.panes)
            self._publish(ROSTER.name, p, output.roster)
            self._publish(DEALS.name, p, output.deals)
            self._keep("ledger", p, output.rows)
            self.late += output.late
            self.engage(output.engagements)

    def engage(self, engagements: Iterable[Engagement]) -> None:
        """Hand engagements to their groups, and what those hand on, until it ends."""
        waiting = list(engagements)
        rounds = 0
        while waiting:
            rounds += 1
            assert rounds < 1000, "engagements go round for ever"
            handed_on: list[Engagement] = []
            for p, mine in sorted(by_group(waiting, self.partitions).items()):
                for frame in engagement_frames(mine, self.log_at, self.log_at):
                    output = self.groups[p].fold(decode_engagements(frame, self._check).engagements, self.log_at)
                    self._publish(PANES.name, p, output.panes)
                    self._publish(LEAD_CLOCKS.name, p, output.clocks)
                    self._keep("groups", p, output.rows)
                    handed_on += output.engagements
            waiting = handed_on

    def pass_time(self, log_at: int) -> None:
        """Something was delivered then, of which no record came of ours."""
        self.log_at = max(self.log_at, log_at)
        for p in range(self.partitions):
            while True:
                output = self.ledgers[p].fold([], self.log_at)
                self._publish(PANES.name, p, output.panes)
                self._publish(ROSTER.name, p, output.roster)
                self._publish(DEALS.name, p, output.deals)
                self._keep("ledger", p, output.rows)
                groups = self.groups[p].fold([], self.log_at)
                self._publish(PANES.name, p, groups.panes)
                self._publish(LEAD_CLOCKS.name, p, groups.clocks)
                self._keep("groups", p, groups.rows)
                if not self.ledgers[p].backlog and not self.groups[p].backlog:
                    break

    def restart(self) -> int:
        """Forget all memory, read the rows back, derive, publish what differs; how many messages that were."""
        self._start()
        repaired = 0
        engaged: list[Engagement] = []
        for p in range(self.partitions):
            self.ledgers[p].restore({key: row for (held_by, key), row in self.rows["ledger"].items() if held_by == p})
            panes = self._published(PANES.name, p)
            mine = {key: value for key, value in panes.items() if key.startswith(f"ledger.{p}|".encode())}
            output = self.ledgers[p].rebuild(
                mine, self._published(ROSTER.name, p), self._published(DEALS.name, p), self.log_at
            )
            for (partition, key), row in self.rows["groups"].items():
                if partition == p:
                    self.groups[p].restore(key, row)
            mine = {key: value for key, value in panes.items() if key.startswith(f"responses.{p}|".encode())}
            groups = self.groups[p].rebuild(mine, self._published(LEAD_CLOCKS.name, p), self.log_at)
            engaged += groups.engagements
            for topic, messages in (
                (PANES.name, output.panes + groups.panes),
                (ROSTER.name, output.roster),
                (DEALS.name, output.deals),
                (LEAD_CLOCKS.name, groups.clocks),
            ):
                repaired += len(messages)
                self._publish(topic, p, messages)
            for topic, rows in (("ledger", output.rows), ("groups", groups.rows)):
                repaired += len(rows)
                self._keep(topic, p, rows)
        self.engage(engaged)
        return repaired

    def repeated(self, connection: str) -> int:
        """How many calls of a connection count nowhere, as another one tells of them."""
        return sum(groups.repeated[connection] for groups in self.groups)

    def view(self) -> View:
        """What an api would serve that reads the topics from their beginning."""
        view = View(self.config)
        for topic, values in self.topics.items():
            for (_, key), value in values.items():
                view.apply(topic, key, value)
        return view

    def state(self) -> dict[str, dict[tuple[int, bytes], bytes]]:
        """Everything published and kept, but for what counts nowhere."""
        return self.topics | self.rows | {"groups": without_left_over(self.rows["groups"])}

    def _published(self, topic: str, p: int) -> dict[bytes, bytes]:
        return {key: value for (partition, key), value in self.topics.get(topic, {}).items() if partition == p}

    def _publish(self, topic: str, p: int, messages: Iterable[tuple[bytes, bytes | None]]) -> None:
        values = self.topics.setdefault(topic, {})
        for key, value in messages:
            if value is None:
                values.pop((p, key), None)
            else:
                values[p, key] = value

    def _keep(self, topic: str, p: int, rows: Iterable[tuple[bytes, bytes | None]]) -> None:
        for key, row in rows:
            if row is None:
                self.rows[topic].pop((p, key), None)
            else:
                self.rows[topic][p, key] = row


def without_left_over(groups: Mapping[tuple[int, bytes], bytes]) -> dict[tuple[int, bytes], bytes]:
    """Rows of groups without what counts nowhere: what a lead's former root still holds of it."""
    merges = Merges()
    merges.apply({key.decode().split(SEPARATOR)[1]: row for (_, key), row in groups.items() if _is_merge(key)})

    def is_left_over(key: bytes) -> bool:
        group, *rest = key.decode().split(SEPARATOR)
        return len(rest) > 1 and f"lead:{merges.root_of(rest[0])}" != group

    return {place: row for place, row in groups.items() if not is_left_over(place[1])}


def _is_merge(key: bytes) -> bool:
    return key.startswith(f"{MERGES_GROUP}{SEPARATOR}".encode())


def served(view: View, *, now: int, window: str) -> Rows:
    """All rows of a window as the api would serve them, in the oracle's shape."""
    span = span_of(window, now, view.calendar)
    teams: dict[str, Row] = {}
    reps: dict[str, Row] = {}
    for scope in view.scopes():
        values = view.values(scope, span, now)
        row: Row = {"metrics": values.metrics, "bounds": values.bounds}
        if scope.id is None:
            organisation = row
        else:
            (teams if scope.kind == "team" else reps)[scope.id] = row
    return {"organisation": organisation, "teams": teams, "reps": reps}
