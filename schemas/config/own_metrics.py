"""What is wrong in `metrics.yaml` only under what `floorcast.yaml` says.

Owns these checks. What is wrong with an entry by itself is for schemas/catalogue to say.
"""

from collections.abc import Collection, Iterator

from schemas.catalogue import CollisionError
from schemas.catalogue.defined import Defined, bound_under
from schemas.catalogue.funnel import Funnel
from schemas.config.rules import rules_of
from schemas.config.whole import Config
from schemas.documents.errors import suggestion
from schemas.documents.text import DocumentProblem


def unknown_pipelines(defined: Defined, pipelines: Collection[str]) -> Iterator[DocumentProblem]:
    """Funnels of pipelines that there are not, each with its place in metrics.yaml."""
    for name in sorted(defined.own):
        held = defined.metrics[name]
        if isinstance(held, Funnel) and not held.steps and held.pipeline not in {None, *pipelines}:
            reason = f"there is no pipeline {held.pipeline!r} under pipelines of floorcast.yaml"
            yield ("metrics", name, "pipeline"), f"{reason}{suggestion(str(held.pipeline), pipelines)}"


def collisions(config: Config) -> Iterator[DocumentProblem]:
    """Metrics of one name in what is stored. Called once both files are right by themselves."""
    own = config.defined.own
    if not own:
        return
    try:
        bound_under(config.defined, rules_of(config))
    except CollisionError as error:
        one, other = error.metrics if error.metrics[1] in own else error.metrics[::-1]
        reason = f"has by a rare chance the same name as {one} in what is stored"
        yield ("metrics", other), f"{reason}: add a condition to its where, also one that always holds"
