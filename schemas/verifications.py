"""What the continuous recount found: which windows were compared with the log, when, and how many values differ.

Owns the message on the topic `verifications`: one key, the newest outcome. Holds no value, no id and no name: it is
shown on wallboards.
"""

import msgspec

LEADS = "leads"
"""The name under which the leads that wait are compared, beside those of windows."""
KEPT_FIRST = 10
"""Differences that are described."""
STALE_AFTER_ROUNDS = 3

VERIFICATION_KEY = b"verification"


class WindowComparison(msgspec.Struct, frozen=True, array_like=True):
    """The newest comparison of one window (or of the leads that wait)."""

    name: str
    """As in REST; `2026-02-02/2026-03-01` for days of the past."""
    at: int
    """As of when it was served (microseconds)."""
    differences: int = 0
    undecided: int = 0
    """Values that changed so fast that nobody can say; the next round looks at them again."""


class Difference(msgspec.Struct, frozen=True, array_like=True):
    """One value that differs, without the value and without whose it is."""

    window: str
    scope: str
    """`organisation`, `team`, `rep`, `lead` or `deal`."""
    metric: str


class Verification(msgspec.Struct, frozen=True, array_like=True):
    """The outcome of a round, together with what earlier rounds found in windows that it did not look at."""

    verified_at: int
    """As of when the last answer of the round was served."""
    started_at: int
    every: int
    """From the start of this round to that of the next, at most (microseconds)."""
    definitions: str
    """Digest of the definitions by which it was recounted (schemas/definitions.py)."""
    deliveries: int
    changes: int
    windows: tuple[WindowComparison, ...] = ()
    compared: tuple[str, ...] = ()
    """The names of `windows` that this round looked at."""
    left_out: tuple[str, ...] = ()
    """Windows that are too large to be recounted beside everything else, or reach back beyond the log."""
    first: tuple[Difference, ...] = ()
    """The first few differences."""

    @property
    def differences(self) -> int:
        """In all windows together, as they were last compared."""
        return sum(found.differences for found in self.windows)

    @property
    def undecided(self) -> int:
        """In all windows together, as they were last compared."""
        return sum(found.undecided for found in self.windows)

    def is_stale(self, now: int) -> bool:
        """Whether rounds have been missed."""
        return now - self.verified_at > STALE_AFTER_ROUNDS * self.every


encode_verification = msgspec.msgpack.Encoder().encode
decode_verification = msgspec.msgpack.Decoder(Verification).decode
