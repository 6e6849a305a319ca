"""When a worker has something to say of apis that go by other definitions."""

from hypothesis import given
from hypothesis import strategies as st

from processor.core.apis_heard import AGAIN, RECENT, ApisHeard
from schemas.instants import MINUTE, SECOND

NOW = 1_790_000_000 * SECOND


def test_another_digest_is_news_once_and_our_own_never() -> None:
    apis = ApisHeard()
    apis.hear("ours", NOW)
    apis.hear("others", NOW)

    assert apis.news("ours", NOW + SECOND) == ["others"]
    assert apis.news("ours", NOW + SECOND) == []
    apis.hear("others", NOW + MINUTE)
    assert apis.news("ours", NOW + MINUTE) == []


def test_it_is_said_again_while_it_lasts() -> None:
    apis = ApisHeard()
    told = []
    for minute in range(25):
        apis.hear("others", NOW + minute * MINUTE)
        told += [minute for _ in apis.news("ours", NOW + minute * MINUTE)]

    assert told == [0, 10, 20]


def test_a_backlog_and_a_replay_are_no_news() -> None:
    apis = ApisHeard()
    apis.hear("others", NOW - RECENT)
    assert apis.news("ours", NOW) == []

    apis.hear("others", NOW - RECENT + 1)
    apis.hear("others", NOW - 9 * RECENT)  # one that is put through again
    assert apis.news("ours", NOW) == ["others"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 4 * RECENT), st.booleans()), max_size=60))
def test_only_what_is_other_and_recent_is_told_and_seldom(heard: list[tuple[str, int, bool]]) -> None:
    apis, now = ApisHeard(), NOW
    told: dict[str, int] = {}
    said: dict[str, int] = {}
    for digest, age, is_asked in heard:
        apis.hear(digest, now - age)
        said[digest] = max(said.get(digest, 0), now - age)
        if is_asked:
            for each in apis.news("a", now):
                assert each != "a"
                assert now - said[each] < RECENT
                assert now >= told.get(each, 0) + AGAIN
                told[each] = now
            said = {}
        now += MINUTE
