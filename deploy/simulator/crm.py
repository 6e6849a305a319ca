"""The records of a simulated CRM, and every draw of chance about them.

Owns what is known of each record, who there is, and which record something happens to next. Pure: the seed decides.
"""

from collections.abc import Sequence
from random import Random
from typing import Any, TypeVar

from deploy.simulator.known import CrmEvent, KnownRecord, Memory, as_event

_T = TypeVar("_T")

OUTCOMES = (("connected", 46), ("no_answer", 30), ("voicemail", 15), ("busy", 5), ("wrong_number", 3), ("failed", 1))
STAGES = ("discovery", "demo", "proposal", "negotiation")


class Crm:
    """What the CRM knows, from which all that happens is drawn."""

    def __init__(self, seed: int, reps: int, currencies: Sequence[str]) -> None:
        self.random = Random(seed)
        self.reps = reps
        self.rep_ids = [f"r-{number}" for number in range(1, reps + 1)]
        self.people: dict[str, KnownRecord] = {}
        self.all, self.leads, self.worked, self.deals, self.mails = (Memory() for _ in range(5))
        self._currencies = currencies
        self._numbers: dict[str, int] = {}

    def record(self, kind: str, at: int, fields: dict[str, Any], memory: Memory | None) -> KnownRecord:
        """A new record, known from now on, and to `memory` too."""
        known = KnownRecord(kind, f"{kind[0]}-{self.number(kind)}", dict(fields), at)
        self.all.add(known)
        if memory is not None:
            memory.add(known)
        return known

    def change(self, known: KnownRecord, at: int, news: dict[str, Any]) -> CrmEvent:
        """What the CRM tells of these fields, which it knows from now on."""
        known.fields |= news
        known.changed_at = max(known.changed_at, at)
        return as_event(known.kind, known.id, at, news)

    def number(self, kind: str) -> int:
        """The next number of that kind, from 1."""
        self._numbers[kind] = self._numbers.get(kind, 0) + 1
        return self._numbers[kind]

    def between(self, low: int, high: int) -> int:
        """Whole milliseconds, as CRMs write them."""
        return self.random.randint(low // 1000, high // 1000) * 1000

    def weighted(self, choices: Sequence[tuple[_T, int]]) -> _T:
        """One of them, each as often as its weight says."""
        lot = self.random.randrange(sum(weight for _, weight in choices))
        for choice, weight in choices:
            lot -= weight
            if lot < 0:
                return choice
        raise AssertionError

    def rep(self) -> str:
        """Somebody. A floor has its stars: the lower number of two is the one that gets going."""
        first, second = self.random.randrange(self.reps), self.random.randrange(self.reps)
        return self.rep_ids[min(first, second) if self.random.random() < 0.6 else second]

    def lead(self, before: int) -> KnownRecord | None:
        """Someone whom a rep has answered, and who was there at `before`: the new ones wait for their turn."""
        lead = self.worked.draw_recent(self.random)
        return None if lead is None or lead.deleted or (lead.fields["received_at"] or before) > before else lead

    def open_deal(self) -> KnownRecord | None:
        """A deal of late that can still be won."""
        deal = self.deals.draw_recent(self.random)
        is_over = deal is not None and (
            deal.deleted or deal.fields["status"] != "open" or deal.fields.get("merged_into")
        )
        return None if is_over else deal

    def amount(self) -> str:
        """A price."""
        hundreds = max(3, int(self.random.lognormvariate(4.4, 0.9)))
        return f"{hundreds * 100}.00" if self.random.random() < 0.8 else f"{hundreds * 100 + 49}.90"

    def currency(self) -> str:
        """Mostly the usual one."""
        others = self._currencies[1:]
        return self.random.choice(others) if others and self.random.random() < 0.15 else self._currencies[0]
