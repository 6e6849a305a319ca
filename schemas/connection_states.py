"""What the owner of the look-ups says of each connection: the topic `connection-states`, one key per connection.

Owns the message. Holds no secret, no id of a record and no name of a person.
"""

from collections.abc import Mapping

import msgspec

Missed = dict[str, int]
"""Kind of record -> how many."""


class BackfillState(msgspec.Struct, frozen=True, array_like=True):
    """How far a back-fill is, or was when it last said so."""

    records: int
    of: int | None
    """None: the vendor does not tell."""
    since: int
    at: int
    """When that was so (microseconds)."""


class LimitsState(msgspec.Struct, frozen=True, array_like=True):
    """What may be asked of a CRM's own API, as it last said."""

    used: int
    of: int
    resets_at: int | None = None
    """None: the vendor does not tell."""


class SubscriptionState(msgspec.Struct, frozen=True, array_like=True):
    """Whether the CRM posts to us, or its stream of events is read: of several subscriptions the worst."""

    state: str
    """`active`, `missing`, `unreachable`, or the vendor's word for what is wrong. Of a stream also `silent`: nobody
    reads it; `credentials`, `forbidden`, `limit`, `refused`: why it cannot be read."""
    expires_at: int | None = None


class ConnectionState(msgspec.Struct, frozen=True, array_like=True):
    """One connection that has an API. Instants are microseconds."""

    at: int
    """When all of this was so."""
    reconciled_at: int | None = None
    """Begin of the last whole reconciliation: everything that the CRM was told before it is known."""
    missed_day: Missed = msgspec.field(default_factory=dict)
    """Records of the last 24 hours that no webhook has brought."""
    missed_month: Missed = msgspec.field(default_factory=dict)
    """Of the last 30 days."""
    missed: Missed = msgspec.field(default_factory=dict)
    """Since the log began; never fewer."""
    changed_day: int = 0
    """Records that have changed in the last 24 hours, as far as reconciliations saw them."""
    changed_month: int = 0
    not_visible: int = 0
    pending: int = 0
    """Records that are still to be asked for."""
    problem: str | None = None
    """A word for what stands in the way: `unreachable`, `credentials`, `forbidden`, `limit`, `refused`."""
    detail: str | None = None
    backfill: BackfillState | None = None
    has_records: bool = True
    """Whether the log holds anything of it beside its people."""
    limits: LimitsState | None = None
    """None: no answer has told them yet, or the vendor does not."""
    subscription: SubscriptionState | None = None
    """None: nobody keeps one: it is made by hand, or there is no `public_url`, and no stream."""
    is_asked: bool = True
    """Whether records are asked for; else this says only how its subscriptions are."""
    labels: Mapping[str, Mapping[str, str]] = msgspec.field(default_factory=dict)
    """Pipeline -> stage -> what the CRM calls it, or called it last: both by their ids; empty: the pipeline's own."""
    statuses: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Stage -> what a deal in it is, as the CRM says: `open`, `won` or `lost`."""

    @property
    def share_day(self) -> float | None:
        """Which part of what changed in the last 24 hours no webhook has brought; None: nothing changed."""
        return _share(self.missed_day, self.changed_day)

    @property
    def share_month(self) -> float | None:
        """The same of the last 30 days."""
        return _share(self.missed_month, self.changed_month)


def with_labels(
    held: Mapping[str, Mapping[str, str]], told: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, str]]:
    """What stages are called: as was told now, and of those that are gone as it was told last."""
    return {pipeline: {**held.get(pipeline, {}), **told.get(pipeline, {})} for pipeline in {**held, **told}}


def _share(missed: Missed, changed: int) -> float | None:
    return min(1.0, sum(missed.values()) / changed) if changed else None


encode_state = msgspec.msgpack.Encoder().encode
decode_state = msgspec.msgpack.Decoder(ConnectionState).decode
