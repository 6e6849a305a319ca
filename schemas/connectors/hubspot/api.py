"""What HubSpot's API is asked, and how its answers are put together. Pure: `schemas.connectors.asking` says how.

- Everything is read with the history of its properties, so that a look-up says of each field when it was set, as a
  webhook would have: the two give the same changes.
- Changes are found by search, which gives no more than 10,000 of one query: each page asks for ids beyond the last one,
  so no query comes near it, and a record that changes meanwhile moves nothing.
https://developers.hubspot.com/docs/api-reference/latest/crm/search-the-crm
https://developers.hubspot.com/docs/api-reference/latest/crm/associations/associate-records/guide
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from schemas.connectors.asking import (
    ApiObject,
    Ask,
    Changed,
    CrmAnswer,
    CrmSource,
    Envelope,
    Learned,
    Pace,
    Page,
    Steps,
    objects_in,
    required_member,
    without_asking,
)
from schemas.connectors.hubspot.object_types import Object
from schemas.connectors.hubspot.objects import FURTHER_PROPERTIES, MAKER, OWNER
from schemas.connectors.lists import standing_still, walked
from schemas.connectors.quotas import count_in
from schemas.instants import MINUTE, SECOND, parse_instant

VERSION = "2026-03"
"""Of the API, in every path."""
ADDRESS = "https://api.hubapi.com"

BATCH = 50
"""Ids in one request for records with their histories."""
_ASSOCIATED = 1000
_FOUND = 200
_LISTED = 100
_OWNERS = 500
_MODIFIED = {"contacts": "lastmodifieddate"}
_MULTI = 207
_NOT_TOLD = frozenset({400, 403, 404})
"""An account, or a token, that does not have the list of outcomes."""

LINKS: Mapping[str, Sequence[str]] = {
    "calls": ("contacts", "deals", "leads"),
    "emails": ("contacts",),
    "meetings": ("contacts", "deals", "leads"),
    "deals": ("contacts",),
}
"""Object -> what it points to. https://developers.hubspot.com/docs/api-reference/latest/crm/associations"""

_SEARCH = "search"
_AFTER = " after "
"""Behind the last id of a page that had any: where HubSpot says that it goes on behind one without."""
MADE_BY, USERS = "$made_by", "$users"
"""Members of a record: the owner who is the user that made it; owner -> user, of all whom it names as owners."""


class HubSpotSource(CrmSource):
    """HubSpot's API, for one connection."""

    people = "owners"
    batch = BATCH
    # https://developers.hubspot.com/docs/api/usage-details: the least that any plan has; answers tell of more.
    paces: Mapping[str, Pace] = {"": Pace(100, 10 * SECOND), _SEARCH: Pace(5, SECOND)}
    overlap = 10 * MINUTE
    is_exact = True

    def __init__(self, *, address: str | None, token: str, objects: Mapping[str, Object]) -> None:
        """`objects`: those that are records of ours, by their type ids."""
        self.address = address or ADDRESS
        self._token = token
        self._owners: dict[str, str] = {}
        """Id of a user -> that of the owner who is the same person."""
        self._users: dict[str, str] = {}
        """The other way round."""
        self._strangers: set[str] = set()
        """Ids that records name and no list of owners does."""
        self._objects = {found.name: found for found in objects.values()}
        self.objects: Mapping[str, ApiObject] = {
            name: ApiObject(name, found.kind, found.prefix, name in LINKS) for name, found in self._objects.items()
        }

    def login(self) -> Steps[Mapping[str, str]]:
        """The token of a private app or a service key: it does not expire, and nobody is asked for another."""
        return without_asking({"authorization": f"Bearer {self._token}"})

    def limits(self, headers: Mapping[str, str]) -> Mapping[str, Pace]:
        """The rolling limit, by which plans differ and which no token tells beforehand."""
        most = count_in(headers, "x-hubspot-ratelimit-max")
        per = count_in(headers, "x-hubspot-ratelimit-interval-milliseconds")
        return {"": Pace(most, per * 1000 if per else 10 * SECOND)} if most else {}

    def wait(self, status: int, headers: Mapping[str, str], data: Any) -> float | None:
        """By the policy that was hurt; of the day's nothing says when it ends."""
        policy = data.get("policyName") if isinstance(data, dict) else None
        named = {"TEN_SECONDLY_ROLLING": 10.0, "SECONDLY": 1.0, "DAILY": 3600.0}
        return named.get(policy) if isinstance(policy, str) else 2.0 if status == 423 else None

    def words(self) -> Steps[Learned]:
        """Which stages are won and lost, and what they and the outcomes of calls are called."""
        # https://developers.hubspot.com/docs/api-reference/latest/crm/pipelines
        stages: dict[str, str] = {}
        labels: dict[str, dict[str, str]] = {}
        answer = yield Ask("GET", f"/crm/pipelines/{VERSION}/deals")
        for pipeline in required_member(answer.data, "results", list):
            own = str(pipeline.get("id", ""))
            held = labels.setdefault(own, {"": str(pipeline.get("label") or own)})
            for stage in required_member(pipeline, "stages", list):
                id = required_member(stage, "id", str)
                stages[id] = _status_of(stage.get("metadata"))
                held[id] = str(stage.get("label") or id)
        # https://developers.hubspot.com/docs/api-reference/legacy/crm/activities/engagements
        answer = yield Ask("GET", "/calling/v1/dispositions", expected=_NOT_TOLD)
        said = answer.data if answer.status not in _NOT_TOLD and isinstance(answer.data, list) else ()
        outcomes = {str(each.get("id")): str(each.get("label")) for each in said if isinstance(each, dict)}
        return Learned({"deals": stages, "calls": outcomes}, labels)

    def read(self, object: str, ids: Sequence[str]) -> Steps[Envelope]:
        """Those that are there, then, of the others, those that are archived; the rest is missing."""
        records = yield from self._batch(object, ids, archived=False)
        found = {record["id"] for record in records}
        left = [id for id in ids if id not in found]
        archived = (yield from self._batch(object, left, archived=True)) if left else []
        found |= {record["id"] for record in archived}
        yield from self._associate(object, records)
        yield from self._say_who(records)
        return Envelope(object=object, records=[*records, *archived], missing=[id for id in left if id not in found])

    def _say_who(self, records: Sequence[dict[str, Any]]) -> Steps[None]:
        """Put into each record who made it, and which users its owners are."""
        named = {id for record in records for id in _owners_in(record)} - self._users.keys()
        named |= {str(maker) for record in records if (maker := _told(record, MAKER))} - self._owners.keys()
        if named - self._strangers:
            yield from self.everybody(_NOT_TOLD)
            self._strangers |= named
        for record in records:
            owners = _owners_in(record)
            if (maker := self._owners.get(str(_told(record, MAKER)))) is not None:
                record[MADE_BY] = maker
                owners.add(maker)
            if users := {owner: self._users[owner] for owner in sorted(owners) if owner in self._users}:
                record[USERS] = users

    def links(self, object: str, ids: Sequence[str]) -> Steps[Envelope]:
        """Associations alone."""
        records: list[dict[str, Any]] = [{"id": id} for id in ids]
        yield from self._associate(object, records)
        return Envelope(object=object, records=records)

    def _batch(self, object: str, ids: Sequence[str], *, archived: bool) -> Steps[list[dict[str, Any]]]:
        names = [*self._objects[object].properties, *FURTHER_PROPERTIES.get(object, ()), _modified(object)]
        answer = yield Ask(
            "POST",
            f"/crm/objects/{VERSION}/{object}/batch/read",
            query={"archived": "true"} if archived else {},
            body={
                "inputs": [{"id": id} for id in ids],
                "properties": names,
                "propertiesWithHistory": names,
            },
            expected=frozenset({_MULTI}),
        )
        records: list[dict[str, Any]] = required_member(answer.data, "results", list)
        for record in records:
            required_member(record, "id", str)
            if archived:
                record["archived"] = True
        # Of an id that was merged away HubSpot may give the record that stays: under the id that it has.
        return records

    def _associate(self, object: str, records: Sequence[dict[str, Any]]) -> Steps[None]:
        """Put into each record what it is associated with."""
        by_id = {record["id"]: record for record in records}
        for other in LINKS.get(object, ()):
            if other not in self._objects:
                continue
            for record in records:
                record.setdefault("associations", {})[other] = []
            inputs: list[dict[str, str]] = [{"id": id} for id in by_id]
            while inputs:
                asked, inputs = inputs[:_ASSOCIATED], inputs[_ASSOCIATED:]
                answer = yield Ask(
                    "POST",
                    f"/crm/associations/{VERSION}/{object}/{other}/batch/read",
                    body={"inputs": asked},
                    expected=frozenset({_MULTI}),
                )
                left = [*_take_associations(answer, other, by_id)]
                if any(each in asked for each in left):
                    raise standing_still()
                inputs += left

    def changed(self, object: str, since: int, cursor: str | None) -> Steps[Changed]:
        """By their ids, beyond `cursor`."""
        name = _modified(object)
        last, _, after = (cursor or "").partition(_AFTER)
        filters = [{"propertyName": name, "operator": "GTE", "value": str(since // 1000)}]
        if last:
            filters.append({"propertyName": "hs_object_id", "operator": "GT", "value": last})
        answer = yield Ask(
            "POST",
            f"/crm/objects/{VERSION}/{object}/search",
            body={
                "filterGroups": [{"filters": filters}],
                "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
                "properties": [name],
                "limit": _FOUND,
                **({"after": after} if after else {}),
            },
            pace=_SEARCH,
        )
        found = _found(answer, object)
        total, further = answer.data.get("total"), _next(answer)
        total = total if isinstance(total, int) else None
        if found:  # a page may have less than it was asked for, and others behind it
            is_more = len(found) >= _FOUND or further is not None or (total is not None and total > len(found))
            following = found[-1][0] if is_more else None
        else:
            following = None if further is None else last + _AFTER + further
        return Changed(found, following, total)

    def gone(self, object: str, since: int, until: int, cursor: str | None) -> Steps[Page]:
        """Archived ones: the whole list, for it cannot be asked for since when."""
        answer = yield self._list(object, cursor, archived=True)
        records = [{**record, "archived": True} for record in _results(answer)]
        kept = [record for record in records if _archived_at(record) >= since]
        return Page(kept, _next(answer), str(records[0].get("id")) if records else "")

    def listed(self, object: str, cursor: str | None) -> Steps[Changed]:
        """All that is there."""
        answer = yield self._list(object, cursor, archived=False)
        return Changed(_found(answer, object), _next(answer))

    def _list(self, object: str, cursor: str | None, *, archived: bool) -> Ask:
        query = {"limit": str(_LISTED), "properties": _modified(object), "archived": "true" if archived else "false"}
        return Ask("GET", f"/crm/objects/{VERSION}/{object}", {**query, **({"after": cursor} if cursor else {})})

    def everybody(self, refusals: frozenset[int] = frozenset()) -> Steps[Envelope]:
        """Owners, those who left too. `refusals`: what stands for none."""
        # https://developers.hubspot.com/docs/api-reference/latest/crm/owners/guide
        records: list[dict[str, Any]] = []
        for archived in ("false", "true"):
            owners = yield from _owners_of(archived, refusals)
            records += [{**record, "archived": archived == "true"} for record in owners]
        for record in records:
            if (user := user_of(record)) is not None:
                self._owners[user] = str(record.get("id"))
                self._users[str(record.get("id"))] = user
        return Envelope(object=self.people, records=records)

    def is_there(self, record: Mapping[str, Any]) -> bool:
        """Not archived, and not its associations alone."""
        return record.get("archived") is not True and "properties" in record


def user_of(owner: Mapping[str, Any]) -> str | None:
    """The user who is an owner; one who left is a user no more, and was one."""
    user = owner.get("userId") or owner.get("userIdIncludingInactive")
    return None if user is None else str(user)


def _owners_in(record: Mapping[str, Any]) -> set[str]:
    """Whom a record names as its owner, now and before."""
    histories = record.get("propertiesWithHistory")
    history = histories.get(OWNER) if isinstance(histories, dict) else None
    named = [each.get("value") for each in history or () if isinstance(each, dict)]
    return {str(id) for id in (*named, _told(record, OWNER)) if id}


def _owners_of(archived: str, refusals: frozenset[int]) -> Steps[list[dict[str, Any]]]:
    of = {"limit": str(_OWNERS), "archived": archived}
    return walked(
        lambda after: Ask(
            "GET", f"/crm/owners/{VERSION}", {**of, **({"after": after} if after else {})}, expected=refusals
        ),
        lambda answer: () if answer.status in refusals else _results(answer),
        lambda page: _next(page.answer),
    )


def _modified(object: str) -> str:
    """The property that says when: contacts have an older one."""
    return _MODIFIED.get(object, "hs_lastmodifieddate")


def modified_at(object: str, record: Mapping[str, Any]) -> int | None:
    """When a record says that it was last modified (microseconds)."""
    return _instant(_told(record, _modified(object))) or _instant(record.get("updatedAt"))


def _told(record: Mapping[str, Any], name: str) -> Any:
    properties = record.get("properties")
    return properties.get(name) if isinstance(properties, dict) else None


def _found(answer: CrmAnswer, object: str) -> list[tuple[str, int]]:
    return [(required_member(record, "id", str), modified_at(object, record) or 0) for record in _results(answer)]


def _archived_at(record: Mapping[str, Any]) -> int:
    return _instant(record.get("archivedAt")) or _instant(record.get("updatedAt")) or 0


def _instant(value: Any) -> int | None:
    try:
        return parse_instant(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _results(answer: CrmAnswer) -> Iterator[dict[str, Any]]:
    return objects_in(answer.data, "results")


def _next(answer: CrmAnswer) -> str | None:
    paging = answer.member("paging")
    after = paging.get("next", {}).get("after") if isinstance(paging, dict) else None
    return None if after is None else str(after)


def _take_associations(answer: CrmAnswer, other: str, by_id: Mapping[str, dict[str, Any]]) -> Iterator[dict[str, str]]:
    """Put them in; what is left to be asked for of those that have more than a page."""
    for result in _results(answer):
        id = str(required_member(required_member(result, "from", dict), "id", str))
        if id not in by_id:
            continue
        for to in required_member(result, "to", list):
            types = to.get("associationTypes") if isinstance(to, dict) else None
            by_id[id]["associations"][other].append(
                {
                    "id": str(to.get("toObjectId", "")) if isinstance(to, dict) else "",
                    "types": [each.get("typeId") for each in types or () if isinstance(each, dict)],
                }
            )
        paging = result.get("paging")
        after = paging.get("next", {}).get("after") if isinstance(paging, dict) else None
        if after is not None:
            yield {"id": id, "after": str(after)}


def _status_of(metadata: Any) -> str:
    """Closed with a chance of 1 is won, closed with any other is lost."""
    said = metadata if isinstance(metadata, dict) else {}
    try:
        chance = float(said.get("probability", ""))
    except (TypeError, ValueError):
        chance = -1.0
    if str(said.get("isClosed", "")).lower() == "true" or chance in (0.0, 1.0):
        return "won" if chance == 1.0 else "lost"
    return "open"
