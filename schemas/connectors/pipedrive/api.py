"""What Pipedrive's API is asked, and how its answers are put together. Pure: `schemas.connectors.asking` says how.

- Deals and activities are read by the second version of the API; leads, users and the changelog of a deal by the first
  one, which alone has them.
- A deal's past is its changelog: one request for each deal, and a dear one. Nothing tells it of all deals together.
- Archived deals and leads are lists of their own. Of deletions only those of deals are told.
https://pipedrive.readme.io/docs/core-api-concepts-rate-limiting
https://developers.pipedrive.com/docs/api/v1/Deals
https://developers.pipedrive.com/docs/api/v1/Leads
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from schemas.connectors.asking import (
    GONE,
    HISTORY,
    ApiObject,
    Ask,
    BadAnswerError,
    Changed,
    CrmAnswer,
    CrmSource,
    Envelope,
    Learned,
    ListStretch,
    Pace,
    Page,
    Steps,
    instant_told,
    objects_in,
    one_by_one,
    required_member,
    with_text_id,
    without_asking,
)
from schemas.connectors.lists import walked
from schemas.connectors.pipedrive.objects import RECORDS
from schemas.connectors.quotas import count_in
from schemas.connectors.tables import second_text
from schemas.instants import MINUTE, SECOND

DEALS, LEADS, ACTIVITIES, USERS = "deals", "leads", "activities", "users"
BATCH = 100
_FOUND = 500
CONVERTED = "converted"
"""What becomes of a lead of which a deal is made: no list names it any more."""
_MISSING = frozenset({404})
_NOT_TOLD = frozenset({403, 404})
_ARCHIVED = "archived"
_UNKNOWN = frozenset({404, 410})
_LEAST = 50
"""Of the day's tokens: fewer than the dearest request may need."""
_DAY_IS_USED, _BLOCKED = 3600.0, 60.0
_LONGEST_RESET = 120
_OVERLAP = 50
"""Rows of a list by places that are read twice: so many may go meanwhile, and each moves up what is behind it."""


class PipedriveSource(CrmSource):
    """Pipedrive's API, for one connection."""

    people = USERS
    batch = BATCH
    # https://pipedrive.readme.io/docs/core-api-concepts-rate-limiting: the smallest plan's; answers tell of more.
    paces: Mapping[str, Pace] = {"": Pace(20, 2 * SECOND)}
    overlap = 5 * MINUTE
    is_exact = False
    objects: Mapping[str, ApiObject] = {
        LEADS: ApiObject(LEADS, "lead", leaves_as=CONVERTED),
        DEALS: ApiObject(DEALS, "deal"),
        ACTIVITIES: ApiObject(ACTIVITIES, RECORDS[0], further=RECORDS[1:]),
    }

    def __init__(self, *, company: str, token: str, address: str | None = None) -> None:
        self.address = address or f"https://{company}.pipedrive.com"
        self._token = token

    def login(self) -> Steps[Mapping[str, str]]:
        """The token of a user: it does not expire."""
        return without_asking({"x-api-token": self._token})

    def limits(self, headers: Mapping[str, str]) -> Mapping[str, Pace]:
        """What two seconds may hold, by which plans differ."""
        most = count_in(headers, "x-ratelimit-limit")
        return {"": Pace(most, 2 * SECOND)} if most else {}

    def wait(self, status: int, headers: Mapping[str, str], data: Any) -> float | None:
        """Who goes on after refusals is blocked for a while, with a page in place of an answer."""
        if status == 403 and data is None:
            return _BLOCKED
        if status != 429:
            return None
        reset = count_in(headers, "x-ratelimit-reset")
        return self.exhausted(headers) or (float(reset) if reset is not None and reset <= _LONGEST_RESET else None)

    def exhausted(self, headers: Mapping[str, str]) -> float | None:
        """The tokens of the day are the whole company's: the last ones are left to others."""
        left = count_in(headers, "x-daily-requests-left")
        return _DAY_IS_USED if left is not None and left < _LEAST else None

    def words(self) -> Steps[Learned]:
        """What pipelines and their stages are called."""
        # https://developers.pipedrive.com/docs/api/v1/Stages, https://developers.pipedrive.com/docs/api/v1/Pipelines
        labels: dict[str, dict[str, str]] = {}
        for name, of in (("pipelines", "id"), ("stages", "pipeline_id")):
            for row in (yield from _all(f"/api/v2/{name}", _NOT_TOLD, _rows)):
                id = "" if of == "id" else row["id"]
                labels.setdefault(str(row.get(of)), {})[id] = str(row.get("name") or row["id"])
        return Learned(labels=labels)

    def read(self, object: str, ids: Sequence[str]) -> Steps[Envelope]:
        """Those that are there, archived or not; of deals those that are deleted."""
        if object == LEADS:
            paths = {id: f"/api/v1/leads/{id}" for id in ids}
            return (yield from one_by_one(LEADS, paths, _alone, unknown=_UNKNOWN))
        records: list[dict[str, Any]] = []
        ways: list[tuple[str, Mapping[str, str]]] = [(f"/api/v2/{object}", {})]
        if object == DEALS:
            ways += [("/api/v2/deals/archived", {}), ("/api/v2/deals", {"status": "deleted"})]
        left = list(ids)
        for path, more in ways:
            if left:
                answer = yield Ask("GET", path, {"ids": ",".join(left), "limit": str(_FOUND), **more})
                found = {record["id"]: record for record in _rows(answer)}
                records += [_deleted(found[id]) if more else found[id] for id in left if id in found]
                left = [id for id in left if id not in found]
        if object == DEALS:
            for record in records:
                if GONE not in record:
                    record[HISTORY] = yield from self._changelog(record["id"])
        return Envelope(object=object, records=records, missing=left)

    def _changelog(self, deal: str) -> Steps[list[dict[str, Any]]]:
        """What was changed in a deal, as Pipedrive gives it: the newest change first."""
        changes = yield from _all(f"/api/v1/deals/{deal}/changelog", _MISSING, _changes)
        return [change for change in changes if change.get("field_key") in CHANGES]

    def changed(self, object: str, since: int, cursor: str | None) -> Steps[Changed]:
        """Page by page; then those that are archived."""
        is_archived = cursor is not None and cursor.startswith(_ARCHIVED)
        own = (cursor or "").removeprefix(_ARCHIVED)
        suffix = f"/{_ARCHIVED}" if is_archived else ""
        if object == LEADS:
            found, following = yield from self._newest_leads(suffix, since, own)
        else:
            found, following = yield from self._updated(object, suffix, since, own)
        if following is not None:
            following = (_ARCHIVED if is_archived else "") + following
        elif not is_archived and object != ACTIVITIES:
            following = _ARCHIVED
        lists = 1 if object == ACTIVITIES else 2
        return Changed(found, following, stretch=ListStretch(int(is_archived), lists, is_newest_first=object == LEADS))

    def _updated(
        self, object: str, suffix: str, since: int, cursor: str
    ) -> Steps[tuple[list[tuple[str, int]], str | None]]:
        """The oldest change first: what changes meanwhile comes once more at the end."""
        answer = yield Ask(
            "GET",
            f"/api/v2/{object}{suffix}",
            {
                "updated_since": f"{second_text(since)}Z", "sort_by": "update_time", "sort_direction": "asc",
                "limit": str(_FOUND), **_from(cursor),
            },
        )  # fmt: skip
        return [(record["id"], updated_at(record)) for record in _rows(answer)], _next_cursor(answer)

    def _newest_leads(self, suffix: str, since: int, cursor: str) -> Steps[tuple[list[tuple[str, int]], str | None]]:
        """The newest change first, as far as it is wanted: what changes meanwhile makes others come twice."""
        start = int(cursor or 0)
        query = {"start": str(start), "limit": str(_FOUND), "sort": "update_time DESC"}
        answer = yield Ask("GET", f"/api/v1/leads{suffix}", query)
        all_found = [(record["id"], updated_at(record)) for record in _rows(answer)]
        found = [(id, at) for id, at in all_found if at >= since]
        if answer.member("additional_data", "pagination", "more_items_in_collection") is not True:
            return found, None
        if not all_found:  # there may be others behind it
            return found, str(start + _FOUND)
        return found, str(start + max(1, len(all_found) - _OVERLAP)) if found else None

    def gone(self, object: str, since: int, until: int, cursor: str | None) -> Steps[Page]:
        """Deals that were deleted in the last 30 days; of other objects nothing tells."""
        if object != DEALS:
            return Page([], None)
        answer = yield Ask(
            "GET",
            "/api/v2/deals",
            {
                "status": "deleted", "updated_since": f"{second_text(since)}Z", "sort_by": "update_time",
                "limit": str(_FOUND), **_from(cursor),
            },
        )  # fmt: skip
        return Page([_deleted(record) for record in _rows(answer)], _next_cursor(answer))

    def everybody(self) -> Steps[Envelope]:
        """Users, those who are not active any more too: one list without pages."""
        answer = yield Ask("GET", "/api/v1/users")
        return Envelope(object=USERS, records=list(_rows(answer)))


CHANGES = frozenset({"stage_id", "status", "value"})
"""Fields whose past is kept, as the changelog calls them."""


def updated_at(record: Mapping[str, Any]) -> int:
    """When a record was changed last. One that never was has been since it was made."""
    for name in ("update_time", "modified", "add_time", "created"):
        value = record.get(name)
        if value:
            return instant_told(value, name)
    raise BadAnswerError("update_time", "is missing")


def _deleted(record: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": record["id"], GONE: updated_at(record)}


def _rows(answer: CrmAnswer) -> Iterator[dict[str, Any]]:
    """The objects of an answer; an empty list may be null."""
    if isinstance(answer.data, dict) and answer.data.get("data", ()) is None:
        return iter(())
    return map(with_text_id, objects_in(answer.data, "data"))


def _changes(answer: CrmAnswer) -> Iterator[dict[str, Any]]:
    """Those of a changelog; of a deal that is gone there are none."""
    return (change for change in answer.member("data") or () if isinstance(change, dict))


def _all(
    path: str, none: frozenset[int], rows: Callable[[CrmAnswer], Iterable[dict[str, Any]]]
) -> Steps[list[dict[str, Any]]]:
    """All rows of a short list. `none`: the statuses that stand for an empty one."""
    return walked(
        lambda cursor: Ask("GET", path, {"limit": str(_FOUND), **_from(cursor)}, expected=none),
        lambda answer: () if answer.status in none else rows(answer),
        lambda page: _next_cursor(page.answer),
    )


def _from(cursor: str | None) -> dict[str, str]:
    return {"cursor": cursor} if cursor else {}


def _alone(answer: CrmAnswer) -> dict[str, Any]:
    return with_text_id(required_member(answer.data, "data", dict))


def _next_cursor(answer: CrmAnswer) -> str | None:
    cursor = answer.member("additional_data", "next_cursor")
    return None if cursor is None or cursor == "" else str(cursor)
