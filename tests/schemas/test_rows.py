"""Rows: what is written and read without making a `Record` says the same as the record."""

from collections import defaultdict

from hypothesis import given

from schemas.frames import record_key
from schemas.records import RecordChange, decode_values, fold_all
from tests.strategies import logs


@given(log=logs())
def test_plain_values_of_a_row_are_those_of_its_record(log: list[RecordChange]) -> None:
    changes = defaultdict(list)
    for change in log:
        changes[record_key(change.kind, change.id)].append(change)
    for mine in changes.values():
        record = fold_all(mine[0].kind, mine)

        kind, set_at, values = decode_values(record.encode())

        assert kind == record.kind
        assert values == {name: value for name, (_, _, value) in record.fields.items()}
        assert set_at in ({at for at, _, _ in record.fields.values()} or {0})
