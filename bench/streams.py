"""How soon a change is on 1,000 open streams, and what they cost in memory.

    python -m bench.streams

A call is posted every tenth of a second; from its acknowledgement on, each client's socket is watched for the event
that carries the new count. The clients are bare sockets in this process, which look for one text in what comes. The run
is right if no client sees a count fall, and all have seen the last one.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import cast

import aiohttp
import uvloop

from bench.http_load import connect, request
from bench.ingest import signed_call
from bench.measuring import main_of
from bench.processes import BenchError, Floor, Started
from bench.results import Bar, Result, Section

COMMAND = "python -m bench.streams"
CLIENTS = 1_000
CHANGES = 100
_BETWEEN_CHANGES_SECONDS = 0.1
_REP = "streamed"
_COUNT = b'"calls_made":'
_PATIENCE_SECONDS = 60.0


def run(*, short: bool = False, runs: int = 3) -> Section:
    """Open the streams, post, and see when each has it."""
    clients, changes = (20, 5) if short else (CLIENTS, CHANGES)
    p50: list[float] = []
    p95: list[float] = []
    late: list[float] = []
    per_client: list[float] = []
    with Floor() as floor, floor.worker() as worker, floor.api() as api:
        worker.until_ready()
        api.until_ready()
        for number in range(runs):
            before = api.memory
            ages, memory = uvloop.run(_measure(api, clients, changes, first=number * (changes + 1)))
            p50.append(_quantile(ages, 0.50))
            p95.append(_quantile(ages, 0.95))
            late.append(ages[-1])
            per_client.append((memory - before) / clients / 1024)
    return Section(
        "streams",
        "Streams",
        f"{clients} open streams of one rep's `calls_made`; {changes} calls, {_BETWEEN_CHANGES_SECONDS * 1000:g} ms"
        " apart; from a delivery's acknowledgement to its count on each stream.",
        [
            Result("95 % of all streams", "acknowledged → seen", COMMAND, "ms", p95, bars=[Bar(at_most=250.0)]),
            Result("half of all streams", "acknowledged → seen", COMMAND, "ms", p50),
            Result("the last stream", "acknowledged → seen", COMMAND, "ms", late),
            Result("memory of a stream", "of the api's process", COMMAND, "KiB", per_client),
        ],
        short=short,
    )


async def _measure(api: Started, clients: int, changes: int, *, first: int) -> tuple[list[float], int]:
    """Ages in milliseconds, in order, and the memory of the api while all were open."""
    loop = asyncio.get_running_loop()
    streams = [_Stream(loop.create_future()) for _ in range(clients)]
    async with aiohttp.ClientSession() as session:
        # The rep must be there before a stream may ask for them.
        await _post(session, api, first)
        await _until_served(session, api, first + 1)
        for stream in streams:
            await connect(api.url, stream)
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await asyncio.gather(*(stream.opened for stream in streams))
        acknowledged: dict[int, float] = {}
        for change in range(first + 1, first + 1 + changes):
            begun = time.monotonic()
            await _post(session, api, change)
            acknowledged[change + 1] = time.monotonic()
            await asyncio.sleep(max(0.0, _BETWEEN_CHANGES_SECONDS - (time.monotonic() - begun)))
        last = first + changes + 1
        until = time.monotonic() + _PATIENCE_SECONDS
        while any(stream.count < last for stream in streams):
            if time.monotonic() > until:
                msg = f"{sum(stream.count < last for stream in streams)} streams have not seen the last call"
                raise BenchError(msg)
            await asyncio.sleep(0.02)
        memory = api.memory
        for stream in streams:
            stream.transport.close()
    ages = []
    for stream in streams:
        for count, at in acknowledged.items():
            # Two counts may share an event: then the second tells of both.
            seen = next(when for other, when in stream.seen if other >= count)
            ages.append((seen - at) * 1000)
    return sorted(ages), memory


async def _post(session: aiohttp.ClientSession, api: Started, number: int) -> None:
    body, headers = signed_call(f"s-{number}", _REP, time.time())
    async with session.post(f"{api.url}/webhooks/feed", data=body, headers=dict(headers)) as answer:
        if answer.status != 202:
            msg = f"a delivery got {answer.status}"
            raise BenchError(msg)


async def _until_served(session: aiohttp.ClientSession, api: Started, count: int) -> None:
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            async with session.get(f"{api.url}/v1/reps/{_REP}/metrics?metrics=calls_made") as answer:
                if answer.status == 200 and b'"calls_made":%d' % count in await answer.read():
                    return
            await asyncio.sleep(0.05)


class _Stream(asyncio.Protocol):
    """One screen: notes when which count came."""

    transport: asyncio.Transport

    def __init__(self, opened: "asyncio.Future[None]") -> None:
        self.opened = opened
        self.count = 0
        self.seen: list[tuple[int, float]] = []
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        asked = request("GET", f"/v1/stream?reps={_REP}&metrics=calls_made", headers=[("accept", "text/event-stream")])
        self.transport.write(asked)

    def data_received(self, data: bytes) -> None:
        *events, self._rest = (self._rest + data).split(b"\n\n")
        for event in events:
            at = event.find(_COUNT)
            if at >= 0:
                count = int(event[at + len(_COUNT) :].split(b"}", 1)[0].split(b",", 1)[0])
                if count < self.count:
                    self._fail(f"{count} came after {self.count}")
                self.count = count
                self.seen.append((count, time.monotonic()))
                if not self.opened.done():
                    self.opened.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(f"a stream was lost: {error}")

    def _fail(self, why: str) -> None:
        if not self.opened.done():
            self.opened.set_exception(BenchError(why))


def _quantile(values: Sequence[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))]


if __name__ == "__main__":
    main_of(run)
