"""A lead with its touches: when the clock started, what stopped it, and what that counts for.

Owns the clock. A lead merged away hands all it knows to the group of its root (groups.py), so that one knows every lead
that ends in it, and every touch of those; what the root lacks it takes from them.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from msgspec import structs

from processor.core.definitions import Definitions
from processor.core.facts import CurrentValues, GroupFacts, earliest
from processor.core.lead_facts import LeadFacts
from processor.core.matches import matched, without_repeated
from processor.core.merged_leads import whole_of
from processor.core.plan import Contribution
from processor.core.side_clocks import Stint, Timing, Touch, holder_at, holder_clocks, later_inquiries, stints_of
from processor.core.sla import LeadTerms, terms_of
from processor.core.touches import attempt_at, automated_at, contact_at, inquiry_at
from schemas.leads import QUALIFIED, LeadClock
from schemas.records import Record
from schemas.windows import Day

TeamOn = Callable[[str | None, Day], str | None]
"""The team of a rep on a day."""


_NO_TEAMS: Mapping[tuple[str, Day], str | None] = {}


class LeadResult(NamedTuple):
    """What the group of one lead says. No clock: there is no such lead (yet), or it is deleted."""

    contributions: list[Contribution]
    clock: LeadClock | None
    reps: frozenset[str] = frozenset()
    """Whose teams have a say in it."""
    teams: Mapping[tuple[str, Day], str | None] = _NO_TEAMS
    """Those that other clocks than that one went by: (rep, day) -> team."""
    settles_at: int | None = None
    """When the next touch comes that is still to come; then it is derived again."""


class _Touches(NamedTuple):
    """By what stops a clock. Each list ascends."""

    attempts: list[Touch]
    contacts: list[Touch]
    qualifications: list[Touch]
    automated_at: int | None

    def that_stop(self, stop: str) -> list[Touch]:
        """Those that stop a clock."""
        return {"attempt": self.attempts, "contact": self.contacts, "qualified": self.qualifications}[stop]

    def since(self, start: int) -> "_Touches":
        """Those from an instant on."""
        attempts, contacts, qualifications = (
            [touch for touch in touches if touch.at >= start]
            for touches in (self.attempts, self.contacts, self.qualifications)
        )
        return _Touches(attempts, contacts, qualifications, self.automated_at)


class _Case(NamedTuple):
    """All that is known of a lead."""

    lead: str
    own: Record
    """The lead with what it has of those merged into it."""
    rep: str | None
    stints: list[Stint]
    members: Mapping[str, Record]
    """The lead itself and those merged into it, deleted ones too."""
    related: Mapping[str, CurrentValues]
    """What was done for any of them."""
    definitions: Definitions
    team_on: TeamOn


NOTHING = LeadResult([], None)
_END = 2**62


def lead_result(
    lead: str, facts: GroupFacts, definitions: Definitions, team_on: TeamOn, log_at: int = _END
) -> LeadResult:
    """The clock of a lead, and what it counts for, from all the records that its group has heard of.

    `log_at`: the newest receipt seen (microseconds). A touch of after it may be still to come for a reader.
    """
    own, members = facts.leads.get(lead), facts.leads
    others: Mapping[str, CurrentValues] = facts.others
    uncounted: Collection[str] = facts.written_to
    if definitions.matches:
        others = without_repeated(others, definitions)
        uncounted = {*facts.written_to, *matched(others, definitions, facts.elsewhere)}
    if facts.root != lead:
        if own is None or own.is_deleted:
            return NOTHING
        rep = definitions.person(own.get("rep"))
        return LeadResult([], _without_start(lead, own, rep, definitions, merged_into=facts.root))
    if not members or (own is not None and own.is_deleted):
        # Nobody has spoken of it: what was done for it counts all the same.
        unknown = LeadFacts(lead, None, None, others, definitions, log_at, uncounted=uncounted)
        return LeadResult(unknown.contributions(), None)
    whole = whole_of(lead, members)
    rep, reps = definitions.person(whole.get("rep")), frozenset[str]()
    case = _Case(lead, whole, rep, stints_of(whole, definitions), members, others, definitions, team_on)
    start, side_clocks = _start(case, definitions.lead_response.start), definitions.counting.clocks
    touches = None if start is None and not side_clocks else _touches(case)
    if start is None or touches is None:
        clock = _without_start(lead, whole, rep, definitions, merged_into=None)
    else:
        clock, reps = _clock(case, start, touches), _reps_of(case)
    teams: dict[tuple[str, Day], str | None] = {}
    timings: dict[str, list[Timing]] = {}
    if touches is not None:
        timings = {fact: _timings(case, touches, by, stop, teams) for fact, (by, stop) in side_clocks.items()}
    if clock.started_at is not None and rep is not None:
        teams.pop((rep, definitions.calendar.day_of(clock.started_at)), None)  # the clock says it
    rows = LeadFacts(lead, whole, clock, others, definitions, log_at, timings, uncounted)
    listed = _as_listed(clock, rows)
    answers = [clock.answered_at, *(timing.answered_at for found in timings.values() for timing in found)]
    return LeadResult(
        rows.contributions(), listed, reps | {of for of, _ in teams}, teams,
        min((at for at in (*answers, *listed.touches_to_come) if at is not None and at > log_at), default=None),
    )  # fmt: skip


def _as_listed(clock: LeadClock, rows: LeadFacts) -> LeadClock:
    """The clock with what lists of open leads show beside it."""
    said = rows.lead_row.get
    at = [touch["at"] for touch in rows.touch_rows]
    come = bisect_right(at, rows.log_at)
    return structs.replace(
        clock,
        name=said("name") or said("company"),
        received_at=said("received_at"),
        touches=come,
        last_touch_at=at[come - 1] if come else None,
        touches_to_come=tuple(at[come:]),
        next_step_at=said("next_step_at"),
        value=said("value"),
        currency=said("currency"),
    )


def _start(case: _Case, start: str) -> int | None:
    """The earliest of the lead's own and of those merged into it."""
    return earliest(_start_of(record, start, case.definitions) for record in case.members.values())


def _start_of(lead: Record, start: str, definitions: Definitions) -> int | None:
    at: int | None = None
    match start:
        case "received":
            at = lead.get("received_at")
        case "assigned":
            at = lead.get("assigned_at")
        case "reassigned":
            stints = stints_of(lead, definitions)
            at = stints[-1].since if stints and stints[-1].rep is not None else None
    return at


def _without_start(
    lead: str, own: Record, rep: str | None, definitions: Definitions, *, merged_into: str | None
) -> LeadClock:
    sla = definitions.lead_response.rule(own.get("source"), None).sla
    return LeadClock(lead, rep, own.get("source"), own.get("status"), None, None, sla=sla, merged_into=merged_into)


def _clock(case: _Case, start: int, touches: _Touches) -> LeadClock:
    own, definitions, settings = case.own, case.definitions, case.definitions.lead_response
    terms = _terms(case, case.rep, start)
    if settings.before_start == "exclude":
        touches = touches.since(start)
    qualifying = touches.that_stop(settings.stop)
    answer = qualifying[0] if qualifying else None
    due_at = terms.after(start, terms.sla)
    answered_at = None if answer is None else answer.at
    assigned_at = own.get("assigned_at")
    inbound = [] if answer is None else _sorted(
        Touch(at, key, None)
        for key, record in case.related.items()
        if (at := inquiry_at(record, definitions)) is not None
    )  # fmt: skip
    return LeadClock(
        lead=case.lead, rep=case.rep, source=own.get("source"), status=own.get("status"),
        started_at=start, due_at=due_at, sla=terms.sla,
        answered_at=answered_at,
        touch=None if answer is None else answer.record,
        touch_rep=None if answer is None else answer.rep,
        team=terms.team, calendar=terms.calendar_name, is_business=terms.is_business,
        warn_at=terms.after(start, settings.warn_after(terms.sla)),
        # An SLA may be longer than the time to the escalation: nobody is told that it escalates before it is breached.
        escalate_at=max(due_at, terms.after(start, settings.escalate_after)),
        business_response=None if answered_at is None else terms.business(start, answered_at),
        assigned_at=assigned_at,
        assigned_response=None if answered_at is None or assigned_at is None else max(0, answered_at - assigned_at),
        assigned_business_response=(
            None if answered_at is None or assigned_at is None else terms.business(assigned_at, answered_at)
        ),
        attempted_at=_first(touches.attempts),
        contacted_at=_first(touches.contacts),
        qualified_at=_first(touches.qualifications),
        automated_at=touches.automated_at,
        holders=holder_clocks(case.stints, qualifying, settings.stop == "qualified"),
        inquiries=(
            () if answered_at is None else later_inquiries(max(answered_at, start), inbound, touches.attempts, terms)
        ),
    )  # fmt: skip


def _terms(case: _Case, rep: str | None, start: int) -> LeadTerms:
    """The rule and the hours by which a clock runs."""
    team = case.team_on(rep, case.definitions.calendar.day_of(start))
    return terms_of(case.own.get("source"), team, case.definitions)


def _timings(
    case: _Case, touches: _Touches, clock: str, stop: str, teams: dict[tuple[str, Day], str | None]
) -> list[Timing]:
    """The clocks by another start or stop. Adds to `teams` those that it goes by."""

    def due_at(rep: str | None, start: int) -> int:
        terms = _terms(case, rep, start)
        if rep is not None:
            teams[rep, case.definitions.calendar.day_of(start)] = terms.team
        return terms.after(start, terms.sla)

    if clock == "holder":
        held = holder_clocks(case.stints, touches.that_stop(stop), stop == "qualified")
        return [
            Timing(
                one.since, due_at(one.rep, one.since), one.answered_at, one.rep, one.rep,
                one.until if one.answered_at is None else None,
            )
            for one in held
        ]  # fmt: skip
    start = _start(case, clock)
    if start is None:
        return []
    if case.definitions.lead_response.before_start == "exclude":
        touches = touches.since(start)
    qualifying = touches.that_stop(stop)
    at, by = (qualifying[0].at, qualifying[0].rep) if qualifying else (None, None)
    return [Timing(start, due_at(case.rep, start), at, case.rep, by)]


def _touches(case: _Case) -> _Touches:
    """Of those who may answer."""
    definitions, attempts, contacts, automated = case.definitions, list[Touch](), list[Touch](), list[int]()
    for key, record in case.related.items():
        rep = definitions.person(record.get("rep"))
        at = attempt_at(record, definitions)
        if at is not None:
            attempts.append(Touch(at, key, rep))
        at = contact_at(record, definitions)
        if at is not None:
            contacts.append(Touch(at, key, rep))
        at = automated_at(record)
        if at is not None:
            automated.append(at)
    qualifications = _sorted(
        Touch(changed_at, f"lead|{id}", case.rep)
        for id, record in case.members.items()
        for changed_at, _, status in record.history("status")
        if status in QUALIFIED
    )
    attempts, contacts = _sorted(attempts), _sorted(contacts)
    if definitions.lead_response.responder != "anyone":
        attempts = [touch for touch in attempts if _is_by_responder(touch, case)]
        contacts = [touch for touch in contacts if _is_by_responder(touch, case)]
    return _Touches(attempts, contacts, qualifications, min(automated, default=None))


def _is_by_responder(touch: Touch, case: _Case) -> bool:
    """Whether it comes from somebody who may answer this lead, where not everybody may."""
    if touch.rep is None:
        return False
    holder = holder_at(case.stints, touch.at)
    if case.definitions.lead_response.responder == "owner":
        return touch.rep == holder
    day = case.definitions.calendar.day_of(touch.at)
    team = case.team_on(touch.rep, day)
    return team is not None and team == case.team_on(holder, day)


def _reps_of(case: _Case) -> frozenset[str]:
    reps = {case.rep}
    if case.definitions.lead_response.responder == "team":
        reps |= {stint.rep for stint in case.stints}
        reps |= {case.definitions.person(record.get("rep")) for record in case.related.values()}
    return frozenset(rep for rep in reps if rep is not None)


def _sorted(touches: Iterable[Touch]) -> list[Touch]:
    # Record keys of one instant differ, but for the statuses of one lead, which are equal: reps are never compared.
    return sorted(touches)


def _first(touches: list[Touch]) -> int | None:
    return touches[0].at if touches else None
