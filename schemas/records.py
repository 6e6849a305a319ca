"""Records and the fold: what the CRM holds, as far as we know it.

Owns the kinds of record with their fields, the change (`RecordChange`), and the state of a record as a join of all its
changes: the newer version wins field by field, so any order and any repetition of the same changes gives the same
bytes. Does not know where changes come from, and derives no metric.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum, auto
from hashlib import blake2b
from typing import Any, Final

import msgspec
from msgspec import structs

from schemas import row_bytes
from schemas.pasts import HISTORY_LIMIT, enter, remember
from schemas.row_bytes import FIRST_VOICE, EntryValue, Pasts, has_voices, read_row
from schemas.voices import FURTHER, LEAVING, LEFT, VOICES, is_left, joined_history, word_that_counts

Value = row_bytes.Value
Version = row_bytes.Version

NAMED_LIMIT = 64
"""Values of a pointer that a record remembers, the newest, the current one among them."""

PLACE_BITS = 8
"""Of the 64 of a digest, the first: the change's place among those of its record and instant in its delivery."""
MAX_PLACE = (1 << PLACE_BITS) - 1
_HASH_BITS = 64 - PLACE_BITS


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
    REFERENCES = auto()
    """Several of them, each once; a change replaces all. None instead of an empty list."""
    DATE = auto()
    """A day of the organisation."""
    DATE_OR_INSTANT = auto()
    """The same, or an instant of it."""
    ATTRIBUTES = auto()
    PHONE = auto()
    """A telephone number, as digits with country code; kept as `schemas.numbers` hides it."""
    NUMBER = auto()
    """A whole number; no record has one, but what is made of records may."""


_T = FieldType

FIELDS: Mapping[str, Mapping[str, FieldType]] = {
    "call": {
        "rep": _T.REFERENCE, "lead": _T.REFERENCE, "deal": _T.REFERENCE, "direction": _T.CHOICE,
        "dialed_at": _T.INSTANT, "answered_at": _T.INSTANT, "ended_at": _T.INSTANT, "outcome": _T.CHOICE,
        "talk_seconds": _T.SECONDS, "number": _T.PHONE, "internal": _T.FLAG, "automated": _T.FLAG,
        "logged_at": _T.INSTANT, "logged_by": _T.REFERENCE,
    },
    "email": {
        "rep": _T.REFERENCE, "lead": _T.REFERENCE, "contacts": _T.REFERENCES, "direction": _T.CHOICE,
        "sent_at": _T.INSTANT, "thread": _T.REFERENCE, "automated": _T.FLAG, "logged_at": _T.INSTANT,
        "logged_by": _T.REFERENCE,
    },
    "meeting": {
        "rep": _T.REFERENCE, "attendees": _T.REFERENCES, "booked_by": _T.REFERENCE, "lead": _T.REFERENCE,
        "deal": _T.REFERENCE, "kind": _T.TEXT, "booked_at": _T.INSTANT, "starts_at": _T.INSTANT, "ends_at": _T.INSTANT,
        "outcome": _T.CHOICE, "internal": _T.FLAG, "logged_at": _T.INSTANT, "logged_by": _T.REFERENCE,
    },
    "lead": {
        "rep": _T.REFERENCE, "name": _T.TEXT, "company": _T.TEXT, "source": _T.TEXT, "received_at": _T.INSTANT,
        "assigned_at": _T.INSTANT, "status": _T.CHOICE, "merged_into": _T.REFERENCE, "customer": _T.REFERENCE,
        "value": _T.DECIMAL, "currency": _T.CURRENCY, "next_step_at": _T.INSTANT, "attributes": _T.ATTRIBUTES,
    },
    "deal": {
        "rep": _T.REFERENCE, "name": _T.TEXT, "creator": _T.REFERENCE, "lead": _T.REFERENCE, "pipeline": _T.TEXT,
        "stage": _T.TEXT, "entered_stage_at": _T.INSTANT, "status": _T.CHOICE, "created_at": _T.INSTANT,
        "closed_at": _T.INSTANT, "amount": _T.DECIMAL, "currency": _T.CURRENCY, "kind": _T.CHOICE, "product": _T.TEXT,
        "units": _T.DECIMAL, "cost": _T.DECIMAL, "list_amount": _T.DECIMAL, "customer": _T.REFERENCE, "size": _T.TEXT,
        "region": _T.TEXT, "lost_reason": _T.TEXT, "next_step_at": _T.INSTANT, "merged_into": _T.REFERENCE,
        "attributes": _T.ATTRIBUTES,
    },
    "rep": {
        "name": _T.TEXT, "email": _T.TEXT, "team": _T.TEXT, "active": _T.FLAG, "since": _T.DATE_OR_INSTANT,
        "until": _T.DATE_OR_INSTANT, "region": _T.TEXT, "role": _T.TEXT, "photo": _T.TEXT, "attributes": _T.ATTRIBUTES,
    },
    "credit": {
        "rep": _T.REFERENCE, "deal": _T.REFERENCE, "customer": _T.REFERENCE, "at": _T.INSTANT, "amount": _T.DECIMAL,
        "currency": _T.CURRENCY,
    },
    "subscription": {
        "rep": _T.REFERENCE, "customer": _T.REFERENCE, "product": _T.TEXT, "starts_at": _T.INSTANT,
        "ends_at": _T.INSTANT, "monthly_amount": _T.DECIMAL, "currency": _T.CURRENCY,
    },
    "absence": {"rep": _T.REFERENCE, "from": _T.DATE, "to": _T.DATE, "share": _T.DECIMAL},
    "goal": {
        "goal": _T.TEXT, "rep": _T.REFERENCE, "team": _T.TEXT, "since": _T.DATE, "amount": _T.DECIMAL,
    },
    "activity": {
        "rep": _T.REFERENCE, "lead": _T.REFERENCE, "kind": _T.TEXT, "at": _T.INSTANT, "value": _T.DECIMAL,
        "currency": _T.CURRENCY, "attributes": _T.ATTRIBUTES,
    },
}  # fmt: skip

CHOICES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("call", "direction"): ("outbound", "inbound"),
    ("call", "outcome"): ("connected", "no_answer", "voicemail", "busy", "wrong_number", "failed"),
    ("email", "direction"): ("outbound", "inbound"),
    ("meeting", "outcome"): ("scheduled", "held", "no_show", "cancelled"),
    ("lead", "status"): ("new", "qualified", "disqualified", "converted", "customer"),
    ("deal", "status"): ("open", "won", "lost"),
    ("deal", "kind"): ("new", "expansion", "cross_sell", "renewal"),
}
"""In the order that the configuration lists them in: typing takes two Literals of the same words for one."""

ROSTER_KINDS = frozenset({"rep", "absence", "goal"})
"""What everybody who serves numbers has whole: the topic `roster`."""

HISTORIES: Mapping[str, frozenset[str]] = {
    "lead": frozenset({"rep", "status", *VOICES["lead"]["status"]}),
    "rep": frozenset({"team"}),
    "deal": frozenset({"amount", "status", *VOICES["deal"]["status"], *LEFT["deal"].values()}),
    **{kind: frozenset(LEFT[kind].values()) for kind in ("call", "email", "meeting")},
}
"""Fields whose past matters: kept as sets of (version, value), joined by union."""

ENTERED: Mapping[str, Mapping[str, str]] = {"deal": {"stage": "entered_stage_at"}}
"""Fields whose past is what was entered when -> the field that says the instant; else it is when that was said."""

NAMED: Mapping[str, frozenset[str]] = {
    "call": frozenset({"lead", "number"}),
    "email": frozenset({"lead", "contacts", "thread"}),
    "meeting": frozenset({"lead"}),
    "deal": frozenset({"lead"}),
    "activity": frozenset({"lead"}),
    "credit": frozenset({"customer"}),
    "subscription": frozenset({"customer"}),
}
"""Pointers to groups: values that changes gave them are remembered, so that a group left is told so, once.

`contacts` are leads as `lead` is one, and each of them is a value by itself.
"""

CONTACTS = "contacts"
"""The pointers of mails to all to whom they went: those of them that are leads were touched by it."""

NUMBER = "number"
"""The pointer of calls that two connections tell of (schemas/numbers.py)."""

MERGED = "merged_into"
"""The pointer of a lead or a deal that the CRM has merged into another one."""

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
            "active", "since", "until", "at", "value", "attributes", "number", "logged_at", "logged_by", "contacts",
            "attendees", "company", "customer", "next_step_at", "units", "cost", "list_amount", "size", "region",
            "lost_reason", "role", "photo", "monthly_amount", "from", "to", "share", "goal",
        )
    )
}  # fmt: skip
_CODES: dict[str, int] = dict(FIELD_CODES) | {
    voice: FIRST_VOICE + number for number, voice in enumerate(voice for voices in FURTHER.values() for voice in voices)
}
_CODES |= {left: 96 + number for number, left in enumerate(LEAVING.values())}
_FIELD_NAMES: Mapping[int, str] = {code: name for name, code in _CODES.items()}
# Among the pointers of a row, the last of them: no pointer, but `Record.kept_from`.
_KEPT_FROM: Final = 63


class RecordChange(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the CRM set on one record at one instant. Fields left out are unchanged; None clears one."""

    kind: str
    id: str
    """As served: `namespace:id` where the connection has a namespace."""
    changed_at: int
    digest: int
    """The place in the delivery, then a hash over kind, id, changed_at and fields, without delivery data: 64 bits."""
    fields: dict[str, Value]
    """Normalised; the deletion stands here too, as `deleted`."""
    received_at: int
    """When the api took the delivery (microseconds). Not part of the digest."""

    @property
    def version(self) -> Version:
        """The order in which changes of one record win."""
        return (self.changed_at, self.digest)


def make_change(*, kind: str, id: str, changed_at: int, fields: Mapping[str, Value], received_at: int) -> RecordChange:
    """A change with its digest, at place 0.

    `fields` are normalised values by name, `deleted` among them if the CRM said it.
    """
    return ordered_change(kind, id, changed_at, {name: fields[name] for name in sorted(fields)}, received_at)


def ordered_change(kind: str, id: str, changed_at: int, fields: dict[str, Value], received_at: int) -> RecordChange:
    """The same of fields in the order of their names, the change's own from now on. By place: every event comes by."""
    hashed = _NOTHING_HASHED.copy()  # cheaper than one made with its parameters
    hashed.update(_encode((kind, id, changed_at, fields)))
    return RecordChange(kind, id, changed_at, int.from_bytes(hashed.digest(), "big") & HASH_MASK, fields, received_at)


_NOTHING_HASHED = blake2b(digest_size=8)
HASH_MASK = (1 << _HASH_BITS) - 1
"""The bits of a digest that say nothing of the delivery."""


def at_place(change: RecordChange, place: int) -> RecordChange:
    """The same change at a place of its own, from 0 to `MAX_PLACE`."""
    return structs.replace(change, digest=place << _HASH_BITS | change.digest & HASH_MASK)


def with_places(changes: Sequence[RecordChange]) -> list[RecordChange]:
    """The changes of one delivery with their places, so that of two of one record and instant the later one wins.

    Who reads a delivery calls it once, with all changes in the order in which they stand there. A change that says
    what the one before it says (of the record and instant) has its place; places end at `MAX_PLACE`, and where there
    are more changes the first of them share a place, among which the hash decides. One that has a place of its own
    already keeps it, if it is the later one.
    """
    keys = [(change.kind, change.id, change.changed_at) for change in changes]
    if len(set(keys)) == len(keys):
        return list(changes)
    beyond = Counter({key: number - 1 - MAX_PLACE for key, number in Counter(keys).items() if number - 1 > MAX_PLACE})
    last: dict[tuple[str, str, int], RecordChange] = {}
    found: list[RecordChange] = []
    for key, change in zip(keys, changes, strict=True):
        before = last.get(key)
        placed = change
        if before is not None:
            place, said = before.digest >> _HASH_BITS, change.digest & HASH_MASK
            if beyond[key] > 0:
                beyond[key] -= 1
            elif said != before.digest & HASH_MASK:
                place = min(place + 1, MAX_PLACE)
            placed = at_place(change, max(place, change.digest >> _HASH_BITS))
        last[key] = placed
        found.append(placed)
    return found


class Record:
    """State of one record: a join of changes. `fields[name]` is (changed_at, digest, value) of the winning change."""

    __slots__ = ("dropped", "entered", "fields", "histories", "kept_from", "kind", "left", "named")

    def __init__(
        self,
        kind: str,
        fields: dict[str, tuple[int, int, Value]] | None = None,
        histories: dict[str, list[tuple[int, int, Value]]] | None = None,
        named: dict[str, dict[str, Version]] | None = None,
        entered: dict[str, list[EntryValue]] | None = None,
    ) -> None:
        self.kind = kind
        self.fields = fields if fields is not None else {}
        self.histories = histories if histories is not None else {}
        self.named = named if named is not None else {}
        """Pointer -> values that it had and has not now -> the newest version that said so. The newest of them."""
        self.entered = entered if entered is not None else {}
        """Field -> what was entered at which instant, in their order: of each instant the newest word."""
        self.kept_from: int | None = None
        """Of what was too old when it was last heard of: the first instant that was kept then (microseconds).

        It is not let go before the next day begins. A mark of who keeps the row, and no word of the CRM's: joins and
        messages leave it out.
        """
        self.left: dict[str, dict[str, Version]] = {}
        """Those that this object has seen it leave, remembered or not: their groups are to be told. Not in the row."""
        self.dropped = 0
        """How many values were too many to be remembered."""

    def get(self, name: str) -> Any:
        """Current value of a field; None where it was never set or was cleared."""
        found = self.entry(name)
        return found[2] if found is not None else None

    def entry(self, name: str) -> tuple[int, int, Value] | None:
        """(changed_at, digest, value) of the word that a field goes by; None where it was never set."""
        found = self.fields.get(name)
        if name in FURTHER:
            # Of most records one voice has spoken: nothing is made for those.
            for voice in FURTHER[name]:
                if voice in self.fields:
                    return word_that_counts(name, [found, *map(self.fields.get, FURTHER[name])])
        elif found is not None and name in LEAVING and self._has_left(name, found):
            return (found[0], found[1], None)
        return found

    def _has_left(self, pointer: str, entry: tuple[int, int, Value]) -> bool:
        left = self.histories.get(LEAVING[pointer])
        return left is not None and is_left(entry, left)

    @property
    def is_deleted(self) -> bool:
        """The CRM's last word on the deletion."""
        return self.get(DELETED) is True

    @property
    def is_empty(self) -> bool:
        """Whether no field was ever set, nor a pointer left."""
        return not self.fields and not self.named

    def history(self, name: str) -> list[tuple[int, int, Value]]:
        """(changed_at, digest, value) of a field whose past matters, oldest first."""
        own = self.histories.get(name, [])
        further = [entries for voice in FURTHER.get(name, ()) if (entries := self.histories.get(voice))]
        return joined_history([own, *further], HISTORY_LIMIT) if further else own

    def entries(self, name: str) -> list[EntryValue]:
        """What such a field was from which instant on, oldest first."""
        return self.entered.get(name, [])

    def values(self) -> dict[str, Value]:
        """Current values of all fields that were ever set, by name."""
        return {name: self.get(name) for name in dict.fromkeys(name.partition("#")[0] for name in self.fields)}

    def fold(self, change: RecordChange) -> bool:
        """Take a change in. True if that said anything new (False: a repetition, or older in every field).

        A pointer's value that is too old to be remembered is news each time: nobody knows whether it was said before.
        """
        at, digest, news = change.changed_at, change.digest, False
        histories, named = HISTORIES.get(self.kind, _NONE), NAMED.get(self.kind, _NONE)
        for name, value in change.fields.items():
            news |= self._set(name, (at, digest, value), name in named)
            if name in histories and remember(self.histories.setdefault(name, []), [(at, digest, value)]):
                news = True
        for name, instant in ENTERED.get(self.kind, _NO_FIELDS).items():
            if name in change.fields:
                said = change.fields.get(instant)
                entered_at = said if isinstance(said, int) else at
                news |= enter(self.entered.setdefault(name, []), [(entered_at, at, digest, change.fields[name])])
        self._settle_left(named)
        return news

    def merge(self, other: "Record") -> bool:
        """Join another state of the same record into this one. True if that said anything new.

        Commutative, associative and idempotent, so a stale state does no harm.
        """
        news, named = False, NAMED.get(self.kind, _NONE)
        for name, entry in other.fields.items():
            news |= self._set(name, entry, name in named)
        for name, entries in other.histories.items():
            news |= remember(self.histories.setdefault(name, []), entries)
        for name, entered in other.entered.items():
            news |= enter(self.entered.setdefault(name, []), entered)
        for name, values in other.named.items():
            current = ids_in(self.get(name))
            for value, version in values.items():
                news |= value not in current and self._leave(name, value, version)
        self._settle_left(named)
        return news

    def _settle_left(self, pointers: frozenset[str]) -> None:
        """Note the pointers whose ids were taken off: whichever was heard first."""
        for pointer in LEFT.get(self.kind, _NO_FIELDS) if self.histories else ():
            entry = self.fields.get(pointer)
            if entry is None or not isinstance(id := entry[2], str):
                continue
            if pointer in pointers and self._has_left(pointer, entry):
                self._leave(pointer, id, entry[:2])

    def _set(self, name: str, entry: tuple[int, int, Value], is_pointer: bool) -> bool:
        """Let an entry win or lose. True if it said anything new."""
        old, value = self.fields.get(name), entry[2]
        is_newer = old is None or old[:2] < entry[:2]
        news = is_newer
        if is_newer:
            self.fields[name] = entry
        if is_pointer:
            ids, held = ids_in(value), () if old is None else ids_in(old[2])
            if is_newer:
                if (others := self.named.get(name)) is not None:
                    for id in ids:
                        others.pop(id, None)
                if old is not None:
                    for id in held:
                        if id not in ids:
                            self._leave(name, id, old[:2])
                self._trim(name)
            else:
                for id in ids:
                    if id not in held:
                        news |= self._leave(name, id, entry[:2])
        return news

    def _leave(self, name: str, value: str, version: Version) -> bool:
        """Note that a pointer had this value and has it no more. True if that is news."""
        others = self.named.setdefault(name, {})
        known = others.get(value)
        if known is not None and known >= version:
            return False
        others[value] = version
        left = self.left.setdefault(name, {})
        left[value] = max(version, left.get(value, version))
        self._trim(name)
        return True

    def _trim(self, name: str) -> None:
        """Remember the newest values of a pointer only, of which the current one is the newest."""
        others = self.named.get(name)
        if others is None:
            return
        while len(others) > max(0, NAMED_LIMIT - len(ids_in(self.get(name)))):
            del others[min(others, key=lambda held: (others[held], held))]
            self.dropped += 1
        if not others:
            del self.named[name]

    def encode(self, *, is_whole: bool = True) -> bytes:
        """The row: the same state always gives the same bytes.

        Not whole: without the values that pointers had, and without the mark of who keeps it.
        """
        patches: dict[Version, dict[int, Value]] = {}
        histories, named, codes = self.histories, self.named if is_whole else _NO_NAMES, _CODES
        for name, (at, digest, value) in self.fields.items():
            if name not in histories:  # the newest entry of a history is the field
                patch = patches.get((at, digest))
                if patch is None:
                    patches[at, digest] = {codes[name]: value}
                else:
                    patch[codes[name]] = value
        # Most records were set by one change: what has one member is in order.
        versions = sorted(patches) if len(patches) > 1 else patches
        pointers = (
            {
                codes[name]: sorted((*version, value) for value, version in values.items())
                for name, values in sorted(named.items())
            }
            if named
            else {}
        )
        if is_whole and self.kept_from is not None:
            pointers[_KEPT_FROM] = [(self.kept_from, 0, "")]
        row = (
            self.kind,
            [(at, digest, dict(sorted(patches[at, digest].items()))) for at, digest in versions],
            {codes[name]: entries for name, entries in sorted(histories.items())} if histories else histories,
            pointers,
        )
        if not self.entered:
            return _encode(row)
        return _encode((*row, {codes[name]: entries for name, entries in sorted(self.entered.items())}))


_NO_FIELDS: Mapping[str, str] = {}
_NO_NAMES: dict[str, dict[str, Version]] = {}
_NONE: frozenset[str] = frozenset()
_encode = msgspec.msgpack.Encoder().encode
_PASTS: Mapping[str, Pasts] = {
    kind: Pasts(tuple(_CODES[name] for name in names), tuple(_CODES[name] for name in sorted(HISTORIES.get(kind, ()))))
    for kind, names in ENTERED.items()
}


def decode_record(row: bytes) -> Record:
    """The state that `encode` wrote."""
    kind, patches, histories, named, entered = read_row(row, _PASTS)
    names = _FIELD_NAMES
    kept = named.pop(_KEPT_FROM, None) if named else None
    # Loops, and no dict made for what most rows do not have: a quarter faster than three comprehensions.
    fields: dict[str, tuple[int, int, Value]] = {}
    for at, digest, patch in patches:
        for code, value in patch.items():
            fields[names[code]] = (at, digest, value)
    record = Record(
        kind,
        fields,
        {names[code]: entries for code, entries in histories.items()} if histories else None,
        {names[code]: {value: (at, digest) for at, digest, value in values} for code, values in named.items()}
        if named
        else None,
        {names[code]: entries for code, entries in entered.items()} if entered else None,
    )
    for name, entries in record.histories.items():
        record.fields[name] = entries[-1]
    if kept:
        record.kept_from = kept[0][0]
    return record


def decode_values(row: bytes) -> tuple[str, int, dict[str, Value]]:
    """What a row says now, without its versions: kind, when one of its fields was set, values by name.

    Enough to derive from, in a third of the time that `decode_record` takes. No field was ever set: no values, and
    instant 0; of a record that points elsewhere (`encode_elsewhere`) no values, and when it last pointed here.
    """
    kind, patches, histories, named, _ = read_row(row, _PASTS)
    names = _FIELD_NAMES
    if has_voices(patches, histories):
        record = decode_record(row)
        spoken_of = dict.fromkeys(name.partition("#")[0] for name in record.fields)
        return kind, next(iter(record.fields.values()))[0], {name: record.get(name) for name in spoken_of}
    if len(patches) == 1 and not histories:
        at, _, patch = patches[0]
        return kind, at, {names[code]: value for code, value in patch.items()}
    values = {names[code]: value for _, _, patch in patches for code, value in patch.items()}
    set_at = patches[0][0] if patches else 0
    if named and not values:
        set_at = next(iter(named.values()))[0][0]
    for code, entries in histories.items():
        set_at = set_at or entries[-1][0]
        values[names[code]] = entries[-1][2]
    return kind, set_at, values


def encode_elsewhere(kind: str, pointer: str, value: str, version: Version) -> bytes:
    """What the group of a value hears when a record's pointer has it no more: that it last had it at that version."""
    return _encode((kind, [], _NO_HISTORIES, {FIELD_CODES[pointer]: [(*version, value)]}))


def is_elsewhere(row: bytes) -> bool:
    """Whether it says only where a record pointed (`encode_elsewhere`): without decoding it."""
    # An array of four, the kind as a short text, then an empty array, an empty map, and a map with something in it.
    start = 2 + (row[1] & 0x1F)
    return row[start : start + 2] == b"\x90\x80" and row[start + 2] != 0x80


NAMED_IN_ORDER: Mapping[str, tuple[str, ...]] = {kind: tuple(sorted(names)) for kind, names in NAMED.items()}
_NO_HISTORIES: dict[int, list[tuple[int, int, Value]]] = {}


def ids_in(value: Value) -> Sequence[str]:
    """What a pointer has: one id, several, or none."""
    return (value,) if isinstance(value, str) else value if isinstance(value, list) else ()


def fold_all(kind: str, changes: Iterable[RecordChange]) -> Record:
    """The state after all these changes, in whatever order they stand."""
    record = Record(kind)
    for change in changes:
        record.fold(change)
    return record


def attribute_text(value: Any) -> str | None:
    """One of the organisation's own fields as a text, numbers and truths as JSON has them; None of what has parts."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return value if isinstance(value, str) else None
