"""Traces told to a collector by OTLP over HTTP, by OpenTelemetry's own SDK; its variables (`OTEL_…`) hold.

Loaded only where traces are wanted (tracing.py). Spans leave in a thread of the SDK's; where the collector is away they
are dropped, and nothing waits for it.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from schemas.tracing import TRACEPARENT, Attributes, KindOfSpan, TraceSpan, Tracing

MOST_LINKS = 128
_EXPORT_SECONDS = 3.0
_CLOSE_SECONDS = 2.0
_NOBODY_SAYS = "unknown_service"
_PATH = "/v1/traces"
_W3C = TraceContextTextMapPropagator()


class OtlpSpan(TraceSpan):
    """A piece of work that is told at its end."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def note(self, attributes: Attributes) -> None:
        self._span.set_attributes(attributes)

    def fail(self, why: str) -> None:
        self._span.set_status(Status(StatusCode.ERROR, why))


class OtlpTracing(Tracing):
    """What a process tells a collector of its work."""

    is_on = True

    def __init__(self, address: str, service: str) -> None:
        exporter = OTLPSpanExporter(endpoint=f"{address.rstrip('/')}{_PATH}", timeout=_EXPORT_SECONDS)
        resource = Resource.create()
        # What the environment says of the name (OTEL_SERVICE_NAME) wins.
        if str(resource.attributes[SERVICE_NAME]).startswith(_NOBODY_SAYS):
            resource = resource.merge(Resource({SERVICE_NAME: service}))
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("floorcast")

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
        """A piece of work, as long as it is open. An exception that passes is told by its type alone."""
        found = [context for each in dict.fromkeys(parents) if (context := _read(each)).is_valid]
        if not found:
            within = None  # the span under way
        elif len(found) == 1:
            within = trace.set_span_in_context(trace.NonRecordingSpan(found[0]))
        else:
            within = Context()
        with self._tracer.start_as_current_span(
            name,
            context=within,
            kind=SpanKind[kind.upper()],
            links=[Link(context) for context in found[:MOST_LINKS]] if len(found) > 1 else [],
            attributes=attributes,
            start_time=began,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            told = OtlpSpan(span)
            try:
                yield told
            except BaseException as error:
                told.fail(type(error).__name__)
                raise

    @property
    def current(self) -> str:
        carrier: dict[str, str] = {}
        _W3C.inject(carrier)
        return carrier.get(TRACEPARENT, "")

    def close(self) -> None:
        """Tell what is untold, if that is soon taken."""
        closing = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        closing.start()
        closing.join(_CLOSE_SECONDS)


def _read(traceparent: str) -> trace.SpanContext:
    """What a text says; an invalid context where it is none."""
    return trace.get_current_span(_W3C.extract({TRACEPARENT: traceparent}, context=Context())).get_span_context()
