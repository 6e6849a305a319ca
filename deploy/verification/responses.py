"""Metrics of type `response`: how soon leads were answered, by any of their clocks."""

import math
from array import array
from collections.abc import Iterator
from datetime import date
from fractions import Fraction
from typing import NamedTuple

from deploy.verification.conditions import Fact, number_in
from deploy.verification.definitions import Entry, duration
from deploy.verification.durations import percentile, share_of
from deploy.verification.lead_facts import FAMILY
from deploy.verification.leads import LeadRules, Timing
from deploy.verification.measures import Counted, Exact, Measure, Sum, Total
from deploy.verification.shapes import DAY, SECOND
from deploy.verification.spans import Span
from deploy.verification.terms import Terms


class Wait(NamedTuple):
    """How long a lead waited, or waits."""

    started_at: int
    limit: int
    answered_at: int | None


class Response(Measure):
    """What is counted of each clock, at its start."""

    def __init__(self, entry: Entry, terms: Terms, rules: LeadRules) -> None:
        super().__init__({"from": "lead", **entry}, terms)
        self._rules = rules
        self._stat = entry["stat"]
        self._within = str(entry.get("within", "sla"))

    def _of(self, fact: Fact) -> Iterator[Counted]:
        family = fact[FAMILY]
        for timing in self._rules.timings(family, self.entry.get("clock"), self.entry.get("stop")):
            on = self.terms.people.day_of(timing.started_at)
            wait = Wait(timing.started_at, self._limit(timing), timing.answered_at)
            if timing.taken_at is not None and timing.taken_at < wait.limit:
                continue  # before it was due
            if self._stat == "missed":
                yield from self._missed(fact, timing, wait, on)
                continue
            yield Counted(self, timing.owner, timing.started_at, on, wait, fact, ends=timing.answered_at)
            if timing.answered_at is not None:
                yield Counted(self, timing.counts_for, timing.started_at, on, wait, fact, begins=timing.answered_at)

    def _limit(self, timing: Timing) -> int:
        if self._within == "sla":
            return timing.due_at
        if self._within == "missed_after":
            return timing.started_at + self.terms.config.lead_response.missed_after
        return timing.started_at + duration(self._within)

    def _missed(self, fact: Fact, timing: Timing, wait: Wait, on: date) -> Iterator[Counted]:
        if wait.answered_at is not None and wait.answered_at <= wait.limit:
            return
        worth: int | Fraction | None = 1
        if self.entry.get("value") is not None:
            number = number_in(fact, str(self.entry["value"])) or Fraction(0)
            worth = self.in_money(fact, number, on) if self.entry.get("unit") == "money" else number
        if worth is not None:
            yield Counted(self, timing.owner, timing.started_at, on, worth, fact, begins=wait.limit)

    def empty(self, span: Span) -> Sum:
        unit = DAY if self.entry.get("unit") == "days" else SECOND
        return Total() if self._stat == "missed" else Waits(self._stat, span.now, unit)


class Waits(Sum):
    """Answers, and what is still due."""

    def __init__(self, stat: str, now: int, unit: int) -> None:
        self._stat, self._now, self._unit = stat, now, unit
        self._responses = array("q")
        self._overdue_since = array("q")
        self._within = 0

    def add(self, counted: Counted) -> None:
        wait: Wait = counted.what
        if counted.begins is not None:
            self._responses.append(max(0, counted.begins - wait.started_at))
            self._within += counted.begins <= wait.limit
        elif self._now >= wait.limit:
            self._overdue_since.append(wait.started_at)

    @property
    def _due(self) -> int:
        return len(self._responses) + len(self._overdue_since)

    def value(self) -> Exact:
        if self._stat == "due":
            return self._due
        if self._stat == "answered":
            return len(self._responses)
        if self._stat == "within":
            return Fraction(self._within, self._due) if self._due else None
        if self._stat == "mean":
            size = len(self._responses)
            return Fraction(sum(self._responses), size * self._unit) if size else None
        return self._at_rank() if self._is_known else None

    def bound(self) -> Exact:
        return None if share_of(self._stat) is None or not self._due or self._is_known else self._at_rank()

    @property
    def _is_known(self) -> bool:
        """Whether the percentile falls on leads that were answered."""
        share = share_of(self._stat)
        return share is not None and self._due > 0 and math.ceil(share * (self._due - 1)) < len(self._responses)

    def _at_rank(self) -> Fraction:
        responses = sorted(self._responses)
        # Nobody knows yet how long the unanswered ones will take, only that it is longer than this.
        longest = responses[-1] if responses else 0
        at_least = [*responses, *sorted(max(self._now - since, longest) for since in self._overdue_since)]
        return percentile(at_least, share_of(self._stat) or Fraction(0)) / self._unit
