"""The short form of the suite: a frozen worker, which becomes a zombie. All rounds: `make faults`."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.rounds import ROUNDS
from tests.faults.running import run_round

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("name", ["freeze"])
async def test_nothing_is_lost_or_counted_twice(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, logger="aiokafka")  # Kafka is away on purpose
    (one,) = (one for one in ROUNDS if one.name == name)

    # All windows are read from panes, which are compared byte for byte: of each kind of pane one is enough.
    result = await run_round(replace(one, windows=("1h", "today")), tmp_path, seed=1, slowness=3)

    assert result.problems == []
    assert result.changes > result.deliveries > 50
