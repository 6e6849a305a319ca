"""The proof: every number of a floor is what a recount of the CRM's own database comes to."""

from deploy.verification.recount import recount
from schemas.windows import WINDOWS
from tests.deploy.lookups.world import World
from tests.oracle import differences
from tests.pipeline import Pipeline, served


def assert_same(world: World) -> None:
    """Of every window. Says what differs."""
    now = world.clock()
    pipeline = Pipeline(world.config)
    pipeline.take(world.changes())
    view = pipeline.view()
    books = recount(world.truth(now), world.config)
    found = [
        f"{window}: {difference}"
        for window in WINDOWS
        for difference in differences(books.rows(now=now, window=window), served(view, now=now, window=window))
    ]
    assert found == []
