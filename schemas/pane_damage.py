"""Panes that somebody could not read, until another one takes their place.

Owns where they lie: a day may have as many as it has people, and each person's own are found without a look at all.
"""

from collections.abc import Collection, Iterator, Mapping

from schemas.windows import Window, is_day

_NONE: Mapping[Window, int] = {}


class Damage:
    """Of one store."""

    def __init__(self) -> None:
        self._in: dict[Window, set[tuple[str, int]]] = {}
        """Origin and place of each."""
        self._of: dict[int, dict[Window, int]] = {}
        """By place: how many there are in a window."""
        self.of_days = 0
        """How many lie in days."""
        self.revision = 0
        """Grows with every change."""

    def __bool__(self) -> bool:
        return bool(self._in)

    def __iter__(self) -> Iterator[tuple[Window, str, int]]:
        """Window, origin and place."""
        return ((window, origin, place) for window, held in self._in.items() for origin, place in held)

    def items(self) -> Iterator[tuple[Window, set[int]]]:
        """Each window with the places that have such a pane in it."""
        return ((window, {place for _, place in held}) for window, held in self._in.items())

    def windows_of(self, place: int | None) -> Collection[Window]:
        """Those in which somebody has such a pane."""
        return _NONE if place is None else self._of.get(place, _NONE)

    def has(self, window: Window, origin: str, place: int) -> bool:
        """Whether this one is known to be so."""
        return (origin, place) in self._in.get(window, ())

    def size(self, window: Window | None = None) -> int:
        """How many there are in a window; None: in all of them."""
        return len(self._in.get(window, ())) if window is not None else sum(map(len, self._in.values()))

    def note(self, window: Window, origin: str, place: int) -> None:
        """Somebody could not read it."""
        held = self._in.setdefault(window, set())
        if (origin, place) not in held:
            held.add((origin, place))
            own = self._of.setdefault(place, {})
            own[window] = own.get(window, 0) + 1
            self.of_days += is_day(window)
            self.revision += 1

    def mend(self, window: Window, origin: str, place: int) -> None:
        """Another one takes its place, or none does."""
        held = self._in.get(window)
        if held is None or (origin, place) not in held:
            return
        held.discard((origin, place))
        if not held:
            del self._in[window]
        own = self._of[place]
        own[window] -= 1
        if not own[window]:
            del own[window]
        if not own:
            del self._of[place]
        self.of_days -= is_day(window)
        self.revision += 1

    def forget(self, window: Window) -> None:
        """Nothing lies in that window any more."""
        for origin, place in [*self._in.get(window, ())]:
            self.mend(window, origin, place)
