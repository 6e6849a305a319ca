"""What is fuzzed, as the runner sees it: a name, bytes to begin with, and a law that holds for any bytes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from time import process_time

from tests.fuzz.mutation import mutated

CPU_SECONDS = 2.0
"""No input of this size may take longer: whoever reads it stands still meanwhile."""


@dataclass(frozen=True)
class Target:
    """One parser, or several that must agree."""

    name: str
    corpus: Sequence[bytes]
    """What is right, to be changed."""
    holds: Callable[[bytes], None]
    """The law. Raises whatever it likes where it is broken."""

    def input_of(self, seed: int, number: int) -> bytes:
        """The same bytes for the same seed and number."""
        return mutated(self.corpus, Random(f"{self.name} {seed} {number}"))

    def check(self, data: bytes) -> None:
        """Raise unless the law holds for these bytes, and soon."""
        begun = process_time()
        self.holds(data)
        taken = process_time() - begun
        if taken > CPU_SECONDS:
            msg = f"took {taken:.1f} s of CPU for {len(data)} bytes"
            raise AssertionError(msg)
