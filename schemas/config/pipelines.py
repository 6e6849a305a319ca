"""Pipelines: the stages of deals in their order, and which of them mean that a deal is won or lost.

Owns what one of them says alone. What happens on the way is counted elsewhere (schemas/catalogue/funnel.py).
"""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from schemas.catalogue.funnel import MAX_STEPS
from schemas.catalogue.rules import PipelineStages
from schemas.documents.values import Model

StageId = Annotated[str, Field(min_length=1, max_length=256)]


class Pipeline(Model):
    """An entry of `pipelines`."""

    steps: list[StageId] = Field(min_length=1, max_length=MAX_STEPS)
    """The stages that a deal passes, in their order: the ids that the CRM sends, or names that only one of them has."""
    won: list[StageId] = Field(default_factory=list, max_length=MAX_STEPS)
    """Stages of deals that are won. They stand behind the last step."""
    lost: list[StageId] = Field(default_factory=list, max_length=MAX_STEPS)
    """Stages of deals that are lost: no steps."""
    labels: dict[StageId, StageId] = Field(default_factory=dict, max_length=200)
    """Id of a stage -> what people call it; left out, as `stages` of a connection names it, else made of the id."""

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for stage, times in Counter([*self.steps, *self.lost]).items():
            if times > 1:
                msg = f"{stage} stands twice in steps and lost: a stage is one of them, once"
                raise ValueError(msg)
        if any(stage in self.won for stage in (*self.steps[:-1], *self.lost)):
            msg = "a stage of won is no other step, only perhaps the last, and is not lost"
            raise ValueError(msg)
        return self

    def stages(self, name: str, names: Mapping[str, str]) -> PipelineStages:
        """As metrics go by it. `names`: stage -> what connections call it."""
        labels = {**names, **self.labels}
        raw = PipelineStages(name, (), (), tuple(sorted(labels.items())))
        steps, won = (
            tuple(each if each in labels else raw.stage_of(each) for each in held) for held in (self.steps, self.won)
        )
        return PipelineStages(name, steps, won, raw.labels)

    def ambiguous(self, names: Mapping[str, str]) -> list[str]:
        """The names in it that several stages have, so that nobody knows which is meant."""
        labels = {**names, **self.labels}
        times = Counter(labels.values())
        return [each for each in (*self.steps, *self.won, *self.lost) if each not in labels and times[each] > 1]
