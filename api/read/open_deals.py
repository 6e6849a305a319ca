"""Deals and leads that have not ended, with what speaks against each: flags.

Owns the flags, the order and the forms of what is served. Pure: `now` is an argument.
"""

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Literal

from api.read.rows import instant_or_none
from api.read.view import View, rep_scope
from schemas.catalogue import money_digits
from schemas.catalogue.base import Exact, write_money
from schemas.config.rules import rules_of
from schemas.deals import DealCard
from schemas.instants import SECOND, format_instant
from schemas.json_object import Json
from schemas.leads import LeadClock
from schemas.money import in_money
from schemas.windows import Span
from schemas.wins import ListKey

DealFlag = Literal["stalled", "at_risk", "no_next_step", "concentrated"]
LeadFlag = Literal["no_next_step", "quiet", "late"]

DAYS = 365
TIMES = 4
"""A deal of so many times the rep's average is at risk,"""
ENOUGH_WON = 5
"""if they have won so many."""
_NO_AMOUNT = 2**62
_NEVER = 2**62


class OpenDeals:
    """The open deals of a view, as of an instant."""

    def __init__(self, view: View, now: int) -> None:
        self._view = view
        self._now = now
        self._today = view.calendar.day_of(now)
        self._digits = money_digits(view.config.organisation.currency)
        self._rates = dict(rules_of(view.config).rates)
        self._large_from: Callable[[str], Exact] = cache(self._find_large_from)
        self._missing: Callable[[str], Exact] = cache(self._find_missing)

    def key(self, deal: DealCard) -> ListKey:
        """Where it stands in the list: the largest amount first, those without one last; of equals by id."""
        amount = self.amount(deal)
        if amount is None:
            return _NO_AMOUNT, deal.deal
        return max(1 - _NO_AMOUNT, -round(amount * 10**self._digits)), deal.deal

    def amount(self, deal: DealCard) -> Fraction | None:
        """In the organisation's currency, by today's rate; None without amount or rate."""
        return in_money(deal.amount, deal.currency, self._rates, self._now)

    def flags(self, deal: DealCard) -> list[DealFlag]:
        """What speaks against it."""
        amount, rep = self.amount(deal), deal.rep
        found: list[DealFlag] = []
        if self._is_stalled(deal):
            found.append("stalled")
        if amount is not None and rep is not None:
            large_from, missing = self._large_from(rep), self._missing(rep)
            if large_from is not None and amount >= large_from:
                found.append("at_risk")
            if missing is not None and missing > 0 and amount * 2 > missing:
                found.append("concentrated")
        if _is_over(deal.next_step_at, self._now):
            found.append("no_next_step")
        return found

    def row(self, deal: DealCard) -> Json:
        """As REST shows it."""
        view, amount = self._view, self.amount(deal)
        entered_at = deal.entered_stage_at
        return {
            "deal": deal.deal,
            "name": deal.name,
            "rep": deal.rep,
            "rep_name": None if deal.rep is None else view.roster.name_of(deal.rep),
            "team": view.roster.team_on(deal.rep, self._today),
            "pipeline": deal.pipeline,
            "stage": deal.stage,
            "amount": None if amount is None else write_money(amount, self._digits),
            "currency": view.config.organisation.currency,
            "entered_stage_at": None if entered_at is None else format_instant(entered_at),
            "age_seconds": None if entered_at is None else max(0, self._now - entered_at) // SECOND,
            "next_step_at": None if deal.next_step_at is None else format_instant(deal.next_step_at),
            "flags": self.flags(deal),
        }

    def _is_stalled(self, deal: DealCard) -> bool:
        if deal.stage is None or deal.entered_stage_at is None:
            return False
        limit = self._view.deals.stalled_after(deal.pipeline, deal.stage, self._now)
        return limit is not None and self._now - deal.entered_stage_at > limit

    def _find_large_from(self, rep: str) -> Exact:
        """The amount from which on a deal of a rep is at risk; None: they have won too few to say."""
        view = self._view
        if not {"average_deal_size", "deals_won"} <= view.catalogue.keys():
            return None
        span = Span("", days=True, first=self._today - DAYS + 1, last=self._today)
        pane = view.merged(rep_scope(rep), span, self._now, view.cells_of(["deals_won", "average_deal_size"]))
        won, average = (view.exact(name, pane, self._now) for name in ("deals_won", "average_deal_size"))
        return None if average is None or won is None or won < ENOUGH_WON else average * TIMES

    def _find_missing(self, rep: str) -> Exact:
        """What a rep misses of their first goal of money in its current period; None: they have none."""
        view = self._view
        for name, goal in view.goals.goals.items():
            if goal.metric in view.money:
                found = view.goals.standing(name, rep_scope(rep), view.goals.period(name, self._today), self._now)
                if found is not None:
                    return None if found.actual is None or found.target is None else found.target - found.actual
        return None


class OpenLeads:
    """The leads of a view that have not ended, as of an instant."""

    def __init__(self, view: View, now: int) -> None:
        self._view = view
        self._now = now
        self._digits = money_digits(view.config.organisation.currency)
        self._rates = dict(rules_of(view.config).rates)

    @staticmethod
    def key(lead: LeadClock) -> ListKey:
        """Where it stands in the list: who has been there longest first; of equals by id."""
        return _NEVER if lead.received_at is None else lead.received_at, lead.lead

    def flags(self, lead: LeadClock) -> list[LeadFlag]:
        """What speaks against it."""
        now, (_, last_touch_at) = self._now, lead.touches_by(self._now)
        since = lead.received_at if last_touch_at is None else last_touch_at
        found: list[LeadFlag] = []
        if _is_over(lead.next_step_at, now):
            found.append("no_next_step")
        if since is not None and since < now - self._view.config.defined.quiet_after:
            found.append("quiet")
        is_answered = lead.answered_at is not None and lead.answered_at <= now
        if lead.due_at is not None and lead.due_at <= now and not is_answered:
            found.append("late")
        return found

    def row(self, lead: LeadClock) -> Json:
        """As REST shows it."""
        view = self._view
        value = in_money(lead.value, lead.currency, self._rates, self._now)
        touches, last_touch_at = lead.touches_by(self._now)
        return {
            "lead": lead.lead,
            "name": lead.name,
            "rep": lead.rep,
            "rep_name": None if lead.rep is None else view.roster.name_of(lead.rep),
            "team": view.roster.team_on(lead.rep, view.calendar.day_of(self._now)),
            "status": lead.status,
            "source": lead.source,
            "received_at": instant_or_none(lead.received_at),
            "touches": touches,
            "last_touch_at": instant_or_none(last_touch_at),
            "next_step_at": instant_or_none(lead.next_step_at),
            "value": None if value is None else write_money(value, self._digits),
            "currency": view.config.organisation.currency,
            "flags": self.flags(lead),
        }


def _is_over(at: int | None, now: int) -> bool:
    return at is None or at <= now
