"""What a round found out. Owns the figures, as they are kept and shown; measures nothing."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Result:
    """The figures of one round."""

    name: str
    fault: str
    differences: int = 0
    missing: int = 0
    deliveries: int = 0
    changes: int = 0
    stall_seconds: float = 0.0
    stalled: str = ""
    recovery_seconds: float | None = None
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    skipped: str = ""
    taken_on: str = ""
    """The day, in UTC."""
    slowness: float = 1.0
    """How many times as slow as a quiet machine the one was said to be."""

    @property
    def passed(self) -> bool:
        return not self.problems
