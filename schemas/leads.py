"""Lead clocks: what `lead-clocks` says of each lead.

Owns the shape, and the state of a clock at an instant. Does not derive clocks (processor/core/responses.py).
"""

import msgspec


class LeadClock(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The first clock of one lead. Instants and durations in microseconds."""

    lead: str
    rep: str | None
    """The lead's owner now, under the roster's id."""
    source: str | None
    status: str | None
    started_at: int | None
    due_at: int | None
    sla: int
    answered_at: int | None = None
    """The touch that stopped it; it may lie before the start."""
    touch: str | None = None
    """Its record, `kind|id`."""
    touch_rep: str | None = None
    merged_into: str | None = None
    """The root that this lead's start and touches count for, if it is merged away."""

    @property
    def is_waiting(self) -> bool:
        """No answer, not merged away, and nobody has decided on the lead."""
        return (
            self.answered_at is None
            and self.started_at is not None
            and self.merged_into is None
            and self.status in {None, "new"}
        )

    @property
    def response(self) -> int | None:
        """Microseconds from start to answer; a touch before the start counts as 0."""
        if self.answered_at is None or self.started_at is None:
            return None
        return max(0, self.answered_at - self.started_at)

    def state(self, now: int, warn_at: float) -> str:
        """`waiting`, `warned`, `breached`; `answered`, `merged`; or `closed` (decided without an answer)."""
        if self.merged_into is not None:
            return "merged"
        if self.answered_at is not None:
            return "answered"
        if not self.is_waiting or self.started_at is None or self.due_at is None:
            return "closed"
        if now >= self.due_at:
            return "breached"
        return "warned" if now >= self.warned_at(warn_at) else "waiting"

    def warned_at(self, warn_at: float) -> int:
        """The instant at which this share of the SLA has gone."""
        return (self.started_at or 0) + int(self.sla * warn_at)


encode_clock = msgspec.msgpack.Encoder().encode
decode_clock = msgspec.msgpack.Decoder(LeadClock).decode
