"""A simulated floor over each fake CRM: every number is what the CRM's own database comes to, whatever got lost.

Webhooks are lost, repeated and shuffled, and of what the API is asked one in twenty meets a fault.

`make floors` runs the same with as many records as a floor makes in a day.
"""

import math
import os
from pathlib import Path

import pytest

from schemas.instants import HOUR, MINUTE
from tests.deploy.lookups.aircall_world import AircallWorld
from tests.deploy.lookups.close_world import CloseWorld
from tests.deploy.lookups.pipedrive_world import PipedriveWorld
from tests.deploy.lookups.proof import assert_same
from tests.deploy.lookups.salesforce_world import SalesforceWorld
from tests.deploy.lookups.world import World
from tests.deploy.lookups.zoho_world import ZohoWorld
from tests.fakes.weather import storm

RECORDS = int(os.environ.get("FLOOR_RECORDS", "120"))
"""What people do in four hours."""
WORLDS: dict[str, type[World]] = {
    "hubspot": World,
    "zoho": ZohoWorld,
    "pipedrive": PipedriveWorld,
    "salesforce": SalesforceWorld,
    "close": CloseWorld,
    "aircall": AircallWorld,
}
pytestmark = [pytest.mark.asyncio, pytest.mark.parametrize("make", WORLDS.values(), ids=WORLDS)]


async def test_after_reconciliation_every_number_is_that_of_the_crm(make: type[World], tmp_path: Path) -> None:
    async with make(tmp_path) as world:
        storm(world.crm, 0.05)
        world.silent = (world.clock() + HOUR, world.clock() + 2 * HOUR)
        await world.live(RECORDS, 4, restart_at=RECORDS // 2)

        assert_same(world)
        assert world.crm.over_limit == 0
        assert_missed_is_told(world)


def assert_missed_is_told(world: World) -> None:
    """What rounds say that webhooks missed is within 1 % what they did miss."""
    assert world.told is not None
    missed = sum(world.known.ever_missed("hub").values())
    assert missed > 5
    assert abs(missed - world.told.missed) <= math.ceil(0.01 * world.told.missed)


async def test_what_webhooks_bring_is_not_missed(make: type[World], tmp_path: Path) -> None:
    async with make(tmp_path, seed=2, lost=0.0) as world:
        await world.live(RECORDS // 2, 2)

        assert_same(world)
        assert world.known.ever_missed("hub") == {}
        assert world.rounds.not_visible == 0


async def test_a_back_fill_from_nothing_gives_the_same_and_twice_changes_nothing(
    make: type[World], tmp_path: Path
) -> None:
    async with make(tmp_path, seed=3, lost=1.0) as world:
        await world.live(RECORDS // 2, 2, every=30 * MINUTE)
        world.forget()

        await world.backfill()
        assert_same(world)
        await world.backfill()
        assert_same(world)
        assert world.crm.over_limit == 0
