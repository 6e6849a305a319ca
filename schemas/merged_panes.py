"""Panes of all origins and the roster, merged for a rep, a team or the organisation.

Owns who counts for whom, and the merging; what metrics make of merged panes is in floor.py. Pure: messages and `now`
come in as arguments. Panes lie in a store, as bytes or in columns, and are decoded when they are read; what is merged
is remembered until a part of it changes. Long spans are merged from blocks (an hour of minutes, four weeks of days), so
that a change costs few merges, not 1,440. The panes of many people, and of all teams, are made from columns at once.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from schemas.bulk_panes import BulkPanes
from schemas.catalogue.defined import bound_under
from schemas.catalogue.plan import Form, Kind
from schemas.columns import parts_in
from schemas.config import Config
from schemas.config.rules import rules_of
from schemas.group_panes import GroupPanes, has_many
from schemas.instants import DAY, MINUTE
from schemas.left_out import LeftOut
from schemas.levels import Levels, PeriodEnd, beginning_of, end_of, is_after
from schemas.pane_store import Contents, PaneStore, read_place
from schemas.panes import IN_LEVELS, IN_SPAN, UNREADABLE, Pane, merge, pane_key
from schemas.people import Roster
from schemas.pieces import DAYS_IN_BLOCK, MINUTES_IN_BLOCK, Pieces, block_of
from schemas.rep_days import RepDays
from schemas.scopes import ORGANISATION, Scope, rep_scope, team_scope
from schemas.sums import Sums
from schemas.windows import STANDING, Calendar, Day, Span, Window, index_of, is_day

DECODED_WINDOWS = 256
"""Of so many windows the panes of reps stay decoded, which takes ten times the memory of their bytes."""
LEVELS_REMEMBERED = 4096
_TOGETHER = 8
"""Of as many people what minutes hold is looked for at once."""
_EMPTY: Pane = {}
_NO_DAY: Day = 2**31
"""Of what stands: after all others."""


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
        plan = self._bound.plan
        self._days = plan.of_kind(Kind.DAYS)
        self.store = PaneStore(parts_in(plan))
        counts = frozenset(cell for cell, form in plan.forms.items() if form is Form.COUNT)
        self._sums = Sums(self.store, self._days)
        self._bulk = BulkPanes(self.store, self._sums, counts, self._days, plan.of_kind(Kind.LEVEL))
        self._groups = GroupPanes(self.store, self.roster, self._bulk, self._day_of, self._rep_pane)
        self._rep_panes: dict[Window, dict[str | None, Pane]] = {}
        self._damaged: tuple[tuple[Span, PeriodEnd, int, int] | None, dict[str | None, int]] = None, {}
        """Teams, and the organisation, of which something cannot be read, as of a span, its end and two revisions."""
        self._blocks: dict[int, dict[Scope, Pane]] = {}
        self._windows = Pieces()
        self.left_out = LeftOut(self._bound.metrics)
        self._levels = Levels(plan)
        self._rep_days = RepDays(config, plan, self.calendar)
        self._rep_day_panes: dict[tuple[Scope, Day, Day], Pane] = {}
        """What people and days come to, until the roster changes."""
        self._level_panes: dict[tuple[Scope, Span, PeriodEnd, int], Pane] = {}
        """What levels were at the end of a span, at a revision."""

    # ---------------------------------------------------------------- messages in

    def take_pane(self, key: bytes, value: bytes | None) -> tuple[Window, str | None] | None:
        """Take a message of `panes` in: window and rep of what has changed by it, if anything has."""
        origin, rep, window = read_place(key)
        store = self.store
        place = store.place(rep)
        is_first = window not in store
        self._groups.note(window, rep)
        if value is None:
            before = store.take_out(window, origin, place)
            if before is None:
                return None
            if window not in store:
                self._drop_window(window)
        else:
            before = store.put(window, origin, place, value)
            if is_first:
                self._windows.add(window)
        self._sums.note(window, origin, place, before)
        # What is remembered, most often of other windows.
        if window in self._rep_panes:
            self._rep_panes[window].pop(rep, None)
        if self._blocks and (block := self._blocks.get(block_of(window))) is not None:
            for scope in self.scopes_of(window, rep):
                block.pop(scope, None)
        self.revision = revision = self.revision + 1
        self._rep_revisions[rep] = revision
        if is_day(window):
            self.left_out.note(origin, rep, window, value)
            self._day_revisions[index_of(window)] = revision
        return window, rep

    def take_rep(self, key: bytes, value: bytes | None) -> str | None:
        """Take a message of `roster` in: the rep whose entry, absence or goal has changed; None: it is of no rep."""
        rep, has_moved = self.roster.apply(key, value)
        if has_moved:
            self._groups.forget()
            self._blocks.clear()
        self._rep_day_panes.clear()
        self.revision += 1
        self.roster_revision += 1
        return rep

    def forget_before(self, first: Window) -> None:
        """Let go of the panes of all windows of this size before `first`, of which nobody will ask any more."""
        gone = [
            (window, origin, place)
            for window in self.store.windows()
            if window < first and is_day(window) == is_day(first)
            for origin, place in self.store.all_in(window)
        ]
        for window, origin, place in gone:
            self.take_pane(pane_key(origin, self.store.names[place], window), None)

    def restore(self, contents: Contents) -> None:
        """Hold panes that another one held, where nothing is held yet."""
        self.store.restore(contents)
        self._note_all()

    def _note_all(self) -> None:
        """Take it that all that is in the store has just come."""
        self._sums.forget()
        self.revision += 1
        self._windows = Pieces()
        for window in self.store.windows():
            self._windows.add(window)
            if is_day(window):
                self._day_revisions[index_of(window)] = self.revision
        for rep in {*self._with_panes(), *self._rep_revisions}:
            self._rep_revisions[rep] = self.revision
        self.left_out.restore(self.store)

    def load_pane(self, key: bytes, value: bytes | None) -> None:
        """Take a message of `panes` in that is one of very many: nobody asks for anything before `settle`."""
        origin, rep, window = read_place(key)
        self.store.load(window, origin, self.store.place(rep), value)

    def settle(self) -> None:
        """All there was has come in, by whatever way: put it in columns. What comes now is looked at in between."""
        self.store.settle()
        self._rep_panes.clear()
        self._groups.forget()
        self._blocks.clear()
        self._note_all()

    def _drop_window(self, window: Window) -> None:
        """There is no pane in it any more: what was remembered of it goes with the last one."""
        self._rep_panes.pop(window, None)
        self._groups.forget(window)
        if self._windows.drop(window):
            self._blocks.pop(block_of(window), None)

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
        return sorted({*self.store.people(), *self.roster.people})

    def is_known_rep(self, rep: str) -> bool:
        """Whether there is anything to say of them."""
        return rep in self.roster.people or (rep in self.store.places and self.store.has_any(self.store.places[rep]))

    def scopes_of(self, window: Window, rep: str | None) -> list[Scope]:
        """Whose numbers a pane is part of."""
        groups = self._groups.scopes_of(window, rep)
        return groups if rep is None else [*groups, rep_scope(rep)]

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
        found = self._bulk.of_rep(scope.id, span, cells) if scope.kind == "rep" else None
        if found is not None:
            return self._completed(found, scope, span, now, cells)
        parts = [part for part in self._parts(scope, span) if part]
        return self._completed(parts[0] if len(parts) == 1 else merge(parts), scope, span, now, cells)

    def merged_of(
        self, reps: Sequence[str], span: Span, now: int, cells: frozenset[int] | None = None
    ) -> list[Pane]:  # fmt: skip
        """The panes of many people, each as `merged` has it, but made at once."""
        first, last = span.windows()[0], span.windows()[-1]
        places = {rep: self.store.places[rep] for rep in reps if rep in self.store.places}
        merged = self._bulk.of_people([*places.values()], Window(first), Window(last), cells, self._day_of)
        panes = dict(zip(places, merged, strict=True))
        if self._levels.cells and (cells is None or not self._levels.cells.isdisjoint(cells)):
            self._find_levels([*map(rep_scope, reps)], span, now)
        return [self._completed(panes.get(rep, _EMPTY), rep_scope(rep), span, now, cells) for rep in reps]

    def _completed(self, pane: Pane, scope: Scope, span: Span, now: int, cells: frozenset[int] | None) -> Pane:
        """What was merged, with what there is of levels, and of people and days; and a mark where it is not all."""
        pane = self._with_levels_of(pane, scope, span, now, cells)
        is_wanted = bool(self._rep_days.cells) if cells is None else not self._rep_days.cells.isdisjoint(cells)
        found = pane | self._of_rep_days(scope, span, now) if is_wanted else pane
        return found | self._unreadable(scope, span, now) if self.store.damage else found

    def _unreadable(self, scope: Scope, span: Span, now: int) -> Pane:
        """The mark of what cannot be read, if anything of this scope and span cannot."""
        damage = self.store.damage
        if scope.kind == "rep":
            own = damage.windows_of(self.store.places.get(scope.id))
            reach = max((self._reach(window, span, now) for window in own), default=0)
        else:
            end = end_of(span, now, self.calendar)
            key = (span, end, damage.revision, self.roster_revision)
            if self._damaged[0] != key:
                self._damaged = key, self._damaged_groups(span, end.day, now)
            reach = self._damaged[1].get(scope.id, 0)
        return {UNREADABLE: reach} if reach else {}

    def _damaged_groups(self, span: Span, today: Day, now: int) -> dict[str | None, int]:
        found: dict[str | None, int] = {}
        for window, places in self.store.damage.items():
            reach = self._reach(window, span, now)
            day = today if window == STANDING else self._day_of(window)
            for place in places if reach else ():
                for id in {None, self.roster.team_on(self.store.names[place], day)}:
                    found[id] = max(found.get(id, 0), reach)
        return found

    def _reach(self, window: Window, span: Span, now: int) -> int:
        if window in span.windows():
            return IN_SPAN
        return IN_LEVELS if self.is_in_levels(window, span, now) else 0

    def _with_levels_of(
        self, pane: Pane, scope: Scope, span: Span, now: int, cells: frozenset[int] | None
    ) -> Pane:  # fmt: skip
        if not self._levels.cells or (cells is not None and self._levels.cells.isdisjoint(cells)):
            return pane
        key = (scope, span, end_of(span, now, self.calendar), self.revision)
        if key not in self._level_panes:
            self._find_levels([scope], span, now)
        return self._levels.put(pane, self._level_panes[key], None)

    def _find_levels(self, scopes: Sequence[Scope], span: Span, now: int) -> None:
        """Make the levels of all these scopes at once."""
        if len(self._level_panes) > LEVELS_REMEMBERED:
            self._level_panes.clear()
        end = end_of(span, now, self.calendar)
        made = self._levels_of([self._there_on(scope, end.day) for scope in scopes], span, now)
        for scope, held in zip(scopes, made, strict=True):
            self._level_panes[scope, span, end, self.revision] = held

    def _of_rep_days(self, scope: Scope, span: Span, now: int) -> Pane:
        first, last = self._days_up_to(span, now)
        found = self._rep_day_panes.get((scope, first, last))
        if found is None:
            if len(self._rep_day_panes) > LEVELS_REMEMBERED:
                self._rep_day_panes.clear()
            made = self._rep_days.panes(
                self.roster.people_of(scope), first, last, lambda rep, day: self._is_in(scope, rep, day)
            )
            found = self._rep_day_panes[scope, first, last] = made.get(True, {})
        return found

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
            for rep in self.reps_in(window):
                if self._is_in(scope, rep, day):
                    parts.setdefault(label_on(rep, day), []).append(self._rep_pane(window, rep))
        found = {label: merge(panes) for label, panes in parts.items()}
        if self._levels.cells:
            day = end_of(span, now, self.calendar).day
            for rep in sorted(self._with_panes(), key=str):
                if self._is_in(scope, rep, day):
                    found.setdefault(label_on(rep, day), {})
            for label, pane in found.items():
                meant = [
                    Scope("rep", rep)
                    for rep in (None, *self.store.people())
                    if self._is_in(scope, rep, day) and label_on(rep, day) == label
                ]
                found[label] = self._levels.put(pane, self._levels_of([meant], span, now)[0], None)
        if self._rep_days.cells:
            first, last = self._days_up_to(span, now)
            made = self._rep_days.panes(
                self.roster.people_of(scope),
                first,
                last,
                lambda rep, day: (self._is_in(scope, rep, day), label_on(rep, day)),
                is_daily=True,
            )
            for (is_theirs, held), pane in made.items():
                if is_theirs:
                    found[held] = found.get(held, {}) | pane
        mark = self._unreadable(scope, span, now) if self.store.damage else {}
        return {held: pane | mark for held, pane in found.items()} if mark else found

    def _levels_of(self, groups: Sequence[Sequence[Scope]], span: Span, now: int) -> list[Pane]:
        """What there was of each of these groups of scopes at the end of a span, and right before it."""
        ends = [end_of(span, now, self.calendar)]
        if self._levels.sets:
            ends.append(beginning_of(span, now, self.calendar))
        people = {scope for scopes in groups for scope in scopes if scope.kind == "rep"}
        found: list[list[Pane]] = [[] for _ in groups]
        for at in ends:
            stretches = [after for after in self._after(at) if after.first <= after.last]
            later = [(after, self._levels_in(after, people)) for after in stretches]
            for scopes, levels in zip(groups, found, strict=True):
                standing = (self._pane(scope, STANDING) for scope in scopes)
                parts = (
                    part
                    for after, known in later
                    for scope in scopes
                    for part in ([known[scope]] if scope in known else self._parts(scope, after))
                )
                levels.append(self._levels.level(standing, parts))
        return [self._levels.put({}, levels[0], levels[1] if len(levels) > 1 else None) for levels in found]

    def _levels_in(self, span: Span, people: Collection[Scope]) -> Mapping[Scope, Pane]:
        """What of levels people have in a stretch, at once; where few ask for minutes, nothing: each looks there."""
        if not span.days and len(people) < _TOGETHER:
            return {}
        places = {scope: self.store.places[scope.id] for scope in people if scope.id in self.store.places}
        first, last = Window(span.windows()[0]), Window(span.windows()[-1])
        found = dict.fromkeys(people, _EMPTY)
        made = self._bulk.levels_of([*places.values()], first, last, self._day_of)
        return found | dict(zip(places, made, strict=True))

    def _there_on(self, scope: Scope, day: Day) -> Sequence[Scope]:
        """What a scope's level on a day is summed up from: of a team its people of that day, wherever they were."""
        if scope.kind != "team":
            return [scope]
        return [rep_scope(rep) for rep in self.roster.ever_in(scope.id) if self.roster.team_on(rep, day) == scope.id]

    def _after(self, at: PeriodEnd) -> Iterator[Span]:
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

    def merge_ahead(self, scopes: Collection[Scope], span: Span, most: int) -> int:
        """Bring the panes of these teams, or the organisation, over a span up to date by so many reps at most.

        For who shares an event loop, before `merged` is asked for them. Gives how many reps there were; fewer than
        `most`: all is merged.
        """
        size, done = DAYS_IN_BLOCK if span.days else MINUTES_IN_BLOCK, 0
        for number, is_block in self._windows.pieces(span):
            if is_block and self._blocks.get(number, {}).keys() >= {*scopes}:
                continue
            first, after = self._windows_of(number, size) if is_block else (number, number + 2)
            for window in self.store.windows_between(Window(first), Window(after - 2)):
                while done < most and (more := self._groups.merge_ahead(window, scopes, most - done)):
                    done += more
                if done >= most:
                    return done
        return done

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
        return [self.store.names[place] for place in self.store.places_in(window)]

    def _with_panes(self) -> set[str | None]:
        """Everybody who has a pane, and nobody if something has no rep."""
        nobody = {None} if self.store.has_any(0) else set()
        return {*self.store.people(), *nobody}

    def _parts(self, scope: Scope, span: Span) -> Iterator[Pane]:
        size = DAYS_IN_BLOCK if span.days else MINUTES_IN_BLOCK
        for number, is_block in self._windows.pieces(span):
            yield self._block(scope, number, size) if is_block else self._pane(scope, Window(number))

    def _windows_of(self, block: int, size: int) -> tuple[Window, Window]:
        """The first window of a block, and the first one after it."""
        first = Window(block // 2 * size * 2 + block % 2)
        return first, Window(first + size * 2)

    def _block(self, scope: Scope, block: int, size: int) -> Pane:
        if not self._windows.has_block(block):
            return _EMPTY
        held = self._blocks.setdefault(block, {})
        pane = held.get(scope)
        if pane is None:
            first, after = self._windows_of(block, size)
            last = Window(after - 2)
            if scope.kind == "team" and is_day(first) and not has_many(held):
                pane = self._groups.of_team(scope, first, last)
            else:
                pane = merge(self._pane(scope, Window(number)) for number in range(first, last + 1, 2))
            held[scope] = pane
        return pane

    def _pane(self, scope: Scope, window: Window) -> Pane:
        if window not in self.store:
            return _EMPTY
        return self._groups.pane(window, scope) if scope.kind != "rep" else self._rep_pane(window, scope.id)

    def _rep_pane(self, window: Window, rep: str | None) -> Pane:
        held = self._rep_panes.get(window)
        pane = None if held is None else held.get(rep)
        if pane is not None:
            return pane
        place = self.store.places.get(rep)
        parts = [] if place is None else self.store.panes(window, place)
        if not parts:
            return _EMPTY
        pane = parts[0] if len(parts) == 1 else merge(parts)
        for cell in self._days & pane.keys():
            # That a person did something on a day counts once, on however many minutes it was.
            if pane[cell] > 0 and rep is not None:
                pane[cell] = {(rep, self._day_of(window)): 1}
            else:
                del pane[cell]
        if held is None:
            while len(self._rep_panes) >= DECODED_WINDOWS:
                del self._rep_panes[next(iter(self._rep_panes))]
            held = self._rep_panes[window] = {}
        held[rep] = pane
        return pane

    def _day_of(self, window: Window) -> Day:
        if window == STANDING:
            return _NO_DAY
        return index_of(window) if is_day(window) else self.calendar.day_of(index_of(window) * MINUTE)
