"""A simulated floor over the fake HubSpot: every number is what the fake's own database comes to, whatever got lost."""

from pathlib import Path

from deploy.verification.recount import recount
from schemas.instants import HOUR
from schemas.windows import WINDOWS
from tests.deploy.lookups.truth import changes_of
from tests.deploy.lookups.world import World
from tests.oracle import differences
from tests.pipeline import Pipeline, served


def assert_same(world: World) -> None:
    now = world.clock()
    pipeline = Pipeline(world.config)
    pipeline.take(world.changes())
    view = pipeline.view()
    books = recount(changes_of(world.crm, now), world.config)
    found = [
        f"{window}: {difference}"
        for window in WINDOWS
        for difference in differences(books.rows(now=now, window=window), served(view, now=now, window=window))
    ]
    assert found == []


async def test_after_reconciliation_every_number_is_that_of_the_crm(tmp_path: Path) -> None:
    async with World(tmp_path) as world:
        world.silent = (world.clock() + HOUR, world.clock() + 2 * HOUR)
        await world.live(120, 4, restart_at=60)

        assert_same(world)
        assert world.crm.over_limit == 0
        assert sum(world.known.ever_missed("hub").values()) > 10


async def test_what_webhooks_bring_is_not_missed(tmp_path: Path) -> None:
    async with World(tmp_path, seed=2, lost=0.0) as world:
        await world.live(70, 2)

        assert_same(world)
        assert world.known.ever_missed("hub") == {}
        assert world.known.not_visible("hub") == 0


async def test_a_back_fill_from_nothing_gives_the_same_and_twice_changes_nothing(tmp_path: Path) -> None:
    async with World(tmp_path, seed=3, lost=1.0) as world:
        await world.live(70, 2)
        world.log.deliveries.clear()

        await world.backfill()
        assert_same(world)
        await world.backfill()
        assert_same(world)
        assert world.crm.over_limit == 0
