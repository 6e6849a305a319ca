"""The panes of one origin: what is put in by the million is what is put in one by one."""

from hypothesis import given
from hypothesis import strategies as st

from processor.core.definitions import definitions_of
from processor.core.panes import PaneTable
from processor.core.plan import Contribution
from processor.core.retention import RetentionCutoff
from schemas.instants import DAY, HOUR
from tests.builders import make_config

LOG_AT = 1_764_120_000 * 1_000_000
MEASURED = st.tuples(
    st.one_of(
        st.tuples(st.just(11), st.none(), st.just(1)),
        st.tuples(st.just(12), st.just(0), st.integers(1, 3_600_000_000)),
        st.tuples(st.just(13), st.just(512), st.sampled_from([1010, -1010])),
        st.tuples(st.just(14), st.integers(-DAY, 90 * DAY), st.just(1)),
        st.tuples(st.just(15), st.tuples(st.integers(0, 3), st.integers(0, 3)), st.just(1)),
    )
)
CONTRIBUTIONS = st.lists(
    st.tuples(
        st.sampled_from(["r-1", "r-2", None]),
        # Before what is kept, days only, and minutes.
        st.integers(0, 100).map(lambda step: LOG_AT - step * 5 * HOUR)
        | st.integers(300, 500).map(lambda day: LOG_AT - day * DAY),
        MEASURED,
    ),
    max_size=30,
)


def table() -> PaneTable:
    definitions = definitions_of(make_config(timezone="Asia/Kuala_Lumpur"))
    cutoff = RetentionCutoff(definitions.calendar, definitions.records_kept)
    cutoff.advance(LOG_AT)
    made = PaneTable("ledger.0", definitions.calendar, definitions.minutes_kept, cutoff)
    made.advance(LOG_AT)
    return made


@given(CONTRIBUTIONS)
def test_counted_at_once_or_one_by_one_the_panes_are_the_same(contributions: list[Contribution]) -> None:
    one_by_one, at_once = table(), table()
    told: dict[bytes, bytes | None] = {}
    for contribution in contributions:
        one_by_one.replace((), [contribution])
        told.update(one_by_one.take_changes())

    at_once.count(contributions)

    assert dict(at_once.take_changes()) == {key: value for key, value in told.items() if value is not None}
    assert len(at_once) == len(one_by_one)


@given(CONTRIBUTIONS, st.integers(0, 5))
def test_only_what_differs_from_what_was_published_is_told(contributions: list[Contribution], kept: int) -> None:
    first = table()
    first.count(contributions)
    published = {key: value for key, value in first.take_changes() if value is not None}
    known = dict(list(published.items())[kept:])

    second = table()
    second.count(contributions)
    told = second.repair({**known, b"ledger.0|gone|d2025-11-01": b"\x80"})

    missing = {key: value for key, value in published.items() if key not in known}
    assert dict(told) == {**missing, b"ledger.0|gone|d2025-11-01": None}
    # Afterwards both go on alike.
    for one in (first, second):
        one.replace((), [("r-1", LOG_AT, ((11, None, 1),))])
    assert first.take_changes() == second.take_changes()
