"""A collector of traces on loopback: what spans it is told, by OTLP over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

PATH = "/v1/traces"


@dataclass(frozen=True)
class Told:
    """One span."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    links: tuple[str, ...]
    """Ids of the spans that it links."""
    facts: dict[str, str]
    is_failed: bool


def spans_of(bodies: Iterable[bytes]) -> list[Told]:
    """What was posted to a collector."""
    found = []
    for body in bodies:
        for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = {each.key: each.value.string_value for each in of_resource.resource.attributes}
            found += [
                Told(
                    resource["service.name"], span.name, span.trace_id.hex(), span.span_id.hex(),
                    span.parent_span_id.hex(), tuple(link.span_id.hex() for link in span.links),
                    {
                        each.key: each.value.string_value or str(each.value.int_value) for each in span.attributes
                    },
                    span.status.code == 2,
                )
                for of_scope in of_resource.scope_spans
                for span in of_scope.spans
            ]  # fmt: skip
    return found


class Collector:
    """Takes what is posted. Use as a context manager; what was told is whole once whoever tells has closed."""

    def __init__(self) -> None:
        bodies: list[bytes] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == PATH
                bodies.append(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None: ...

        self._bodies = bodies
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Collector:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def spans(self) -> list[Told]:
        return spans_of(self._bodies)
