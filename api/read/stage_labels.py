"""What stages are called, where the file does not say so: as the CRM's own API does. Pure."""

from collections.abc import Iterable

from schemas.catalogue.rules import PipelineStages
from schemas.connection_states import ConnectionState

_UNNAMED = PipelineStages("", (), ())


def stage_label(states: Iterable[ConnectionState], pipeline: str | None, stage: str, label: str) -> str:
    """The label of a stage: `label`, unless that is only made of its id and a CRM calls the stage something.

    Stages are pipeline and id: without a pipeline a label counts that all of this id have.
    """
    if label != _UNNAMED.label_of(stage):
        return label
    found = {
        stages[stage]
        for state in states
        for name, stages in state.labels.items()
        if (not name or pipeline in (None, name)) and stage in stages
    }
    return found.pop() if len(found) == 1 else label
