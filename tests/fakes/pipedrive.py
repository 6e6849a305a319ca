"""A company of Pipedrive: its objects, its API of both versions, and the webhooks it would send.

Written from the documents named in `reference`: tokens a request costs, requests in two seconds, 429 and then a page of
whoever guards it, cursors of the second version and offsets of the first, archived lists, the changelog of a deal,
deals that are deleted for 30 days, no fractions in `updated_since`.
https://pipedrive.readme.io/docs/core-api-concepts-rate-limiting
https://developers.pipedrive.com/docs/api/v1
https://developers.pipedrive.com/docs/api/v1/Webhooks
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.fakes.http import FakeServer, Request, Response, Rolling

KEY = "pd-token-1"
MONTH = 30 * 86400


def iso(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Item:
    id: str
    entity: str
    created: int
    updated: int
    data: dict[str, Any]
    changes: list[dict[str, Any]] = field(default_factory=list)
    """Of a deal: its changelog, oldest first."""
    deleted_at: int | None = None


class FakePipedrive(FakeServer):
    """The company. What is done to it gives the bodies of its webhooks."""

    def __init__(self, clock: Callable[[], float], *, burst: int = 20, daily: int = 30_000) -> None:
        super().__init__(clock)
        self.tokens = {KEY}
        self.burst = Rolling(burst, 2.0)
        self.daily = daily
        self.left = daily
        self.refused = 0
        self.delay_ms = 0
        """How much later than the update it tells of a webhook says it is, within the second."""
        self.items: dict[str, dict[str, Item]] = {"deal": {}, "lead": {}, "activity": {}}
        self.users: list[dict[str, Any]] = []
        self.pipelines: list[dict[str, Any]] = []
        self.stages: list[dict[str, Any]] = []
        self.is_admin = True
        self._next_id = 700

    @property
    def over_limit(self) -> int:
        """Requests beyond what the company allows."""
        return self.refused

    def now(self) -> int:
        return int(self.clock())

    # What people do.

    def create(self, entity: str, data: Mapping[str, Any]) -> tuple[str, list[dict[str, Any]]]:
        self._next_id += 1
        id = f"b1810230-6c0d-11ed-9826-{self._next_id:012}" if entity == "lead" else str(self._next_id)
        now = self.now()
        item = Item(id, entity, now, now, dict(data))
        self.items[entity][id] = item
        if data.get("done"):
            item.data["marked_as_done_time"] = iso(now)
        return id, [self._webhook("create", item, None)]

    def set(self, entity: str, id: str, data: Mapping[str, Any]) -> list[dict[str, Any]]:
        item, now = self.items[entity][id], self.now()
        data = dict(data)
        changed = {name: item.data.get(name) for name, value in data.items() if item.data.get(name) != value}
        if not changed:
            return []
        if "stage_id" in changed:
            data["stage_change_time"] = iso(now)
        if "status" in changed:
            times = {"won": ("won_time", "lost_time"), "lost": ("lost_time", "won_time")}.get(data["status"])
            data |= {"won_time": None, "lost_time": None, "close_time": None}
            if times is not None:
                data |= {times[0]: iso(now), "close_time": iso(now)}
        if "done" in changed:
            data["marked_as_done_time"] = iso(now) if data["done"] else None
        before = {name: item.data.get(name) for name, value in data.items() if item.data.get(name) != value}
        if entity == "deal":
            for name, former in before.items():
                key = "user_id" if name == "owner_id" else name
                item.changes.append(
                    {
                        "field_key": key, "old_value": _text(former), "new_value": _text(data[name]),
                        "time": iso(now).replace("T", " ").rstrip("Z"), "actor_user_id": 1, "change_source": "app",
                    }
                )  # fmt: skip
        item.data |= data
        item.updated = now
        return [self._webhook("change", item, before)]

    def delete(self, entity: str, id: str) -> list[dict[str, Any]]:
        item = self.items[entity][id]
        before = self._written(item)
        item.deleted_at = item.updated = self.now()
        return [self._webhook("delete", item, before)]

    def convert(self, lead: str, data: Mapping[str, Any]) -> tuple[str, list[dict[str, Any]]]:
        """Make a deal of a lead: its activities go to the deal, and it is deleted."""
        deal, told = self.create("deal", {**data, "source_lead_id": lead})
        for id, item in self.items["activity"].items():
            if item.data.get("lead_id") == lead:
                told += self.set("activity", id, {"lead_id": None, "deal_id": int(deal)})
        return deal, [*told, *self.delete("lead", lead)]

    def _webhook(self, action: str, item: Item, before: Mapping[str, Any] | None) -> dict[str, Any]:
        data = self._written(item)
        for name in ("marked_as_done_time", "source_lead_id"):  # webhooks leave them out
            data.pop(name, None)
        if item.entity == "lead":
            data.pop("id", None)
        return {
            "data": None if action == "delete" else data,
            "previous": before,
            "meta": {
                "action": action, "entity": item.entity, "entity_id": item.id, "version": "2.0", "attempt": 1,
                "timestamp": iso(self.now())[:-1] + f".{self.delay_ms:03}Z", "id": f"bbba59e9-{self.now()}-{item.id}",
                "is_bulk_edit": False, "type": "general",
            },
        }  # fmt: skip

    def _written(self, item: Item) -> dict[str, Any]:
        id = item.id if item.entity == "lead" else int(item.id)
        return {**item.data, "id": id, "add_time": iso(item.created), "update_time": iso(item.updated)}

    # The API.

    def answer(self, request: Request) -> Response:
        if request.headers.get("x-api-token") not in self.tokens:
            return _error(401, "unauthorized access")
        if not self.burst.takes(self.clock()) or self.left <= 0:
            self.refused += 1
            if self.refused > 20:
                return Response(403, raw=b"<html><title>Attention Required! | Cloudflare</title></html>")
            return self._limits(_error(429, "request over limit"))
        cost, response = self._route(request)
        self.left -= cost
        return self._limits(response)

    def _limits(self, response: Response) -> Response:
        response.headers |= {
            "x-ratelimit-limit": str(self.burst.most), "x-ratelimit-remaining": str(self.burst.left),
            "x-ratelimit-reset": "2", "x-daily-requests-left": str(max(0, self.left)),
        }  # fmt: skip
        return response

    def _route(self, request: Request) -> tuple[int, Response]:  # noqa: PLR0911 - a path each
        """What it costs, and the answer."""
        path, query = request.path, request.query
        if path == "/api/v1/users":
            return 20, _answer(self.users)
        if path in ("/api/v2/stages", "/api/v2/pipelines"):
            return 5, _answer(self.stages if path == "/api/v2/stages" else self.pipelines)
        if path == "/api/v1/users/me":
            return 2, _answer({"id": 12415231, "is_admin": int(self.is_admin), "company_domain": "acme"})
        if found := re.fullmatch(r"/api/v1/webhooks(/\d+)?", path):
            return 10, self._webhooks(request, found[1])
        if found := re.fullmatch(r"/api/v1/leads/([0-9a-f-]{20,})", path):
            item = self.items["lead"].get(found[1])
            if item is None or item.deleted_at is not None:
                return 2, _error(404, "Lead was not found.")
            return 2, _answer(self._written(item))
        if found := re.fullmatch(r"/api/v1/leads(/archived)?", path):
            return 20, self._leads(query, is_archived=found[1] is not None)
        if found := re.fullmatch(r"/api/v1/deals/(\d+)/changelog", path):
            return 20, self._changelog(found[1], query)
        if found := re.fullmatch(r"/api/v2/(deals|activities)(/archived)?", path):
            return 20 if found[2] else 10, self._list(found[1], query, is_archived=found[2] is not None)
        return 1, _error(404, "Not Found")

    def _there(self, entity: str, *, is_archived: bool) -> list[Item]:
        return [
            item
            for item in self.items[entity].values()
            if item.deleted_at is None and (entity == "activity" or bool(item.data.get("is_archived")) == is_archived)
        ]

    def _list(self, name: str, query: Mapping[str, str], *, is_archived: bool) -> Response:
        entity = {"deals": "deal", "activities": "activity"}[name]
        if int(query.get("limit", "100")) > 500:
            return _error(400, "limit")
        items = self._there(entity, is_archived=is_archived)
        if query.get("status") == "deleted":
            now = self.now()
            items = [
                item
                for item in self.items[entity].values()
                if item.deleted_at is not None and now - item.deleted_at < MONTH
            ]
        if "ids" in query:
            ids = query["ids"].split(",")
            if len(ids) > 100:
                return _error(400, "ids")
            items = [item for item in items if item.id in ids]
        if "updated_since" in query:
            if "." in query["updated_since"]:
                return _error(400, "updated_since must be in RFC3339 format")
            since = datetime.fromisoformat(query["updated_since"]).timestamp()
            items = [item for item in items if item.updated >= since]
        items.sort(key=lambda item: (item.updated, int(item.id)))
        start, size = int(query.get("cursor") or 0), int(query.get("limit", "100"))
        data = [
            {**self._written(item), "is_deleted": item.deleted_at is not None} for item in items[start : start + size]
        ]
        return _answer(data, next_cursor=str(start + size) if start + size < len(items) else None)

    def _webhooks(self, request: Request, id: str | None) -> Response:
        if request.method == "DELETE" and id is not None:
            if self.hooks.pop(id[1:], None) is None:
                return _error(404, "Webhook not found")
        elif request.method == "POST":
            self._next_id += 1
            said = request.json()
            if missing := {"subscription_url", "event_action", "event_object", "name"} - said.keys():
                return _error(400, f"{min(missing)} is required")
            if not said["subscription_url"].startswith("https://"):
                return _error(400, "subscription_url must be a valid https URL")
            hook = self.hooks[str(self._next_id)] = {
                "id": self._next_id, "is_active": 1, "remove_reason": None, "last_http_status": None, **said
            }  # fmt: skip
            made = _answer(hook)
            made.status = 201
            return made
        return _answer(list(self.hooks.values()))

    def _leads(self, query: Mapping[str, str], *, is_archived: bool) -> Response:
        items = self._there("lead", is_archived=is_archived)
        if query.get("sort") == "update_time DESC":
            items.sort(key=lambda item: item.updated, reverse=True)
        start, size = int(query.get("start", "0")), int(query.get("limit", "100"))
        pagination = {"start": start, "limit": size, "more_items_in_collection": start + size < len(items)}
        return _answer([self._written(item) for item in items[start : start + size]], pagination=pagination)

    def _changelog(self, id: str, query: Mapping[str, str]) -> Response:
        item = self.items["deal"].get(id)
        if item is None:
            return _error(404, "Deal not found")
        changes = item.changes[::-1]
        start, size = int(query.get("cursor") or 0), min(3, int(query.get("limit", "100")))
        # The vendor's page is longer: what is read is the same.
        cursor = str(start + size) if start + size < len(changes) else None
        return _answer(changes[start : start + size], next_cursor=cursor)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _answer(data: Any, **more: Any) -> Response:
    return Response(200, {"success": True, "data": data or None, "additional_data": more or None})


def _error(status: int, message: str) -> Response:
    return Response(status, {"success": False, "error": message, "error_info": "Please check developers.pipedrive.com"})


def bodies(events: list[dict[str, Any]]) -> list[bytes]:
    """A webhook each."""
    return [json.dumps(event).encode() for event in events]
