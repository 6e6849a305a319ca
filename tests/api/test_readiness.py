"""What `/readyz` waits for: the lines of each part, each said once."""

from api.readiness import Readiness


def test_what_both_parts_miss_is_said_once() -> None:
    readiness = Readiness()
    readiness.add("ingest", lambda: ["topic deliveries is missing"])
    readiness.add("read", lambda: ["the view is loading", "topic deliveries is missing"])

    assert readiness.problems("ingest") == ["topic deliveries is missing"]
    assert readiness.problems("read") == ["the view is loading", "topic deliveries is missing"]
    assert readiness.problems("all") == ["topic deliveries is missing", "the view is loading"]
