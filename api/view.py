"""The materialized view: panes, roster, lead clocks, alerts, progress and dead letters, as Kafka last told them.

Owns what is served and what has changed since it was last asked. Pure: messages and `now` come in as arguments. Panes
are kept as the bytes received and decoded when they are read; what is merged is remembered until a part of it changes.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any, NamedTuple

from api.roster import Roster
from schemas.catalogue import Catalogue, money_digits
from schemas.catalogue.base import MetricValue, Reading
from schemas.config import Config
from schemas.dead_letters import DeadLetter, decode_dead_letter
from schemas.instants import MINUTE
from schemas.leads import LeadClock, decode_clock
from schemas.panes import Pane, decode_pane, merge, read_pane_key
from schemas.progress import Progress, decode_progress, read_progress_key
from schemas.topics import DEAD_LETTERS, FENCE, LEAD_CLOCKS, PANES, PROGRESS, ROSTER
from schemas.windows import Calendar, Day, Span, Window, day_window, index_of, is_day, minute_window

DEAD_LETTERS_KEPT = 10_000
_EMPTY: Pane = {}


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


@dataclass(slots=True)
class Changes:
    """What has changed since it was last taken."""

    panes: set[tuple[Window, str | None]] = field(default_factory=set)
    leads: set[str] = field(default_factory=set)
    roster: bool = False
    progress: bool = False

    def __bool__(self) -> bool:
        return bool(self.panes or self.leads or self.roster or self.progress)


class View:
    """The api's picture of the floor."""

    def __init__(self, config: Config, catalogue: Catalogue) -> None:
        self.config = config
        self.catalogue = catalogue
        self.calendar = Calendar(config.organisation.zone, config.organisation.first_weekday)
        self.roster = Roster(config, self.calendar)
        self.clocks: dict[str, LeadClock] = {}
        self.waiting: dict[str, LeadClock] = {}
        self.progress: dict[tuple[str, int], Progress] = {}
        self.dead_letters: OrderedDict[str, DeadLetter] = OrderedDict()
        self.changes = Changes()
        self._cells: dict[Window, dict[str | None, dict[str, bytes]]] = {}
        self._rep_panes: dict[Window, dict[str | None, Pane]] = {}
        self._scope_panes: dict[Window, dict[Scope, Pane]] = {}
        self._cells_of: dict[str, int] = {}
        """Rep -> in how many windows they have a pane."""
        self._instants: list[tuple[int, str]] = []
        """Heap of (instant, lead): when a lead's state changes by time alone."""
        self._money_digits = money_digits(config.organisation.currency)
        self._appliers = {
            PANES.name: self._apply_pane,
            ROSTER.name: self._apply_rep,
            LEAD_CLOCKS.name: self._apply_clock,
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
        cell = self._cells.get(window)
        if value is None:
            if cell is None or rep not in cell:
                return
            cell[rep].pop(origin, None)
            if not cell[rep]:
                del cell[rep]
                self._count_cell(rep, -1)
                if not cell:
                    del self._cells[window]
        else:
            if cell is None:
                cell = self._cells[window] = {}
            if rep not in cell:
                cell[rep] = {}
                self._count_cell(rep, 1)
            cell[rep][origin] = value
        held = self._rep_panes.get(window)
        if held is not None:
            held.pop(rep, None)
        self._scope_panes.pop(window, None)
        self.changes.panes.add((window, rep))

    def _count_cell(self, rep: str | None, step: int) -> None:
        if rep is not None:
            count = self._cells_of[rep] = self._cells_of.get(rep, 0) + step
            if not count:
                del self._cells_of[rep]

    def _apply_rep(self, key: bytes, value: bytes | None) -> None:
        self.roster.apply(key, value)
        self._scope_panes.clear()
        self.changes.roster = True

    def _apply_clock(self, key: bytes, value: bytes | None) -> None:
        lead = key.decode()
        if value is None:
            self.clocks.pop(lead, None)
            self.waiting.pop(lead, None)
        else:
            clock = self.clocks[lead] = decode_clock(value)
            if clock.is_waiting:
                self.waiting[lead] = clock
            else:
                self.waiting.pop(lead, None)
            if clock.answered_at is None and clock.due_at is not None:
                heappush(self._instants, (clock.due_at, lead))
                heappush(self._instants, (clock.warned_at(self.config.lead_response.warn_at), lead))
        self.changes.leads.add(lead)

    def _apply_progress(self, key: bytes, value: bytes | None) -> None:
        if value is not None:
            self.progress[read_progress_key(key)] = decode_progress(value)
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

    def alert_rows(self, only_open: bool) -> list[dict[str, Any]]:
        """Alerts as REST shows them, newest first."""
        return []

    def deals_without_rate(self) -> int:
        """Won deals in a currency that has no rate: they are left out of money metrics."""
        return sum(
            int(self._scope_pane(window, ORGANISATION).get("deals_without_rate", 0))
            for window in self._cells
            if is_day(window)
        )

    def _parts(self, scope: Scope, span: Span) -> Iterator[Pane]:
        windows = span.windows()
        if len(windows) > len(self._cells):
            found: Iterable[int] = [window for window in self._cells if window in windows]
        else:
            found = [window for window in windows if window in self._cells]
        for number in found:
            window = Window(number)
            if scope.kind == "rep":
                if scope.id in self._cells[window]:
                    yield self._rep_pane(window, scope.id)
            else:
                yield self._scope_pane(window, scope)

    def _rep_pane(self, window: Window, rep: str | None) -> Pane:
        held = self._rep_panes.setdefault(window, {})
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
