"""The batch recount: every metric from the list of all record changes and a clock, in one plain pass.

Owns a second, independent reading of the definitions: `floorcast verify` and the tests compare what is served with it.
So it shares nothing with the stream code but the value types, prefers brute force to cleverness and keeps no panes.
What is forgotten of a long log says deploy/forgetting.py. Instants and durations are integer microseconds, UTC;
fractions stay exact until they are shown.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict
from zoneinfo import ZoneInfo

import holidays
from babel.numbers import get_currency_precision

from deploy.forgetting import remembered

if TYPE_CHECKING:
    from schemas.config import BusinessHours, Config, SlaRule
    from schemas.records import RecordChange

Window = str | tuple[date, date]
"""`5m` … `year`, or two dates, both included."""
Shown = int | float | str | None
"""A metric as it is served: counts and durations are numbers, money a decimal string, None where nothing happened."""

COUNTS = (
    "calls_made", "calls_connected", "conversations", "emails_sent", "emails_received", "meetings_booked",
    "meetings_held", "leads_assigned", "deals_won", "deals_lost",
)  # fmt: skip
METRICS = (
    *COUNTS, "connect_rate", "talk_seconds", "leads_due", "leads_answered", "lead_response_seconds_p50",
    "lead_response_seconds_p90", "lead_response_within_sla", "revenue_won", "win_rate", "average_deal_size",
    "sales_cycle_days_p50",
)  # fmt: skip
ROLLING_MINUTES = {"5m": 5, "15m": 15, "1h": 60, "4h": 240, "24h": 1440}
DAY_WINDOWS = ("today", "yesterday", "week", "month", "quarter", "year", "7d", "30d")

_SECOND = 1_000_000
_MINUTE = 60 * _SECOND
_DAY = 86_400 * _SECOND
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_HISTORY_LIMIT = 64
_MEDIAN = Fraction(1, 2)
_NINE_TENTHS = Fraction(9, 10)
_HOUR = 60 * _MINUTE
_DEFAULT_SLA = _HOUR
_INQUIRIES_KEPT = 32
_GROUP_LIMIT = 16_384


class Row(TypedDict):
    """What a row says of one rep, one team or the organisation."""

    metrics: dict[str, Shown]
    bounds: dict[str, float]
    """For percentiles that fall on an unanswered lead: how many seconds they are at least."""


class Rows(TypedDict):
    """All rows of one window."""

    organisation: Row
    teams: dict[str, Row]
    reps: dict[str, Row]


class Holder(TypedDict):
    """One owner of a lead, while they held it."""

    rep: str
    since: int
    until: int | None
    answered_at: int | None


class Inquiry(TypedDict):
    """A later clock of a lead."""

    started_at: int
    due_at: int
    answered_at: int | None
    rep: str | None
    business_response: int | None


class LeadClock(TypedDict):
    """The clocks of a lead that is not merged away, as seen at an instant."""

    rep: str | None
    """The lead's own rep."""
    counts_for: str | None
    """Whose numbers it is in: the rep who answered (perhaps nobody known), else the lead's rep."""
    source: str | None
    team: str | None
    """Of the lead's rep, on the day of the start."""
    calendar: str | None
    is_business: bool
    started_at: int
    due_at: int
    warn_at: int
    escalate_at: int
    answered_at: int | None
    touch: tuple[str, str] | None
    """(record kind, id) of the touch that stopped it."""
    response: int | None
    business_response: int | None
    assigned_response: int | None
    assigned_business_response: int | None
    business_waiting: int | None
    """Up to the answer, else up to now; None where the team has no calendar."""
    attempted_at: int | None
    contacted_at: int | None
    qualified_at: int | None
    automated_at: int | None
    holders: list[Holder]
    inquiries: list[Inquiry]
    waiting: bool
    """Nobody answered, and the lead has not left `new`."""
    state: str | None
    """`waiting`, `warned` or `breached`; None when it does not wait."""


def recount(changes: Iterable[RecordChange], config: Config) -> Books:
    """Everything that follows from these changes, in whatever order and however often they stand there."""
    changes = list(changes)

    def waits(lead: str, known: Sequence[RecordChange]) -> bool:
        clock = Books(_fold(known), config).lead_clocks(0).get(lead)
        return clock is not None and clock["waiting"]

    left = remembered(changes, config, waits)
    books = Books(_fold(left.records), config, first_day=left.first_day, has_groups=left.leads is None)
    for thread, mails in (left.threads or {}).items():
        books.count_answers(_fold(mails), only=thread)
    for lead, known in (left.leads or {}).items():
        books.count_leads(_fold(known), only=lead)
    return books


# --- Records ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Record:
    id: str
    changes: list[RecordChange]
    """Oldest version first, each version once."""
    fields: dict[str, Any]
    """Current values."""
    borrowed: Mapping[str, _Record] = field(default_factory=dict)
    """Of a root: the merged leads whose values it has, where it has none of its own."""

    def get(self, name: str) -> Any:
        return self.fields.get(name)

    @property
    def is_deleted(self) -> bool:
        return self.fields.get("deleted") is True

    def history(self, name: str) -> list[tuple[int, int, Any]]:
        """(changed_at, digest, value), oldest first."""
        if name in self.borrowed:
            return self.borrowed[name].history(name)
        past = [
            (change.changed_at, change.digest, change.fields[name]) for change in self.changes if name in change.fields
        ]
        return past[-_HISTORY_LIMIT:]

    def version_of(self, name: str) -> tuple[int, int]:
        """The version that set the field to what it is."""
        return max((change.changed_at, change.digest) for change in self.changes if name in change.fields)

    def ever_named(self, pointer: str) -> set[str]:
        """All that the pointer was ever said to be."""
        return {str(value) for change in self.changes if (value := change.fields.get(pointer)) is not None}


_Records = dict[str, dict[str, _Record]]
"""By kind, by id."""


def _fold(changes: Iterable[RecordChange]) -> _Records:
    versions: dict[tuple[str, str], dict[tuple[int, int], RecordChange]] = defaultdict(dict)
    for change in changes:
        versions[change.kind, change.id][change.changed_at, change.digest] = change
    records: _Records = defaultdict(dict)
    for (kind, name), by_version in versions.items():
        ordered = [by_version[version] for version in sorted(by_version)]
        fields: dict[str, Any] = {}
        for change in ordered:
            fields.update(change.fields)  # ascending versions: the greatest one that sets a field is the last
        records[kind][name] = _Record(name, ordered, fields)
    return records


def _countable(records: _Records) -> dict[str, list[_Record]]:
    """By kind, without what never counts."""
    kept = {
        kind: [record for _, record in sorted(by_id.items()) if not record.is_deleted]
        for kind, by_id in records.items()
    }
    kept["call"] = [call for call in kept.get("call", []) if call.get("internal") is not True]
    return kept


def _human(kept: Mapping[str, list[_Record]]) -> list[_Record]:
    return [email for email in kept.get("email", []) if email.get("automated") is not True]


# --- What single records mean ----------------------------------------------------------------------------------------


def _is_connected(call: _Record) -> bool:
    if call.get("outcome") is None:
        return call.get("answered_at") is not None
    return bool(call.get("outcome") == "connected")


def _talk(call: _Record) -> int:
    answered, ended = call.get("answered_at"), call.get("ended_at")
    if answered is not None and ended is not None:
        return int(max(0, ended - answered))
    return int(call.get("talk_seconds") or 0)


def _touch_instant(kind: str, record: _Record, config: Config, stop: str) -> int | None:
    """When this record touched its lead, as far as `stop` (`attempt` or `contact`) takes it for an answer."""
    direction = record.get("direction")
    is_automated = record.get("automated") is True
    if kind == "meeting":
        counts = record.get("outcome") == "held"
        instant = record.get("starts_at")
    elif kind == "email":
        instant = record.get("sent_at")
        if stop == "contact":
            counts = direction == "inbound" and not is_automated
        else:
            counts = direction == "outbound" and (not is_automated or config.lead_response.automated == "include")
    else:
        instant = record.get("dialed_at")
        if stop == "contact":
            counts = _is_connected(record)
        elif direction == "outbound":
            counts = record.get("outcome") != "failed"
        else:
            counts = direction == "inbound" and _is_connected(record) and _talk(record) >= config.conversation.min_talk
    return instant if counts else None


def _inquiry_instant(kind: str, record: _Record, config: Config) -> int | None:
    """When the lead wrote, or called without being talked with."""
    if record.get("direction") != "inbound" or kind == "meeting":
        return None
    if kind == "email":
        return None if record.get("automated") is True else record.get("sent_at")
    was_talked_with = _is_connected(record) and _talk(record) >= config.conversation.min_talk
    return None if was_talked_with else record.get("dialed_at")


# --- Business time ---------------------------------------------------------------------------------------------------


class _Office:
    """One calendar, taken at its word: open is when its wall clock says so."""

    def __init__(self, entry: BusinessHours) -> None:
        self._zone = ZoneInfo(entry.timezone)
        self._extra = set(entry.holidays.extra)
        self._public: Any = ()
        if entry.holidays.country is not None:
            self._public = holidays.country_holidays(entry.holidays.country, subdiv=entry.holidays.subdivision)
        self._hours: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for days, spans in entry.hours.items():
            for weekday in _weekdays(days):
                for span in spans:
                    first, last = span.split("-")
                    self._hours[weekday].append((_wall_minute(first), _wall_minute(last)))
        self._open: dict[date, list[tuple[int, int]]] = {}

    def between(self, start: int, end: int) -> int:
        """Business time in [start, end)."""
        total, day = 0, self._local(start).date() - timedelta(days=1)
        last = self._local(max(start, end)).date() + timedelta(days=1)
        while day <= last:
            for opening, close in self._opening_times(day):
                total += max(0, min(close, end) - max(opening, start))
            day += timedelta(days=1)
        return total

    def after(self, start: int, duration: int) -> int:
        """When so much business time has passed."""
        day = self._local(start).date() - timedelta(days=1)
        while True:
            for opening, close in self._opening_times(day):
                worked = max(0, close - max(opening, start))
                if worked >= duration:
                    return max(opening, start) + duration
                duration -= worked
            day += timedelta(days=1)

    def _opening_times(self, day: date) -> list[tuple[int, int]]:
        if day not in self._open:
            self._open[day] = self._find(day)
        return self._open[day]

    def _find(self, day: date) -> list[tuple[int, int]]:
        hours = sorted(self._hours[day.weekday()])
        if not hours or day in self._extra or day in self._public:
            return []
        midnight = (day - _EPOCH.date()).days * _DAY  # as if the zone were UTC
        offsets = {self._offset(midnight + hour * _HOUR) for hour in range(-16, 41)}
        if len(offsets) == 1:
            offset = offsets.pop()
            return [(midnight + first * _MINUTE - offset, midnight + last * _MINUTE - offset) for first, last in hours]
        # The clock is put on or back about then: look at it in every single minute.
        found: list[tuple[int, int]] = []
        for minute in range(midnight - 16 * _HOUR, midnight + 40 * _HOUR, _MINUTE):
            local = self._local(minute)
            wall = local.hour * 60 + local.minute
            if local.date() == day and any(first <= wall < last for first, last in hours):
                if found and found[-1][1] == minute:
                    found[-1] = (found[-1][0], minute + _MINUTE)
                else:
                    found.append((minute, minute + _MINUTE))
        return found

    def _local(self, instant: int) -> datetime:
        return (_EPOCH + timedelta(microseconds=instant)).astimezone(self._zone)

    def _offset(self, instant: int) -> int:
        return (self._local(instant).utcoffset() or timedelta()) // timedelta(microseconds=1)


_OFFICES: dict[str, _Office] = {}


def _office(written: str, entry: BusinessHours) -> _Office:
    """One office for equal entries: it remembers the days that were looked at minute by minute."""
    return _OFFICES.setdefault(written, _Office(entry))


def _weekdays(text: str) -> list[int]:
    found = []
    for part in text.lower().split(","):
        names = [name.strip()[:3] for name in part.split("-")]
        first, last = (["mon", "tue", "wed", "thu", "fri", "sat", "sun"].index(name) for name in (names[0], names[-1]))
        found += [*range(first, last + 1)] if first <= last else [*range(first, 7), *range(last + 1)]
    return found


def _wall_minute(text: str) -> int:
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)


# --- Leads -----------------------------------------------------------------------------------------------------------


class _Touch(NamedTuple):
    """In the order in which touches of one lead compete: the earliest, then by kind and id."""

    at: int
    kind: str
    id: str
    rep: str | None


@dataclass(frozen=True, slots=True)
class _Clock:
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
    touch: _Touch | None
    counts_for: str | None
    firsts: dict[str, int | None]
    """The first attempt, contact, qualification, automated mail."""
    holders: list[Holder]
    inquiries: list[Inquiry]

    @property
    def response(self) -> int | None:
        return None if self.touch is None else max(0, self.touch.at - self.started_at)

    @property
    def is_waiting(self) -> bool:
        return self.touch is None and self.status in (None, "new")


def _roots(leads: Mapping[str, _Record]) -> dict[str, str]:
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


def _whole(root: str, members: Sequence[_Record]) -> _Record:
    """A root with what it lacks: of the merged lead that says it with the newest version, deleted ones too."""
    own = next((record for record in members if record.id == root), _Record(root, [], {}))
    fields, borrowed = dict(own.fields), {}
    for name in {name for record in members for name in record.fields} - {"deleted", "merged_into"}:
        sayers = [record for record in members if record.get(name) is not None]
        if own.get(name) is None and sayers:
            borrowed[name] = max(sayers, key=lambda record: (record.version_of(name), record.id))
            fields[name] = borrowed[name].get(name)
    return _Record(root, own.changes, fields, borrowed)


# --- What a group takes ----------------------------------------------------------------------------------------------

_Place = tuple[str, str, str]
"""(merged lead that hands it on, or nothing; kind; id)."""


def _smallest(places: Iterable[_Place]) -> set[_Place]:
    """Those of the smallest hashes of their records' keys, as many as a group takes."""
    found = list(places)
    if len(found) > _GROUP_LIMIT:
        found.sort(key=lambda place: place[0], reverse=True)
        found.sort(key=lambda place: blake2b(f"{place[1]}|{place[2]}".encode()).digest())
    return set(found[:_GROUP_LIMIT])


def _touching(records: _Records) -> dict[str, set[_Place]]:
    """Lead -> the calls, emails and meetings that ever named it, as many as its group takes."""
    named: dict[str, set[_Place]] = defaultdict(set)
    for kind in ("call", "email", "meeting"):
        for record in records.get(kind, {}).values():
            for lead in record.ever_named("lead"):
                named[lead].add(("", kind, record.id))
    return {lead: _smallest(places) for lead, places in named.items()}


# --- The books -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Fact:
    """Something that happened at an instant, and whose it is."""

    name: str
    rep: str | None
    team: str | None
    at: int
    day: date
    number: int | Fraction
    clock: _Clock | None


class Books:
    """All facts of the records; rows and clocks are read off them at any `now`. Made by `recount`."""

    def __init__(
        self, records: _Records, config: Config, *, first_day: date = date.min, has_groups: bool = True
    ) -> None:
        """What happened before `first_day` counts nowhere. Without groups: they are counted one by one afterwards."""
        self._config = config
        self._first_day = first_day
        self._zone = config.organisation.zone
        self._aliases = config.aliases()
        self._day_of = cache(self._organisation_day)
        self.team_of = cache(self._team_on)
        self._kept = _countable(records)
        self._moves = self._team_histories()
        self._offices = {name: _office(entry.model_dump_json(), entry) for name, entry in config.calendars.items()}
        self._facts: list[_Fact] = []
        self._count_calls()
        self._count_emails()
        self._count_meetings()
        self._count_deals()
        self._clocks: list[_Clock] = []
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
            facts = [fact for fact in facts if fact.rep == rep]
        if team is not None:
            facts = [fact for fact in facts if fact.team == team]
        return self._row(facts, now)

    def rows(self, *, now: int, window: Window) -> Rows:
        """Give the rows of the organisation, of every team and of every rep, also of those who did nothing."""
        facts = self._facts_in(window, now)
        by_team: dict[str, list[_Fact]] = {team: [] for team in self.teams}
        by_rep: dict[str, list[_Fact]] = {rep: [] for rep in self.reps}
        for fact in facts:
            if fact.rep is not None:
                by_rep[fact.rep].append(fact)
            if fact.team is not None:
                by_team[fact.team].append(fact)
        return {
            "organisation": self._row(facts, now),
            "teams": {team: self._row(own, now) for team, own in by_team.items()},
            "reps": {rep: self._row(own, now) for rep, own in by_rep.items()},
        }

    def lead_clocks(self, now: int) -> dict[str, LeadClock]:
        """Give the clock of every lead that has one and is neither merged away nor deleted, by lead id."""
        return {clock.lead: self._clock_at(clock, now) for clock in self._clocks}

    @property
    def reps(self) -> list[str]:
        """The roster's reps, and whoever did something."""
        did = {fact.rep for fact in self._facts if fact.rep is not None}
        return sorted({*self._config.reps, *self._moves, *did})

    @property
    def teams(self) -> list[str]:
        """The configuration's teams, and those that a `rep` record names or named."""
        named = {team for moves in self._moves.values() for _, team in moves if team is not None}
        return sorted({*self._config.teams, *named})

    # --- who and when

    def _rep(self, person: str | None) -> str | None:
        return None if person is None else self._aliases.get(person, person)

    def _organisation_day(self, instant: int) -> date:
        return (_EPOCH + timedelta(microseconds=instant)).astimezone(self._zone).date()

    def _team_histories(self) -> dict[str, list[tuple[date, str | None]]]:
        """Rep -> (day of the move, team), oldest version first. A rep whose record names no team has no moves."""
        entries: dict[str, list[tuple[int, int, str | None]]] = defaultdict(list)
        for record in self._kept.get("rep", []):
            entries[self._aliases.get(record.id, record.id)] += record.history("team")
        return {
            rep: [(self._day_of(at), team) for at, _, team in sorted(past, key=lambda entry: entry[:2])]
            for rep, past in entries.items()
        }

    def _team_on(self, rep: str | None, day: date) -> str | None:
        """Find the team of a rep on a day of the organisation."""
        if rep is None:
            return None
        entry = self._config.reps.get(rep)
        if entry is not None and entry.team is not None:
            return entry.team
        moves = self._moves.get(rep, [])
        so_far = [team for moved_on, team in moves if moved_on <= day]
        if so_far:
            return so_far[-1]
        return moves[0][1] if moves else None

    def _add(
        self, name: str, rep: str | None, at: int | None, number: int | Fraction = 1, clock: _Clock | None = None
    ) -> None:
        """Note a fact; without an instant it is none."""
        if at is not None:
            day = self._day_of(at)
            if day >= self._first_day:
                self._facts.append(_Fact(name, rep, self.team_of(rep, day), at, day, number, clock))

    # --- the definitions

    def _count_calls(self) -> None:
        for call in self._kept["call"]:
            rep, at = self._rep(call.get("rep")), call.get("dialed_at")
            connected = _is_connected(call)
            if call.get("direction") == "outbound":
                self._add("calls_made", rep, at)
                if connected:
                    self._add("calls_connected", rep, at)
            if connected:
                self._add("talk", rep, at, _talk(call))
                if _talk(call) >= self._config.conversation.min_talk:
                    self._add("conversations", rep, at)

    def _count_emails(self) -> None:
        for email in _human(self._kept):
            rep, at = self._rep(email.get("rep")), email.get("sent_at")
            if email.get("direction") == "outbound":
                self._add("emails_sent", rep, at)
            elif email.get("direction") == "inbound":
                self._add("emails_received", rep, at)

    def count_answers(self, records: _Records, *, only: str | None = None) -> None:
        """Conversations by mail, in all threads or only in that one.

        An inbound mail is an answer to the last outbound one before it in its thread.
        """
        threads: dict[str, set[_Place]] = defaultdict(set)
        for email in records.get("email", {}).values():
            for thread in email.ever_named("thread"):
                threads[thread].add(("", "email", email.id))
        human = {email.id: email for email in _human(_countable(records)) if email.get("sent_at") is not None}
        for thread, places in threads.items():
            if only not in (None, thread):
                continue
            taken = [human[name] for _, _, name in _smallest(places) if name in human]
            mails = [email for email in taken if email.get("thread") == thread]
            first_of_day: dict[tuple[str | None, date], int] = {}
            written: _Record | None = None
            # At one instant inbound goes first: only what was written strictly before it can be answered. Among
            # outbound mails of one instant the greatest id is the last.
            for mail in sorted(mails, key=lambda m: (m.get("sent_at"), m.get("direction") != "inbound", m.id)):
                if mail.get("direction") == "outbound":
                    written = mail
                elif mail.get("direction") == "inbound" and written is not None:
                    credit = (self._rep(written.get("rep")), self._day_of(mail.get("sent_at")))
                    first_of_day.setdefault(credit, mail.get("sent_at"))
            for (rep, _), at in first_of_day.items():
                self._add("conversations", rep, at)

    def _count_meetings(self) -> None:
        for meeting in self._kept.get("meeting", []):
            host, booker = self._rep(meeting.get("rep")), self._rep(meeting.get("booked_by"))
            self._add("meetings_booked", host if booker is None else booker, meeting.get("booked_at"))
            if meeting.get("outcome") == "held":
                self._add("meetings_held", host, meeting.get("starts_at"))
                self._add("conversations", host, meeting.get("starts_at"))

    def _count_deals(self) -> None:
        for deal in self._kept.get("deal", []):
            rep, at = self._rep(deal.get("rep")), deal.get("closed_at")
            if deal.get("status") == "lost":
                self._add("deals_lost", rep, at)
            if deal.get("status") == "won":
                self._add("deals_won", rep, at)
                rate = self._rate(deal.get("currency"))
                if rate is not None:
                    self._add("revenue", rep, at, Fraction(Decimal(deal.get("amount") or 0)) * rate)
                    self._add("priced_deals", rep, at)
                if at is not None and deal.get("created_at") is not None:
                    self._add("cycle", rep, at, at - deal.get("created_at"))

    def _rate(self, currency: str | None) -> Fraction | None:
        """Convert one unit to the organisation's currency; None where nobody said the rate."""
        if currency is None or currency == self._config.organisation.currency:
            return Fraction(1)
        rate = self._config.currency_rates.get(currency)
        return None if rate is None else Fraction(rate)

    def count_leads(self, records: _Records, *, only: str | None = None) -> None:
        """The clocks of all leads, or only of that one, and what they count for."""
        leads: Mapping[str, _Record] = records.get("lead", {})
        # Also of a deleted lead it remains true that it was merged, and what it knew lives on in its root.
        roots = _roots(leads)
        members: dict[str, list[_Record]] = defaultdict(list)
        for lead, record in leads.items():
            members[roots[lead]].append(record)
        touching = _touching(records)
        for root in sorted(members):
            own = leads.get(root)
            if (own is not None and own.is_deleted) or only not in (None, root):
                continue
            family, engaged = self._family(root, members[root], touching, records)
            whole = _whole(root, family)
            rep, assigned_at = self._rep(whole.get("rep")), whole.get("assigned_at")
            self._add("leads_assigned", rep, whole.get("received_at") if assigned_at is None else assigned_at)
            clock = self._clock(whole, family, engaged)
            if clock is not None:
                self._clocks.append(clock)
                self._add("clock", clock.counts_for, clock.started_at, clock=clock)

    def _family(
        self, root: str, members: Sequence[_Record], touching: Mapping[str, set[_Place]], records: _Records
    ) -> tuple[list[_Record], list[tuple[str, _Record]]]:
        """The leads that the root's group has taken, and the calls, emails and meetings that count for it."""
        handed = _smallest(
            (member.id, kind, name)
            for member in members
            if member.id != root
            for _, kind, name in [*touching.get(member.id, ()), ("", "lead", member.id)]
        )
        family = [member for member in members if member.id == root or (member.id, "lead", member.id) in handed]
        taken = _smallest([*touching.get(root, ()), *(place for place in handed if place[1] != "lead")])
        engaged = []
        for via, kind, name in sorted(taken):
            record = records[kind][name]
            is_ours = record.get("lead") == (via or root)
            if is_ours and not record.is_deleted and not (kind == "call" and record.get("internal") is True):
                engaged.append((kind, record))
        return family, engaged

    def _clock(
        self, root: _Record, members: Sequence[_Record], engaged: Sequence[tuple[str, _Record]]
    ) -> _Clock | None:
        rules, rep = self._config.lead_response, self._rep(root.get("rep"))
        starts = [start for start in map(self._start, members) if start is not None]
        if not starts:
            return None
        start = min(starts)
        team = self.team_of(rep, self._day_of(start))
        rule = self._rule(root.get("source"), team)
        sla = _DEFAULT_SLA if rule is None else rule.sla
        calendar = self._config.teams[team].calendar if team in self._config.teams else None
        is_business = rule is not None and rule.clock == "business" and calendar is not None
        office = self._offices[calendar] if calendar is not None else None

        def after(begin: int, duration: int | Fraction) -> int:
            whole = math.ceil(duration)
            return office.after(begin, whole) if is_business and office is not None else begin + whole

        held = self._held(root)
        may_answer = [
            (stop, _Touch(at, kind, record.id, self._rep(record.get("rep"))))
            for stop in ("attempt", "contact")
            for kind, record in engaged
            if (at := _touch_instant(kind, record, self._config, stop)) is not None
        ]
        touches: dict[str, list[_Touch]] = {"attempt": [], "contact": [], "qualified": []}
        for stop, possible in may_answer:
            if self._is_by_responder(possible, held):
                touches[stop].append(possible)
        for member in members:
            for at, _, status in member.history("status"):
                if status in ("qualified", "converted"):
                    touches["qualified"].append(_Touch(at, "lead", member.id, rep))
        if rules.before_start == "exclude":
            touches = {stop: [touch for touch in some if touch.at >= start] for stop, some in touches.items()}
        touch = min(touches[rules.stop], key=lambda touch: touch[:3], default=None)
        due_at = after(start, sla)
        machine_mails = [
            record.get("sent_at")
            for kind, record in engaged
            if kind == "email" and record.get("automated") is True and record.get("direction") == "outbound"
        ]
        return _Clock(
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

    def _start(self, lead: _Record) -> int | None:
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

    def _held(self, lead: _Record) -> list[tuple[int, int | None, str | None]]:
        """(since, until, rep) of the lead's owners in turn; nobody is one too."""
        turns: list[tuple[int, str | None]] = []
        for at, _, person in lead.history("rep"):
            if not turns or turns[-1][1] != self._rep(person):
                turns.append((at, self._rep(person)))
        if len(turns) == 1 and lead.get("assigned_at") is not None:
            turns = [(lead.get("assigned_at"), turns[0][1])]
        ends: list[int | None] = [since for since, _ in turns[1:]]
        return [(since, until, rep) for (since, rep), until in zip(turns, [*ends, None], strict=True)] if turns else []

    def _is_by_responder(self, touch: _Touch, held: Sequence[tuple[int, int | None, str | None]]) -> bool:
        responder = self._config.lead_response.responder
        if responder == "anyone":
            return True
        owner = ([rep for since, _, rep in held if since <= touch.at] or [rep for _, _, rep in held[:1]] or [None])[-1]
        if touch.rep is None or owner is None:
            return False
        if responder == "owner":
            return touch.rep == owner
        day = self._day_of(touch.at)
        return self.team_of(owner, day) is not None and self.team_of(owner, day) == self.team_of(touch.rep, day)

    def _inquiries(
        self,
        answered_at: int,
        engaged: Sequence[tuple[str, _Record]],
        attempts: Sequence[_Touch],
        due: Callable[[int], int],
        office: _Office | None,
    ) -> list[Inquiry]:
        asked = [at for kind, record in engaged if (at := _inquiry_instant(kind, record, self._config)) is not None]
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

    def _clock_at(self, clock: _Clock, now: int) -> LeadClock:
        state = None
        if clock.is_waiting:
            state = "breached" if now >= clock.due_at else "warned" if now >= clock.warn_at else "waiting"
        office = self._offices[clock.calendar] if clock.calendar is not None else None
        answered_at = None if clock.touch is None else clock.touch.at
        is_both = answered_at is not None and clock.assigned_at is not None
        return {
            "rep": clock.rep,
            "counts_for": clock.counts_for,
            "source": clock.source,
            "team": clock.team,
            "calendar": clock.calendar,
            "is_business": clock.is_business,
            "started_at": clock.started_at,
            "due_at": clock.due_at,
            "warn_at": clock.warn_at,
            "escalate_at": clock.escalate_at,
            "answered_at": answered_at,
            "touch": None if clock.touch is None else (clock.touch.kind, clock.touch.id),
            "response": clock.response,
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
            "attempted_at": clock.firsts["attempted_at"],
            "contacted_at": clock.firsts["contacted_at"],
            "qualified_at": clock.firsts["qualified_at"],
            "automated_at": clock.firsts["automated_at"],
            "holders": clock.holders,
            "inquiries": clock.inquiries,
            "waiting": clock.is_waiting,
            "state": state,
        }

    # --- windows and rows

    def _facts_in(self, window: Window, now: int) -> list[_Fact]:
        if isinstance(window, str) and window in ROLLING_MINUTES:
            end = now // _MINUTE * _MINUTE + _MINUTE
            start = end - ROLLING_MINUTES[window] * _MINUTE
            return [fact for fact in self._facts if start <= fact.at < end]
        first, last = window if isinstance(window, tuple) else self._days(window, self._day_of(now))
        return [fact for fact in self._facts if first <= fact.day <= last]

    def _days(self, window: str, today: date) -> tuple[date, date]:
        """First and last day of a window of whole days, both included."""
        if window == "yesterday":
            return today - timedelta(days=1), today - timedelta(days=1)
        into_week = (today.weekday() - _WEEKDAYS.index(self._config.organisation.week_starts)) % 7
        first_days = {
            "today": today,
            "week": today - timedelta(days=into_week),
            "month": today.replace(day=1),
            "quarter": today.replace(month=(today.month - 1) // 3 * 3 + 1, day=1),
            "year": today.replace(month=1, day=1),
            "7d": today - timedelta(days=6),
            "30d": today - timedelta(days=29),
        }
        if window not in first_days:
            msg = f"{window!r} is not a window; there are {', '.join((*ROLLING_MINUTES, *DAY_WINDOWS))}"
            raise ValueError(msg)
        return first_days[window], today

    def _row(self, facts: Iterable[_Fact], now: int) -> Row:
        sums: dict[str, int | Fraction] = defaultdict(int)
        cycles: list[int | Fraction] = []
        clocks: list[_Clock] = []
        for fact in facts:
            sums[fact.name] += fact.number
            if fact.name == "cycle":
                cycles.append(fact.number)
            if fact.clock is not None:
                clocks.append(fact.clock)
        responses, bounds = _response_metrics(clocks, now)
        metrics: dict[str, Shown] = {name: int(sums[name]) for name in COUNTS}
        metrics |= responses
        metrics |= {
            "connect_rate": _ratio(sums["calls_connected"], sums["calls_made"]),
            "talk_seconds": _number(Fraction(sums["talk"], _SECOND)),
            "revenue_won": self._money(Fraction(sums["revenue"])),
            "win_rate": _ratio(sums["deals_won"], sums["deals_won"] + sums["deals_lost"]),
            "average_deal_size": (
                self._money(Fraction(sums["revenue"]) / sums["priced_deals"]) if sums["priced_deals"] else None
            ),
            "sales_cycle_days_p50": float(_percentile(sorted(cycles), _MEDIAN) / _DAY) if cycles else None,
        }
        return {"metrics": {name: metrics[name] for name in METRICS}, "bounds": bounds}

    def _money(self, amount: Fraction) -> str:
        """Round to the smallest unit of the organisation's currency, halves to even; zero has no sign."""
        digits = get_currency_precision(self._config.organisation.currency)
        units = round(amount * 10**digits)  # a Fraction rounds halves to even
        text = str(abs(units)).rjust(digits + 1, "0")
        sign = "-" if units < 0 else ""
        return f"{sign}{text[:-digits]}.{text[-digits:]}" if digits else f"{sign}{text}"


def _response_metrics(clocks: Sequence[_Clock], now: int) -> tuple[dict[str, Shown], dict[str, float]]:
    responses = sorted(clock.response for clock in clocks if clock.response is not None)
    overdue = [clock for clock in clocks if clock.response is None and now >= clock.due_at]
    within = [clock for clock in clocks if clock.touch is not None and clock.touch.at <= clock.due_at]
    due = len(responses) + len(overdue)
    # Nobody knows yet how long the unanswered ones will take, only that it is longer than this.
    longest = responses[-1] if responses else 0
    at_least = [*responses, *sorted(max(now - clock.started_at, longest) for clock in overdue)]
    metrics: dict[str, Shown] = {
        "leads_due": due,
        "leads_answered": len(responses),
        "lead_response_within_sla": _ratio(len(within), due),
    }
    bounds: dict[str, float] = {}
    for name, share in (("lead_response_seconds_p50", _MEDIAN), ("lead_response_seconds_p90", _NINE_TENTHS)):
        metrics[name] = None
        if due:
            seconds = float(_percentile(at_least, share) / _SECOND)
            is_known = math.ceil(share * (due - 1)) < len(responses)
            if is_known:
                metrics[name] = seconds
            else:
                bounds[name] = seconds
    return metrics, bounds


def _percentile(ascending: Sequence[int | Fraction], share: Fraction) -> Fraction:
    """PERCENTILE_CONT: linear between the two ranks around share · (n - 1), counted from 0."""
    rank = share * (len(ascending) - 1)
    low, high = ascending[math.floor(rank)], ascending[math.ceil(rank)]
    return low + (rank - math.floor(rank)) * (high - low)


def _ratio(part: int | Fraction, whole: int | Fraction) -> float | None:
    return float(Fraction(part) / whole) if whole else None


def _number(value: Fraction) -> int | float:
    return value.numerator if value.denominator == 1 else float(value)


# --- Comparing -------------------------------------------------------------------------------------------------------


def differences(expected: Rows, served: Rows) -> list[str]:
    """One line for each value in which two sets of rows differ. A rep or team that one side lacks has done nothing."""
    found = _row_differences("organisation", expected["organisation"], served["organisation"])
    for scope in ("team", "rep"):
        ours, theirs = (expected["teams"], served["teams"]) if scope == "team" else (expected["reps"], served["reps"])
        for name in sorted({*ours, *theirs}):
            found += _row_differences(f"{scope} {name}", ours.get(name), theirs.get(name))
    return found


def _row_differences(who: str, expected: Row | None, served: Row | None) -> list[str]:
    found = []
    for part in ("metrics", "bounds"):
        ours, theirs = _values(expected, part), _values(served, part)
        for name in sorted({*ours, *theirs}):
            mine, other = ours.get(name), theirs.get(name)
            is_same = _same(mine, other) if expected and served else _is_nothing(mine) and _is_nothing(other)
            if not is_same:
                label = name if part == "metrics" else f"bound of {name}"
                found.append(f"{who}: {label}: recounted {mine!r}, served {other!r}")
    return found


def _values(row: Row | None, part: str) -> Mapping[str, Shown]:
    if row is None:
        return {}
    return row["metrics"] if part == "metrics" else row["bounds"]


def _is_nothing(value: Shown) -> bool:
    return value is None or Decimal(value) == 0


def _same(ours: Shown, theirs: Shown) -> bool:
    """Floats may differ in their last digits: others divide and interpolate in another order."""
    if isinstance(ours, int | float) and isinstance(theirs, int | float):
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)
    return ours == theirs
