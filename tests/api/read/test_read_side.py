"""The task that tells clients, and what is counted of answered leads."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from api.app import build_read_side
from api.settings import Settings
from schemas.config import parse_config
from schemas.generations import Served, first_generation
from tests.api.reading import Floor
from tests.builders import change

_PATIENCE_SECONDS = 30.0


@pytest.fixture
def floor(tmp_path: Path) -> Floor:
    return Floor(tmp_path)


async def test_telling_ends_also_when_a_change_comes_at_that_moment(floor: Floor) -> None:
    task = asyncio.create_task(floor.read_side._tell())
    for _ in range(3):
        await asyncio.sleep(0)
    floor.read_side._moved.set()
    task.cancel()

    done, _ = await asyncio.wait({task}, timeout=_PATIENCE_SECONDS)

    assert done == {task}


async def test_nothing_is_told_of_a_view_that_is_not_whole(floor: Floor) -> None:
    floor.read_side.broadcaster.pin(("today",), floor.now)
    floor.read_side.consumer.is_loaded = False
    task = asyncio.create_task(floor.read_side._tell())
    floor.take(change("call", "c1", rep="r1", direction="outbound", dialed_at="2026-03-18T15:00Z"))
    floor.read_side._on_change()
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task}, timeout=_PATIENCE_SECONDS)

    assert floor.view.changes.panes


async def test_while_a_replay_is_taken_over_nobody_is_told_to_begin_another(floor: Floor) -> None:
    contradicted = ["topic deliveries has 3 partitions and not 1: floorcast replay --partitions 3 takes them in"]
    check: Any = SimpleNamespace(problems=lambda: contradicted)
    side = floor.read_side
    side.log_check = check
    side.consumer.served = first_generation(1)
    assert side.problems()[-1:] == contradicted

    side._wanted = Served(2, 3, 3)
    side._loading = asyncio.create_task(asyncio.sleep(_PATIENCE_SECONDS))

    assert side.problems()[-1:] == ["generation 2 is read: Kafka's topics are not those of what is served now"]
    side._loading.cancel()
    await asyncio.wait({side._loading})
    assert side.problems()[-1:] == contradicted


def test_answers_known_at_the_start_and_later_ones_are_counted_once_each(floor: Floor) -> None:
    def answered(lead: str) -> None:
        floor.take(
            change("lead", lead, rep="r1", received_at="2026-03-18T14:00Z"),
            change("call", f"c-{lead}", rep="r1", direction="outbound", dialed_at="2026-03-18T14:10Z", lead=lead),
        )

    answered("l1")
    floor.view.take_changes()  # as while the view loads
    floor.read_side._on_change()
    answered("l2")
    floor.read_side._on_change()
    floor.read_side._on_change()

    assert {team: held.count for team, held in floor.read_side._responses.teams.items()} == {"north": 2}


def test_a_reload_says_what_waits_for_the_next_start(tmp_path: Path) -> None:
    """Secrets of connections are read once: who changes one is not to believe that it holds."""
    path = tmp_path / "floorcast.yaml"
    config = (
        'organisation: {name: A, timezone: UTC, currency: EUR}\nconnections: {f: {kind: generic, secrets: ["%s"]}}\n'
    )
    text = config % "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    path.write_text(text)
    read_side = build_read_side(
        Settings(data=tmp_path, config=path), parse_config(text, {}), CollectorRegistry(), clock=lambda: 0
    )

    with capture_logs() as unchanged:
        read_side._reload()
    path.write_text(config % "whsec_enp6enp6enp6enp6enp6enp6enp6enp6" + "cors: [https://wiki.example.com]\n")
    with capture_logs() as said:
        read_side._reload()

    assert not [line for line in unchanged if line["event"] == "reload.later"]
    (told,) = [line for line in said if line["event"] == "reload.later"]
    assert told["settings"] == ["connections", "cors"]
    assert "enp6" not in str(said)
