"""What the page says of a second worker follows from who had the cores."""

from bench.drain import Drained
from bench.population import Population
from bench.workers import AGAIN, NEW, explained
from schemas.instants import DAY


def make_drained(seconds: float, *, workers: float = 1.0, kafka: float = 0.2, others: float = 0.0) -> Drained:
    """A million changes; the shares are of cores."""
    busy = (workers + kafka + others) * seconds
    return Drained(1_000_000, seconds, workers * seconds, kafka * seconds, 0.0, busy, 0, 0, 0, 0)


def test_where_the_cores_are_shared_they_are_named_as_the_limit() -> None:
    text = explained({NEW: {1: [make_drained(10, kafka=0.6)], 2: [make_drained(8, workers=1.4)]}}, [1.9], 2)

    assert "keeps 1.60 of the 2 cores busy" in text
    assert "two can do 1.25 times as much on this machine" in text
    assert "they did 1.25" in text
    assert "The limit is the 2 cores" in text
    assert "1.90 times by a second core" in text


def test_deals_are_put_in_with_all_their_steps_and_their_truth() -> None:
    population = Population(25, 10, until=10 * DAY, deals=True)
    changes = list(population.changes())

    metric, won = population.truth
    assert (metric, won.total(), population.total) == ("deals_won", 25, len(changes))
    by_deal = {change.id: [other for other in changes if other.id == change.id] for change in changes}
    for mine in by_deal.values():
        assert [change.fields.get("status") for change in mine] == ["open", None, None, "won"]
        assert [change.changed_at for change in mine] == sorted({change.changed_at for change in mine})


def test_where_there_is_room_the_workers_or_nobody_is_the_limit() -> None:
    slow = explained({AGAIN: {1: [make_drained(10, kafka=0.1)], 2: [make_drained(8)]}}, [1.9], 2)
    fast = explained({AGAIN: {1: [make_drained(10, kafka=0.1)], 2: [make_drained(5.5)]}}, [1.9], 2)

    assert "it is the workers themselves" in slow
    assert "Kafka is not the limit here" in fast


def test_a_run_beside_which_others_were_at_work_is_said_to_be_worth_nothing() -> None:
    drains = {NEW: {1: [make_drained(10, others=0.7)], 2: [make_drained(8)]}}

    assert "Others had up to 0.7 cores meanwhile: measure again." in explained(drains, [1.9], 2)
