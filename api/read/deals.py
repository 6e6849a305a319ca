"""The deals that are open or won, and how long won ones stayed in each stage: as `deals` last told them.

Owns what is remembered to say quickly after how long a deal stands still, and what was won when. Pure: `now` is an
argument.
"""

from collections.abc import Iterator
from fractions import Fraction

from schemas.catalogue.percentiles import Ranked, between, rank
from schemas.deals import DealCard, decode_deal
from schemas.instants import DAY

WON_WITHIN = 365 * DAY
ENOUGH_STAYS = 20
_SHARE = Fraction(4, 5)

PipelineStage = tuple[str | None, str]
"""Pipeline and stage."""


class Deals:
    """All of them."""

    def __init__(self, first_pipeline: str | None = None) -> None:
        """`first_pipeline`: the one that a deal is in that names none."""
        self._first_pipeline = first_pipeline
        self.open: dict[str, DealCard] = {}
        self.won: dict[str, DealCard] = {}
        self._won_on: dict[int, dict[str, DealCard]] = {}
        """By day of UTC, so that those of a few days are found among those of years."""
        self._in_stage: dict[PipelineStage, dict[str, DealCard]] = {}
        """Won deals that have left a stage, by that."""
        self._limits: dict[PipelineStage, tuple[int, int, Fraction | None]] = {}
        """Stage -> from when until when (excluded) it is so, and after how long a deal stands still in it."""

    def apply(self, key: bytes, value: bytes | None) -> tuple[str, DealCard | None]:
        """Take a message in; a value of None: it is in no list any more. Gives its id, and how it was won before."""
        deal = key.decode().partition("|")[2]
        self.open.pop(deal, None)
        before = self.won.pop(deal, None)
        if before is not None and before.won_at is not None:
            del self._won_on[before.won_at // DAY][deal]
            for stage in self._left(before):
                self._in_stage[stage].pop(deal, None)
                self._limits.pop(stage, None)
        if value is None:
            return deal, before
        card = decode_deal(value)
        if card.won_at is None:
            self.open[deal] = card
            return deal, before
        self.won[deal] = card
        self._won_on.setdefault(card.won_at // DAY, {})[deal] = card
        for stage in self._left(card):
            self._in_stage.setdefault(stage, {})[deal] = card
            self._limits.pop(stage, None)
        return deal, before

    def won_since(self, start: int) -> Iterator[DealCard]:
        """Those that were won at that instant or later, in no order; also those that are to be won yet."""
        for day, cards in self._won_on.items():
            if day >= start // DAY:
                yield from (card for card in cards.values() if card.won_at is not None and card.won_at >= start)

    def stalled_after(self, pipeline: str | None, stage: str, now: int) -> Fraction | None:
        """How long (microseconds) a deal may be in a stage until it stands still; None: too few were won to say."""
        place = pipeline or self._first_pipeline, stage
        held = self._limits.get(place)
        if held is None or not held[0] <= now < held[1]:
            held = self._limits[place] = self._limit(place, now)
        return held[2]

    def _limit(self, place: PipelineStage, now: int) -> tuple[int, int, Fraction | None]:
        stays: dict[int, int] = {}
        until = now + WON_WITHIN
        for card in self._in_stage.get(place, {}).values():
            at = card.won_at or 0
            if at > now:
                until = min(until, at)
            elif now < at + WON_WITHIN:
                until = min(until, at + WON_WITHIN)
                for stage, took in card.stays:
                    if stage == place[1]:
                        stays[took] = stays.get(took, 0) + 1
        sample = Ranked(stays)
        if len(sample) < ENOUGH_STAYS:
            return now, until, None
        return now, until, Fraction(between(sample, *rank(len(sample), _SHARE)))

    def _left(self, card: DealCard) -> Iterator[PipelineStage]:
        pipeline = card.pipeline or self._first_pipeline
        yield from dict.fromkeys((pipeline, stage) for stage, _ in card.stays)
