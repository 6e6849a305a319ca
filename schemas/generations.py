"""Which derived set of topics is served: the pointer record, and how many partitions its topics have.

Owns the shape of the one record of `generations`, and that one which floorcast has not written says nothing. Writes and
reads nothing.
"""

from collections.abc import Iterable
from typing import Annotated, Protocol

import msgspec
import structlog

from schemas.topics import TOPICS

log = structlog.get_logger("generations")

_AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]

SERVED = b"served"
"""Key of the record."""


class Handover(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Another generation is about to be served: workers stand still while what was told is carried over."""

    to: int
    until: int
    """Instant (microseconds) after which it has failed, and workers go on with what is served."""


class Served(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What `generations` says. Where it says nothing, generation 1 is served: see `first_generation`."""

    generation: _AtLeastOne
    partitions: _AtLeastOne
    """Of its topics; those that are not derived have a number of their own, for good."""
    log_partitions: _AtLeastOne
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


class PointerMessage(Protocol):
    """A message of `generations`."""

    @property
    def key(self) -> bytes | None: ...

    @property
    def value(self) -> bytes | None: ...


def newest_served(messages: Iterable[PointerMessage], served: Served) -> Served:
    """What is served once these have come; `served`: what was before them. One that cannot be read changes nothing."""
    for message in messages:
        if message.key == SERVED and message.value is not None:
            try:
                served = decode_served(message.value)
            except msgspec.MsgspecError as error:
                log.error("pointer.unreadable", why=str(error), hint="floorcast replay writes it anew")
    return served


encode_served = msgspec.msgpack.Encoder().encode
decode_served = msgspec.msgpack.Decoder(Served).decode
