"""`floorcast dead-letters`: what nobody could read, why, and once more after a fix.

Owns the choice of letters, how they are shown and put through again. Reads the topics itself, so it needs no api. Put
through again is the raw delivery, with its first `received_at`: the fold does not care about the repetition of what
was fine in it. The letters of before stay in the log.
"""

import asyncio
import heapq
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import msgspec

from deploy.cli.common import announce, announce_json, columns, fail, say
from deploy.local.target import Instance
from processor.transport.appending import Appender, LogPlace
from processor.transport.fetched import Fetched
from processor.transport.following import Follower, take_progress
from processor.transport.generations import read_served
from schemas.dead_letters import DeadLetter, decode_dead_letter
from schemas.deliveries import Delivery, decode_delivery
from schemas.exit_codes import ExitCode
from schemas.instants import format_instant
from schemas.progress import Progress
from schemas.topics import DEAD_LETTERS, DELIVERIES, FENCE, PROGRESS

STAGE = "normalise"
_BETWEEN_LOOKS_SECONDS = 0.1
_HIDDEN = ("signature", "authorization", "cookie", "token", "secret", "password", "key")
_SHOWN_AGAIN = 20


@dataclass(frozen=True, slots=True)
class Choice:
    """Which dead letters are meant: those to which all of it applies."""

    ids: frozenset[str] = field(default_factory=frozenset)
    """None given: any."""
    connection: str | None = None
    reason: str | None = None

    def takes(self, letter: DeadLetter) -> bool:
        """Whether this one is meant. The id of a delivery means all letters of it."""
        return (
            (not self.ids or letter.id in self.ids or f"{letter.partition}-{letter.offset}" in self.ids)
            and self.connection in (None, letter.connection)
            and self.reason in (None, letter.reason)
        )


def is_of_a_delivery(letter: DeadLetter) -> bool:
    """Whether its place is one in `deliveries`, and not that of a message between two stages."""
    return letter.stage == "normalise"


async def read_letters(follower: Follower, take: Callable[[DeadLetter], None]) -> None:
    """Hand over every letter up to the present end, each once: a stage may have said it twice."""
    seen: set[int] = set()

    def apply(_partition: int, records: list[Fetched]) -> None:
        for record in records:
            if record.value is None or record.key == FENCE:
                continue
            same = hash(record.value)
            if same in seen:
                continue
            seen.add(same)
            try:
                take(decode_dead_letter(record.value))
            except msgspec.MsgspecError:  # of a later version
                continue

    await follower.read_to(await follower.ends(), apply)


def newest(letters: Iterable[DeadLetter], limit: int) -> list[DeadLetter]:
    """The newest ones, newest first."""
    return heapq.nlargest(limit, letters, key=lambda letter: (letter.received_at, letter.partition, letter.offset))


def letters_table(letters: Sequence[DeadLetter]) -> list[str]:
    """Lines with a heading, for people."""
    rows = [("ID", "RECEIVED", "CONNECTION", "REASON", "DETAIL")]
    rows += [
        (letter.id, _instant(letter), letter.connection or "-", letter.reason, printable(letter.detail))
        for letter in letters
    ]
    return columns(rows)


def as_json(letter: DeadLetter) -> dict[str, object]:
    """One letter for programs."""
    return {
        "id": letter.id,
        "received_at": _instant(letter) if letter.received_at else None,
        "connection": letter.connection or None,
        "reason": letter.reason,
        "detail": letter.detail,
        "delivery": f"{letter.partition}-{letter.offset}" if is_of_a_delivery(letter) else None,
        "index": letter.index,
        "request": letter.request or None,
    }


def shown_headers(delivery: Delivery) -> list[str]:
    """A line per header; what could be a secret is not shown."""
    return [
        f"{name}: {'(not shown)' if any(word in name.lower() for word in _HIDDEN) else printable(value)}"
        for name, value in sorted(delivery.headers.items())
    ]


def printable(text: str, *, keep: str = "") -> str:
    """The text without what a terminal would obey."""
    return "".join(character if character.isprintable() or character in keep else "�" for character in text)


def run_list(target: Instance, choice: Choice, *, limit: int, json: bool) -> None:
    """Print letters, newest first."""
    found: list[DeadLetter] = []
    left_out = 0

    def take(letter: DeadLetter) -> None:
        nonlocal found, left_out
        if choice.takes(letter):
            found.append(letter)
            if len(found) >= 2 * limit:  # what cannot be among the newest need not be held
                left_out += len(found) - limit
                found = newest(found, limit)

    async def read() -> None:
        async with Follower(target.broker, DEAD_LETTERS.full_name(target.prefix)) as follower:
            await read_letters(follower, take)

    asyncio.run(read())
    shown = newest(found, limit)
    if json:
        announce_json([as_json(letter) for letter in shown])
        return
    for line in letters_table(shown) if shown else ["no dead letters"]:
        announce(line)
    if hidden := left_out + len(found) - len(shown):
        say(f"and {hidden} older ones: --limit shows more")


async def show_letter(target: Instance, letter_id: str) -> None:
    """Print what is known of a letter on stderr, and the raw body of its delivery on stdout."""
    letters = await _chosen(target, Choice(ids=frozenset({letter_id})))
    if not letters:
        fail([f"there is no dead letter {printable(letter_id)}"], ExitCode.WRONG_USE)
    for letter in letters:
        say(f"{letter.id}: {letter.reason}: {printable(letter.detail)}")
    of_deliveries = [letter for letter in letters if is_of_a_delivery(letter)]
    if not of_deliveries:
        fail(
            ["it is of a message between two stages, not of a delivery: there is no body to show"], ExitCode.DIFFERENCES
        )
    place = of_deliveries[0].partition, of_deliveries[0].offset
    async with Appender(target.broker, DELIVERIES.full_name(target.prefix)) as log:
        stored = [message async for message in log.read([place])]
    if not stored:
        fail(["its delivery is older than what is kept"], ExitCode.DIFFERENCES)
    value = stored[0].value or b""
    try:
        delivery = decode_delivery(value)
    except msgspec.MsgspecError:
        say("the stored message is not a delivery; here it is as it is stored")
        _write_body(value)
        return
    say(f"connection {printable(delivery.connection)}, received {format_instant(delivery.received_at)}")
    for line in shown_headers(delivery):
        say(line)
    _write_body(delivery.body)


async def put_through_again(target: Instance, choice: Choice, *, wait_seconds: float) -> int:
    """Append the deliveries of the chosen letters again, and say what became of them.

    0: all of them could be read; 1: some are dead letters again; 2: none is meant; 3: Kafka or the worker is away.
    """
    places: set[LogPlace] = set()
    between_stages = 0

    def take(letter: DeadLetter) -> None:
        nonlocal between_stages
        if choice.takes(letter):
            if is_of_a_delivery(letter):
                places.add((letter.partition, letter.offset))
            else:
                between_stages += 1

    async with Follower(target.broker, DEAD_LETTERS.full_name(target.prefix)) as follower:
        await read_letters(follower, take)
        if between_stages:
            say(f"{between_stages} dead letters are of messages between two stages, not of deliveries: left out")
        if not places:
            fail(["no delivery is meant by that"], ExitCode.WRONG_USE)
        appended, missing = await _append(target, places)
        if missing:
            say(f"{missing} deliveries are older than what is kept: left out")
        if not appended:
            return ExitCode.DIFFERENCES
        say(f"appended {len(appended)} deliveries, waiting for stage {STAGE}")
        try:
            async with asyncio.timeout(wait_seconds):
                await _until_passed(target, appended)
        except TimeoutError:
            msg = f"after {wait_seconds:g} s stage {STAGE} has not passed them: does a worker run? They stay in the log"
            fail([msg], ExitCode.UNREACHABLE)
        again: list[DeadLetter] = []

        def look(letter: DeadLetter) -> None:
            if is_of_a_delivery(letter) and (letter.partition, letter.offset) in appended:
                again.append(letter)

        await read_letters(follower, look)
    refused = {(letter.partition, letter.offset) for letter in again}
    announce(
        f"put {len(appended)} deliveries through again: {len(appended) - len(refused)} were read, "
        f"{len(refused)} are dead letters again"
    )
    for line in letters_table(newest(again, _SHOWN_AGAIN)) if again else ():
        announce(line)
    return ExitCode.DIFFERENCES if refused else 0


async def _append(target: Instance, places: Collection[LogPlace]) -> tuple[set[LogPlace], int]:
    """Where they lie now, and how many are there no more.

    Each content once: what was put through again in vain has several letters, which must not double at each try.
    """
    contents: set[bytes] = set()
    appended: set[LogPlace] = set()
    found = 0
    async with Appender(target.broker, DELIVERIES.full_name(target.prefix)) as log:
        async for message in log.read(places):
            found += 1
            content = blake2b(message.value or b"", digest_size=16).digest()
            if content not in contents:
                contents.add(content)
                appended.add(await log.append(message))
    return appended, len(places) - found


async def _until_passed(target: Instance, places: Collection[LogPlace]) -> None:
    done: dict[tuple[str, int], Progress] = {}
    served = await read_served(target.broker, target.prefix, 1)
    async with Follower(target.broker, PROGRESS.full_name(target.prefix, served.generation)) as follower:
        while True:
            await follower.read_to(await follower.ends(), lambda _, records: take_progress(done, records))
            if all(done.get((STAGE, partition), Progress()).offset > offset for partition, offset in places):
                return
            await asyncio.sleep(_BETWEEN_LOOKS_SECONDS)


async def _chosen(target: Instance, choice: Choice) -> list[DeadLetter]:
    found: list[DeadLetter] = []
    async with Follower(target.broker, DEAD_LETTERS.full_name(target.prefix)) as follower:
        await read_letters(follower, lambda letter: found.append(letter) if choice.takes(letter) else None)
    return found


def _instant(letter: DeadLetter) -> str:
    return format_instant(letter.received_at) if letter.received_at else "-"


def _write_body(body: bytes) -> None:
    if sys.stdout.isatty():  # what a stranger sent must not steer the terminal
        sys.stdout.write(printable(body.decode(errors="replace"), keep="\n\t") + "\n")
        return
    sys.stdout.buffer.write(body)
    sys.stdout.buffer.flush()
