"""`POST /webhooks/{connection}`: take a CRM's delivery, prove where it comes from, store it raw, answer.

The connection is looked up before a byte of the body is read, and the body is counted while it arrives and while it is
inflated. What the body says is read much later, from the log.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry, Counter
from starlette.routing import Match
from starlette.types import Message, Receive, Scope, Send

from api.http.description import problems
from api.http.errors import (
    ApiError,
    BadSignatureError,
    BodyTooLargeError,
    ContentTypeRefusedError,
    MethodNotAllowedError,
    NotFoundError,
    NotStoredError,
    OverloadedError,
    RequestTimeoutError,
    TooManyDeliveriesError,
    answer_to,
    of_refusal,
)
from api.http.headers import answer_of
from api.http.inflation import inflated
from api.http.lost_deliveries import LostDeliveries
from api.http.models.deliveries import RECEIPTS, REQUEST_BODY
from api.http.request_log import current_request
from api.settings import Settings
from api.write.ingest import DeliveryLog
from api.write.limits import Budget, TokenBucket
from api.write.refusals import StoreRefusedError
from schemas.connectors import Connection, kind_of
from schemas.connectors.base import Connector, ContentTypeError, SignatureError, SignedRequest
from schemas.connectors.kinds import ConnectorKind, Receipt
from schemas.deliveries import REQUEST, Delivery
from schemas.tracing import OFF, TRACEPARENT, Attributes, Tracing

DELIVERED = "/webhooks"
"""What the addresses of deliveries begin with."""
_METHOD = "POST"
_TOO_MANY = "too many deliveries are being read"
_TRACEPARENT = TRACEPARENT.encode()
_UNKNOWN = "_unknown"
"""Label of deliveries to names that are not configured: anybody can invent names."""
_CODINGS = frozenset({"", "identity", "gzip", "x-gzip"})
_UNTOLD = nullcontext()


class ClientGoneError(Exception):
    """The connection was lost, or closed by its deadline, before the body was there."""


class DeliveryRoute(APIRoute):
    """A route as any other, but that it reads its body itself: piece by piece, against a budget.

    So it does without what FastAPI makes of a request for its parameters, which was half of the cost of a delivery.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether an address is this route's, whatever the method: each refusal is counted."""
        found = self.path_regex.match(scope["path"])
        return (Match.NONE, {}) if found is None else (Match.FULL, {"route": self, "path_params": found.groupdict()})


class WebhookEndpoint:
    """What answers `/webhooks/{connection}`; one for a process, as `app.state.webhooks`."""

    def __init__(
        self,
        settings: Settings,
        *,
        connections: Mapping[str, Connection],
        connectors: Mapping[str, Connector],
        ingest: DeliveryLog,
        registry: CollectorRegistry,
        clock: Callable[[], int],
        tracing: Tracing = OFF,
    ) -> None:
        self._ingest = ingest
        self._tracing = tracing
        self._clock = clock
        self._max_body = settings.max_body_bytes
        self._reading = Budget(count=settings.max_connections, size=settings.max_in_flight_bytes)
        self._deliveries = Counter(
            "floorcast_deliveries",
            "Deliveries by connection and what became of them.",
            ["connection", "outcome"],
            registry=registry,
        )
        self._senders = {
            name: _Sender(
                name=name,
                connector=connector,
                kept_headers=connector.kept_headers,
                kind=kind_of(connections[name].kind),
                public_url=connections[name].public_url,
                bucket=TokenBucket(per_second=settings.deliveries_per_second, burst=settings.deliveries_burst),
                accepted=self._deliveries.labels(name, "accepted"),
            )
            for name, connector in connectors.items()
        }
        self._lost = LostDeliveries()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        name, began = _name(scope), time.time_ns()
        try:
            sender = self._sender(name, scope)
            headers = _read_headers(scope["headers"])
            is_compressed = self._admit(headers)
            message = await receive()
            body = await self._read(message, receive) if message.get("more_body", False) else self._whole(message)
            delivery = self._prove(sender, scope, headers, body, is_compressed=is_compressed)
        except ClientGoneError:
            self._count(name, "incomplete")
            return
        except Exception as error:  # noqa: BLE001 - what is not ours is logged with the answer
            with self._told(name, scope, began):
                await self._refuse(name, error, scope, receive, send)
            return
        # Only now: whoever is not proven to be the CRM must not choose what is traced.
        with self._told(name, scope, began, scope["headers"]):
            try:
                # Only what is authentic uses up what the CRM may send.
                if wait := sender.bucket.take(delivery.received_at):
                    raise TooManyDeliveriesError(wait)
                id = await self._ingest.accept(delivery)
            except Exception as error:  # noqa: BLE001 - as above
                await self._refuse(name, error, scope, receive, send)
                return
            sender.accepted.inc()
            start, end = _receipt(sender.kind.receipt, id)
            await send(start)
            await send(end)

    def _told(
        self, name: str, scope: Scope, began: int, headers: Sequence[tuple[bytes, bytes]] = ()
    ) -> AbstractContextManager[None]:
        """Tell of a request, once it is known whether it is the CRM's; to be answered within.

        `headers`: where the trace that it belongs to may be named.
        """
        if not self._tracing.is_on or name not in self._senders:
            return _UNTOLD
        return self._span(name, scope, began, headers)

    @contextmanager
    def _span(self, name: str, scope: Scope, began: int, headers: Sequence[tuple[bytes, bytes]]) -> Iterator[None]:
        attributes: Attributes = {
            "http.request.method": scope["method"],
            "http.route": "/webhooks/{connection}",
            "floorcast.connection": name,
            "floorcast.request": current_request() or "",
        }
        parents = [value.decode("latin-1") for header, value in headers if header == _TRACEPARENT]
        told = self._tracing.span(
            "POST /webhooks/{connection}", "server", parents=parents, attributes=attributes, began=began
        )
        with told as span:
            yield
            status = answer_of(scope).status
            span.note({"http.response.status_code": status})
            if status >= 500:
                span.fail("not stored")

    async def _refuse(self, name: str, error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
        """Count and answer; to be called where the exception is handled."""
        if isinstance(error, StoreRefusedError):
            error = of_refusal(error)
        slug = error.slug if isinstance(error, ApiError) else ApiError.slug
        self._count(name, slug.replace("-", "_"))
        if isinstance(error, NotFoundError):
            self._lost.note(name, self._clock())
        await answer_to(error, scope)(scope, receive, send)

    def _count(self, name: str, outcome: str) -> None:
        self._deliveries.labels(name if name in self._senders else _UNKNOWN, outcome).inc()

    def _sender(self, name: str, scope: Scope) -> "_Sender":
        """Whose address this is. Raises ApiError."""
        sender = self._senders.get(name)
        if (
            sender is None
            or not sender.kind.takes_webhooks
            or (not sender.kind.has_secret_path and _is_below(name, scope))
        ):
            msg = "there is no such connection"
            raise NotFoundError(msg, field="connection")
        if scope["method"] != _METHOD:
            raise MethodNotAllowedError(allowed=_METHOD)
        return sender

    def _prove(
        self, sender: "_Sender", scope: Scope, headers: dict[str, str], body: bytes, *, is_compressed: bool
    ) -> Delivery:
        """What was sent, which is the connection's own."""
        path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        query = scope["query_string"].decode("latin-1")
        url = _signed_url(sender.public_url, scope["scheme"], path, query, headers.get("host", ""))
        now = self._clock()
        if is_compressed:
            # Some sign what they compress, some what they send: either will do.
            sent, body = body, inflated(body, self._max_body)
            # From here on it is what was compressed.
            del headers["content-encoding"]
            try:
                _verify(sender.connector, SignedRequest(_METHOD, url, headers, body), now)
            except BadSignatureError:
                _verify(sender.connector, SignedRequest(_METHOD, url, headers, sent), now)
        else:
            headers.pop("content-encoding", None)
            _verify(sender.connector, SignedRequest(_METHOD, url, headers, body), now)
        kept_headers = sender.kept_headers
        kept = {header: value for header, value in headers.items() if header in kept_headers}
        if request := current_request():
            kept[REQUEST] = request
        return Delivery(sender.name, now, kept, body)

    def _admit(self, headers: Mapping[str, str]) -> bool:
        """Refuse what need not be read; give whether it is compressed. Raises ApiError."""
        coding = headers.get("content-encoding", "identity").strip().lower()
        if coding not in _CODINGS:
            msg = "content-encoding: only identity and gzip are taken"
            raise ContentTypeRefusedError(msg, field="content-encoding")
        declared = headers.get("content-length", "0")
        if not declared.isdecimal() or len(declared) > 18 or int(declared) > self._max_body:
            raise BodyTooLargeError(self._max_body)
        return coding.endswith("gzip")

    def _whole(self, message: Message) -> bytes:
        """A body that came at once. Raises ClientGoneError, ApiError."""
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        body: bytes = message.get("body", b"")
        if not self._reading.fits(len(body)):
            raise OverloadedError(_TOO_MANY, retry_after=1)
        if len(body) > self._max_body:
            raise BodyTooLargeError(self._max_body)
        return body

    async def _read(self, message: Message, receive: Receive) -> bytes:
        """A body of which this is the first piece. Raises ClientGoneError, ApiError."""
        chunks: list[bytes] = []
        size = 0
        try:
            while True:
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                chunk = message.get("body", b"")
                if not self._reading.take(len(chunk), count=0):
                    raise OverloadedError(_TOO_MANY, retry_after=1)
                size += len(chunk)
                chunks.append(chunk)
                if size > self._max_body:
                    raise BodyTooLargeError(self._max_body)
                if not message.get("more_body", False):
                    return b"".join(chunks)
                message = await receive()
        finally:
            self._reading.give_back(size, count=0)


@dataclass(frozen=True, slots=True)
class _Sender:
    """What is the same for every delivery of a connection."""

    name: str
    connector: Connector
    kept_headers: frozenset[str]
    kind: ConnectorKind[Any]
    public_url: str | None
    bucket: TokenBucket
    accepted: Counter


def _verify(connector: Connector, request: SignedRequest, now: int) -> None:
    """Prove where it comes from. Raises ApiError."""
    try:
        connector.verify(request, now)
    except SignatureError as error:
        raise BadSignatureError(str(error)) from None
    except ContentTypeError as error:
        raise ContentTypeRefusedError(str(error), field="content-type") from None


def _name(scope: Scope) -> str:
    """The connection that an address names: all that stands before the next slash."""
    found: dict[str, str] = scope["path_params"]
    return found.get("connection") or found.get("rest", "").strip("/").partition("/")[0]


def _is_below(name: str, scope: Scope) -> bool:
    """Whether an address goes on behind the connection's name, by more than slashes."""
    found: dict[str, str] = scope["path_params"]
    return found.get("rest", name).strip("/") != name


def _receipt(own: Receipt | None, id: str) -> tuple[Message, Message]:
    """What is sent for a delivery that is stored under this id; `own`: what the vendor wants to be answered."""
    status, content_type, body = (
        (202, "application/json", b'{"delivery":"%b"}' % id.encode())
        if own is None
        else (own.status, own.content_type, own.body)
    )
    headers = _receipt_headers(content_type, len(body))
    return (
        {"type": "http.response.start", "status": status, "headers": headers},
        {"type": "http.response.body", "body": body},
    )


@cache
def _receipt_headers(content_type: str, length: int) -> tuple[tuple[bytes, bytes], ...]:
    """Made once for each of the few lengths there are."""
    return (b"content-type", content_type.encode()), (b"content-length", b"%d" % length)


def _read_headers(raw: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """Names are in lower case (ASGI); values of a repeated one joined, as RFC 9110 reads them."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in raw}
    if len(headers) == len(raw):
        return headers
    headers.clear()
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _signed_url(public_url: str | None, scheme: str, path: str, query: str, host: str) -> str:
    """The address as the CRM wrote it: path and query raw, since signatures cover every byte of them."""
    base = public_url.rstrip("/") if public_url else f"{scheme}://{host}"
    return f"{base}{path}?{query}" if query else f"{base}{path}"


async def _described(connection: str) -> None:
    """Stored raw before it is answered. What it says is read later: a body that nobody can read is taken too.

    Signed as the connection's kind has it: there is no API key. Gzip is taken, within the same limit of size.
    Salesforce signs nothing: its address is `/webhooks/{connection}/{secret}`.
    """


async def _elsewhere() -> None:
    """With a slash at the end or two in between, as some forms write an address; and where there is no connection."""


def router_of(endpoint: "WebhookEndpoint") -> APIRouter:
    """The routes of a process that takes webhooks, all answered by this endpoint."""
    router = APIRouter(tags=["webhooks"], route_class=DeliveryRoute)
    router.post(
        "/webhooks/{connection}",
        summary="A CRM's delivery",
        operation_id="take_delivery",
        status_code=202,
        responses={
            **RECEIPTS,
            **problems(
                BadSignatureError, NotFoundError, RequestTimeoutError, BodyTooLargeError, ContentTypeRefusedError,
                TooManyDeliveriesError, NotStoredError,
            ),
        },
        openapi_extra={"requestBody": REQUEST_BODY},
    )(_described)  # fmt: skip
    for elsewhere in ("/webhooks/{rest:path}", DELIVERED):
        router.post(elsewhere, include_in_schema=False)(_elsewhere)
    for route in router.routes:
        if isinstance(route, DeliveryRoute):
            route.app = endpoint
    return router
