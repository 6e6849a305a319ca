"""Which partitions are written by other definitions than those of a view: the view leaves their messages out.

Owns that decision. A worker that begins to write a partition first puts a fence there, which names its definitions; all
messages after it are made by them. So when workers begin with changed definitions, a view that is still served keeps
its numbers, and never mixes old and new ones. Pure.
"""

from collections.abc import Sequence
from typing import Protocol

from schemas.fences import definitions_in
from schemas.spoken_definitions import words_of_difference
from schemas.topics import DEALS, FENCE, LEAD_CLOCKS, PANES

DERIVED = frozenset({PANES.name, DEALS.name, LEAD_CLOCKS.name})
"""What a change of definitions makes anew. What is in the other topics is true by any."""


def workers_differ(by: str, ours: str) -> str:
    """What is said where workers go by other files than we."""
    return words_of_difference("workers derive", by, "api", ours)


class KafkaMessage(Protocol):
    """A message as Kafka gives it."""

    @property
    def key(self) -> bytes | None: ...

    @property
    def value(self) -> bytes | None: ...

    @property
    def timestamp(self) -> int: ...


class OtherDefinitions:
    """By which definitions each partition is written, as far as it was read."""

    def __init__(self, ours: str) -> None:
        self._ours = ours
        self._by: dict[tuple[str, int], str] = {}
        self._held: set[tuple[str, int]] = set()
        self._news: set[str] = set()

    @property
    def is_any_held(self) -> bool:
        """Whether the view stands still in part, until another takes its place."""
        return bool(self._held)

    @property
    def others(self) -> set[str]:
        """The other definitions by which partitions are written now."""
        return {by for by in self._by.values() if by != self._ours}

    @property
    def why_not_ours(self) -> str | None:
        """Which ones, in words; None: all is written by ours."""
        return next((workers_differ(by, self._ours) for by in sorted(self.others)), None)

    def take_news(self) -> set[str]:
        """By which definitions partitions have been begun since the last call that are not what the view has."""
        news, self._news = self._news, set()
        return news

    def pass_on(
        self, topic: str, partition: int, messages: Sequence[KafkaMessage], *, is_served: bool
    ) -> Sequence[KafkaMessage]:
        """Those of a partition's next messages that are for the view.

        While it is served that is none from the first fence of other definitions on, and for good: what was left out
        comes again for a view that reads from the beginning only.
        """
        if topic not in DERIVED:
            return messages
        place = topic, partition
        passed = 0 if place in self._held else len(messages)
        for number, message in enumerate(messages):
            if message.key != FENCE or not (by := definitions_in(message.value)):
                continue
            self._by[place] = by
            if is_served and by != self._ours and place not in self._held:
                self._held.add(place)
                passed = number
            if by != self._ours or place in self._held:
                self._news.add(by)
        return messages[:passed]
