"""What `from` may name, as far as one record alone says it: calls, mails, meetings, deals and the like.

Owns the fields that the contract adds to those of the records. What takes more than one record to know is in
`lead_facts` (leads), `thread_facts`, `customer_facts` and `rep_days`.
"""

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from deploy.verification.conditions import Fact
from deploy.verification.records import Record, closed_at, is_connected, talk
from deploy.verification.terms import Terms

SINGLE = ("call", "email", "meeting", "deal", "deal.stays", "credit", "subscription", "activity")
"""Facts of single records."""

_PERSONS = frozenset({"rep", "creator", "booked_by", "logged_by", "attendees"})
_STAYS_KEPT = 64
PATH = "(path)"
"""Beside the fields of a deal: its stages with their instants of entry, for metrics of type `funnel`."""


def facts_of(source: str, record: Record, terms: Terms) -> Iterator[Fact]:
    """The rows of a fact that a record gives."""
    kind = source.partition(".")[0]
    fact = fields_of(kind, record, terms)
    if source == "call":
        fact |= _of_call(record, terms)
    elif source == "email":
        fact["happened_at"] = record.get("sent_at")
    elif source == "meeting":
        fact["happened_at"] = record.get("ends_at")
        fact["people"] = tuple(dict.fromkeys(one for one in (fact.get("rep"), *(fact.get("attendees") or ())) if one))
    elif source == "activity":
        fact["happened_at"] = record.get("at")
    elif kind == "deal":
        fact |= of_deal(record)
    if source == "deal.stays":
        yield from ({**fact, **stay} for stay in stays(record))
    else:
        yield fact


def fields_of(kind: str, record: Record, terms: Terms) -> dict[str, Any]:
    """The record's own fields, people by the ids they are served under."""
    fact = {"record": kind, "id": record.id, **record.fields}
    for name in _PERSONS & fact.keys():
        fact[name] = _person(fact[name], terms)
    return fact


def _person(said: Any, terms: Terms) -> Any:
    if isinstance(said, list | tuple):
        return tuple(dict.fromkeys(terms.people.rep(one) for one in said))
    return terms.people.rep(said)


def _of_call(call: Record, terms: Terms) -> dict[str, Any]:
    connected, rules = is_connected(call), terms.config.conversation
    spoken = talk(call) if connected else 0
    is_meant = rules.calls in ("both", call.get("direction"))
    return {
        "connected": connected,
        "talk": spoken,
        "conversation": (connected and is_meant and spoken >= rules.min_talk and call.get("automated") is not True),
        "happened_at": call.get("dialed_at") if call.get("ended_at") is None else call.get("ended_at"),
    }


def of_deal(deal: Record) -> dict[str, Any]:
    """When a deal was closed: not set while it is open."""
    at, path = closed_at(deal), _path(deal)
    fact: dict[str, Any] = {"closed_at": at, "ended_at": at, PATH: path}
    return fact | {"entered_stage_at": path[-1][0], "stage": path[-1][1]} if path else fact


def stays(deal: Record) -> list[dict[str, Any]]:
    """In which stages a deal was, one after the other."""
    path = _path(deal)
    ends: list[int | None] = [at for at, _ in path[1:]]
    return [
        {"stage": stage, "entered_at": at, "left_at": end}
        for (at, stage), end in zip_longest(path, ends)
        if stage is not None
    ]


def _path(deal: Record) -> list[tuple[int, Any]]:
    """The stages of a deal by their instants of entry, of each the newest word; neighbours of one stage are one."""
    entered: dict[int, tuple[tuple[int, int], Any]] = {}
    for change in deal.changes:
        if "stage" in change.fields:
            said: Any = change.fields.get("entered_stage_at")
            at = change.changed_at if said is None else int(said)
            version = (change.changed_at, change.digest)
            if at not in entered or entered[at][0] < version:
                entered[at] = (version, change.fields["stage"])
    path: list[tuple[int, Any]] = []
    for at in sorted(entered)[-_STAYS_KEPT:]:
        stage = entered[at][1]
        if not path or path[-1][1] != stage:
            path.append((at, stage))
    return path
