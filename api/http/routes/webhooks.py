"""`POST /webhooks/{connection}`: take a CRM's delivery, prove where it comes from, store it raw, answer.

Plain ASGI: the connection is looked up before a byte of the body is read, and the body is counted while it arrives. A
delivery that lies whole in one packet also comes straight from the protocol (`take_whole`), by the same checks.
What the body says is read much later, from the log.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache

from prometheus_client import CollectorRegistry, Counter
from starlette.types import ASGIApp, Receive, Scope, Send

from api.direct import Answer, Respond
from api.http.errors import (
    ApiError,
    BadSignatureError,
    BodyTooLargeError,
    ContentTypeRefusedError,
    MethodNotAllowedError,
    NotFoundError,
    OverloadedError,
    TooManyDeliveriesError,
    answer,
    answer_unknown,
)
from api.http.headers import SECURITY_HEADERS
from api.settings import Settings
from api.write.ingest import DeliveryLog
from api.write.limits import Budget, TokenBucket
from schemas.config import Connection
from schemas.connectors.base import Connector, ContentTypeError, SignatureError, SignedRequest
from schemas.deliveries import Delivery

_METHOD = "POST"
_PATH = "/webhooks/"
_TOO_MANY = "too many deliveries are being read"
_UNKNOWN = "_unknown"
"""Label of deliveries to names that are not configured: anybody can invent names."""


class ClientGoneError(Exception):
    """The connection was lost, or closed by its deadline, before the body was there."""


class WebhookGate:
    """Sends `/webhooks/{connection}` straight to its endpoint, everything else on.

    Routing, exit stack and exception handlers of the framework were half of the cost of a delivery (py-spy, 100/s).
    """

    def __init__(self, app: ASGIApp, *, webhooks: ASGIApp) -> None:
        self.app = app
        self._webhooks = webhooks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Choose by the path alone."""
        if scope["type"] == "http" and scope["path"].startswith(_PATH):
            connection = scope["path"][len(_PATH) :]
            if connection and "/" not in connection:
                scope["path_params"] = {"connection": connection}
                await self._webhooks(scope, receive, send)
                return
        await self.app(scope, receive, send)


class WebhookEndpoint:
    """The ASGI application behind `/webhooks/{connection}`."""

    def __init__(
        self,
        settings: Settings,
        *,
        connections: Mapping[str, Connection],
        connectors: Mapping[str, Connector],
        ingest: DeliveryLog,
        registry: CollectorRegistry,
        clock: Callable[[], int],
    ) -> None:
        self._connectors = connectors
        self._kept_headers = {name: connector.kept_headers for name, connector in connectors.items()}
        self._public_urls = {name: connection.public_url for name, connection in connections.items()}
        self._ingest = ingest
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

    @property
    def addresses(self) -> Mapping[bytes, str]:
        """The target of a plain request to each connection, as it stands in the request, and the connection's name."""
        return {f"{_PATH}{name}".encode(): name for name in self._connectors}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        name = scope["path_params"]["connection"]
        try:
            answer = self._receipt(name, await self._take(name, scope, receive))
        except ClientGoneError:
            self._deliveries.labels(name, "incomplete").inc()
            return
        except Exception as error:  # noqa: BLE001 - what is not ours is logged with the answer
            answer = self._refusal(name, error, scope)
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body})

    def take_whole(
        self, name: str, scheme: str, headers: Sequence[tuple[bytes, bytes]], body: bytes, respond: Respond
    ) -> None:
        """Answer a delivery that is there as a whole, now or when Kafka has acknowledged it."""

        def answered(outcome: str | ApiError) -> None:
            if isinstance(outcome, str):
                respond(self._receipt(name, outcome))
            else:
                respond(self._refusal(name, outcome, scope))

        scope = {"method": _METHOD}
        try:
            read = _read_headers(headers)
            self._admit(read)
            size = len(body)
            if size > self._max_body:
                raise BodyTooLargeError(self._max_body)
            if not self._reading.fits(size):
                raise OverloadedError(_TOO_MANY, retry_after=1)
            url = _signed_url(self._public_urls[name], scheme, f"{_PATH}{name}", "", read.get("host", ""))
            self._ingest.hand_over(self._authentic(name, url, read, body), answered)
        except Exception as error:  # noqa: BLE001 - what is not ours is logged with the answer
            respond(self._refusal(name, error, scope))

    def _receipt(self, name: str, delivery: str) -> Answer:
        self._accepted[name].inc()
        receipt = b'{"delivery":"%b"}' % delivery.encode()
        return Answer(202, _receipt_headers(len(receipt)), receipt)

    def _refusal(self, name: str, error: Exception, scope: Scope) -> Answer:
        """Count, and make the answer; to be called where the exception is handled."""
        response, slug = (
            (answer(error), error.slug) if isinstance(error, ApiError) else (answer_unknown(scope), ApiError.slug)
        )
        label = name if name in self._connectors else _UNKNOWN
        self._deliveries.labels(label, slug.replace("-", "_")).inc()
        return Answer(response.status_code, (*response.raw_headers, *SECURITY_HEADERS), bytes(response.body))

    async def _take(self, name: str, scope: Scope, receive: Receive) -> str:
        if name not in self._connectors:
            msg = "there is no such connection"
            raise NotFoundError(msg, field="connection")
        if scope["method"] != _METHOD:
            raise MethodNotAllowedError(allowed=_METHOD)
        headers = _read_headers(scope["headers"])
        self._admit(headers)
        body = await self._read(receive)
        path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        query = scope["query_string"].decode("latin-1")
        url = _signed_url(self._public_urls[name], scope["scheme"], path, query, headers.get("host", ""))
        return await self._ingest.accept(self._authentic(name, url, headers, body))

    def _admit(self, headers: Mapping[str, str]) -> None:
        """Refuse what need not be read. Raises ApiError."""
        if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            msg = "content-encoding: only identity is taken"
            raise ContentTypeRefusedError(msg, field="content-encoding")
        declared = headers.get("content-length", "0")
        if not declared.isdecimal() or len(declared) > 18 or int(declared) > self._max_body:
            raise BodyTooLargeError(self._max_body)

    def _authentic(self, name: str, url: str, headers: Mapping[str, str], body: bytes) -> Delivery:
        """What is stored of a request, once it has proved where it comes from. Raises ApiError."""
        now = self._clock()
        try:
            self._connectors[name].verify(SignedRequest(_METHOD, url, headers, body), now)
        except SignatureError as error:
            raise BadSignatureError(str(error)) from None
        except ContentTypeError as error:
            raise ContentTypeRefusedError(str(error), field="content-type") from None
        # Only now: what is not authentic must not use up what the CRM may send.
        wait = self._buckets[name].take(now)
        if wait:
            raise TooManyDeliveriesError(wait)
        kept_headers = self._kept_headers[name]
        kept = {header: value for header, value in headers.items() if header in kept_headers}
        return Delivery(name, now, kept, body)

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


@cache
def _receipt_headers(length: int) -> tuple[tuple[bytes, bytes], ...]:
    """Made once for each of the few lengths there are."""
    return ((b"content-type", b"application/json"), (b"content-length", b"%d" % length), *SECURITY_HEADERS)


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
