"""An organisation of Salesforce: its objects, its REST API, and the change events it would publish.

Written from the documents named in `reference`: sessions of client credentials, SOQL with its pages, queryAll, records
by ids with null for what is missing, getDeleted of 15 days, histories, descriptions, 403 for a spent limit, errors in
lists.
https://developer.salesforce.com/docs/platform/api-rest/guide/resources-list.html
https://developer.salesforce.com/docs/platform/salesforce-app-limits-cheatsheet/guide/salesforce-app-limits-platform-api.html
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from tests.fakes.http import FakeServer, Request, Response

CLIENT = {"client_id": "3MVG9.client", "client_secret": "client-secret-1"}
PREFIXES = {
    "Lead": "00Q", "Opportunity": "006", "Task": "00T", "Event": "00U", "EmailMessage": "02s", "VoiceCall": "0LQ",
    "User": "005", "OpportunityHistory": "008", "LeadHistory": "017",
}  # fmt: skip
STAGES = {"Prospecting": (False, False), "Verbal yes": (False, False), "Signed": (True, True), "Gone": (True, False)}
TRACKED = {"Status": "Status", "OwnerId": "Owner"}
SESSION = 7200.0
SEEN_FOR = 15 * 86400
FIELDS: Mapping[str, tuple[str, ...]] = {
    "Lead": ("OwnerId", "Name", "Company", "LeadSource", "Status", "IsConverted", "MasterRecordId",
             "ConvertedAccountId", "ConvertedOpportunityId"),
    "Opportunity": ("OwnerId", "CreatedById", "Name", "StageName", "IsClosed", "IsWon", "Amount", "Type", "AccountId",
                    "LastStageChangeDate", "RecordTypeId"),
    "Task": ("OwnerId", "CreatedById", "WhoId", "WhatId", "CallType", "CallDisposition", "CallDurationInSeconds",
             "TaskSubtype", "Status", "IsClosed", "CompletedDateTime"),
    "Event": ("OwnerId", "CreatedById", "WhoId", "WhatId", "Type", "StartDateTime", "EndDateTime", "IsChild",
              "GroupEventType", "IsAllDayEvent"),
    "EmailMessage": ("RelatedToId", "Incoming", "MessageDate", "ThreadIdentifier", "Status", "ActivityId",
                     "CreatedById", "ReplyToEmailMessageId"),
    "User": ("Name", "Email", "IsActive"),
}  # fmt: skip
"""There is no VoiceCall, and one currency."""


def iso(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def second_of(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def new_id(object: str, number: int) -> str:
    """18 characters: the last three say which of the others are capitals."""
    short = f"{PREFIXES[object]}5g{number:010}"
    fives = (short[start : start + 5] for start in (0, 5, 10))
    return short + "".join(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[sum(1 << i for i, sign in enumerate(five) if sign.isupper())]
        for five in fives
    )


@dataclass
class Row:
    id: str
    created: int
    modified: int
    fields: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    deleted_at: int | None = None
    is_emptied: bool = False
    """Out of the recycle bin."""


class FakeSalesforce(FakeServer):
    """The organisation. What is done to it gives its change events."""

    def __init__(self, clock: Callable[[], float], *, daily: int = 100_000, page: int = 2000) -> None:
        """`page`: rows of a page, which may be fewer than are asked for."""
        super().__init__(clock)
        self.page = page
        self.daily = daily
        self.used = 0
        self.over_limit = 0
        self.sessions: dict[str, float] = {}
        self.rows: dict[str, dict[str, Row]] = {name: {} for name in FIELDS}
        self.relations: list[dict[str, Any]] = []
        self.has_field_history = True
        self.stages: Mapping[str, tuple[bool, bool]] = STAGES
        """Stage -> whether it is closed, and won."""
        self.labels: dict[str, str] = {}
        """Stage -> what it is called, unless it is its name."""
        self.hidden: set[str] = set()
        """Fields that the description names, and that the user may not see."""
        self.unseen: set[str] = set()
        """Objects that the user has no right to: to it they are as those that no organisation has."""
        self._numbers = 0
        self._cursors: dict[str, list[dict[str, Any]]] = {}

    def now(self) -> int:
        return int(self.clock())

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    # What people do.

    def create(self, object: str, fields: Mapping[str, Any]) -> tuple[str, list[dict[str, Any]]]:
        now = self.now()
        row = Row(new_id(object, self._number()), now, now, dict(fields))
        if object == "Opportunity":
            closed, won = self.stages[fields["StageName"]]
            row.fields |= {"IsClosed": closed, "IsWon": won, "LastStageChangeDate": iso(now)}
            self._note_deal(row, now)
        self.rows[object][row.id] = row
        return row.id, [self._event(object, [row.id], "CREATE", {**row.fields, "CreatedDate": now * 1000})]

    def set(self, object: str, id: str, fields: Mapping[str, Any]) -> list[dict[str, Any]]:
        row, now = self.rows[object][id], self.now()
        fields = dict(fields)
        if "StageName" in fields and fields["StageName"] != row.fields["StageName"]:
            closed, won = self.stages[fields["StageName"]]
            fields |= {"IsClosed": closed, "IsWon": won, "LastStageChangeDate": iso(now)}
        changed = self._change(object, row, fields, now)
        return [self._event(object, [id], "UPDATE", {name: fields[name] for name in changed})] if changed else []

    def keep(self, object: str, id: str, fields: Mapping[str, Any], at: int, created: int) -> None:
        """A record is so since `at`, in seconds: somebody else has told of it."""
        row = self.rows[object].get(id)
        if row is None:
            row = self.rows[object][id] = Row(id, created, at, dict(fields))
            if object == "Opportunity":
                self._note_deal(row, at)
        elif row.deleted_at is not None:
            row.deleted_at, row.modified = None, at
        else:
            self._change(object, row, fields, at)

    def _change(self, object: str, row: Row, fields: Mapping[str, Any], now: int) -> list[str]:
        before = {name: row.fields.get(name) for name, value in fields.items() if row.fields.get(name) != value}
        if not before:
            return []
        row.fields |= fields
        row.modified = now
        if object == "Opportunity" and {"StageName", "Amount"} & before.keys():
            self._note_deal(row, now)
        if object == "Lead":
            for name, value in before.items():
                if name in TRACKED:
                    self._note_lead(row, TRACKED[name], value, fields[name], now)
                elif name == "IsConverted":
                    self._note_lead(row, "leadConverted", None, None, now)
        return list(before)

    def _note_deal(self, row: Row, now: int) -> None:
        entry = {"Id": new_id("OpportunityHistory", self._number()), "OpportunityId": row.id, "CreatedDate": iso(now)}
        row.history.append({**entry, "StageName": row.fields["StageName"], "Amount": row.fields.get("Amount")})

    def _note_lead(self, row: Row, name: str, old: Any, new: Any, now: int) -> None:
        pairs = [(old, new)]
        if name == "Owner":  # by name and by id
            pairs.append((f"Name of {old}", f"Name of {new}"))
        for before, after in pairs:
            row.history.append(
                {
                    "Id": new_id("LeadHistory", self._number()), "LeadId": row.id, "Field": name, "OldValue": before,
                    "NewValue": after, "CreatedDate": iso(now),
                }
            )  # fmt: skip

    def delete(self, object: str, id: str, at: int | None = None) -> list[dict[str, Any]]:
        row = self.rows[object][id]
        row.deleted_at = row.modified = self.now() if at is None else at
        return [self._event(object, [id], "DELETE", {})]

    def undelete(self, object: str, id: str) -> list[dict[str, Any]]:
        row = self.rows[object][id]
        row.deleted_at, row.modified = None, self.now()
        return [self._event(object, [id], "UNDELETE", {**row.fields, "CreatedDate": row.created * 1000})]

    def merge(self, winner: str, loser: str) -> list[dict[str, Any]]:
        self.rows["Lead"][loser].fields["MasterRecordId"] = winner
        self.rows["Lead"][winner].modified = self.now()
        return self.delete("Lead", loser)

    def _event(self, object: str, ids: list[str], kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "ChangeEventHeader": {
                "entityName": object, "recordIds": ids, "changeType": kind, "commitTimestamp": self.now() * 1000,
                "sequenceNumber": 1, "commitNumber": self._number(), "transactionKey": f"t-{self._number()}",
                "changedFields": list(fields), "nulledFields": [], "diffFields": [],
            },
            **{name: _event_value(value) for name, value in fields.items()},
        }  # fmt: skip

    # The API.

    def answer(self, request: Request) -> Response:
        if request.path == "/services/oauth2/token":
            form = dict(parse_qsl(request.body.decode()))
            if form != {"grant_type": "client_credentials", **CLIENT}:
                return Response(400, {"error": "invalid_client", "error_description": "invalid client credentials"})
            token = f"00D5g!session.{len(self.sessions)}"
            self.sessions[token] = self.clock()
            return Response(200, {"access_token": token, "instance_url": self.url, "token_type": "Bearer"})
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.clock() - self.sessions.get(token, -SESSION) >= SESSION:
            return _error(401, "INVALID_SESSION_ID", "Session expired or invalid")
        self.sessions[token] = self.clock()
        if self.used >= self.daily:
            self.over_limit += 1
            return _error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        self.used += 1
        response = self._route(request)
        response.headers["Sforce-Limit-Info"] = f"api-usage={self.used}/{self.daily}"
        return response

    def _route(self, request: Request) -> Response:  # noqa: PLR0911 - a path each
        path = re.sub(r"^/services/data/v\d+\.0", "", request.path)
        if path == "/query/" and request.query["q"].startswith(_COUNT):
            rows = self._soql(request.query["q"].replace(_COUNT, "SELECT Id"), False)
            if rows is None:
                return _error(400, "INVALID_TYPE", "sObject type is not supported")
            return Response(200, {"totalSize": len(rows), "done": True, "records": []})
        if found := re.fullmatch(r"/(query|queryAll)/(.*)", path):
            rows = self._cursors.pop(found[2]) if found[2] else self._soql(request.query["q"], found[1] == "queryAll")
            return _error(400, "MALFORMED_QUERY", "unexpected token") if rows is None else self._paged(rows)
        if path == "/limits":
            return Response(200, {"DailyApiRequests": {"Max": self.daily, "Remaining": self.daily - self.used}})
        if found := re.fullmatch(r"/sobjects/(\w+)/describe", path):
            if found[1] not in FIELDS or found[1] in self.unseen:
                return _error(404, "NOT_FOUND", "The requested resource does not exist")
            names = ("Id", "CreatedDate", "SystemModstamp", "IsDeleted", *FIELDS[found[1]])
            return Response(200, {"name": found[1], "fields": [{"name": name} for name in names]})
        if found := re.fullmatch(r"/sobjects/(\w+)/deleted/", path):
            return self._deleted(found[1], request.query)
        if found := re.fullmatch(r"/composite/sobjects/(\w+)", path):
            return self._by_ids(found[1], request.json())
        return _error(404, "NOT_FOUND", "The requested resource does not exist")

    def _paged(self, rows: list[dict[str, Any]]) -> Response:
        data: dict[str, Any] = {"totalSize": len(rows), "done": len(rows) <= self.page, "records": rows[: self.page]}
        if not data["done"]:
            cursor = f"01g{self._number()}-{self.page}"
            self._cursors[cursor] = rows[self.page :]
            data["nextRecordsUrl"] = f"/services/data/v68.0/query/{cursor}"
        return Response(200, data)

    def _written(self, object: str, row: Row) -> dict[str, Any]:
        return {
            **{name: row.fields.get(name) for name in FIELDS[object]}, "Id": row.id, "CreatedDate": iso(row.created),
            "SystemModstamp": iso(row.modified), "IsDeleted": row.deleted_at is not None,
        }  # fmt: skip

    def _by_ids(self, object: str, asked: Mapping[str, Any]) -> Response:
        if len(asked["ids"]) > 2000:
            return _error(400, "LIMIT_EXCEEDED", "ids")
        known = {"Id", "CreatedDate", "SystemModstamp", "IsDeleted", *FIELDS[object]} - self.hidden
        if unknown := set(asked["fields"]) - known:
            return _error(400, "INVALID_FIELD", f"No such column '{min(unknown)}'")
        found: list[dict[str, Any] | None] = []
        for id in asked["ids"]:
            row = self.rows[object].get(id)
            if row is None or row.deleted_at is not None:
                found.append(None)
            else:
                written = self._written(object, row)
                found.append({"attributes": {"type": object}, **{name: written[name] for name in asked["fields"]}})
        return Response(200, found)

    def _deleted(self, object: str, query: Mapping[str, str]) -> Response:
        start, end = second_of(query["start"]), second_of(query["end"])
        if start < self.now() - SEEN_FOR or end <= start or end > self.now() or end - start < 60:
            return _error(400, "INVALID_REPLICATION_DATE", "startDate before org replication enabled date")
        told = [
            {"id": row.id, "deletedDate": iso(row.deleted_at)}
            for row in self.rows[object].values()
            if row.deleted_at is not None and start <= row.deleted_at < end
        ]
        return Response(200, {"deletedRecords": told, "latestDateCovered": query["end"]})

    def _table(self, object: str, *, is_all: bool) -> list[dict[str, Any]] | None:
        if object in FIELDS:
            return (
                None
                if object in self.unseen
                else [
                    self._written(object, row)
                    for row in self.rows[object].values()
                    if not row.is_emptied and (is_all or row.deleted_at is None)
                ]
            )
        if object in ("OpportunityHistory", "LeadHistory"):
            of = object.removesuffix("History")
            rows = self.rows[of].values()
            return [entry for row in rows if row.deleted_at is None or is_all for entry in row.history]
        if object == "EmailMessageRelation":
            return self.relations
        if object == "OpportunityStage":
            return [
                {"ApiName": name, "MasterLabel": self.labels.get(name, name), "IsClosed": closed, "IsWon": won}
                for name, (closed, won) in self.stages.items()
            ]
        if object == "FieldDefinition":
            return [
                {"QualifiedApiName": name, "IsFieldHistoryTracked": self.has_field_history and name in TRACKED,
                 "EntityDefinition.QualifiedApiName": "Lead"}
                for name in ("Status", "OwnerId", "Company")
            ]  # fmt: skip
        return None

    def _soql(self, text: str, is_all: bool) -> list[dict[str, Any]] | None:
        found = re.fullmatch(
            r"SELECT (.+?) FROM (\w+)(?: WHERE (.+?))?(?: ORDER BY ([\w, ]+?))?(?: LIMIT (\d+))?", text
        )
        table = None if found is None else self._table(found[2], is_all=is_all)
        if found is None or table is None:
            return None
        names = [name.strip() for name in found[1].split(",")]
        if table and not set(names) <= set(table[0]):
            return None
        rows = table if found[3] is None else [row for row in table if Condition(found[3], self.now()).holds(row)]
        for name in reversed([name.strip() for name in (found[4] or "").split(",") if name.strip()]):
            rows = sorted(rows, key=lambda row: str(row[name]))
        rows = rows[: int(found[5])] if found[5] else rows
        return [{"attributes": {"type": found[2]}, **{name: row[name] for name in names}} for row in rows]


_COUNT = "SELECT COUNT()"


class Condition:
    """What stands behind WHERE: comparisons, IN, AND, OR and brackets."""

    def __init__(self, text: str, now: int) -> None:
        self._tokens: list[str] = re.findall(r"'[^']*'|>=|<=|[()=<>,]|!=|[\w.:+-]+", text)
        self._now = now

    def holds(self, row: Mapping[str, Any]) -> bool:
        self._at = 0
        return self._either(row)

    def _take(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1]

    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _either(self, row: Mapping[str, Any]) -> bool:
        found = self._both(row)
        while self._next() == "OR":
            self._take()
            found = self._both(row) or found
        return found

    def _both(self, row: Mapping[str, Any]) -> bool:
        found = self._one(row)
        while self._next() == "AND":
            self._take()
            found = self._one(row) and found
        return found

    def _one(self, row: Mapping[str, Any]) -> bool:
        if self._next() == "(":
            self._take()
            found = self._either(row)
            assert self._take() == ")"
            return found
        value, operator = row[self._take()], self._take()
        if operator == "IN":
            listed = set()
            while (word := self._take()) != ")":
                if word not in "(,":
                    listed.add(word.strip("'"))
            return value in listed
        return _compare(value, operator + ("=" if operator == "!" else ""), self._literal(self._take()))

    def _literal(self, word: str) -> Any:
        words: dict[str, Any] = {"null": None, "true": True, "false": False}
        if word in words:
            return words[word]
        if word == "TOMORROW":
            return float(self._now - self._now % 86400 + 2 * 86400 - 1)
        return word.strip("'") if word.startswith("'") else float(second_of(word))


def _compare(value: Any, operator: str, other: Any) -> bool:
    if operator in ("=", "!="):
        return bool((value == other) == (operator == "="))
    if value is None:
        return False
    held: Any = float(second_of(value)) if isinstance(other, float) else value
    return bool({">=": held >= other, "<=": held <= other, ">": held > other, "<": held < other}[operator])


def _event_value(value: Any) -> Any:
    """Instants in events are milliseconds."""
    is_instant = isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+\+0000", value)
    return second_of(value) * 1000 if is_instant else value


def _error(status: int, code: str, message: str) -> Response:
    return Response(status, [{"errorCode": code, "message": message}])


def bodies(events: Iterable[dict[str, Any]]) -> list[bytes]:
    """As the stream stores them: one each."""
    return [json.dumps(event).encode() for event in events]
