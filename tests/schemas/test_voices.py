"""Several voices of one field: the newest word counts in whatever order they come, and a recount says the same."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.verification.bounds import whole
from deploy.verification.forgetting import _cutoffs, _is_late
from deploy.verification.records import fold as recount
from processor.core.merged_leads import whole_of
from processor.core.retention import INSTANTS, RetentionCutoff, last_instant
from schemas.instants import DAY
from schemas.records import (
    CHOICES,
    FIELDS,
    FieldType,
    RecordChange,
    Value,
    decode_record,
    decode_values,
    fold_all,
    make_change,
)
from schemas.voices import VOICES
from schemas.windows import Calendar
from tests.builders import make_config
from tests.strategies import NOW

THIRTY_DAYS = make_config(retention={"records": "30d"})
UTC_DAYS = Calendar(THIRTY_DAYS.organisation.zone, THIRTY_DAYS.organisation.first_weekday)


VOICED = [(kind, field) for kind, fields in sorted(VOICES.items()) for field in fields]


def _values(kind: str, field: str) -> st.SearchStrategy[Value]:
    if FIELDS[kind][field] is FieldType.INSTANT:
        return st.sampled_from([NOW - DAY, NOW, NOW + DAY])
    return st.sampled_from(sorted(CHOICES.get((kind, field), {"EUR", "USD"})))


@st.composite
def words(draw: st.DrawFn, kind: str, field: str) -> list[RecordChange]:
    """What voices of one field of one record said, several of them at one instant."""
    names = [field, *VOICES[kind][field]]
    said = draw(
        st.lists(
            st.tuples(st.integers(0, 5), st.sampled_from(names), st.none() | _values(kind, field)),
            min_size=1,
            max_size=12,
        )
    )
    return [
        make_change(kind=kind, id="x", changed_at=NOW + at, fields={name: word}, received_at=NOW)
        for at, name, word in said
    ]


def expected(changes: Sequence[RecordChange]) -> object:
    """By its definition: of the last word of each voice the newest that is one; a currency that the CRM names wins."""
    last: dict[str, tuple[int, int, object]] = {}
    for change in sorted(changes, key=lambda each: each.version):
        ((name, word),) = change.fields.items()
        last[name] = (*change.version, word)
    if (named := last.get("currency")) is not None and named[2] is not None:
        return named[2]
    return max((entry for entry in last.values() if entry[2] is not None), default=(0, 0, None))[2]


@pytest.mark.parametrize(("kind", "field"), VOICED)
@given(data=st.data())
def test_any_order_and_repetition_says_the_same_and_so_does_the_recount(
    kind: str, field: str, data: st.DataObject
) -> None:
    changes = data.draw(words(kind, field))
    other = data.draw(st.permutations([*changes, changes[0]]))
    cut = data.draw(st.integers(0, len(other)))
    record, joined = fold_all(kind, changes), fold_all(kind, other[:cut])
    joined.merge(decode_record(fold_all(kind, other[cut:]).encode()))

    assert joined.encode() == record.encode()
    assert record.get(field) == expected(changes)
    assert decode_values(record.encode())[2] == {field: expected(changes)}
    assert recount(other)[kind]["x"].get(field) == expected(changes)
    if (kind, field) == ("lead", "status"):
        assert recount(other)[kind]["x"].history("status") == record.history("status")


def test_lists_read_a_currency_as_records_have_it() -> None:
    named, told = (
        change_of("x", NOW + at, {name: word})
        for at, (name, word) in enumerate([("currency", "USD"), ("currency#1", "EUR")])
    )
    root = fold_all("lead", [change_of("a", NOW, {"rep": "r"})])
    merged = fold_all("lead", [named, told, change_of("x", NOW, {"merged_into": "a"})])

    assert decode_values(fold_all("lead", [told, named]).encode())[2] == {"currency": "USD"}
    assert whole_of("a", {"a": root, "x": merged}).get("currency") == "USD"


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


def test_every_voice_of_every_kind_has_a_code_in_rows_of_its_own() -> None:
    for kind, field in VOICED:
        for voice in VOICES[kind][field]:
            change = make_change(kind=kind, id="x", changed_at=NOW, fields={voice: None}, received_at=NOW)
            assert set(decode_record(fold_all(kind, [change]).encode()).fields) == {voice}


@pytest.mark.parametrize(("kind", "field"), [each for each in VOICED if each[1] in INSTANTS[each[0]]])
def test_a_record_is_kept_for_an_instant_that_any_voice_names(kind: str, field: str) -> None:
    cutoff = RetentionCutoff(UTC_DAYS, 30 * DAY)
    for voice in VOICES[kind][field]:
        changes = [
            make_change(kind=kind, id="x", changed_at=NOW - 90 * DAY, fields={voice: at}, received_at=NOW)
            for at in (NOW - 60 * DAY, NOW)
        ]
        assert [cutoff.is_late(change) for change in changes] == [True, False]
        assert [_is_late(change, _cutoffs(THIRTY_DAYS)) for change in changes] == [True, False]
        assert [last_instant(fold_all(kind, [change])) for change in changes] == [NOW - 60 * DAY, NOW]


def test_a_root_takes_over_what_any_voice_of_a_merged_lead_says() -> None:
    merged = change_of("b", NOW - 1, {"merged_into": "a", "source#1": "fair", "received_at#2": NOW - DAY})
    members = {"a": fold_all("lead", [change_of("a", NOW, {"rep": "r"})]), "b": fold_all("lead", [merged])}
    recounted = recount([change_of("a", NOW, {"rep": "r"}), merged])["lead"]

    root, again = whole_of("a", members), whole("a", list(recounted.values()))
    for field, expected_value in {"rep": "r", "source": "fair", "received_at": NOW - DAY}.items():
        assert root.get(field) == again.get(field) == expected_value


def change_of(id: str, at: int, fields: dict[str, Value]) -> RecordChange:
    """Something said of a lead."""
    return make_change(kind="lead", id=id, changed_at=at, fields=fields, received_at=NOW)
