"""Where a stream goes on: the last mark of each channel, as the topic `stream-positions` and the log say it.

A delivery names the mark up to which it goes, so that both are stored or neither. The topic says where in the log to
begin looking for it, and holds the marks of times in which nothing happened.
"""

from collections.abc import Mapping, Sequence

import msgspec

from deploy.streaming.events import mark_of
from processor.transport.fetched import Fetched
from processor.transport.following import Follower, newest_of
from schemas.deliveries import decode_delivery
from schemas.kafka import Address
from schemas.stream_positions import StreamPosition, decode_position, in_position_key
from schemas.topics import DELIVERIES, STREAM_POSITIONS


async def read_positions(broker: Address, prefix: str) -> dict[tuple[str, str], StreamPosition]:
    """(Connection, channel) -> what was last written of it. Raises KafkaError, MissingTopicError."""
    found = await newest_of(broker, STREAM_POSITIONS.full_name(prefix))
    return {in_position_key(key): decode_position(value) for key, value in found.items()}


async def last_marks(
    broker: Address, prefix: str, connection: str, written: Mapping[str, StreamPosition]
) -> dict[str, StreamPosition]:
    """Channel -> where it is, with what the log holds behind what was written. Raises KafkaError."""
    found = dict(written)
    if not found:
        return found
    async with Follower(broker, DELIVERIES.full_name(prefix)) as follower:
        ends = await follower.ends()
        # A log that ends before the place is another one: nothing in it is this stream's.
        starts: dict[int, int] = {}
        for position in found.values():
            known = starts.get(position.partition, position.offset)
            starts[position.partition] = min(known, position.offset)
        follower.seek({partition: min(starts.get(partition, end), end) for partition, end in ends.items()})

        def apply(partition: int, records: Sequence[Fetched]) -> None:
            for record in records:
                try:
                    delivery = decode_delivery(record.value or b"")
                except (msgspec.MsgspecError, UnicodeDecodeError):
                    continue
                for channel, position in found.items():
                    mark = mark_of(delivery, connection, channel)
                    if mark is not None and partition == position.partition and record.offset >= position.offset:
                        found[channel] = msgspec.structs.replace(
                            position, replay_id=mark, offset=record.offset, at=max(position.at, delivery.received_at)
                        )

        await follower.read_to({partition: ends[partition] for partition in starts if partition in ends}, apply)
    return found
