"""What goes wrong in the api, and the HTTP answer to it. The only place that knows status codes of errors.

Every error leaves as `application/problem+json` (RFC 9457) and says nothing of the inside; on an address that people
open a browser gets a page instead (pages.py).

    ApiError
    ├── UnauthenticatedError      401   no key, or none that is valid
    │   └── BadSignatureError     401   a delivery that does not prove where it comes from
    ├── ForbiddenError            403   a valid key without the scope or team
    ├── NotFoundError             404   unknown rep, team, lead, connection …
    ├── MethodNotAllowedError     405
    ├── RequestTimeoutError       408   answered below ASGI
    ├── BodyTooLargeError         413
    ├── ContentTypeRefusedError   415
    ├── InvalidParameterError     422   a parameter that means nothing here, named
    ├── TooManyDeliveriesError    429   send again after `retry_after` seconds
    ├── TooManyRequestsError      429   codes, guesses at codes, streams of a key
    └── UnavailableError          503   send again after `retry_after` seconds
        ├── NotStoredError              Kafka did not acknowledge a delivery
        └── OverloadedError             as much is under way as memory is set aside for

Where the server itself refuses (what is not HTTP, too slow, no such address), the type says the status in words.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar

import orjson
import structlog
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.conditional import STREAMS
from api.http.headers import answer_of
from api.http.pages import error_page
from api.write.refusals import BacklogFullError, StoreRefusedError

log = structlog.get_logger("api")

PROBLEM_JSON = "application/problem+json"


class ApiError(Exception):
    """Something the client is told: `detail` is one line, `field` the parameter, header or setting to look at."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal"

    def __init_subclass__(cls, *, status: int | None = None, slug: str | None = None) -> None:
        cls.status, cls.slug = status or cls.status, slug or cls.slug

    def __init__(self, detail: str, *, field: str | None = None, retry_after: int | None = None) -> None:
        self.detail = detail
        self.field = field
        self.retry_after = retry_after
        super().__init__(detail)

    def headers(self) -> dict[str, str]:
        """Headers that belong to this answer."""
        return {} if self.retry_after is None else {"retry-after": str(self.retry_after)}


class UnauthenticatedError(ApiError, status=401, slug="unauthenticated"):
    """No key, or none that is valid."""

    def headers(self) -> dict[str, str]:
        """How to authenticate."""
        return {"www-authenticate": 'Bearer realm="floorcast"'}


class BadSignatureError(UnauthenticatedError, slug="bad-signature"):
    """A delivery that does not prove where it comes from."""

    def headers(self) -> dict[str, str]:
        """RFC 9110 wants a challenge with every 401."""
        return {"www-authenticate": "Signature"}


class ForbiddenError(ApiError, status=403, slug="forbidden"):
    """A valid key without the scope or team that is needed."""


class NotFoundError(ApiError, status=404, slug="not-found"):
    """There is no such thing here."""


class MethodNotAllowedError(ApiError, status=405, slug="method-not-allowed"):
    """The address takes another method."""

    def __init__(self, allowed: str) -> None:
        self.allowed = allowed
        super().__init__(f"this address takes {allowed}")

    def headers(self) -> dict[str, str]:
        """Which methods are taken."""
        return {"allow": self.allowed}


class RequestTimeoutError(ApiError, status=408, slug="request-timeout"):
    """The request did not arrive in time."""


class BodyTooLargeError(ApiError, status=413, slug="body-too-large"):
    """More body than is taken."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body is larger than {limit} bytes")


class ContentTypeRefusedError(ApiError, status=415, slug="content-type-refused"):
    """A content type or encoding that is not taken here."""


class InvalidParameterError(ApiError, status=422, slug="invalid-parameter"):
    """A parameter that means nothing here."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}", field=field)


class TooManyDeliveriesError(ApiError, status=429, slug="too-many-deliveries"):
    """More deliveries than the connection may send."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("this connection sends faster than deliveries_per_second", retry_after=retry_after)


class TooManyRequestsError(ApiError, status=429, slug="too-many-requests"):
    """More of this than anybody needs who means well."""


class UnavailableError(ApiError, status=503, slug="unavailable"):
    """Not now: the same request may succeed later."""

    def __init__(self, detail: str, *, retry_after: int = 2) -> None:
        super().__init__(detail, retry_after=retry_after)


class NotStoredError(UnavailableError, slug="not-stored"):
    """Kafka did not acknowledge the delivery in time; it may be stored all the same, a repetition does no harm."""


class OverloadedError(UnavailableError, slug="overloaded"):
    """As much is under way as memory is set aside for."""


def problem(
    status: int,
    detail: str,
    *,
    slug: str | None = None,
    field: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem document. Without a `slug` its type says the status in words."""
    return Response(
        problem_body(status, detail, slug=slug, field=field),
        status_code=status,
        media_type=PROBLEM_JSON,
        headers={"cache-control": "no-store", **(headers or {})},
    )


def problem_body(status: int, detail: str, *, slug: str | None = None, field: str | None = None) -> bytes:
    """The document itself, for answers that are written below ASGI."""
    document: dict[str, Any] = {
        "type": f"urn:floorcast:problem:{slug or _in_words(status)}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if field is not None:
        document["field"] = field
    return orjson.dumps(document)


def _in_words(status: int) -> str:
    return HTTPStatus(status).phrase.lower().replace(" ", "-")


def error_answer(error: ApiError) -> Response:
    """The answer to an error of ours."""
    return problem(error.status, error.detail, slug=error.slug, field=error.field, headers=error.headers())


def of_refusal(refused: StoreRefusedError) -> ApiError:
    """What a client is told where something was not stored."""
    kind = OverloadedError if isinstance(refused, BacklogFullError) else NotStoredError
    return kind(refused.detail, retry_after=refused.retry_after)


def answer_unknown(scope: Scope) -> Response:
    """Log the exception that is being handled, and make the bare answer to it."""
    # The route, not the path or query: those may hold ids and tokens.
    route = scope.get("route")
    log.exception("request.failed", method=scope["method"], route=getattr(route, "path", None))
    return problem(500, "an unexpected error; it was logged", slug=ApiError.slug)


def _answer_http(error: HTTPException, scope: Scope) -> Response:
    """What the framework refuses, in our words."""
    if isinstance(error.__cause__, ApiError):  # what went wrong in reading a body, in FastAPI's 400
        return error_answer(error.__cause__)
    if isinstance(error.__cause__, UnicodeDecodeError):
        # FastAPI answers 400 for bytes that are no text, and 422 for all else that is no JSON.
        return error_answer(InvalidParameterError("body", "is not JSON: it is not UTF-8"))
    detail = error.detail if isinstance(error.detail, str) else HTTPStatus(error.status_code).phrase
    headers = dict(error.headers or {})
    if headers.get("Allow") == "GET" and scope["path"] not in STREAMS:
        headers["Allow"] = "GET, HEAD"
    page = error_page(scope, error.status_code, detail, field=None, headers=headers)
    return page or problem(error.status_code, detail, headers=headers)


def _answer_invalid(error: RequestValidationError) -> Response:
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        # Its place is a number of characters.
        return error_answer(InvalidParameterError("body", f"is not JSON (character {int(first['loc'][-1]) + 1})"))
    # The place only, never the value: it may hold personal data.
    field = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
    return error_answer(InvalidParameterError(field, str(first["msg"]).removeprefix("Value error, ")))


class CatchErrors:
    """Answers every exception: ours and the framework's as what they are, any other with a bare 500 that is logged.

    Stands inside the middleware that completes heads, so that a 500 has its headers too; Starlette's own handlers stand
    outside every middleware, and inside all of it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and answer what nobody answered."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            response = answer_to(error, scope)
            if answer_of(scope).status:
                # An answer has begun: there cannot be another.
                raise
            await response(scope, receive, send)


def answer_to(error: Exception, scope: Scope) -> Response:
    """The answer to any exception; to be called where it is handled."""
    if isinstance(error, StoreRefusedError):
        error = of_refusal(error)
    if isinstance(error, HTTPException):
        return _answer_http(error, scope)
    if isinstance(error, RequestValidationError):
        return _answer_invalid(error)
    if not isinstance(error, ApiError):
        return answer_unknown(scope)
    page = error_page(scope, error.status, error.detail, field=error.field, headers=error.headers())
    return page or error_answer(error)
