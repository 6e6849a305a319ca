"""Panes of all origins and the roster, merged for a rep, a team or the organisation.

Owns who counts for whom, and the merging; what metrics make of merged panes is in floor.py. Pure: messages and `now`
come in as arguments. Panes are kept as the bytes received and decoded when they are read; what is merged is remembered
until a part of it changes. Long spans are merged from blocks (an hour of minutes, four weeks of days), so that a change
costs few merges, not 1,440.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from schemas.catalogue import Metric
from schemas.catalogue.defined import bound_under
from schemas.catalogue.duration import DurationReader
from schemas.catalogue.plan import Kind
from schemas.catalogue.simple import SimpleReader
from schemas.catalogue.versions import VersionsReader
from schemas.config import Config
from schemas.config.rules import rules_of
from schemas.instants import DAY, MINUTE
from schemas.levels import Instant, Levels, beginning_of, end_of, is_after
from schemas.panes import Pane, decode_pane, exchange, merge, pane_key, read_pane_key
from schemas.people import Person, Roster
from schemas.pieces import DAYS_IN_BLOCK, MINUTES_IN_BLOCK, Pieces, block_of
from schemas.rep_days import RepDays
from schemas.windows import STANDING, Calendar, Day, Span, Window, days_kept, index_of, is_day, whole_day

DECODED_WINDOWS = 256
"""Of so many windows the panes of reps stay decoded, which takes ten times the memory of their bytes."""
LEVELS_REMEMBERED = 4096
_EMPTY: Pane = {}
_NO_DAY: Day = 2**31
"""Of what stands: after all others."""


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


class MergedPanes:
    """All panes and everybody's teams, as Kafka last told them."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.catalogue = config.catalogue
        self._bound = bound_under(config.defined, rules_of(config))
        self.calendar = Calendar(config.organisation.zone, config.organisation.first_weekday)
        self.roster = Roster(config, self.calendar)
        self.revision = 0
        """Grows with every change of a pane or of the roster."""
        self.roster_revision = 0
        """Grows with every change of the roster."""
        self._rep_revisions: dict[str | None, int] = {}
        self._day_revisions: dict[Day, int] = {}
        self._cells: dict[Window, dict[str | None, dict[str, bytes]]] = {}
        self._rep_panes: dict[Window, dict[str | None, Pane]] = {}
        self._scope_panes: dict[Window, dict[Scope, Pane]] = {}
        self._exchanged: dict[Window, dict[str | None, Pane]] = {}
        """Panes of reps that lie in the scopes' panes of the window, and are others by now."""
        self._blocks: dict[int, dict[Scope, Pane]] = {}
        self._windows = Pieces()
        self._noted: dict[int, dict[tuple[Window, str | None, str], int]] = {
            cell: {} for cell in _noted_cells(self._bound.metrics)
        }
        """How often something was left out of a metric, by the cell that counts it."""
        self._levels = Levels(self._bound.plan)
        self._rep_days = RepDays(config, self._bound.plan, self.calendar)
        self._rep_day_panes: dict[tuple[Scope, Day, Day], Pane] = {}
        """What people and days come to, until the roster changes."""
        self._days = self._bound.plan.of_kind(Kind.DAYS)
        self._level_panes: dict[tuple[Scope, Span, Instant, int], Pane] = {}
        """What levels were at the end of a span, at a revision."""
        self._cells_of: dict[str, int] = {}
        """Rep -> in how many windows they have a pane."""

    # ---------------------------------------------------------------- messages in

    def take_pane(self, key: bytes, value: bytes | None) -> tuple[Window, str | None] | None:
        """Take a message of `panes` in: window and rep of what has changed by it, if anything has."""
        origin, rep, stored = read_pane_key(key)
        # What is kept for fewer days is one more origin of the day.
        window, keep = whole_day(stored), days_kept(stored)
        origin = f"{origin}.{keep}" if keep else origin
        was_there = rep in self._cells.get(window, ())
        if value is None:
            if not self._take_out(origin, rep, window):
                return None
        else:
            self._put_in(origin, rep, window, value)
        self._note(origin, rep, window, value)
        self._forget_merged(window, rep, was_there=was_there)
        self.revision += 1
        self._rep_revisions[rep] = self.revision
        if is_day(window):
            self._day_revisions[index_of(window)] = self.revision
        return window, rep

    def take_rep(self, key: bytes, value: bytes | None) -> str | None:
        """Take a message of `roster` in: the rep whose entry, absence or goal has changed; None: it is of no rep."""
        rep, has_moved = self.roster.apply(key, value)
        if has_moved:
            self._scope_panes.clear()
            self._exchanged.clear()
            self._blocks.clear()
        self._rep_day_panes.clear()
        self.revision += 1
        self.roster_revision += 1
        return rep

    def forget_before(self, first: Window) -> None:
        """Let go of the panes of all windows of this size before `first`, of which nobody will ask any more."""
        gone = [
            pane_key(origin, rep, window)
            for window, cell in self._cells.items()
            if window < first and is_day(window) == is_day(first)
            for rep, origins in cell.items()
            for origin in origins
        ]
        for key in gone:
            self.take_pane(key, None)

    def _put_in(self, origin: str, rep: str | None, window: Window, value: bytes) -> None:
        cell = self._cells.get(window)
        if cell is None:
            cell = self._cells[window] = {}
            self._windows.add(window)
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
            if self._windows.drop(window):
                self._blocks.pop(block_of(window), None)
        return True

    def _note(self, origin: str, rep: str | None, window: Window, value: bytes | None) -> None:
        """Keep how often something was left out beside the bytes, which are not decoded before somebody asks."""
        if is_day(window):
            for cell, held in self._noted.items():
                if value is not None and _written(cell) in value:
                    held[window, rep, origin] = decode_pane(value).get(cell, 0)
                else:
                    held.pop((window, rep, origin), None)

    def times_left_out(self, cell: int) -> int:
        """How often something was left out of a metric on all days that are kept."""
        return sum(self._noted.get(cell, {}).values())

    def _forget_merged(self, window: Window, rep: str | None, *, was_there: bool) -> None:
        held = self._rep_panes.get(window, {}).pop(rep, None)
        if window in self._scope_panes:
            exchanged = self._exchanged.setdefault(window, {})
            if (held is None and was_there and rep not in exchanged) or window not in self._cells:
                del self._scope_panes[window], self._exchanged[window]
            else:
                exchanged.setdefault(rep, held or _EMPTY)
        block = self._blocks.get(block_of(window))
        if block is not None:
            for scope in self.scopes_of(window, rep):
                block.pop(scope, None)

    def _count_cell(self, rep: str | None, step: int) -> None:
        if rep is not None:
            count = self._cells_of[rep] = self._cells_of.get(rep, 0) + step
            if not count:
                del self._cells_of[rep]

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

    def rep_revision(self, rep: str) -> int:
        """The revision at which a pane of this rep last changed."""
        return self._rep_revisions.get(rep, 0)

    def reps_changed_since(self, revision: int) -> list[str]:
        """The reps of whom a pane has changed after that revision."""
        return [rep for rep, changed in self._rep_revisions.items() if changed > revision and rep is not None]

    def days_revision(self, first: Day, last: Day) -> int:
        """The revision at which a pane of one of these days last changed."""
        return max((self._day_revisions.get(day, 0) for day in range(first, last + 1)), default=0)

    def merged(self, scope: Scope, span: Span, now: int, cells: frozenset[int] | None = None) -> Pane:
        """All panes of a scope over a span, in one that nobody may change; levels as of its end, or of now.

        `cells`: only these are wanted. What there is of people and days, and of levels, takes a walk over all people of
        the scope, so it is left out where none of these is of that.
        """
        pane = self._with_levels_of(scope, span, now, cells)
        is_wanted = bool(self._rep_days.cells) if cells is None else not self._rep_days.cells.isdisjoint(cells)
        return pane | self._of_rep_days(scope, span, now) if is_wanted else pane

    def _with_levels_of(self, scope: Scope, span: Span, now: int, cells: frozenset[int] | None) -> Pane:
        parts = [part for part in self._parts(scope, span) if part]
        pane = parts[0] if len(parts) == 1 else merge(parts)
        if not self._levels.cells or (cells is not None and self._levels.cells.isdisjoint(cells)):
            return pane
        end = end_of(span, now, self.calendar)
        key = (scope, span, end, self.revision)
        held = self._level_panes.get(key)
        if held is None:
            if len(self._level_panes) > LEVELS_REMEMBERED:
                self._level_panes.clear()
            made = self._with_levels({}, span, now, self._there_on(scope, end.day))
            held = self._level_panes[key] = made
        return self._levels.put(pane, held, None)

    def _of_rep_days(self, scope: Scope, span: Span, now: int) -> Pane:
        first, last = self._days_up_to(span, now)
        found = self._rep_day_panes.get((scope, first, last))
        if found is None:
            if len(self._rep_day_panes) > LEVELS_REMEMBERED:
                self._rep_day_panes.clear()
            made = self._rep_days.panes(
                self._people_of(scope), first, last, lambda rep, day: self._is_in(scope, rep, day)
            )
            found = self._rep_day_panes[scope, first, last] = made.get(True, {})
        return found

    def _people_of(self, scope: Scope) -> Iterable[Person]:
        people = self.roster.people
        if scope.kind != "rep":
            return people.values()
        return [people[scope.id]] if scope.id is not None and scope.id in people else []

    def _days_up_to(self, span: Span, now: int) -> tuple[Day, Day]:
        """The days that a span touches, those to come left out."""
        day_of = self.calendar.day_of
        first, last = (index if span.days else day_of(index * MINUTE) for index in (span.first, span.last))
        return first, min(last, day_of(now))

    def merged_by_people(
        self, scope: Scope, span: Span, now: int, label_on: Callable[[str | None, Day], str | None]
    ) -> dict[str | None, Pane]:
        """The panes of a scope over a span, by what everybody was on each day: as `merged`, a pane for each label."""
        parts: dict[str | None, list[Pane]] = {}
        for number in span.windows():
            window = Window(number)
            day = self._day_of(window)
            for rep in self._cells.get(window, ()):
                if self._is_in(scope, rep, day):
                    parts.setdefault(label_on(rep, day), []).append(self._rep_pane(window, rep))
        found = {label: merge(panes) for label, panes in parts.items()}
        if self._levels.cells:
            day = end_of(span, now, self.calendar).day
            for rep in sorted({rep for held in self._cells.values() for rep in held}, key=str):
                if self._is_in(scope, rep, day):
                    found.setdefault(label_on(rep, day), {})
            for label, pane in found.items():
                meant = [
                    Scope("rep", rep)
                    for rep in (None, *self._cells_of)
                    if self._is_in(scope, rep, day) and label_on(rep, day) == label
                ]
                found[label] = self._with_levels(pane, span, now, meant)
        if self._rep_days.cells:
            first, last = self._days_up_to(span, now)
            made = self._rep_days.panes(
                self._people_of(scope),
                first,
                last,
                lambda rep, day: (self._is_in(scope, rep, day), label_on(rep, day)),
                is_daily=True,
            )
            for (is_theirs, held), pane in made.items():
                if is_theirs:
                    found[held] = found.get(held, {}) | pane
        return found

    def _with_levels(self, pane: Pane, span: Span, now: int, scopes: Sequence[Scope]) -> Pane:
        """A pane with what there was of these scopes at the end of a span, and right before it."""
        ends = [end_of(span, now, self.calendar)]
        if self._levels.sets:
            ends.append(beginning_of(span, now, self.calendar))
        found = []
        for at in ends:
            standing = (self._pane(scope, STANDING) for scope in scopes)
            later = [*self._after(at)]
            parts = (part for scope in scopes for after in later for part in self._parts(scope, after))
            found.append(self._levels.level(standing, parts))
        return self._levels.put(pane, found[0], found[1] if len(found) > 1 else None)

    def _there_on(self, scope: Scope, day: Day) -> Sequence[Scope]:
        """What a scope's level on a day is summed up from: of a team its people of that day, wherever they were."""
        if scope.kind != "team":
            return [scope]
        return [rep_scope(rep) for rep in self._cells_of if self.roster.team_on(rep, day) == scope.id]

    def _after(self, at: Instant) -> Iterator[Span]:
        """The stored windows after an instant, each once: the rest of its day, and the days after it."""
        if at.minute is not None:
            last = self.calendar.day_start(at.day + 1) // MINUTE - 1
            yield Span("", days=False, first=at.minute + 1, last=last)
        last = max(self._day_revisions, default=at.day)
        yield Span("", days=True, first=at.day + 1, last=last)

    def _is_in(self, scope: Scope, rep: str | None, day: Day) -> bool:
        if scope.kind == "rep":
            return rep == scope.id
        return scope.kind != "team" or self.roster.team_on(rep, day) == scope.id

    def merge_ahead(self, window: Window, most: int) -> int:
        """Bring the organisation's and the teams' panes of a window up to date by so many reps at most.

        For who shares an event loop, before `merged` is asked for them. Gives how many reps there were; none: all is
        merged.
        """
        cell = self._cells.get(window)
        if cell is None:
            return 0
        held, exchanged = self._scope_panes.get(window), self._exchanged.get(window)
        if held is None or (exchanged and 2 * len(exchanged) > len(cell) and _EMPTY not in exchanged.values()):
            held = self._scope_panes[window] = {}
            exchanged = self._exchanged[window] = dict.fromkeys(cell, _EMPTY)
        if not exchanged:
            return 0
        some = dict(exchanged.popitem() for _ in range(min(most, len(exchanged))))
        if not exchanged:
            del self._exchanged[window]
        fresh = [rep for rep, before in some.items() if not before]
        self._add(window, held, fresh)
        self._exchange(window, held, {rep: before for rep, before in some.items() if before})
        return len(some)

    def is_in_levels(self, window: Window, span: Span, now: int) -> bool:
        """Whether levels at the end of a span are made of a window, which need not lie in it."""
        if not self._levels.cells:
            return False
        return window == STANDING or is_after(window, end_of(span, now, self.calendar), self._day_of)

    @property
    def has_rep_days(self) -> bool:
        """Whether something is counted of people and days, which nobody tells and midnight changes."""
        return bool(self._rep_days.cells)

    def levels_moved(self, since: int, now: int) -> set[Scope]:
        """Whose levels may be others because minutes have passed."""
        if not self._levels.cells or not 0 <= now - since < DAY:
            return {*self.scopes()} if self._levels.cells else set()
        passed = (Window(minute * 2) for minute in range(since // MINUTE + 1, now // MINUTE + 1))
        return {scope for window in passed for rep in self.reps_in(window) for scope in self.scopes_of(window, rep)}

    def reps_in(self, window: Window) -> Iterable[str | None]:
        """Who has a pane of this window."""
        return self._cells.get(window, ())

    def _parts(self, scope: Scope, span: Span) -> Iterator[Pane]:
        size = DAYS_IN_BLOCK if span.days else MINUTES_IN_BLOCK
        for number, is_block in self._windows.pieces(span):
            yield self._block(scope, number, size) if is_block else self._pane(scope, Window(number))

    def _block(self, scope: Scope, block: int, size: int) -> Pane:
        if not self._windows.has_block(block):
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
            pane = parts[0] if len(parts) == 1 else merge(parts)
            for cell in self._days & pane.keys():
                # That a person did something on a day counts once, on however many minutes it was.
                if pane[cell] > 0 and rep is not None:
                    pane[cell] = {(rep, self._day_of(window)): 1}
                else:
                    del pane[cell]
            held[rep] = pane
        return pane

    def _scope_pane(self, window: Window, scope: Scope) -> Pane:
        held = self._scope_panes.get(window)
        exchanged = self._exchanged.pop(window, None)
        if held is None or (exchanged and 2 * len(exchanged) > len(self._cells[window])):
            held = self._scope_panes[window] = self._merge_scopes(window)
        elif exchanged:
            self._exchange(window, held, exchanged)
        return held.get(scope, _EMPTY)

    def _exchange(self, window: Window, held: dict[Scope, Pane], exchanged: Mapping[str | None, Pane]) -> None:
        """Bring the scopes' panes up to date by the few reps that have changed, instead of by everybody."""
        day, cell = self._day_of(window), self._cells[window]
        made: dict[Scope, Pane] = {}
        for rep, before in exchanged.items():
            after = self._rep_pane(window, rep) if rep in cell else _EMPTY
            team = self.roster.team_on(rep, day)
            for scope in (ORGANISATION,) if team is None else (ORGANISATION, team_scope(team)):
                if scope not in made:
                    # Somebody may hold the one that was given out.
                    made[scope] = dict(held.get(scope, _EMPTY))
                exchange(made[scope], before, after)
        held |= made

    def _merge_scopes(self, window: Window) -> dict[Scope, Pane]:
        """The organisation's and all teams' panes of a window, in one pass over its reps."""
        scopes: dict[Scope, Pane] = {}
        self._add(window, scopes, self._cells.get(window, ()))
        return scopes

    def _add(self, window: Window, held: dict[Scope, Pane], reps: Iterable[str | None]) -> None:
        """Merge the panes of reps that are in none of the scopes' panes yet into those."""
        day, cell = self._day_of(window), self._cells[window]
        parts: dict[Scope, list[Pane]] = {}
        for rep in reps:
            if rep not in cell:
                continue
            pane = self._rep_pane(window, rep)
            parts.setdefault(ORGANISATION, []).append(pane)
            team = self.roster.team_on(rep, day)
            if team is not None:
                parts.setdefault(team_scope(team), []).append(pane)
        for scope, panes in parts.items():
            before = held.get(scope)
            held[scope] = merge(panes if before is None else [before, *panes])

    def _day_of(self, window: Window) -> Day:
        if window == STANDING:
            return _NO_DAY
        return index_of(window) if is_day(window) else self.calendar.day_of(index_of(window) * MINUTE)


def without_rate(metric: Metric | None) -> int | None:
    """The cell that counts for how many rows of a metric there was no rate."""
    reader = None if metric is None else metric.reader
    return reader.left_out.name if isinstance(reader, SimpleReader) and reader.left_out is not None else None


def negative_durations(metric: Metric) -> list[int]:
    """The cells that count what a metric leaves out because it ends before it starts."""
    readers = metric.reader.readers if isinstance(metric.reader, VersionsReader) else (metric.reader,)
    return [reader.negative.name for reader in readers if isinstance(reader, DurationReader)]


def _noted_cells(metrics: Mapping[str, Metric]) -> set[int]:
    won = without_rate(metrics.get("revenue_won"))
    negative = {cell for metric in metrics.values() for cell in negative_durations(metric)}
    return negative if won is None else negative | {won}


def _written(cell: int) -> bytes:
    """The name of a cell, as it stands in the bytes of a pane."""
    return cell.to_bytes(8, "big")
