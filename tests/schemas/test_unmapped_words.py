"""Words without a counterpart are counted by connection, the same ones whatever the order in which they come."""

import random

from schemas.counted_texts import MAX_TEXTS
from schemas.unmapped_words import UnmappedWord, count_unmapped, unmapped_words


def test_words_are_summed_over_partitions_most_frequent_first() -> None:
    one: dict[str, int] = {}
    other: dict[str, int] = {"ignored.unmapped_value": 9}
    count_unmapped(one, "sf", {("call", "outcome", "Talked"): 2, ("deal", "status", 'a"b'): 3})
    count_unmapped(other, "sf", {("call", "outcome", "Talked"): 5})
    count_unmapped(other, "sf2", {("lead", "status", "Warm"): 1})

    assert unmapped_words([one, other]) == {
        "sf": [UnmappedWord("call", "outcome", "Talked", 7), UnmappedWord("deal", "status", 'a"b', 3)],
        "sf2": [UnmappedWord("lead", "status", "Warm", 1)],
    }


def test_no_more_words_are_kept_than_there_is_room_for_in_any_order() -> None:
    words = [("call", "outcome", f"word {number}") for number in range(3 * MAX_TEXTS)]
    shuffled = random.Random(1).sample(words, len(words))
    one: dict[str, int] = {}
    other: dict[str, int] = {}
    for word in words:
        count_unmapped(one, "sf", {word: 1})
    for word in shuffled:
        count_unmapped(other, "sf", {word: 1})

    assert one == other
    assert len(one) == MAX_TEXTS
