"""Calls that two connections tell of: the recount's own reading of `match`.

A call counts nowhere if the connection that it is from repeats another one, and that one tells of a call of the same
person, direction and number, dialled not further apart than `within`.
"""

from collections import defaultdict
from collections.abc import Iterable

from deploy.verification.bounds import smallest
from deploy.verification.records import Record, RecordsByKind
from deploy.verification.terms import Terms


def number_and_teller(call: Record) -> tuple[str, str] | None:
    """The hash of the other party's number, and which connection said it."""
    kept = call.get("number")
    if kept is None:
        return None
    number, _, teller = kept.partition("@")
    return number, teller


def is_repeated(call: Record, others: Iterable[Record], terms: Terms) -> bool:
    """Whether one of the others makes the call a duplicate."""
    said = number_and_teller(call)
    if said is None or call.is_deleted:
        return False
    rule = terms.config.connections[said[1]].match if said[1] in terms.config.connections else None
    mine = (terms.people.rep(call.get("rep")), call.get("direction"))
    if rule is None or None in mine or call.get("dialed_at") is None:
        return False
    return any(
        number_and_teller(other) == (said[0], rule.calls.other)
        and not other.is_deleted
        and (terms.people.rep(other.get("rep")), other.get("direction")) == mine
        and other.get("dialed_at") is not None
        and abs(other.get("dialed_at") - call.get("dialed_at")) <= rule.calls.within
        for other in others
    )


def repeated(records: RecordsByKind, terms: Terms) -> frozenset[str]:
    """The ids of all duplicates among the calls."""
    if not any(connection.match is not None for connection in terms.config.connections.values()):
        return frozenset()
    calls = records.get("call", {})
    named: dict[str, set[tuple[str, str, str]]] = defaultdict(set)
    for call in calls.values():
        for kept in call.ever_named("number"):
            named[kept.partition("@")[0]].add(("", "call", call.id))
    found: set[str] = set()
    for number, places in named.items():
        group = [calls[name] for _, _, name in smallest(places)]
        group = [call for call in group if (said := number_and_teller(call)) is not None and said[0] == number]
        found |= {call.id for call in group if is_repeated(call, group, terms)}
    return frozenset(found)
