"""Which part of what a metric counts is meant: one label of a dimension, the days of one version, or all of it.

Owns how this becomes part of the condition of every measure that a metric has.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas.catalogue.conditions import AtLeast, Condition, Register, every, opposite
from schemas.catalogue.dimensions import Dimension


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Whoever binds a metric makes one; each type of metric then adds it to the conditions of its measures."""

    since: int | None = None
    """Count only what happens at this instant (microseconds) or later; None: from ever."""
    until: int | None = None
    """Count only what happens before this instant; None: for ever."""
    name: str | None = None
    """Of the dimension."""
    dimension: Dimension | None = field(default=None, compare=False)  # its name says which
    label: str | None = None

    def facts(self, facts: Sequence[str]) -> list[str]:
        """The facts that have to be counted: also those that know the lead of a row."""
        if self.dimension is None:
            return list(facts)
        joined = [self.dimension.joined(fact) for fact in facts]
        return [*facts, *(fact for fact in joined if fact is not None)]

    def condition(self, fact: str, at: Register, beside: Sequence[str] = ()) -> Condition | None:
        """Where a row that counts at an instant is meant; None: nobody can say of this fact.

        `beside`: all that is counted with it. Where one of those says the label, the others are of none.
        """
        parts: list[Condition] = []
        if self.since is not None:
            parts.append(AtLeast(at, self.since))
        if self.until is not None:
            parts.append(opposite(AtLeast(at, self.until)))
        if self.dimension is not None and self.label is not None:
            found = self.dimension.condition(fact, self.label)
            if found is None and any(self.dimension.condition(one, self.label) is not None for one in beside):
                found = self.label == self.dimension.labels[-1] if self.dimension.labels else True
            if found is None:
                return None
            parts.append(found)
        return every(parts)


WHOLE = Narrowing()
