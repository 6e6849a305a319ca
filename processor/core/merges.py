"""Where leads were merged to, as far as a partition has heard, and where each chain of merges ends.

Owns the roots. Every partition hears of all merges (`schemas.frames.MERGES_GROUP`), so a chain of any length is
followed here, and what a merged lead knows goes to its root in one step. Does no I/O.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from processor.core.retention import last_instant
from schemas.records import MERGED, decode_record


class Move(NamedTuple):
    """A lead's root was another one."""

    before: str
    now: str


class Merges:
    """State: lead -> its pointer as a row. Roots are derived, and kept for all leads that point to one."""

    def __init__(self) -> None:
        self.rows: dict[str, bytes] = {}
        """By the key of the lead's record."""
        self._pointers: dict[str, str] = {}
        self._sources: dict[str, set[str]] = {}
        """Lead -> those that point to it."""
        self._roots: dict[str, str] = {}

    def root_of(self, lead: str) -> str:
        """The end of its chain of merges; in a cycle the smallest id of the cycle. It may be a lead nobody spoke of."""
        return self._roots.get(lead, lead)

    def apply(self, news: Mapping[str, bytes | None]) -> dict[str, Move]:
        """Take in what has become of pointers, by the keys of their leads; None: it is known no more.

        Gives the leads whose root has changed. The cost is that of the chains that end elsewhere now.
        """
        changed = [key[5:] for key, row in news.items() if self._point(key, row)]
        before = {lead: self.root_of(lead) for lead in self._upstream(changed)}
        for lead in before:
            self._roots.pop(lead, None)
        for lead in before:
            self._find(lead)
        return {lead: Move(root, now) for lead, root in before.items() if (now := self.root_of(lead)) != root}

    def _point(self, key: str, row: bytes | None) -> bool:
        """Keep a pointer. True if it leads elsewhere now."""
        lead, target = key[5:], None
        if row is None:
            self.rows.pop(key, None)
        else:
            self.rows[key] = row
            target = decode_record(row).get(MERGED)
        held = self._pointers.get(lead)
        if held == target:
            return False
        if held is not None:
            sources = self._sources[held]
            sources.discard(lead)
            if not sources:
                del self._sources[held]
            del self._pointers[lead]
        if target is not None:
            self._pointers[lead] = target
            self._sources.setdefault(target, set()).add(lead)
        return True

    def _upstream(self, leads: Iterable[str]) -> dict[str, None]:
        """These and all whose chains go through them."""
        found: dict[str, None] = {}
        waiting = list(leads)
        while waiting:
            lead = waiting.pop()
            if lead not in found:
                found[lead] = None
                waiting.extend(self._sources.get(lead, ()))
        return found

    def _find(self, lead: str) -> None:
        """Note the root of a lead and of those on its way, where it is not known."""
        path: dict[str, int] = {}
        current = lead
        while current not in path:
            known, target = self._roots.get(current), self._pointers.get(current)
            if known is not None or target is None:
                root = current if known is None else known
                break
            path[current] = len(path)
            current = target
        else:
            root = min(list(path)[path[current] :])
        for passed in path:
            self._roots[passed] = root

    def expire(self, cutoff: int, is_here: Callable[[str], bool]) -> list[str]:
        """The keys of pointers that nobody here needs any more: they were set before `cutoff`, microseconds.

        `is_here`: whether a lead has a group in this partition. Such a lead needs its whole chain, and as a root all
        chains that end in it.
        """
        old = [key for key, row in self.rows.items() if last_instant(decode_record(row)) < cutoff]
        if not old:
            return []
        needed = self._needed(is_here)
        return [key for key in old if key[5:] not in needed]

    def _needed(self, is_here: Callable[[str], bool]) -> Collection[str]:
        needed: set[str] = set()
        for lead in self._pointers:
            if is_here(self.root_of(lead)):
                needed.add(lead)
        walked: set[str] = set()
        for lead in self._pointers:
            current: str | None = lead if is_here(lead) else None
            while current is not None and current not in walked:
                walked.add(current)
                current = self._pointers.get(current)
        return needed | walked
