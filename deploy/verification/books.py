"""The books: every fact that follows from the records, and the rows and clocks read off them at any instant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from deploy.verification.bounds import Place, smallest
from deploy.verification.leads import Clock, LeadRules
from deploy.verification.people import People
from deploy.verification.records import Record, Records, closed_at, countable, human, is_connected, talk
from deploy.verification.rows import Fact, Tally, span_of
from deploy.verification.shapes import LeadClock, Row, Rows, Window

if TYPE_CHECKING:
    from schemas.config import Config


class Books:
    """All facts of the records; rows and clocks are read off them at any `now`. Made by `recount`."""

    def __init__(
        self, records: Records, config: Config, *, first_day: date = date.min, has_groups: bool = True
    ) -> None:
        """What happened before `first_day` counts nowhere. Without groups: they are counted one by one afterwards."""
        self._config = config
        self._first_day = first_day
        self._kept = countable(records)
        self.people = People(config, self._kept.get("rep", []))
        self._lead_rules = LeadRules(config, self.people)
        self.facts: list[Fact] = []
        self._count_calls()
        self._count_emails()
        self._count_meetings()
        self._count_deals()
        self._clocks: list[Clock] = []
        self._going_on: set[str] = set()
        if has_groups:
            self.count_answers(records)
            self.count_leads(records)

    def metrics(self, *, now: int, window: Window, rep: str | None = None, team: str | None = None) -> Row:
        """Give the row of a rep or of a team; that of the organisation where neither is named."""
        if rep is not None and team is not None:
            msg = "name a rep or a team, not both"
            raise ValueError(msg)
        facts = self._facts_in(window, now)
        if rep is not None:
            facts = (fact for fact in facts if fact.rep == rep)
        if team is not None:
            facts = (fact for fact in facts if fact.team == team)
        tally = self._tally(now)
        for fact in facts:
            tally.add(fact)
        return tally.row()

    def rows(self, *, now: int, window: Window) -> Rows:
        """Give the rows of the organisation, of every team and of every rep, also of those who did nothing."""
        organisation = self._tally(now)
        by_team = {team: self._tally(now) for team in self.teams}
        by_rep = {rep: self._tally(now) for rep in self.reps}
        for fact in self._facts_in(window, now):
            organisation.add(fact)
            if fact.rep is not None:
                by_rep[fact.rep].add(fact)
            if fact.team is not None:
                by_team[fact.team].add(fact)
        return {
            "organisation": organisation.row(),
            "teams": {team: tally.row() for team, tally in by_team.items()},
            "reps": {rep: tally.row() for rep, tally in by_rep.items()},
        }

    def lead_clocks(self, now: int) -> dict[str, LeadClock]:
        """Give the clock of every lead that has one and is neither merged away nor deleted, by lead id."""
        return {clock.lead: self._lead_rules.seen_at(clock, now) for clock in self._clocks}

    def going_on(self) -> set[str]:
        """Give the leads that have not ended."""
        return self._going_on

    @property
    def reps(self) -> list[str]:
        """The roster's reps, and whoever did something."""
        did = {fact.rep for fact in self.facts if fact.rep is not None}
        return sorted({*self._config.reps, *self.people.moves, *did})

    @property
    def teams(self) -> list[str]:
        """The configuration's teams, and those that a `rep` record names or named."""
        named = {team for moves in self.people.moves.values() for _, team in moves if team is not None}
        return sorted({*self._config.teams, *named})

    def _tally(self, now: int) -> Tally:
        return Tally(now, self._config.organisation.currency)

    def _facts_in(self, window: Window, now: int) -> Iterator[Fact]:
        span = span_of(window, now, self.people.day_of(now), self._config.organisation.week_starts)
        return (fact for fact in self.facts if span.holds(fact))

    # --- the definitions

    def _add(
        self,
        name: str,
        rep: str | None,
        at: int | None,
        number: int | Fraction = 1,
        *,
        clock: Clock | None = None,
        begins: int | None = None,
        ends: int | None = None,
    ) -> None:
        """Note a fact; without an instant it is none."""
        if at is not None:
            day = self.people.day_of(at)
            if day >= self._first_day:
                self.facts.append(Fact(name, rep, self.people.team_of(rep, day), at, day, number, clock, begins, ends))

    def _count_calls(self) -> None:
        for call in self._kept["call"]:
            rep, at = self.people.rep(call.get("rep")), call.get("dialed_at")
            connected = is_connected(call)
            if call.get("direction") == "outbound":
                self._add("calls_made", rep, at)
                if connected:
                    self._add("calls_connected", rep, at)
            if connected:
                self._add("talk", rep, at, talk(call))
                is_meant = self._config.conversation.calls in ("both", call.get("direction"))
                is_human = call.get("automated") is not True
                if is_human and is_meant and talk(call) >= self._config.conversation.min_talk:
                    self._add("conversations", rep, at)
                    self._add("conversations_by_call", rep, at)

    def _count_emails(self) -> None:
        for email in human(self._kept):
            rep, at = self.people.rep(email.get("rep")), email.get("sent_at")
            if email.get("direction") == "outbound":
                self._add("emails_sent", rep, at)
            elif email.get("direction") == "inbound":
                self._add("emails_received", rep, at)

    def count_answers(self, records: Records, *, only: Collection[str] | None = None) -> None:
        """Conversations by mail, in all threads or only in those.

        An inbound mail is an answer to the last outbound one before it in its thread.
        """
        if self._config.conversation.mails == "none":
            return
        threads: dict[str, set[Place]] = defaultdict(set)
        for email in records.get("email", {}).values():
            for thread in email.ever_named("thread"):
                threads[thread].add(("", "email", email.id))
        kept = {email.id: email for email in human(countable(records)) if email.get("sent_at") is not None}
        for thread, places in threads.items():
            if only is not None and thread not in only:
                continue
            taken = [kept[name] for _, _, name in smallest(places) if name in kept]
            mails = [email for email in taken if email.get("thread") == thread]
            first_of_day: dict[tuple[str | None, date], int] = {}
            written: Record | None = None
            # At one instant inbound goes first: only what was written strictly before it can be answered. Among
            # outbound mails of one instant the greatest id is the last.
            for mail in sorted(mails, key=lambda m: (m.get("sent_at"), m.get("direction") != "inbound", m.id)):
                if mail.get("direction") == "outbound":
                    written = mail
                elif mail.get("direction") == "inbound" and written is not None:
                    credit = (self.people.rep(written.get("rep")), self.people.day_of(mail.get("sent_at")))
                    first_of_day.setdefault(credit, mail.get("sent_at"))
            for (rep, _), at in first_of_day.items():
                self._add("conversations", rep, at)
                self._add("conversations_by_mail", rep, at)

    def _count_meetings(self) -> None:
        for meeting in self._kept.get("meeting", []):
            host, booker = self.people.rep(meeting.get("rep")), self.people.rep(meeting.get("booked_by"))
            self._add("meetings_booked", host if booker is None else booker, meeting.get("booked_at"))
            if meeting.get("outcome") == "held":
                self._add("meetings_held", host, meeting.get("starts_at"))
                if self._config.conversation.meetings == "held":
                    self._add("conversations", host, meeting.get("starts_at"))

    def _count_deals(self) -> None:
        for deal in self._kept.get("deal", []):
            rep, at = self.people.rep(deal.get("rep")), closed_at(deal)
            if deal.get("status") == "lost":
                self._add("deals_lost", rep, at)
            if deal.get("status") == "won":
                self._add("deals_won", rep, at)
                rate = self._rate(deal.get("currency"))
                if rate is not None:
                    self._add("revenue", rep, at, Fraction(Decimal(deal.get("amount") or 0)) * rate)
                    self._add("priced_deals", rep, at)
                if at is not None and deal.get("created_at") is not None and deal.get("created_at") <= at:
                    self._add("cycle", rep, at, at - deal.get("created_at"))

    def _rate(self, currency: str | None) -> Fraction | None:
        """Convert one unit to the organisation's currency; None where nobody said the rate."""
        if currency is None or currency == self._config.organisation.currency:
            return Fraction(1)
        rate = self._config.currency_rates.get(currency)
        return None if rate is None else Fraction(rate)

    def count_leads(self, records: Records, *, only: Collection[str] | None = None) -> None:
        """The clocks of all leads, or only of those, and what they count for."""
        for lead, clock in self._lead_rules.clocks(records, only=only):
            if lead.get("status") in (None, "new", "qualified"):
                self._going_on.add(lead.id)
            rep, assigned_at = self.people.rep(lead.get("rep")), lead.get("assigned_at")
            self._add("leads_assigned", rep, lead.get("received_at") if assigned_at is None else assigned_at)
            if clock is not None:
                self._clocks.append(clock)
                answered_at = None if clock.touch is None else clock.touch.at
                self._add("clock", clock.rep, clock.started_at, clock=clock, ends=answered_at)
                if answered_at is not None:
                    self._add("clock", clock.counts_for, clock.started_at, clock=clock, begins=answered_at)
