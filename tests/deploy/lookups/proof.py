"""The proof: every number of a floor is what a recount of the CRM's own database comes to."""

from collections.abc import Iterator
from typing import Any

from api.read.funnels import funnel_json
from api.read.view import View
from deploy.verification.recount import recount
from schemas.catalogue.funnel import FunnelReader
from schemas.floor import ORGANISATION, Scope, rep_scope, team_scope
from schemas.windows import WINDOWS, span_of
from tests.deploy.lookups.world import World
from tests.oracle import Books, differences
from tests.pipeline import Pipeline, served
from tests.segments import funnel

FUNNELS = ("stage_conversion", "lead_funnel")


def assert_same(world: World) -> None:
    """Of every window, each step of funnels too. Says what differs."""
    assert found_different(world) == []


def found_different(world: World) -> list[str]:
    """The same, what differs."""
    now = world.clock()
    pipeline = Pipeline(world.config)
    pipeline.take(world.changes())
    view = pipeline.view()
    books = recount(world.truth(now), world.config)
    return [
        f"{window}: {difference}"
        for window in WINDOWS
        for difference in (
            *differences(books.rows(now=now, window=window), served(view, now=now, window=window)),
            *_of_funnels(world, books, view, now, window),
        )
    ]


def _rounded(step: dict[str, Any]) -> dict[str, Any]:
    """Of what happened within one second Salesforce's order is kept by microseconds."""
    days = step["time_in_stage_days_p50"]
    return step | {"time_in_stage_days_p50": days and round(days, 8)}


def _of_funnels(world: World, books: Books, view: View, now: int, window: Any) -> Iterator[str]:
    scopes: list[tuple[Scope, dict[str, Any]]] = [
        (ORGANISATION, {}),
        *((team_scope(team), {"team": team}) for team in books.reading.teams),
        *((rep_scope(rep), {"rep": rep}) for rep in books.reps),
    ]
    span = span_of(window, now, view.calendar)
    for metric in FUNNELS:
        reader = view.funnel(metric)
        assert isinstance(reader, FunnelReader)
        for pipeline in (None, *world.config.pipelines) if metric == "stage_conversion" else (None,):
            for scope, whose in scopes:
                expected: Any = funnel(books, metric, now=now, window=window, pipeline=pipeline, **whose)["steps"]
                shown: Any = funnel_json(view, reader, scope, span, now, pipeline)["steps"]
                found = [{name: value for name, value in step.items() if name != "label"} for step in shown]
                if [_rounded(step) for step in found] != [_rounded(step) for step in expected]:
                    yield f"{whose}: {metric} of {pipeline}: recounted {expected}, served {found}"
