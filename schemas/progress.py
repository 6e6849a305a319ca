"""Progress: per stage and partition, the input offset done and the counters that belong to it.

Written after everything else of a batch is acknowledged, so "done" is true. Counters stand beside the offset: a batch
that is repeated after a crash is folded again (harmless) but not counted again.
"""

import msgspec
import structlog

from schemas.log_marks import LogMark

log = structlog.get_logger("progress")

STAGES = ("normalise", "ledger", "responses")

REPEATED = "repeated."
"""Of stage responses, before a connection: how many of its calls another one tells of too (`match`)."""

BETWEEN = "between"
"""Instead of a digest: other definitions are being derived, and a part of what is published may be by them already."""


class Progress(msgspec.Struct, array_like=True):
    """What one stage has done in one partition."""

    offset: int = 0
    """The next input offset: everything below is folded, published and acknowledged."""
    log_at: int = 0
    """The newest receipt of a delivery seen (microseconds): the instant of the log."""
    counters: dict[str, int] = msgspec.field(default_factory=dict)
    """Ever growing: `events`, `duplicates`, `late`, `ignored.<reason>`, `dead.<connection>.<reason>` …

    But for those that begin with `REPEATED`, which say how many there are now.
    """
    connections: dict[str, tuple[int, int]] = msgspec.field(default_factory=dict)
    """Stage normalise: connection -> (newest receipt, newest `changed_at`)."""
    definitions: str = ""
    """Digest of the definitions by which all is derived (schemas/definitions.py); or `BETWEEN`; empty: not said."""
    kept_from: int = -(2**62)
    """The cutoff (microseconds): nothing of before it is kept any more. Told before anything is let go."""
    replayed_at: int = 0
    """Stage responses: derived by a replay, for which others stood still then (microseconds), and not looked at yet."""
    marks: dict[str, LogMark] = msgspec.field(default_factory=dict)
    """Topic of the catalogue -> how far this stage has read or written it. Told once a load has published all."""
    rows: int = 0
    """The form of rows by which they were written (`ROWS` in schemas/definitions.py); 0: not said."""

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter."""
        if amount:
            self.counters[name] = self.counters.get(name, 0) + amount

    def saw(self, connection: str, received_at: int, changed_at: int) -> None:
        """Note how fresh a connection is."""
        old_receipt, old_change = self.connections.get(connection, (0, 0))
        self.connections[connection] = (max(old_receipt, received_at), max(old_change, changed_at))


encode_progress = msgspec.msgpack.Encoder().encode
decode_progress = msgspec.msgpack.Decoder(Progress).decode


def progress_key(stage: str, partition: int) -> bytes:
    """`stage|partition`."""
    return f"{stage}|{partition}".encode()


def read_progress_key(key: bytes) -> tuple[str, int]:
    """(stage, partition). Raises ValueError."""
    stage, partition = key.decode().split("|")
    return stage, int(partition)


def progress_in(key: bytes, value: bytes) -> tuple[tuple[str, int], Progress] | None:
    """(stage, partition) and what it has done; None: floorcast has not written that, and it says nothing."""
    try:
        return read_progress_key(key), decode_progress(value)
    except (msgspec.MsgspecError, ValueError):
        log.error("progress.unreadable", key=key.decode(errors="replace"))
        return None
