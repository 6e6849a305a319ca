"""Whether a worker lives and is ready: its event loop turns, it gets its partitions, its batches move, Kafka answers.

One that Kafka does not answer is not ready, and lives: to start it again would bring nothing back. Owns the judgment,
from what is seen at each look; time is an argument. Does not know who asks, nor what becomes of a worker that stands
still.

    look  look  look  SIGSTOP ............ SIGCONT  look
    1 s   1 s   1 s   (counts as 2 s, not as minutes)     so nobody is ended for having been frozen
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from processor.transport.shards import StagePartition

LOOK_SECONDS = 1.0
STILL_SECONDS = 30.0
"""After so long without a step a worker is not called alive any more."""

WAITING_SECONDS = 90.0
"""So long a worker may wait for its partitions, or load without a step, at least: longer than a rebalance lasts in
which the group waits for a member that does not answer."""

AWAY_SECONDS = 10.0
"""After so long without an answer of Kafka a worker is not ready: longer than a partition is without a leader when a
broker ends in order, and than one question that is answered late."""

_LONGEST_STEP_SECONDS = 2 * LOOK_SECONDS


@dataclass(frozen=True, slots=True)
class Signs:
    """What is seen at one look."""

    beats: int
    """Grows as long as the event loop turns."""
    ready: bool
    """All shards are loaded, and no rebalance is going on."""
    assigned: Collection[StagePartition] = ()
    done: Mapping[StagePartition, int] = field(default_factory=dict)
    """Source partition -> the offset up to which all is processed, exclusive."""
    ends: Mapping[StagePartition, int] | None = None
    """Source partition -> the offset at which it ends; None: Kafka did not say."""
    steps: int = 0
    """Changes while shards are loaded."""
    answers: int = 0
    """Grows with each time that Kafka said where they end."""


class Watch:
    """Remembers for how long nothing has moved. Looked at once a second."""

    def __init__(self) -> None:
        self._last_look: float | None = None
        self._last = Signs(beats=-1, ready=False)
        self._silent = 0.0
        self._waiting = 0.0
        self._unanswered = 0.0
        self._still: dict[StagePartition, float] = {}

    def look(self, now: float, signs: Signs) -> None:
        """Take in what is seen at `now` (seconds, of a clock that never goes back)."""
        step = 0.0 if self._last_look is None else min(now - self._last_look, _LONGEST_STEP_SECONDS)
        self._silent = self._silent + step if signs.beats == self._last.beats else 0.0
        self._waiting = self._wait(step, signs)
        self._unanswered = self._miss_answers(step, signs)
        self._still = self._stand(step, signs)
        self._last_look, self._last = now, signs

    def problem(self, after: float) -> str | None:
        """Why the worker is not alive, if something has stood still for more than `after` seconds."""
        if self._silent > after:
            return f"the event loop has not turned for {self._silent:.0f} s"
        if self._waiting > max(after, WAITING_SECONDS):
            return f"no partition was given or loaded for {self._waiting:.0f} s"
        place, seconds = max(self._still.items(), key=lambda item: item[1], default=(("", 0), 0.0))
        if seconds > after:
            topic, partition = place
            return (
                f"{topic}[{partition}] stands still for {seconds:.0f} s: done up to {self._last.done.get(place, 0)}, "
                f"and it ends at {(self._last.ends or {}).get(place, 'an unknown offset')}"
            )
        return None

    def missing(self, signs: Signs) -> list[str]:
        """What keeps it from being ready, where that is seen now: a line each, none of them a reason to end it."""
        lines = []
        if self._unanswered > AWAY_SECONDS and signs.answers == self._last.answers:
            lines.append(f"Kafka has not answered for {self._unanswered:.0f} s: this goes on by itself once it does")
        if not signs.ready:
            lines.append("shards are not loaded yet")
        return lines

    def _miss_answers(self, step: float, signs: Signs) -> float:
        if signs.answers != self._last.answers:
            return 0.0
        # A loop that does not turn has not asked.
        return self._unanswered if signs.beats == self._last.beats else self._unanswered + step

    def _wait(self, step: float, signs: Signs) -> float:
        if signs.ready or signs.steps != self._last.steps:
            return 0.0
        # While Kafka is away nothing can be loaded.
        return self._waiting if signs.ends is None else self._waiting + step

    def _stand(self, step: float, signs: Signs) -> dict[StagePartition, float]:
        if not signs.ready:  # it loads: nothing is due from it
            return {}
        if signs.ends is None:  # Kafka is away: neither a step nor a stand can be told
            return {place: still for place, still in self._still.items() if place in signs.assigned}
        return {
            place: self._still.get(place, 0.0) + step
            for place in signs.assigned
            if signs.done.get(place, 0) < signs.ends.get(place, 0)
            and signs.done.get(place) == self._last.done.get(place)
        }
