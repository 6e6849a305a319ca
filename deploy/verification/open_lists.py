"""Open deals and open leads as the recount lists them, each with what speaks against it.

Owns the recount's own reading of both lists: who is in them, in which order, with which flags. Takes books one after
another, so that a log may be recounted in pieces.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from deploy.verification.durations import percentile
from deploy.verification.facts import PATH, fields_of, of_deal, stays
from deploy.verification.goal_days import Dates, Whose
from deploy.verification.rows import shown
from deploy.verification.shapes import DAY

if TYPE_CHECKING:
    from deploy.verification.books import Books, BoundDefinitions
    from deploy.verification.goals import Actual, Goals

_DAYS = 365
_ENOUGH_STAYS = 20
_ENOUGH_WON = 5
_TIMES = 4
_MOST = Fraction(4, 5)
_MONEY = {"unit": "money"}

Listed = dict[str, dict[str, Any]]
"""Id -> what is shown, in the order of the list."""


class OpenLists:
    """What is open by the books taken so far."""

    def __init__(self, reading: BoundDefinitions) -> None:
        self._reading = reading
        self._terms = reading.terms
        self._first = next(iter(reading.config.pipelines), None)
        """The pipeline of deals that name none."""
        self._deals: list[dict[str, Any]] = []
        self._won: list[tuple[int, str | None, list[dict[str, Any]]]] = []
        """When, in which pipeline, and its stays."""
        self._leads: list[dict[str, Any]] = []

    def take_deals(self, books: Books) -> None:
        """Take in the deals of books that know them wholly."""
        for record in books.records_of("deal"):
            fact = fields_of("deal", record, self._terms) | of_deal(record)
            status = fact.get("status")
            if status == "won" and fact["closed_at"] is not None:
                self._won.append((fact["closed_at"], fact.get("pipeline") or self._first, stays(record)))
            elif status not in ("won", "lost"):
                self._deals.append(fact)

    def take_leads(self, books: Books) -> None:
        """Take in the leads of books that counted them."""
        self._leads += books.open_leads

    # --- deals

    def deals(self, now: int, goals: Goals, actual_of: Actual) -> Listed:
        """The open deals, the largest first."""
        limits, found = self._limits(now), []
        for deal in self._deals:
            amount = self._money(deal.get("amount"), deal.get("currency"), now)
            in_stage, stage = (None, None) if not deal[PATH] or deal[PATH][-1][1] is None else deal[PATH][-1]
            flags = []
            limit = limits.get((deal.get("pipeline") or self._first, stage))
            if in_stage is not None and limit is not None and now - in_stage > limit:
                flags.append("stalled")
            if amount is not None and deal.get("rep") is not None:
                flags += self._flags_of_amount(amount, deal["rep"], now, goals, actual_of)
            if deal.get("next_step_at") is None or deal["next_step_at"] <= now:
                flags.append("no_next_step")
            text = None if amount is None else shown(amount, _MONEY, self._terms.currency)
            order = (amount is None, 0 if text is None else -Fraction(str(text)), deal["id"])
            found.append((order, deal, text, stage, in_stage, flags))
        return {
            deal["id"]: {
                "name": deal.get("name"),
                "rep": deal.get("rep"),
                "team": self._team(deal.get("rep"), now),
                "pipeline": deal.get("pipeline"),
                "stage": stage,
                "amount": text,
                "entered_stage_at": in_stage,
                "next_step_at": deal.get("next_step_at"),
                "flags": flags,
            }
            for _, deal, text, stage, in_stage, flags in sorted(found, key=lambda one: one[0])
        }

    def _flags_of_amount(self, amount: Fraction, rep: str, now: int, goals: Goals, actual_of: Actual) -> list[str]:
        flags, whose, today = [], Whose("rep", rep), self._reading.people.day_of(now)
        metrics = self._terms.definitions.metrics
        if {"average_deal_size", "deals_won"} <= metrics.keys():
            days = Dates(today - timedelta(days=_DAYS - 1), today)
            won, average = (actual_of(name, whose, days) for name in ("deals_won", "average_deal_size"))
            if won is not None and won >= _ENOUGH_WON and average is not None and amount >= _TIMES * average:
                flags.append("at_risk")
        for name, goal in goals.goals.items():
            standing = None
            if metrics[goal.metric]["unit"] == "money" and rep in self._reading.people.roster:
                standing = goals.standing(name, whose, goals.period(name, today), now, actual_of)
            if standing is not None:
                missing = None if standing["actual"] is None else standing["target"] - standing["actual"]
                if missing is not None and missing > 0 and amount > missing / 2:
                    flags.append("concentrated")
                break
        return flags

    def _limits(self, now: int) -> dict[tuple[str | None, Any], Fraction]:
        """Pipeline and stage -> four fifths of the ended stays there of deals won in a year, if there are enough."""
        took: dict[tuple[str | None, Any], list[int]] = defaultdict(list)
        for won_at, pipeline, of_deal_ in self._won:
            if now - _DAYS * DAY < won_at <= now:
                for stay in of_deal_:
                    if stay["left_at"] is not None:
                        took[pipeline, stay["stage"]].append(stay["left_at"] - stay["entered_at"])
        return {place: percentile(sorted(some), _MOST) for place, some in took.items() if len(some) >= _ENOUGH_STAYS}

    # --- leads

    def leads(self, now: int) -> Listed:
        """The open leads, those that came first are first."""
        found = {}
        ordered = sorted(
            self._leads, key=lambda one: (one["received_at"] is None, one["received_at"] or 0, one["lead"])
        )
        for lead in ordered:
            touches = [at for at in lead["touches"] if at <= now]
            since = touches[-1] if touches else lead["received_at"]
            value = self._money(lead["value"], lead["currency"], now)
            flags = []
            if lead["next_step_at"] is None or lead["next_step_at"] <= now:
                flags.append("no_next_step")
            if since is not None and now - since > self._terms.definitions.quiet_after:
                flags.append("quiet")
            is_answered = lead["answered_at"] is not None and lead["answered_at"] <= now
            if lead["due_at"] is not None and lead["due_at"] <= now and not is_answered:
                flags.append("late")
            found[lead["lead"]] = {
                **{name: lead[name] for name in ("name", "rep", "status", "source", "received_at", "next_step_at")},
                "team": self._team(lead["rep"], now),
                "touches": len(touches),
                "last_touch_at": touches[-1] if touches else None,
                "value": None if value is None else shown(value, _MONEY, self._terms.currency),
                "flags": flags,
            }
        return found

    def _team(self, rep: str | None, now: int) -> str | None:
        people = self._reading.people
        return people.team_of(rep, people.day_of(now))

    def _money(self, said: Any, currency: str | None, now: int) -> Fraction | None:
        rate = self._terms.rate(currency, self._reading.people.day_of(now))
        return None if said is None or rate is None else Fraction(str(said)) * rate
