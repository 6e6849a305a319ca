"""Which bodies of kind `generic` are read without the careful reader. That both say the same is a law of fuzz."""

import pytest

from schemas.connectors.plain import NotPlainError, read_plain
from tests.strategies import NOW

_EVENT = b'{"record":"lead","id":"l-1","changed_at":"%s","fields":{"source":"web","attributes":%s}}'
_AT = b"2026-03-18T16:41:30.344Z"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (b'{"utm":"a","at_fair":true}', '{"at_fair":true,"utm":"a"}'),
        (b'{"seats":12,"note":null}', '{"note":null,"seats":12}'),
        (b"{}", "{}"),
    ],
)
def test_flat_attributes_are_plain(written: bytes, kept: str) -> None:
    (change,) = read_plain(_EVENT % (_AT, written), NOW, "")

    assert change.fields == {"attributes": kept, "source": "web"}
    assert list(change.fields) == ["attributes", "source"]


@pytest.mark.parametrize(
    "written", [b'{"a":1.5}', b'{"a":[1]}', b'{"a":9223372036854775808}', b'{"a":"%s"}' % (b"x" * 9000)]
)
def test_other_attributes_are_left_to_the_careful_reader(written: bytes) -> None:
    with pytest.raises(NotPlainError):
        read_plain(_EVENT % (_AT, written), NOW, "")


@pytest.mark.parametrize(
    "at",
    [
        b"2026-03-18T16:41:30.3449999Z",
        rb"2026-03-18T16:41:30.344999\u0039Z",
        rb"2026-03-18T16:41:30\u002e3449999Z",
        b"1901-12-13T20:45:51Z",
        b"2243-01-01T00:00:00Z",
    ],
)
def test_an_instant_that_is_to_be_cut_or_refused_is_left_to_the_careful_reader(at: bytes) -> None:
    with pytest.raises(NotPlainError):
        read_plain(_EVENT % (at, b"{}"), NOW, "")


@pytest.mark.parametrize(
    ("at", "same"),
    [
        (b"2026-03-18T16:41:30.344123Z", 344_123),
        (b"2026-03-18t18:41:30.34+02:00", 340_000),
        (b"2026-03-18 16:41:30Z", 0),
    ],
)
def test_an_instant_is_read_to_the_microsecond(at: bytes, same: int) -> None:
    (change,) = read_plain(_EVENT % (at, b"{}"), NOW, "")

    assert change.changed_at == 1_773_852_090_000_000 + same
