"""By which definitions were numbers derived? A digest of everything in the configuration that they depend on.

Owns what counts as a definition, and the numbers of the forms in which rows and derived numbers are written. Whoever
derives says the digest, whoever serves compares it with their own.
"""

import json
from hashlib import sha256
from typing import Any

from schemas.catalogue.defined import Defined
from schemas.config import Config

FORM = 2
"""Of the messages in derived topics. Raised with a form that builds before it cannot read, and where the same
definitions count otherwise, so that an api of before would look for cells that nobody writes: where two versions run
side by side, the older api then stands still and says so, as it does for other definitions
(api/read/other_definitions.py)."""
ROWS = 2
"""Of rows, and of what stages hand on. Raised with what builds before it would take for damage, such as a further voice
of a field: a worker that finds a greater number in Kafka writes nothing and ends (processor/agents/stage.py)."""
_NO_DEFINITIONS: Any = {
    "alerts": True,
    "prometheus": True,
    "fiscal": True,
    "goals": True,
    "metrics": True,
    "screens": True,
    "frame_ancestors": True,
    "digest": True,
    "cors": True,
    "connections": {
        "__all__": {"secrets", "public_url", "legacy_signatures", "api", "stream", "reconcile", "lookups"},
    },
    "organisation": {"name"},
    "teams": {"__all__": {"name"}},
    "reps": {"__all__": {"name", "email", "photo"}},
}
"""What may change without any number changing. A section that does not stand here is a definition."""
_WORDS = {"label", "description", "owner", "tags", "better", "benchmark", "examples"}
"""What an entry says of itself to people."""


def definitions_digest(config: Config) -> str:
    """Give the same for two configurations by which the same records make the same numbers.

    What nobody has set stays out: a version that brings settings derives by the same definitions until one is used.
    """
    definitions = config.model_dump(mode="json", exclude=_NO_DEFINITIONS, exclude_defaults=True)
    # A connector waits for a look-up where it has an API, whatever the address of that is and its credentials.
    definitions["api"] = sorted(name for name, each in config.connections.items() if getattr(each, "api", None))
    # Who is only named is nobody new: records speak of them anyhow.
    definitions["reps"] = {id: rep for id, rep in definitions.get("reps", {}).items() if any(rep.values())}
    definitions["metrics"] = _defined(config.defined)
    definitions["form"] = FORM
    return sha256(json.dumps(definitions, sort_keys=True).encode()).hexdigest()[:16]


def _defined(defined: Defined) -> Any:
    return {
        "metrics": {
            name: entry.model_dump(mode="json", exclude=_WORDS, exclude_defaults=True)
            for name, entry in defined.metrics.items()
        },
        "dimensions": {
            name: each.model_dump(mode="json", exclude_defaults=True) for name, each in defined.dimensions.items()
        },
        "cold_sources": sorted(defined.cold_sources),
        "quiet_after": defined.quiet_after,
    }
