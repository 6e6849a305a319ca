"""From the answer of an API, as it lies in the log, to changes: what the connectors to CRMs have in common.

Owns the loop over the records of an envelope. What a record says is the connector's.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from schemas.connectors.asking import GONE, Envelope, decode_envelope
from schemas.connectors.base import Parsed
from schemas.connectors.events import Statement, read_event
from schemas.deliveries import ASKED_AT, Delivery
from schemas.instants import SECOND
from schemas.records import MAX_PLACE

Says = Callable[[Mapping[str, Any], Envelope, int, Parsed], Iterable[Statement]]
"""A record, the envelope that it is in, when it was asked for -> what it says; the first statement is of itself.

Raises ShapeError, LeftOutError, FieldError.
"""


def read_answer(delivery: Delivery, says: Says, *, kinds: Mapping[str, Sequence[str]], namespace: str) -> Parsed:
    """Everything that an answer says. `kinds`: the vendor's object -> the kinds of record that one may be."""
    parsed = Parsed()
    try:
        envelope = decode_envelope(delivery.body)
        asked_at = int(delivery.headers.get(ASKED_AT, delivery.received_at))
    except (msgspec.MsgspecError, ValueError):
        parsed.refuse("bad_shape", "body: is not an answer of the API as floorcast keeps it")
        return parsed

    def statements(record: Mapping[str, Any], parsed: Parsed) -> Iterator[Statement]:
        gone_at = record.get(GONE)
        if isinstance(gone_at, int):
            for kind in kinds.get(envelope.object, ()):
                # Whoever has left has done what they have done.
                is_person = kind == "rep"
                fields = {"active": False} if is_person else {}
                yield Statement(kind, record.get("id"), gone_at, fields, deleted=None if is_person else True)
            return
        is_restored = record.get("id") in envelope.restored
        for said in says(record, envelope, asked_at, parsed):
            if is_restored:
                is_restored = False
                yield Statement(said.kind, said.record_id, asked_at, deleted=False)
            yield said

    for index, record in enumerate([*({"id": id, GONE: asked_at} for id in envelope.gone), *envelope.records]):
        read_event(record, index, statements, parsed, delivery.received_at, namespace=namespace, clock="modified")
    return parsed


def place_within(at: int, asked_at: int) -> int:
    """The place of what a record says that names its last modification in whole seconds.

    A record may be modified twice within one second: what is read later says more. So the place is how much of that
    second was over when it was asked for, and the last one if all of it was.
    """
    return MAX_PLACE if asked_at >= at + SECOND else max(0, asked_at - at) * MAX_PLACE // SECOND
