"""An organisation of Close: its objects, its event log, its API, and the webhooks it would send.

Written from the documents named in `reference`: key as user of basic auth, `_limit`, `_skip` and `has_more` with a
largest offset, an event log of 30 days by cursor, status changes as activities, a search by cursor, limits told by
`RateLimit`.
https://developer.close.com/api/resources/events.md
https://developer.close.com/api/overview/pagination.md
https://developer.close.com/api/resources/webhooks
"""

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.fakes.http import FakeServer, Request, Response, Rolling

KEY = "api_1test.key"
SIGNATURE_KEY = "ab" * 32
MONTH = 30 * 86400
STATUSES = {"stat_act": "active", "stat_ver": "active", "stat_won": "won", "stat_los": "lost"}
LEAD_STATUSES = {"stat_pot": "Potential", "stat_qua": "Qualified", "stat_bad": "Bad Fit"}
OBJECTS = ("lead", "opportunity", "activity.call", "activity.email", "activity.meeting")
MOST_SKIPPED = 150
FILTERS = (
    {"object_type", "object_id"}, {"object_type", "action"}, {"object_id", "action"}, {"lead_id", "object_type"},
    {"lead_id", "object_type", "action"},
)  # fmt: skip
"""Of the event log, beside the date."""


def iso(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.000000+00:00")


def second_of(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@dataclass
class Thing:
    id: str
    object: str
    created: int
    updated: int
    data: dict[str, Any]
    changes: list[dict[str, Any]] = field(default_factory=list)
    """Of its status, oldest first."""
    deleted_at: int | None = None
    merged_into: str | None = None


class FakeClose(FakeServer):
    """The organisation. What is done to it gives its events."""

    def __init__(self, clock: Callable[[], float], *, most: int = 40, per: float = 1.0) -> None:
        super().__init__(clock)
        self.rolling = Rolling(most, per)
        self.things: dict[str, dict[str, Thing]] = {name: {} for name in OBJECTS}
        self.users: list[dict[str, Any]] = []
        self.pipelines: list[dict[str, Any]] = []
        self.outcomes: list[dict[str, Any]] = []
        self.log: list[dict[str, Any]] = []
        self._number = 0

    @property
    def over_limit(self) -> int:
        """Requests beyond what the organisation allows."""
        return self.rolling.over

    def now(self) -> int:
        return int(self.clock())

    # What people do.

    def _new(self, kind: str) -> str:
        self._number += 1
        return f"{kind}_{self._number:06}"

    def create(self, object: str, data: Mapping[str, Any]) -> tuple[str, list[dict[str, Any]]]:
        now = self.now()
        kind = {"lead": "lead", "opportunity": "oppo"}.get(object, "acti")
        thing = Thing(self._new(kind), object, now, now, dict(data))
        self.things[object][thing.id] = thing
        return thing.id, [self._event(thing, "created", {})]

    def set(self, object: str, id: str, data: Mapping[str, Any]) -> list[dict[str, Any]]:
        thing, now = self.things[object][id], self.now()
        before = {name: thing.data.get(name) for name, value in data.items() if thing.data.get(name) != value}
        if not before:
            return []
        old = dict(thing.data)
        thing.data |= data
        thing.updated = now
        events = [self._event(thing, "updated", before)]
        if "status_id" in before and object in ("lead", "opportunity"):
            change = {
                "id": self._new("acti"), f"{object}_id": id, "date_created": iso(now), "lead_id": id,
                **{f"old_{name}": old.get(name) for name in ("status_id", "status_label", "status_type")},
                **{f"new_{name}": thing.data.get(name) for name in ("status_id", "status_label", "status_type")},
            }  # fmt: skip
            thing.changes.append(change)
            event = self._event(thing, "created", {})
            event |= {"object_type": f"activity.{object}_status_change", "object_id": change["id"], "data": change}
            events.append(event)
        return events

    def delete(self, object: str, id: str, **meta: Any) -> list[dict[str, Any]]:
        thing = self.things[object][id]
        thing.deleted_at = thing.updated = self.now()
        return [{**self._event(thing, "deleted", {}, **meta), "data": None}]

    def merge(self, stays: str, source: str) -> list[dict[str, Any]]:
        """What the source has moves."""
        meta = {"merge_source_lead_id": source, "merge_destination_lead_id": stays}
        events = []
        for things in self.things.values():
            for thing in things.values():
                if thing.data.get("lead_id") == source and thing.deleted_at is None:
                    thing.data["lead_id"] = stays
                    thing.updated = self.now()
                    events.append(self._event(thing, "updated", {"lead_id": source}, **meta))
        self.things["lead"][source].merged_into = stays
        return [*events, *self.delete("lead", source, **meta)]

    def _event(self, thing: Thing, action: str, before: Mapping[str, Any], **meta: Any) -> dict[str, Any]:
        at = iso(self.now()).removesuffix("+00:00")
        event = {
            "id": self._new("ev"), "date_created": at, "date_updated": at, "object_type": thing.object,
            "object_id": thing.id, "lead_id": thing.data.get("lead_id", thing.id), "action": action, "meta": meta,
            "changed_fields": list(before), "previous_data": dict(before), "data": self._written(thing),
        }  # fmt: skip
        self.log.append(event)
        return event

    def _written(self, thing: Thing) -> dict[str, Any]:
        return {
            **thing.data, "id": thing.id, "date_created": iso(thing.created), "date_updated": iso(thing.updated)
        }  # fmt: skip

    # The API.

    def answer(self, request: Request) -> Response:
        given = base64.b64encode(f"{KEY}:".encode()).decode()
        if request.headers.get("authorization") != f"Basic {given}":
            return Response(401, {"error": "The server could not verify that you are authorized"})
        is_taken = self.rolling.takes(self.clock())
        response = self._route(request) if is_taken else Response(429, {"error": "rate_limit", "rate_reset": 1.0})
        response.headers["RateLimit"] = f"limit={self.rolling.most}, remaining={self.rolling.left}, reset=1"
        return response

    def _route(self, request: Request) -> Response:  # noqa: PLR0911 - a path each
        path, query = request.path.removeprefix("/api/v1"), request.query
        if path == "/me/":
            return Response(200, {"id": "user_1", "email": "r1@example.com"})
        if found := re.fullmatch(r"/webhook/(?:(\w+)/)?", path):
            return self._webhooks(request, found[1])
        if path == "/event/":
            return self._events(query)
        if path in ("/pipeline/", "/outcome/"):
            return _page(self.pipelines if path == "/pipeline/" else self.outcomes, query)
        if path == "/user/":
            return _page(self.users, query)
        if path == "/data/search/":
            return self._search(request.json())
        if path == "/lead/":
            return self._list("lead", query, "date_updated")
        if path == "/opportunity/" and query.get("_order_by") == "-date_updated":
            return self._list("opportunity", query, "date_updated")
        if found := re.fullmatch(r"/activity/status_change/(lead|opportunity)/", path):
            thing = self.things[found[1]].get(query.get(f"{found[1]}_id", ""))
            return _page([] if thing is None else thing.changes[::-1], query)
        if found := re.fullmatch(r"/activity/(call|email|meeting)/", path):
            return self._list(f"activity.{found[1]}", query, "date_created")
        found = re.fullmatch(r"/(lead|opportunity)/(\w+)/", path)
        thing = None if found is None else self.things[found[1]].get(found[2])
        if thing is None or thing.deleted_at is not None:
            return Response(404, {"error": "Empty query: Object does not exist."})
        return Response(200, self._written(thing))

    def _webhooks(self, request: Request, id: str | None) -> Response:
        """The signature key stands in the answer to the making, and in no other."""
        if request.method == "POST":
            hook = {"id": self._new("whsub"), "status": "active", **request.json()}
            self.hooks[hook["id"]] = hook
            return Response(201, hook | {"signature_key": SIGNATURE_KEY})
        if id is None:
            return _page(list(self.hooks.values()), request.query)
        if id not in self.hooks:
            return Response(404, {"error": "Empty query: Object does not exist."})
        if request.method == "PUT":
            self.hooks[id] |= request.json()
        return Response(200, self.hooks[id])

    def _list(self, object: str, query: Mapping[str, str], name: str) -> Response:
        things = [self._written(thing) for thing in self.things[object].values() if thing.deleted_at is None]
        if "id__in" in query:
            things = [thing for thing in things if thing["id"] in query["id__in"].split(",")]
        if f"{name}__gte" in query:
            things = [each for each in things if second_of(each[name]) >= second_of(query[f"{name}__gte"])]
        if f"{name}__lte" in query:
            things = [each for each in things if second_of(each[name]) <= second_of(query[f"{name}__lte"])]
        return _page(sorted(things, key=lambda each: (each[name], each["id"]), reverse=True), query)

    def _events(self, query: Mapping[str, str]) -> Response:
        since = max(second_of(query.get("date_updated__gte", iso(0))), self.clock() - MONTH)
        found = [
            event
            for event in reversed(self.log)
            if second_of(event["date_updated"] + "+00:00") >= since
            and all(
                event[name] == query[name]
                for name in ("object_type", "action", "object_id", "lead_id")
                if name in query
            )
        ]
        start, size = int(query.get("_cursor") or 0), int(query.get("_limit", "50"))
        asked = {name for name in query if not name.startswith(("_", "date_updated"))}
        if size > 50 or asked not in FILTERS:
            return Response(400, {"error": "this combination of filters is not supported"})
        following = str(start + size) if start + size < len(found) else None
        return Response(200, {"data": found[start : start + size], "cursor_next": following})

    def _search(self, asked: Mapping[str, Any]) -> Response:
        day = asked["query"]["queries"][1]["condition"]["on_or_after"]["value"]
        found = sorted(
            (
                {"id": thing.id, "date_updated": iso(thing.updated)}
                for thing in self.things["lead"].values()
                if thing.deleted_at is None and iso(thing.updated) >= day
            ),
            key=lambda each: each["id"],
        )
        start, size = int(asked.get("cursor") or 0), int(asked["_limit"])
        if size > 200:
            return Response(400, {"error": "_limit"})
        following = str(start + size) if start + size < len(found) else None
        return Response(200, {"data": found[start : start + size], "cursor": following})


def _page(rows: list[dict[str, Any]], query: Mapping[str, str]) -> Response:
    skip, size = int(query.get("_skip", "0")), int(query.get("_limit", "100"))
    if size > 100 or skip > MOST_SKIPPED:
        return Response(400, {"error": "The maximum _skip for this resource is exceeded"})
    return Response(200, {"data": rows[skip : skip + size], "has_more": skip + size < len(rows)})


def bodies(events: list[dict[str, Any]]) -> list[bytes]:
    """A webhook each."""
    return [json.dumps({"event": event, "subscription_id": "whsub_1"}).encode() for event in events]
