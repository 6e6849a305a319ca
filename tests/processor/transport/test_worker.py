"""What the whole transport promises, with real processes that are stopped, killed, frozen and joined by others.

Everything published is compared with a recount of everything that happened.
"""

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from processor.transport.fail_stop import FAILED, FENCED
from processor.transport.owner import MESSAGE_LIMIT
from tests.processor.transport.floor import COMPACTED, Floor, eventually, produce

pytestmark = pytest.mark.kafka


@pytest.fixture
async def floor(kafka: str, prefix: str, tmp_path: Path) -> AsyncIterator[Floor]:
    async with Floor(bootstrap=kafka, prefix=prefix, folder=tmp_path) as floor:
        yield floor


async def test_batches_are_published_and_committed_up_to_the_end(floor: Floor) -> None:
    await floor.happen(5000)
    worker = floor.start("a", batch_max=1000)

    assert await floor.nothing_differs() == []
    offsets, ends = await floor.committed_equals_ends()

    assert offsets == ends
    assert len(worker.lines("batch")) >= 10  # 1000 records at most in each
    worker.send(signal.SIGTERM)
    assert await worker.ended() == 0


async def test_a_frozen_worker_that_wakes_up_after_its_partitions_went_is_refused(floor: Floor) -> None:
    await floor.happen(3000)
    frozen = floor.start("frozen", batch_max=500, session_seconds=1.5, fault="freeze@send:4")
    await frozen.is_frozen()

    successor = floor.start("successor", session_seconds=1.5)
    await successor.has_said("batch", 2)
    await floor.happen(1000)
    assert await floor.nothing_differs() == []
    frozen.send(signal.SIGCONT)

    assert await frozen.ended() == FENCED
    assert "fenced, a newer owner" in frozen.said()
    assert await floor.differences() == []
    await force_compaction(floor)
    assert await floor.differences() == []


async def force_compaction(floor: Floor) -> None:
    """Write until the broker has closed and cleaned the segments before."""
    topic = f"{floor.prefix}changes-ledger"
    assert COMPACTED["segment.ms"] == "100"
    skipped = (b"\0fence", b"a record that readers skip")
    # Something to clean: batches may have been so large that no row was written twice.
    await produce(floor.bootstrap, topic, 0, [skipped] * 50)
    rows_at_first = await floor.stored(topic, 0)

    async def roll_and_count() -> int:
        await produce(floor.bootstrap, topic, 0, [skipped])
        return await floor.stored(topic, 0)

    # The cleaner of a broker that other tests use too comes round in its own time.
    rows = await eventually(roll_and_count, lambda rows: rows < rows_at_first, seconds=180)
    assert rows < rows_at_first


async def test_six_restarts_under_a_backlog_lose_and_double_nothing(kafka: str, prefix: str, tmp_path: Path) -> None:
    async with Floor(bootstrap=kafka, prefix=prefix, folder=tmp_path, stages=("changes", "touches")) as floor:
        await floor.happen(8_000)
        for life in range(6):
            worker = floor.start("a", batch_max=20)
            await worker.has_said("batch", 10 + life)
            if life % 2:
                worker.send(signal.SIGKILL)
                assert await worker.ended() == -signal.SIGKILL
            else:
                worker.send(signal.SIGTERM)
                assert await worker.ended() == 0
        assert await floor.differences() != []  # the backlog has lasted
        floor.start("a")

        assert await floor.nothing_differs() == []
        offsets, ends = await floor.committed_equals_ends()
        assert offsets == ends


async def test_a_batch_sent_but_not_acked_comes_again(floor: Floor) -> None:
    await floor.happen(1000)
    killed = floor.start("a", batch_max=1000, fault="kill@ack:1")
    assert await killed.ended() == -signal.SIGKILL
    batch = killed.lines("batch")[-1]  # the other partition may have had its own before

    again = floor.start("a", batch_max=1000)
    await again.has_said(batch)

    assert await floor.nothing_differs() == []


async def test_an_exception_in_a_stage_ends_the_process_without_committing(floor: Floor) -> None:
    await floor.happen(1000)
    failing = floor.start("a", batch_max=100, commit_seconds=3600.0, fault="raise@send:1")

    assert await failing.ended() == FAILED
    assert "a bug in the stage" in failing.said()
    assert await floor.committed() == {}
    floor.start("a")
    assert await floor.nothing_differs() == []


async def test_a_failed_load_ends_the_process(floor: Floor) -> None:
    failing = floor.start("a", fault="raise@load:0")

    assert await failing.ended() == FAILED
    assert "loading shards failed" in failing.said()


async def test_a_message_of_2_mib_is_fetched_and_published(floor: Floor) -> None:
    rep = b"r" * (MESSAGE_LIMIT - len(b"k") - len(b"1|"))
    big = (b"k", b"1|" + rep)
    await floor.happen(10)
    await produce(floor.bootstrap, f"{floor.prefix}changes", 0, [big])
    floor.events["changes", 0].append(big)
    await floor.happen(10)
    floor.start("a")

    assert await floor.nothing_differs() == []


async def test_partitions_kept_over_a_rebalance_are_neither_loaded_again_nor_lose_records(floor: Floor) -> None:
    """With a new group nothing is committed yet; what was fetched while the group settles must come again."""
    first = floor.start("first", batch_max=50)
    await first.has_said("loaded", 2)
    await floor.happen(500)
    second = floor.start("second", batch_max=50)
    await floor.happen(3000)
    await second.has_said("loaded")
    await floor.happen(500)

    assert await floor.nothing_differs() == []
    assert len(first.lines("loaded")) == 2
    assert len(second.lines("loaded")) == 1


async def test_what_is_fetched_while_the_group_settles_comes_again_where_nothing_is_committed(floor: Floor) -> None:
    """A fetch that is under way when the rebalance begins takes records that Faust then throws away."""
    first = floor.start("first", session_seconds=1.0, load_seconds=2.0)
    await first.has_said("loaded", 2)
    second = floor.start("second", session_seconds=1.0)
    await second.has_said("loaded")
    second.send(signal.SIGKILL)
    await first.has_said("loading", 3)  # the partition that was the second's, while its own is kept
    await floor.happen(300)

    assert await floor.nothing_differs() == []
    assert first.process.poll() is None


async def test_workers_that_start_together_with_a_new_group_lose_nothing(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    async with Floor(bootstrap=kafka, prefix=prefix, folder=tmp_path, partitions=4) as floor:
        await floor.happen(300)
        workers = [floor.start(name, batch_max=50) for name in ("first", "second", "third")]
        for _ in range(10):
            await floor.happen(100)
        for worker in workers:
            await worker.has_said("loaded")

        assert await floor.nothing_differs() == []


async def test_a_stage_whose_topic_was_not_named_yet_begins_once_it_is(kafka: str, prefix: str, tmp_path: Path) -> None:
    """A broker of several may name a new topic later than the one that made it; Faust then goes on without it."""
    async with Floor(bootstrap=kafka, prefix=prefix, folder=tmp_path) as floor:
        worker = floor.start("a", stages=["changes", "late"])
        await worker.has_said("loaded", floor.partitions)

        async with Floor(bootstrap=kafka, prefix=prefix, folder=tmp_path, stages=("late",)) as late:
            await floor.happen(100)
            await late.happen(100)

            assert await late.nothing_differs() == []
            assert await floor.nothing_differs() == []


async def test_shards_tick_while_nothing_happens(floor: Floor) -> None:
    worker = floor.start("a")

    await worker.has_said("tick 0", 2)
    await worker.has_said("tick 1", 2)


async def test_a_renewal_under_load_keeps_the_owner(floor: Floor) -> None:
    worker = floor.start("a", batch_max=50, renew_seconds=0.3)
    await worker.has_said("loaded", 2)
    for _ in range(5):
        await floor.happen(300)

    assert await floor.nothing_differs() == []
    fences = await eventually(lambda: floor.newest_epoch("changes-counts", 0), lambda epoch: epoch >= 3)
    assert fences >= 3
    worker.send(signal.SIGTERM)
    assert await worker.ended() == 0


async def test_a_worker_whose_coordination_ends_for_good_ends_too(floor: Floor) -> None:
    worker = floor.start("lost", fault="surprise")

    assert await worker.ended() == FAILED
    assert "the coordination of the group failed" in worker.said()


async def test_a_worker_told_to_end_while_it_joins_neither_stays_nor_is_waited_for(floor: Floor) -> None:
    """Kafka answers a join when the members of before have joined too, or their sessions are over."""
    await floor.happen(500)
    killed = floor.start("killed", worker_id="", session_seconds=10)
    await killed.has_said("batch", 1)
    killed.send(signal.SIGKILL)
    await killed.ended()

    joining = floor.start("joining", worker_id="", session_seconds=90, rebalance_seconds=90)
    await joining.has_logged("(Re-)joining group")
    joining.send(signal.SIGTERM)
    assert await joining.ended() == 0
    assert "group.left_unjoined" in joining.said()

    await floor.happen(500)
    floor.start("successor", worker_id="")
    assert await floor.nothing_differs(seconds=60) == []  # less than the session of who left
