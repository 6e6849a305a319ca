"""Metrics of type `funnel`, as rows show them: of all that entered the first step, how many entered the last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from deploy.verification.conditions import Fact
from deploy.verification.definitions import Entry, names
from deploy.verification.facts import PATH
from deploy.verification.measures import Counted, Exact, Measure, Sum
from deploy.verification.spans import Span
from deploy.verification.terms import Terms

WON = "won"
_LEAD_STEPS: Mapping[str, str] = {
    "received": "received_at",
    "answered": "answered_at",
    "qualified": "qualified_at",
    "deal": "deal_at",
    "won": "won_at",
}

Path = list[tuple[int, str]]
"""Steps in the order in which they were entered."""


class Entered(NamedTuple):
    """One entry of the first step: when, and whether the last one was entered after it."""

    at: int
    reached: bool


class Funnel(Measure):
    """Each deal or lead that entered the first step."""

    def __init__(self, entry: Entry, terms: Terms) -> None:
        super().__init__(entry, terms)
        pipelines: Mapping[str, Any] = getattr(terms.config, "pipelines", {})
        self._pipeline = entry.get("pipeline") or next(iter(pipelines), None)
        own: Any = pipelines.get(self._pipeline) if self._pipeline is not None else None
        steps = names(entry.get("steps")) or tuple(getattr(own, "steps", ()))
        self._won = frozenset(getattr(own, "won", ())) | {WON}
        if self.sources == ("lead",):
            steps = steps or tuple(_LEAD_STEPS)
        elif steps and steps[-1] not in self._won:
            steps = (*steps, WON)
        self.steps = steps

    def _of(self, fact: Fact) -> Iterator[Counted]:
        is_deal = fact.get("record") == "deal"
        is_theirs = not is_deal or self._pipeline is None or fact.get("pipeline") == self._pipeline
        if not self.steps or not is_theirs or not self._where(fact):
            return
        for entered in self._entered(self._deal_path(fact) if is_deal else self._lead_path(fact)):
            at = fact.get("created_at") if self.entry.get("cohort") == "created" else entered.at
            if at is not None:
                for rep in self.credited(fact):
                    yield Counted(self, rep, at, self.terms.people.day_of(at), entered.reached, fact)

    def _deal_path(self, fact: Fact) -> Path:
        last = self.steps[-1]
        path = [(at, last if stage in self._won else stage) for at, stage in fact[PATH]]
        if fact.get("status") == WON and fact["closed_at"] is not None and last not in {step for _, step in path}:
            path.append((fact["closed_at"], last))
        return [(at, step) for at, step in sorted(path) if step in self.steps]

    def _lead_path(self, fact: Fact) -> Path:
        found = [(fact.get(field), step) for step, field in _LEAD_STEPS.items() if step in self.steps]
        return sorted(
            ((at, step) for at, step in found if at is not None),
            key=lambda entered: (entered[0], self.steps.index(entered[1])),
        )

    def _entered(self, path: Path) -> Iterator[Entered]:
        parts = [path] if self.entry.get("re_entry", "first") == "first" else self._each(path)
        for part in parts:
            at, reached = self._first_and_last(part)
            if at is not None:
                yield Entered(at, reached)

    def _each(self, path: Path) -> list[Path]:
        """From each entry of the first step up to the next one; what lies before the first of them with it."""
        begins = [place for place, (_, step) in enumerate(path) if step == self.steps[0]][1:]
        return [path[begin:end] for begin, end in zip([0, *begins], [*begins, len(path)], strict=True)]

    def _first_and_last(self, path: Path) -> tuple[int | None, bool]:
        # `inferred` adds steps between the first and the furthest that were entered, never one of these two.
        at = next((at for at, step in path if step == self.steps[0]), None)
        if self.entry.get("mode") == "strict":
            return at, _goes_through(path, self.steps)
        return at, any(step == self.steps[-1] for _, step in path)

    def empty(self, span: Span) -> Sum:
        return Share()


def _goes_through(path: Path, steps: Sequence[str]) -> bool:
    """Whether all steps were entered, one after the other."""
    ahead = iter(path)
    return all(any(step == wanted for _, step in ahead) for wanted in steps)


class Share:
    """How many of them all have reached the end."""

    def __init__(self) -> None:
        self._reached = self._all = 0

    def add(self, counted: Counted) -> None:
        self._reached += bool(counted.what)
        self._all += 1

    def value(self) -> Exact:
        return Fraction(self._reached, self._all) if self._all else None

    def bound(self) -> Exact:
        return None
