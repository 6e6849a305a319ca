"""What an api says beside a delivery of its definitions, and how a difference is put into words."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.spoken_definitions import DEFINITIONS, definitions_headers, definitions_said, words_of_difference


@given(st.text("0123456789abcdef", min_size=16, max_size=16), st.lists(st.tuples(st.text(max_size=5), st.binary())))
def test_a_digest_is_heard_among_any_headers(digest: str, others: list[tuple[str, bytes]]) -> None:
    assert definitions_said([*others, *definitions_headers(digest)]) == digest
    assert definitions_said(others) is None


@given(st.binary())
def test_what_is_no_digest_is_not_heard(value: bytes) -> None:
    said = definitions_said([(DEFINITIONS, value)])

    assert said is None or (said.encode() == value and int(said, 16) >= 0)


def test_both_sides_say_it_in_the_same_words() -> None:
    assert words_of_difference("workers derive", "a1", "api", "b2") == (
        "workers derive by definitions a1 and the files of this api say b2: give both the same floorcast.yaml "
        "and metrics.yaml"
    )
