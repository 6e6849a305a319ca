"""When an api says by which definitions it goes."""

import asyncio
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from api.write.own_definitions import EVERY_SECONDS, FileDefinitions, SpokenDefinitions
from schemas.config import load_config
from schemas.definitions import definitions_digest
from schemas.deliveries import Delivery, decode_delivery
from schemas.spoken_definitions import DEFINITIONS, definitions_said
from tests.api.write.producers import FakeProducer, is_connected, running, until

FILE = """\
organisation: {{name: Acme, timezone: Europe/Berlin, currency: {currency}}}
connections: {{feed: {{kind: generic, secrets: [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw]}}}}
"""


@given(st.lists(st.tuples(st.floats(0, 50), st.sampled_from(["a1", "b2"])), max_size=50))
def test_it_is_said_at_first_once_a_minute_and_when_it_changes(taken: list[tuple[float, str]]) -> None:
    ours, now = "", 1e6
    spoken = SpokenDefinitions(lambda: ours)
    last: tuple[float, str] | None = None
    for pause, ours in taken:
        now += pause
        said = definitions_said(spoken.headers(now))
        is_due = last is None or ours != last[1] or now >= last[0] + EVERY_SECONDS
        assert said == (ours if is_due else None)
        if is_due:
            last = now, ours


async def test_a_delivery_carries_it_beside_what_is_stored(tmp_path: Path) -> None:
    producer, ours = FakeProducer(is_prompt=True), ["a1"]
    async with running(tmp_path, [producer], definitions=lambda: ours[0]) as ingest:
        await until(lambda: is_connected(ingest))
        delivery = Delivery("feed", 1, {"content-type": "application/json"}, b"{}")
        await ingest.accept(delivery)
        await ingest.accept(delivery)
        ours[0] = "b2"
        await ingest.accept(delivery)

    assert producer.headers == [[(DEFINITIONS, b"a1")], [], [(DEFINITIONS, b"b2")]]
    assert [decode_delivery(message) for _, values, _ in producer.sent for message in values] == [delivery] * 3


async def test_an_api_that_serves_nothing_reads_the_files_when_it_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "floorcast.yaml"
    path.write_text(FILE.format(currency="USD"))
    files = FileDefinitions(path, load_config(path, {}))
    first = files.definitions
    files.ask_reload()  # nobody runs yet
    await files.start()

    path.write_text(FILE.format(currency="EUR"))
    assert files.definitions == first
    files.ask_reload()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    second = definitions_digest(load_config(path, {}))
    assert files.definitions == second != first

    path.write_text("nonsense: 1\n")
    files.ask_reload()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert files.definitions == second
    await files.stop()
