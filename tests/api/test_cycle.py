"""A request as the application gets it: piece by piece, and told when there will be no more."""

import asyncio
import gc
import weakref
from types import SimpleNamespace
from typing import Any, cast

from api.cycle import Cycle


def make_cycle() -> Cycle:
    transport = SimpleNamespace(is_closing=lambda: False, write=lambda content: None)
    connection = SimpleNamespace(
        transport=transport,
        flow=SimpleNamespace(resume_reading=lambda: None, write_paused=False),
        logger=None,
        access_logger=None,
        access_log=False,
        server_state=SimpleNamespace(default_headers=[]),
        on_response_complete=lambda: None,
    )
    return Cycle(cast(Any, connection), cast(Any, {"method": "POST"}), expects_continue=False, keep_alive=True)


def arrive(cycle: Cycle, body: bytes, *, more: bool) -> None:
    cycle.body += body
    cycle.more_body = more
    cycle.wake()


async def waiting(cycle: Cycle) -> "asyncio.Task[Any]":
    task = asyncio.create_task(cycle.receive())
    await asyncio.sleep(0)
    assert not task.done()
    return task


async def test_a_body_that_is_there_is_given_at_once_and_nothing_more_until_the_client_has_gone() -> None:
    cycle = make_cycle()
    arrive(cycle, b"whole", more=False)

    assert await cycle.receive() == {"type": "http.request", "body": b"whole", "more_body": False}
    after = await waiting(cycle)
    cycle.disconnected = True
    cycle.wake()

    assert await after == {"type": "http.disconnect"}


async def test_a_body_in_pieces_is_waited_for_each_time() -> None:
    cycle = make_cycle()
    first = await waiting(cycle)
    arrive(cycle, b"one", more=True)

    assert await first == {"type": "http.request", "body": b"one", "more_body": True}
    second = await waiting(cycle)
    arrive(cycle, b"two", more=False)

    assert await second == {"type": "http.request", "body": b"two", "more_body": False}
    after = await waiting(cycle)
    cycle.response_complete = True
    cycle.wake()

    assert await after == {"type": "http.disconnect"}


async def test_a_piece_that_came_before_anybody_asked_is_not_waited_for() -> None:
    cycle = make_cycle()
    arrive(cycle, b"one", more=True)

    assert await cycle.receive() == {"type": "http.request", "body": b"one", "more_body": True}
    arrive(cycle, b"", more=False)

    assert await cycle.receive() == {"type": "http.request", "body": b"", "more_body": False}


async def test_an_answered_request_leaves_nothing_to_the_collector() -> None:
    cycle = make_cycle()
    cycle.scope["answer"] = cycle.send  # type: ignore[typeddict-unknown-key]
    kept = weakref.ref(cycle)
    gc.disable()
    try:
        await cycle.send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"2")]})
        await cycle.send({"type": "http.response.body", "body": b"{}"})
        del cycle

        assert kept() is None
    finally:
        gc.enable()
