"""One HTTP call of a CRM, raw, as it lies in `deliveries`: the immutable log that everything else is made from.

Owns the shape and its encoding. Does not know what is in the body.
"""

import msgspec


class Delivery(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What arrived, byte for byte, with what is needed to read it again years later."""

    connection: str
    """Name of the connection in `floorcast.yaml`."""
    received_at: int
    """When our api took it (microseconds)."""
    headers: dict[str, str]
    """Lower-case names; only those that a connector reads (never Authorization or cookies)."""
    body: bytes
    """At most 1 MiB."""


BROUGHT_BY = "floorcast-source"
"""Header of what floorcast asked for itself, or read from a file, and how: one of the four words below. No request from
outside can set it, for of those only the headers that a connector names are kept."""
ASKED_AT = "floorcast-asked-at"
"""Header beside it: when that was asked (microseconds)."""
REQUEST = "floorcast-request"
"""Header of a webhook: the id of the request that brought it, which its answer and the api's log carry too."""
LOOKUP, BACKFILL, RECONCILIATION, FILE = "lookup", "backfill", "reconciliation", "file"
QUIET = frozenset({BACKFILL, RECONCILIATION, FILE})
"""Those that tell of what has long happened: no message is sent of it. A look-up is a webhook's second half."""
ASKED = frozenset({LOOKUP, BACKFILL, RECONCILIATION})
"""Those of what a CRM's API has answered."""

encode_delivery = msgspec.msgpack.Encoder().encode
decode_delivery = msgspec.msgpack.Decoder(Delivery).decode
