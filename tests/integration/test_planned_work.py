"""The pages of docs/runbooks on planned work: their commands are run as they stand there.

One `floorcast up` on the run's Kafka serves the module, and it moves to another one under another prefix. What a page
tells people to do by hand (a file to edit, a process to start again) is done here between its commands.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from random import Random

import aiohttp
import pytest
import pytest_asyncio

from deploy.simulator.posting import DeliveryPoster, HttpSender, PostingError, Summary
from schemas.connectors.standard_webhooks import read_key
from schemas.topics import ALERT_ACTIONS, DELIVERIES, LEDGER
from tests.docs.pages import DOCS, blocks_of
from tests.integration.floor_process import FloorProcess
from tests.integration.posted import post_of
from tests.integration.served import Reader
from tests.integration.test_log_truth import (
    call,
    calls,
    configuration,
    delete,
    post,
    readiness,
    until_ready_with,
    until_refused,
)
from tests.integration.waiting import eventually

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="module")]

RUNBOOKS = DOCS / "runbooks"
PAGES = {path.stem for path in RUNBOOKS.glob("*.md") if path.stem[0].islower()}
_FOUND = Path(sys.executable).parent
_SECONDS = 180
_NEW_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"  # noqa: S105
read_pages: set[str] = set()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def moved(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FloorProcess]:
    """Another floor, not started yet: what is a cluster to floorcast is a prefix here."""
    process = FloorProcess(tmp_path_factory.mktemp("moved"), configuration(""), kafka=kafka)
    try:
        yield process
    finally:
        await asyncio.to_thread(process.kill_everything)


class Runbook:
    """The commands of one page, to be run one block after the other."""

    def __init__(self, name: str) -> None:
        self._left = [block.text for block in blocks_of(RUNBOOKS / f"{name}.md") if block.language == "sh"]
        read_pages.add(name)

    async def run(self, floor: FloorProcess, kafka: str, **more: str) -> str:
        """The next block, with the settings of this floor; what it said."""
        process = await asyncio.create_subprocess_exec(
            "bash", "-euo", "pipefail", "-c", self._left.pop(0),
            cwd=floor.folder, env={**settings(floor, kafka), **more},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        async with asyncio.timeout(_SECONDS):
            said, _ = await process.communicate()
        assert process.returncode == 0, said.decode()
        return said.decode()

    @property
    def is_done(self) -> bool:
        return not self._left


def settings(floor: FloorProcess, kafka: str) -> Mapping[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("FLOORCAST_")}
    return ours | {
        "PATH": f"{_FOUND}:{ours['PATH']}",
        "FLOORCAST_BROKER": kafka,
        "FLOORCAST_PREFIX": floor.prefix,
        "FLOORCAST_CONFIG": str(floor.config_file),
        "FLOORCAST_DATA": str(floor.data),
    }


async def restart(floor: FloorProcess, name: str) -> None:
    """As a supervisor does it: ask it to end, and have another one."""
    child = floor.child(name)
    child.send_signal(signal.SIGTERM)
    await asyncio.to_thread(floor.wait_for_another, name, child.pid)


async def until_back_with(reader: Reader, expected: int) -> None:
    """Wait until an api that was started again is ready with so many calls."""

    async def is_right() -> bool:
        try:
            return (await readiness(reader))[0] == 200 and await calls(reader) == expected
        except (aiohttp.ClientError, OSError):
            return False

    await eventually(is_right, f"back with {expected} calls", _SECONDS)


async def status_of(floor: FloorProcess, secret: str, number: int) -> int:
    """What a delivery that is signed with this secret is answered."""
    async with HttpSender(f"{floor.url}/webhooks/feed") as send:
        try:
            await DeliveryPoster(send, read_key(secret, "secret")).post_all(
                [post_of([call(number)], f"signed-{number}", Random(number))], Summary(), keep=True
            )
        except PostingError as error:
            return int(str(error).rpartition("HTTP ")[2].rstrip(")"))
    return 202


async def test_a_log_that_is_gone_is_restored_and_nothing_is_missing(
    floor: FloorProcess, reader: Reader, kafka: str
) -> None:
    page = Runbook("back-up-and-restore")
    await post(floor, 0, 40)
    await until_ready_with(reader, 40)
    said = await page.run(floor, kafka)
    assert "saved 40 of deliveries" in said
    assert oct((floor.folder / "floorcast.backup").stat().st_mode & 0o777) == "0o600"
    await delete(kafka, DELIVERIES.full_name(floor.prefix), ALERT_ACTIONS.full_name(floor.prefix))
    await until_refused(reader, "deliveries is missing")

    said = await page.run(floor, kafka)

    assert "added 40 of deliveries" in said
    await until_ready_with(reader, 40)
    await page.run(floor, kafka)
    assert page.is_done


async def test_a_topic_that_was_lost_is_made_anew(floor: FloorProcess, reader: Reader, kafka: str) -> None:
    page = Runbook("lost-topic")
    await delete(kafka, LEDGER.full_name(floor.prefix, 2))
    await until_refused(reader, "ledger")

    await page.run(floor, kafka)

    await until_ready_with(reader, 40)
    await page.run(floor, kafka)
    assert page.is_done


async def test_another_number_of_partitions(floor: FloorProcess, reader: Reader, kafka: str) -> None:
    page = Runbook("change-partitions")

    said = await page.run(floor, kafka)

    assert "is served: 40 changes" in said
    await until_ready_with(reader, 40)
    await page.run(floor, kafka)
    assert page.is_done


async def test_two_versions_side_by_side_are_one_floor(floor: FloorProcess, reader: Reader, kafka: str) -> None:
    page = Runbook("upgrade")
    await page.run(floor, kafka)

    for name in ("worker", "api"):
        await restart(floor, name)
        await until_back_with(reader, 40)

    await page.run(floor, kafka)
    assert page.is_done


async def test_a_floor_moves_with_all_that_it_took_meanwhile(
    floor: FloorProcess, moved: FloorProcess, reader: Reader, kafka: str
) -> None:
    page = Runbook("move-to-another-cluster")
    moved.configure(configuration("") | {"connections": {"feed": {"kind": "generic", "secrets": [_NEW_SECRET]}}})
    await page.run(floor, kafka)
    (floor.folder / "floorcast.backup").rename(moved.folder / "floorcast.backup")
    said = await page.run(moved, kafka)
    assert "added 40 of deliveries" in said
    await asyncio.to_thread(moved.start)
    await post(floor, 60, 5)

    await page.run(floor, kafka)
    (floor.folder / "floorcast.backup").rename(moved.folder / "floorcast.backup")
    said = await page.run(moved, kafka)

    assert "added 5 of deliveries" in said
    assert "0 differences" in said
    async with Reader(moved.url) as there:
        await until_ready_with(there, 45)
    assert page.is_done


async def test_secrets_are_rotated_and_nothing_is_refused_meanwhile(floor: FloorProcess, kafka: str) -> None:
    """From here on the floor has a key, so nobody may ask it without one."""
    page = Runbook("rotate-secrets")
    old = str(configuration("")["connections"]["feed"]["secrets"][0])
    first = await asyncio.create_subprocess_exec(
        "floorcast", "keys", "create", "--scope", "admin", env=settings(floor, kafka), stdout=subprocess.PIPE
    )
    said = (await first.communicate())[0].decode()
    said = await page.run(floor, kafka, ID=said.removeprefix("fc_").partition(".")[0])
    assert "read" in said

    for number, secrets in ((50, [_NEW_SECRET, old]), (52, [_NEW_SECRET])):
        configured = configuration("")
        configured["connections"]["feed"]["secrets"] = secrets
        floor.configure(configured)
        if len(secrets) > 1:
            await page.run(floor, kafka)
        await restart(floor, "api")

        async def is_taken(number: int = number) -> bool:
            try:
                return await status_of(floor, _NEW_SECRET, number) == 202
            except PostingError:
                return False

        await eventually(is_taken, "taken with the new secret", 60)
        assert (await status_of(floor, old, number + 1) == 202) == (old in secrets)
    await page.run(floor, kafka)
    assert page.is_done


async def test_every_page_was_run() -> None:
    assert read_pages == PAGES
