"""Why something was not stored. What a client is answered, api/http/errors.py decides."""

RETRY_AFTER = 2
REFUSAL = "the delivery was not stored: Kafka does not acknowledge; send it again"


class StoreRefusedError(Exception):
    """Not stored, as far as anybody knows; the same may be taken after `retry_after` seconds."""

    def __init__(self, detail: str, *, retry_after: int) -> None:
        self.detail = detail
        self.retry_after = retry_after
        super().__init__(detail)


class UnacknowledgedError(StoreRefusedError):
    """Kafka did not acknowledge in time, or is known to be away. It may be stored all the same."""


class BacklogFullError(StoreRefusedError):
    """As much waits for Kafka as memory is set aside for."""
