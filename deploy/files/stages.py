"""What the stages of a file are: a CRM exports what people call them, and its webhooks send their ids.

Owns the way from a label to the id, as floorcast.yaml and the CRM's own API say. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from deploy.files.cells import name_key


@dataclass(frozen=True, slots=True)
class FileStages:
    """Those of one connection."""

    names: Mapping[str, str] = field(default_factory=dict)
    """Stage -> what floorcast.yaml calls it."""
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Pipeline -> stage -> what the CRM calls it; under the empty id the pipeline itself."""
    statuses: Mapping[str, str] = field(default_factory=dict)
    """Stage -> `open`, `won` or `lost`."""

    def pipeline(self, text: str) -> str:
        """The id of a pipeline that is named by it, or by what it is called."""
        found = [id for id, stages in self.labels.items() if name_key(stages.get("", id)) == name_key(text)]
        return found[0] if text not in self.labels and len(found) == 1 else text

    def stage(self, pipeline: str | None, text: str) -> str | None:
        """The id of a stage that is named by it, or by what it is called; None: no one stage is called so.

        Equal labels in two pipelines are two stages: then the pipeline decides.
        """
        if text in self.names or any(text in stages for stages in self.labels.values()):
            return text
        called = {id for id, name in self.names.items() if name_key(name) == name_key(text)}
        for name, stages in self.labels.items():
            if not name or pipeline in (None, name):
                called |= {id for id, label in stages.items() if id and name_key(label) == name_key(text)}
        if len(called) == 1:
            return called.pop()
        return text if text in self.statuses else None

    def status(self, pipeline: str | None, text: str) -> str | None:
        """What a deal in a stage is; None: nobody says."""
        return self.statuses.get(self.stage(pipeline, text) or text)
