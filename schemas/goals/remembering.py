"""What is remembered of goals does not grow for ever: who was not asked for longest is let go.

Owns how much is kept.
"""

from collections import OrderedDict
from typing import Any

_MOST = 200


def let_go(remembered: OrderedDict[Any, Any]) -> None:
    """Let the oldest go."""
    while len(remembered) > _MOST:
        remembered.popitem(last=False)
