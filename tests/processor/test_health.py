"""The judgment whether a worker lives, with a clock that only the test moves."""

from dataclasses import replace

import pytest

from processor.health import AWAY_SECONDS, STILL_SECONDS, WAITING_SECONDS, Signs, Watch

PLACE = ("deliveries", 0)
OTHER = ("deliveries", 1)


class Looking:
    """Looks once a second, as the worker's thread does."""

    def __init__(self) -> None:
        self.watch = Watch()
        self.now = 1000.0
        self.beats = 0
        self.steps = 0
        self.answers = 0

    def look(
        self,
        seconds: int,
        *,
        turning: bool = True,
        done: int = 5,
        end: int | None = 5,
        ready: bool = True,
        loading: bool = False,
    ) -> None:
        for _ in range(seconds):
            self.now += 1
            self.beats += turning
            self.steps += loading
            self.answers += end is not None
            ends = None if end is None else {PLACE: end}
            self.signs = Signs(self.beats, ready, [PLACE], {PLACE: done}, ends, self.steps, self.answers)
            self.watch.look(self.now, self.signs)

    def missing(self) -> list[str]:
        return self.watch.missing(self.signs)

    def problem(self, after: float = STILL_SECONDS) -> str | None:
        return self.watch.problem(after)


@pytest.fixture
def looking() -> Looking:
    looking = Looking()
    looking.look(5)
    return looking


def test_a_worker_that_has_nothing_to_do_lives(looking: Looking) -> None:
    looking.look(600)

    assert looking.problem() is None


def test_a_worker_that_makes_steps_lives_however_far_behind_it_is(looking: Looking) -> None:
    for step in range(600):
        looking.look(1, done=6 + step, end=1_000_000)

    assert looking.problem() is None


def test_a_partition_that_stands_still_though_there_is_more_is_named(looking: Looking) -> None:
    looking.look(30, end=9)
    assert looking.problem() is None
    looking.look(2, end=9)

    problem = looking.problem()

    assert problem is not None
    assert problem.startswith("deliveries[0] stands still for 3")
    assert problem.endswith("done up to 5, and it ends at 9")


def test_one_step_makes_it_alive_again(looking: Looking) -> None:
    looking.look(60, end=9)
    looking.look(1, done=6, end=9)

    assert looking.problem() is None


def test_one_partition_that_stands_still_is_enough() -> None:
    watch = Watch()
    for step in range(40):
        done = {PLACE: step, OTHER: 3}
        watch.look(step, Signs(step, True, [PLACE, OTHER], done, {PLACE: 1000, OTHER: 4}))

    problem = watch.problem(STILL_SECONDS)

    assert problem is not None
    assert problem.startswith("deliveries[1] ")


def test_a_partition_that_was_assigned_and_never_delivered_stands_still() -> None:
    watch = Watch()
    for step in range(40):
        watch.look(step, Signs(step, True, [PLACE], {}, {PLACE: 4}))

    assert watch.problem(STILL_SECONDS) is not None


def test_a_loop_that_does_not_turn_is_told_first(looking: Looking) -> None:
    looking.look(32, turning=False, end=9)

    assert looking.problem() == "the event loop has not turned for 32 s"


def test_a_worker_that_loads_is_not_late(looking: Looking) -> None:
    looking.look(600, ready=False, loading=True, end=9)

    assert looking.problem() is None


def test_a_worker_that_waits_for_its_partitions_or_within_a_load_is_given_the_time_of_a_rebalance(
    looking: Looking,
) -> None:
    looking.look(int(WAITING_SECONDS), ready=False, end=9)
    assert looking.problem() is None
    looking.look(1, ready=False, end=9)

    assert looking.problem() == f"no partition was given or loaded for {WAITING_SECONDS + 1:.0f} s"
    assert looking.problem(after=120) is None
    looking.look(1, ready=False, loading=True)
    assert looking.problem() is None


def test_a_worker_that_cannot_load_because_kafka_is_away_is_not_blamed_for_it(looking: Looking) -> None:
    looking.look(600, ready=False, end=None)

    assert looking.problem() is None


def test_while_kafka_is_away_no_time_is_counted(looking: Looking) -> None:
    looking.look(20, end=9)
    looking.look(600, end=None)
    assert looking.problem() is None
    looking.look(15, end=9)

    assert looking.problem() is not None


def test_a_worker_that_kafka_does_not_answer_is_not_ready_and_lives(looking: Looking) -> None:
    looking.look(int(AWAY_SECONDS), end=None)
    before = looking.missing()
    looking.look(600, end=None)

    assert before == []
    assert looking.missing() == [
        f"Kafka has not answered for {AWAY_SECONDS + 600:.0f} s: this goes on by itself once it does"
    ]
    assert looking.problem() is None


def test_one_answer_of_kafka_makes_it_ready_again(looking: Looking) -> None:
    looking.look(600, end=None)
    looking.signs = replace(looking.signs, answers=looking.answers + 1)
    at_once = looking.missing()
    looking.look(1)

    assert at_once == looking.missing() == []


def test_a_worker_that_loads_while_kafka_is_away_lacks_both(looking: Looking) -> None:
    looking.look(60, end=None, ready=False)

    assert [line.partition(" for ")[0] for line in looking.missing()] == [
        "Kafka has not answered", "shards are not loaded yet",
    ]  # fmt: skip


def test_a_loop_that_does_not_turn_does_not_blame_kafka(looking: Looking) -> None:
    looking.look(60, turning=False, end=None)

    assert looking.missing() == []


def test_a_worker_that_was_frozen_has_not_missed_kafka(looking: Looking) -> None:
    looking.look(5, end=None)
    looking.now += 3600
    looking.look(1, end=None)

    assert looking.missing() == []


def test_a_worker_that_was_frozen_with_its_watch_is_not_blamed_for_it(looking: Looking) -> None:
    looking.look(10, end=9)
    looking.now += 3600
    looking.look(1, end=9)

    assert looking.problem() is None


def test_partitions_that_went_away_are_forgotten(looking: Looking) -> None:
    looking.look(60, end=9)
    looking.watch.look(looking.now + 1, Signs(looking.beats + 1, True, [], {}, {}))

    assert looking.problem() is None
