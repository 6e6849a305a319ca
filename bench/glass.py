"""How soon is a webhook on glass? From its posting until a wallboard in a real browser has drawn what it changes.

    python -m bench.glass

Calls come at 1,000 events a second, ten to a delivery, and move the whole board: big figures and a leaderboard of many
people. Among them one email every tenth of a second is looked for: the n-th of them is on glass when the figure
`emails_sent` says n, and a frame of the browser with it is done. In the same browser, at the same time, a page listens
that does nothing but note what the stream tells: the difference is what the board itself takes. How much of the machine
was idle meanwhile stands beside it, for what computes on other things takes its part.
"""

import asyncio
import base64
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import orjson
import psutil
from playwright.async_api import Browser, Page, Route, async_playwright

from bench.freshness import WARM_SECONDS, Timeline, first_recount, percentile, post
from bench.measuring import main_of, say
from bench.results import Bar, Result, Section
from bench.stack import SECRET, running_stack
from schemas.connectors.standard_webhooks import sign
from schemas.instants import format_instant

COMMAND = "python -m bench.glass"
CHROMIUM = Path("/usr/bin/chromium")
RATE = 1000
PER_DELIVERY = 10
LIMIT_MILLISECONDS = 250.0
_KEY = base64.b64decode(SECRET.removeprefix("whsec_") + "==")
_BETWEEN_PROBES_SECONDS = 0.1
_PATIENCE_SECONDS = 30.0
_BOARD = "/board/floor?metric=calls_made&metrics=emails_sent,calls_made,conversations,meetings_held"
_BARE = "/bare"
# A frame is done when what was posted in its callback is handled: only then has the browser laid out and painted.
_ON_GLASS = """
window.seen = new Map();
const painted = new MessageChannel();
painted.port1.onmessage = ({ data }) => {
  if (!seen.has(data)) seen.set(data, performance.timeOrigin + performance.now());
};
const look = () => {
  const figure = document.querySelector('.figure[data-metric="emails_sent"] .value');
  const number = figure ? Number(figure.textContent.replace(/\\D/g, "")) : 0;
  if (number && !seen.has(number)) painted.port2.postMessage(number);
  requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""
_LISTENS = """<!doctype html><title>bare</title><script>
window.seen = new Map();
const source = new EventSource("/v1/stream?metrics=emails_sent");
source.addEventListener("metrics", ({ data }) => {
  const at = performance.timeOrigin + performance.now();
  for (const row of JSON.parse(data).rows) {
    if (!("rep" in row) && !("team" in row) && "emails_sent" in row.metrics) seen.set(row.metrics.emails_sent, at);
  }
});
</script>"""


@dataclass(slots=True)
class Seen:
    """Milliseconds from the posting of a webhook on, and the share of the machine that was idle."""

    glass: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    idle: float = 0.0


async def measure(browser: Browser, url: str, seconds: float, people: int, turn: int, sent: int) -> Seen:
    """One run, on a floor on which `sent` emails were seen before."""
    board, bare = await opened(browser, url)
    posted: dict[int, float] = {}
    psutil.cpu_percent()
    connector = aiohttp.TCPConnector(limit=256)
    async with aiohttp.ClientSession(connector=connector) as session:
        load = asyncio.create_task(_load(session, url, seconds, people, turn))
        for number in range(sent + 1, sent + 1 + int(seconds / _BETWEEN_PROBES_SECONDS)):
            posted[number] = time.time()
            await _probe(session, url, number)
            # Not in step with the frames of the browser, nor with the deliveries of the load.
            await asyncio.sleep(_BETWEEN_PROBES_SECONDS * (0.7 + 0.6 * (number * 7919 % 100) / 100))
        await load
    idle = 100 - psutil.cpu_percent()
    last = max(posted)
    for page in (board, bare):
        await page.wait_for_function(f"seen.has({last})", timeout=_PATIENCE_SECONDS * 1000)
    found = Seen(ages(await seen_on(board), posted), ages(await seen_on(bare), posted), idle)
    await board.context.close()
    return found


async def opened(browser: Browser, url: str) -> tuple[Page, Page]:
    """A wallboard, and a page that does nothing but listen; both have their first picture."""
    context = await browser.new_context(viewport={"width": 1920, "height": 1080})

    async def serve(route: Route) -> None:
        await route.fulfill(content_type="text/html", body=_LISTENS)

    await context.route(f"**{_BARE}", serve)
    bare = await context.new_page()
    await bare.goto(url + _BARE)
    board = await context.new_page()
    await board.add_init_script(_ON_GLASS)
    await board.goto(url + _BOARD)
    await board.wait_for_selector('#board:not([data-state="connecting"])', timeout=_PATIENCE_SECONDS * 1000)
    return board, bare


async def seen_on(page: Page) -> dict[int, float]:
    """Count -> milliseconds of the epoch."""
    return {int(number): float(at) for number, at in await page.evaluate("Array.from(seen)")}


def ages(seen: dict[int, float], posted: dict[int, float]) -> list[float]:
    """How long each took, ascending. A count that was overtaken before it was drawn is on glass with a later one."""
    found = []
    for number, at in posted.items():
        later = [when for count, when in seen.items() if count >= number]
        if later:
            found.append(min(later) - at * 1000)
    return sorted(found)


async def _load(session: aiohttp.ClientSession, url: str, seconds: float, people: int, turn: int) -> None:
    """Calls of everybody, on schedule whether or not the ones before have been answered."""
    timeline, tasks, start = Timeline(), [], time.monotonic()
    reps = [f"g{number:03d}" for number in range(people)]
    for first in range(0, int(RATE * seconds), PER_DELIVERY):
        pause = start + first / RATE - time.monotonic()
        if pause > 0:
            await asyncio.sleep(pause)
        calls = [(reps[number % people], turn * 1_000_000 + number) for number in range(first, first + PER_DELIVERY)]
        tasks.append(asyncio.create_task(post(session, url, calls, timeline, f"g{turn}-{first}")))
    await asyncio.gather(*tasks)


async def _probe(session: aiohttp.ClientSession, url: str, number: int) -> None:
    now = format_instant(time.time_ns() // 1000)
    fields = {"rep": "g000", "direction": "outbound", "sent_at": now}
    body = orjson.dumps({"record": "email", "id": f"probe-{number}", "changed_at": now, "fields": fields})
    stamp = str(int(time.time()))
    headers = {
        "content-type": "application/json",
        "webhook-id": f"probe-{number}",
        "webhook-timestamp": stamp,
        "webhook-signature": sign(_KEY, message_id=f"probe-{number}", timestamp=stamp, body=body),
    }
    async with session.post(f"{url}/webhooks/feed", data=body, headers=headers) as answer:
        if answer.status != 202:
            msg = f"a delivery got {answer.status}: {await answer.text()}"
            raise SystemExit(msg)


async def _runs(url: str, seconds: float, people: int, runs: int, warm: float) -> list[Seen]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            if warm:
                async with aiohttp.ClientSession() as session:
                    await _load(session, url, warm, people, runs)
            found: list[Seen] = []
            for turn in range(runs):
                sent = sum(len(each.glass) for each in found)
                found.append(await measure(browser, url, seconds, people, turn, sent))
                say(f"run {turn + 1}: p95 {percentile(found[-1].glass, 95):.0f} ms, {found[-1].idle:.0f} % idle")
            return found
        finally:
            await browser.close()


def run(*, short: bool = False, runs: int = 3) -> Section:
    """All on one running floorcast."""
    seconds, people = (2.0, 10) if short else (20.0, 100)
    with running_stack() as stack:
        if not short:
            asyncio.run(first_recount(stack.url))
        found = asyncio.run(_runs(stack.url, seconds, people, runs, 0 if short else WARM_SECONDS))
    return Section(
        "glass",
        "Webhook to glass",
        "From the posting of a webhook until a wallboard in Chromium has painted what it changes, at 1,000 events a "
        f"second of {people} people, all of whom are on the board; and in the same browser until a page that does "
        "nothing else has heard of it. Load, browser, api, worker and Kafka share the machine.",
        [
            Result(
                "p95 on glass", "posted to painted", COMMAND, "ms",
                [percentile(each.glass, 95) for each in found],
                bars=[Bar(at_most=LIMIT_MILLISECONDS)],
            ),
            *_others(found),
        ],
        short=short,
        after="What the board itself takes is the difference between the page that draws and the one that listens: the "
        "pause between two drawings, the drawing, and a frame. Where nothing of the machine is idle the figures are "
        "those of the machine.",
    )  # fmt: skip


def _others(found: list[Seen]) -> Iterable[Result]:
    yield Result(
        "p50 on glass", "posted to painted", COMMAND, "ms", [percentile(each.glass, 50) for each in found],
    )  # fmt: skip
    for share in (50, 95):
        yield Result(
            f"p{share} of a page that listens", "posted to heard of", COMMAND, "ms",
            [percentile(each.bare, share) for each in found],
        )  # fmt: skip
    yield Result(
        "idle share of the machine", "of all cores, meanwhile", COMMAND, "%", [each.idle for each in found],
    )  # fmt: skip


if __name__ == "__main__":
    main_of(run)
