"""The ledger of one partition: all its records, folded; its panes, derived; what its groups must hear.

Owns the fold of a batch, when rows expire, and the rebuilding after recovery. Does no I/O: rows and messages go in and
out as bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from processor.core.contributions import Contribution, contributions
from processor.core.definitions import Definitions
from processor.core.panes import Message, PaneTable
from processor.core.retention import (
    Expiry,
    Horizon,
    first_version,
    is_spared,
    last_instant,
    newest_version,
    speaks_of_the_past,
)
from schemas.frames import ROSTER_GROUP, Engagement, record_key
from schemas.instants import DAY
from schemas.late import PAST, REFUSED, LateChange
from schemas.records import NAMED, Record, RecordChange, decode_record

SLICE = 500
"""Rows looked at in one batch, to see whether they are still kept: a few milliseconds."""


@dataclass(slots=True)
class LedgerOutput:
    """What a batch has changed."""

    rows: list[Message] = field(default_factory=list)
    panes: list[Message] = field(default_factory=list)
    roster: list[Message] = field(default_factory=list)
    engagements: list[Engagement] = field(default_factory=list)
    late: list[LateChange] = field(default_factory=list)
    """Changes to what is older than what is kept."""
    duplicates: int = 0
    """Changes that said nothing new."""


@dataclass(slots=True)
class _Touched:
    record: Record
    before: list[Contribution]
    is_news: bool = False


class Ledger:
    """Rows are kept as the bytes that are published: compact, and equal states are equal bytes."""

    def __init__(self, origin: str, definitions: Definitions) -> None:
        self._definitions = definitions
        self._rows: dict[str, bytes] = {}
        self.horizon = Horizon(definitions.calendar, definitions.records_kept)
        self._expiry = Expiry()
        self.panes = PaneTable(origin, definitions.calendar, definitions.minutes_kept, self.horizon)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def backlog(self) -> int:
        """How many rows may be too old and were not looked at yet."""
        return len(self._expiry.due)

    def fold(self, changes: Sequence[RecordChange], log_at: int) -> LedgerOutput:
        """Take a batch of changes in. `log_at` is the newest receipt seen (microseconds)."""
        output = LedgerOutput()
        touched: dict[str, _Touched] = {}
        definitions, rows = self._definitions, self._rows
        self._advance(log_at)
        self._sweep(output, SLICE)
        kept_from, due, filed = self.horizon.starts_at, self._expiry.due, self._expiry.filed
        doubtful: set[str] = set()
        past: dict[str, Record] = {}
        for change in changes:
            key = record_key(change.kind, change.id)
            if change.changed_at < kept_from:
                if self.horizon.is_late(change):
                    output.late.append(LateChange(REFUSED, self.horizon.of(change.received_at), change))
                    continue
                doubtful.add(key)
            held = touched.get(key)
            if held is None:
                if due:
                    self._look_at(key, output)
                row = rows.get(key)
                if row is None:
                    # That there is a record at all is news, even if the CRM has set no field of it yet.
                    held = touched[key] = _Touched(Record(change.kind), [], is_news=True)
                    filed[change.changed_at // DAY].append(key)
                else:
                    record = decode_record(row)
                    held = touched[key] = _Touched(record, contributions(record, definitions))
            if held.record.fold(change):
                held.is_news = True
            else:
                output.duplicates += 1
        for key, held in touched.items():
            if held.is_news:
                self._settle(key, held, output, past, bool(doubtful) and key in doubtful)
        if past:
            output.late += self._news(changes, past)
        output.panes = self.panes.take_changes()
        return output

    def _settle(
        self, key: str, held: _Touched, output: LedgerOutput, past: dict[str, Record], is_doubtful: bool
    ) -> None:
        """Take in what has become of a record. `is_doubtful`: it may be too old to be kept.

        Into `past` goes what was known before of a record that counts nowhere any more.
        """
        record = held.record
        after = contributions(record, self._definitions)
        if after != held.before:
            self.panes.replace(held.before, after)
        kept_from = self.horizon.starts_at
        if (not after or after[0][1] < kept_from) and speaks_of_the_past(record, kept_from):
            before = self._rows.get(key)
            past[key] = Record(record.kind) if before is None else decode_record(before)
        row = record.encode()
        output.engagements += engagements_of(key, record, row)
        name = key.encode()
        spared = self._expiry.spared
        if is_doubtful or (spared and key in spared):
            was_spared = key in spared
            if self._is_expired(key, record):
                if self._rows.pop(key, None) is not None:
                    output.rows.append((name, None))
                return
            if was_spared:
                self._file(key, record)
        self._rows[key] = row
        output.rows.append((name, row))
        if record.kind == "rep":
            output.roster.append((name, row))

    def _news(self, changes: Sequence[RecordChange], records: dict[str, Record]) -> list[LateChange]:
        """The changes that said something new of these records."""
        found = []
        for change in changes:
            record = records.get(record_key(change.kind, change.id))
            if record is not None and not self.horizon.is_late(change) and record.fold(change):
                found.append(LateChange(PAST, self.horizon.starts_at, change))
        return found

    def _is_expired(self, key: str, record: Record) -> bool:
        """Whether it is too old to be kept. Notes what is spared although it is."""
        self._expiry.spared.discard(key)
        if last_instant(record) >= self.horizon.starts_at:
            return False
        if is_spared(record):
            self._expiry.spared.add(key)
            return False
        return True

    def _file(self, key: str, record: Record) -> None:
        """Note when to look at it again, which is kept."""
        expiry, said_at = self._expiry, newest_version(record)
        if key in expiry.spared:
            return
        if said_at >= self.horizon.starts_at:
            expiry.file(key, said_at)
            return
        expiry.spared.add(key)  # what happens later than it was said may be called off
        if record.fields:
            expiry.file(key, last_instant(record))

    def _advance(self, log_at: int) -> None:
        if self.horizon.advance(log_at):
            self._expiry.advance(self.horizon.starts_at)
        self.panes.advance(log_at)

    def sweep(self, most: int) -> LedgerOutput:
        """Look at so many of the rows that may be too old."""
        output = LedgerOutput()
        self._sweep(output, most)
        return output

    def _sweep(self, output: LedgerOutput, most: int) -> None:
        for key in self._expiry.take(most):
            record = self._look_at(key, output)
            if record is not None:
                self._file(key, record)

    def _look_at(self, key: str, output: LedgerOutput) -> Record | None:
        """Let a row go if it is too old: all that it counted for has gone with its days. Else the record."""
        row = self._rows.get(key)
        if row is None:
            return None
        record = decode_record(row)
        if self._is_expired(key, record):
            del self._rows[key]
            output.rows.append((key.encode(), None))
            return None
        return record

    def restore(self, key: bytes, row: bytes) -> None:
        """Put a row back that an earlier owner published; `rebuild` comes after the last one."""
        self._rows[key.decode()] = row

    def rebuild(
        self, published_panes: dict[bytes, bytes], published_roster: dict[bytes, bytes], log_at: int
    ) -> LedgerOutput:
        """Derive everything from the rows; what differs from what was published comes out as messages."""
        output = LedgerOutput()
        self._advance(log_at)
        kept_from, expired = self.horizon.starts_at, []
        for key, row in self._rows.items():
            record = decode_record(row)
            said_at = first_version(record)
            if kept_from <= said_at and record.fields:
                self._expiry.file(key, said_at)
            elif self._is_expired(key, record):
                expired.append(key)
                continue
            else:
                self._file(key, record)
            self.panes.replace((), contributions(record, self._definitions))
            if record.kind == "rep":
                name = key.encode()
                if published_roster.pop(name, None) != row:
                    output.roster.append((name, row))
        for key in expired:
            del self._rows[key]
            output.rows.append((key.encode(), None))
        output.roster += [(key, None) for key in published_roster]
        published_roster.clear()
        output.panes = self.panes.repair(published_panes)
        return output


def engagements_of(key: str, record: Record, row: bytes) -> list[Engagement]:
    """One for every group that the record ever named, a lead's own group, and the roster for a rep."""
    if record.kind == "rep":
        return [Engagement(ROSTER_GROUP, key, row)]
    if record.kind == "lead":
        return [Engagement(f"lead:{key[5:]}", key, row)]
    return [
        Engagement(f"{field_name}:{value}", key, row)
        for field_name in sorted(NAMED.get(record.kind, ()))
        for value in sorted(record.named.get(field_name, ()))
    ]
