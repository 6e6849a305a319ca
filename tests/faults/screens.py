"""Five hundred screens on one stream while the api dies: nobody ever sees a number that was never true.

Owns the clients, fast and slow, and what each of them saw. A rep of their own makes calls one after the other: so a
number is right if it never falls and is never ahead of what was posted.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from signal import SIGKILL

import aiohttp
import orjson
import psutil

from deploy.simulator.posting import PayloadForm, Post, write_delivery
from schemas.instants import format_instant
from tests.faults.running import Scene
from tests.faults.stack import until

SCREENS = 500
SLOW = 20
CALLS = 60
GROWTH_BYTES = 96 << 20

_REP = "r-watched"
_SHOWN = re.compile(rb'"calls_made":\s?(\d+)')
_ID = re.compile(rb"^id: (\S+)", re.MULTILINE)
_AGAIN_SECONDS = 0.5


class Screen:
    """One client that asks for one number, and comes back with the id of the last event when its stream ends."""

    def __init__(self, url: str, posted: Posted) -> None:
        self.shown = 0
        self.wrong: list[str] = []
        self.returns = 0
        self._url = f"{url}/v1/stream?reps={_REP}&metrics=calls_made"
        self._posted = posted
        self._last_id = ""

    async def run(self, session: aiohttp.ClientSession) -> None:
        while True:
            headers = {"last-event-id": self._last_id} if self._last_id else {}
            with suppress(aiohttp.ClientError, TimeoutError, OSError):
                async with session.get(self._url, headers=headers) as answer:
                    if answer.status == 200:
                        await self._read(answer)
            self.returns += 1
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _read(self, answer: aiohttp.ClientResponse) -> None:
        async for line in answer.content:
            if found := _ID.match(line):
                self._last_id = found[1].decode()
            elif line.startswith(b"data: ") and (shown := _SHOWN.search(line)):
                self._show(int(shown[1]))

    def _show(self, value: int) -> None:
        if not self.shown <= value <= self._posted.begun:
            self.wrong.append(f"{value} after {self.shown}, with {self._posted.begun} posted")
        self.shown = value


class Posted:
    """The calls of the rep whom all look at, posted one after the other."""

    def __init__(self, scene: Scene) -> None:
        self.begun = 0
        self._scene = scene

    async def call(self) -> None:
        self.begun += 1
        await self._scene.load.also([_call(self.begun)], at_once=1)


async def watch_on_many_screens(scene: Scene) -> None:
    """Half of the calls before the api is killed, half after it."""
    posted, url = Posted(scene), scene.stack.api.url
    await posted.call()
    await _until_served(scene, posted)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=60, sock_read=60)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as session:
        screens = [Screen(url, posted) for _ in range(SCREENS)]
        tasks = [asyncio.create_task(screen.run(session)) for screen in screens]
        slow = [await session.get(f"{url}/v1/stream?windows=today,24h,month") for _ in range(SLOW)]
        try:
            await until(lambda: all(screen.shown for screen in screens), "the same number on all screens")
            before = _memory(scene)
            await _post(posted, screens, CALLS // 2)
            grown = _memory(scene) - before
            scene.expect(grown < GROWTH_BYTES, f"{SCREENS} screens made the api grow by {grown >> 20} MiB")
            late = sum([await _last_shown(answer, posted.begun) != posted.begun for answer in slow])
            scene.expect(not late, f"{late} slow screens did not come to the last number")
            scene.stack.api.send(SIGKILL)
            scene.heal()
            await _post(posted, screens, CALLS // 2)
        finally:
            for answer in slow:
                answer.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    wrong = [words for screen in screens for words in screen.wrong]
    scene.expect(not wrong, f"{len(wrong)} wrong numbers were shown: {'; '.join(wrong[:3])}")
    scene.expect(all(screen.returns for screen in screens), "a screen did not notice that the api was killed")
    scene.note(f"{SCREENS} screens and {SLOW} slow ones: {len(wrong)} wrong numbers; the api grew by {grown >> 20} MiB")


async def _post(posted: Posted, screens: list[Screen], calls: int) -> None:
    for _ in range(calls):
        await posted.call()
        await asyncio.sleep(0.1)
    await until(lambda: all(screen.shown == posted.begun for screen in screens), "the last number on all screens")


async def _until_served(scene: Scene, posted: Posted) -> None:
    deadline = time.monotonic() + 60
    while True:
        found = await scene.watch.ask(f"{scene.stack.api.url}/v1/reps/{_REP}/metrics?metrics=calls_made")
        if found is not None and found["metrics"]["calls_made"] == posted.begun:
            return
        assert time.monotonic() < deadline, "the first call is not served"
        await asyncio.sleep(0.2)


async def _last_shown(answer: aiohttp.ClientResponse, expected: int) -> int:
    """What a client sees of the rep who did not read for long, and now reads on."""
    shown = 0
    with suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(30):
            while shown != expected:
                line = await answer.content.readuntil(b"\n")
                if line.startswith(b"data: ") and _REP.encode() in line:
                    for row in _rows(orjson.loads(line[6:])):
                        shown = row["metrics"].get("calls_made", shown)
    return shown


def _rows(data: object) -> Iterator[dict[str, dict[str, int]]]:
    if isinstance(data, dict):
        for row in data.get("rows", ()):
            if row.get("rep") == _REP and row["window"]["name"] == "today":
                yield row


def _memory(scene: Scene) -> int:
    return int(psutil.Process(scene.stack.api.pid).memory_info().rss)


def _call(number: int) -> Post:
    at = format_instant(time.time_ns() // 1000)
    event = {
        "record": "call",
        "id": f"watched-{number}",
        "changed_at": at,
        "fields": {"rep": _REP, "direction": "outbound", "dialed_at": at},
    }
    headers, body = write_delivery([event], PayloadForm.PLAIN, f"watched-{number}")
    return Post(0, f"watched-{number}", headers, body, 1)
