"""The fence, on a real broker: who may write, and what a newer owner can rely on."""

import asyncio
from collections.abc import AsyncIterator
from typing import NoReturn

import pytest

from processor.transport.fail_stop import FAILED, FENCED
from processor.transport.fetched import Stored
from processor.transport.outgoing import Outgoing
from processor.transport.owner import MESSAGE_LIMIT, MessageTooLargeError, Owner
from processor.transport.packing import KeyAndValue
from processor.transport.reading import read_to
from schemas.topics import FENCE
from tests.processor.transport.floor import create_topics, ends_of

pytestmark = pytest.mark.kafka


class DiedError(Exception):
    """The process would have ended."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(f"{code}: {why}")
        self.code = code


def raise_instead(code: int, why: str, *, error: BaseException | None = None) -> NoReturn:
    raise DiedError(code, why) from error


class Shop:
    """Two topics, and the owners that a test makes for partition 1 of them."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self.bootstrap = bootstrap
        self.ledger = f"{prefix}ledger"
        self.panes = f"{prefix}panes"
        self.elsewhere = f"{prefix}engagements"
        self._name = f"{prefix}ledger-1"
        self._owners: list[Owner] = []

    def owner(self) -> Owner:
        owner = Owner(
            outgoing=Outgoing(self.bootstrap),
            name=self._name,
            topics=(self.ledger, self.panes),
            partition=1,
            die=raise_instead,
        )
        self._owners.append(owner)
        return owner

    async def read(self, topic: str, partition: int = 1) -> list[Stored]:
        ends = await ends_of(self.bootstrap, topic, 2)
        found: list[Stored] = []
        place = (topic, partition)
        await read_to(self.bootstrap, {place: ends[place]}, lambda _topic, _partition, records: found.extend(records))
        return found

    async def messages(self, topic: str, partition: int = 1) -> list[KeyAndValue]:
        return [(r.key, r.value) for r in await self.read(topic, partition) if r.key != FENCE]

    async def close(self) -> None:
        for owner in self._owners:
            await owner.close()


@pytest.fixture
async def shop(kafka: str, prefix: str) -> AsyncIterator[Shop]:
    shop = Shop(kafka, prefix)
    await create_topics(kafka, [shop.ledger, shop.panes, shop.elsewhere], partitions=2, configs={})
    yield shop
    await shop.close()


async def test_all_that_an_older_owner_wrote_lies_below_the_fence(shop: Shop) -> None:
    older, newer = shop.owner(), shop.owner()
    await older.acquire()
    await older.send({shop.ledger: [(b"a", b"1"), (b"b", b"2")], shop.panes: [(b"p", b"3")]})

    fences = await newer.acquire()

    assert fences == {shop.ledger: 3, shop.panes: 2}  # each topic has the older fence too
    assert await shop.messages(shop.ledger) == [(b"a", b"1"), (b"b", b"2")]


async def test_an_older_owner_is_refused_from_the_fence_on(shop: Shop) -> None:
    older, newer = shop.owner(), shop.owner()
    await older.acquire()
    await newer.acquire()

    with pytest.raises(DiedError) as died:
        await older.send({shop.panes: [(b"p", b"stale")]})

    assert died.value.code == FENCED
    assert await shop.messages(shop.panes) == []
    await newer.send({shop.panes: [(b"p", b"fresh")]})
    assert await shop.messages(shop.panes) == [(b"p", b"fresh")]


async def test_owners_of_the_same_name_have_the_same_id_and_the_next_epoch(shop: Shop) -> None:
    older, newer = shop.owner(), shop.owner()
    await older.acquire()
    await newer.acquire()

    assert older.identity is not None
    assert newer.identity == (older.identity[0], older.identity[1] + 1)


async def test_a_renewed_owner_goes_on_writing_under_the_next_epoch(shop: Shop) -> None:
    owner = shop.owner()
    await owner.acquire()
    before = owner.identity
    await owner.send({shop.ledger: [(b"a", b"1")]})
    await owner.renew()
    await owner.send({shop.ledger: [(b"a", b"2")]})

    assert before is not None
    assert owner.identity == (before[0], before[1] + 1)
    assert await shop.messages(shop.ledger) == [(b"a", b"1"), (b"a", b"2")]


async def test_an_owner_with_old_memory_cannot_renew_itself_into_the_right(shop: Shop) -> None:
    older, newer = shop.owner(), shop.owner()
    await older.acquire()
    await newer.acquire()
    fences = len(await shop.read(shop.ledger))

    with pytest.raises(DiedError) as died:
        await older.renew()

    assert died.value.code == FENCED
    assert len(await shop.read(shop.ledger)) == fences


async def test_a_proof_is_taken_as_long_as_nobody_else_was_there(shop: Shop) -> None:
    older, newer = shop.owner(), shop.owner()
    await older.acquire()
    acquired_at = older.proved_at
    await older.prove()
    proved_at = older.proved_at
    await newer.acquire()
    await newer.prove()

    with pytest.raises(DiedError) as died:
        await older.prove()

    assert died.value.code == FENCED
    assert 0 < acquired_at < proved_at == older.proved_at < newer.proved_at


async def test_a_closed_owner_writes_no_more(shop: Shop) -> None:
    owner = shop.owner()
    await owner.acquire()
    await owner.close()

    with pytest.raises(DiedError) as died:
        await owner.send({shop.ledger: [(b"a", b"1")]})

    assert died.value.code == FENCED


async def test_many_batches_arrive_whole_and_in_order(shop: Shop) -> None:
    owner = shop.owner()
    await owner.acquire()
    messages: list[KeyAndValue] = [(b"%d" % i, b"x" * 90) for i in range(40_000)]
    await owner.send({shop.ledger: messages, shop.panes: messages})

    assert await shop.messages(shop.ledger) == messages
    assert await shop.messages(shop.panes) == messages


async def test_frames_go_to_any_partition_and_carry_the_given_timestamp(shop: Shop) -> None:
    owner = shop.owner()
    await owner.acquire()
    await owner.send_to(
        {(shop.elsewhere, 0): [(None, b"to 0")], (shop.elsewhere, 1): [(None, b"to 1")], (shop.ledger, 1): []},
        timestamp_ms=1_773_852_090_344,
    )

    (record,) = await shop.read(shop.elsewhere, 0)
    assert (record.key, record.value, record.timestamp) == (None, b"to 0", 1_773_852_090_344)
    assert await shop.messages(shop.elsewhere, 1) == [(None, b"to 1")]


async def test_a_message_of_the_largest_size_passes_among_small_ones(shop: Shop) -> None:
    owner = shop.owner()
    await owner.acquire()
    messages: list[KeyAndValue] = [(b"a", b"1"), (b"b", b"x" * (MESSAGE_LIMIT - 1)), (b"c", None)]
    await owner.send({shop.ledger: messages})

    assert await shop.messages(shop.ledger) == messages


async def test_a_message_above_the_limit_is_named_and_nothing_is_sent(shop: Shop) -> None:
    owner = shop.owner()
    await owner.acquire()

    with pytest.raises(MessageTooLargeError, match=f"{shop.panes}: a message of {MESSAGE_LIMIT + 1} bytes"):
        await owner.send({shop.ledger: [(b"a", b"1")], shop.panes: [(b"b", b"x" * MESSAGE_LIMIT)]})

    assert await shop.messages(shop.ledger) == []


async def test_an_owner_that_does_not_learn_where_its_fence_is_ends_the_process(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It would read nothing back, and take that for all there ever was.
    owner = shop.owner()

    async def forget(batches: list[tuple[tuple[str, int], bytes]]) -> dict[tuple[str, int], int]:
        return {place: -1 for place, _ in batches}

    monkeypatch.setattr(Outgoing, "ship", lambda _self, _sender, batches: asyncio.ensure_future(forget(batches)))
    with pytest.raises(DiedError) as died:
        await owner.acquire()

    assert died.value.code == FAILED
