"""Which metrics add up: those whose value over two days, or of two persons, is the sum of the two.

Owns that rule. Goals are spread over days by it, and shares and means of a team are made by it.
"""

import ast

from schemas.catalogue import Catalogue
from schemas.catalogue.base import Entry
from schemas.catalogue.checking import made_of
from schemas.catalogue.derived import Derived
from schemas.catalogue.duration import Duration
from schemas.catalogue.level import Level
from schemas.catalogue.response import Response
from schemas.catalogue.simple import Simple
from schemas.catalogue.versions import Versioned

_SUMS_OF_RESPONSES = frozenset({"due", "answered", "missed"})


def adds_up(catalogue: Catalogue, metric: str, *, with_levels: bool = False) -> bool:
    """Whether it is a count or a sum, or made of such without a division.

    `with_levels`: or of levels, which are sums over persons, though not over days.
    """
    entry = catalogue.get(metric)
    if isinstance(entry, Versioned):
        return all(_adds_up(catalogue, each, with_levels=with_levels) for each in entry.entries)
    return entry is not None and _adds_up(catalogue, entry, with_levels=with_levels)


def is_spread(catalogue: Catalogue, metric: str) -> bool:
    """Whether a goal on it has a weight on each day: its days add up, and more of it is better.

    Of all others (shares, averages, levels, and where less is better) an amount stands as it is, for a whole period.
    """
    return catalogue[metric].better == "higher" and adds_up(catalogue, metric)


def has_shares(catalogue: Catalogue, metric: str, *, with_levels: bool = False) -> bool:
    """Whether it adds up, and what people have of it is together what their team has: no formula adds a number."""
    return adds_up(catalogue, metric, with_levels=with_levels) and _is_linear(catalogue, catalogue[metric])


def _is_linear(catalogue: Catalogue, entry: Entry) -> bool:
    return not isinstance(entry, Derived) or (
        entry.is_linear and all(_is_linear(catalogue, catalogue[part]) for part in made_of(entry))
    )


def _adds_up(catalogue: Catalogue, entry: Entry, *, with_levels: bool) -> bool:
    match entry:
        case Simple():
            return True
        case Duration():
            return entry.stat == "sum"
        case Level():
            return with_levels and entry.stat == "end"
        case Response():
            return entry.stat in _SUMS_OF_RESPONSES
        case Derived():
            nodes = list(ast.walk(ast.parse(entry.expr.strip(), mode="eval")))
            names = {node.id for node in nodes if isinstance(node, ast.Name)}
            return not any(isinstance(node, ast.Div) for node in nodes) and all(
                adds_up(catalogue, name, with_levels=with_levels) for name in names
            )
        case _:
            return False
