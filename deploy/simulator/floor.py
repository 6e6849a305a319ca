"""A simulated sales floor: people, leads, calls, mails, meetings and deals as a CRM would report them.

Owns in which order the CRM tells what happens (`activities`), as events of kind `generic`. Pure: the seed and the
instants asked for decide everything. Signs and posts nothing.

Each event asked for is one of these, by the shares of `Mix`:

    duplicate   an event of a moment ago, once more
    late        part of something that happened earlier today, in any order
    edit        any field of any record, now and then at the very instant of an earlier change
    deletion    of any record but a rep, or the return of a deleted one
    live        what is due now: a call that ends, an answer to a lead, a deal that moves; else something new
"""

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from deploy.simulator import further
from deploy.simulator.activities import Activities, ActivityStep, TimedEvents
from deploy.simulator.crm import Crm
from deploy.simulator.edits import edited
from deploy.simulator.known import CrmEvent, KnownRecord, as_event
from schemas.instants import HOUR, MINUTE, SECOND, format_instant

SPREAD = 3 * HOUR
"""How long ago a late thing may have happened."""


@dataclass(frozen=True, slots=True)
class Mix:
    """Shares of the events that are not plain and in order; the rest is live."""

    duplicates: float = 0.20
    late: float = 0.10
    edits: float = 0.10
    deletions: float = 0.05

    def __post_init__(self) -> None:
        shares = (self.duplicates, self.late, self.edits, self.deletions)
        if any(not 0 <= share <= 1 for share in shares) or sum(shares) > 0.9:
            msg = "shares of duplicates, late events, edits and deletions must not be negative, nor above 0.9 together"
            raise ValueError(msg)


CALM = Mix(duplicates=0.05, late=0.03, edits=0.02, deletions=0.003)
"""What a well-behaved CRM does: the demo's."""


@dataclass
class SimulatedFloor:
    """A sales floor whose next event can be asked for at any instant that does not lie before the last one."""

    seed: int
    reps: int = 12
    mix: Mix = field(default_factory=Mix)
    currencies: Sequence[str] = ("USD",)
    """The first one is the usual one."""

    def __post_init__(self) -> None:
        if not 1 <= self.reps <= 5000:
            raise ValueError("there must be 1 to 5000 reps")
        self._crm = Crm(self.seed, self.reps, self.currencies)
        self._activities = Activities(self._crm, self._later)
        self._random = self._crm.random
        self._count = 0
        self._steps: list[tuple[int, int, ActivityStep]] = []
        """(due, tie-breaker, what happens then)."""
        self._due: list[tuple[int, int, CrmEvent]] = []
        self._late: list[CrmEvent] = []
        self._recent: deque[CrmEvent] = deque(maxlen=500)
        self._deleted: deque[KnownRecord] = deque(maxlen=500)

    def next(self, at: int) -> CrmEvent:
        """The event that the CRM reports at the instant `at`."""
        event = self._choose(at - at % 1000)
        self._recent.append(event)
        return event

    def _choose(self, at: int) -> CrmEvent:
        if len(self._crm.people) < self.reps:
            return self._hire(self._crm.rep_ids[len(self._crm.people)], at)
        mix, lot = self.mix, self._random.random()
        for share, tell in (
            (mix.duplicates, self._again),
            (mix.late, self._late_event),
            (mix.edits, self._edit),
            (mix.deletions, self._delete),
        ):
            lot -= share
            if lot < 0:
                return tell(at)
        return self._live_event(at)

    def _again(self, _at: int) -> CrmEvent:
        return self._random.choice(self._recent)

    def _live_event(self, at: int) -> CrmEvent:
        while True:
            while self._steps and self._steps[0][0] <= at:
                due, _, step = heapq.heappop(self._steps)
                self._report(step(due))
            if self._due and self._due[0][0] <= at:
                return heapq.heappop(self._due)[2]
            self._report(self._activities.any(at))

    def _late_event(self, at: int) -> CrmEvent:
        while not self._late:
            then = at - self._crm.between(MINUTE, SPREAD)
            for due, event in self._activities.any(then):
                if due <= at:
                    self._late.append(event)
                else:
                    self._push(due, event)
        return self._late.pop(self._random.randrange(len(self._late)))

    def _report(self, changes: TimedEvents) -> None:
        for due, event in changes:
            # Now and then a change overtakes the one before it.
            late = self._crm.between(SECOND, 20 * SECOND) if self.mix.late and self._random.random() < 0.05 else 0
            self._push(due + late, event)

    def _push(self, due: int, event: CrmEvent) -> None:
        self._count += 1
        heapq.heappush(self._due, (due, self._count, event))

    def _later(self, due: int, step: ActivityStep) -> None:
        self._count += 1
        heapq.heappush(self._steps, (due, self._count, step))

    def _hire(self, rep: str, at: int) -> CrmEvent:
        index = len(self._crm.people)
        name = further.person(index)
        teams = further.TEAMS[: 2 if self.reps <= 8 else 3]
        fields = {
            "name": name,
            "email": f"{name.lower().replace(' ', '.')}@sales.example",
            "team": teams[index % len(teams)],
            "active": True,
            "since": at - self._crm.between(60 * 24 * HOUR, 900 * 24 * HOUR),
        } | (further.of_person(self._random, at) if self._random.random() < 0.3 else {})
        self._crm.people[rep] = KnownRecord("rep", rep, fields, at)
        return as_event("rep", rep, at, fields)

    def _delete(self, at: int) -> CrmEvent:
        if self._deleted and self._random.random() < 0.2:
            known = self._deleted.popleft()
            known.deleted = False
        else:
            drawn = self._crm.all.draw(self._random)
            if drawn is None:
                return self._live_event(at)
            known = drawn
            known.deleted = True
            self._deleted.append(known)
        known.changed_at = max(known.changed_at, at)
        return {
            "record": known.kind, "id": known.id, "changed_at": format_instant(at), "deleted": known.deleted,
            "fields": {},
        }  # fmt: skip

    def _edit(self, at: int) -> CrmEvent:
        known = self._crm.all.draw(self._random) if self._random.random() < 0.98 else None
        if known is None:
            known = self._crm.people[self._crm.rep()]
        news = edited(self._crm, known, at)
        if self._random.random() < 0.08 and known.changed_at <= at:
            # Two changes of one instant: whichever the fold prefers, it must be the same one everywhere.
            return as_event(known.kind, known.id, known.changed_at, news)
        return self._crm.change(known, at, news)


def delivery_size(random: Random, largest: int) -> int:
    """How many events the next delivery holds."""
    return 1 if largest <= 1 or random.random() < 0.75 else random.randint(2, largest)
