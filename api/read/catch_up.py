"""When has everything been passed on? The way of an event, walked once from the log to the view.

Owns the order of the questions. A stage writes what the next one reads, so the ends are asked stage by stage; the stage
responses also feeds itself along merges, so its ends are asked until they stand still, or often enough for a chain of
merges: while deliveries come in all the time they never do. Does no I/O of its own.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

from schemas.topics import Topic

AskEnds = Callable[[Sequence[Topic]], Awaitable[Sequence[Mapping[int, int]]]]
"""The end offset of each partition of each of these topics, now: all in one request, for each waits its turn."""
DoneOffsets = Callable[[str], Mapping[int, int]]
"""Per partition the next input offset of a stage."""
Applied = Callable[[Topic], Mapping[int, int]]
"""Per partition the next offset that comes into the view."""

MERGES = 10
"""A lead merged into one that is merged into another, and so on: so many steps are waited for in any case."""


class CatchUp:
    """Waits until what lies in Kafka now is through every stage and in the view."""

    def __init__(self, ends: AskEnds, done: DoneOffsets, applied: Applied) -> None:
        self._ends = ends
        self._done = done
        self._applied = applied

    async def wait(
        self, deliveries: Topic, changes: Topic, engagements: Topic, view: Sequence[Topic]
    ) -> AsyncIterator[str]:
        """Yield what is missing, in a line, until nothing is; the caller waits a moment after each."""
        for stage, topic in (("normalise", deliveries), ("ledger", changes)):
            (ends,) = await self._ends([topic])
            while missing := _behind(ends, self._done(stage)):
                yield f"stage {stage} is {missing} messages behind"
        (ends,) = await self._ends([engagements])
        for _ in range(MERGES):
            while missing := _behind(ends, self._done("responses")):
                yield f"stage responses is {missing} messages behind"
            (later,) = await self._ends([engagements])
            if later == ends:
                break
            ends = later
        async for missing_there in self.wait_for_view(view):
            yield missing_there

    async def wait_for_view(self, view: Sequence[Topic]) -> AsyncIterator[str]:
        """Yield what the view itself lacks of its topics, in a line, until nothing is."""
        for topic, ends in zip(view, await self._ends(view), strict=True):
            while missing := _behind(ends, self._applied(topic)):
                yield f"the view is {missing} messages of {topic.name} behind"


def _behind(ends: Mapping[int, int], done: Mapping[int, int]) -> int:
    return sum(max(0, end - done.get(partition, 0)) for partition, end in ends.items())
