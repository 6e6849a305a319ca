"""Every contender of the benchmark still runs, and ends with the recount's numbers. Nothing is timed here."""

import pytest

from bench import engines
from bench.contenders import CONTENDERS


@pytest.mark.kafka
def test_every_contender_ends_with_the_numbers_of_the_recount() -> None:
    section = engines.run(short=True)

    assert [result.name for result in section.results] == [contender.name for contender in CONTENDERS]
    assert {result.name: result.note for result in section.results if not result.runs} == {}
