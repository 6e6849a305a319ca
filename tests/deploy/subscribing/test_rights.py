"""What credentials may read: asked for at servers that speak a vendor's API, and what `check --online` says of it."""

from typing import Any

import pytest

from deploy.subscribing.online import look_online
from deploy.subscribing.rights import Rights, rights_of
from schemas.connection_states import SubscriptionState
from schemas.connectors import read_connection
from tests.deploy.subscribing.crms import SETTINGS, Crm, Opens
from tests.fakes.http import Response

READ = {
    "hubspot": ["contacts", "deals", "meetings", "calls", "emails"],
    "salesforce": ["Lead", "Opportunity", "Task", "EmailMessage", "Event"],
    "zoho": ["Leads", "Deals", "Calls", "Events"],
    "pipedrive": ["leads", "deals", "activities"],
    "close": ["lead", "opportunity", "activity.call", "activity.email", "activity.meeting"],
    "aircall": ["calls"],
}


@pytest.mark.parametrize("kind", SETTINGS)
def test_each_object_is_asked_for_once(kind: str, crms: Opens) -> None:
    absent = ["VoiceCall"] if kind == "salesforce" else []

    assert rights_of(crms(kind).connection()) == Rights(READ[kind], absent=absent)


def test_what_every_account_has_and_is_not_shown_is_refused(crms: Opens) -> None:
    crm = crms("salesforce")
    crm.fake.unseen = {"Opportunity", "EmailMessage"}

    found = rights_of(crm.connection())

    assert found == Rights(["Lead", "Task", "Event"], ["Opportunity"], ["VoiceCall", "EmailMessage"])


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_is_refused_is_named_and_the_rest_is_asked_for(status: int, crms: Opens) -> None:
    crm = crms("pipedrive")
    refusals = 2 if status == 401 else 1  # another token is asked for once
    crm.fake.faults += [Response(status, {"success": False, "error": "no"})] * refusals

    found = rights_of(crm.connection())

    assert found is not None
    assert (found.refused, found.readable, found.unknown) == (["leads"], ["deals", "activities"], None)


def test_one_that_does_not_answer_is_not_waited_for(crms: Opens) -> None:
    crm = crms("pipedrive")
    crm.fake.faults += [None] * 20

    found = rights_of(crm.connection())

    assert found is not None
    assert (found.readable, found.refused) == ([], [])
    assert found.unknown is not None


def test_a_connection_without_an_api_has_no_rights_to_ask_for() -> None:
    assert rights_of(read_connection({"kind": "pipedrive", "secrets": ["user:password"]})) is None


def looked(crm: Crm, more: dict[str, Any], **named: Any) -> dict[str, bool]:
    found = look_online("crm", crm.connection(**more), last_delivery_at=None, **named)
    return {each.words: each.is_wrong for each in found}


def test_rights_that_are_missing_are_wrong(crms: Opens) -> None:
    found = looked(crms("close"), {}, rights=lambda _connection: Rights(["lead"], ["opportunity"], ["VoiceCall"]))

    assert found["can be read: lead"] is False
    assert found["is not there, or not shown to this token: VoiceCall"] is False
    assert found["a right or scope is missing: the token may not read opportunity"] is True


@pytest.mark.parametrize(
    ("stream", "words", "is_wrong"),
    [
        (SubscriptionState("active"), "stream: active", False),
        (SubscriptionState("silent"), "stream: silent", True),
        (None, "stream: not known, as no Kafka tells", False),
    ],
)
def test_a_stream_is_looked_at_in_place_of_subscriptions(
    stream: SubscriptionState | None, words: str, is_wrong: bool, crms: Opens
) -> None:
    more = {"public_url": None, "stream": {"topics": ["/data/ChangeEvents"]}}
    found = looked(crms("salesforce"), more, stream=stream)

    assert found[words] is is_wrong
    assert not any("public_url" in each for each in found)
