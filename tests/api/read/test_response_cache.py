"""Encoded answers: made once for a revision, and those asked for lately are the ones that are kept."""

from collections.abc import Callable, Hashable
from typing import Any

from api.read.response_cache import ResponseCache


class Maker:
    def __init__(self) -> None:
        self.made: list[Hashable] = []

    def of(self, key: Hashable) -> Callable[[], dict[str, Any]]:
        def make() -> dict[str, Any]:
            self.made.append(key)
            return {"key": key, "as_of": ""}

        return make


def test_answer_is_made_once_for_a_revision() -> None:
    cache, maker = ResponseCache(), Maker()

    first, again = cache.known(1, "a", maker.of("a")), cache.known(1, "a", maker.of("a"))
    later = cache.known(2, "a", maker.of("a"))

    assert first is again
    assert later == first
    assert maker.made == ["a", "a"]


def test_the_one_that_was_not_asked_for_longest_goes_first() -> None:
    cache, maker = ResponseCache(most=2), Maker()

    for key in ("screen", "other", "screen", "third", "screen", "other"):
        cache.known(1, key, maker.of(key))

    assert maker.made == ["screen", "other", "third", "other"]
