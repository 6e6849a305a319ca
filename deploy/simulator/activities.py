"""What people on a simulated sales floor do: leads, calls, mails, meetings, deals, and what else a CRM is told.

Each activity gives the changes it makes, with the instants at which the CRM reports them; what follows from it later is
handed to whom it was given. Pure: the random numbers are the CRM's.
"""

from collections.abc import Callable
from typing import Any

from deploy.simulator import further
from deploy.simulator.crm import OUTCOMES, STAGES, Crm
from deploy.simulator.known import CrmEvent, KnownRecord, Memory, as_event
from schemas.instants import HOUR, MINUTE, SECOND

TimedEvents = list[tuple[int, CrmEvent]]
"""Changes with the instants at which the CRM reports them."""
ActivityStep = Callable[[int], TimedEvents]
"""What happens at an instant."""


class Activities:
    """Everything that somebody may do, each as often as on a floor."""

    def __init__(self, crm: Crm, later: Callable[[int, ActivityStep], None]) -> None:
        """`later` is told what is to happen at which instant."""
        self._crm = crm
        self._random = crm.random
        self._later = later
        self._shares: tuple[tuple[ActivityStep, int], ...] = (
            (self._call, 40), (self._mail, 22), (self._reply, 9), (self._new_lead, 11), (self._book_meeting, 4),
            (self._hold_meeting, 4), (self._new_deal, 3), (self._move_deal, 5), (self._close_deal, 3),
            (self._judge_lead, 5), (self._reassign_lead, 2), (self._merge_lead, 1), (self._inbound_call, 5),
            (self._automated_mail, 3), (self._internal_call, 1), (self._activity, 2), (self._automated_call, 1),
            (self._subscribe, 1), (self._give_back, 1), (self._be_away, 1), (self._set_goal, 1), (self._merge_deal, 1),
        )  # fmt: skip

    def any(self, at: int) -> TimedEvents:
        """One activity, as of that instant."""
        return self._crm.weighted(self._shares)(at)

    # --- leads -------------------------------------------------------------------------------------------------------

    def _new_lead(self, at: int) -> TimedEvents:
        source = self._crm.weighted(further.LEAD_SOURCES)
        rep = self._crm.rep()
        waits_for_owner = self._random.random() < 0.15
        assigned_at = at + (self._crm.between(20 * SECOND, 4 * MINUTE) if waits_for_owner else 0)
        lead = self._crm.record(
            "lead",
            at,
            {
                "rep": None if waits_for_owner else rep,
                "source": source,
                "received_at": at - self._crm.between(0, 3 * SECOND),
                "assigned_at": None if waits_for_owner else at,
                "status": "new",
            }
            | (further.of_lead(self._random, at) if self._random.random() < 0.5 else {}),
            self._crm.leads,
        )
        changes = [(at, as_event("lead", lead.id, at, lead.fields))]
        if waits_for_owner:
            changes.append((assigned_at, self._crm.change(lead, assigned_at, {"rep": rep, "assigned_at": assigned_at})))
        if self._random.random() < 0.97:  # the rest is forgotten
            median = 2 * MINUTE if source == "demo_request" else 14 * MINUTE
            wait = int(median * self._random.lognormvariate(0, 1.1))
            self._later(assigned_at + wait, lambda due: self._answer(lead, rep, due))
        return changes

    def _answer(self, lead: KnownRecord, rep: str, at: int) -> TimedEvents:
        if lead.deleted or lead.fields.get("merged_into"):
            return []
        self._crm.worked.add(lead)
        chosen = self._random.random()
        if chosen < 0.62:
            return self._dial(at, lead.fields["rep"] or rep, lead.id, "outbound")
        return self._send(at, lead.fields["rep"] or rep, lead.id)

    def _judge_lead(self, at: int) -> TimedEvents:
        lead = self._crm.lead(at)
        if lead is None or lead.fields["status"] in ("disqualified", "converted", "customer"):
            return self._call(at)
        is_qualified = lead.fields["status"] == "qualified"
        next_ones = (("converted", 3), ("customer", 1)) if is_qualified else (("qualified", 6), ("disqualified", 4))
        news = {"status": self._crm.weighted(next_ones)}
        if news["status"] == "customer":
            news["customer"] = further.customer(self._random)
        return [(at, self._crm.change(lead, at, news))]

    def _reassign_lead(self, at: int) -> TimedEvents:
        lead = self._crm.lead(at)
        if lead is None:
            return self._call(at)
        return [(at, self._crm.change(lead, at, {"rep": self._crm.rep(), "assigned_at": at}))]

    def _merge_lead(self, at: int) -> TimedEvents:
        lead, other = self._crm.lead(at), self._crm.lead(at)
        if lead is None or other is None or lead is other:
            return self._call(at)
        changes = [(at, self._crm.change(lead, at, {"merged_into": other.id}))]
        if self._random.random() < 0.25:
            undone = at + self._crm.between(MINUTE, 30 * MINUTE)
            changes.append((undone, self._crm.change(lead, undone, {"merged_into": None})))
        return changes

    # --- calls -------------------------------------------------------------------------------------------------------

    def _call(self, at: int) -> TimedEvents:
        # Half of them come with the next synchronisation, when they are over.
        dialed = at - (self._crm.between(20 * SECOND, 15 * MINUTE) if self._random.random() < 0.5 else 0)
        lead = self._crm.lead(dialed) if self._random.random() < 0.8 else None
        rep = lead.fields["rep"] if lead is not None and self._random.random() < 0.7 else None
        return self._dial(dialed, rep or self._crm.rep(), _id(lead), "outbound")

    def _inbound_call(self, at: int) -> TimedEvents:
        lead = self._crm.lead(at)
        return self._dial(at, self._crm.rep(), _id(lead), "inbound")

    def _internal_call(self, at: int) -> TimedEvents:
        return self._dial(at, self._crm.rep(), None, "outbound", internal=True)

    def _automated_call(self, at: int) -> TimedEvents:
        lead = self._crm.lead(at)
        return self._dial(at, self._crm.rep(), _id(lead), "outbound", automated=True)

    def _dial(
        self,
        at: int,
        rep: str,
        lead: str | None,
        direction: str,
        *,
        internal: bool = False,
        automated: bool = False,
    ) -> TimedEvents:
        outcome = self._crm.weighted(OUTCOMES)
        rings = self._crm.between(3 * SECOND, 28 * SECOND)
        talk = int(SECOND * min(3600.0, self._random.lognormvariate(4.6, 1.0))) if outcome == "connected" else 0
        fields: dict[str, Any] = {"rep": rep, "lead": lead, "direction": direction, "dialed_at": at}
        if internal:
            fields["internal"] = True
        if automated:
            fields["automated"] = True
        if self._random.random() < 0.1:
            deal = self._crm.open_deal()
            fields |= {"number": further.phone_number(self._random), "deal": _id(deal)}
        picked_up, ended = at + rings, at + rings + talk
        if self._random.random() < 0.45:  # a dialer that reports a call once, when it is over
            fields["outcome"] = outcome
            if talk and self._random.random() < 0.2:
                fields["talk_seconds"] = talk // SECOND
            elif talk:
                fields |= {"answered_at": picked_up, "ended_at": ended}
            reported = ended + self._crm.between(0, 2 * SECOND)
            if self._random.random() < 0.3:
                fields |= further.logged(self._random, rep, reported)
            return self._told("call", reported, fields)
        call = self._crm.record("call", at, fields, None)
        changes = [(at, as_event("call", call.id, at, fields))]
        if talk:
            changes.append((picked_up, self._crm.change(call, picked_up, {"answered_at": picked_up})))
        last = {"ended_at": ended} | ({"outcome": outcome} if self._random.random() < 0.8 else {})
        changes.append((ended, self._crm.change(call, ended, last)))
        return changes

    # --- mails -------------------------------------------------------------------------------------------------------

    def _mail(self, at: int) -> TimedEvents:
        lead = self._crm.lead(at)
        rep = lead.fields["rep"] if lead is not None else None
        return self._send(at, rep or self._crm.rep(), _id(lead))

    def _send(self, at: int, rep: str, lead: str | None) -> TimedEvents:
        thread = f"t-{self._crm.number('thread')}" if self._random.random() < 0.9 else None
        fields: dict[str, Any] = {
            "rep": rep,
            "lead": lead,
            "direction": "outbound",
            "sent_at": at - 800_000,
            "thread": thread,
        }
        if self._random.random() < 0.3:
            fields |= further.logged(self._random, rep, at) | {"contacts": further.contacts(self._random, lead)}
        mail = self._crm.record("email", at, fields, self._crm.mails)
        if thread and self._random.random() < 0.3:
            self._later(at + self._crm.between(MINUTE, HOUR), lambda due: self._reply_to(mail, due))
        return [(at, as_event("email", mail.id, at, mail.fields))]

    def _reply(self, at: int) -> TimedEvents:
        mail = self._crm.mails.draw_recent(self._random)
        if mail is None or mail.deleted or not mail.fields.get("thread"):
            return self._mail(at)
        return self._reply_to(mail, at)

    def _reply_to(self, mail: KnownRecord, at: int) -> TimedEvents:
        fields: dict[str, Any] = {
            "rep": mail.fields["rep"], "lead": mail.fields["lead"], "thread": mail.fields["thread"],
            "direction": "inbound", "sent_at": at - 1_500_000,
        }  # fmt: skip
        if self._random.random() < 0.1:  # out of office
            fields["automated"] = True
        return self._told("email", at, fields)

    def _automated_mail(self, at: int) -> TimedEvents:
        lead = self._crm.lead(at)
        fields = {
            "rep": self._crm.rep(), "lead": _id(lead), "direction": "outbound",
            "sent_at": at, "thread": f"t-{self._crm.number('thread')}", "automated": True,
        }  # fmt: skip
        return self._told("email", at, fields, self._crm.mails)

    # --- meetings ----------------------------------------------------------------------------------------------------

    def _book_meeting(self, at: int) -> TimedEvents:
        lead = self._crm.lead(at)
        rep = self._crm.rep()
        starts = at - at % (15 * MINUTE) + 15 * MINUTE * self._random.randint(1, 40)
        fields: dict[str, Any] = {
            "rep": rep, "booked_by": rep if self._random.random() < 0.5 else self._crm.rep(),
            "lead": _id(lead), "kind": "demo" if self._random.random() < 0.6 else "review",
            "booked_at": at, "starts_at": starts, "ends_at": starts + 30 * MINUTE, "outcome": "scheduled",
        }  # fmt: skip
        if self._random.random() < 0.1:
            del fields["booked_by"]
        if self._random.random() < 0.4:
            fields |= {"attendees": [self._crm.rep(), self._crm.rep()], "internal": self._random.random() < 0.1}
            fields |= further.logged(self._random, rep, at)
        deal = self._crm.open_deal()
        if deal is not None and self._random.random() < 0.2:
            fields["deal"] = deal.id
        meeting = self._crm.record("meeting", at, fields, None)
        self._later(starts + 31 * MINUTE, lambda due: self._end_meeting(meeting, due))
        return [(at, as_event("meeting", meeting.id, at, meeting.fields))]

    def _end_meeting(self, meeting: KnownRecord, at: int) -> TimedEvents:
        if meeting.deleted or meeting.fields["outcome"] != "scheduled":
            return []
        outcome = self._crm.weighted((("held", 74), ("no_show", 18), ("cancelled", 8)))
        return [(at, self._crm.change(meeting, at, {"outcome": outcome}))]

    def _hold_meeting(self, at: int) -> TimedEvents:
        """One that is over already when the CRM hears of it."""
        starts = at - self._crm.between(31 * MINUTE, 45 * MINUTE)
        lead = self._crm.lead(starts)
        fields = {
            "rep": self._crm.rep(), "lead": _id(lead), "kind": "demo",
            "booked_at": starts - self._crm.between(MINUTE, 3 * HOUR), "starts_at": starts,
            "ends_at": starts + 30 * MINUTE, "outcome": self._crm.weighted((("held", 85), ("no_show", 15))),
        }  # fmt: skip
        return self._told("meeting", at, fields)

    # --- deals -------------------------------------------------------------------------------------------------------

    def _new_deal(self, at: int) -> TimedEvents:
        lead, rep = self._crm.lead(at), self._crm.rep()
        created = at - self._crm.between(0, 45 * 24 * HOUR) if self._random.random() < 0.6 else at
        fields: dict[str, Any] = {
            "rep": rep, "creator": rep if self._random.random() < 0.7 else self._crm.rep(),
            "lead": _id(lead), "pipeline": "sales", "stage": STAGES[0],
            "entered_stage_at": at, "status": "open", "created_at": created, "amount": self._crm.amount(),
            "currency": self._crm.currency(), "product": self._random.choice(further.PRODUCTS),
            "kind": self._crm.weighted((("new", 7), ("expansion", 2), ("cross_sell", 1), ("renewal", 1))),
        }  # fmt: skip
        if self._random.random() < 0.6:
            fields |= further.deal_details(self._random, fields["amount"], at)
        if self._random.random() < 0.3:
            del fields["entered_stage_at"]
        return self._told("deal", at, fields, self._crm.deals)

    def _move_deal(self, at: int) -> TimedEvents:
        deal = self._crm.open_deal()
        stage = deal.fields["stage"] if deal is not None else None
        if deal is None or stage not in STAGES[:-1]:
            return self._new_deal(at)
        news: dict[str, Any] = {"stage": STAGES[STAGES.index(stage) + 1]}
        if self._random.random() < 0.3:
            news["amount"] = self._crm.amount()
        return [(at, self._crm.change(deal, at, news))]

    def _close_deal(self, at: int) -> TimedEvents:
        deal = self._crm.open_deal()
        if deal is None:
            return self._new_deal(at)
        status = self._crm.weighted((("won", 45), ("lost", 55)))
        news = {"status": status, "closed_at": at, "stage": status}
        if status == "lost":
            news["lost_reason"] = further.lost_reason(self._random)
        if self._random.random() < 0.2:
            del news["closed_at"]
        return [(at, self._crm.change(deal, at, news))]

    def _merge_deal(self, at: int) -> TimedEvents:
        """Two of one sale, of which one is left."""
        deal, other = self._crm.open_deal(), self._crm.open_deal()
        if deal is None or other is None or deal is other or other.fields.get("merged_into") is not None:
            return self._new_deal(at)
        return [(at, self._crm.change(deal, at, {"merged_into": other.id}))]

    # --- the rest ----------------------------------------------------------------------------------------------------

    def _activity(self, at: int) -> TimedEvents:
        lead = self._crm.lead(at)
        return self._told("activity", at, further.activity(self._random, self._crm.rep(), _id(lead), at))

    def _subscribe(self, at: int) -> TimedEvents:
        return self._told("subscription", at, further.subscription(self._random, self._crm.rep(), at))

    def _give_back(self, at: int) -> TimedEvents:
        deal = self._crm.deals.draw(self._random)
        return self._told("credit", at, further.credit(self._random, self._crm.rep(), _id(deal), at))

    def _be_away(self, at: int) -> TimedEvents:
        return self._told("absence", at, further.absence(self._random, self._crm.rep(), at))

    def _set_goal(self, at: int) -> TimedEvents:
        return self._told("goal", at, further.goal(self._random, self._crm.rep(), at))

    def _told(self, kind: str, at: int, fields: dict[str, Any], memory: Memory | None = None) -> TimedEvents:
        """A new record, of which all is told at once."""
        record = self._crm.record(kind, at, fields, memory)
        return [(at, as_event(kind, record.id, at, fields))]


def _id(record: KnownRecord | None) -> str | None:
    return None if record is None else record.id
