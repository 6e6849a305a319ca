"""Keys in the topic `access`: every api knows a new or a revoked one in a moment, wherever it was made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api.read.access import AccessReader, are_keys_missing
from api.settings import Settings
from api.write.access_log import KafkaAccessLog
from deploy.cli import app
from processor.transport.administration import ensure_topics
from schemas.devices import AccessBook
from schemas.instants import DAY
from schemas.keys import ApiScope, KeyStore, create_key, list_keys, revoke_key
from tests.integration.waiting import until_true

pytestmark = pytest.mark.kafka
NOW = 1_774_000_000_000_000
SECONDS = 20.0


@asynccontextmanager
async def api_on(
    folder: Path, kafka: str, prefix: str, on_revoked: Callable[[], None] = lambda: None
) -> AsyncIterator[KeyStore]:
    """What an api knows of keys, on a data folder of its own."""
    settings = Settings(broker=kafka, prefix=prefix, data=folder)
    book, log = AccessBook(), KafkaAccessLog(settings.kafka.options(), prefix, timeout=SECONDS)
    store = KeyStore(settings.keys, loopback=True)
    store.shared = book
    reader = AccessReader(settings, book, store, log)
    reader.on_revoked = on_revoked
    await reader.start()
    try:
        yield store
    finally:
        await reader.stop()
        await log.stop()


async def until(found: bool, store: KeyStore, token: str) -> None:
    async def is_so() -> bool:
        return (store.find(token, NOW) is not None) is found

    await until_true(is_so, SECONDS)


async def until_known(store: KeyStore) -> None:
    async def is_known() -> bool:
        return store.is_known

    await until_true(is_known, SECONDS)


async def test_a_key_that_was_made_without_kafka_is_known_to_all_once_an_api_runs(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    await ensure_topics(kafka, prefix=prefix, generation=1, partitions=1, records_kept=DAY)
    assert await are_keys_missing(Settings(broker=kafka, prefix=prefix, data=tmp_path))
    file = tmp_path / "one" / "keys.json"
    token = create_key(file, ApiScope.ADMIN, now=NOW)
    (key,) = list_keys(file)

    told = asyncio.Event()
    other = api_on(tmp_path / "two", kafka, prefix, on_revoked=told.set)
    async with api_on(tmp_path / "one", kafka, prefix) as one, other as two:
        await until_known(one)
        await until(True, two, token)
        assert not two.is_open
        assert not await are_keys_missing(Settings(broker=kafka, prefix=prefix, data=tmp_path))

        told.clear()
        revoke_key(file, key.id)
        assert one.find(token, NOW) is None
        await until(False, two, token)
        assert told.is_set()  # so that what is open with it ends

    # What is still in a folder of before does not come back.
    create_key(tmp_path / "three" / "keys.json", ApiScope.READ, now=NOW)
    async with api_on(tmp_path / "one", kafka, prefix) as again:
        await until_known(again)
        assert again.find(token, NOW) is None


def test_a_key_that_is_made_where_a_kafka_is_named_lies_there_alone(kafka: str, prefix: str, tmp_path: Path) -> None:
    asyncio.run(ensure_topics(kafka, prefix=prefix, generation=1, partitions=1, records_kept=DAY))

    def floorcast(*arguments: str) -> Result:
        flags = ("--broker", kafka, "--prefix", prefix, "--data", str(tmp_path))
        return CliRunner().invoke(app, ["keys", *arguments, *flags])

    made = floorcast("create", "--scope", "read")
    token = made.stdout.strip()
    key_id = token.removeprefix("fc_").partition(".")[0]
    listed = floorcast("list")
    revoked, unknown = floorcast("revoke", key_id), floorcast("revoke", "nothing")
    assert [each.exit_code for each in (made, listed, revoked, unknown)] == [0, 0, 0, 2]
    assert listed.stdout.splitlines()[1].split()[0] == key_id

    async def refused() -> bool:
        async with api_on(tmp_path, kafka, prefix) as store:
            await until_known(store)
            return store.find(token, NOW) is None

    assert asyncio.run(refused())
    assert not (tmp_path / "keys.json").exists()
    assert not any(token in each.stderr for each in (made, listed, revoked, unknown))


async def test_a_fault_of_ours_makes_no_api_deaf_to_keys_that_are_revoked(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    await ensure_topics(kafka, prefix=prefix, generation=1, partitions=1, records_kept=DAY)
    file = tmp_path / "one" / "keys.json"
    token = create_key(file, ApiScope.READ, now=NOW)
    told = 0

    def fail_once() -> None:
        nonlocal told
        told += 1
        if told == 1:
            msg = "nobody thought of this"
            raise LookupError(msg)

    other = api_on(tmp_path / "two", kafka, prefix, fail_once)
    async with api_on(tmp_path / "one", kafka, prefix), other as two:
        await until(True, two, token)
        (key,) = list_keys(file)
        revoke_key(file, key.id)
        await until(False, two, token)
    assert told > 1
