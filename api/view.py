"""The materialized view: panes, roster, lead clocks, alerts, progress and dead letters, as Kafka last told them.

Owns what is served and what has changed since it was last asked. Pure: messages and `now` come in as arguments. Panes
are kept as the bytes received and decoded when they are read; what is merged is remembered until a part of it changes.
Long spans are merged from blocks (an hour of minutes, four weeks of days), so that a change costs few merges, not
1,440.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import NamedTuple

from api.roster import Roster
from schemas.alerts import (
    Acknowledgement,
    Alert,
    decode_acknowledgement,
    decode_alert,
    joined_acknowledgements,
    read_acknowledgement_key,
)
from schemas.catalogue import Catalogue, money_digits
from schemas.catalogue.base import MetricValue, Reading
from schemas.config import Config
from schemas.dead_letters import DeadLetter, decode_dead_letter
from schemas.definitions import digest_of
from schemas.instants import MINUTE
from schemas.leads import LeadClock, decode_clock
from schemas.panes import Pane, decode_pane, merge, read_pane_key
from schemas.progress import Progress, decode_progress, read_progress_key
from schemas.topics import ACKNOWLEDGEMENTS, ALERTS, DEAD_LETTERS, FENCE, LEAD_CLOCKS, PANES, PROGRESS, ROSTER
from schemas.windows import Calendar, Day, Span, Window, day_window, index_of, is_day, minute_window

DEAD_LETTERS_KEPT = 10_000
DECODED_WINDOWS = 256
"""Of so many windows the panes of reps stay decoded, which takes ten times the memory of their bytes."""
_EMPTY: Pane = {}
_MINUTES_IN_BLOCK = 60
_DAYS_IN_BLOCK = 28
_WITHOUT_RATE = b"deals_without_rate"


class Scope(NamedTuple):
    """Whose numbers: a rep's, a team's, or the organisation's (id None)."""

    kind: str
    id: str | None


ORGANISATION = Scope("organisation", None)


def rep_scope(rep: str) -> Scope:
    """One rep."""
    return Scope("rep", rep)


def team_scope(team: str) -> Scope:
    """What reps did on days they were in that team."""
    return Scope("team", team)


@dataclass(slots=True)
class Values:
    """The metrics of one scope in one window, at one clock."""

    metrics: dict[str, MetricValue] = field(default_factory=dict)
    bounds: dict[str, float] = field(default_factory=dict)

    def since(self, before: "Values") -> "Values":
        """What differs from `before`. A bound belongs to its value: when it is another one, both are named."""
        changed = {
            name: value
            for name, value in self.metrics.items()
            if before.metrics.get(name, self) != value or before.bounds.get(name) != self.bounds.get(name)
        }
        return Values(changed, {name: bound for name, bound in self.bounds.items() if name in changed})


@dataclass(slots=True)
class Changes:
    """What has changed since it was last taken."""

    panes: set[tuple[Window, str | None]] = field(default_factory=set)
    leads: set[str] = field(default_factory=set)
    alerts: set[str] = field(default_factory=set)
    """Ids, also of those about which somebody did something."""
    reps: set[str] = field(default_factory=set)
    """Whose entry in the roster has changed."""
    progress: bool = False
    everything: bool = False
    """More has changed than was written down."""


class View:
    """The api's picture of the floor."""

    def __init__(self, config: Config, catalogue: Catalogue) -> None:
        self.config = config
        self.catalogue = catalogue
        self.calendar = Calendar(config.organisation.zone, config.organisation.first_weekday)
        self.roster = Roster(config, self.calendar)
        self.business = config.business_calendars()
        self.clocks: dict[str, LeadClock] = {}
        self.waiting: dict[str, LeadClock] = {}
        self.alerts: dict[str, Alert] = {}
        self.open_alerts: dict[str, Alert] = {}
        self._acknowledgements: dict[str, dict[str, Acknowledgement]] = {}
        """Alert -> origin -> what was done about it."""
        self.progress: dict[tuple[str, int], Progress] = {}
        self.dead_letters: OrderedDict[str, DeadLetter] = OrderedDict()
        self.changes = Changes()
        self.revision = 0
        """Grows with every change of a pane or of the roster."""
        self._cells: dict[Window, dict[str | None, dict[str, bytes]]] = {}
        self._rep_panes: dict[Window, dict[str | None, Pane]] = {}
        self._scope_panes: dict[Window, dict[Scope, Pane]] = {}
        self._blocks: dict[int, dict[Scope, Pane]] = {}
        self._windows_in: dict[int, int] = {}
        """Block -> in how many of its windows there is a pane."""
        self._without_rate: dict[tuple[Window, str | None, str], int] = {}
        self._cells_of: dict[str, int] = {}
        """Rep -> in how many windows they have a pane."""
        self._instants: list[tuple[int, str]] = []
        """Heap of (instant, lead): when a lead's state changes by time alone."""
        self._digest = digest_of(config)
        self._money_digits = money_digits(config.organisation.currency)
        self._appliers = {
            PANES.name: self._apply_pane,
            ROSTER.name: self._apply_rep,
            LEAD_CLOCKS.name: self._apply_clock,
            ALERTS.name: self._apply_alert,
            ACKNOWLEDGEMENTS.name: self._apply_acknowledgement,
            PROGRESS.name: self._apply_progress,
            DEAD_LETTERS.name: self._apply_dead_letter,
        }

    # ---------------------------------------------------------------- messages in

    def apply(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """Take a message in: `topic` is its name in the catalogue; a value of None deletes the key."""
        applier = self._appliers.get(topic)
        if applier is not None and key is not None and key != FENCE:
            applier(key, value)

    def _apply_pane(self, key: bytes, value: bytes | None) -> None:
        origin, rep, window = read_pane_key(key)
        if value is None:
            if not self._take_out(origin, rep, window):
                return
        else:
            self._put_in(origin, rep, window, value)
        self._note_rate(origin, rep, window, value)
        self._forget_merged(window, rep)
        self.revision += 1
        self.changes.panes.add((window, rep))

    def _put_in(self, origin: str, rep: str | None, window: Window, value: bytes) -> None:
        cell = self._cells.get(window)
        if cell is None:
            cell = self._cells[window] = {}
            block = _block_of(window)
            self._windows_in[block] = self._windows_in.get(block, 0) + 1
        if rep not in cell:
            cell[rep] = {}
            self._count_cell(rep, 1)
        cell[rep][origin] = value

    def _take_out(self, origin: str, rep: str | None, window: Window) -> bool:
        cell = self._cells.get(window)
        if cell is None or rep not in cell or cell[rep].pop(origin, None) is None:
            return False
        if not cell[rep]:
            del cell[rep]
            self._count_cell(rep, -1)
        if not cell:
            # Minutes expire: what was remembered of them must go with them.
            del self._cells[window]
            self._rep_panes.pop(window, None)
            block = _block_of(window)
            self._windows_in[block] -= 1
            if not self._windows_in[block]:
                del self._windows_in[block]
                self._blocks.pop(block, None)
        return True

    def _note_rate(self, origin: str, rep: str | None, window: Window, value: bytes | None) -> None:
        """Keep the number of deals without a rate beside the bytes, which are not decoded before somebody asks."""
        if is_day(window):
            if value is not None and _WITHOUT_RATE in value:
                self._without_rate[window, rep, origin] = decode_pane(value).get("deals_without_rate", 0)
            else:
                self._without_rate.pop((window, rep, origin), None)

    def _forget_merged(self, window: Window, rep: str | None) -> None:
        held = self._rep_panes.get(window)
        if held is not None:
            held.pop(rep, None)
        self._scope_panes.pop(window, None)
        block = self._blocks.get(_block_of(window))
        if block is not None:
            for scope in self.scopes_of(window, rep):
                block.pop(scope, None)

    def _count_cell(self, rep: str | None, step: int) -> None:
        if rep is not None:
            count = self._cells_of[rep] = self._cells_of.get(rep, 0) + step
            if not count:
                del self._cells_of[rep]

    def _apply_rep(self, key: bytes, value: bytes | None) -> None:
        rep, has_moved = self.roster.apply(key, value)
        if has_moved:
            self._scope_panes.clear()
            self._blocks.clear()
        self.revision += 1
        self.changes.reps.add(rep)

    def _apply_clock(self, key: bytes, value: bytes | None) -> None:
        lead = key.decode()
        before = self.clocks.get(lead)
        if value is None:
            self.clocks.pop(lead, None)
            self.waiting.pop(lead, None)
        else:
            clock = self.clocks[lead] = decode_clock(value)
            if clock.is_waiting:
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
        if clock.answered_at is not None or clock.due_at is None:
            return ()
        return clock.warned_at(self.config.lead_response.warn_at), clock.due_at

    def _apply_alert(self, key: bytes, value: bytes | None) -> None:
        id = key.decode()
        self.open_alerts.pop(id, None)
        if value is None:
            self.alerts.pop(id, None)
        else:
            alert = self.alerts[id] = decode_alert(value)
            if alert.is_open:
                self.open_alerts[id] = alert
        self.changes.alerts.add(id)

    def _apply_acknowledgement(self, key: bytes, value: bytes | None) -> None:
        origin, id = read_acknowledgement_key(key)
        if value is None:
            self._acknowledgements.get(id, {}).pop(origin, None)
        else:
            self._acknowledgements.setdefault(id, {})[origin] = decode_acknowledgement(value)
        self.changes.alerts.add(id)

    def acknowledgement(self, alert: str) -> Acknowledgement:
        """What was done about an alert."""
        return joined_acknowledgements(self._acknowledgements.get(alert, {}).values())

    def _apply_progress(self, key: bytes, value: bytes | None) -> None:
        if value is not None:
            progress = decode_progress(value)
            # What was done by other definitions is still to be done by ours.
            if progress.definitions in {"", self._digest}:
                self.progress[read_progress_key(key)] = progress
                self.changes.progress = True

    def _apply_dead_letter(self, key: bytes, value: bytes | None) -> None:
        if value is not None:
            letter = decode_dead_letter(value)
            self.dead_letters[letter.id] = letter
            while len(self.dead_letters) > DEAD_LETTERS_KEPT:
                self.dead_letters.popitem(last=False)

    # ---------------------------------------------------------------- time

    def next_instant(self) -> int | None:
        """When the next lead changes its state by time alone (microseconds)."""
        return self._instants[0][0] if self._instants else None

    def advance(self, now: int) -> None:
        """Note what has changed by time alone up to `now`: leads that are warned or due, and what counts them."""
        while self._instants and self._instants[0][0] <= now:
            lead = heappop(self._instants)[1]
            clock = self.clocks.get(lead)
            if clock is None or clock.answered_at is not None or clock.started_at is None:
                continue
            self.changes.leads.add(lead)
            day = day_window(self.calendar.day_of(clock.started_at))
            self.changes.panes |= {(day, clock.rep), (minute_window(clock.started_at), clock.rep)}

    def take_changes(self) -> Changes:
        """What has changed since the last call."""
        changes, self.changes = self.changes, Changes()
        return changes

    def forget_changes(self) -> None:
        """Take it that everything has changed, instead of remembering what: while all of Kafka is read in."""
        self.changes = Changes(everything=True)

    # ---------------------------------------------------------------- queries

    def scopes(self) -> Iterator[Scope]:
        """The organisation, every team, every rep that has a row."""
        yield ORGANISATION
        for team in self.roster.team_names:
            yield team_scope(team)
        for rep in self.reps():
            yield rep_scope(rep)

    def reps(self) -> list[str]:
        """Everybody in the roster, and everybody somebody's records name, in order."""
        return sorted(self._cells_of.keys() | self.roster.people.keys())

    def is_known_rep(self, rep: str) -> bool:
        """Whether there is anything to say of them."""
        return rep in self.roster.people or rep in self._cells_of

    def scopes_of(self, window: Window, rep: str | None) -> list[Scope]:
        """Whose numbers a pane is part of."""
        if rep is None:
            return [ORGANISATION]
        team = self.roster.team_on(rep, self._day_of(window))
        return [ORGANISATION, rep_scope(rep), *([] if team is None else [team_scope(team)])]

    def values(self, scope: Scope, span: Span, now: int, metrics: Iterable[str] | None = None) -> Values:
        """The metrics of a scope over a span, for a reader whose clock says `now`."""
        return self.result(merge(self._parts(scope, span)), now, metrics)

    def result(self, pane: Pane, now: int, metrics: Iterable[str] | None = None) -> Values:
        """The metrics of a merged pane."""
        reading = Reading(now=now, money_digits=self._money_digits)
        values = Values()
        for name in self.catalogue if metrics is None else metrics:
            result = self.catalogue[name].aggregation.result(pane, reading)
            values.metrics[name] = result.value
            if result.bound is not None:
                values.bounds[name] = result.bound
        return values

    def deals_without_rate(self) -> int:
        """Won deals in a currency that has no rate: they are left out of money metrics."""
        return sum(self._without_rate.values())

    def reps_in(self, window: Window) -> Iterable[str | None]:
        """Who has a pane of this window."""
        return self._cells.get(window, ())

    def _parts(self, scope: Scope, span: Span) -> Iterator[Pane]:
        size, kind = (_DAYS_IN_BLOCK, 1) if span.days else (_MINUTES_IN_BLOCK, 0)
        index = span.first
        while index <= span.last:
            if index % size == 0 and index + size - 1 <= span.last:
                yield self._block(scope, index // size * 2 + kind, size)
                index += size
            else:
                yield self._pane(scope, Window(index * 2 + kind))
                index += 1

    def _block(self, scope: Scope, block: int, size: int) -> Pane:
        if block not in self._windows_in:
            return _EMPTY
        held = self._blocks.setdefault(block, {})
        pane = held.get(scope)
        if pane is None:
            first = block // 2 * size * 2 + block % 2
            pane = held[scope] = merge(
                self._pane(scope, Window(number)) for number in range(first, first + size * 2, 2)
            )
        return pane

    def _pane(self, scope: Scope, window: Window) -> Pane:
        cell = self._cells.get(window)
        if cell is None:
            return _EMPTY
        if scope.kind != "rep":
            return self._scope_pane(window, scope)
        return self._rep_pane(window, scope.id) if scope.id in cell else _EMPTY

    def _rep_pane(self, window: Window, rep: str | None) -> Pane:
        held = self._rep_panes.get(window)
        if held is None:
            while len(self._rep_panes) >= DECODED_WINDOWS:
                del self._rep_panes[next(iter(self._rep_panes))]
            held = self._rep_panes[window] = {}
        pane = held.get(rep)
        if pane is None:
            origins = self._cells.get(window, {}).get(rep, {})
            parts = [decode_pane(value) for value in origins.values()]
            pane = held[rep] = parts[0] if len(parts) == 1 else merge(parts)
        return pane

    def _scope_pane(self, window: Window, scope: Scope) -> Pane:
        held = self._scope_panes.get(window)
        if held is None:
            held = self._scope_panes[window] = self._merge_scopes(window)
        return held.get(scope, _EMPTY)

    def _merge_scopes(self, window: Window) -> dict[Scope, Pane]:
        """The organisation's and all teams' panes of a window, in one pass over its reps."""
        day = self._day_of(window)
        teams: dict[str, list[Pane]] = {}
        everybody: list[Pane] = []
        for rep in self._cells.get(window, {}):
            pane = self._rep_pane(window, rep)
            everybody.append(pane)
            team = self.roster.team_on(rep, day)
            if team is not None:
                teams.setdefault(team, []).append(pane)
        scopes = {team_scope(team): merge(panes) for team, panes in teams.items()}
        scopes[ORGANISATION] = merge(everybody)
        return scopes

    def _day_of(self, window: Window) -> Day:
        return index_of(window) if is_day(window) else self.calendar.day_of(index_of(window) * MINUTE)


def _block_of(window: Window) -> int:
    """Number of the block that holds the window; odd for days, as the windows are."""
    size = _DAYS_IN_BLOCK if is_day(window) else _MINUTES_IN_BLOCK
    return index_of(window) // size * 2 + (window & 1)
