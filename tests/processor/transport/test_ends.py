"""Who asks for the ends of topics: what it has learned of a broker that hangs it keeps, unless that goes on."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError

from processor.transport.ends import LogEnds

PLACE = ("deliveries", 0)


class Asked:
    """A consumer that answers what `outcomes` says, one after the other."""

    made: list["Asked"]
    outcomes: list[Exception | int]

    def __init__(self, **_options: Any) -> None:
        self.made.append(self)
        self.stopped = False
        self._client = SimpleNamespace(close=self.stop)
        self._fetcher = None

    async def start(self) -> None:
        """It is connected."""

    async def stop(self) -> None:
        self.stopped = True

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return dict.fromkeys(partitions, outcome)


@pytest.mark.parametrize(
    ("outcomes", "consumers"),
    [
        ([KafkaTimeoutError(), 7], 1),
        ([KafkaTimeoutError(), KafkaTimeoutError(), 7], 2),
        ([TimeoutError(), 5, TimeoutError(), 7], 1),
        ([KafkaConnectionError(), 7], 2),
    ],
    ids=["late once", "late twice", "late now and then", "broken"],
)
async def test_another_consumer_is_made_where_this_one_does_not_get_through(
    monkeypatch: pytest.MonkeyPatch, outcomes: list[Exception | int], consumers: int
) -> None:
    made: list[Asked] = []
    monkeypatch.setattr(Asked, "made", made, raising=False)
    monkeypatch.setattr(Asked, "outcomes", [*outcomes], raising=False)
    monkeypatch.setattr("processor.transport.ends.AIOKafkaConsumer", Asked)
    monkeypatch.setattr("processor.transport.ends.limit_waiting", lambda *_: None)
    ends = LogEnds("127.0.0.1:1")

    told = [await ends.ask([PLACE]) for _ in outcomes]
    await ends.close()

    assert told == [None if isinstance(outcome, Exception) else {PLACE: outcome} for outcome in outcomes]
    assert len(made) == consumers
    assert all(each.stopped for each in made)
