"""The connector of kind `aircall`, and its settings.

Owns what Aircall's events, and the answers of its API, say of our records.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal

from pydantic import Field

from schemas.connectors.aircall.api import CALLS, USERS, AircallSource
from schemas.connectors.apis import Api, Secret
from schemas.connectors.asking import Envelope
from schemas.connectors.base import Parsed, SignedRequest
from schemas.connectors.content import JSON, check_content
from schemas.connectors.crm import CrmConnector
from schemas.connectors.events import (
    UNKNOWN_TYPE,
    LeftOutError,
    Statement,
    gone,
    object_member,
    own_id,
    text_member,
    whole_number,
)
from schemas.connectors.kinds import ConnectorKind
from schemas.connectors.tables import ReadObject, Rule, Table, direction_in, epoch_text, id_of, row
from schemas.connectors.tokens import Token, check_token, token_of
from schemas.connectors.words import CrmConnection, connection_words

_LIFE = (
    "created", "ringing_on_agent", "agent_declined", "answered", "transferred", "external_transferred",
    "unsuccessful_transfer", "hungup", "voicemail_left", "assigned", "ended", "tagged", "untagged", "commented",
    "archived", "unarchived",
)  # fmt: skip
"""Events of a call in the order in which they happen: of one second the later one wins."""
_USER_EVENTS = frozenset(
    {"created", "updated", "opened", "closed", "connected", "disconnected", "wut_start", "wut_end"}
)
EVENTS = (*(f"call.{name}" for name in _LIFE), "user.created", "user.updated", "user.deleted")
"""Those that a webhook is made for."""


class AircallApi(Api):
    """The API of Aircall."""

    id: str = Field(min_length=1, max_length=256)
    """The API id."""
    token: Secret
    """The API token (not the token of a webhook)."""


class AircallConnection(CrmConnection):
    """A webhook of Aircall that posts to `/webhooks/{name}`."""

    kind: Literal["aircall"]
    secrets: list[Token] = Field(min_length=1, max_length=8)
    """The webhook's own token, which each of its bodies repeats."""
    api: AircallApi | None = None
    """What look-ups, back-fill and reconciliation ask."""


def _instant(name: str) -> Any:
    def read(value: Any, _said: ReadObject) -> Mapping[str, Any]:
        found = epoch_text(value, per_second=1)
        return {} if found is None else {name: found}

    return read


def _rep(value: Any, said: ReadObject) -> Mapping[str, Any]:
    transferred = id_of(said.data.get("transferred_to"))
    if transferred is not None and said.data.get("answered_at"):
        return {"rep": transferred}
    return {"rep": id_of(value)}


def _outcome(value: Any, said: ReadObject) -> Mapping[str, Any]:
    """By a tag that is one of `outcomes`, else by whether somebody answered; unknown while the call goes on."""
    tagged = _tagged(said)
    if tagged is not None:
        return {"outcome": tagged}
    if said.data.get("answered_at"):
        return {"outcome": "connected"}
    if value != "done" and not said.data.get("ended_at"):
        return {}
    return {"outcome": "voicemail" if said.data.get("voicemail") else "no_answer"}


def _tagged(said: ReadObject) -> str | None:
    """Tags say many things besides: one without a counterpart is no word that somebody has forgotten to map."""
    tags = said.data.get("tags")
    for tag in tags if isinstance(tags, list) else ():
        for word in (tag.get("id"), tag.get("name")) if isinstance(tag, dict) else (tag,):
            found = said.words.calls.get(str(word)) if isinstance(word, str | int) else None
            if found is not None:
                return found
    return None


def _internal(value: Any, _said: ReadObject) -> Mapping[str, Any]:
    people = [each.get("type") for each in value if isinstance(each, dict)] if isinstance(value, list) else []
    return {"internal": bool(people) and all(each == "user" for each in people)}


CALL = Table(
    "call", "call", "https://developer.aircall.io/api-references/#call",
    (
        Rule("user", ("rep",), _rep, "`transferred_to` if the call was answered and transferred"),
        Rule("direction", ("direction",), partial(direction_in, "outbound", "inbound")),
        Rule("started_at", ("dialed_at",), _instant("dialed_at")),
        Rule("answered_at", ("answered_at",), _instant("answered_at")),
        Rule("ended_at", ("ended_at",), _instant("ended_at")),
        Rule("status", ("outcome",), _outcome, "with `tags`, `answered_at`, `voicemail`"),
        row("raw_digits", "number"),
        Rule("participants", ("internal",), _internal, "all of them are users"),
    ),
)  # fmt: skip
USER = Table(
    "user", "rep", "https://developer.aircall.io/api-references/#user",
    (
        row("name", "name"),
        row("email", "email"),
        Rule("id", ("active",), lambda _value, _said: {"active": True}, "until `user.deleted`, or no list names them"),
    ),
)  # fmt: skip


class Aircall(CrmConnector):
    """Connector of kind `aircall`."""

    clock = "timestamp"
    kinds: Mapping[str, Sequence[str]] = {CALLS: ("call",), USERS: ("rep",)}

    def __init__(self, connection: AircallConnection) -> None:
        super().__init__(connection, connection_words(connection))
        self._tokens = [token_of(secret) for secret in connection.secrets]

    def verify(self, request: SignedRequest, now: int) -> None:
        check_token(self._tokens, request)
        check_content(request.headers, {JSON})

    def _statements(self, event: Mapping[str, Any], parsed: Parsed) -> Iterator[Statement]:
        subject, _, action = text_member(event, "event").partition(".")
        at = whole_number(event.get("timestamp"), "timestamp", per_second=1)
        if subject == "call" and action in _LIFE:
            yield self._said(CALL, event, at + _LIFE.index(action), parsed)
        elif subject == "user" and action in _USER_EVENTS:
            yield self._said(USER, event, at, parsed)
        elif subject == "user" and action == "deleted":
            yield gone("rep", own_id(object_member(event, "data").get("id"), "data.id"), at)
        else:
            raise LeftOutError(UNKNOWN_TYPE)

    def _answered(
        self, record: Mapping[str, Any], envelope: Envelope, asked_at: int, parsed: Parsed
    ) -> Iterator[Statement]:
        """A call or a user as it was when it was asked for: nothing tells when that was set."""
        table = CALL if envelope.object == CALLS else USER
        said = ReadObject(table.record, record, asked_at, self._words, parsed)
        yield Statement(table.record, own_id(record.get("id"), "id"), asked_at, table.read(said))

    def _said(self, table: Table, event: Mapping[str, Any], at: int, parsed: Parsed) -> Statement:
        data = object_member(event, "data")
        said = ReadObject(table.record, data, at, self._words, parsed)
        return Statement(table.record, own_id(data.get("id"), "data.id"), at, table.read(said))


def aircall_source(connection: AircallConnection) -> AircallSource | None:
    """Its API; None: the connection has none."""
    api = connection.api
    return (
        None if api is None else AircallSource(id=api.id, token=api.token.get_secret_value().strip(), address=api.url)
    )


AIRCALL = ConnectorKind(AircallConnection, Aircall, source=aircall_source, objects=(CALL, USER))
