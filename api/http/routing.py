"""How a request finds its route: a delivery leaves early, and whatever is read passes more layers.

Which layers those are is middleware.py's.
"""

from collections.abc import Awaitable, Mapping, Sequence
from functools import cached_property
from typing import Any

from fastapi import FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette.routing import BaseRoute, Match, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.description import description_of
from api.http.middleware import layered, reading
from api.http.routes.webhooks import DELIVERED, DeliveryRoute


class RoutedApi(FastAPI):
    """FastAPI for its routes; what stands before them is middleware.py's alone, and it describes itself our way.

    The framework's own layers (telemetry, limits of bodies, a second catcher of errors) cost each request as much as
    all of ours, for nothing that is used here.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        scope["app"] = self
        if scope["type"] == "http" and scope["path"].startswith("//"):
            # An address that ends in a slash, and a path that begins with one. What is signed is `raw_path`.
            scope["path"] = "/" + scope["path"].lstrip("/")
        await self._entrance(scope, receive, send)

    @cached_property
    def _entrance(self) -> ASGIApp:
        return self.build_middleware_stack()

    def build_middleware_stack(self) -> ASGIApp:
        """Ours, then what FastAPI's routes need around them."""
        self._read = layered(self._route, reading())
        return layered(self._enter, self.user_middleware)

    def _enter(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Hand a delivery over to its route, and all else to what answers who reads."""
        route = self._find(scope) if scope["type"] == "http" and scope["path"].startswith(DELIVERED) else None
        if isinstance(route, DeliveryRoute):
            return route.app(scope, receive, send)
        return self._read(scope, receive, send)

    def _route(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Hand over to the first route that takes the request as it is; what none does, FastAPI knows to answer."""
        route = self._find(scope) if scope["type"] == "http" else None
        app: ASGIApp = self.router.app if route is None else route.handle
        return AsyncExitStackMiddleware(app)(scope, receive, send)

    def _find(self, scope: Scope) -> BaseRoute | None:
        """The first route that takes the request, which then stands in its scope with what its path names."""
        for route in self._routes.get(_first_part(scope["path"]), ()):
            match, found = route.matches(scope)
            if match is Match.FULL:
                scope.update(found)
                return route
        return None

    @cached_property
    def _routes(self) -> Mapping[str, Sequence[BaseRoute]]:
        """By the first part of their path, in order: to match a path with all of them costs as much as an answer."""
        found: dict[str, list[BaseRoute]] = {}
        for route in self.router.routes:
            if isinstance(route, Route | Mount):
                found.setdefault(_first_part(route.path), []).append(route)
        return found

    def openapi(self) -> dict[str, Any]:
        """What `/openapi.json` answers."""
        return description_of(self)


def _first_part(path: str) -> str:
    return path[1:].partition("/")[0]
