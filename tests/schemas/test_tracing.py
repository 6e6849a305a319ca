"""Traces: a part of what caused it, or linked to several; none, and nothing loaded, unless somebody is told."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from schemas.tracing import OFF, TRACEPARENT, start_tracing, traceparents
from tests.collector import Collector

FIRST = f"00-{'1' * 32}-{'2' * 16}-01"
SECOND = f"00-{'3' * 32}-{'4' * 16}-01"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collecting:
        yield collecting


def test_what_one_message_caused_is_a_part_of_its_trace(collector: Collector) -> None:
    tracing = start_tracing(collector.url, "floorcast-worker")

    with tracing.span("process", "consumer", parents=[FIRST, FIRST], attributes={"floorcast.offset": 7}) as span:
        span.note({"floorcast.request": "4613ee63-77"})
        current = tracing.current
        headers = tracing.headers
    tracing.close()

    (told,) = collector.spans
    assert (told.service, told.name, told.trace, told.parent) == ("floorcast-worker", "process", "1" * 32, "2" * 16)
    assert current == f"00-{told.trace}-{told.id}-01"
    assert headers == ((TRACEPARENT, current.encode()),)
    assert list(traceparents([*headers, ("other", b"x")])) == [current]
    assert told.facts == {"floorcast.offset": "7", "floorcast.request": "4613ee63-77"}
    assert told.links == ()


def test_what_several_caused_links_them_in_a_trace_of_its_own(collector: Collector) -> None:
    tracing = start_tracing(collector.url, "floorcast-worker")

    with tracing.span("process", parents=[FIRST, SECOND, "no traceparent"]):
        pass
    tracing.close()

    (told,) = collector.spans
    assert told.parent == ""
    assert told.trace not in {"1" * 32, "3" * 32}
    assert told.links == ("2" * 16, "4" * 16)


def test_what_nobody_caused_is_within_what_is_under_way(collector: Collector) -> None:
    tracing = start_tracing(collector.url, "floorcast-api")

    with tracing.span("outer"), tracing.span("inner", parents=["no traceparent", ""]):
        pass
    tracing.close()

    inner, outer = collector.spans
    assert (inner.name, inner.parent, inner.trace) == ("inner", outer.id, outer.trace)
    assert tracing.current == ""


def test_what_went_wrong_is_told_by_its_kind_and_not_by_its_words(collector: Collector) -> None:
    tracing = start_tracing(collector.url, "floorcast-api")

    with pytest.raises(ValueError, match="a secret"), tracing.span("fails"):
        int("a secret")
    tracing.close()

    (told,) = collector.spans
    assert told.is_failed
    assert "a secret" not in str(told)


def test_the_names_of_opentelemetry_hold(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "floor")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    tracing = start_tracing(collector.url, "floorcast-api")

    with tracing.span("of nobody"):
        pass
    with tracing.span("of a trace that is sampled", parents=[FIRST]):
        pass
    tracing.close()

    assert [(each.service, each.name) for each in collector.spans] == [("floor", "of a trace that is sampled")]


def test_a_collector_that_is_away_keeps_nobody() -> None:
    tracing = start_tracing("http://127.0.0.1:1", "floorcast-api")
    with tracing.span("told to nobody"):
        pass

    tracing.close()


def test_without_an_address_nothing_is_told_and_nothing_loaded() -> None:
    assert start_tracing("", "floorcast-api") is OFF
    with OFF.span("nothing", parents=[FIRST]) as span:
        span.note({"floorcast.offset": 1})
        span.fail("nothing")
        assert (OFF.current, OFF.headers, OFF.is_on) == ("", (), False)
    look = "import sys, api.app, processor.app; sys.exit('opentelemetry.sdk' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", look], check=False).returncode == 0
