"""Posts a simulated floor's events as signed webhooks, at a steady rate, until each one is taken.

Owns the ways to write a delivery (plain, CloudEvents), the sending again, and the schedule. What is posted comes from
`deploy.simulator.floor`; signatures from the connector's own rule.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from random import Random
from typing import Protocol, Self

import aiohttp
import orjson

from deploy.simulator.floor import SimulatedFloor, delivery_size
from deploy.simulator.known import CrmEvent
from schemas.connectors.standard_webhooks import sign
from schemas.deliveries import Delivery
from schemas.instants import SECOND

REDELIVERED = 0.02
"""Share of deliveries that are posted twice, as CRMs do when an answer was lost."""

_AT_ONCE = 64
_TRY_SECONDS = 15.0
_LONGEST_WAIT_SECONDS = 30.0
_FIRST_WAIT_SECONDS = 0.1
_LOOK_UP_SECONDS = 0.25
_PLAIN = "application/json"


class PostingError(Exception):
    """Posting cannot go on. Exit code 2: refused for good, 3: nobody answers."""

    def __init__(self, exit_code: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class PayloadForm(StrEnum):
    """How a delivery is written."""

    PLAIN = "plain"
    ARRAY = "array"
    STRUCTURED = "structured"
    BINARY = "binary"
    BATCHED = "batched"


@dataclass(frozen=True, slots=True)
class Post:
    """One delivery to be posted at its time."""

    due: int
    """Microseconds after the beginning."""
    id: str
    headers: Mapping[str, str]
    body: bytes
    events: int
    """How many it adds to those posted: none if it is posted once more."""

    def as_received(self, connection: str, received_at: int) -> Delivery:
        """As the api will store it."""
        return Delivery(connection, received_at, {**self.headers, "webhook-id": self.id}, self.body)


@dataclass(frozen=True, slots=True)
class ServerAnswer:
    """What the server said."""

    status: int
    retry_after: float | None = None


class Sender(Protocol):
    """One try to post. Raises OSError where nobody answers."""

    async def __call__(self, headers: Mapping[str, str], body: bytes) -> ServerAnswer: ...


@dataclass(slots=True)
class Summary:
    """What came of it."""

    events: int = 0
    deliveries: int = 0
    tries_again: int = 0
    given_up: int = 0
    """Deliveries under way at the end that nobody answered: they may have been taken or not."""
    taken: list[Post] = field(default_factory=list)
    """The deliveries themselves, if they were to be kept."""


def write_delivery(events: Sequence[CrmEvent], form: PayloadForm, delivery_id: str) -> tuple[dict[str, str], bytes]:
    """Headers and body of a delivery. Forms for one event are for one event."""
    if form is PayloadForm.PLAIN:
        return {"content-type": _PLAIN}, orjson.dumps(events[0])
    if form is PayloadForm.BINARY:
        attributes = _attributes(events[0], f"{delivery_id}.0")
        return {"content-type": _PLAIN} | {f"ce-{name}": value for name, value in attributes.items()}, orjson.dumps(
            events[0]
        )
    if form is PayloadForm.STRUCTURED:
        envelope = _envelope(events[0], f"{delivery_id}.0")
        return {"content-type": "application/cloudevents+json"}, orjson.dumps(envelope)
    if form is PayloadForm.BATCHED:
        batch = [_envelope(event, f"{delivery_id}.{index}") for index, event in enumerate(events)]
        return {"content-type": "application/cloudevents-batch+json"}, orjson.dumps(batch)
    return {"content-type": _PLAIN}, orjson.dumps(list(events))


def _attributes(event: CrmEvent, event_id: str) -> dict[str, str]:
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": "/simulated-floor",
        "type": f"record.{event['record']}.changed",
        "time": event["changed_at"],
    }


def _envelope(event: CrmEvent, event_id: str) -> dict[str, object]:
    return {**_attributes(event, event_id), "datacontenttype": _PLAIN, "data": event}


def posts(
    floor: SimulatedFloor,
    *,
    start: int,
    rate: float,
    count: int | None = None,
    since: int = 0,
    history: int = 0,
    largest: int = 12,
) -> Iterator[Post]:
    """Deliveries in the order of their times; `count` events live at `rate` per second from `start` on (None: no end).

    `history` events of the time from `start - since` to `start` come first, all of them due at once.
    """
    random = Random(f"posts of {floor.seed}")
    number = 0
    step, done = since / max(1, history), 0
    while done < history:
        size = min(100, history - done)
        events = [floor.next(start - since + int((done + index) * step)) for index in range(size)]
        done += size
        number += 1
        yield _post(random, events, 0, f"floor-{floor.seed}-{start}-{number}")
    done = 0
    while count is None or done < count:
        size = delivery_size(random, largest)
        if count is not None:
            size = min(size, count - done)
        # A delivery goes out when its last event has happened, so that the rate is one of events.
        instants = [int((done + index) * SECOND / rate) for index in range(size)]
        events = [floor.next(start + instant) for instant in instants]
        done += size
        number += 1
        post = _post(random, events, instants[-1], f"floor-{floor.seed}-{start}-{number}")
        yield post
        if random.random() < REDELIVERED and floor.mix.duplicates:
            yield replace(post, events=0)  # nothing new


def _post(random: Random, events: Sequence[CrmEvent], due: int, delivery_id: str) -> Post:
    forms = (
        (PayloadForm.PLAIN, PayloadForm.STRUCTURED, PayloadForm.BINARY)
        if len(events) == 1
        else (PayloadForm.ARRAY, PayloadForm.BATCHED)
    )
    form = forms[0] if random.random() < 0.8 else random.choice(forms[1:])
    headers, body = write_delivery(events, form, delivery_id)
    return Post(due, delivery_id, headers, body, len(events))


class DeliveryPoster:
    """Posts deliveries over HTTP: several at once, each until it is taken."""

    def __init__(
        self,
        send: Sender,
        key: bytes,
        *,
        patience_seconds: float = 120.0,
        at_once: int = _AT_ONCE,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._send = send
        self._key = key
        self._patience = patience_seconds
        self._at_once = at_once
        self._clock = clock
        self._wall_clock = wall_clock
        self._sleep = sleep
        self._ended = False

    def end(self) -> None:
        """Begin nothing more. What is under way is posted to its end, but not tried again."""
        self._ended = True

    async def post_all(self, deliveries: Iterable[Post], summary: Summary, *, keep: bool = False) -> None:
        """Post each at its time, or as soon after it as there is room. Raises PostingError."""
        began = self._clock()
        room = asyncio.Semaphore(self._at_once)
        failure: list[BaseException] = []

        async def one(post: Post) -> None:
            try:
                taken = await self._until_taken(post, summary)
            except PostingError as error:
                failure.append(error)
                return
            else:
                if not taken:
                    summary.given_up += 1
                    return
                summary.events += post.events
                summary.deliveries += 1
                if keep:
                    summary.taken.append(post)
            finally:
                room.release()

        # The group ends the posts under way when this is cancelled.
        async with asyncio.TaskGroup() as group:
            for post in deliveries:
                # By the schedule and not by a pause after each: a slow answer must not lower the rate.
                await self._until(began + post.due / SECOND)
                await room.acquire()
                if failure or self._ended:
                    room.release()
                    break
                group.create_task(one(post))
        if failure:
            raise failure[0]

    async def _until(self, instant: float) -> None:
        while not self._ended and (ahead := instant - self._clock()) > 0:
            await self._sleep(min(ahead, _LOOK_UP_SECONDS))

    async def _until_taken(self, post: Post, summary: Summary) -> bool:
        """False if it was given up because the posting is to end."""
        wait, silent_since = _FIRST_WAIT_SECONDS, self._clock()
        while True:
            try:
                answer = await self._send(self._headers(post), post.body)
            except (OSError, TimeoutError) as error:
                if self._clock() - silent_since > self._patience:
                    raise PostingError(3, f"nobody answers ({type(error).__name__})") from None
                pause = wait
            else:
                silent_since = self._clock()
                if answer.status in (200, 202):
                    return True
                if answer.status not in (408, 429) and answer.status < 500:
                    raise _refused(answer.status)
                pause = min(answer.retry_after, _LONGEST_WAIT_SECONDS) if answer.retry_after is not None else wait
            if self._ended:
                return False
            wait = min(wait * 2, 5.0)
            summary.tries_again += 1
            await self._sleep(pause)

    def _headers(self, post: Post) -> dict[str, str]:
        # Signed at each try: the receiver takes no signature that is older than a few minutes.
        timestamp = str(int(self._wall_clock()))
        signature = sign(self._key, message_id=post.id, timestamp=timestamp, body=post.body)
        return {
            **post.headers,
            "webhook-id": post.id,
            "webhook-timestamp": timestamp,
            "webhook-signature": signature,
        }


def _refused(status: int) -> PostingError:
    why = {
        401: "the signature is refused: is the secret the connection's?",
        404: "there is no such connection",
        413: "a delivery is too large",
        415: "the content type is refused: is the connection of kind generic?",
    }.get(status, "the delivery is refused")
    return PostingError(2, f"{why} (HTTP {status})")


class HttpSender:
    """Posts to one address, over connections that stay open."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_AT_ONCE), timeout=aiohttp.ClientTimeout(total=_TRY_SECONDS)
        )
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def __call__(self, headers: Mapping[str, str], body: bytes) -> ServerAnswer:
        if self._session is None:
            raise RuntimeError("used outside of its context")
        try:
            async with self._session.post(self._url, data=body, headers=headers) as answer:
                return ServerAnswer(answer.status, _seconds(answer.headers.get("Retry-After")))
        except aiohttp.InvalidURL:
            raise PostingError(2, f"{self._url} is not an address") from None
        except aiohttp.ClientError as error:
            raise ConnectionError(type(error).__name__) from None


def _seconds(retry_after: str | None) -> float | None:
    """Whole seconds of a Retry-After; a date, which our api does not send, is no answer."""
    return float(retry_after) if retry_after is not None and retry_after.isdecimal() else None
