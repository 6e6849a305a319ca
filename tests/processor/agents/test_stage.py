"""What a shard tells of itself: progress is never ahead of what is done."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn, Self, cast

import pytest
from structlog.testing import capture_logs

from processor.agents.ledger import LedgerShard
from processor.agents.normalise import NormaliseShard
from processor.agents.responses import ResponsesShard
from processor.agents.stage import Deployment
from processor.agents.watermark import Watermark
from processor.core.apis_heard import ApisHeard
from processor.core.definitions import definitions_of
from processor.transport.fetched import Fetched
from processor.transport.log_watch import LogWatch
from processor.transport.outgoing import Outgoing
from schemas.connectors.base import MAX_EVENTS
from schemas.connectors.generic import Generic
from schemas.dead_letters import DeadLetter
from schemas.definitions import ROWS
from schemas.deliveries import Delivery, encode_delivery
from schemas.exit_codes import ExitCode
from schemas.frames import QUIET, Engagement, change_frames, engagement_frames
from schemas.instants import DAY, SECOND
from schemas.progress import BETWEEN, Progress, decode_progress, encode_progress, progress_key
from schemas.records import fold_all
from schemas.requests import MOST_IN_A_FRAME, request_headers
from schemas.spoken_definitions import definitions_headers
from schemas.topics import DEAD_LETTERS, FENCE, PANES, PROGRESS
from schemas.tracing import Headers
from tests.builders import change, instant, make_config

CONFIG = make_config(retention={"minutes": "25h", "records": "30d"})
START = instant("2026-03-18T12:00:00Z")
PLACE = Deployment("nowhere:1", "test.", 1, 1, 1, definitions_of(CONFIG), "digest", {}, Outgoing("nowhere:1"))
PROGRESS_TOPIC = PLACE.topic(PROGRESS)
LEDGER_PROGRESS = progress_key("ledger", 0)


@dataclass
class Record:
    offset: int
    value: bytes
    topic: str = "record-changes"
    partition: int = 0
    timestamp: int = 0
    key: bytes | None = None
    headers: Headers = ()


class Settled(Watermark):
    """A watermark at which all is known."""

    def __init__(self) -> None:
        self.settled_at = START

    def begin(self) -> None:
        """It is there."""

    async def end(self) -> None:
        """Nothing runs."""


class KilledError(Exception):
    """The process ended."""


class Topics:
    """In place of an owner: keeps what is written, until the process is killed."""

    def __init__(self) -> None:
        self.progress: list[Progress] = []
        self.sent: Counter[str] = Counter()
        """Messages, by topic."""
        self.writes = 0
        self.writes_left = 1_000
        self.written: dict[str, int] = {}
        self.quietly: list[str] = []
        """Topics of messages that say that no webhook caused them."""

    async def send(
        self,
        messages: Mapping[str, Sequence[Any]],
        *,
        timestamp_ms: int | None = None,
        headers: Mapping[str, Headers] | None = None,
    ) -> None:
        self.quietly += [topic for topic in messages if (headers or {}).get(topic)]
        await self.send_to({(topic, 0): some for topic, some in messages.items()})

    async def send_to(self, messages: Mapping[tuple[str, int], Sequence[Any]]) -> None:
        if self.writes_left == 0:
            raise KilledError
        self.writes_left -= 1
        self.writes += 1
        for (topic, _), some in messages.items():
            self.sent[topic] += len(some)
            if topic == PROGRESS_TOPIC:
                self.progress += [decode_progress(value) for key, value in some if key == LEDGER_PROGRESS]

    async def acquire(self) -> dict[str, int]:
        return {PLACE.topic(topic): 1 for topic in (*LedgerShard.owned, PROGRESS)}

    async def close(self) -> None:
        """Nothing is open."""


class ProgressOf:
    """In place of a reader of `progress`: of one stage, and a fence."""

    rows = ROWS

    def __init__(self, _bootstrap: object, topic: str) -> None:
        assert topic == PROGRESS_TOPIC

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing runs."""

    async def ends(self) -> Mapping[int, int]:
        return {0: 2}

    async def read_to(self, ends: Mapping[int, int], apply: Callable[[int, list[Any]], None]) -> None:
        assert ends == {0: 2}
        apply(0, [Record(0, b"", key=FENCE), Record(1, encode_progress(Progress(7, rows=self.rows)))])


@pytest.fixture(autouse=True)
def progress_is_asked_of_no_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a frame that is none."""
    monkeypatch.setattr("processor.transport.following.Follower", ProgressOf)


def shard_on(topics: Topics, monkeypatch: pytest.MonkeyPatch) -> LedgerShard:
    shard = LedgerShard(0, PLACE)
    monkeypatch.setattr(shard, "owner", topics)
    if topics.progress:
        # By way of bytes, as the next owner reads it.
        shard.progress = decode_progress(encode_progress(topics.progress[-1]))
        shard.ledger.cutoff.restore(shard.progress.kept_from)
    shard.resume(shard.progress.offset)
    return shard


def batches() -> list[Fetched]:
    """Two over a change of the day on which the oldest thing that is kept happened, and one that is no frame."""
    calls = [
        change("call", f"c{number}", at, rep="ana", direction="outbound", dialed_at=at)
        for number, at in enumerate((START, START + DAY, START + DAY + 1, START + 2 * DAY))
    ]
    frames = [*change_frames(calls[:3]), b"no frame", *change_frames(calls[3:])]
    return [Record(offset, frame) for offset, frame in enumerate(frames)]


async def count_all(monkeypatch: pytest.MonkeyPatch, killed_after: int | None) -> Mapping[str, int]:
    topics, records = Topics(), batches()
    shard = shard_on(topics, monkeypatch)
    if killed_after is not None:
        topics.writes_left = killed_after
        try:
            await shard.process(records)
            await shard.suspend()
        except KilledError:
            await shard.close()
            shard = shard_on(topics, monkeypatch)
        topics.writes_left = 1_000
    # Kafka delivers again what was not committed, which is what the first life did not get to.
    await shard.process(records)
    await shard.suspend()
    await shard.close()
    return topics.progress[-1].counters


async def test_a_lead_beyond_those_that_a_frame_names_has_no_request_rather_than_an_older_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    leads = [f"lead|{number}" for number in range(MOST_IN_A_FRAME + 2)]
    headers = request_headers((lead, "new") for lead in leads)
    beyond = {f"lead|{MOST_IN_A_FRAME}": "", f"lead|{MOST_IN_A_FRAME + 1}": ""}
    (changes,) = change_frames([change("lead", lead.partition("|")[2], START, rep="ana") for lead in leads])
    ledger = LedgerShard(0, PLACE)
    monkeypatch.setattr(ledger, "parts", lambda _: [])
    await ledger.process([Record(0, changes, headers=headers)])
    assert ledger._requests == dict.fromkeys(leads[:MOST_IN_A_FRAME], "new") | beyond

    row = fold_all("lead", [change("lead", "0", START)]).encode()
    engaged = [Engagement(f"lead:{lead.partition('|')[2]}", lead, row) for lead in leads]
    (frame,) = engagement_frames(engaged, START, START)
    responses = ResponsesShard(0, PLACE, alerts=CONFIG.alerts, watermark=Settled())
    monkeypatch.setattr(responses, "parts", lambda _: [])
    for lead in ("0", str(MOST_IN_A_FRAME), "another"):
        responses.book.requests.note(lead, "old")
    await responses.process([Record(0, frame, headers=headers)])

    told = {lead: responses.book.requests.of(lead) for lead in ("0", str(MOST_IN_A_FRAME), "another")}
    assert told == {"0": "new", str(MOST_IN_A_FRAME): "", "another": "old"}


@pytest.mark.parametrize("killed_after", range(12))
async def test_a_batch_that_is_repeated_after_a_crash_is_counted_once(
    monkeypatch: pytest.MonkeyPatch, killed_after: int
) -> None:
    expected = await count_all(monkeypatch, None)
    assert expected == {"events": 4, "dead..unreadable": 1}

    assert await count_all(monkeypatch, killed_after) == expected


@pytest.mark.parametrize(("key", "said"), [(None, []), (QUIET, [PLACE.topic(PANES)])])
async def test_panes_say_whether_no_webhook_has_changed_them(
    monkeypatch: pytest.MonkeyPatch, key: bytes | None, said: list[str]
) -> None:
    topics = Topics()
    shard = shard_on(topics, monkeypatch)
    (frame,) = change_frames([change("call", "c", START, rep="ana", direction="outbound", dialed_at=START)])

    await shard.process([Record(0, frame, key=key)])
    await shard.close()

    assert topics.quietly == said


async def test_the_cutoff_is_told_before_anything_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    topics = Topics()
    shard = shard_on(topics, monkeypatch)
    topics.writes_left = 2
    with pytest.raises(KilledError):
        await shard.process(batches())

    assert topics.progress[-1].kept_from > 0
    assert topics.progress[-1].offset == 0
    await asyncio.sleep(0)
    await shard.close()


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (lambda _: b"{}", [MAX_EVENTS]),
        (lambda number: b'{"record":"call","id":%d,"changed_at":%d}' % (number, number), [MAX_EVENTS]),
        (lambda number: (b"{}", b"5", b'{"record":"call"}')[number % 3], [5_462, 5_461, 5_461]),
    ],
    ids=["empty", "without an instant", "mixed"],
)
async def test_a_post_of_nothing_but_junk_is_one_write_and_a_few_lines(
    monkeypatch: pytest.MonkeyPatch, event: Callable[[int], bytes], told: list[int]
) -> None:
    deployment = replace(PLACE, connectors={"feed": Generic(keys=[])})
    topics, shard = Topics(), NormaliseShard(0, deployment)
    monkeypatch.setattr(shard, "owner", topics)
    shard.resume(0)
    body = b"[" + b",".join(map(event, range(MAX_EVENTS))) + b"]"
    raw = encode_delivery(Delivery("feed", START, {"content-type": "application/json"}, body))

    with capture_logs() as lines:
        await shard.process([Record(0, raw, topic="deliveries")])

    assert topics.sent[PLACE.topic(DEAD_LETTERS)] == MAX_EVENTS
    assert topics.writes == 1
    assert sorted((line["events"] for line in lines), reverse=True) == told
    assert all(line["delivery"] for line in lines)
    await shard.suspend()
    await shard.close()


async def test_a_worker_says_once_that_apis_go_by_other_files_whichever_partitions_tell_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deployment = replace(PLACE, connectors={"feed": Generic(keys=[])}, apis=ApisHeard())
    shards = [NormaliseShard(partition, deployment) for partition in range(2)]
    raw = encode_delivery(Delivery("feed", START, {"content-type": "application/json"}, b"[]"))
    deployed = replace(deployment, digest="0a")
    now = START + SECOND

    async def told(*said: tuple[Headers, int]) -> list[str]:
        with capture_logs() as lines:
            for shard in shards:
                monkeypatch.setattr(shard, "owner", Topics())
                monkeypatch.setattr(shard, "deployment", deployed)
                shard.resume(0)
                records: list[Fetched] = [
                    Record(number, raw, topic="deliveries", timestamp=at // 1000, headers=headers)
                    for number, (headers, at) in enumerate(said)
                ]
                await shard.process(records)
                await shard.tick(now)
        return [line["why"] for line in lines if line["event"] == "definitions.differ"]

    assert await told((definitions_headers("0a"), START), ((), START)) == []
    assert await told((definitions_headers("0b"), START - DAY)) == []  # a backlog
    (why,) = await told(((), START), (definitions_headers("0b"), START))
    assert why.startswith("apis go by definitions 0b and the files of this worker say 0a: give both the same")
    assert await told((definitions_headers("0b"), now)) == []
    for shard in shards:
        await shard.suspend()
        await shard.close()


async def test_of_very_many_kinds_of_problems_a_few_are_named_and_the_rest_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    topics = Topics()
    shard = shard_on(topics, monkeypatch)
    letters = [
        DeadLetter("feed", "bad_field", f"fields.f{number}: is wrong", 0, 7, number, START, request=f"r-{number}")
        for number in range(99)
    ]

    with capture_logs() as lines:
        await shard.dead_letter(letters)

    assert len(lines) == 11
    assert [line["events"] for line in lines] == [1] * 10 + [89]
    assert [line["request"] for line in lines[:-1]] == [f"r-{number}" for number in range(10)]
    assert lines[-1]["problems"] == 89
    await shard.close()


async def test_a_worker_writes_nothing_over_rows_of_a_newer_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it does not know it would take for damage, and let go."""
    topics, ends = Topics(), []
    shard = LedgerShard(0, PLACE)
    monkeypatch.setattr(shard, "owner", topics)

    def die(code: int, why: str) -> NoReturn:
        ends.append((code, why))
        raise KilledError

    monkeypatch.setattr("processor.agents.newer_rows.die", die)
    with pytest.raises(KilledError):
        await shard._go_on_with(encode_progress(Progress(7, rows=ROWS + 1)))

    ((code, why),) = ends
    assert code == ExitCode.WRONG_USE
    assert f"newer version (form {ROWS + 1} of rows, this one knows {ROWS})" in why
    assert topics.writes == 0


@pytest.mark.parametrize("stage", ["ledger", "responses"])
@pytest.mark.parametrize("newest", [ROWS, ROWS + 1])
async def test_what_a_newer_version_hands_on_is_not_let_go_for_damage(
    monkeypatch: pytest.MonkeyPatch, stage: str, newest: int
) -> None:
    """Two versions run side by side: the older worker cannot read what the newer one has written, and ends."""
    topics, ends = Topics(), []
    shard = (
        LedgerShard(0, PLACE)
        if stage == "ledger"
        else ResponsesShard(0, PLACE, alerts=CONFIG.alerts, watermark=Settled())
    )
    monkeypatch.setattr(shard, "owner", topics)
    monkeypatch.setattr(ProgressOf, "rows", newest)

    def die(code: int, why: str) -> NoReturn:
        ends.append((code, why))
        raise KilledError

    monkeypatch.setattr("processor.agents.newer_rows.die", die)
    if newest == ROWS:
        await shard.process([Record(0, b"no frame")])
        assert topics.sent[DEAD_LETTERS.full_name("test.", 1)] == 1
        assert not ends
    else:
        with pytest.raises(KilledError):
            await shard.process([Record(0, b"no frame")])
        assert topics.writes == 0
        ((code, why),) = ends
        assert code == ExitCode.WRONG_USE
        assert f"newer version runs (form {ROWS + 1} of rows" in why
    await shard.close()


async def test_the_form_of_rows_is_told_before_the_first_of_them_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """An older worker that finds what one has left that was killed then must not touch it."""
    topics = Topics()
    shard = LedgerShard(0, PLACE)
    monkeypatch.setattr(shard, "owner", topics)

    await shard._go_on_with(encode_progress(Progress(7, definitions="digest", rows=ROWS - 1)))
    assert topics.progress == [Progress(7, definitions="digest", rows=ROWS)]
    await shard._go_on_with(encode_progress(topics.progress[-1]))
    assert topics.writes == 1


async def test_a_worker_that_derives_by_other_definitions_says_so_before_it_writes_any_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    topics = Topics()
    topics.progress = [Progress(7, definitions="others", counters={"events": 3})]

    class Held:
        def __len__(self) -> int:
            return 1

        def fold_into(self, table: dict[bytes, bytes], _prefix: bytes) -> None:
            table[LEDGER_PROGRESS] = encode_progress(topics.progress[-1])

    async def read_to(_bootstrap: object, _ends: object, apply: Callable[..., None], **_options: object) -> None:
        apply(PROGRESS_TOPIC, 0, Held())

    monkeypatch.setattr("processor.agents.restoring.read_to", read_to)

    async def loaded(*, is_killed: bool) -> LedgerShard:
        shard = LedgerShard(0, PLACE)
        monkeypatch.setattr(shard, "owner", topics)
        if is_killed:
            monkeypatch.setattr(shard, "write", killed)
            with pytest.raises(KilledError):
                await shard.load()
        else:
            await shard.load()
            shard.resume(7)
            await shard.suspend()
        return shard

    async def killed(_messages: object) -> None:
        raise KilledError

    await loaded(is_killed=True)
    assert topics.progress[-1] == Progress(7, definitions=BETWEEN, counters={"events": 3}, rows=ROWS)
    await loaded(is_killed=True)
    assert (await loaded(is_killed=False)).derived_by == BETWEEN
    assert topics.progress[-1] == Progress(7, definitions="digest", counters={"events": 3}, rows=ROWS)
    told = len(topics.progress)
    await loaded(is_killed=False)
    assert [progress.definitions for progress in topics.progress[told:]] == ["digest"]


@pytest.mark.parametrize("committed", [0, 5])
async def test_what_was_committed_without_progress_is_refused_once_a_shard_begins_and_not_when_it_is_kept(
    monkeypatch: pytest.MonkeyPatch, committed: int
) -> None:
    """Whoever begins on a new floor finds no progress; what is committed after that is its own."""

    class Watch:
        async def begin(self, _followed: object, _left: object) -> None:
            """Nothing contradicts."""

        def refuse(self, why: str) -> None:
            raise KilledError(why)

        def leave(self, _followed: object) -> None:
            """Nothing is watched."""

    async def read_to(*_args: object, **_options: object) -> None:
        """Nothing is there yet."""

    monkeypatch.setattr("processor.agents.restoring.read_to", read_to)
    shard = LedgerShard(0, replace(PLACE, watch=cast(LogWatch, Watch())))
    topics = Topics()
    monkeypatch.setattr(shard, "owner", topics)
    await shard.load()

    if committed:
        with pytest.raises(KilledError, match=r"was read up to 5, of which test\.g1\.progress knows nothing"):
            shard.resume(committed)
    else:
        shard.resume(0)
        shard.resume(39)  # kept over a rebalance, after 39 of its own

        assert shard.progress.offset == 39
    await shard.close()
