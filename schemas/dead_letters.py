"""Dead letters: what nobody could read, with the reason, and where the raw bytes lie in `deliveries`."""

import msgspec


class DeadLetter(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One event (or a whole delivery) that was refused. Holds no content: the delivery has it."""

    connection: str
    reason: str
    """`not_json`, `bad_shape`, `bad_field`, `clock_ahead`, `unknown_connection`, `unreadable`, `not_derivable`."""
    detail: str
    """One line naming the field."""
    partition: int
    offset: int
    """Of the delivery in `deliveries` (reason `not_derivable`: of the frame in `record-changes`)."""
    index: int | None
    received_at: int

    @property
    def id(self) -> str:
        """The same for every repetition: stage work may be done twice."""
        return f"{self.partition}-{self.offset}" + ("" if self.index is None else f"-{self.index}")


encode_dead_letter = msgspec.msgpack.Encoder().encode
decode_dead_letter = msgspec.msgpack.Decoder(DeadLetter).decode
