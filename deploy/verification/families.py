"""Leads with all that belongs to them: those merged into them, what was done for them, deals that name them."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from deploy.verification.bounds import family_of, touching, whole
from deploy.verification.matches import is_repeated
from deploy.verification.records import Record, RecordsByKind
from deploy.verification.terms import Terms

TOUCHES = frozenset({"call", "email", "meeting"})


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """A lead that is not merged away, known or only named, with all that is its own."""

    root: str
    lead: Record
    """The root with what it has of those merged into it."""
    members: list[Record]
    engaged: list[tuple[str, Record]]
    """The calls, emails and meetings that count for it, with their kinds."""
    deals: list[Record]
    is_deleted: bool

    @property
    def is_known(self) -> bool:
        """Whether anything is known of the lead itself, and the CRM still has it."""
        return bool(self.members) and not self.is_deleted


def families(records: RecordsByKind, *, terms: Terms, only: Collection[str] | None = None) -> Iterator[Family]:
    """Give every lead, or only those, also one that records name and nobody has spoken of.

    It looks at all records once: ask for many leads at a time.
    """
    leads: Mapping[str, Record] = records.get("lead", {})
    touches = touching(records)
    # Also of a deleted lead it remains true that it was merged, and what it knew lives on in its root.
    roots = roots_of(leads)
    members: dict[str, list[Record]] = {roots.get(name, name): [] for name in touches}
    for name, record in leads.items():
        members.setdefault(roots[name], []).append(record)
    for root in sorted(members):
        if only is None or root in only:
            own = leads.get(root)
            family, engaged = family_of(root, members[root], touches, records)
            is_deleted = own is not None and own.is_deleted
            calls = [record for kind, record in engaged if kind == "call"]
            touching_it = [
                (kind, record)
                for kind, record in engaged
                if kind in TOUCHES
                and record.get("internal") is not True
                and not (kind == "call" and is_repeated(record, calls, terms))
            ]
            deals = [deal for kind, deal in engaged if kind == "deal" and deal.get("merged_into") is None]
            yield Family(root, whole(root, family), family, touching_it, deals, is_deleted)


def roots_of(leads: Mapping[str, Record]) -> dict[str, str]:
    """Lead -> the end of its `merged_into` chain; where that runs in a circle, the smallest id in the circle."""
    roots: dict[str, str] = {}
    for first in leads:
        path: list[str] = []
        place: dict[str, int] = {}
        lead: str = first
        while True:
            if lead in roots:
                root = roots[lead]
                break
            if lead in place:
                root = min(path[place[lead] :])
                break
            place[lead] = len(path)
            path.append(lead)
            target = leads[lead].get("merged_into") if lead in leads else None
            if target is None:
                root = lead
                break
            lead = target
        for passed in path:
            roots[passed] = root
    return roots
