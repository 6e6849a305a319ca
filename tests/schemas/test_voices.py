"""Several voices of one field: the newest word counts in whatever order they come, and a recount says the same."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.verification.records import fold as recount
from schemas.records import CHOICES, RecordChange, decode_record, decode_values, fold_all, make_change
from schemas.voices import VOICES
from tests.strategies import NOW


@st.composite
def words(draw: st.DrawFn, kind: str) -> list[RecordChange]:
    """What voices of the status of one record said, several of them at one instant."""
    names = ["status", *VOICES[kind]["status"]]
    said = draw(
        st.lists(
            st.tuples(
                st.integers(0, 5), st.sampled_from(names), st.none() | st.sampled_from(sorted(CHOICES[kind, "status"]))
            ),
            min_size=1,
            max_size=12,
        )
    )
    return [
        make_change(kind=kind, id="x", changed_at=NOW + at, fields={name: word}, received_at=NOW)
        for at, name, word in said
    ]


def expected(changes: Sequence[RecordChange]) -> object:
    """By its definition: of the last word of each voice the newest that is one."""
    last: dict[str, tuple[int, int, object]] = {}
    for change in sorted(changes, key=lambda each: each.version):
        ((name, word),) = change.fields.items()
        last[name] = (*change.version, word)
    return max((entry for entry in last.values() if entry[2] is not None), default=(0, 0, None))[2]


@pytest.mark.parametrize("kind", sorted(VOICES))
@given(data=st.data())
def test_any_order_and_repetition_says_the_same_and_so_does_the_recount(kind: str, data: st.DataObject) -> None:
    changes = data.draw(words(kind))
    other = data.draw(st.permutations([*changes, changes[0]]))
    cut = data.draw(st.integers(0, len(other)))
    record, joined = fold_all(kind, changes), fold_all(kind, other[:cut])
    joined.merge(decode_record(fold_all(kind, other[cut:]).encode()))

    assert joined.encode() == record.encode()
    assert record.get("status") == expected(changes)
    assert decode_values(record.encode())[2]["status"] == expected(changes)
    assert set(decode_values(record.encode())[2]) == {"status"}
    assert recount(other)[kind]["x"].get("status") == expected(changes)
    if kind == "lead":
        assert recount(other)[kind]["x"].history("status") == record.history("status")


def test_of_a_very_long_history_both_keep_the_same() -> None:
    changes = [
        make_change(
            kind="lead", id="x", changed_at=NOW + at, received_at=NOW,
            fields={"status#1" if at % 3 else "status": ("new", "qualified", None, "disqualified")[at % 4]},
        )
        for at in range(400)
    ]  # fmt: skip

    history = fold_all("lead", changes).history("status")

    assert len(history) == 64
    assert history == recount(reversed(changes))["lead"]["x"].history("status")
