"""What is wrong in `metrics.yaml` only under what `floorcast.yaml` says.

Owns these checks. What is wrong with an entry by itself is for schemas/catalogue to say.
"""

from collections.abc import Iterator

from schemas.catalogue import CollisionError
from schemas.catalogue.defined import bound_under
from schemas.catalogue.funnel import Funnel
from schemas.config.references import Found
from schemas.config.rules import rules_of
from schemas.config.whole import Config
from schemas.documents.errors import suggestion


def problems_of_metrics(config: Config) -> Iterator[Found]:
    """Each with its place in metrics.yaml. Called once both files are right by themselves."""
    own, pipelines = config.defined.own, config.pipelines
    for name in config.catalogue:
        held = config.catalogue[name]
        if name in own and isinstance(held, Funnel) and not held.steps and held.pipeline not in {None, *pipelines}:
            reason = f"there is no pipeline {held.pipeline!r} under pipelines of floorcast.yaml"
            yield ("metrics", name, "pipeline"), f"{reason}{suggestion(str(held.pipeline), pipelines)}"
    if not own:
        return
    try:
        bound_under(config.defined, rules_of(config))
    except CollisionError as error:
        one, other = error.metrics if error.metrics[1] in own else error.metrics[::-1]
        reason = f"has by a rare chance the same name as {one} in what is stored"
        yield ("metrics", other), f"{reason}: add a condition to its where, also one that always holds"
