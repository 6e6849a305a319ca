"""What stands in a fence."""

import pytest

from schemas.fences import definitions_in, encode_fence


def test_a_fence_says_who_and_by_which_definitions() -> None:
    assert encode_fence((7, 3)) == b"7/3"
    assert definitions_in(encode_fence((7, 3), "0a1b")) == "0a1b"


@pytest.mark.parametrize("fence", [None, b"", b"1", b"7/3"])
def test_a_fence_of_what_has_no_definitions_or_of_an_earlier_version_names_none(fence: bytes | None) -> None:
    assert definitions_in(fence) == ""
