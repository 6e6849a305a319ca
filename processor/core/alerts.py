"""The alerts of one partition: which are to be raised, reopened or resolved, given its lead clocks and the time.

Owns what has fired. An alert is raised once for each level, start and instant of a lead's clock, whatever happens to
process, partition or machine clock, because what has fired is kept and read back. Does no I/O.

    moved      by a record: what is open at another instant is resolved, and raised anew at its own. By a change of the
               configuration: the alert keeps its id and goes along without a word
    owner      an open alert goes along with the lead; the channels of a team hear of it once
    quiet      first told long after its instant, it is told in a summary; told by a file or a look back at the CRM,
               after a replay or for definitions that were changed after its instant, not at all
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from msgspec.structs import replace

from schemas.alerts import (
    LATE_AFTER,
    LATENESS_SECONDS,
    LEAD_RESPONSE,
    SILENT,
    SUMMARY,
    Alert,
    LevelReached,
    alert_id,
    decode_alert,
    instants_of,
)
from schemas.instants import HOUR, SECOND
from schemas.leads import LeadClock
from schemas.progress import Progress
from schemas.requests import LatestByLead

TEAMS_KEPT = 64


@dataclass(slots=True)
class Turned:
    """What has become of alerts."""

    told: list[Alert] = field(default_factory=list)
    """To be written, and handed to the channels; one that has heard of this turn already takes it for a repetition."""
    kept: list[Alert] = field(default_factory=list)
    """To be written alone."""
    quiet: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Lead -> the instants to be told in a summary once they are raised, where these are others now."""

    @property
    def alerts(self) -> list[Alert]:
        """All of them."""
        return self.told + self.kept


class AlertBook:
    """State: the clocks that wait, and every alert that was raised for a lead that is kept."""

    def __init__(self, quiet_after: int = HOUR) -> None:
        """`quiet_after`: what is first told so long after its instant is told in a summary."""
        self._quiet_after = quiet_after
        self.requests = LatestByLead()
        self._waiting: dict[str, LeadClock] = {}
        """With those whose first touch is still to come."""
        self._alerts: dict[str, dict[str, Alert]] = {}
        """Lead -> id -> alert."""
        self._quiet: dict[str, dict[int, str]] = {}
        """Lead -> instant that has passed -> how little is said of it."""
        self._upcoming: list[tuple[int, str]] = []
        """Heap of (instant, lead): when to look at a lead. It may hold instants that mean nothing any more."""

    @property
    def waiting(self) -> int:
        """How many leads wait."""
        return len(self._waiting)

    def restore(self, row: bytes) -> None:
        """Put an alert back that an earlier owner published."""
        alert = decode_alert(row)
        self._alerts.setdefault(alert.subject, {})[alert.id] = alert

    def restore_quiet(self, lead: str, instants: Iterable[int]) -> None:
        """Put back what an earlier owner knew of instants that were told too late."""
        self._quiet[lead] = dict.fromkeys(instants, SUMMARY)

    def begin(
        self,
        clocks: Iterable[LeadClock],
        now: int,
        *,
        is_redefined: bool = False,
        redefined: Collection[str] = (),
        silent_until: int = 0,
    ) -> Turned:
        """Take in all clocks after a recovery, when all alerts are restored.

        `is_redefined`: they were derived by other definitions before, so what is open moves silently. `redefined`: the
        leads of which nothing is told that was due by `silent_until`, because only other definitions or a replay made
        it so.
        """
        for clock in clocks:
            if clock.is_waiting(now):
                self._waiting[clock.lead] = clock
                self._upcoming += self._moments(clock, now)
        heapify(self._upcoming)
        turned = Turned()
        for lead in list(self._alerts):
            self._follow(lead, now, turned, is_redefined=is_redefined)
        for lead in redefined:
            if lead in self._waiting:
                past = (at for _, at in instants_of(self._waiting[lead]) if at <= silent_until)
                self._quiet[lead] = dict.fromkeys(past, SILENT) | self._quiet.get(lead, {})
        for lead in self._quiet.keys() - self._waiting.keys():
            self._hush(lead, {}, turned)
        return turned

    def hear(self, lead: str, clock: LeadClock | None, now: int, told_at: int = 0, *, is_quiet: bool = False) -> Turned:
        """A lead's clock has changed (None: it is gone): what becomes of its alerts.

        `told_at`: when the delivery came that says so (microseconds). `is_quiet`: no webhook did.
        """
        before = self._waiting.get(lead)
        turned = Turned()
        if clock is None or not clock.is_waiting(now):
            self._waiting.pop(lead, None)
            self._hush(lead, {}, turned)
        else:
            self._waiting[lead] = clock
            is_same = before is not None and before.started_at == clock.started_at
            known = instants_of(before) if before is not None and is_same else ()
            news = [instant for instant in instants_of(clock) if instant not in known]
            # A lead that is edited a thousand times is in the heap once.
            if before is None or news or before.answered_at != clock.answered_at:
                for moment in self._moments(clock, now):
                    heappush(self._upcoming, moment)
            self._note(clock, news, told_at, turned, is_quiet=is_quiet)
        self._follow(lead, now, turned)
        return turned

    def _moments(self, clock: LeadClock, now: int) -> list[tuple[int, str]]:
        # Never before all that was delivered by now is known: the answer may be among it.
        moments = [(max(at, now), clock.lead) for _, at in instants_of(clock)]
        return moments if clock.answered_at is None else [*moments, (clock.answered_at, clock.lead)]

    @property
    def leads(self) -> list[str]:
        """All of which there are alerts."""
        return list(self._alerts)

    def is_quiet(self, lead: str) -> bool:
        """Whether instants of this lead are kept that were told too late."""
        return bool(_summed(self._quiet.get(lead, {})))

    def forget(self, lead: str) -> list[str]:
        """Nothing is kept of this lead any more; the ids of its alerts."""
        self._waiting.pop(lead, None)
        self._quiet.pop(lead, None)
        self.requests.forget(lead)
        return list(self._alerts.pop(lead, ()))

    def pass_time(self, settled_at: int, now: int) -> Turned:
        """What becomes of alerts as time passes: they are due, or a first touch has come.

        `settled_at`: all that was delivered until then is known. What is due later may have been answered by then.
        """
        turned = Turned()
        while self._upcoming and self._upcoming[0][0] <= settled_at:
            _, lead = heappop(self._upcoming)
            clock = self._waiting.get(lead)
            if clock is None:
                continue
            if clock.is_waiting(max(settled_at, now)):
                self._raise(clock, settled_at, now, turned)
            else:
                del self._waiting[lead]
                self._hush(lead, {}, turned)
                self._follow(lead, now, turned)
        return turned

    # ---------------------------------------------------------------- quiet

    def _note(
        self, clock: LeadClock, news: Iterable[LevelReached], told_at: int, turned: Turned, *, is_quiet: bool
    ) -> None:
        """Note which instants of a clock are told too late, and forget those that it does not have any more."""
        present = {at for _, at in instants_of(clock)}
        quiet = {at: how for at, how in self._quiet.get(clock.lead, {}).items() if at in present}
        for _, at in news:
            if is_quiet and at <= told_at:
                quiet.setdefault(at, SILENT)
            elif told_at - at > self._quiet_after:
                quiet.setdefault(at, SUMMARY)
        self._hush(clock.lead, quiet, turned)

    def _hush(self, lead: str, quiet: Mapping[int, str], turned: Turned) -> None:
        before = self._quiet.get(lead, {})
        if quiet:
            self._quiet[lead] = dict(quiet)
        else:
            self._quiet.pop(lead, None)
        if _summed(before) != _summed(quiet):
            turned.quiet[lead] = _summed(quiet)

    # ---------------------------------------------------------------- turns

    def _raise(self, clock: LeadClock, settled_at: int, now: int, turned: Turned) -> None:
        start = clock.started_at
        if start is None:
            return
        held = self._alerts.setdefault(clock.lead, {})
        quiet = dict(self._quiet.get(clock.lead, {}))
        for level, at in instants_of(clock):
            if at > settled_at:
                continue
            alert = _found(held.values(), level, start, at)
            if alert is None:
                id = alert_id(clock.lead, level, start, at)
                # One that the configuration moved away from here has kept this id.
                alert = held.get(id)
                if alert is None:
                    alert = Alert(
                        id, LEAD_RESPONSE, level, clock.lead, clock.rep, clock.team, start, at, now,
                        is_late=now - at > LATE_AFTER, quiet=quiet.get(at, ""),
                        request=self.requests.of(clock.lead),
                    )  # fmt: skip
                else:
                    alert = replace(alert.reopened(), started_at=start, due_at=at)
            elif alert.is_open:
                continue
            else:
                alert = alert.reopened()
            _put(held, _of_owner(alert, clock), turned)
        self._hush(clock.lead, {at: how for at, how in quiet.items() if at > settled_at}, turned)

    def _follow(self, lead: str, now: int, turned: Turned, *, is_redefined: bool = False) -> None:
        """Bring the alerts of a lead in line with its clock."""
        held = self._alerts.get(lead)
        if not held:
            return
        clock = self._waiting.get(lead)
        instants = {} if clock is None else dict(instants_of(clock))
        for alert in list(held.values()):
            if not alert.is_open and not alert.is_owed:
                continue
            at, moved = instants.get(alert.level), alert
            if is_redefined and clock is not None and clock.started_at is not None and at is not None:
                moved = replace(alert, started_at=clock.started_at, due_at=at)
                if at > now and moved.is_open:
                    moved = replace(moved.resolved(now), is_owed=not alert.quiet)
                elif at <= now and not moved.is_open:
                    # Channels take it for open: one turn forward that they need not hear of.
                    moved = moved.reopened()
            if clock is None or (clock.started_at, at) != (moved.started_at, moved.due_at):
                _put(held, alert.resolved(now), turned)
                continue
            moved = _of_owner(moved, clock)
            if moved != alert:
                held[alert.id] = moved
                (turned.told if _is_new_team(alert, moved) else turned.kept).append(moved)


def count_raised(progress: Progress, alert: Alert) -> None:
    """Count an alert that was raised, and how late."""
    progress.count(f"alerts.{alert.level}")
    progress.count("alerts.late", int(alert.is_late))
    lateness = max(0, alert.raised_at - alert.due_at)
    progress.count("lateness_ms", lateness // 1000)
    edge = next((edge for edge in LATENESS_SECONDS if lateness <= edge * SECOND), None)
    progress.count(f"lateness.{'inf' if edge is None else f'{edge:g}'}")


def _put(held: dict[str, Alert], alert: Alert, turned: Turned) -> None:
    held[alert.id] = alert
    (turned.kept if alert.quiet == SILENT else turned.told).append(alert)


def _found(alerts: Iterable[Alert], level: str, start: int, at: int) -> Alert | None:
    """The alert of a level at that instant, whatever its id is; an open one before others."""
    here = [alert for alert in alerts if (alert.level, alert.started_at, alert.due_at) == (level, start, at)]
    return next((alert for alert in here if alert.is_open), here[0] if here else None)


def _of_owner(alert: Alert, clock: LeadClock) -> Alert:
    """The same, of whoever owns the lead now."""
    if (alert.rep, alert.team) == (clock.rep, clock.team):
        return alert
    teams = alert.told_teams
    if alert.team != clock.team:
        teams = tuple(dict.fromkeys((*(team for team in teams if team != clock.team), alert.team)))[-TEAMS_KEPT:]
    return replace(alert, rep=clock.rep, team=clock.team, told_teams=teams)


def _is_new_team(before: Alert, after: Alert) -> bool:
    """Whether the lead is of a team now whose channels were not told of it."""
    return after.is_open and after.quiet != SILENT and after.team not in {before.team, *before.told_teams}


def _summed(quiet: Mapping[int, str]) -> tuple[int, ...]:
    return tuple(sorted(at for at, how in quiet.items() if how == SUMMARY))
