"""What a log still says after a long time: a second, independent reading of retention, for the recount.

Owns which changes are late, which are forgotten, and from which day on anything counts. Walks through each record's and
each group's changes in the order of their receipts and asks at every one whether all before it had gone by then. Shares
nothing with the stream but the value types.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any

from msgspec import structs

from deploy.verification.bounds import reached
from deploy.verification.records import values_said
from deploy.verification.shapes import DAY, EPOCH
from deploy.verification.spans import local_time, start_of

if TYPE_CHECKING:
    from schemas.config import Config
    from schemas.records import RecordChange

_INSTANTS = {
    "call": ("dialed_at", "answered_at", "ended_at", "logged_at"),
    "email": ("sent_at", "logged_at"),
    "meeting": ("booked_at", "starts_at", "ends_at", "logged_at"),
    "lead": ("received_at", "assigned_at", "next_step_at"),
    "deal": ("entered_stage_at", "created_at", "closed_at", "next_step_at"),
    "rep": (),
    "credit": ("at",),
    "subscription": ("starts_at", "ends_at"),
    "absence": ("from", "to"),
    "goal": ("since",),
    "activity": ("at",),
}
_Cutoff = Callable[[int], tuple[date, int]]
"""For a receipt: the first day that is kept then, and its first instant."""
_POINTERS = {
    "call": ("lead",),
    "meeting": ("lead",),
    "email": ("lead", "contacts", "thread"),
    "deal": ("lead",),
    "activity": ("lead",),
    "subscription": ("customer",),
}

_GROUPS = {"contacts": "lead"}
"""Pointers to groups that are called otherwise."""
GROUPS = ("customer", "thread", "lead")
"""The kinds of groups."""

WaitsFor = Callable[[str, str, Sequence["RecordChange"]], bool]
"""Whether a group goes on (a lead waits or has not ended, a customer has something without an end), or is part of a
level that lasts, by these changes and no others. Asked with its kind and name."""
Stands = Callable[[Sequence["RecordChange"]], bool]
"""Whether a record is part of a level that lasts: that would fall by itself without it."""


@dataclass(frozen=True, slots=True)
class RememberedLog:
    """What is left of a log, for each of its readers."""

    first_day: date
    """What happened on days before it counts nowhere."""
    records: Sequence[RecordChange]
    groups: Mapping[str, Mapping[str, Sequence[RecordChange]]] | None = None
    """Kind -> name -> what is left of all around it. None: nothing was forgotten, everybody remembers the same."""
    whole: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Kind -> those of which nothing was forgotten: what is around them stands among `records`, and not in `groups`."""


def remembered(
    changes: Sequence[RecordChange], config: Config, waits: WaitsFor, stands: Stands, newest: int | None = None
) -> RememberedLog:
    """What is left when the receipt `newest` has been taken in; None: that of the newest of these changes."""
    if newest is None and not changes:
        return RememberedLog(date.min, changes)
    cutoff = _cutoffs(config)
    if newest is None:
        newest = max(change.received_at for change in changes)
    first_day, final = cutoff(newest)
    if all(change.changed_at >= final for change in changes):
        return RememberedLog(first_day, changes)  # nothing is old enough for any rule
    first: dict[tuple[str, str, int, int], RecordChange] = {}
    for change in sorted(changes, key=lambda change: change.received_at):
        if not _is_late(change, cutoff):
            first.setdefault((change.kind, change.id, change.changed_at, change.digest), change)
    told = list(first.values())
    lives = _lives(told, cutoff, stands)
    groups, names, whole = _groups(lives, final)
    kept: dict[str, dict[str, list[RecordChange]]] = {kind: {} for kind in GROUPS}
    reps = [change for change in told if change.kind == "rep"]
    for (kind, name), heard in groups.items():
        since = 0
        limits = [*(cutoff(at)[1] for at, _, _ in heard), final]
        for place, limit in enumerate(limits):
            if place and limit == limits[place - 1]:
                continue  # of the same day: a group is let go when a day begins, and never within one
            before = _held(heard, since, place)
            known = _known(kind, names.get((kind, name), {name}), before)
            if before and _are_old(known, limit) and not waits(kind, name, [*before, *reps]):
                since = place
        kept[kind][name] = _held(heard, since, len(heard))
    last_lives = [life for life in lives if life.is_last and not life.has_gone(cutoff, final, stands)]
    return RememberedLog(
        first_day,
        [change for life in last_lives for change in life.changes],
        kept,
        {kind: frozenset(name for of, name in whole if of == kind) for kind in GROUPS},
    )


@dataclass(slots=True)
class _Life:
    """A record from when it was first heard of until it was forgotten."""

    changes: list[RecordChange]
    is_last: bool = True

    @property
    def is_spared(self) -> bool:
        fields = _current(self.changes)
        kind = self.changes[0].kind
        is_there = fields.get("deleted") is not True
        return kind == "rep" or (
            is_there
            and {
                "deal": fields.get("status") not in ("won", "lost") and fields.get("merged_into") is None,
                "lead": fields.get("status") in (None, "new", "qualified") and fields.get("merged_into") is None,
                "subscription": fields.get("ends_at") is None,
                "goal": True,
            }.get(kind, False)
        )

    def has_gone(self, cutoff: _Cutoff, limit: int, stands: Stands) -> bool:
        """Whether it was let go by when `limit` is the first instant that is kept: as a day began, never within one."""
        is_old = cutoff(self.changes[-1].received_at)[1] < limit and _are_old(self.changes, limit)
        return is_old and not self.is_spared and not stands(self.changes)


def _lives(told: Iterable[RecordChange], cutoff: _Cutoff, stands: Stands) -> list[_Life]:
    lives: dict[tuple[str, str], list[_Life]] = defaultdict(list)
    for change in told:
        own = lives[change.kind, change.id]
        if own and not own[-1].has_gone(cutoff, cutoff(change.received_at)[1], stands):
            own[-1].changes.append(change)
            continue
        if own:
            own[-1].is_last = False
        own.append(_Life([change]))
    return [life for own in lives.values() for life in own]


_Group = tuple[str, str]
"""One of `GROUPS`, and which."""
_Heard = list[tuple[int, "RecordChange", int]]
"""What a group has heard of, when (by receipt), and in which of the lives of a record: all of it from when it first
named the group."""


def _groups(lives: Iterable[_Life], final: int) -> tuple[dict[_Group, _Heard], dict[_Group, set[str]], set[_Group]]:
    """Groups -> what they heard; a lead hears what those heard that were merged into it.

    And leads -> themselves with those. And apart from both the groups of which nothing can have been forgotten, as all
    that they heard was said after `final`: with long chains of merges it takes long to say what each has heard.
    """
    found: dict[_Group, _Heard] = defaultdict(list)
    aged: set[_Group] = set()
    merged: dict[str, set[str]] = defaultdict(set)
    for number, life in enumerate(lives):
        kind, name = life.changes[0].kind, life.changes[0].id
        since: dict[_Group, int] = {}
        for change in life.changes:
            named = [("lead", name)] if kind == "lead" else []
            if kind == "lead" and change.fields.get("merged_into") is not None:
                merged[str(change.fields["merged_into"])].add(name)
            named += [
                (_GROUPS.get(field, field), id)
                for field in _POINTERS.get(kind, ())
                for id in _ids(change.fields.get(field))
            ]
            for group in named:
                since.setdefault(group, change.received_at)
        is_fresh = life.is_last and all(change.fields and change.changed_at >= final for change in life.changes)
        for group, at in since.items():
            found[group] += [(max(at, change.received_at), change, number) for change in life.changes]
            if not is_fresh:
                aged.add(group)
    aged |= {("lead", lead) for lead in _together(merged, {name for kind, name in aged if kind == "lead"})}
    names: dict[_Group, set[str]] = {}
    for target in list(merged):
        if ("lead", target) not in aged:
            continue
        names["lead", target] = reached([target], lambda lead: merged.get(lead, ()))
        for source in names["lead", target] - {target}:
            found["lead", target] += found.get(("lead", source), [])
    old = {group: sorted(heard, key=lambda entry: entry[0]) for group, heard in found.items() if group in aged}
    return old, names, ({*found} | {("lead", target) for target in merged}) - aged


def _held(heard: _Heard, since: int, until: int) -> list[RecordChange]:
    """What a group holds that was let go at the one place, at the other: of what has spoken since then all it is.

    A record tells a group what it is, and not what has just been said of it.
    """
    spoke = {(change.kind, change.id, life) for _, change, life in heard[since:until]}
    return _latest(entry for entry in heard[:until] if (entry[1].kind, entry[1].id, entry[2]) in spoke)


def _latest(heard: Iterable[tuple[int, RecordChange, int]]) -> list[RecordChange]:
    """What a group holds of it: of a record that was forgotten and spoke anew what it says since."""
    heard = list(heard)
    lives = {(change.kind, change.id): 0 for _, change, _ in heard}
    for _, change, life in heard:
        lives[change.kind, change.id] = max(life, lives[change.kind, change.id])
    return [change for _, change, life in heard if life == lives[change.kind, change.id]]


def _together(merged: Mapping[str, Iterable[str]], leads: Iterable[str]) -> set[str]:
    """These leads and all that were ever merged with any of them, in either direction."""
    beside: dict[str, set[str]] = defaultdict(set)
    for target, sources in merged.items():
        for source in sources:
            beside[target].add(source)
            beside[source].add(target)
    return reached(leads, lambda lead: beside.get(lead, ()))


def _known(pointer: str, names: set[str], heard: Iterable[RecordChange]) -> list[RecordChange]:
    """What a group knows of what was heard: of a record that points elsewhere, only when it last pointed here."""
    by_record: dict[tuple[str, str], list[RecordChange]] = defaultdict(list)
    for change in heard:
        by_record[change.kind, change.id].append(change)
    known: list[RecordChange] = []
    for (kind, _), own in by_record.items():
        pointers = [field for field in _POINTERS.get(kind, ()) if _GROUPS.get(field, field) == pointer]
        now = _current(own)
        if kind not in _POINTERS or any(names.intersection(_ids(now.get(field))) for field in pointers):
            known += own
        else:
            known += [
                structs.replace(change, fields={field: change.fields[field]})
                for change in own
                for field in pointers
                if names.intersection(_ids(change.fields.get(field)))
            ]
    return known


def _ids(said: Any) -> list[str]:
    """What a pointer was said to be: one id, several, or none."""
    return [str(id) for id in said] if isinstance(said, list) else [] if said is None else [str(said)]


def _are_old(changes: Iterable[RecordChange], limit: int) -> bool:
    """Whether all that was said and all that is known to happen lies before `limit`, in each of their records."""
    by_record: dict[tuple[str, str], list[RecordChange]] = defaultdict(list)
    for change in changes:
        if change.fields and change.changed_at >= limit:
            return False
        by_record[change.kind, change.id].append(change)
    for (kind, _), own in by_record.items():
        fields = _current(own)
        heard = {name: value for name, value in fields.items() if "#" not in name}
        if not fields or any(at >= limit for at in (*_happening(kind, heard), *_entries(own))):
            return False
    return True


def _entries(changes: Iterable[RecordChange]) -> Iterator[int]:
    """When a deal has entered its stages: each entry counts, whatever was said of others since."""
    for change in changes:
        if change.kind == "deal" and "stage" in change.fields:
            entered = change.fields.get("entered_stage_at")
            yield entered if isinstance(entered, int) else change.changed_at


def _happening(kind: str, fields: Mapping[str, Any]) -> Iterator[int]:
    """The instants that are named; of a day the midnight after it, as it is in UTC."""
    for name, said in fields.items():
        if name.partition("#")[0] not in _INSTANTS[kind]:
            continue
        if isinstance(said, str):
            yield ((date.fromisoformat(said) - EPOCH.date()).days + 1) * DAY
        elif said is not None:
            yield said


def _current(changes: Iterable[RecordChange]) -> Mapping[str, Any]:
    fields: dict[str, Any] = {}
    ordered = sorted(changes, key=lambda change: (change.changed_at, change.digest))
    for change in ordered:
        fields |= change.fields
    for voiced in {name.partition("#")[0] for name in fields if "#" in name}:
        fields[voiced] = values_said(ordered, voiced)[-1][2]
    return fields


def _is_late(change: RecordChange, cutoff: _Cutoff) -> bool:
    _, limit = cutoff(change.received_at)
    fields: Mapping[str, Any] = change.fields
    goes_on = {"deal": ("open",), "lead": ("new", "qualified")}.get(change.kind, ())
    is_open = any(value in goes_on for name, value in fields.items() if name.partition("#")[0] == "status")
    is_running = fields.get("starts_at") is not None and fields.get("ends_at") is None
    if change.kind in ("rep", "goal") or is_open:
        return False
    if change.kind == "subscription" and is_running:
        return False
    # A field may be said by several voices.
    said = (_happening(change.kind, {name.partition("#")[0]: value}) for name, value in fields.items())
    return all(at < limit for at in (change.changed_at, *chain.from_iterable(said)))


def _cutoffs(config: Config) -> _Cutoff:
    zone, kept = config.organisation.zone, config.retention.records
    begins = cache(lambda day: start_of(day, zone))

    def cutoff(received_at: int) -> tuple[date, int]:
        day = local_time(received_at - kept, zone).date()
        return day, begins(day)

    return cutoff
