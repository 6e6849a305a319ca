"""The connector of kind `hubspot`, and its settings.

Owns the way from a delivery to changes. Looks nothing up: only what the events themselves say is known, so an account
subscribes to creation, deletion, restore, merge, association and to the properties in `properties.py`.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SecretStr

from schemas.connectors.base import MAX_EVENTS, Parsed, SignedRequest, runs_ahead
from schemas.connectors.connection import MIN_SECRET, Connection
from schemas.connectors.content import JSON, check_content
from schemas.connectors.fields import FieldError, read_change
from schemas.connectors.hubspot.events import (
    STATEMENTS,
    LeftOutError,
    ShapeError,
    UnknownPropertyError,
    occurred_at,
    subject_of,
)
from schemas.connectors.hubspot.signatures import check_signature
from schemas.connectors.json_text import NotJsonError, read_json
from schemas.connectors.kinds import Kind
from schemas.deliveries import Delivery
from schemas.documents.errors import wrong


def _secret(secret: SecretStr) -> SecretStr:
    # An empty secret verifies against an empty key, which anyone can forge.
    if len(secret.get_secret_value().strip()) < MIN_SECRET:
        msg = f"must have at least {MIN_SECRET} characters"
        raise wrong(msg)
    return secret


class HubSpotConnection(Connection):
    """An app of HubSpot, private or public, that posts to `/webhooks/{name}`."""

    kind: Literal["hubspot"]
    secrets: list[Annotated[SecretStr, AfterValidator(_secret)]] = Field(min_length=1, max_length=8)
    """The app's client secret."""
    public_url: str = Field(pattern=r"^https?://[^/\s]+(/[^\s]*)?$")
    """Where HubSpot posts, which its signatures are of: scheme, host and a path prefix if a proxy takes one away."""
    legacy_signatures: bool = False
    """Whether deliveries that have no signature of version 3 are taken by one of version 1 or 2. Whoever has seen one
    such delivery can send it again for ever, and of version 1 make others out of it."""

    def remarks(self) -> dict[str, str]:
        """What signatures of version 1 and 2 are worth, and what a merge does not tell."""
        found = {
            "kind": "merged deals need a look-up, for HubSpot's webhooks do not tell what the deal that stays takes "
            "over: it counts by what is said of itself"
        }
        if self.legacy_signatures:
            found["legacy_signatures"] = "takes HubSpot's signatures v1 and v2, which can be sent again and forged"
        return found


class HubSpot:
    """Connector of kind `hubspot`."""

    kept_headers = frozenset({"content-type"})

    def __init__(self, *, secrets: Sequence[bytes], namespace: str = "", takes_legacy: bool = False) -> None:
        self._secrets = tuple(secrets)
        self._takes_legacy = takes_legacy
        self.namespace = namespace

    def verify(self, request: SignedRequest, now: int) -> None:
        """Raise SignatureError, then ContentTypeError: who proves nothing learns nothing of what is taken."""
        check_signature(self._secrets, request, now, takes_legacy=self._takes_legacy)
        check_content(request.headers, {JSON})

    def parse(self, delivery: Delivery) -> Parsed:
        """Every event of the delivery: an array of them, or one alone."""
        parsed = Parsed()
        try:
            body = read_json(delivery.body)
        except NotJsonError as error:
            parsed.refuse("not_json", f"body: {error}")
            return parsed
        events = body if isinstance(body, list) else [body]
        if len(events) > MAX_EVENTS:
            parsed.refuse("bad_shape", f"body: holds more than {MAX_EVENTS} events")
            return parsed
        for index, event in enumerate(events):
            self._read(event, index, delivery.received_at, parsed)
        return parsed

    def _read(self, event: Any, index: int, received_at: int, parsed: Parsed) -> None:
        try:
            if not isinstance(event, dict):
                msg = "event: must be an object"
                raise ShapeError(msg)
            target, action = subject_of(event)
            at = occurred_at(event)
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
                for statement in STATEMENTS[action](event, target, at, parsed)
            ]
        except UnknownPropertyError as unknown:
            parsed.ignore_unknown(unknown.record, unknown.name)
        except LeftOutError as left_out:
            parsed.ignore(left_out.reason)
        except ShapeError as error:
            parsed.refuse("bad_shape", str(error), index)
        except FieldError as error:
            # The fields are ours, the reader of a dead letter knows HubSpot's property.
            name = event.get("propertyName")
            parsed.refuse("bad_field", f"{name}: {error.problem}" if isinstance(name, str) else str(error), index)
        else:
            for reading in readings:
                parsed.ignore("rounded", reading.rounded)
                parsed.accept(reading.change, index, field="occurredAt")


def build_hubspot(connection: HubSpotConnection) -> HubSpot:
    """Make the connector of a `hubspot` connection."""
    return HubSpot(
        secrets=[secret.get_secret_value().strip().encode() for secret in connection.secrets],
        namespace=connection.namespace,
        takes_legacy=connection.legacy_signatures,
    )


HUBSPOT = Kind(HubSpotConnection, build_hubspot)
