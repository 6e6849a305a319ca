"""Traces of deliveries, for whoever collects them by OTLP. Unless told where to, none are made and nothing is loaded.

Owns the seam. What speaks OTLP is tracing_otlp.py's; what is traced says who opens a span. A trace goes on in headers
of Kafka messages, as W3C Trace Context writes it. Spans name topics, connections, counts and ids of requests, never
values.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

TRACEPARENT = "traceparent"
TRACES_PATTERN = r"^(https?://[^\s/@]+(/[^\s@]*)?)?$"
"""Of a collector's address. No password: the address gets into the log."""

KindOfSpan = Literal["server", "producer", "consumer", "client", "internal"]
Attribute = str | int | float | bool
Attributes = Mapping[str, Attribute]
Headers = tuple[tuple[str, bytes], ...]
"""Of a Kafka message."""


class TraceSpan:
    """A piece of work that is under way; this one is told to nobody."""

    def note(self, attributes: Attributes) -> None:
        """Say more of it."""

    def fail(self, why: str) -> None:
        """It went wrong."""


class Tracing:
    """What a process tells of its work; this one tells nothing."""

    is_on = False
    """Whether anything is told: what only a trace needs is not worked out otherwise."""

    @contextmanager
    def span(
        self,
        name: str,
        kind: KindOfSpan = "internal",
        *,
        parents: Iterable[str] = (),
        attributes: Attributes | None = None,
        began: int | None = None,
    ) -> Iterator[TraceSpan]:
        """A piece of work, as long as it is open, within that of the caller.

        `parents`: traceparents of what caused it, where that was elsewhere: of one it is a part, several it links.
        `began`: since when it is under way (nanoseconds); None: since now.
        """
        yield _UNTOLD

    @property
    def current(self) -> str:
        """Traceparent of the span under way; empty: there is none."""
        return ""

    @property
    def headers(self) -> Headers:
        """With which a message goes on with the span under way."""
        current = self.current
        return ((TRACEPARENT, current.encode()),) if current else ()

    def close(self) -> None:
        """Tell what is untold; takes some seconds at most."""


_UNTOLD = TraceSpan()
OFF = Tracing()


def traceparents(headers: Iterable[tuple[str, bytes]]) -> Iterator[str]:
    """Those among the headers of a message; whether they are any is looked at by who takes them."""
    return (value.decode("ascii", "replace") for name, value in headers if name == TRACEPARENT and value)


def start_tracing(address: str, service: str) -> Tracing:
    """Tell the collector at this address (`http://collector:4318`); empty: nobody."""
    if not address:
        return OFF
    from schemas.tracing_otlp import OtlpTracing  # noqa: PLC0415 - takes a second and 20 MiB that most do not need

    return OtlpTracing(address, service)
