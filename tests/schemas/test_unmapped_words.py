"""Words without a counterpart are counted by connection, the same ones whatever the order in which they come."""

import random

from schemas.counted_texts import MAX_TEXTS, UNMAPPED, UnmappedWord


def test_words_are_summed_over_partitions_most_frequent_first() -> None:
    one: dict[str, int] = {}
    other: dict[str, int] = {"ignored.unmapped_value": 9}
    UNMAPPED.count(one, "sf", {("call", "outcome", "Talked"): 2, ("deal", "status", 'a"b'): 3}.items())
    UNMAPPED.count(other, "sf", {("call", "outcome", "Talked"): 5}.items())
    UNMAPPED.count(other, "sf2", {("lead", "status", "Warm"): 1}.items())

    assert UNMAPPED.by_connection([one, other]) == {
        "sf": [UnmappedWord("call", "outcome", "Talked", 7), UnmappedWord("deal", "status", 'a"b', 3)],
        "sf2": [UnmappedWord("lead", "status", "Warm", 1)],
    }


def test_no_more_words_are_kept_than_there_is_room_for_in_any_order() -> None:
    words = [("call", "outcome", f"word {number}") for number in range(3 * MAX_TEXTS)]
    shuffled = random.Random(1).sample(words, len(words))
    one: dict[str, int] = {}
    other: dict[str, int] = {}
    for word in words:
        UNMAPPED.count(one, "sf", {word: 1}.items())
    for word in shuffled:
        UNMAPPED.count(other, "sf", {word: 1}.items())

    assert one == other
    assert len(one) == MAX_TEXTS
