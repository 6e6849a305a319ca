"""`floorcast verify`: recounts everything from `deliveries` in one batch and compares it with what is served.

Owns the waiting (every stage and the view have passed the offsets recounted), the fetching, each answer compared as of
the instant it names, and what is called a difference while new deliveries come in. The recount itself is
recount.py, which shares no code with the stream; only the connectors, which read a vendor's words, are the same.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote

import httpx
from rich.console import Console
from rich.progress import Progress as ProgressBar

from api.read.catch_up import CatchUp
from deploy.local.target import Instance
from deploy.verification.definitions import Definitions, of_file
from deploy.verification.differences import ValueDifference, What, differences
from deploy.verification.funnels import flat
from deploy.verification.kept import KeptChanges
from deploy.verification.lists import PERIODS, ServedLists, list_differences, served_values
from deploy.verification.pieces import ServedWindow, recount_in_pieces
from deploy.verification.shapes import LeadClock, RecountedWindow, Rows
from processor.core.normalise import normalise
from processor.transport.fetched import Fetched
from processor.transport.following import Follower, MissingTopicError
from processor.transport.generations import read_served
from processor.transport.phone_number_key import read_numbers
from schemas.config import Config
from schemas.connectors import build_connector
from schemas.exit_codes import ExitCode
from schemas.instants import format_instant, parse_instant
from schemas.kafka import Address
from schemas.kafka_facts import KafkaError
from schemas.kafka_refusals import what_failed
from schemas.numbers import NONE_KEPT, PhoneNumbers
from schemas.progress import Progress
from schemas.records import RecordChange
from schemas.topics import DELIVERIES, ENGAGEMENTS, RECORD_CHANGES, VIEW_TOPICS, Topic
from schemas.verifications import LEADS
from schemas.windows import WINDOWS

TRIES = 10
"""A difference seen while deliveries come in may only be one that is under way: it has to be there each time."""
QUIET_TRIES = 2
STAGES_SECONDS = 120.0
PAGE = 1000


class VerifyError(Exception):
    """The comparison cannot be made."""

    def __init__(self, exit_code: int, problem: str) -> None:
        self.exit_code = exit_code
        super().__init__(problem)


def main(target: Instance, config: Config, key: str | None = None) -> int:
    """Print each difference; 0 if there is none, 1 if there are, 2 or 3 if the comparison cannot be made."""
    try:
        url = checked_url(target.url, key)
        definitions = of_file(target.config)
        with _progress_bar() as say:
            found = asyncio.run(verify(url, target.broker, target.prefix, config, definitions, key=key, say=say))
    except IMPOSSIBLE as error:
        print(f"floorcast verify: {asyncio.run(why_impossible(error, target))}", file=sys.stderr)  # noqa: T201
        if isinstance(error, VerifyError):
            return error.exit_code
        return ExitCode.WRONG_USE if isinstance(error, httpx.InvalidURL) else ExitCode.UNREACHABLE
    for difference in found.differences:
        print(difference)  # noqa: T201 - the command's output
    print(  # noqa: T201
        f"verified {found.changes} changes of {found.deliveries} deliveries as of {found.as_of}: "
        f"{len(found.differences)} differences"
    )
    return ExitCode.DIFFERENCES if found.differences else 0


@dataclass(frozen=True, slots=True)
class FoundDifference:
    """A difference, and in which window (or, of leads that wait, `leads`)."""

    window: str
    difference: ValueDifference

    @property
    def what(self) -> tuple[str, What]:
        """What it is the same by in the next look: not the values, those of a lead that waits change all the time."""
        return self.window, self.difference.what

    def __str__(self) -> str:
        return str(self.difference) if self.window == LEADS else f"{self.window}: {self.difference}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What a comparison found."""

    differences: list[FoundDifference]
    deliveries: int
    changes: int
    as_of: str


TellCount = Callable[[int, int], None]
"""Called with the deliveries read and those there are."""


async def verify(
    url: str,
    broker: Address,
    prefix: str,
    config: Config,
    definitions: Definitions | None = None,
    *,
    key: str | None = None,
    say: TellCount = lambda _done, _total: None,
) -> Verdict:
    """Compare every served number in every window, every goal, lead clock and list with the recount.

    Raises VerifyError.
    """
    key = key or os.environ.get("FLOORCAST_API_KEY")
    headers = {"authorization": f"Bearer {key}"} if key else {}
    kept = KeptChanges(sys.maxsize)
    log = DeliveryReader(config, kept.add, await read_numbers(broker, prefix, config))

    def apply(partition: int, records: list[Fetched]) -> None:
        log.apply(partition, records)
        say(sum(follower.positions.values()), sum(ends.values()))

    async with (
        httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as client,
        Follower(broker, DELIVERIES.full_name(prefix)) as follower,
    ):
        persistent: dict[tuple[str, What], FoundDifference] | None = None
        quiet = 0
        # What is open, and what is to be reached, may have been said before a log that has begun to expire.
        is_whole = not any(follower.positions.values())
        for _ in range(TRIES):
            ends = await follower.ends()
            await follower.read_to(ends, apply)
            await wait_for_stages(client, follower, broker, prefix)
            found, as_of = await _compare(client, kept, config, definitions, is_whole=is_whole)
            moved = follower.positions != await follower.ends()
            persistent = {each.what: each for each in found if persistent is None or each.what in persistent}
            if not persistent:
                break
            quiet = 0 if moved else quiet + 1
            if quiet >= QUIET_TRIES:
                break
        kept.close()
        return Verdict(
            differences=[persistent[what] for what in sorted(persistent or {})] if persistent else [],
            deliveries=log.deliveries,
            changes=log.changes,
            as_of=as_of,
        )


class DeliveryReader:
    """Reads `deliveries` and hands over the changes in them."""

    def __init__(
        self, config: Config, keep: Callable[[list[RecordChange]], None], numbers: PhoneNumbers = NONE_KEPT
    ) -> None:
        self._numbers = numbers
        self._connectors = {name: build_connector(connection) for name, connection in config.connections.items()}
        self._keep = keep
        self.deliveries = 0
        self.changes = 0

    def apply(self, partition: int, records: list[Fetched]) -> None:
        """Parse more of it. Reading may go beyond the offsets asked for: the stages pass them at the next try."""
        self.deliveries += len(records)
        output = normalise(
            ((record.offset, record.value or b"") for record in records),
            partition=partition,
            connectors=self._connectors,
            progress=Progress(),
            numbers=self._numbers,
        )
        changes = output.changes
        self.changes += len(changes)
        self._keep(changes)


async def fetch_freshness(client: httpx.AsyncClient) -> dict[str, Any]:
    """Ask how far the api is. Raises VerifyError."""
    return await _get(client, "/v1/freshness")


async def wait_for_stages(
    client: httpx.AsyncClient, follower: Follower, broker: Address, prefix: str
) -> Mapping[str, Any]:
    """Return once all that lies in the log now is in what the api serves: what it says of that. Raises VerifyError."""
    generation = (await read_served(broker, prefix, 1)).generation
    state: dict[str, Any] = {}

    async def refresh() -> None:
        state.update(await fetch_freshness(client))

    async def ends(topics: Sequence[Topic]) -> Sequence[Mapping[int, int]]:
        await refresh()
        return [await follower.ends(topic.full_name(prefix, generation)) for topic in topics]

    def done(stage: str) -> Mapping[int, int]:
        return {int(partition): offset for partition, offset in state["progress"].get(stage, {}).items()}

    def applied(topic: Topic) -> Mapping[int, int]:
        return {int(partition): offset for partition, offset in state["applied"].get(topic.name, {}).items()}

    missing = ""
    try:
        async with asyncio.timeout(STAGES_SECONDS):
            await refresh()
            while state["generation"] != generation:
                missing = f"generation {state['generation']} is served, and {generation} is to be"
                await asyncio.sleep(0.1)
                await refresh()
                generation = (await read_served(broker, prefix, 1)).generation
            async for missing in CatchUp(  # noqa: B007 - named when the time is up
                ends, done, applied
            ).wait(DELIVERIES, RECORD_CHANGES, ENGAGEMENTS, VIEW_TOPICS):
                await asyncio.sleep(0.1)
                await refresh()
    except TimeoutError:
        raise VerifyError(ExitCode.UNREACHABLE, f"after {STAGES_SECONDS:g} s: {missing}") from None
    return state


async def _compare(
    client: httpx.AsyncClient, kept: KeptChanges, config: Config, definitions: Definitions | None, *, is_whole: bool
) -> tuple[list[FoundDifference], str]:
    """Give what differs, and the instant of the last answer compared."""
    served = {window: await fetch(client, {"window": window}) for window in WINDOWS}
    lists = await fetch_lists(client) if is_whole else None
    waiting, as_of = await fetch_waiting(client)
    asked = [of.of(window) for window, of in served.items()]
    # Off the loop: a recount of a large log takes seconds, and the connection to Kafka must live on.
    rows, clocks, recounted = await asyncio.to_thread(
        recount_in_pieces, kept, config, asked, parse_instant(as_of), definitions,
        lists_at=None if lists is None else lists.goals_at,
    )  # fmt: skip
    found = [
        FoundDifference(window, difference)
        for (window, of), expected in zip(served.items(), rows, strict=True)
        for difference in differences(expected, of.rows)
    ]
    if recounted is not None and lists is not None:
        expected_values = await asyncio.to_thread(recounted.values, lists)
        for name, values in served_values(lists).items():
            found += [
                FoundDifference(name, difference) for difference in list_differences(expected_values[name], values)
            ]
    expected_leads = _expected_waiting(clocks)
    # A lead waits for ever, but the log that told of it does not last.
    for lead in sorted(expected_leads.keys() | waiting.keys()):
        if lead not in expected_leads and parse_instant(waiting[lead][1]) < kept.oldest_at:
            continue
        if expected_leads.get(lead) != waiting.get(lead):
            what = What("lead", lead, "clock")
            found.append(FoundDifference(LEADS, ValueDifference(what, expected_leads.get(lead), waiting.get(lead))))
    return found, as_of


@dataclass(frozen=True, slots=True)
class ServedRows:
    """All rows of a window, and the instants that the answers name."""

    rows: Rows
    reps_at: int
    teams_at: dict[str, int]
    organisation_at: int

    @property
    def latest(self) -> int:
        """The last of them."""
        return max(self.organisation_at, self.reps_at, *self.teams_at.values())

    def of(self, window: RecountedWindow) -> ServedWindow:
        """What has to be recounted to compare them."""
        return ServedWindow(window, self.organisation_at, self.reps_at, self.teams_at)


async def fetch(client: httpx.AsyncClient, window: Mapping[str, str]) -> ServedRows:
    """Ask for all rows of a window, which is named by the parameters of REST. Raises VerifyError."""
    reps = await _get(client, "/v1/reps/metrics", **window)
    teams = {
        row["team"]: await _get(client, f"/v1/teams/{_segment(row['team'])}/metrics", **window)
        for row in (await _get(client, "/v1/teams"))["rows"]
    }
    organisation = await _get(client, "/v1/organisation/metrics", **window)
    funnels = [row["name"] for row in (await _get(client, "/v1/metrics"))["rows"] if row["type"] == "funnel"]
    rows: dict[str, Any] = {
        "organisation": {**_values(organisation), "funnels": await _funnels(client, funnels, window)},
        "teams": {
            team: {**_values(row), "funnels": await _funnels(client, funnels, {**window, "team": team})}
            for team, row in teams.items()
        },
        "reps": {row["rep"]: _values(row) for row in reps["rows"]},
    }
    return ServedRows(
        cast(Rows, rows),
        parse_instant(reps["as_of"]),
        {team: parse_instant(row["as_of"]) for team, row in teams.items()},
        parse_instant(organisation["as_of"]),
    )


async def _funnels(client: httpx.AsyncClient, names: Iterable[str], asked: Mapping[str, str]) -> dict[str, Any]:
    """All steps of these funnels, of each pipeline."""
    found: dict[str, Any] = {}
    for name in names:
        first = await _get(client, f"/v1/funnels/{name}", **asked)
        for pipeline in first["pipelines"]:
            chosen = {} if pipeline is None else {"pipeline": pipeline}
            answer = await _get(client, f"/v1/funnels/{name}", **asked, **chosen)
            found |= flat(name, pipeline, answer, parse_instant(answer["as_of"]))
    return found


def _segment(name: str) -> str:
    """A part of a path, whatever is in it: `..` alone would be taken for a way up."""
    return quote(name, safe="").replace(".", "%2E")


def _values(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"metrics": row["metrics"], "bounds": row["bounds"]}


async def fetch_lists(client: httpx.AsyncClient) -> ServedLists:
    """Ask for all goals, open deals and open leads. Raises VerifyError."""
    goals, goals_at = await _fetch_pages(client, "/v1/goals", count=PERIODS)
    deals, deals_at = await _fetch_pages(client, "/v1/deals/open")
    leads, leads_at = await _fetch_pages(client, "/v1/leads/open")
    return ServedLists(goals, deals, leads, *map(parse_instant, (goals_at, deals_at, leads_at)))


async def _fetch_pages(client: httpx.AsyncClient, path: str, **asked: Any) -> tuple[list[dict[str, Any]], str]:
    """All rows, and as of when the first page was answered."""
    found: list[dict[str, Any]] = []
    answer = await _get(client, path, limit=PAGE, **asked)
    as_of: str = answer["as_of"]
    while True:
        found += answer["rows"]
        if answer["next"] is None:
            return found, as_of
        answer = await _get(client, path, limit=PAGE, cursor=answer["next"], **asked)


async def fetch_waiting(client: httpx.AsyncClient) -> tuple[dict[str, tuple[Any, ...]], str]:
    """Ask for every lead that waits, and as of when. Raises VerifyError."""
    found: dict[str, tuple[Any, ...]] = {}
    cursor: dict[str, str] = {}
    while True:
        answer = await _get(client, "/v1/leads/waiting", limit=PAGE, **cursor)
        for lead in answer["rows"]:
            found[lead["lead"]] = (lead["rep"], lead["started_at"], lead["due_at"], lead["state"])
        if answer["next"] is None:
            return found, answer["as_of"]
        cursor = {"cursor": answer["next"]}


def _expected_waiting(clocks: Mapping[str, LeadClock]) -> dict[str, tuple[Any, ...]]:
    return {
        lead: (
            clock["rep"],
            format_instant(clock["started_at"]),
            format_instant(clock["due_at"]),
            clock["state"],
        )
        for lead, clock in clocks.items()
        if clock["waiting"] and clock["state"] is not None
    }


async def _get(client: httpx.AsyncClient, path: str, **parameters: Any) -> dict[str, Any]:
    answer = await client.get(path, params=parameters)
    _check(answer)
    payload: dict[str, Any] = answer.json()
    return payload


def _check(answer: httpx.Response) -> None:
    if answer.status_code in {401, 403}:
        raise VerifyError(
            ExitCode.WRONG_USE,
            "the api wants a key of scope read without a team: set FLOORCAST_API_KEY (floorcast keys create)",
        )
    if answer.is_error:
        raise VerifyError(ExitCode.UNREACHABLE, f"{answer.request.url.path} answered {answer.status_code}")


@contextmanager
def _progress_bar() -> Iterator[TellCount]:
    with ProgressBar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("recounting", total=None)

        def say(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)
            if done >= total:
                bar.stop()

        yield say


def checked_url(url: str | None, key: str | None) -> str:
    """Give the address, if it and the key can be sent. Raises VerifyError."""
    if url is None:
        raise VerifyError(ExitCode.WRONG_USE, "no floorcast up runs there: name the address of the api with --url")
    if not url.startswith(("http://", "https://")):
        raise VerifyError(ExitCode.WRONG_USE, "--url: must begin with http:// or https://")
    if key is not None and not (key.isascii() and key.isprintable()):
        raise VerifyError(ExitCode.WRONG_USE, "FLOORCAST_API_KEY: is not a key such as floorcast keys create gives")
    return url


IMPOSSIBLE = (VerifyError, MissingTopicError, KafkaError, httpx.HTTPError, httpx.InvalidURL, OSError)
"""What a comparison may end with, beside what it finds."""


async def why_impossible(error: BaseException, target: Instance) -> str:
    """One of `IMPOSSIBLE`, in words."""
    match error:
        case VerifyError() | MissingTopicError():
            return str(error)
        case httpx.InvalidURL():
            return f"--url: {error}"
        case httpx.HTTPError():
            return f"the api at {target.url} does not answer: {type(error).__name__}"
    return await what_failed(target.broker, error)
