"""Names that nobody knows are counted in a bounded room, whatever the order in which they come."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.counted_texts import MAX_TEXTS, UNKNOWN, UnknownName

NAMES = st.tuples(st.sampled_from(["call", "deal"]), st.text(max_size=5))


@given(st.data())
def test_any_order_keeps_the_same_names_with_their_whole_counts(data: st.DataObject) -> None:
    told = data.draw(
        st.lists(st.tuples(st.sampled_from(["feed", "feed2", 'x"]']), NAMES, st.integers(1, 9)), max_size=30)
    )
    one: dict[str, int] = {}
    other: dict[str, int] = {}
    for connection, name, count in told:
        UNKNOWN.count(one, connection, {name: count}.items())
    for connection, name, count in data.draw(st.permutations(told)):
        UNKNOWN.count(other, connection, {name: count}.items())

    assert one == other
    summed: dict[tuple[str, str, str], int] = {}
    for connection, name, count in told:
        summed[connection, *name] = summed.get((connection, *name), 0) + count
    assert {
        (connection, each.record, each.name): each.count
        for connection, names in UNKNOWN.by_connection([one]).items()
        for each in names
    } == summed


def test_no_more_than_so_many_names_are_kept_and_those_are_counted_in_full() -> None:
    names = [("call", f"n{number}") for number in range(4 * MAX_TEXTS)]
    forwards: dict[str, int] = {"events": 7}
    backwards: dict[str, int] = {"events": 7}
    for name in (*names, *names):
        UNKNOWN.count(forwards, "feed", {name: 1}.items())
    for name in (*reversed(names), *names):
        UNKNOWN.count(backwards, "feed", {name: 1}.items())

    assert forwards == backwards
    kept = UNKNOWN.by_connection([forwards])["feed"]
    assert len(kept) == MAX_TEXTS
    assert {each.count for each in kept} == {2}
    assert forwards["events"] == 7


def test_partitions_are_summed_and_the_most_frequent_stands_first() -> None:
    one: dict[str, int] = {}
    other: dict[str, int] = {}
    UNKNOWN.count(one, "feed", {("call", "dialedat"): 2, ("kall", "kall"): 3}.items())
    UNKNOWN.count(other, "feed", {("call", "dialedat"): 5}.items())

    assert UNKNOWN.by_connection([one, other, {"ignored.unknown_field": 9}]) == {
        "feed": [UnknownName("call", "dialedat", 7), UnknownName("kall", "kall", 3)]
    }
