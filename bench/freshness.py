"""How old is a number when it is on the screen? Webhook posted and accepted, until its value arrives over SSE.

    python -m bench.freshness --rate 1000 --seconds 20

Open loop: calls are posted on schedule whether or not earlier ones have arrived. Each call is for the next of many
reps, so that the n-th call of a rep is seen when that rep's `calls_made` says n. From 1,000 events/s on, ten
events share a delivery, as CRMs that send so many do.
"""

import argparse
import asyncio
import base64
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp
import orjson

from bench.results import Bar, Result, Section
from bench.stack import SECRET, running_stack
from schemas.connectors.standard_webhooks import sign
from schemas.instants import format_instant

BARS: dict[int, dict[int, float | None]] = {100: {50: None, 95: None, 99: 50}, 1000: {50: 20, 95: None, 99: 100}}
"""Events a second -> percentile -> milliseconds that it may take."""
RECOUNT_SECONDS = 120.0
WARM_SECONDS = 60.0
"""At 1,000 events/s. A floor's broker runs for weeks; in its first minute under load its JVM compiles on 0.3 cores."""
KEY = base64.b64decode(SECRET.removeprefix("whsec_") + "==")


@dataclass(slots=True)
class Timeline:
    """When each call was posted, accepted and seen (seconds of the monotonic clock)."""

    posted: dict[tuple[str, int], float] = field(default_factory=dict)
    accepted: dict[tuple[str, int], float] = field(default_factory=dict)
    seen: dict[tuple[str, int], float] = field(default_factory=dict)


async def measure(url: str, rate: int, seconds: float, marker: str, people: int) -> Timeline:
    """Post for so long, and watch."""
    timeline = Timeline()
    per_delivery = 10 if rate >= 1000 else 1
    reps = [f"{marker}{number:03d}" for number in range(people)]
    total = int(rate * seconds) // per_delivery * per_delivery
    connector = aiohttp.TCPConnector(limit=256)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None)) as session:
        opened = asyncio.Event()
        watcher = asyncio.create_task(watch(session, url, timeline, total, opened))
        await opened.wait()
        tasks = []
        start = time.monotonic()
        for first in range(0, total, per_delivery):
            due = start + first / rate
            pause = due - time.monotonic()
            if pause > 0:
                await asyncio.sleep(pause)
            calls = [
                (reps[number % len(reps)], number // len(reps) + 1) for number in range(first, first + per_delivery)
            ]
            tasks.append(asyncio.create_task(post(session, url, calls, timeline, f"{marker}-{first}")))
        await asyncio.gather(*tasks)
        async with asyncio.timeout(30):
            await watcher
    return timeline


async def post(
    session: aiohttp.ClientSession, url: str, calls: Sequence[tuple[str, int]], timeline: Timeline, message: str
) -> None:
    """One delivery."""
    now = format_instant(time.time_ns() // 1000)
    events = [
        {
            "record": "call",
            "id": f"{rep}-{number}",
            "changed_at": now,
            "fields": {"rep": rep, "direction": "outbound", "dialed_at": now},
        }
        for rep, number in calls
    ]
    body = orjson.dumps(events)
    stamp = str(int(time.time()))
    headers = {
        "content-type": "application/json",
        "webhook-id": message,
        "webhook-timestamp": stamp,
        "webhook-signature": sign(KEY, message_id=message, timestamp=stamp, body=body),
    }
    posted = time.monotonic()
    for call in calls:
        timeline.posted[call] = posted
    async with session.post(f"{url}/webhooks/feed", data=body, headers=headers) as answer:
        if answer.status != 202:
            msg = f"a delivery got {answer.status}"
            raise SystemExit(msg)
    accepted = time.monotonic()
    for call in calls:
        timeline.accepted[call] = accepted


async def watch(
    session: aiohttp.ClientSession, url: str, timeline: Timeline, total: int, opened: asyncio.Event
) -> None:
    """Note when each value arrives."""
    counts: dict[str, int] = {}
    awaited = total
    async with session.get(f"{url}/v1/stream?metrics=calls_made", headers={"accept": "text/event-stream"}) as stream:
        opened.set()
        buffer = b""
        async for chunk in stream.content.iter_any():
            seen = time.monotonic()
            buffer += chunk
            *events, buffer = buffer.split(b"\n\n")
            for event in events:
                if b"event: metrics" not in event:
                    continue
                for row in orjson.loads(event[event.index(b"data: ") + 6 :])["rows"]:
                    rep, count = row.get("rep"), row["metrics"].get("calls_made")
                    if rep is None or count is None:
                        continue
                    for number in range(counts.get(rep, 0) + 1, count + 1):
                        timeline.seen[rep, number] = seen
                        awaited -= (rep, number) in timeline.posted
                    counts[rep] = max(counts.get(rep, 0), count)
            if awaited <= 0:
                return


async def first_recount(url: str) -> None:
    """Wait until the log has been recounted once: for some seconds that takes a core, and then it rests for minutes."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(RECOUNT_SECONDS):
        while True:
            async with session.get(f"{url}/v1/freshness") as answer:
                if (await answer.json())["verification"] is not None:
                    return
            await asyncio.sleep(0.5)


def ages_of(timeline: Timeline, since: dict[tuple[str, int], float]) -> list[float]:
    """Of every call, in milliseconds, ascending."""
    return sorted((timeline.seen[call] - at) * 1000 for call, at in since.items())


def percentile(ages: list[float], share: float) -> float:
    """The nearest rank."""
    return ages[min(len(ages) - 1, int(len(ages) * share / 100))]


def report(rate: int, timeline: Timeline) -> str:
    """A line of percentiles, in milliseconds."""
    lines = []
    for name, since in (("posted", timeline.posted), ("accepted", timeline.accepted)):
        ages = ages_of(timeline, since)
        quantiles = "  ".join(f"p{share:g} {percentile(ages, share):.1f}" for share in (50, 95, 99))
        lines.append(f"{rate:>6}/s  {name:>8} -> SSE  {quantiles}  max {ages[-1]:.1f} ms  ({len(ages)} calls)")
    return "\n".join(lines)


def run(*, short: bool = False, runs: int = 3) -> Section:
    """Both rates, by turns, on one running floorcast."""
    seconds, people = (1.0, 10) if short else (20.0, 100)
    found: dict[int, list[list[float]]] = {rate: [] for rate in BARS}
    with running_stack() as stack:
        asyncio.run(measure(stack.url, 50, 1 if short else 5, "early", 10))
        if not short:
            asyncio.run(first_recount(stack.url))
            asyncio.run(measure(stack.url, 1000, WARM_SECONDS, "warm", people))
        for turn in range(runs):
            for rate, ages in found.items():
                timeline = asyncio.run(measure(stack.url, rate, seconds, f"b{rate}-{turn}-", people))
                ages.append(ages_of(timeline, timeline.accepted))
    return Section(
        "freshness",
        "Freshness",
        "From the instant a webhook is answered 202 until its value has arrived over SSE, in milliseconds. Open loop, "
        f"{people} people; at 1,000 events a second ten share a delivery. Load, api, worker and Kafka share a machine "
        "and have been at work for a minute: before, the JVM of Kafka compiles.",
        [
            Result(
                f"p{share} at {rate:,}/s",
                "accepted to SSE",
                "python -m bench freshness",
                "ms",
                [round(percentile(ages, share), 2) for ages in found[rate]],
                bars=[] if most is None else [Bar(at_most=most)],
            )
            for rate, bars in BARS.items()
            for share, most in bars.items()
        ],
        short=short,
    )


def main() -> None:
    """Run and print, at any rate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, action="append", help="events per second; may be repeated")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--reps", type=int, default=100, help="people on the floor")
    parser.add_argument("--warm", type=float, default=WARM_SECONDS, help="seconds at 1,000 events/s before")
    parser.add_argument("--url", help="a running api with connection `feed` (else one is started)")
    arguments = parser.parse_args()

    def run_on(url: str) -> None:
        asyncio.run(measure(url, 50, 3, "early", 10))
        if arguments.warm:
            asyncio.run(measure(url, 1000, arguments.warm, "warm", arguments.reps))
        for turn, rate in enumerate(arguments.rate or BARS):
            timeline = asyncio.run(measure(url, rate, arguments.seconds, f"b{turn}-{rate}-", arguments.reps))
            print(report(rate, timeline), flush=True)

    if arguments.url:
        run_on(arguments.url)
    else:
        with running_stack() as stack:
            asyncio.run(first_recount(stack.url))
            run_on(stack.url)


if __name__ == "__main__":
    main()
