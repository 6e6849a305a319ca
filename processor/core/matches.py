"""Calls of one telephone number of which two connections tell: which of them are duplicates, and what that takes out.

Owns the rule of `match`. A call of a connection that has one is a duplicate if a call of the connection that it names
has the same person, direction and number, dialled not further apart than `within`. Both count in their ledgers; the
group of the number takes out what the duplicate's ledger has put in, so it does not matter which of them is heard
first. The group of a lead asks the same of the calls that it knows.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from processor.core.definitions import Definitions
from processor.core.facts import Known
from processor.core.plan import Contribution
from schemas.numbers import hash_of, teller_of
from schemas.records import NUMBER

Matched = Mapping[str, Collection[str]]
"""Key of a duplicate -> those of the calls that make it one."""

_Likeness = tuple[str, str, str, str]
"""Connection, hash of the number, person, direction."""


def matched(calls: Mapping[str, Known], definitions: Definitions, others: Iterable[Known] = ()) -> Matched:
    """The duplicates among these calls, by calls among them. `others`: calls that may make one, too, and are none."""
    if not definitions.matches:
        return {}
    dialled: dict[_Likeness, list[tuple[int, str]]] = defaultdict(list)
    repeated: list[tuple[str, _Likeness, int, int]] = []
    for key, call in (*calls.items(), *(("", other) for other in others)):
        told = _told(call, definitions)
        if told is None:
            continue
        teller, rest, at = told
        dialled[teller, *rest].append((at, key))
        if key and teller in definitions.matches:
            other, within = definitions.matches[teller]
            repeated.append((key, (other, *rest), at, within))
    for found in dialled.values():
        found.sort()
    pairs = ((key, list(_near(dialled.get(alike, []), at, within))) for key, alike, at, within in repeated)
    return {key: makers for key, makers in pairs if makers}


def _told(call: Known, definitions: Definitions) -> tuple[str, tuple[str, str, str], int] | None:
    """The connection, what both calls must have alike, and the instant; None where one of them is not known."""
    if call.kind != "call" or call.is_deleted:
        return None
    kept, person = call.get(NUMBER), definitions.person(call.get("rep"))
    direction, at = call.get("direction"), call.get("dialed_at")
    if kept is None or person is None or direction is None or at is None:
        return None
    return teller_of(kept), (hash_of(kept), person, direction), at


def _near(dialled: list[tuple[int, str]], at: int, within: int) -> Iterator[str]:
    for place in range(bisect_left(dialled, (at - within, "")), len(dialled)):
        other_at, key = dialled[place]
        if other_at > at + within:
            return
        yield key


def without_repeated(records: Mapping[str, Known], definitions: Definitions) -> Mapping[str, Known]:
    """What counts for a lead of the records that name it: a duplicate does unless what makes it one names it too."""
    repeated = matched(records, definitions)
    return {key: record for key, record in records.items() if key not in repeated} if repeated else records


def calls_of(number: str, records: Mapping[str, Known]) -> dict[str, Known]:
    """The calls of the group of a number: those that still are of it."""
    return {
        key: call
        for key, call in records.items()
        if call.kind == "call" and (kept := call.get(NUMBER)) is not None and hash_of(kept) == number
    }


def number_contributions(
    calls: Mapping[str, Known], duplicates: Iterable[str], definitions: Definitions
) -> list[Contribution]:
    """What the ledgers of these have put in, to be taken out."""
    counting = definitions.counting
    return [
        (rep, at, [(cell, key, -amount) for cell, key, amount in values])
        for duplicate in sorted(duplicates)
        for rep, at, values in counting.of_record("call", calls[duplicate].get)
    ]
