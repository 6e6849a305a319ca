"""How many people of each team are at their goal: counted on as single people change.

Owns the counting. Whether somebody has reached it, book.py says.
"""

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction


@dataclass
class Shares:
    """How many people of each team, and of all (None), have a target and have reached it."""

    seen_from: object
    revision: int = -1
    """Of the panes that are counted."""
    asked: Counter[str | None] = field(default_factory=Counter)
    reached: Counter[str | None] = field(default_factory=Counter)
    outcomes: dict[str, tuple[frozenset[str | None], bool]] = field(default_factory=dict)

    def put(self, rep: str, teams: frozenset[str | None], is_reached: bool) -> None:
        """Count a person instead of what was counted of them before."""
        before = self.outcomes.get(rep)
        if before == (teams, is_reached):
            return
        if before is not None:
            self.asked.subtract(before[0])
            self.reached.subtract(before[0] if before[1] else ())
        self.outcomes[rep] = teams, is_reached
        self.asked.update(teams)
        self.reached.update(teams if is_reached else ())

    def of(self, team: str | None) -> Fraction | None:
        """The share that has reached it; None: nobody has a target."""
        asked = self.asked.get(team, 0)
        return Fraction(self.reached.get(team, 0), asked) if asked else None
