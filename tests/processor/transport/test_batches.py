"""The loop that delivers batches and how it ends, and when the thread that fetches may take."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from processor.transport.batches import FETCH_WAIT_MS, BatchConsumer, BatchThread
from processor.transport.drained import Drained
from schemas import kafka_clients
from schemas.kafka_clients import FetchPace

CHANGES = TP("changes", 0)


class IdleConsumer(BatchConsumer):
    """Has nothing to deliver."""

    should_stop = False

    def __init__(self, *, app_should_stop: bool) -> None:
        self.transport: Any = SimpleNamespace(app=SimpleNamespace(should_stop=app_should_stop))

    async def _deliver(self) -> None:
        await asyncio.sleep(3600)


async def cancelled(consumer: IdleConsumer) -> None:
    fetcher: Any = SimpleNamespace(should_stop=False)
    delivering = asyncio.create_task(consumer._drain_messages(fetcher))
    await asyncio.sleep(0.01)
    delivering.cancel()
    await delivering


async def test_an_end_in_a_rebalance_is_in_order() -> None:
    # Let out, Faust would take it for a crash of its fetcher: the worker would end with 1.
    await cancelled(IdleConsumer(app_should_stop=True))


async def test_a_cancellation_for_a_rebalance_reaches_faust() -> None:
    with pytest.raises(asyncio.CancelledError):
        await cancelled(IdleConsumer(app_should_stop=False))


class FetchingThread(BatchThread):
    """Has a record at hand whenever it asks."""

    def __init__(self) -> None:
        self.consumer: Any = SimpleNamespace(flow_active=True, unpaused=lambda: {CHANGES})
        self.subscriptions = SimpleNamespace(reassignment_in_progress=None)
        self._consumer: Any = SimpleNamespace(_fetcher=SimpleNamespace(_subscriptions=self.subscriptions))
        self._drained = Drained(on_arrival=lambda: None, on_room=lambda: None)
        self._pace = FetchPace(self._consumer, FETCH_WAIT_MS)
        self._seeking = 0
        self._arrival = None
        self.fetched = 0

    async def call_thread(self, fun: Any, *args: Any, **rest: Any) -> None:
        # As with the real one, what is done in the thread is known a turn later.
        await fun(*args, **rest)
        await asyncio.sleep(0)

    def look(self) -> None: ...

    async def _fetch_records(self, *_args: Any, **_rest: Any) -> Any:
        self.fetched += 1
        return {CHANGES: [SimpleNamespace(offset=self.fetched, value=b"")]}

    def held(self) -> list[int]:
        return [record.offset for record in self._drained.take({CHANGES}, 100).get(CHANGES, [])]


async def test_what_is_there_is_taken_at_once() -> None:
    thread = FetchingThread()
    await thread._take()
    await thread._take()

    assert thread.held() == [1, 2]


async def test_nothing_is_taken_while_nobody_may_have_it() -> None:
    # It would count as read, and be lost with the seek that follows.
    thread = FetchingThread()
    thread.consumer.flow_active = False
    await thread._take()
    thread.consumer.flow_active = True
    thread.subscriptions.reassignment_in_progress = object()
    await thread._take()
    thread.subscriptions.reassignment_in_progress = None
    thread.consumer.unpaused = set
    await thread._take()

    assert thread.fetched == 0


async def test_a_seek_forgets_what_was_taken_and_lets_nothing_in_until_its_end() -> None:
    thread = FetchingThread()
    await thread._take()
    async with thread.seeking():
        async with thread.seeking():  # two at a time: Faust's own and the recovery's
            await thread._take()
        await thread._take()
        assert thread.held() == []
        assert thread.fetched == 1

    await thread._take()
    assert thread.held() == [2]


async def test_fetches_are_short_while_anything_may_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """Partitions that are assigned or sought next are in no fetch that was sent before."""
    monkeypatch.setattr(kafka_clients, "REST_AFTER_SECONDS", 0)
    thread = FetchingThread()
    fetcher = thread._consumer._fetcher
    thread.consumer.unpaused = set
    await thread._take()
    assert fetcher._fetch_max_wait_ms == kafka_clients.REST_WAIT_MS

    monkeypatch.setattr(kafka_clients, "REST_AFTER_SECONDS", 60)
    async with thread.seeking():
        await thread._take()
    assert fetcher._fetch_max_wait_ms == FETCH_WAIT_MS


async def test_an_end_in_an_outage_lets_go_of_everything() -> None:
    thread, closed = FetchingThread(), list[str]()

    async def stop() -> None:
        raise asyncio.CancelledError  # aiokafka's: a fetch waited to be tried again

    def closing(what: str) -> Any:
        async def close() -> None:
            closed.append(what)

        return SimpleNamespace(close=close)

    thread._method_queue = None
    thread._consumer = SimpleNamespace(
        stop=stop, _coordinator=None, _fetcher=closing("fetcher"), _client=closing("client")
    )
    await thread.on_thread_stop()

    assert closed == ["fetcher", "client"]


@pytest.mark.parametrize("turns", range(4))
async def test_a_seek_that_the_next_rebalance_cancels_holds_nothing_back(turns: int) -> None:
    thread = FetchingThread()

    async def seek() -> None:
        async with thread.seeking():
            await asyncio.sleep(3600)

    task = asyncio.create_task(seek())
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    await thread._take()

    assert task.cancelled()
    assert thread.held() == [1]
