"""How long values take from the receipt of their delivery until they are served.

Owns the counting, by steps of which there are few however many values come. Reads no clock.
"""

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from itertools import accumulate
from math import ceil
from math import log as logarithm

from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from schemas.instants import SECOND

LATENCY_MEMORY = 300 * SECOND
_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
_SLOT = 5 * SECOND
_FINEST = 0.0001
_GROWTH = logarithm(1.02)


class Latency(Collector):
    """End-to-end latency of the last minutes, and a histogram of all of it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._recent: deque[tuple[int, Counter[int]]] = deque(maxlen=LATENCY_MEMORY // _SLOT + 1)
        """(slot of time, step of latency -> values): small, however many values come."""
        self._buckets = [0] * (len(_BUCKETS) + 1)
        """The last one holds what is longer than all."""
        self._sum = 0.0
        registry.register(self)

    def observe(self, now: int, received_at: int, values: int = 1) -> None:
        """So many values of a delivery received at `received_at` are in the view at `now` (microseconds)."""
        seconds = max(0.0, (now - received_at) / SECOND)
        slot = now // _SLOT
        if not self._recent or self._recent[-1][0] != slot:
            self._recent.append((slot, Counter()))
        self._recent[-1][1][_step(seconds)] += values
        self._buckets[bisect_left(_BUCKETS, seconds)] += values
        self._sum += seconds * values

    def percentiles(self, now: int) -> Mapping[str, float | None]:
        """p50, p95, p99 of the last five minutes, in seconds to 2 %; None where nothing came."""
        first = (now - LATENCY_MEMORY) // _SLOT
        steps: Counter[int] = Counter()
        for slot, counted in self._recent:
            if slot > first:
                steps.update(counted)
        return {name: _rank(steps, share) for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))}

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """The histogram, for who exports it."""
        bounds = [*map(floatToGoString, (*_BUCKETS, float("inf")))]
        yield HistogramMetricFamily(
            "floorcast_end_to_end_seconds",
            "From the receipt of a delivery to its value being served.",
            buckets=[*zip(bounds, accumulate(self._buckets), strict=True)],
            sum_value=self._sum,
        )


def _step(seconds: float) -> int:
    return 0 if seconds <= _FINEST else ceil(logarithm(seconds / _FINEST) / _GROWTH)


def _rank(steps: Mapping[int, int], share: float) -> float | None:
    """The latency that this share of the values does not exceed."""
    wanted = share * sum(steps.values())
    seen = 0
    for step in sorted(steps):
        seen += steps[step]
        if seen >= wanted:
            return round(_FINEST * 1.02**step, 6)
    return None
