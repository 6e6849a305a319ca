"""The connector of kind `zoho`, and its settings.

Owns the way from Zoho's notifications to changes. Looks nothing up by itself: what a notification does not say is
noted, and what the API answers comes as a delivery too.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Literal

from pydantic import Field

from schemas.connectors.apis import Api, ApiUrl, DailyLimit, Secret
from schemas.connectors.asking import HISTORY, Envelope
from schemas.connectors.base import Parsed, SignedRequest
from schemas.connectors.content import JSON, check_content
from schemas.connectors.crm import CrmConnector, place_within
from schemas.connectors.events import (
    UNKNOWN_TYPE,
    LeftOutError,
    ShapeError,
    Statement,
    gone,
    own_id,
    text_member,
    whole_number,
)
from schemas.connectors.kinds import ConnectorKind
from schemas.connectors.tables import ReadObject, Table, plain_text, version_instant
from schemas.connectors.tokens import Token, check_token, token_of
from schemas.connectors.words import CrmConnection, connection_words
from schemas.connectors.zoho.api import ZohoSource
from schemas.connectors.zoho.objects import (
    CALL_RESULTS,
    CALLS,
    DEAL_TYPES,
    DEALS,
    EMAILS,
    EVENTS,
    LEAD_STATUSES,
    LEADS,
    MODULES,
    USERS,
    status_of,
    was_made,
)
from schemas.instants import SECOND, format_instant
from schemas.windows import day_from

MAX_IDS = 10_000
_OPERATIONS = frozenset({"insert", "update", "edit", "create", "delete", "restore"})


class ZohoApi(Api):
    """The API of Zoho CRM, by a self client with a refresh token."""

    region: Literal["com", "eu", "in", "com.au", "jp", "com.cn", "ca", "sa"] = "com"
    """The data centre of the account."""
    client_id: str = Field(min_length=1, max_length=512)
    """The client's id."""
    client_secret: Secret
    """The client's secret."""
    refresh_token: Secret
    """A refresh token that was made once for this client."""
    accounts_url: ApiUrl | None = None
    """Scheme, host and port that give tokens, in place of the region's."""
    daily_limit: DailyLimit = None
    """How many API credits 24 hours have, by edition and users: answers only say how many are left."""


class ZohoConnection(CrmConnection):
    """Notifications of Zoho CRM that are posted to `/webhooks/{name}`."""

    kind: Literal["zoho"]
    secrets: list[Token] = Field(min_length=1, max_length=8)
    """The `token` that the channel was made with, which each notification repeats."""
    api: ZohoApi
    """What look-ups ask: a notification says little more than which records have changed."""
    outcomes_field: str | None = Field(default=None, pattern=r"^[A-Za-z][A-Za-z0-9_]{0,99}$")
    """API name of the field of Events whose words `outcomes` maps. Without it a meeting stays scheduled."""


class Zoho(CrmConnector):
    """Connector of kind `zoho`."""

    clock = "server_time"
    kinds: Mapping[str, Sequence[str]] = {table.name: (table.record,) for table in MODULES.values()}

    def __init__(self, connection: ZohoConnection) -> None:
        words = connection_words(connection, calls=CALL_RESULTS, statuses=LEAD_STATUSES, types=DEAL_TYPES)
        super().__init__(connection, words)
        self._tokens = [token_of(secret) for secret in connection.secrets]
        self._outcomes_field = connection.outcomes_field
        self._calendar = connection.calendar

    def verify(self, request: SignedRequest, now: int) -> None:
        check_token(self._tokens, request)
        check_content(request.headers, {JSON})

    def _statements(self, event: Mapping[str, Any], parsed: Parsed) -> Iterator[Statement]:
        module, operation = text_member(event, "module"), text_member(event, "operation")
        at = whole_number(event.get("server_time"), "server_time", per_second=1000)
        table = MODULES.get(module)
        if table is None or operation not in _OPERATIONS:
            raise LeftOutError(UNKNOWN_TYPE)
        ids = _ids(event.get("ids"))
        if operation == "delete":
            for id in ids:
                yield gone(table.record, id, at)
            return
        if operation == "restore":
            for id in ids:
                yield Statement(table.record, id, at, deleted=False)
        values = _values(event.get("affected_values"))
        named = event.get("affected_fields")
        changed = {name for name in named if isinstance(name, str)} if isinstance(named, list) else set()
        # First of all: what is looked up makes good what cannot be read here.
        wanted = dict.fromkeys(id for id in ids if not _is_told(table, operation, changed, values.get(id, {})))
        for id in wanted:
            parsed.want(table.name, id)
        for id in ids:
            if said := values.get(id):
                fields = self._fields(table, said, at, parsed, changed=said)
                if fields.get("stage") and fields.get("status") != "open" and id not in wanted:
                    # What the stage means, or when it was entered, which is when the deal closed.
                    parsed.want(table.name, id)
                yield Statement(table.record, id, at, fields)

    def _answered(
        self, record: Mapping[str, Any], envelope: Envelope, asked_at: int, parsed: Parsed
    ) -> Iterator[Statement]:
        """What a whole record says. Its version is when Zoho says that it was last changed, stages have their own."""
        table = EMAILS if envelope.object == EMAILS.name else MODULES.get(envelope.object)
        if table is None:
            raise LeftOutError(UNKNOWN_TYPE)
        id = own_id(record.get("id"), "id")
        if envelope.object == EMAILS.name:
            at = version_instant(record.get("time"), "time")  # nobody changes a mail
            yield Statement("email", id, at, EMAILS.read(ReadObject("email", record, at, self._words, parsed)))
            return
        name = next((name for name in ("Modified_Time", "modified_time") if record.get(name)), None)
        if name is None and table is not USERS:
            raise ShapeError("Modified_Time", "is missing")
        at = asked_at if name is None else version_instant(record[name], name)
        fields = self._fields(table, record, at, parsed, changed=None, stages=envelope.words)
        stages = _stages(record) if table is DEALS else []
        if stages:
            for each in ("stage", "status", "closed_at"):
                fields.pop(each, None)
        elif fields.get("status") in ("won", "lost") and (closed := self._closing_day(record)) is not None:
            fields["closed_at"] = closed
        for stage, entered in stages:
            said = self._entry(stage, entered, envelope.words, parsed)
            # What a stage means may be told later: the same entry then wins by its meaning.
            yield Statement(table.record, id, entered, said, yields=0 if said["status"] else 1)
        yield Statement(table.record, id, at, fields, place=place_within(at, asked_at))

    def _closing_day(self, deal: Mapping[str, Any]) -> str | None:
        """When a deal was closed of which no history tells: a day of the organisation."""
        value = deal.get("Closing_Date")
        if not value:
            return None
        try:
            return format_instant(self._calendar.day_start(day_from(date.fromisoformat(plain_text(value)))))
        except (ValueError, OverflowError):
            raise ShapeError("Closing_Date", "must be a day such as 2026-03-18") from None

    def _entry(self, stage: str, entered: int, stages: Mapping[str, str], parsed: Parsed) -> dict[str, Any]:
        """A deal is closed when it enters a closing stage."""
        said = ReadObject("deal", {}, entered, self._words, parsed)
        status = status_of(stage, said, stages)
        closed_at = format_instant(entered) if status in ("won", "lost") else None
        return {"stage": stage, "entered_stage_at": format_instant(entered), "status": status, "closed_at": closed_at}

    def _fields(
        self,
        table: Table,
        data: Mapping[str, Any],
        at: int,
        parsed: Parsed,
        *,
        changed: Mapping[str, Any] | None,
        stages: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        said = ReadObject(table.record, data, at, self._words, parsed, before=changed, learned=stages or {})
        fields = table.read(said)
        if table is EVENTS:
            named = self._outcomes_field
            if named is not None and named in data:
                fields["outcome"] = said.meaning(self._words.meetings, "outcome", data[named]) or "scheduled"
            elif changed is None:
                fields.setdefault("outcome", "scheduled")
        return fields


def _is_told(table: Table, operation: str, changed: Collection[str], said: Mapping[str, Any]) -> bool:
    """Whether a notification says all of a change: an insert does not, an update may name more than it tells."""
    is_untold = was_made(table, said) or (table is DEALS and "Closing_Date" in said)
    return bool(said) and operation == "update" and said.keys() >= {*changed} and not is_untold


def _stages(record: Mapping[str, Any]) -> list[tuple[str, int]]:
    """The stages of a deal, each with its entry, in order; none: its history is not told.

    An entry of the history is of one stage. Accounts differ in what its `Modified_Time` is: when the stage was entered,
    which of the first one is when the deal was made, or when it was left for `Moved_To__s`.
    """
    history, created = record.get(HISTORY), record.get("Created_Time")
    if not isinstance(history, list) or not history or not created:
        return []
    made = version_instant(created, "Created_Time")
    rows = dict.fromkeys(  # doubled entries occur
        (version_instant(row.get("Modified_Time"), "Modified_Time"), place, row.get("Stage"), row.get("Moved_To__s"))
        for place, row in enumerate(history)
        if isinstance(row, dict) and isinstance(row.get("Stage"), str)
    )
    ordered = sorted(rows, key=lambda row: row[:2])
    if not ordered:
        return []
    if ordered[0][0] <= made + SECOND:
        entries = [(str(stage), at) for at, _, stage, _ in ordered]
    else:
        moves = [(moved_to, at) for at, _, _, moved_to in ordered if isinstance(moved_to, str) and moved_to]
        entries = [(str(ordered[0][2]), made), *moves]
    return [
        entry for entry, before in zip(entries, [None, *entries], strict=False) if not before or entry[0] != before[0]
    ]


def _ids(value: Any) -> list[str]:
    """Every id, each once: several records stand in one notification."""
    if not isinstance(value, list) or len(value) > MAX_IDS:
        raise ShapeError("ids", f"must be a list of at most {MAX_IDS} ids")
    return list(dict.fromkeys(own_id(id, "ids") for id in value))


def _values(value: Any) -> dict[str, dict[str, Any]]:
    """What is said of each record; of several entries of one the later ones add to it."""
    found: dict[str, dict[str, Any]] = {}
    for entry in value if isinstance(value, list) else ():
        if not isinstance(entry, dict) or not isinstance(entry.get("values"), dict):
            raise ShapeError("affected_values", "must be a list of objects with record_id and values")
        found.setdefault(own_id(entry.get("record_id"), "record_id"), {}).update(entry["values"])
    return found


def zoho_source(connection: ZohoConnection) -> ZohoSource:
    """Its API."""
    api = connection.api
    return ZohoSource(
        region=api.region,
        client={
            "client_id": api.client_id,
            "client_secret": api.client_secret.get_secret_value().strip(),
            "refresh_token": api.refresh_token.get_secret_value().strip(),
        },
        address=api.url,
        accounts=api.accounts_url,
        outcomes_field=connection.outcomes_field,
    )


ZOHO = ConnectorKind(ZohoConnection, Zoho, source=zoho_source, objects=(CALLS, EVENTS, LEADS, DEALS, EMAILS, USERS))
