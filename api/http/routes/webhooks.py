"""`POST /webhooks/{connection}`: take a CRM's delivery, prove where it comes from, store it raw, answer.

The connection is looked up before a byte of the body is read, and the body is counted while it arrives and while it is
inflated. What the body says is read much later, from the log.
"""

import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache

import structlog
from fastapi import APIRouter
from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry, Counter
from starlette.types import Receive, Scope, Send

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
from api.http.models.deliveries import RECEIPTS, REQUEST_BODY
from api.http.request_log import current_request
from api.settings import Settings
from api.write.ingest import DeliveryLog
from api.write.limits import Budget, TokenBucket
from api.write.refusals import StoreRefusedError
from schemas.config import Connection
from schemas.connectors import KINDS
from schemas.connectors.base import Connector, ContentTypeError, SignatureError, SignedRequest
from schemas.deliveries import REQUEST, Delivery
from schemas.instants import MINUTE
from schemas.tracing import OFF, TRACEPARENT, Attributes, Tracing

log = structlog.get_logger("api")

_METHOD = "POST"
_PATH = "/webhooks/"
_TOO_MANY = "too many deliveries are being read"
_TRACEPARENT = TRACEPARENT.encode()
_UNKNOWN = "_unknown"
"""Label of deliveries to names that are not configured: anybody can invent names."""
_NAMES_A_MINUTE = 20
_GZIP = 16 + zlib.MAX_WBITS
_MEMBERS = 8
"""What follows a member is copied for the next: many small ones would take as long as their square."""


class ClientGoneError(Exception):
    """The connection was lost, or closed by its deadline, before the body was there."""


class _DeliveryRoute(APIRoute):
    """A route as any other, but that it reads its body itself: piece by piece, against a budget.

    So it does without what FastAPI makes of a request for its parameters, which was half of the cost of a delivery.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, whatever the method: each refusal is counted."""
        webhooks: WebhookEndpoint = scope["app"].state.webhooks
        await webhooks(scope, receive, send)


router = APIRouter(tags=["webhooks"], route_class=_DeliveryRoute)


@router.post(
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
)  # fmt: skip
async def _described(connection: str) -> None:
    """Stored raw before it is answered. What it says is read later: a body that nobody can read is taken too.

    Signed as the connection's kind has it: there is no API key. Gzip is taken, within the same limit of size.
    Salesforce signs nothing: its address is `/webhooks/{connection}/{secret}`.
    """


@router.post("/webhooks", include_in_schema=False)
@router.post("/webhooks/{rest:path}", include_in_schema=False)
async def _elsewhere() -> None:
    """With a slash at the end or two in between, as some forms write an address; and where there is no connection."""


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
        self._connectors = connectors
        self._kept_headers = {name: connector.kept_headers for name, connector in connectors.items()}
        self._public_urls = {name: connection.public_url for name, connection in connections.items()}
        kinds = {name: KINDS[connection.kind] for name, connection in connections.items()}
        self._receipts = {name: kind.receipt for name, kind in kinds.items() if kind.receipt is not None}
        self._with_secret_path = frozenset(name for name, kind in kinds.items() if kind.has_secret_path)
        self._never_posted_to = frozenset(name for name, kind in kinds.items() if not kind.takes_webhooks)
        self._ingest = ingest
        self._tracing = tracing
        self._clock = clock
        self._max_body = settings.max_body_bytes
        self._reading = Budget(count=settings.max_connections, size=settings.max_in_flight_bytes)
        self._buckets = {
            name: TokenBucket(per_second=settings.deliveries_per_second, burst=settings.deliveries_burst)
            for name in connections
        }
        self._deliveries = Counter(
            "floorcast_deliveries",
            "Deliveries by connection and what became of them.",
            ["connection", "outcome"],
            registry=registry,
        )
        self._accepted = {name: self._deliveries.labels(name, "accepted") for name in connections}
        self._lost = _LostDeliveries()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        name, began = _name(scope), time.time_ns()
        try:
            delivery = await self._prove(name, scope, receive)
        except ClientGoneError:
            self._count(name, "incomplete")
            return
        except Exception as error:  # noqa: BLE001 - what is not ours is logged with the answer
            with self._told(name, scope, began):
                await self._refuse(name, error, scope, receive, send)
            return
        # Only now: whoever is not proven to be the CRM must not choose what is traced.
        parents = [value.decode("latin-1") for header, value in scope["headers"] if header == _TRACEPARENT]
        with self._told(name, scope, began, parents):
            try:
                id = await self._store(delivery)
            except Exception as error:  # noqa: BLE001 - as above
                await self._refuse(name, error, scope, receive, send)
            else:
                await self._receipt(name, id, send)

    @contextmanager
    def _told(self, name: str, scope: Scope, began: int, parents: Sequence[str] = ()) -> Iterator[None]:
        """Tell of a request, once it is known whether it is the CRM's; to be answered within."""
        if not self._tracing.is_on or name not in self._connectors:
            yield
            return
        attributes: Attributes = {
            "http.request.method": scope["method"],
            "http.route": "/webhooks/{connection}",
            "floorcast.connection": name,
            "floorcast.request": current_request() or "",
        }
        told = self._tracing.span(
            "POST /webhooks/{connection}", "server", parents=parents, attributes=attributes, began=began
        )
        with told as span:
            yield
            status = answer_of(scope).status
            span.note({"http.response.status_code": status})
            if status >= 500:
                span.fail("not stored")

    async def _receipt(self, name: str, delivery: str, send: Send) -> None:
        self._accepted[name].inc()
        own = self._receipts.get(name)
        status, content_type, receipt = (
            (202, "application/json", b'{"delivery":"%b"}' % delivery.encode())
            if own is None
            else (own.status, own.content_type, own.body)
        )
        headers = _receipt_headers(content_type, len(receipt))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": receipt})

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
        self._deliveries.labels(name if name in self._connectors else _UNKNOWN, outcome).inc()

    async def _prove(self, name: str, scope: Scope, receive: Receive) -> Delivery:
        """What was sent, which is the connection's own."""
        if (
            name not in self._connectors
            or name in self._never_posted_to
            or (_is_below(name, scope) and name not in self._with_secret_path)
        ):
            msg = "there is no such connection"
            raise NotFoundError(msg, field="connection")
        if scope["method"] != _METHOD:
            raise MethodNotAllowedError(allowed=_METHOD)
        headers = _read_headers(scope["headers"])
        is_compressed = self._admit(headers)
        body = await self._read(receive)
        path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        query = scope["query_string"].decode("latin-1")
        url = _signed_url(self._public_urls[name], scope["scheme"], path, query, headers.get("host", ""))
        whole = inflated(body, self._max_body) if is_compressed else body
        # From here on it is what was compressed.
        headers.pop("content-encoding", None)
        now = self._clock()
        self._verify(name, url, headers, (whole, body) if is_compressed else (whole,), now)
        kept_headers = self._kept_headers[name]
        kept = {header: value for header, value in headers.items() if header in kept_headers}
        if request := current_request():
            kept[REQUEST] = request
        return Delivery(name, now, kept, whole)

    async def _store(self, delivery: Delivery) -> str:
        # Only what is authentic uses up what the CRM may send.
        wait = self._buckets[delivery.connection].take(delivery.received_at)
        if wait:
            raise TooManyDeliveriesError(wait)
        return await self._ingest.accept(delivery)

    def _admit(self, headers: Mapping[str, str]) -> bool:
        """Refuse what need not be read; give whether it is compressed. Raises ApiError."""
        coding = headers.get("content-encoding", "identity").strip().lower()
        if coding not in ("", "identity", "gzip", "x-gzip"):
            msg = "content-encoding: only identity and gzip are taken"
            raise ContentTypeRefusedError(msg, field="content-encoding")
        declared = headers.get("content-length", "0")
        if not declared.isdecimal() or len(declared) > 18 or int(declared) > self._max_body:
            raise BodyTooLargeError(self._max_body)
        return coding.endswith("gzip")

    def _verify(self, name: str, url: str, headers: Mapping[str, str], bodies: Sequence[bytes], now: int) -> None:
        """Prove where it comes from. Some sign what they compress, some what they send: any of `bodies` will do."""
        for last, body in enumerate(bodies, start=1):
            try:
                self._connectors[name].verify(SignedRequest(_METHOD, url, headers, body), now)
            except SignatureError as error:
                if last == len(bodies):
                    raise BadSignatureError(str(error)) from None
            except ContentTypeError as error:
                raise ContentTypeRefusedError(str(error), field="content-type") from None
            else:
                return

    async def _read(self, receive: Receive) -> bytes:
        chunks: list[bytes] = []
        size = 0
        try:
            while True:
                message = await receive()
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
                    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
        finally:
            self._reading.give_back(size, count=0)


def _name(scope: Scope) -> str:
    """The connection that an address names: all that stands before the next slash."""
    found: dict[str, str] = scope["path_params"]
    return found.get("connection") or found.get("rest", "").strip("/").partition("/")[0]


def _is_below(name: str, scope: Scope) -> bool:
    """Whether an address goes on behind the connection's name, by more than slashes."""
    found: dict[str, str] = scope["path_params"]
    return found.get("rest", name).strip("/") != name


class _LostDeliveries:
    """Says once a minute to which names there is no connection: a CRM does not repeat a 404, and nobody sees it there.

    Nothing but the first part of the path: what stands behind it may be a secret.
    """

    def __init__(self) -> None:
        self._minute: int | None = None
        self._names: dict[str, int] = {}

    def note(self, name: str, now: int) -> None:
        """One more to a name; the first of a minute is logged, with how many there were in the one before."""
        minute = now // MINUTE
        if minute != self._minute:
            before, self._names, self._minute = self._names, {}, minute
        else:
            before = {}
        shown = name[:64]
        if shown in self._names:
            self._names[shown] += 1
        elif len(self._names) < _NAMES_A_MINUTE:
            self._names[shown] = 1
            log.warning("webhooks.no_such_connection", connection=shown, minute_before=before.get(shown, 0))


def inflated(body: bytes, limit: int) -> bytes:
    """The content of a gzip body, of one member or several. Raises BodyTooLargeError before it makes more than that."""
    pieces: list[bytes] = []
    left = limit
    rest = body
    while rest and len(pieces) < _MEMBERS:
        member = zlib.decompressobj(_GZIP)
        try:
            piece = member.decompress(rest, left + 1)
        except zlib.error:
            break
        if len(piece) > left:
            raise BodyTooLargeError(limit)
        if not member.eof:
            break
        pieces.append(piece)
        left -= len(piece)
        rest = member.unused_data
    if rest:
        msg = f"content-encoding: the body is not gzip, or not all of it, or has more than {_MEMBERS} members"
        raise ContentTypeRefusedError(msg, field="content-encoding")
    return b"".join(pieces)


@cache
def _receipt_headers(content_type: str, length: int) -> tuple[tuple[bytes, bytes], ...]:
    """Made once for each of the few lengths there are."""
    return (b"content-type", content_type.encode()), (b"content-length", b"%d" % length)


def _read_headers(raw: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """Names are in lower case (ASGI); values of a repeated one joined, as RFC 9110 reads them."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _signed_url(public_url: str | None, scheme: str, path: str, query: str, host: str) -> str:
    """The address as the CRM wrote it: path and query raw, since signatures cover every byte of them."""
    base = public_url.rstrip("/") if public_url else f"{scheme}://{host}"
    return f"{base}{path}?{query}" if query else f"{base}{path}"
