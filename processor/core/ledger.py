"""The ledger of one partition: all its records, folded; its panes, derived; what its groups must hear.

Owns the fold of a batch and the rebuilding after recovery. Does no I/O: rows and messages go in and out as bytes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from processor.core.contributions import Contribution, contributions
from processor.core.definitions import Definitions
from processor.core.panes import Message, PaneTable
from schemas.frames import ROSTER_GROUP, Engagement, record_key
from schemas.records import NAMED, Record, RecordChange, decode_record


@dataclass(slots=True)
class LedgerOutput:
    """What a batch has changed."""

    rows: list[Message] = field(default_factory=list)
    panes: list[Message] = field(default_factory=list)
    roster: list[Message] = field(default_factory=list)
    engagements: list[Engagement] = field(default_factory=list)
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
        self.panes = PaneTable(origin, definitions.calendar, definitions.minutes_kept)

    def __len__(self) -> int:
        return len(self._rows)

    def fold(self, changes: Iterable[RecordChange], log_at: int) -> LedgerOutput:
        """Take a batch of changes in. `log_at` is the newest receipt seen (microseconds)."""
        output = LedgerOutput()
        touched: dict[str, _Touched] = {}
        definitions, rows = self._definitions, self._rows
        self.panes.advance(log_at)
        for change in changes:
            key = record_key(change.kind, change.id)
            held = touched.get(key)
            if held is None:
                row = rows.get(key)
                record = Record(change.kind) if row is None else decode_record(row)
                # That there is a record at all is news, even if the CRM has set no field of it yet.
                held = touched[key] = _Touched(record, contributions(record, definitions), is_news=row is None)
            if held.record.fold(change):
                held.is_news = True
            else:
                output.duplicates += 1
        for key, held in touched.items():
            if held.is_news:
                self._settle(key, held, output)
        output.panes = self.panes.take_changes()
        return output

    def _settle(self, key: str, held: _Touched, output: LedgerOutput) -> None:
        record = held.record
        after = contributions(record, self._definitions)
        if after != held.before:
            self.panes.replace(held.before, after)
        row = self._rows[key] = record.encode()
        name = key.encode()
        output.rows.append((name, row))
        if record.kind == "rep":
            output.roster.append((name, row))
        output.engagements += engagements_of(key, record, row)

    def restore(self, key: bytes, row: bytes) -> None:
        """Put a row back that an earlier owner published; `rebuild` comes after the last one."""
        self._rows[key.decode()] = row

    def rebuild(
        self, published_panes: dict[bytes, bytes], published_roster: dict[bytes, bytes], log_at: int
    ) -> LedgerOutput:
        """Derive everything from the rows; what differs from what was published comes out as messages."""
        output = LedgerOutput()
        self.panes.advance(log_at)
        for key, row in self._rows.items():
            record = decode_record(row)
            self.panes.replace((), contributions(record, self._definitions))
            if record.kind == "rep":
                name = key.encode()
                if published_roster.pop(name, None) != row:
                    output.roster.append((name, row))
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
