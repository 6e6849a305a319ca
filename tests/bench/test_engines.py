"""Every contender of the benchmark still runs, and ends with the recount's numbers. Nothing is timed here."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from bench import engines
from bench.contenders import CONTENDERS


@pytest.mark.kafka
def test_every_contender_ends_with_the_numbers_of_the_recount(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "LocalBroker", lambda *_, **__: nullcontext(SimpleNamespace(bootstrap=kafka)))
    # Of so little nothing pays that Java compiles twice, or collects beside the work.
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:-UsePerfData")
    section = engines.run(short=True)

    assert [result.name for result in section.results] == [contender.name for contender in CONTENDERS]
    assert {result.name: result.note for result in section.results if not result.runs} == {}
