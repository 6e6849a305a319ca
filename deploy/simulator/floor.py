"""A simulated sales floor: people, leads, calls, mails, meetings and deals as a CRM would report them.

Owns what happens and in which order the CRM tells it, as events of kind `generic`. Pure: the seed and the instants
asked for decide everything. Signs and posts nothing.

Each event asked for is one of these, by the shares of `Mix`:

    duplicate   an event of a moment ago, once more
    late        part of something that happened earlier today, in any order
    edit        any field of any record, now and then at the very instant of an earlier change
    deletion    of any record but a rep, or the return of a deleted one
    live        what is due now: a call that ends, an answer to a lead, a deal that moves; else something new
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from deploy.simulator import further
from schemas.instants import HOUR, MINUTE, SECOND, format_instant

_T = TypeVar("_T")

Event = dict[str, Any]
"""One event of kind `generic`."""

SPREAD = 3 * HOUR
"""How long ago a late thing may have happened."""
_REMEMBERED = 20_000
_FIRST = (
    "Ana", "Bilal", "Chloe", "Dmitri", "Esra", "Femi", "Grace", "Hiro", "Ines", "Jonas", "Kavya", "Liam",
    "Mei", "Nadia", "Omar", "Priya", "Quentin", "Rosa", "Samuel", "Tove", "Uma", "Viktor", "Wanjiru", "Ximena", "Yusuf",
    "Zofia",
)  # fmt: skip
_LAST = (
    "Lim", "Okafor", "Martin", "Schneider", "Yilmaz", "Garcia", "Novak", "Tanaka", "Silva", "Berg", "Iyer", "Murphy",
    "Chen", "Haddad", "Rossi", "Kowalska", "Dubois", "Mwangi", "Petrov", "Larsen", "Nguyen", "Cohen", "Abebe",
)  # fmt: skip
_TEAMS = ("Inbound", "Mid-Market", "Enterprise")
_SOURCES = (
    ("demo_request", 18), ("website", 26), ("webinar", 12), ("referral", 12), ("trade_show", 9), ("partner", 8),
    ("cold_list", 15),
)  # fmt: skip
_OUTCOMES = (("connected", 46), ("no_answer", 30), ("voicemail", 15), ("busy", 5), ("wrong_number", 3), ("failed", 1))
_STAGES = ("discovery", "demo", "proposal", "negotiation")


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


CLEAN = Mix(0, 0, 0, 0)
CALM = Mix(duplicates=0.05, late=0.03, edits=0.02, deletions=0.003)
"""What a well-behaved CRM does: the demo's."""


@dataclass(slots=True)
class _Known:
    """A record as the CRM last had it."""

    kind: str
    id: str
    fields: dict[str, Any]
    """Instants are microseconds here."""
    changed_at: int
    deleted: bool = False


class _Memory:
    """The last few thousand records of one sort; any of them can be drawn in constant time."""

    def __init__(self, size: int = _REMEMBERED) -> None:
        self._size = size
        self._items: list[_Known] = []
        self._oldest = 0

    def __len__(self) -> int:
        return len(self._items)

    def add(self, known: _Known) -> None:
        if len(self._items) < self._size:
            self._items.append(known)
        else:
            self._items[self._oldest] = known
            self._oldest = (self._oldest + 1) % self._size

    def draw(self, random: Random) -> _Known | None:
        return self._items[random.randrange(len(self._items))] if self._items else None

    def draw_recent(self, random: Random, last: int = 200) -> _Known | None:
        """Any of the `last` ones (roughly: once it is full, their place goes round)."""
        count = len(self._items)
        if not count:
            return None
        newest = (self._oldest - 1) % count if count == self._size else count - 1
        return self._items[(newest - random.randrange(min(last, count))) % count]


_Step = tuple[int, int, Callable[[int], list[tuple[int, Event]]]]
"""(due, tie-breaker, what happens then): it gives changes with the instants at which the CRM reports them."""


@dataclass
class Floor:
    """A sales floor whose next event can be asked for at any instant that does not lie before the last one."""

    seed: int
    reps: int = 12
    mix: Mix = field(default_factory=Mix)
    currencies: Sequence[str] = ("USD",)
    """The first one is the usual one."""

    def __post_init__(self) -> None:
        if not 1 <= self.reps <= 5000:
            msg = "there must be 1 to 5000 reps"
            raise ValueError(msg)
        self._random = Random(self.seed)
        self._count = 0
        self._numbers: dict[str, int] = {}
        self._rep_ids = [f"r-{number}" for number in range(1, self.reps + 1)]
        self._people: dict[str, _Known] = {}
        self._steps: list[_Step] = []
        self._due: list[tuple[int, int, Event]] = []
        self._late: list[Event] = []
        self._recent: deque[Event] = deque(maxlen=500)
        self._all, self._leads, self._worked, self._deals, self._mails = (_Memory() for _ in range(5))
        self._deleted: deque[_Known] = deque(maxlen=500)
        self._activities: tuple[tuple[Callable[[int], list[tuple[int, Event]]], int], ...] = (
            (self._call, 40), (self._mail, 22), (self._reply, 9), (self._new_lead, 11), (self._book_meeting, 4),
            (self._hold_meeting, 4), (self._new_deal, 3), (self._move_deal, 5), (self._close_deal, 3),
            (self._judge_lead, 5), (self._reassign_lead, 2), (self._merge_lead, 1), (self._inbound_call, 5),
            (self._automated_mail, 3), (self._internal_call, 1), (self._activity, 2), (self._automated_call, 1),
            (self._subscribe, 1), (self._give_back, 1), (self._be_away, 1), (self._set_goal, 1),
        )  # fmt: skip

    def next(self, at: int) -> Event:
        """The event that the CRM reports at the instant `at`."""
        event = self._choose(at - at % 1000)
        self._recent.append(event)
        return event

    def _choose(self, at: int) -> Event:
        if len(self._people) < self.reps:
            return self._hire(self._rep_ids[len(self._people)], at)
        mix, lot = self.mix, self._random.random()
        lot -= mix.duplicates
        if lot < 0:
            return self._random.choice(self._recent)
        lot -= mix.late
        if lot < 0:
            return self._late_event(at)
        lot -= mix.edits
        if lot < 0:
            return self._edit(at)
        lot -= mix.deletions
        if lot < 0:
            return self._delete(at)
        return self._live_event(at)

    def _live_event(self, at: int) -> Event:
        while True:
            while self._steps and self._steps[0][0] <= at:
                due, _, step = heapq.heappop(self._steps)
                self._report(step(due))
            if self._due and self._due[0][0] <= at:
                return heapq.heappop(self._due)[2]
            self._report(self._weighted(self._activities)(at))

    def _late_event(self, at: int) -> Event:
        while not self._late:
            then = at - self._between(MINUTE, SPREAD)
            for due, event in self._weighted(self._activities)(then):
                if due <= at:
                    self._late.append(event)
                else:
                    self._push(due, event)
        return self._late.pop(self._random.randrange(len(self._late)))

    def _report(self, changes: list[tuple[int, Event]]) -> None:
        for due, event in changes:
            # Now and then a change overtakes the one before it.
            late = self._between(SECOND, 20 * SECOND) if self.mix.late and self._random.random() < 0.05 else 0
            self._push(due + late, event)

    def _push(self, due: int, event: Event) -> None:
        self._count += 1
        heapq.heappush(self._due, (due, self._count, event))

    def _later(self, due: int, step: Callable[[int], list[tuple[int, Event]]]) -> None:
        self._count += 1
        heapq.heappush(self._steps, (due, self._count, step))

    # --- people ------------------------------------------------------------------------------------------------------

    def _hire(self, rep: str, at: int) -> Event:
        index = len(self._people)
        first, last = _FIRST[index % len(_FIRST)], _LAST[(index + index // len(_FIRST)) % len(_LAST)]
        again = index // (len(_FIRST) * len(_LAST))
        name = f"{first} {last}" + (f" {again + 1}" if again else "")
        teams = _TEAMS[: 2 if self.reps <= 8 else 3]
        fields = {
            "name": name,
            "email": f"{name.lower().replace(' ', '.')}@sales.example",
            "team": teams[index % len(teams)],
            "active": True,
            "since": at - self._between(60 * 24 * HOUR, 900 * 24 * HOUR),
        }
        self._people[rep] = _Known("rep", rep, fields, at)
        return _event("rep", rep, at, fields)

    def _rep(self) -> str:
        # A floor has its stars: the lower number of two is the one that gets going.
        first, second = self._random.randrange(self.reps), self._random.randrange(self.reps)
        return self._rep_ids[min(first, second) if self._random.random() < 0.6 else second]

    # --- leads -------------------------------------------------------------------------------------------------------

    def _new_lead(self, at: int) -> list[tuple[int, Event]]:
        source = self._weighted(_SOURCES)
        rep = self._rep()
        waits_for_owner = self._random.random() < 0.15
        assigned_at = at + (self._between(20 * SECOND, 4 * MINUTE) if waits_for_owner else 0)
        lead = self._record(
            "lead",
            at,
            {
                "rep": None if waits_for_owner else rep,
                "source": source,
                "received_at": at - self._between(0, 3 * SECOND),
                "assigned_at": None if waits_for_owner else at,
                "status": "new",
            }
            | (further.of_lead(self._random, at) if self._random.random() < 0.5 else {}),
            self._leads,
        )
        changes = [(at, _event("lead", lead.id, at, lead.fields))]
        if waits_for_owner:
            changes.append((assigned_at, self._change(lead, assigned_at, {"rep": rep, "assigned_at": assigned_at})))
        if self._random.random() < 0.97:  # the rest is forgotten
            median = 2 * MINUTE if source == "demo_request" else 14 * MINUTE
            wait = int(median * self._random.lognormvariate(0, 1.1))
            self._later(assigned_at + wait, lambda due: self._answer(lead, rep, due))
        return changes

    def _answer(self, lead: _Known, rep: str, at: int) -> list[tuple[int, Event]]:
        if lead.deleted or lead.fields.get("merged_into"):
            return []
        self._worked.add(lead)
        chosen = self._random.random()
        if chosen < 0.62:
            return self._dial(at, lead.fields["rep"] or rep, lead.id, "outbound")
        return self._send(at, lead.fields["rep"] or rep, lead.id)

    def _judge_lead(self, at: int) -> list[tuple[int, Event]]:
        lead = self._lead(at)
        if lead is None or lead.fields["status"] in ("disqualified", "converted"):
            return self._call(at)
        now = lead.fields["status"]
        status = "converted" if now == "qualified" else self._weighted((("qualified", 6), ("disqualified", 4)))
        return [(at, self._change(lead, at, {"status": status}))]

    def _reassign_lead(self, at: int) -> list[tuple[int, Event]]:
        lead = self._lead(at)
        if lead is None:
            return self._call(at)
        return [(at, self._change(lead, at, {"rep": self._rep(), "assigned_at": at}))]

    def _merge_lead(self, at: int) -> list[tuple[int, Event]]:
        lead, other = self._lead(at), self._lead(at)
        if lead is None or other is None or lead is other:
            return self._call(at)
        changes = [(at, self._change(lead, at, {"merged_into": other.id}))]
        if self._random.random() < 0.25:
            undone = at + self._between(MINUTE, 30 * MINUTE)
            changes.append((undone, self._change(lead, undone, {"merged_into": None})))
        return changes

    def _lead(self, before: int) -> _Known | None:
        """Someone whom a rep has answered, and who was there at `before`: the new ones wait for their turn."""
        lead = self._worked.draw_recent(self._random)
        return None if lead is None or lead.deleted or (lead.fields["received_at"] or before) > before else lead

    # --- calls -------------------------------------------------------------------------------------------------------

    def _call(self, at: int) -> list[tuple[int, Event]]:
        # Half of them come with the next synchronisation, when they are over.
        dialed = at - (self._between(20 * SECOND, 15 * MINUTE) if self._random.random() < 0.5 else 0)
        lead = self._lead(dialed) if self._random.random() < 0.8 else None
        rep = lead.fields["rep"] if lead is not None and self._random.random() < 0.7 else None
        return self._dial(dialed, rep or self._rep(), lead.id if lead is not None else None, "outbound")

    def _inbound_call(self, at: int) -> list[tuple[int, Event]]:
        lead = self._lead(at)
        return self._dial(at, self._rep(), lead.id if lead is not None else None, "inbound")

    def _internal_call(self, at: int) -> list[tuple[int, Event]]:
        return self._dial(at, self._rep(), None, "outbound", internal=True)

    def _automated_call(self, at: int) -> list[tuple[int, Event]]:
        lead = self._lead(at)
        return self._dial(at, self._rep(), lead.id if lead is not None else None, "outbound", automated=True)

    def _dial(
        self,
        at: int,
        rep: str,
        lead: str | None,
        direction: str,
        *,
        internal: bool = False,
        automated: bool = False,
    ) -> list[tuple[int, Event]]:
        outcome = self._weighted(_OUTCOMES)
        rings = self._between(3 * SECOND, 28 * SECOND)
        talk = int(SECOND * min(3600.0, self._random.lognormvariate(4.6, 1.0))) if outcome == "connected" else 0
        fields: dict[str, Any] = {"rep": rep, "lead": lead, "direction": direction, "dialed_at": at}
        if internal:
            fields["internal"] = True
        if automated:
            fields["automated"] = True
        picked_up, ended = at + rings, at + rings + talk
        if self._random.random() < 0.45:  # a dialer that reports a call once, when it is over
            fields["outcome"] = outcome
            if talk and self._random.random() < 0.2:
                fields["talk_seconds"] = talk // SECOND
            elif talk:
                fields |= {"answered_at": picked_up, "ended_at": ended}
            reported = ended + self._between(0, 2 * SECOND)
            if self._random.random() < 0.3:
                fields |= further.logged(self._random, rep, reported)
            call = self._record("call", reported, fields, None)
            return [(reported, _event("call", call.id, reported, fields))]
        call = self._record("call", at, fields, None)
        changes = [(at, _event("call", call.id, at, fields))]
        if talk:
            changes.append((picked_up, self._change(call, picked_up, {"answered_at": picked_up})))
        last = {"ended_at": ended} | ({"outcome": outcome} if self._random.random() < 0.8 else {})
        changes.append((ended, self._change(call, ended, last)))
        return changes

    # --- mails -------------------------------------------------------------------------------------------------------

    def _mail(self, at: int) -> list[tuple[int, Event]]:
        lead = self._lead(at)
        rep = lead.fields["rep"] if lead is not None else None
        return self._send(at, rep or self._rep(), lead.id if lead is not None else None)

    def _send(self, at: int, rep: str, lead: str | None) -> list[tuple[int, Event]]:
        thread = f"t-{self._number('thread')}" if self._random.random() < 0.9 else None
        fields: dict[str, Any] = {
            "rep": rep,
            "lead": lead,
            "direction": "outbound",
            "sent_at": at - 800_000,
            "thread": thread,
        }
        if self._random.random() < 0.3:
            fields |= further.logged(self._random, rep, at) | {"contacts": further.contacts(self._random, lead)}
        mail = self._record("email", at, fields, self._mails)
        if thread and self._random.random() < 0.3:
            self._later(at + self._between(MINUTE, HOUR), lambda due: self._reply_to(mail, due))
        return [(at, _event("email", mail.id, at, mail.fields))]

    def _reply(self, at: int) -> list[tuple[int, Event]]:
        mail = self._mails.draw_recent(self._random)
        if mail is None or mail.deleted or not mail.fields.get("thread"):
            return self._mail(at)
        return self._reply_to(mail, at)

    def _reply_to(self, mail: _Known, at: int) -> list[tuple[int, Event]]:
        fields: dict[str, Any] = {
            "rep": mail.fields["rep"], "lead": mail.fields["lead"], "thread": mail.fields["thread"],
            "direction": "inbound", "sent_at": at - 1_500_000,
        }  # fmt: skip
        if self._random.random() < 0.1:  # out of office
            fields["automated"] = True
        answer = self._record("email", at, fields, None)
        return [(at, _event("email", answer.id, at, fields))]

    def _automated_mail(self, at: int) -> list[tuple[int, Event]]:
        lead = self._lead(at)
        fields = {
            "rep": self._rep(), "lead": lead.id if lead is not None else None, "direction": "outbound",
            "sent_at": at, "thread": f"t-{self._number('thread')}", "automated": True,
        }  # fmt: skip
        mail = self._record("email", at, fields, self._mails)
        return [(at, _event("email", mail.id, at, fields))]

    # --- meetings ----------------------------------------------------------------------------------------------------

    def _book_meeting(self, at: int) -> list[tuple[int, Event]]:
        lead = self._lead(at)
        rep = self._rep()
        starts = at - at % (15 * MINUTE) + 15 * MINUTE * self._random.randint(1, 40)
        fields: dict[str, Any] = {
            "rep": rep, "booked_by": rep if self._random.random() < 0.5 else self._rep(),
            "lead": lead.id if lead is not None else None, "kind": "demo" if self._random.random() < 0.6 else "review",
            "booked_at": at, "starts_at": starts, "ends_at": starts + 30 * MINUTE, "outcome": "scheduled",
        }  # fmt: skip
        if self._random.random() < 0.1:
            del fields["booked_by"]
        if self._random.random() < 0.4:
            fields |= {"attendees": [self._rep(), self._rep()], "internal": self._random.random() < 0.1}
        meeting = self._record("meeting", at, fields, None)
        self._later(starts + 31 * MINUTE, lambda due: self._end_meeting(meeting, due))
        return [(at, _event("meeting", meeting.id, at, meeting.fields))]

    def _end_meeting(self, meeting: _Known, at: int) -> list[tuple[int, Event]]:
        if meeting.deleted or meeting.fields["outcome"] != "scheduled":
            return []
        outcome = self._weighted((("held", 74), ("no_show", 18), ("cancelled", 8)))
        return [(at, self._change(meeting, at, {"outcome": outcome}))]

    def _hold_meeting(self, at: int) -> list[tuple[int, Event]]:
        """One that is over already when the CRM hears of it."""
        starts = at - self._between(31 * MINUTE, 45 * MINUTE)
        lead = self._lead(starts)
        fields = {
            "rep": self._rep(), "lead": lead.id if lead is not None else None, "kind": "demo",
            "booked_at": starts - self._between(MINUTE, 3 * HOUR), "starts_at": starts, "ends_at": starts + 30 * MINUTE,
            "outcome": self._weighted((("held", 85), ("no_show", 15))),
        }  # fmt: skip
        meeting = self._record("meeting", at, fields, None)
        return [(at, _event("meeting", meeting.id, at, fields))]

    # --- deals -------------------------------------------------------------------------------------------------------

    def _new_deal(self, at: int) -> list[tuple[int, Event]]:
        lead, rep = self._lead(at), self._rep()
        created = at - self._between(0, 45 * 24 * HOUR) if self._random.random() < 0.6 else at
        fields: dict[str, Any] = {
            "rep": rep, "creator": rep if self._random.random() < 0.7 else self._rep(),
            "lead": lead.id if lead is not None else None, "pipeline": "sales", "stage": _STAGES[0],
            "entered_stage_at": at, "status": "open", "created_at": created, "amount": self._amount(),
            "currency": self._currency(), "product": self._random.choice(further.PRODUCTS),
            "kind": self._weighted((("new", 7), ("expansion", 2), ("cross_sell", 1), ("renewal", 1))),
        }  # fmt: skip
        if self._random.random() < 0.6:
            fields |= further.of_deal(self._random, fields["amount"], at)
        if self._random.random() < 0.3:
            del fields["entered_stage_at"]
        deal = self._record("deal", at, fields, self._deals)
        return [(at, _event("deal", deal.id, at, deal.fields))]

    def _move_deal(self, at: int) -> list[tuple[int, Event]]:
        deal = self._open_deal()
        stage = deal.fields["stage"] if deal is not None else None
        if deal is None or stage not in _STAGES[:-1]:
            return self._new_deal(at)
        news: dict[str, Any] = {"stage": _STAGES[_STAGES.index(stage) + 1]}
        if self._random.random() < 0.3:
            news["amount"] = self._amount()
        return [(at, self._change(deal, at, news))]

    def _close_deal(self, at: int) -> list[tuple[int, Event]]:
        deal = self._open_deal()
        if deal is None:
            return self._new_deal(at)
        status = self._weighted((("won", 45), ("lost", 55)))
        news = {"status": status, "closed_at": at, "stage": status}
        if status == "lost":
            news["lost_reason"] = further.lost_reason(self._random)
        if self._random.random() < 0.2:
            del news["closed_at"]
        return [(at, self._change(deal, at, news))]

    def _open_deal(self) -> _Known | None:
        deal = self._deals.draw_recent(self._random)
        return None if deal is None or deal.deleted or deal.fields["status"] != "open" else deal

    def _amount(self) -> str:
        hundreds = max(3, int(self._random.lognormvariate(4.4, 0.9)))
        return f"{hundreds * 100}.00" if self._random.random() < 0.8 else f"{hundreds * 100 + 49}.90"

    def _currency(self) -> str:
        others = self.currencies[1:]
        return self._random.choice(others) if others and self._random.random() < 0.15 else self.currencies[0]

    # --- the rest ----------------------------------------------------------------------------------------------------

    def _activity(self, at: int) -> list[tuple[int, Event]]:
        lead = self._lead(at)
        fields = {
            "rep": self._rep(), "lead": lead.id if lead is not None else None, "at": at,
            "kind": self._random.choice(("tool_used", "cost", "visitors")), "value": str(self._random.randint(1, 10)),
        }  # fmt: skip
        activity = self._record("activity", at, fields, None)
        return [(at, _event("activity", activity.id, at, fields))]

    def _subscribe(self, at: int) -> list[tuple[int, Event]]:
        return self._told("subscription", at, further.subscription(self._random, self._rep(), at))

    def _give_back(self, at: int) -> list[tuple[int, Event]]:
        deal = self._deals.draw(self._random)
        return self._told(
            "credit", at, further.credit(self._random, self._rep(), None if deal is None else deal.id, at)
        )

    def _be_away(self, at: int) -> list[tuple[int, Event]]:
        return self._told("absence", at, further.absence(self._random, self._rep(), at))

    def _set_goal(self, at: int) -> list[tuple[int, Event]]:
        return self._told("goal", at, further.goal(self._random, self._rep(), at))

    def _told(self, kind: str, at: int, fields: dict[str, Any]) -> list[tuple[int, Event]]:
        record = self._record(kind, at, fields, None)
        return [(at, _event(kind, record.id, at, fields))]

    def _delete(self, at: int) -> Event:
        if self._deleted and self._random.random() < 0.2:
            known = self._deleted.popleft()
            known.deleted = False
        else:
            drawn = self._all.draw(self._random)
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

    def _edit(self, at: int) -> Event:
        known = self._all.draw(self._random) if self._random.random() < 0.98 else None
        if known is None:
            known = self._people[self._rep()]
        news = self._edited(known, at)
        if self._random.random() < 0.08 and known.changed_at <= at:
            # Two changes of one instant: whichever the fold prefers, it must be the same one everywhere.
            return _event(known.kind, known.id, known.changed_at, news)
        return self._change(known, at, news)

    def _edited(self, known: _Known, at: int) -> dict[str, Any]:
        names = [name for name in known.fields if name in _EDITS and (known.kind != "rep" or name != "kind")]
        name = self._random.choice(names)
        if name == "status" and known.kind == "deal":
            status = self._random.choice(("open", "won", "lost"))
            return {"status": status, "closed_at": None if status == "open" else at - self._between(0, HOUR)}
        edit = _EDITS[name]
        if edit == "instant":
            moved = known.fields[name]
            if moved is None or self._random.random() < 0.05:
                return {name: None if moved is not None and name not in _NEEDED else at}
            return {name: min(moved, at + 12 * HOUR) + self._between(-20 * MINUTE, 20 * MINUTE)}
        return {name: self._other_value(known.kind, name)}

    def _other_value(self, kind: str, name: str) -> Any:  # noqa: PLR0911, PLR0912 - a table
        random = self._random
        match name:
            case "rep" | "booked_by" | "creator":
                return self._rep() if random.random() < 0.95 else None
            case "lead":
                lead = self._leads.draw(random)
                return lead.id if lead is not None and random.random() < 0.9 else None
            case "thread":
                mail = self._mails.draw(random)
                return mail.fields.get("thread") if mail is not None else None
            case "team":
                return random.choice(_TEAMS[: 2 if self.reps <= 8 else 3])
            case "outcome" if kind == "call":
                return self._weighted(_OUTCOMES)
            case "outcome":
                return self._weighted((("held", 6), ("no_show", 2), ("cancelled", 1), ("scheduled", 1)))
            case "status":
                return random.choice(("new", "qualified", "disqualified", "converted", "customer"))
            case "source":
                return self._weighted(_SOURCES)
            case "direction":
                return random.choice(("outbound", "inbound"))
            case "customer":
                return further.customer(random)
            case "contacts":
                return further.contacts(random, None)
            case "attendees":
                return [self._rep() for _ in range(random.randint(0, 3))]
            case "monthly_amount":
                return random.randint(0, 1000)
            case "internal" | "automated":
                return random.random() < 0.5
            case "talk_seconds":
                return random.randint(0, 900)
            case "amount":
                return self._amount()
            case "currency":
                return self._currency()
            case "stage":
                return random.choice(_STAGES)
            case "email":
                return f"sales{random.randint(1, 999)}@sales.example"
            case _:
                return random.choice(further.PRODUCTS)

    # --- records -----------------------------------------------------------------------------------------------------

    def _record(self, kind: str, at: int, fields: dict[str, Any], memory: _Memory | None) -> _Known:
        known = _Known(kind, f"{kind[0]}-{self._number(kind)}", dict(fields), at)
        self._all.add(known)
        if memory is not None:
            memory.add(known)
        return known

    def _change(self, known: _Known, at: int, news: dict[str, Any]) -> Event:
        known.fields |= news
        known.changed_at = max(known.changed_at, at)
        return _event(known.kind, known.id, at, news)

    def _number(self, kind: str) -> int:
        self._numbers[kind] = self._numbers.get(kind, 0) + 1
        return self._numbers[kind]

    def _between(self, low: int, high: int) -> int:
        """Whole milliseconds, as CRMs write them."""
        return self._random.randint(low // 1000, high // 1000) * 1000

    def _weighted(self, choices: Sequence[tuple[_T, int]]) -> _T:
        lot = self._random.randrange(sum(weight for _, weight in choices))
        for choice, weight in choices:
            lot -= weight
            if lot < 0:
                return choice
        raise AssertionError


_INSTANTS = frozenset(
    {
        "dialed_at", "answered_at", "ended_at", "sent_at", "booked_at", "starts_at", "ends_at", "received_at",
        "assigned_at", "entered_stage_at", "created_at", "closed_at", "since", "until", "at",
        "logged_at", "next_step_at",
    }
)  # fmt: skip
_NEEDED = frozenset({"dialed_at", "sent_at", "received_at", "created_at", "at"})
_EDITS = dict.fromkeys(_INSTANTS - {"since", "until"}, "instant") | dict.fromkeys(
    (
        "rep", "booked_by", "creator", "lead", "thread", "team", "outcome", "status", "source", "direction", "internal",
        "automated", "talk_seconds", "amount", "currency", "stage", "email", "product", "customer", "contacts",
        "attendees", "monthly_amount",
    ),
    "value",
)  # fmt: skip


def _event(kind: str, record_id: str, at: int, fields: dict[str, Any]) -> Event:
    return {
        "record": kind,
        "id": record_id,
        "changed_at": format_instant(at),
        "fields": {
            name: format_instant(value) if name in _INSTANTS and isinstance(value, int) else value
            for name, value in fields.items()
        },
    }


def events(
    seed: int,
    count: int,
    start: int,
    *,
    interval: int = SECOND,
    reps: int = 12,
    mix: Mix | None = None,
    currencies: Sequence[str] = ("USD",),
) -> Iterator[Event]:
    """`count` events, the first reported at `start`, then one each `interval` (microseconds)."""
    floor = Floor(seed, reps, mix if mix is not None else Mix(), currencies)
    for index in range(count):
        yield floor.next(start + index * interval)


def deliveries(
    seed: int,
    count: int,
    start: int,
    *,
    interval: int = SECOND,
    reps: int = 12,
    mix: Mix | None = None,
    currencies: Sequence[str] = ("USD",),
    largest: int = 12,
) -> Iterator[list[Event]]:
    """The same events in deliveries: mostly one each, sometimes up to `largest` at once."""
    random = Random(f"deliveries of {seed}")
    batch: list[Event] = []
    size = 1
    for event in events(seed, count, start, interval=interval, reps=reps, mix=mix, currencies=currencies):
        batch.append(event)
        if len(batch) >= size:
            yield batch
            batch, size = [], delivery_size(random, largest)
    if batch:
        yield batch


def delivery_size(random: Random, largest: int) -> int:
    """How many events the next delivery holds."""
    return 1 if largest <= 1 or random.random() < 0.75 else random.randint(2, largest)
