"""A company of Aircall: its calls and users, its API, and the webhooks it would send.

Written from the documents named in `reference`: basic auth, lists by when a call was made, 50 a page, cut at 10,000
without a word, 120 requests in a minute, whole seconds.
https://developer.aircall.io/api-references/
"""

import base64
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.fakes.http import FakeServer, Request, Response, Rolling

ID, KEY = "api-id-1", "api-key-1"
TOKEN = "45XXYYZZa08example"  # noqa: S105 - what its bodies repeat
CAP = 10_000


class FakeAircall(FakeServer):
    """The company. What is done to it gives the bodies of its webhooks."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self.rolling = Rolling(120, 60.0)
        self.calls: dict[int, dict[str, Any]] = {}
        self.users: list[dict[str, Any]] = []
        self._next_id = 812034550

    @property
    def over_limit(self) -> int:
        """Requests beyond what the company allows."""
        return self.rolling.over

    def now(self) -> int:
        return int(self.clock())

    # What people do.

    def create(self, data: Mapping[str, Any]) -> tuple[int, list[dict[str, Any]]]:
        self._next_id += 1
        call = {
            "id": self._next_id, "status": "initial", "answered_at": None, "ended_at": None, "tags": [],
            "voicemail": None, "transferred_to": None, "started_at": self.now(), "archived": False, **data,
        }  # fmt: skip
        self.calls[self._next_id] = call
        return self._next_id, [self._event("created", call)]

    def set(self, id: int, event: str, data: Mapping[str, Any]) -> list[dict[str, Any]]:
        call = self.calls[id]
        call |= data
        return [self._event(event, call)]

    def _event(self, name: str, call: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "resource": "call", "event": f"call.{name}", "timestamp": self.now(), "token": TOKEN,
            "data": dict(call),
        }  # fmt: skip

    # The API.

    def answer(self, request: Request) -> Response:
        given = base64.b64encode(f"{ID}:{KEY}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {given}":
            return Response(401, {"error": "Unauthorized", "troubleshoot": "Invalid API key"})
        if not self.rolling.takes(self.clock()):
            return Response(429, {"error": "Too many requests"}, {"X-AircallApi-Reset": str(self.now() + 60)})
        response = self._route(request)
        response.headers |= {
            "X-AircallApi-Limit": str(self.rolling.most), "X-AircallApi-Remaining": str(self.rolling.left)
        }  # fmt: skip
        return response

    def _route(self, request: Request) -> Response:
        query = request.query
        if request.path == "/v1/ping":
            return Response(200, {"ping": "pong"})
        if found := re.fullmatch(r"/v1/webhooks(?:/([\w-]+))?", request.path):
            return self._webhooks(request, found[1])
        if request.path in ("/v1/users", "/v2/users"):
            return self._page("users", self.users, query, len(self.users))
        if request.path == "/v1/calls":
            calls = [
                call
                for call in self.calls.values()
                if int(query.get("from", "0")) <= call["started_at"] <= int(query.get("to", "99999999999"))
            ]
            calls.sort(key=lambda call: (call["started_at"], call["id"]), reverse=query.get("order") == "desc")
            return self._page("calls", calls[:CAP], query, min(len(calls), CAP))
        found = re.fullmatch(r"/v1/calls/(\d+)", request.path)
        call = None if found is None else self.calls.get(int(found[1]))
        return Response(404, {"error": "Not found"}) if call is None else Response(200, {"call": call})

    def _webhooks(self, request: Request, id: str | None) -> Response:
        """The same address twice is refused; each has a token of its own."""
        if request.method == "POST":
            said = request.json()
            if any(hook["url"] == said["url"] for hook in self.hooks.values()):
                return Response(400, {"error": "Bad Request", "troubleshoot": "url is already taken"})
            id = f"1e8e0f4c-0000-4000-8000-{len(self.hooks) + 1:012}"
            self.hooks[id] = {"webhook_id": id, "active": True, "token": TOKEN, **said}
            return Response(201, {"webhook": self.hooks[id]})
        if id is None:
            return self._page("webhooks", list(self.hooks.values()), request.query, len(self.hooks))
        if id not in self.hooks:
            return Response(404, {"error": "Not found"})
        if request.method == "PUT":
            self.hooks[id] |= request.json()
        return Response(200, {"webhook": self.hooks[id]})

    def _page(self, name: str, rows: list[dict[str, Any]], query: Mapping[str, str], total: int) -> Response:
        page, size = int(query.get("page", "1")), int(query.get("per_page", "20"))
        if size > 50:
            return Response(400, {"error": "per_page"})
        link = f"{self.url}/v1/{name}?page={page + 1}" if page * size < len(rows) else None
        meta = {"count": size, "total": total, "current_page": page, "per_page": size, "next_page_link": link}
        return Response(200, {name: rows[(page - 1) * size : page * size], "meta": meta})


def bodies(events: list[dict[str, Any]]) -> list[bytes]:
    """A webhook each."""
    return [json.dumps(event).encode() for event in events]
