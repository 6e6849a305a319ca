"""Dead letters: what nobody could read, with the reason, and where the raw bytes lie in `deliveries`."""

import msgspec


class DeadLetter(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One event (or a whole delivery) that was refused. Holds no content: the delivery has it."""

    connection: str
    reason: str
    """`not_json`, `bad_shape`, `bad_field`, `clock_ahead`, `unknown_connection`, `unreadable`."""
    detail: str
    """One line naming the field."""
    partition: int
    offset: int
    """Of the delivery in `deliveries`, or of the frame that another stage could not read."""
    index: int | None
    received_at: int
    stage: str = "normalise"
    """Which stage refused it: the others read frames, whose offsets are those of another topic."""
    request: str = ""
    """Id of the request that brought the delivery; empty where none did."""

    @property
    def id(self) -> str:
        """The same for every repetition: stage work may be done twice."""
        place = f"{self.partition}-{self.offset}" + ("" if self.index is None else f"-{self.index}")
        return place if self.stage == "normalise" else f"{self.stage}-{place}"


encode_dead_letter = msgspec.msgpack.Encoder().encode
decode_dead_letter = msgspec.msgpack.Decoder(DeadLetter).decode
