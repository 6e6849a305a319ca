"""Which derived set of topics is served: the pointer record, and how many partitions its topics have.

Owns the shape of the one record of `generations`. Writes and reads nothing.
"""

import msgspec

from schemas.topics import TOPICS

SERVED = b"served"
"""Key of the record."""


class Handover(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Another generation is about to be served: workers stand still while what was told is carried over."""

    to: int
    until: int
    """Instant (microseconds) after which it has failed, and workers go on with what is served."""


class Served(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What `generations` says. Where it says nothing, generation 1 is served: see `first_generation`."""

    generation: int
    partitions: int
    """Of its topics; those that are not derived have a number of their own, for good."""
    log_partitions: int
    """Of `deliveries` and all else that is not derived."""
    switched_at: int = 0
    """Instant (microseconds); 0: it is the first one."""
    handover: Handover | None = None

    def stands_still(self, now: int) -> bool:
        """Whether workers wait at `now`."""
        return self.handover is not None and now < self.handover.until


def first_generation(partitions: int) -> Served:
    """What is served until the first replay."""
    return Served(1, partitions, partitions)


def wanted_of(prefix: str, served: Served) -> dict[str, int]:
    """Every topic of the catalogue as Kafka knows it while this is served -> its partitions."""
    return {
        topic.full_name(prefix, served.generation): topic.partitions(
            log=served.log_partitions, derived=served.partitions
        )
        for topic in TOPICS
    }


def group_name(prefix: str, generation: int) -> str:
    """The consumer group of the workers of a generation."""
    return f"{prefix}g{generation}.processor"


encode_served = msgspec.msgpack.Encoder().encode
decode_served = msgspec.msgpack.Decoder(Served).decode
