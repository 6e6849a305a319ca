"""Groups whose panes the compiled table keeps, beside those of the plain one.

A file of its own: `make sanitize` runs what imports `processor.native`, and not all that is tried of groups.
"""

from hypothesis import given
from hypothesis import strategies as st

from processor.native import panes as compiled_panes
from schemas.records import RecordChange
from tests.processor.core.test_groups import heard, make_groups
from tests.strategies import NOW, logs


@given(st.lists(logs(), min_size=1, max_size=3))
def test_groups_tell_the_same_whoever_keeps_their_panes(batches: list[list[RecordChange]]) -> None:
    plain, fast = make_groups(compiled=False), make_groups(compiled=True)
    assert isinstance(fast.panes, compiled_panes.PaneTable)
    assert not isinstance(plain.panes, compiled_panes.PaneTable)
    for log in batches:
        one, other = plain.fold(heard(log), NOW), fast.fold(heard(log), NOW)
        assert sorted(other.panes) == sorted(one.panes)
        assert (other.rows, other.clocks) == (one.rows, one.clocks)
