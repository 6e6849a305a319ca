"""What the connectors to CRMs have in common: events that are posted, and the answers of an API, to changes.

Owns which of the two a delivery is, and the loop over the records of an answer. What each says is the connector's.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from schemas.connectors.asking import GONE, Envelope, decode_envelope
from schemas.connectors.base import Parsed, SignedRequest
from schemas.connectors.events import Statement, gone, read_event, read_events
from schemas.connectors.words import ConnectionWords, CrmConnection
from schemas.deliveries import ASKED_AT, BROUGHT_BY, Delivery
from schemas.instants import SECOND
from schemas.records import MAX_PLACE


class CrmConnector(ABC):
    """A CRM's connector, for one connection."""

    kept_headers = frozenset({"content-type"})
    clock: str
    """The member of an event that is its version."""
    kinds: Mapping[str, Sequence[str]]
    """The vendor's object -> the kinds of record that one may be."""

    def __init__(self, connection: CrmConnection, words: ConnectionWords) -> None:
        self.namespace, self.currency = connection.namespace, connection.currency
        self._words = words

    @abstractmethod
    def verify(self, request: SignedRequest, now: int) -> None:
        """Raise SignatureError, then ContentTypeError: who proves nothing learns nothing of what is taken."""

    def parse(self, delivery: Delivery) -> Parsed:
        """The event of the delivery, or every one of an array of them; or what the API has answered."""
        return self._read_answer(delivery) if BROUGHT_BY in delivery.headers else self._read_posted(delivery)

    def _read_posted(self, delivery: Delivery) -> Parsed:
        return read_events(delivery, self._statements, namespace=self.namespace, clock=self.clock)

    @abstractmethod
    def _statements(self, event: Mapping[str, Any], parsed: Parsed) -> Iterable[Statement]:
        """What an event says. Raises ShapeError, LeftOutError, FieldError."""

    def _answered(
        self, record: Mapping[str, Any], envelope: Envelope, asked_at: int, parsed: Parsed
    ) -> Iterable[Statement]:
        """What a record of an answer says; the first statement is of itself. Raises as `_statements` does."""
        return ()

    def _read_answer(self, delivery: Delivery) -> Parsed:
        """Everything that an answer says."""
        parsed = Parsed()
        if (opened := open_answer(delivery, parsed)) is None:
            return parsed
        envelope, asked_at = opened

        def statements(record: Mapping[str, Any], parsed: Parsed) -> Iterator[Statement]:
            gone_at = record.get(GONE)
            if isinstance(gone_at, int):
                for kind in self.kinds.get(envelope.object, ()):
                    yield gone(kind, record.get("id"), gone_at)
                return
            is_restored = record.get("id") in envelope.restored
            for said in self._answered(record, envelope, asked_at, parsed):
                if is_restored:
                    is_restored = False
                    yield Statement(said.kind, said.record_id, asked_at, deleted=False)
                yield said

        for index, record in enumerate(records_in(envelope, asked_at)):
            read_event(
                record, index, statements, parsed, delivery.received_at, namespace=self.namespace, clock="modified"
            )
        return parsed


def open_answer(delivery: Delivery, parsed: Parsed) -> tuple[Envelope, int] | None:
    """The envelope of an answer, and when it was asked for; None: it is none, which `parsed` is told."""
    try:
        return decode_envelope(delivery.body), int(delivery.headers.get(ASKED_AT, delivery.received_at))
    except (msgspec.MsgspecError, ValueError):
        parsed.refuse("bad_shape", "body: is not an answer of the API as floorcast keeps it")
        return None


def records_in(envelope: Envelope, asked_at: int) -> Sequence[Mapping[str, Any]]:
    """The records of an answer; first those that are gone, with nothing but that."""
    return [*({"id": id, GONE: asked_at} for id in envelope.gone), *envelope.records]


def place_within(at: int, asked_at: int) -> int:
    """The place of what a record says that names its last modification in whole seconds.

    A record may be modified twice within one second: what is read later says more. So the place is how much of that
    second was over when it was asked for, and the last one if all of it was.
    """
    return MAX_PLACE if asked_at >= at + SECOND else max(0, asked_at - at) * MAX_PLACE // SECOND
