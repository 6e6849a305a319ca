"""All panes as they were received: what changes by person, what lies still in columns.

Owns where a pane is found. A pane comes in whole and takes the place of the one before it; those of days are packed
into blocks (columns.py) once there are many of them, and what comes for a packed day afterwards lies over its block.
People are known by their place, which is theirs as long as the process lives; place 0 is what belongs to nobody.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from msgspec import MsgspecError

from schemas.columns import Block, packed_block
from schemas.pane_damage import Damage
from schemas.panes import Pane, decode_pane, pane_key, read_pane_key
from schemas.windows import Window, days_kept, is_day, whole_day

NOBODY = 0
FRESH_AT_MOST = 25_000
"""Panes of days that are in no block, with those of the day that changes; more are packed."""
HeldPane = bytes | Block | None
"""A pane: its bytes, or the block that it lies in."""


class Contents(NamedTuple):
    """All of a store, as of one moment: nobody changes it."""

    names: Sequence[str | None]
    """By place."""
    blocks: Sequence[tuple[Window, str, Block]]
    fresh: Sequence[tuple[Window, str, Mapping[int, bytes | None]]]


class PaneStore:
    """Panes by window, origin and place. `parts`: see `columns.parts_in`."""

    def __init__(self, parts: frozenset[int]) -> None:
        self.parts = parts
        self.names: list[str | None] = [None]
        self.places: dict[str | None, int] = {None: NOBODY}
        self._fresh: dict[Window, dict[str, dict[int, bytes | None]]] = {}
        """None: the pane that the block of that origin has is gone."""
        self._blocks: dict[Window, dict[str, Block]] = {}
        self._panes_in: dict[Window, int] = {}
        self._counted: set[Window] | None = None
        """While what was loaded is counted: the windows where that is done."""
        self._is_loaded = False
        """There may be panes that were loaded, and are not counted."""
        self._panes_of: list[int] = [0]
        self.people_revision = 0
        """Grows when somebody has a first pane, or none any more."""
        self._people: tuple[int, list[str]] = -1, []
        """As of which revision."""
        self._fresh_days = 0
        self._packed = 0
        self.is_loading = True
        """More comes at once than is looked at: an eighth of what is packed may lie beside it."""
        self.damage = Damage()
        """It lies where it came, whenever its day is packed."""
        self._changing: Window | None = None
        """The day that somebody's pane came for last: it is not packed while others can be."""

    # ---------------------------------------------------------------- panes in

    def place(self, rep: str | None) -> int:
        """The place of somebody, from now on if they had none."""
        place = self.places.get(rep)
        if place is None:
            place = self.places[rep] = len(self.names)
            self.names.append(rep)
            self._panes_of.append(0)
        return place

    def put(self, window: Window, origin: str, place: int, value: bytes) -> HeldPane:
        """Take in a pane; gives the one that was there."""
        before = self.held(window, origin, place)
        self.damage.mend(window, origin, place)
        if before is None:
            self._panes_in[window] = self._panes_in.get(window, 0) + 1
            self._panes_of[place] += 1
            self.people_revision += self._panes_of[place] == 1
        self._lay(window, origin, place, value)
        if window & 1:
            self._changing = window
            if self._fresh_days - self.damage.of_days > self._fresh_at_most():
                self._pack_some()
        return before

    def take_out(self, window: Window, origin: str, place: int) -> HeldPane:
        """Take a pane away; gives it. None: there was none."""
        before = self.held(window, origin, place)
        if before is None:
            return None
        self.damage.mend(window, origin, place)
        self._panes_of[place] -= 1
        self.people_revision += not self._panes_of[place]
        left = self._panes_in[window] = self._panes_in[window] - 1
        if not left:
            # Minutes and days expire: nothing that lies there is kept for long.
            self._forget(window)
        elif origin in self._blocks.get(window, ()):
            self._lay(window, origin, place, None)
        else:
            fresh = self._fresh[window][origin]
            del fresh[place]
            self._fresh_days -= window & 1
        return before

    def load(self, window: Window, origin: str, place: int, value: bytes | None) -> None:
        """Take in a pane (None: there is none) not looking at what was there: `settling` and `settle` are to follow.

        What a start reads is said once, most of it, and nobody asks before all of it is there.
        """
        if self._counted is not None and window in self._counted:
            if value is None:
                self.take_out(window, origin, place)
            else:
                self.put(window, origin, place, value)
            return
        self._is_loaded = True
        self.damage.mend(window, origin, place)
        if value is None and origin not in self._blocks.get(window, _NO_BLOCKS):
            self._pick_up(window, origin, place)
            return
        self._lay(window, origin, place, value)
        if window & 1:
            self._changing = window
            if self._fresh_days > self._fresh_at_most():
                self._pack_some()

    def settling(self) -> Iterator[Window]:
        """Pack and count what was loaded, a day with each step; `settle` ends that. More may be loaded meanwhile."""
        yield from self.pack_all()
        self._counted = set()
        self._panes_in.clear()
        self._panes_of = [0] * len(self.names)
        self.people_revision += 1
        yield from self._count_all(self._counted)

    def settle(self) -> None:
        """All there was has come in: it lies in columns, and is counted."""
        for _ in self.pack_all():
            pass
        if self._is_loaded:
            for _ in self.settling() if self._counted is None else self._count_all(self._counted):
                pass
        self._counted, self._is_loaded, self.is_loading = None, False, False
        self.people_revision += 1

    def _count_all(self, counted: set[Window]) -> Iterator[Window]:
        """How many panes there are, and of whom. What comes in for a window that is counted is counted as ever."""
        for number, window in enumerate(sorted({*self._blocks, *self._fresh} - counted)):
            self._count(window)
            counted.add(window)
            # Minutes are many, and small.
            if window & 1 or not number % 64:
                yield window

    def _count(self, window: Window) -> None:
        blocks, origins = self._blocks.get(window, {}), self._fresh.get(window, {})
        there: list[int] = []
        for held in origins.values():
            there += [place for place, value in held.items() if value is not None]
        for origin, block in blocks.items():
            over = origins.get(origin, ())
            places = block.places()
            there += [place for place in places if place not in over] if over else places
        for place in there:
            self._panes_of[place] += 1
        self._panes_in[window] = len(there)
        if not there:
            self._forget(window)

    def _lay(self, window: Window, origin: str, place: int, value: bytes | None) -> None:
        origins = self._fresh.get(window)
        if origins is None:
            origins = self._fresh[window] = {}
        fresh = origins.get(origin)
        if fresh is None:
            fresh = origins[origin] = {}
        self._fresh_days += (window & 1) and place not in fresh
        fresh[place] = value

    def _pick_up(self, window: Window, origin: str, place: int) -> None:
        origins = self._fresh.get(window, _NONE)
        fresh = origins.get(origin)
        if fresh is None or place not in fresh:
            return
        del fresh[place]
        self._fresh_days -= window & 1
        # Most minutes that a start reads of are over.
        if not fresh:
            del origins[origin]
            if not origins:
                del self._fresh[window]

    def _forget(self, window: Window) -> None:
        fresh = self._fresh.pop(window, {})
        if is_day(window):
            self._fresh_days -= sum(map(len, fresh.values()))
        self._packed -= sum(map(len, self._blocks.pop(window, {}).values()))
        self.damage.forget(window)
        del self._panes_in[window]

    # ---------------------------------------------------------------- packing

    def _fresh_at_most(self) -> int:
        if self.is_loading:
            return max(FRESH_AT_MOST, self._packed // 8)
        of_today = self._fresh.get(self._changing, _NONE) if self._changing is not None else _NONE
        return FRESH_AT_MOST + sum(map(len, of_today.values()))

    def _pack_some(self) -> None:
        sizes = {
            window: sum(map(len, origins.values())) - self.damage.size(window)
            for window, origins in self._fresh.items()
            if window & 1 and window != self._changing
        }
        if sizes:
            self.pack(max(sizes, key=sizes.__getitem__))

    def pack_all(self) -> Iterator[Window]:
        """Pack every day that has panes in no block, one with each step."""
        for window in [window for window in self._fresh if is_day(window)]:
            self.pack(window)
            yield window

    def pack(self, window: Window) -> None:
        """Put what came for a day into its blocks. What cannot be read stays as it came, and is not tried again."""
        blocks, left = dict(self._blocks.get(window, _NO_BLOCKS)), dict[str, dict[int, bytes | None]]()
        for origin, panes in self._fresh.get(window, _NONE).items():
            before = blocks.get(origin)
            taken = self._undamaged(window, origin, panes)
            try:
                block = Block(packed_block(taken, self.parts, before)) if taken else before
            except MsgspecError:
                for place, value in taken.items():
                    if value is not None:
                        self.read(window, origin, place, value)
                taken = self._undamaged(window, origin, panes)
                block = Block(packed_block(taken, self.parts, before)) if taken else before
            if block is not None:
                blocks[origin] = block
                self._packed += len(block) - (0 if before is None else len(before))
            self._fresh_days -= len(taken)
            if len(taken) < len(panes):
                left[origin] = {place: value for place, value in panes.items() if place not in taken}
        if blocks:
            self._blocks[window] = blocks
        self._fresh.pop(window, None)
        if left:
            self._fresh[window] = left

    def _undamaged(self, window: Window, origin: str, panes: dict[int, bytes | None]) -> dict[int, bytes | None]:
        if not self.damage.size(window):
            return panes
        return {place: value for place, value in panes.items() if not self.damage.has(window, origin, place)}

    # ---------------------------------------------------------------- all of it

    def __len__(self) -> int:
        return sum(self._panes_in.values())

    def contents(self) -> Contents:
        """All there is now. Of what is in blocks nothing is copied."""
        blocks = [(window, origin, block) for window, held in self._blocks.items() for origin, block in held.items()]
        fresh = [
            (window, origin, dict(panes)) for window, held in self._fresh.items() for origin, panes in held.items()
        ]
        return Contents(tuple(self.names), blocks, fresh)

    def restore(self, contents: Contents) -> None:
        """Hold that, where nothing is held yet but places. What is mapped from a file stays there."""
        places = [self.place(name) for name in contents.names]
        if places != [*range(len(places))]:
            raise ValueError("somebody has a place already")
        for window, origin, block in contents.blocks:
            self._blocks.setdefault(window, {})[origin] = block
            held = block.places()
            self._panes_in[window] = self._panes_in.get(window, 0) + len(held)
            self._packed += len(held)
            for place in held:
                self._panes_of[place] += 1
        for window, origin, panes in contents.fresh:
            for place, value in panes.items():
                if value is None:
                    self.take_out(window, origin, place)
                else:
                    self.put(window, origin, place, value)
        self.people_revision += 1

    # ---------------------------------------------------------------- queries

    def held(self, window: Window, origin: str, place: int) -> HeldPane:
        """A pane, wherever it lies; None: there is none."""
        fresh = self._fresh.get(window, _NONE).get(origin)
        if fresh is not None and place in fresh:
            return fresh[place]
        block = self._blocks.get(window, _NO_BLOCKS).get(origin)
        return block if block is not None and block.has(place) else None

    def __contains__(self, window: Window) -> bool:
        return window in self._panes_in

    def size(self, window: Window) -> int:
        """How many panes a window has."""
        return self._panes_in.get(window, 0)

    @property
    def is_packed(self) -> bool:
        """Whether some days are in blocks."""
        return self._packed > 0

    def windows(self) -> Iterable[Window]:
        """Those that have panes."""
        return self._panes_in

    def windows_between(self, first: Window, last: Window) -> list[Window]:
        """Those of the size of the first, both included, in order."""
        if (last - first) // 2 < len(self._panes_in):
            return [Window(number) for number in range(first, last + 1, 2) if number in self._panes_in]
        return sorted(window for window in self._panes_in if first <= window <= last and not (window - first) % 2)

    def has(self, window: Window, place: int) -> bool:
        """Whether somebody has a pane in a window, of whatever origin."""
        fresh, blocks = self._fresh.get(window, _NONE), self._blocks.get(window, _NO_BLOCKS)
        for held in fresh.values():
            if held.get(place) is not None:
                return True
        return any(block.has(place) and place not in fresh.get(origin, ()) for origin, block in blocks.items())

    def has_any(self, place: int) -> bool:
        """Whether somebody has a pane at all."""
        return self._panes_of[place] > 0

    def people(self) -> Sequence[str]:
        """All who have one. There may have been very many more, so they are looked for when they are others only."""
        if self._people[0] != self.people_revision:
            there = zip(self.names, self._panes_of, strict=True)
            self._people = self.people_revision, [name for name, number in there if number and name is not None]
        return self._people[1]

    def all_in(self, window: Window) -> list[tuple[str, int]]:
        """(origin, place) of each pane of a window."""
        fresh = self._fresh.get(window, _NONE)
        found = [
            (origin, place) for origin, held in fresh.items() for place, value in held.items() if value is not None
        ]
        for origin, block in self._blocks.get(window, _NO_BLOCKS).items():
            over = fresh.get(origin, ())
            found += [(origin, place) for place in block.places() if place not in over]
        return found

    def places_in(self, window: Window) -> list[int]:
        """Who has a pane in a window, in order."""
        return sorted({place for _, place in self.all_in(window)})

    def read(self, window: Window, origin: str, place: int, value: bytes) -> Pane:
        """What a pane holds that lies there; one that cannot be read holds nothing, and is noted."""
        try:
            return decode_pane(value)
        except MsgspecError:
            self.damage.note(window, origin, place)
            return {}

    def unreadable_keys(self) -> set[bytes]:
        """Of the panes that cannot be read."""
        return {pane_key(origin, self.names[place], window) for window, origin, place in self.damage}

    def panes(self, window: Window, place: int) -> list[Pane]:
        """Somebody's panes in a window, of all origins."""
        fresh, found = self._fresh.get(window, _NONE), []
        for origin, held in fresh.items():
            value = held.get(place)
            if value is not None:
                found.append(self.read(window, origin, place, value))
        for origin, block in self._blocks.get(window, _NO_BLOCKS).items():
            if place not in fresh.get(origin, ()) and (pane := block.pane(place)) is not None:
                found.append(pane)
        return found

    def blocks(self, window: Window) -> Mapping[str, Block]:
        """By origin."""
        return self._blocks.get(window, _NO_BLOCKS)

    def fresh(self, window: Window) -> Mapping[str, Mapping[int, bytes | None]]:
        """What lies over the blocks of a window, and beside them, by origin and place."""
        return self._fresh.get(window, _NONE)


def panes_of(
    fresh: Mapping[str, Mapping[int, bytes | None]],
    places: AbstractSet[int] | None = None,
    cells: Sequence[bytes] | None = None,
) -> Iterator[tuple[str, int, bytes]]:
    """(origin, place, pane) of what a store says to be fresh.

    Of these people alone, if somebody asks for some: for a few of very many nobody looks at all of them. `cells`:
    written names of cells of which a pane has to have one.
    """
    for origin, held in fresh.items():
        for place in held if places is None else held.keys() & places:
            value = held[place]
            if value is not None and (cells is None or any(name in value for name in cells)):
                yield origin, place, value


def read_place(key: bytes) -> tuple[str, str | None, Window]:
    """(origin, rep, window) of a pane as it is stored: what is kept for fewer days is one more origin of the day.

    Raises ValueError.
    """
    origin, rep, stored = read_pane_key(key)
    window = whole_day(stored)
    return (origin if window == stored else f"{origin}.{days_kept(stored)}"), rep, window


def pane_or_nothing(value: bytes) -> Pane:
    """What a pane holds, or held, which may not be readable."""
    try:
        return decode_pane(value)
    except MsgspecError:
        return {}


_NONE: dict[str, dict[int, bytes | None]] = {}
_NO_BLOCKS: dict[str, Block] = {}
