"""Where in a pane a metric that counts is found, for whoever compares panes with a truth.

Owns nothing: the plan says it. Under default rules.
"""

from functools import cache

from schemas.catalogue import bound
from schemas.catalogue.reading import shipped
from schemas.catalogue.rules import Rules


@cache
def count_cell(metric: str) -> int:
    """The cell of a `simple`."""
    return bound(shipped().metrics, Rules()).metrics[metric].reader.measures[0].name
