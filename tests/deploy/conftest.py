"""What every test of commands begins with."""

import pytest
import structlog


@pytest.fixture(autouse=True)
def no_log() -> None:
    """A command is a process that keeps no log until it says so; another test here may have had one that does."""
    structlog.reset_defaults()
