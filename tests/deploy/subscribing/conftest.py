"""What these tests ask for: CRMs."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.deploy.subscribing.crms import FAKES, Crm, Now, Opens


@pytest.fixture
def crms() -> Iterator[Opens]:
    """Opens one of a kind."""
    with ExitStack() as stack:

        def opened(kind: str) -> Crm:
            now = Now()
            fake = FAKES[kind](now)
            if kind == "zoho":
                fake.users.append({"id": "9"})
            stack.enter_context(fake.serving())
            return Crm(kind, fake, now)

        yield opened
