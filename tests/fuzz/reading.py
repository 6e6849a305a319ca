"""What must hold of any delivery, however it came about: laws for whoever makes up deliveries."""

import msgspec

from processor.core.normalise import normalise
from schemas.connectors import build_connector, read_connection
from schemas.connectors.base import Connector, Parsed
from schemas.connectors.generic import Generic
from schemas.deliveries import Delivery, encode_delivery
from schemas.progress import Progress, decode_progress, encode_progress
from tests.strategies import NOW

JSON_TYPE = {"content-type": "application/json"}
HUB = {
    "kind": "hubspot", "secrets": ["client-secret"], "public_url": "https://hooks.example", "leads": "both",
    "namespace": "hs",
}  # fmt: skip
CONNECTORS: dict[str, Connector] = {
    "feed": Generic(keys=[]),
    "other": Generic(keys=[], namespace="ö"),
    "hub": build_connector(read_connection(HUB)),
}


def check_delivery(delivery: Delivery) -> Parsed:
    """What must hold of any delivery of a known connection; what it says."""
    connector = CONNECTORS[delivery.connection]
    parsed = connector.parse(delivery)
    for change in parsed.changes:
        msgspec.msgpack.encode(change)  # all of it can be written
    for problem in parsed.problems:
        assert problem.reason in {"not_json", "bad_shape", "bad_field", "clock_ahead"}
        assert problem.detail.encode()
        assert "\n" not in problem.detail
    progress = Progress()
    output = normalise([(0, encode_delivery(delivery))], partition=0, connectors=CONNECTORS, progress=progress)
    assert len(output.changes) == len(parsed.changes)
    assert len(output.dead_letters) == len(parsed.problems)
    assert decode_progress(encode_progress(progress)) == progress
    return parsed


def check_both_ways(body: bytes, connection: str, received_at: int) -> None:
    """The fast path and the careful reader say the same of a body, whatever it is."""
    connector = CONNECTORS[connection]
    assert isinstance(connector, Generic)
    delivery = Delivery(connection, received_at, JSON_TYPE, body)
    assert connector.parse(delivery) == connector.parse_carefully(delivery)


def plain_and_careful_agree(body: bytes) -> None:
    """The law of both ways to read a body, of bytes alone."""
    for connection in ("feed", "other"):
        check_both_ways(body, connection, NOW)
