"""A ledger from what it held once and what was published since is the ledger from all that was published."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processor.core.batch import Changes, new_batch
from processor.core.definitions import definitions_of
from processor.core.ledger import Ledger
from processor.core.ledger_state import LedgerNews, Piece, state_of
from processor.core.outputs import LedgerOutput
from processor.core.panes import Message
from schemas.frames import change_frames
from schemas.records import RecordChange
from tests.builders import change, make_config
from tests.strategies import logs, long_log

DEFINITIONS = definitions_of(
    make_config(
        timezone="Asia/Kuala_Lumpur",
        retention={"minutes": "25h", "records": "30d"},
        reps={"r2": {"aliases": {"feed": ["old-2"]}}},
    )
)
TOPICS = ("rows", "panes", "roster", "deals")
FEW = settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)  # fmt: skip
Log = dict[str, list[Message]]
Table = dict[bytes, bytes]


class Life:
    """One owner after the other on the same topics."""

    def __init__(self, *, compiled: bool) -> None:
        self.compiled = compiled
        self.ledger = self.new_ledger()
        self.log: Log = {topic: [] for topic in TOPICS}
        self.log_at = 0

    def new_ledger(self) -> Ledger:
        return Ledger("ledger.0", DEFINITIONS, compiled=self.compiled)

    def fold(self, changes: Sequence[RecordChange], *, is_quiet: bool = False) -> LedgerOutput:
        self.log_at = max(self.log_at, *(change.received_at for change in changes))
        taken: Changes = changes
        if self.compiled:
            taken = new_batch(compiled=True)
            for frame in change_frames(changes):
                taken.add(frame)
        return self.ledger.fold(taken, self.log_at, is_quiet=is_quiet)

    def publish(self, output: LedgerOutput, chance: random.Random | None = None) -> None:
        """With a chance the owner is killed meanwhile: of each topic only a beginning has come."""
        for topic in TOPICS:
            messages: list[Message] = getattr(output, topic)
            self.log[topic] += messages[: chance.randint(0, len(messages))] if chance else messages

    def tables(self) -> dict[str, Table]:
        """What is published, by topic."""
        return {
            topic: {key: value for key, value in dict(messages).items() if value is not None}
            for topic, messages in self.log.items()
        }

    def begin_from_log(self) -> LedgerOutput:
        published, self.ledger = self.tables(), self.new_ledger()
        self.ledger.restore(published["rows"])
        return self.ledger.rebuild(published["panes"], published["roster"], published["deals"], self.log_at)

    def keep(self) -> "Kept":
        """What is written down between two batches, and up to where it goes."""
        pieces: list[Piece] = [(kind, number, bytes(piece)) for kind, number, piece in self.ledger.held().pieces()]
        return Kept(pieces, {topic: len(messages) for topic, messages in self.log.items()})

    def begin_from(self, kept: "Kept") -> LedgerOutput:
        self.ledger = self.new_ledger()
        self.ledger.adopt(state_of(kept.pieces))
        news = {topic: dict(messages[kept.ends[topic] :]) for topic, messages in self.log.items()}
        return self.ledger.catch_up(LedgerNews(**news), self.log_at)

    def finish(self) -> dict[str, Table]:
        """All that is published, once what is too old was looked at."""
        while self.ledger.backlog:
            self.publish(self.ledger.sweep(3))
        return self.tables()


@dataclass
class Kept:
    pieces: list[Piece]
    ends: dict[str, int]


def check(log: Sequence[RecordChange], seed: int, *, compiled: bool) -> None:
    """Two lives with the same kills, one of which begins anew from what was kept before them."""
    one, other = (
        lived(Life(compiled=compiled), log, seed, from_kept=from_kept) for from_kept in (False, True)
    )  # fmt: skip
    assert other == one


def lived(life: Life, log: Sequence[RecordChange], seed: int, *, from_kept: bool) -> list[object]:
    """What was published and held after each kill, and at the end."""
    chance, left, kept, found = random.Random(seed), list(log), life.keep(), list[object]()
    while left:
        size = chance.randint(1, 9)
        batch, left = left[:size], left[size:]
        is_quiet, is_killed = chance.random() < 0.5, chance.random() < 0.4
        output = life.fold(batch, is_quiet=is_quiet)
        life.publish(output, chance if is_killed else None)
        if is_killed:
            life.publish(life.begin_from(kept) if from_kept else life.begin_from_log())
            found.append(life.finish())
            held = life.ledger.held()
            told = found[-1]["deals"]  # type: ignore[index]  # tables
            found += [held.rows, held.panes, [key for key in sorted(held.quietly_won) if key in told]]
            life.publish(life.fold(batch, is_quiet=is_quiet))  # it was not committed
        if chance.random() < 0.3:
            kept = life.keep()
    return [*found, life.finish()]


def test_rows_are_let_go_while_they_are_written_down() -> None:
    """Else there would be two copies of where they lie, beside the ledger."""
    life = Life(compiled=False)
    life.publish(life.fold([change("call", f"c{n}", rep="ana") for n in range(3)], is_quiet=False))
    held = life.ledger.held()
    assert [kind for kind, _, _ in held.pieces()].count("rows") == 1
    assert (len(held.rows), len(life.ledger)) == (0, 3)


@pytest.mark.parametrize("compiled", [False, True])
@FEW
@given(logs(), st.integers(0, 2**32))
def test_whatever_was_kept_whenever_the_same_is_published(compiled: bool, log: list[RecordChange], seed: int) -> None:
    check(log, seed, compiled=compiled)


@pytest.mark.parametrize("compiled", [False, True])
@FEW
@given(st.integers(0, 2**32))
def test_what_expires_meanwhile_expires_all_the_same(compiled: bool, seed: int) -> None:
    check(long_log(seed), seed, compiled=compiled)
