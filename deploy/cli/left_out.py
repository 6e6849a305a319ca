"""What libraries import for uses that no process of ours has: each would pay for it at its start.

Owns which these are. Whoever imports one of them afterwards gets the library itself.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, cast


class _Named(ModuleType):
    """In place of a library of which somebody names a type, for annotations."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


class _Unscanned(_Named):
    """In place of venusian: agents are handed to our app by name, and nobody looks through modules for them.

    For each agent and task it would look through all modules for the one that it stands in.
    """

    @staticmethod
    def attach(*_marked: object, **_as: object) -> None:
        """Mark nothing."""


_UNUSED: dict[str, type[ModuleType] | None] = {
    "rich": None,  # structlog draws tracebacks with it where it is there; our logs are JSON
    "pytz": None,  # Babel asks it for the machine's zone, for which it opens six hundred files; else zoneinfo knows it
    "croniter": _Named,  # Faust's way to timers that none of ours goes by
    "croniter.croniter": _Named,
    "venusian": _Unscanned,
    "aiohttp": _Named,  # Faust annotates by its session, and has no other use for it while its web server is off
    "aiohttp.client": _Named,
}
"""Name -> what stands there; None: nothing, as if it were not installed."""


@contextmanager
def left_out() -> Iterator[None]:
    """For imports: what they import of these they do without. What is there already stays."""
    modules: dict[str, ModuleType | None] = cast(Any, sys.modules)  # None says that there is none
    stand_ins = {
        name: None if stand_in is None else stand_in(name) for name, stand_in in _UNUSED.items() if name not in modules
    }
    modules.update(stand_ins)
    try:
        yield
    finally:
        for name, stand_in in stand_ins.items():
            if modules.get(name) is stand_in:
                modules.pop(name, None)
