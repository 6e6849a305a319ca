"""The rows that the group of a lead makes: the lead, each touch by a human, each deal that names it.

Owns what their fields mean beyond the lead's clock (responses.py). A lead that nobody has spoken of, or that is
deleted, has touches and deals all the same; then nothing is known of the lead itself.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from processor.core.deals import FactRow
from processor.core.definitions import Definitions
from processor.core.facts import CurrentValues, earliest
from processor.core.paths import deal_rows, lead_rows
from processor.core.plan import Contribution
from processor.core.side_clocks import Timing, Touch
from processor.core.touches import human_attempt_at, human_contact_at
from schemas.leads import ENDED, QUALIFIED, LeadClock
from schemas.records import MERGED, NAMED, Record

_JOINED = {kind: f"lead/{kind}" for kind, pointers in NAMED.items() if "lead" in pointers}
"""Kinds that name a lead -> the fact of such a record together with its lead."""


@dataclass(frozen=True)
class LeadFacts:
    """All that a root lead's group knows, as rows."""

    lead: str
    whole: Record | None
    """The lead with what it has of those merged into it; None while it is unknown."""
    clock: LeadClock | None
    related: Mapping[str, CurrentValues]
    definitions: Definitions
    log_at: int
    """The newest receipt seen (microseconds). An answer of after it may be still to come for a reader."""
    timings: Mapping[str, Sequence[Timing]] = field(default_factory=dict)
    """Fact -> the clocks that it has a row for."""
    uncounted: Collection[str] = ()
    """Keys of what touched the lead and is no row beside it: calls of which another connection's count, and mails of
    another lead, or of none, that went to it too."""

    def contributions(self) -> list[Contribution]:
        """What all rows count for."""
        counting = self.definitions.counting
        programs = counting.plan.programs
        found: list[Contribution] = []
        if self.whole is not None:
            found += counting.of_row("lead", self.lead_row.get)
        for fact, timings in self.timings.items():
            for timing in timings:
                found += counting.of_row(fact, self._clock_row(timing).get)
        if "lead.touches" in programs:
            for touch in self.touch_rows:
                found += counting.of_row("lead.touches", touch.get)
        if "lead.deals" in programs:
            for deal in self.deal_rows():
                found += counting.of_row("lead.deals", deal.get)
        if self.related and any(fact in programs for fact in _JOINED.values()):
            for kind, record in self.joined_rows():
                found += counting.of_row(_JOINED[kind], record.get)
        found += self._of_funnels()
        return found

    def _of_funnels(self) -> Iterator[Contribution]:
        counting = self.definitions.counting
        for path in counting.lead_paths if self.whole is not None else ():
            for entry in lead_rows(path, self.lead_row, [deal.get("status") for deal in self._deals]):
                yield from counting.of_row(path.fact, entry.get)
        for path in counting.joined_paths:
            for known in self._deals:
                row = {**self.definitions.with_people(known.values), **self._of_lead}
                for entry in deal_rows(path, row, known.stays):
                    yield from counting.of_row(path.joined, entry.get)

    def joined_rows(self) -> Iterator[tuple[str, FactRow]]:
        """Kind and row of each record that names the lead, or one merged into it, with the fields of the lead."""
        for key, record in sorted(self.related.items()):
            if not record.is_deleted and record.get(MERGED) is None and key not in self.uncounted:
                yield record.kind, {**self.definitions.with_people(record.values), **self._of_lead}

    @cached_property
    def _of_lead(self) -> FactRow:
        known = {} if self.whole is None else self.lead_row
        return {f"lead.{name}": value for name, value in known.items()}

    @cached_property
    def lead_row(self) -> FactRow:
        """Of a lead that is known."""
        whole, clock = self.whole, self.clock
        if whole is None or clock is None:
            return {}
        won_at = earliest(deal.get("closed_at") for deal in self._deals if deal.get("status") == "won")
        return {
            **whole.values(),
            **self._of_clock(clock.started_at, clock.due_at, clock.answered_at, clock.rep, clock.touch_rep),
            "qualified_at": _first_status(whole, QUALIFIED),
            "won_at": won_at,
            "customer_at": earliest((won_at, self._became_customer_at(whole))),
            "first_cold_at": self._first_cold_at,
            "meeting_booked_at": self._first_of("meeting", "booked_at"),
            "deal_at": earliest(deal.get("created_at") for deal in self._deals),
            "ended_at": _ended_at(whole),
        }

    def _clock_row(self, timing: Timing) -> FactRow:
        """The same by another clock."""
        return {**self.lead_row, **self._of_clock(*timing)}

    def _of_clock(
        self, started_at: int | None, due_at: int | None, answered_at: int | None, rep: str | None, by: str | None,
        taken_at: int | None = None,
    ) -> FactRow:  # fmt: skip
        # A touch that is still to come answers nothing yet: the reader's clock decides.
        is_coming = answered_at is not None and answered_at > self.log_at
        answer = None if is_coming or started_at is None else answered_at
        return {
            "rep": rep,
            "started_at": started_at,
            "due_at": due_at,
            "answered_by": by,
            "taken_at": taken_at,
            "coming_at": answered_at if is_coming else None,
            "answered_at": answer,
            "response": None if answer is None or started_at is None else max(0, answer - started_at),
            "within_sla": None if answer is None or due_at is None else answer <= due_at,
        }

    @property
    def _first_cold_at(self) -> int | None:
        if not self.definitions.cold_sources:
            return None
        return next((touch["at"] for touch in self.touch_rows if touch["cold"]), None)

    @cached_property
    def touch_rows(self) -> list[FactRow]:
        """Attempts by a human, the earliest first."""
        if not self._touches:
            return []
        source = None if self.whole is None else self.whole.get("source")
        is_cold_source = source in self.definitions.cold_sources
        return [
            {
                "lead": self.lead,
                "rep": touch.rep,
                "at": touch.at,
                "kind": touch.record.partition("|")[0],
                "number": number,
                "cold": is_cold_source and self._is_outbound_call(touch) and not self._is_reached_before(touch.at),
            }
            for number, touch in enumerate(self._touches, 1)
        ]

    def deal_rows(self) -> Iterator[FactRow]:
        """Deals that name the lead, or one merged into it."""
        for deal in self._deals:
            yield {**self.definitions.with_people(deal.values), "followed": self._is_followed(deal), **self._of_lead}

    def _is_followed(self, deal: CurrentValues) -> bool:
        """Whether a human touched the lead in the time before the deal closed."""
        closed_at = deal.get("closed_at")
        if closed_at is None:
            return False
        after = bisect_left(self._touched_at, closed_at - self.definitions.quiet_after)
        return after < len(self._touched_at) and self._touched_at[after] <= closed_at

    @cached_property
    def _touched_at(self) -> list[int]:
        """In order: there may be as many deals as touches, so not each is compared with each."""
        return [touch.at for touch in self._touches]

    @cached_property
    def _deals(self) -> list[CurrentValues]:
        if not self.related:
            return []
        return [
            record
            for _, record in sorted(self.related.items())
            if record.kind == "deal" and not record.is_deleted and record.get(MERGED) is None
        ]

    @cached_property
    def _touches(self) -> list[Touch]:
        if not self.related:
            return []
        person = self.definitions.person
        found = [
            Touch(at, key, person(record.get("rep")))
            for key, record in self.related.items()
            if (at := human_attempt_at(record, self.definitions)) is not None
        ]
        return sorted(found, key=lambda touch: touch[:2])

    @cached_property
    def _reached_at(self) -> int | None:
        """When the lead and a human of ours first met, whoever began."""
        return earliest(human_contact_at(record, self.definitions) for record in self.related.values())

    def _is_reached_before(self, at: int) -> bool:
        return self._reached_at is not None and self._reached_at < at

    def _is_outbound_call(self, touch: Touch) -> bool:
        record = self.related[touch.record]
        return record.kind == "call" and record.get("direction") == "outbound"

    def _first_of(self, kind: str, name: str) -> int | None:
        """The earliest such instant of what counts."""
        return earliest(
            record.get(name)
            for record in self.related.values()
            if record.kind == kind and not record.is_deleted and record.get("internal") is not True
        )

    def _became_customer_at(self, whole: Record) -> int | None:
        return _first_status(whole, {"customer"}) if whole.get("status") == "customer" else None


def _first_status(lead: Record, wanted: frozenset[str] | set[str]) -> int | None:
    """When it first had one of these."""
    return next((changed_at for changed_at, _, status in lead.history("status") if status in wanted), None)


def _ended_at(lead: Record) -> int | None:
    """Since when its status is one with which it has ended; None while it goes on."""
    since: int | None = None
    for changed_at, _, status in lead.history("status"):
        if status not in ENDED:
            since = None
        elif since is None:
            since = changed_at
    return since
