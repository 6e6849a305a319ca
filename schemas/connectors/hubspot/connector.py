"""The connector of kind `hubspot`, and its settings.

Owns the way from a delivery to changes. Looks nothing up by itself: what an event does not tell is noted, and what the
API answers comes as a delivery too. Without `api` only what the events say is known, so an account subscribes to
creation, deletion, restore, merge, association and to the properties in `objects.py`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field

from schemas.connectors.apis import Api, Secret
from schemas.connectors.base import Parsed, SignedRequest
from schemas.connectors.content import JSON, check_content
from schemas.connectors.crm import CrmConnector, open_answer, records_in
from schemas.connectors.events import ShapeError, Statement, Statements, read_event, whole_number
from schemas.connectors.fields import FieldError
from schemas.connectors.hubspot.answers import hubspot_statements
from schemas.connectors.hubspot.api import HubSpotSource
from schemas.connectors.hubspot.events import STATEMENTS, Account, subject_of
from schemas.connectors.hubspot.object_types import objects_of
from schemas.connectors.hubspot.signatures import check_request
from schemas.connectors.kinds import ConnectorKind
from schemas.connectors.tokens import Token
from schemas.connectors.words import ConnectionWords, CrmConnection
from schemas.deliveries import Delivery


class HubSpotApi(Api):
    """HubSpot's API, by the token of a private app or a service key."""

    token: Secret
    """The token: it is sent with each request, and does not expire by itself."""


class HubSpotConnection(CrmConnection):
    """An app of HubSpot, private or public, that posts to `/webhooks/{name}`."""

    kind: Literal["hubspot"]
    secrets: list[Token] = Field(min_length=1, max_length=8)
    """The app's client secret."""
    public_url: str = Field(pattern=r"^https?://[^/\s]+(/[^\s]*)?$")
    """Where HubSpot posts, which its signatures are of: scheme, host and a path prefix if a proxy takes one away."""
    legacy_signatures: bool = False
    """Whether deliveries that have no signature of version 3 are taken by one of version 1 or 2. Whoever has seen one
    such delivery can send it again for ever, and of version 1 make others out of it."""
    leads: Literal["contacts", "leads", "both"] = "contacts"
    """Which objects are leads: contacts, HubSpot's Lead objects, or each of both."""
    api: HubSpotApi | None = None
    """What look-ups, back-fill and reconciliation ask."""

    def remarks(self) -> dict[str, str]:
        """What signatures of version 1 and 2 are worth, and what webhooks do not tell of merges and calls."""
        found = {}
        if self.api is None:
            found["kind"] = (
                "merged deals need a look-up, for HubSpot's webhooks do not tell what the deal that stays takes "
                "over: without api it counts by what is said of itself"
            )
            if self.match is not None:
                found["match"] = "whom a call went to is known by look-ups: without api no call of webhooks matches"
        if self.legacy_signatures:
            found["legacy_signatures"] = "takes HubSpot's signatures v1 and v2, which can be sent again and forged"
        return found


class HubSpot(CrmConnector):
    """Connector of kind `hubspot`."""

    clock = "occurredAt"

    def __init__(self, connection: HubSpotConnection) -> None:
        super().__init__(connection, ConnectionWords())  # its tables hold the words
        self._secrets = [secret.get_secret_value().strip().encode() for secret in connection.secrets]
        self._account = _account(connection)
        self._takes_legacy = connection.legacy_signatures

    def verify(self, request: SignedRequest, now: int) -> None:
        check_request(self._secrets, request, now, takes_legacy=self._takes_legacy)
        check_content(request.headers, {JSON})

    def _statements(self, event: Mapping[str, Any], parsed: Parsed) -> Iterator[Statement]:
        target, action = subject_of(event, self._account)
        at = whole_number(event.get("occurredAt"), "occurredAt", per_second=1000)
        return STATEMENTS[action](event, target, at, parsed, self._account)

    def _read_answer(self, delivery: Delivery) -> Parsed:
        parsed = Parsed()
        if (opened := open_answer(delivery, parsed)) is None:
            return parsed
        for index, record in enumerate(records_in(*opened)):
            try:
                said = list(hubspot_statements(record, *opened, parsed, self._account))
            except (ShapeError, FieldError) as error:
                parsed.refuse("bad_shape", str(error), index)
                continue
            except Exception as error:  # noqa: BLE001 - our own fault
                parsed.fail(error, index)
                continue
            for name, statements in said:
                read_event(
                    record, index, _named(name, statements), parsed, delivery.received_at,
                    namespace=self.namespace, clock=self.clock,
                )  # fmt: skip
        return parsed


def _named(source: str, statements: Iterable[Statement]) -> Statements:
    """The same, each with the property that says it."""
    return lambda _record, _parsed: (replace(each, source=each.source or source) for each in statements)


def _account(connection: HubSpotConnection) -> Account:
    return Account(objects_of(connection, connection.leads), connection.api is not None, connection.people)


def hubspot_source(connection: HubSpotConnection) -> HubSpotSource | None:
    """Its API; None: the connection has none."""
    api = connection.api
    if api is None:
        return None
    return HubSpotSource(
        address=api.url, token=api.token.get_secret_value().strip(), objects=_account(connection).objects
    )


HUBSPOT = ConnectorKind(HubSpotConnection, HubSpot, source=hubspot_source)
