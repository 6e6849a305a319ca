"""What a replay from an instant takes from the old rows, and what from the log: together it is all there was."""

from hypothesis import given
from hypothesis import strategies as st

from processor.replay.cut import LEEWAY, older_part
from schemas.instants import DAY, HOUR
from schemas.records import Record, RecordChange, decode_record, fold_all
from tests.builders import change
from tests.strategies import NOW, logs


def state(record: Record) -> tuple[object, object, object]:
    return record.fields, record.histories, record.entered


@given(logs(), st.integers(NOW - 80 * DAY, NOW + HOUR))
def test_older_rows_and_the_later_log_make_what_the_whole_log_makes(log: list[RecordChange], cut: int) -> None:
    for kind, id in {(each.kind, each.id) for each in log}:
        mine = [each for each in log if (each.kind, each.id) == (kind, id)]
        whole = fold_all(kind, mine)
        older = older_part(whole.encode(), cut)

        anew = fold_all(kind, [each for each in mine if each.received_at >= cut - LEEWAY])
        if older is not None:
            anew.merge(decode_record(older))

        assert state(anew) == state(whole)


def test_what_was_changed_since_is_not_taken_from_the_old_row() -> None:
    wrong = fold_all(
        "lead",
        [
            change("lead", "l1", "2026-03-10T09:00Z", status="new", source="web", rep="r1"),
            change("lead", "l1", "2026-03-12T09:00Z", status="converted", rep="r9"),
        ],
    )

    older = older_part(wrong.encode(), change("lead", "l1", "2026-03-11T00:00Z").changed_at)

    assert older is not None
    kept = decode_record(older)
    assert (kept.get("source"), kept.get("status"), kept.get("rep")) == ("web", "new", "r1")
    assert [value for *_, value in kept.history("status")] == ["new"]


def test_a_row_of_later_changes_alone_is_left_out() -> None:
    row = fold_all("call", [change("call", "c1", "2026-03-12T09:00Z", rep="r1")]).encode()

    assert older_part(row, change("call", "c1", "2026-03-11T00:00Z").changed_at) is None
