"""The materialized view: panes, roster, deals, lead clocks, alerts, progress, dead letters, as Kafka last told them.

Owns what is served and what has changed since it was last asked; the numbers are merged in schemas/floor.py. Pure:
messages and `now` come in as arguments.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from heapq import heappop, heappush

from api.read.deals import Deals
from schemas.alerts import (
    GOAL,
    TOLD_ONLY,
    Acknowledgement,
    Alert,
    decode_acknowledgement,
    decode_alert,
    joined_acknowledgements,
    read_acknowledgement_key,
)
from schemas.config import Config
from schemas.connection_states import ConnectionState, decode_state
from schemas.dead_letters import DeadLetter, decode_dead_letter
from schemas.deals import DealCard
from schemas.definitions import definitions_digest
from schemas.floor import DECODED_WINDOWS, ORGANISATION, Floor, Scope, ScopeValues, rep_scope, team_scope
from schemas.goals.book import GoalBook
from schemas.leads import LeadClock, decode_clock
from schemas.progress import Progress, progress_in
from schemas.topics import (
    ACKNOWLEDGEMENTS,
    ALERTS,
    CONNECTION_STATES,
    DEAD_LETTERS,
    DEALS,
    FENCE,
    LEAD_CLOCKS,
    PANES,
    PROGRESS,
    ROSTER,
    THRESHOLD_ALERTS,
    VERIFICATIONS,
)
from schemas.verifications import Verification, decode_verification
from schemas.windows import Window, day_window, minute_window

DEAD_LETTERS_KEPT = 10_000


@dataclass(slots=True)
class ViewChanges:
    """What has changed since it was last taken."""

    panes: set[tuple[Window, str | None]] = field(default_factory=set)
    leads: set[str] = field(default_factory=set)
    deals: dict[str, DealCard | None] = field(default_factory=dict)
    """Deals that are won or were: as they were won before (None: they were not)."""
    alerts: set[str] = field(default_factory=set)
    """Ids, also of those about which somebody did something."""
    reps: set[str] = field(default_factory=set)
    """Whose entry in the roster, absence or goal has changed."""
    goals: bool = False
    """Whether what a team or the organisation is to reach by a record has changed."""
    progress: bool = False
    """Of the stages, or of the continuous recount."""
    everything: bool = False
    """More has changed than was written down."""


class View(Floor):
    """The api's picture of the floor: its numbers, and what else is served."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.business = config.business_calendars()
        self.goals = GoalBook(self)
        self.deals = Deals(next(iter(config.pipelines), None))
        self.clocks: dict[str, LeadClock] = {}
        self.waiting: dict[str, LeadClock] = {}
        """Those that wait, and perhaps some whose first touch came since the last `advance`."""
        self.alerts: dict[str, Alert] = {}
        self.open_alerts: dict[str, Alert] = {}
        self.milestones: dict[str, Alert] = {}
        """The alerts of goals."""
        self._acknowledgements: dict[str, dict[str, Acknowledgement]] = {}
        """Alert -> origin -> what was done about it."""
        self.progress: dict[tuple[str, int], Progress] = {}
        self.redefined: dict[tuple[str, int], Progress] = {}
        """Stages and partitions that have last said to be done by other definitions than ours."""
        self.verification: Verification | None = None
        """What the continuous recount found last; None: nothing by our definitions."""
        self.connection_states: dict[str, ConnectionState] = {}
        """Connection -> how asking its API goes."""
        self.dead_letters: OrderedDict[str, DeadLetter] = OrderedDict()
        self.changes = ViewChanges()
        self._instants: list[tuple[int, str]] = []
        """Heap of (instant, lead): when a lead's state changes by time alone."""
        self._now = 0
        """As `advance` was told last: touches of before it are not still to come."""
        self.definitions = definitions_digest(config)
        self._appliers = {
            PANES.name: self._apply_pane,
            ROSTER.name: self._apply_rep,
            DEALS.name: self._apply_deal,
            LEAD_CLOCKS.name: self._apply_clock,
            ALERTS.name: self._apply_alert,
            THRESHOLD_ALERTS.name: self._apply_alert,
            ACKNOWLEDGEMENTS.name: self._apply_acknowledgement,
            PROGRESS.name: self._apply_progress,
            VERIFICATIONS.name: self._apply_verification,
            CONNECTION_STATES.name: self._apply_connection_state,
            DEAD_LETTERS.name: self._apply_dead_letter,
        }

    # ---------------------------------------------------------------- messages in

    def apply(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """Take a message in: `topic` is its name in the catalogue; a value of None deletes the key."""
        applier = self._appliers.get(topic)
        if applier is not None and key is not None and key != FENCE:
            applier(key, value)

    def load(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """As `apply`, of what was in Kafka at the start: nothing is served, or asked, before `settle`."""
        if topic != PANES.name:
            self.apply(topic, key, value)
        elif key is not None and key != FENCE:
            self.load_pane(key, value)

    def _apply_pane(self, key: bytes, value: bytes | None) -> None:
        changed = self.take_pane(key, value)
        if changed is not None:
            self.changes.panes.add(changed)

    def _apply_rep(self, key: bytes, value: bytes | None) -> None:
        rep = self.take_rep(key, value)
        if rep is None:
            self.changes.goals = True
        else:
            self.changes.reps.add(rep)

    def _apply_deal(self, key: bytes, value: bytes | None) -> None:
        deal, before = self.deals.apply(key, value)
        if before is not None or deal in self.deals.won:
            self.changes.deals.setdefault(deal, before)

    def _apply_clock(self, key: bytes, value: bytes | None) -> None:
        lead = key.decode()
        before = self.clocks.get(lead)
        if value is None:
            self.clocks.pop(lead, None)
            self.waiting.pop(lead, None)
        else:
            clock = self.clocks[lead] = decode_clock(value)
            if clock.is_waiting(self._now):
                self.waiting[lead] = clock
            else:
                self.waiting.pop(lead, None)
            instants = self._instants_of(clock)
            # A lead that is edited a thousand times is in the heap once.
            if before is None or instants != self._instants_of(before):
                for instant in instants:
                    heappush(self._instants, (instant, lead))
        self.changes.leads.add(lead)

    def _instants_of(self, clock: LeadClock) -> tuple[int, ...]:
        if clock.due_at is None:
            return ()
        limits = clock.warned_at(self.config.lead_response.warn_at), clock.due_at
        if clock.answered_at is None:
            return limits
        if clock.answered_at <= self._now:
            return ()
        return *(at for at in limits if at < clock.answered_at), clock.answered_at

    def _apply_alert(self, key: bytes, value: bytes | None) -> None:
        id = key.decode()
        self.open_alerts.pop(id, None)
        if value is None:
            self.alerts.pop(id, None)
            self.milestones.pop(id, None)
        else:
            alert = decode_alert(value)
            if alert.kind in TOLD_ONLY:
                return
            self.alerts[id] = alert
            if alert.kind == GOAL:
                self.milestones[id] = alert
            if alert.is_open:
                self.open_alerts[id] = alert
        self.changes.alerts.add(id)

    def _apply_acknowledgement(self, key: bytes, value: bytes | None) -> None:
        origin, id = read_acknowledgement_key(key)
        if value is None:
            held = self._acknowledgements.get(id, {})
            held.pop(origin, None)
            if not held:
                self._acknowledgements.pop(id, None)
        else:
            self._acknowledgements.setdefault(id, {})[origin] = decode_acknowledgement(value)
        self.changes.alerts.add(id)

    def acknowledgement(self, alert: str) -> Acknowledgement:
        """What was done about an alert."""
        return joined_acknowledgements(self._acknowledgements.get(alert, {}).values())

    def _apply_progress(self, key: bytes, value: bytes | None) -> None:
        found = None if value is None else progress_in(key, value)
        if found is not None:
            place, progress = found
            # What was done by other definitions is still to be done by ours.
            if progress.definitions in {"", self.definitions}:
                self.progress[place] = progress
                self.redefined.pop(place, None)
                self.changes.progress = True
            else:
                self.redefined[place] = progress

    def _apply_connection_state(self, key: bytes, value: bytes | None) -> None:
        if value is None:
            self.connection_states.pop(key.decode(), None)
        else:
            self.connection_states[key.decode()] = decode_state(value)

    def _apply_verification(self, _key: bytes, value: bytes | None) -> None:
        found = None if value is None else decode_verification(value)
        # What others recounted by their definitions says nothing of ours.
        if found is None or found.definitions == self.definitions:
            self.verification = found
            self.changes.progress = True

    def _apply_dead_letter(self, key: bytes, value: bytes | None) -> None:
        if value is not None:
            letter = decode_dead_letter(value)
            self.dead_letters[letter.id] = letter
            while len(self.dead_letters) > DEAD_LETTERS_KEPT:
                self.dead_letters.popitem(last=False)

    # ---------------------------------------------------------------- time

    def next_instant(self) -> int | None:
        """When the next lead changes its state by time alone (microseconds): warned, due, touched."""
        return self._instants[0][0] if self._instants else None

    def advance(self, now: int) -> None:
        """Note what has changed by time alone up to `now`: leads that are warned, due or touched, and what counts them.

        A touch that lies in the future stops its lead's clock only then.
        """
        while self._instants and self._instants[0][0] <= now:
            at, lead = heappop(self._instants)
            clock = self.clocks.get(lead)
            if clock is None or clock.started_at is None or (clock.answered_at is not None and clock.answered_at < at):
                continue
            reps = {clock.rep}
            if clock.answered_at is not None and clock.answered_at <= now:
                self.waiting.pop(lead, None)
                reps.add(clock.touch_rep)
                # What was remembered of these numbers was true before.
                self.revision += 1
            self.changes.leads.add(lead)
            windows = day_window(self.calendar.day_of(clock.started_at)), minute_window(clock.started_at)
            self.changes.panes |= {(window, rep) for window in windows for rep in reps}
        self._now = max(self._now, now)

    def take_changes(self) -> ViewChanges:
        """What has changed since the last call."""
        changes, self.changes = self.changes, ViewChanges()
        return changes

    def forget_changes(self) -> None:
        """Take it that everything has changed, instead of remembering what: while all of Kafka is read in."""
        self.changes = ViewChanges(everything=True)


__all__ = [
    "DEAD_LETTERS_KEPT",
    "DECODED_WINDOWS",
    "ORGANISATION",
    "Scope",
    "ScopeValues",
    "View",
    "ViewChanges",
    "rep_scope",
    "team_scope",
]
