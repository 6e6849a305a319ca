"""How fast a lead wants an answer.

Owns which rule is for which lead, and the times in it. Does not measure: the lead clock does.
"""

from fractions import Fraction
from functools import lru_cache
from math import ceil
from typing import Annotated, Literal

from pydantic import Field, field_validator

from schemas.documents.values import DurationSetting, DurationText, Model, Real, ranging
from schemas.instants import DAY, HOUR, parse_duration


class RuleCondition(Model):
    """What a lead must be for an SLA rule to hold; a list means any of them."""

    source: str | list[str] | None = None
    """Where the lead came from, as its record says it."""
    team: str | list[str] | None = None
    """The team of the lead's owner on the day the clock started."""

    def holds(self, source: str | None, team: str | None) -> bool:
        """Whether a lead of that source, of an owner in that team, is meant."""
        return _is_among(source, self.source) and _is_among(team, self.team)


def _is_among(value: str | None, wanted: str | list[str] | None) -> bool:
    return wanted is None or value in ([wanted] if isinstance(wanted, str) else wanted)


class SlaRule(Model):
    """How fast a lead has to be answered."""

    when: RuleCondition = RuleCondition()
    sla: Annotated[DurationSetting, ranging("must be at most 366d", most=366 * DAY)]
    """Answered later than this after the clock's start, a lead is breached; at most `366d`."""
    clock: Literal["elapsed", "business"] = "elapsed"
    """`business`: the calendar of the owner's team, else `organisation.calendar`; elapsed where both are missing."""


_AN_HOUR = SlaRule.model_validate({"sla": "1h"})


class LeadResponse(Model):
    """When a lead's clock starts, what stops it, and how long it may run."""

    start: Literal["received", "assigned", "reassigned"] = "received"
    """`reassigned`: since its owner has had it."""
    stop: Literal["attempt", "contact", "qualified"] = "attempt"
    """`attempt`: the first touch of ours; `contact`: the first talk, held meeting or mail of the lead; `qualified`."""
    automated: Literal["exclude", "include"] = "exclude"
    """Whether what a machine sends or dials answers a lead too."""
    responder: Literal["anyone", "owner", "team"] = "anyone"
    """Whose touch stops the clock: `owner` who held the lead at that instant, `team` somebody of that owner's team."""
    credit: Literal["sender", "owner"] = "sender"
    """For whom an answer counts: who gave it, or the lead's owner."""
    before_start: Literal["zero", "exclude"] = "zero"
    """A touch before the start: an answer in 0 seconds, or none."""
    warn_at: Real = Field(default=0.75, gt=0, lt=1)
    """Of the SLA, on the rule's clock."""
    escalate_after: DurationSetting = 2 * HOUR
    """After the start, on the rule's clock; never before the lead is due."""
    missed_after: DurationSetting = 7 * DAY
    """So long after its start a lead without an answer is missed, whatever comes later."""
    response_bands: list[DurationText] | None = Field(default=None, min_length=1, max_length=50)
    """The dimension `response_band` of the metrics that are shipped: 5m, 15m, 1h unless said."""
    rules: list[SlaRule] = Field(default_factory=list, max_length=200)
    """The first that matches a lead holds; where none does, it is an hour on the elapsed clock."""

    @field_validator("response_bands")
    @classmethod
    def _ascending(cls, bands: list[str] | None) -> list[str] | None:
        sizes = [parse_duration(band) for band in bands or ()]
        if sizes != sorted(set(sizes)):
            raise ValueError("must ascend")
        return bands

    def rule(self, source: str | None, team: str | None) -> SlaRule:
        """The first rule that matches; an hour of elapsed time where none does."""
        return next((rule for rule in self.rules if rule.when.holds(source, team)), _AN_HOUR)

    def warn_after(self, sla: int) -> int:
        """How much of this SLA may go before the warning, in whole microseconds."""
        return _share_of(self.warn_at, sla)

    @property
    def needs_calendars(self) -> bool:
        """Whether any rule runs on business time."""
        return any(rule.clock == "business" for rule in self.rules)


@lru_cache(1024)
def _share_of(share: float, duration: int) -> int:
    # Every lead asks, and there are as many answers as rules: to work one out takes 6 µs.
    return ceil(Fraction(str(share)) * duration)
