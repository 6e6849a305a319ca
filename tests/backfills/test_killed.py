"""Everything killed half-way through a back-fill beside a small Salesforce; `make backfills` takes large ones."""

from pathlib import Path

import pytest

from tests.backfills.crms import SalesforceCrm
from tests.backfills.killed import Killed

pytestmark = [pytest.mark.kafka]


def test_killed_half_way_a_back_fill_goes_on_and_every_number_is_that_of_the_crm(kafka: str, tmp_path: Path) -> None:
    crm = SalesforceCrm(tmp_path / "world", seed=2)
    crm.live_through(80)
    crm.world.crm.delay = 0.2
    folder = tmp_path / "floor"
    folder.mkdir()
    with crm.serving():
        assert Killed(crm, folder, kafka=kafka).run(acts=2) == []
    assert crm.world.crm.over_limit == 0
