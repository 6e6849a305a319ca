"""A backup is whole or refused, and a restore adds what is not there and nothing else."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from typer.testing import CliRunner

from deploy import backups
from deploy.cli import app
from processor.transport.administration import ensure_topics
from processor.transport.fetched import Fetched
from processor.transport.following import Follower
from schemas.deliveries import Delivery, encode_delivery
from schemas.exit_codes import ExitCode
from schemas.instants import DAY
from schemas.topics import ACCESS, DELIVERIES, FENCE

NOW = 1_773_850_890_344_000
Message = tuple[int, int, bytes | None, bytes | None]


def quiet(_step: str, _done: int, _total: int) -> None:
    """Nobody looks."""


async def made(kafka: str, prefix: str, partitions: int) -> None:
    await ensure_topics(kafka, prefix=prefix, generation=1, partitions=partitions, records_kept=400 * DAY)


async def put(kafka: str, topic: str, *messages: Message) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    for partition, at, key, value in messages:
        await producer.send_and_wait(topic, value, key=key, partition=partition, timestamp_ms=at)
    await producer.stop()


async def found(kafka: str, topic: str) -> list[Message]:
    held: list[Message] = []

    def apply(partition: int, records: list[Fetched]) -> None:
        held.extend((partition, record.timestamp, record.key, record.value) for record in records)

    async with Follower(kafka, topic) as follower:
        await follower.read_to(await follower.ends(), apply)
    return sorted(held, key=lambda message: (message[0], message[1]))


def delivery(number: int) -> bytes:
    return encode_delivery(Delivery("feed", NOW + number, {}, b"%d" % number))


@pytest.mark.kafka
async def test_a_restore_adds_what_is_not_there(kafka: str, prefix: str, tmp_path: Path) -> None:
    file, there = tmp_path / "a.backup", f"{prefix}there."
    log, access = DELIVERIES.full_name(prefix), ACCESS.full_name(prefix)
    await made(kafka, prefix, 2)
    await made(kafka, there, 1)
    await put(kafka, log, *((number % 2, 1_000 + number, None, delivery(number)) for number in range(6)))
    await put(kafka, access, (0, 1, b"key|a", b"old"), (0, 2, b"key|b", b"kept"), (0, 3, FENCE, b""))
    await put(kafka, ACCESS.full_name(there), (0, 9, b"key|a", b"newer"))
    await put(kafka, DELIVERIES.full_name(there), (0, 1_002, None, delivery(2)))

    saved = await backups.save(kafka, prefix, file, say=quiet)
    added = await backups.restore(kafka, there, file, say=quiet)
    again = await backups.restore(kafka, there, file, say=quiet)

    assert (saved[DELIVERIES.name], saved[ACCESS.name]) == (6, 2)
    assert (added[DELIVERIES.name], added[ACCESS.name]) == (5, 1)
    assert set(again.values()) == {0}
    restored = await found(kafka, DELIVERIES.full_name(there))
    assert restored == [(0, 1_000 + number, None, delivery(number)) for number in range(6)]
    access_there = [(key, value) for _, _, key, value in await found(kafka, ACCESS.full_name(there))]
    assert sorted(access_there, key=str) == [(b"key|a", b"newer"), (b"key|b", b"kept")]


@pytest.mark.kafka
async def test_a_file_that_is_not_whole_is_refused_and_nothing_of_it_is_used(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    file, there = tmp_path / "a.backup", f"{prefix}there."
    await made(kafka, prefix, 1)
    await made(kafka, there, 1)
    await put(
        kafka, DELIVERIES.full_name(prefix), *((0, number, None, delivery(number) * 50) for number in range(1, 40))
    )
    await backups.save(kafka, prefix, file, say=quiet)
    whole = file.read_bytes()
    # Behind gzip's own note of a name and a time, which nobody reads.
    flipped = (whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :] for at in range(40, len(whole), 7))

    for broken in (whole[: len(whole) // 2], whole[:-1], b"", b"no backup", *flipped):
        file.write_bytes(broken)
        with pytest.raises(backups.BackupError, match=r"a\.backup is not a"):
            await backups.restore(kafka, there, file, say=quiet)

    assert await found(kafka, DELIVERIES.full_name(there)) == []


@pytest.mark.kafka
def test_commands_say_what_is_missing(kafka: str, prefix: str, tmp_path: Path) -> None:
    (tmp_path / "floorcast.yaml").write_text(
        "organisation: {name: A, timezone: UTC, currency: USD}\n"
        'connections: {feed: {kind: generic, secrets: ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}}\n'
    )
    place = ("--broker", kafka, "--prefix", prefix, "--config", str(tmp_path / "floorcast.yaml"))

    nowhere = CliRunner().invoke(app, ["backup", str(tmp_path / "a.backup"), *place])
    no_file = CliRunner().invoke(app, ["restore", str(tmp_path / "b.backup"), *place])

    assert (nowhere.exit_code, no_file.exit_code) == (ExitCode.DIFFERENCES, ExitCode.WRONG_USE)
    assert f"topic {prefix}deliveries is not there: floorcast topics makes it" in nowhere.output
    assert list(tmp_path.glob("*.backup*")) == []
    asyncio.run(made(kafka, prefix, 1))
    in_no_folder = CliRunner().invoke(app, ["backup", str(tmp_path / "no" / "a.backup"), *place])
    assert in_no_folder.exit_code == ExitCode.WRONG_USE
    assert "No such file or directory" in in_no_folder.output
