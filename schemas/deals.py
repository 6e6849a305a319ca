"""What `deals` says of each deal that is open or won: as much as lists of them show.

Owns the shape. Does not make them (processor/core/deals.py), and decides on no flag (api/read/open_deals.py).
"""

import msgspec


class DealCard(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A deal that is open or won. Instants and durations in microseconds."""

    deal: str
    rep: str | None
    """Under the roster's id."""
    name: str | None
    lead: str | None
    pipeline: str | None
    stage: str | None
    entered_stage_at: int | None
    """Since when it is in that stage: of neighbours of one stage the first entry."""
    amount: str | None
    currency: str | None
    next_step_at: int | None
    created_at: int | None
    won_at: int | None = None
    """None: it is open."""
    stays: tuple[tuple[str, int], ...] = ()
    """Of one that is won: each stage that it has left, and how long it was there."""
    is_quiet: bool = False
    """Whether no webhook told first that it was won: it is listed and counted, and celebrated by nobody."""


encode_deal = msgspec.msgpack.Encoder().encode
decode_deal = msgspec.msgpack.Decoder(DealCard).decode
