"""How work that takes its time tells how far it is."""

from collections.abc import Callable

TellStep = Callable[[str, int, int], None]
"""Name of the step, how much of it is done, of how much."""
