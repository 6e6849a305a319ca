"""Clocks beside a lead's first: how long each owner took while they held it, and later inquiries with their answers.

Owns both rules. They change no alert: those go by the first clock. Metrics may name another one.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import zip_longest
from typing import Final, NamedTuple

import msgspec

from processor.core.definitions import Definitions
from processor.core.sla import LeadTerms
from schemas.leads import HolderClock, Inquiry
from schemas.records import Record

INQUIRIES_KEPT = 32
"""Of one lead, the newest: a long correspondence must not make its clock long."""

_NOBODY_YET: Final[object] = object()


class Touch(NamedTuple):
    """Something that happened to a lead; of several at one instant the smallest record key comes first."""

    at: int
    record: str
    rep: str | None


class Timing(NamedTuple):
    """A clock of a lead, as metrics go by it."""

    started_at: int
    due_at: int
    answered_at: int | None
    rep: str | None
    """Whose lead it is, or was,"""
    answered_by: str | None
    """and who answered."""
    taken_at: int | None = None
    """When it was taken away from an owner who had not answered."""


class Stint(msgspec.Struct, frozen=True, gc=False):
    """Since when somebody (None: nobody) has held a lead. A lead may have as many as a history keeps."""

    since: int
    rep: str | None


def stints_of(lead: Record, definitions: Definitions) -> list[Stint]:
    """Who held the lead, oldest first, without repetitions.

    An owner is set when the CRM changes the field. Only where there never was another one, `assigned_at` is better:
    the change may be an import of long after.
    """
    person, stints, before = definitions.aliases.get, list[Stint](), _NOBODY_YET
    for changed_at, _, value in lead.history("rep"):
        rep = None if not isinstance(value, str) else person(value, value)
        if rep != before:
            stints.append(Stint(changed_at, rep))
            before = rep
    assigned_at = lead.get("assigned_at")
    if len(stints) == 1 and assigned_at is not None:
        stints[0] = Stint(assigned_at, stints[0].rep)
    return stints


def holder_at(stints: Sequence[Stint], at: int) -> str | None:
    """Who held the lead at an instant; the first one also before."""
    if not stints:
        return None
    # A lead may have had as many owners as a history keeps, and as many touches as a group takes.
    after = bisect_right(stints, at, key=lambda stint: stint.since)
    return stints[max(0, after - 1)].rep


def holder_clocks(stints: Sequence[Stint], touches: Sequence[Touch], by_anyone: bool) -> tuple[HolderClock, ...]:
    """One for each owner in turn. `touches`, ascending, are those that qualify; only their own stops an owner's clock.

    `by_anyone`: what qualifies has no author (a status), so it counts for who held the lead then.
    """
    clocks, touched_at = [], [touch.at for touch in touches]
    for stint, later in zip_longest(stints, stints[1:]):
        since, rep = stint.since, stint.rep
        if rep is None:
            continue
        until, answered_at = None if later is None else later.since, None
        if touches:
            # Each looks at the touches of its own time: there may be as many of them as of owners.
            end = len(touches) if until is None else bisect_left(touched_at, until)
            theirs = touches[bisect_left(touched_at, since) : end]
            answered_at = next((touch.at for touch in theirs if by_anyone or touch.rep == rep), None)
        clocks.append(HolderClock(rep, since, until, answered_at))
    return tuple(clocks)


def later_inquiries(
    since: int, inbound: Sequence[Touch], attempts: Sequence[Touch], terms: LeadTerms
) -> tuple[Inquiry, ...]:
    """The clocks after the first answer, which was given at `since`. Both lists ascend.

    The first inbound engagement after an answer starts one, whatever else comes in before the next attempt stops it.
    """
    found: list[Inquiry] = []
    next_attempt = 0
    for inquiry in inbound:
        if inquiry.at <= since:
            continue
        while next_attempt < len(attempts) and attempts[next_attempt].at <= inquiry.at:
            next_attempt += 1
        due_at = terms.after(inquiry.at, terms.sla)
        if next_attempt == len(attempts):
            found.append(Inquiry(inquiry.at, inquiry.record, due_at))
            break
        answer = attempts[next_attempt]
        since = answer.at
        found.append(
            Inquiry(
                inquiry.at, inquiry.record, due_at,
                answered_at=answer.at, touch=answer.record, touch_rep=answer.rep,
                business_response=terms.business(inquiry.at, answer.at),
            )
        )  # fmt: skip
    return tuple(found[-INQUIRIES_KEPT:])
