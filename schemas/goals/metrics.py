"""Which metrics a goal can be spread over days for: those whose days add up, and of which more is better.

Owns that rule. Of all others (shares, averages, percentiles, levels, and where less is better) an amount stands as it
is, for a whole period.
"""

from schemas.catalogue import Catalogue
from schemas.catalogue.adding import adds_up


def is_spread(catalogue: Catalogue, metric: str) -> bool:
    """Whether a goal on this metric of the catalogue has a weight on each day."""
    return catalogue[metric].better == "higher" and adds_up(catalogue, metric)
