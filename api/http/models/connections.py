"""What is known of the connections to CRMs. Null: not known (yet), or not told by the vendor."""

from pydantic import Field

from api.http.models.common import Answer, InstantText, ListAnswer
from api.http.models.freshness import ConnectionFreshness


class UnknownNameAnswer(Answer):
    """A name that floorcast does not know: of a field, or of a kind of record."""

    record: str = Field(description="Kind of record; the unknown name itself where it is one.", examples=["call"])
    name: str = Field(examples=["dialedat"])
    count: int = Field(description="Events that said it.", examples=[3])


class UnmappedWordAnswer(Answer):
    """A word of the CRM that has no counterpart here."""

    record: str = Field(examples=["call"])
    field: str = Field(examples=["outcome"])
    word: str = Field(examples=["our-own-guid"])
    count: int = Field(examples=[14])


class LimitsAnswer(Answer):
    """What may be asked of the CRM's own API, and what was."""

    used: int = Field(examples=[1200])
    of: int = Field(examples=[250_000])
    resets_at: InstantText | None = Field(examples=["2026-03-19T00:00:00.000Z"])


class SubscriptionAnswer(Answer):
    """Whether the CRM still posts to us."""

    state: str = Field(examples=["active"])
    expires_at: InstantText | None = Field(examples=["2026-03-20T09:00:00.000Z"])


class BackfillAnswer(Answer):
    """A back-fill that runs."""

    done: int = Field(examples=[1200])
    of: int | None = Field(examples=[4800])


class ConnectionAnswer(ConnectionFreshness):
    """A connection of `floorcast.yaml`."""

    missed_share: dict[str, float | None] | None = Field(examples=[None])
    unmapped: list[UnmappedWordAnswer] | None = Field(
        description="Words of its CRM that mean nothing here, most frequent first; at most 64 a connection and "
        "partition. Null where a connection speaks our own words.",
        examples=[None],
    )
    unknown: list[UnknownNameAnswer] = Field(
        description="Names that nobody here knows, most frequent first; at most 64 a connection and partition."
    )
    limits: LimitsAnswer | None = Field(examples=[None])
    subscription: SubscriptionAnswer | None = Field(examples=[None])
    duplicates: int | None = Field(
        description="Calls that count nowhere, as the connection that `match` names tells of them; null without one.",
        examples=[None],
    )
    not_visible: int | None = Field(examples=[None])
    backfill: BackfillAnswer | None = Field(examples=[None])


class ConnectionsAnswer(ListAnswer[ConnectionAnswer]):
    """The connections, in the order of the file."""
