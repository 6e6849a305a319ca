"""A few hundred bodies of each CRM with something wrong in them; `make fuzz-bodies` tries many more."""

import pytest

from tests.fuzz.mutated import KINDS, check
from tests.fuzz.outside import connection_of


@pytest.mark.parametrize("kind", KINDS)
def test_a_body_never_raises_and_never_goes_uncounted(kind: str) -> None:
    check(kind, connection_of(kind), 300)
