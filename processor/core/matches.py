"""Calls of one telephone number of which two connections tell: which of them are duplicates, and what that takes out.

Owns the rule of `match`. A call of a connection that has one is a duplicate if a call of the connection that it names
has the same person, direction and number, dialled not further apart than `within`. Both count in their ledgers; the
group of the number takes out what the duplicate's ledger has put in, so it does not matter which of them is heard
first. The group of a lead asks the same of the calls that it knows.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from processor.core.bounds import SEPARATOR
from processor.core.definitions import Definitions
from processor.core.facts import CurrentValues
from processor.core.plan import Contribution
from schemas.numbers import hash_of, teller_of
from schemas.records import NUMBER

Matched = Mapping[str, str]
"""Key of a duplicate -> the call that makes it one: of several the one that was dialled first."""

_Likeness = tuple[str, str, str, str]
"""Connection, hash of the number, person, direction."""


def matched(
    calls: Mapping[str, CurrentValues], definitions: Definitions, others: Iterable[CurrentValues] = ()
) -> Matched:
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
    pairs = ((key, _nearest(dialled.get(alike, []), at, within)) for key, alike, at, within in repeated)
    return {key: maker for key, maker in pairs if maker is not None}


def _told(call: CurrentValues, definitions: Definitions) -> tuple[str, tuple[str, str, str], int] | None:
    """The connection, what both calls must have alike, and the instant; None where one of them is not known."""
    if call.kind != "call" or call.is_deleted:
        return None
    kept, person = call.get(NUMBER), definitions.person(call.get("rep"))
    direction, at = call.get("direction"), call.get("dialed_at")
    if kept is None or person is None or direction is None or at is None:
        return None
    return teller_of(kept), (hash_of(kept), person, direction), at


def _nearest(dialled: list[tuple[int, str]], at: int, within: int) -> str | None:
    place = bisect_left(dialled, (at - within, ""))
    return dialled[place][1] if place < len(dialled) and dialled[place][0] <= at + within else None


def without_repeated(records: Mapping[str, CurrentValues], definitions: Definitions) -> Mapping[str, CurrentValues]:
    """What counts for a lead of the records that name it: a duplicate does unless what makes it one names it too."""
    repeated = matched(records, definitions)
    return {key: record for key, record in records.items() if key not in repeated} if repeated else records


def calls_of(number: str, records: Mapping[str, CurrentValues]) -> dict[str, CurrentValues]:
    """The calls of the group of a number: those that still are of it."""
    return {
        key: call
        for key, call in records.items()
        if call.kind == "call" and (kept := call.get(NUMBER)) is not None and hash_of(kept) == number
    }


class Repeats:
    """What groups of numbers come to: what is taken out, what leads are shown, and how many duplicates there are."""

    def __init__(self, definitions: Definitions) -> None:
        self._definitions = definitions
        self._found: dict[str, Counter[str]] = {}
        """Group -> connections, with how many of their calls another one tells of too."""
        self.total: Counter[str] = Counter()
        """The sum of it."""

    def derive(
        self, group: str, rows: Mapping[str, bytes], records: Mapping[str, CurrentValues]
    ) -> tuple[list[Contribution], dict[str, bytes]]:
        """What the ledgers of duplicates have put in, negative; and what has to be shown to leads, by lead and key.

        That is a call that makes one of the lead's a duplicate, and whatever becomes of it later: `rows` also hold,
        under the lead, what it was shown last. One is enough: which of them names the lead, the lead knows by itself.
        """
        calls = calls_of(group.partition(":")[2], records)
        repeated = matched(calls, self._definitions)
        self._note(group, Counter(teller_of(calls[key].get(NUMBER)) for key in repeated))
        shown = {place for place in rows if SEPARATOR in place}
        for duplicate, maker in repeated.items():
            lead = calls[duplicate].get("lead")
            if lead is not None:
                shown.add(f"{lead}{SEPARATOR}{maker}")
        held = {place: rows.get(place.rpartition(SEPARATOR)[2]) for place in sorted(shown)}
        news = {place: row for place, row in held.items() if row is not None and row != rows.get(place)}
        return self._taken_out(calls, repeated), news

    def forget(self, group: str) -> None:
        """There is no such group any more."""
        self._note(group, Counter())

    def _note(self, group: str, found: Counter[str]) -> None:
        self.total.subtract(self._found.pop(group, {}))
        if found:
            self._found[group] = found
            self.total.update(found)

    def _taken_out(self, calls: Mapping[str, CurrentValues], repeated: Iterable[str]) -> list[Contribution]:
        counting = self._definitions.counting
        return [
            (rep, at, [(cell, key, -amount) for cell, key, amount in values])
            for duplicate in sorted(repeated)
            for rep, at, values in counting.of_record("call", calls[duplicate].get)
        ]
