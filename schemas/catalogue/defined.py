"""What all `metrics.yaml` together define: the shipped one, and the user's on top of it.

Owns the value that every process binds to its configuration. Reads no file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from schemas.catalogue import BoundCatalogue, Catalogue, bound
from schemas.catalogue.dimensions import Dimension
from schemas.catalogue.rules import Rules
from schemas.instants import DAY

QUIET_AFTER = 14 * DAY
RESPONSE_BAND = "response_band"


@dataclass(frozen=True, slots=True, eq=False)
class Defined:
    """All metrics that are served, and by what they may be split."""

    metrics: Catalogue
    dimensions: Mapping[str, Dimension] = field(default_factory=dict)
    cold_sources: tuple[str, ...] = ()
    quiet_after: int = QUIET_AFTER
    own: frozenset[str] = frozenset()
    """Metrics that the user's file defines."""
    switched_off: frozenset[str] = frozenset()
    """Shipped metrics that the user's file does not want."""


def with_bands(defined: Defined, bands: Sequence[str]) -> Defined:
    """The same with other bands of the time to an answer."""
    held = defined.dimensions[RESPONSE_BAND]
    said = Dimension.model_validate({"of": held.of, "other": held.other, "bands": [*bands]})
    dimensions = {**defined.dimensions, RESPONSE_BAND: said}
    return replace(defined, metrics=Catalogue(defined.metrics, dimensions), dimensions=dimensions)


@lru_cache(64)
def bound_under(defined: Defined, rules: Rules) -> BoundCatalogue:
    """The metrics under these rules. The same object for the same arguments."""
    return bound(defined.metrics, rules)
