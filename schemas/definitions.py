"""By which definitions were numbers derived? A digest of everything in the configuration that they depend on.

Owns what counts as a definition. Whoever derives says the digest, whoever serves compares it with their own.
"""

import json
from hashlib import sha256
from typing import Any

from schemas.config import Config

_NO_DEFINITIONS: Any = {
    "alerts": True,
    "prometheus": True,
    "fiscal": True,
    "goals": True,
    "connections": {"__all__": {"secrets", "public_url"}},
}
"""What may change without any number changing. A section that does not stand here is a definition."""


def digest_of(config: Config) -> str:
    """Give the same for two configurations by which the same records make the same numbers."""
    definitions = config.model_dump(mode="json", exclude=_NO_DEFINITIONS)
    return sha256(json.dumps(definitions, sort_keys=True).encode()).hexdigest()[:16]
