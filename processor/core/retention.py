"""How long records are kept: the cutoff of a log, what lies before it, and when to look at a row again.

Owns the rules of retention that ledger and groups share. Everything goes by instants of the log (receipts), never by
the machine's clock, so a restart or a replay decides alike. The cutoff moves by whole days of the organisation and
only forward.

    contributions   of days before the cutoff count nowhere
    rows            go when the newest instant they name and the newest version are before it, and nothing spares them;
                    only when it moves: what is too old when it is heard of stays that day, and its row says so
    late changes    all that they say was said and happened before the cutoff of their own receipt
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Generic, TypeVar

from processor.core.deals import CLOSED, closed_at
from schemas.instants import DAY, end_of_date
from schemas.leads import ENDED
from schemas.records import FIELDS, MERGED, FieldType, Record, RecordChange
from schemas.voices import FURTHER, VOICES
from schemas.windows import Calendar, Day

INSTANTS: Mapping[str, tuple[str, ...]] = {
    kind: tuple(name for name, field_type in fields.items() if field_type is FieldType.INSTANT)
    for kind, fields in FIELDS.items()
}
"""The fields of a kind that say when something happens."""

DATES: Mapping[str, tuple[str, ...]] = {
    kind: tuple(name for name, field_type in fields.items() if field_type is FieldType.DATE)
    for kind, fields in FIELDS.items()
}
"""Those that say it as days."""

_Item = TypeVar("_Item")
_Key = TypeVar("_Key")

_EVER = -(2**62)
_NEVER = 2**62
_RUNNING: Mapping[str, frozenset[str]] = {
    "deal": frozenset({"open"}),
    "lead": frozenset({"new", "qualified"}),
}
"""Statuses of what has not ended, where somebody says so."""


class RetentionCutoff:
    """From when on one log's records are kept. Moves forward only."""

    def __init__(self, calendar: Calendar, records_kept: int) -> None:
        self._calendar = calendar
        self._kept = records_kept
        self._starts: dict[Day, int] = {}
        self.first_day: Day = _EVER
        """The oldest day that counts."""
        self.starts_at = _EVER
        """Its first instant (microseconds): what is older is not kept."""

    def moves_at(self, log_at: int) -> bool:
        """Whether the cutoff would move if this were the newest receipt of the log."""
        return log_at > 0 and self._calendar.day_of(log_at - self._kept) > self.first_day

    def advance(self, log_at: int) -> bool:
        """Move to where the log's newest receipt puts it. True if it moved."""
        if not self.moves_at(log_at):
            return False
        self.first_day = self._calendar.day_of(log_at - self._kept)
        self.starts_at = self.of(log_at)
        return True

    def restore(self, starts_at: int) -> None:
        """Be no further back than an earlier owner was, by whatever configuration: what is gone is gone whole."""
        if starts_at > self.starts_at:
            day = self._calendar.day_of(starts_at)
            if self._calendar.day_start(day) < starts_at:  # another time zone: of that day only a part is left
                day += 1
            self.first_day, self.starts_at = day, self._calendar.day_start(day)

    def of(self, received_at: int) -> int:
        """Where the cutoff of one receipt lies: a function of nothing else."""
        day = self._calendar.day_of(received_at - self._kept)
        starts_at = self._starts.get(day)
        if starts_at is None:
            if len(self._starts) > 1000:
                self._starts.clear()
            starts_at = self._starts[day] = self._calendar.day_start(day)
        return starts_at

    def at(self, received_at: int) -> int:
        """Where it lies once that was received; never falls while receipts grow."""
        return max(self.starts_at, self.of(received_at))

    def parts(self, items: Sequence[_Item], receipt_of: Callable[[_Item], int]) -> list[Sequence[_Item]]:
        """A batch, cut where the cutoff moves: what was delivered before midnight meets what was kept till then."""
        if not self.moves_at(max(map(receipt_of, items), default=0)):
            return [items]
        found: dict[int, list[_Item]] = {}
        for item in items:
            found.setdefault(self.at(receipt_of(item)), []).append(item)
        return [part for _, part in sorted(found.items(), key=lambda entry: entry[0])]

    def is_late(self, change: RecordChange) -> bool:
        """Whether it was said, and all that it speaks of happened, before the cutoff of its own receipt.

        It depends on the change alone, so the same changes are refused whatever came before them.
        """
        cutoff = self.of(change.received_at)
        if change.changed_at >= cutoff or change.kind == "rep":
            return False
        fields = change.fields
        if any(fields.get(name) in _RUNNING.get(change.kind, ()) for name in _STATUSES):
            return False
        if change.kind == "goal":
            return False
        if change.kind == "subscription" and fields.get("starts_at") is not None and fields.get("ends_at") is None:
            return False
        return not any(at >= cutoff for at in _happening(change.kind, fields.get, _SPOKEN))


_STATUSES = ("status", *FURTHER["status"])
_SPOKEN: Mapping[str, tuple[str, ...]] = {
    kind: tuple(voice for name in names for voice in (name, *VOICES.get(kind, {}).get(name, ())))
    for kind, names in INSTANTS.items()
}
"""The same with all their voices."""


def _happening(
    kind: str, get: Callable[[str], object], names: Mapping[str, tuple[str, ...]] = INSTANTS
) -> Iterator[int]:
    """The instants that a record or a change of this kind names (microseconds), and the ends of the days."""
    for name in names[kind]:
        if isinstance(at := get(name), int):
            yield at
    for name in DATES[kind]:
        if isinstance(day := get(name), str):
            yield end_of_date(day)


def last_instant(record: Record) -> int:
    """The newest instant that a record names, or at which something was said of it.

    What was said within retention is remembered, however old that is of which it speaks: otherwise a repetition of what
    what was corrected would bring it back. A record of which no field was ever set has no instant: it is never old.
    What was too old when it was last heard of is not let go on that day.
    """
    last = max(newest_version(record), _pointed_at(record), _entered_at(record), *_happening(record.kind, record.get))
    return _NEVER if last == _EVER else max(last, record.kept_from or _EVER)


def marked(record: Record, kept_from: int) -> bytes:
    """The row of a record that was heard of on a day from whose first instant on records are kept (microseconds)."""
    record.kept_from = None
    if last_instant(record) < kept_from:
        record.kept_from = kept_from
    return record.encode()


def _entered_at(record: Record) -> int:
    """When it last entered something of which each entry counts, such as a stage."""
    return max((entries[-1][0] for entries in record.entered.values() if entries), default=_EVER)


def newest_version(record: Record) -> int:
    """When something was last said of it (microseconds). It never goes back, as what is said may."""
    return max((entry[0] for entry in record.fields.values()), default=_pointed_at(record))


def first_version(record: Record) -> int:
    """When one of its fields was set (microseconds): a bound of `last_instant` from below that costs nothing."""
    for entry in record.fields.values():
        return entry[0]
    return _NEVER if record.is_empty else _pointed_at(record)


def _pointed_at(record: Record) -> int:
    """When something last said that it points where it points no more."""
    return max((at for values in record.named.values() for at, _ in values.values()), default=_EVER)


def is_spared(record: Record) -> bool:
    """Whether it is kept however old it is: reps, and what is neither deleted nor merged of these.

    Deals that nobody has closed and leads that have not ended, subscriptions without an end, and goals: the newest of a
    person or team holds until there is another one.
    """
    match record.kind:
        case "rep":
            return True
        case "deal" | "lead":
            ended = CLOSED if record.kind == "deal" else ENDED
            is_running = record.get("status") not in ended and record.get(MERGED) is None
        case "subscription":
            is_running = record.get("ends_at") is None
        case "goal":
            is_running = True
        case _:
            return False
    return is_running and not record.is_deleted


def speaks_of_the_past(record: Record, cutoff: int) -> bool:
    """Whether all that it names happened before the cutoff, and nobody waits for it: it counts nowhere any more."""
    names_any = False
    if _entered_at(record) >= cutoff:
        return False
    for at in _happening(record.kind, record.get):
        if at >= cutoff:
            return False
        names_any = True
    if not names_any or is_spared(record):
        return False
    if record.kind == "deal" and (ended_at := closed_at(record)) is not None:
        return ended_at < cutoff
    if record.kind != "lead" or record.is_deleted:
        return True
    status = record.entry("status")
    # When a lead got its status is an instant too, which no field names.
    return status is not None and status[2] not in {None, "new"} and status[0] < cutoff


class Expiry(Generic[_Key]):
    """Keys by the day on which to look at them again, so that no batch looks at all of them.

    Many may become due at once (after a pause, or of an import): they are taken in slices.
    """

    def __init__(self) -> None:
        self.filed: defaultdict[int, list[_Key]] = defaultdict(list)
        """UTC day -> keys that are not old before it."""
        self.due: deque[_Key] = deque()
        """Keys to look at now."""
        self.spared: set[_Key] = set()
        """Keys that are kept although nothing was said of them for long: to look at whenever they change."""

    def file(self, key: _Key, at: int) -> None:
        """Look at it again when the cutoff has passed this instant (microseconds)."""
        self.filed[at // DAY].append(key)

    def advance(self, starts_at: int) -> None:
        """The cutoff has moved there."""
        for day in sorted(day for day in self.filed if day * DAY < starts_at):
            self.due.extend(dict.fromkeys(self.filed.pop(day)))

    def take(self, most: int) -> list[_Key]:
        """The next keys to look at; each must be filed again, spared, or gone."""
        return [self.due.popleft() for _ in range(min(most, len(self.due)))]
