"""How far a stream of a CRM's events is: the topic `stream-positions`, one key per connection and channel.

Owns the message and its key. Holds no secret and nothing of an event.
"""

import msgspec


class StreamPosition(msgspec.Struct, frozen=True, array_like=True):
    """One channel. All that was read of it up to `replay_id` lies in `deliveries`."""

    replay_id: bytes
    """The vendor's own mark, which means nothing to us; empty: nothing of it was read yet."""
    partition: int
    """Of `deliveries`, where what this stream reads lies."""
    offset: int
    """What was read after `replay_id` lies from here on, if anything was."""
    at: int
    """When the vendor last said anything, an event or that there is none (microseconds)."""
    problem: str | None = None
    """A word for what stands in the way: `unreachable`, `credentials`, `forbidden`, `limit`, `refused`."""


encode_position = msgspec.msgpack.Encoder().encode
decode_position = msgspec.msgpack.Decoder(StreamPosition).decode


def position_key(connection: str, channel: str) -> bytes:
    """The key of a channel. No name of a connection has a `|`."""
    return f"{connection}|{channel}".encode()


def in_position_key(key: bytes) -> tuple[str, str]:
    """Connection and channel of a key."""
    connection, _, channel = key.decode().partition("|")
    return connection, channel
