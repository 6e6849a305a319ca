"""What the processes of a replay hand to each other."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.replay.spool import Spool


def test_what_was_put_before_a_flush_is_still_there_after_the_next(tmp_path: Path) -> None:
    """Dead letters are put in every pass, and taken once at the end."""
    spool = Spool(tmp_path, 0)
    for pass_ in range(3):
        spool.put("letters", 1, [f"letter {pass_}".encode()])
        spool.flush()

    assert list(Spool(tmp_path, 9).take("letters", 1)) == [b"letter 0", b"letter 1", b"letter 2"]


def test_what_was_taken_does_not_come_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 0)
    spool.put("changes", 0, [b"a"])
    spool.flush()
    assert list(spool.take("changes", 0)) == [b"a"]

    spool.put("changes", 0, [b"b"])
    spool.flush()
    assert list(spool.take("changes", 0)) == [b"b"]
    assert list(spool.take("changes", 0)) == []


def test_partitions_and_names_are_kept_apart_and_writers_come_together(tmp_path: Path) -> None:
    first, second = Spool(tmp_path, 0), Spool(tmp_path, 1)
    first.put("engagements.1", 1, [b"mine"])
    first.put("engagements.1", 11, [b"another partition"])
    first.put("engagements.11", 1, [b"another round"])
    second.put("engagements.1", 1, [b"theirs"])
    first.flush()
    second.flush()

    assert list(first.take("engagements.1", 1)) == [b"mine", b"theirs"]
    assert list(first.take("engagements.1", 11)) == [b"another partition"]
    assert list(first.take("engagements.11", 1)) == [b"another round"]


@given(passes=st.lists(st.lists(st.binary(max_size=300), max_size=5), max_size=6))
def test_frames_come_out_as_they_went_in(tmp_path_factory: pytest.TempPathFactory, passes: list[list[bytes]]) -> None:
    spool = Spool(tmp_path_factory.mktemp("spool"), 0)
    for frames in passes:
        spool.put("older", 0, frames)
        spool.flush()

    assert list(spool.take("older", 0)) == [frame for frames in passes for frame in frames]
