"""Fields that several properties of a CRM set: each property writes a field of its own, and the newest value counts.

Owns the names of these fields, the voices, and the rule. The first property sets the field itself, such as `status`.
Other properties set `status#1`, `status#2` … of the same record, and so does what an event of another kind (a creation,
a stage) implies. The fold treats them as any other field, so the order of arrival does not matter. Whoever asks for the
field gets the newest value among its voices that have one; of a currency that of the CRM, and that of the connection
only where the CRM gives none. So when a property is cleared, or has a value that means nothing to us, the others decide
again. Voices are never served, and no event from outside can set one.
"""

from collections.abc import Iterable, Mapping, Sequence

VoiceValue = tuple[int, int, "str | int | bool | list[str] | None"]
"""(`changed_at`, digest, value)."""

_CURRENCY: Mapping[str, Sequence[str]] = {"currency": ("currency#1",)}
VOICES: Mapping[str, Mapping[str, Sequence[str]]] = {
    "call": {"outcome": ("outcome#1",)},
    "meeting": {"booked_at": ("booked_at#1",)},
    "lead": {
        "status": ("status#1",),
        "source": ("source#1",),
        "received_at": ("received_at#1", "received_at#2"),
        "assigned_at": ("assigned_at#1",),
        **_CURRENCY,
    },
    "deal": {
        "status": ("status#1", "status#2", "status#3"),
        "created_at": ("created_at#1", "created_at#2"),
        "closed_at": ("closed_at#1",),
        **_CURRENCY,
    },
    "credit": _CURRENCY,
    "subscription": _CURRENCY,
    "activity": _CURRENCY,
}
"""Kind of record -> field -> its further voices."""

FURTHER: Mapping[str, Sequence[str]] = {
    "status": ("status#1", "status#2", "status#3"),
    "outcome": ("outcome#1",),
    "source": ("source#1",),
    "received_at": ("received_at#1", "received_at#2"),
    "assigned_at": ("assigned_at#1",),
    "created_at": ("created_at#1", "created_at#2"),
    "closed_at": ("closed_at#1",),
    "booked_at": ("booked_at#1",),
    **_CURRENCY,
}
"""Field -> the further voices that it has in any kind of record. Rows number them in this order: append only."""

_YIELDING = frozenset(_CURRENCY)
"""Fields whose further voices count only while the first says nothing, however new they are."""

LEFT: Mapping[str, Mapping[str, str]] = {
    "call": {"lead": "lead#left", "deal": "deal#left"},
    "email": {"lead": "lead#left"},
    "meeting": {"lead": "lead#left", "deal": "deal#left"},
    "deal": {"lead": "lead#left"},
}
"""Kind of record -> pointer -> what says that one id was taken off. It clears the pointer if that has this id, and says
nothing of any other: a CRM that tells of each association by itself does not say which of several is left."""

LEAVING: Mapping[str, str] = {pointer: left for lefts in LEFT.values() for pointer, left in lefts.items()}
"""Pointer -> the same, in any kind of record. Rows number them in this order: append only."""


def is_left(entry: VoiceValue, left: Iterable[VoiceValue]) -> bool:
    """Whether the id that a pointer was said to have was taken off since."""
    return any(said[2] == entry[2] and said[:2] > entry[:2] for said in left)


def word_that_counts(name: str, entries: Sequence[VoiceValue | None]) -> VoiceValue | None:
    """The entry that a field goes by; None: nothing was ever said. `entries`: the last of each voice, its own first."""
    own = entries[0]
    return own if name in _YIELDING and own is not None and own[2] is not None else newest_word(entries)


def newest_word(entries: Iterable[VoiceValue | None]) -> VoiceValue | None:
    """The newest that says something, else the newest. None: nothing was ever said."""
    said = [entry for entry in entries if entry is not None]
    return max(said, key=lambda entry: (entry[2] is not None, *entry[:2]), default=None)


def joined_history(voices: Sequence[Sequence[VoiceValue]], limit: int) -> list[VoiceValue]:
    """What the field was after each word of any voice, oldest first, the newest `limit` of them."""
    said = sorted(
        ((entry[:2], voice, entry[2]) for voice, entries in enumerate(voices) for entry in entries),
        key=lambda word: word[:2],
    )
    now: dict[int, VoiceValue] = {}
    found: list[VoiceValue] = []
    for (at, digest), voice, value in said:
        now[voice] = (at, digest, value)
        counts = newest_word(now.values())
        found.append((at, digest, None if counts is None else counts[2]))
    return found[-limit:]
