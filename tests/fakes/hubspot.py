"""A HubSpot account: its records with their histories, its API, and the webhooks it would send.

Written from the documents named in `reference`: object APIs (batch read with histories, 207, archived), search (index
lag, 10,000 a query, 5 a second), associations, owners, pipelines, limits and their headers, errors.
https://developers.hubspot.com/docs/api-reference/latest/crm/search-the-crm
https://developers.hubspot.com/docs/api/usage-details
https://developers.hubspot.com/docs/api-reference/error-handling
https://developers.hubspot.com/docs/api-reference/latest/account/account-information
"""

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.fakes.http import FakeServer, Request, Response, Rolling

VERSION = "2026-03"
TYPE_IDS = {"contacts": "0-1", "deals": "0-3", "meetings": "0-47", "calls": "0-48", "emails": "0-49", "leads": "0-136"}
MODIFIED = {name: "lastmodifieddate" if name == "contacts" else "hs_lastmodifieddate" for name in TYPE_IDS}
CREATED = {"contacts": "createdate", "deals": "createdate"}
SEARCH_CAP = 10_000


def iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


@dataclass
class Thing:
    """One record."""

    id: str
    created: int
    histories: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    """Property -> (value, ms), oldest first."""
    modified: list[int] = field(default_factory=list)
    links: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    """Other object -> its id -> types of the association."""
    archived_at: int | None = None
    merged_into: str | None = None

    def get(self, name: str) -> str | None:
        history = self.histories.get(name)
        return history[-1][0] or None if history else None


@dataclass
class Owner:
    id: str
    user_id: int
    first: str
    last: str
    email: str
    team: str | None
    updated: int
    archived: bool = False


class FakeHubSpot(FakeServer):
    """The account. What is done to it gives the events of its webhooks."""

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        takes: str = "pat-token-1",
        per_stretch: int = 100,
        stretch: float = 10.0,
        index_lag: float = 30.0,
        stages: Mapping[str, tuple[str, str]] | None = None,
    ) -> None:
        """`per_stretch`: requests in any `stretch` of seconds. `stages`: id -> (isClosed, probability)."""
        super().__init__(clock)
        self.tokens = {takes}
        self.rolling = Rolling(per_stretch, stretch)
        self.searches = Rolling(5, 1.0)
        self.index_lag = index_lag
        self.things: dict[str, dict[str, Thing]] = {name: {} for name in TYPE_IDS}
        self.owners: dict[str, Owner] = {}
        self.stages = dict(
            stages
            or {
                "appointmentscheduled": ("false", "0.2"),
                "contractsent": ("false", "0.9"),
                "closedwon": ("true", "1.0"),
                "closedlost": ("true", "0.0"),
                "7001": ("false", "0.5"),
                "7002": ("true", "1.0"),
                "7003": ("true", "0.0"),
            }
        )
        self.labels: dict[str, str] = {}
        """Stage -> what it is called, unless it is `Stage` and its id."""
        self.dispositions = {"f240bbac-87c9-4f6e-bf70-924b57d47db7": "Connected"}
        """Id of an outcome of calls -> what it is called."""
        self.lacks: set[str] = set()
        """Scopes that the token has not: contacts, deals, leads, owners."""
        self._next_id = 1000

    @property
    def over_limit(self) -> int:
        """Requests beyond what the account allows."""
        return self.rolling.over + self.searches.over

    # What people do. Each gives the events that webhooks tell of it.

    def now(self) -> int:
        return round(self.clock() * 1000)

    def create(
        self, object: str, properties: Mapping[str, str], at: int | None = None
    ) -> tuple[str, list[dict[str, Any]]]:
        at = self.now() if at is None else at
        self._next_id += 1
        thing = Thing(str(self._next_id), at)
        self.things[object][thing.id] = thing
        properties = {CREATED.get(object, "hs_createdate"): iso(at), **properties}
        thing.histories = {name: [(value, at)] for name, value in properties.items()}
        thing.modified.append(at)
        events = [self._event("object.creation", object, thing.id, at)]
        events += [self._changed(object, thing, name, value, at) for name, value in properties.items()]
        return thing.id, events

    def set(self, object: str, id: str, properties: Mapping[str, str], at: int | None = None) -> list[dict[str, Any]]:
        at = self.now() if at is None else at
        thing = self.things[object][id]
        events = []
        for name, value in properties.items():
            if (thing.get(name) or "") == value:
                continue
            thing.histories.setdefault(name, []).append((value, at))
            events.append(self._changed(object, thing, name, value, at))
        if events:
            thing.modified.append(at)
        return events

    def associate(self, object: str, id: str, other: str, to: str, *, removed: bool = False) -> list[dict[str, Any]]:
        """Moves no modified date."""
        links = self.things[object][id].links.setdefault(other, {})
        if removed:
            links.pop(to, None)
        else:
            links[to] = [1]
        return [
            {
                **self._event("object.associationChange", object, None, self.now()),
                "fromObjectTypeId": TYPE_IDS[object], "toObjectTypeId": TYPE_IDS[other], "fromObjectId": int(id),
                "toObjectId": int(to), "associationRemoved": removed, "changeSource": "USER",
            }
        ]  # fmt: skip

    def archive(self, object: str, id: str) -> list[dict[str, Any]]:
        thing = self.things[object][id]
        thing.archived_at = self.now()
        return [self._event("object.deletion", object, id, thing.archived_at)]

    def restore(self, object: str, id: str) -> list[dict[str, Any]]:
        thing, at = self.things[object][id], self.now()
        thing.archived_at = None
        thing.modified.append(at)
        return [self._event("object.restore", object, id, at)]

    def erase(self, object: str, id: str) -> list[dict[str, Any]]:
        """For good: no list names it."""
        del self.things[object][id]
        return [self._event("object.deletion", object, id, self.now())]

    def merge(self, object: str, winner: str, loser: str) -> list[dict[str, Any]]:
        """The loser's id lives on in the winner's `hs_merged_object_ids`; what the winner lacks comes from it."""
        at = self.now()
        gone, stays = self.things[object][loser], self.things[object][winner]
        for name in gone.histories:
            if not stays.get(name) and gone.get(name):
                stays.histories.setdefault(name, []).append((gone.get(name) or "", at))
        if gone.created < stays.created:
            stays.created = gone.created
            stays.histories[CREATED[object]].append((iso(gone.created), at))
        merged = [*filter(None, (stays.get("hs_merged_object_ids") or "").split(";")), loser]
        merged += [id for id in (gone.get("hs_merged_object_ids") or "").split(";") if id and id not in merged]
        stays.histories.setdefault("hs_merged_object_ids", []).append((";".join(merged), at))
        stays.modified.append(at)
        gone.merged_into = winner
        return [
            {
                **self._event("object.merge", object, winner, at),
                "primaryObjectId": int(winner), "mergedObjectIds": [int(loser)], "newObjectId": None,
                "numberOfPropertiesMoved": 0,
            }
        ]  # fmt: skip

    def _event(self, kind: str, object: str, id: str | None, at: int) -> dict[str, Any]:
        return {
            "eventId": at * 7 + len(self.requests), "subscriptionId": 33, "portalId": 44, "appId": 55, "occurredAt": at,
            "subscriptionType": kind, "attemptNumber": 0, "objectTypeId": TYPE_IDS[object],
            **({} if id is None else {"objectId": int(id)}),
        }  # fmt: skip

    def _changed(self, object: str, thing: Thing, name: str, value: str, at: int) -> dict[str, Any]:
        return {
            **self._event("object.propertyChange", object, thing.id, at),
            "propertyName": name,
            "propertyValue": value,
        }

    # The API.

    def answer(self, request: Request) -> Response:
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return _error(401, "INVALID_AUTHENTICATION", "Authentication credentials not found.")
        now, is_search = self.clock(), request.path.endswith("/search")
        if not self.rolling.takes(now):
            return _limited("TEN_SECONDLY_ROLLING")
        if is_search and not self.searches.takes(now):
            return _limited("SECONDLY")
        response = self._route(request)
        if not is_search:
            response.headers |= {
                "X-HubSpot-RateLimit-Max": str(self.rolling.most),
                "X-HubSpot-RateLimit-Remaining": str(self.rolling.left),
                "X-HubSpot-RateLimit-Interval-Milliseconds": str(round(self.rolling.per * 1000)),
            }
        return response

    def _route(self, request: Request) -> Response:  # noqa: PLR0911 - a path each
        path = request.path
        if path == f"/account-info/{VERSION}/details":
            details = {
                "portalId": 62515,
                "accountType": "STANDARD",
                "timeZone": "Europe/Berlin",
                "companyCurrency": "USD",
            }
            return Response(200, details)
        if not self._may_read(path):
            return _error(403, "MISSING_SCOPES", "This app hasn't been granted all required scopes to make this call.")
        if path == f"/crm/owners/{VERSION}":
            return self._owners(request.query)
        if path == "/calling/v1/dispositions":
            return Response(200, [{"id": id, "label": label} for id, label in self.dispositions.items()])
        if path == f"/crm/pipelines/{VERSION}/deals":
            return self._pipelines()
        if found := re.fullmatch(rf"/crm/associations/{VERSION}/(\w+)/(\w+)/batch/read", path):
            return self._associations(found[1], found[2], request.json())
        found = re.fullmatch(rf"/crm/objects/{VERSION}/(\w+)(/search|/batch/read)?", path)
        if found is None or found[1] not in self.things:
            return _error(404, "OBJECT_NOT_FOUND", "Resource not found.")
        ways = {"/search": self._search, "/batch/read": self._batch, None: self._list}
        return ways[found[2]](found[1], request)

    def _may_read(self, path: str) -> bool:
        """Calls, mails and meetings come with the scope of contacts."""
        name = (
            "owners" if path.startswith("/crm/owners/") else path.removeprefix(f"/crm/objects/{VERSION}/").split("/")[0]
        )
        scope = "contacts" if name in ("calls", "emails", "meetings") else name
        return scope not in self.lacks

    def _batch(self, object: str, request: Request) -> Response:
        asked = request.json()
        ids = [str(each["id"]) for each in asked["inputs"]]
        histories = asked.get("propertiesWithHistory") or []
        if len(ids) > (50 if histories else 100):
            return _error(400, "VALIDATION_ERROR", "too many inputs")
        archived = request.query.get("archived") == "true"
        results, missing = [], []
        for id in dict.fromkeys(ids):
            thing = self.things[object].get(id)
            while thing is not None and thing.merged_into is not None:
                thing = self.things[object].get(thing.merged_into)
            if thing is None or (thing.archived_at is not None) != archived:
                missing.append(id)
            else:
                results.append(self._written(object, thing, asked.get("properties") or [], histories))
        data: dict[str, Any] = {"status": "COMPLETE", "results": results}
        if missing:
            data["numErrors"] = 1
            data["errors"] = [
                {
                    "status": "error",
                    "category": "OBJECT_NOT_FOUND",
                    "message": "Could not get some",
                    "context": {"ids": missing},
                }
            ]
        return Response(207 if missing else 200, data)

    def _written(
        self, object: str, thing: Thing, names: Iterable[str], histories: Iterable[str] = ()
    ) -> dict[str, Any]:
        own = {MODIFIED[object]: iso(thing.modified[-1]), "hs_object_id": thing.id}
        written: dict[str, Any] = {
            "id": thing.id,
            "properties": {**{name: own.get(name) or thing.get(name) for name in names}, "hs_object_id": thing.id},
            "createdAt": iso(thing.created),
            "updatedAt": iso(thing.modified[-1]),
            "archived": thing.archived_at is not None,
        }
        if thing.archived_at is not None:
            written["archivedAt"] = iso(thing.archived_at)
        if histories:
            written["propertiesWithHistory"] = {
                name: [
                    {"value": value, "timestamp": iso(at), "sourceType": "CRM_UI", "sourceId": "userId:1"}
                    for value, at in reversed(thing.histories.get(name, []))
                ]
                for name in histories
                if name in thing.histories
            }
        return written

    def _search(self, object: str, request: Request) -> Response:
        if len(request.body) > 3000:
            return _error(400, "VALIDATION_ERROR", "the body is too long")
        asked = request.json()
        limit, after = int(asked.get("limit", 10)), int(asked.get("after") or 0)
        if limit > 200 or after + limit > SEARCH_CAP:
            return _error(400, "VALIDATION_ERROR", "paging beyond what a query gives")
        horizon = self.now() - round(self.index_lag * 1000)
        found = []
        beyond = [int(each["value"]) for group in asked.get("filterGroups") or () for each in group["filters"]
                  if (each["propertyName"], each["operator"]) == ("hs_object_id", "GT")]  # fmt: skip
        # Ids are given in their order, and of a large account most pages lie far behind its beginning.
        ids = list(self.things[object])
        start = bisect_right(ids, min(beyond), key=int) if beyond else 0
        for id in ids[start:]:
            thing = self.things[object][id]
            indexed = max((at for at in thing.modified if at <= horizon), default=None)
            if indexed is None or thing.archived_at is not None or thing.merged_into is not None:
                continue
            values = {MODIFIED[object]: indexed, "hs_object_id": int(thing.id)}
            groups = asked.get("filterGroups") or [{"filters": []}]
            if any(all(_holds(values, each) for each in group["filters"]) for group in groups):
                found.append((values, thing, indexed))
        for sort in asked.get("sorts") or []:
            name = str(sort["propertyName"])
            found.sort(key=lambda each: each[0][name], reverse=sort["direction"] == "DESCENDING")
        page = found[after : after + limit]
        results = []
        for _, thing, indexed in page:
            written = self._written(object, thing, asked.get("properties") or [])
            written["properties"][MODIFIED[object]] = written["updatedAt"] = iso(indexed)
            results.append(written)
        data: dict[str, Any] = {"total": len(found), "results": results}
        if after + limit < len(found):
            data["paging"] = {"next": {"after": str(after + limit)}}
        return Response(200, data)

    def _list(self, object: str, request: Request) -> Response:
        query = request.query
        limit, after = int(query.get("limit", 10)), int(query.get("after", 0))
        if limit > 100:
            return _error(400, "VALIDATION_ERROR", "limit must be at most 100")
        archived = query.get("archived") == "true"
        found = sorted(
            (
                thing
                for thing in self.things[object].values()
                if (thing.archived_at is not None) == archived and thing.merged_into is None and int(thing.id) > after
            ),
            key=lambda thing: int(thing.id),
        )
        names = [name for name in query.get("properties", "").split(",") if name]
        data: dict[str, Any] = {"results": [self._written(object, thing, names) for thing in found[:limit]]}
        if len(found) > limit:
            data["paging"] = {"next": {"after": found[limit - 1].id}}
        return Response(200, data)

    def _associations(self, object: str, other: str, asked: Mapping[str, Any]) -> Response:
        if len(asked["inputs"]) > 1000:
            return _error(400, "VALIDATION_ERROR", "too many inputs")
        results, errors = [], []
        for each in asked["inputs"]:
            thing = self.things[object].get(str(each["id"]))
            links = {} if thing is None else thing.links.get(other, {})
            if not links:
                errors.append({"category": "OBJECT_NOT_FOUND", "context": {"fromObjectId": [str(each["id"])]}})
                continue
            start = int(each.get("after") or 0)
            page = list(links.items())[start : start + 2]  # the vendor's page is longer: what is read is the same
            result: dict[str, Any] = {
                "from": {"id": str(each["id"])},
                "to": [
                    {
                        "toObjectId": int(id),
                        "associationTypes": [
                            {"category": "HUBSPOT_DEFINED", "typeId": type, "label": None} for type in types
                        ],
                    }
                    for id, types in page
                ],
            }
            if start + 2 < len(links):
                result["paging"] = {"next": {"after": str(start + 2)}}
            results.append(result)
        data: dict[str, Any] = {"status": "COMPLETE", "results": results}
        return Response(207 if errors else 200, data | ({"numErrors": len(errors), "errors": errors} if errors else {}))

    def _owners(self, query: Mapping[str, str]) -> Response:
        archived, limit, after = (
            query.get("archived") == "true",
            int(query.get("limit", 100)),
            int(query.get("after", 0)),
        )
        if limit > 500:
            return _error(400, "VALIDATION_ERROR", "limit must be at most 500")
        found = [owner for owner in self.owners.values() if owner.archived == archived]
        results = [
            {
                "id": owner.id, "email": owner.email, "type": "PERSON", "firstName": owner.first,
                "lastName": owner.last, "userId": None if archived else owner.user_id,
                "userIdIncludingInactive": owner.user_id,
                "createdAt": iso(owner.updated), "updatedAt": iso(owner.updated), "archived": archived,
                **({} if owner.team is None else {"teams": [{"id": "1", "name": owner.team, "primary": True}]}),
            }
            for owner in found[after : after + limit]
        ]  # fmt: skip
        paging = {"paging": {"next": {"after": str(after + limit)}}} if after + limit < len(found) else {}
        return Response(200, {"results": results, **paging})

    def _pipelines(self) -> Response:
        stages = [
            {"id": id, "label": self.labels.get(id, f"Stage {id}"), "displayOrder": place, "archived": False,
             "metadata": {"isClosed": closed, "probability": chance}}
            for place, (id, (closed, chance)) in enumerate(self.stages.items())
        ]  # fmt: skip
        return Response(
            200, {"results": [{"id": "default", "label": "Sales pipeline", "archived": False, "stages": stages}]}
        )


def _holds(values: Mapping[str, int], asked: Mapping[str, str]) -> bool:
    value, against = values[asked["propertyName"]], int(asked["value"])
    return {
        "GTE": value >= against, "GT": value > against, "LTE": value <= against, "LT": value < against,
        "EQ": value == against,
    }[asked["operator"]]  # fmt: skip


def _error(status: int, category: str, message: str) -> Response:
    return Response(status, {"status": "error", "message": message, "category": category, "correlationId": "0-0"})


def _limited(policy: str) -> Response:
    body = {
        "status": "error",
        "message": "You have reached your limit.",
        "errorType": "RATE_LIMIT",
        "policyName": policy,
    }
    return Response(429, body)


def batches(events: list[dict[str, Any]], most: int = 100) -> list[bytes]:
    """Bodies of webhooks."""
    return [json.dumps(events[start : start + most]).encode() for start in range(0, len(events), most)]
