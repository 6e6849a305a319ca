"""Lead clocks: what `lead-clocks` says of each lead.

Owns the shape, and the state of a clock at an instant. Does not derive clocks (processor/core/responses.py).
"""

import msgspec

from schemas.calendars import BusinessCalendar

QUALIFIED = frozenset({"qualified", "converted", "customer"})
"""Statuses with which a lead is qualified at least."""

ENDED = frozenset({"disqualified", "converted", "customer"})
"""Statuses with which a lead has ended."""


class HolderClock(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How long one owner of a lead took, while they held it. It runs beside the lead's own clock."""

    rep: str
    since: int
    until: int | None
    """When the lead went to somebody else, or to nobody; None: they hold it still."""
    answered_at: int | None = None
    """Their own first qualifying touch in that time."""

    def time_held(self, now: int) -> int:
        """Microseconds until they answered, else until the lead was taken from them, else until now."""
        end = self.answered_at if self.answered_at is not None else self.until
        return max(0, (now if end is None else end) - self.since)


class Inquiry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A later clock: the lead wrote or called again after an answer."""

    started_at: int
    record: str
    """The mail or call that started it, `kind|id`."""
    due_at: int
    answered_at: int | None = None
    touch: str | None = None
    touch_rep: str | None = None
    business_response: int | None = None
    """None without an answer or a calendar."""

    def seen_at(self, now: int) -> "Inquiry":
        """The same without an answer that is still to come."""
        if self.answered_at is None or self.answered_at <= now:
            return self
        return Inquiry(self.started_at, self.record, self.due_at)


class LeadClock(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The first clock of one lead, and those that run beside it. Instants and durations in microseconds."""

    lead: str
    rep: str | None
    """The lead's owner now, under the roster's id."""
    source: str | None
    status: str | None
    started_at: int | None
    due_at: int | None
    """On the rule's clock: the first instant at which the whole SLA has gone."""
    sla: int
    answered_at: int | None = None
    """The touch that stopped it; it may lie before the start."""
    touch: str | None = None
    """Its record, `kind|id`."""
    touch_rep: str | None = None
    merged_into: str | None = None
    """The root that this lead's start and touches count for, if it is merged away."""
    team: str | None = None
    """Of the owner, on the day of the start."""
    calendar: str | None = None
    """The team's calendar, on which business time is counted."""
    is_business: bool = False
    """Whether the SLA runs on business time."""
    warn_at: int | None = None
    escalate_at: int | None = None
    business_response: int | None = None
    """None without an answer or a calendar."""
    assigned_at: int | None = None
    assigned_response: int | None = None
    """As seen by the owner: from the assignment to the answer."""
    assigned_business_response: int | None = None
    attempted_at: int | None = None
    """The first attempt, contact and qualification, whichever of them stops the clock."""
    contacted_at: int | None = None
    qualified_at: int | None = None
    automated_at: int | None = None
    """The first automated mail to the lead; it answers only where so configured."""
    holders: tuple[HolderClock, ...] = ()
    """One owner after the other."""
    inquiries: tuple[Inquiry, ...] = ()
    """Oldest first; of very many only the newest."""
    name: str | None = None
    """Of whom, or of which company: what lists show."""
    received_at: int | None = None
    touches: int = 0
    """Attempts by a human, but for those to come."""
    last_touch_at: int | None = None
    """When the last one of these was."""
    next_step_at: int | None = None
    value: str | None = None
    currency: str | None = None
    touches_to_come: tuple[int, ...] = ()
    """Attempts that lie after the newest receipt, the earliest first: whoever reads it says which have come."""

    def touches_by(self, now: int) -> tuple[int, int | None]:
        """How many attempts by a human there were at `now`, and when the last one was."""
        come = [at for at in self.touches_to_come if at <= now]
        return self.touches + len(come), come[-1] if come else self.last_touch_at

    @property
    def is_open(self) -> bool:
        """Whether it has not ended, and was not merged into another."""
        return self.merged_into is None and self.status not in ENDED

    @property
    def is_undecided(self) -> bool:
        """Whether the clock runs, or ran until its answer: not merged away, and nobody has decided on the lead."""
        return self.started_at is not None and self.merged_into is None and self.status in {None, "new"}

    @property
    def is_unanswered(self) -> bool:
        """Whether the clock runs and nobody knows of an answer, not of one to come either."""
        return self.answered_at is None and self.is_undecided

    def is_waiting(self, now: int) -> bool:
        """Whether nobody has answered at `now`. A touch that lies in the future stops nothing until its instant."""
        return self.is_undecided and (self.answered_at is None or self.answered_at > now)

    def seen_at(self, now: int) -> "LeadClock":
        """The clock as it is at `now`: without the touches that are still to come, as if nobody knew of them.

        What is served of a lead is read off this; the clock itself depends on the records alone.
        """
        told = [self.answered_at, self.attempted_at, self.contacted_at, self.qualified_at, self.automated_at]
        told += [holder.answered_at for holder in self.holders]
        told += [at for inquiry in self.inquiries for at in (inquiry.started_at, inquiry.answered_at)]
        if not any(at is not None and at > now for at in told):
            return self
        replace = msgspec.structs.replace
        seen = replace(
            self,
            attempted_at=_past(self.attempted_at, now),
            contacted_at=_past(self.contacted_at, now),
            qualified_at=_past(self.qualified_at, now),
            automated_at=_past(self.automated_at, now),
            holders=tuple(replace(held, answered_at=_past(held.answered_at, now)) for held in self.holders),
            inquiries=tuple(inquiry.seen_at(now) for inquiry in self.inquiries if inquiry.started_at <= now),
        )
        if _past(self.answered_at, now) is not None:
            return seen
        return replace(
            seen, answered_at=None, touch=None, touch_rep=None, business_response=None, assigned_response=None,
            assigned_business_response=None,
        )  # fmt: skip

    @property
    def response(self) -> int | None:
        """Microseconds from start to answer; a touch before the start counts as 0."""
        if self.answered_at is None or self.started_at is None:
            return None
        return max(0, self.answered_at - self.started_at)

    @property
    def is_within_sla(self) -> bool | None:
        """Whether it was answered before or when it was due; None without an answer."""
        if self.answered_at is None or self.due_at is None:
            return None
        return self.answered_at <= self.due_at

    @property
    def is_touched_before(self) -> bool:
        """Whether the answer was there before the clock started."""
        return self.answered_at is not None and self.started_at is not None and self.answered_at < self.started_at

    def business_waiting(self, calendars: dict[str, BusinessCalendar], now: int) -> int | None:
        """Business time from the start to the answer, else to `now`; None where the team has no calendar."""
        calendar = None if self.calendar is None else calendars.get(self.calendar)
        if calendar is None or self.started_at is None:
            return None
        return calendar.between(self.started_at, now if self.answered_at is None else min(now, self.answered_at))

    def state(self, now: int, warn_at: float) -> str:
        """`waiting`, `warned`, `breached`; `answered`, `merged`; or `closed` (decided without an answer)."""
        if self.merged_into is not None:
            return "merged"
        if self.answered_at is not None and self.answered_at <= now:
            return "answered"
        if not self.is_undecided or self.due_at is None:
            return "closed"
        if now >= self.due_at:
            return "breached"
        return "warned" if now >= self.warned_at(warn_at) else "waiting"

    def warned_at(self, warn_at: float) -> int:
        """When it is called warned: as the clock itself says, else at this share of the SLA in elapsed time."""
        return self.warn_at if self.warn_at is not None else (self.started_at or 0) + int(self.sla * warn_at)


def _past(at: int | None, now: int) -> int | None:
    return None if at is None or at > now else at


encode_clock = msgspec.msgpack.Encoder().encode
decode_clock = msgspec.msgpack.Decoder(LeadClock).decode
