"""An account of Zoho CRM: its records, its API, and the notifications it would send.

Written from the documents named in `reference`: tokens (an hour, ten in ten minutes, refusals with 200), records by id
and by list (`fields` mandatory, 204 without a body, 304), COQL (2,000 rows, 50 ids), deleted records, DealHistory,
users, field metadata, errors.
https://www.zoho.com/crm/developer/docs/api/v8/get-records.html
https://www.zoho.com/crm/developer/docs/api/v8/COQL-Limitations.html
https://www.zoho.com/crm/developer/docs/api/v8/status-codes.html
https://www.zoho.com/crm/developer/docs/api/v8/notifications/enable.html
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from tests.fakes.http import FakeServer, Request, Response, Rolling

CLIENT = {"client_id": "1000.CLIENT", "client_secret": "client-secret-1", "refresh_token": "1000.refresh.1"}
STAGES = {
    "Qualification": "Open",
    "Verbal yes": "Open",
    "Negotiation/Review": "Open",
    "Signed": "Closed Won",
    "Gone elsewhere": "Closed Lost",
}
LIST_CAP = 2000
WEEK = 7 * 86400


def iso(second: int) -> str:
    """As Zoho writes instants: in the zone of the user, without fractions."""
    return datetime.fromtimestamp(second + 3600, UTC).strftime("%Y-%m-%dT%H:%M:%S") + "+01:00"


@dataclass
class Row:
    id: str
    module: str
    created: int
    modified: int
    fields: dict[str, Any] = field(default_factory=dict)
    stages: list[tuple[str, int]] = field(default_factory=list)
    """(stage, when it was entered), oldest first."""
    deleted_at: int | None = None
    is_erased: bool = False
    """No list names it."""


class FakeZoho(FakeServer):
    """The account. What is done to it gives its notifications."""

    def __init__(self, clock: Callable[[], float], *, at_once: int = 5, tells_entry: bool = True) -> None:
        """`tells_entry`: whether `Modified_Time` of DealHistory is when the stage was entered, not left."""
        super().__init__(clock)
        self.at_once = at_once
        self.tells_entry = tells_entry
        self.has_history = True
        self.shown: dict[str, str] = {}
        """Stage -> what it is shown as, where that was changed."""
        self.rows: dict[str, dict[str, Row]] = {name: {} for name in ("Leads", "Deals", "Calls", "Events")}
        self.users: list[dict[str, Any]] = []
        self.mails: dict[str, list[dict[str, Any]]] = {}
        """Lead -> its mails."""
        self.made_tokens = Rolling(10, 600.0)
        self.tokens: dict[str, float] = {}
        """Access token -> when it expires."""
        self.credits = 0
        self._next_id = 5725767000003000000

    @property
    def over_limit(self) -> int:
        """Requests beyond what the account allows."""
        return self.made_tokens.over + max(0, self.most_at_once - self.at_once)

    def now(self) -> int:
        return int(self.clock())

    # What people do.

    def create(self, module: str, fields: Mapping[str, Any]) -> tuple[str, list[dict[str, Any]]]:
        self._next_id += 1
        now = self.now()
        row = Row(str(self._next_id), module, now, now, dict(fields))
        if module == "Deals":
            row.stages.append((str(fields["Stage"]), now))
        self.rows[module][row.id] = row
        return row.id, [self._notification(module, row.id, "insert", [])]

    def set(self, module: str, id: str, fields: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Of every other record the notification has what was changed, as a channel may ask for."""
        row, now = self.rows[module][id], self.now()
        changed = [name for name, value in fields.items() if row.fields.get(name) != value]
        if not changed:
            return []
        row.fields |= fields
        row.modified = now
        if "Stage" in changed:
            row.stages.append((str(fields["Stage"]), now))
        told = self._notification(module, id, "update", changed)
        if int(id) % 2 and "Owner" not in changed:  # since when somebody has it, only a notification would tell
            told["affected_values"] = [{"record_id": id, "values": {name: fields[name] for name in changed}}]
        return [told]

    def delete(self, module: str, id: str) -> list[dict[str, Any]]:
        self.rows[module][id].deleted_at = self.now()
        return [self._notification(module, id, "delete", [])]

    def restore(self, module: str, id: str) -> list[dict[str, Any]]:
        row = self.rows[module][id]
        row.deleted_at, row.modified = None, self.now()
        return [self._notification(module, id, "restore", [])]

    def _notification(self, module: str, id: str, operation: str, changed: list[str]) -> dict[str, Any]:
        return {
            "server_time": self.now() * 1000, "query_params": {}, "module": module, "ids": [id],
            "resource_uri": f"https://www.zohoapis.eu/crm/v8/{module}", "affected_fields": changed,
            "operation": operation, "channel_id": "1000000068001", "token": "tok_9f2c_sales_metrics_zoho",
        }  # fmt: skip

    # The API.

    def answer(self, request: Request) -> Response:  # noqa: PLR0911 - a route each
        if request.path == "/oauth/v2/token":
            return self._token(request)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Zoho-oauthtoken" or self.tokens.get(token, 0.0) <= self.clock():
            return _error(401, "INVALID_TOKEN", "invalid oauth token")
        self.credits += 1
        path = request.path.removeprefix("/crm/v8")
        if path == request.path:
            return _error(404, "INVALID_URL_PATTERN", "Please check if the URL trying to access is a correct one")
        if found := re.fullmatch(r"/(\w+)/actions/count", path):
            since = re.fullmatch(r"\(Modified_Time:greater_equal:(.+)\)", request.query["criteria"])
            if since is None:
                return _error(400, "INVALID_DATA", "criteria")
            least = datetime.fromisoformat(since[1]).timestamp()
            return Response(200, {"count": sum(row.modified >= least for row in self._there(found[1]))})
        if path == "/coql":
            return self._coql(str(request.json()["select_query"]))
        if path == "/users":
            users = self.users[:1] if request.query.get("type") == "CurrentUser" else self.users
            return self._page("users", users, request.query)
        if path == "/actions/watch":
            return self._watch(request)
        if path == "/settings/fields":
            return self._fields()
        if found := re.fullmatch(r"/Leads/(\d+)/Emails", path):
            return self._emails(found[1], int(request.query.get("index", "0")))
        found = re.fullmatch(r"/(\w+)(/deleted)?", path)
        if found is None or found[1] not in self.rows:
            return _error(400, "INVALID_MODULE", "the module name given seems to be invalid")
        if found[2]:
            return self._deleted(found[1], request)
        return self._records(found[1], request)

    def _token(self, request: Request) -> Response:
        form = dict(parse_qsl(request.body.decode()))
        if not self.made_tokens.takes(self.clock()):
            return Response(400, {"error": "Access Denied"})
        if form != {"grant_type": "refresh_token", **CLIENT}:
            return Response(200, {"error": "invalid_code"})
        token = f"1000.access.{len(self.tokens)}"
        self.tokens[token] = self.clock() + 3600
        return Response(
            200,
            {
                "access_token": token,
                "api_domain": "https://www.zohoapis.eu",
                "expires_in": 3600,
                "token_type": "Bearer",
            },
        )

    def _watch(self, request: Request) -> Response:
        """What is to last longer than a week lasts an hour, without a word; an entry for each module is shown."""
        if request.method in ("POST", "PUT"):
            (said,) = request.json()["watch"]
            if (said["channel_id"] in self.hooks) is (request.method == "POST"):
                return _error(400, "INVALID_DATA", "invalid data")
            until = datetime.fromisoformat(said["channel_expiry"]).timestamp()
            if until > self.clock() + WEEK:
                said["channel_expiry"] = iso(self.now() + 3600)
            self.hooks[said["channel_id"]] = said
            return Response(200, {"watch": [{"code": "SUCCESS", "status": "success"}]})
        live = [
            hook
            for hook in self.hooks.values()
            if datetime.fromisoformat(hook["channel_expiry"]).timestamp() > self.clock()
        ]
        shown = [
            {
                "channel_id": hook["channel_id"], "channel_expiry": hook["channel_expiry"],
                "notify_url": hook["notify_url"], "token": hook["token"], "resource_name": event.partition(".")[0],
                "events": [event],
            }
            for hook in live
            for event in hook["events"]
        ]  # fmt: skip
        return Response(200, {"watch": shown}) if shown else Response(204)

    def _written(self, row: Row, names: list[str]) -> dict[str, Any]:
        own = {"Created_Time": iso(row.created), "Modified_Time": iso(row.modified)}
        return {**{name: own.get(name, row.fields.get(name)) for name in names}, "id": row.id}

    def _there(self, module: str) -> list[Row]:
        rows = [row for row in self.rows[module].values() if row.deleted_at is None and not row.is_erased]
        return sorted(rows, key=lambda row: int(row.id))

    def _records(self, module: str, request: Request) -> Response:  # noqa: PLR0911 - a refusal each
        query = request.query
        names = [name for name in query.get("fields", "").split(",") if name]
        if not names or len(names) > 50:
            return _error(400, "REQUIRED_PARAM_MISSING", "One of the expected parameter is missing")
        if not query.get("page_token", "0").isdigit():  # tokens end after a day
            return _error(400, "TOKEN_BOUND_DATA_MISMATCH", "page_token")
        converted = query.get("converted", "false")
        rows = [
            row
            for row in self._there(module)
            if module != "Leads" or converted == "both" or bool(row.fields.get("Converted__s")) == (converted == "true")
        ]
        if "ids" in query:
            ids = set(query["ids"].split(","))
            if len(ids) > 100:
                return _error(400, "LIMIT_EXCEEDED", "ids")
            rows = [row for row in rows if row.id in ids]
            data = [self._written(row, names) for row in rows]
            return Response(200, {"data": data, "info": {"more_records": False}}) if data else Response(204)
        since = request.headers.get("if-modified-since")
        if since is not None:
            rows = [row for row in rows if row.modified >= datetime.fromisoformat(since).timestamp()]
            if not rows:
                return Response(304)
        start, size = int(query.get("page_token", "0")), int(query.get("per_page", "200"))
        if size > 200:
            return _error(400, "INVALID_DATA", "per_page")
        info: dict[str, Any] = {"per_page": size, "more_records": start + size < len(rows)}
        if info["more_records"]:
            info["next_page_token"] = str(start + size)
        data = [self._written(row, names) for row in rows[start : start + size]]
        return Response(200, {"data": data, "info": info}) if data else Response(204)

    def _deleted(self, module: str, request: Request) -> Response:
        if request.query.get("type") not in ("all", "recycle", "permanent"):
            return _error(400, "INVALID_DATA", "type")
        since = datetime.fromisoformat(request.headers.get("if-modified-since", "1970-01-01T00:00:00+00:00"))
        rows = [
            {"id": row.id, "deleted_time": iso(row.deleted_at), "display_name": None, "type": "recycle"}
            for row in self.rows[module].values()
            if row.deleted_at is not None and not row.is_erased and row.deleted_at >= since.timestamp()
        ]
        return self._page("data", rows, request.query) if rows else Response(204)

    def _emails(self, lead: str, start: int) -> Response:
        mails = self.mails.get(lead, [])
        if not mails[start:]:
            return Response(204)
        info: dict[str, Any] = {"per_page": 10, "more_records": start + 10 < len(mails)}
        if info["more_records"]:
            info["next_index"] = str(start + 10)
        return Response(200, {"Emails": mails[start : start + 10], "info": info})

    def _page(self, name: str, rows: list[dict[str, Any]], query: Mapping[str, str]) -> Response:
        page, size = int(query.get("page", "1")), int(query.get("per_page", "200"))
        if size > 200 or page * size > LIST_CAP:
            return _error(400, "DISCRETE_PAGINATION_LIMIT_EXCEEDED", "page")
        shown = rows[(page - 1) * size : page * size]
        info = {"per_page": size, "count": len(shown), "page": page, "more_records": page * size < len(rows)}
        return Response(200, {name: shown, "info": info})

    def _fields(self) -> Response:
        values = [
            {"display_value": shown, "actual_value": name, "forecast_type": STAGES[name], "probability": 50}
            for name, shown in ({name: name for name in STAGES} | self.shown).items()
        ]
        return Response(200, {"fields": [{"api_name": "Amount"}, {"api_name": "Stage", "pick_list_values": values}]})

    def _coql(self, text: str) -> Response:
        found = re.fullmatch(r"select ([\w, ]+) from (\w+) where (.+) order by id asc limit (\d+)", text)
        if found is None or int(found[4]) > 2000:
            return _error(400, "SYNTAX_ERROR", "error occured while parsing the query")
        names, module = [name.strip() for name in found[1].split(",")], found[2]
        if module == "DealHistory":
            if not self.has_history:
                return _error(400, "INVALID_QUERY", "module")
            table = self._history()
        elif module in self.rows:
            table = [
                {**self._written(row, names), "_modified": row.modified}
                for row in self._there(module)
                if not row.fields.get("Converted__s")
            ]
        else:
            return _error(400, "INVALID_QUERY", "module")
        conditions = _conditions(found[3])
        if conditions is None:
            return _error(400, "INVALID_QUERY", "criteria")
        rows = [row for row in table if all(holds(row) for holds in conditions)]
        limit = int(found[4])
        data = [{name: row.get(name) for name in ("id", *names)} for row in rows[:limit]]
        if not data:
            return Response(204)
        return Response(200, {"data": data, "info": {"count": len(data), "more_records": len(rows) > limit}})

    def _history(self) -> list[dict[str, Any]]:
        rows = []
        for row in self._there("Deals"):
            for place, (stage, entered) in enumerate(row.stages):
                after = row.stages[place + 1] if place + 1 < len(row.stages) else None
                left = row.modified if after is None else after[1]
                entry = {
                    "id": str(int(row.id) * 100 + place), "Potential_Name": {"id": row.id, "name": "A deal"},
                    "Stage": stage, "Moved_To__s": None if after is None else after[0],
                    "Modified_Time": iso(entered if self.tells_entry else left),
                }  # fmt: skip
                rows += [entry, entry] if place == 1 else [entry]  # doubled rows occur
        return sorted(rows, key=lambda row: int(row["id"]))


def _conditions(text: str) -> list[Callable[[Mapping[str, Any]], bool]] | None:
    """Two of them stand in brackets."""
    inner = text[1:-1] if text.startswith("(") and " and " in text else text
    found: list[Callable[[Mapping[str, Any]], bool]] = []
    for part in inner.split(" and "):
        if each := re.fullmatch(r"Modified_Time >= '([^']+)'", part):
            if "." in each[1]:
                return None
            since = datetime.fromisoformat(each[1]).timestamp()
            found.append(lambda row, since=since: row["_modified"] >= since)  # type: ignore[misc]
        elif each := re.fullmatch(r"id > '?(\d+)'?", part):
            found.append(lambda row, last=int(each[1]): int(row["id"]) > last)  # type: ignore[misc]
        elif each := re.fullmatch(r"\(Potential_Name in \(([^)]+)\)\)", part):
            ids = re.findall(r"\d+", each[1])
            if len(ids) > 50:
                return None
            found.append(lambda row, ids=set(ids): row["Potential_Name"]["id"] in ids)  # type: ignore[misc]
        else:
            return None
    return found


def _error(status: int, code: str, message: str) -> Response:
    return Response(status, {"code": code, "details": {}, "message": message, "status": "error"})


def bodies(events: list[dict[str, Any]]) -> list[bytes]:
    """A notification each."""
    return [json.dumps(event).encode() for event in events]
