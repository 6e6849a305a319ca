"""The ledger of one partition: all its records, folded; its panes, derived; what its groups must hear.

Owns the fold of a batch, when rows expire, and the rebuilding after recovery. Does no I/O: rows and messages go in and
out as bytes.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from processor.core.batch import Changes
from processor.core.counted import pasts_of, record_contributions, row_contributions
from processor.core.deals import deal_card, is_won
from processor.core.definitions import Definitions
from processor.core.engaging import told
from processor.core.ledger_state import LONG_AGO, LedgerNews, LedgerState
from processor.core.outputs import LedgerOutput, joined
from processor.core.panes import Message, Panes, compiled_table, differing, plain_table
from processor.core.plan import Contribution
from processor.core.retention import (
    Expiry,
    RetentionCutoff,
    is_spared,
    last_instant,
    marked,
    newest_version,
    speaks_of_the_past,
)
from processor.native import COMPILED
from schemas.damage import check_row
from schemas.deals import decode_deal
from schemas.frames import record_key
from schemas.instants import DAY
from schemas.late import PAST, REFUSED, LateChange
from schemas.panes import read_pane_key
from schemas.records import (
    ROSTER_KINDS,
    Record,
    RecordChange,
    Value,
    decode_record,
    decode_values,
)

if TYPE_CHECKING:
    from processor.native.ledger import Plain

DEAL = "deal"
SLICE = 500
"""Rows looked at in one batch, to see whether they are still kept: a few milliseconds."""
PART = 1 << 14
"""What records may count for, and persons that changes may name, until what they have changed is handed out.

Each of it opens two panes at most, and two of those that it counted in before: a short word may do so for hundreds."""


@dataclass(slots=True)
class _Touched:
    record: Record
    before: list[Contribution]
    is_news: bool = False
    pasts: frozenset[str] | None = None
    """Which facts of its past stand in `before`: those that something said of it may change; None: all."""


@dataclass(slots=True)
class _Part:
    """Some of a batch's changes, and what they make of their records."""

    changes: list[RecordChange] = field(default_factory=list)
    touched: dict[bytes, _Touched] = field(default_factory=dict)
    doubtful: set[bytes] = field(default_factory=set)
    """Keys of records that may be too old to be kept."""


class Ledger:
    """Rows are kept as the bytes that are published: compact, and equal states are equal bytes."""

    def __init__(self, origin: str, definitions: Definitions, *, compiled: bool = COMPILED) -> None:
        """`compiled`: whether plain records are left to `processor.native`, which does the same."""
        self._definitions = definitions
        self._rows: dict[bytes, bytes] = {}
        self._quietly_won: set[bytes] = set()
        """Deals of which no webhook told first that they were won. With the row it is all that makes their card."""
        self.cutoff = RetentionCutoff(definitions.calendar, definitions.records_kept)
        self._expiry: Expiry[bytes] = Expiry()
        self.panes: Panes
        self._plain: Plain | None = None
        if compiled:
            from processor.native import ledger  # noqa: PLC0415 - it may not be there

            table = compiled_table(origin, definitions, self.cutoff)
            self._plain = ledger.Plain(table)
            self.panes = table
        else:
            self.panes = plain_table(origin, definitions, self.cutoff)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def backlog(self) -> int:
        """How many rows may be too old and were not looked at yet."""
        return len(self._expiry.due)

    def fold(self, changes: Changes, log_at: int, *, is_quiet: bool = False) -> LedgerOutput:
        """Take a batch of changes in, as `fold_parts` does, and give all that it has changed at once."""
        return joined(self.fold_parts(changes, log_at, is_quiet=is_quiet))

    def fold_parts(self, changes: Changes, log_at: int, *, is_quiet: bool = False) -> Iterator[LedgerOutput]:
        """Take a batch of changes in; what it has changed, part by part. `log_at` is the newest receipt seen (µs).

        Whoever writes one part before asking for the next needs memory for one alone. Of a batch of `new_batch` what is
        plain is never decoded. `is_quiet`: no webhook told of it, so nothing that is won by it is celebrated.
        """
        output = LedgerOutput()
        self._advance(log_at)
        self._sweep(output, SLICE)
        if self._plain is not None and self._plain.takes(changes):
            changes = self._plain.fold(changes, self._rows, self.cutoff.starts_at, self._expiry, self._look_at, output)
        left, is_first = iter(changes), True
        while (part := self._gather(left, output)).changes or is_first:
            past: dict[bytes, Record] = {}
            for key, held in part.touched.items():
                if held.is_news:
                    if held.record.kind == DEAL:
                        self._note_won(key, held.record, is_quiet=is_quiet)
                    self._settle(key, held, output, past, key in part.doubtful)
            if past:
                output.late += self._news(part.changes, past)
            output.panes = self.panes.take_changes()
            yield output
            output, is_first = LedgerOutput(), False

    def _gather(self, changes: Iterator[RecordChange], output: LedgerOutput) -> _Part:
        """What the next of these make of each of their records."""
        part = _Part()
        touched, taken = part.touched, part.changes
        rows, definitions, room = self._rows, self._definitions, PART
        kept_from, due = self.cutoff.starts_at, self._expiry.due
        for change in changes:
            taken.append(change)
            key = record_key(change.kind, change.id).encode()
            room -= 1 + _persons_of(change)
            if change.changed_at < kept_from:
                if self.cutoff.is_late(change):
                    output.late.append(LateChange(REFUSED, self.cutoff.of(change.received_at), change))
                    continue
                part.doubtful.add(key)
            held = touched.get(key)
            if held is None:
                if due:
                    self._look_at(key, output)
                row = rows.get(key)
                if row is None:
                    self._file_new(key, change)
                    # That there is a record at all is news, even if the CRM has set no field of it yet.
                    held = touched[key] = _Touched(Record(change.kind), [], is_news=True)
                else:
                    record, pasts = decode_record(row), pasts_of(change, definitions)
                    held = touched[key] = _Touched(
                        record, record_contributions(record, definitions, pasts), pasts=pasts
                    )
                    room -= len(held.before)
            elif held.pasts is not None and not (pasts := pasts_of(change, definitions)) <= held.pasts:
                held.pasts |= pasts
                held.before = record_contributions(decode_record(rows[key]), definitions, held.pasts)
                room -= len(held.before)
            if held.record.fold(change):
                held.is_news = True
            else:
                output.duplicates += 1
            if room < 0:
                break
        return part

    def _settle(
        self, key: bytes, held: _Touched, output: LedgerOutput, past: dict[bytes, Record], is_doubtful: bool
    ) -> None:
        """Take in what has become of a record. `is_doubtful`: it may be too old to be kept.

        Into `past` goes what was known before of a record that counts nowhere any more.
        """
        record = held.record
        after = record_contributions(record, self._definitions, held.pasts)
        if after != held.before:
            self.panes.replace(*differing(held.before, after))
        kept_from = self.cutoff.starts_at
        if speaks_of_the_past(record, kept_from) and not self._stands(record):
            before = self._rows.get(key)
            past[key] = Record(record.kind) if before is None else decode_record(before)
        record.kept_from = None
        row = record.encode()
        output.engagements += told(key.decode(), record, row, record.left)
        output.dropped += record.dropped
        spared = self._expiry.spared
        if is_doubtful or (spared and key in spared):
            was_spared = key in spared
            if self._is_expired(key, record):
                row = marked(record, kept_from)
            if was_spared or record.kept_from is not None:
                self._file(key, record)
        self._rows[key] = row
        output.rows.append((key, row))
        if record.kind in ROSTER_KINDS:
            output.roster.append((key, row))
        elif record.kind == DEAL:
            output.deals.append((key, self._card(key, record)))

    def _note_won(self, key: bytes, deal: Record, *, is_quiet: bool) -> None:
        """Before its row is written: who told first that it was won. A correction of what is won tells nothing new."""
        before = self._rows.get(key)
        if not is_won(deal):
            self._quietly_won.discard(key)
        elif before is None or not is_won(decode_record(before)):
            (self._quietly_won.add if is_quiet else self._quietly_won.discard)(key)

    def _card(self, key: bytes, deal: Record) -> bytes | None:
        is_quiet = key in self._quietly_won
        return deal_card(key.decode().partition("|")[2], deal, self._definitions.person, is_quiet=is_quiet)

    def _news(self, changes: Iterable[RecordChange], records: dict[bytes, Record]) -> list[LateChange]:
        """The changes that said something new of these records."""
        found = []
        for change in changes:
            record = records.get(record_key(change.kind, change.id).encode())
            if record is not None and not self.cutoff.is_late(change) and record.fold(change):
                found.append(LateChange(PAST, self.cutoff.starts_at, change))
        return found

    def _is_expired(self, key: bytes, record: Record) -> bool:
        """Whether it is too old to be kept. Notes what is spared although it is."""
        if last_instant(record) >= self.cutoff.starts_at:
            return False
        if is_spared(record) or self._stands(record):
            self._expiry.spared.add(key)
            return False
        self._expiry.spared.discard(key)
        return True

    def _stands(self, record: Record) -> bool:
        """Whether it is part of a level that lasts: without it that would fall by itself."""
        if not self._definitions.counting.has_levels:
            return False
        return any(at is None for _, at, _ in record_contributions(record, self._definitions))

    def _file(self, key: bytes, record: Record) -> None:
        """Note when to look at it again, which is kept."""
        expiry, said_at, kept_from = self._expiry, newest_version(record), self.cutoff.starts_at
        if said_at >= kept_from:
            expiry.spared.discard(key)
            expiry.file(key, said_at)
            return
        expiry.spared.add(key)  # what happens later than it was said may be called off
        if record.fields and (last := last_instant(record)) >= kept_from:
            expiry.file(key, last)

    def _file_new(self, key: bytes, change: RecordChange) -> None:
        """Note when to look at a record of which this is the first change."""
        if change.fields:
            self._expiry.file(key, change.changed_at)
        else:
            # Never old, until a field is set: then by when that was said, which may be before this.
            self._expiry.spared.add(key)

    def _advance(self, log_at: int) -> None:
        if self.cutoff.advance(log_at):
            self._expiry.advance(self.cutoff.starts_at)
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

    def _look_at(self, key: bytes, output: LedgerOutput) -> Record | None:
        """Let a row go if it is too old: all that it counted for has gone with its days. Else the record."""
        row = self._rows.get(key)
        if row is None:
            return None
        record = decode_record(row)
        if self._is_expired(key, record):
            del self._rows[key]
            self._quietly_won.discard(key)
            _let_go(key, record.kind, output)
            return None
        return record

    def restore(self, rows: dict[bytes, bytes]) -> None:
        """Put back the rows that earlier owners published, before anything else. The mapping is kept, not copied."""
        self._rows = rows

    def held(self) -> LedgerState:
        """All that `adopt` needs, as of now: between two batches. What happens afterwards changes nothing of it."""
        expiry = self._expiry
        filed = {day: list(keys) for day, keys in expiry.filed.items()}
        if expiry.due:
            filed[LONG_AGO] = [*filed.get(LONG_AGO, ()), *expiry.due]
        return LedgerState(dict(self._rows), filed, list(expiry.spared), list(self._quietly_won), self.panes.held())

    def adopt(self, state: LedgerState) -> None:
        """Put back what `held` gave, in place of `restore`; `catch_up` comes next."""
        self._rows = state.rows
        self._expiry.filed.update(state.filed)
        self._expiry.spared.update(state.spared)
        self._quietly_won.update(state.quietly_won)
        self.panes.restore(state.panes)

    def catch_up(self, news: LedgerNews, log_at: int) -> LedgerOutput:
        """Take in what was published since the ledger was as it is; what is to be published besides.

        The same as `rebuild` from all rows, for what has not changed since is derived and published. Rows of it must
        have been checked.
        """
        output = LedgerOutput()
        self._advance(log_at)
        self._expiry.advance(self.cutoff.starts_at)
        for key, card in news.deals.items():
            (self._quietly_won.add if card is not None and _is_quiet(card) else self._quietly_won.discard)(key)
        # Where a person or card was published and its row was not, the row says what it is.
        known = {key: self._shown(key) for key in (*news.roster, *news.deals) if key not in news.rows}
        left: Iterable[bytes] = news.rows
        if self._plain is not None:
            left = self._plain.follow(self._rows, news.rows, self.cutoff.starts_at, self._expiry)
        for key in left:
            known[key] = self._shown(key)
            self._follow(key, news.rows[key], output)
        for key, before in known.items():
            told, found = (news.deals, output.deals) if _kind_of(key) == DEAL else (news.roster, output.roster)
            shown = self._shown(key)
            if shown != told.get(key, before):
                found.append((key, shown))
        output.panes = self._differing_panes(news.panes)
        return output

    def _shown(self, key: bytes) -> bytes | None:
        """What is published of a record beside its row: of a person the row again, of a deal its card."""
        row, kind = self._rows.get(key), _kind_of(key)
        if row is not None and kind == DEAL:
            return self._card(key, decode_record(row))
        return row if kind in ROSTER_KINDS else None

    def _follow(self, key: bytes, row: bytes | None, output: LedgerOutput) -> None:
        """A row that was written since, or is gone."""
        before = self._rows.get(key)
        if before == row:
            return
        self.panes.replace(*differing(self._counted(before), self._counted(row)))
        if row is not None:
            self._rows[key] = row
            _, said_at, values = decode_values(row)
            if self._is_filed(key, row, said_at, values):
                return
            output.rows.append((key, None))
        self._rows.pop(key, None)
        self._expiry.spared.discard(key)
        self._quietly_won.discard(key)

    def _counted(self, row: bytes | None) -> list[Contribution]:
        if row is None:
            return []
        kind, _, values = decode_values(row)
        return row_contributions(kind, row, values, self._definitions)

    def _is_filed(self, key: bytes, row: bytes, said_at: int, values: Mapping[str, Value]) -> bool:
        """Note when to look at a row that was read back; False: it is too old to be kept."""
        if self.cutoff.starts_at <= said_at and values:
            self._expiry.filed[said_at // DAY].append(key)
            return True
        record = decode_record(row)
        if self._is_expired(key, record):
            return False
        self._file(key, record)
        return True

    def _differing_panes(self, published: Mapping[bytes, bytes | None]) -> list[Message]:
        """The messages that make what was published since equal to what the rows say."""
        changed = dict(self.panes.take_changes())
        for key in published:
            if key not in changed:
                _, rep, window = read_pane_key(key)
                changed[key] = self.panes.get(window, rep)
        return [(key, pane) for key, pane in changed.items() if key not in published or published[key] != pane]

    def rebuild(
        self,
        published_panes: dict[bytes, bytes],
        published_roster: dict[bytes, bytes],
        published_deals: dict[bytes, bytes],
        log_at: int,
    ) -> LedgerOutput:
        """Derive everything from the rows; what differs from what was published comes out as messages."""
        output = LedgerOutput()
        self._advance(log_at)
        self._quietly_won = {key for key, card in published_deals.items() if _is_quiet(card)}
        expired: list[bytes] = []
        self.panes.count(self._derive(published_roster, published_deals, output, expired))
        for key in (*expired, *output.damaged):
            del self._rows[key]
            output.rows.append((key, None))
        output.roster += [(key, None) for key in published_roster]
        output.deals += [(key, None) for key in published_deals]
        published_roster.clear()
        published_deals.clear()
        output.panes = self.panes.repair(published_panes)
        return output

    def _derive(
        self,
        published_roster: dict[bytes, bytes],
        published_deals: dict[bytes, bytes],
        output: LedgerOutput,
        expired: list[bytes],
    ) -> Iterator[Contribution]:
        """What all rows count for. Files them, or notes them as expired; and compares the roster and the deals."""
        rows, definitions = self._rows, self._definitions
        left = rows if self._plain is None else self._plain.derive(rows, self.cutoff.starts_at, self._expiry.filed)
        for key in left:
            row = rows[key]
            try:
                key.decode()
                check_row(row)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                output.damaged.append(key)
                continue
            kind, said_at, values = decode_values(row)
            if not self._is_filed(key, row, said_at, values):
                expired.append(key)
                continue
            yield from row_contributions(kind, row, values, definitions)
            if kind in ROSTER_KINDS and published_roster.pop(key, None) != row:
                output.roster.append((key, row))
            elif kind == DEAL:
                card = self._card(key, decode_record(row))
                if published_deals.pop(key, None) != card:
                    output.deals.append((key, card))


def _kind_of(key: bytes) -> str:
    return key.partition(b"|")[0].decode()


def _persons_of(change: RecordChange) -> int:
    """How many its lists name."""
    return sum(len(value) for value in change.fields.values() if isinstance(value, list))


def _is_quiet(card: bytes) -> bool:
    try:
        return decode_deal(card).is_quiet
    except msgspec.MsgspecError:
        return False  # of nobody's making: it is published anew


def _let_go(key: bytes, kind: str, output: LedgerOutput) -> None:
    """Tell everybody that a row is gone."""
    output.rows.append((key, None))
    if kind in ROSTER_KINDS:
        output.roster.append((key, None))
    elif kind == DEAL:
        output.deals.append((key, None))
