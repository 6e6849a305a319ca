"""The books: everything that counts by the records, and the rows and clocks read off them at any instant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

from deploy.verification import customer_facts, lead_facts, matches, thread_facts
from deploy.verification.conditions import Fact
from deploy.verification.definitions import Definitions, shipped
from deploy.verification.facts import SINGLE, facts_of
from deploy.verification.families import families
from deploy.verification.formulas import Formulas
from deploy.verification.lead_facts import LeadFacts
from deploy.verification.leads import Clock, LeadRules
from deploy.verification.measures import REP_DAYS, Counted, Exact, Measure
from deploy.verification.people import People
from deploy.verification.records import Record, RecordsByKind, countable
from deploy.verification.rep_days import RepDays
from deploy.verification.rows import Tally
from deploy.verification.shapes import LeadClock, RecountedRows, RecountedWindow, Row
from deploy.verification.spans import Span, span_of
from deploy.verification.terms import Terms

if TYPE_CHECKING:
    from schemas.config import Config


class BoundDefinitions:
    """The definitions under a configuration, and the people whom everything is read by."""

    def __init__(self, config: Config, reps: RecordsByKind, definitions: Definitions | None = None) -> None:
        """`reps`: the records of kind `rep` and `absence`, among others perhaps."""
        kept = countable(reps)
        self.config = config
        self.people = People(config, kept.get("rep", []))
        self.terms = Terms(config, self.people, shipped() if definitions is None else definitions)
        self.lead_rules = LeadRules(self.terms)
        self.formulas = Formulas(self.terms.definitions, self.terms, self.lead_rules)
        self.rep_days = RepDays(self.terms, kept.get("absence", []))
        self.by_source: dict[str, list[Measure]] = defaultdict(list)
        for measure in self.formulas.leaf_of:
            for source in measure.sources:
                self.by_source[source].append(measure)

    @property
    def teams(self) -> list[str]:
        """The configuration's teams, and those that a `rep` record names or named."""
        named = {team for moves in self.people.moves.values() for _, team in moves if team is not None}
        return sorted({*self.config.teams, *named})

    def span(self, window: RecountedWindow | Span, now: int) -> Span:
        """Give what a window holds at an instant; a span is one already."""
        if isinstance(window, Span):
            return window
        return span_of(window, now, self.people.day_of, self.config.organisation.week_starts)

    def team_of(self, counted: Counted, span: Span) -> str | None:
        """In whose numbers it is, beside the rep's: of what lasts, by the day at the window's end."""
        return self.people.team_of(counted.rep, span.seen_on if counted.day is None else counted.day)

    def days_of(self, first: date, last: date) -> Iterator[Counted]:
        """Give what counts of people and days: that is made when it is asked for."""
        measures = self.by_source.get(REP_DAYS)
        if measures:
            for fact in self.rep_days.between(first, last):
                for measure in measures:
                    yield from measure.of(fact)


class Books:
    """All that counts; rows and clocks are read off it at any `now`. Made by `recount`, which says what to count."""

    def __init__(
        self,
        records: RecordsByKind,
        reading: BoundDefinitions,
        *,
        first_day: date = date.min,
        newest: int | None = None,
    ) -> None:
        """What happened before `first_day` counts nowhere. `newest`: the newest receipt of the log; None: after all."""
        self._newest = newest
        self.reading = reading
        self._terms, self._lead_rules = reading.terms, reading.lead_rules
        self._first_day = first_day
        self.repeated = matches.repeated(records, reading.terms)
        """Ids of calls that count in no metric of calls."""
        self._kept = countable(records)
        self.counted: list[Counted] = []
        self._clocks: list[Clock] = []
        self.going_on: set[str] = set()
        """The leads that have not ended."""
        self.open_leads: list[dict[str, Any]] = []
        """What lists of open leads show of each, before anybody asks how it looks at an instant."""
        self.leads: dict[str, Fact] = {}
        """A lead's facts by its id and by those of the leads merged into it."""

    # --- reading

    def metrics(self, *, now: int, window: RecountedWindow, rep: str | None = None, team: str | None = None) -> Row:
        """Give the row of a rep or of a team; that of the organisation where neither is named."""
        return self._tally(now, window, rep, team).row()

    def value(
        self, metric: str, *, now: int, window: RecountedWindow | Span, rep: str | None = None, team: str | None = None
    ) -> Exact:
        """Give one value as it is before it is rounded."""
        return self._tally(now, window, rep, team).value(metric)

    def rows(self, *, now: int, window: RecountedWindow) -> RecountedRows:
        """Give the rows of the organisation, of every team and of every rep, also of those who did nothing."""
        span = self.reading.span(window, now)
        organisation = Tally(self.reading.formulas, span)
        by_team = {team: Tally(self.reading.formulas, span) for team in self.reading.teams}
        by_rep = {rep: Tally(self.reading.formulas, span) for rep in self.reps}
        for counted in self.within(span):
            organisation.add(counted)
            if counted.rep is not None:
                by_rep[counted.rep].add(counted)
            team = self.reading.team_of(counted, span)
            if team is not None:
                by_team[team].add(counted)
        return {
            "organisation": organisation.row(),
            "teams": {team: tally.row() for team, tally in by_team.items()},
            "reps": {rep: tally.row() for rep, tally in by_rep.items()},
            "idle": Tally(self.reading.formulas, span).row(),
        }

    def lead_clocks(self, now: int) -> dict[str, LeadClock]:
        """Give the clock of every lead that has one and is neither merged away nor deleted, by lead id."""
        return {clock.lead: self._lead_rules.seen_at(clock, now) for clock in self._clocks}

    def records_of(self, kind: str) -> list[Record]:
        """Give the records of a kind that are not deleted."""
        return self._kept.get(kind, [])

    @property
    def reps(self) -> list[str]:
        """The roster's reps, and whoever did something."""
        did = {counted.rep for counted in self.counted if counted.rep is not None}
        return sorted({*self.reading.people.roster, *did})

    def within(self, span: Span) -> Iterator[Counted]:
        """All that counts in a window."""
        for counted in self.counted:
            if counted.day is None or span.holds(counted.at, counted.day):
                yield counted
        yield from self.reading.days_of(span.first, span.seen_on)

    def _tally(self, now: int, window: RecountedWindow | Span, rep: str | None, team: str | None) -> Tally:
        if rep is not None and team is not None:
            raise ValueError("name a rep or a team, not both")
        span = self.reading.span(window, now)
        tally = Tally(self.reading.formulas, span)
        for counted in self.within(span):
            if self.is_theirs(counted, span, rep, team):
                tally.add(counted)
        return tally

    def is_theirs(self, counted: Counted, span: Span, rep: str | None, team: str | None) -> bool:
        """Whether it counts for a rep or a team; for the organisation where neither is named."""
        return (rep is None or counted.rep == rep) and (team is None or self.reading.team_of(counted, span) == team)

    # --- counting

    def count_single(self) -> None:
        """What counts of single records."""
        for source in SINGLE:
            if self._is_asked(source):
                for record in self._kept.get(source.partition(".")[0], []):
                    if source == "call" and record.id in self.repeated:
                        continue
                    self._count(source, facts_of(source, record, self._terms))
        for one in self._kept.get("subscription", []):
            if one.get("customer") is None:
                self._count(customer_facts.ENDS, customer_facts.ends((one,), self._terms))

    def _count(self, source: str, facts: Iterable[Fact]) -> None:
        measures = self.reading.by_source.get(source, ())
        for fact in facts:
            for measure in measures:
                for counted in measure.of(fact):
                    if counted.day is None or counted.day >= self._first_day:
                        self.counted.append(counted)

    def _is_asked(self, source: str) -> bool:
        return bool(self.reading.by_source.get(source))

    def count_groups(self, kind: str, records: RecordsByKind, *, only: Collection[str] | None = None) -> None:
        """What counts of all groups of a kind (of `GROUPS`), or only of those, by all that is known around them."""
        match kind:
            case "lead":
                self._count_leads(records, only)
            case "thread":
                self._count_threads(records, only)
            case "customer" if self._is_asked(customer_facts.ENDS):
                for subscriptions in customer_facts.customers(records, only=only):
                    self._count(customer_facts.ENDS, customer_facts.ends(subscriptions, self._terms))

    def _count_threads(self, records: RecordsByKind, only: Collection[str] | None) -> None:
        for thread, mails in thread_facts.threads(records, only=only):
            self._count(thread_facts.ANSWERS, thread_facts.answers(thread, mails, self._terms))
            self._count(thread_facts.WRITERS, thread_facts.writers(thread, mails, self._terms))

    def _count_leads(self, records: RecordsByKind, only: Collection[str] | None) -> None:
        """Their clocks too."""
        for family in families(records, only=only, terms=self._terms):
            facts = LeadFacts(family, self._lead_rules, self._terms, self._newest)
            lead = facts.lead()
            if family.is_known:
                if family.lead.get("status") in (None, "new", "qualified"):
                    self.going_on.add(family.root)
                clock = self._lead_rules.clock(family)
                if clock is not None:
                    self._clocks.append(clock)
                if family.root in self.going_on:
                    self.open_leads.append(facts.listed(clock))
                self.leads |= dict.fromkeys((family.root, *(member.id for member in family.members)), lead)
                self._count(lead_facts.LEAD, [lead])
            if self._is_asked(lead_facts.TOUCHES):
                self._count(lead_facts.TOUCHES, facts.touches())
            if self._is_asked(lead_facts.DEALS):
                self._count(lead_facts.DEALS, facts.deals(lead))
