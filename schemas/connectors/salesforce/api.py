"""What Salesforce's API is asked, and how its answers are put together. Pure: `schemas.connectors.asking` says how.

- What changed is found by SOQL in the order of ids, beyond the last one of each page: no cap is met, no cursor expires,
  and a record that changes meanwhile moves nothing.
- Fields and objects differ by organisation, and one that is not there refuses a whole request: so each object is
  described first, once.
- Opportunities are read with OpportunityHistory, leads with LeadHistory as far as the organisation tracks it, mails
  with the Task and the people that they belong to.
- What is deleted is told by the recycle bin (queryAll), which also says into which lead one was merged, and for
  what it does not hold any more by getDeleted.
https://developer.salesforce.com/docs/platform/api-rest/guide/resources-composite-sobjects-collections-retrieve-post.html
https://developer.salesforce.com/docs/platform/api-rest/guide/resources-getdeleted.html
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

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
    NotSeenError,
    Pace,
    Page,
    Steps,
    required_member,
)
from schemas.connectors.lists import standing_still, walked
from schemas.connectors.quotas import day_told
from schemas.connectors.salesforce.days import ALL_DAY, in_days
from schemas.connectors.salesforce.ids import id_in
from schemas.connectors.salesforce.objects import (
    EMAIL,
    EVENT,
    LEAD,
    OBJECTS,
    OPPORTUNITY,
    PERSON,
    TASK,
    VOICE_CALL,
)
from schemas.connectors.salesforce.rows import instant_in, row_of, rows_of
from schemas.connectors.salesforce.token import log_in
from schemas.connectors.tables import second_text
from schemas.instants import DAY, HOUR, MINUTE
from schemas.windows import Calendar

VERSION = "v68.0"
"""Of the API, in every path."""
_ROOT = f"/services/data/{VERSION}"
BATCH = 200
"""Ids in one request: it has to fit into the address of a query too."""
_FOUND = 2000
_MISSING = frozenset({404})
_REFUSED = frozenset({400, 403, 404})
_BAD = frozenset({400})
_LIMIT_WAIT = 900.0
"""The limit is of the last 24 hours: a part of it comes back all the time."""
_LEAST_LEFT = 0.01
_TOLD_FOR = 15 * DAY
_MODIFIED = "SystemModstamp"
TASK_OF, RELATIONS, TRACKED = "$task", "$relations", "$tracked"
"""Members of a record: of a mail its Task and the people it went to; of a lead the fields whose past is kept."""
_DUE = "due"
_BEHIND_UTC = 36 * HOUR
"""A whole day is written as the midnight UTC at which it begins, and ends so much later where it ends last."""
_UTC = Calendar(ZoneInfo("UTC"), 0)
_HELD = frozenset({"outcome"})
"""What becomes of a meeting by the clock alone, where no field names its outcome."""

_FILTERS: Mapping[str, str] = {
    TASK.name: "(TaskSubtype = 'Call' OR (TaskSubtype = null AND CallType != null)"
    " OR (TaskSubtype = null AND CallDisposition != null) OR (TaskSubtype = null AND CallDurationInSeconds != null))",
    EVENT.name: "IsChild = false",
}
_FURTHER: Mapping[str, Sequence[str]] = {
    TASK.name: ("TaskSubtype", "Status", "IsClosed", "CompletedDateTime"),
    VOICE_CALL.name: ("ActivityId",),
    EMAIL.name: ("Status", "MessageDate", "ReplyToEmailMessageId", "ActivityId", "CreatedById"),
    EVENT.name: ("IsChild", "GroupEventType", "ActivityDateTime", "DurationInMinutes", ALL_DAY),
    LEAD.name: ("ConvertedOpportunityId",),
    OPPORTUNITY.name: ("IsClosed", "IsWon", "LastStageChangeDate"),
}
"""Fields beside those that the tables name."""
_BEGINS = {TASK.name: "00T", VOICE_CALL.name: "0LQ"}


class SalesforceSource(CrmSource):
    """Salesforce's API, for one connection."""

    people = PERSON.name
    batch = BATCH
    # https://developer.salesforce.com/docs/platform/salesforce-app-limits-cheatsheet: so many long requests at once.
    paces: Mapping[str, Pace] = {"": Pace(5, 1)}
    overlap = 5 * MINUTE
    is_exact = False

    def __init__(
        self,
        *,
        address: str,
        client: Mapping[str, str],
        outcomes_field: str | None = None,
        calendar: Calendar = _UTC,
    ) -> None:
        """`client`: `client_id`, `client_secret`. `calendar`: the organisation's days."""
        self._calendar = calendar
        self.address = address
        self._client = dict(client)
        self._outcomes_field = outcomes_field
        self.objects: Mapping[str, ApiObject] = {
            table.name: ApiObject(
                table.name,
                table.record,
                begins=_BEGINS.get(table.name, ""),
                may_be_absent=table in (VOICE_CALL, EMAIL),  # a licence, a setting
                falls_due=_HELD if table.name == EVENT.name and outcomes_field is None else frozenset(),
            )
            for table in (LEAD, OPPORTUNITY, TASK, VOICE_CALL, EMAIL, EVENT)
        }
        self._fields: dict[str, frozenset[str]] = {}
        """Object -> the fields that this organisation has; none: it does not have such objects."""
        self._tracked: frozenset[str] | None = None

    # Token and limits.

    def login(self) -> Steps[Mapping[str, str]]:
        """A session by client credentials. There is nothing to refresh it with: another one is asked for."""
        access = yield from log_in(**self._client)
        return {"authorization": f"Bearer {access.token}"}

    def wait(self, status: int, headers: Mapping[str, str], data: Any) -> float | None:
        """A spent limit is a 403 here, and says nothing of when."""
        codes = (
            {error.get("errorCode") for error in data if isinstance(error, dict)} if isinstance(data, list) else set()
        )
        return _LIMIT_WAIT if status == 403 and "REQUEST_LIMIT_EXCEEDED" in codes else None

    def exhausted(self, headers: Mapping[str, str]) -> float | None:
        """The last requests of 24 hours are left to others."""
        day = day_told(headers)
        return _LIMIT_WAIT if day is not None and day.of and day.left <= _LEAST_LEFT * day.of else None

    # Records.

    def words(self) -> Steps[Learned]:
        """Which stages are won and lost, and what they are called, whatever the record type."""
        rows = yield from self._all(
            "SELECT ApiName, MasterLabel, IsClosed, IsWon FROM OpportunityStage", is_needed=False
        )
        found: dict[str, str] = {}
        labels: dict[str, str] = {}
        for row in rows:
            status = "won" if row.get("IsWon") is True else "lost" if row.get("IsClosed") is True else "open"
            found |= {str(row[name]): status for name in ("MasterLabel", "ApiName") if row.get(name)}
            if row.get("ApiName") and row.get("MasterLabel"):
                labels[str(row["ApiName"])] = str(row["MasterLabel"])
        return Learned({OPPORTUNITY.name: found}, {"": labels})

    def read(self, object: str, ids: Sequence[str]) -> Steps[Envelope]:
        """Those that are there, then, of the others, those that are deleted; the rest is missing."""
        names = yield from self._names(object)
        if not names:
            return Envelope(object=object, missing=list(ids))
        while True:
            body = {"ids": list(ids), "fields": names}
            answer = yield Ask("POST", f"{_ROOT}/composite/sobjects/{object}", body=body, expected=_BAD)
            if answer.status not in _BAD:
                break
            names = self._without_refused(object, names, answer)
        if not isinstance(answer.data, list):
            raise BadAnswerError("composite/sobjects", "must be a list")
        records = [row_of(record) for record in answer.data if isinstance(record, dict) and record.get("Id")]
        found = {record["id"] for record in records}
        left = [id for id in ids if id not in found]
        gone = (yield from self._deleted(object, f"Id IN ({_listed(left)})")) if left else []
        if records and object == OPPORTUNITY.name:
            yield from self._deal_histories(records)
        elif records and object == LEAD.name:
            yield from self._lead_histories(records)
        elif records and object == EMAIL.name:
            yield from self._mail_people(records)
        found |= {record["id"] for record in gone}
        return Envelope(object=object, records=[*records, *gone], missing=[id for id in left if id not in found])

    def _names(self, object: str) -> Steps[list[str]]:
        """The fields that are read of an object, as far as the organisation has them. None: it has no such objects."""
        wanted = ["Id", *(row.source for row in OBJECTS[object].rows), *_FURTHER.get(object, ()), _MODIFIED]
        if object == EVENT.name and self._outcomes_field is not None:
            wanted.append(self._outcomes_field)
        if object not in self._fields:
            answer = yield Ask("GET", f"{_ROOT}/sobjects/{object}/describe", expected=_MISSING)
            if answer.status in _MISSING:  # not to be described is not to be absent
                probe = yield self._query(f"SELECT Id FROM {object} LIMIT 1", is_needed=False)
                self._fields[object] = frozenset(() if probe.status in _BAD else wanted)
            else:
                fields = required_member(answer.data, "fields", list)
                self._fields[object] = frozenset(str(each.get("name")) for each in fields if isinstance(each, dict))
        return [name for name in dict.fromkeys(wanted) if name in self._fields[object]]

    def _without_refused(self, object: str, names: list[str], answer: CrmAnswer) -> list[str]:
        """Without the field that an answer says there is not: the user may not see it. Raises BadAnswerError."""
        errors = answer.data if isinstance(answer.data, list) else []
        said = " ".join(str(error.get("message", "")) for error in errors if isinstance(error, dict))
        refused = {name for name in re.findall(r"\w+", said) if name in names} - {"Id", _MODIFIED}
        if not refused:
            raise BadAnswerError(object, "is refused (400), and no field of it is named")
        self._fields[object] -= refused
        return [name for name in names if name not in refused]

    def _deal_histories(self, deals: Sequence[dict[str, Any]]) -> Steps[None]:
        rows = yield from self._all(
            "SELECT Id, OpportunityId, StageName, Amount, CreatedDate FROM OpportunityHistory "
            f"WHERE OpportunityId IN ({_listed(deal['id'] for deal in deals)}) ORDER BY CreatedDate, Id"
        )
        _put(deals, rows, "OpportunityId")

    def _lead_histories(self, leads: Sequence[dict[str, Any]]) -> Steps[None]:
        if self._tracked is None:
            rows = yield from self._all(
                "SELECT QualifiedApiName, IsFieldHistoryTracked FROM FieldDefinition "
                "WHERE EntityDefinition.QualifiedApiName = 'Lead'",
                is_needed=False,
            )
            tracked = [row.get("QualifiedApiName") for row in rows if row.get("IsFieldHistoryTracked") is True]
            self._tracked = frozenset(str(name) for name in tracked)
        rows = yield from self._all(
            "SELECT Id, LeadId, Field, OldValue, NewValue, CreatedDate FROM LeadHistory "
            f"WHERE LeadId IN ({_listed(lead['id'] for lead in leads)}) "
            "AND Field IN ('Status', 'Owner', 'leadConverted') ORDER BY CreatedDate, Id",
            path="queryAll",
            is_needed=False,
        )
        _put(leads, rows, "LeadId")
        for lead in leads:
            lead[TRACKED] = sorted(self._tracked & {"Status", "OwnerId", "Owner"})

    def _mail_people(self, mails: Sequence[dict[str, Any]]) -> Steps[None]:
        """Whose a mail is, its Task says, and to whom it went, its relations."""
        tasks = {mail["ActivityId"] for mail in mails if mail.get("ActivityId")}
        owners: dict[str, dict[str, Any]] = {}
        if tasks:
            rows = yield from self._all(f"SELECT Id, OwnerId, WhoId FROM Task WHERE Id IN ({_listed(sorted(tasks))})")
            owners = {row["Id"]: row for row in rows}
        relations = yield from self._all(
            "SELECT EmailMessageId, RelationId FROM EmailMessageRelation "
            f"WHERE EmailMessageId IN ({_listed(mail['id'] for mail in mails)}) AND RelationObjectType = 'Lead'",
            is_needed=False,
        )
        for mail in mails:
            mail[TASK_OF] = owners.get(mail.get("ActivityId") or "")
            mail[RELATIONS] = sorted(
                {str(row["RelationId"]) for row in relations if row.get("EmailMessageId") == mail["id"]}
            )

    def changed(self, object: str, since: int, cursor: str | None) -> Steps[Changed]:
        """By their ids, beyond `cursor`; then meetings that are over since then, though nobody has touched them."""
        names = yield from self._names(object)
        if not names:
            if self.objects[object].may_be_absent:
                return Changed((), None, is_absent=True)
            del self._fields[object]  # the right may be given later
            raise NotSeenError(object, "the user that api runs as does not see such objects")
        is_due = cursor is not None and cursor.startswith(_DUE)
        last = (cursor or "").removeprefix(_DUE)
        at, condition = _MODIFIED, f"{_MODIFIED} >= {_written(since)}"
        chosen = ["Id", at]
        if is_due:
            at = "EndDateTime"
            condition = f"{at} >= {_written(since - _BEHIND_UTC)} AND {at} <= TOMORROW"
            chosen = ["Id", *(name for name in ("StartDateTime", at, ALL_DAY) if name in names)]
        parts = [condition, *([f"Id > '{last}'"] if last else []), *([_FILTERS[object]] if object in _FILTERS else [])]
        query = f"SELECT {', '.join(chosen)} FROM {object} WHERE {' AND '.join(parts)} ORDER BY Id LIMIT {_FOUND}"
        answer = yield self._query(query)
        rows = list(rows_of(answer))
        found = [(row["id"], _at(row, at, self._calendar)) for row in rows]
        is_more = len(rows) >= _FOUND or _is_cut(answer)
        if is_more and not rows:
            raise standing_still()
        following = (_DUE if is_due else "") + rows[-1]["id"] if is_more else None
        if following is None and not is_due and object == EVENT.name and self._outcomes_field is None:
            following = _DUE
        if is_due:
            found = [(id, end) for id, end in found if end >= since]
        return Changed(found, following, is_due=is_due, first=rows[0]["id"] if rows else "")

    def count(self, object: str, since: int) -> Steps[int | None]:
        """By one query more."""
        if not (yield from self._names(object)):
            return None
        parts = [f"{_MODIFIED} >= {_written(since)}", *([_FILTERS[object]] if object in _FILTERS else [])]
        answer = yield self._query(f"SELECT COUNT() FROM {object} WHERE {' AND '.join(parts)}", is_needed=False)
        found = answer.member("totalSize")
        return found if isinstance(found, int) else None

    def gone(self, object: str, since: int, until: int, cursor: str | None) -> Steps[Page]:
        """What lies in the recycle bin; then what does not even lie there any more."""
        if not (yield from self._names(object)):
            return Page([], None)
        if cursor is None:
            records = yield from self._deleted(object, f"{_MODIFIED} >= {_written(since)}")
            return Page(records, "emptied")
        start, end = max(since, until - _TOLD_FOR + HOUR), until - until % MINUTE
        if end - start < 2 * MINUTE:
            start = end - 2 * MINUTE
        answer = yield Ask(
            "GET",
            f"{_ROOT}/sobjects/{object}/deleted/",
            {"start": f"{second_text(start)}+00:00", "end": f"{second_text(end)}+00:00"},
            expected=_REFUSED,  # not every object is replicated
        )
        if answer.status in _REFUSED:
            return Page([], None)
        told = [each for each in required_member(answer.data, "deletedRecords", list) if isinstance(each, dict)]
        gone = [
            {"id": id_in(each.get("id"), "Id", BadAnswerError), GONE: instant_in(each, "deletedDate")} for each in told
        ]
        return Page(gone, None)

    def _deleted(self, object: str, condition: str) -> Steps[list[dict[str, Any]]]:
        """Records of the recycle bin. A lead that was merged into another one is in it, whole, and names it."""
        names = yield from self._names(object)
        is_lead = object == LEAD.name and "MasterRecordId" in names
        chosen = [*names] if is_lead else ["Id", _MODIFIED]
        rows = yield from self._all(
            f"SELECT {', '.join(chosen)} FROM {object} WHERE IsDeleted = true AND {condition}", path="queryAll"
        )
        merged = [row | {"IsDeleted": True} for row in rows if row.get("MasterRecordId")] if is_lead else []
        if merged:
            yield from self._lead_histories(merged)
        kept = {row["id"] for row in merged}
        return [
            *merged,
            *({"id": row["id"], GONE: instant_in(row, _MODIFIED)} for row in rows if row["id"] not in kept),
        ]

    def listed(self, object: str, cursor: str | None) -> Steps[Changed]:
        """All that is there."""
        page = yield from self.changed(object, 0, cursor)
        return page if page.cursor != _DUE else Changed(page.found, None)

    def everybody(self) -> Steps[Envelope]:
        """Users, those who are not active any more too."""
        names = yield from self._names(PERSON.name)
        rows = yield from self._all(f"SELECT {', '.join(names)} FROM User ORDER BY Id")
        return Envelope(object=PERSON.name, records=rows)

    def is_there(self, record: Mapping[str, Any]) -> bool:
        """Neither deleted nor merged into another one."""
        return GONE not in record and record.get("IsDeleted") is not True

    # Requests.

    # Queries are of ids, instants and names that stand in this file, or that the configuration has checked: nothing in
    # them comes from outside.

    def _query(self, query: str, path: str = "query", *, is_needed: bool = True) -> Ask:
        return Ask("GET", f"{_ROOT}/{path}/", {"q": query}, expected=frozenset() if is_needed else _BAD)

    def _all(self, query: str, path: str = "query", *, is_needed: bool = True) -> Steps[list[dict[str, Any]]]:
        """All rows of a query, page by page. What is not needed may be of an object that the organisation lacks."""
        return walked(
            lambda url: Ask("GET", url) if url else self._query(query, path, is_needed=is_needed),
            lambda answer: () if answer.status in _BAD else rows_of(answer),
            lambda page: _further(page.answer.data) if _is_cut(page.answer) else None,
        )


def _at(row: Mapping[str, Any], name: str, calendar: Calendar) -> int:
    try:
        return instant_in(in_days(row, calendar), name)
    except ValueError as error:
        raise BadAnswerError(EVENT.name, str(error)) from None


def _is_cut(answer: CrmAnswer) -> bool:
    return answer.member("done") is False


def _further(data: Any) -> str:
    """Where a query goes on, at this address: the token goes nowhere else. Raises BadAnswerError."""
    path = required_member(data, "nextRecordsUrl", str)
    if not path.startswith("/") or path.startswith("//"):
        raise BadAnswerError("nextRecordsUrl", "is no path")
    return path


def _listed(ids: Iterable[str]) -> str:
    """Ids as a query names them: letters and digits alone."""
    return ", ".join(f"'{id}'" for id in ids if id.isalnum()) or "''"


def _put(records: Sequence[dict[str, Any]], rows: Iterable[dict[str, Any]], name: str) -> None:
    """Put into each record its rows, in their order: of equal instants the place in it decides."""
    by_id: dict[str, list[dict[str, Any]]] = {record["id"]: [] for record in records}
    for row in rows:
        by_id.get(str(row.get(name)), []).append(row)
    for record in records:
        record[HISTORY] = by_id[record["id"]]


def _written(at: int) -> str:
    return f"{second_text(at)}Z"
