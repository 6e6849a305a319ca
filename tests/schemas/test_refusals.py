"""Who is told in plain words: a person at a terminal, not who reads the log."""

import io
import sys

import pytest

from schemas.refusals import tell_person


class Terminal(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


@pytest.mark.parametrize(("stderr", "said"), [(Terminal(), "floorcast api: no\n"), (io.StringIO(), "")])
def test_plain_words_are_for_a_terminal(monkeypatch: pytest.MonkeyPatch, stderr: io.StringIO, said: str) -> None:
    monkeypatch.setattr(sys, "stderr", stderr)

    tell_person("floorcast api: no")

    assert stderr.getvalue() == said
