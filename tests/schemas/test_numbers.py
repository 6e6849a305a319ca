"""What is kept of telephone numbers: nothing where nobody compares them, elsewhere nothing that could be dialled."""

from typing import Any

import pytest
from msgspec import msgpack

from schemas.config import Config
from schemas.numbers import HASH_DIGITS, NONE_KEPT, PhoneNumbers, compared, hash_of, hide, teller_of
from schemas.records import MAX_PLACE, make_change, with_places
from tests.builders import make_config

NUMBERS = PhoneNumbers(b"k" * 32, frozenset({"crm", "air"}))


def call(**fields: Any) -> Any:
    return make_change(kind="call", id="c", changed_at=5, fields=fields, received_at=6)


def test_only_a_keyed_hash_and_the_teller_are_kept() -> None:
    (kept,) = NUMBERS.hidden("crm", [call(number="4930111", rep="r1")])

    number = kept.fields["number"]
    assert isinstance(number, str)
    assert (len(hash_of(number)), teller_of(number)) == (HASH_DIGITS, "crm")
    assert b"4930111" not in msgpack.encode(kept)
    assert hash_of(number) != hash_of(hide("4930111", "crm", b"another"))
    assert hash_of(number) == hash_of(hide("4930111", "air", NUMBERS.key))


def test_the_digest_says_nothing_of_the_number_and_the_place_stays() -> None:
    said = with_places([call(number="4930111", rep="r1"), call(number="4930222", rep="r1")])

    first, second = NUMBERS.hidden("crm", said)

    assert (first.digest >> 56, second.digest >> 56) == (0, 1)
    assert first.digest != said[0].digest
    again = call(**first.fields)
    assert again.digest == first.digest
    assert second.digest >> 56 <= MAX_PLACE


@pytest.mark.parametrize(("numbers", "connection"), [(NONE_KEPT, "crm"), (NUMBERS, "feed")])
def test_a_number_that_nobody_compares_is_left_out(numbers: PhoneNumbers, connection: str) -> None:
    said = [call(number="4930111", rep="r1"), call(number="4930111"), call(rep="r2")]

    assert [change.fields for change in numbers.hidden(connection, said)] == [{"rep": "r1"}, {"rep": "r2"}]


def test_a_number_that_was_cleared_is_cleared() -> None:
    assert [change.fields for change in NUMBERS.hidden("air", [call(number=None)])] == [{"number": None}]


def _config(**match: Any) -> Config:
    feed = {"kind": "generic", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}
    air = {"kind": "generic", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx"]}
    third = {"kind": "generic", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSy"]}
    said = {"crm": feed, "air": air, "other": third}
    return make_config(connections={name: each | {"match": match.get(name)} for name, each in said.items()})


def test_those_are_compared_that_a_match_names() -> None:
    assert compared(_config().connections) == frozenset()
    assert compared(_config(crm={"calls": {"with": "air", "within": "90s"}}).connections) == {"crm", "air"}


@pytest.mark.parametrize(
    ("match", "problem"),
    [
        ({"crm": {"calls": {"with": "ari", "within": "90s"}}}, "there is no connection 'ari' under connections"),
        ({"crm": {"calls": {"with": "crm", "within": "90s"}}}, "is 'crm' itself"),
        ({"crm": {"calls": {"with": "air", "within": 90}}}, "90 has no unit; did you mean 90s?"),
        ({"crm": {"calls": {"with": "air"}}}, "Field required"),
        (
            {"crm": {"calls": {"with": "air", "within": "1m"}}, "air": {"calls": {"with": "crm", "within": "1m"}}},
            "connection 'air' has a match of its own",
        ),
    ],
)
def test_a_match_that_cannot_be_is_refused(match: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=r"match") as refused:
        _config(**match)

    assert problem in str(refused.value)
