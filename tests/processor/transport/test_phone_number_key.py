"""The key that hides telephone numbers, on a real broker: one for all, whoever starts first."""

import asyncio

import pytest

from processor.transport.administration import ensure_topics
from processor.transport.phone_number_key import read_numbers
from schemas.instants import DAY
from schemas.numbers import KEY_SIZE, NONE_KEPT
from tests.builders import make_config
from tests.processor.core.test_matches import CONFIG

pytestmark = pytest.mark.kafka


async def test_all_who_start_at_once_and_later_hide_by_one_key(kafka: str, prefix: str) -> None:
    for mine in (prefix, f"{prefix}other."):
        await ensure_topics(kafka, prefix=mine, generation=1, partitions=1, records_kept=400 * DAY)

    assert await read_numbers(kafka, prefix, make_config()) == NONE_KEPT
    at_once = await asyncio.gather(*(read_numbers(kafka, prefix, CONFIG) for _ in range(4)))
    later = await read_numbers(kafka, prefix, CONFIG)
    elsewhere = await read_numbers(kafka, f"{prefix}other.", CONFIG)

    assert {each.key for each in at_once} == {later.key}
    assert (len(later.key), later.connections) == (KEY_SIZE, {"crm", "air"})
    assert elsewhere.key != later.key
