"""Records as the recount folds them from their changes, and what a single one of them means.

`recount` folds every list of changes here first. The newer version of a field wins, however the changes come.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from schemas.config import Config
    from schemas.records import RecordChange

_HISTORY_LIMIT = 64


@dataclass(frozen=True, slots=True)
class Record:
    """One record with its history."""

    id: str
    changes: list[RecordChange]
    """Oldest version first, each version once."""
    fields: dict[str, Any]
    """Current values."""
    borrowed: Mapping[str, Record] = field(default_factory=dict)
    """Of a root: the merged leads whose values it has, where it has none of its own."""

    def get(self, name: str) -> Any:
        return self.fields.get(name)

    @property
    def is_deleted(self) -> bool:
        return self.fields.get("deleted") is True

    def history(self, name: str) -> list[tuple[int, int, Any]]:
        """(changed_at, digest, value), oldest first."""
        if name in self.borrowed:
            return self.borrowed[name].history(name)
        return values_said(self.changes, name)[-_HISTORY_LIMIT:]

    def version_of(self, name: str) -> tuple[int, int]:
        """The version that set the field to what it is: of several voices, of the latest that says something."""
        words: dict[str, RecordChange] = {}
        for change in self.changes:
            words.update({voice: change for voice in change.fields if voice.partition("#")[0] == name})
        said = [change for voice, change in words.items() if change.fields[voice] is not None]
        if name in _FIRST_VOICE_FIRST and words.get(name) in said:
            said = [words[name]]
        return max((change.changed_at, change.digest) for change in said or words.values())

    def ever_named(self, pointer: str) -> set[str]:
        """All that the pointer was ever said to be."""
        return {str(value) for change in self.changes if (value := change.fields.get(pointer)) is not None}

    def ever_touched(self) -> set[str]:
        """All leads that it was ever said to be of, and all contacts to whom it ever went."""
        went = {str(id) for change in self.changes for id in change.fields.get("contacts") or ()}  # type: ignore[union-attr]
        return self.ever_named("lead") | went


_FIRST_VOICE_FIRST = frozenset({"currency"})
"""What a connection is set to says nothing while the CRM itself names one."""

RecordsByKind = dict[str, dict[str, Record]]
"""By kind, by id."""


def values_said(changes: Sequence[RecordChange], name: str) -> list[tuple[int, int, Any]]:
    """What a field was after each change that speaks of it: (changed_at, digest, value). Oldest version first.

    Several properties of a CRM may speak of one field, as `name`, `name#1`, `name#2`: each has its own last word, and
    among those that are not empty the latest counts; of a currency `name` as long as it is none of the empty ones.
    `name#left` takes one id off a pointer, if it has that one.
    """
    words: dict[str, list[RecordChange]] = defaultdict(list)
    for change in changes:
        for voice in change.fields:
            if voice.partition("#")[0] == name:
                words[voice].append(change)
    spoken = [(change, voice) for voice, own in words.items() for change in own[-_HISTORY_LIMIT:]]
    last: dict[str, Any] = {}
    found: list[tuple[int, int, Any]] = []
    for change, voice in sorted(spoken, key=lambda word: (word[0].changed_at, word[0].digest)):
        if voice == f"{name}#left":
            if last.get(name) == change.fields[voice]:
                last[name] = None
        else:
            last.pop(voice, None)
            last[voice] = change.fields[voice]  # the latest one stands last
        said = [value for value in last.values() if value is not None]
        if name in _FIRST_VOICE_FIRST and last.get(name) is not None:
            said = [last[name]]
        found.append((change.changed_at, change.digest, said[-1] if said else None))
    return found


def fold(changes: Iterable[RecordChange]) -> RecordsByKind:
    """Make records of changes, in whatever order and however often they stand there."""
    versions: dict[tuple[str, str], dict[tuple[int, int], RecordChange]] = defaultdict(dict)
    for change in changes:
        versions[change.kind, change.id][change.changed_at, change.digest] = change
    records: RecordsByKind = defaultdict(dict)
    for (kind, name), by_version in versions.items():
        ordered = [by_version[version] for version in sorted(by_version)]
        fields: dict[str, Any] = {}
        for change in ordered:
            fields.update(change.fields)  # ascending versions: the greatest one that sets a field is the last
        for voiced in {voice.partition("#")[0] for voice in fields if "#" in voice}:
            fields[voiced] = values_said(ordered, voiced)[-1][2]
        records[kind][name] = Record(name, ordered, fields)
    return records


QUALIFIED = ("qualified", "converted", "customer")
"""What a lead is once somebody has found it worth the work."""


def countable(records: RecordsByKind) -> dict[str, list[Record]]:
    """By kind, without what never counts. Calls and meetings among colleagues are left to whoever asks."""
    kept = {
        kind: [record for _, record in sorted(by_id.items()) if not record.is_deleted]
        for kind, by_id in records.items()
    }
    kept["deal"] = [deal for deal in kept.get("deal", []) if deal.get("merged_into") is None]
    return kept


def closed_at(deal: Record) -> int | None:
    """When its status last became won or lost, or what was said with or after that."""
    status = deal.get("status")
    if status not in ("won", "lost"):
        return None
    words = deal.history("status")
    last_other = max((place for place, word in enumerate(words) if word[2] != status), default=-1)
    became_at = words[last_other + 1][0]
    stated: int | None = deal.get("closed_at")
    return stated if stated is not None and deal.version_of("closed_at")[0] >= became_at else became_at


def is_connected(call: Record) -> bool:
    """Whether somebody answered the call."""
    if call.get("outcome") is None:
        return call.get("answered_at") is not None
    return bool(call.get("outcome") == "connected")


def talk(call: Record) -> int:
    """How long was talked, in microseconds."""
    answered, ended = call.get("answered_at"), call.get("ended_at")
    if answered is not None and ended is not None:
        return int(max(0, ended - answered))
    return int(call.get("talk_seconds") or 0)


def touch_instant(kind: str, record: Record, config: Config, stop: str, *, takes_automated: bool) -> int | None:
    """When this record touched its lead, as far as `stop` (`attempt` or `contact`) takes it for an answer."""
    direction = record.get("direction")
    is_taken = takes_automated or record.get("automated") is not True
    if kind == "meeting":
        counts = record.get("outcome") == "held"
        instant = record.get("starts_at")
    elif kind == "email":
        instant = record.get("sent_at")
        if stop == "contact":
            counts = direction == "inbound" and record.get("automated") is not True
        else:
            counts = direction == "outbound" and is_taken
    else:
        instant = record.get("dialed_at")
        if stop == "contact":
            counts = is_taken and is_connected(record)
        elif direction == "outbound":
            counts = is_taken and record.get("outcome") != "failed"
        else:
            was_talked_with = is_connected(record) and talk(record) >= config.conversation.min_talk
            counts = is_taken and direction == "inbound" and was_talked_with
    return instant if counts else None


def inquiry_instant(kind: str, record: Record, config: Config) -> int | None:
    """When the lead wrote, or called without being talked with."""
    if record.get("direction") != "inbound" or kind == "meeting" or record.get("automated") is True:
        return None
    if kind == "email":
        at: int | None = record.get("sent_at")
        return at
    was_talked_with = is_connected(record) and talk(record) >= config.conversation.min_talk
    return None if was_talked_with else record.get("dialed_at")
