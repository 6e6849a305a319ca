"""How the api describes itself: `/openapi.json`. Errors, keys and formats as they are: clients are made of it.

Routes say what only they can know; what follows from other parts (which scope an address needs, what every address may
answer) is added here from there.
"""

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from api.http.errors import (
    PROBLEM_JSON,
    ApiError,
    BodyTooLargeError,
    ForbiddenError,
    InvalidParameterError,
    NotFoundError,
    UnauthenticatedError,
    UnavailableError,
)
from api.http.models.common import ProblemAnswer
from api.http.models.deliveries import SCHEMAS
from api.http.scopes import is_open_to_reps, scope_of
from api.read.read_side import ReadSide
from schemas.windows import WINDOWS

_KEY = "key"
_PROBLEM = "Problem"


def problems(*errors: type[ApiError]) -> dict[int | str, dict[str, Any]]:
    """These errors, as OpenAPI describes them."""
    found: dict[int | str, dict[str, Any]] = {}
    for error in errors:
        retries = issubclass(error, UnavailableError) or error.status == HTTPStatus.TOO_MANY_REQUESTS
        headers = {"Retry-After": {"description": "Seconds.", "schema": {"type": "string"}, "required": True}}
        found[error.status] = {
            "description": error.__doc__,
            "content": {
                PROBLEM_JSON: {
                    "schema": {"$ref": f"#/components/schemas/{_PROBLEM}"},
                    "example": {
                        "type": f"urn:floorcast:problem:{error.slug}",
                        "title": HTTPStatus(error.status).phrase,
                        "status": error.status,
                        "detail": error.__doc__,
                    },
                }
            },
            **({"headers": headers} if retries else {}),
        }
    return found


READ_PROBLEMS = problems(InvalidParameterError, UnavailableError)
"""What every route that reads the view may answer; what keys have to do with is added from scopes.py."""
NOT_FOUND = problems(NotFoundError)


def operation_id(route: APIRoute) -> str:
    """The handler's name: client generators make method names of it."""
    return route.name


def description_of(app: FastAPI) -> dict[str, Any]:
    """The description of the whole; made once, at the first question."""
    if app.openapi_schema is None:
        app.openapi_schema = _described(app)
    return app.openapi_schema


def _described(app: FastAPI) -> dict[str, Any]:
    described = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
    )
    components = described.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas[_PROBLEM] = ProblemAnswer.model_json_schema()
    if app.state.webhooks is not None:
        schemas |= SCHEMAS
    components["securitySchemes"] = {
        _KEY: {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "fc_<id>.<secret>",
            "description": "An API key, of `floorcast keys create`. What it may ask depends on its scope.",
        }
    }
    closed = _closed_parameters(app)
    for method, path, operation in _operations(described):
        wanted = scope_of(method, path)
        for parameter in operation.get("parameters", ()):
            parameter["schema"] |= closed.get(parameter["name"], {})
        responses = operation["responses"]
        # FastAPI's own, of which nothing is true here.
        if "HTTPValidationError" in str(responses.get("422")):
            del responses["422"]
        if "requestBody" in operation:
            for status, response in problems(BodyTooLargeError).items():
                responses.setdefault(str(status), response)
        if wanted is None:
            operation["security"] = []
            continue
        operation["security"] = [{_KEY: []}]
        description = operation.get("description", "")
        or_own = "; one of scope `rep` gets what is their own" if is_open_to_reps(method, path) else ""
        operation["description"] = f"{description}\n\nNeeds a key of scope `{wanted}`{or_own}.".lstrip()
        # 503: the keys have not been read from Kafka yet.
        for status, response in problems(UnauthenticatedError, ForbiddenError, UnavailableError).items():
            responses.setdefault(str(status), response)
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    return described


def _closed_parameters(app: FastAPI) -> dict[str, dict[str, Any]]:
    """What parameters may say that name something of a closed list, by parameter."""
    read_side: ReadSide | None = getattr(app.state, "read_side", None)
    metrics = [] if read_side is None else sorted(read_side.view.catalogue)
    return {
        "metric": {"enum": metrics},
        "metrics": {"pattern": f"(?:{_listing(metrics)})|^$", "examples": ["calls_made,conversations"]},
        "windows": {"pattern": _listing(WINDOWS), "examples": ["today,1h"]},
    }


def _listing(names: Iterable[str]) -> str:
    one = f"(?:{'|'.join(names)})"
    return f"^{one}(?:,{one})*$"


def _operations(described: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation
