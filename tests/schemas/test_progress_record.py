"""Records of `progress` as whoever reads them takes them."""

import pytest

from schemas.progress import Progress, encode_progress, progress_in, progress_key


def test_a_record_says_of_which_stage_and_partition_it_is() -> None:
    found = progress_in(progress_key("ledger", 3), encode_progress(Progress(7)))

    assert found is not None
    assert (found[0], found[1].offset) == (("ledger", 3), 7)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"who|knows", encode_progress(Progress(7))),
        (b"\xff|1", encode_progress(Progress(7))),
        (b"a|b|1", encode_progress(Progress(7))),
        (progress_key("ledger", 3), b"\xff\x00"),
        (progress_key("ledger", 3), b""),
    ],
    ids=["no partition", "no text", "too many parts", "no array", "empty"],
)
def test_what_floorcast_has_not_written_says_nothing(key: bytes, value: bytes) -> None:
    assert progress_in(key, value) is None
