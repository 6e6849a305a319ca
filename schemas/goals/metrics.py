"""Which metrics a goal can be spread over days for: those whose days add up, and of which more is better.

Owns that rule. Of all others (shares, averages, percentiles, levels, and where less is better) an amount stands as it
is, for a whole period.
"""

import ast

from schemas.catalogue import Catalogue
from schemas.catalogue.derived import Derived
from schemas.catalogue.duration import Duration
from schemas.catalogue.response import Response
from schemas.catalogue.simple import Simple

_SUMS_OF_RESPONSES = frozenset({"due", "answered", "missed"})


def is_spread(catalogue: Catalogue, metric: str) -> bool:
    """Whether a goal on this metric of the catalogue has a weight on each day."""
    return catalogue[metric].better == "higher" and _adds_up(catalogue, metric)


def _adds_up(catalogue: Catalogue, metric: str) -> bool:
    """Whether its value over two days is the sum of the two."""
    match catalogue.get(metric):
        case Simple():
            return True
        case Duration() as entry:
            return entry.stat == "sum"
        case Response() as entry:
            return entry.stat in _SUMS_OF_RESPONSES
        case Derived() as entry:
            tree = ast.parse(entry.expr.strip(), mode="eval")
            nodes = list(ast.walk(tree))
            names = {node.id for node in nodes if isinstance(node, ast.Name)}
            return not any(isinstance(node, ast.Div) for node in nodes) and all(
                _adds_up(catalogue, name) for name in names
            )
        case _:
            return False
