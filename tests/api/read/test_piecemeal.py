"""Pieces: who shares the event loop with them has its turns, and more of it where it is pressed."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from api.read.consumer import AT_ONCE, PRESSED_FOR, ViewConsumer
from api.read.latency import Latency
from api.read.piecemeal import SHARE, spread
from api.settings import Settings
from schemas.instants import SECOND
from tests.api.reading import floor_config, make_view
from tests.builders import instant
from tests.strategies import NOW


@pytest.mark.parametrize("pressed", [False, True])
async def test_others_have_so_much_more_time_where_they_are_pressed(
    pressed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, sleep, pauses = asyncio.get_running_loop(), asyncio.sleep, list[float]()
    clock = [loop.time()]

    async def note(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    def pieces() -> Iterator[None]:
        for seconds in (0.5, 1.0):
            clock[0] += seconds
            yield

    monkeypatch.setattr("api.read.piecemeal.asyncio.sleep", note)
    monkeypatch.setattr(loop, "time", lambda: clock[0], raising=False)
    await spread(pieces(), are_others_pressed=lambda: pressed)  # type: ignore[arg-type]
    monkeypatch.undo()

    assert pauses == pytest.approx([SHARE * 0.5, SHARE * 1.0] if pressed else [0, 0])


async def test_a_view_is_pressed_while_more_comes_than_is_taken_in_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [instant(NOW)]
    view = make_view(floor_config())
    reading = ViewConsumer(
        Settings(data=tmp_path), view, latency=Latency(CollectorRegistry()),
        on_change=lambda: None, on_redefined=lambda _by: None, clock=lambda: now[0],
    )  # fmt: skip
    seen: list[bool] = []
    monkeypatch.setattr(reading, "_apply", lambda _fetched: seen.append(reading.is_pressed))

    class Fetching:
        def __init__(self) -> None:
            self.left = [AT_ONCE - 1, AT_ONCE, 1, 1]

        def assignment(self) -> set[Any]:
            return set()

        async def getmany(self, **_options: Any) -> dict[str, list[int]]:
            if not self.left:
                raise EOFError
            now[0] += SECOND if len(self.left) == 1 else 0
            return {"": [0] * self.left.pop(0)}

    with pytest.raises(EOFError):
        await reading._follow(Fetching())

    assert PRESSED_FOR < SECOND
    assert seen == [False, True, True, False]
