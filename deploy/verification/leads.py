"""When a lead was answered, by the recount's own reading: its clocks, from the lead, its losers and their touches."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from deploy.verification.families import Family
from deploy.verification.office import Office
from deploy.verification.records import QUALIFIED, Record, inquiry_instant, touch_instant
from deploy.verification.shapes import HOUR, Holder, Inquiry, LeadClock
from deploy.verification.terms import Terms

if TYPE_CHECKING:
    from schemas.config.leads import SlaRule

_DEFAULT_SLA = HOUR
_INQUIRIES_KEPT = 32


class Touch(NamedTuple):
    """In the order in which touches of one lead compete: the earliest, then by kind and id."""

    at: int
    kind: str
    id: str
    rep: str | None


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock of one lead, before anybody asks how it looks at an instant."""

    lead: str
    rep: str | None
    source: str | None
    status: str | None
    team: str | None
    calendar: str | None
    is_business: bool
    started_at: int
    assigned_at: int | None
    due_at: int
    warn_at: int
    escalate_at: int
    touch: Touch | None
    counts_for: str | None
    firsts: dict[str, int | None]
    """The first attempt, contact, qualification, automated mail."""
    holders: list[Holder]
    inquiries: list[Inquiry]

    @property
    def response(self) -> int | None:
        return None if self.touch is None else max(0, self.touch.at - self.started_at)

    @property
    def is_undecided(self) -> bool:
        return self.status in (None, "new")

    def answer_at(self, now: int) -> Touch | None:
        """The touch, once its instant has come."""
        return None if self.touch is None or self.touch.at > now else self.touch


class Timing(NamedTuple):
    """One clock of a lead, as metrics of type `response` see it."""

    started_at: int
    due_at: int
    answered_at: int | None
    owner: str | None
    counts_for: str | None
    """For whom the answer counts."""
    taken_at: int | None = None
    """When it was taken away from an owner (by `holder`) who had not answered."""


@dataclass(frozen=True, slots=True)
class _Hours:
    """By which team, calendar and SLA a clock runs."""

    team: str | None
    calendar: str | None
    office: Office | None
    is_business: bool
    sla: int

    def after(self, begin: int, duration: int | Fraction) -> int:
        """When so much of it has passed."""
        whole = math.ceil(duration)
        return self.office.after(begin, whole) if self.is_business and self.office is not None else begin + whole


class LeadRules:
    """What the configuration says of leads, applied: the clock of a lead, and how it looks at an instant."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._config = terms.config
        self._people = terms.people
        self._offices = terms.offices
        self._last: tuple[Family | None, dict[tuple[str, str], Clock | None]] = (None, {})
        """The lead that was looked at last: several metrics ask for the same clock of it."""

    def clock(self, family: Family, start: str | None = None, stop: str | None = None) -> Clock | None:
        """The clock of a lead by the configuration, or by another start or stop; None where it has not started."""
        rules = self._config.lead_response
        if self._last[0] is not family:
            self._last = (family, {})
        by, known = (start or rules.start, stop or rules.stop), self._last[1]
        if by not in known:
            known[by] = self._made(family, *by)
        return known[by]

    def _made(self, family: Family, start: str, stop: str) -> Clock | None:
        rules, root = self._config.lead_response, family.lead
        rep = self._people.rep(root.get("rep"))
        starts = [begun for member in family.members if (begun := self._start(member, start)) is not None]
        if not starts:
            return None
        begin = min(starts)
        hours = self._hours(root.get("source"), rep, begin)
        held = self._held(root)
        touches = self._touches(family, held, rep)
        if rules.before_start == "exclude":
            touches = {by: [touch for touch in some if touch.at >= begin] for by, some in touches.items()}
        touch = min(touches[stop], key=lambda touch: touch[:3], default=None)
        due_at = hours.after(begin, hours.sla)
        machine_mails = [
            record.get("sent_at")
            for kind, record in family.engaged
            if kind == "email" and record.get("automated") is True and record.get("direction") == "outbound"
        ]
        return Clock(
            lead=family.root,
            rep=rep,
            source=root.get("source"),
            status=root.get("status"),
            team=hours.team,
            calendar=hours.calendar,
            is_business=hours.is_business,
            started_at=begin,
            assigned_at=root.get("assigned_at"),
            due_at=due_at,
            warn_at=hours.after(begin, Fraction(str(rules.warn_at)) * hours.sla),
            escalate_at=max(due_at, hours.after(begin, rules.escalate_after)),
            touch=touch,
            counts_for=rep if touch is None or rules.credit == "owner" else touch.rep,
            firsts={
                "attempted_at": min((touch.at for touch in touches["attempt"]), default=None),
                "contacted_at": min((touch.at for touch in touches["contact"]), default=None),
                "qualified_at": min((touch.at for touch in touches["qualified"]), default=None),
                "automated_at": min((at for at in machine_mails if at is not None), default=None),
            },
            holders=[
                {"rep": holder, "since": since, "until": until, "answered_at": _own_answer(touches, stop, turn)}
                for turn in held
                for since, until, holder in (turn,)
                if holder is not None
            ],
            inquiries=[] if touch is None else self._inquiries(
                max(begin, touch.at), family.engaged, touches["attempt"],
                lambda begun: hours.after(begun, hours.sla), hours.office,
            ),
        )  # fmt: skip

    def timings(self, family: Family, start: str | None, stop: str | None) -> list[Timing]:
        """The clocks of a lead that `response` goes by: one, or with `holder` one for each owner in turn."""
        if start != "holder":
            clock = self.clock(family, start, stop)
            if clock is None:
                return []
            answered_at = None if clock.touch is None else clock.touch.at
            return [Timing(clock.started_at, clock.due_at, answered_at, clock.rep, clock.counts_for)]
        root, by = family.lead, stop or self._config.lead_response.stop
        held = self._held(root)
        touches = self._touches(family, held, self._people.rep(root.get("rep")))
        found = []
        for since, until, holder in held:
            if holder is not None:
                hours = self._hours(root.get("source"), holder, since)
                answered_at = _own_answer(touches, by, (since, until, holder))
                taken_at = until if answered_at is None else None
                found.append(Timing(since, hours.after(since, hours.sla), answered_at, holder, holder, taken_at))
        return found

    def human_touches(self, family: Family) -> list[Touch]:
        """All attempts of people, the earliest first."""
        return sorted(self._possible(family, "attempt", takes_automated=False))

    def human_contacts(self, family: Family) -> list[Touch]:
        """All that reached the lead, or came from it, without machines."""
        return sorted(self._possible(family, "contact", takes_automated=False))

    def _possible(self, family: Family, stop: str, *, takes_automated: bool) -> list[Touch]:
        return [
            Touch(at, kind, record.id, self._people.rep(record.get("rep")))
            for kind, record in family.engaged
            if (at := touch_instant(kind, record, self._config, stop, takes_automated=takes_automated)) is not None
        ]

    def _touches(
        self, family: Family, held: Sequence[tuple[int, int | None, str | None]], rep: str | None
    ) -> dict[str, list[Touch]]:
        """By what stops a clock: all that could have stopped it."""
        takes_automated = self._config.lead_response.automated == "include"
        touches = {
            stop: [
                possible
                for possible in self._possible(family, stop, takes_automated=takes_automated)
                if self._is_by_responder(possible, held)
            ]
            for stop in ("attempt", "contact")
        }
        touches["qualified"] = [
            Touch(at, "lead", member.id, rep)
            for member in family.members
            for at, _, status in member.history("status")
            if status in QUALIFIED
        ]
        return touches

    def _hours(self, source: str | None, rep: str | None, start: int) -> _Hours:
        team = self._people.team_of(rep, self._people.day_of(start))
        rule, calendar = self._rule(source, team), self._terms.calendar_of(team)
        return _Hours(
            team,
            calendar,
            None if calendar is None else self._offices[calendar],
            rule is not None and rule.clock == "business" and calendar is not None,
            _DEFAULT_SLA if rule is None else rule.sla,
        )

    def _start(self, lead: Record, start: str) -> int | None:
        if start == "reassigned":
            held = self._held(lead)
            return held[-1][0] if held and held[-1][2] is not None else None
        at: int | None = lead.get("received_at" if start == "received" else "assigned_at")
        return at

    def _rule(self, source: str | None, team: str | None) -> SlaRule | None:
        for rule in self._config.lead_response.rules:
            wanted = [
                (value, [allowed] if isinstance(allowed, str) else allowed)
                for value, allowed in ((source, rule.when.source), (team, rule.when.team))
                if allowed is not None
            ]
            if all(value in allowed for value, allowed in wanted):
                return rule
        return None

    def _held(self, lead: Record) -> list[tuple[int, int | None, str | None]]:
        """(since, until, rep) of the lead's owners in turn; nobody is one too."""
        turns: list[tuple[int, str | None]] = []
        for at, _, person in lead.history("rep"):
            if not turns or turns[-1][1] != self._people.rep(person):
                turns.append((at, self._people.rep(person)))
        if len(turns) == 1 and lead.get("assigned_at") is not None:
            turns = [(lead.get("assigned_at"), turns[0][1])]
        ends: list[int | None] = [since for since, _ in turns[1:]]
        return [(since, until, rep) for (since, rep), until in zip(turns, [*ends, None], strict=True)] if turns else []

    def _is_by_responder(self, touch: Touch, held: Sequence[tuple[int, int | None, str | None]]) -> bool:
        responder = self._config.lead_response.responder
        if responder == "anyone":
            return True
        owner = ([rep for since, _, rep in held if since <= touch.at] or [rep for _, _, rep in held[:1]] or [None])[-1]
        if touch.rep is None or owner is None:
            return False
        if responder == "owner":
            return touch.rep == owner
        day = self._people.day_of(touch.at)
        return self._people.team_of(owner, day) is not None and self._people.team_of(
            owner, day
        ) == self._people.team_of(touch.rep, day)

    def _inquiries(
        self,
        answered_at: int,
        engaged: Sequence[tuple[str, Record]],
        attempts: Sequence[Touch],
        due: Callable[[int], int],
        office: Office | None,
    ) -> list[Inquiry]:
        asked = sorted(
            at for kind, record in engaged if (at := inquiry_instant(kind, record, self._config)) is not None
        )
        in_order = sorted(attempts, key=lambda touch: touch[:3])
        instants = [touch.at for touch in in_order]
        found: list[Inquiry] = []
        free_from: int | None = answered_at
        while free_from is not None:
            number = bisect_right(asked, free_from)
            if number == len(asked):
                break
            start = asked[number]
            later = bisect_right(instants, start)
            answer = in_order[later] if later < len(in_order) else None
            free_from = None if answer is None else answer.at
            found.append(
                {
                    "started_at": start,
                    "due_at": due(start),
                    "answered_at": free_from,
                    "rep": None if answer is None else answer.rep,
                    "business_response": None
                    if office is None or free_from is None
                    else office.between(start, free_from),
                }
            )
        return found[-_INQUIRIES_KEPT:]

    def seen_at(self, clock: Clock, now: int) -> LeadClock:
        state, touch = None, clock.answer_at(now)
        is_waiting = clock.is_undecided and touch is None
        if is_waiting:
            state = "breached" if now >= clock.due_at else "warned" if now >= clock.warn_at else "waiting"
        office = self._offices[clock.calendar] if clock.calendar is not None else None
        answered_at = None if touch is None else touch.at
        is_both = answered_at is not None and clock.assigned_at is not None
        return {
            "rep": clock.rep,
            "counts_for": clock.rep if touch is None else clock.counts_for,
            "source": clock.source,
            "team": clock.team,
            "calendar": clock.calendar,
            "is_business": clock.is_business,
            "started_at": clock.started_at,
            "due_at": clock.due_at,
            "warn_at": clock.warn_at,
            "escalate_at": clock.escalate_at,
            "answered_at": answered_at,
            "touch": None if touch is None else (touch.kind, touch.id),
            "response": None if touch is None else clock.response,
            "business_response": (
                None if office is None or answered_at is None else office.between(clock.started_at, answered_at)
            ),
            "assigned_response": max(0, (answered_at or 0) - (clock.assigned_at or 0)) if is_both else None,
            "assigned_business_response": (
                office.between(clock.assigned_at or 0, answered_at or 0) if is_both and office is not None else None
            ),
            "business_waiting": (
                None
                if office is None
                else office.between(clock.started_at, now if answered_at is None else answered_at)
            ),
            "attempted_at": _come(clock.firsts["attempted_at"], now),
            "contacted_at": _come(clock.firsts["contacted_at"], now),
            "qualified_at": _come(clock.firsts["qualified_at"], now),
            "automated_at": _come(clock.firsts["automated_at"], now),
            "holders": [{**held, "answered_at": _come(held["answered_at"], now)} for held in clock.holders],
            "inquiries": [
                asked
                if _come(asked["answered_at"], now) is not None
                else {**asked, "answered_at": None, "rep": None, "business_response": None}
                for asked in clock.inquiries
                if asked["started_at"] <= now
            ],
            "waiting": is_waiting,
            "state": state,
            "until": None if clock.touch is None or not clock.is_undecided else clock.touch.at,
        }


def _own_answer(
    touches: Mapping[str, Sequence[Touch]], stop: str, turn: tuple[int, int | None, str | None]
) -> int | None:
    """The first of an owner's own touches while they held the lead."""
    since, until, holder = turn
    return min(
        (
            touch.at
            for touch in touches[stop]
            if since <= touch.at
            and (until is None or touch.at < until)
            and (stop == "qualified" or touch.rep == holder)
        ),
        default=None,
    )


def _come(at: int | None, now: int) -> int | None:
    return None if at is None or at > now else at
