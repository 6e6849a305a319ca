"""What credentials may read: asked for at servers that speak a vendor's API, and what `check --online` says of it."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from deploy.subscribing.online import look_online
from deploy.subscribing.rights import Rights, rights_of
from schemas.connection_states import Subscription
from schemas.connectors import Connection, read_connection
from tests.deploy.subscribing.test_online import SETTINGS, Crm, connection, opens
from tests.fakes.http import Response
from tests.fakes.pipedrive import KEY, FakePipedrive


@pytest.fixture
def crm() -> Iterator[FakePipedrive]:
    fake = FakePipedrive(time.time)
    with fake.serving():
        yield fake


def of(crm: FakePipedrive) -> Connection:
    api = {"company": "acme", "token": KEY, "url": crm.url}
    return read_connection({"kind": "pipedrive", "secrets": ["user:password"], "api": api})


def test_each_object_is_asked_for_once(crm: FakePipedrive) -> None:
    assert rights_of(of(crm)) == Rights(["leads", "deals", "activities"])


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_is_refused_is_named_and_the_rest_is_asked_for(crm: FakePipedrive, status: int) -> None:
    refusals = 2 if status == 401 else 1  # another token is asked for once
    crm.faults += [Response(status, {"success": False, "error": "no"})] * refusals

    found = rights_of(of(crm))

    assert found is not None
    assert (found.refused, found.readable, found.unknown) == (["leads"], ["deals", "activities"], None)


def test_one_that_does_not_answer_is_not_waited_for(crm: FakePipedrive) -> None:
    crm.faults += [None] * 20

    found = rights_of(of(crm))

    assert found is not None
    assert (found.readable, found.refused) == ([], [])
    assert found.unknown is not None


def test_a_connection_without_an_api_has_no_rights_to_ask_for() -> None:
    assert rights_of(read_connection({"kind": "pipedrive", "secrets": ["user:password"]})) is None


def looked(kind: str, more: dict[str, Any] | None = None, **named: Any) -> dict[str, bool]:
    entry = connection(kind) if more is None else read_connection({"kind": kind, **SETTINGS[kind], **more})
    found = look_online("crm", entry, last_delivery_at=None, opens=opens(Crm(kind)), **named)
    return {each.words: each.is_wrong for each in found}


def test_rights_that_are_missing_are_wrong() -> None:
    found = looked("close", rights=lambda _connection: Rights(["lead"], ["opportunity"]))

    assert found["can be read: lead"] is False
    assert found["a right or scope is missing: the token may not read opportunity"] is True


@pytest.mark.parametrize(
    ("stream", "words", "is_wrong"),
    [
        (Subscription("active"), "stream: active", False),
        (Subscription("silent"), "stream: silent", True),
        (None, "stream: not known, as no Kafka tells", False),
    ],
)
def test_a_stream_is_looked_at_in_place_of_subscriptions(
    stream: Subscription | None, words: str, is_wrong: bool
) -> None:
    found = looked("salesforce", {"stream": {"topics": ["/data/ChangeEvents"]}}, stream=stream)

    assert found[words] is is_wrong
    assert not any("public_url" in each for each in found)
