"""Records and the fold: what the CRM holds, as far as we know it.

Owns the kinds of record with their fields, the change (`RecordChange`), and the state of a record as a join of all its
changes: the newer version wins field by field, so any order and any repetition of the same changes gives the same
bytes. Does not know where changes come from, and derives no metric.
"""

from collections.abc import Iterable, Mapping
from enum import Enum, auto
from hashlib import blake2b
from typing import Any

import msgspec

from schemas.voices import FURTHER, VOICES, joined_history, newest_word

Value = str | int | bool | None
"""A normalised field: text, microseconds (instants and durations), a decimal string (money, numbers), a claim."""

Version = tuple[int, int]
"""(`changed_at`, digest of the whole change): a total order in which of two changes of one instant one wins whole."""

HISTORY_LIMIT = 64


class FieldType(Enum):
    """How a field is written outside and kept inside."""

    TEXT = auto()
    CHOICE = auto()
    FLAG = auto()
    INSTANT = auto()
    SECONDS = auto()
    DECIMAL = auto()
    CURRENCY = auto()
    REFERENCE = auto()
    """An id of a record, thread or person: it belongs to a namespace."""
    ATTRIBUTES = auto()


_T = FieldType

FIELDS: Mapping[str, Mapping[str, FieldType]] = {
    "call": {
        "rep": _T.REFERENCE, "lead": _T.REFERENCE, "deal": _T.REFERENCE, "direction": _T.CHOICE,
        "dialed_at": _T.INSTANT, "answered_at": _T.INSTANT, "ended_at": _T.INSTANT, "outcome": _T.CHOICE,
        "talk_seconds": _T.SECONDS, "internal": _T.FLAG,
    },
    "email": {
        "rep": _T.REFERENCE, "lead": _T.REFERENCE, "direction": _T.CHOICE, "sent_at": _T.INSTANT,
        "thread": _T.REFERENCE, "automated": _T.FLAG,
    },
    "meeting": {
        "rep": _T.REFERENCE, "booked_by": _T.REFERENCE, "lead": _T.REFERENCE, "deal": _T.REFERENCE, "kind": _T.TEXT,
        "booked_at": _T.INSTANT, "starts_at": _T.INSTANT, "ends_at": _T.INSTANT, "outcome": _T.CHOICE,
    },
    "lead": {
        "rep": _T.REFERENCE, "source": _T.TEXT, "received_at": _T.INSTANT, "assigned_at": _T.INSTANT,
        "status": _T.CHOICE, "merged_into": _T.REFERENCE,
    },
    "deal": {
        "rep": _T.REFERENCE, "creator": _T.REFERENCE, "lead": _T.REFERENCE, "pipeline": _T.TEXT, "stage": _T.TEXT,
        "entered_stage_at": _T.INSTANT, "status": _T.CHOICE, "created_at": _T.INSTANT, "closed_at": _T.INSTANT,
        "amount": _T.DECIMAL, "currency": _T.CURRENCY, "kind": _T.CHOICE, "product": _T.TEXT,
    },
    "rep": {
        "name": _T.TEXT, "email": _T.TEXT, "team": _T.TEXT, "active": _T.FLAG, "since": _T.INSTANT, "until": _T.INSTANT,
    },
    "activity": {
        "rep": _T.REFERENCE, "lead": _T.REFERENCE, "kind": _T.TEXT, "at": _T.INSTANT, "value": _T.DECIMAL,
        "attributes": _T.ATTRIBUTES,
    },
}  # fmt: skip

CHOICES: Mapping[tuple[str, str], frozenset[str]] = {
    ("call", "direction"): frozenset({"outbound", "inbound"}),
    ("call", "outcome"): frozenset({"connected", "no_answer", "voicemail", "busy", "wrong_number", "failed"}),
    ("email", "direction"): frozenset({"outbound", "inbound"}),
    ("meeting", "outcome"): frozenset({"scheduled", "held", "no_show", "cancelled"}),
    ("lead", "status"): frozenset({"new", "qualified", "disqualified", "converted"}),
    ("deal", "status"): frozenset({"open", "won", "lost"}),
    ("deal", "kind"): frozenset({"new", "expansion", "renewal"}),
}

HISTORIES: Mapping[str, frozenset[str]] = {
    "lead": frozenset({"rep", "status", *VOICES["lead"]["status"]}),
    "rep": frozenset({"team"}),
    "deal": frozenset({"stage", "amount"}),
}
"""Fields whose past matters: kept as sets of (version, value), joined by union."""

NAMED: Mapping[str, frozenset[str]] = {
    "call": frozenset({"lead"}),
    "email": frozenset({"lead", "thread"}),
    "meeting": frozenset({"lead"}),
    "lead": frozenset({"merged_into"}),
}
"""Pointers to groups: every value that any change ever gave them is remembered, so that a group left is told so."""

DELETED = "deleted"

# Rows are written millions of times and read back whole at every start, so they carry codes for names. Append only: a
# code that changes its meaning would misread every row already written.
FIELD_CODES: Mapping[str, int] = {
    name: code
    for code, name in enumerate(
        (
            DELETED, "rep", "lead", "deal", "direction", "dialed_at", "answered_at", "ended_at", "outcome",
            "talk_seconds", "internal", "sent_at", "thread", "automated", "booked_by", "kind", "booked_at", "starts_at",
            "ends_at", "source", "received_at", "assigned_at", "status", "merged_into", "creator", "pipeline", "stage",
            "entered_stage_at", "created_at", "closed_at", "amount", "currency", "product", "name", "email", "team",
            "active", "since", "until", "at", "value", "attributes",
        )
    )
}  # fmt: skip
# Beyond the codes of fields, so that whoever knows those alone leaves the row to who knows voices.
_CODES: Mapping[str, int] = dict(FIELD_CODES) | {
    voice: 64 + number for number, voice in enumerate(voice for voices in FURTHER.values() for voice in voices)
}
_FIELD_NAMES: Mapping[int, str] = {code: name for name, code in _CODES.items()}


class RecordChange(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the CRM set on one record at one instant. Fields left out are unchanged; None clears one."""

    kind: str
    id: str
    """As served: `namespace:id` where the connection has a namespace."""
    changed_at: int
    digest: int
    """64 bits of a hash over kind, id, changed_at and fields; without delivery data such as attempt numbers."""
    fields: dict[str, Value]
    """Normalised; the deletion stands here too, as `deleted`."""
    received_at: int
    """When the api took the delivery (microseconds). Not part of the digest."""

    @property
    def version(self) -> Version:
        """The order in which changes of one record win."""
        return (self.changed_at, self.digest)


def make_change(*, kind: str, id: str, changed_at: int, fields: Mapping[str, Value], received_at: int) -> RecordChange:
    """A change with its digest. `fields` are normalised values by name, `deleted` among them if the CRM said it."""
    ordered = dict(sorted(fields.items()))
    content = _encode((kind, id, changed_at, ordered))
    digest = int.from_bytes(blake2b(content, digest_size=8).digest(), "big")
    return RecordChange(kind, id, changed_at, digest, ordered, received_at)


class Record:
    """State of one record: a join of changes. `fields[name]` is (changed_at, digest, value) of the winning change."""

    __slots__ = ("fields", "histories", "kind", "named")

    def __init__(
        self,
        kind: str,
        fields: dict[str, tuple[int, int, Value]] | None = None,
        histories: dict[str, list[tuple[int, int, Value]]] | None = None,
        named: dict[str, set[str]] | None = None,
    ) -> None:
        self.kind = kind
        self.fields = fields if fields is not None else {}
        self.histories = histories if histories is not None else {}
        self.named = named if named is not None else {}

    def get(self, name: str) -> Any:
        """Current value of a field; None where it was never set or was cleared."""
        found = self.fields.get(name)
        if name in FURTHER:
            found = newest_word([found, *(self.fields.get(voice) for voice in FURTHER[name])])
        return found[2] if found is not None else None

    @property
    def is_deleted(self) -> bool:
        """The CRM's last word on the deletion."""
        return self.get(DELETED) is True

    def history(self, name: str) -> list[tuple[int, int, Value]]:
        """(changed_at, digest, value) of a field whose past matters, oldest first."""
        own = self.histories.get(name, [])
        further = [entries for voice in FURTHER.get(name, ()) if (entries := self.histories.get(voice))]
        return joined_history([own, *further], HISTORY_LIMIT) if further else own

    def fold(self, change: RecordChange) -> bool:
        """Take a change in. True if that said anything new (False: a repetition, or older in every field)."""
        at, digest, news = change.changed_at, change.digest, False
        histories, named = HISTORIES.get(self.kind, _NONE), NAMED.get(self.kind, _NONE)
        for name, value in change.fields.items():
            entry = (at, digest, value)
            old = self.fields.get(name)
            if old is None or (old[0], old[1]) < (at, digest):
                self.fields[name] = entry
                news = True
            if name in histories and _remember(self.histories.setdefault(name, []), [entry]):
                news = True
            if name in named and isinstance(value, str) and value not in self.named.setdefault(name, set()):
                self.named[name].add(value)
                news = True
        return news

    def merge(self, other: "Record") -> bool:
        """Join another state of the same record into this one. True if that said anything new.

        Commutative, associative and idempotent, so a stale state does no harm.
        """
        news = False
        for name, entry in other.fields.items():
            old = self.fields.get(name)
            if old is None or old[:2] < entry[:2]:
                self.fields[name] = entry
                news = True
        for name, entries in other.histories.items():
            news |= _remember(self.histories.setdefault(name, []), entries)
        for name, values in other.named.items():
            known = self.named.setdefault(name, set())
            if not values <= known:
                known |= values
                news = True
        return news

    def encode(self) -> bytes:
        """The row: the same state always gives the same bytes."""
        patches: dict[Version, dict[int, Value]] = {}
        histories, named, codes = self.histories, self.named, _CODES
        for name, (at, digest, value) in self.fields.items():
            if name not in histories:  # the newest entry of a history is the field
                patch = patches.get((at, digest))
                if patch is None:
                    patches[at, digest] = {codes[name]: value}
                else:
                    patch[codes[name]] = value
        # Most records were set by one change: what has one member is in order.
        versions = sorted(patches) if len(patches) > 1 else patches
        return _encode(
            (
                self.kind,
                [(at, digest, dict(sorted(patches[at, digest].items()))) for at, digest in versions],
                {codes[name]: entries for name, entries in sorted(histories.items())} if histories else histories,
                {codes[name]: sorted(values) for name, values in sorted(named.items())} if named else named,
            )
        )


_NONE: frozenset[str] = frozenset()
_encode = msgspec.msgpack.Encoder().encode
_Row = tuple[
    str,
    list[tuple[int, int, dict[int, Value]]],
    dict[int, list[tuple[int, int, Value]]],
    dict[int, list[str]],
]
_decode_row = msgspec.msgpack.Decoder(_Row).decode


def decode_record(row: bytes) -> Record:
    """The state that `encode` wrote."""
    kind, patches, histories, named = _decode_row(row)
    names = _FIELD_NAMES
    # Loops, and no dict made for what most rows do not have: a quarter faster than three comprehensions.
    fields: dict[str, tuple[int, int, Value]] = {}
    for at, digest, patch in patches:
        for code, value in patch.items():
            fields[names[code]] = (at, digest, value)
    record = Record(
        kind,
        fields,
        {names[code]: entries for code, entries in histories.items()} if histories else None,
        {names[code]: set(values) for code, values in named.items()} if named else None,
    )
    for name, entries in record.histories.items():
        record.fields[name] = entries[-1]
    return record


def decode_values(row: bytes) -> tuple[str, int, dict[str, Value]]:
    """What a row says now, without its versions: kind, when one of its fields was set, values by name.

    Enough to derive from, for 1.8 µs where `decode_record` takes 5. No field was ever set: no values, and instant 0.
    """
    kind, patches, histories, _ = _decode_row(row)
    names = _FIELD_NAMES
    if kind in VOICES and _has_voices(patches, histories):
        record = decode_record(row)
        fields = {name: entry[2] for name, entry in record.fields.items() if "#" not in name}
        return kind, next(iter(record.fields.values()))[0], fields | {name: record.get(name) for name in VOICES[kind]}
    if len(patches) == 1 and not histories:
        at, _, patch = patches[0]
        return kind, at, {names[code]: value for code, value in patch.items()}
    values = {names[code]: value for _, _, patch in patches for code, value in patch.items()}
    set_at = patches[0][0] if patches else 0
    for code, entries in histories.items():
        set_at = set_at or entries[-1][0]
        values[names[code]] = entries[-1][2]
    return kind, set_at, values


def _has_voices(
    patches: list[tuple[int, int, dict[int, Value]]], histories: dict[int, list[tuple[int, int, Value]]]
) -> bool:
    return any(code >= 64 for code in histories) or any(code >= 64 for _, _, patch in patches for code in patch)


NAMED_IN_ORDER: Mapping[str, tuple[str, ...]] = {kind: tuple(sorted(names)) for kind, names in NAMED.items()}


def fold_all(kind: str, changes: Iterable[RecordChange]) -> Record:
    """The state after all these changes, in whatever order they stand."""
    record = Record(kind)
    for change in changes:
        record.fold(change)
    return record


def _remember(history: list[tuple[int, int, Value]], entries: list[tuple[int, int, Value]]) -> bool:
    """Union by version, the newest `HISTORY_LIMIT` kept. True if the history is another one now."""
    known = {(at, digest) for at, digest, _ in history}
    fresh = [entry for entry in entries if (entry[0], entry[1]) not in known]
    if not fresh:
        return False
    joined = sorted(history + fresh, key=_version_of)[-HISTORY_LIMIT:]
    if joined == history:
        return False
    history[:] = joined
    return True


def _version_of(entry: tuple[int, int, Value]) -> Version:
    return (entry[0], entry[1])
