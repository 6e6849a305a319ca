"""When a lead was answered, by the recount's own reading: its clocks, from the lead, its losers and their touches."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from deploy.verification.bounds import family_of, touching, whole
from deploy.verification.office import Office, office_of
from deploy.verification.people import People
from deploy.verification.records import Record, Records, inquiry_instant, touch_instant
from deploy.verification.shapes import HOUR, Holder, Inquiry, LeadClock

if TYPE_CHECKING:
    from schemas.config import Config, SlaRule

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


def roots_of(leads: Mapping[str, Record]) -> dict[str, str]:
    """Lead -> the end of its `merged_into` chain; where that runs in a circle, the smallest id in the circle."""
    roots: dict[str, str] = {}
    for first in leads:
        path: list[str] = []
        place: dict[str, int] = {}
        lead: str = first
        while True:
            if lead in roots:
                root = roots[lead]
                break
            if lead in place:
                root = min(path[place[lead] :])
                break
            place[lead] = len(path)
            path.append(lead)
            target = leads[lead].get("merged_into") if lead in leads else None
            if target is None:
                root = lead
                break
            lead = target
        for passed in path:
            roots[passed] = root
    return roots


class LeadRules:
    """What the configuration says of leads, applied: the clock of a lead, and how it looks at an instant."""

    def __init__(self, config: Config, people: People) -> None:
        self._config = config
        self._people = people
        self._offices = {name: office_of(entry.model_dump_json(), entry) for name, entry in config.calendars.items()}

    def clocks(self, records: Records, *, only: Collection[str] | None = None) -> Iterator[tuple[Record, Clock | None]]:
        """Give every lead that counts, or only those, with its clock if it has one.

        It looks at all records once: ask for many leads at a time.
        """
        leads: Mapping[str, Record] = records.get("lead", {})
        # Also of a deleted lead it remains true that it was merged, and what it knew lives on in its root.
        roots = roots_of(leads)
        members: dict[str, list[Record]] = defaultdict(list)
        for name, record in leads.items():
            members[roots[name]].append(record)
        touches = touching(records)
        for root in sorted(members):
            own = leads.get(root)
            if (own is None or not own.is_deleted) and (only is None or root in only):
                family, engaged = family_of(root, members[root], touches, records)
                lead = whole(root, family)
                yield lead, self._clock(lead, family, engaged)

    def _clock(self, root: Record, members: Sequence[Record], engaged: Sequence[tuple[str, Record]]) -> Clock | None:
        rules, rep = self._config.lead_response, self._people.rep(root.get("rep"))
        starts = [start for start in map(self._start, members) if start is not None]
        if not starts:
            return None
        start = min(starts)
        team = self._people.team_of(rep, self._people.day_of(start))
        rule = self._rule(root.get("source"), team)
        sla = _DEFAULT_SLA if rule is None else rule.sla
        own = self._config.teams[team].calendar if team in self._config.teams else None
        calendar = own or self._config.organisation.calendar
        is_business = rule is not None and rule.clock == "business" and calendar is not None
        office = self._offices[calendar] if calendar is not None else None

        def after(begin: int, duration: int | Fraction) -> int:
            whole = math.ceil(duration)
            return office.after(begin, whole) if is_business and office is not None else begin + whole

        held = self._held(root)
        may_answer = [
            (stop, Touch(at, kind, record.id, self._people.rep(record.get("rep"))))
            for stop in ("attempt", "contact")
            for kind, record in engaged
            if (at := touch_instant(kind, record, self._config, stop)) is not None
        ]
        touches: dict[str, list[Touch]] = {"attempt": [], "contact": [], "qualified": []}
        for stop, possible in may_answer:
            if self._is_by_responder(possible, held):
                touches[stop].append(possible)
        for member in members:
            for at, _, status in member.history("status"):
                if status in ("qualified", "converted", "customer"):
                    touches["qualified"].append(Touch(at, "lead", member.id, rep))
        if rules.before_start == "exclude":
            touches = {stop: [touch for touch in some if touch.at >= start] for stop, some in touches.items()}
        touch = min(touches[rules.stop], key=lambda touch: touch[:3], default=None)
        due_at = after(start, sla)
        machine_mails = [
            record.get("sent_at")
            for kind, record in engaged
            if kind == "email" and record.get("automated") is True and record.get("direction") == "outbound"
        ]
        return Clock(
            lead=root.id,
            rep=rep,
            source=root.get("source"),
            status=root.get("status"),
            team=team,
            calendar=calendar,
            is_business=is_business,
            started_at=start,
            assigned_at=root.get("assigned_at"),
            due_at=due_at,
            warn_at=after(start, Fraction(str(rules.warn_at)) * sla),
            escalate_at=max(due_at, after(start, rules.escalate_after)),
            touch=touch,
            counts_for=rep if touch is None or rules.credit == "owner" else touch.rep,
            firsts={
                "attempted_at": min((touch.at for touch in touches["attempt"]), default=None),
                "contacted_at": min((touch.at for touch in touches["contact"]), default=None),
                "qualified_at": min((touch.at for touch in touches["qualified"]), default=None),
                "automated_at": min((at for at in machine_mails if at is not None), default=None),
            },
            holders=[
                {
                    "rep": holder,
                    "since": since,
                    "until": until,
                    "answered_at": min(
                        (
                            touch.at
                            for touch in touches[rules.stop]
                            if since <= touch.at
                            and (until is None or touch.at < until)
                            and (rules.stop == "qualified" or touch.rep == holder)
                        ),
                        default=None,
                    ),
                }
                for since, until, holder in held
                if holder is not None
            ],
            inquiries=[] if touch is None else self._inquiries(
                max(start, touch.at), engaged, touches["attempt"], lambda begin: after(begin, sla), office
            ),
        )  # fmt: skip

    def _start(self, lead: Record) -> int | None:
        if self._config.lead_response.start == "reassigned":
            held = self._held(lead)
            return held[-1][0] if held and held[-1][2] is not None else None
        at: int | None = lead.get("received_at" if self._config.lead_response.start == "received" else "assigned_at")
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
        asked = [at for kind, record in engaged if (at := inquiry_instant(kind, record, self._config)) is not None]
        found: list[Inquiry] = []
        free_from: int | None = answered_at
        while free_from is not None:
            start = min((at for at in asked if at > free_from), default=None)
            if start is None:
                break
            later = [touch for touch in attempts if touch.at > start]
            answer = min(later, key=lambda touch: touch[:3], default=None)
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


def _come(at: int | None, now: int) -> int | None:
    return None if at is None or at > now else at
