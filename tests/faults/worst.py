"""Authentic deliveries of the worst legal shapes: each of what a log remembers, filled by one sender as fast as it can.

Owns the shapes, and what is seen of the processes meanwhile. Each post is within the limits of the api (1 MiB, 16,384
events).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson
import psutil

from deploy.simulator.posting import Post
from processor.core.bounds import GROUP_LIMIT
from schemas.connectors.base import MAX_EVENTS
from schemas.connectors.fields import MAX_IDS
from schemas.instants import DAY, HOUR, MINUTE, SECOND, format_instant
from schemas.pasts import HISTORY_LIMIT
from tests.faults.stack import Stack

STILL_SECONDS = 3.0
"""No partition may stand still for longer."""
MEMORY_PER_BYTE = 64
"""What a worker may take for each byte posted."""

_JSON = {"content-type": "application/json"}
_LARGEST = 1_000_000
_LOOK_SECONDS = 0.1

Event = dict[str, object]


@dataclass(frozen=True, slots=True)
class Shape:
    """What is posted in the order of its story; the last post is what the rest was for."""

    what: str
    make: Callable[[int, int], list[Post]]
    """The instant (microseconds) and how many there are of what it fills -> the posts."""
    size: int

    def posts(self, now: int, size: int | None = None) -> list[Post]:
        """As few as the limits let them be."""
        return self.make(now, self.size if size is None else size)


def _named(now: int, size: int) -> list[Post]:
    began = now - 10 * MINUTE
    named = [
        _event("call", "worst", began + number * 1000, lead=f"n-{number}", rep="r-1", dialed_at=began)
        for number in range(size)
    ]
    return [*_posts("named", named), *_posts("edit", [_event("call", "worst", now, outcome="connected")])]


def _chain(now: int, size: int) -> list[Post]:
    at = now - 10 * MINUTE
    chain = [
        _event("lead", f"c-{number}", at, merged_into=f"c-{number + 1}", received_at=at + number * 1000)
        for number in range(size)
    ]
    return _posts("chain", [*chain, _event("lead", f"c-{size}", at, rep="r-1", received_at=now)])


def _thread(now: int, size: int) -> list[Post]:
    mails = [
        _event("email", f"m-{number}", now, direction=("inbound", "outbound")[number % 2], thread="t", sent_at=now)
        for number in range(size)
    ]
    return _posts("thread", mails)


def _junk(_now: int, size: int) -> list[Post]:
    return [
        Post(0, f"worst-junk-{number}", _JSON, b"[" + b",".join([b"{}"] * min(size, MAX_EVENTS)) + b"]", 0)
        for number in range(4)
    ]


def _deleted(now: int, size: int) -> list[Post]:
    leads = [_event("lead", f"w-{number}", now, rep="r-1", received_at=now) for number in range(size)]
    gone = [_event("lead", f"w-{number}", now + SECOND, deleted=True) for number in range(size)]
    return [*_posts("groups", leads), *_posts("deleted", gone)]


def _touched(now: int, size: int) -> list[Post]:
    """Half of the calls are of as many people, the others a conversation in which every word is another one's."""
    calls = [
        _event(
            "call", f"t-{number}", now, lead="touched", rep=f"t-{number}", dialed_at=now - 40 * HOUR + number * SECOND,
            direction=("inbound", "outbound")[number % 2],
        )
        for number in range(size)
    ]  # fmt: skip
    lead = _event("lead", "touched", now, rep="r-1", received_at=now - 40 * HOUR)
    return [*_posts("touched", [lead, *calls]), *_posts("touch", [_event("call", "t-1", now + 1000, outcome="busy")])]


def _followed(now: int, size: int) -> list[Post]:
    events = [_event("lead", "followed", now, rep="r-1", received_at=now)]
    for number in range(size // 2):
        at = now - number * SECOND
        events += [
            _event("deal", f"f-{number}", now, lead="followed", status="won", closed_at=at, amount="1"),
            _event("call", f"f-{number}", now, lead="followed", direction="outbound", dialed_at=at - 40 * DAY),
        ]
    return [*_posts("deals", events), *_posts("follow", [_event("call", "f-1", now + 1000, outcome="connected")])]


def _subscribed(now: int, size: int) -> list[Post]:
    """None of them is renewed: each ends after those that begin later."""
    subscriptions = [
        _event(
            "subscription", f"s-{number}", now, customer="worst", rep="r-1", monthly_amount="1",
            starts_at=now - 30 * DAY + number * SECOND, ends_at=now - number * SECOND,
        )
        for number in range(size)
    ]  # fmt: skip
    return [*_posts("customer", subscriptions), *_posts("more", [_event("subscription", "s-1", now + 1000, rep="r-2")])]


def _attended(now: int, size: int) -> list[Post]:
    """Nobody attends two of them; then there were none."""
    meetings = []
    for number in range(size // MAX_IDS):
        at = now - number * MINUTE
        meeting = _event("meeting", f"a-{number}", now, booked_at=at - HOUR, starts_at=at, outcome="held")
        people = range(number * MAX_IDS, (number + 1) * MAX_IDS)
        meetings.append(meeting | {"fields": {**_fields(meeting), "attendees": [f"{one:x}" for one in people]}})
    return [*_posts("attended", meetings), *_posts("off", _all_deleted(meetings, now))]


def _staged(now: int, size: int) -> list[Post]:
    """Deals with all the stages that are remembered, each at instants of its own, and then a word on each of them."""
    stays = [
        _event(
            "deal", f"g-{number}", now - DAY, stage=f"s-{place}",
            entered_stage_at=now - 300 * DAY + place * HOUR + number * SECOND,
            status="open", rep="r-1",
        )
        for number in range(size)
        for place in range(HISTORY_LIMIT)
    ]  # fmt: skip
    return [
        *_posts("staged", stays),
        *_posts("priced", [_event("deal", f"g-{n}", now, amount="5") for n in range(size)]),
    ]


def _owned(now: int, size: int) -> list[Post]:
    """Leads that went through as many hands as are remembered, and then a word on each of them."""
    owners = [
        _event("lead", f"o-{number}", now - DAY + place * SECOND, rep=f"o-{place}", received_at=now - DAY)
        for number in range(size)
        for place in range(HISTORY_LIMIT)
    ]
    return [
        *_posts("owned", owners),
        *_posts("named", [_event("lead", f"o-{n}", now, source="web") for n in range(size)]),
    ]


def _moved(now: int, size: int) -> list[Post]:
    """Whose leads are all of today, and who changes the team today."""
    leads = [_event("lead", f"h-{number}", now, rep="mover", received_at=now) for number in range(size)]
    joins, moves = (_event("rep", "mover", at, name="M", team=team) for at, team in ((now, "a"), (now + 1000, "b")))
    return [*_posts("joins", [joins]), *_posts("led", leads), *_posts("moves", [moves])]


def _flipped(now: int, size: int) -> list[Post]:
    """A lead with many calls is merged into one, into another one, and not at all."""
    calls = [
        _event("call", f"p-{number}", now, lead="flipped", direction="outbound", dialed_at=now - number * SECOND)
        for number in range(size)
    ]
    turns = [
        post
        for turn, root in enumerate(("left", "right", None))
        for post in _posts(f"flip-{turn}", [_event("lead", "flipped", now + turn * 1000, merged_into=root)])
    ]
    return [*_posts("calls", calls), *turns]


def _attributed(now: int, size: int) -> list[Post]:
    """Each with as many fields of the organisation's own as a record may have."""
    own = {f"k{number}": "v" for number in range(size)}
    leads = [_event("lead", f"x-{number}", now, received_at=now) for number in range(120)]
    return _posts("own", [lead | {"fields": {**_fields(lead), "attributes": own}} for lead in leads])


def _peopled(now: int, size: int) -> list[Post]:
    """Each call is of somebody else; then there were none."""
    calls = [
        _event(
            "call", f"e-{n}", now, rep=f"e-{n}", direction="outbound", dialed_at=now - n * SECOND, outcome="connected"
        )
        for n in range(size)
    ]
    return [*_posts("people", calls), *_posts("nobody", _all_deleted(calls, now))]


SHAPES = (
    Shape("leads that one call names", _named, 2_911),
    Shape("a chain of merges", _chain, 3_000),
    Shape("a thread", _thread, 20_000),
    Shape("events that are none", _junk, MAX_EVENTS),
    Shape("leads, all deleted at once", _deleted, 10_000),
    Shape("a lead that was called by as many as it takes, then one of the calls", _touched, GROUP_LIMIT),
    Shape("a lead with as many deals and calls as it takes, then one of the calls", _followed, GROUP_LIMIT),
    Shape("subscriptions of one customer, then one of them", _subscribed, 9_000),
    Shape("meetings of 200 people each, nobody in two, and then none of them", _attended, 120_000),
    Shape("deals with all the stages that are kept, then a word on each", _staged, 600),
    Shape("leads with all the owners that are kept, then a word on each", _owned, 600),
    Shape("leads of somebody who then changes the team", _moved, 7_000),
    Shape("a lead with many calls that is merged to and fro", _flipped, GROUP_LIMIT),
    Shape("leads with 8 KiB of fields of their own", _attributed, 700),
    Shape("calls, each of somebody else, and then none of them", _peopled, 9_000),
)
"""Each post is within the limits of the api."""


def _all_deleted(events: Sequence[Event], now: int) -> list[Event]:
    return [_event(str(event["record"]), str(event["id"]), now + SECOND, deleted=True) for event in events]


def _fields(event: Event) -> dict[str, object]:
    fields = event["fields"]
    assert isinstance(fields, dict)
    return fields


def _event(record: str, id: str, at: int, *, deleted: bool | None = None, **fields: object) -> Event:
    said = {name: format_instant(value) if isinstance(value, int) else value for name, value in fields.items()}
    event: Event = {"record": record, "id": id, "changed_at": format_instant(at)}
    return event | ({"fields": said} if deleted is None else {"deleted": deleted})


def _posts(name: str, events: Sequence[Event]) -> list[Post]:
    """As few as the limits let them be."""
    parts: list[list[bytes]] = [[]]
    size = 0
    for event in map(orjson.dumps, events):
        if size + len(event) > _LARGEST or len(parts[-1]) == MAX_EVENTS:
            parts.append([])
            size = 0
        parts[-1].append(event)
        size += len(event) + 1
    return [
        Post(0, f"worst-{name}-{number}", _JSON, b"[" + b",".join(part) + b"]", len(part))
        for number, part in enumerate(parts)
    ]


class Costs:
    """What deliveries cost the processes that take them: CPU, which another's load does not lengthen, and memory."""

    def __init__(self, stack: Stack) -> None:
        self._processes = {member.name: psutil.Process(member.pid) for member in stack.members}
        self._held = {worker.name: self._rss(worker.name) for worker in stack.workers}
        self.grown = 0
        """Bytes by which a worker grew, at most."""

    def cpu(self) -> dict[str, float]:
        """Seconds of each so far."""
        return {name: sum(process.cpu_times()[:2]) for name, process in self._processes.items()}

    async def watch_memory(self) -> None:
        """Look at what the workers take, all the time, until it is cancelled."""
        while True:
            for name, before in self._held.items():
                if self._processes[name].is_running():
                    self.grown = max(self.grown, self._rss(name) - before)
            await asyncio.sleep(_LOOK_SECONDS)

    def _rss(self, name: str) -> int:
        return self._processes[name].memory_info().rss


def clock() -> int:
    """The instant by which deliveries are made."""
    return time.time_ns() // 1000
