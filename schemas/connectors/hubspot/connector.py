"""The connector of kind `hubspot`, and its settings.

Owns the way from a delivery to changes. Looks nothing up by itself: what an event does not tell is noted, and what the
API answers comes as a delivery too. Without `api` only what the events say is known, so an account subscribes to
creation, deletion, restore, merge, association and to the properties in `properties.py`.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, Literal

import msgspec
from pydantic import AfterValidator, Field, SecretStr

from schemas.connectors.apis import Api, Secret
from schemas.connectors.asking import Envelope, decode_envelope
from schemas.connectors.base import Parsed, SignedRequest, runs_ahead
from schemas.connectors.connection import MIN_SECRET
from schemas.connectors.content import JSON, check_content
from schemas.connectors.events import LeftOutError, ShapeError, events_of, whole_number
from schemas.connectors.fields import FieldError, read_change
from schemas.connectors.hubspot.answers import said_by
from schemas.connectors.hubspot.api import HubSpotSource
from schemas.connectors.hubspot.events import (
    STATEMENTS,
    Account,
    Statement,
    UnknownPropertyError,
    subject_of,
)
from schemas.connectors.hubspot.objects import BY_TYPE_ID, objects_of
from schemas.connectors.hubspot.signatures import check_signature
from schemas.connectors.kinds import Kind
from schemas.connectors.words import CrmConnection
from schemas.deliveries import ASKED_AT, BROUGHT_BY, Delivery
from schemas.documents.errors import wrong


def _secret(secret: SecretStr) -> SecretStr:
    # An empty secret verifies against an empty key, which anyone can forge.
    if len(secret.get_secret_value().strip()) < MIN_SECRET:
        msg = f"must have at least {MIN_SECRET} characters"
        raise wrong(msg)
    return secret


class HubSpotApi(Api):
    """HubSpot's API, by the token of a private app or a service key."""

    token: Secret
    """The token: it is sent with each request, and does not expire by itself."""


class HubSpotConnection(CrmConnection):
    """An app of HubSpot, private or public, that posts to `/webhooks/{name}`."""

    kind: Literal["hubspot"]
    secrets: list[Annotated[SecretStr, AfterValidator(_secret)]] = Field(min_length=1, max_length=8)
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
        """What signatures of version 1 and 2 are worth, and what a merge does not tell."""
        found = {}
        if self.api is None:
            found["kind"] = (
                "merged deals need a look-up, for HubSpot's webhooks do not tell what the deal that stays takes "
                "over: without api it counts by what is said of itself"
            )
        if self.legacy_signatures:
            found["legacy_signatures"] = "takes HubSpot's signatures v1 and v2, which can be sent again and forged"
        return found


_ALL = Account(BY_TYPE_ID)
_Said = tuple[int, Iterable[Statement]]


class HubSpot:
    """Connector of kind `hubspot`."""

    kept_headers = frozenset({"content-type"})

    def __init__(
        self, *, secrets: Sequence[bytes], account: Account = _ALL, namespace: str = "", takes_legacy: bool = False
    ) -> None:
        self._secrets = tuple(secrets)
        self._account = account
        self._takes_legacy = takes_legacy
        self.namespace = namespace

    def verify(self, request: SignedRequest, now: int) -> None:
        """Raise SignatureError, then ContentTypeError: who proves nothing learns nothing of what is taken."""
        check_signature(self._secrets, request, now, takes_legacy=self._takes_legacy)
        check_content(request.headers, {JSON})

    def parse(self, delivery: Delivery) -> Parsed:
        """Every event of the delivery: an array of them, or one alone; or what the API has answered."""
        parsed = Parsed()
        if BROUGHT_BY in delivery.headers:
            self._read_answer(delivery, parsed)
            return parsed
        for index, event in events_of(delivery, parsed):
            self._read(event, index, delivery.received_at, parsed)
        return parsed

    def _read_answer(self, delivery: Delivery, parsed: Parsed) -> None:
        try:
            envelope = decode_envelope(delivery.body)
            asked_at = int(delivery.headers.get(ASKED_AT, delivery.received_at))
        except (msgspec.MsgspecError, ValueError):
            parsed.refuse("bad_shape", "body: is not an answer of the API as floorcast keeps it")
            return
        self._take(self._gone(envelope, asked_at), 0, delivery.received_at, parsed)
        for index, record in enumerate(envelope.records):
            try:
                said = list(said_by(record, envelope, asked_at, parsed, self._account))
            except (ShapeError, FieldError) as error:
                parsed.refuse("bad_shape", str(error), index)
                continue
            except Exception as error:  # noqa: BLE001 - our own fault
                parsed.fail(error, index)
                continue
            for at, name, statements in said:
                self._take((at, statements), index, delivery.received_at, parsed, name)

    def _gone(self, envelope: Envelope, at: int) -> tuple[int, Iterable[Statement]]:
        found = [target for target in self._account.objects.values() if target.name == envelope.object]
        return at, (
            Statement(target.kind, target.prefix + id, deleted=True) for target in found for id in envelope.gone
        )

    def _read(self, event: Any, index: int, received_at: int, parsed: Parsed) -> None:
        name = event.get("propertyName") if isinstance(event, dict) else None
        self._take(
            lambda: self._said(event, parsed), index, received_at, parsed, name if isinstance(name, str) else None
        )

    def _said(self, event: Any, parsed: Parsed) -> _Said:
        if not isinstance(event, dict):
            msg = "event: must be an object"
            raise ShapeError(msg)
        target, action = subject_of(event, self._account)
        at = whole_number(event.get("occurredAt"), "occurredAt", per_second=1000)
        return at, STATEMENTS[action](event, target, at, parsed, self._account)

    def _take(
        self,
        said: _Said | Callable[[], _Said],
        index: int,
        received_at: int,
        parsed: Parsed,
        name: str | None = None,
    ) -> None:
        """All that is said at one instant, or that it cannot be read. `name`: HubSpot's property."""
        try:
            at, statements = said() if callable(said) else said
            if runs_ahead(at, received_at):
                parsed.refuse("clock_ahead", "occurredAt: is more than 24 h ahead of its delivery", index)
                return
            readings = [
                read_change(
                    kind=statement.kind,
                    record_id=statement.record_id,
                    changed_at=at - statement.yields,
                    raw=statement.fields,
                    received_at=received_at,
                    namespace=self.namespace,
                    deleted=statement.deleted,
                    takes_voices=True,
                )
                for statement in statements
            ]
        except UnknownPropertyError as unknown:
            parsed.ignore_unknown(unknown.record, unknown.name)
        except LeftOutError as left_out:
            parsed.ignore(left_out.reason)
        except ShapeError as error:
            parsed.refuse("bad_shape", str(error), index)
        except FieldError as error:
            # The fields are ours, the reader of a dead letter knows HubSpot's property.
            parsed.refuse("bad_field", str(error) if name is None else f"{name}: {error.problem}", index)
        except Exception as error:  # noqa: BLE001 - a connector's own fault
            parsed.fail(error, index)
        else:
            for reading in readings:
                parsed.ignore("rounded", reading.rounded)
                parsed.accept(reading.change, index, field="occurredAt")


def _account(connection: HubSpotConnection) -> Account:
    return Account(objects_of(connection, connection.leads), looks_up=connection.api is not None)


def build_hubspot(connection: HubSpotConnection) -> HubSpot:
    """Make the connector of a `hubspot` connection."""
    return HubSpot(
        secrets=[secret.get_secret_value().strip().encode() for secret in connection.secrets],
        account=_account(connection),
        namespace=connection.namespace,
        takes_legacy=connection.legacy_signatures,
    )


def hubspot_source(connection: HubSpotConnection) -> HubSpotSource | None:
    """Its API; None: the connection has none."""
    api = connection.api
    if api is None:
        return None
    return HubSpotSource(
        address=api.url, token=api.token.get_secret_value().strip(), objects=_account(connection).objects
    )


HUBSPOT = Kind(HubSpotConnection, build_hubspot, source=hubspot_source)
