"""`floorcast verify --every`: recounts a sliding part of the log again and again, and publishes what it found.

Owns the loop, what is kept from one round to the next, and the publishing. What a round looks at is rounds.py's, what a
recount has to see kept.py's, and the recount itself recount.py's. Whatever goes wrong is one line, and the next round:
nothing depends on this process.
"""

import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import structlog

from deploy.local.target import Instance
from deploy.pulse import with_pulse
from deploy.verification.definitions import of_file
from deploy.verification.kept import KeptChanges, TooManyRecordsError
from deploy.verification.looks import LookedAt, StandingLook, StillWaiting, WaitingLook, Windows
from deploy.verification.rounds import LARGEST, LOOKS, Suspects, ValueAsked, described, kept_since, plan
from deploy.verification.verify import (
    IMPOSSIBLE,
    DeliveryReader,
    VerifyError,
    checked_url,
    fetch_freshness,
    wait_for_stages,
    why_impossible,
)
from processor.logs import refuse
from processor.machine import give_way, outlive_hangup
from processor.transport.appending import Appender, LogMessage
from processor.transport.fetched import Fetched
from processor.transport.following import Follower, log_unreadable, newest_read
from processor.transport.phone_number_key import read_numbers
from schemas.config import ConfigError, load_config
from schemas.definitions import definitions_digest
from schemas.exit_codes import ExitCode
from schemas.instants import DAY, SECOND, format_instant
from schemas.kafka_facts import KafkaError
from schemas.machine_clock import machine_clock
from schemas.topics import DELIVERIES, VERIFICATIONS
from schemas.verifications import (
    KEPT_FIRST,
    VERIFICATION_KEY,
    Difference,
    Verification,
    WindowComparison,
    decode_verification,
    encode_verification,
)

log = structlog.get_logger("verify")

REST = 9
"""A round that takes a minute of a core is followed by nine of rest."""
AGAIN = 20 * SECOND
"""A round that was not possible is tried again so soon."""
LONGEST_KEPT = 7 * DAY
"""Then the log is read anew: what has expired takes up disk no longer."""
ANSWER_SECONDS = 60.0
SILENT_SECONDS = 60.0
NICENESS = 10
"""Behind everything else, but not so far that a busy machine never lets it finish a round."""


def main(target: Instance, key: str | None, *, every: int, folder: Path) -> int:
    """Run round after round until SIGTERM or SIGINT ends the process; 2 if none is possible.

    A signal ends it in the middle of a recount too: there is nothing to bring to an end. `every` in microseconds;
    `folder`: where the log is kept while the process lives.
    """
    try:
        url = checked_url(target.url, key)
        folder.mkdir(parents=True, exist_ok=True)
        verifier = Verifier(target, url=url, key=key, every=every)
    except ConfigError as error:
        return refuse("verify", ExitCode.WRONG_USE, *error.problems)
    except VerifyError as error:
        return refuse("verify", error.exit_code, str(error))
    except OSError as error:
        return refuse("verify", ExitCode.WRONG_USE, f"{folder} cannot be used: {error.strerror or error}")
    give_way(NICENESS)
    outlive_hangup(lambda: log.info("reload.unchanged", why="the configuration is read again in each round anyway"))
    os.environ["SQLITE_TMPDIR"] = str(folder.absolute())
    asyncio.run(with_pulse(folder, verifier.run()))
    return 0


class Verifier:
    """Round after round of one floorcast. Raises ConfigError."""

    def __init__(
        self,
        target: Instance,
        *,
        url: str,
        key: str | None,
        every: int,
        clock: Callable[[], int] = machine_clock,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._target = target
        self._url = url
        self._headers = {"authorization": f"Bearer {key}"} if key else {}
        self._every = every
        self._clock = clock
        self._transport = transport
        self._config = load_config(target.config, os.environ)
        self._definitions = of_file(target.config)
        self._log: _Log | None = None
        self._spent_before = 0
        self._last: Verification | None = None
        self._found: dict[str, WindowComparison] = {}
        """The newest comparison of everything, by name."""
        self._too_large: set[str] = set()
        """Parts of rounds that turned out to be so; or one of them would have its turn for ever."""

    async def run(self) -> None:
        """One round after another, for ever; each says one line."""
        try:
            while True:
                begun, self._spent_before = self._clock(), _core_time()
                problem = await self._try_round()
                rest = AGAIN if problem else begun + self._every - self._clock()
                await asyncio.sleep(max(SECOND, rest, REST * self._spent()) / SECOND)
        finally:
            await self.close()

    async def _try_round(self) -> str | None:
        try:
            log.info("verification.done", **told_of_round(await self.round()))
        except ConfigError as error:
            problem = "; ".join(error.problems)
        except sqlite3.Error as error:
            await self.close()
            problem = f"what was read cannot be kept on disk: {error}"
        except IMPOSSIBLE as error:
            problem = await why_impossible(error, self._target)
        else:
            return None
        log.warning("verification.failed", why=problem)
        return problem

    def _spent(self) -> int:
        """Time of a core that this round has taken so far; that it took to read the whole log is forgiven."""
        return _core_time() - self._spent_before

    async def close(self) -> None:
        """Forget all that was read."""
        log, self._log = self._log, None
        if log is not None:
            with contextlib.suppress(KafkaError, OSError):
                await log.opened.aclose()

    async def round(self) -> Verification:
        """Compare, publish, and give what was found. Raises VerifyError, KafkaError, httpx.HTTPError and others."""
        started_at = self._clock()
        await self._check_definitions()
        if self._log is not None and started_at - self._log.opened_at > LONGEST_KEPT:
            await self.close()
        if self._log is None:
            self._log = await self._opened(started_at)
            await self._read(self._log)
            self._spent_before = _core_time()
        log = self._log
        await self._read(log)
        since = kept_since(started_at, self._config.retention.records, log.beginnings, log.first_at)
        records = await asyncio.to_thread(log.kept.records_by_day)
        chosen = plan(started_at, records, since, self._found, self._too_large, is_whole=log.is_whole)
        looks: list[LookedAt] = [
            StandingLook(log.kept, self._config, self._definitions)
            if part.is_all
            else Windows(part, log.kept, self._config, self._definitions, is_whole=log.is_whole)
            for part in chosen.parts
        ]
        if log.is_whole:
            looks.append(StillWaiting(log.waiting, since * DAY))
        compared: dict[str, WindowComparison] = {}
        different: list[ValueAsked] = []
        too_large: list[str] = []
        async with self._client() as client:
            for looked_at in looks:
                try:
                    different += await self._compare(client, log, looked_at, compared)
                except TooManyRecordsError:
                    too_large += looked_at.names
                    self._too_large.add(looked_at.names[-1])
        if not compared:
            raise VerifyError(
                ExitCode.UNREACHABLE, "there is no window that is small enough and younger than what has expired"
            )
        looked_at_in_time = {*chosen.names, *compared} - {*too_large}
        self._found = {name: held for name, held in (self._found | compared).items() if name in looked_at_in_time}
        self._last = Verification(
            verified_at=max(held.at for held in compared.values()),
            started_at=started_at,
            every=max(self._every, (REST + 1) * self._spent()),
            definitions=definitions_digest(self._config),
            deliveries=log.reader.deliveries,
            changes=len(log.kept),
            windows=tuple(self._found[name] for name in sorted(self._found)),
            compared=tuple(sorted(compared)),
            left_out=(*chosen.left_out, *too_large),
            first=(*described(different), *self._described_before(compared))[:KEPT_FIRST],
        )
        await self._publish(self._last)
        return self._last

    def _described_before(self, compared: Mapping[str, WindowComparison]) -> Iterator[Difference]:
        """What earlier rounds found in windows that this one has not looked at."""
        for first in () if self._last is None else self._last.first:
            if first.window in self._found and first.window not in compared:
                yield first

    async def _check_definitions(self) -> None:
        """What is served has to be derived as floorcast.yaml says now, or there would be differences that are none."""
        config = load_config(self._target.config, os.environ)
        if definitions_digest(config) != definitions_digest(self._config):
            await self.close()
        self._config, self._definitions = config, of_file(self._target.config)
        async with self._client() as client:
            self._compare_definitions(await fetch_freshness(client))

    def _compare_definitions(self, freshness: Mapping[str, Any]) -> None:
        if freshness.get("definitions") != definitions_digest(self._config):
            raise VerifyError(
                ExitCode.UNREACHABLE,
                f"other definitions are in force than {self._target.config} has now: restart api and workers",
            )

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self._url, headers=self._headers, timeout=ANSWER_SECONDS, transport=self._transport
        )

    async def _opened(self, now: int) -> "_Log":
        broker, prefix = self._target.broker, self._target.prefix
        self._last = await self._last_outcome()
        self._too_large = set()
        self._found = {} if self._last is None else {held.name: held for held in self._last.windows}
        async with AsyncExitStack() as opened:
            async with asyncio.timeout(SILENT_SECONDS):
                follower = Follower(broker, DELIVERIES.full_name(prefix))
                await opened.enter_async_context(follower)
                numbers = await read_numbers(broker, prefix, self._config)
            kept = KeptChanges(LARGEST + LARGEST // 2)
            opened.callback(kept.close)
            return _Log(
                opened=opened.pop_all(),
                opened_at=now,
                follower=follower,
                kept=kept,
                reader=DeliveryReader(self._config, kept.add, numbers),
                waiting=WaitingLook(kept, self._config, self._clock),
                beginnings=dict(follower.positions),
            )

    async def _last_outcome(self) -> Verification | None:
        """What was published last, by whichever process; None if that was by other definitions, or cannot be read.

        Then this round begins as if there were none: it looks at everything anew, and publishes over it.
        """
        topic = VERIFICATIONS.full_name(self._target.prefix)
        async with asyncio.timeout(SILENT_SECONDS):
            found = await newest_read(self._target.broker, topic, decode_verification, log_unreadable)
        last = found.get(VERIFICATION_KEY)
        return last if last is not None and last.definitions == definitions_digest(self._config) else None

    async def _read(self, log: "_Log") -> bool:
        """Read what is new; whether there was anything."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(SILENT_SECONDS) as limit:

            def apply(partition: int, records: list[Fetched]) -> None:
                log.first_at.setdefault(partition, records[0].timestamp * 1000)
                log.reader.apply(partition, records)
                limit.reschedule(loop.time() + SILENT_SECONDS)

            ends, positions = await log.follower.ends(), dict(log.follower.positions)
            if any(end < positions[partition] for partition, end in ends.items()):
                await self.close()
                raise VerifyError(ExitCode.UNREACHABLE, "the log is another one than before; it is read anew")
            await log.follower.read_to(ends, apply)
            return log.follower.positions != positions

    async def _compare(
        self, client: httpx.AsyncClient, log: "_Log", looked_at: LookedAt, compared: dict[str, WindowComparison]
    ) -> list[ValueAsked]:
        """Look at what is served until it is right, or certainly wrong; add the outcomes, give what differs."""
        suspects = Suspects()
        at: dict[str, int] = {}
        before = await asyncio.to_thread(looked_at.recounted)
        for _ in range(LOOKS):
            self._compare_definitions(
                await wait_for_stages(client, log.follower, self._target.broker, self._target.prefix)
            )
            answers = {}
            for name in looked_at.names if suspects.wrong is None else suspects.subjects:
                answers[name], at[name] = await looked_at.ask(client, name)
            has_moved = await self._read(log)
            after = await asyncio.to_thread(looked_at.recounted) if has_moved else before
            judged = await asyncio.to_thread(looked_at.judged, before, after, answers)
            suspects.look(judged, stood_still=not has_moved)
            if suspects.is_settled:
                break
            before = after
        compared |= {name: suspects.outcome(name, at[name]) for name in looked_at.names}
        return suspects.different()

    async def _publish(self, found: Verification) -> None:
        topic = VERIFICATIONS.full_name(self._target.prefix)
        value = encode_verification(found)
        async with Appender(self._target.broker, topic) as appender:
            await appender.append(LogMessage((0, 0), VERIFICATION_KEY, value, found.verified_at // 1000, ()))


@dataclass(frozen=True, slots=True)
class _Log:
    """The log, as far as it was read."""

    opened: AsyncExitStack
    opened_at: int
    follower: Follower
    kept: KeptChanges
    reader: DeliveryReader
    waiting: WaitingLook
    beginnings: Mapping[int, int]
    """Partition -> the first offset when it was opened."""
    first_at: dict[int, int] = field(default_factory=dict)
    """Partition -> when the first delivery that was still there came (microseconds)."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing had expired."""
        return not any(self.beginnings.values())


def told_of_round(found: Verification) -> Mapping[str, Any]:
    """What the log says of a round: no values or ids."""
    return {
        "as_of": format_instant(found.verified_at),
        "differences": found.differences,
        "undecided": found.undecided,
        "windows": len(found.windows),
        "compared": list(found.compared),
        "first": [f"{one.metric} of {one.scope} in {one.window}" for one in found.first],
    }


def _core_time() -> int:
    return time.process_time_ns() // 1000
