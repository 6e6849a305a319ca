"""What the Pub/Sub API answers, as deliveries of the log: each holds events in their order, and how far it goes. Pure.

Owns the shape of a delivery of the stream and the decoding of an event. Does not know what an event means: that is the
connector's (schemas/connectors/salesforce), which reads the delivery like any other.
https://developer.salesforce.com/docs/platform/pub-sub-api/guide/event-deserialization-considerations.html
"""

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import fastavro
import orjson

from deploy.batches import batches
from schemas.connectors.salesforce.changes import HEADER
from schemas.connectors.salesforce.objects import OBJECTS
from schemas.deliveries import Delivery
from schemas.instants import format_instant

CHANNEL = "floorcast-channel"
"""Header of a delivery of a stream: the channel that it was read from."""
REPLAY_ID = "floorcast-replay-id"
"""Header beside it: the mark of its last event, in base64."""
MOST_BYTES = 900_000
"""Of one delivery, unless one event alone has more."""
MOST_EVENT_BYTES = 1_500_000
"""Above it an event is not stored: its records are looked up, as the vendor does it with what is too large for it."""
_NO_RECORD = "000000000000000AAA"


@dataclass(frozen=True, slots=True)
class Received:
    """One event as it came."""

    replay_id: bytes
    schema_id: str
    payload: bytes
    """Avro without its schema."""


class Schemas:
    """The schemas of events that were seen, by their id; the one used longest ago goes first."""

    MOST = 256

    def __init__(self) -> None:
        self._parsed: dict[str, Any] = {}

    def __contains__(self, id: str) -> bool:
        return id in self._parsed

    def add(self, id: str, text: str) -> None:
        """Keep one. Raises ValueError where it is none."""
        try:
            # Dates stay the numbers that they are on the wire, as the documentation of the events has them.
            parsed = fastavro.parse_schema(_without_logical_types(orjson.loads(text)))
        except (ValueError, fastavro.schema.SchemaParseException, KeyError, TypeError) as error:
            msg = f"schema {id}: is none"
            raise ValueError(msg) from error
        while len(self._parsed) >= self.MOST:
            del self._parsed[next(iter(self._parsed))]
        self._parsed[id] = parsed

    def decode(self, event: Received) -> dict[str, Any]:
        """The payload: every field of its schema, in the schema's order. Raises ValueError."""
        schema = self._parsed.pop(event.schema_id)
        self._parsed[event.schema_id] = schema
        reading = io.BytesIO(event.payload)
        try:
            found = fastavro.schemaless_reader(reading, schema, None)
        except (EOFError, IndexError, KeyError, ValueError, TypeError, OverflowError) as error:
            msg = f"schema {event.schema_id}: does not fit the event"
            raise ValueError(msg) from error
        if not isinstance(found, dict) or reading.tell() != len(event.payload):
            msg = f"schema {event.schema_id}: does not fit the event"
            raise ValueError(msg)
        return found


def event_deliveries(
    events: Iterable[Received], schemas: Schemas, *, connection: str, channel: str, received_at: int
) -> list[Delivery]:
    """Events as deliveries, none of them too large; each names the mark of its last event."""
    texts = ((_text_of(event, schemas, channel), event.replay_id) for event in events)
    of = {"connection": connection, "channel": channel}
    return [
        _delivery([text for text, _ in some], some[-1][1], **of, received_at=received_at)
        for some in batches(texts, lambda text: len(text[0]) + 1, MOST_BYTES + 1)  # a comma behind each but the last
    ]


def lost_since(instant: int, *, connection: str, channel: str, received_at: int) -> Delivery:
    """What tells that nobody knows what happened since then: all records that changed since are asked for.

    Said as the vendor says it where a transaction is too large: an overflow, for each of the channel's objects.
    """
    events = [
        orjson.dumps(
            {
                "topic": channel,
                "payload": {
                    HEADER: {
                        "entityName": entity,
                        "recordIds": [_NO_RECORD],
                        "changeType": "GAP_OVERFLOW",
                        "commitTimestamp": instant // 1000,
                        "sequenceNumber": 1,
                        "since": format_instant(instant),
                    }
                },
            }
        )
        for entity in channel_objects(channel)
    ]
    return _delivery(events, b"", connection=connection, channel=channel, received_at=received_at)


def channel_objects(channel: str) -> Sequence[str]:
    """The objects whose changes a channel may bring: one's own channel brings that one's, any other all of them."""
    name = channel.removeprefix("/data/").removesuffix("ChangeEvent")
    return [name] if name in OBJECTS else list(OBJECTS)


def mark_of(delivery: Delivery, connection: str, channel: str) -> bytes | None:
    """How far a delivery goes, if it is one of this channel's."""
    headers = delivery.headers
    if delivery.connection != connection or headers.get(CHANNEL) != channel:
        return None
    return base64.b64decode(headers.get(REPLAY_ID, "")) or None


def _text_of(event: Received, schemas: Schemas, channel: str) -> bytes:
    known: dict[str, Any] = {"topic": channel, "schema_id": event.schema_id}
    try:
        payload = schemas.decode(event)
        text = orjson.dumps(known | {"payload": payload}, default=_as_text)
    except (ValueError, orjson.JSONEncodeError):
        # It lies in the log as it came, and becomes a dead letter: nothing is lost, but of what no message could hold.
        raw = base64.b64encode(event.payload).decode()
        return orjson.dumps(known | ({"avro": raw} if len(raw) <= MOST_EVENT_BYTES else {"bytes": len(event.payload)}))
    if len(text) <= MOST_EVENT_BYTES:
        return text
    header = dict(payload.get(HEADER) or {})
    header["changeType"] = f"GAP_{str(header.get('changeType')).removeprefix('GAP_')}"
    return orjson.dumps(known | {"payload": {HEADER: header}}, default=_as_text)


def _as_text(value: Any) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError


def _delivery(texts: Sequence[bytes], mark: bytes, *, connection: str, channel: str, received_at: int) -> Delivery:
    headers = {"content-type": "application/json", CHANNEL: channel}
    if mark:
        headers[REPLAY_ID] = base64.b64encode(mark).decode()
    return Delivery(connection, received_at, headers, b"[" + b",".join(texts) + b"]")


def _without_logical_types(schema: Any) -> Any:
    if isinstance(schema, Mapping):
        return {name: _without_logical_types(value) for name, value in schema.items() if name != "logicalType"}
    if isinstance(schema, list):
        return [_without_logical_types(value) for value in schema]
    return schema
