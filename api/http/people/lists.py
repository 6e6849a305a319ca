"""The lists of a page: leads that wait, limits that are crossed, open deals and leads, wins.

Owns which entries are shown and how they are said. What waits, is flagged or was won, api/read decides.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from api.http.people.asked import DEAL_FLAGS, LEAD_FLAGS, PageAsked
from api.http.people.cells import CellWriter
from api.read.open_deals import OpenDeals, OpenLeads
from api.read.rows import newest_alert_first, waiting_clocks
from api.read.stage_labels import stage_label
from api.read.view import View
from api.read.won import wins_between
from api.words.parts import readable, stage_name
from api.words.texts import ReaderWords
from schemas.alerts import LEAD_RESPONSE, LEVELS, METRIC_THRESHOLD, Alert
from schemas.config.rules import rules_of
from schemas.formats import NOTHING, Formats
from schemas.instants import SECOND, parse_instant
from schemas.leads import LeadClock
from schemas.windows import span_of
from schemas.wins import Win

MOST_LEADS = 8
MOST_OPEN = 20
MOST_COUNTED = 2_000
"""Open deals, or leads, of which it is counted how many have which flag: each is looked at for that."""
MOST_WINS = 6


class WaitingLead(NamedTuple):
    """A lead without an answer."""

    lead: str
    title: str
    source: str
    rep: str | None
    name: str
    waits: str
    due: str
    state: str
    word: str
    alert: str | None
    done: str
    """What somebody has done about it."""


class Flagged(NamedTuple):
    """A list of what is open, with how many have which flag."""

    rows: list[dict[str, Any]]
    total: int
    flags: list[tuple[str, str, str]]
    """Flag, what it is called, how many have it."""


class PageLists:
    """Makes the lists of one page. `reps`: whose; None: everybody's, and what is nobody's."""

    def __init__(
        self, view: View, asked: PageAsked, now: int, reps: frozenset[str] | None, words: ReaderWords, formats: Formats
    ) -> None:
        self._view, self._asked, self._now, self._reps = view, asked, now, reps
        self._words, self._formats = words, formats
        self._pipelines = rules_of(view.config).pipelines
        self._cells = CellWriter(view.catalogue, words, formats, view.config.organisation.currency)

    def _is_theirs(self, rep: str | None) -> bool:
        return self._reps is None or rep in self._reps

    def _name(self, rep: str | None) -> str:
        return self._words.say("leads.nobody") if rep is None else self._view.roster.name_of(rep)

    # ---------------------------------------------------------------- what waits

    def waiting(self) -> tuple[list[WaitingLead], dict[str, int]]:
        """Those that have waited longest, and how many there are by state."""
        clocks = [clock for clock in waiting_clocks(self._view, self._now) if self._is_theirs(clock.rep)]
        warn_at = self._view.config.lead_response.warn_at
        counts: dict[str, int] = {"breached": 0, "warned": 0, "waiting": 0}
        states = {}
        for clock in clocks:
            states[clock.lead] = state = clock.state(self._now, warn_at)
            counts[state] = counts.get(state, 0) + 1
        order = list(counts)
        clocks.sort(key=lambda clock: order.index(states[clock.lead]))
        alerts = self._alerts_of_leads()
        return [self._lead(clock, states[clock.lead], alerts.get(clock.lead)) for clock in clocks[:MOST_LEADS]], counts

    def _alerts_of_leads(self) -> Mapping[str, Alert]:
        """The highest alert of each lead that has any."""
        found: dict[str, Alert] = {}
        for alert in self._view.open_alerts.values():
            if alert.kind == LEAD_RESPONSE and alert.lead is not None:
                held = found.get(alert.lead)
                if held is None or LEVELS.index(alert.level) > LEVELS.index(held.level):
                    found[alert.lead] = alert
        return found

    def _lead(self, clock: LeadClock, state: str, alert: Alert | None) -> WaitingLead:
        formats, since = self._formats, clock.started_at or self._now
        source = readable(clock.source or "")
        return WaitingLead(
            lead=clock.lead,
            title=clock.name or source or self._words.say("leads.unnamed"),
            source=source if clock.name else "",
            rep=clock.rep,
            name=self._name(clock.rep),
            waits=formats.duration(max(0, self._now - since) // SECOND),
            due="" if clock.due_at is None else formats.moment(clock.due_at, self._now),
            state=state,
            word=self._words.say(f"leads.{state}"),
            alert=None if alert is None else alert.id,
            done="" if alert is None else self._done(alert),
        )

    def _done(self, alert: Alert) -> str:
        done = self._view.acknowledgement(alert.id)
        if done.snoozed_until is not None and done.snoozed_until > self._now:
            return self._words.say("alerts.snoozed", time=self._formats.moment(done.snoozed_until, self._now))
        if done.acknowledged_at is not None:
            return self._words.say("alerts.acknowledged", time=self._formats.moment(done.acknowledged_at, self._now))
        return ""

    def limits(self) -> list[dict[str, Any]]:
        """Metrics that are beyond a limit now, the newest first."""
        found = [
            alert
            for alert in self._view.open_alerts.values()
            if alert.kind == METRIC_THRESHOLD and alert.crossing is not None and self._is_of_page(alert)
        ]
        found.sort(key=newest_alert_first)
        return [self._limit(alert) for alert in found[:MOST_LEADS]]

    def _is_of_page(self, alert: Alert) -> bool:
        if self._reps is None:
            return True
        return alert.rep in self._reps or (
            alert.rep is None and alert.team is not None and alert.team == self._asked.team
        )

    def _limit(self, alert: Alert) -> dict[str, Any]:
        crossing, view = alert.crossing, self._view
        assert crossing is not None  # noqa: S101 - only those are listed
        metric, words = crossing.metric, self._words
        comparison = {"below": "alerts.below", "above": "alerts.above", "reaches": "alerts.reached"}
        whose = view.roster.team_names.get(alert.team or "", alert.team or view.config.organisation.name)
        known = metric in view.catalogue
        return {
            "alert": alert.id,
            "metric": self._cells.label(metric) if known else crossing.label or metric,
            "window": words.window(crossing.window),
            "whose": self._name(alert.rep) if alert.rep is not None else whose,
            "value": self._cells.text(metric, crossing.value) if known else crossing.value,
            "limit": words.say(
                comparison[crossing.comparison],
                limit=self._cells.text(metric, crossing.limit) if known else str(crossing.limit),
            ),
            "since": self._formats.moment(alert.raised_at, self._now),
            "done": self._done(alert),
        }

    # ---------------------------------------------------------------- what is open

    def deals(self) -> Flagged:
        """The largest open deals, those with a flag if one is asked for."""
        deals = OpenDeals(self._view, self._now)
        own = [deal for deal in self._view.deals.open.values() if self._is_theirs(deal.rep)]
        counts, listed = _flagged(own, deals, self._asked.flag, DEAL_FLAGS)
        listed.sort(key=deals.key)
        rows = [self._deal(deals.row(deal)) for deal in listed[:MOST_OPEN]]
        return Flagged(rows, len(listed), self._flags(counts, DEAL_FLAGS))

    def _deal(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "title": row["name"] or row["deal"],
            "name": self._name(row["rep"]),
            "stage": NOTHING if row["stage"] is None else self._stage(row["pipeline"], row["stage"]),
            "amount": self._formats.value(row["amount"], "money", row["currency"]),
            "age": NOTHING if row["age_seconds"] is None else self._formats.duration(row["age_seconds"]),
            "next": self._moment(row["next_step_at"]),
            "flags": [self._words.say(f"flag.{flag}") for flag in row["flags"]],
        }

    def _stage(self, pipeline: str | None, stage: str) -> str:
        label = stage_name(pipeline, stage, self._pipelines)
        return stage_label(self._view.connection_states.values(), pipeline, stage, label)

    def leads(self) -> Flagged:
        """The open leads that came first, those with a flag if one is asked for."""
        leads = OpenLeads(self._view, self._now)
        own = [lead for lead in self._view.clocks.values() if lead.is_open and self._is_theirs(lead.rep)]
        counts, listed = _flagged(own, leads, self._asked.lead_flag, LEAD_FLAGS)
        listed.sort(key=leads.key)
        rows = [self._open_lead(leads.row(lead)) for lead in listed[:MOST_OPEN]]
        return Flagged(rows, len(listed), self._flags(counts, LEAD_FLAGS))

    def _open_lead(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "title": row["name"] or readable(row["source"] or "") or self._words.say("leads.unnamed"),
            "name": self._name(row["rep"]),
            "source": readable(row["source"] or "") or NOTHING,
            "received": self._moment(row["received_at"]),
            "touched": self._moment(row["last_touch_at"]),
            "touches": self._formats.count(row["touches"]),
            "next": self._moment(row["next_step_at"]),
            "value": self._formats.value(row["value"], "money", row["currency"]),
            "flags": [self._words.say(f"flag.{flag}") for flag in row["flags"]],
        }

    def _flags(self, counts: Mapping[str, int] | None, flags: Sequence[str]) -> list[tuple[str, str, str]]:
        return [
            (flag, self._words.say(f"flag.{flag}"), "" if counts is None else self._formats.count(counts[flag]))
            for flag in flags
        ]

    def _moment(self, at: str | None) -> str:
        return NOTHING if at is None else self._formats.moment(parse_instant(at), self._now)

    # ---------------------------------------------------------------- what was won

    def wins(self) -> list[dict[str, Any]]:
        """What was won today, the newest first."""
        view = self._view
        start, end = span_of("today", self._now, view.calendar).bounds(view.calendar)
        found = [win for win in wins_between(view, start, end, self._now) if self._is_theirs(win.row["rep"])]
        return [self._win(win) for win in sorted(found, key=Win.key)[:MOST_WINS]]

    def _win(self, win: Win) -> dict[str, Any]:
        row = win.row
        share = "" if row["milestone"] is None else self._formats.share(float(row["milestone"]))
        return {
            "name": row["name"] or self._view.roster.team_names.get(row["team"], ""),
            "what": self._words.say(f"win.{row['cause']}", goal=row["goal"] or "", share=share),
            "title": row["deal_name"] or "",
            "amount": "" if row["amount"] is None else self._formats.value(row["amount"], "money", row["currency"]),
            "at": self._formats.time(win.at),
        }


def _flagged(
    own: Sequence[Any], open_: OpenDeals | OpenLeads, wanted: str | None, flags: Iterable[str]
) -> tuple[dict[str, int] | None, list[Any]]:
    """How many have which flag (None: there are too many to look at each), and those with the one that is asked for."""
    if wanted is None and len(own) > MOST_COUNTED:
        return None, list(own)
    flags_of: Any = open_.flags
    found = [(each, flags_of(each)) for each in own]
    counts = {flag: sum(flag in held for _, held in found) for flag in flags}
    return counts, [each for each, held in found if wanted is None or wanted in held]
