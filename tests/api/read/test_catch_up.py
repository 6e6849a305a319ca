"""When everything has been passed on: the questions are asked stage by stage, and no later message is waited for."""

from collections.abc import Mapping, Sequence

from api.read.catch_up import MERGES, CatchUp
from schemas.topics import DELIVERIES, ENGAGEMENTS, PANES, PROGRESS, RECORD_CHANGES, Topic

VIEW = (PANES, PROGRESS)


class FakeKafka:
    """Ends of topics, and what was done of them; remembers in which order the ends were asked."""

    def __init__(self) -> None:
        self.at_end: dict[str, dict[int, int]] = {
            topic.name: {0: 2, 1: 0} for topic in (DELIVERIES, RECORD_CHANGES, ENGAGEMENTS, *VIEW)
        }
        self.done_of: dict[str, dict[int, int]] = {"normalise": {}, "ledger": {}, "responses": {}}
        self.applied_of: dict[str, dict[int, int]] = {PANES.name: {}, PROGRESS.name: {}}
        self.asked: list[str] = []

    async def ends(self, topics: Sequence[Topic]) -> Sequence[Mapping[int, int]]:
        self.asked += [topic.name for topic in topics]
        return [dict(self.at_end[topic.name]) for topic in topics]

    def done(self, stage: str) -> Mapping[int, int]:
        return self.done_of[stage]

    def applied(self, topic: Topic) -> Mapping[int, int]:
        return self.applied_of[topic.name]

    def catch_up(self) -> CatchUp:
        return CatchUp(self.ends, self.done, self.applied)


async def test_stages_are_waited_for_one_after_the_other_then_the_view() -> None:
    kafka = FakeKafka()
    said = []
    async for missing in kafka.catch_up().wait(DELIVERIES, RECORD_CHANGES, ENGAGEMENTS, VIEW):
        said.append(missing)
        for stage in ("normalise", "ledger", "responses"):
            if f"stage {stage} " in missing:
                kafka.done_of[stage] = {0: 2}
        for name in (PANES.name, PROGRESS.name):
            if f"of {name} " in missing:
                kafka.applied_of[name] = {0: 2}

    assert said == [
        "stage normalise is 2 messages behind",
        "stage ledger is 2 messages behind",
        "stage responses is 2 messages behind",
        "the view is 2 messages of panes behind",
        "the view is 2 messages of progress behind",
    ]
    assert kafka.asked[:3] == ["deliveries", "record-changes", "engagements"]


async def test_what_a_stage_writes_while_it_catches_up_is_waited_for_in_the_next() -> None:
    kafka = FakeKafka()
    kafka.at_end["record-changes"] = {0: 0}
    kafka.applied_of = {PANES.name: {0: 2}, PROGRESS.name: {0: 2}}
    said = []
    async for missing in kafka.catch_up().wait(DELIVERIES, RECORD_CHANGES, ENGAGEMENTS, VIEW):
        said.append(missing)
        if "normalise" in missing:
            kafka.done_of["normalise"] = {0: 2}
            kafka.at_end["record-changes"] = {0: 5}
        elif "ledger" in missing:
            kafka.done_of["ledger"] = {0: 5}
        else:
            kafka.done_of["responses"] = {0: 2}

    assert said[1] == "stage ledger is 5 messages behind"


async def test_stage_that_feeds_itself_is_asked_until_it_stands_still() -> None:
    kafka = FakeKafka()
    kafka.done_of = {"normalise": {0: 2}, "ledger": {0: 2}, "responses": {0: 1}}
    kafka.applied_of = {PANES.name: {0: 2}, PROGRESS.name: {0: 2}}
    said = []
    async for missing in kafka.catch_up().wait(DELIVERIES, RECORD_CHANGES, ENGAGEMENTS, VIEW):
        said.append(missing)
        end = kafka.at_end["engagements"][0]
        kafka.done_of["responses"] = {0: end}
        if end < 5:  # a chain of merges: each round hands on to the next lead
            kafka.at_end["engagements"] = {0: end + 1}

    assert len(said) == 4
    assert kafka.asked.count("engagements") == 5


async def test_what_comes_in_later_is_not_waited_for() -> None:
    kafka = FakeKafka()
    kafka.done_of = {"normalise": {0: 1}, "ledger": {0: 2}, "responses": {0: 2}}
    kafka.applied_of = {PANES.name: {0: 2}, PROGRESS.name: {0: 2}}
    rounds = 0
    async for _ in kafka.catch_up().wait(DELIVERIES, RECORD_CHANGES, ENGAGEMENTS, VIEW):
        rounds += 1
        kafka.at_end["deliveries"] = {0: 1000}
        kafka.done_of["normalise"] = {0: 2}

    assert rounds == 1


async def test_a_stage_whose_input_never_ends_is_not_waited_for_without_end() -> None:
    kafka = FakeKafka()
    kafka.done_of = {"normalise": {0: 2}, "ledger": {0: 2}, "responses": {0: 2}}
    kafka.applied_of = {PANES.name: {0: 2}, PROGRESS.name: {0: 2}}
    rounds = 0

    async def growing(topics: Sequence[Topic]) -> Sequence[Mapping[int, int]]:
        ends = await kafka.ends(topics)
        if topics == [ENGAGEMENTS]:  # somebody's deliveries, all the time
            kafka.at_end[ENGAGEMENTS.name] = {0: ends[0][0] + 3}
        return ends

    async for _ in CatchUp(growing, kafka.done, kafka.applied).wait(DELIVERIES, RECORD_CHANGES, ENGAGEMENTS, VIEW):
        rounds += 1
        assert rounds < 100
        kafka.done_of["responses"] = kafka.at_end[ENGAGEMENTS.name]

    assert kafka.asked.count("engagements") == MERGES + 1


async def test_nothing_in_kafka_is_nothing_to_wait_for() -> None:
    kafka = FakeKafka()
    kafka.at_end = {name: {0: 0, 1: 0} for name in kafka.at_end}

    assert [missing async for missing in kafka.catch_up().wait(DELIVERIES, RECORD_CHANGES, ENGAGEMENTS, VIEW)] == []
