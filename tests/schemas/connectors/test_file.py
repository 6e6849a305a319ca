"""A connection of kind `file`: nothing is posted to it, and its events are floorcast's own."""

import pytest
from pydantic import ValidationError

from schemas.connectors import build_connector, read_connection
from schemas.connectors.base import SignatureError
from tests.schemas.connectors.cases import CALL, GENERIC, NOW, parse


def test_it_needs_no_secret_and_takes_none() -> None:
    assert read_connection({"kind": "file"}).secrets == []
    with pytest.raises(ValidationError):
        read_connection({"kind": "file", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]})


def test_whatever_is_posted_proves_nothing() -> None:
    with pytest.raises(SignatureError):
        build_connector(read_connection({"kind": "file"})).verify(GENERIC.request(), NOW)


def test_its_events_are_those_of_the_contract() -> None:
    (change,) = parse(build_connector(read_connection({"kind": "file", "namespace": "f"})), [CALL]).changes

    assert (change.kind, change.id) == ("call", "f:c-1017")
