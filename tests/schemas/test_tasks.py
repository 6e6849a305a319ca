"""What a process does all the time, and what becomes of it when it fails."""

import asyncio

import pytest
from structlog.testing import capture_logs

from schemas import tasks


async def test_what_was_not_foreseen_is_logged_and_the_work_begins_anew() -> None:
    begun = 0
    again = asyncio.Event()

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun == 1:
            msg = "nobody thought of this"
            raise LookupError(msg)
        again.set()
        await asyncio.Event().wait()

    with capture_logs() as said:
        task = asyncio.create_task(tasks.without_end(work, "keys", pause=0.0))
        await asyncio.wait_for(again.wait(), 60.0)
    assert [(line["event"], line["task"], line["log_level"]) for line in said] == [("task.failed", "keys", "error")]
    assert not task.done()
    await tasks.end([task])
    assert (begun, task.cancelled()) == (2, True)


async def test_what_came_to_an_end_by_itself_begins_anew_without_a_word() -> None:
    begun = 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun == 3:
            raise asyncio.CancelledError

    with capture_logs() as said, pytest.raises(asyncio.CancelledError):
        await tasks.without_end(work, "keys", pause=0.0)
    assert (begun, said) == (3, [])
