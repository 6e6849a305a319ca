"""Facts that take a lead with all that belongs to it: `lead`, `lead.touches`, `lead.deals`."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

from deploy.verification.conditions import Fact
from deploy.verification.facts import fields_of, of_deal
from deploy.verification.families import Family
from deploy.verification.leads import Clock, LeadRules, Touch
from deploy.verification.records import QUALIFIED, closed_at
from deploy.verification.terms import Terms

LEAD, TOUCHES, DEALS = "lead", "lead.touches", "lead.deals"
COMING = "(coming)"
"""When the first touch comes that is still to come: until then it answers nothing (docs/decisions/0040)."""
FAMILY = "(family)"
"""Beside the fields of a lead: it with all that belongs to it, for metrics of type `response`."""

_LISTED = ("status", "source", "received_at", "next_step_at", "value", "currency")
_ENDED = ("disqualified", "converted", "customer")


class LeadFacts:
    """The facts of one lead."""

    def __init__(self, family: Family, rules: LeadRules, terms: Terms, newest: int | None = None) -> None:
        """`newest`: the newest receipt of the log. A touch of after it is still to come."""
        self._family, self._rules, self._terms, self._newest = family, rules, terms, newest
        self._touches = rules.human_touches(family)
        self._touched = sorted(touch.at for touch in self._touches)
        self._cold = self._cold_ones()

    def lead(self) -> dict[str, Any]:
        """The lead with what follows from its family; whether it counts is the caller's to ask."""
        family = self._family
        root = family.lead
        clock = self._rules.clock(family)
        answered_at = None if clock is None or clock.touch is None else clock.touch.at
        response = None if clock is None else clock.response
        coming_at: int | None = None
        if answered_at is not None and self._newest is not None and answered_at > self._newest:
            coming_at, answered_at, response = answered_at, None, None
        closes = [closed_at(deal) for deal in family.deals if deal.get("status") == "won"]
        won_at = _earliest(closes)
        statuses = [(at, status) for at, _, status in root.history("status")]
        bought_at = _earliest(at for at, status in statuses if status == "customer")
        return fields_of("lead", root, self._terms) | {
            "started_at": None if clock is None else clock.started_at,
            "answered_at": answered_at,
            "answered_by": None if clock is None or clock.touch is None else clock.touch.rep,
            "response": response,
            COMING: coming_at,
            "qualified_at": _earliest(at for at, status in statuses if status in QUALIFIED),
            "won_at": won_at,
            "customer_at": _earliest((won_at, bought_at if root.get("status") == "customer" else None)),
            "first_cold_at": _earliest(touch.at for touch in self._cold),
            "meeting_booked_at": _earliest(
                meeting.get("booked_at") for kind, meeting in family.engaged if kind == "meeting"
            ),
            "deal_at": _earliest(deal.get("created_at") for deal in family.deals),
            "ended_at": _ended_at(statuses),
            FAMILY: family,
        }

    def listed(self, clock: Clock | None) -> dict[str, Any]:
        """What lists of open leads show of it, and the instants that decide on what they say."""
        lead = self._family.lead
        return {
            "lead": self._family.root,
            "rep": self._terms.people.rep(lead.get("rep")),
            "name": lead.get("name") or lead.get("company"),
            **{name: lead.get(name) for name in _LISTED},
            "touches": [touch.at for touch in self._touches],
            "due_at": None if clock is None else clock.due_at,
            "answered_at": None if clock is None or clock.touch is None else clock.touch.at,
        }

    def touches(self) -> Iterator[Fact]:
        """Each attempt of a human."""
        cold = set(self._cold)
        for number, touch in enumerate(self._touches, start=1):
            yield {
                "lead": self._family.root,
                "rep": touch.rep,
                "at": touch.at,
                "kind": touch.kind,
                "number": number,
                "cold": touch in cold,
            }

    def deals(self, lead: Fact) -> Iterator[Fact]:
        """Each deal that names the lead, with the fields of that as `lead.…` where it is known."""
        known = {f"lead.{name}": value for name, value in lead.items()} if self._family.is_known else {}
        for deal in self._family.deals:
            fact = fields_of("deal", deal, self._terms) | of_deal(deal) | known
            yield fact | {"followed": self._followed(fact["closed_at"])}

    def _followed(self, at: int | None) -> bool | None:
        if at is None:
            return None
        since = at - self._terms.definitions.quiet_after
        return bisect_left(self._touched, since) < bisect_right(self._touched, at)

    def _cold_ones(self) -> list[Touch]:
        """Outbound calls to a lead of a bought list before anybody had reached it or heard from it."""
        source = self._family.lead.get("source") if self._family.is_known else None
        if source not in self._terms.definitions.cold_sources:
            return []
        warm_since = _earliest(contact.at for contact in self._rules.human_contacts(self._family))
        outbound = {
            one.id for kind, one in self._family.engaged if kind == "call" and one.get("direction") == "outbound"
        }
        calls = [touch for touch in self._touches if touch.kind == "call" and touch.id in outbound]
        return [touch for touch in calls if warm_since is None or touch.at <= warm_since]


def _earliest(instants: Any) -> int | None:
    return min((at for at in instants if at is not None), default=None)


def _ended_at(statuses: Sequence[tuple[int, Any]]) -> int | None:
    """Since when the status is one that ends a lead."""
    since: int | None = None
    for at, status in statuses:
        since = (at if since is None else since) if status in _ENDED else None
    return since
