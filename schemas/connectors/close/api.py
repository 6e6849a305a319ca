"""What Close's API is asked, and how its answers are put together. Pure: `schemas.connectors.asking` says how.

- What changed is told by the event log, of 30 days, the newest first. Beyond it activities are found by when they were
  made, opportunities by when they were updated, leads by a search.
- Lists end at some offset that Close does not name: so each page begins anew at the instant of the last row of the page
  before, and skips only what that has of it.
- Statuses of leads and opportunities are read with all their changes, which are activities of their own.
https://developer.close.com/api/resources/events.md
https://developer.close.com/api/overview/pagination.md
https://developer.close.com/api/overview/rate-limits.md
"""

import base64
import re
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
    with_text_id,
    without_asking,
)
from schemas.connectors.close.objects import CALL, DEAL_STATUSES, EMAIL, LEAD, LEAD_STATUS_CHANGE, MEETING, OPPORTUNITY
from schemas.connectors.lists import walked
from schemas.connectors.tables import second_text
from schemas.instants import DAY, MINUTE, SECOND, format_instant
from schemas.records import MERGED

ADDRESS = "https://api.close.com"
_ROOT = "/api/v1"
BATCH = 50
_FOUND = 100
_EVENTS = 50
_SEARCHED = 200
_UNKNOWN = frozenset({404})
_NOT_TOLD = frozenset({400, 403, 404})
_TOO_FAR = frozenset({400})
_ACTIVITIES = {CALL.name: "call", EMAIL.name: "email", MEETING.name: "meeting"}
_ACTIONS: Mapping[str, Sequence[str]] = {
    LEAD.name: ("created", "updated"),
    OPPORTUNITY.name: ("created", "updated"),
    CALL.name: ("created", "answered", "completed", "updated"),
    EMAIL.name: ("created", "sent", "updated"),
    MEETING.name: ("created", "scheduled", "started", "completed", "canceled", "updated"),
}
"""What the event log is asked for: it takes an object with an action, an object alone it does not."""
_STATUS_CHANGES = {OPPORTUNITY.name: "opportunity", LEAD.name: "lead"}
_LISTED, _SKIP = "listed ", "skip "
USERS = "users"
_RATE = re.compile(r"(limit|remaining|reset)=([0-9]+(?:\.[0-9]+)?)")
_LONGEST = 120.0
_MILLISECOND = 1000
"""Instants are written in these: the end of one has all that lies in it."""


class CloseSource(CrmSource):
    """Close's API, for one connection."""

    people = USERS
    are_people_there = True
    batch = BATCH
    # https://developer.close.com/api/overview/rate-limits.md: no number is promised; answers tell of it.
    paces: Mapping[str, Pace] = {"": Pace(10, SECOND)}
    overlap = 5 * MINUTE
    is_exact = False
    objects: Mapping[str, ApiObject] = {
        table.name: ApiObject(table.name, table.record) for table in (LEAD, OPPORTUNITY, CALL, EMAIL, MEETING)
    }

    def __init__(self, *, key: str, address: str | None = None) -> None:
        self.address = address or ADDRESS
        self._key = key
        self._least = 0
        self._stretch = 1.0

    def login(self) -> Steps[Mapping[str, str]]:
        """The key is the user, and there is no password. It does not expire."""
        return without_asking({"authorization": "Basic " + base64.b64encode(f"{self._key}:".encode()).decode()})

    def limits(self, headers: Mapping[str, str]) -> Mapping[str, Pace]:
        """Groups of addresses have limits of their own: the least of them is kept by all, in the longest stretch."""
        said = _rate(headers)
        if "limit" not in said or said["limit"] < 1:
            return {}
        self._least = min(self._least or int(said["limit"]), int(said["limit"]))
        self._stretch = max(self._stretch, said.get("reset", 1.0))
        return {"": Pace(self._least, round(self._stretch * SECOND))}

    def wait(self, status: int, headers: Mapping[str, str], data: Any) -> float | None:
        """Until there is room again."""
        reset = _rate(headers).get("reset")
        return reset if status == 429 and reset is not None and reset <= _LONGEST else None

    def words(self) -> Steps[Learned]:
        """What stages and outcomes are called."""
        # https://developer.close.com/api/resources/pipelines.md, https://developer.close.com/api/resources/outcomes.md
        labels: dict[str, dict[str, str]] = {}
        statuses: dict[str, str] = {}
        for row in (yield from self._short("/pipeline/")):
            stages = row.get("statuses")
            held = labels.setdefault(row["id"], {"": str(row.get("name") or row["id"])})
            for each in stages if isinstance(stages, list) else ():
                if isinstance(each, dict) and isinstance(each.get("id"), str):
                    held[each["id"]] = str(each.get("label") or each["id"])
                    if (status := DEAL_STATUSES.get(str(each.get("type")))) is not None:
                        statuses[each["id"]] = status
        names = {row["id"]: str(row["name"]) for row in (yield from self._short("/outcome/")) if row.get("name")}
        return Learned({OPPORTUNITY.name: statuses, CALL.name: names, MEETING.name: names}, labels)

    def _short(self, path: str) -> Steps[list[dict[str, Any]]]:
        """A list that few organisations have a second page of; none: the key may not read it."""
        return self._list(path, lambda answer: () if answer.status in _NOT_TOLD else _rows(answer), expected=_NOT_TOLD)

    def _list(
        self,
        path: str,
        rows: Callable[[CrmAnswer], Iterable[dict[str, Any]]],
        query: Mapping[str, str] | None = None,
        expected: frozenset[int] = frozenset(),
    ) -> Steps[list[dict[str, Any]]]:
        of = {**(query or {}), "_limit": str(_FOUND)}
        return walked(
            lambda skip: Ask("GET", f"{_ROOT}{path}", {**of, "_skip": skip or "0"}, expected=expected),
            rows,
            lambda page: str(_behind(int(page.cursor or 0), page.rows)) if _has_more(page.answer) else None,
        )

    def read(self, object: str, ids: Sequence[str]) -> Steps[Envelope]:
        """Activities together; leads and opportunities one by one, each with the changes of its status."""
        records: list[dict[str, Any]] = []
        if object in _ACTIVITIES:
            query = {"id__in": ",".join(ids), "_limit": str(_FOUND)}
            answer = yield Ask("GET", f"{_ROOT}/activity/{_ACTIVITIES[object]}/", query)
            records = list(_rows(answer))
        else:
            for id in ids:
                answer = yield Ask("GET", f"{_ROOT}/{object}/{id}/", expected=_UNKNOWN)
                if answer.status not in _UNKNOWN and isinstance(answer.data, dict):
                    record = {**answer.data, "id": id}
                    record[HISTORY] = yield from self._status_changes(object, id)
                    records.append(record)
        found = {record["id"] for record in records}
        return Envelope(object=object, records=records, missing=[id for id in ids if id not in found])

    def _status_changes(self, object: str, id: str) -> Steps[list[dict[str, Any]]]:
        name = f"{_STATUS_CHANGES[object]}_id"
        return self._list(
            f"/activity/status_change/{_STATUS_CHANGES[object]}/",
            lambda answer: (row for row in _rows(answer) if row.get(name) == id),
            {name: id},
        )

    def changed(self, object: str, since: int, cursor: str | None) -> Steps[Changed]:
        """By the event log; then by what the lists tell."""
        if cursor is None or not cursor.startswith(_LISTED):
            actions = _ACTIONS[object]
            action, _, own = (cursor or actions[0]).partition(" ")
            rows, following = yield from self._events({"object_type": object, "action": action}, since, own)
            found = {str(row["object_id"]): _at(row, "date_updated") for row in reversed(rows)}
            left = actions[actions.index(action) + 1 :]
            after = f"{action} {following}" if following else left[0] if left else _LISTED
            stretch = ListStretch(actions.index(action), len(actions) + 1, is_newest_first=True)
            return Changed(list(found.items()), after, stretch=stretch)
        return (yield from self._made(object, since, cursor.removeprefix(_LISTED)))

    def _made(self, object: str, since: int, cursor: str) -> Steps[Changed]:
        if object == LEAD.name:
            return (yield from self._searched(since, cursor))
        name, path = "date_created", f"{_ROOT}/activity/{_ACTIVITIES.get(object)}/"
        order = {}
        if object == OPPORTUNITY.name:
            name, path, order = "date_updated", f"{_ROOT}/opportunity/", {"_order_by": "-date_updated"}
        until, skip = [*cursor.split(" "), ""][:2]
        query = {f"{name}__gte": _written(since), "_limit": str(_FOUND), "_skip": skip or "0", **order}
        query |= {f"{name}__lte": until} if until else {}
        answer = yield Ask("GET", path, query, expected=_TOO_FAR if skip else frozenset())
        if answer.status in _TOO_FAR:
            raise BadAnswerError(
                object, f"more of one instant than Close lists ({until}): what lies before it is lacking"
            )
        found = [(row["id"], _at(row, name)) for row in _rows(answer)]
        stretch = ListStretch(len(_ACTIONS[object]), len(_ACTIONS[object]) + 1, is_newest_first=True)
        if not _has_more(answer):
            return Changed(found, None, stretch=stretch)
        if not found:  # there may be others behind it
            return Changed(found, f"{_LISTED}{until} {_behind(int(skip or 0), found)}", stretch=stretch)
        last = _written(found[-1][1] + _MILLISECOND)
        same = sum(_written(at + _MILLISECOND) == last for _, at in found) + (int(skip or 0) if last == until else 0)
        return Changed(found, f"{_LISTED}{last} {same}", stretch=stretch)

    def _searched(self, since: int, cursor: str) -> Steps[Changed]:
        """Leads by the day of their last update: of those found, what is older is left out."""
        if cursor.startswith(_SKIP):
            return (yield from self._all_leads(since, cursor.removeprefix(_SKIP)))
        # https://developer.close.com/api/resources/advanced-filtering.md
        day = second_text(since - DAY)[: len("2026-03-18")]
        condition = {
            "type": "moment_range", "before": None,
            "on_or_after": {"type": "fixed_local_date", "value": day, "which": "start"},
        }  # fmt: skip
        updated = {"type": "regular_field", "object_type": "lead", "field_name": "date_updated"}
        body = {
            "query": {
                "type": "and",
                "queries": [
                    {"type": "object_type", "object_type": "lead"},
                    {"type": "field_condition", "field": updated, "condition": condition},
                ],
            },
            "_fields": {"lead": ["id", "date_updated"]},
            "_limit": _SEARCHED,
            "cursor": cursor or None,
        }
        answer = yield Ask("POST", f"{_ROOT}/data/search/", body=body, expected=_TOO_FAR)
        if answer.status in _TOO_FAR:
            return Changed((), f"{_LISTED}{_SKIP}0")
        found = [(row["id"], _at(row, "date_updated")) for row in _rows(answer)]
        following = answer.member("cursor")
        return _since(since, found, _LISTED + str(following) if following else None)

    def _all_leads(self, since: int, cursor: str) -> Steps[Changed]:
        """Where the search is refused: all leads, of which what is older is left out."""
        query = {"_fields": "id,date_updated", "_limit": str(_FOUND), "_skip": cursor}
        answer = yield Ask("GET", f"{_ROOT}/lead/", query, expected=_TOO_FAR)
        if answer.status in _TOO_FAR:
            raise BadAnswerError("lead", f"more than Close lists: what lies behind {cursor} is lacking")
        found = [(row["id"], _at(row, "date_updated")) for row in _rows(answer)]
        following = f"{_LISTED}{_SKIP}{_behind(int(cursor), found)}" if _has_more(answer) else None
        return _since(since, found, following)

    def _events(
        self, wanted: Mapping[str, str], since: int, cursor: str | None
    ) -> Steps[tuple[list[dict[str, Any]], str | None]]:
        """A page of the log, the newest first, and where the next one begins."""
        query = {**wanted, "date_updated__gte": _written(since), "_limit": str(_EVENTS)}
        answer = yield Ask("GET", f"{_ROOT}/event/", query | ({"_cursor": cursor} if cursor else {}))
        rows = [row for row in _rows(answer) if isinstance(row.get("object_id"), str)]
        following = answer.member("cursor_next")
        is_over = bool(rows) and _at(rows[-1], "date_updated") < since
        return [row for row in rows if _at(row, "date_updated") >= since], None if is_over else following

    def gone(self, object: str, since: int, until: int, cursor: str | None) -> Steps[Page]:
        """Deletions of the last 30 days. What a merge deletes has moved, and a merged lead names the one that stays."""
        rows, following = yield from self._events({"object_type": object, "action": "deleted"}, since, cursor)
        records = []
        for row in rows:
            at, merged = _at(row, "date_updated"), merge_of(row)
            if merged is None:
                records.append({"id": str(row["object_id"]), GONE: at})
            elif object == LEAD.name and merged[0] != merged[1]:
                was = yield from self._remembered(merged[0])
                records.append({**was, "id": merged[0], MERGED: merged[1], "date_updated": format_instant(at)})
        return Page(records, following)

    def _remembered(self, lead: str) -> Steps[dict[str, Any]]:
        """What the log still says of a lead that is gone: as it was, with the changes of its status."""
        rows, _ = yield from self._events({"object_type": LEAD.name, "object_id": lead}, 0, None)
        was = next((row["data"] for row in rows if isinstance(row.get("data"), dict)), None)
        if was is None:
            return {}
        changes: dict[str, dict[str, Any]] = {}
        for name in (LEAD_STATUS_CHANGE.name, "status_change.lead"):
            told, _ = yield from self._events({"object_type": name, "lead_id": lead}, 0, None)
            changes |= {str(row["object_id"]): row["data"] for row in told if isinstance(row.get("data"), dict)}
        return {**was, HISTORY: list(changes.values())}

    def listed(self, object: str, cursor: str | None) -> Steps[Changed]:
        """All that is there: the lists alone."""
        return (yield from self._made(object, 0, (cursor or "").removeprefix(_LISTED)))

    def everybody(self) -> Steps[Envelope]:
        """Users of the organisation."""
        return Envelope(object=USERS, records=(yield from self._list("/user/", _rows)))

    def is_there(self, record: Mapping[str, Any]) -> bool:
        """A record of an answer is, unless it names the one that it was merged into."""
        return GONE not in record and MERGED not in record


def merge_of(event: Mapping[str, Any]) -> tuple[str, str] | None:
    """The lead that goes and the one that stays; None: the event is of no merge."""
    meta = event.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    source, stays = meta.get("merge_source_lead_id"), meta.get("merge_destination_lead_id")
    return (source, stays) if isinstance(source, str) and isinstance(stays, str) and source and stays else None


def _since(since: int, found: Sequence[tuple[str, int]], following: str | None) -> Changed:
    """A page without those that are older."""
    first = found[0][0] if found else ""
    return Changed([(id, at) for id, at in found if at >= since], following, first=first)


def _behind(skip: int, rows: Sequence[object]) -> int:
    """How much is skipped to come behind a page: of one without rows, what it might have had."""
    return skip + (len(rows) or _FOUND)


def _rate(headers: Mapping[str, str]) -> dict[str, float]:
    return {name: float(value) for name, value in _RATE.findall(headers.get("ratelimit", ""))}


def _written(at: int) -> str:
    return format_instant(at).replace("Z", "+00:00")


def _at(row: Mapping[str, Any], name: str) -> int:
    return instant_told(row.get(name) or row.get("date_created"), name)


def _rows(answer: CrmAnswer) -> Iterator[dict[str, Any]]:
    return map(with_text_id, objects_in(answer.data, "data"))


def _has_more(answer: CrmAnswer) -> bool:
    return answer.member("has_more") is True
