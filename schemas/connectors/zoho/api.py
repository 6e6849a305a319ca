"""What Zoho's API is asked, and how its answers are put together. Pure: `schemas.connectors.asking` says how.

- A token lasts an hour, and ten may be made in ten minutes: all requests share one, until it is refused.
- Changes are found by COQL in the order of ids, beyond the last one of each page: so no cap is ever met, and a record
  that changes meanwhile moves nothing. Leads that were converted are told by the list alone.
- Deals are read with the history of their stages, which is a module of its own.
https://www.zoho.com/crm/developer/docs/api/v8/get-records.html
https://www.zoho.com/crm/developer/docs/api/v8/COQL-Overview.html
https://www.zoho.com/crm/developer/docs/api/v8/COQL-Limitations.html
"""

from collections.abc import Iterator, Mapping, Sequence
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
    NotLetInError,
    Pace,
    Page,
    Steps,
    instant_told,
    objects_in,
    with_text_id,
)
from schemas.connectors.lists import standing_still, walked
from schemas.connectors.tables import Table, second_text
from schemas.connectors.zoho.objects import CALLS, DEALS, EMAILS, EVENTS, LEADS, USERS
from schemas.instants import MINUTE

VERSION = "v8"
BATCH = 50
"""Ids in one request: COQL takes no more in one list."""
_FOUND = 2000
_LISTED = 200
_LEADS = 20
LEAD = "$lead"
"""Member of a mail: the lead that it was found at."""
_NOTHING = 204
_UNMODIFIED = 304
_CONVERTED = "converted"
_OBJECTS: Sequence[Table] = (LEADS, DEALS, CALLS, EVENTS)
_FURTHER: Mapping[str, Sequence[str]] = {
    "Calls": ("$se_module",),
    "Events": ("$se_module",),
    "Leads": ("Converted__s",),
    "Deals": ("Probability",),
}
"""Fields beside those that the tables name."""
_REFUSED = frozenset({400, 403, 404})
"""An account without the history of stages: its deals have none."""
_QUERY, _TOKEN = "coql", "token"

_HOSTS: Mapping[str, str] = {"ca": "zohocloud.ca"}


class ZohoSource(CrmSource):
    """Zoho's API, for one connection."""

    people = USERS.name
    batch = BATCH
    # https://www.zoho.com/crm/developer/docs/api/v8/api-limits.html: so many at once, of COQL and of all, in the
    # smallest edition; ten tokens in ten minutes. Answers only tell what is left of the day's credits.
    paces: Mapping[str, Pace] = {"": Pace(5, 1), _QUERY: Pace(5, 1), _TOKEN: Pace(10, 10 * MINUTE)}
    overlap = 5 * MINUTE
    is_exact = False

    def __init__(
        self,
        *,
        region: str,
        client: Mapping[str, str],
        address: str | None = None,
        accounts: str | None = None,
        outcomes_field: str | None = None,
    ) -> None:
        """`client`: `client_id`, `client_secret`, `refresh_token`."""
        self.address = address or f"https://www.zohoapis.{region}"
        self._is_own_address = address is not None
        self._accounts = accounts or f"https://accounts.{_HOSTS.get(region, f'zoho.{region}')}"
        self._client = dict(client)
        self._further = {**_FURTHER, **({"Events": ("$se_module", outcomes_field)} if outcomes_field else {})}
        self.objects: Mapping[str, ApiObject] = {
            **{table.name: ApiObject(table.name, table.record) for table in _OBJECTS},
            EMAILS.name: ApiObject(EMAILS.name, EMAILS.record, is_on_demand=True, is_listed=False),
        }
        self._tables = {table.name: table for table in _OBJECTS}
        self._domain = ""

    # Token and limits.

    def login(self) -> Steps[Mapping[str, str]]:
        """An access token. Refusals come with 200 too; the account may live at another address than its region's."""
        # https://www.zoho.com/accounts/protocol/oauth/web-apps/access-token-expiry.html
        form = {"grant_type": "refresh_token", **self._client}
        answer = yield Ask("POST", f"{self._accounts}/oauth/v2/token", form=form, pace=_TOKEN)
        token, domain = answer.member("access_token"), answer.member("api_domain")
        if not isinstance(token, str) or not token:
            raise NotLetInError("the refresh token is not taken")
        if not self._is_own_address and isinstance(domain, str) and domain.startswith("https://www.zohoapis."):
            self._domain = domain.rstrip("/")
        return {"authorization": f"Zoho-oauthtoken {token}"}

    # Records.

    def words(self) -> Steps[Learned]:
        """Which stages are won and lost, and how they are shown, as their pick list says.

        A stage is a word, which it keeps when it is shown under another one. Without that scope nothing is learned.
        """
        # https://www.zoho.com/crm/developer/docs/api/v8/field-meta.html
        path = self._path("/settings/fields")
        answer = yield Ask("GET", path, {"module": "Deals"}, expected=frozenset({_NOTHING, *_REFUSED}))
        found: dict[str, str] = {}
        labels: dict[str, str] = {}
        stages = [each for each in _rows(answer, "fields") if each.get("api_name") == "Stage"]
        for value in (value for each in stages for value in each.get("pick_list_values") or ()):
            name = value.get("actual_value") or value.get("display_value")
            shown = value.get("display_value") or name
            if not isinstance(name, str) or not isinstance(shown, str):
                continue
            labels[name] = shown
            status = _FORECASTS.get(str(value.get("forecast_type", "")).casefold())
            if status is not None:
                # What a value is by itself counts before what another one is shown as.
                found = {shown: status, **found, name: status}
        return Learned({DEALS.name: found}, {"": labels} if labels else {})

    def read(self, object: str, ids: Sequence[str]) -> Steps[Envelope]:
        """Those that are there; nothing is told of the others."""
        names = dict.fromkeys(row.source for row in self._tables[object].rows if not row.source.startswith("$"))
        names |= dict.fromkeys(self._further[object])
        query = {"ids": ",".join(ids), "fields": ",".join([*names, "Modified_Time"])}
        if object == "Leads":
            query[_CONVERTED] = "both"
        answer = yield self._get(f"/{object}", query)
        records = list(_rows(answer, "data"))
        if object == "Deals" and records:
            yield from self._histories(records)
        found = {record["id"] for record in records}
        return Envelope(object=object, records=records, missing=[id for id in ids if id not in found])

    def _histories(self, deals: Sequence[dict[str, Any]]) -> Steps[None]:
        """Put into each deal its stages, in the order in which Zoho made the entries."""
        by_id: dict[str, list[dict[str, Any]]] = {deal["id"]: [] for deal in deals}
        ids = ", ".join(f"'{id}'" for id in by_id)
        of_these = f"(Potential_Name in ({ids}))"
        names = "id, Potential_Name, Stage, Moved_To__s, Modified_Time"
        rows = yield from walked(
            lambda last: self._coql(
                names, "DealHistory", f"({of_these} and id > {last})" if last else of_these, expected=_REFUSED
            ),
            lambda answer: _rows(answer, "data"),
            lambda page: _beyond(page.answer, page.rows),
        )
        for row in rows:
            deal = row.get("Potential_Name")
            id = deal.get("id") if isinstance(deal, dict) else deal
            if id in by_id:
                by_id[str(id)].append(row)
        for deal in deals:
            if by_id[deal["id"]]:
                deal[HISTORY] = by_id[deal["id"]]

    def changed(self, object: str, since: int, cursor: str | None) -> Steps[Changed]:
        """By their ids, beyond `cursor`; of leads then those that were converted."""
        if object == EMAILS.name:
            return (yield from self._mails(since, cursor))
        if cursor is not None and cursor.startswith(_CONVERTED):
            return (yield from self._converted(since, cursor.removeprefix(_CONVERTED)))
        condition = f"Modified_Time >= '{_written(since)}'"
        if cursor is not None:
            condition = f"({condition} and id > {cursor})"
        answer = yield self._coql("id, Modified_Time", object, condition)
        rows = list(_rows(answer, "data"))
        following = _beyond(answer, rows) or (_CONVERTED if object == "Leads" else None)
        return Changed([(row["id"], _modified(row)) for row in rows], following)

    def _mails(self, since: int, cursor: str | None) -> Steps[Changed]:
        """Of some leads, beyond `cursor`, all their mails: ten a request, for nothing tells of those of several."""
        # https://www.zoho.com/crm/developer/docs/api/v8/get-email-rel-list.html
        # Of a few leads: whoever is stopped begins again with the first of them.
        answer = yield self._coql("id", "Leads", f"id > {cursor or '0'}", most=_LEADS)
        rows = list(_rows(answer, "data"))
        leads, following = [row["id"] for row in rows], _beyond(answer, rows)
        records: list[dict[str, Any]] = []
        for lead in leads:
            rows = yield from self._mails_of(lead)
            records += [{**row, "id": str(row["message_id"]), LEAD: lead} for row in rows if row.get("message_id")]
        found = [record for record in records if instant_told(record.get("time"), "time") >= since]
        times = [(each["id"], instant_told(each["time"], "time")) for each in found]
        return Changed(times, following, records=found, first=leads[0] if leads else "")

    def _mails_of(self, lead: str) -> Steps[list[dict[str, Any]]]:
        path, expected = self._path(f"/Leads/{lead}/Emails"), frozenset({_NOTHING, *_REFUSED})
        return walked(
            lambda index: Ask("GET", path, {"index": index} if index else {}, expected=expected),
            lambda answer: _rows(answer, EMAILS.name),
            lambda page: _told(page.answer, "next_index"),
        )

    def _converted(self, since: int, token: str) -> Steps[Changed]:
        answer = yield self._list_of(
            "/Leads",
            {
                "fields": "Modified_Time", _CONVERTED: "true", "per_page": str(_LISTED), "sort_by": "id",
                "sort_order": "asc",
            },
            since, token,
        )  # fmt: skip
        found = [(record["id"], _modified(record)) for record in _rows(answer, "data")]
        following = _told(answer, "next_page_token")
        return Changed(found, None if following is None else _CONVERTED + following)

    def count(self, object: str, since: int) -> Steps[int | None]:
        """By one request more. Of mails nothing tells it."""
        # https://www.zoho.com/crm/developer/docs/api/v8/get-record-count.html
        if object == EMAILS.name:
            return None
        query = {"criteria": f"(Modified_Time:greater_equal:{_written(since)})"}
        path = self._path(f"/{object}/actions/count")
        answer = yield Ask("GET", path, query, pace=_QUERY, expected=frozenset({_NOTHING, *_REFUSED}))
        found = answer.member("count")
        return found if isinstance(found, int) else None

    def gone(self, object: str, since: int, until: int, cursor: str | None) -> Steps[Page]:
        """Those that are in the recycle bin, and those that are deleted for good."""
        # https://www.zoho.com/crm/developer/docs/api/v8/get-deleted-records.html
        if object == EMAILS.name:
            return Page([], None)
        page = int(cursor or 1)
        answer = yield self._list_of(
            f"/{object}/deleted", {"type": "all", "page": str(page), "per_page": str(_LISTED)}, since, ""
        )
        records, rows = [], list(_rows(answer, "data"))
        for record in rows:
            at = instant_told(record.get("deleted_time"), "deleted_time")
            if at >= since:
                records.append({"id": record["id"], GONE: at})
        return Page(records, str(page + 1) if _is_more(answer) else None, rows[0]["id"] if rows else "")

    def everybody(self) -> Steps[Envelope]:
        """Users, those who are active no more too."""
        # https://www.zoho.com/crm/developer/docs/api/v8/get-users.html
        of = {"type": "AllUsers", "per_page": str(_LISTED)}
        users = yield from walked(
            lambda page: self._get("/users", {**of, "page": page or "1"}),
            lambda answer: _rows(answer, "users"),
            lambda page: str(int(page.cursor or 1) + 1) if _is_more(page.answer) else None,
        )
        return Envelope(object=self.people, records=users)

    # Requests.

    def _path(self, path: str) -> str:
        return f"{self._domain}/crm/{VERSION}{path}"

    def _get(self, path: str, query: Mapping[str, str]) -> Ask:
        return Ask("GET", self._path(path), query)

    def _list_of(self, path: str, query: Mapping[str, str], since: int, token: str) -> Ask:
        more = {"page_token": token} if token else {}
        headers = {"if-modified-since": _written(since)}
        return Ask(
            "GET", self._path(path), {**query, **more}, headers=headers, expected=frozenset({_NOTHING, _UNMODIFIED})
        )

    def _coql(
        self, names: str, module: str, condition: str, expected: frozenset[int] = frozenset(), most: int = _FOUND
    ) -> Ask:
        # Of ids, instants and names that stand in this file: nothing that comes from outside.
        query = f"select {names} from {module} where {condition} order by id asc limit {most}"  # noqa: S608
        return Ask("POST", self._path("/coql"), body={"select_query": query}, pace=_QUERY, expected=expected)


_FORECASTS = {"open": "open", "closed won": "won", "closed lost": "lost"}


def _written(at: int) -> str:
    """Zoho takes no fractions."""
    return f"{second_text(at)}+00:00"


def _modified(record: Mapping[str, Any]) -> int:
    return instant_told(record.get("Modified_Time"), "Modified_Time")


def _rows(answer: CrmAnswer, name: str) -> Iterator[dict[str, Any]]:
    """The objects of an answer, each with its id; one without a body, or that refuses to tell of them, has none."""
    for row in () if answer.data is None or answer.status in _REFUSED else objects_in(answer.data, name):
        yield with_text_id(row)


def _is_more(answer: CrmAnswer) -> bool:
    """Whether there is another page, which there may be behind one that brought nothing."""
    return answer.member("info", "more_records") is True


def _beyond(answer: CrmAnswer, rows: Sequence[Mapping[str, Any]]) -> str | None:
    """The last id of a page, beyond which the list goes on. Raises BadAnswerError."""
    if not _is_more(answer):
        return None
    if not rows:
        raise standing_still()
    return str(rows[-1]["id"])


def _told(answer: CrmAnswer, name: str) -> str | None:
    """Where the list goes on, by what is called so. Raises BadAnswerError."""
    if not _is_more(answer):
        return None
    found = answer.member("info", name)
    if not found:
        raise BadAnswerError(name, "is missing, though there are more")
    return str(found)
