"""A log that is not the one that was read is told from one that only grew, whatever its offsets say."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.log_marks import (
    ClusterFacts,
    EpochAsked,
    EpochEnd,
    LogMark,
    Loss,
    TopicFacts,
    advanced,
    asked_of,
    beyond_end,
    lasting,
    loss_at,
    loss_lines,
    shape_losses,
)

NAME = "t.deliveries"
PLACE = (NAME, 0)


class Log:
    """A partition as its leader keeps it: the epoch of each record; a leader answers as Kafka's does."""

    def __init__(self, id: bytes = b"one") -> None:
        self.id = id
        self.epoch = 0
        self.records: list[int] = []

    def append(self, count: int) -> None:
        self.records += [self.epoch] * count

    def elect(self, *, keeps: int | None = None) -> None:
        """Another leader, which may know only a part."""
        self.epoch += 1
        if keeps is not None:
            del self.records[keeps:]

    def facts(self, *, stale_epoch: int | None = None) -> ClusterFacts:
        """As a broker says; it may say of the leader's epoch what was so a moment ago."""
        return ClusterFacts({NAME: TopicFacts(self.id, {0: self.epoch if stale_epoch is None else stale_epoch})})

    def ends(self, asked: set[EpochAsked], facts: ClusterFacts) -> dict[EpochAsked, EpochEnd]:
        """A leader that is asked as one of another epoch refuses to answer."""
        is_led = facts.topics[NAME].epochs[0] == self.epoch
        return {each: self.end(each[1]) for each in asked} if is_led else {}

    def end(self, epoch: int) -> EpochEnd:
        if epoch > self.epoch:
            return EpochEnd(-1, -1)
        known = [each for each in self.records if each <= epoch]
        return EpochEnd(epoch, len(self.records) if epoch == self.epoch else len(known))


def look(log: Log, mark: LogMark, offset: int, facts: ClusterFacts | None = None) -> tuple[Loss | None, LogMark]:
    facts = facts or log.facts()
    ends = log.ends(asked_of({PLACE: mark}, facts), facts)
    loss = loss_at(PLACE, mark, facts, ends) or beyond_end(PLACE, offset, facts, ends)
    return loss, advanced(PLACE, mark, offset, facts, ends)


def test_a_tail_that_was_cut_off_is_seen_also_when_more_was_written_since() -> None:
    log = Log()
    log.append(100)
    _, mark = look(log, LogMark(), 100)

    log.elect(keeps=34)
    log.append(500)
    loss, _ = look(log, mark, 100)

    assert loss is not None
    assert (loss.kind, loss.topic) == ("shorter", NAME)
    assert "read up to offset 100" in loss.text
    assert "from 34 on" in loss.text


def test_a_topic_that_was_made_anew_is_seen_by_its_id() -> None:
    log, other = Log(), Log(b"two")
    log.append(3)
    other.append(300)
    _, mark = look(log, LogMark(), 3)

    loss, _ = look(other, mark, 3)

    assert loss is not None
    assert loss.kind == "made anew"


def test_an_epoch_that_went_back_is_seen() -> None:
    log = Log(b"")  # a broker that tells no ids
    log.elect()
    log.elect()
    log.append(5)
    _, mark = look(log, LogMark(), 5)
    log.epoch, log.records = 1, [0] * 9

    loss, _ = look(log, mark, 5)

    assert loss is not None
    assert "leader epoch 2" in loss.text


def test_what_was_read_and_never_marked_is_compared_with_the_end() -> None:
    log = Log()
    log.append(10)

    loss, _ = look(log, LogMark(), 11)

    assert loss is not None
    assert "up to offset 11 and ends at 10" in loss.text


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("append"), st.integers(1, 9)),
            st.tuples(st.just("elect"), st.just(0)),
            st.tuples(st.just("look"), st.booleans()),
        ),
        max_size=40,
    )
)
def test_a_log_that_only_grew_is_never_accused(steps: Sequence[tuple[str, int]]) -> None:
    """Also where brokers say of each other's partitions what was so at the last election."""
    log, mark = Log(), LogMark()
    for what, number in steps:
        if what == "append":
            log.append(number)
        elif what == "elect":
            log.elect()
        else:
            facts = log.facts(stale_epoch=max(0, log.epoch - 1)) if number else log.facts()
            loss, mark = look(log, mark, len(log.records), facts)
            assert loss is None


@given(st.integers(1, 50), st.integers(0, 49), st.integers(0, 80))
def test_every_cut_below_a_mark_is_seen(read: int, keeps: int, since: int) -> None:
    log = Log()
    log.append(read)
    _, mark = look(log, LogMark(), read)
    log.elect(keeps=min(keeps, read - 1))
    log.append(since)

    loss, _ = look(log, mark, 0)

    assert loss is not None


def test_a_partition_that_does_not_answer_is_not_judged() -> None:
    mark = LogMark(b"one", 3, 100)
    facts = ClusterFacts({NAME: TopicFacts(b"one", {0: 4})})

    assert loss_at(PLACE, mark, facts, {}) is None
    assert beyond_end(PLACE, 100, facts, {}) is None
    assert advanced(PLACE, mark, 120, facts, {}) == mark


def test_topics_that_are_missing_or_have_other_partitions_are_named_with_what_mends_them() -> None:
    facts = ClusterFacts({NAME: TopicFacts(b"one", {0: 0, 1: 0, 2: 0}), "t.g1.panes": TopicFacts(b"two", {0: 0})})

    found = shape_losses(facts, {NAME: 2, "t.g1.panes": 1, "t.g1.ledger": 2})

    assert loss_lines(found) == [
        "topic t.deliveries has 3 partitions and not 2: floorcast replay --partitions 3 takes them in",
        "topic t.g1.ledger is missing: floorcast topics creates it",
    ]
    assert shape_losses(facts, {NAME: 0}) == []


def test_only_what_lasts_over_two_looks_is_told() -> None:
    gone = Loss("a", "missing", "a")
    other = Loss("b", "missing", "b")

    assert lasting([], [gone]) == []
    assert lasting([gone], [gone, other]) == [gone]


@pytest.mark.parametrize("kind", ["shorter", "made anew"])
def test_a_loss_is_told_with_what_mends_it(kind: str) -> None:
    loss = Loss(NAME, kind, "it is gone")  # type: ignore[arg-type]

    assert loss_lines([loss, loss]) == ["it is gone: floorcast replay makes all numbers anew"]
